"""The line between two floods that are compared with a swipe: drag it, or move it with the arrow keys."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from cimdesk.base.i18n import tr
from cimdesk.model.appearance import active_flood
from cimdesk.model.flood_comparison import comparison_of
from cimdesk.ui.desk import Desk
from cimdesk.ui.theme import current_theme, paint_card
from cimdesk.ui.viewport import Viewport

WIDTH = 26
MARGIN = 14
STEP = 0.02
KEPT_AFTER_MS = 250


class SwipeHandle(QWidget):
    """A line over the view with a grip; at its sides the names of what lies there."""

    def __init__(self, viewport: Viewport, desk: Desk) -> None:
        super().__init__(viewport)
        self._viewport, self._desk = viewport, desk
        self._layer = ""
        self._top = MARGIN
        self.at = 0.5
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.names = (_Name(viewport), _Name(viewport))
        self._keep = QTimer(self, singleShot=True, interval=KEPT_AFTER_MS)
        self._keep.timeout.connect(self._commit)
        self.hide()

    @property
    def is_on(self) -> bool:
        """Whether two floods are swiped."""
        return not self.isHidden()

    @property
    def names_height(self) -> int:
        """How high the names of the two are [px]."""
        return _name_height()

    def follow(self) -> None:
        """Show the line where two floods are swiped, and stand where the layer says."""
        workspace = self._desk.session.workspace
        flood = active_flood(workspace)
        found = comparison_of(workspace, flood[0]) if flood is not None else None
        is_swipe = found is not None and found[0].mode == "swipe"
        for widget in (self, *self.names):
            widget.setVisible(is_swipe)
        if not is_swipe or found is None or flood is None:
            return
        self._layer = flood[0].id
        self.setAccessibleName(tr("Line between {a} and {b}").format(a=found[1].name, b=flood[0].name))
        self.names[0].say(f"A · {found[1].name}")
        self.names[1].say(f"B · {flood[0].name}")
        if not self._keep.isActive():
            self.at = found[0].at
        self.place()

    def place(self, top: int | None = None) -> None:
        """Stand at the share of the width; the names hang below ``top`` [px]."""
        self._top = self._top if top is None else top
        x = round(self.at * self._viewport.width())
        self.setGeometry(x - WIDTH // 2, 0, WIDTH, self._viewport.height())
        gap = WIDTH // 2 + 2
        rooms = (x - gap - MARGIN, self._viewport.width() - x - gap - MARGIN)
        for name, room in zip(self.names, rooms, strict=True):
            name.fit(room)
        for name, left in ((self.names[0], x - gap - self.names[0].width()), (self.names[1], x + gap)):
            name.move(left, self._top)
            name.raise_()

    def move_to(self, at: float) -> None:
        """Stand at another share of the width, and keep it once it rests there."""
        self.at = min(max(at, 0.0), 1.0)
        scene = self._viewport.scene
        visual = scene.visuals.get(self._layer) if scene is not None else None
        if visual is not None and hasattr(visual, "at"):
            visual.at = self.at
        self.place()
        self._viewport.request_render()
        self._keep.start()

    def _commit(self) -> None:
        from cimdesk.commands.flood_compare import move_swipe

        if self._desk.session.workspace.document.get("layer", self._layer) is not None:
            self._desk.attempt(move_swipe, self._desk.session, self._layer, self.at)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.move_to(self.mapToParent(event.position().toPoint()).x() / max(self._viewport.width(), 1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -STEP, Qt.Key.Key_Right: STEP}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.move_to(self.at + step)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.width() / 2.0, self.height() / 2.0)
        for color, width in ((theme.color("card"), 4.0), (theme.color("accent"), 2.0)):
            painter.setPen(QPen(color, width))
            painter.drawLine(QPointF(middle.x(), 0.0), QPointF(middle.x(), self.height()))
        painter.setBrush(theme.color("card"))
        painter.setPen(QPen(theme.color("accent"), 3.0 if self.hasFocus() else 2.0))
        painter.drawEllipse(middle, WIDTH / 2.0 - 2.0, WIDTH / 2.0 - 2.0)
        painter.setPen(QPen(theme.color("text"), 1.8))
        for sign in (-1.0, 1.0):
            tip = middle + QPointF(sign * 7.0, 0.0)
            painter.drawLine(tip, tip + QPointF(-sign * 4.0, -4.0))
            painter.drawLine(tip, tip + QPointF(-sign * 4.0, 4.0))
        painter.end()


class _Name(QWidget):
    """What lies at one side of the line."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._text = self._whole = ""

    def say(self, text: str) -> None:
        """Say this."""
        self._whole = text
        self.setFont(current_theme().font(QFont.Weight.Bold, 0.95))

    def fit(self, room: int) -> None:
        """Take no more room than this [px]."""
        self._text = self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, max(room - 20, 10))
        self.resize(self.fontMetrics().horizontalAdvance(self._text) + 20, _name_height())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        paint_card(painter, self, theme, 7.0)
        painter.setPen(theme.color("text"))
        painter.setFont(self.font())
        painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, self._text)
        painter.end()


def _name_height() -> int:
    return round(current_theme().px("font_px") * 2.0)
