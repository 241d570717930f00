"""The inertial engine's step: de Almeida and Bates (2013), local-inertial shallow water, q-centred, on a staggered grid.

Outflows are scaled so that no cell gives more than it holds, hence depths stay positive without clipping and no water is made
or lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.analysis.flood import kernels, sweep
from cimdesk.analysis.flood.edges import EDGES, given_discharges, series_at
from cimdesk.analysis.flood.grid import GRAVITY, TILE_ROWS, GridState, Tiles
from cimdesk.analysis.flood.ledger import FloodLedger
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import AnyArray
from cimdesk.model.flood import EdgeBoundary, FloodScenario

COURANT = 0.6
"""Share of the time a wave takes across a cell. The alternating mode of two dimensions has 8 C^2 <= 2 (1 + (2 theta - 1)), so
C <= 0.67 at theta = 0.9: the usual 0.7 sets deep, slow rivers ringing.
"""
LEAST_WAVE_DEPTH = 0.05
"""The time step is never longer than for waves on this depth [m]."""
NOTED_EVERY = 3
"""Steps from one look at the running maxima to the next: waves have gone less than two cells. Odd, so that nothing that comes and
goes with every other step hides."""


class InertialEngine:
    """Advances the water of a grid by local-inertial steps; discharges are those through western and northern faces."""

    def __init__(self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger) -> None:
        self._boundaries = scenario.boundaries
        self._dx = float(scenario.terrain.cell_x)
        self._real: Any = np.dtype(scenario.precision).type
        self._keep = self._real(1.0 - 16.0 * float(np.finfo(self._real).eps))
        self._state, self._tiles, self._workers, self._ledger = state, tiles, workers, ledger
        self._given, self._is_given = np.zeros((4, max(state.h.shape)), dtype=self._real), np.zeros(4, dtype=np.uint8)
        for boundary in self._boundaries:
            self._is_given[EDGES[boundary.edge].number] = boundary.kind != "closed"
        down, across = tiles.shape
        self._row_seams = np.zeros((down, 3, sweep.SEAM, state.h.shape[1]), dtype=self._real)
        self._column_seams = np.zeros((across, 3, state.h.shape[0], sweep.SEAM), dtype=self._real)
        self._steps = 0
        self._deepest = float(state.h.max())

    def longest_step(self, time: float, arriving: float) -> float:
        """Return the longest stable time step [s], for the deepest water of the last one."""
        return float(COURANT * self._dx / np.sqrt(GRAVITY * max(self._deepest, LEAST_WAVE_DEPTH)))

    def step(self, time: float, dt: float, rain: float, loss: float, is_due: bool) -> None:
        """Advance to ``time + dt`` while ``rain`` and up to ``loss`` [m] fall and seep away; book what crosses the edges.

        Running maxima are brought up to date every few steps, and when they are due.
        """
        s, real, each = self._state, self._real, self._workers.each
        dt_dx, g_dt_dx = real(dt / self._dx), real(GRAVITY * dt / self._dx)
        for boundary in self._boundaries:
            self._give(boundary, time, dt)
        self._steps += 1
        each(sweep.keep_seams, s.h, s.qx, s.qy, self._row_seams, self._column_seams, weight=sweep.SEAM / TILE_ROWS)
        each(
            sweep.sweep_tiles, s.h, s.lo, s.qx, s.qy, s.z, s.k, s.rain_share, (s.deepest, s.speed2, s.discharge2, s.arrival),
            self._row_seams, self._column_seams, self._is_given, self._given, self._tiles.depths, self._tiles.losses,
            dt_dx, g_dt_dx, real(dt), self._keep, real(rain), real(loss), real(time + dt),
            is_due or self._steps % NOTED_EVERY == 0,
        )  # fmt: skip
        self._record_edges(dt_dx)
        self._deepest = float(self._tiles.depths.max())

    def cell_discharges(self) -> tuple[AnyArray, AnyArray]:
        """Return the (R, C) unit discharges to the east and to the south in the cells [m2 s-1]."""
        s = self._state
        return 0.5 * (s.inside(s.qx) + s.qx[1:-2, 2:-1]), 0.5 * (s.inside(s.qy) + s.qy[2:-1, 1:-2])

    def face_discharges(self, rows: AnyArray, columns: AnyArray, is_across: bool) -> AnyArray:
        """Return (N,) unit discharges through western (``is_across``) or northern faces of cells of the padded arrays [m2 s-1]."""
        return (self._state.qx if is_across else self._state.qy)[rows, columns]

    def _give(self, boundary: EdgeBoundary, time: float, dt: float) -> None:
        """Set the discharges through an edge for the next step."""
        if boundary.kind == "closed":
            return
        edge, s = EDGES[boundary.edge], self._state
        h, z, k = s.h[edge.cells], s.z[edge.cells], s.k[edge.cells]
        new = self._given[edge.number, 1 : 1 + len(h)]
        if boundary.kind == "free":
            kernels.free_edge(h, k, new, edge.inward, boundary.slope, GRAVITY)
        elif boundary.kind == "level":
            old, level = (s.qx if edge.is_across else s.qy)[edge.faces], series_at(boundary.level, time + dt)
            kernels.level_edge(h, z, k, old, new, edge.inward, level, GRAVITY * dt / self._dx, dt)
        elif boundary.kind == "critical":
            new[:] = -edge.inward * np.sqrt(GRAVITY * h) * h
        elif boundary.kind == "discharge":
            discharge = series_at(boundary.discharge, time + 0.5 * dt)
            new[:] = edge.inward * given_discharges(h, z, k, discharge, self._dx)

    def _record_edges(self, dt_dx: Any) -> None:
        for boundary in self._boundaries:
            if boundary.kind != "closed":
                edge = EDGES[boundary.edge]
                q = self._state.qx if edge.is_across else self._state.qy
                self._ledger.book_edge(edge.inward * (q[edge.faces] * dt_dx).astype(np.float64) * self._dx**2)
