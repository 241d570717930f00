"""Triangulation of many polygons in space at once: flat arrays in, triangles out.

Triangles, convex rings and their normals are done for all polygons together, in numpy or, where there are many, compiled
(`polygon_kernels.py`); only polygons with holes or reflex corners go one by one through ear clipping, and only those it cannot do
through a constrained triangulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import mapbox_earcut
import numpy as np

from cimdesk.base.arrays import Bool, Float, Int, offsets_from_counts
from cimdesk.formats.compiled import pays

AREA_TOLERANCE = 1e-9
"""Relative area below which a corner counts as straight, and a polygon as a line."""
CLIP_TOLERANCE = 1e-6
"""Relative area by which ear clipping may miss before a ring counts as crossing itself."""
MAX_REPAIRS = 300
"""Self-crossing polygons repaired in one call; more of them are drawn as ear clipping leaves them."""

WORTH = 500_000
"""Corners from which compiled code pays for its loading."""


@dataclass(frozen=True)
class Polygons:
    """Planar polygons in space as ragged arrays.

    Attributes
    ----------
    points : (V, 3) float64
        Coordinates, finite.
    corners : (C,) int64
        Row of ``points`` of each corner; rings are not closed (a repeated last corner does no harm).
    ring_offsets : (R + 1,) int64
        Rows of ``corners`` where each ring starts.
    polygon_offsets : (P + 1,) int64
        Rows of rings where each polygon starts; its first ring is the outer one, the others are holes.
    """

    points: Float
    corners: Int
    ring_offsets: Int
    polygon_offsets: Int


@dataclass(frozen=True)
class Triangulation:
    """Triangles of polygons, with the orientation of the outer rings.

    Attributes
    ----------
    triangles : (T, 3) int64
        Rows of the input points, then of ``extra_points``.
    polygon_of : (T,) int64
        Polygon of each triangle, ascending.
    normals : (P, 3) float64
        Unit normals by Newell's method; zero for polygons without area.
    is_degenerate : (P,) bool
        Polygons that span no area and give no triangles.
    is_repaired : (P,) bool
        Polygons whose rings cross themselves or each other.
    extra_points : (X, 3) float64
        Crossings that are no corner of the input.
    edges : (E, 2) int64
        Rows of the input points of every edge of every ring.
    polygon_of_edge : (E,) int64
    """

    triangles: Int
    polygon_of: Int
    normals: Float
    is_degenerate: Bool
    is_repaired: Bool
    extra_points: Float
    edges: Int
    polygon_of_edge: Int


@dataclass(frozen=True)
class _Rings:
    """Cleaned corners with what every step needs."""

    corners: Int
    starts: Int
    lengths: Int
    following: Int
    polygon_of_ring: Int
    is_outer: Bool


@dataclass(frozen=True)
class _Fanned:
    """Cleaned rings, what is known of their polygons (P), and triangles of the convex ones."""

    rings: _Rings
    normals: Float
    sizes: Float
    is_fan: Bool
    fans: Int
    fan_polygon: Int


def triangulate(polygons: Polygons) -> Triangulation:
    """Triangulate polygons, with holes, convex or not, planar or nearly so.

    Parameters
    ----------
    polygons : Polygons

    Returns
    -------
    Triangulation
    """
    count = len(polygons.polygon_offsets) - 1
    found = _fanned_compiled(polygons) if pays(len(polygons.corners), WORTH) else _fanned(polygons)
    rings, normals, triangles, polygon_of = found.rings, found.normals, found.fans, found.fan_polygon
    repaired, extra = np.zeros(count, dtype=bool), np.zeros((0, 3))
    if not found.is_fan.all():
        wanted = ~found.is_fan & normals.any(axis=1)
        clipped, clip_polygon, repaired, extra = _clip_all(polygons.points, rings, normals, wanted, found.sizes > 0.0)
        triangles, polygon_of = np.concatenate([triangles, clipped]), np.concatenate([polygon_of, clip_polygon])
        order = np.argsort(polygon_of, kind="stable")
        triangles, polygon_of = triangles[order], polygon_of[order]
    degenerate = np.bincount(polygon_of, minlength=count) == 0
    edges = np.column_stack([rings.corners, rings.corners[rings.following]])
    edge_polygon = np.repeat(rings.polygon_of_ring, rings.lengths)
    return Triangulation(triangles, polygon_of, normals, degenerate, repaired, extra, edges, edge_polygon)


def _fanned_compiled(polygons: Polygons) -> _Fanned:
    from cimdesk.formats.polygon_kernels import fanned_rings

    found = fanned_rings(polygons.points, polygons.corners, polygons.ring_offsets, polygons.polygon_offsets, AREA_TOLERANCE)
    rings = _Rings(found.corners, found.starts, found.lengths, found.following, found.polygon_of_ring, found.is_outer)
    return _Fanned(rings, found.normals, found.sizes, found.is_fan, found.fans, found.fan_polygon)


def _fanned(polygons: Polygons) -> _Fanned:
    count = len(polygons.polygon_offsets) - 1
    rings = _clean_rings(polygons)
    at = polygons.points[rings.corners]
    ring_normals, sizes = _newell(rings, at)
    normals = np.zeros((count, 3))
    normals[rings.polygon_of_ring[rings.is_outer]] = ring_normals[rings.is_outer]
    size = np.zeros(count)
    np.maximum.at(size, rings.polygon_of_ring[rings.is_outer], sizes[rings.is_outer])
    length = np.linalg.norm(normals, axis=1)
    has_area = length > AREA_TOLERANCE * size
    normals = np.divide(normals, length[:, None], out=np.zeros_like(normals), where=has_area[:, None])
    ring_count = np.bincount(rings.polygon_of_ring, minlength=count)
    simple = has_area[rings.polygon_of_ring] & rings.is_outer & (ring_count[rings.polygon_of_ring] == 1)
    convex = simple & _is_convex(rings, at, normals[rings.polygon_of_ring], length[rings.polygon_of_ring])
    fans, fan_polygon = _fans(rings, convex)
    is_fan = np.zeros(count, dtype=bool)
    is_fan[rings.polygon_of_ring[convex]] = True
    return _Fanned(rings, normals, size, is_fan, fans, fan_polygon)


def _clean_rings(polygons: Polygons) -> _Rings:
    """Drop corners that repeat the one before, and rings of fewer than three."""
    lengths = np.diff(polygons.ring_offsets)
    corners = polygons.corners
    keep = np.ones(len(corners), dtype=bool)
    if len(corners):
        following = _following(polygons.ring_offsets[:-1], lengths, len(corners))
        x, y, z = polygons.points[corners].T
        keep = (corners != corners[following]) & ((x != x[following]) | (y != y[following]) | (z != z[following]))
    ring_of = np.repeat(np.arange(len(lengths)), lengths)
    kept = np.bincount(ring_of[keep], minlength=len(lengths))
    short = kept < 3
    if short.any():
        keep &= ~short[ring_of]
    polygon_of_ring = np.repeat(np.arange(len(polygons.polygon_offsets) - 1), np.diff(polygons.polygon_offsets))
    is_outer = np.zeros(len(lengths), dtype=bool)
    firsts = polygons.polygon_offsets[:-1][np.diff(polygons.polygon_offsets) > 0]
    is_outer[firsts] = True
    # A polygon whose outer ring is nothing cannot be drawn, whatever its holes.
    lost = np.zeros(len(polygons.polygon_offsets) - 1, dtype=bool)
    lost[polygon_of_ring[is_outer & short]] = True
    keep_ring = ~short & ~lost[polygon_of_ring]
    keep &= keep_ring[ring_of]
    kept = kept[keep_ring]
    starts = offsets_from_counts(kept)[:-1]
    corners = corners[keep]
    return _Rings(corners, starts, kept, _following(starts, kept, len(corners)), polygon_of_ring[keep_ring], is_outer[keep_ring])


def _following(starts: Int, lengths: Int, count: int) -> Int:
    """Return (C,) the corner after each corner in its ring."""
    following = np.arange(1, count + 1)
    filled = lengths > 0
    following[starts[filled] + lengths[filled] - 1] = starts[filled]
    return following


def _newell(rings: _Rings, at: Float) -> tuple[Float, Float]:
    """Return (R, 3) normals of twice the ring's area, and (R,) squares of the rings' extent [m2]."""
    if not len(rings.starts):
        return np.zeros((0, 3)), np.zeros(0)
    # Around the first corner, or the products of large world coordinates eat the area.
    local = at - np.repeat(at[rings.starts], rings.lengths, axis=0)
    normals = np.add.reduceat(_cross(local, local[rings.following]), rings.starts)
    sizes = np.maximum.reduceat(_dot(local, local), rings.starts)
    return normals, sizes


def _cross(a: Float, b: Float) -> Float:
    """Return (N, 3) cross products; `numpy.cross` takes three times as long."""
    product = np.empty_like(a)
    for k, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
        np.subtract(a[:, i] * b[:, j], a[:, j] * b[:, i], out=product[:, k])
    return product


def _dot(a: Float, b: Float) -> Float:
    """Return (N,) dot products."""
    return np.asarray(np.einsum("ij,ij->i", a, b), dtype=np.float64)


def _is_convex(rings: _Rings, at: Float, normals: Float, areas: Float) -> Bool:
    """Return (R,) whether every corner turns the same way and the ring turns round once."""
    if not len(rings.starts):
        return np.zeros(0, dtype=bool)
    edges = at[rings.following] - at
    after = edges[rings.following]
    sine = _dot(_cross(edges, after), np.repeat(normals, rings.lengths, axis=0))
    sharpest = np.minimum.reduceat(sine, rings.starts)
    # Four corners that all turn left turn round once.
    round_once = rings.lengths < 5
    many = np.repeat(~round_once, rings.lengths)
    if many.any():
        along = _dot(edges[many], after[many])
        turns = np.arctan2(sine[many], along)
        # A corner that turns straight back could have turned either way: such a ring is not convex.
        turns[(along < 0.0) & (sine[many] <= np.repeat(AREA_TOLERANCE * areas, rings.lengths)[many])] = np.nan
        starts = offsets_from_counts(rings.lengths[~round_once])[:-1]
        round_once[~round_once] = np.abs(np.add.reduceat(turns, starts) - 2.0 * np.pi) < 0.1
    convex = round_once & (sharpest >= -AREA_TOLERANCE * areas)
    return np.asarray((rings.lengths == 3) | convex, dtype=np.bool_)


def _fans(rings: _Rings, convex: Bool) -> tuple[Int, Int]:
    """Return triangles of convex rings around their first corners, and the polygon of each."""
    counts = rings.lengths[convex] - 2
    first = np.repeat(rings.starts[convex], counts)
    step = np.arange(len(first)) - np.repeat(offsets_from_counts(counts)[:-1], counts)
    triangles = np.column_stack([first, first + step + 1, first + step + 2])
    return rings.corners[triangles].reshape(-1, 3), np.repeat(rings.polygon_of_ring[convex], counts)


def _clip_all(points: Float, rings: _Rings, normals: Float, wanted: Bool, has_size: Bool) -> tuple[Int, Int, Bool, Float]:
    """Clip the ears of the ``wanted`` polygons; repair those where that misses their area."""
    repaired = np.zeros(len(wanted), dtype=bool)
    crossed = has_size & ~wanted & (normals == 0.0).all(axis=1)
    ring_rows = np.flatnonzero(wanted[rings.polygon_of_ring] | crossed[rings.polygon_of_ring])
    offsets = np.append(np.flatnonzero(np.diff(rings.polygon_of_ring[ring_rows], prepend=-1)), len(ring_rows))
    triangles: list[Int] = []
    owners: list[int] = []
    extra: list[Float] = []
    extra_count = 0
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        rows = ring_rows[first:last]
        polygon = int(rings.polygon_of_ring[rows[0]])
        start, stop = int(rings.starts[rows[0]]), int(rings.starts[rows[-1]] + rings.lengths[rows[-1]])
        corners = rings.corners[start:stop]
        ends = (rings.starts[rows] + rings.lengths[rows] - start).astype(np.uint32)
        frame = _plane(points[corners], normals[polygon])
        if frame is None:
            continue
        flat = (points[corners] - frame[0]) @ frame[1].T
        found, missed = _clip(flat, ends)
        if missed and repaired.sum() < MAX_REPAIRS:
            repaired[polygon] = True
            more, found = _repair(flat, ends)
            extra.append(more @ frame[1] + frame[0])
            found = len(points) + extra_count + found
            extra_count += len(more)
        else:
            found = corners[found]
        triangles.append(found)
        owners.extend([polygon] * len(found))
    stacked = np.concatenate(triangles) if triangles else np.zeros((0, 3), dtype=np.int64)
    return stacked, np.array(owners, dtype=np.int64), repaired, np.concatenate(extra) if extra else np.zeros((0, 3))


def _plane(at: Float, normal: Float) -> tuple[Float, Float] | None:
    """Return a point and (2, 3) axes of the polygon's plane, right-handed with its normal; None for a line."""
    if normal.any():
        axis = np.zeros(3)
        axis[np.argmin(np.abs(normal))] = 1.0
        along = np.cross(axis, normal)
        along /= np.linalg.norm(along)
        return at[0], np.array([along, np.cross(normal, along)])
    # Lobes of a crossing ring can cancel out: take the plane of the widest spread.
    centre = at.mean(axis=0)
    _, spread, axes = np.linalg.svd(at - centre, full_matrices=False)
    if spread[1] <= 1e-6 * spread[0]:
        return None
    return centre, np.asarray(axes[:2])


