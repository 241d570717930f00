"""Elevations of a source in another reference system, place by place: for sources that GDAL cannot warp itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem
from cimdesk.model.elevation import LargeSource, PatchSampler, Rectangle, bilinear, resampled

NODES = 17
"""Places along a side that are transformed exactly; those between them lie on curves that are straight enough."""
MOST_CELLS = 4096


@dataclass
class AimedSource:
    """A source seen in another system.

    Attributes
    ----------
    base : LargeSource
        In its own system.
    own, target : Crs or None
        None where nothing says it; nothing is moved then.
    """

    base: LargeSource
    own: Crs | None
    target: Crs | None
    is_quick = False
    is_far = True
    """Whether elevations are fetched from elsewhere, so that nothing on the screen may wait for them."""

    @cached_property
    def bounds(self) -> Float:
        """(2, 3) bounds; heights unknown."""
        if self.own is None or self.target is None or self.own == self.target:
            return self.base.bounds
        (west, south, _), (east, north, _) = self.base.bounds.tolist()
        points = _mesh(np.linspace(west, east, NODES), np.linspace(south, north, NODES))
        there = self.own.transform(self.target, points)
        there = there[np.isfinite(there).all(axis=1)]
        return np.array([[*there[:, :2].min(axis=0), np.nan], [*there[:, :2].max(axis=0), np.nan]])

    @cached_property
    def cell(self) -> float:
        """Finest cell, as long as it comes out in the middle."""
        if self.own is None or self.target is None or self.own == self.target:
            return self.base.cell
        (west, south, _), (east, north, _) = self.base.bounds.tolist()
        middle = np.array([(west + east) / 2.0, (south + north) / 2.0, 0.0])
        ends = self.own.transform(self.target, middle + self.base.cell * np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]))
        return float(np.hypot(*(ends[1:, :2] - ends[0, :2]).T).min())

    @property
    def vertical(self) -> str:
        """Vertical datum."""
        return self.base.vertical

    @cached_property
    def _sampler(self) -> PatchSampler:
        return PatchSampler(self.read, float(self.bounds[0, 0]), float(self.bounds[1, 1]), self.cell)

    def sample(self, xy: Float) -> Float:
        """Return (N,) heights at world points."""
        return self._sampler.sample(xy)

    def raised(self, offset: float) -> AimedSource:
        """Return the same with all heights higher."""
        return replace(self, base=self.base.raised(offset))

    def aimed(self, crs: Crs | None, target: Crs) -> LargeSource:
        """Return the same in another system."""
        return AimedSource(self.base, self.own or crs, target)

    def problems(self) -> tuple[Problem, ...]:
        """Return what could not be read so far."""
        found: tuple[Problem, ...] = getattr(self.base, "problems", tuple)()
        return found

    def read(self, area: Rectangle, rows: int, columns: int) -> Float32:
        """Return (rows, columns) heights at the centres of equal cells over ``area``; NaN where there are none."""
        own, target = self.own, self.target
        if own is None or target is None or own == target:
            return self.base.read(area, rows, columns)
        places = _places(area, rows, columns, own, target)
        known = np.isfinite(places).all(axis=1)
        out = np.full(rows * columns, np.nan)
        (west, south, _), (east, north, _) = self.base.bounds.tolist()
        inside = known & (places[:, 0] >= west) & (places[:, 0] <= east) & (places[:, 1] >= south) & (places[:, 1] <= north)
        if not inside.any():
            return out.astype(np.float32).reshape(rows, columns)
        low, high = places[inside].min(axis=0), places[inside].max(axis=0)
        count = int(np.clip(np.hypot(rows, columns), 2, MOST_CELLS))
        step = np.maximum((high - low) / count, self.base.cell)
        low, high = low - 2.0 * step, high + 2.0 * step
        shape = np.maximum(np.ceil((high - low) / step - 1e-9), 1).astype(int)
        cells = self.base.read((low[0], high[1] - shape[1] * step[1], low[0] + shape[0] * step[0], high[1]), shape[1], shape[0])
        y = (high[1] - places[inside, 1]) / step[1] - 0.5
        out[inside] = bilinear(cells, y, (places[inside, 0] - low[0]) / step[0] - 0.5)
        return out.astype(np.float32).reshape(rows, columns)


def _places(area: Rectangle, rows: int, columns: int, own: Crs, target: Crs) -> Float:
    """Return (rows * columns, 2) places in ``own`` of cell centres over an area in ``target``."""
    west, south, east, north = area
    step_x, step_y = (east - west) / columns, (north - south) / rows
    x = np.linspace(west + 0.5 * step_x, east - 0.5 * step_x, NODES)
    y = np.linspace(north - 0.5 * step_y, south + 0.5 * step_y, NODES)
    there = target.transform(own, _mesh(x, y))[:, :2]
    lines = np.linspace(0.0, NODES - 1.0, rows), np.linspace(0.0, NODES - 1.0, columns)
    # Differences to the first node, for float32 would not resolve degrees to a metre.
    first = there[0]
    parts = [resampled((there[:, k] - first[k]).astype(np.float32).reshape(NODES, NODES), *lines) for k in range(2)]
    places: Float = np.stack(parts, axis=-1).reshape(-1, 2).astype(np.float64) + first
    return places


def _mesh(x: Float, y: Float) -> Float:
    """Return (N, 3) crossings of columns and rows, row by row."""
    crossings = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return np.column_stack([crossings, np.zeros(len(crossings))])
