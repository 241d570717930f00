"""Flood water: a surface at the water level, coloured by depth per pixel, that moves between two frames by one number."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int32
from cimdesk.model.appearance import DEPTH_CLASSES
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_comparison import comparison_of
from cimdesk.model.layers import Layer
from cimdesk.model.live_flood import LIVE
from cimdesk.model.water import water_colors
from cimdesk.model.workspace import LayerData
from cimdesk.scene import toolkit as vtk
from cimdesk.scene.flood_flow import FlowMarks, Water
from cimdesk.scene.flood_nodes import Fountains
from cimdesk.scene.flood_ready import are_kernels_ready
from cimdesk.scene.flood_shader import FRAGMENT_DECLARED, VERTEX_DECLARED, VERTEX_PLACED, fragment_code
from cimdesk.scene.flood_surface import WaterFrames, packed
from cimdesk.scene.geometry import actor_of, box_of, poly_data, set_point_array, set_pull
from cimdesk.scene.look import unit_rgb
from cimdesk.scene.textures import PictureTexture
from cimdesk.scene.visual import Context, View, Visual
from cimdesk.scene.wet_grid import wet_grid

STILL_SIDE, MOVING_SIDE = 513, 144
"""Nodes along the longer side of the grid, in still pictures and while something moves; the colours are as fine in both."""
SCRUB_SECONDS, REST_SECONDS = 0.8, 0.3
WATER_OPACITY = 0.86
PULL = 0.003
LIFT = 0.02
"""How far the water is drawn above its level [m]: a film of rain is thinner than the ground is exact."""
MIN_DEPTH = DEPTH_CLASSES[0][0]
WAVE_HEIGHT = 0.05
WAVE_PIXELS = 0.25
"""Metres per pixel at which waves have half their height."""
WAVE_PACE = 60.0
"""Seconds of the clock in which waves move as in one second."""
WAVE_ROUND = 3600.0
GLINT = 0.30


class FloodVisual(Visual):
    """Draws a flood result at the clock: finely when the picture is still, coarsely while the clock or the camera moves."""

    def __init__(self, context: Context, layer: Layer, result: FloodResult) -> None:
        super().__init__(context, layer)
        self.result = result
        self._shown: tuple[int, int, float] = (-1, -1, 0.0)
        self._loaded: tuple[int, int] | None = None
        self._changes: deque[float] = deque(maxlen=3)
        self._rest: threading.Timer | None = None
        shape = result.terrain.shape
        bed = local_bed(result, context)
        self.frames = WaterFrames(result, bed)
        self._texels: AnyArray = np.zeros((*shape, 4), dtype=np.uint8)
        self.depth_map = PictureTexture(self._texels, smooth=False)
        strides = sorted({max(1, -(-max(shape) // side)) for side in (STILL_SIDE, MOVING_SIDE)})
        self.sheets = [Sheet(result, context, bed, stride, self.depth_map, self.frames.step) for stride in strides]
        self.fountains = None if result.drainage is None else Fountains(context, result.drainage)
        self.flow = FlowMarks(context, result)
        self.actors = [*(sheet.actor for sheet in self.sheets), self.flow.actor]
        if self.fountains is not None:
            self.actors.append(self.fountains.sprites.actor)
        points = self.sheets[0].points
        if len(points):
            self.extent = box_of(points)
        self.set_time(context.time)
        self.sync(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        self.flow.kind = layer.style.flow
        look = self.context.look
        colors = water_colors(layer.options, [color for _, _, color in DEPTH_CLASSES])
        for sheet in self.sheets:
            sheet.set_number("waterOpacity", min(layer.opacity, WATER_OPACITY))
            for k, color in enumerate(colors):
                sheet.set_color(f"waterColor{k}", unit_rgb(color))
            sheet.set_color("skyLow", unit_rgb(look.horizon))
            sheet.set_color("skyHigh", unit_rgb(look.sky))
            sheet.set_color("sunGlint", [GLINT * look.key[1] * part for part in unit_rgb(look.key[0])])

    def fits(self, layer: Layer) -> bool:
        return comparison_of(self.context.workspace, layer) is None

    def set_time(self, time: float) -> bool:
        shown = self.result.frame_at(time) if time >= self.result.start_time else (-1, -1, 0.0)
        if self.fountains is not None and self.fountains.set_time(time - self.result.start_time) and shown == self._shown:
            return self.layer.visible
        if shown == self._shown:
            return False
        self._shown = shown
        self._changes.append(perf_counter())
        self.flow.tick()
        for sheet in self.sheets:
            sheet.set_weight(shown[2])
            sheet.set_number("wavePhase", (time - self.result.start_time) / WAVE_PACE % WAVE_ROUND)
        return self.layer.visible

    def follows(self, data: LayerData) -> bool:
        is_grown = isinstance(data, FloodResult) and data.terrain is self.result.terrain and LIVE in data.statistics
        if not is_grown or not isinstance(data, FloodResult) or LIVE not in self.result.statistics:
            return False
        self.result = data
        self.frames.follow(data)
        self.flow.follow(data)
        self._shown, self._loaded = (-1, -1, 0.0), None
        for sheet in self.sheets:
            sheet.forget()
            sheet.set_number("depthStep", self.frames.step)
        self.set_time(self.context.time)
        return True

    def prepare(self, view: View) -> None:
        is_there = self.layer.visible and self.layer.opacity > 0.0 and self._shown[0] >= 0
        self.is_waiting = is_there and self.context.is_live and not are_kernels_ready(self.context.wake)
        is_there = is_there and not self.is_waiting
        is_scrubbed = self._is_scrubbed()
        chosen = self.sheets[-1] if view.is_moving or is_scrubbed else self.sheets[0]
        for sheet in self.sheets:
            sheet.actor.SetVisibility(is_there and sheet is chosen and len(sheet.points) > 0)
        if self.fountains is not None:
            self.fountains.prepare(view, is_there)
        self.flow.prepare(view, is_there, Water(self.frames, *self._shown))
        if not is_there:
            return
        self._load(chosen)
        set_pull(chosen.actor, PULL, view.near, view.far)
        chosen.set_color("waterEye", list(view.eye))
        chosen.set_number("waveReach", WAVE_PIXELS / view.slope)
        chosen.set_number("farSampling", 1.0 if chosen is not self.sheets[0] else 0.0)
        chosen.set_number("waveHeight", 0.0 if chosen is not self.sheets[0] else WAVE_HEIGHT)
        if is_scrubbed:
            self._come_to_rest_later()

    def obstacles(self) -> Float:
        return super().obstacles() if self.fountains is None else self.fountains.boxes

    def stop(self) -> None:
        if self._rest is not None:
            self._rest.cancel()

    def _load(self, sheet: Sheet) -> None:
        """Take the two frames around the clock to the graphics; between them only the weight changes."""
        first, second = self._shown[:2]
        if (first, second) != self._loaded:
            self._loaded = (first, second)
            packed(self.frames.surface(first), self.frames.surface(second), self.depth_map.pixels.reshape(self._texels.shape))
            self.depth_map.touch()
        sheet.load(self.frames, first, second)

    def _is_scrubbed(self) -> bool:
        """Return whether the clock moves now: several times within a short while."""
        is_many = len(self._changes) == self._changes.maxlen and self._changes[-1] - self._changes[0] < SCRUB_SECONDS
        return is_many and perf_counter() - self._changes[-1] < REST_SECONDS

    def _come_to_rest_later(self) -> None:
        """Ask for a finer picture once the clock has stood still."""
        if self._rest is None or not self._rest.is_alive():
            self._rest = threading.Timer(REST_SECONDS * 1.2, self.context.wake)
            self._rest.daemon = True
            self._rest.start()


class Sheet:
    """The surface of the water at every ``stride``-th cell, as an actor.

    Attributes
    ----------
    points : (P, 3) float32
        Local; at the level of the earlier frame.
    """

    def __init__(
        self, result: FloodResult, context: Context, bed: Float32, stride: int, depth_map: PictureTexture, step: float
    ) -> None:
        self.stride = stride
        self._pair: tuple[int, int] | None = None
        self.points, triangles, coordinates = _water_mesh(result, context, bed, stride)
        self._rise: Float32 = np.zeros(len(self.points), dtype=np.float32)
        self.data = poly_data(self.points, triangles)
        set_point_array(self.data, coordinates, "tcoords")
        self._rises = vtk.numpy_to_vtk(self._rise, deep=False)
        self._rises.SetName("rise")
        self.data.GetPointData().AddArray(self._rises)
        self.actor = self._new_actor(depth_map)
        self.set_weight(0.0)
        self.set_number("depthStep", step)
        self.set_number("farSampling", 0.0)
        self.set_number("waveHeight", 0.0)
        self.set_number("waveReach", 1.0)
        self.set_color("waterEye", (0.0, 0.0, 0.0))

    def _new_actor(self, depth_map: PictureTexture) -> Any:
        actor = actor_of(self.data)
        actor.GetMapper().MapDataArrayToVertexAttribute("rise", "rise", vtk.vtkDataObject.FIELD_ASSOCIATION_POINTS, -1)
        actor.GetProperty().LightingOff()
        actor.ForceTranslucentOn()
        actor.PickableOff()
        actor.GetProperty().SetTexture("depthMap", depth_map.texture)
        shader = actor.GetShaderProperty()
        low = [low for low, _, _ in DEPTH_CLASSES]
        code = fragment_code(MIN_DEPTH, (low[1], low[2], low[3]))
        shader.AddVertexShaderReplacement("//VTK::PositionVC::Dec", True, VERTEX_DECLARED, False)
        shader.AddVertexShaderReplacement("//VTK::PositionVC::Impl", True, VERTEX_PLACED, False)
        shader.AddFragmentShaderReplacement("//VTK::PositionVC::Dec", True, FRAGMENT_DECLARED, False)
        shader.AddFragmentShaderReplacement("//VTK::TCoord::Impl", True, code, False)
        shader.GetVertexCustomUniforms().SetUniformf("eyePull", 0.0)
        return actor

    def set_number(self, name: str, value: float) -> None:
        """Give the fragments a number."""
        self.actor.GetShaderProperty().GetFragmentCustomUniforms().SetUniformf(name, value)

    def set_color(self, name: str, value: Sequence[float]) -> None:
        """Give the fragments three numbers."""
        self.actor.GetShaderProperty().GetFragmentCustomUniforms().SetUniform3f(name, value)

    def set_weight(self, weight: float) -> None:
        """Say how far the water is on its way from the earlier frame to the later one."""
        self.actor.GetShaderProperty().GetVertexCustomUniforms().SetUniformf("frameWeight", weight)
        self.set_number("frameWeight", weight)

    def forget(self) -> None:
        """Lie at the levels of frames anew, as they may be others under the same numbers."""
        self._pair = None

    def load(self, frames: WaterFrames, first: int, second: int) -> None:
        """Lie at the levels of two frames."""
        if (first, second) == self._pair:
            return
        self._pair = (first, second)
        before, after = frames.surface(first).nodes(self.stride), frames.surface(second).nodes(self.stride)
        np.add(before, np.float32(LIFT), out=self.points[:, 2])
        np.subtract(after, before, out=self._rise)
        self._rises.Modified()
        self.data.GetPoints().Modified()
        self.data.Modified()


def local_bed(result: FloodResult, context: Context) -> Float32:
    """Return the (R, C) local height of the ground; where it is unknown, that of the lowest."""
    bed: Float32 = np.subtract(result.terrain.elevations, context.origin[2], dtype=np.float64).astype(np.float32)
    known = np.isfinite(bed)
    if not known.all():
        bed[~known] = bed[known].min() if known.any() else 0.0
    return bed


def _water_mesh(result: FloodResult, context: Context, bed: Float32, stride: int) -> tuple[Float32, Int32, Float32]:
    """Return the grid over every cell that is ever wet: local points at the bed, triangles, and texture coordinates."""
    terrain = result.terrain
    rows, columns = np.arange(0, terrain.shape[0], stride), np.arange(0, terrain.shape[1], stride)
    if LIVE in result.statistics:
        # Of water that is still on its way nobody knows how far it comes.
        wet: Bool = np.ones((len(rows), len(columns)), dtype=bool)
    else:
        wet = _block_max(result.max_depth, stride, len(rows), len(columns)) > MIN_DEPTH
    return wet_grid(terrain, context.origin, rows, columns, bed[::stride, ::stride], wet)


def _block_max(values: Float32, stride: int, rows: int, columns: int) -> Float32:
    padded = np.zeros((rows * stride, columns * stride), dtype=np.float32)
    padded[: values.shape[0], : values.shape[1]] = np.nan_to_num(values)
    # One side after the other, over long rows: both at once is ten times as slow.
    tall = padded.reshape(rows, stride, columns * stride).max(axis=1)
    return np.asarray(np.maximum.reduce([tall[:, k::stride] for k in range(stride)]))
