"""Polygons painted into one picture that lies on the ground: no slivers, no seams, however steep the ground is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int, UInt8
from cimdesk.model.features import Shapes

MAX_PICTURE = 2048
MIN_PIXEL = 0.4
MARGIN = 4
MAX_LINES = 420
MIN_STEP = 2.0


@dataclass(frozen=True)
class PlanGrid:
    """Where the picture lies.

    Attributes
    ----------
    west, north : float
        World coordinates of its corner.
    pixel : float
        Size of a pixel [m].
    columns, rows : int
    """

    west: float
    north: float
    pixel: float
    columns: int
    rows: int

    @staticmethod
    def around(shapes: Shapes) -> PlanGrid:
        """Return the grid that covers the shapes with a clear margin."""
        (west, south, _), (east, north, _) = shapes.bounds
        pixel = max(MIN_PIXEL, max(east - west, north - south) / (MAX_PICTURE - 2 * MARGIN))
        columns, rows = int((east - west) / pixel) + 2 * MARGIN, int((north - south) / pixel) + 2 * MARGIN
        edge = (MARGIN - 1) * pixel
        return PlanGrid(west - edge, north + edge, pixel, columns, rows)


def paint(shapes: Shapes, grid: PlanGrid, colors: UInt8) -> UInt8:
    """Return the (rows, columns, 4) picture of polygons in the colour of their feature, clear elsewhere."""
    from PIL import Image, ImageDraw

    blank = tuple(int(c) for c in colors[:, :3].mean(axis=0)) if len(colors) else (0, 0, 0)
    picture = Image.new("RGBA", (grid.columns, grid.rows), (*blank, 0))
    draw = ImageDraw.Draw(picture)
    corners = _pixels(shapes.coordinates, grid).ravel().tolist()
    bounds = (2 * shapes.ring_offsets).tolist()
    outer = np.flatnonzero(~shapes.is_hole)
    inks = [tuple(ink) for ink in colors[shapes.feature_of_ring[outer]].tolist()]
    stops = [*outer[1:].tolist(), len(shapes.is_hole)]
    for first, last, color in zip(outer.tolist(), stops, inks, strict=False):
        if color[3] == 0:
            continue
        rings = [corners[bounds[r] : bounds[r + 1]] for r in range(first, last)]
        if len(rings) == 1:
            draw.polygon(rings[0], fill=color)
            continue
        mask, corner = _stencil(rings)
        picture.paste(color, corner, mask)
    return np.array(picture, dtype=np.uint8)


def _stencil(rings: list[list[float]]) -> tuple[Any, tuple[int, int]]:
    """Return the mask of a polygon with holes, no larger than it is, and where its corner lies in the picture."""
    from PIL import Image, ImageDraw

    x, y = rings[0][::2], rings[0][1::2]
    # Whole pixels: painted elsewhere, a polygon covers the same ones.
    left, top = math.floor(min(x)) - 1, math.floor(min(y)) - 1
    mask = Image.new("1", (math.ceil(max(x)) - left + 2, math.ceil(max(y)) - top + 2), 0)
    stencil = ImageDraw.Draw(mask)
    for number, ring in enumerate(rings):
        moved = [value - (top if k % 2 else left) for k, value in enumerate(ring)]
        stencil.polygon(moved, fill=int(number == 0))
    return mask, (left, top)


def ground_cells(picture: UInt8, grid: PlanGrid) -> tuple[Float, Int, Float]:
    """Return plan points (P, 2), triangles (T, 3) and texture coordinates (P, 2) of the cells under painted pixels."""
    step = max(1, round(max(MIN_STEP, max(grid.columns, grid.rows) * grid.pixel / MAX_LINES) / grid.pixel))
    rows, columns = -(-grid.rows // step), -(-grid.columns // step)
    padded = np.zeros((rows * step, columns * step), dtype=bool)
    padded[: grid.rows, : grid.columns] = picture[..., 3] > 0
    used = np.pad(padded.reshape(rows, step, columns, step).any(axis=(1, 3)), 1)
    # Smoothing reaches half a pixel over the edge of a cell.
    near = np.any([used[r : r + rows, c : c + columns] for r in range(3) for c in range(3)], axis=0)
    r, c = np.nonzero(near)
    corner = np.stack(
        [r * (columns + 1) + c, (r + 1) * (columns + 1) + c, (r + 1) * (columns + 1) + c + 1, r * (columns + 1) + c + 1]
    )
    kept, compact = np.unique(corner.T.ravel(), return_inverse=True)
    a, b, d, e = compact.reshape(-1, 4).T
    row, column = kept // (columns + 1) * step, kept % (columns + 1) * step
    points = np.column_stack([grid.west + column * grid.pixel, grid.north - row * grid.pixel])
    coordinates = np.column_stack([column / grid.columns, 1.0 - row / grid.rows])
    return points, np.concatenate([np.column_stack([a, b, d]), np.column_stack([a, d, e])]), coordinates


def _pixels(points: Float, grid: PlanGrid) -> Float:
    """Return (P, 2) places in the picture of world points (P, 3)."""
    x = (points[:, 0] - grid.west) / grid.pixel - 0.5
    y = (grid.north - points[:, 1]) / grid.pixel - 0.5
    return np.column_stack([x, y])
