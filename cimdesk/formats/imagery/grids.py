"""Grids of tiles: which tile of which level lies where, for Web Mercator and for any tile matrix set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.imagery import SPHERE_HALF

SHARPNESS = 1.2
"""How much larger than a pixel of the picture a pixel of the level may be."""
MAX_ZOOM = 24


class Tile(NamedTuple):
    """One tile: the row of its level in the grid, its column from the west and its row from the north."""

    level: int
    column: int
    row: int


@dataclass(frozen=True)
class Level:
    """One level of detail.

    Attributes
    ----------
    name : str
        What files and servers call it.
    west, north : float
        Corner of tile (0, 0).
    pixel : float
        Size of a pixel [units of the system].
    tile : tuple of 2 ints
        Width and height of a tile [px].
    columns, rows : int
        Of the whole level.
    """

    name: str
    west: float
    north: float
    pixel: float
    tile: tuple[int, int]
    columns: int
    rows: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of a tile [units of the system]."""
        return self.tile[0] * self.pixel, self.tile[1] * self.pixel

    def box(self, column: int, row: int) -> Float:
        """Return the (2, 2) box of a tile."""
        width, height = self.size
        west, north = self.west + column * width, self.north - row * height
        return np.array([[west, north - height], [west + width, north]])

    def range_of(self, box: Float) -> tuple[int, int, int, int]:
        """Return first and last column, first and last row of the tiles that a (2, 2) box meets; last before first if none."""
        width, height = self.size
        slack = 1e-9
        first_column = int(np.floor((box[0, 0] - self.west) / width + slack))
        last_column = int(np.ceil((box[1, 0] - self.west) / width - slack)) - 1
        first_row = int(np.floor((self.north - box[1, 1]) / height + slack))
        last_row = int(np.ceil((self.north - box[0, 1]) / height - slack)) - 1
        return max(first_column, 0), min(last_column, self.columns - 1), max(first_row, 0), min(last_row, self.rows - 1)


def web_mercator(first: int, last: int, tile: int = 256) -> tuple[Level, ...]:
    """Return the levels ``first`` to ``last`` of the XYZ scheme, for tiles of so many pixels."""
    return tuple(
        Level(str(zoom), -SPHERE_HALF, SPHERE_HALF, 2.0 * SPHERE_HALF / (tile * 2**zoom), (tile, tile), 2**zoom, 2**zoom)
        for zoom in range(first, last + 1)
    )


def level_for(levels: Sequence[Level], pixel: float) -> int:
    """Return the row of the coarsest level that is sharp enough for pixels of this size, else of the finest."""
    sharp = [k for k, level in enumerate(levels) if level.pixel <= pixel * SHARPNESS]
    if sharp:
        return max(sharp, key=lambda k: levels[k].pixel)
    return min(range(len(levels)), key=lambda k: levels[k].pixel)


def parent_of(levels: Sequence[Level], tile: Tile) -> tuple[Tile, tuple[float, float, float, float]] | None:
    """Return the tile of the next coarser level that holds a tile, and the part of it (left, top, right, bottom; 0..1).

    None at the coarsest level, or when no single tile there holds it.
    """
    own = levels[tile.level]
    coarser = [k for k, level in enumerate(levels) if level.pixel > own.pixel * 1.01]
    if not coarser:
        return None
    above = min(coarser, key=lambda k: levels[k].pixel)
    level = levels[above]
    box = own.box(tile.column, tile.row)
    c0, c1, r0, r1 = level.range_of(box + np.array([[1, 1], [-1, -1]]) * own.pixel * 1e-3)
    if c0 != c1 or r0 != r1:
        return None
    outer = level.box(c0, r0)
    width, height = outer[1] - outer[0]
    part = (
        float((box[0, 0] - outer[0, 0]) / width),
        float((outer[1, 1] - box[1, 1]) / height),
        float((box[1, 0] - outer[0, 0]) / width),
        float((outer[1, 1] - box[0, 1]) / height),
    )
    return Tile(above, c0, r0), part


def lonlat_box(west: float, south: float, east: float, north: float) -> Float:
    """Return the (2, 2) Web Mercator box of degrees."""
    radius = SPHERE_HALF / np.pi
    lat = np.radians(np.clip([south, north], -85.06, 85.06))
    y = radius * np.log(np.tan(np.pi / 4.0 + lat / 2.0))
    x = radius * np.radians(np.clip([west, east], -180.0, 180.0))
    return np.asarray(np.clip(np.column_stack([x, y]), -SPHERE_HALF, SPHERE_HALF))
