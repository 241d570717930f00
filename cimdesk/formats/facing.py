"""Which features of a triangle mesh turn all their faces outwards, so that faces seen from behind need not be drawn."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float32, Int
from cimdesk.formats.crease_edges import weld

OPEN_BELOW = 0.45
"""Share of a feature's height below which it may be open: ground plates are often left out, and walls end on sloping ground."""


def outward_features(points: Float32, triangles: AnyArray, owner: AnyArray, count: int) -> Bool:
    """Return (count,) whether a feature is a skin without holes whose faces all point away from its inside.

    Every edge must belong to two faces that run along it in opposite directions, except where the skin is open at its foot; and the
    volume that the faces enclose must be positive. What fails is still drawn right when both sides of its faces are drawn.

    Parameters
    ----------
    points : (V, 3) float32
    triangles : (T, 3) int
    owner : (T,) int
        Feature of each triangle.
    count : int
    """
    if not len(triangles):
        return np.zeros(count, dtype=bool)
    low, high = _heights(points, triangles, owner, count)
    good = _volumes(points, triangles, owner, count, low) > 0.0
    # A place where two features touch is two places.
    corners = weld(points.astype(np.float64))[triangles]
    half = corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    edge_owner = np.repeat(np.asarray(owner, dtype=np.int64), 3)
    size = np.int64(len(points))
    key = (edge_owner * size + np.minimum(half[:, 0], half[:, 1])) * size + np.maximum(half[:, 0], half[:, 1])
    # Past some two million vertices in thousands of features the key would not be unique; such a mesh is drawn from both sides.
    if int(edge_owner.max()) > (1 << 62) // int(size) ** 2:
        return np.zeros(count, dtype=bool)
    order = np.argsort(key)
    key, edge_owner = key[order], edge_owner[order]
    way = np.where(half[:, 0] < half[:, 1], 1, -1)[order]
    way[half[order, 0] == half[order, 1]] = 0
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    turns = np.add.reduceat(way, first)
    at = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)[order[first]]
    tops = np.maximum(points[at[:, 0], 2], points[at[:, 1], 2])
    mine = edge_owner[first]
    may_be_open = tops <= low[mine] + OPEN_BELOW * (high - low)[mine] + 0.01
    bad = (turns != 0) & ~(may_be_open & (np.abs(turns) == 1))
    good[mine[bad]] = False
    return good


def _heights(points: Float32, triangles: AnyArray, owner: AnyArray, count: int) -> tuple[Float32, Float32]:
    low = np.full(count, np.inf, dtype=np.float32)
    high = np.full(count, -np.inf, dtype=np.float32)
    each = points[triangles, 2]
    np.minimum.at(low, owner, np.minimum(np.minimum(each[:, 0], each[:, 1]), each[:, 2]))
    np.maximum.at(high, owner, np.maximum(np.maximum(each[:, 0], each[:, 1]), each[:, 2]))
    return low, high


def _volumes(points: Float32, triangles: AnyArray, owner: AnyArray, count: int, low: Float32) -> Int | AnyArray:
    """Return (count,) six times the volume under each feature's faces, above its foot."""
    corners = points[triangles].astype(np.float64)
    corners[:, :, 2] -= np.where(np.isfinite(low), low, 0.0)[owner][:, None]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    return np.bincount(owner, weights=area * corners[:, :, 2].sum(axis=1), minlength=count)
