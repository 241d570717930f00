"""Terrain: a regular grid of elevations, sampled, shaded and resampled. Row 0 is the northern edge, as in rasters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float, Float32


@dataclass(frozen=True)
class Terrain:
    """Elevations at the centres of equal cells.

    Attributes
    ----------
    elevations : (R, C) float32
        Height [m]; NaN where there is none. Row 0 is north.
    west, north : float
        World coordinates of the outer corner of cell (0, 0).
    cell_x, cell_y : float
        Cell size, positive [m, or degrees in a geographic system].
    """

    elevations: Float32
    west: float
    north: float
    cell_x: float
    cell_y: float

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

    def part(self, west: float, south: float, east: float, north: float) -> Terrain:
        """Return the cells that touch a rectangle of world coordinates.

        Raises
        ------
        ValueError
            If the rectangle does not meet the grid.
        """
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
