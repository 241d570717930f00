"""Scene: a Workspace drawn into a render window that somebody else owns. No Qt, and no rendering unless asked."""

from __future__ import annotations

from threading import Event
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.crs import LocalFrame
from cimdesk.base.signals import Signal
from cimdesk.model.document import Changes
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import StyleMode
from cimdesk.model.terrain import Terrain
from cimdesk.model.workspace import Workspace
from cimdesk.scene.camera import CameraControl
from cimdesk.scene.canvas import Canvas
from cimdesk.scene.drawn_layers import DrawnLayers
from cimdesk.scene.framing import Framing
from cimdesk.scene.ground import Ground
from cimdesk.scene.labels import Labels
from cimdesk.scene.look import look_of
from cimdesk.scene.marking import Marking
from cimdesk.scene.measures import Measures
from cimdesk.scene.picking import Pick, Picker
from cimdesk.scene.places import Places
from cimdesk.scene.points import point_budget
from cimdesk.scene.smoothing import Smoothing
from cimdesk.scene.visual import Context, View

if TYPE_CHECKING:
    from vtkmodules.vtkRenderingCore import vtkRenderWindow

BUILD_BUDGET = 0.050
"""Seconds per frame spent on what is still to be built, so that the window stays alive while a city appears."""
QUALITIES = ("moving", "still", "export")
NOWHERE = np.array([[-500.0, -500.0, 0.0], [500.0, 500.0, 100.0]])
"""What is looked at where nothing is drawn."""


