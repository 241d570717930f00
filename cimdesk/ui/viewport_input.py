"""Input of the viewport: mouse presets, tools (pick, box, lasso, measure) and keys, turned into camera moves and selections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPen, QPolygonF, QWheelEvent

from cimdesk.base.units import format_area, format_length
from cimdesk.ui.draw_tool import Tool, halo_text
from cimdesk.ui.theme import Theme
from cimdesk.ui.viewport_host import Host

DRAG_PX = 4
WHEEL_STEP = 1.22
KEY_PAN_PX = 60.0

_LEFT, _MIDDLE, _RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton
PRESETS: dict[str, dict[Qt.MouseButton, str]] = {
    "qgis": {_LEFT: "pan", _MIDDLE: "orbit", _RIGHT: "zoom"},
    "cesium": {_LEFT: "pan", _MIDDLE: "orbit", _RIGHT: "zoom"},
    "paraview": {_LEFT: "orbit", _MIDDLE: "pan", _RIGHT: "zoom"},
    "cad": {_LEFT: "box", _MIDDLE: "pan", _RIGHT: "orbit"},
}
"""What dragging with each button does. Shift+left always orbits; Ctrl+left orbits in the Cesium preset."""


class Gesture:
    """What is being drawn over the scene.

    Attributes
    ----------
    kind : str
        ``box``, ``lasso``, ``measure`` or empty.
    points : list of QPointF
        Logical pixels (box: two corners).
    world : list of (x, y, z)
        Measured points [m].
    """

    def __init__(self) -> None:
        self.kind = ""
        self.points: list[QPointF] = []
        self.world: list[tuple[float, float, float]] = []
        self.labels: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.points

    def paint(self, painter: QPainter, theme: Theme) -> None:
        """Draw it in the theme's accent colour."""
        accent = theme.color("accent")
        painter.setPen(QPen(accent, 2.0, Qt.PenStyle.SolidLine if self.kind == "measure" else Qt.PenStyle.DashLine))
        painter.setBrush(theme.color("accent", 40) if self.kind != "measure" else Qt.BrushStyle.NoBrush)
        if self.kind == "box" and len(self.points) == 2:
            painter.drawRect(QRectF(self.points[0], self.points[1]).normalized())
        elif self.kind == "lasso":
            painter.drawPolygon(QPolygonF(self.points))
        elif self.kind == "measure":
            self._paint_measure(painter, theme)

    def _paint_measure(self, painter: QPainter, theme: Theme) -> None:
        painter.drawPolyline(QPolygonF(self.points))
        painter.setBrush(theme.color("panel"))
        for point in self.points:
            painter.drawEllipse(point, 4.0, 4.0)
        painter.setFont(theme.font(QFont.Weight.DemiBold, 0.92))
        for at, text in zip(self.points[1:], self.labels, strict=False):
            if text:
                halo_text(painter, at + QPointF(9.0, -9.0), text, theme)


