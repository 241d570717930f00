"""A run against marks and gauges: a table, a scatter of observed and modelled, and how well they agree."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QPushButton, QTableWidget, QTableWidgetItem, QWidget

from cimdesk.base.i18n import tr
from cimdesk.commands.flood_calibration import Calibration, peaks_text, write_calibration_csv
from cimdesk.ui.desk import Desk
from cimdesk.ui.forms import FormDialog
from cimdesk.ui.theme import current_theme

if TYPE_CHECKING:
    from cimdesk.base.arrays import Float


class CalibrationDialog(FormDialog):
    """Shows the comparison; its button takes another table of marks."""

    def __init__(self, desk: Desk, found: Calibration, parent: QWidget | None = None) -> None:
        super().__init__(tr("{name} against marks and gauges").format(name=found.name), tr("Close"), parent, width=62)
        self._desk, self.found = desk, found
        self.table = _table(found)
        self.scatter = Scatter(found)
        row = QHBoxLayout()
        row.setSpacing(18)
        row.addWidget(self.table, 7)
        row.addWidget(self.scatter, 4)
        self.body.addLayout(row, 1)
        missed = tr("{count} places are dry or outside in the run.").format(count=found.missed) if found.missed else ""
        texts = [peaks_text(found.peaks) + ".", missed, found.statement + "."]
        texts += [f"{problem.where}: {problem.message}" for problem in found.problems[:3]]
        self.note.setText(" ".join(text for text in texts if text))
        self.csv = QPushButton(tr("Table…"))
        self.csv.clicked.connect(self._write)
        self.other = QPushButton(tr("Other marks…"))
        self.other.clicked.connect(self._choose)
        self.wants_other = False
        buttons = QHBoxLayout()
        buttons.addWidget(self.csv)
        buttons.addWidget(self.other)
        buttons.addStretch(1)
        self.body.addLayout(buttons)
        unit = current_theme().px("font_px")
        # Nothing is decided here, so there is nothing to cancel.
        for button in self.findChildren(QPushButton):
            button.setVisible(button.text() != tr("Cancel"))
        self.resize(QSize(unit * 88, unit * 36).boundedTo(self.screen().availableGeometry().size() * 0.92))

    def _write(self) -> None:
        path = self._desk.ask.save_path(tr("Save comparison"), ".csv", tr("marks"))
        if path is not None and self._desk.attempt(write_calibration_csv, path, self.found) is not None:
            self._desk.message.emit(tr("Written: {name}").format(name=path.name))

    def _choose(self) -> None:
        self.wants_other = True
        self.accept()


def _table(found: Calibration) -> QTableWidget:
    columns = [tr("Name"), tr("Observed [m]"), tr("Run [m]"), tr("Run minus observed [m]"), "RMSE [m]", "NSE", tr("Source")]
    table = QTableWidget(len(found.rows), len(columns))
    table.setHorizontalHeaderLabels(columns)
    table.verticalHeader().setVisible(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    has_series = any(row.fit is not None for row in found.rows)
    for column in (4, 5):
        table.setColumnHidden(column, not has_series)
    for k, row in enumerate(found.rows):
        fit = row.fit
        numbers = [row.observed, row.modelled, row.error, fit.rmse if fit else np.nan, fit.nse if fit else np.nan]
        texts = [_signed(value) if k == 2 else _plain(value) for k, value in enumerate(numbers)]
        if row.note:
            texts[1] = row.note
        for column, text in enumerate([row.name, *texts, row.source]):
            item = QTableWidgetItem(text)
            if 0 < column < 6:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setItem(k, column, item)
    return table


def _plain(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _signed(value: float) -> str:
    return f"{value:+.2f}" if np.isfinite(value) else "–"


class Scatter(QWidget):
    """Observed to the right, modelled upwards, with the line where they are the same."""

    def __init__(self, found: Calibration, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seen: Float = np.array([row.observed for row in found.rows])
        self._ours: Float = np.array([row.modelled for row in found.rows])
        self._names = [row.name for row in found.rows]
        self.setMinimumSize(220, 220)
        self.setAccessibleName(tr("Observed against run"))

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 24, unit * 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        unit = theme.px("font_px")
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        both = np.isfinite(self._seen) & np.isfinite(self._ours)
        box = QRectF(unit * 3.6, unit * 0.6, self.width() - unit * 4.4, self.height() - unit * 4.0)
        painter.setPen(QPen(theme.color("line"), 1.0))
        painter.drawRect(box)
        if both.any():
            values = np.concatenate([self._seen[both], self._ours[both]])
            room = max(float(np.ptp(values)) * 0.12, 0.05)
            low, high = float(values.min()) - room, float(values.max()) + room
            self._draw_axes(painter, box, low, high)
            self._draw_points(painter, box, low, high, np.flatnonzero(both))
        painter.setPen(theme.color("dim"))
        painter.setFont(theme.font(scale=0.9))
        below = QRectF(box.left(), self.height() - unit * 1.7, box.width(), unit * 1.6)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, tr("Observed [m]"))
        painter.translate(unit * 0.8, box.center().y())
        painter.rotate(-90)
        painter.drawText(
            QRectF(-box.height() / 2, -unit * 0.8, box.height(), unit * 1.6), Qt.AlignmentFlag.AlignCenter, tr("Run [m]")
        )
        painter.end()

    def _draw_axes(self, painter: QPainter, box: QRectF, low: float, high: float) -> None:
        theme = current_theme()
        unit = theme.px("font_px")
        painter.setPen(QPen(theme.color("dim"), 1.2, Qt.PenStyle.DashLine))
        painter.drawLine(box.bottomLeft(), box.topRight())
        painter.setFont(theme.font(scale=0.84))
        for value in round_ticks(low, high):
            share = (value - low) / (high - low)
            text = f"{value:g}"
            x, y = box.left() + share * box.width(), box.bottom() - share * box.height()
            painter.setPen(theme.color("dim"))
            painter.drawText(QRectF(x - unit * 3, box.bottom() + 2, unit * 6, unit * 1.5), Qt.AlignmentFlag.AlignCenter, text)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(unit * 1.2, y - unit * 0.8, box.left() - unit * 1.5, unit * 1.6), right, text)

    def _draw_points(self, painter: QPainter, box: QRectF, low: float, high: float, rows: np.ndarray) -> None:
        theme = current_theme()
        unit = theme.px("font_px")
        painter.setFont(theme.font(scale=0.84))
        taken: list[QRectF] = []
        for row in rows:
            x = box.left() + (self._seen[row] - low) / (high - low) * box.width()
            y = box.bottom() - (self._ours[row] - low) / (high - low) * box.height()
            painter.setPen(QPen(theme.color("card"), 1.2))
            painter.setBrush(theme.color("accent"))
            painter.drawEllipse(QPointF(x, y), unit * 0.36, unit * 0.36)
            if len(rows) <= 25:
                painter.setPen(theme.color("text"))
                name = painter.fontMetrics().elidedText(self._names[row], Qt.TextElideMode.ElideRight, round(unit * 9))
                width = painter.fontMetrics().horizontalAdvance(name)
                left = x + unit * 0.6 if x + unit * 0.6 + width < box.right() else x - unit * 0.6 - width
                place = QRectF(left, y - unit * 1.2, width, unit * 1.2)
                # Names that would cover another one are left out; the table beside has them all.
                if not any(place.intersects(other) for other in taken):
                    painter.drawText(QPointF(left, y - unit * 0.3), name)
                    taken.append(place)


def round_ticks(low: float, high: float) -> list[float]:
    """Return two to five round values within a range."""
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
    step = next((size for size in steps if (high - low) / size <= 5.0), high - low)
    return [round(k * step, 2) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def ask(parent: QWidget | None, desk: Desk, layer: str, found: Calibration) -> None:
    """Show the comparison, and again with other marks when somebody chooses some."""
    from cimdesk.commands.flood_calibration import calibration_of, set_marks

    while True:
        dialog = CalibrationDialog(desk, found, parent)
        dialog.exec()
        dialog.deleteLater()
        if not dialog.wants_other:
            return
        files: list[Path] = desk.ask.files(tr("Surveyed marks: name, x, y, level or depth"))
        if files:
            desk.attempt(set_marks, desk.session, layer, files[0])
        again: Calibration | None = desk.attempt(calibration_of, desk.session, layer)
        found = again or found
