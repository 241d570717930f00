"""Scene: a Workspace drawn into a render window that somebody else owns. No Qt, and no rendering unless asked."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Event
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int
from cimdesk.base.crs import LocalFrame
from cimdesk.base.signals import Signal
from cimdesk.model.document import Changes
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.selection import AssetRef, names_by_layer
from cimdesk.model.style import StyleMode
from cimdesk.model.terrain import Terrain
from cimdesk.model.workspace import Workspace
from cimdesk.scene.camera import CameraControl
from cimdesk.scene.canvas import Canvas
from cimdesk.scene.ground import Ground
from cimdesk.scene.highlight import Outline, Picked
from cimdesk.scene.kinds import new_visual
from cimdesk.scene.labels import Labels
from cimdesk.scene.look import look_of
from cimdesk.scene.measures import Measures
from cimdesk.scene.picking import Pick, Picker
from cimdesk.scene.points import point_budget
from cimdesk.scene.smoothing import Smoothing
from cimdesk.scene.visual import Context, View, Visual

if TYPE_CHECKING:
    from vtkmodules.vtkRenderingCore import vtkRenderWindow

BUILD_BUDGET = 0.050
"""Seconds per frame spent on what is still to be built, so that the window stays alive while a city appears."""
GATHER_BUDGET = 0.030
"""Seconds per frame spent on finding out what is selected."""
ON_THE_GROUND = (LayerKind.VECTOR, LayerKind.SENSORS)
LONG = 0.4
"""A city whose shorter side is a smaller share of the longer one is framed whole."""
QUALITIES = ("moving", "still", "export")


class Scene:
    """Draws a Workspace.

    Attributes
    ----------
    needs_render : Signal of None
        Emitted when something visible changed.
    woken : Signal of None
        Emitted in any thread when something came that a new frame would show.
    camera : CameraControl
    smoothing : Smoothing
    xray : bool
    layers : tuple of str or None
        Draw only these layers, whatever their visibility; None follows the records.
    """

    def __init__(self, workspace: Workspace, theme: str = "light") -> None:
        self.workspace = workspace
        self.needs_render: Signal[None] = Signal()
        self.woken: Signal[None] = Signal()
        self.layers: tuple[str, ...] | None = None
        look = look_of(theme)
        self.canvas = Canvas(look)
        self.context = Context(workspace, np.zeros(3), look)
        self.ground = Ground(self.context)
        self.context.ground = self.ground.heights
        self.context.wake = lambda: self.woken.emit(None)
        self.context.point_budget = self._point_budget
        self.camera = CameraControl(self._pivot_at, self._ground_under, lambda: self.canvas.size)
        self.visuals: dict[str, Visual] = {}
        self._data: dict[str, object] = {}
        self._stale: set[str] = set()
        self._quality = "still"
        self.smoothing = Smoothing()
        self._is_framed = False
        self._first_view: dict[str, Any] | None = None
        self._first_bounds = np.full((2, 3), np.nan)
        self._picked = Picked()
        self._hover: AssetRef | None = None
        self._selected, self._hovered = Outline(), Outline()
        self._outlines_stale = False
        self.labels = Labels(self.context)
        self.measures = Measures(self.context)
        self.picker = Picker(self.context, self.canvas, self.visuals)
        own = (*self.ground.actors, *self.measures.actors, *self._selected.actors, *self._hovered.actors)
        for actor in (*own, self.labels.sprites.actor):
            self.canvas.renderer.AddActor(actor)
        self.camera.changed.connect(self._on_camera)
        workspace.changed.connect(self.apply)
        self._follow_frame()
        self._stale.update(layer.id for layer in workspace.layers())

    @property
    def xray(self) -> bool:
        """Whether the ground is see-through."""
        return self.context.xray

    @property
    def hides_underground(self) -> bool:
        """Whether what is underground is out of sight now."""
        return self.context.is_covered and not self.context.xray

    def attach(self, window: vtkRenderWindow) -> None:
        """Draw into a window from now on."""
        self.canvas.attach(window)
        self.set_quality(self._quality)
        self.needs_render.emit(None)

    def detach(self) -> None:
        """Leave the window and stop following the workspace; safe to call twice."""
        self.canvas.detach()
        self.workspace.changed.disconnect(self.apply)
        for visual in self.visuals.values():
            visual.stop()

    def apply(self, changes: Changes) -> None:
        """Follow an edit: the layers it touched are synced before the next frame."""
        touched = changes.keys("layer") | changes.data
        if changes.touches("project"):
            self._follow_frame()
        if changes.touches("stage_event"):
            touched |= {layer.id for layer in self.workspace.layers() if layer.style.mode is StyleMode.STAGE}
        if touched:
            touched |= {layer.id for layer in self.workspace.layers() if layer.style.mode is StyleMode.DEPTH}
        self._stale |= touched
        optioned = {
            change.key
            for change in changes.records
            if change.table == "layer"
            and change.before
            and change.after
            and change.before.get("options") != change.after.get("options")
        }
        if any(isinstance(self.workspace.data(key), Terrain) and key in self.visuals for key in changes.data | optioned):
            self._lay_again()
        if changes.touches("measure"):
            self.measures.mark()
            self.needs_render.emit(None)
        if self._stale:
            self._outlines_stale = True
            self.needs_render.emit(None)

    def _lay_again(self) -> None:
        """Make anew what lies on the ground: the ground may have moved, or be drawn otherwise."""
        self.ground.follow(self.shown_layers())
        for key in [key for key, visual in self.visuals.items() if visual.layer.kind in ON_THE_GROUND]:
            self._drop(key)
            self._stale.add(key)

    def set_time(self, time: float) -> None:
        """Show this moment of the clock [POSIX s]."""
        if time == self.context.time:
            return
        self.context.time = time
        changed = [visual.set_time(time) for visual in self.visuals.values()]
        if any(changed):
            self.needs_render.emit(None)

    def set_selection(self, refs: frozenset[AssetRef]) -> None:
        """Outline these assets."""
        if refs is not self._picked.refs and refs != self._picked.refs:
            self._picked.begin(refs)
            self._outlines_stale = True
            self.needs_render.emit(None)

    def show_measure(self, key: str) -> None:
        """Draw one measure in the accent colour; none for an empty key."""
        if key != self.measures.selected:
            self.measures.selected = key
            self.measures.mark()
            self.needs_render.emit(None)

    def set_hover(self, ref: AssetRef | None) -> None:
        """Outline one asset lightly; None for nothing."""
        if ref != self._hover:
            self._hover = ref
            self._outlines_stale = True
            self.needs_render.emit(None)

    def set_xray(self, on: bool) -> None:
        """Make the ground see-through and fade the buildings, or not."""
        if on != self.context.xray:
            self.context.xray = on
            self.camera.may_go_under = on
            self._restyle()

    def set_theme(self, theme: str) -> None:
        """Draw in another theme: ``light``, ``dark`` or ``projector``."""
        look = look_of(theme)
        if look != self.context.look:
            self.context.look = look
            self.canvas.set_look(look)
            self._restyle()

    def set_quality(self, quality: str) -> None:
        """Choose ``moving`` (as fast as can be), ``still`` or ``export`` (ambient occlusion, smooth edges)."""
        if quality not in QUALITIES:
            raise ValueError(f"no quality {quality!r}; there are {', '.join(QUALITIES)}")
        self._quality = quality
        self.smoothing.rest()
        self.canvas.set_quality(quality)

    def frame_took(self, seconds: float) -> None:
        """Take note of the seconds from `prepare` to the picture, where smooth edges must not hold up the window."""
        if self.smoothing.took(seconds, self._quality == "moving"):
            self.needs_render.emit(None)

    def show_only(self, layers: tuple[str, ...] | None) -> None:
        """Draw only these layers, whatever their visibility; None follows the records."""
        if layers != self.layers:
            self.layers = layers
            self._stale.update(layer.id for layer in self.workspace.layers())
            self.needs_render.emit(None)

    def make_transparent(self) -> None:
        """Leave out the sky and the plane, so that the picture can be laid over something else."""
        self.ground.is_shown = False
        self.canvas.renderer.SetBackgroundAlpha(0.0)

    def prepare(self) -> None:
        """Get ready for a frame: build what is pending within the budget, follow the camera. Call before each Render."""
        deadline = perf_counter() + (3600.0 if self._quality == "export" else BUILD_BUDGET)
        more = self._sync_stale(deadline)
        self.ground.sync(self._bounds())
        if self._outlines_stale:
            self._show_outlines()
        if not self._is_framed and self.visuals:
            self._fit_first()
        view = self._view()
        self.ground.prepare(view)
        self.measures.prepare(view)
        for visual in self.visuals.values():
            visual.prepare(view)
            self._exchange(visual)
            more |= visual.is_pending
        if self._first_view is not None and not np.array_equal(self._first_bounds, self._bounds(), equal_nan=True):
            self._fit_first()
        self.labels.prepare(view, self.visuals.values())
        self._selected.prepare(view)
        self._hovered.prepare(view)
        if self._quality == "still":
            self.canvas.set_smooth(self.smoothing.wants(self._is_whole(), self.canvas))
        else:
            self.canvas.set_smooth(False)
        if more or self._outlines_stale:
            self.needs_render.emit(None)

    def _fit_first(self) -> None:
        """Show everything, and again as more arrives or it turns out smaller, until somebody has moved the camera."""
        if self._first_view is None or self.camera.to_record() == self._first_view:
            self.fit()
            self._first_view, self._first_bounds = self.camera.to_record(), self._bounds()
        else:
            self._first_view = None

    def complete(self, seconds: float) -> bool:
        """Prepare frames until everything that this view needs is there, or the time is over; return whether it is."""
        deadline = perf_counter() + seconds
        came = Event()

        def note(_: None) -> None:
            came.set()

        self.woken.connect(note)
        try:
            while True:
                came.clear()
                self.prepare()
                if self._is_whole():
                    return True
                if perf_counter() > deadline:
                    return False
                # Looking again and again would take the processor from those who bring what is missing.
                if not any(visual.is_pending for visual in self.visuals.values()):
                    came.wait(0.05)
        finally:
            self.woken.disconnect(note)

    def _is_whole(self) -> bool:
        """Return whether everything that the last view needs is there."""
        visible = (visual for visual in self.visuals.values() if visual.layer.visible)
        return not (self._stale or self._outlines_stale) and not any(visual.is_waiting or visual.is_pending for visual in visible)

    def _exchange(self, visual: Visual) -> None:
        """Add and take out what a visual asks for."""
        for actor in visual.joining:
            self.canvas.renderer.AddActor(actor)
        for actor in visual.leaving:
            self.canvas.renderer.RemoveActor(actor)
        visual.joining.clear()
        visual.leaving.clear()
        if visual.is_redrawn:
            visual.is_redrawn = False
            self._outlines_stale = self._outlines_stale or bool(self._picked.refs) or self._hover is not None

    def pick(self, x: float, y: float) -> Pick | None:
        """Return what is under a pixel of the last frame (device px from the top left); None for the sky."""
        return self.picker.pick(x, y)

    def pick_box(self, x0: float, y0: float, x1: float, y1: float) -> frozenset[AssetRef]:
        """Return the assets whose reference point (centre of the top, middle of a pipe, sensor) is in a rectangle.

        What is hidden behind something else counts too.
        """
        return self.picker.inside([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], self._view())

    def pick_polygon(self, points: list[tuple[float, float]]) -> frozenset[AssetRef]:
        """Return the assets whose reference point is inside a polygon on the screen."""
        return self.picker.inside(points, self._view())

    def world_at(self, x: float, y: float) -> tuple[float, float, float] | None:
        """Return the world point drawn at a pixel of the last frame; None for the sky."""
        found = self.canvas.world_at(x, y)
        if found is None:
            return None
        east, north, _ = found[0] + self.context.origin
        height = self.ground.measured(found[0]) + self.context.origin[2]
        return float(east), float(north), float(height)

    def ground_at(self, x: float, y: float) -> float:
        """Return the height of the ground at a place in the world [m]."""
        return self._ground_under(np.array([x, y, self.context.origin[2]]))

    def screen_of(self, world: Float) -> Float:
        """Return (N, 3) of world points (N, 3): device px from left and top, and the distance ahead (negative behind)."""
        return self._view().project(np.asarray(world, dtype=np.float64) - self.context.origin)

    def fit(self, refs: frozenset[AssetRef] | None = None) -> None:
        """Bring everything visible (the buildings, where there are any), or these assets, into the picture."""
        everything = self._bounds()
        if refs is None:
            city = self._bounds((LayerKind.BUILDINGS, LayerKind.TILES, LayerKind.POINTS))
            boxes = [city if np.isfinite(city).all() else everything]
        else:
            boxes = self._bounds_of(refs)
        boxes = [box for box in boxes if np.isfinite(box).all()]
        if not boxes:
            return
        self._is_framed = True
        low = np.min([box[0] for box in boxes], axis=0) + self.context.origin
        high = np.max([box[1] for box in boxes], axis=0) + self.context.origin
        self.camera.max_distance = 12.0 * max(float(np.linalg.norm(everything[1] - everything[0])), 500.0)
        is_ground = refs is None and {v.layer.kind for v in self.visuals.values() if v.layer.visible} == {LayerKind.TERRAIN}
        if refs is not None:
            self.camera.frame(low, high, 1.6)
            return
        size = high - low
        # Of a city the corners may lie outside the picture; bare ground and what is long are looked at as a whole.
        is_long = float(size[:2].min()) < LONG * float(size[:2].max())
        nearest = float(np.clip(2.0 * np.linalg.norm(size), 1.0, 30.0))
        self.camera.frame(low, high, 1.08 if is_ground or is_long else 0.86, nearest)

    def shown_layers(self) -> list[Layer]:
        """Return the layers as they are drawn: with the visibility that `layers` asks for."""
        layers = self.workspace.layers()
        return layers if self.layers is None else [layer.but(visible=layer.id in self.layers) for layer in layers]

    def rows_by_layer(self, refs: frozenset[AssetRef]) -> dict[str, Int]:
        """Return the rows of assets by layer, of those layers that are drawn."""
        names = names_by_layer(refs)
        return {layer: self.visuals[layer].rows_of(features) for layer, features in names.items() if layer in self.visuals}

    def _sync_stale(self, deadline: float) -> bool:
        """Build or refresh what is stale until the deadline; return whether something is left."""
        layers = {layer.id: layer for layer in self.shown_layers()}
        for key in [key for key in (*self.visuals, *self._stale) if key not in layers]:
            self._drop(key)
        if self._stale:
            self.ground.notice(list(layers.values()))
        # The ground comes first: other visuals stand on it.
        for key in sorted(self._stale, key=lambda k: (self.workspace.layer(k).kind not in ("terrain", "flood"), k)):
            self._refresh(layers[key])
            self._stale.discard(key)
            if perf_counter() > deadline:
                break
        more = False
        for visual in self.visuals.values():
            actors = visual.advance(deadline)
            for actor in actors:
                self.canvas.renderer.AddActor(actor)
            more |= visual.is_pending
        return more or bool(self._stale)

    def _refresh(self, layer: Layer) -> None:
        data = self.workspace.data(layer.id)
        visual = self.visuals.get(layer.id)
        if visual is not None and self._data.get(layer.id) is not data and data is not None and visual.follows(data):
            self._data[layer.id] = data
            if self.ground.terrain is None:
                self.ground.follow(self.shown_layers())
        if visual is not None and self._data.get(layer.id) is data and visual.fits(layer):
            visual.sync(layer)
            return
        self._drop(layer.id)
        if data is None:
            return
        if self.workspace.frame is None and not self.visuals:
            self._follow_frame()
        self.ground.follow(self.shown_layers())
        self.measures.mark()
        visual = new_visual(self.context, layer, data)
        self.visuals[layer.id] = visual
        self._picked.restart()
        self._outlines_stale = True
        self._data[layer.id] = data
        for actor in visual.actors:
            self.canvas.renderer.AddActor(actor)
        self._raise_water()

    def _raise_water(self) -> None:
        """Draw water after what lies on the ground: what is see-through is blended in the order of drawing."""
        for visual in self.visuals.values():
            if visual.layer.kind is LayerKind.FLOOD:
                for actor in visual.actors:
                    self.canvas.renderer.RemoveActor(actor)
                    self.canvas.renderer.AddActor(actor)

    def _drop(self, key: str) -> None:
        self._stale.discard(key)
        self._data.pop(key, None)
        visual = self.visuals.pop(key, None)
        if visual is not None:
            for actor in visual.actors:
                self.canvas.renderer.RemoveActor(actor)
            visual.release()
            self.ground.follow(self.shown_layers())

    def _restyle(self) -> None:
        self._stale.update(self.visuals)
        self._outlines_stale = True
        self.measures.mark()
        self.ground.restyle()
        self.needs_render.emit(None)

    def _follow_frame(self) -> None:
        """Take the project's origin; what is drawn around another one is built anew."""
        frame = self.workspace.frame
        if frame is None:
            bounds = self.workspace.bounds()
            if not np.isfinite(bounds[:, :2]).all():
                return
            frame = LocalFrame.around(None, bounds.mean(axis=0))
        if tuple(self.context.origin) != frame.origin:
            self.context.origin = np.asarray(frame.origin, dtype=np.float64)
            for key in list(self.visuals):
                self._drop(key)
            self._stale.update(layer.id for layer in self.workspace.layers())

    def _bounds(self, kinds: tuple[LayerKind, ...] = tuple(LayerKind)) -> Float:
        """Return (2, 3) local bounds of what is visible of these kinds; NaN when nothing is."""
        shown = [visual for visual in self.visuals.values() if visual.layer.visible and visual.layer.kind in kinds]
        boxes = [visual.extent for visual in shown if np.isfinite(visual.extent).all()]
        if not boxes:
            return np.full((2, 3), np.nan)
        return np.array([np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)])

    def _bounds_of(self, refs: frozenset[AssetRef]) -> list[Float]:
        boxes = [self.visuals[layer].bounds(rows) for layer, rows in self.rows_by_layer(refs).items() if len(rows)]
        return [box for box in boxes if box is not None]

    def _view(self) -> View:
        bounds = self._bounds()
        if not np.isfinite(bounds).all():
            bounds = np.array([[-500.0, -500.0, 0.0], [500.0, 500.0, 100.0]])
        return self.canvas.place(self.camera, self.context.origin, bounds[0], bounds[1], self._quality == "moving")

    def _show_outlines(self) -> None:
        if not self._picked.gather(self.visuals, perf_counter() + GATHER_BUDGET):
            return
        self._outlines_stale = False
        look = self.context.look
        hover = frozenset() if self._hover is None or self._hover in self._picked.refs else frozenset({self._hover})
        marked = self._picked.marked(self.visuals)
        outlined = {layer: names for layer, names in self._picked.names.items() if layer not in marked}
        for outline, features, color, factor in (
            (self._selected, outlined, look.accent, 1.0),
            (self._hovered, names_by_layer(hover), look.hover, 0.7),
        ):
            shapes = [self._outline_of(self.visuals[layer], names) for layer, names in features.items() if layer in self.visuals]
            width = look.line_width * factor * self.canvas.pixel_scale
            outline.show([shape for shape in shapes if shape is not None], color, width, self.context.xray)

    @staticmethod
    def _outline_of(visual: Visual, features: Iterable[str]) -> tuple[Float32, Int] | None:
        rows = visual.rows_in_sight(visual.rows_of(features))
        # Of more than can be told apart, some stand for all.
        rows = rows if visual.most_outlined is None else rows[: visual.most_outlined]
        return visual.outline(rows) if len(rows) else None

    def _point_budget(self, is_moving: bool) -> int:
        """Return the points that each visible cloud may draw."""
        clouds = sum(v.layer.kind is LayerKind.POINTS and v.layer.visible for v in self.visuals.values())
        quality = "moving" if is_moving or self._quality == "moving" else self._quality
        return point_budget(quality, self.canvas.has_graphics_card) // max(clouds, 1)

    def _ground_under(self, world: Float) -> float:
        local = (world - self.context.origin)[None, :]
        return float(self.ground.heights(local)[0] + self.context.origin[2])

    def _pivot_at(self, x: float, y: float) -> tuple[float, float, float] | None:
        return self.world_at(x, y)

    def _on_camera(self, _: None) -> None:
        self._is_framed = True
        self.needs_render.emit(None)
