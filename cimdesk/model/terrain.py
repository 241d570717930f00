"""Terrain: a regular grid of elevations, sampled, shaded and resampled. Row 0 is the northern edge, as in rasters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.model.elevation import LargeSource, Rectangle

HEIGHT_TINTS = ("#8fae8b", "#a9bf94", "#c6cfa0", "#ddd6ad", "#d8c297", "#c6a781", "#b3937b", "#b9aaa2", "#dcd8d6", "#f7f6f5")
"""Colours of heights from low to high: meadows, sand, rock, snow."""
ON_GROUND = "on_ground"
"""Option of a layer whose buildings are set down on the terrain."""
MAX_PART = 64_000_000
"""Cells that a part of a large terrain may have in memory."""


class TerrainLook(StrEnum):
    """How the ground is coloured."""

    AUTO = "auto"
    GROUND = "ground"
    HEIGHTS = "heights"


@dataclass(frozen=True)
class TerrainStyle:
    """How a terrain is drawn; kept in the options of its layer.

    Attributes
    ----------
    look : TerrainLook
        Quiet ground, colours by height, or whichever suits: by height while no buildings stand on it.
    exaggeration : float
        Factor on heights above the lowest, for looking at flat country.
    contours : float
        Interval of contour lines [m]; 0 for none.
    """

    look: TerrainLook = TerrainLook.AUTO
    exaggeration: float = 1.0
    contours: float = 0.0

    @staticmethod
    def of(options: Mapping[str, Any]) -> TerrainStyle:
        """Return the style in a layer's options; what makes no sense there is ignored."""
        look = options.get("terrain_look")
        return TerrainStyle(
            TerrainLook(look) if look in set(TerrainLook) else TerrainLook.AUTO,
            _number(options.get("exaggeration"), 1.0, 0.1, 50.0),
            _number(options.get("contours"), 0.0, 0.0, 10_000.0),
        )

    def to_options(self) -> dict[str, Any]:
        """Return the entries of a layer's options."""
        return {"terrain_look": str(self.look), "exaggeration": self.exaggeration, "contours": self.contours}


def height_offset(options: Mapping[str, Any]) -> float:
    """Return by how many metres a layer's heights are raised, to bring them to the vertical datum of the project."""
    return _number(options.get("height_offset"), 0.0, -12_000.0, 12_000.0)


