"""Gauges of a run: depths at points, discharges across lines."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from cimdesk.analysis.flood.grid import GridState, cells_of
from cimdesk.base.arrays import AnyArray, Float
from cimdesk.model.flood import FloodScenario, GaugeSeries
from cimdesk.model.flood_inputs import LineSeries

NOTES = 1000.0
"""About how often a run notes its gauges."""


class Faces(Protocol):
    """What an engine tells of the faces between cells."""

    def face_discharges(self, rows: AnyArray, columns: AnyArray, is_across: bool) -> AnyArray: ...


class GaugeLog:
    """Depths at the gauges and discharges across the lines, kept about a thousand times in a run."""

    def __init__(self, scenario: FloodScenario, state: GridState, faces: Faces) -> None:
        xy = np.array([(g.x, g.y) for g in scenario.gauges], dtype=np.float64).reshape(-1, 2)
        rows, columns, inside = cells_of(scenario, xy)
        if not inside.all():
            raise ValueError("a gauge is outside the grid")
        self._gauges = scenario.gauges
        self._lines = scenario.lines
        self._dx = float(scenario.terrain.cell_x)
        self._faces = faces
        self._at = (rows + 1, columns + 1)
        self._beds = scenario.terrain.elevations[rows, columns].astype(np.float64)
        self._state = state
        self._every = min(scenario.output_every, scenario.duration / NOTES)
        self._times: list[float] = []
        self._depths: list[AnyArray] = []
        self._discharges: list[list[float]] = []
        self._next = 0.0
        self.note(scenario.begin_time)

    def note(self, time: float) -> None:
        """Keep depths and discharges when it is time."""
        if (self._gauges or self._lines) and time >= self._next:
            self._times.append(time)
            self._depths.append(self._seen())
            self._discharges.append([self._across(line.west_faces, line.north_faces) for line in self._lines])
            self._next = time + self._every

    def _seen(self) -> AnyArray:
        """Return the (K,) depths at the gauges now [m]."""
        return np.asarray(self._state.h[self._at])

    def _across(self, west: AnyArray, north: AnyArray) -> float:
        total = 0.0
        for faces, is_across in ((west, True), (north, False)):
            if len(faces):
                q = self._faces.face_discharges(faces[:, 0] + 1, faces[:, 1] + 1, is_across)
                total += float((q.astype(np.float64) * faces[:, 2]).sum())
        return total * self._dx

    def since(self, first: int) -> tuple[list[float], list[list[float]], list[list[float]]]:
        """Return times, depths at gauges and discharges across lines, from note number ``first`` on."""
        return self._times[first:], [depths.tolist() for depths in self._depths[first:]], self._discharges[first:]

    def series(self) -> tuple[GaugeSeries, ...]:
        """Return what each gauge saw."""
        times = np.array(self._times)
        depths = np.array(self._depths, dtype=np.float64).reshape(len(times), len(self._gauges))
        return tuple(GaugeSeries(g, times, depths[:, k], depths[:, k] + self._beds[k]) for k, g in enumerate(self._gauges))

    def lines(self) -> tuple[LineSeries, ...]:
        """Return what crossed each line."""
        times: Float = np.array(self._times)
        flows = np.array(self._discharges, dtype=np.float64).reshape(len(times), len(self._lines))
        return tuple(LineSeries(line, times, flows[:, k]) for k, line in enumerate(self._lines))
