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
            self.lines += [(tr(NUMBER_NAMES[name]), format_number(value, 4)) for name, value in figures.numbers.items()]
            self.top = figures.top
        self.update()

    def sizeHint(self) -> QSize:
        unit = current_theme().px("font_px")
        return QSize(unit * 18, unit * 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = theme.px("font_px") * 1.5
        width = self.width() - 20.0
        y = 2.0
        painter.setFont(theme.font(QFont.Weight.DemiBold))
        painter.setPen(theme.color("text"))
        self._line(painter, y, row, width, self.title, "")
        y += row
        painter.setFont(theme.font(scale=0.88))
        painter.setPen(theme.color("dim"))
        self._line(painter, y, row, width, self.scope, "")
        y += row
        painter.setFont(theme.font(scale=0.94))
        for label, value in self.lines:
            if y + row > self.height():
                break
            self._line(painter, y, row, width, label, value)
            y += row
        most = max((count for _, count in self.top), default=1)
        y += row * 0.25
        for text, count in self.top:
            if y + row > self.height():
                break
            painter.fillRect(QRectF(0.0, y + row * 0.86, width * count / most, 2.0), theme.color("accent", 150))
            self._line(painter, y, row, width, text, f"{count:,}")
            y += row
        painter.end()

    @staticmethod
    def _line(painter: QPainter, y: float, row: float, width: float, label: str, value: str) -> None:
        theme, metrics = current_theme(), painter.fontMetrics()
        room = width - metrics.horizontalAdvance(value) - 8.0
        pen = painter.pen()
        if value:
            painter.setPen(theme.color("dim"))
        text = metrics.elidedText(label, Qt.TextElideMode.ElideRight, int(room))
        painter.drawText(QRectF(0.0, y, room, row), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        if value:
            painter.setPen(theme.color("text"))
            painter.drawText(QRectF(0.0, y, width, row), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, value)
        painter.setPen(pen)
