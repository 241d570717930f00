"""Whom the pictures of the ground are owed to, in small print at the lower edge of the view: their licences ask for it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from cimdesk.model.imagery import Imagery, attributions
from cimdesk.model.workspace import Workspace
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme

SCALE = 0.78
MOST = 0.55
"""Largest share of the view's width."""


class CreditsCard(QWidget):
    """One line, cut off where the view is too narrow; the tip of the layer has it whole."""

    def __init__(self, parent: QWidget, desk: Desk) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._desk = desk
        self.text = ""
        self.hide()

    def follow(self) -> None:
        """Say it again for the layers that are visible now."""
        self.text = credits_of(self._desk.session.workspace)
        self.setVisible(bool(self.text))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        theme = current_theme()
        width = QFontMetricsF(theme.font(scale=SCALE)).horizontalAdvance(self.text) + 14
        parent = self.parentWidget()
        most = MOST * parent.width() if parent is not None else width
        return QSize(round(min(width, most)), round(theme.px("font_px") * 1.5))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("card", theme.px("card_alpha")))
        painter.drawRoundedRect(QRectF(self.rect()), 5.0, 5.0)
        painter.setFont(theme.font(scale=SCALE))
        painter.setPen(theme.color("dim"))
        space = QRectF(7, 0, self.width() - 14, self.height())
        text = painter.fontMetrics().elidedText(self.text, Qt.TextElideMode.ElideRight, int(space.width()) + 1)
        painter.drawText(space, Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


def credits_of(workspace: Workspace) -> str:
    """Return the credits of all visible picture layers in one line."""
    loaded = [workspace.data(layer.id) for layer in workspace.layers() if layer.visible and layer.opacity > 0.0]
    return "  ·  ".join(attributions(data for data in loaded if isinstance(data, Imagery)))
