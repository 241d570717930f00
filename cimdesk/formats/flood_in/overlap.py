"""Compiled: which part of each polygon lies in which cell of a grid. Import it late: it loads numba."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.compiled import njit

LEAST_AREA = 1e-9
"""Parts of less than this share of a cell are left out."""


@njit(cache=True, nogil=True)
def _clip(x: AnyArray, y: AnyArray, n: int, axis: int, limit: float, sign: float, ox: AnyArray, oy: AnyArray) -> int:
    """Cut a polygon at a line parallel to an axis (Sutherland and Hodgman 1974); return how many corners are left."""
    count = 0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        a = sign * ((x[i] if axis == 0 else y[i]) - limit)
        b = sign * ((x[j] if axis == 0 else y[j]) - limit)
        if a >= 0.0:
            ox[count], oy[count] = x[i], y[i]
            count += 1
        if (a >= 0.0) != (b >= 0.0):
            t = a / (a - b)
            ox[count], oy[count] = x[i] + t * (x[j] - x[i]), y[i] + t * (y[j] - y[i])
            count += 1
    return count


@njit(cache=True, nogil=True)
def _moments(x: AnyArray, y: AnyArray, n: int, x0: float, y0: float) -> tuple[float, float, float]:
    """Return the area of a polygon and its centroid times the area, from a point near it; the sign says the turn."""
    area = mx = my = 0.0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        ax, ay, bx, by = x[i] - x0, y[i] - y0, x[j] - x0, y[j] - y0
        cross = ax * by - ay * bx
        area += cross
        mx += (ax + bx) * cross
        my += (ay + by) * cross
    return 0.5 * area, mx / 6.0, my / 6.0


@njit(cache=True, nogil=True)
def _parts(
    x: AnyArray, y: AnyArray, faces: AnyArray, rows: int, columns: int, is_filled: bool,
    face: AnyArray, cell: AnyArray, area: AnyArray, centre: AnyArray,
) -> int:  # fmt: skip
    """Count the parts, or fill them in; coordinates are in cells from the north-west corner, y downwards."""
    most = faces.shape[1]
    px, py = np.empty(most), np.empty(most)
    sx, sy = np.empty(3 * most + 16), np.empty(3 * most + 16)
    cx, cy = np.empty(3 * most + 16), np.empty(3 * most + 16)
    dx, dy = np.empty(3 * most + 16), np.empty(3 * most + 16)
    count = 0
    for f in range(len(faces)):
        n = 0
        while n < most and faces[f, n] >= 0:
            px[n], py[n] = x[faces[f, n]], y[faces[f, n]]
            n += 1
        if n < 3:
            continue
        top, bottom = py[:n].min(), py[:n].max()
        for r in range(max(0, int(np.floor(top))), min(rows, int(np.ceil(bottom)))):
            m = _clip(px, py, n, 1, float(r), 1.0, cx, cy)
            m = _clip(cx, cy, m, 1, float(r + 1), -1.0, sx, sy)
            if m < 3:
                continue
            left, right = sx[:m].min(), sx[:m].max()
            for c in range(max(0, int(np.floor(left))), min(columns, int(np.ceil(right)))):
                k = _clip(sx, sy, m, 0, float(c), 1.0, cx, cy)
                k = _clip(cx, cy, k, 0, float(c + 1), -1.0, dx, dy)
                if k < 3:
                    continue
                a, mx, my = _moments(dx, dy, k, c + 0.5, r + 0.5)
                if abs(a) < LEAST_AREA:
                    continue
                if is_filled:
                    face[count], cell[count], area[count] = f, r * columns + c, abs(a)
                    centre[count, 0], centre[count, 1] = c + 0.5 + mx / a, r + 0.5 + my / a
                count += 1
    return count


def overlaps(x: Float, y: Float, faces: AnyArray, rows: int, columns: int) -> tuple[AnyArray, AnyArray, Float, Float]:
    """Cut polygons by the cells of a grid.

    Parameters
    ----------
    x, y : (N,) float64
        Nodes [cells], from the western edge and down from the northern one.
    faces : (F, M) int64
        Nodes around each polygon, -1 after the last.
    rows, columns : int

    Returns
    -------
    (P,) int64, (P,) int64, (P,) float64, (P, 2) float64
        Of each part: polygon, cell (row times columns plus column), area [cells], and centroid [cells].
    """
    nothing = np.zeros(0, dtype=np.int64)
    faces = np.ascontiguousarray(faces, dtype=np.int64)
    x, y = np.ascontiguousarray(x, dtype=np.float64), np.ascontiguousarray(y, dtype=np.float64)
    count = _parts(x, y, faces, rows, columns, False, nothing, nothing, np.zeros(0), np.zeros((0, 2)))
    face, cell = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    area, centre = np.empty(count), np.empty((count, 2))
    _parts(x, y, faces, rows, columns, True, face, cell, area, centre)
    return face, cell, area, centre
