"""Runs of small worlds on numba's simulator of a graphics processor, beside the same on the processor; prints figures as JSON.

Run as a program, as the simulator has to be chosen before numba is imported. Threads of a block take turns, in an order of chance:
no kernel has them wait for one another. It is slow: worlds have a hundred cells and runs a few steps.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import warnings
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    warnings.simplefilter("error")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from cimdesk.analysis.flood import cuda_run, grid
from cimdesk.analysis.flood.inundation import NobodyWatches, StackedFrames, new_run, run_inundation
from cimdesk.analysis.flood.memory import memory_of, put_back
from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import EdgeBoundary, FloodResult, FloodScenario, Gauge, Inflow, Series
from cimdesk.model.flood_inputs import Culvert, GaugedRain, LineGauge, MovingBed, Pump, Soil, thiessen_shares
from tests.numerics.channels import constant, scenario, town

GRIDS = ("depths", "max_depth", "max_speed", "max_depth_speed", "arrival")


def take_turns() -> None:
    """Run the threads of the simulator one after the other, shuffled, instead of as threads of Python's, which begin slowly."""
    from numba.cuda.simulator.kernel import BlockManager
    from numba.cuda.simulator.kernelapi import Dim3

    chance, me = np.random.default_rng(7), threading.current_thread()

    def run(self: Any, block: tuple[int, int, int], *arguments: Any) -> None:
        threads = list(np.ndindex(*self._block_dim))
        for k in chance.permutation(len(threads)):
            vars(me).update(blockIdx=Dim3(*block), threadIdx=Dim3(*threads[k]))
            self._f(*arguments)

    BlockManager.run = run


class LooksOn(NobodyWatches):
    """Keeps the run, breaks it off at a time, or puts an earlier one back."""

    def __init__(self, until: float = np.inf, memory: dict | None = None) -> None:
        self.until, self.memory = until, memory

    def began(self, run: Any) -> None:
        self.run = run
        if self.memory is not None:
            put_back(run, self.memory)

    def stepped(self, run: Any) -> None:
        if run.time >= self.until:
            self.memory = deepcopy(memory_of(run))
            raise Cancelled


