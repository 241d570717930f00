"""Flood water: a surface at the water level whose depth classes are read per pixel from a packed 16-bit texture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import Float32, Int, UInt8
from cimdesk.model.appearance import DEPTH_CLASSES
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import Layer
from cimdesk.scene.geometry import actor_of, poly_data, pull_to_eye, set_point_array, set_pull
from cimdesk.scene.look import unit_rgb
from cimdesk.scene.textures import PictureTexture
from cimdesk.scene.visual import Context, View, Visual

MAX_SIDE = 513
WATER_OPACITY = 0.86
BLOCKED = 65535
PULL = 0.0056
MIN_DEPTH = DEPTH_CLASSES[0][0]

_FRAGMENT = """
  ivec2 gridSize = textureSize(depthMap, 0);
  vec2 gridAt = tcoordVCVSOutput * vec2(gridSize) - 0.5;
  ivec2 cell = ivec2(floor(gridAt));
  vec2 part = gridAt - vec2(cell);
  float depthSum = 0.0;
  float weightSum = 0.0;
  for (int k = 0; k < 4; k++) {
    ivec2 offset = ivec2(k & 1, k >> 1);
    float d = dot(texelFetch(depthMap, clamp(cell + offset, ivec2(0), gridSize - 1), 0).ra, vec2(0.255, 65.28));
    vec2 w2 = mix(1.0 - part, part, vec2(offset));
    float w = d > 65.5 ? 0.0 : w2.x * w2.y;
    depthSum += w * d;
    weightSum += w;
  }
  // Water reaches into the rim of blocked cells: the walls that stand there cut it off, sharper than any cell.
  if (weightSum < 0.02) discard;
  float depth = depthSum / max(weightSum, 1e-6);
  if (depth < %(min)s) discard;
  vec3 water = vec3(%(c0)s);
  water = mix(water, vec3(%(c1)s), smoothstep(0.84 * %(b1)s, 1.16 * %(b1)s, depth));
  water = mix(water, vec3(%(c2)s), smoothstep(0.84 * %(b2)s, 1.16 * %(b2)s, depth));
  water = mix(water, vec3(%(c3)s), smoothstep(0.84 * %(b3)s, 1.16 * %(b3)s, depth));
  float shore = 0.75 + 0.25 * smoothstep(%(min)s, 0.12, depth);
  fragOutput0 = vec4(water, waterOpacity * shore);
