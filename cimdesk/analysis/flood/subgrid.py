"""The inertial engine on coarse cells that know the ground within them: a city at 20 m over its terrain of 2 m.

The water of a cell is kept over its whole area, so whatever gives and takes water elsewhere in a run need not know of tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.analysis.flood import subgrid_kernels
from cimdesk.analysis.flood.edges import EDGES, Edge, series_at
from cimdesk.analysis.flood.grid import GRAVITY, GridState, Tiles
from cimdesk.analysis.flood.inertial import COURANT, LEAST_WAVE_DEPTH
from cimdesk.analysis.flood.kernels import MIN_FLOW_DEPTH
from cimdesk.analysis.flood.ledger import FloodLedger
from cimdesk.analysis.flood.subgrid_reference import section
from cimdesk.analysis.flood.subgrid_tables import CLOSED, SubgridTables
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import AnyArray, Bool, Float, Float32
from cimdesk.model.flood import EdgeBoundary, FloodScenario


class SubgridEngine:
    """Advances water by local-inertial steps between cells with tables; see `inertial.InertialEngine`.

    Attributes
    ----------
    level : (R + 3, C + 3) float64
        Of the water in each cell at the beginning of the last step, its lowest ground where it is dry [m above the datum].
    """

    def __init__(
        self, scenario: FloodScenario, state: GridState, tiles: Tiles, workers: Workers, ledger: FloodLedger, tables: SubgridTables
    ) -> None:
        self._boundaries = scenario.boundaries
        self._dx = float(scenario.terrain.cell_x)
        self._real: Any = np.dtype(scenario.precision).type
        self._keep = self._real(1.0 - 16.0 * float(np.finfo(self._real).eps))
        self._state, self._tiles, self._workers, self._ledger, self._tables = state, tiles, workers, ledger, tables
        shape = state.h.shape
        self._new_x, self._new_y, self._deep_x, self._deep_y = (np.zeros(shape, dtype=self._real) for _ in range(4))
        self._limits = np.ones(shape, dtype=self._real)
        self.level: Float = tables.bottom.astype(np.float64)
        self.wet: Float = np.zeros(shape)
        self._find_levels()

    def _find_levels(self) -> None:
        t = self._tables
        self._workers.each(
            subgrid_kernels.level_tiles, self._state.h, t.bottom, t.cells, t.sills, self.level, self.wet, self._tiles.depths
        )

    def longest_step(self, time: float, arriving: float) -> float:
        """Return the longest stable time step [s], for the water that stood deepest above a sill when the last step began."""
        deepest = max(float(self._tiles.depths.max(initial=0.0)), arriving)
        return float(COURANT * self._dx / np.sqrt(GRAVITY * max(deepest, LEAST_WAVE_DEPTH)))

    def step(self, time: float, dt: float, rain: float, loss: float, is_due: bool) -> None:
        """Advance to ``time + dt``; see `inertial.InertialEngine.step`."""
        s, t, real, each = self._state, self._tables, self._real, self._workers.each
        dt_dx = real(dt / self._dx)
        self._find_levels()
        each(
            subgrid_kernels.flux_tiles, self.level, s.qx, s.qy, t.west, t.west_curve, t.north, t.north_curve,
            self._new_x, self._new_y, self._deep_x, self._deep_y, GRAVITY * dt / self._dx, GRAVITY * dt,
        )  # fmt: skip
        self._give_edges(time, dt)
        each(subgrid_kernels.limit_tiles, s.h, self._new_x, self._new_y, self._limits, dt_dx, self._keep)
        each(subgrid_kernels.pass_tiles, s.qx, s.qy, self._new_x, self._new_y, self._limits)
        each(
            subgrid_kernels.settle_tiles, s.h, s.lo, s.qx, s.qy, s.rain_share, self.wet, self._deep_x, self._deep_y,
            (s.deepest, s.speed2, s.discharge2, s.arrival), self._tiles.losses, dt_dx, real(rain), float(loss), real(time + dt),
        )  # fmt: skip
        for boundary in self._boundaries:
            if boundary.kind != "closed":
                edge = EDGES[boundary.edge]
                q = s.qx if edge.is_across else s.qy
                self._ledger.book_edge(edge.inward * (q[edge.faces] * dt_dx).astype(np.float64) * self._dx**2)

    def _give_edges(self, time: float, dt: float) -> None:
        """Close the edges of the grid but for what is given there."""
        for edge in EDGES.values():
            new, deep = (self._new_x, self._deep_x) if edge.is_across else (self._new_y, self._deep_y)
            new[edge.faces], deep[edge.faces] = 0.0, 0.0
        for boundary in self._boundaries:
            if boundary.kind != "closed":
                edge = EDGES[boundary.edge]
                new, deep = (self._new_x, self._deep_x) if edge.is_across else (self._new_y, self._deep_y)
                new[edge.faces], deep[edge.faces] = self._given(boundary, edge, time, dt)

    def _given(self, boundary: EdgeBoundary, edge: Edge, time: float, dt: float) -> tuple[Float, Float]:
        """Return discharges and flow depths at the faces of an edge for a step."""
        t, level = self._tables, self.level[edge.cells]
        faces, curves = (t.west, t.west_curve) if edge.is_across else (t.north, t.north_curve)
        faces, curves = faces[edge.faces], curves[edge.faces]
        holds = self._state.h[edge.cells] > 0.0
        if boundary.kind == "level":
            outside = series_at(boundary.level, time + dt) - t.datum
            old = (self._state.qx if edge.is_across else self._state.qy)[edge.faces].astype(np.float64)
            # Beyond the edge the ground is as high as the sill, so water there has a level of no less.
            outside = np.maximum(outside, faces[:, 0].astype(np.float64))
            depth, passed = section(faces, curves, np.maximum(np.where(holds, level, -np.inf), outside))
            flows = (depth > MIN_FLOW_DEPTH) & (passed > 0.0)
            driven = old + edge.inward * GRAVITY * dt / self._dx * depth * (outside - np.maximum(level, faces[:, 0]))
            friction = GRAVITY * dt * depth * np.abs(old) / np.where(flows, passed, 1.0) ** (10.0 / 3.0)
            return np.where(flows, driven / (1.0 + friction), 0.0), depth
        depth, passed = section(faces, curves, np.where(holds, level, -np.inf))
        if boundary.kind == "discharge":
            weights = passed ** (5.0 / 3.0)
            if weights.sum() <= 0.0 and (faces[:, 0] < CLOSED).any():
                weights = (faces[:, 0] <= faces[:, 0].min() + 0.01).astype(np.float64)
            total = series_at(boundary.discharge, time + 0.5 * dt)
            return edge.inward * weights * (total / max(weights.sum() * self._dx, 1e-30)), np.maximum(depth, MIN_FLOW_DEPTH)
        if boundary.kind == "critical":
            return -edge.inward * depth * np.sqrt(GRAVITY * np.where(depth > 0.0, level - faces[:, 0], 0.0)), depth
        return -edge.inward * passed ** (5.0 / 3.0) * np.sqrt(boundary.slope), depth

    def cell_discharges(self) -> tuple[AnyArray, AnyArray]:
        """Return the (R, C) discharges over the width of the cells to the east and to the south [m2 s-1]."""
        s = self._state
        return 0.5 * (s.inside(s.qx) + s.qx[1:-2, 2:-1]), 0.5 * (s.inside(s.qy) + s.qy[2:-1, 1:-2])

    def face_discharges(self, rows: AnyArray, columns: AnyArray, is_across: bool) -> AnyArray:
        """Return (N,) discharges over the width of western (``is_across``) or northern faces of the padded arrays [m2 s-1]."""
        return (self._state.qx if is_across else self._state.qy)[rows, columns]

    def levels_now(self, rows: AnyArray, columns: AnyArray) -> Float:
        """Return the (N,) level of the water in cells of the padded arrays [m]; minus infinity in dry ones."""
        found, t = np.empty(len(rows)), self._tables
        subgrid_kernels.levels_at(rows, columns, self._state.h, self._state.lo, t.bottom, t.cells, found)
        return found + t.datum

    def is_fast(self, limit: float, least_depth: float) -> tuple[int, int]:
        """Return how many faces carry water faster than this Froude number, and how many carry water so deep."""
        fast = wet = 0
        for q, deep in ((self._state.qx, self._deep_x), (self._state.qy, self._deep_y)):
            has = deep > least_depth
            wet += int(np.count_nonzero(has))
            fast += int(np.count_nonzero(np.abs(q[has]) > limit * np.sqrt(GRAVITY * deep[has].astype(np.float64) ** 3)))
        return fast, wet


def levels_of(tables: SubgridTables, held: AnyArray) -> Float:
    """Return the levels [m above the datum] that (R + 3, C + 3) water held in the cells would have."""
    level, wet = tables.bottom.astype(np.float64), np.empty(held.shape)
    whole = np.array([[1, held.shape[0] - 2, 1, held.shape[1] - 2, 1, 0]], dtype=np.int64)
    subgrid_kernels.level_tiles(whole, 0, 1, held, tables.bottom, tables.cells, tables.sills, level, wet, np.zeros(1))
    return level


def shown_depths(tables: SubgridTables, ground: Float32, is_open: Bool, held: AnyArray, factor: int) -> Float32:
    """Return the (R factor, C factor) depths of fine cells below the levels of coarse ones that hold (R, C) water [m]."""
    padded = np.zeros(tables.bottom.shape, dtype=tables.bottom.dtype)
    padded[1:-2, 1:-2] = held
    depth = np.zeros(ground.shape, dtype=np.float32)
    subgrid_kernels.spread_levels(ground, is_open, padded, levels_of(tables, padded) + tables.datum, factor, depth)
    return depth
