"""Maps of a whole flood - deepest, hazard, arrival and the like - laid on the highest level of the water, sharp cell by cell."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float32, Int
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_maps import WET, colors_of, highest_beside, shown_map
from cimdesk.model.layers import Layer
from cimdesk.scene.flood import FloodVisual
from cimdesk.scene.geometry import actor_of, box_of, poly_data, pull_to_eye, set_point_array, set_pull
from cimdesk.scene.textures import PictureTexture
from cimdesk.scene.visual import Context, View, Visual

MAX_SIDE = 513
MAP_OPACITY = 0.86
LIFT = 0.05
"""How far maps are drawn above the water [m]."""
PULL = 0.0056

_FRAGMENT = """
  vec4 mapColor = texelFetch(actortexture, clamp(ivec2(floor(tcoordVCVSOutput * vec2(textureSize(actortexture, 0)))),
                             ivec2(0), textureSize(actortexture, 0) - 1), 0);
  if (mapColor.a < 0.5) discard;
  fragOutput0 = vec4(mapColor.rgb, mapOpacity);
"""


def new_flood_visual(context: Context, layer: Layer, result: FloodResult) -> Visual:
    """Return the visual of a flood: its water at the clock, or the map that the layer's style asks for."""
    return FloodMapVisual(context, layer, result) if shown_map(layer, result) else WaterVisual(context, layer, result)


class WaterVisual(FloodVisual):
    """Water at the clock, until the style asks for a map."""

    def fits(self, layer: Layer) -> bool:
        return not shown_map(layer, self.result) and super().fits(layer)


class FloodMapVisual(Visual):
    """Draws one map of a flood; the clock does not change it."""

    def __init__(self, context: Context, layer: Layer, result: FloodResult) -> None:
        super().__init__(context, layer)
        self.result = result
        self._key = shown_map(layer, result)
        stride = max(1, -(-max(result.terrain.shape) // MAX_SIDE))
        points, triangles, coordinates = _sheet(result, context, stride)
        self._points = points
        self.data = poly_data(points, triangles)
        set_point_array(self.data, coordinates, "tcoords")
        self.actor = actor_of(self.data)
        self.actor.GetProperty().LightingOff()
        self.actor.ForceTranslucentOn()
        self.actor.PickableOff()
        pull_to_eye(self.actor)
        self.picture = PictureTexture(colors_of(result, self._key), smooth=False)
        self.actor.GetProperty().SetTexture("actortexture", self.picture.texture)
        shader = self.actor.GetShaderProperty()
        shader.AddFragmentShaderReplacement("//VTK::TCoord::Impl", True, _FRAGMENT, False)
        shader.GetFragmentCustomUniforms().SetUniformf("mapOpacity", MAP_OPACITY)
        self.actors = [self.actor]
        if len(points):
            self.extent = box_of(points)
        self.sync(layer)

    def fits(self, layer: Layer) -> bool:
        return bool(shown_map(layer, self.result))

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        key = shown_map(layer, self.result)
        if key and key != self._key:
            self._key = key
            self.picture.replace(colors_of(self.result, key))
        self.actor.SetVisibility(layer.visible and layer.opacity > 0.0 and len(self._points) > 0)
        self.actor.GetShaderProperty().GetFragmentCustomUniforms().SetUniformf("mapOpacity", min(layer.opacity, MAP_OPACITY))

    def style_moves(self, time: float) -> bool:
        return False

    def prepare(self, view: View) -> None:
        set_pull(self.actor, PULL, view.near, view.far)


def _sheet(result: FloodResult, context: Context, stride: int) -> tuple[Float32, Int, Float32]:
    """Return a surface over every cell that was wet: local points at the highest water, triangles, texture coordinates.

    Nodes are corners of cells, so that whole cells are covered, to the rim.
    """
    terrain = result.terrain
    rows, columns = terrain.shape
    at_row = np.unique(np.append(np.arange(0, rows, stride), rows))
    at_column = np.unique(np.append(np.arange(0, columns, stride), columns))
    bed = terrain.elevations.astype(np.float64) - context.origin[2]
    wet = (result.max_depth > WET) & np.isfinite(bed)
    level = _levels_at_corners(np.where(wet, bed + result.max_depth, np.nan), np.where(np.isfinite(bed), bed, np.nan))
    x = terrain.west + at_column * terrain.cell_x - context.origin[0]
    y = terrain.north - at_row * terrain.cell_y - context.origin[1]
    height = level[np.ix_(at_row, at_column)] + LIFT
    points = np.stack([*np.meshgrid(x, y), height], axis=-1).reshape(-1, 3).astype(np.float32)
    u, v = at_column / columns, 1.0 - at_row / rows
    coordinates = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2).astype(np.float32)
    shown = wet | (result.is_blocked & highest_beside(wet))
    used = np.logical_or.reduceat(np.logical_or.reduceat(shown, at_row[:-1], axis=0), at_column[:-1], axis=1)
    return points, _quads(used, len(at_column)), coordinates


def _levels_at_corners(level: AnyArray, bed: AnyArray) -> AnyArray:
    """Return (R + 1, C + 1) heights of corners: the mean water of the cells around, else their ground, else the lowest of all."""
    lowest = float(np.nanmin(bed)) if np.isfinite(bed).any() else 0.0
    heights = [_mean_around(grid) for grid in (level, bed)]
    return np.where(np.isfinite(heights[0]), heights[0], np.where(np.isfinite(heights[1]), heights[1], lowest))


def _mean_around(grid: AnyArray) -> AnyArray:
    padded = np.pad(grid, 1, constant_values=np.nan)
    around = [padded[r : r + grid.shape[0] + 1, c : c + grid.shape[1] + 1] for r in range(2) for c in range(2)]
    known = [np.isfinite(part) for part in around]
    total = sum(np.where(has, part, 0.0) for has, part in zip(known, around, strict=True))
    count = np.sum(known, axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _quads(used: Bool, across: int) -> Int:
    row, column = np.nonzero(used)
    a = row * across + column
    b, c, d = a + 1, a + across + 1, a + across
    return np.concatenate([np.column_stack([a, d, c]), np.column_stack([a, c, b])])