"""


class FloodVisual(Visual):
    """Draws a flood result at the clock."""

    def __init__(self, context: Context, layer: Layer, result: FloodResult) -> None:
        super().__init__(context, layer)
        self.result = result
        self._shown: tuple[int, int, float] | None = None
        self._stride = max(1, -(-max(result.terrain.shape) // MAX_SIDE))
        self._points, triangles, coordinates = _water_mesh(result, context, self._stride)
        self._bed: Float32 = self._points[:, 2].copy()
        self.data = poly_data(self._points, triangles)
        set_point_array(self.data, coordinates, "tcoords")
        self.actor = actor_of(self.data)
        self.actor.GetProperty().LightingOff()
        self.actor.ForceTranslucentOn()
        self.actor.PickableOff()
        pull_to_eye(self.actor)
        self._packed: UInt8 = np.zeros((*result.terrain.shape, 2), dtype=np.uint8)
        self.depth_map = PictureTexture(self._packed, smooth=False)
        self.actor.GetProperty().SetTexture("depthMap", self.depth_map.texture)
        shader = self.actor.GetShaderProperty()
        shader.AddFragmentShaderReplacement("//VTK::TCoord::Impl", True, _fragment_code(), False)
        self.actors = [self.actor]
        if len(self._points):
            self.extent = np.array([self._points.min(axis=0), self._points.max(axis=0)], dtype=np.float64)
        self.set_time(context.time)
        self.sync(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        self.actor.SetVisibility(layer.visible and layer.opacity > 0.0 and len(self._points) > 0)
        opacity = min(layer.opacity, WATER_OPACITY)
        self.actor.GetShaderProperty().GetFragmentCustomUniforms().SetUniformf("waterOpacity", opacity)

    def set_time(self, time: float) -> bool:
        frame = self.result.frame_at(time) if time >= self.result.start_time else (-1, -1, 0.0)
        if frame == self._shown:
            return False
        self._shown = frame
        depth = np.nan_to_num(self.result.depth_at(time))
        packed = np.minimum(depth * 1000.0, BLOCKED - 1).astype(np.uint16)
        packed[self.result.is_blocked] = BLOCKED
        self.depth_map.replace(packed.view(np.uint8).reshape(*depth.shape, 2))
        self._points[:, 2] = self._levels(depth[:: self._stride, :: self._stride])
        self.data.GetPoints().Modified()
        self.data.Modified()
        return self.layer.visible

    def _levels(self, depth: Float32) -> Float32:
        """Return the (P,) heights of the surface: bed and depth, and in blocked or dry cells the highest water beside them."""
        bed = self._bed.reshape(depth.shape)
        level = np.where(depth > MIN_DEPTH, bed + depth, -np.inf)
        padded = np.pad(level, 1, constant_values=-np.inf)
        rows, columns = depth.shape
        beside = np.max([padded[r : r + rows, c : c + columns] for r in range(3) for c in range(3)], axis=0)
        blocked = self.result.is_blocked[:: self._stride, :: self._stride]
        filled = np.where(blocked & np.isfinite(beside), beside, bed + depth)
        return np.asarray(filled.ravel(), dtype=np.float32)

    def prepare(self, view: View) -> None:
        set_pull(self.actor, PULL, view.near, view.far)


def _water_mesh(result: FloodResult, context: Context, stride: int) -> tuple[Float32, Int, Float32]:
    """Return the grid over every cell that is ever wet: local points at the bed, triangles, and texture coordinates."""
    terrain = result.terrain
    rows, columns = np.arange(0, terrain.shape[0], stride), np.arange(0, terrain.shape[1], stride)
    x = terrain.column_centres()[columns] - context.origin[0]
    y = terrain.row_centres()[rows] - context.origin[1]
    bed = terrain.elevations[np.ix_(rows, columns)].astype(np.float64) - context.origin[2]
    bed = np.where(np.isfinite(bed), bed, np.nanmin(bed) if np.isfinite(bed).any() else 0.0)
    points = np.stack([*np.meshgrid(x, y), bed], axis=-1).reshape(-1, 3).astype(np.float32)
    u, v = (columns + 0.5) / terrain.shape[1], 1.0 - (rows + 0.5) / terrain.shape[0]
    coordinates = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2).astype(np.float32)
    wet = _block_max(result.max_depth, stride, len(rows), len(columns)) > MIN_DEPTH
    near = np.pad(wet, 1)
    near = np.max([near[r : r + wet.shape[0], c : c + wet.shape[1]] for r in range(3) for c in range(3)], axis=0).astype(bool)
    used = near[:-1, :-1] | near[:-1, 1:] | near[1:, :-1] | near[1:, 1:]
    number = np.arange(points.shape[0]).reshape(len(rows), len(columns))
    a, b, c, d = number[:-1, :-1][used], number[:-1, 1:][used], number[1:, 1:][used], number[1:, :-1][used]
    return points, np.concatenate([np.column_stack([a, d, c]), np.column_stack([a, c, b])]), coordinates


def _block_max(values: Float32, stride: int, rows: int, columns: int) -> Float32:
    padded = np.zeros((rows * stride, columns * stride), dtype=np.float32)
    padded[: values.shape[0], : values.shape[1]] = np.nan_to_num(values)
    return np.asarray(padded.reshape(rows, stride, columns, stride).max(axis=(1, 3)))


def _fragment_code() -> str:
    values: dict[str, Any] = {"min": f"{MIN_DEPTH:.4f}"}
    for k, (low, _, color) in enumerate(DEPTH_CLASSES):
        values[f"b{k}"] = f"{low:.4f}"
        values[f"c{k}"] = ", ".join(f"{component:.4f}" for component in unit_rgb(color))
    return _FRAGMENT % values
