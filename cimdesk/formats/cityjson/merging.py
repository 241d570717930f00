"""Triangles back to the flat faces they were cut from: neighbours in one plane, of one object, kind and colour."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int

ALIKE = 0.5
"""Cosine between the normals of neighbours that may be taken for one plane, if their corners lie in it."""
MOST_MEETING = 64
"""Sides without a neighbour that begin in one corner, up to which they are asked whether they run along each other."""
SPECK = 0.01
"""Widths of slivers that are nothing but rounding, wherever they look [tolerances]."""


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
    first, second = _joined(_neighbours(triangles, groups, points, tolerance), corners, normals, tolerance)
    links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    _, found = connected_components(links, directed=False)
    faces: Int = found.astype(np.int64)
    is_bent = _bent(faces, corners, normals, tolerance)[faces]
    inside = is_bent[first]
    rows = np.flatnonzero(is_bent)
    # Curved shapes, and those that are nearly flat, fall into the parts that are.
    faces[rows] = len(faces) + _grown(rows, first[inside], second[inside], corners, normals, tolerance)
    return faces


def _joined(pairs: tuple[Int, ...], corners: Float, normals: Float, tolerance: float) -> tuple[Int, Int]:
    """Return the pairs of neighbours that may lie in one plane."""
    first, second, _, _ = pairs
    units, width, _ = _shapes(corners, normals)
    is_thin = width <= tolerance
    by_first, by_second, alike = _apart(first, second, corners, units)
    is_settled = ~is_thin
    by_both = (alike > 0.99) & (by_first <= tolerance) & (by_second <= tolerance)
    is_settled[np.concatenate([first[by_both], second[by_both]])] = True
    is_settled &= width > SPECK * tolerance
    if not is_settled.all():
        lender = _lenders(pairs, corners, normals, is_settled, tolerance)
        by_first, by_second, alike = _apart(first, second, corners, units[lender])
        by_both = (alike > 0.99) & (by_first <= tolerance) & (by_second <= tolerance)
    # What the wider of two says is enough, for the small triangles of a face may look some way off.
    by_wider = np.where(width[first] >= width[second], by_first, by_second)
    joined = by_both | ((alike > ALIKE) & (by_wider <= tolerance) & ~(is_thin[first] | is_thin[second]))
    return first[joined], second[joined]


def _lenders(pairs: tuple[Int, ...], corners: Float, normals: Float, is_settled: Bool, tolerance: float) -> Int:
    """Return (T,) whose plane each triangle takes: its own, or that along the longest side of slivers, which look anywhere."""
    first, second, side_of_first, side_of_second = pairs
    units, width, longest = _shapes(corners, normals)
    is_speck = width <= SPECK * tolerance
    lender = np.arange(len(units))
    for mine, other, side in ((first, second, side_of_first), (second, first, side_of_second)):
        lent = ~is_settled[mine] & (longest[mine] == side)
        # Not what a sliver was folded over.
        lent &= is_speck[mine] | ((normals[mine] * units[other]).sum(axis=1) >= 0.0)
        lender[mine[lent]] = other[lent]
    for _ in range(6):
        lender = lender[lender]
    for mine, other in ((first, second), (second, first)):
        # Two that have their longest side in common take what else is beside them.
        lent = is_speck[mine] & ~is_settled[lender[mine]] & is_settled[other]
        lender[mine[lent]] = other[lent]
    return lender[lender]


def _apart(first: Int, second: Int, corners: Float, units: Float) -> tuple[Float, Float, Float]:
    """Return (P,) how far the second triangle of each pair lies off the plane of the first, and the other way round, and the cosine
    between their normals."""
    alike = np.asarray((units[first] * units[second]).sum(axis=1), dtype=np.float64)
    by_first, by_second = (
        np.abs(np.einsum("nkj,nj->nk", corners[b] - corners[a, :1], units[a])).max(axis=1, initial=0.0)
        for a, b in ((first, second), (second, first))
    )
    return by_first, by_second, alike


def _shapes(corners: Float, normals: Float) -> tuple[Float, Float, Int]:
    """Return (T, 3) unit normals, zero for lines, (T,) widths across the longest side, and (T,) which side that is."""
    length = np.linalg.norm(normals, axis=1)
    scale = np.where(length > 0.0, length, 1.0)
    sides = np.linalg.norm(corners - corners[:, [1, 2, 0]], axis=2)
    return normals / scale[:, None], length / np.maximum(sides.max(axis=1), np.finfo(np.float64).tiny), sides.argmax(axis=1)


def _grown(rows: Int, first: Int, second: Int, corners: Float, normals: Float, tolerance: float) -> Int:
    """Return a number for each of the triangles ``rows``: that of the largest one in whose plane it lies, and with which it hangs
    together."""
    number = {row: k for k, row in enumerate(rows.tolist())}
    beside: list[list[int]] = [[] for _ in number]
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        beside[number[a]].append(number[b])
        beside[number[b]].append(number[a])
    units, _, _ = _shapes(corners[rows], normals[rows])
    looks, places = units.tolist(), corners[rows].tolist()
    seed_of = [-1] * len(rows)
    for seed in np.argsort(-np.linalg.norm(normals[rows], axis=1), kind="stable").tolist():
        if seed_of[seed] >= 0:
            continue
        seed_of[seed] = seed
        (x, y, z), (px, py, pz) = looks[seed], places[seed][0]
        level = x * px + y * py + z * pz
        waiting = [seed]
        while waiting:
            for k in beside[waiting.pop()]:
                u, v, w = looks[k]
                if seed_of[k] >= 0 or x * u + y * v + z * w < 0.0:
                    continue
                if all(abs(x * a + y * b + z * c - level) <= tolerance for a, b, c in places[k]):
                    seed_of[k] = seed
                    waiting.append(k)
    return np.array(seed_of, dtype=np.int64)


def _neighbours(triangles: Int, groups: Int, points: Float, tolerance: float) -> tuple[Int, Int, Int, Int]:
    """Return the pairs of triangles of one group on both sides of an edge, and which side of each that is.

    Those on both sides of an edge that nobody else has, and those with sides that begin in one corner and run along each other: cut
    into triangles, a face with holes may have corners of some amid the sides of others.
    """
    start, end = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    edge = np.minimum(start, end) * len(points) + np.maximum(start, end)
    order = np.lexsort((edge, np.repeat(groups, 3)))
    edge, owner, ahead = edge[order], order // 3, (start < end)[order]
    same = (edge[1:] == edge[:-1]) & (groups[owner[1:]] == groups[owner[:-1]])
    follows, leads = np.concatenate([[False], same]), np.concatenate([same, [False]])
    pairs = np.flatnonzero(same & ~follows[:-1] & ~leads[1:] & (ahead[1:] != ahead[:-1]))
    before, after = order[pairs], order[pairs + 1]
    # Where a side comes into a corner and another, alone as well, goes back the way it came.
    free = order[~(follows | leads)]
    _, group = np.unique(groups[free // 3], return_inverse=True)
    going = group.ravel() * len(points) + start[free]
    coming = group.ravel() * len(points) + end[free]
    sorted_rows = np.argsort(going, kind="stable")
    first = np.searchsorted(going[sorted_rows], coming)
    counts = np.searchsorted(going[sorted_rows], coming, side="right") - first
    # Where hundreds meet, each of them would be asked of each.
    counts[counts > MOST_MEETING] = 0
    one = np.repeat(free, counts)
    steps = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    other = free[sorted_rows[np.repeat(first, counts) + steps]]
    there, back = points[end[one]] - points[start[one]], points[end[other]] - points[start[other]]
    reach = np.sqrt(np.maximum((there * there).sum(axis=1), (back * back).sum(axis=1)))
    back_along = np.linalg.norm(np.cross(there, back), axis=1) <= tolerance * reach
    back_along &= ((there * back).sum(axis=1) < 0.0) & (one // 3 != other // 3)
    before, after = np.concatenate([before, one[back_along]]), np.concatenate([after, other[back_along]])
    return before // 3, after // 3, before % 3, after % 3


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
