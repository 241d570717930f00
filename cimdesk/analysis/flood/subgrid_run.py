"""A run on coarse cells with tables, seen from outside as a run on the fine grid: what is placed on it, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cimdesk.analysis.flood import kernels
from cimdesk.analysis.flood.exchange import Exchange
from cimdesk.analysis.flood.gauges import GaugeLog
from cimdesk.analysis.flood.grid import GRAVITY, cells_of
from cimdesk.analysis.flood.run import FROUDE_CAP, FROUDE_DEPTH, FROUDE_LIMIT, WET_DEPTH, Run
from cimdesk.analysis.flood.structures import exchanges_of
from cimdesk.analysis.flood.subgrid import SubgridEngine, shown_depths
from cimdesk.analysis.flood.subgrid_tables import held_below, subgrid_tables
from cimdesk.base.arrays import AnyArray, Bool, Float, Float32
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.flood_inputs import LineGauge, RainField, Soil


def coarsened(scenario: FloodScenario) -> FloodScenario:
    """Return the scenario on its coarse grid, without devices; water at the start is the run's."""
    subgrid = scenario.subgrid
    assert subgrid is not None
    factor, coarse = subgrid.factor, subgrid.terrain
    manning, soil = scenario.manning_n, scenario.soil
    return replace(
        scenario, terrain=coarse, is_blocked=subgrid.is_closed & np.isfinite(coarse.elevations), subgrid=None, devices=(),
        initial_level=None, gauges=(), manning_n=manning if isinstance(manning, float) else np.float32(manning.mean()).item(),
        rain_field=None if scenario.rain_field is None else _CoarseRain(scenario.rain_field, factor),
        soil=None if soil is None else _coarse_soil(soil, factor, coarse.shape),
        lines=tuple(_coarse_line(line, factor) for line in scenario.lines),
    )  # fmt: skip