class Pointer:
    """The mouse and keys over the viewport.

    Attributes
    ----------
    position : QPointF
        Where the cursor is [logical px].
    pressed : bool
        Whether a button is held.
    gesture : Gesture
        What is drawn over the scene.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.position = QPointF()
        self.pressed = False
        self.gesture = Gesture()
        self.drawing: Tool | None = None
        self._start = QPointF()
        self._mode = ""
        self._button = Qt.MouseButton.NoButton
        self._dragging = False
        self._pivot: tuple[float, float, float] | None = None

    def reset(self) -> None:
        """Forget any gesture."""
        self.gesture = Gesture()
        self.drawing = None
        self.pressed = False
        self._dragging = False

    def press(self, event: QMouseEvent) -> None:
        """A button went down: decide what dragging will do."""
        self.position = self._start = event.position()
        self.pressed, self._dragging = True, False
        self._button = event.button()
        self._mode = self._mode_for(event)
        scene = self._host.scene
        self._pivot = None
        if scene is not None and self._mode == "orbit":
            self._pivot = scene.places.world_at(*self._host.device(self._start))
        if self._mode in ("box", "lasso"):
            self.gesture = Gesture()
            self.gesture.kind = self._mode

    def move(self, event: QMouseEvent) -> None:
        """The mouse moved: drag, or let the measured line follow."""
        last, self.position = self.position, event.position()
        if not self.pressed:
            if self.gesture.kind == "measure" and self.gesture.world:
                self._update_measure(follow=True)
            elif self.drawing is not None:
                self.drawing.follow(self.position)
            return
        if not self._dragging and (self.position - self._start).manhattanLength() < DRAG_PX:
            self.position = last
            return
        self._dragging = True
        if self._mode in ("box", "lasso"):
            self._draw_band()
        else:
            self._move_camera(last)

    def release(self, event: QMouseEvent) -> None:
        """A button went up: a click, or the end of a drag."""
        self.pressed = False
        toggle = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if self._dragging and self._mode in ("box", "lasso"):
            self._select_band(toggle)
        elif not self._dragging and self._button == _LEFT:
            if self._host.tool == "measure":
                self._add_measure_point(event.position())
            elif self.drawing is not None:
                self.drawing.add(event.position())
            else:
                self.gesture = Gesture()
                self._host.picking.click(event.position(), toggle)
        if self._dragging:
            self._host.pace.begin_motion()
        self._dragging = False
        self._host.draw_ink()

    def double_click(self, event: QMouseEvent) -> None:
        """End a measured line; otherwise zoom in on what was clicked."""
        if self._host.tool == "measure":
            self._finish_measure()
        elif self.drawing is not None:
            # What comes up after it is no click of its own.
            self._button = Qt.MouseButton.NoButton
            self.drawing.finish()
        elif self._host.scene is not None:
            self._zoom(event.position(), WHEEL_STEP**3)

    def wheel(self, event: QWheelEvent) -> None:
        """Zoom towards the point under the cursor."""
        delta = event.angleDelta().y() or event.pixelDelta().y()
        if delta:
            self._zoom(event.position(), math.pow(WHEEL_STEP, delta / 120.0))
        event.accept()

    def key(self, event: QKeyEvent) -> bool:
        """Move with the arrow and page keys; return whether the key was used."""
        scene = self._host.scene
        if scene is None:
            return False
        if self.drawing is not None and self.drawing.key(event):
            return True
        steps = {Qt.Key.Key_Left: (1, 0), Qt.Key.Key_Right: (-1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}
        key = Qt.Key(event.key())
        middle = self._middle()
        if key in steps:
            dx, dy = steps[key][0] * KEY_PAN_PX, steps[key][1] * KEY_PAN_PX
            self._host.pace.begin_motion()
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                scene.camera.orbit(None, dx, dy)
            else:
                x, y = self._host.device(middle)
                to_x, to_y = self._host.device(middle + QPointF(dx, dy))
                scene.camera.pan(x, y, to_x, to_y)
            return True
        if key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self._zoom(middle, WHEEL_STEP if key == Qt.Key.Key_PageUp else 1.0 / WHEEL_STEP)
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.gesture.kind == "measure":
            self._finish_measure()
            return True
        return False

    def refresh_measure(self) -> None:
        """Place a measured line again after the camera moved."""
        if self.gesture.kind == "measure" and self.gesture.world:
            self._update_measure(follow=False)
        if self.drawing is not None:
            self.drawing.refresh()

    # --- inside ----------------------------------------------------------------------------------------------------------

    def _mode_for(self, event: QMouseEvent) -> str:
        host = self._host
        modifiers = event.modifiers()
        if event.button() == _LEFT:
            if modifiers & Qt.KeyboardModifier.ShiftModifier:
                return "orbit"
            if host.navigation == "cesium" and modifiers & Qt.KeyboardModifier.ControlModifier:
                return "orbit"
            if host.tool in ("box", "lasso"):
                return host.tool
        return PRESETS[host.navigation].get(event.button(), "")

    def _move_camera(self, last: QPointF) -> None:
        scene = self._host.scene
        if scene is None:
            return
        self._host.pace.begin_motion()
        step = self.position - last
        if self._mode == "pan":
            scene.camera.pan(*self._host.device(last), *self._host.device(self.position))
        elif self._mode == "orbit":
            dx, dy = self._host.device(step)
            scene.camera.orbit(self._pivot, dx, dy)
        elif self._mode == "zoom":
            self._zoom(self._start, math.pow(1.01, -step.y()))

    def _zoom(self, position: QPointF, factor: float) -> None:
        if self._host.scene is not None:
            self._host.pace.begin_motion()
            self._host.scene.camera.zoom(*self._host.device(position), factor)

    def _middle(self) -> QPointF:
        widget: Any = self._host
        return QPointF(widget.width() / 2.0, widget.height() / 2.0)

    def _draw_band(self) -> None:
        if self._mode == "box":
            self.gesture.points = [self._start, self.position]
        else:
            self.gesture.points.append(self.position)
        self._host.draw_ink()

    def _select_band(self, toggle: bool) -> None:
        points, self.gesture = self.gesture.points, Gesture()
        scene = self._host.scene
        if scene is None or len(points) < 2:
            return
        corners = [self._host.device(point) for point in points]
        if self._mode == "box":
            (x0, y0), (x1, y1) = corners[:2]
            corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        self._host.picking.choose_area(scene.pick_inside(corners), toggle)

    def _add_measure_point(self, position: QPointF) -> None:
        scene = self._host.scene
        point = scene.places.world_at(*self._host.device(position)) if scene is not None else None
        if point is None:
            return
        if self.gesture.kind != "measure":
            self.gesture = Gesture()
            self.gesture.kind = "measure"
        self.gesture.world.append(point)
        self._update_measure(follow=False)
        self._host.measured.emit(self.gesture.world)

    def _finish_measure(self) -> None:
        if self.gesture.kind == "measure":
            self._host.measured.emit(self.gesture.world)
            self._update_measure(follow=False)

    def _update_measure(self, follow: bool) -> None:
        world = list(self.gesture.world)
        scene = self._host.scene
        if follow and scene is not None and (under := scene.places.world_at(*self._host.device(self.position))) is not None:
            world.append(under)
        self.gesture.points = self._host.to_logical(np.array(world))
        self.gesture.labels = measure_labels(world)
        self._host.draw_ink()


def measure_labels(world: Sequence[tuple[float, float, float]]) -> list[str]:
    """Return one label per segment of a measured line; the last one adds the total, height difference and area."""
    points = np.asarray(world, dtype=np.float64)
    if len(points) < 2:
        return []
    lengths = np.hypot(*np.diff(points[:, :2], axis=0).T)
    labels = [format_length(float(length)) for length in lengths]
    parts = [labels[-1]]
    if len(points) > 2:
        parts = [f"Σ {format_length(float(lengths.sum()))}"]
        x, y = points[:, 0] - points[0, 0], points[:, 1] - points[0, 1]
        area = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
        parts.append(format_area(area))
    rise = float(points[-1, 2] - points[0, 2])
    parts.append(f"Δh {rise:+.2f} m")
    labels[-1] = "  ·  ".join(parts)
    return labels