def _number(value: object, default: float, least: float, most: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    return float(value) if is_number and isinstance(value, int | float) else default


@dataclass(frozen=True)
class Terrain:
    """Elevations at the centres of equal cells.

    A terrain larger than memory has a ``source``; its ``elevations`` are then an overview of it. `sample` and `part` answer
    from the source.

    Attributes
    ----------
    elevations : (R, C) float32
        Height [m]; NaN where there is none. Row 0 is north.
    west, north : float
        World coordinates of the outer corner of cell (0, 0).
    cell_x, cell_y : float
        Cell size, positive [m, or degrees in a geographic system].
    source : LargeSource or None
        Where finer elevations are.
    vertical : str
        Name of the vertical datum as the file says it; empty where it says none.
    """

    elevations: Float32
    west: float
    north: float
    cell_x: float
    cell_y: float
    source: LargeSource | None = None
    vertical: str = ""

    @property
    def finest_cell(self) -> float:
        """Spacing of the finest elevations there are [m]."""
        return min(self.cell_x, self.cell_y) if self.source is None else self.source.cell

    @property
    def at_hand(self) -> Terrain:
        """The terrain as far as it can be asked between two frames: of one whose elevations are fetched, what is in memory."""
        return replace(self, source=None) if getattr(self.source, "is_far", False) else self

    def raised(self, offset: float) -> Terrain:
        """Return the same with all heights ``offset`` metres higher."""
        if offset == 0.0:
            return self
        source = None if self.source is None else self.source.raised(offset)
        return replace(self, elevations=self.elevations + np.float32(offset), source=source)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.elevations.shape[0], self.elevations.shape[1]

    @property
    def bounds(self) -> Float:
        """(2, 3) world minimum and maximum of the grid."""
        rows, columns = self.shape
        valid = self.elevations[np.isfinite(self.elevations)]
        low, high = (float(valid.min()), float(valid.max())) if valid.size else (np.nan, np.nan)
        return np.array([[self.west, self.north - rows * self.cell_y, low], [self.west + columns * self.cell_x, self.north, high]])

    def column_centres(self) -> Float:
        """Return (C,) eastings of the cell centres."""
        return np.asarray(self.west + (np.arange(self.shape[1]) + 0.5) * self.cell_x, dtype=np.float64)

    def row_centres(self) -> Float:
        """Return (R,) northings of the cell centres, falling from north to south."""
        return np.asarray(self.north - (np.arange(self.shape[0]) + 0.5) * self.cell_y, dtype=np.float64)

    def sample(self, xy: Float) -> Float:
        """Return (N,) bilinear elevations at (N, 2 or 3) world points; NaN outside or next to no-data."""
        if self.source is not None:
            return self.source.sample(xy)
        rows, columns = self.shape
        column = (xy[:, 0] - self.west) / self.cell_x - 0.5
        row = (self.north - xy[:, 1]) / self.cell_y - 0.5
        outside = (column < -0.5) | (column > columns - 0.5) | (row < -0.5) | (row > rows - 0.5) | ~np.isfinite(column + row)
        column = np.clip(np.where(outside, 0.0, column), 0.0, columns - 1.0)
        row = np.clip(np.where(outside, 0.0, row), 0.0, rows - 1.0)
        c0, r0 = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
        c1, r1 = np.minimum(c0 + 1, columns - 1), np.minimum(r0 + 1, rows - 1)
        fc, fr = column - c0, row - r0
        z = self.elevations
        north = z[r0, c0] * (1 - fc) + np.where(fc > 0, z[r0, c1], 0.0) * fc
        south = z[r1, c0] * (1 - fc) + np.where(fc > 0, z[r1, c1], 0.0) * fc
        height = north * (1 - fr) + np.where(fr > 0, south, 0.0) * fr
        return np.where(outside, np.nan, height)

    def part(self, west: float, south: float, east: float, north: float, cell: float = 0.0) -> Terrain:
        """Return the cells that touch a rectangle of world coordinates.

        Of a terrain larger than memory they are the finest, as far as memory allows; or not much finer than ``cell`` [m].

        Raises
        ------
        ValueError
            If the rectangle does not meet the grid.
        """
        if self.source is not None:
            return self._fine_part(self.source, (west, south, east, north), cell)
        rows, columns = self.shape
        left = max(0, int(np.floor((west - self.west) / self.cell_x + 1e-9)))
        right = min(columns, int(np.ceil((east - self.west) / self.cell_x - 1e-9)))
        top = max(0, int(np.floor((self.north - north) / self.cell_y + 1e-9)))
        bottom = min(rows, int(np.ceil((self.north - south) / self.cell_y - 1e-9)))
        if right <= left or bottom <= top:
            raise ValueError("the rectangle lies outside the terrain")
        return Terrain(
            self.elevations[top:bottom, left:right],
            self.west + left * self.cell_x,
            self.north - top * self.cell_y,
            self.cell_x,
            self.cell_y,
        )

    def _fine_part(self, source: LargeSource, box: Rectangle, wanted: float) -> Terrain:
        low, high = self.bounds[:, :2]
        west, south, east, north = box
        west, south = max(west, float(low[0])), max(south, float(low[1]))
        east, north = min(east, float(high[0])), min(north, float(high[1]))
        if west >= east or south >= north:
            raise ValueError("the rectangle lies outside the terrain")
        cell = source.cell
        # Whole cells, counted from the corner of the terrain.
        left, top = np.floor((west - low[0]) / cell + 1e-6), np.floor((high[1] - north) / cell + 1e-6)
        right, bottom = np.ceil((east - low[0]) / cell - 1e-6), np.ceil((high[1] - south) / cell - 1e-6)
        thin = max(1, int(wanted / cell + 1e-6), int(np.ceil(np.sqrt((right - left) * (bottom - top) / MAX_PART))))
        columns, rows = max(1, int(np.ceil((right - left) / thin))), max(1, int(np.ceil((bottom - top) / thin)))
        corner_x, corner_y = float(low[0] + left * cell), float(high[1] - top * cell)
        area = (corner_x, corner_y - rows * cell * thin, corner_x + columns * cell * thin, corner_y)
        return Terrain(source.read(area, rows, columns), corner_x, corner_y, cell * thin, cell * thin, vertical=self.vertical)

    def hillshade(self, azimuth_deg: float = 225.0, altitude_deg: float = 45.0, exaggeration: float = 1.0) -> Float32:
        """Return (R, C) float32 illumination in 0..1 from a sun at this azimuth (clockwise from north) and altitude.

        Lambert's law on central differences; Burrough and McDonnell (1998), Principles of GIS, 190-193.
        """
        is_known = np.isfinite(self.elevations)
        level = float(self.elevations[is_known].mean()) if is_known.any() else 0.0
        z = np.where(is_known, self.elevations, level).astype(np.float64) * exaggeration
        d_north = np.gradient(z, self.cell_y, axis=0) if z.shape[0] > 1 else np.zeros_like(z)
        d_east = np.gradient(z, self.cell_x, axis=1) if z.shape[1] > 1 else np.zeros_like(z)
        azimuth, altitude = np.radians(azimuth_deg), np.radians(altitude_deg)
        sun = np.array([np.sin(azimuth) * np.cos(altitude), np.cos(azimuth) * np.cos(altitude), np.sin(altitude)])
        # Rows run south, so the northward slope is minus the row gradient.
        length = np.sqrt(d_east**2 + d_north**2 + 1.0)
        shade = (-d_east * sun[0] + d_north * sun[1] + sun[2]) / length
        return np.asarray(np.clip(shade, 0.0, 1.0), dtype=np.float32)
