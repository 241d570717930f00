"""Two floods in one picture: the difference of their depths in diverging colours, or both beside each other with a swipe.

Over a difference lies the flow of the layer itself, on the higher of the two waters; a swipe has the flow of each side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int32, UInt8
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_comparison import WET, Against, against_of, class_colors, comparison_of, difference_classes
from cimdesk.model.layers import Layer
from cimdesk.model.regridding import OntoGrid
from cimdesk.model.style import rgba
from cimdesk.scene.flood import FloodVisual, local_bed
from cimdesk.scene.flood_flow import FlowMarks, Water
from cimdesk.scene.flood_ready import are_kernels_ready
from cimdesk.scene.flood_surface import WaterFrames
from cimdesk.scene.geometry import actor_of, box_of, poly_data, pull_to_eye, set_point_array, set_pull
from cimdesk.scene.textures import PictureTexture
from cimdesk.scene.visual import Context, View, Visual
from cimdesk.scene.wet_grid import wet_grid

MAX_SIDE = 513
OPACITY = 0.88
PULL = 0.0056
LIFT = 0.05
_LEFT = "//VTK::Clip::Impl\n  if (gl_FragCoord.x > swipeAt) discard;\n"
_RIGHT = "//VTK::Clip::Impl\n  if (gl_FragCoord.x <= swipeAt) discard;\n"


def compared_visual(context: Context, layer: Layer, result: FloodResult) -> Visual | None:
    """Return the visual of a flood layer that is compared with another; None where it is drawn alone."""
    found = comparison_of(context.workspace, layer)
    if found is None:
        return None
    against, _, other = found
    kind = SwipeVisual if against.mode == "swipe" else DifferenceVisual
    return kind(context, layer, result, other, against)


class _Compared(Visual):
    """What both kinds share: they fit as long as the layer is compared with the same one in the same way."""

    def __init__(self, context: Context, layer: Layer, result: FloodResult, other: FloodResult, against: Against) -> None:
        super().__init__(context, layer)
        self.result, self.other, self.against = result, other, against

    def fits(self, layer: Layer) -> bool:
        now = against_of(layer.options)
        return now is not None and (now.layer, now.mode) == (self.against.layer, self.against.mode)

    def _time_of_other(self, time: float) -> float:
        """Return the moment of the other run that is as long after its start."""
        return time - self.result.start_time + self.other.start_time


class DifferenceVisual(_Compared):
    """Depth of the layer minus that of the other, at the clock, over the higher of the two waters."""

    def __init__(self, context: Context, layer: Layer, result: FloodResult, other: FloodResult, against: Against) -> None:
        super().__init__(context, layer, result, other, against)
        self._onto = OntoGrid(other.terrain, result.terrain, other.is_blocked)
        shape = result.terrain.shape
        self._stride = max(1, -(-max(shape) // MAX_SIDE))
        self._ever = np.fmax(result.max_depth, np.nan_to_num(self._onto(other.max_depth)))
        self._points, triangles, coordinates = _mesh(result, context, self._ever, self._stride)
        self._bed: Float32 = self._points[:, 2].copy()
        self._palette = _palette()
        self._picture: UInt8 = np.zeros((*shape, 4), dtype=np.uint8)
        self._texture = PictureTexture(self._picture, smooth=False)
        self._shown: tuple[int, int, float] | None = None
        self.data = poly_data(self._points, triangles)
        set_point_array(self.data, coordinates, "tcoords")
        self.actor = actor_of(self.data)
        self.actor.SetTexture(self._texture.texture)
        self.actor.GetProperty().LightingOff()
        self.actor.ForceTranslucentOn()
        self.actor.PickableOff()
        pull_to_eye(self.actor)
        self.flow = FlowMarks(context, result)
        self._ground: Float32 | None = None
        self._frames: WaterFrames | None = None
        self._depth: Float32 = np.zeros(shape, dtype=np.float32)
        self._above: Float32 | None = None
        self.actors = [self.actor, self.flow.actor]
        if len(self._points):
            self.extent = box_of(self._points)
        self.set_time(context.time)
        self.sync(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        self.actor.SetVisibility(layer.visible and layer.opacity > 0.0 and len(self._points) > 0)
        self.actor.GetProperty().SetOpacity(min(layer.opacity, OPACITY))
        self.flow.kind = layer.style.flow if self.result.flow is not None else ""

    def set_time(self, time: float) -> bool:
        shown = self.result.frame_at(time) if time >= self.result.start_time else (-1, -1, 0.0)
        if shown == self._shown:
            return False
        self._shown = shown
        self.flow.tick()
        ours = np.nan_to_num(self.result.depth_at(time))
        theirs = self._onto(self.other.depth_at(self._time_of_other(time)))
        is_wet = ((ours > WET) | (np.nan_to_num(theirs) > WET)) & ~self.result.is_blocked
        self._texture.replace(self._palette[difference_classes(ours - theirs, is_wet)])
        self._depth, self._above = np.fmax(ours, np.nan_to_num(theirs)), None
        self._points[:, 2] = self._bed + self._depth[:: self._stride, :: self._stride].ravel() + LIFT
        self.data.GetPoints().Modified()
        self.data.Modified()
        return self.layer.visible

    def prepare(self, view: View) -> None:
        set_pull(self.actor, PULL, view.near, view.far)
        shown = self._shown
        is_there = bool(self.flow.kind) and self.layer.visible and shown is not None and shown[0] >= 0
        self.is_waiting = is_there and self.context.is_live and not are_kernels_ready(self.context.wake)
        if shown is None or not is_there or self.is_waiting:
            self.flow.actor.SetVisibility(False)
            return
        self.flow.prepare(view, True, self._water(*shown))

    def _water(self, first: int, second: int, weight: float) -> Water:
        """Return the layer's own water, with the higher of both above it."""
        if self._ground is None or self._frames is None:
            self._ground = local_bed(self.result, self.context)
            self._frames = WaterFrames(self.result, self._ground)
        if self._above is None:
            self._above = self._ground + self._depth + np.float32(LIFT)
        return Water(self._frames, first, second, weight, self._above)


