"""Plan geometry made fine enough to lie on the ground: lines with more points, polygons and ribbons as small triangles."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.model.features import Shapes, VectorLayer

MAX_STEPS = 320
MIN_STEP = 5.0
MAX_TRIANGLES = 200_000
WIDTH_COLUMNS = ("width", "width_m", "WIDTH", "宽度")


def step_of(shapes: Shapes) -> float:
    """Return how long a draped edge may be [m]: fine for a district, coarser for a whole region."""
    bounds = shapes.bounds
    return max(MIN_STEP, float(np.max(bounds[1, :2] - bounds[0, :2])) / MAX_STEPS) if len(shapes.coordinates) else MIN_STEP


def line_widths(vector: VectorLayer) -> Float | None:
    """Return (N,) widths [m] that the features state; None when they state none."""
    for name in WIDTH_COLUMNS:
        column = vector.features.columns.get(name)
        if column is not None and column.dtype.kind in "fi":
            widths = column.astype(np.float64)
            return np.where(np.isfinite(widths) & (widths > 0), widths, 1.0)
    return None


def dense_lines(shapes: Shapes, step: float) -> tuple[Float, Int, Int]:
    """Return points (P, 3), segments (S, 2) and the feature of each point, no segment longer than ``step`` in plan."""
    coordinates, ring = shapes.coordinates, np.repeat(np.arange(len(shapes.feature_of_ring)), np.diff(shapes.ring_offsets))
    if len(coordinates) < 2:
        return np.zeros((0, 3)), np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.int64)
    joined = ring[1:] == ring[:-1]
    length = np.hypot(*np.diff(coordinates[:, :2], axis=0).T)
    pieces = np.where(joined, np.maximum(np.ceil(length / step), 1.0), 1.0).astype(np.int64)
    # Every vertex starts a run of ``pieces`` points; the last vertex of a ring is a run of one.
    runs = np.append(pieces, 1)
    source = np.repeat(np.arange(len(coordinates)), runs)
    within = np.arange(len(source)) - np.repeat(np.cumsum(runs) - runs, runs)
    part = within / runs[source]
    after = np.minimum(source + 1, len(coordinates) - 1)
    points = coordinates[source] + (coordinates[after] - coordinates[source]) * part[:, None]
    points[part == 0] = coordinates[source[part == 0]]
    first = np.flatnonzero(ring[source[1:]] == ring[source[:-1]])
    return points, np.column_stack([first, first + 1]), shapes.feature_of_ring[ring[source]]


def triangulated(shapes: Shapes) -> tuple[Float, Int]:
    """Return triangles (T, 3, 3) of polygons with holes, and the feature of each."""
    import mapbox_earcut

    parts: list[Float] = []
    owners: list[Int] = []
    outer = np.flatnonzero(~shapes.is_hole)
    for k, first in enumerate(outer):
        last = outer[k + 1] if k + 1 < len(outer) else len(shapes.is_hole)
        rings = [shapes.ring(r)[:-1] for r in range(first, last)]
        rings = [ring for ring in rings if len(ring) >= 3]
        if not rings or len(shapes.ring(int(first))) < 4:
            continue
        points = np.concatenate(rings)
        ends = np.cumsum([len(ring) for ring in rings]).astype(np.uint32)
        local = np.ascontiguousarray(points[:, :2] - points[0, :2])
        corners = mapbox_earcut.triangulate_float64(local, ends).reshape(-1, 3)
        parts.append(points[corners])
        owners.append(np.full(len(corners), shapes.feature_of_ring[first]))
    if not parts:
        return np.zeros((0, 3, 3)), np.zeros(0, dtype=np.int64)
    return np.concatenate(parts), np.concatenate(owners)


def ribbons(shapes: Shapes, widths: Float, step: float) -> tuple[Float, Int]:
    """Return triangles (T, 3, 3) of bands as wide as each feature says, along its lines, and the feature of each."""
    points, segments, owner = dense_lines(shapes, step)
    if not len(segments):
        return np.zeros((0, 3, 3)), np.zeros(0, dtype=np.int64)
    along = points[segments[:, 1], :2] - points[segments[:, 0], :2]
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    direction = np.zeros((len(points), 2))
    np.add.at(direction, segments[:, 0], along)
    np.add.at(direction, segments[:, 1], along)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    across = np.column_stack([-direction[:, 1], direction[:, 0], np.zeros(len(points))]) * (widths[owner] / 2.0)[:, None]
    left, right = points + across, points - across
    a, b = segments[:, 0], segments[:, 1]
    first = np.stack([right[a], right[b], left[b]], axis=1)
    second = np.stack([right[a], left[b], left[a]], axis=1)
    return np.concatenate([first, second]), np.tile(owner[a], 2)


def subdivided(triangles: Float, owner: Int, step: float) -> tuple[Float, Int]:
    """Return the triangles (T, 3, 3) cut at their longest edges until none is longer than ``step`` in plan."""
    while len(triangles) < MAX_TRIANGLES:
        edges = np.roll(triangles, -1, axis=1)[..., :2] - triangles[..., :2]
        lengths = np.hypot(edges[..., 0], edges[..., 1])
        long = lengths.max(axis=1) > step
        if not long.any():
            break
        chosen, longest = triangles[long], lengths[long].argmax(axis=1)
        row = np.arange(len(chosen))
        a, b, c = chosen[row, longest], chosen[row, (longest + 1) % 3], chosen[row, (longest + 2) % 3]
        middle = (a + b) / 2.0
        halves = np.concatenate([np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)])
        triangles = np.concatenate([triangles[~long], halves])
        owner = np.concatenate([owner[~long], np.tile(owner[long], 2)])
    return triangles, owner
