"""The dynamic engine's step: the full shallow-water equations, second order in space and time; see `dynamic_kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.analysis.flood import dynamic_kernels as kernels
from cimdesk.analysis.flood.edges import EDGES, given_discharges, series_at
from cimdesk.analysis.flood.grid import GRAVITY, GridState, Tiles
from cimdesk.analysis.flood.ledger import FloodLedger
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import AnyArray
from cimdesk.model.flood import FloodScenario

COURANT = 0.45
"""Share of the time the fastest wave takes across a cell."""
LEAST_WAVE_DEPTH = 0.05
"""The time step is never longer than for waves on this depth [m]."""
_GHOSTS = {"free": 0, "level": 1, "critical": 2}


class DynamicEngine:
    """Advances the water of a grid by the full shallow-water equations; discharges are those of cells."""

    def __init__(self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger) -> None:
        self._boundaries = tuple(b for b in scenario.boundaries if b.kind != "closed")
        self._dx = float(scenario.terrain.cell_x)
        self._real: Any = np.dtype(scenario.precision).type
        self._keep = self._real(1.0 - 16.0 * float(np.finfo(self._real).eps))
        self._state, self._tiles, self._workers, self._ledger = state, tiles, workers, ledger
        self._stage = (state.another(), state.another(), state.another(), state.another())
        self._mass_x, self._mass_y = state.another(), state.another()
        length = max(state.h.shape)
        self._edges = np.zeros((2, 4, length), dtype=self._real)
        self._is_given, self._given = np.zeros(4, dtype=np.uint8), np.zeros((4, length), dtype=self._real)
        for boundary in self._boundaries:
            edge = EDGES[boundary.edge]
            if boundary.kind == "discharge":
                self._is_given[edge.number] = 1
            else:
                fall = boundary.slope * self._dx if boundary.kind == "free" else 0.0
                state.z[edge.beyond] = state.z[edge.cells] - self._real(fall)
        self._fastest = float(np.sqrt(GRAVITY * state.h.max()))

    def longest_step(self, time: float, arriving: float) -> float:
        """Return the longest stable time step [s]; depths ``arriving`` [m] and water at the edges may shorten it."""
        fastest = max(self._fastest, float(np.sqrt(GRAVITY * max(LEAST_WAVE_DEPTH, arriving))), self._fastest_beyond(time))
        return float(COURANT * self._dx / fastest)

    def step(self, time: float, dt: float, rain: float, loss: float, is_due: bool) -> None:
        """Advance to ``time + dt`` while ``rain`` and up to ``loss`` [m] fall and seep away; book what crosses the edges."""
        s, real, tiles = self._state, self._real, self._tiles
        start, middle = (s.h, s.lo, s.qx, s.qy), self._stage
        dt_dx, gravity = real(dt / self._dx), real(GRAVITY)
        for is_last, source, target in ((False, start, middle), (True, middle, start)):
            self._fill_edges(source, time + dt * is_last)
            edges = self._edges[int(is_last)]
            self._workers.each(
                kernels.stage_tiles, *source, s.z, s.k, *target, edges, self._mass_x, self._mass_y, s.flags,
                dt_dx, real(dt), gravity, self._keep, is_last, s.rain_share, s.deepest, s.speed2, s.discharge2, s.arrival,
                tiles.depths, tiles.speeds, tiles.losses, real(rain), real(loss), real(time + dt), self._is_given, self._given,
            )  # fmt: skip
            if s.flags.any():
                kernels.repair(
                    tiles.active, s.flags, source[0], source[2], source[3], *target, edges, self._mass_x, self._mass_y,
                    real(0.5 if is_last else 1.0), dt_dx, self._keep,
                )  # fmt: skip
        self._record_edges(dt_dx)
        self._fastest = float(tiles.speeds.max())

    def cell_discharges(self) -> tuple[AnyArray, AnyArray]:
        """Return the (R, C) unit discharges to the east and to the south in the cells [m2 s-1]."""
        s = self._state
        return s.inside(s.qx), s.inside(s.qy)

    def face_discharges(self, rows: AnyArray, columns: AnyArray, is_across: bool) -> AnyArray:
        """Return (N,) unit discharges through western (``is_across``) or northern faces of cells of the padded arrays [m2 s-1]."""
        q = self._state.qx if is_across else self._state.qy
        before = q[rows, columns - 1] if is_across else q[rows - 1, columns]
        return np.asarray(0.5 * (before + q[rows, columns]))

    def _fastest_beyond(self, time: float) -> float:
        """Return the speed of waves that given levels and discharges send through the edges [m s-1]."""
        fastest = 0.0
        for boundary in self._boundaries:
            cell = EDGES[boundary.edge].cells
            z = self._state.z[cell]
            if boundary.kind == "level":
                depth = max(series_at(boundary.level, time) - float(z.min()), 0.0)
                fastest = max(fastest, float(np.sqrt(GRAVITY * depth)))
            elif boundary.kind == "discharge":
                discharge = series_at(boundary.discharge, time)
                q = given_discharges(self._state.h[cell], z, self._state.k[cell], discharge, self._dx).max(initial=0.0)
                fastest = max(fastest, 2.0 * float(GRAVITY * q) ** (1.0 / 3.0))
        return fastest

    def _fill_edges(self, water: tuple[AnyArray, ...], time: float) -> None:
        """Set the water beyond the open edges, or the discharges given there, for the water ``h, lo, qx, qy`` of a stage."""
        h, _, qx, qy = water
        s = self._state
        for boundary in self._boundaries:
            edge = EDGES[boundary.edge]
            cell, beyond = edge.cells, edge.beyond
            along, across = (qx, qy) if edge.is_across else (qy, qx)
            if boundary.kind == "discharge":
                shares = given_discharges(h[cell], s.z[cell], s.k[cell], series_at(boundary.discharge, time), self._dx)
                self._given[edge.number, 1 : 1 + len(shares)] = edge.inward * shares
                continue
            kernels.ghost_cells(
                _GHOSTS[boundary.kind], h[cell], s.z[cell], s.k[cell], along[cell], across[cell],
                h[beyond], along[beyond], across[beyond], -edge.inward, boundary.slope, series_at(boundary.level, time), GRAVITY,
            )  # fmt: skip

    def _record_edges(self, dt_dx: Any) -> None:
        for boundary in self._boundaries:
            edge = EDGES[boundary.edge]
            count = self._state.h.shape[0 if edge.is_across else 1] - 3
            flows = (self._edges[:, edge.number, 1 : 1 + count] * dt_dx).astype(np.float64)
            self._ledger.book_edge(edge.inward * 0.5 * (flows[0] + flows[1]) * self._dx**2)
