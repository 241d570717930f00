"""Values as heights: footprints and points of a plan stand up as columns, coloured, outlined and picked like buildings."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.model.city import CityModel
from cimdesk.model.evaluation import values_of
from cimdesk.model.expression import ExpressionError
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer
from cimdesk.model.layers import Layer
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.style import Style
from cimdesk.model.workspace import LayerData
from cimdesk.scene.drape import triangulated
from cimdesk.scene.tiles import CityVisual
from cimdesk.scene.visual import Context

SIDES = 12
LEAST_HEIGHT = 0.05
TALLEST = 5_000.0
"""Metres: a slip of the pen in a factor must not fill the sky."""


class ColumnsVisual(CityVisual):
    """Draws a vector layer whose style has a height."""

    def __init__(self, context: Context, layer: Layer, vector: VectorLayer) -> None:
        self.vector = vector
        self._shape = _shape_of(layer.style)
        parents = np.full(len(vector.features), -1, dtype=np.int32)
        super().__init__(context, layer, CityModel(vector.features, parents, {"1": columns(context, vector, layer.style)}))

    def fits(self, layer: Layer) -> bool:
        return _shape_of(layer.style) == self._shape and super().fits(layer)

    def follows(self, data: LayerData) -> bool:
        return data is self.vector


def _shape_of(style: Style) -> tuple[str, float, float]:
    return style.height, style.height_scale, style.size


def heights_of(style: Style, table: FeatureTable) -> Float:
    """Return (N,) heights of the columns [m]; 0 where there is no value, or none above zero."""
    try:
        values = table.columns[style.height] if style.height in table.columns else values_of(style.height, table)
    except ExpressionError:
        return np.zeros(len(table))
    if values.dtype.kind not in "fiub":
        return np.zeros(len(table))
    return np.clip(np.nan_to_num(values.astype(np.float64) * style.height_scale), 0.0, TALLEST)


def columns(context: Context, vector: VectorLayer, style: Style) -> TriangleMesh:
    """Return the columns of a layer, standing on the ground: prisms on polygons, round ones on points.

    Points get a diameter of ``style.size`` metres.
    """
    heights = heights_of(style, vector.features)
    shapes = vector.shapes if vector.shapes.kind is ShapeKind.POLYGON else _discs(vector.shapes, max(style.size, 1.0) / 2.0)
    caps, owner = triangulated(shapes)
    is_up = heights[owner] > LEAST_HEIGHT
    caps, owner = caps[is_up], owner[is_up]
    foot = _foot(context, vector.shapes, len(heights))
    roofs = caps - context.origin
    roofs[..., 2] = (foot + heights)[owner][:, None]
    # Earcut winds either way; roofs are seen from above.
    a, b = roofs[:, 1, :2] - roofs[:, 0, :2], roofs[:, 2, :2] - roofs[:, 0, :2]
    turn = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    roofs[turn] = roofs[turn][:, ::-1]
    walls, wall_owner = _walls(context, shapes, foot, heights)
    triangles = np.concatenate([roofs, walls])
    owners = np.concatenate([owner, wall_owner])
    surface = np.concatenate([np.full(len(roofs), Surface.ROOF), np.full(len(walls), Surface.WALL)]).astype(np.uint8)
    corners = np.arange(3 * len(triangles), dtype=np.int32).reshape(-1, 3)
    return TriangleMesh(triangles.reshape(-1, 3).astype(np.float32), corners, owners.astype(np.int32), surface, context.origin)


def _foot(context: Context, shapes: Shapes, count: int) -> Float:
    """Return (N,) local heights at which columns stand: the lowest ground under their corners."""
    owner = np.repeat(shapes.feature_of_ring, np.diff(shapes.ring_offsets))
    local = shapes.coordinates - context.origin
    ground = context.ground(np.nan_to_num(local))
    foot = np.full(count, np.inf)
    np.minimum.at(foot, owner, ground)
    return np.where(np.isfinite(foot), foot, 0.0)


def _walls(context: Context, shapes: Shapes, foot: Float, heights: Float) -> tuple[Float, Int]:
    ring = np.repeat(np.arange(len(shapes.feature_of_ring)), np.diff(shapes.ring_offsets))
    first = np.flatnonzero(ring[1:] == ring[:-1]) if len(ring) else np.zeros(0, dtype=np.int64)
    owner = shapes.feature_of_ring[ring[first]] if len(first) else first
    is_up = heights[owner] > LEAST_HEIGHT
    first, owner = first[is_up], owner[is_up]
    # Outer rings run counter-clockwise and holes clockwise, so that walls face outwards.
    turned = _is_clockwise(shapes)[ring[first]] ^ shapes.is_hole[ring[first]]
    a = np.where(turned, first + 1, first)
    b = np.where(turned, first, first + 1)
    local = shapes.coordinates - context.origin
    low, high = foot[owner], foot[owner] + heights[owner]
    a_low, b_low = np.column_stack([local[a, :2], low]), np.column_stack([local[b, :2], low])
    a_high, b_high = np.column_stack([local[a, :2], high]), np.column_stack([local[b, :2], high])
    walls = np.concatenate([np.stack([a_low, b_low, b_high], axis=1), np.stack([a_low, b_high, a_high], axis=1)])
    return walls, np.tile(owner, 2).astype(np.int64)


def _is_clockwise(shapes: Shapes) -> np.ndarray:
    """Return (R,) whether each ring runs clockwise."""
    x, y = shapes.coordinates[:, 0] - shapes.coordinates[0, 0], shapes.coordinates[:, 1] - shapes.coordinates[0, 1]
    twice = np.zeros(len(x))
    twice[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
    ends = shapes.ring_offsets[1:][np.diff(shapes.ring_offsets) > 0] - 1
    twice[ends] = 0.0
    sums = np.concatenate([[0.0], np.cumsum(twice)])
    return np.asarray(sums[shapes.ring_offsets[1:]] - sums[shapes.ring_offsets[:-1]] < 0)


def _discs(shapes: Shapes, radius: float) -> Shapes:
    """Return a closed polygon round each point; of lines round their middle."""
    owner = np.repeat(shapes.feature_of_ring, np.diff(shapes.ring_offsets))
    if shapes.kind is ShapeKind.LINE:
        middles = (shapes.ring_offsets[:-1] + shapes.ring_offsets[1:]) // 2
        centres, owner = shapes.coordinates[np.minimum(middles, len(shapes.coordinates) - 1)], shapes.feature_of_ring
    else:
        centres = shapes.coordinates
    angle = np.append(np.linspace(0.0, 2.0 * np.pi, SIDES, endpoint=False), 0.0)
    circle = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(SIDES + 1)]) * radius
    points = (centres[:, None, :] + circle[None]).reshape(-1, 3)
    offsets = np.arange(len(centres) + 1, dtype=np.int64) * (SIDES + 1)
    return Shapes(ShapeKind.POLYGON, points, offsets, owner.astype(np.int64), np.zeros(len(centres), dtype=bool))
