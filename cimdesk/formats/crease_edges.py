"""Outlines of triangle soup: the edges where faces end or bend, which files of triangles do not keep."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, starts_of_runs

COS_CREASE = 0.94
"""Faces that bend by less than about 20 degrees read as one."""
_STEPS = 2.0**20


def crease_edges(points: Float, triangles: Int, welded: Int | None = None) -> Int:
    """Return the edges with one face only, or between faces that bend sharply.

    Parameters
    ----------
    points : (V, 3) float64
        Vertices, split between faces or not; those closer than a millimetre (in models up to a kilometre) are taken as one.
    triangles : (T, 3) int64
    welded : (V,) int64 or None
        What `weld` says of the vertices, where that is known.

    Returns
    -------
    (E, 2) int64
        Rows of ``points``.
    """
    corners = [np.ascontiguousarray(triangles[:, k]) for k in range(3)]
    normals = face_normals(points, corners)
    lengths = np.sqrt(normals[0] ** 2 + normals[1] ** 2 + normals[2] ** 2)
    has_area = lengths > 1e-12
    if not has_area.any():
        return np.zeros((0, 2), dtype=np.int64)
    if not has_area.all():
        corners, normals, lengths = [each[has_area] for each in corners], [each[has_area] for each in normals], lengths[has_area]
    nx, ny, nz = (each / lengths for each in normals)
    welded = weld(points) if welded is None else welded
    begins, ends = half_edges(corners)
    a, b = welded[begins], welded[ends]
    keys = np.minimum(a, b) * len(points) + np.maximum(a, b)
    # Triangles of one thing follow each other in most files: what is nearly in order is merged rather than sorted.
    order = np.argsort(keys, kind="stable")
    first = starts_of_runs(keys[order])
    counts = np.diff(np.append(first, len(keys)))
    one, other = order[first] % len(nx), order[np.minimum(first + 1, len(keys) - 1)] % len(nx)
    bend = nx[one] * nx[other] + ny[one] * ny[other] + nz[one] * nz[other]
    is_crease = (counts != 2) | (bend < COS_CREASE)
    chosen = order[first[is_crease]]
    chosen = chosen[a[chosen] != b[chosen]]
    return np.column_stack([begins[chosen], ends[chosen]])


def half_edges(corners: list[AnyArray]) -> tuple[AnyArray, AnyArray]:
    """Return the rows (3 T,) at which the sides of T triangles begin and end, the first sides of all before the second ones."""
    return np.concatenate(corners), np.concatenate([corners[1], corners[2], corners[0]])


def face_normals(points: AnyArray, corners: list[AnyArray]) -> list[AnyArray]:
    """Return the components of the normals of triangles, as long as twice their area, each (T,).

    Parameters
    ----------
    points : (V, 3) float
    corners : three (T,) int
        Rows of ``points``.
    """
    sides = []
    for k in range(3):
        axis = np.ascontiguousarray(points[:, k])
        start = axis[corners[0]]
        sides.append((axis[corners[1]] - start, axis[corners[2]] - start))
    (ux, vx), (uy, vy), (uz, vz) = sides
    return [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx]


def weld(points: AnyArray) -> Int:
    """Return (V,) the row of the first vertex at the same place."""
    axes = [np.ascontiguousarray(points[:, k], dtype=np.float64) for k in range(3)]
    lows = [axis.min() for axis in axes]
    step = max(max(float(axis.max() - low) for axis, low in zip(axes, lows, strict=True)) / _STEPS, 1e-4)
    cells = [np.rint((axis - low) / step).astype(np.int64) for axis, low in zip(axes, lows, strict=True)]
    packed = (cells[0] << 42) | (cells[1] << 21) | cells[2]
    order = np.argsort(packed)
    first = starts_of_runs(packed[order])
    number = np.empty(len(packed), dtype=np.int64)
    number[order] = np.repeat(np.minimum.reduceat(order, first), np.diff(np.append(first, len(packed))))
    return number
