"""What every visual is: the drawing of one layer, kept in step with its record, the clock, the theme and the camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int
from cimdesk.model.appearance import stage_dates
from cimdesk.model.layers import Layer
from cimdesk.model.sight import Sight
from cimdesk.model.style import StyleMode
from cimdesk.model.visibility import shown_rows
from cimdesk.model.workspace import LayerData, Workspace
from cimdesk.scene.look import Look

if TYPE_CHECKING:
    from cimdesk.scene.pictures import Pictures
    from cimdesk.scene.terrain_chunks import Drape


@dataclass
class View:
    """The camera of the frame about to be drawn, in local coordinates.

    Attributes
    ----------
    eye, forward : (3,) float64
    matrix : (4, 4) float64
        Local coordinates to clip coordinates.
    width, height : int
        Of the viewport [device px].
    pixel_scale : float
        Device pixels per 72-dpi pixel.
    slope : float
        Metres per pixel at one metre distance.
    near, far : float
    is_moving : bool
    """

    eye: Float
    forward: Float
    matrix: Float
    width: int
    height: int
    pixel_scale: float
    slope: float
    near: float
    far: float
    is_moving: bool

    def project(self, points: Float | Float32) -> Float:
        """Return (N, 3): pixels from the left and from the top, and the distance ahead of the eye (negative behind)."""
        clip = np.asarray(points, dtype=np.float64) @ self.matrix[:, :3].T + self.matrix[:, 3]
        w = np.where(np.abs(clip[:, 3]) < 1e-9, 1e-9, clip[:, 3])
        x = (clip[:, 0] / w + 1.0) * 0.5 * self.width
        y = (1.0 - clip[:, 1] / w) * 0.5 * self.height
        return np.column_stack([x, y, clip[:, 3]])

    def sight(self, origin: Float, max_pixels: float) -> Sight:
        """Return what decides which parts of something large to show, in world coordinates."""
        m = self.matrix
        planes = np.array([m[3] + m[0], m[3] - m[0], m[3] + m[1], m[3] - m[1]])
        planes /= np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
        planes[:, 3] -= planes[:, :3] @ origin
        return Sight(self.eye + origin, planes, self.slope, max_pixels)

    def metres_per_pixel(self, point: Float) -> float:
        """Return the size of a pixel at a local point [m]."""
        return float(np.linalg.norm(np.asarray(point) - self.eye) * self.slope)


@dataclass
class Context:
    """What visuals share.

    Attributes
    ----------
    workspace : Workspace
    origin : (3,) float64
        World coordinates of the local zero.
    look : Look
    time : float
        Moment of the clock [POSIX s].
    xray : bool
    is_covered : bool
        Whether something lies over what is underground, so that it shows in the X-ray view only.
    ground : callable
        (N, 2 or 3) local points -> (N,) local ground heights, never NaN.
    wake : callable
        Asks for a frame, from any thread.
    point_budget : callable
        Whether the camera moves -> points that a cloud may draw.
    carries_city : bool
        Whether buildings or water stand on the terrain, which then keeps quiet.
    drape : Drape or None
        Gives pictures to lay over terrain; see `terrain_chunks`.
    pictures : Pictures or None
        What the picture layers share, seen or not.
    is_live : bool
        Whether somebody works in the window that is drawn into: what takes long is then made ready elsewhere, and drawn later.
    """

    workspace: Workspace
    origin: Float
    look: Look
    time: float = 0.0
    xray: bool = False
    is_covered: bool = False
    ground: Callable[[Float], Float] = field(default=lambda points: np.zeros(len(points)))
    wake: Callable[[], None] = field(default=lambda: None)
    point_budget: Callable[[bool], int] = field(default=lambda is_moving: 80_000 if is_moving else 400_000)
    carries_city: bool = False
    drape: Drape | None = None
    pictures: Pictures | None = None
    is_live: bool = False

    def to_local(self, points: Float) -> Float32:
        """Return (N, 3) float32 local coordinates of world ones."""
        return np.asarray(points - self.origin, dtype=np.float32)


@dataclass(frozen=True)
class Hit:
    """A feature near a picked point, and how far from it [m]."""

    row: int
    distance: float


class Visual:
    """The drawing of one layer. Subclasses fill `actors` and override what they need.

    ``label_rank`` orders layers whose labels compete for room; ``label_below`` hangs them under their anchors.
    ``most_outlined`` is how many selected features are outlined; more of them are marked by their colour. None for any number.

    Attributes
    ----------
    actors : list of VTK props
        Everything the visual adds to the renderer.
    extent : (2, 3) float64
        Local bounds of all that it draws; NaN while unknown.
    is_pending : bool
        Whether `advance` has something left to build.
    is_waiting : bool
        Whether something that the view needs is still on its way.
    joining, leaving : list of VTK props
        What the scene is to add or take out at the next opportunity.
    nearest_first : list of VTK props
        Opaque actors in the order to draw them in: what nearer ones hide then costs little.
    is_redrawn : bool
        Set when features are drawn by other geometry than before, so that outlines are made anew.
    """

    label_rank = 1
    label_below = False
    most_outlined: int | None = None

    def __init__(self, context: Context, layer: Layer) -> None:
        self.context = context
        self.layer = layer
        self.actors: list[Any] = []
        self.extent: Float = np.full((2, 3), np.nan)
        self.is_pending = False
        self.is_waiting = False
        self.joining: list[Any] = []
        self.leaving: list[Any] = []
        self.nearest_first: list[Any] = []
        self.is_redrawn = False
        self._styled_at = context.time

    def advance(self, deadline: float) -> list[Any]:
        """Go on building until `time.perf_counter` passes ``deadline``; return the actors that joined."""
        return []

    def sync(self, layer: Layer) -> None:
        """Follow the layer's record, theme and X-ray state: visibility, opacity, style."""
        self.layer = layer

    def fits(self, layer: Layer) -> bool:
        """Return whether this visual can show the changed record; if not, it is built anew."""
        return True

    def follows(self, data: LayerData) -> bool:
        """Return whether this visual shows the layer's new data as it is; if not, it is built anew."""
        return False

    def style_moves(self, time: float) -> bool:
        """Return whether the style's colours may differ at this moment from those at the last one asked about."""
        mode, before = self.layer.style.mode, self._styled_at
        self._styled_at = time
        if mode is StyleMode.STAGE:
            dates = stage_dates(self.context.workspace, self.layer.id)
            return bool(np.searchsorted(dates, before, side="right") != np.searchsorted(dates, time, side="right"))
        return mode is StyleMode.DEPTH

    def set_time(self, time: float) -> bool:
        """Follow the clock; return whether the picture changed."""
        return False

    def prepare(self, view: View) -> None:
        """Choose what to draw for this view. Called before each frame, so it must be quick."""

    def pick(self, point: Float, tolerance: float) -> Hit | None:
        """Return the feature at a local point seen on the screen, if one is nearer than ``tolerance`` [m]."""
        return None

    def pick_through(self, start: Float, end: Float) -> Hit | None:
        """Return the first feature between two local points, where this is see-through and so leaves no depth behind."""
        return None

    def pick_symbol(self, x: float, y: float) -> int | None:
        """Return the feature whose symbol of constant size covers a pixel (from the top left)."""
        return None

    def in_sight(self) -> Bool | None:
        """Return (N,) whether each feature is drawn, or kept out of sight by a filter or by hand; None when all are drawn."""
        return shown_rows(self.context.workspace, self.layer)

    def rows_in_sight(self, rows: Int) -> Int:
        """Return those of the rows that are drawn."""
        shown = self.in_sight()
        return rows if shown is None else rows[shown[rows]]

    def obstacles(self) -> Float:
        """Return (N, 4) left, top, right and bottom [px] of what labels are to keep clear of in the frame being prepared."""
        return np.zeros((0, 4))

    @property
    def is_on_top(self) -> bool:
        """Whether the visual is drawn in front of everything now, as pipes are in the X-ray view."""
        return False

    def anchors(self) -> Float:
        """Return (N, 3) local points that stand for the features in box selection and carry labels; NaN where none."""
        return np.zeros((0, 3))

    def feature_id(self, row: int) -> str:
        """Return the id of an anchor's or hit's feature."""
        table = self.context.workspace.features(self.layer.id)
        assert table is not None
        return str(table.ids[row])

    def rows_of(self, features: Iterable[str]) -> Int:
        """Return the rows of feature ids that exist here."""
        table = self.context.workspace.features(self.layer.id)
        return np.zeros(0, dtype=np.int64) if table is None else table.rows_of(features)

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        """Return local points (P, 3) and segments (L, 2) that outline these features."""
        return None

    def mark(self, features: AbstractSet[str], rows: Int) -> bool:
        """Show these features, many, in the colour of the selection, and no others; return whether that is possible.

        Called with the same set again, it does nothing. ``rows`` are those of the features that exist here now.
        """
        return not features

    def bounds(self, rows: Int) -> Float | None:
        """Return (2, 3) local bounds of these features."""
        shape = self.outline(rows)
        if shape is None or not len(shape[0]):
            return None
        points = shape[0][np.unique(shape[1])] if len(shape[1]) else shape[0]
        return np.array([points.min(axis=0), points.max(axis=0)], dtype=np.float64)

    def stop(self) -> None:
        """Ask for nothing more from outside; the scene is closed."""

    def release(self) -> None:
        """Let go of what VTK holds."""
        self.actors.clear()
