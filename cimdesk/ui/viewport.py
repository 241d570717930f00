"""Viewport: the 3D view in the window - one interface over two back ends, with its input and the cards on top.

The back end only turns a scene into pixels: `viewport_fbo` draws with a hardware OpenGL into Qt's frame buffer, `viewport_blit`
draws off-screen and copies, which is the quicker way with software OpenGL and the only one without any. Nothing is drawn unless
something changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QEvent, QIODevice, QPoint, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from cimdesk.commands.session import Session
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.ui.desk import Links
from cimdesk.ui.draw_card import DrawCard
from cimdesk.ui.draw_tool import Drawing, Snapping
from cimdesk.ui.theme import current_theme
from cimdesk.ui.viewport_input import Gesture, Pointer

if TYPE_CHECKING:
    from cimdesk.scene.scene import Scene

STILL_AFTER_MS = 150
HOVER_AFTER_MS = 40
PUBLISH_AFTER_MS = 800
GATHER_MS = 90
"""How long arriving tiles gather before their features reach the tables."""
SLOW_FRAME = 0.030
"""A frame slower than this is drawn at half resolution while the camera moves [s]."""
LONGEST_FRAME = 0.100
"""What a frame may take with smooth edges: as long the window answers nobody [s]."""


class Surface(Protocol):
    """A back end: a widget that shows a scene."""

    renders: int
    frame_seconds: float

    @property
    def pending(self) -> bool: ...
    def attach(self, scene: Scene) -> None: ...
    def release(self) -> None: ...
    def request(self) -> None: ...
    def set_half(self, half: bool) -> None: ...
    def small_picture(self, width: int, height: int) -> QImage: ...
    def scale(self) -> float: ...


def has_hardware_gl() -> bool:
    """Whether Qt can make an OpenGL context that is not drawn by the processor."""
    from PySide6.QtGui import QOffscreenSurface, QOpenGLContext

    context = QOpenGLContext()
    surface = QOffscreenSurface()
    if not context.create():
        return False
    surface.create()
    if not context.makeCurrent(surface):
        return False
    name = str(context.functions().glGetString(0x1F01) or "").lower()  # GL_RENDERER
    context.doneCurrent()
    return bool(name) and not any(word in name for word in ("llvmpipe", "softpipe", "swiftshader", "software", "gdi generic"))


def make_surface(parent: QWidget) -> QWidget:
    """Return the back end that suits this machine; ``CIMDESK_VIEWPORT`` (``fbo`` or ``blit``) decides instead."""
    wanted = os.environ.get("CIMDESK_VIEWPORT", "")
    if wanted != "blit" and (wanted == "fbo" or has_hardware_gl()):
        from cimdesk.ui.viewport_fbo import FboSurface

        return FboSurface(parent)
    from cimdesk.ui.viewport_blit import BlitSurface

    return BlitSurface(parent)


class Viewport(QWidget):
    """The 3D view.

    Attributes
    ----------
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
    rendered = Signal()
    _tiles_came = Signal()

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
        self._session: Session | None = None
        self._links = Links()
        self._still = QTimer(self, singleShot=True, interval=STILL_AFTER_MS)
        self._still.timeout.connect(self._come_to_rest)
        self._hover = QTimer(self, singleShot=True, interval=HOVER_AFTER_MS)
        self._hover.timeout.connect(self._look_under_cursor)
        self._gather = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._gather.timeout.connect(self.request_render)
        self._publish = QTimer(self, singleShot=True, interval=PUBLISH_AFTER_MS)
        self._publish.timeout.connect(self._publish_features)
        self._tiles_came.connect(self._on_tiles, Qt.ConnectionType.QueuedConnection)
        self._ink = Ink(self)
        self._card: DrawCard | None = None

    # --- what it shows -------------------------------------------------------------------------------------------------

    @property
    def renders(self) -> int:
        """How many pictures were drawn; does not grow while nothing happens."""
        return cast(Surface, self.surface).renders if self.surface is not None else 0

    def show_session(self, session: Session) -> None:
        """Show the workspace of a session; the former scene is let go. Loads the drawing library on first use."""
        from cimdesk.scene.scene import Scene

        self.release()
        self._session = session
        self.scene = Scene(session.workspace, current_theme().name)
        self.scene.smoothing.limit = LONGEST_FRAME
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
        self._links.add(self.scene.needs_render, self._on_needs_render)
        self._links.add(self.scene.woken, self._on_woken)
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
        self._still.stop()
        self._hover.stop()
        self._publish.stop()
        self._gather.stop()
        if self.scene is not None:
            self.scene.detach()
            self.scene = None
        if self.surface is not None:
            cast(Surface, self.surface).release()
            self.surface.hide()
            self.surface.setParent(None)
            self.surface.deleteLater()
            self.surface = None

    def request_render(self) -> None:
        """Draw once, soon; many requests make one picture."""
        if self.surface is not None:
            cast(Surface, self.surface).request()

    def set_tool(self, tool: str) -> None:
        """Use ``pick``, ``box``, ``lasso`` or ``measure`` from now on; ``draw`` is begun by `draw_measure`."""
        self.tool = tool
        self._put_away_card()
        self.pointer.reset()
        self.setCursor(Qt.CursorShape.ArrowCursor if tool == "pick" else Qt.CursorShape.CrossCursor)
        self._ink.update()

    def draw_measure(self, kind: str, snapping: Snapping, done: Callable[[Drawing], None]) -> Drawing:
        """Begin to draw a measure of a kind; ``done`` is told when it is finished."""
        self.set_tool("draw")
        drawing = Drawing(self, kind, snapping, done)
        self.pointer.drawing = drawing
        self._card = DrawCard(self, drawing, partial(self.set_tool, "pick"))
        self.camera_moved.connect(self._card.place)
        self.setFocus()
        return drawing

    def _put_away_card(self) -> None:
        card, self._card = self._card, None
        if card is not None and isValid(card):
            self.camera_moved.disconnect(card.place)
            card.hide()
            card.deleteLater()

    def set_navigation(self, preset: str) -> None:
        """Use the mouse buttons of ``qgis``, ``cesium``, ``paraview`` or ``cad``."""
        self.navigation = preset

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

    def grab_thumbnail(self, width: int, height: int) -> bytes:
        """Return the present picture as a small JPEG, cut to the given shape."""
        if self.surface is None:
            return b""
        picture = self.surface.grab()
        wanted = QSize(width, height)
        scaled = picture.scaled(wanted, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation)
        scaled.setDevicePixelRatio(1.0)
        left, top = (scaled.width() - width) // 2, (scaled.height() - height) // 2
        return _jpeg(scaled.copy(QRect(left, top, width, height)))

    def picture_from(self, camera: dict[str, Any], width: int, height: int) -> QImage:
        """Return a small picture of the scene from another view; the view that is shown stays as it is."""
        if self.scene is None or not self.renders or self._still.isActive() or cast(Surface, self.surface).pending:
            return QImage()
        before = self.scene.camera.to_record()
        self.scene.camera.from_record(camera)
        picture = cast(Surface, self.surface).small_picture(width, height)
        self.scene.camera.from_record(before)
        return picture

    # --- moving ----------------------------------------------------------------------------------------------------------

    def begin_motion(self) -> None:
        """Draw quickly until the camera has been still for a moment."""
        if self.scene is None or self.surface is None:
            return
        if not self._still.isActive():
            surface = cast(Surface, self.surface)
            self.scene.set_quality("moving")
            surface.set_half(surface.frame_seconds > SLOW_FRAME)
        self._still.start()

    def _come_to_rest(self) -> None:
        if self.scene is None or self.surface is None:
            return
        if self.pointer.pressed:
            self._still.start()
            return
        cast(Surface, self.surface).set_half(False)
        self.scene.set_quality("still")
        self.request_render()

    def _on_needs_render(self, _nothing: None) -> None:
        self.request_render()

    def _on_woken(self, _nothing: None) -> None:
        """Come over to the window's thread: tiles arrive in others."""
        if isValid(self):
            self._tiles_came.emit()

    def _on_tiles(self) -> None:
        # Each picture keeps the processors from decoding the next tiles.
        if not self._gather.isActive():
            self._gather.start()
        if not self._publish.isActive():
            self._publish.start()

    def _publish_features(self) -> None:
        if self._session is not None and self.scene is not None:
            from cimdesk.commands.tiled import publish

            publish(self._session)

    def _on_camera(self, _nothing: None) -> None:
        self.request_render()
        self.pointer.refresh_measure()
        self.camera_moved.emit()

    # --- picking ---------------------------------------------------------------------------------------------------------

    def _look_under_cursor(self) -> None:
        if self.scene is None or not self.renders or self.pointer.pressed:
            return
        x, y = self.device(self.pointer.position)
        pick = self.scene.pick(x, y)
        self.scene.set_hover(pick.ref if pick is not None else None)
        self.hovered.emit(pick)
        self.pointed.emit(pick.world if pick is not None else self.scene.world_at(x, y))

    def click(self, position: QPointF, toggle: bool) -> None:
        """Select what is under ``position``; ``toggle`` adds or takes it out."""
        if self.scene is None or self._session is None:
            return
        pick = self.scene.pick(*self.device(position))
        refs = [pick.ref] if pick is not None and pick.ref is not None else []
        self.placed.emit(pick.world if pick is not None else self.scene.world_at(*self.device(position)))
        self.choose(refs, toggle)

    def choose(self, refs: list[AssetRef] | frozenset[AssetRef], toggle: bool) -> None:
        """Make ``refs`` the selection, or toggle them in it."""
        if self._session is None:
            return
        if toggle:
            self._session.selection.toggle(refs)
        else:
            self._session.selection.set(refs)

    def choose_area(self, refs: frozenset[AssetRef], toggle: bool) -> None:
        """Select what a box or lasso holds; in the X-ray view that is the networks, where there are any."""
        if self.scene is not None and self.scene.xray and self._session is not None:
            workspace = self._session.workspace
            networks = {layer.id for layer in workspace.layers() if layer.kind is LayerKind.NETWORK}
            refs = frozenset(ref for ref in refs if ref.layer in networks) or refs
        self.choose(refs, toggle)

    def to_logical(self, points: np.ndarray) -> list[QPointF]:
        """Return widget positions of (N, 3) world points."""
        if self.scene is None or not len(points):
            return []
        scale = cast(Surface, self.surface).scale()
        return [QPointF(x / scale, y / scale) for x, y in self.scene.screen_of(points)[:, :2].tolist()]

    def tell_measured(self, points: list[tuple[float, float, float]]) -> None:
        """Say what is being measured."""
        self.measured.emit(points)

    def draw_ink(self) -> None:
        """Draw the rubber band, lasso or measured line again; the scene is not drawn for it."""
        self._ink.update()

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
            self._hover.start()

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
        self._hover.stop()
        if self.scene is not None:
            self.scene.set_hover(None)
        self.hovered.emit(None)
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


def _jpeg(pixmap: QPixmap) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pixmap.save(buffer, "JPG", 82)
    buffer.close()
    return bytes(data.data())