def blocks(fine: AnyArray, factor: int) -> AnyArray:
    """Return an (R factor, C factor) array as (R, C, factor squared): the fine cells of each coarse one."""
    rows, columns = fine.shape[0] // factor, fine.shape[1] // factor
    parts = fine[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return np.asarray(parts.transpose(0, 2, 1, 3).reshape(rows, columns, factor * factor))


@dataclass(frozen=True)
class _CoarseRain:
    """Rain that varies, as the mean over coarse cells."""

    whole: RainField
    factor: int

    @property
    def times(self) -> Float:
        """Of the whole."""
        return self.whole.times

    def rate(self, k: int) -> Float32:
        """Return the (R, C) mean rates [m/s]."""
        mean: Float32 = blocks(self.whole.rate(k), self.factor).mean(axis=2).astype(np.float32)
        return mean


def _coarse_soil(soil: Soil, factor: int, shape: tuple[int, int]) -> Soil:
    """Return the soil with the class that most fine cells of a coarse one have."""
    parts = blocks(soil.classes, factor)
    counts = np.stack([(parts == k).sum(axis=2) for k in range(len(soil.parameters))])
    return replace(soil, classes=counts.argmax(axis=0).astype(np.uint8).reshape(shape))


def _coarse_line(line: LineGauge, factor: int) -> LineGauge:
    """Return a line along coarse faces: every corner of the fine ones goes to the nearest corner of a coarse cell."""

    def near(number: AnyArray) -> AnyArray:
        return np.asarray((2 * number + factor) // (2 * factor))

    west, north = line.west_faces, line.north_faces
    first, last = near(west[:, 0]), near(west[:, 0] + 1)
    wests = np.column_stack([first, near(west[:, 1]), west[:, 2]])[first != last]
    first, last = near(north[:, 1]), near(north[:, 1] + 1)
    norths = np.column_stack([near(north[:, 0]), first, north[:, 2]])[first != last]
    return LineGauge(line.name, wests.astype(np.int64), norths.astype(np.int64))


class OnCoarse:
    """Something that exchanges water with fine cells, in a run on coarse ones: it sees the level at its own ground."""

    def __init__(self, exchange: Exchange, ground: Float32, factor: int) -> None:
        self.exchange = exchange
        fine = np.asarray(exchange.cells, dtype=np.int64).reshape(-1, 2)
        self.cells: AnyArray = fine // factor
        self._beds = ground[fine[:, 0], fine[:, 1]].astype(np.float64)
        self._engine: SubgridEngine | None = None

    def meet(self, engine: SubgridEngine) -> None:
        """Be told whose levels it sees."""
        self._engine = engine

    def parts(self) -> dict[str, Any]:
        """Return what besides this changes in a run; see `memory`."""
        inner = getattr(self.exchange, "parts", None)
        return {"own": self.exchange, **(inner() if inner else {})}

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return the volumes wanted [m3], for the water over the own ground of each place."""
        assert self._engine is not None
        level = np.maximum(self._engine.levels_now(self.cells[:, 0] + 1, self.cells[:, 1] + 1), self._beds)
        return self.exchange.step(time, dt, level - self._beds, level)

    def accepted(self, volumes: Float) -> None:
        """Pass it on."""
        self.exchange.accepted(volumes)


class SubgridGauges(GaugeLog):
    """Gauges over the ground of their fine cells."""

    def __init__(self, fine: FloodScenario, run: SubgridRun, coarse: FloodScenario) -> None:
        xy = np.array([(g.x, g.y) for g in fine.gauges], dtype=np.float64).reshape(-1, 2)
        rows, columns, _ = cells_of(fine, xy)
        self._fine_beds = fine.terrain.elevations[rows, columns].astype(np.float64)
        self._engine_of = run.subgrid_engine
        super().__init__(replace(coarse, gauges=fine.gauges), run.state, run.engine)
        self._beds = self._fine_beds

    def _seen(self) -> AnyArray:
        return np.maximum(self._engine_of.levels_now(*self._at) - self._fine_beds, 0.0)


@dataclass(frozen=True)
class _Below:
    """The fine cells: their ground (R, C) [m], and which are open. No part of what a run has to remember."""

    ground: Float32
    is_open: Bool


class SubgridRun(Run):
    """A run whose state is coarse and whose frames, maxima and result are those of the fine grid, unless that is too large."""

    def __init__(self, scenario: FloodScenario, threads: int, cancel: CancelToken, exchanges: Sequence[Exchange] = ()) -> None:
        subgrid = scenario.subgrid
        assert subgrid is not None
        self.fine = scenario
        ground = np.ascontiguousarray(scenario.terrain.elevations)
        self._below = _Below(ground, np.isfinite(ground) & ~scenario.is_blocked)
        self.tables = subgrid_tables(ground, self._below.is_open, scenario.manning_n, subgrid.factor, np.dtype(scenario.precision))
        devices = exchanges_of(scenario.devices, float(subgrid.terrain.cell_x) ** 2)
        placed = [OnCoarse(exchange, ground, subgrid.factor) for exchange in (*devices, *exchanges)]
        coarse = coarsened(scenario)
        super().__init__(coarse, threads, cancel, placed)
        self.devices = devices
        for exchange in placed:
            exchange.meet(self.subgrid_engine)
        self.gauges = SubgridGauges(scenario, self, coarse)

    @property
    def subgrid_engine(self) -> SubgridEngine:
        """The engine."""
        assert isinstance(self.engine, SubgridEngine)
        return self.engine

    def _new_engine(self) -> SubgridEngine:
        return SubgridEngine(self.scenario, self.state, self.tiles, self._workers, self.ledger, self.tables)

    def _fill(self) -> None:
        """Put the water of the start into the cells, and the rain of closed ground within them on their open ground."""
        s, level, subgrid = self.state, self.fine.initial_level, self.fine.subgrid
        assert subgrid is not None
        ground, is_open = self._below.ground, self._below.is_open
        is_ground = np.isfinite(ground) if self.fine.rain_on_blocked == "shed" else is_open
        own = blocks(is_ground, subgrid.factor).mean(axis=2) * self.is_open
        # What falls on cells that are closed as a whole was shared out already.
        s.inside(s.rain_share)[:] += own - self.is_open
        if level is None:
            return
        if isinstance(level, int | float):
            held = held_below(self.tables, float(level))
        else:
            with np.errstate(invalid="ignore"):
                depth = np.asarray(level, dtype=np.float64) - ground
            held = np.zeros(s.h.shape)
            s.inside(held)[:] = blocks(np.where(is_open & (depth > 0.0), depth, 0.0), subgrid.factor).mean(axis=2)
        s.inside(s.h)[:] = np.where(self.is_open, s.inside(held), 0.0)
        s.deepest[:] = s.h
        s.arrival[s.h > kernels.ARRIVAL_DEPTH] = 0.0

    @property
    def depth(self) -> AnyArray:
        """Depths now, of the grid of the result [m]."""
        return self._shown(self.state.h)

    def _shown(self, held: AnyArray) -> Float32:
        """Return depths on the grid of the result: of its fine cells, or as water over the area of coarse ones."""
        subgrid = self.fine.subgrid
        assert subgrid is not None
        if not subgrid.is_downscaled:
            return self.state.inside(held).astype(np.float32)
        below = self._below
        return shown_depths(self.tables, below.ground, below.is_open, self.state.inside(held), subgrid.factor)

    def frame(self) -> Float32:
        """Return the depths now on the grid of the result, and note volume, wet area and Froude numbers."""
        depth = self.depth.astype(np.float32)
        self.ledger.volumes.append(self.state.volume(self._dx**2))
        self.wet_areas.append(float(np.count_nonzero(depth > WET_DEPTH)) * self.fine.result_terrain.cell_x**2)
        fast, wet = self.subgrid_engine.is_fast(FROUDE_LIMIT, FROUDE_DEPTH)
        self._froude_high = max(self._froude_high, fast / wet if wet else 0.0)
        return depth

    def envelopes(self) -> tuple[Float32, Float32, Float32, Float32]:
        """Return greatest depth, speed, depth times speed and arrival; the last three are those of the coarse cells."""
        s = self.state
        deepest = self._shown(s.deepest)
        speed, strength = np.sqrt(s.inside(s.speed2)), np.sqrt(s.inside(s.discharge2))
        arrival = np.where(np.isfinite(s.inside(s.arrival)), s.inside(s.arrival), np.nan)
        is_wet = deepest > 0.0
        fastest = self._spread(speed, is_wet, 0.0)
        fastest = np.minimum(fastest, FROUDE_CAP * np.sqrt(GRAVITY * deepest)).astype(np.float32)
        return (
            deepest, fastest, self._spread(strength, is_wet, 0.0),
            self._spread(arrival, deepest > kernels.ARRIVAL_DEPTH, np.nan),
        )  # fmt: skip

    def _spread(self, values: AnyArray, where: Bool, other: float) -> Float32:
        """Return values of the coarse cells on the grid of the result."""
        subgrid = self.fine.subgrid
        assert subgrid is not None
        if not subgrid.is_downscaled:
            return values.astype(np.float32)
        found: Float32 = np.repeat(np.repeat(values.astype(np.float32), subgrid.factor, axis=0), subgrid.factor, axis=1)
        found[~where] = other
        return found

    def result(self, times: Float, depths: Float32) -> FloodResult:
        """Return what has been simulated so far."""
        result, fine = super().result(times, depths), self.fine
        is_wet = result.max_depth > 0.0
        envelopes = {
            name: self._spread(values, is_wet, 0.0 if name.startswith("duration") else np.nan)
            for name, values in result.envelopes.items()
        }
        return replace(result, terrain=fine.result_terrain, is_blocked=fine.result_blocked, envelopes=envelopes)

    def statistics(self) -> dict[str, Any]:
        """Return the figures of what has been simulated so far."""
        subgrid, deepest = self.fine.subgrid, self._shown(self.state.deepest)
        assert subgrid is not None
        return {
            **super().statistics(),
            "max_depth_m": float(deepest.max(initial=0.0)),
            "wet_area_m2": float(np.count_nonzero(deepest > WET_DEPTH)) * self.fine.result_terrain.cell_x**2,
            "speed_capped_cells": 0,
            "subgrid": {
                "factor": subgrid.factor, "fine_cell": float(self.fine.terrain.cell_x), "is_downscaled": subgrid.is_downscaled,
                "tables_mb": self.tables.nbytes / 1e6,
            },
        }  # fmt: skip
