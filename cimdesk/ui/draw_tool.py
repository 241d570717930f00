"""Drawing a measure in the viewport: points on the ground with a rubber band, snapping, and the height as a curtain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter, QPen, QPolygonF

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_length
from cimdesk.model.features import ShapeKind, VectorLayer
from cimdesk.model.measures import KINDS, LINE, PAIR, POINT, measures_of
from cimdesk.ui.theme import Theme

if TYPE_CHECKING:
    from cimdesk.model.workspace import Workspace
    from cimdesk.scene.scene import Scene

SNAP_PX = 12.0
"""Corners nearer than this to the cursor are taken [logical px]."""
STANDS_ABOVE = 0.6
"""What is seen so far above the ground is something that stands on it [m]."""
MOST_STEPS = 12
SHOWN_HEIGHT = ("wall", "gate")
"""Kinds whose size is a height, drawn as a curtain."""
World = tuple[float, float, float]


class Canvas(Protocol):
    """What drawing needs of the viewport."""

    scene: Scene | None

    def device(self, position: QPointF) -> tuple[float, float]: ...
    def to_logical(self, points: np.ndarray) -> list[QPointF]: ...
    def draw_ink(self) -> None: ...
    def metres_per_pixel(self) -> float: ...


class Tool(Protocol):
    """What is done in the viewport by clicking and by keys, with a card of its own."""

    def add(self, position: QPointF) -> None: ...
    def follow(self, position: QPointF) -> None: ...
    def finish(self) -> None: ...
    def key(self, event: QKeyEvent) -> bool: ...
    def refresh(self) -> None: ...
    def paint(self, painter: QPainter, theme: Theme) -> None: ...


class ToolCard(Protocol):
    """The card of a tool: a widget that says where it stands."""

    def place(self) -> None: ...
    def hide(self) -> None: ...
    def deleteLater(self) -> None: ...


class Snapping:
    """Corners that points are drawn towards: of roads and other plan lines in sight, and of measures that are there.

    They are put in order once, so that a move of the mouse costs the same in a city as in a village.
    """

    def __init__(self, workspace: Workspace, cell: float = 0.0, corner: tuple[float, float] = (0.0, 0.0)) -> None:
        parts = [np.zeros((0, 2))]
        for layer in workspace.layers():
            data = workspace.data(layer.id)
            if layer.visible and isinstance(data, VectorLayer) and data.shapes.kind is ShapeKind.LINE:
                parts.append(data.shapes.coordinates[:, :2])
        parts += [measure.points for measure in measures_of(workspace.document).values()]
        self._corners = np.concatenate(parts)
        self._cell, self._west_north = cell, corner
        self._tree: Any = None
        self.to_grid = False

    def near(self, x: float, y: float, reach: float) -> tuple[float, float] | None:
        """Return the corner within ``reach`` [m] of a place, or the middle of its cell of the grid; None for neither."""
        if self.to_grid and self._cell > 0.0:
            west, north = self._west_north
            column, row = np.floor((x - west) / self._cell), np.floor((north - y) / self._cell)
            return float(west + (column + 0.5) * self._cell), float(north - (row + 0.5) * self._cell)
        if not len(self._corners):
            return None
        if self._tree is None:
            from scipy.spatial import cKDTree

            self._tree = cKDTree(self._corners)
        distance, index = self._tree.query([x, y], distance_upper_bound=reach)
        if not np.isfinite(distance):
            return None
        return float(self._corners[index, 0]), float(self._corners[index, 1])


class Drawing:
    """A measure that is being drawn.

    Attributes
    ----------
    kind : str
    numbers : dict
        Its numbers so far; the card changes them.
    points : list of (x, y, z)
        World coordinates on the ground.
    """

    def __init__(self, canvas: Canvas, kind: str, snapping: Snapping, done: Callable[[Drawing], None]) -> None:
        self.kind = kind
        self.numbers = {quantity.field: quantity.start for quantity in KINDS[kind].quantities}
        self.points: list[World] = []
        self._canvas = canvas
        self._snapping = snapping
        self._done = done
        self._cursor: World | None = None
        self._is_snapped = False
        self.changed: Callable[[], None] = lambda: None

    @property
    def needed(self) -> int:
        """How many points it needs at least."""
        return 1 if KINDS[self.kind].shape == POINT else 2

    @property
    def is_complete(self) -> bool:
        """Whether it can be finished."""
        return len(self.points) >= self.needed

    @property
    def size(self) -> float:
        """Its first number."""
        quantities = KINDS[self.kind].quantities
        return self.numbers[quantities[0].field] if quantities else 0.0

    def hint(self) -> str:
        """Return what to do next."""
        if KINDS[self.kind].shape == POINT:
            return tr("Click where it stands.")
        if KINDS[self.kind].shape == PAIR:
            return tr("Click where the water is taken.") if not self.points else tr("Click where the water goes.")
        if self.is_complete:
            return tr("Click on, or double-click or Enter to finish. Backspace takes a point back, Esc gives up.")
        return tr("Click the corners of the line. G snaps to the grid of the flood.")

    def add(self, position: QPointF) -> None:
        """Take the point under the cursor."""
        point = self._under(position)
        if point is None:
            return
        self.points.append(point)
        if KINDS[self.kind].shape != LINE and self.is_complete:
            self.finish()
        else:
            self.refresh()

    def follow(self, position: QPointF) -> None:
        """Let the rubber band follow the cursor."""
        self._cursor = self._under(position)
        self.refresh()

    def undo(self) -> None:
        """Take the last point back."""
        if self.points:
            self.points.pop()
            self.refresh()

    def finish(self) -> None:
        """Keep it, if it has enough points."""
        if self.is_complete:
            self._done(self)

    def key(self, event: QKeyEvent) -> bool:
        """Finish, take back, make higher or lower, or snap to the grid; return whether the key was used."""
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.finish()
        elif key == Qt.Key.Key_Backspace:
            self.undo()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.resize(0.9 if key == Qt.Key.Key_Minus else 1.1)
        elif key == Qt.Key.Key_G:
            self._snapping.to_grid = not self._snapping.to_grid
            self.refresh()
        else:
            return False
        return True

    def resize(self, factor: float) -> None:
        """Make its size larger or smaller, within limits and in round steps."""
        quantities = KINDS[self.kind].quantities
        if quantities:
            first = quantities[0]
            step = 10.0 ** (np.floor(np.log10(self.size)) - 1.0)
            self.numbers[first.field] = float(np.clip(np.rint(self.size * factor / step) * step, first.least, first.most))
            self.refresh()

    def refresh(self) -> None:
        """Draw again and tell the card."""
        self._canvas.draw_ink()
        self.changed()

    def _under(self, position: QPointF) -> World | None:
        scene = self._canvas.scene
        found = ground_under(scene, *self._canvas.device(position)) if scene is not None else None
        if found is None or scene is None:
            return None
        x, y, z = found
        near = self._snapping.near(x, y, SNAP_PX * max(self._canvas.metres_per_pixel(), 0.01))
        self._is_snapped = near is not None
        return (x, y, z) if near is None else (*near, scene.places.ground_at(*near))

    # --- ink -------------------------------------------------------------------------------------------------------------------

    def paint(self, painter: QPainter, theme: Theme) -> None:
        """Draw the line, its curtain, the rubber band and the lengths."""
        world = [*self.points, *([self._cursor] if self._cursor is not None else [])]
        if not world:
            return
        color = QColor(KINDS[self.kind].color)
        ground = self._canvas.to_logical(np.array(world))
        if self.kind in SHOWN_HEIGHT and len(world) > 1:
            self._paint_curtain(painter, world, ground, color)
        painter.setPen(QPen(color, 3.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(ground))
        painter.setBrush(theme.color("panel"))
        for k, point in enumerate(ground):
            radius = 6.0 if k == len(self.points) and self._is_snapped else 4.0
            painter.drawEllipse(point, radius, radius)
        painter.setFont(theme.font(QFont.Weight.DemiBold, 0.95))
        halo_text(painter, ground[-1] + QPointF(12.0, -12.0), self._label(world), theme)

    def _paint_curtain(self, painter: QPainter, world: list[World], ground: list[QPointF], color: QColor) -> None:
        lift = np.array([0.0, 0.0, self.size])
        top = self._canvas.to_logical(np.array(world) + lift)
        painter.setPen(QPen(color, 1.5))
        fill = QColor(color)
        fill.setAlpha(90)
        painter.setBrush(fill)
        for k in range(len(world) - 1):
            painter.drawPolygon(QPolygonF([ground[k], ground[k + 1], top[k + 1], top[k]]))

    def _label(self, world: list[World]) -> str:
        words = []
        if len(world) > 1:
            steps = np.diff(np.array(world)[:, :2], axis=0)
            words.append(format_length(float(np.hypot(*steps.T).sum())))
        if quantities := KINDS[self.kind].quantities:
            unit = quantities[0].unit.replace("m3", "m³")
            words.append(f"{'↕ ' if self.kind in SHOWN_HEIGHT else ''}{self.size:g} {unit}")
        return "  ·  ".join(words)


def ground_under(scene: Scene, x: float, y: float) -> World | None:
    """Return the place on the ground under a pixel, behind trees and houses that stand before it; None for the sky."""
    found = scene.places.world_at(x, y)
    if found is None:
        return None
    east, north, height = found
    ground = scene.places.ground_at(east, north)
    if height - ground < STANDS_ABOVE:
        return found
    eye, way = scene.camera.eye, scene.camera.ray(x, y)
    if way[2] > -1e-3:
        return None
    for _ in range(MOST_STEPS):
        east, north, _ = (eye + way * ((ground - eye[2]) / way[2])).tolist()
        before, ground = ground, scene.places.ground_at(east, north)
        if abs(ground - before) < 0.02:
            break
    return east, north, ground


def halo_text(painter: QPainter, at: QPointF, text: str, theme: Theme) -> None:
    """Write text that can be read over anything."""
    from PySide6.QtGui import QPainterPath

    path = QPainterPath()
    path.addText(at, painter.font(), text)
    painter.save()
    round_pen = QPen(theme.color("panel", 235), 4.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.strokePath(path, round_pen)
    painter.fillPath(path, theme.color("text"))
    painter.restore()
