"""One flood simulation in progress: set-up, the loop of time steps, water from outside, gauges, water ledger.

What one step does to the water is the engine's: `inertial`, `dynamic`, or that of `subgrid_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from cimdesk.analysis.flood import kernels
from cimdesk.analysis.flood.dynamic import COURANT as DYNAMIC_COURANT
from cimdesk.analysis.flood.dynamic import DynamicEngine
from cimdesk.analysis.flood.edges import series_at
from cimdesk.analysis.flood.envelopes import Envelopes
from cimdesk.analysis.flood.exchange import Exchange, Exchanges
from cimdesk.analysis.flood.gauges import GaugeLog
from cimdesk.analysis.flood.grid import GRAVITY, GridState, Tiles, inflow_cells, new_state
from cimdesk.analysis.flood.hydrology import Hydrology
from cimdesk.analysis.flood.inertial import COURANT as INERTIAL_COURANT
from cimdesk.analysis.flood.inertial import InertialEngine
from cimdesk.analysis.flood.ledger import FloodLedger
from cimdesk.analysis.flood.recorded import HeldExchange
from cimdesk.analysis.flood.structures import MovingBeds, devices_statistics, exchanges_of
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import AnyArray, Bool, Float, Float32
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.model.flood import FloodResult, FloodScenario, Series
from cimdesk.model.flood_flow import FlowFrames, block_flow, blocks_over, packed_flow

WET_DEPTH = 0.03
FROUDE_LIMIT = 0.8
FROUDE_DEPTH = 0.05
FROUDE_CAP = 3.0
"""The inertial engine gives speeds up to this Froude number at the cell's greatest depth: where water falls over a bank into a
cell that runs dry, discharge over depth says nothing."""


class Watch(Protocol):
    """Looks on while a run goes: takes note of where it is, holds it, breaks it off by raising."""

    def began(self, run: Run) -> None:
        """Be told of the run before its first step; what it was like at an earlier moment may be put back."""
        ...

    def stepped(self, run: Run) -> None:
        """Be called between steps."""
        ...

    def kept(self, run: Run, depth: Float32) -> None:
        """Be told of a frame that was kept."""
        ...


class Engine(Protocol):
    """What an engine does: it owns everything about one step but the water that comes from outside."""

    def longest_step(self, time: float, arriving: float) -> float: ...

    def step(self, time: float, dt: float, rain: float, loss: float, is_due: bool) -> None: ...

    def cell_discharges(self) -> tuple[AnyArray, AnyArray]: ...

    def face_discharges(self, rows: AnyArray, columns: AnyArray, is_across: bool) -> AnyArray: ...


ENGINES: dict[str, Callable[..., Engine]] = {"inertial": InertialEngine, "dynamic": DynamicEngine}


class Run:
    """One simulation in progress.

    Attributes
    ----------
    time : float
        Seconds from the start.
    steps : int
    ledger : FloodLedger
    gauges : GaugeLog
    wet_areas : list of float
        Of each frame [m2].
    """

    def __init__(self, scenario: FloodScenario, threads: int, cancel: CancelToken, exchanges: Sequence[Exchange] = ()) -> None:
        self.scenario = scenario
        self.time = self._due = scenario.begin_time
        self.steps = 0
        self._cancel = cancel
        self._dx = float(scenario.terrain.cell_x)
        self._real: Any = np.dtype(scenario.precision).type
        self.is_open: Bool = np.isfinite(scenario.terrain.elevations) & ~scenario.is_blocked
        self.state: GridState = new_state(scenario, self.is_open)
        self._fill()
        self.tiles = Tiles(*scenario.terrain.shape)
        self._workers = Workers(self.tiles, threads)
        self._rain = _Accumulated(scenario.rain)
        self._inflows = self._place_inflows()
        self.devices = exchanges_of(scenario.devices, self._dx**2)
        places = [*self.devices, *exchanges]
        self._exchanges = Exchanges(places, scenario.terrain, self.is_open, scenario.engine == "dynamic")
        self._held = [device for device in self.devices if isinstance(device, HeldExchange)]
        self._beds = MovingBeds(scenario.beds, self.state)
        self._start_tiles()
        self.ledger = FloodLedger(self.state.volume(self._dx**2))
        self._hydrology = Hydrology(scenario, self.state, self.tiles, self._workers, self.ledger)
        self.engine: Engine = self._new_engine()
        self._envelopes = Envelopes(scenario.timings, self.state, self.tiles, self._workers, scenario.begin_time)
        self.gauges = GaugeLog(scenario, self.state, self.engine)
        self.wet_areas: list[float] = []
        self._froude_high = 0.0
        self.step_range = [np.inf, 0.0]

    def _fill(self) -> None:
        """Put what `new_state` does not know into the cells, before anything is summed."""

    def _new_engine(self) -> Engine:
        return ENGINES[self.scenario.engine](self.scenario, self.state, self.tiles, self._workers, self.ledger)

    def __enter__(self) -> Run:
        self._workers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.__exit__()

    @property
    def depth(self) -> AnyArray:
        """(R, C) view of the depths now, of the run's precision [m]."""
        return self.state.inside(self.state.h)

    @property
    def wet_area(self) -> float:
        """Wet area of the last frame [m2]."""
        return self.wet_areas[-1]

    @property
    def frames_kept(self) -> int:
        """How many frames were asked for so far."""
        return len(self.ledger.volumes)

    def parts(self) -> dict[str, Any]:
        """Return the objects that hold all that changes in a run, by name; see `memory`."""
        parts: dict[str, Any] = {
            "run": self, "state": self.state, "tiles": self.tiles, "engine": self.engine, "ledger": self.ledger,
            "hydrology": self._hydrology, "gauges": self.gauges, "beds": self._beds, "envelopes": self._envelopes,
        }  # fmt: skip
        for k, exchange in enumerate(self._exchanges.all):
            inner = getattr(exchange, "parts", None)
            parts[f"exchange {k}"] = exchange
            parts |= {f"exchange {k} {name}": part for name, part in inner().items()} if inner else {}
        return parts

    def mass_error(self) -> float:
        """Return the water that is missing now, as a share of the largest volume held; sums the grid."""
        return self.ledger.mass_error_at(self.state.volume(self._dx**2))

    def advance(self, end: float, progress: Progress = no_progress, watch: Watch | None = None) -> None:
        """Step to ``end`` [s from the start] exactly."""
        duration = self.scenario.duration
        told, self._due = self.time, end
        text = tr("Simulating flood")
        progress(self.time / duration, text)
        while self.time < end:
            self._cancel.raise_if_cancelled()
            left = end - self.time
            dt = self.engine.longest_step(self.time, 0.0)
            if self._inflows or self._held:
                dt = min(dt, self.engine.longest_step(self.time, self._arriving(dt)))
            steps = int(np.ceil(left / dt))
            # The last two steps to an output share what is left, so none is tiny.
            dt = left / steps if steps <= 2 else dt
            self._step(dt, end if steps == 1 else self.time + dt)
            if self.time - told > 0.002 * duration:
                told = self.time
                progress(self.time / duration, text)
            if watch is not None:
                watch.stepped(self)

    def _step(self, dt: float, time: float) -> None:
        rain = self._rain.between(self.time, time)
        loss = self.scenario.infiltration * dt
        self._add_inflows(dt)
        if self._beds:
            self._beds.follow(time)
        if self._exchanges:
            came, went = self._exchanges.apply(self.state, self.time, dt)
            self.ledger.book("exchange_in", came)
            self.ledger.book("exchange_out", went)
        self.engine.step(self.time, dt, rain, loss, time >= self._due)
        area = self._dx**2
        if rain > 0.0:
            self.ledger.book("rain", float(self._real(rain)) * self._rain_cells * area)
        if loss > 0.0:
            self.ledger.book("infiltration", float(self.tiles.losses.sum()) * area)
        self.tiles.follow_water()
        self.time = time
        if self._hydrology:
            self._hydrology.follow(time, time >= self._due)
        if self._envelopes:
            self._envelopes.follow(time, time >= self._due)
        self.steps += 1
        self.step_range = [min(self.step_range[0], dt), max(self.step_range[1], dt)]
        self.gauges.note(time)

    def _start_tiles(self) -> None:
        self._rain_cells = float(self.state.inside(self.state.rain_share).sum(dtype=np.float64))
        wet_rows, wet_columns = np.nonzero(self.state.inside(self.state.h) > 0.0)
        self.tiles.activate_at(wet_rows, wet_columns)
        for rows, columns, _, _ in self._inflows:
            self.tiles.activate_at(rows - 1, columns - 1)
        self.tiles.activate_at(*self._exchanges.cells())
        self.tiles.activate_at(*self._beds.cells())
        if (
            self._rain.total > 0.0
            or self.scenario.rain_field is not None
            or any(boundary.kind in ("level", "discharge") for boundary in self.scenario.boundaries)
        ):
            self.tiles.activate_all()
        if self.scenario.initial_level is not None:
            self.state.arrival[self.state.h > kernels.ARRIVAL_DEPTH] = self.scenario.begin_time

    def _place_inflows(self) -> list[tuple[AnyArray, AnyArray, Float, Series]]:
        placed = []
        for inflow in self.scenario.inflows:
            rows, columns, shares = inflow_cells(self.scenario, self.is_open, inflow.points, inflow.radius)
            if len(rows) == 0:
                raise ValueError("an inflow enters no open cell of the grid")
            placed.append((rows + 1, columns + 1, shares, inflow.discharge))
        return placed

    def _arriving(self, dt: float) -> float:
        """Return the greatest depth [m] that inflows could make in a step if nothing ran off, or that cells are held at."""
        deepest = max((held.deepest(self.time) for held in self._held), default=0.0)
        for rows, columns, shares, series in self._inflows:
            added = shares * (series_at(series, self.time + 0.5 * dt) * dt / self._dx**2)
            deepest = max(deepest, float((self.state.h[rows, columns] + added).max()))
        return deepest

    def _add_inflows(self, dt: float) -> None:
        area = self._dx**2
        for rows, columns, shares, series in self._inflows:
            discharge = series_at(series, self.time + 0.5 * dt)
            if discharge > 0.0:
                depths = (shares * (discharge * dt / area)).astype(self._real)
                added = kernels.add_at(self.state.h, self.state.lo, rows, columns, depths)
                self.ledger.book("inflow", added * area)

    def frame(self) -> Float32:
        """Return the (R, C) float32 depths now, and note volume, wet area and Froude numbers."""
        s = self.state
        depth = s.inside(s.h).astype(np.float32)
        self.ledger.volumes.append(s.volume(self._dx**2))
        self.wet_areas.append(float(np.count_nonzero(depth > WET_DEPTH)) * self._dx**2)
        wet = depth > FROUDE_DEPTH
        if self.steps and (count := np.count_nonzero(wet)):
            qx, qy = self.engine.cell_discharges()
            high = np.hypot(qx[wet], qy[wet]) > FROUDE_LIMIT * np.sqrt(GRAVITY * depth[wet].astype(np.float64) ** 3)
            self._froude_high = max(self._froude_high, int(np.count_nonzero(high)) / int(count))
        return depth

    @property
    def flow_blocks(self) -> FlowFrames:
        """Blocks of cells whose velocities are kept, without frames."""
        return blocks_over(self.scenario.terrain, self.scenario.duration / self.scenario.output_every)[1]

    def flow(self) -> bytes:
        """Return the velocities of blocks of cells now, as `FlowFrames` keep them."""
        factor, _ = blocks_over(self.scenario.terrain, self.scenario.duration / self.scenario.output_every)
        east, south = self.engine.cell_discharges()
        return packed_flow(*block_flow(self.state.inside(self.state.h), east, -south, factor))

    def envelopes(self) -> tuple[Float32, Float32, Float32, Float32]:
        """Return the (R, C) greatest depth [m], speed [m/s] and depth times speed [m2/s] so far, and the time of arrival [s]."""
        s = self.state
        deepest = s.inside(s.deepest).astype(np.float32)
        arrival = s.inside(s.arrival).astype(np.float32)
        return (
            deepest,
            np.minimum(np.sqrt(s.inside(s.speed2)), self._fastest(deepest)).astype(np.float32),
            np.sqrt(s.inside(s.discharge2)).astype(np.float32),
            np.where(np.isfinite(arrival), arrival, np.float32(np.nan)),
        )

    def result(self, times: Float, depths: Float32) -> FloodResult:
        """Return what has been simulated so far."""
        scenario = self.scenario
        deepest, fastest, strongest, arrival = self.envelopes()
        return FloodResult(
            name=scenario.name,
            terrain=scenario.terrain,
            is_blocked=scenario.is_blocked,
            start_time=scenario.start_time,
            times=times,
            depths=depths,
            max_depth=deepest,
            max_speed=fastest,
            max_depth_speed=strongest,
            arrival=arrival,
            gauges=self.gauges.series(),
            volume=np.array(self.ledger.volumes),
            wet_area=np.array(self.wet_areas),
            rain=scenario.rain,
            statistics=self.statistics(),
            lines=self.gauges.lines(),
            envelopes=self._envelopes.grids(),
        )

    def statistics(self) -> dict[str, Any]:
        """Return the figures of what has been simulated so far."""
        scenario = self.scenario
        deepest = self.state.inside(self.state.deepest).astype(np.float32)
        is_inertial = scenario.engine == "inertial"
        return {
            "engine": scenario.engine,
            "precision": scenario.precision,
            "device": "cpu",
            "cfl": INERTIAL_COURANT if is_inertial else DYNAMIC_COURANT,
            "cell": self._dx,
            "cells": int(deepest.size),
            "open_cells": int(np.count_nonzero(self.is_open)),
            "steps": self.steps,
            "step_min_s": float(self.step_range[0]),
            "step_max_s": float(self.step_range[1]),
            "max_depth_m": float(deepest.max()),
            "wet_area_m2": float(np.count_nonzero(deepest > WET_DEPTH)) * self._dx**2,
            "speed_capped_cells": int(np.count_nonzero(np.sqrt(self.state.inside(self.state.speed2)) > self._fastest(deepest))),
            "froude_high_fraction": float(self._froude_high),
            "froude_warning": bool(is_inertial and self._froude_high > 0.01),
            "suggested_engine": "dynamic" if is_inertial and self._froude_high > 0.01 else scenario.engine,
            **devices_statistics(self.devices),
            **self.ledger.statistics(),
        }

    def _fastest(self, deepest: Float32) -> AnyArray:
        """Return the largest speed that is given for cells of this greatest depth [m/s]."""
        cap = FROUDE_CAP if self.scenario.engine == "inertial" else np.inf
        return np.asarray(cap * np.sqrt(GRAVITY * np.maximum(deepest, 1e-30)))


class _Accumulated:
    """Depth fallen up to any time, from rates that are held until the next time."""

    def __init__(self, series: Series | None) -> None:
        self._times = np.zeros(1) if series is None else series.times
        self._rates = np.zeros(1) if series is None else series.values
        steps = np.diff(self._times) * self._rates[:-1]
        self._depths = np.concatenate([[0.0], np.cumsum(steps)])
        self.total = float(self._rates.max(initial=0.0))

    def at(self, time: float) -> float:
        """Return the depth fallen from the first time to ``time`` [m]."""
        k = int(np.searchsorted(self._times, time, side="right")) - 1
        return 0.0 if k < 0 else float(self._depths[k] + self._rates[k] * (time - self._times[k]))

    def between(self, first: float, last: float) -> float:
        """Return the depth fallen between two times [m]."""
        return self.at(last) - self.at(first)
