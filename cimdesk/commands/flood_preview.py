"""The water of a run that is at work, while it comes: a guest among the layers of a session, with the clock at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cimdesk.base.arrays import Float32
from cimdesk.base.i18n import tr
from cimdesk.commands.flood_apart import ApartRun
from cimdesk.commands.session import Session
from cimdesk.formats.flood_result import PackedFrames
from cimdesk.formats.flood_run import FrameNote, LiveWater, RunFolder, flow_of
from cimdesk.model.appearance import active_flood
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.live_flood import LiveFlood
from cimdesk.model.style import Style
from cimdesk.model.water import OPTION as WATER

GUEST = "~flood"
"""Layer id of the water that is being simulated."""
AT_THE_END = 1.0
"""A clock this near to the last moment follows it [s]."""


def shown_run() -> ApartRun:
    """Return a run whose water can be looked at while it is at work."""
    return ApartRun(RunFolder(Path()), is_shown=True)


def _kept(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key == WATER}


class Preview:
    """Shows one run in a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._water: LiveWater | None = None
        self._scenario: FloodScenario | None = None
        self._flood: LiveFlood | None = None
        self._frames = PackedFrames((1, 1))
        self._count = -1
        self._place = 0
        self._last = math.nan
        self._hidden: list[str] = []
        self._notes: list[FrameNote] = []

    def look(self, run: ApartRun) -> bool:
        """Show what is new; return whether anything was."""
        scenario = run.scenario
        if scenario is None or not run.control.status.is_ready:
            return False
        if self._water is None or self._flood is None or scenario is not self._scenario:
            self._begin(run, scenario)
        if self._water is None or self._flood is None or self._water.count == self._count:
            return False
        self._count = self._water.count
        frames, self._place = run.folder.frames_from(self._place)
        for note, packed in frames:
            self._frames.packed.append(packed)
            self._flood.times.append(note.time)
            self._flood.volumes.append(note.volume)
            self._flood.wet_areas.append(note.wet_area)
            self._notes.append(note)
        if frames:
            self._flood.flow = flow_of(scenario, self._notes)
        found = self._water.depth()
        if found is None or (self._flood.times and found[0] < self._flood.times[-1]):
            return False
        self._show(scenario, self._flood, *found)
        return True

    def end(self) -> None:
        """Take the water away; the result is a layer of its own by now, or never will be."""
        self._water = None
        workspace = self._session.workspace
        workspace.show_guest(Layer(GUEST, "", LayerKind.FLOOD, ""), None)
        for layer_id in self._hidden:
            workspace.preview(layer_id)
        self._hidden = []

    def _begin(self, run: ApartRun, scenario: FloodScenario) -> None:
        shape = scenario.result_terrain.shape
        self._water = LiveWater.opened(run.folder.live_file, shape)
        self._frames = PackedFrames(shape)
        self._scenario, self._count, self._place = scenario, -1, 0
        self._flood = LiveFlood(scenario, self._frames)

    def _show(self, scenario: FloodScenario, flood: LiveFlood, time: float, depth: Float32) -> None:
        workspace, clock = self._session.workspace, self._session.clock
        result = flood.result(time, depth)
        if workspace.is_guest(GUEST):
            layer = workspace.layer(GUEST)
        else:
            layer = Layer(GUEST, tr("{name}, running").format(name=result.name), LayerKind.FLOOD, "", order=-1e9, **self._look())
            self._hide_others()
        is_following = math.isnan(self._last) or abs(clock.time - self._last) < AT_THE_END
        workspace.show_guest(layer, result)
        if is_following:
            clock.set_time(scenario.start_time + time)
        if is_following or clock.time >= scenario.start_time + time - AT_THE_END:
            self._last = clock.time

    def _look(self) -> dict[str, Any]:
        """Return how the flood that is shown looks, for the one on its way to look alike."""
        found = active_flood(self._session.workspace)
        return {} if found is None else {"style": replace(Style(), flow=found[0].style.flow), "options": _kept(found[0].options)}

    def _hide_others(self) -> None:
        """Leave other floods out of the picture for the time being; nothing is edited."""
        workspace = self._session.workspace
        for layer in workspace.layers():
            if layer.visible and isinstance(workspace.data(layer.id), FloodResult):
                self._hidden.append(layer.id)
                workspace.preview(layer.id, visible=False)
