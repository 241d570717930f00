"""The rings around flat faces that come as triangles: an outer one, and one for each hole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int, offsets_from_counts, starts_of_runs

MOST_MENDED = 2_000
"""Edges of a face up to which it is asked whether corners lie amid them."""


@dataclass(frozen=True)
class Surfaces:
    """Flat surfaces as ragged arrays.

    Attributes
    ----------
    corners : (C,) int64
        Vertex rows; rings are not closed.
    ring_offsets : (R + 1,) int64
        Rows of ``corners`` where each ring starts.
    surface_offsets : (P + 1,) int64
        Rows of rings where each surface starts; its first ring is the outer one.
    first : (P,) int64
        The first triangle of each surface, ascending.
    """

    corners: Int
    ring_offsets: Int
    surface_offsets: Int
    first: Int

    def boundaries(self, begin: int, stop: int, numbers: AnyArray) -> list[list[list[int]]]:
        """Return the rings of surfaces ``begin`` to ``stop``, with ``numbers`` (one for each of their corners) as corners."""
        rings = self.ring_offsets[self.surface_offsets[begin] : self.surface_offsets[stop] + 1].tolist()
        corners = numbers.tolist()
        each = [corners[a - rings[0] : b - rings[0]] for a, b in pairwise(rings)]
        starts = (self.surface_offsets[begin : stop + 1] - self.surface_offsets[begin]).tolist()
        return [each[a:b] for a, b in pairwise(starts)]

    def edges(self) -> tuple[Int, Int]:
        """Return where the edge after each corner starts and ends."""
        following = np.arange(1, len(self.corners) + 1)
        following[self.ring_offsets[1:] - 1] = self.ring_offsets[:-1]
        return self.corners, self.corners[following]

    def of_corners(self) -> Int:
        """Return (C,) the surface each corner belongs to."""
        return np.repeat(np.arange(len(self.first)), np.diff(self.ring_offsets[self.surface_offsets]))


def surfaces_of(triangles: Int, faces: Int, points: Float, step: float = 0.0) -> Surfaces:
    """Return one surface for each face, in the order of the triangles; a face that no valid rings tell stays its triangles.

    Such are faces whose edges more than two of their triangles share, or whose rings cross each other or have no area. Holes may
    touch the outer ring, or each other, in single corners.

    Parameters
    ----------
    triangles : (T, 3) int64
        Counter-clockwise seen from outside.
    faces : (T,) int64
        Face of each triangle; those of one face lie in a plane and hang together by their edges.
    points : (V, 3) float64
    step : float
        What they are rounded to.
    """
    _, first, which, sizes = np.unique(faces, return_index=True, return_inverse=True, return_counts=True)
    which = which.ravel()
    start, end, face, is_knotted = _rim(triangles, which, len(first), len(points))
    is_open = (sizes > 1) & ~is_knotted
    normals = _normals(triangles, which, points)
    wanted = is_open[face]
    rings, is_sound = _sound(_rings_along(start[wanted], end[wanted], face[wanted]), points, normals, sizes)
    wanted = (is_open & ~is_sound)[face]
    if wanted.any():
        mended, is_mended = _sound(_mended(start[wanted], end[wanted], face[wanted], points, step), points, normals, sizes)
        rings = _joint(rings.of(is_sound), mended.of(is_mended & ~is_sound))
        is_sound |= is_mended
    alone = np.flatnonzero(~(is_sound & is_open)[which])
    rings = rings.of(is_sound & is_open)
    corners = np.concatenate([rings.corners, triangles[alone].ravel()])
    lengths = np.concatenate([rings.lengths, np.full(len(alone), 3)])
    keys = np.concatenate([first[rings.face], alone])
    order = np.argsort(keys, kind="stable")
    starts = starts_of_runs(keys[order])
    return Surfaces(
        corners[_rows(offsets_from_counts(lengths)[order], lengths[order])],
        offsets_from_counts(lengths[order]),
        np.append(starts, len(order)),
        keys[order][starts],
    )


def simple_rings(edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return the rings that directed edges make, none of which visits a corner twice.

    As many edges must end in a corner as begin there. Where rings touch they are told apart at the corner they share.
    """
    following = dict(edges)
    if len(following) == len(edges):
        return _apart(following)
    leaving: dict[int, list[int]] = {}
    for a, b in edges:
        leaving.setdefault(a, []).append(b)
    rings = []
    for begin, _ in edges:
        while leaving[begin]:
            path, place = [begin], {begin: 0}
            while path:
                corner = leaving[path[-1]].pop()
                if corner not in place:
                    place[corner] = len(path)
                    path.append(corner)
                    continue
                back = place[corner]
                rings.append(path[back:])
                for passed in path[back + 1 :]:
                    del place[passed]
                del path[back + 1 if back else 0 :]
    return rings