class SwipeVisual(_Compared):
    """The other flood at the left of a line on the screen, the layer's own at its right."""

    def __init__(self, context: Context, layer: Layer, result: FloodResult, other: FloodResult, against: Against) -> None:
        super().__init__(context, layer, result, other, against)
        self.left = FloodVisual(context, layer, other)
        self.right = FloodVisual(context, layer, result)
        self._clipped: list[Any] = []
        for visual, code in ((self.left, _LEFT), (self.right, _RIGHT)):
            for actor in visual.actors:
                if actor.IsA("vtkActor"):
                    actor.GetShaderProperty().AddFragmentShaderReplacement("//VTK::Clip::Impl", True, code, False)
                    actor.GetShaderProperty().GetFragmentCustomUniforms().SetUniformf("swipeAt", 0.0)
                    self._clipped.append(actor)
        self.at = against.at
        self.actors = [*self.left.actors, *self.right.actors]
        boxes = [visual.extent for visual in (self.left, self.right) if np.isfinite(visual.extent).all()]
        if boxes:
            self.extent = np.array([np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)])
        self.set_time(context.time)
        self.sync(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        self.left.sync(layer)
        self.right.sync(layer)
        against = against_of(layer.options)
        self.at = against.at if against is not None else self.at

    def set_time(self, time: float) -> bool:
        moved = [self.left.set_time(self._time_of_other(time)), self.right.set_time(time)]
        return any(moved)

    def prepare(self, view: View) -> None:
        self.left.prepare(view)
        self.right.prepare(view)
        self.is_waiting = self.left.is_waiting or self.right.is_waiting
        for actor in self._clipped:
            actor.GetShaderProperty().GetFragmentCustomUniforms().SetUniformf("swipeAt", self.at * view.width)

    def obstacles(self) -> Float:
        return np.concatenate([self.left.obstacles(), self.right.obstacles()])

    def stop(self) -> None:
        self.left.stop()
        self.right.stop()

    def release(self) -> None:
        self.left.release()
        self.right.release()
        super().release()


def _palette() -> UInt8:
    colors = [(0, 0, 0, 0), *(rgba(color) for color in class_colors())]
    palette = np.array(colors, dtype=np.uint8)
    # Where nothing changed the city shows through.
    palette[1, 3] = 110
    return palette


def _mesh(result: FloodResult, context: Context, ever: Float32, stride: int) -> tuple[Float32, Int32, Float32]:
    """Return the grid over every cell that either flood wets: local points at the bed, triangles, and texture coordinates."""
    terrain = result.terrain
    rows, columns = np.arange(0, terrain.shape[0], stride), np.arange(0, terrain.shape[1], stride)
    bed = terrain.elevations[np.ix_(rows, columns)].astype(np.float64) - context.origin[2]
    bed = np.where(np.isfinite(bed), bed, np.nanmin(bed) if np.isfinite(bed).any() else 0.0)
    wet = np.add.reduceat(np.add.reduceat(np.nan_to_num(ever) > WET, rows, axis=0), columns, axis=1) > 0
    return wet_grid(terrain, context.origin, rows, columns, bed, wet)
