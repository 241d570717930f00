"""A terrain in memory, read like one that is larger than memory."""

from __future__ import annotations

import threading

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.model.elevation import Rectangle, halved, resampled
from cimdesk.model.terrain import Terrain


class GridSource:
    """A terrain in memory as a source; coarser levels are made when first asked for."""

    is_quick = True
    vertical = ""

    def __init__(self, terrain: Terrain) -> None:
        self.terrain = terrain
        self.cell = min(terrain.cell_x, terrain.cell_y)
        self.bounds: Float = terrain.bounds
        self._levels: list[Float32] = [terrain.elevations]
        self._lock = threading.Lock()

    def read(self, area: Rectangle, rows: int, columns: int) -> Float32:
        """Return (rows, columns) heights at the centres of equal cells over ``area``."""
        west, south, east, north = area
        spacing_x, spacing_y = (east - west) / columns, (north - south) / rows
        level = max(
            0, int(np.floor(np.log2(max(min(spacing_x / self.terrain.cell_x, spacing_y / self.terrain.cell_y), 1.0)) + 1e-6))
        )
        cells = self._level(level)
        factor = 2.0**level
        x = (west + (np.arange(columns) + 0.5) * spacing_x - self.terrain.west) / (self.terrain.cell_x * factor) - 0.5
        y = (self.terrain.north - north + (np.arange(rows) + 0.5) * spacing_y) / (self.terrain.cell_y * factor) - 0.5
        out = resampled(cells, y, x)
        edge = 1e-6
        outside_x = (x < -0.5 - edge) | (x > self.terrain.shape[1] / factor - 0.5 + edge)
        outside_y = (y < -0.5 - edge) | (y > self.terrain.shape[0] / factor - 0.5 + edge)
        if outside_x.any() or outside_y.any():
            out[:, outside_x] = np.nan
            out[outside_y] = np.nan
        return out

    def sample(self, xy: Float) -> Float:
        """Return (N,) bilinear heights at world points."""
        return self.terrain.sample(xy)

    def _level(self, level: int) -> Float32:
        with self._lock:
            while len(self._levels) <= level and max(self._levels[-1].shape) > 1:
                self._levels.append(halved(self._levels[-1]))
            return self._levels[min(level, len(self._levels) - 1)]
