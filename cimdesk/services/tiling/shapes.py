"""Measures of buildings, and prisms over their ground plans, which stand for them at a middle distance.

A prism has the plan of the building and the mean height of its roof by area; how far the roof lies from that is its error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int
from cimdesk.model.mesh import Surface
from cimdesk.services.tiling.spill import Town

FLAT = 0.5
"""Height below which an item is a surface rather than a body [m]."""
STEEP = 0.3
"""Part of the normal that points up or down, from which a face is a roof or a ground."""
WELD = 1000.0
"""Corners of ground plans closer than a millimetre are one."""
_BOX = np.array([
    [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4], [1, 3, 7], [1, 7, 5], [3, 2, 6], [3, 6, 7], [2, 0, 4], [2, 4, 6],
])  # fmt: skip
_UNIT = np.array([[i, j, k] for k in (0, 1) for j in (0, 1) for i in (0, 1)], dtype=np.float64)


@dataclass(frozen=True)
class Bodies:
    """Measures of every item.

    Attributes
    ----------
    low, high : (I, 3) float64
        Local box; NaN for items without triangles.
    area : (I,) float64
        Of the plan [m2].
    top : (I,) float64
        Mean height of what faces up, by area.
    error : (I,) float64
        How far roofs lie from that, on average [m].
    is_flat : (I,) bool
    """

    low: Float
    high: Float
    area: Float
    top: Float
    error: Float
    is_flat: Bool

    def take(self, items: Int) -> Bodies:
        """Return the measures of some items."""
        return Bodies(self.low[items], self.high[items], self.area[items], self.top[items], self.error[items], self.is_flat[items])


@dataclass(frozen=True)
class Prisms:
    """Prisms of all items of a town: local points (V, 3) float32, triangles (T, 3), and the item of each."""

    points: Float32
    triangles: Int
    owner: Int


def measure(town: Town) -> Bodies:
    """Return the measures of every item."""
    from cimdesk.services.tiling.kernels import boxes, tops

    count = len(town.item_feature)
    low, high = boxes(town.points, town.triangles, town.owner, count)
    area, top, error = tops(town.points, town.triangles, town.owner, count)
    top = np.where(area > 0.0, top, high[:, 2])
    with np.errstate(invalid="ignore"):
        is_flat = ~(high[:, 2] - low[:, 2] > FLAT)
    return Bodies(low, high, area, top, error, is_flat)


def prisms_of(town: Town, bodies: Bodies) -> Prisms:
    """Return a prism for each item that is a body; flat items stay as they are."""
    owner = town.owner.astype(np.int64)
    flat = bodies.is_flat[owner]
    parts: list[tuple[AnyArray, AnyArray, AnyArray]] = [(town.points, town.triangles[flat].astype(np.int64), owner[flat])]
    grounds = _ground_faces(town, bodies)
    if len(grounds):
        parts.append(_extruded(town, bodies, grounds))
    has_ground = np.zeros(len(bodies.top), dtype=bool)
    has_ground[owner[grounds]] = True
    boxed = np.flatnonzero(~bodies.is_flat & ~has_ground)
    if len(boxed):
        boxes = np.column_stack([bodies.low[boxed], bodies.high[boxed, :2], bodies.top[boxed]])
        points, triangles, number = boxes_mesh(boxes)
        parts.append((points, triangles, boxed[number]))
    starts = np.cumsum([0, *(len(points) for points, _, _ in parts)])
    return Prisms(
        np.concatenate([points for points, _, _ in parts]).astype(np.float32),
        np.concatenate([triangles + start for (_, triangles, _), start in zip(parts, starts[:-1], strict=True)]),
        np.concatenate([number for _, _, number in parts]),
    )


def _ground_faces(town: Town, bodies: Bodies) -> Int:
    """Return the rows of the triangles that make the ground plans: what is called ground, else what faces down at the bottom."""
    owner = town.owner
    is_ground = (town.kind == Surface.GROUND) & ~bodies.is_flat[owner]
    named = np.zeros(len(bodies.top), dtype=bool)
    named[owner[is_ground]] = True
    rest = np.flatnonzero(~named[owner] & ~bodies.is_flat[owner])
    if len(rest):
        corners = town.points[town.triangles[rest]]
        u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        falling = u[:, 1] * v[:, 0] - u[:, 0] * v[:, 1]
        full = np.linalg.norm(np.cross(u, v), axis=1)
        is_low = corners[:, :, 2].max(axis=1) < bodies.low[owner[rest], 2] + FLAT
        rest = rest[(falling > STEEP * full) & is_low]
    return np.sort(np.concatenate([np.flatnonzero(is_ground), rest]))


def _extruded(town: Town, bodies: Bodies, faces: Int) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return points, triangles and items of the prisms over ground faces."""
    owner = town.owner[faces].astype(np.int64)
    corners = town.triangles[faces].astype(np.int64)
    at = town.points[corners].astype(np.float64)
    u, v = at[:, 1] - at[:, 0], at[:, 2] - at[:, 0]
    is_down = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] < 0.0
    # Roofs look up, whichever way the ground was drawn.
    corners = np.where(is_down[:, None], corners[:, ::-1], corners)
    plan = np.rint(town.points[:, :2].astype(np.float64) * WELD).astype(np.int64)
    east, north = (plan[corners.ravel(), axis] for axis in (0, 1))
    wide, deep = int(np.ptp(east)) + 1, int(np.ptp(north)) + 1
    key = (np.repeat(owner, 3) * wide + (east - east.min())) * deep + (north - north.min())
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    triangles = number.reshape(-1, 3)
    source = corners.ravel()[first]
    item = np.repeat(owner, 3)[first]
    count = len(first)
    flat = town.points[source].astype(np.float64)
    upper, lower = flat.copy(), flat
    upper[:, 2], lower[:, 2] = bodies.top[item], bodies.low[item, 2]
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    of_edge = np.tile(owner, 3)
    low, high = edges.min(axis=1), edges.max(axis=1)
    _, where, times = np.unique(low * count + high, return_index=True, return_counts=True)
    rim = where[times == 1]
    a, b = edges[rim, 0], edges[rim, 1]
    # Walls stand on the rim; with roofs turning left, their outside is to the right of each edge.
    walls = np.concatenate([np.column_stack([a + count, b + count, b]), np.column_stack([a + count, b, a])])
    return (
        np.concatenate([upper, lower]),
        np.concatenate([triangles, walls]),
        np.concatenate([owner, of_edge[rim], of_edge[rim]]),
    )


def boxes_mesh(boxes: Float) -> tuple[Float, Int, Int]:
    """Return points (8 K, 3), triangles and the box of each triangle, of boxes (K, 6) low and high; bottoms are left out."""
    size = boxes[:, 3:] - boxes[:, :3]
    points = boxes[:, None, :3] + _UNIT[None] * size[:, None]
    triangles = (_BOX[None] + 8 * np.arange(len(boxes))[:, None, None]).reshape(-1, 3)
    number = np.repeat(np.arange(len(boxes)), len(_BOX))
    tall = np.repeat(size[:, 2] > 1e-3, len(_BOX)) | (np.arange(len(number)) % len(_BOX) < 2)
    return points.reshape(-1, 3), triangles[tall], number[tall]
