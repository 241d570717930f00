"""Where flood water flows to: arrows evenly spaced on the screen, or streaks that drift with the water, as one actor.

Both lie on the surface of the water, face the eye, and are of the same size on the screen at any distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int32, UInt8
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_flow import ARROWS, SLOWEST, SPEEDS, sampled, speed_classes
from cimdesk.model.style import rgba
from cimdesk.scene import toolkit as vtk
from cimdesk.scene.flood_surface import BLOCKED, LARGEST, ZERO, WaterFrames
from cimdesk.scene.geometry import actor_of, cell_array, poly_data, pull_to_eye, set_pull
from cimdesk.scene.visual import Context, View

ARROW_GAP, STREAK_GAP = 44.0, 27.0
"""Between arrows, and between streaks, on the screen [px]."""
LEAST_DEPTH = 0.03
"""Shallower water shows no flow [m]."""
PULL = 0.0062
DARK = "#14212e"
"""Around arrows and streaks, so that they stand out from any water."""
FASTEST = 1.5
"""Marks are longest from this speed on [m/s]."""
AROUND = ((0.0, 0.0), (0.26, 0.0), (-0.26, 0.0), (0.0, 0.26), (0.0, -0.26), (0.2, 0.2), (-0.2, -0.2), (0.2, -0.2), (-0.2, 0.2))
"""Where an arrow looks for water that flows, in this order, in gaps between arrows."""
MARGIN = 16.0
LEVEL_TRIES = 4
PACE = 42.0
"""Pixels that a streak drifts in a second where the water makes a metre in one."""
TAIL_STEPS = 5
LIVES = (0.7, 2.2)
"""Shortest and longest life of a streak [s]."""
PLAYING = 0.4
"""The clock moves if it has moved within this time [s]."""
LONGEST_STEP = 0.12


@dataclass
class Water:
    """The water of the moment that is drawn: two frames and the way between them.

    Attributes
    ----------
    frames : WaterFrames
    first, second : int
    weight : float
    above : (R, C) float32 or None
        Local heights below which nothing is to be seen [m]: another water may lie over this one.
    """

    frames: WaterFrames
    first: int
    second: int
    weight: float
    above: Float32 | None = None


class FlowMarks:
    """Draws the flow of one flood.

    Attributes
    ----------
    actor : vtkActor
    kind : str
        ``arrows``, ``streaks``, or empty.
    """

    def __init__(self, context: Context, result: FloodResult) -> None:
        self.context = context
        self.kind = ""
        self._result = result
        self._moved = -1.0
        self._is_played = False
        self._drawn = 0.0
        self._drift = Drift()
        self._field: tuple[tuple[int, int, float], Float32] | None = None
        self.data = poly_data(np.zeros((0, 3), dtype=np.float32), np.zeros((0, 3), dtype=np.int32))
        self.actor = actor_of(self.data)
        mapper = self.actor.GetMapper()
        mapper.ScalarVisibilityOn()
        mapper.SetColorModeToDirectScalars()
        self.actor.GetProperty().LightingOff()
        self.actor.PickableOff()
        self.actor.SetVisibility(False)
        pull_to_eye(self.actor)

    def follow(self, result: FloodResult) -> None:
        """Go on with a flood that has grown."""
        self._result, self._field = result, None

    def tick(self) -> None:
        """Be told that the clock has moved."""
        now = perf_counter()
        # A moment that is chosen is a picture; only one after another is a film.
        self._is_played, self._moved = now - self._moved < PLAYING, now

    def prepare(self, view: View, is_shown: bool, water: Water) -> None:
        """Lay arrows or streaks for this view."""
        flow = self._result.flow
        is_known = flow is not None and max(water.first, water.second) < len(flow)
        if not is_shown or not self.kind or not is_known:
            self.actor.SetVisibility(False)
            return
        ground = _Surface(self._result, self.context, water, self._velocity(water))
        ratio = _thickness(self.context)
        marks = self._arrows(view, ground, ratio) if self.kind == ARROWS else self._streaks(view, ground, ratio)
        self._drawn = perf_counter()
        self.actor.SetVisibility(len(marks[0]) > 0)
        if len(marks[0]):
            self._show(*marks)
            set_pull(self.actor, PULL, view.near, view.far)

    def _velocity(self, water: Water) -> Float32:
        key = (water.first, water.second, water.weight)
        if self._field is None or self._field[0] != key:
            flow = self._result.flow
            assert flow is not None
            self._field = key, flow.between(*key)
        return self._field[1]

    def _arrows(self, view: View, ground: _Surface, ratio: float) -> tuple[Float32, Int32, UInt8]:
        gap = ARROW_GAP * view.pixel_scale * ratio
        places = _lattice(view, gap)
        pixels = (places + gap * np.array(AROUND)[:, None]).reshape(-1, 2)
        points, which = ground.hit(view, pixels, gap)
        velocity = ground.velocities(points[:, :2])
        flows = np.flatnonzero(ground.is_wet(points[:, :2]) & (np.hypot(*velocity.T) > SLOWEST))
        _, first = np.unique(which[flows] % len(places), return_index=True)
        chosen = flows[first]
        return arrows(view, points[chosen], velocity[chosen], np.hypot(*velocity[chosen].T), ratio)

    def _streaks(self, view: View, ground: _Surface, ratio: float) -> tuple[Float32, Int32, UInt8]:
        now = perf_counter()
        is_playing = self._is_played and now - self._moved < PLAYING
        step = min(now - self._drawn, LONGEST_STEP) if is_playing else 0.0
        heads = self._drift.heads(view, ground, STREAK_GAP * view.pixel_scale * ratio, step)
        return streaks(view, ground, heads, ratio)

    def _show(self, points: Float32, triangles: Int32, colors: UInt8) -> None:
        vtk_points = vtk.vtkPoints()
        vtk_points.SetData(vtk.numpy_to_vtk(points, deep=True))
        self.data.SetPoints(vtk_points)
        self.data.SetPolys(cell_array(triangles))
        array = vtk.numpy_to_vtk(colors, deep=True)
        array.SetName("flow")
        self.data.GetPointData().SetScalars(array)
        self.data.Modified()


class _Surface:
    """The surface of the water at a moment, and its velocities, in local coordinates."""

    def __init__(self, result: FloodResult, context: Context, water: Water, velocity: Float32) -> None:
        assert result.flow is not None
        self._terrain, self._flow, self._velocity = result.terrain, result.flow, velocity
        self._origin = context.origin
        self._pair = water.frames.surface(water.first), water.frames.surface(water.second)
        self._weight, self._step, self._above = water.weight, water.frames.step, water.above

    def _cells(self, xy: Float) -> tuple[AnyArray, AnyArray, Bool]:
        grid = self._terrain
        row = np.floor((grid.north - self._origin[1] - xy[:, 1]) / grid.cell_y)
        column = np.floor((xy[:, 0] + self._origin[0] - grid.west) / grid.cell_x)
        rows, columns = grid.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        return np.where(inside, row, 0).astype(np.int64), np.where(inside, column, 0).astype(np.int64), inside

    def levels(self, xy: Float) -> tuple[Float, Bool]:
        """Return (N,) local heights of the surface under local points, and which are on the grid."""
        row, column, inside = self._cells(xy)
        before, after = (surface.levels[row, column].astype(np.float64) for surface in self._pair)
        level = before + (after - before) * self._weight
        return level if self._above is None else np.fmax(level, self._above[row, column]), inside

    def is_wet(self, xy: Float) -> Bool:
        """Return (N,) whether there is water to speak of, and no wall."""
        row, column, inside = self._cells(xy)
        before, after = (surface.codes[row, column].astype(np.int64) for surface in self._pair)
        depth = ((before & LARGEST) * (1.0 - self._weight) + (after & LARGEST) * self._weight - ZERO) * self._step
        return np.asarray(inside & ((before | after) & BLOCKED == 0) & (depth > LEAST_DEPTH))

    def velocities(self, xy: Float) -> Float:
        """Return (N, 2) velocities at local points [m/s]."""
        return sampled(self._velocity, self._flow.rows_at(xy + self._origin[:2]))

    def hit(self, view: View, pixels: Float, gap: float) -> tuple[Float, AnyArray]:
        """Return (N, 3) points of the surface under pixels, where there is one, and (N,) which pixels those are.

        Points may be off by a tenth of ``gap`` [px].
        """
        start, ahead = _rays(view, pixels)
        down = ahead[:, 2] < -1e-4
        rows = np.flatnonzero(down)
        start, ahead, pixels = start[down], ahead[down], pixels[down]
        level: Any = np.full(len(start), float(np.median(self._pair[0].levels[::16, ::16])))
        for _ in range(LEVEL_TRIES):
            along = (level - start[:, 2]) / ahead[:, 2]
            xy = start[:, :2] + along[:, None] * ahead[:, :2]
            found, inside = self.levels(xy)
            level = np.where(inside, found, level)
        points = np.column_stack([xy, level])
        seen = view.project(points)
        near = np.hypot(seen[:, 0] - pixels[:, 0], seen[:, 1] - pixels[:, 1]) < 0.1 * gap
        good = near & inside & (along > 0.0) & (seen[:, 2] > view.near)
        return points[good], rows[good]


class Drift:
    """Places on the water that drift with it, live for a while, and begin elsewhere in the picture."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        self._points: Float = np.zeros((0, 3))
        self._left: Float = np.zeros(0)
        self._matrix: Float | None = None
        self._count = 0

    def heads(self, view: View, ground: _Surface, gap: float, step: float) -> Float:
        """Return (N, 3) places after ``step`` seconds; without a step the same picture has the same places."""
        wanted = int(view.width * view.height / gap**2)
        if step <= 0.0:
            if self._matrix is None or not np.array_equal(self._matrix, view.matrix):
                self._begin(view, ground, gap, wanted)
            points = self._points[ground.is_wet(self._points[:, :2])]
            self._points, self._left = points, self._left[: len(points)]
            if len(points) < 0.5 * self._count:
                self._begin(view, ground, gap, wanted)
            return self._points
        velocity = ground.velocities(self._points[:, :2])
        size = _pixel_sizes(view, self._points)
        self._points[:, :2] += velocity * (PACE * view.pixel_scale * step * size)[:, None]
        self._left = self._left - step
        level, inside = ground.levels(self._points[:, :2])
        self._points[:, 2] = level
        alive = inside & (self._left > 0.0) & ground.is_wet(self._points[:, :2]) & self._is_in(view)
        new, _ = ground.hit(view, self._pixels(view, max(wanted - int(alive.sum()), 0)), gap)
        self._points = np.concatenate([self._points[alive], new])
        self._left = np.concatenate([self._left[alive], self._random.uniform(*LIVES, len(new))])
        self._matrix = None
        return self._points

    def _begin(self, view: View, ground: _Surface, gap: float, wanted: int) -> None:
        self._random = np.random.default_rng(0)
        pixels = _lattice(view, gap)
        pixels += self._random.uniform(-0.4 * gap, 0.4 * gap, pixels.shape)
        points, _ = ground.hit(view, pixels, gap)
        self._points = points[ground.is_wet(points[:, :2])]
        self._left = self._random.uniform(0.0, LIVES[1], len(self._points))
        self._matrix, self._count = view.matrix.copy(), len(self._points)

    def _pixels(self, view: View, count: int) -> Float:
        return np.asarray(self._random.uniform(0.0, 1.0, (count, 2)) * [view.width, view.height])

    def _is_in(self, view: View) -> Bool:
        seen = view.project(self._points)
        inside = (seen[:, 2] > view.near) & (seen[:, 0] > -MARGIN) & (seen[:, 0] < view.width + MARGIN)
        return np.asarray(inside & (seen[:, 1] > -MARGIN) & (seen[:, 1] < view.height + MARGIN))


