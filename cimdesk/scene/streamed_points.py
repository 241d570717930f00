"""Points of streamed tiles: drawn in the colours of their features or their own, as large as the tile is coarse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Int
from cimdesk.model.layers import Layer
from cimdesk.model.tile_points import PointNotes
from cimdesk.model.tileset import TileBlock, TileSource
from cimdesk.scene.geometry import actor_of, poly_data
from cimdesk.scene.point_painting import DrawnPoints, PointPainting
from cimdesk.scene.point_thinning import sample_of, step_for, weight
from cimdesk.scene.tile_colors import TileColors
from cimdesk.scene.visual import Context, View

SMALLEST, LARGEST = 2.0, 5.0
"""Sizes of points on the screen [px]: those of coarse tiles grow, so that surfaces stay closed."""
LARGEST_THINNED = 7.0
"""Points grow to this where only some of them can be drawn in time [px]."""
POINTS_PER_TRIANGLE = 3
"""Points that cost about as much to draw as a triangle."""
MARK_PX = 9.0
NOTED = 1 << 40
"""First row that stands for a single point."""
_EDGES = np.array([[a, a | 1 << k] for a in range(8) for k in range(3) if not a & 1 << k], dtype=np.int64)


@dataclass(frozen=True)
class PointHit:
    """A point near a place that was picked: the row of its tile, its number there, its feature, and how far away it is [m]."""

    tile: int
    index: int
    feature: int
    distance: float


class NotedRows:
    """Rows of single points, beyond those of features: a name and a local place for each."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._places: list[tuple[str, Float]] = []

    def add(self, name: str, place: Float) -> int:
        """Return the row of a point."""
        if name not in self._rows:
            self._rows[name] = NOTED + len(self._places)
            self._places.append((name, place))
        return self._rows[name]

    def name_of(self, row: int) -> str:
        """Return what identifies a point; nothing for rows of features."""
        return self._places[row - NOTED][0] if 0 <= row - NOTED < len(self._places) else ""

    def place_of(self, row: int) -> Float | None:
        """Return where a point is; None for rows of features."""
        return self._places[row - NOTED][1] if 0 <= row - NOTED < len(self._places) else None

    def rows_of(self, names: Iterable[str]) -> Int:
        """Return the rows of the points among some features."""
        return np.array([self._rows[name] for name in names if name in self._rows] if self._rows else [], dtype=np.int64)


