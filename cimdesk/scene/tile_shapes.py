"""Where the features of streamed tiles are: picked, outlined, and anchored once seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int
from cimdesk.model.tileset import TileBlock, TileSource
from cimdesk.scene.cells import meets_box
from cimdesk.scene.geometry import sharp_edges
from cimdesk.scene.streamed_points import StreamedPoints
from cimdesk.scene.tile_drawing import DrawnTile, TileDrawing
from cimdesk.scene.visual import Hit


class TileShapes:
    """Answers for the tiles that are drawn."""

    def __init__(self, source: TileSource, drawing: TileDrawing, points: StreamedPoints) -> None:
        self._source = source
        self._drawing = drawing
        self._points = points
        self._anchors: Float = np.full((0, 3), np.nan)

    def note(self, block: TileBlock, shift: Float) -> None:
        """Keep where the features of a tile are; ``shift`` brings it into local coordinates."""
        count = int(block.features.max(initial=-1)) + 1
        if count > len(self._anchors):
            grown = np.full((max(count, 2 * len(self._anchors), 4096), 3), np.nan)
            grown[: len(self._anchors)] = self._anchors
            self._anchors = grown
        self._anchors[block.features] = block.anchors + shift

    def anchors(self, count: int) -> Float:
        """Return (count, 3) local points of the first features; NaN for those not seen."""
        known = self._anchors[:count]
        return known if len(known) == count else np.concatenate([known, np.full((count - len(known), 3), np.nan)])

    def nearest(self, point: Float, tolerance: float, shown: Bool | None) -> Hit | None:
        """Return the feature at a local point, of those ``shown``, if one is nearer than ``tolerance`` [m]."""

        def found(tile: DrawnTile, of: Bool | None) -> Hit | None:
            if (point < tile.low - tolerance).any() or (point > tile.high + tolerance).any():
                return None
            return tile.index.nearest(point, tolerance, of)

        best = self._best(found, shown)
        cloud = self._points.nearest(point, tolerance)
        if cloud is None or (best is not None and best.distance <= cloud.distance):
            return best
        return Hit(self._points.row_for(cloud, self._source.notes), cloud.distance)

    def first_on(self, start: Float, end: Float, shown: Bool | None) -> Hit | None:
        """Return the first feature between two local points, of those ``shown``."""

        def found(tile: DrawnTile, of: Bool | None) -> Hit | None:
            return tile.index.first_on(start, end, of) if meets_box(start, end, tile.low, tile.high) else None

        return self._best(found, shown)

    def _best(self, found: Callable[[DrawnTile, Bool | None], Hit | None], shown: Bool | None) -> Hit | None:
        best: Hit | None = None
        for tile in self._drawing.shown_tiles():
            hit = found(tile, None if shown is None else shown[tile.block.features])
            if hit is not None and (best is None or hit.distance < best.distance):
                best = Hit(int(tile.block.features[hit.row]), hit.distance)
        return best

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        """Return local points and segments around features."""
        parts = [part for tile in self._drawing.shown_tiles() if (part := _outline_in(tile, rows)) is not None]
        parts += self._points.outline(rows)
        if not parts:
            return None
        starts = np.cumsum([0, *(len(points) for points, _ in parts[:-1])])
        lines = [lines + start for (_, lines), start in zip(parts, starts, strict=True)]
        return np.concatenate([points for points, _ in parts]), np.concatenate(lines)

    def bounds(self, rows: Int) -> Float | None:
        """Return (2, 3) local bounds of features that are drawn, where they really are; None when none is."""
        corners: list[Float] = []
        for tile in self._drawing.shown_tiles():
            if tile.block.bodies is not None:
                corners.append(_really_there(tile, tile.block.bodies, rows))
            elif (part := _outline_in(tile, rows)) is not None:
                corners.append(part[0].astype(np.float64))
        corners += [points.astype(np.float64) for points, _ in self._points.outline(rows)]
        found = np.concatenate([np.zeros((0, 3)), *corners])
        return np.array([found.min(axis=0), found.max(axis=0)]) if len(found) else None

    def around(self, rows: Int) -> Float | None:
        """Return (2, 3) local bounds of features by where they have been seen; None when they have not."""
        known = self._anchors[rows[rows < len(self._anchors)]]
        known = known[np.isfinite(known).all(axis=1)]
        return np.array([known.min(axis=0) - 20.0, known.max(axis=0)]) if len(known) else None


def _really_there(tile: DrawnTile, sizes: Float32, rows: Int) -> Float:
    """Return (N, 3) local corners of the boxes around features that a tile shows as something else."""
    mine = np.flatnonzero(np.isin(tile.block.features, rows))
    tops, size = tile.block.anchors[mine] + tile.shift, sizes[mine].astype(np.float64)
    low = tops - size * [0.5, 0.5, 1.0]
    return np.concatenate([low, low + size])


def _outline_in(tile: DrawnTile, rows: Int) -> tuple[Float32, Int] | None:
    block = tile.block
    is_wanted: Bool = np.isin(block.features, rows)
    if not is_wanted.any():
        return None
    mine = is_wanted[block.owner]
    kept, compact = np.unique(block.triangles[mine].ravel(), return_inverse=True)
    part = block.points[kept] + tile.shift.astype(np.float32)
    edges = sharp_edges(part, compact.reshape(-1, 3).astype(np.int32), block.owner[mine])
    return part, edges.astype(np.int64)
