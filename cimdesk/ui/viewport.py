"""Viewport: the 3D view in the window - one interface over two back ends, with its input and the cards on top.

The back end only turns a scene into pixels: `viewport_fbo` draws with a hardware OpenGL into Qt's frame buffer, `viewport_blit`
draws off-screen and copies, which is the quicker way with software OpenGL and the only one without any. Nothing is drawn unless
something changed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from cimdesk.commands.session import Session
from cimdesk.ui.desk import Links
from cimdesk.ui.draw_tool import Canvas, Tool, ToolCard
from cimdesk.ui.theme import current_theme
from cimdesk.ui.viewport_input import Gesture, Pointer
from cimdesk.ui.viewport_pace import Pace
from cimdesk.ui.viewport_picking import Picking
from cimdesk.ui.viewport_pictures import Pictures
from cimdesk.ui.viewport_surface import Surface, make_surface

if TYPE_CHECKING:
    from cimdesk.scene.scene import Scene

T = TypeVar("T", bound=Tool)
LONGEST_FRAME = 0.100
"""What a frame may take with smooth edges: as long the window answers nobody [s]."""


class Viewport(QWidget):
    """The 3D view.

    Attributes
    ----------
    navigation : str
        What the mouse buttons do: ``qgis``, ``cesium``, ``paraview`` or ``cad``.
    pace, picking, pictures : Pace, Picking, Pictures
        When it draws, what is under the cursor, and small pictures of it.
    camera_moved : Signal
        The camera moved or the view was resized; cards that depend on it look again.
    hovered : Signal of Pick or None
    placed : Signal of (x, y, z) or None
        A place that was clicked.
    pointed : Signal of (x, y, z) or None
        World coordinates under the cursor.
    ready : Signal
        The first picture is there.
    """

    camera_moved = Signal()
    hovered = Signal(object)
    pointed = Signal(object)
    placed = Signal(object)
    ready = Signal()
    measured = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumSize(320, 240)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(False)
        self.scene: Scene | None = None
        self.surface: QWidget | None = None
        self.tool = "pick"
        self.navigation = "qgis"
        self.pointer = Pointer(self)
        self.session: Session | None = None
        self.pace = Pace(self, self)
        self.picking = Picking(self, self)
        self.pictures = Pictures(self)
        self._links = Links()
        self._ink = Ink(self)
        self._card: ToolCard | None = None

    # --- what it shows -------------------------------------------------------------------------------------------------

    @property
    def renders(self) -> int:
        """How many pictures were drawn; does not grow while nothing happens."""
        return cast(Surface, self.surface).renders if self.surface is not None else 0

    def show_session(self, session: Session) -> None:
        """Show the workspace of a session; the former scene is let go. Loads the drawing library on first use."""
        from cimdesk.scene.scene import Scene

        self.release()
        self.session = session
        self.scene = Scene(session.workspace, current_theme().name)
        self.scene.smoothing.limit = LONGEST_FRAME
        self.scene.context.is_live = True
        self.surface = make_surface(self)
        self.surface.setMouseTracking(True)
        self.surface.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.surface.setGeometry(self.rect())
        self.surface.lower()
        self._ink.raise_()
        for child in self.children():
            if isinstance(child, QWidget) and child is not self.surface and child is not self._ink:
                child.raise_()
        cast(Surface, self.surface).attach(self.scene)
        self._links.add(self.scene.needs_render, self.request_render)
        self._links.add(self.scene.woken, self.pace.wake)
        self._links.add(self.scene.camera.changed, self._on_camera)
        self._links.add(session.clock.changed, self.scene.set_time)
        self._links.add(session.selection.changed, self.scene.set_selection)
        self.scene.set_time(session.clock.time)
        self.scene.set_selection(session.selection.refs)
        self.surface.show()
        self.request_render()
        self.ready.emit()

    def release(self) -> None:
        """Let go of the scene and its graphics; safe twice."""
        self._links.clear()
        if self.tool == "draw":
            self.set_tool("pick")
        self.pace.stop()
        self.picking.stop()
        if self.scene is not None:
            self.scene.detach()
            self.scene = None
        if self.surface is not None:
            cast(Surface, self.surface).release()
            self.surface.hide()
            self.surface.setParent(None)
            self.surface.deleteLater()
            self.surface = None

    def request_render(self, _nothing: None = None) -> None:
        """Draw once, soon; many requests make one picture."""
        if self.surface is not None:
            cast(Surface, self.surface).request()

    def set_tool(self, tool: str) -> None:
        """Use ``pick``, ``box``, ``lasso`` or ``measure`` from now on; ``draw`` is begun by `take`."""
        self.tool = tool
        self._put_away_card()
        self.pointer.reset()
        self.setCursor(Qt.CursorShape.ArrowCursor if tool == "pick" else Qt.CursorShape.CrossCursor)
        self._ink.update()

    def take(self, make: Callable[[Canvas], T], card: Callable[[QWidget, T, Callable[[], object]], ToolCard]) -> T:
        """Use a tool of somebody's own from now on, with the card that is made for it."""
        self.set_tool("draw")
        tool = make(self)
        self.pointer.drawing = tool
        self._card = card(self, tool, partial(self.set_tool, "pick"))
        self.camera_moved.connect(self._card.place)
        self.setFocus()
        return tool

    def _put_away_card(self) -> None:
        card, self._card = self._card, None
        if card is not None and isValid(card):
            self.camera_moved.disconnect(card.place)
            card.hide()
            card.deleteLater()

    def set_theme(self, name: str) -> None:
        """Follow the theme."""
        if self.scene is not None:
            self.scene.set_theme(name)
            self.request_render()

    # --- measures in pixels ----------------------------------------------------------------------------------------------

    def device(self, position: QPointF | QPoint) -> tuple[float, float]:
        """Return picture pixels of a widget position."""
        scale = cast(Surface, self.surface).scale() if self.surface is not None else 1.0
        return position.x() * scale, position.y() * scale

    def metres_per_pixel(self) -> float:
        """Return ground metres per logical pixel in the middle of the view; zero while there is no picture."""
        if self.scene is None or self.surface is None or not self.renders:
            return 0.0
        return float(self.scene.camera.metres_per_pixel()) * cast(Surface, self.surface).scale()

    def to_logical(self, points: np.ndarray) -> list[QPointF]:
        """Return widget positions of (N, 3) world points."""
        if self.scene is None or not len(points):
            return []
        scale = cast(Surface, self.surface).scale()
        return [QPointF(x / scale, y / scale) for x, y in self.scene.places.screen_of(points)[:, :2].tolist()]

    def draw_ink(self) -> None:
        """Draw the rubber band, lasso or measured line again; the scene is not drawn for it."""
        self._ink.update()

    def _on_camera(self, _nothing: None) -> None:
        self.request_render()
        self.pointer.refresh_measure()
        self.camera_moved.emit()

    # --- events ----------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._ink.setGeometry(self.rect())
        if self.surface is not None:
            self.surface.setGeometry(self.rect())
            self.request_render()
        self.camera_moved.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pointer.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointer.move(event)
        if not self.pointer.pressed:
            self.picking.follow_cursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.pointer.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.pointer.double_click(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.pointer.wheel(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.pointer.key(event):
            super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.picking.leave()
        super().leaveEvent(event)


class Ink(QWidget):
    """What a gesture draws over the scene: the box, the lasso, the measured line."""

    def __init__(self, viewport: Viewport) -> None:
        super().__init__(viewport)
        self._viewport = viewport
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        viewport.camera_moved.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        gesture: Gesture = self._viewport.pointer.gesture
        drawing = self._viewport.pointer.drawing
        if gesture.is_empty and drawing is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        gesture.paint(painter, current_theme())
        if drawing is not None:
            drawing.paint(painter, current_theme())
        painter.end()