def _apart(following: dict[int, int]) -> list[list[int]]:
    """Return the rings of corners that each have one follower."""
    rings = []
    while following:
        begin, corner = next(iter(following.items()))
        del following[begin]
        ring = [begin]
        while corner != begin:
            ring.append(corner)
            corner = following.pop(corner)
        rings.append(ring)
    return rings


@dataclass(frozen=True)
class _Rings:
    """Corners of rings one after the other, how many each has, and the face of each."""

    corners: Int
    lengths: Int
    face: Int

    def of(self, is_wanted: Bool) -> _Rings:
        """Return the rings of some faces."""
        keep = is_wanted[self.face]
        return _Rings(self.corners[np.repeat(keep, self.lengths)], self.lengths[keep], self.face[keep])


def _joint(one: _Rings, other: _Rings) -> _Rings:
    return _Rings(*(np.concatenate(pair) for pair in zip(astuple(one), astuple(other), strict=True)))


def _rim(triangles: Int, which: Int, faces: int, vertices: int) -> tuple[Int, Int, Int, Bool]:
    """Return start, end and face of the edges that one triangle of a face has alone, by face; and (F,) whether some edge has more
    than two triangles of the face, or two that go the same way."""
    start, end = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    face = np.repeat(which, 3)
    ahead = start < end
    edge = np.where(ahead, start, end) * vertices + np.where(ahead, end, start)
    order = np.lexsort((edge, face))
    is_first = np.concatenate([[True], (edge[order][1:] != edge[order][:-1]) | (face[order][1:] != face[order][:-1])])[: len(order)]
    side = np.cumsum(is_first) - 1
    uses = np.bincount(side)
    balance = np.bincount(side, weights=np.where(ahead[order], 1.0, -1.0))
    is_knotted = np.zeros(faces, dtype=bool)
    is_knotted[face[order[is_first]][(uses > 2) | ((uses == 2) & (balance != 0.0))]] = True
    rim = np.sort(order[is_first][uses == 1])
    rim = rim[np.argsort(face[rim], kind="stable")]
    return start[rim], end[rim], face[rim], is_knotted


def _rings_along(start: Int, end: Int, face: Int) -> _Rings:
    """Return the rings that edges make, which come face by face."""
    cuts = np.flatnonzero(np.diff(face, prepend=-1, append=-1)) if len(face) else np.zeros(1, dtype=np.int64)
    pairs = list(zip(start.tolist(), end.tolist(), strict=True))
    corners: list[int] = []
    lengths: list[int] = []
    counts: list[int] = []
    for begin, stop in pairwise(cuts.tolist()):
        found = simple_rings(pairs[begin:stop])
        counts.append(len(found))
        for ring in found:
            corners += ring
            lengths.append(len(ring))
    owners = np.repeat(face[cuts[:-1]], np.array(counts, dtype=np.int64))
    return _Rings(np.array(corners, dtype=np.int64), np.array(lengths, dtype=np.int64), owners)


def _mended(start: Int, end: Int, face: Int, points: Float, step: float) -> _Rings:
    """Return the rings of faces some of whose triangles end amid the sides of others: such sides are taken in parts."""
    cuts = np.flatnonzero(np.diff(face, prepend=-1, append=-1))
    starts: list[int] = []
    ends: list[int] = []
    counts = []
    for begin, stop in pairwise(cuts.tolist()):
        parts: Counter[tuple[int, int]] = Counter()
        few = stop - begin <= MOST_MENDED
        for a, b in _in_parts(start[begin:stop], end[begin:stop], points, step) if few else ():
            if parts[b, a]:
                parts[b, a] -= 1
            else:
                parts[a, b] += 1
        left = list(parts.elements())
        counts.append(len(left))
        starts += [a for a, _ in left]
        ends += [b for _, b in left]
    return _rings_along(np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64), np.repeat(face[cuts[:-1]], counts))