def arrows(view: View, points: Float, velocity: Float, speed: Float, ratio: float) -> tuple[Float32, Int32, UInt8]:
    """Return points, triangles and colours of an arrow over each place, with a dark rim, as long as its speed says."""
    count = len(points)
    unit = velocity / np.maximum(speed, 1e-9)[:, None]
    px = _pixel_sizes(view, points) * view.pixel_scale * ratio
    ahead = np.column_stack([unit, np.zeros(count)])
    toward = view.eye - points
    toward /= np.maximum(np.linalg.norm(toward, axis=1), 1e-9)[:, None]
    side = _sideways(ahead, toward)
    length = 13.0 + 19.0 * _share(speed)
    parts = []
    for rim in (1.5, 0.0):
        half, head = 1.25 + rim, 9.0 + 2.0 * rim
        barb = 4.4 + 1.5 * rim
        reach = length / 2.0 + rim
        # Tail, neck, barbs and tip, along the arrow and across it [px].
        along = np.stack([-reach, -reach, reach - head, reach - head, reach - head, reach - head, reach + 0.6 * rim])
        across = np.array([-half, half, -half, half, -barb, barb, 0.0])[:, None] * np.ones(count)
        lift = toward * (0.0006 * np.linalg.norm(view.eye - points, axis=1))[:, None] * (rim == 0.0)
        place = points + lift
        parts.append(place[:, None] + (along * px).T[..., None] * ahead[:, None] + (across * px).T[..., None] * side[:, None])
    corners = np.concatenate(parts).reshape(-1, 3).astype(np.float32)
    triangles = np.array([[0, 2, 1], [1, 2, 3], [4, 6, 5]], dtype=np.int32)
    cells = (7 * np.arange(2 * count, dtype=np.int32)[:, None, None] + triangles).reshape(-1, 3)
    colors = (
        np.concatenate([np.tile(_dark(), (count, 1)), _palette()[speed_classes(speed)]]) if count else np.zeros((0, 4), np.uint8)
    )
    return corners, cells, np.repeat(colors, 7, axis=0)


