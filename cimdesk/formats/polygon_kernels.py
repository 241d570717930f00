"""Compiled: rings cleaned, their normals, fans of the convex ones, corners welded, edges in order. Import it late: it loads numba.

The same in plain numpy is in `polygons.py`, which tests compare this with.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int
from cimdesk.base.compiled import njit


class FannedRings(NamedTuple):
    """What `fanned_rings` finds: rings (R) with their corners (C), polygons (P), and triangles (T) of convex polygons.

    Attributes
    ----------
    corners, following : (C,) int64
        Point of each corner that is left, and the corner after it.
    starts, lengths, polygon_of_ring : (R,) int64
    is_outer : (R,) bool
    normals : (P, 3) float64
        Unit normals; zero without area.
    sizes : (P,) float64
        Square of the extent [m2].
    is_fan : (P,) bool
    fans : (T, 3) int64
    fan_polygon : (T,) int64
    """

    corners: Int
    following: Int
    starts: Int
    lengths: Int
    polygon_of_ring: Int
    is_outer: Bool
    normals: Float
    sizes: Float
    is_fan: Bool
    fans: Int
    fan_polygon: Int


@njit(cache=True, nogil=True)
def _clean(points: AnyArray, corners: AnyArray, start: int, stop: int, out: AnyArray, at: int) -> int:
    """Copy the corners of a ring that differ from the next one; return how many there are."""
    count = 0
    for k in range(start, stop):
        a = corners[k]
        b = corners[k + 1 if k + 1 < stop else start]
        if a != b and (points[a, 0] != points[b, 0] or points[a, 1] != points[b, 1] or points[a, 2] != points[b, 2]):
            out[at + count] = a
            count += 1
    return count


@njit(cache=True, nogil=True)
def _newell(points: AnyArray, ring: AnyArray) -> tuple[float, float, float, float]:
    """Return the normal of twice the ring's area, and the square of its extent, around its first corner."""
    first = ring[0]
    ox, oy, oz = points[first, 0], points[first, 1], points[first, 2]
    nx = ny = nz = size = 0.0
    count = len(ring)
    for k in range(count):
        a, b = ring[k], ring[k + 1 if k + 1 < count else 0]
        ax, ay, az = points[a, 0] - ox, points[a, 1] - oy, points[a, 2] - oz
        bx, by, bz = points[b, 0] - ox, points[b, 1] - oy, points[b, 2] - oz
        nx += ay * bz - az * by
        ny += az * bx - ax * bz
        nz += ax * by - ay * bx
        size = max(size, ax * ax + ay * ay + az * az)
    return nx, ny, nz, size


@njit(cache=True, nogil=True)
def _is_convex(points: AnyArray, ring: AnyArray, nx: float, ny: float, nz: float, least: float) -> bool:
    """Return whether every corner turns left, seen against the unit normal, and the ring turns round once."""
    count = len(ring)
    if count == 3:
        return True
    turned = 0.0
    for k in range(count):
        a, b, c = ring[k], ring[(k + 1) % count], ring[(k + 2) % count]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[b, 0], points[c, 1] - points[b, 1], points[c, 2] - points[b, 2]
        sine = (uy * vz - uz * vy) * nx + (uz * vx - ux * vz) * ny + (ux * vy - uy * vx) * nz
        if not sine >= least:
            return False
        if count > 4:
            # Four corners that all turn left turn round once.
            along = ux * vx + uy * vy + uz * vz
            if along < 0.0 and sine <= -least:
                # Straight back: it could have turned either way.
                return False
            turned += math.atan2(sine, along)
    return count < 5 or abs(turned - 2.0 * math.pi) < 0.1


