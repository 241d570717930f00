"""The card that everything over the scene is written on."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from cimdesk.ui.theme import Theme, current_theme, paint_card

MARGIN = 14
PAD = 12
RADIUS = 9.0


class Card(QWidget):
    """A rounded card that lets the scene shine through a little. Never takes the mouse unless a subclass wants it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        paint_card(painter, self, theme, RADIUS)
        self.draw(painter, theme)
        painter.end()

    def draw(self, painter: QPainter, theme: Theme) -> None:
        """Draw what the card says."""


def advance(font: QFont, text: str) -> float:
    """Return how wide a text is [px]."""
    return QFontMetricsF(font).horizontalAdvance(text)
