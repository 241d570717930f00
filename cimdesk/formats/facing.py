"""Which features of a triangle mesh turn all their faces outwards, so that faces seen from behind need not be drawn."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float32, Int, starts_of_runs
from cimdesk.formats.crease_edges import half_edges, weld
from cimdesk.model.mesh import spans

OPEN_BELOW = 0.45
"""Share of a feature's height below which it may be open: ground plates are often left out, and walls end on sloping ground."""


def outward_features(points: Float32, triangles: AnyArray, owner: AnyArray, count: int, welded: Int | None = None) -> Bool:
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
    welded : (V,) int64 or None
        What `weld` says of the vertices, where that is known.
    """
    if not len(triangles):
        return np.zeros(count, dtype=bool)
    corners = [np.ascontiguousarray(triangles[:, k]) for k in range(3)]
    height = np.ascontiguousarray(points[:, 2])
    low, high = _heights(height, corners, owner, count)
    good = _volumes(points, corners, owner, count, low) > 0.0
    size = np.int64(len(points))
    # Past some two million vertices in thousands of features the key would not be unique; such a mesh is drawn from both sides.
    if int(owner.max()) > (1 << 62) // int(size) ** 2:
        return np.zeros(count, dtype=bool)
    welded = weld(points) if welded is None else welded
    begins, ends = half_edges(corners)
    a, b = welded[begins], welded[ends]
    # A place where two features touch is two places.
    edge_owner = np.tile(np.asarray(owner, dtype=np.int64), 3)
    key = (edge_owner * size + np.minimum(a, b)) * size + np.maximum(a, b)
    order = np.argsort(key, kind="stable")
    first = starts_of_runs(key[order])
    turns = np.add.reduceat(np.sign(b - a)[order], first)
    at = order[first]
    tops = np.maximum(height[begins[at]], height[ends[at]])
    mine = edge_owner[at]
    may_be_open = tops <= low[mine] + OPEN_BELOW * (high[mine] - low[mine]) + 0.01
    bad = (turns != 0) & ~(may_be_open & (np.abs(turns) == 1))
    good[mine[bad]] = False
    return good


def _heights(height: Float32, corners: list[AnyArray], owner: AnyArray, count: int) -> tuple[AnyArray, AnyArray]:
    a, b, c = (height[each] for each in corners)
    return spans(np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c), owner, count)


def _volumes(points: Float32, corners: list[AnyArray], owner: AnyArray, count: int, low: Float32) -> Int | AnyArray:
    """Return (count,) six times the volume under each feature's faces, above its foot."""
    x, y, z = (np.ascontiguousarray(points[:, k], dtype=np.float64) for k in range(3))
    a, b, c = corners
    area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
    foot = np.where(np.isfinite(low), low, 0.0).astype(np.float64)[owner]
    return np.bincount(owner, weights=area * (z[a] + z[b] + z[c] - 3.0 * foot), minlength=count)