class StreamedPoints:
    """The points of one layer.

    Attributes
    ----------
    noted : NotedRows

    Parameters
    ----------
    context : Context
    colors : TileColors
        Of the features, those of points among them.
    source : TileSource
    error_of : callable
        Row of a tile -> its geometric error [m].
    """

    def __init__(self, context: Context, colors: TileColors, source: TileSource, error_of: Callable[[int], float]) -> None:
        self._context = context
        self._error_of = error_of
        self._painting = PointPainting(context, colors, source)
        self._tiles: dict[int, DrawnPoints] = {}
        self._shown: frozenset[int] = frozenset()
        self.noted = NotedRows()
        self._opacity = 1.0
        self._eye: Float = np.zeros(3)
        self._slope = 1e-3

    def __bool__(self) -> bool:
        return bool(self._tiles)

    @property
    def is_behind(self) -> bool:
        """Whether some points that are drawn still have colours of before."""
        return self._painting.is_behind(self._shown)

    def styled(self, layer: Layer) -> Layer:
        """Follow the style of a layer from the next `paint` on; return the layer with the limits that its points gave."""
        return self._painting.styled(layer)

    def add(self, block: TileBlock) -> list[Any]:
        """Make the actor of a tile's points, out of sight; return what joins the scene."""
        cloud = block.cloud
        if cloud is None:
            return []
        shift = (block.origin - self._context.origin).astype(np.float32)
        points = cloud.xyz + shift
        data = poly_data(points)
        actor = actor_of(data)
        actor.GetMapper().ScalarVisibilityOn()
        actor.GetProperty().LightingOff()
        actor.GetProperty().SetOpacity(self._opacity)
        actor.SetVisibility(False)
        low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
        tile = DrawnPoints(block, cloud, actor, data, shift, block.features[cloud.owner], low, high, sample_of(points))
        self._tiles[block.row] = tile
        if self._painting.is_news():
            self._painting.fall_behind(self._tiles.values())
        self._painting.paint(tile)
        return [actor]

    def drop(self, rows: Iterable[int]) -> list[Any]:
        """Give back the actors of tiles."""
        gone = [self._tiles.pop(row) for row in rows if row in self._tiles]
        self._painting.drop(tile.block.row for tile in gone)
        self._shown = self._shown.intersection(self._tiles)
        return [tile.actor for tile in gone]

    def show(self, shown: frozenset[int]) -> None:
        """Draw the points of these tiles only."""
        self._shown = shown.intersection(self._tiles)
        for row, tile in self._tiles.items():
            tile.actor.SetVisibility(row in self._shown)

    def prepare(self, view: View) -> None:
        """Make points as large on the screen as their tile is coarse there, and colour some that are behind."""
        self._painting.catch_up(self._shown)
        self._eye, self._slope = view.eye, view.slope
        in_sight = [self._tiles[row] for row in self._shown]
        total = weight([(len(tile.cloud), tile.sample) for tile in in_sight], view.matrix)
        every = step_for(total, self._context.point_budget(view.is_moving))
        for row in self._shown:
            tile = self._tiles[row]
            tile.draw_every(every)
            away = np.maximum(np.maximum(tile.low - view.eye, view.eye - tile.high), 0.0)
            error = self._error_of(row)
            step = error if np.isfinite(error) and error > 0.0 else tile.cloud.spacing
            pixels = step / (max(float(np.linalg.norm(away)), 1.0) * view.slope)
            size = np.clip(pixels, SMALLEST * view.pixel_scale, LARGEST * view.pixel_scale)
            size = min(size * np.sqrt(every), max(size, LARGEST_THINNED * view.pixel_scale))
            tile.actor.GetProperty().SetPointSize(float(size))

    def paint(self, opacity: float, marked: Int) -> None:
        """Follow the style, the colours of the features, those marked, and the opacity: bit by bit, with the next frames."""
        self._opacity, self._painting.marked = opacity, marked
        for tile in self._tiles.values():
            tile.actor.GetProperty().SetOpacity(opacity)
        self._painting.fall_behind(self._tiles.values())

    def repaint(self, rows: Int) -> None:
        """Follow the colours of some features."""
        self._painting.fall_behind(tile for tile in self._tiles.values() if np.isin(tile.block.features, rows).any())

    def nearest(self, point: Float, tolerance: float) -> PointHit | None:
        """Return the drawn point nearest to a local place, if within ``tolerance`` [m] or half its own size."""
        best: PointHit | None = None
        away = float(np.linalg.norm(point - self._eye)) * self._slope
        for row in self._shown:
            tile = self._tiles[row]
            reach = max(tolerance, 0.75 * float(tile.actor.GetProperty().GetPointSize()) * away)
            if (point < tile.low - reach).any() or (point > tile.high + reach).any():
                continue
            steps = tile.cloud.xyz - (point - tile.shift).astype(np.float32)
            squares = np.einsum("ij,ij->i", steps, steps)
            if tile.shown is not None:
                squares[~tile.shown] = np.inf
            index = int(np.argmin(squares))
            distance = float(np.sqrt(squares[index]))
            if distance <= reach and (best is None or distance < best.distance):
                best = PointHit(row, index, int(tile.rows[index]), distance)
        return best

    def row_for(self, hit: PointHit, notes: PointNotes) -> int:
        """Return the row that stands for a point: that of its group where the source has groups, else one of its own."""
        tile = self._tiles[hit.tile]
        is_single = not tile.cloud.has_groups or self._painting.attribute in tile.cloud.own
        name = notes.note(hit.tile, hit.index) if is_single else None
        if name is None:
            return hit.feature
        return self.noted.add(name, np.asarray(tile.cloud.xyz[hit.index] + tile.shift, dtype=np.float64))

    def outline(self, rows: Int) -> list[tuple[Float32, Int]]:
        """Return crosses at single points, and boxes around the points of other features."""
        found = [self._cross(place) for row in rows.tolist() if (place := self.noted.place_of(row)) is not None]
        for row in self._shown:
            tile = self._tiles[row]
            for feature in np.intersect1d(tile.block.features[tile.cloud.first :], rows).tolist():
                mine = tile.cloud.xyz[tile.rows == feature] + tile.shift
                if len(mine):
                    found.append(_box(mine.min(axis=0), mine.max(axis=0)))
        return found

    def _cross(self, point: Float) -> tuple[Float32, Int]:
        arm = MARK_PX * self._slope * max(float(np.linalg.norm(point - self._eye)), 0.5)
        ends = np.array([point + sign * arm * axis for axis in np.eye(3) for sign in (-1.0, 1.0)], dtype=np.float32)
        return ends, np.arange(6, dtype=np.int64).reshape(-1, 2)


def _box(low: AnyArray, high: AnyArray) -> tuple[Float32, Int]:
    corners = np.array([[(low, high)[k >> axis & 1][axis] for axis in range(3)] for k in range(8)], dtype=np.float32)
    return corners, _EDGES.copy()
