"""Plan features: points, lines as drapes or ribbons of their width, and polygons laid over the ground."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int, UInt8
from cimdesk.model.appearance import color_layer
from cimdesk.model.features import ShapeKind, VectorLayer
from cimdesk.model.layers import Layer
from cimdesk.scene.cells import CellIndex
from cimdesk.scene.drape import dense_lines, line_widths, ribbons, step_of, subdivided, triangulated
from cimdesk.scene.geometry import actor_of, cell_array, hide_transparent_texels, poly_data, pull_to_eye, set_point_array, set_pull
from cimdesk.scene.plan_picture import PlanGrid, ground_cells, paint
from cimdesk.scene.textures import FeatureTexture, PictureTexture
from cimdesk.scene.visual import Context, Hit, View, Visual

LIFT = 0.25
FILL_PULL, LINE_PULL = 0.0040, 0.0048
FILL_OPACITY = 0.6


class VectorVisual(Visual):
    """Draws a vector layer on the ground."""

    def __init__(self, context: Context, layer: Layer, vector: VectorLayer) -> None:
        super().__init__(context, layer)
        self.vector = vector
        self.count = len(vector.features)
        self.texture = FeatureTexture(self.count)
        shapes = vector.shapes
        self._step = step_of(shapes)
        self._anchors = np.zeros((0, 3))
        self.fill: Any = None
        self.lines: Any = None
        self.points: Any = None
        self._index: list[CellIndex] = []
        self._grid: PlanGrid | None = None
        self._picture: PictureTexture | None = None
        self._painted: UInt8 = np.zeros((0, 4), dtype=np.uint8)
        if shapes.kind is ShapeKind.POLYGON:
            self._surface(*triangulated(shapes))
            self.fill = self._painted_actor()
            self.lines = self._line_actor()
        elif shapes.kind is ShapeKind.LINE:
            widths = line_widths(vector)
            if widths is not None:
                self.fill = self._surface(*ribbons(shapes, widths, self._step))
            self.lines = self._line_actor()
        else:
            self.points = self._point_actor()
        self.actors = [actor for actor in (self.fill, self.lines, self.points) if actor is not None]
        self.sync(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        shown = layer.visible and layer.opacity > 0.0
        for actor in self.actors:
            actor.SetVisibility(shown)
            actor.GetProperty().LightingOff()
            actor.GetProperty().SetOpacity(layer.opacity)
            if layer.opacity < 1.0:
                actor.ForceTranslucentOn()
            elif actor is not self.fill or self._grid is None:
                actor.ForceOpaqueOn()
        if self.fill is not None and self.vector.shapes.kind is ShapeKind.POLYGON:
            self.fill.GetProperty().SetOpacity(layer.opacity * FILL_OPACITY)
        self._recolor()

    def fits(self, layer: Layer) -> bool:
        return not layer.style.height

    def set_time(self, time: float) -> bool:
        if self.style_moves(time):
            self._recolor()
            return True
        return False

    def _recolor(self) -> None:
        colors = color_layer(self.context.workspace, self.layer, self.context.time).colors
        self.texture.write(colors)
        self.texture.flush()
        if self._grid is None or self._picture is None or np.array_equal(colors, self._painted):
            return
        # Painting many outlines takes a while; it is not for an edit that leaves their colours as they are.
        self._painted = colors.copy()
        self._picture.replace(paint(self.vector.shapes, self._grid, colors))

    def prepare(self, view: View) -> None:
        if self.fill is not None:
            set_pull(self.fill, FILL_PULL, view.near, view.far)
        if self.lines is not None:
            set_pull(self.lines, LINE_PULL, view.near, view.far)
            self.lines.GetProperty().SetLineWidth(max(1.0, self.layer.style.size * view.pixel_scale))
        if self.points is not None:
            set_pull(self.points, LINE_PULL, view.near, view.far)
            self.points.GetProperty().SetPointSize(self.layer.style.size * view.pixel_scale)

    def pick(self, point: Float, tolerance: float) -> Hit | None:
        # What lies flat counts only when nothing stands on it: a little farther than any wall that is hit.
        shown = self.in_sight()
        hits = [hit for index in self._index if (hit := index.nearest(point, tolerance + 1.5, shown)) is not None]
        best = min(hits, key=lambda hit: hit.distance, default=None)
        return None if best is None else Hit(best.row, best.distance + tolerance)

    def anchors(self) -> Float:
        if not len(self._anchors):
            shapes = self.vector.shapes
            owner = np.repeat(shapes.feature_of_ring, np.diff(shapes.ring_offsets))
            counts = np.bincount(owner, minlength=self.count).astype(np.float64)
            counts[counts == 0] = np.nan
            xy = [np.bincount(owner, weights=shapes.coordinates[:, k], minlength=self.count) / counts for k in (0, 1)]
            local = np.column_stack([*xy, np.zeros(self.count)]) - self.context.origin
            local[:, 2] = self.context.ground(np.nan_to_num(local)) + LIFT
            self._anchors = local
        return self._anchors

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        if self.vector.shapes.kind is ShapeKind.POINT:
            middle = self.anchors()[rows].astype(np.float32)
            cross = np.array([[-4, 0, 0], [4, 0, 0], [0, -4, 0], [0, 4, 0]], dtype=np.float32)
            points = (middle[:, None] + cross[None]).reshape(-1, 3)
            return points, np.concatenate([np.array([[0, 1], [2, 3]]) + 4 * k for k in range(len(rows))])
        chosen = np.isin(self._line_owner, rows)
        return self._line_points, self._line_segments[chosen]

    def _line_actor(self) -> Any:
        points, segments, owner = dense_lines(self.vector.shapes, self._step)
        self._line_points, self._line_segments = self._draped(points), segments
        self._line_owner = owner[segments[:, 0]]
        data = poly_data(self._line_points, lines=segments)
        set_point_array(data, self.texture.coordinates(owner), "tcoords")
        self._index.append(CellIndex(data, self._line_owner))
        self._extend(self._line_points)
        return self._textured(data)

    def _surface(self, triangles: Float, owner: Int) -> Any:
        triangles, owner = subdivided(triangles, owner, self._step)
        draped = self._draped(triangles.reshape(-1, 3))
        data = poly_data(draped, np.arange(len(draped)).reshape(-1, 3))
        set_point_array(data, self.texture.coordinates(np.repeat(owner, 3)), "tcoords")
        self._index.append(CellIndex(data, owner))
        self._extend(draped)
        return self._textured(data)

    def _painted_actor(self) -> Any:
        shapes = self.vector.shapes
        if not len(shapes.coordinates):
            return None
        self._grid = PlanGrid.around(shapes)
        # Everything, so that there is ground under what is hidden now.
        picture = paint(shapes, self._grid, np.full((self.count, 4), 255, dtype=np.uint8))
        points, triangles, coordinates = ground_cells(picture, self._grid)
        draped = self._draped(np.column_stack([points, np.full(len(points), np.nan)]))
        data = poly_data(draped, triangles)
        set_point_array(data, coordinates.astype(np.float32), "tcoords")
        self._picture = PictureTexture(picture)
        actor = actor_of(data)
        actor.SetTexture(self._picture.texture)
        actor.ForceTranslucentOn()
        pull_to_eye(actor)
        return actor

    def _point_actor(self) -> Any:
        shapes = self.vector.shapes
        owner = np.repeat(shapes.feature_of_ring, np.diff(shapes.ring_offsets))
        points = self._draped(shapes.coordinates)
        data = poly_data(points)
        data.SetVerts(cell_array(np.arange(len(points))[:, None]))
        set_point_array(data, self.texture.coordinates(owner), "tcoords")
        self._index.append(CellIndex(data, owner))
        self._extend(points)
        actor = self._textured(data)
        actor.GetProperty().RenderPointsAsSpheresOn()
        return actor

    def _textured(self, data: Any) -> Any:
        actor = actor_of(data)
        actor.SetTexture(self.texture.texture)
        hide_transparent_texels(actor)
        actor.ForceOpaqueOn()
        pull_to_eye(actor)
        return actor

    def _draped(self, world: Float) -> Float32:
        local = np.asarray(world, dtype=np.float64) - self.context.origin
        ground = self.context.ground(local) + LIFT
        local[:, 2] = np.where(np.isfinite(local[:, 2]), np.maximum(local[:, 2], ground), ground)
        return local.astype(np.float32)

    def _extend(self, points: Float32) -> None:
        if len(points):
            box = np.array([points.min(axis=0), points.max(axis=0)], dtype=np.float64)
            self.extent = np.array([np.fmin(self.extent[0], box[0]), np.fmax(self.extent[1], box[1])])
