"""A line of text that ends in "…" where there is no room for all of it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel

LEAST = 4
"""Letters that it always has room for."""


class ElidedLabel(QLabel):
    """A label that gives way: it may be narrower than its text, and then says so."""

    def needed(self, text: str) -> int:
        """Return how wide it has to be for a text [px]."""
        return self.fontMetrics().horizontalAdvance(text) + 2 if text else 0

    def sizeHint(self) -> QSize:
        return QSize(self.needed(self.text()), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        least = self.fontMetrics().averageCharWidth() * LEAST
        return QSize(min(self.needed(self.text()), least), super().sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.end()