class Scene:
    """Draws a Workspace.

    Attributes
    ----------
    needs_render : Signal of None
        Emitted when something visible changed.
    woken : Signal of None
        Emitted in any thread when something came that a new frame would show.
    camera : CameraControl
    drawn : DrawnLayers
    visuals : dict of str to Visual
        Those of ``drawn``, by layer.
    marking : Marking
        Outlines of what is selected.
    framing : Framing
    places : Places
        Where something is, in the world and on the screen.
    picker : Picker
        What is where on the screen.
    smoothing : Smoothing
    xray : bool
    """

    def __init__(self, workspace: Workspace, theme: str = "light") -> None:
        self.workspace = workspace
        self.needs_render: Signal[None] = Signal()
        self.woken: Signal[None] = Signal()
        look = look_of(theme)
        self.canvas = Canvas(look)
        self.context = Context(workspace, np.zeros(3), look)
        self.ground = Ground(self.context)
        self.context.ground = self.ground.heights
        self.context.wake = lambda: self.woken.emit(None)
        self.context.point_budget = self._point_budget
        self.places = Places(self.context, self.canvas, self.ground, self.view)
        self.camera = CameraControl(self.places.world_at, self.places.ground_under, lambda: self.canvas.size)
        self.drawn = DrawnLayers(self.context, self.canvas, self.ground)
        self.drawn.placed, self.drawn.rebuilt = self._place, self._on_rebuilt
        self.visuals = self.drawn.visuals
        self.framing = Framing(self.camera, self.drawn)
        self.marking = Marking(self.context, self.visuals)
        self.labels = Labels(self.context)
        self.measures = Measures(self.context)
        self.picker = Picker(self.context, self.canvas, self.visuals)
        self.smoothing = Smoothing(self.context.wake)
        self._quality = "still"
        for actor in (*self.ground.actors, *self.measures.actors, *self.marking.actors, self.labels.sprites.actor):
            self.canvas.renderer.AddActor(actor)
        self.camera.changed.connect(self._on_camera)
        workspace.changed.connect(self.apply)
        self._follow_frame()
        self.drawn.mark_all()

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
        if changes.touches("project"):
            self._follow_frame()
        self.drawn.stale |= _touched(self.workspace, changes)
        moved = changes.data | _optioned(changes)
        if any(isinstance(self.workspace.data(key), Terrain) and key in self.visuals for key in moved):
            self.drawn.lay_again()
        if changes.touches("measure"):
            self.measures.mark()
            self.needs_render.emit(None)
        if self.drawn.stale:
            self.marking.is_stale = True
            self.needs_render.emit(None)

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
        if self.marking.select(refs):
            self.needs_render.emit(None)

    def show_measure(self, key: str) -> None:
        """Draw one measure in the accent colour; none for an empty key."""
        if key != self.measures.selected:
            self.measures.selected = key
            self.measures.mark()
            self.needs_render.emit(None)

    def set_hover(self, ref: AssetRef | None) -> None:
        """Outline one asset lightly; None for nothing."""
        if self.marking.hover(ref):
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
        if layers != self.drawn.only:
            self.drawn.only = layers
            self.drawn.mark_all()
            self.needs_render.emit(None)

    def make_transparent(self) -> None:
        """Leave out the sky and the plane, so that the picture can be laid over something else."""
        self.ground.is_shown = False
        self.canvas.renderer.SetBackgroundAlpha(0.0)

    def prepare(self) -> None:
        """Get ready for a frame: build what is pending within the budget, follow the camera. Call before each Render."""
        deadline = perf_counter() + (3600.0 if self._quality == "export" else BUILD_BUDGET)
        more = self.drawn.sync(deadline)
        self.ground.sync(self.drawn.bounds())
        self.marking.sync(self.canvas.pixel_scale)
        self.framing.follow()
        view = self.view()
        self.ground.prepare(view)
        self.measures.prepare(view)
        is_building, is_redrawn = self.drawn.prepare(view)
        if is_redrawn:
            self.marking.redraw()
        self.framing.follow()
        self.labels.prepare(view, self.visuals.values())
        self.marking.prepare(view)
        self.canvas.set_smooth(self._quality == "still" and self.smoothing.wants(self._is_whole(), self.canvas))
        if self.smoothing.by_hand:
            self.smoothing.lettering = np.concatenate([self.labels.boxes(view), *(v.obstacles() for v in self.visuals.values())])
        if more or is_building or self.marking.is_stale:
            self.needs_render.emit(None)

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

    def pick(self, x: float, y: float) -> Pick | None:
        """Return what is under a pixel of the last frame (device px from the top left); None for the sky."""
        return self.picker.pick(x, y)

    def pick_inside(self, polygon: list[tuple[float, float]]) -> frozenset[AssetRef]:
        """Return the assets whose reference point (centre of the top, middle of a pipe, sensor) is inside on the screen.

        What is hidden behind something else counts too.
        """
        return self.picker.inside(polygon, self.view())

    def fit(self, refs: frozenset[AssetRef] | None = None) -> None:
        """Bring everything visible (the buildings, where there are any), or these assets, into the picture."""
        self.framing.fit(refs)

    def view(self) -> View:
        """Return the view of the camera as it stands."""
        bounds = self.drawn.bounds()
        low, high = bounds if np.isfinite(bounds).all() else NOWHERE
        return self.canvas.place(self.camera, self.context.origin, low, high, self._quality == "moving")

    def _is_whole(self) -> bool:
        """Return whether everything that the last view needs is there."""
        return not self.marking.is_stale and self.drawn.is_whole()

    def _restyle(self) -> None:
        self.drawn.stale.update(self.visuals)
        self.marking.is_stale = True
        self.measures.mark()
        self.ground.restyle()
        self.needs_render.emit(None)

    def _on_rebuilt(self) -> None:
        self.measures.mark()
        self.marking.restart()

    def _place(self) -> None:
        if self.workspace.frame is None:
            self._follow_frame()

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
            self.drawn.drop_all()

    def _point_budget(self, is_moving: bool) -> int:
        """Return the points that each visible cloud may draw."""
        quality = "moving" if is_moving or self._quality == "moving" else self._quality
        return point_budget(quality, self.canvas.has_graphics_card) // max(self.drawn.count_visible(LayerKind.POINTS), 1)

    def _on_camera(self, _: None) -> None:
        self.framing.is_done = True
        self.needs_render.emit(None)


def _touched(workspace: Workspace, changes: Changes) -> set[str]:
    """Return the layers that an edit makes look otherwise."""
    touched = changes.keys("layer") | changes.data
    if changes.touches("stage_event"):
        touched |= {layer.id for layer in workspace.layers() if layer.style.mode is StyleMode.STAGE}
    if touched:
        touched |= {layer.id for layer in workspace.layers() if layer.style.mode is StyleMode.DEPTH}
    return set(touched)


def _optioned(changes: Changes) -> set[str]:
    """Return the layers whose options an edit changes."""
    return {
        change.key
        for change in changes.records
        if change.table == "layer"
        and change.before
        and change.after
        and change.before.get("options") != change.after.get("options")
    }
