"""Outlines of triangle soup: the edges where faces end or bend, which files of triangles do not keep."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float, Int

COS_CREASE = 0.94
"""Faces that bend by less than about 20 degrees read as one."""
_STEPS = 2.0**20


def crease_edges(points: Float, triangles: Int) -> Int:
    """Return the edges with one face only, or between faces that bend sharply.

    Parameters
    ----------
    points : (V, 3) float64
        Vertices, split between faces or not; those closer than a millimetre (in models up to a kilometre) are taken as one.
    triangles : (T, 3) int64

    Returns
    -------
    (E, 2) int64
        Rows of ``points``.
    """
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    has_area = lengths > 1e-12
    if not has_area.any():
        return np.zeros((0, 2), dtype=np.int64)
    triangles, normals = triangles[has_area], normals[has_area] / lengths[has_area, None]
    welded = weld(points)
    edges = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    faces = np.repeat(np.arange(len(triangles)), 3)
    ends = welded[edges]
    ends = np.column_stack([np.minimum(ends[:, 0], ends[:, 1]), np.maximum(ends[:, 0], ends[:, 1])])
    keys = ends[:, 0] * len(points) + ends[:, 1]
    order = np.argsort(keys, kind="stable")
    keys, edges, faces, ends = keys[order], edges[order], faces[order], ends[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    counts = np.diff(np.append(first, len(keys)))
    pair = np.minimum(first + 1, len(keys) - 1)
    bend = np.einsum("ij,ij->i", normals[faces[first]], normals[faces[pair]])
    is_crease = (counts != 2) | (bend < COS_CREASE)
    is_crease &= ends[first, 0] != ends[first, 1]
    creases: Int = edges[first[is_crease]]
    return creases


def weld(points: Float) -> Int:
    """Return (V,) the same number for vertices at the same place."""
    low = points.min(axis=0)
    step = max(float((points.max(axis=0) - low).max()) / _STEPS, 1e-4)
    cells = np.round((points - low) / step).astype(np.int64)
    packed = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
    return np.unique(packed, return_inverse=True)[1].astype(np.int64)