def streaks(view: View, ground: _Surface, heads: Float, ratio: float) -> tuple[Float32, Int32, UInt8]:
    """Return points, triangles and colours of a streak behind each head: as long as its speed says, thin at its end."""
    velocity = ground.velocities(heads[:, :2])
    speed = np.hypot(*velocity.T)
    moves = speed > SLOWEST
    heads, velocity, speed = heads[moves], velocity[moves], speed[moves]
    count = len(heads)
    px = _pixel_sizes(view, heads) * view.pixel_scale * ratio
    stride = (8.0 + 26.0 * _share(speed)) / (TAIL_STEPS - 1) * px
    trail = np.empty((count, TAIL_STEPS, 3))
    trail[:, 0] = heads
    for k in range(1, TAIL_STEPS):
        pace = np.maximum(np.hypot(*velocity.T), 1e-6)
        trail[:, k, :2] = trail[:, k - 1, :2] - velocity * (stride / pace)[:, None]
        trail[:, k, 2] = trail[:, k - 1, 2]
        if k < TAIL_STEPS - 1:
            here = ground.velocities(trail[:, k, :2])
            velocity = np.where((here != 0.0).any(axis=1)[:, None], here, velocity)
    ahead = np.empty_like(trail)
    ahead[:, :-1] = trail[:, :-1] - trail[:, 1:]
    ahead[:, -1] = ahead[:, -2]
    toward = view.eye - heads
    toward /= np.maximum(np.linalg.norm(toward, axis=1), 1e-9)[:, None]
    ahead /= np.maximum(np.linalg.norm(ahead, axis=2), 1e-9)[..., None]
    side = _sideways(ahead.reshape(-1, 3), np.repeat(toward, TAIL_STEPS, axis=0)).reshape(trail.shape)
    taper = np.linspace(1.0, 0.12, TAIL_STEPS)
    far = np.linalg.norm(view.eye - heads, axis=1)
    parts = []
    for rim in (1.1, 0.0):
        half = (1.15 * taper + rim)[None, :] * px[:, None]
        place = trail + (toward * (0.0006 * far)[:, None] * (rim == 0.0))[:, None]
        parts.append(np.stack([place - half[..., None] * side, place + half[..., None] * side], axis=2))
    corners = np.concatenate(parts).reshape(-1, 3).astype(np.float32)
    step = 2 * np.arange(TAIL_STEPS - 1, dtype=np.int32)[:, None, None]
    triangles = (step + np.array([[0, 1, 2], [1, 3, 2]], dtype=np.int32)).reshape(-1, 3)
    cells = (2 * TAIL_STEPS * np.arange(2 * count, dtype=np.int32)[:, None, None] + triangles).reshape(-1, 3)
    colors = (
        np.concatenate([np.tile(_dark(), (count, 1)), _palette()[speed_classes(speed)]]) if count else np.zeros((0, 4), np.uint8)
    )
    return corners, cells, np.repeat(colors, 2 * TAIL_STEPS, axis=0)