def difference(one: FloodResult, other: FloodResult) -> float:
    """Return the largest difference in any grid, envelope, gauge or line; infinite where one is dry and the other not."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in GRIDS]
    pairs += [(one.envelopes[name], other.envelopes[name]) for name in one.envelopes]
    pairs += [(a.depths, b.depths) for a, b in zip(one.gauges, other.gauges, strict=True)]
    pairs += [(a.discharges, b.discharges) for a, b in zip(one.lines, other.lines, strict=True)]
    most = 0.0
    for a, b in pairs:
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            return float("inf")
        most = max(most, float(np.abs(np.nan_to_num(a) - np.nan_to_num(b)).max(initial=0.0)))
    return most


def beside(flood: FloodScenario) -> dict[str, Any]:
    """Run a scenario on both; return what differs and what is lost."""
    watch = LooksOn()
    one, other = run_inundation(flood), run_inundation(replace(flood, device="gpu"), watch=watch)
    stated = {key: other.statistics[key] for key in ("device", "device_name", "mass_error", "steps", "infiltration_m3")}
    state = watch.run.state
    return {
        **stated, "difference": difference(one, other), "processor": one.statistics["device"],
        "processor_steps": one.statistics["steps"], "lost_on_processor": one.statistics["mass_error"],
        "moving": float(max(np.abs(state.qx).max(), np.abs(state.qy).max())), "least": float(state.h.min()),
        "deepest": float(other.max_depth.max()), "wet": float(np.mean(other.max_depth > 0.01)),
    }  # fmt: skip


def lake(precision: str, engine: str) -> dict[str, Any]:
    ground, houses = town(12)
    return beside(scenario(ground, 2.0, 4.0, is_blocked=houses, initial_level=0.1, precision=precision, engine=engine))


def dam_break(precision: str, engine: str) -> dict[str, Any]:
    level = np.where(np.arange(24) < 12, 2.0, 0.0) * np.ones((3, 1))
    return beside(
        scenario(np.zeros((3, 24)), 5.0, 8.0, initial_level=level, precision=precision, manning_n=0.05, timings=True, engine=engine)
    )


def rain_on_houses(precision: str, engine: str) -> dict[str, Any]:
    ground, houses = town(12)
    raised = ground + np.where(houses, 6.0, 0.0)
    rain = Series(np.array([0.0, 12.0]), np.array([200.0, 0.0]) / 3.6e6)
    level = raised.astype(np.float64) + 0.1
    return beside(
        scenario(
            raised, 5.0, 8.0, rain=rain, initial_level=level, precision=precision, infiltration=1e-6, engine=engine, manning_n=0.01
        )
    )


def dry_tiles(precision: str, engine: str) -> dict[str, Any]:
    rows, columns = grid.TILE_ROWS, grid.TILE_COLUMNS
    grid.TILE_ROWS, grid.TILE_COLUMNS = 8, 8
    try:
        pump = Inflow(np.array([[30.0, 30.0]]), constant(2.0), radius=6.0)
        ground = 0.01 * np.indices((12, 26)).sum(axis=0)
        return beside(
            scenario(ground, 5.0, 14.0 if engine == "dynamic" else 30.0, inflows=(pump,), precision=precision, engine=engine)
        )
    finally:
        grid.TILE_ROWS, grid.TILE_COLUMNS = rows, columns


def overdrawn(precision: str) -> dict[str, Any]:
    """Advance water at random, over three tiles by two, so far that cells give more than they hold; compare all of it."""
    chance, edges = np.random.default_rng(11), ("free", "level", "discharge", "critical")
    shape, rows, columns = (13, 21), grid.TILE_ROWS, grid.TILE_COLUMNS
    grid.TILE_ROWS, grid.TILE_COLUMNS = 8, 8
    boundaries = tuple(
        EdgeBoundary(edge, kind, level=constant(0.4), discharge=constant(6.0))
        for edge, kind in zip(("west", "east", "south", "north"), edges, strict=True)
    )
    flood = scenario(
        chance.normal(0.0, 0.3, shape), 2.0, 10.0, is_blocked=chance.random(shape) < 0.08, boundaries=boundaries,
        engine="dynamic", precision=precision, infiltration=1e-4,
    )  # fmt: skip
    depth = np.where(chance.random(shape) > 0.2, chance.gamma(1.0, 0.4, shape), 0.0) * ~flood.is_blocked
    speeds = chance.normal(0.0, 1.5, (2, *shape))
    seen, cut = [], 0
    try:
        for device in ("cpu", "gpu"):
            run = new_run(replace(flood, device=device), 1, CancelToken())
            assert isinstance(run, cuda_run.CudaRun) == (device == "gpu")
            s, engine = run.state, run.engine
            for array, values in ((s.h, depth), (s.qx, depth * speeds[0]), (s.qy, depth * speeds[1])):
                s.inside(array)[:] = values
            run.tiles.activate_all()
            with run:
                engine.step(0.0, 0.5, 0.01, 1e-3, True)
                cut += int(s.flags.sum())
            seen.append([s.h, s.lo, s.qx, s.qy, s.deepest, s.speed2, s.arrival, run.tiles.speeds, engine._edges])
    finally:
        grid.TILE_ROWS, grid.TILE_COLUMNS = rows, columns
    unequal = sum(int(np.count_nonzero(a != b)) for a, b in zip(*seen, strict=True))
    return {"unequal": unequal, "cut": cut, "fastest": float(run.tiles.speeds.max())}


def everything(soil: str = "green-ampt", precision: str = "float32", engine: str = "inertial") -> FloodScenario:
    ground, houses = town(12)
    houses[5:7, 3:9] = False
    centres = (np.arange(12) + 0.5) * 2.0
    shares = thiessen_shares(centres, centres[::-1], np.array([[4.0, 4.0], [20.0, 18.0]]))
    rain = GaugedRain(np.array([0.0, 10.0]), np.array([[2e-5, 1e-5], [5e-5, 8e-5]]), shares)
    gate = np.array([[5, 5], [6, 5]])
    heights = np.array([ground[gate[:, 0], 5] + 0.5, ground[gate[:, 0], 5]]).astype(np.float64)
    parameters = np.array([[1e-6, 0.1, 0.2], [3e-6, 0.2, 0.3]])
    if soil == "horton":
        parameters = np.array([[2e-5, 1e-6, 1e-3], [5e-6, 1e-6, 2e-3]])
    pump = Pump("P", np.array([[6, 4], [6, 8]]), 0.05, float(ground[6, 4]) + 0.02, float(ground[6, 4]))
    culvert = Culvert("C", np.array([[5, 3], [5, 7]]), (float(ground[5, 3]), float(ground[5, 7])), 0.5, 0.5, 4.0)
    west = np.array([[row, 6, 1] for row in range(12)])
    duration = 4.0 if engine == "dynamic" else 10.0
    return scenario(
        ground, 2.0, duration, is_blocked=houses, precision=precision, engine=engine, output_every=0.5 * duration,
        rain=constant(3e-5),
        infiltration=1e-7, rain_field=rain, initial_level=0.1,
        soil=Soil(soil, parameters, (np.indices((12, 12)).sum(axis=0) % 2).astype(np.uint8)),
        beds=(MovingBed(gate, np.array([0.5, 8.0]), heights),), devices=(pump, culvert), timings=True,
        inflows=(Inflow(np.array([[11.0, 11.0]]), constant(0.2), 3.0),),
        boundaries=(EdgeBoundary("west", "free"), EdgeBoundary("east", "level", level=constant(0.3)),
                    EdgeBoundary("south", "discharge", discharge=constant(0.2)), EdgeBoundary("north", "critical")),
        gauges=(Gauge("G", 9.0, 11.0),), lines=(LineGauge("L", west, np.array([[6, column, -1] for column in range(6)])),),
    )  # fmt: skip


def all_inputs(soil: str, precision: str, engine: str) -> dict[str, Any]:
    return beside(everything(soil, precision, engine))


def broken_off(engine: str) -> dict[str, Any]:
    flood = replace(everything("horton", engine=engine), device="gpu")
    whole, watch, frames = run_inundation(flood), LooksOn(0.3 * flood.duration), StackedFrames()
    with suppress(Cancelled):
        run_inundation(flood, frames=frames, watch=watch)
    continued = run_inundation(flood, frames=frames, watch=LooksOn(memory=watch.memory))
    return {
        "difference": difference(whole, continued),
        "began": watch.run.time / flood.duration,
        "steps": continued.statistics["steps"],
    }


WORLDS = (lake, dam_break, rain_on_houses, dry_tiles)
CASES = {
    **{
        f"{world.__name__} {engine} {precision}": partial(world, precision, engine)
        for world in WORLDS for engine in ("inertial", "dynamic") for precision in ("float32", "float64")
    },
    **{
        f"everything {engine} {precision}": partial(all_inputs, soil, precision, engine)
        for soil, precision in (("green-ampt", "float32"), ("horton", "float64")) for engine in ("inertial", "dynamic")
    },
    **{f"overdrawn dynamic {precision}": partial(overdrawn, precision) for precision in ("float32", "float64")},
    **{f"broken off {engine}": partial(broken_off, engine) for engine in ("inertial", "dynamic")},
}  # fmt: skip

if __name__ == "__main__":
    take_turns()
    print(json.dumps({name: CASES[name]() for name in sys.argv[1:] or CASES}))