@njit(cache=True, nogil=True)
def _fan_all(
    points: AnyArray,
    corners: AnyArray,
    ring_offsets: AnyArray,
    polygon_offsets: AnyArray,
    tolerance: float,
    left: AnyArray,
    following: AnyArray,
    rings: AnyArray,
    is_outer: AnyArray,
    normals: AnyArray,
    sizes: AnyArray,
    is_fan: AnyArray,
    fans: AnyArray,
    fan_polygon: AnyArray,
) -> tuple[int, int, int]:
    """Fill the outputs; return how many corners, rings and triangles there are."""
    count = ring_count = triangles = 0
    for p in range(len(polygon_offsets) - 1):
        first_ring = ring_count
        for r in range(polygon_offsets[p], polygon_offsets[p + 1]):
            size = _clean(points, corners, ring_offsets[r], ring_offsets[r + 1], left, count)
            outer = r == polygon_offsets[p]
            if size < 3:
                if outer:
                    # A polygon whose outer ring is nothing cannot be drawn, whatever its holes.
                    break
                continue
            for k in range(size):
                following[count + k] = count + k + 1
            following[count + size - 1] = count
            rings[ring_count, 0], rings[ring_count, 1], rings[ring_count, 2] = count, size, p
            is_outer[ring_count] = outer
            count += size
            ring_count += 1
        if ring_count == first_ring:
            continue
        start, length = rings[first_ring, 0], rings[first_ring, 1]
        ring = left[start : start + length]
        nx, ny, nz, sizes[p] = _newell(points, ring)
        area = math.sqrt(nx * nx + ny * ny + nz * nz)
        if not area > tolerance * sizes[p]:
            continue
        nx, ny, nz = nx / area, ny / area, nz / area
        normals[p, 0], normals[p, 1], normals[p, 2] = nx, ny, nz
        if ring_count == first_ring + 1 and _is_convex(points, ring, nx, ny, nz, -tolerance * area):
            is_fan[p] = True
            for k in range(length - 2):
                fans[triangles, 0], fans[triangles, 1], fans[triangles, 2] = ring[0], ring[k + 1], ring[k + 2]
                fan_polygon[triangles] = p
                triangles += 1
    return count, ring_count, triangles


def fanned_rings(points: Float, corners: Int, ring_offsets: Int, polygon_offsets: Int, tolerance: float) -> FannedRings:
    """Clean the rings of polygons and triangulate the convex ones around their first corners.

    Parameters
    ----------
    points : (V, 3) float64
    corners, ring_offsets, polygon_offsets : int64
        As in `Polygons`.
    tolerance : float
        Relative area below which a corner is straight and a polygon a line.
    """
    count, ring_count, polygons = len(corners), len(ring_offsets) - 1, len(polygon_offsets) - 1
    left, following = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    rings, is_outer = np.empty((ring_count, 3), dtype=np.int64), np.zeros(ring_count, dtype=np.bool_)
    normals, sizes = np.zeros((polygons, 3)), np.zeros(polygons)
    is_fan = np.zeros(polygons, dtype=np.bool_)
    fans, fan_polygon = np.empty((count, 3), dtype=np.int64), np.empty(count, dtype=np.int64)
    points, corners = np.ascontiguousarray(points, dtype=np.float64), np.ascontiguousarray(corners, dtype=np.int64)
    outputs = (left, following, rings, is_outer, normals, sizes, is_fan, fans, fan_polygon)
    c, r, t = _fan_all(points, corners, ring_offsets, polygon_offsets, tolerance, *outputs)
    starts, lengths, of_ring = np.ascontiguousarray(rings[:r].T)
    return FannedRings(
        left[:c], following[:c], starts, lengths, of_ring, is_outer[:r], normals, sizes, is_fan, fans[:t], fan_polygon[:t]
    )


@njit(cache=True, nogil=True)
def _weld(bits: AnyArray, table: AnyArray, first: AnyArray, number: AnyArray) -> int:
    mask = len(table) - 1
    count = 0
    for k in range(len(bits)):
        x, y, z = bits[k, 0], bits[k, 1], bits[k, 2]
        key = x * np.uint64(0x9E3779B97F4A7C15)
        key = ((key ^ (key >> np.uint64(29))) + y) * np.uint64(0xBF58476D1CE4E5B9)
        key = ((key ^ (key >> np.uint64(32))) + z) * np.uint64(0x94D049BB133111EB)
        slot = np.int64((key ^ (key >> np.uint64(31))) & np.uint64(mask))
        while True:
            found = table[slot]
            if found < 0:
                table[slot] = count
                first[count] = k
                number[k] = count
                count += 1
                break
            row = first[found]
            if bits[row, 0] == x and bits[row, 1] == y and bits[row, 2] == z:
                number[k] = found
                break
            slot = (slot + 1) & mask
    return count


