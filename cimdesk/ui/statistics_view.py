"""Figures of one column: how many values, how they lie, which are the most frequent; of the selection where there is one."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number
from cimdesk.model.classes import Statistics
from cimdesk.ui.theme import current_theme

NUMBER_NAMES = {"sum": "Sum", "mean": "Mean", "median": "Median", "min": "Least", "max": "Greatest", "std": "Standard deviation"}


def _figure(value: float) -> str:
    """Return a figure as people write it: whole numbers without decimals."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else format_number(value, 4)


class StatisticsView(QWidget):
    """Shows `Statistics` as short lines in as many columns as there is room for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = ""
        self.scope = ""
        self.lines: list[tuple[str, str]] = []
        self.top: tuple[tuple[str, int], ...] = ()

    def show_figures(self, title: str, scope: str, figures: Statistics | None) -> None:
        """Show the figures of a column; None while they are counted."""
        self.title, self.scope, self.lines, self.top = title, scope, [], ()
        if figures is not None:
            self.lines = [(tr("Values"), f"{figures.count:,}"), (tr("Different"), f"{figures.distinct:,}")]
            if figures.missing:
                self.lines.append((tr("No value"), f"{figures.missing:,}"))
            self.lines += [(tr(NUMBER_NAMES[name]), _figure(value)) for name, value in figures.numbers.items()]
            self.top = figures.top
        self.update()

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 30, unit * 7)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row, unit = theme.px("font_px") * 1.5, theme.px("font_px")
        painter.setFont(theme.font(QFont.Weight.DemiBold))
        painter.setPen(theme.color("text"))
        title = painter.fontMetrics().elidedText(self.title, Qt.TextElideMode.ElideRight, round(self.width() * 0.6))
        painter.drawText(QRectF(0.0, 4.0, self.width(), row), Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(theme.font(scale=0.88))
        painter.setPen(theme.color("dim"))
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0.0, 4.0, self.width() - 16.0, row), right, self.scope)
        painter.setFont(theme.font(scale=0.94))
        top = 4.0 + row * 1.15
        fit = max(1, int((self.height() - top) / row))
        columns = 2 if len(self.lines) + len(self.top) > fit else 1
        width = (self.width() - 16.0 - (columns - 1) * unit) / columns
        most = max((count for _, count in self.top), default=1)
        entries = [(label, value, 0.0) for label, value in self.lines]
        entries += [(text, f"{count:,}", count / most) for text, count in self.top]
        for k, (label, value, part) in enumerate(entries[: fit * columns]):
            place = QRectF((k // fit) * (width + unit), top + (k % fit) * row, width, row)
            if part:
                painter.fillRect(QRectF(place.left(), place.bottom() - 3.0, width * part, 2.0), theme.color("accent", 150))
            self._line(painter, place, label, value)
        painter.end()

    @staticmethod
    def _line(painter: QPainter, place: QRectF, label: str, value: str) -> None:
        theme, metrics = current_theme(), painter.fontMetrics()
        room = place.width() - metrics.horizontalAdvance(value) - 8.0
        painter.setPen(theme.color("dim"))
        text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, int(room))
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.setPen(theme.color("text"))
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, value)
