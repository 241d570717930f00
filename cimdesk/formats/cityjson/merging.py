"""Triangles back to the flat faces they were cut from: neighbours in one plane, of one object, kind and colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int


def flat_faces(triangles: Int, groups: Int, points: Float, tolerance: float) -> Int:
    """Return (T,) which face each triangle belongs to.

    Parameters
    ----------
    triangles : (T, 3) int64
    groups : (T,) int64
        Only triangles of one group may share a face.
    points : (V, 3) float64
        In any unit, the same on all axes.
    tolerance : float
        How far corners may lie from the plane of their face, in that unit.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(triangles)
    if not count:
        return np.zeros(0, dtype=np.int64)
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    first, second = _neighbours(triangles, groups, len(points))
    length = np.linalg.norm(normals, axis=1)
    units = normals / np.where(length > 0.0, length, 1.0)[:, None]
    flat = (units[first] * units[second]).sum(axis=1) > 0.99
    for a, b in ((first, second), (second, first)):
        off = np.abs(np.einsum("nkj,nj->nk", corners[b] - corners[a, :1], units[a])).max(axis=1, initial=0.0)
        flat &= off <= tolerance
    links = coo_array((np.ones(int(flat.sum()), dtype=np.int8), (first[flat], second[flat])), shape=(count, count))
    _, faces = connected_components(links, directed=False)
    bent = _bent(faces, corners, normals, tolerance)
    # Curved shapes whose neighbours nearly share a plane stay as they are.
    return np.where(bent[faces], len(bent) + np.arange(count), faces).astype(np.int64)


def ring_around(triangles: Sequence[Sequence[int]]) -> list[int] | None:
    """Return the one ring around triangles that share edges; None where there are holes, or corners that touch."""
    edges: dict[tuple[int, int], None] = {}
    for a, b, c in triangles:
        for edge in ((a, b), (b, c), (c, a)):
            if edge[::-1] in edges:
                del edges[edge[::-1]]
            elif edge in edges:
                return None
            else:
                edges[edge] = None
    following = dict(edges.keys())
    if len(following) != len(edges) or not edges:
        return None
    start = next(iter(following))
    ring = [start]
    while (corner := following[ring[-1]]) != start:
        ring.append(corner)
        if len(ring) > len(edges) or corner not in following:
            return None
    return ring if len(ring) == len(edges) else None


def _neighbours(triangles: Int, groups: Int, count: int) -> tuple[Int, Int]:
    """Return the pairs of triangles of one group on both sides of an edge that nobody else has."""
    start, end = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    edge = np.minimum(start, end) * count + np.maximum(start, end)
    owner = np.repeat(np.arange(len(triangles)), 3)
    order = np.lexsort((edge, groups[owner]))
    edge, owner, ahead = edge[order], owner[order], (start < end)[order]
    same = (edge[1:] == edge[:-1]) & (groups[owner[1:]] == groups[owner[:-1]])
    alone = ~np.concatenate([[False], same[:-1]]) & ~np.concatenate([same[1:], [False]]) if len(same) else same
    pairs = np.flatnonzero(same & alone & (ahead[1:] != ahead[:-1]))
    return owner[pairs], owner[pairs + 1]


def _bent(faces: AnyArray, corners: Float, normals: Float, tolerance: float) -> Bool:
    """Return (F,) whether some corner of a face lies off the plane through its middle."""
    count = int(faces.max()) + 1
    sums = np.column_stack([np.bincount(faces, normals[:, k], count) for k in range(3)])
    places = np.column_stack([np.bincount(faces, corners[:, :, k].mean(axis=1), count) for k in range(3)])
    middle: Float = places / np.bincount(faces, minlength=count)[:, None]
    length = np.linalg.norm(sums, axis=1)
    units = sums / np.where(length > 0.0, length, 1.0)[:, None]
    off = np.abs(np.einsum("nkj,nj->nk", corners - middle[faces][:, None], units[faces])).max(axis=1)
    worst = np.zeros(count)
    np.maximum.at(worst, faces, off)
    return worst > tolerance