def _clip(flat: Float, ends: np.ndarray) -> tuple[Int, bool]:
    """Return counter-clockwise ears of one flat polygon, and whether their area misses the polygon's."""
    found = mapbox_earcut.triangulate_float64(np.ascontiguousarray(flat), ends).reshape(-1, 3).astype(np.int64)
    a, b, c = flat[found[:, 0]], flat[found[:, 1]], flat[found[:, 2]]
    doubled = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    # What has no area goes with the others, or its edges have no counterpart.
    is_speck = np.abs(doubled) <= AREA_TOLERANCE * np.abs(doubled).sum()
    is_turned = np.where(is_speck, doubled.sum() < 0.0, doubled < 0.0)
    found[is_turned] = found[is_turned][:, ::-1]
    wanted = _doubled_area(flat, ends)
    return found, bool(abs(np.abs(doubled).sum() - wanted) > CLIP_TOLERANCE * max(wanted, float(np.ptp(flat, axis=0).max()) * 1e-3))


def _doubled_area(flat: Float, ends: np.ndarray) -> float:
    """Return twice the area of the outer ring less that of the holes."""
    total = 0.0
    start = 0
    for k, end in enumerate(ends.tolist()):
        x, y = flat[start:end, 0], flat[start:end, 1]
        area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
        total += area if k == 0 else -area
        start = end
    return total


def _repair(flat: Float, ends: np.ndarray) -> tuple[Float, Int]:
    """Return (X, 2) points and triangles of a polygon made valid; nothing when it cannot be."""
    import shapely

    parts = np.split(flat, ends[:-1].astype(np.int64))
    try:
        valid = shapely.make_valid(shapely.Polygon(parts[0], parts[1:]))
        pieces = shapely.get_parts(shapely.constrained_delaunay_triangles(valid))
    except (shapely.errors.GEOSException, ValueError):
        return np.zeros((0, 2)), np.zeros((0, 3), dtype=np.int64)
    if not len(pieces):
        return np.zeros((0, 2)), np.zeros((0, 3), dtype=np.int64)
    around = shapely.get_coordinates(shapely.orient_polygons(pieces)).reshape(-1, 4, 2)[:, :3]
    return around.reshape(-1, 2), np.arange(len(around) * 3).reshape(-1, 3)