def _in_parts(start: Int, end: Int, points: Float, step: float) -> list[tuple[int, int]]:
    """Return edges of a face, those on which corners of the face lie as several."""
    corners = np.unique(np.concatenate([start, end]))
    at, origin, along = points[corners], points[start], points[end] - points[start]
    square = (along * along).sum(axis=1)
    share = ((at[None] - origin[:, None]) * along[:, None]).sum(axis=2) / square[:, None]
    off = np.linalg.norm(at[None] - origin[:, None] - share[:, :, None] * along[:, None], axis=2)
    is_on = (off <= max(step, 1e-9 * float(np.sqrt(square.max())))) & (share > 0.0) & (share < 1.0)
    is_on &= (corners[None] != start[:, None]) & (corners[None] != end[:, None])
    edges = []
    for k, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        on = np.flatnonzero(is_on[k])
        passed = [a, *corners[on[np.argsort(share[k, on])]].tolist(), b]
        edges += list(pairwise(passed))
    return edges


def _normals(triangles: Int, which: Int, points: Float) -> Float:
    """Return (F, 3) normals of faces, as long as twice their area."""
    at = points[triangles]
    normals = np.cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0])
    return np.column_stack([np.bincount(which, normals[:, k]) for k in range(3)])


def _flattened(points: Float, normals: Float, rings: _Rings) -> Float:
    """Return (C, 2) the corners of rings without the axis their face looks along, so that outer rings turn left."""
    dropped = np.abs(normals).argmax(axis=1)
    looks_back = normals[np.arange(len(normals)), dropped] < 0.0
    x, y = (dropped + 1) % 3, (dropped + 2) % 3
    x, y = np.where(looks_back, y, x), np.where(looks_back, x, y)
    face = np.repeat(rings.face, rings.lengths)
    return np.column_stack([points[rings.corners, x[face]], points[rings.corners, y[face]]])


def _sound(rings: _Rings, points: Float, normals: Float, sizes: AnyArray) -> tuple[_Rings, Bool]:
    """Return the rings with the outer one of each face first, and (F,) whether those of a face make a valid surface."""
    flat = _flattened(points, normals, rings)
    offsets = offsets_from_counts(rings.lengths)
    doubled = _doubled_areas(flat, offsets)
    is_sound = np.bincount(rings.face, doubled > 0.0, len(sizes)) == 1
    is_sound[rings.face[doubled == 0.0]] = False
    order = np.lexsort((doubled <= 0.0, rings.face))
    rows = _rows(offsets[order], rings.lengths[order])
    ordered = _Rings(rings.corners[rows], rings.lengths[order], rings.face[order])
    # Two triangles beside each other cannot cross.
    asked = is_sound & (sizes > 2)
    is_sound[asked] = _are_valid(flat[rows], ordered, asked)
    return ordered, is_sound


def _doubled_areas(flat: Float, offsets: Int) -> Float:
    if len(offsets) < 2:
        return np.zeros(0)
    lengths = np.diff(offsets)
    local = flat - np.repeat(flat[offsets[:-1]], lengths, axis=0)
    following = np.arange(1, len(flat) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    after = local[following]
    return np.asarray(np.add.reduceat(local[:, 0] * after[:, 1] - local[:, 1] * after[:, 0], offsets[:-1]), dtype=np.float64)


def _are_valid(flat: Float, rings: _Rings, asked: Bool) -> Bool:
    """Return whether the rings of each face that is ``asked`` for neither cross nor lie outside each other."""
    import shapely

    mine = asked[rings.face]
    if not mine.any():
        return np.zeros(0, dtype=bool)
    lengths = rings.lengths[mine]
    lines = shapely.linearrings(flat[np.repeat(mine, rings.lengths)], indices=np.repeat(np.arange(len(lengths)), lengths))
    polygons = shapely.polygons(lines, indices=(np.cumsum(asked) - 1)[rings.face[mine]])
    return np.asarray(shapely.is_valid(polygons), dtype=np.bool_)


def _rows(starts: Int, lengths: Int) -> Int:
    """Return the rows of ragged pieces one after the other."""
    return np.arange(int(lengths.sum())) + np.repeat(starts - offsets_from_counts(lengths)[:-1], lengths)