def welded(coordinates: Float) -> tuple[Float, Int]:
    """Return the different rows of (C, 3) coordinates as they come first, and for each row which of them it is."""
    # Adding zero makes -0.0 the same as 0.0.
    bits = np.ascontiguousarray(coordinates + 0.0).view(np.uint64)
    table = np.full(1 << max(4, (2 * len(bits)).bit_length()), -1, dtype=np.int32)
    first, number = np.empty(len(bits), dtype=np.int64), np.empty(len(bits), dtype=np.int64)
    count = _weld(bits, table, first, number)
    return coordinates[first[:count]], number


@njit(cache=True, nogil=True)
def _sort_edges(edges: AnyArray, points: int, by_high: AnyArray, order: AnyArray) -> None:
    """Fill ``order`` with the edges by their lower, then their higher end, alike ones as they come."""
    lows, highs = np.zeros(points + 1, dtype=np.int64), np.zeros(points + 1, dtype=np.int64)
    for e in range(len(edges)):
        lows[min(edges[e, 0], edges[e, 1]) + 1] += 1
        highs[max(edges[e, 0], edges[e, 1]) + 1] += 1
    for v in range(1, points + 1):
        lows[v] += lows[v - 1]
        highs[v] += highs[v - 1]
    for e in range(len(edges)):
        high = max(edges[e, 0], edges[e, 1])
        by_high[highs[high]] = e
        highs[high] += 1
    for k in range(len(edges)):
        e = by_high[k]
        low = min(edges[e, 0], edges[e, 1])
        order[lows[low]] = e
        lows[low] += 1


@njit(cache=True, nogil=True)
def _crisp(
    edges: AnyArray, order: AnyArray, polygon_of: AnyArray, normals: AnyArray, owners: AnyArray, flat: float, out: AnyArray
) -> int:
    kept = at = 0
    while at < len(order):
        a, b = edges[order[at], 0], edges[order[at], 1]
        first = polygon_of[order[at]]
        balance = 0
        alike = True
        while at < len(order):
            e = order[at]
            if edges[e, 0] == a and edges[e, 1] == b:
                balance += 1
            elif edges[e, 0] == b and edges[e, 1] == a:
                balance -= 1
            else:
                break
            p = polygon_of[e]
            cosine = normals[p, 0] * normals[first, 0] + normals[p, 1] * normals[first, 1] + normals[p, 2] * normals[first, 2]
            alike = alike and owners[p] == owners[first] and cosine > flat
            at += 1
        # Inside a plane an edge is walked as often one way as the other; on its rim, one way only.
        if not (alike and balance == 0):
            out[kept, 0], out[kept, 1] = min(a, b), max(a, b)
            kept += 1
    return kept


def crisp_edges(edges: Int, polygon_of: Int, normals: Float, owners: Int, flat: float, points: int) -> Int:
    """Return each edge once, its lower end first, in order, without those inside of one plane of one object.

    Parameters
    ----------
    edges : (E, 2) int64
        Of polygons, as they run around them.
    polygon_of : (E,) int64
    normals : (P, 3) float64
    owners : (P,) int64
    flat : float
        Cosine between normals above which two polygons lie in one plane.
    points : int
        How many there are.
    """
    by_high, order, out = np.empty(len(edges), dtype=np.int64), np.empty(len(edges), dtype=np.int64), np.empty_like(edges)
    _sort_edges(edges, points, by_high, order)
    return out[: _crisp(edges, order, polygon_of, normals, owners, flat, out)]
