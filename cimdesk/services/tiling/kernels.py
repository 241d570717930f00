"""Compiled: boxes and measures of items, and meshes made of some of their triangles. Import it late: it loads numba."""

from __future__ import annotations

import math

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.base.compiled import njit


@njit(cache=True, nogil=True)
def _boxes(points: AnyArray, triangles: AnyArray, owner: AnyArray, low: AnyArray, high: AnyArray) -> None:
    for t in range(len(triangles)):
        row = owner[t]
        for k in range(3):
            v = triangles[t, k]
            for axis in range(3):
                value = points[v, axis]
                # Also true while there is nothing yet.
                if not value >= low[row, axis]:
                    low[row, axis] = value
                if not value <= high[row, axis]:
                    high[row, axis] = value


def boxes(points: AnyArray, triangles: AnyArray, owner: AnyArray, count: int) -> tuple[Float, Float]:
    """Return (N, 3) lowest and highest corners of the triangles of each owner; NaN for those without."""
    low, high = np.full((count, 3), np.nan), np.full((count, 3), np.nan)
    _boxes(points, triangles, owner, low, high)
    return low, high


@njit(cache=True, nogil=True)
def _tops(points: AnyArray, triangles: AnyArray, owner: AnyArray, area: AnyArray, top: AnyArray, square: AnyArray) -> None:
    for is_second in range(2):
        for t in range(len(triangles)):
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            x, y, z = np.float64(points[a, 0]), np.float64(points[a, 1]), np.float64(points[a, 2])
            weight = (points[b, 0] - x) * (points[c, 1] - y) - (points[b, 1] - y) * (points[c, 0] - x)
            if not weight > 0.0:
                continue
            row = owner[t]
            height = (z + points[b, 2] + points[c, 2]) / 3.0
            if is_second:
                square[row] += weight * (height - top[row]) ** 2
            else:
                area[row] += weight
                top[row] += weight * height
        for row in range(len(area)):
            if area[row] > 0.0:
                if is_second:
                    square[row] = math.sqrt(square[row] / area[row])
                else:
                    top[row] /= area[row]
    for row in range(len(area)):
        area[row] /= 2.0


def tops(points: AnyArray, triangles: AnyArray, owner: AnyArray, count: int) -> tuple[Float, Float, Float]:
    """Return (N,) the area in plan of what faces up [m2], its mean height by area, and how far it lies from that on average [m].

    All are zero where nothing faces up.
    """
    area, top, error = np.zeros(count), np.zeros(count), np.zeros(count)
    _tops(points, triangles, owner, area, top, error)
    return area, top, error


@njit(cache=True, nogil=True)
def _part(points: AnyArray, triangles: AnyArray, number: AnyArray, used: AnyArray, out: AnyArray) -> int:
    count = 0
    for t in range(len(triangles)):
        for k in range(3):
            v = triangles[t, k]
            if number[v] < 0:
                number[v] = count
                used[count] = v
                count += 1
            out[t, k] = number[v]
    return count


def part(points: AnyArray, triangles: AnyArray) -> tuple[AnyArray, Int]:
    """Return the points that triangles use, in the order they come, and the triangles with these points."""
    number = np.full(len(points), -1, dtype=np.int32)
    used = np.empty(min(len(points), triangles.size), dtype=np.int64)
    out = np.empty(triangles.shape, dtype=np.int64)
    count = _part(points, triangles, number, used, out)
    return points[used[:count]], out
