"""Where elevations come from when a terrain is larger than memory: windows at any resolution, and heights at points."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int
from cimdesk.base.crs import Crs

Rectangle: TypeAlias = tuple[float, float, float, float]
"""West, south, east, north in world coordinates."""

PATCH = 256
"""Cells along a side of the patches that point heights are read in."""
MAX_PATCHES = 24
"""Patches read for one question; points spread wider are answered from a coarser level."""
PATCH_BYTES = 32 << 20


class ElevationSource(Protocol):
    """Elevations of any amount, read window by window. Reads may come from several threads at once.

    Attributes
    ----------
    bounds : (2, 3) float64
        World minimum and maximum; heights as far as they are known.
    cell : float
        Finest spacing there is [m].
    is_quick : bool
        Whether reads come from memory, so that they may happen between two frames.
    vertical : str
        Name of the vertical datum as the source says it; empty where it says none.
    """

    @property
    def bounds(self) -> Float: ...
    @property
    def cell(self) -> float: ...
    @property
    def is_quick(self) -> bool: ...
    @property
    def vertical(self) -> str: ...

    def read(self, area: Rectangle, rows: int, columns: int) -> Float32:
        """Return (rows, columns) heights at the centres of equal cells over ``area``, row 0 north; NaN where there are none."""
        ...

    def sample(self, xy: Float) -> Float:
        """Return (N,) heights at (N, 2 or 3) world points, as fine as their spread allows; NaN where there are none."""
        ...


class LargeSource(ElevationSource, Protocol):
    """A source of more than fits into memory, which can be moved without being read."""

    def raised(self, offset: float) -> LargeSource:
        """Return the same with all heights ``offset`` metres higher."""
        ...

    def aimed(self, crs: Crs | None, target: Crs) -> LargeSource:
        """Return the same in the system ``target``; ``crs`` is its own, None where it knows that itself."""
        ...


@dataclass
class PatchSampler:
    """Heights at points out of small patches, which are kept for the next question.

    Attributes
    ----------
    read : callable
        As `ElevationSource.read`.
    west, north, cell : float
        Corner that the patches are counted from, and their finest cell.
    """

    read: Callable[[Rectangle, int, int], Float32]
    west: float
    north: float
    cell: float
    _kept: OrderedDict[tuple[int, int, int], Float32] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sample(self, xy: Float) -> Float:
        """Return (N,) heights at (N, 2 or 3) world points."""
        points = np.asarray(xy, dtype=np.float64)[:, :2]
        out = np.full(len(points), np.nan)
        known = np.flatnonzero(np.isfinite(points).all(axis=1))
        if not len(known):
            return out
        level, column, row = self._patches(points[known])
        side = PATCH * self.cell * 2.0**level
        order = np.lexsort((column, row))
        known, column, row = known[order], column[order], row[order]
        starts = np.flatnonzero(np.concatenate([[True], (np.diff(column) != 0) | (np.diff(row) != 0)]))
        for start, stop in zip(starts, np.append(starts[1:], len(known)), strict=True):
            part = known[start:stop]
            west, north = self.west + column[start] * side, self.north - row[start] * side
            patch = self._patch(level, int(column[start]), int(row[start]))
            step = side / PATCH
            # The patch has one more row and column of cells on every side.
            out[part] = bilinear(patch, (north - points[part, 1]) / step + 0.5, (points[part, 0] - west) / step + 0.5)
        return out

    def _patches(self, points: Float) -> tuple[int, Int, Int]:
        """Return the finest level at which few enough patches cover the points, and the patch of each point."""
        for level in range(40):
            side = PATCH * self.cell * 2.0**level
            column = np.floor((points[:, 0] - self.west) / side).astype(np.int64)
            row = np.floor((self.north - points[:, 1]) / side).astype(np.int64)
            if len(np.unique(column * (1 << 31) + row)) <= MAX_PATCHES:
                break
        return level, column, row

    def _patch(self, level: int, column: int, row: int) -> Float32:
        key = (level, column, row)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        side = PATCH * self.cell * 2.0**level
        step = side / PATCH
        west, north = self.west + column * side, self.north - row * side
        patch = self.read((west - step, north - side - step, west + side + step, north + step), PATCH + 2, PATCH + 2)
        with self._lock:
            self._kept[key] = patch
            while sum(each.nbytes for each in self._kept.values()) > PATCH_BYTES:
                self._kept.popitem(last=False)
        return patch


def bilinear(cells: Float32, rows: Float, columns: Float) -> Float:
    """Return (N,) values between the cells of a grid; cells without a value count for nothing, NaN where they prevail.

    Parameters
    ----------
    cells : (R, C) float32
    rows, columns : (N,) float64
        Fractional places; whole numbers are cell centres. Outside the centres the nearest counts.
    """
    row, column = np.clip(rows, 0, cells.shape[0] - 1), np.clip(columns, 0, cells.shape[1] - 1)
    r0, c0 = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    r1, c1 = np.minimum(r0 + 1, cells.shape[0] - 1), np.minimum(c0 + 1, cells.shape[1] - 1)
    fr, fc = row - r0, column - c0
    total, weight = np.zeros(len(row)), np.zeros(len(row))
    for r, c, share in ((r0, c0, (1 - fr) * (1 - fc)), (r0, c1, (1 - fr) * fc), (r1, c0, fr * (1 - fc)), (r1, c1, fr * fc)):
        value = cells[r, c].astype(np.float64)
        is_known = np.isfinite(value)
        total += np.where(is_known, value, 0.0) * share
        weight += is_known * share
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight >= 0.5, total / weight, np.nan)


def resampled(cells: Float32, rows: AnyArray, columns: AnyArray) -> Float32:
    """Return (R', C') values at the crossings of fractional ``rows`` (R',) and ``columns`` (C',), as `bilinear` does."""
    r0, r1, fr = _neighbours(rows, cells.shape[0])
    c0, c1, fc = _neighbours(columns, cells.shape[1])
    top, left = int(r0.min()), int(c0.min())
    block = cells[top : int(r1.max()) + 1, left : int(c1.max()) + 1]
    r0, r1, c0, c1 = r0 - top, r1 - top, c0 - left, c1 - left
    is_known: Bool = np.isfinite(block)
    if is_known.all():
        return _mixed(block, r0, r1, fr, c0, c1, fc)
    total = _mixed(np.where(is_known, block, np.float32(0.0)), r0, r1, fr, c0, c1, fc)
    weight = _mixed(is_known.astype(np.float32), r0, r1, fr, c0, c1, fc)
    return np.where(weight >= 0.5, total / np.maximum(weight, 1e-6), np.float32(np.nan)).astype(np.float32)


def _neighbours(places: AnyArray, count: int) -> tuple[Int, Int, Float32]:
    inside = np.clip(places, 0.0, count - 1.0)
    first = np.minimum(np.floor(inside).astype(np.int64), max(count - 2, 0))
    return first, np.minimum(first + 1, count - 1), (inside - first).astype(np.float32)


def _mixed(block: Float32, r0: Int, r1: Int, fr: Float32, c0: Int, c1: Int, fc: Float32) -> Float32:
    lines = block[r0] + (block[r1] - block[r0]) * fr[:, None]
    return np.asarray(lines[:, c0] + (lines[:, c1] - lines[:, c0]) * fc, dtype=np.float32)


def halved(cells: Float32) -> Float32:
    """Return the grid at half the resolution: the mean of the known ones of four cells; odd rows and columns are repeated."""
    rows, columns = cells.shape
    if rows % 2 or columns % 2:
        cells = np.pad(cells, ((0, rows % 2), (0, columns % 2)), mode="edge")
    quads = np.stack([cells[0::2, 0::2], cells[0::2, 1::2], cells[1::2, 0::2], cells[1::2, 1::2]])
    is_known = np.isfinite(quads)
    if is_known.all():
        return np.asarray(quads.mean(axis=0, dtype=np.float32))
    count = is_known.sum(axis=0)
    total = np.where(is_known, quads, np.float32(0.0)).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan)).astype(np.float32)