def _share(speed: Float) -> Float:
    """Return (N,) how long a mark is between the shortest and the longest."""
    return np.asarray(np.minimum(speed / FASTEST, 1.0) ** 0.6)


def _sideways(ahead: Float, toward: Float) -> Float:
    """Return unit vectors across, as the eye sees them."""
    side = np.cross(ahead, toward)
    return np.asarray(side / np.maximum(np.linalg.norm(side, axis=1), 1e-9)[:, None])


def _pixel_sizes(view: View, points: Float) -> Float:
    """Return (N,) metres per pixel at points."""
    return np.asarray(np.linalg.norm(points - view.eye, axis=1) * view.slope)


def _lattice(view: View, gap: float) -> Float:
    """Return (N, 2) pixels in rows, every other one moved by half a gap."""
    rows, columns = int(view.height / (gap * 0.866)) + 1, int(view.width / gap) + 1
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    return np.column_stack([((x + 0.5 * (y % 2) + 0.25) * gap).ravel(), ((y + 0.5) * gap * 0.866).ravel()])


def _rays(view: View, pixels: Float) -> tuple[Float, Float]:
    """Return (N, 3) starts and directions of what is seen at pixels from the left and the top."""
    back = np.linalg.inv(view.matrix)
    x, y = 2.0 * pixels[:, 0] / view.width - 1.0, 1.0 - 2.0 * pixels[:, 1] / view.height
    ends = []
    for z in (-1.0, 0.9):
        place = np.column_stack([x, y, np.full(len(pixels), z), np.ones(len(pixels))]) @ back.T
        ends.append(place[:, :3] / place[:, 3:])
    return ends[0], ends[1] - ends[0]


def _thickness(context: Context) -> float:
    """Return how much larger marks are drawn than usual: projectors need it."""
    return 1.0 if context.look.line_width <= 3.0 else 1.45


def _palette() -> UInt8:
    return np.array([rgba(color) for _, color in SPEEDS], dtype=np.uint8)


def _dark() -> UInt8:
    return np.array([rgba(DARK)], dtype=np.uint8)
