"""Runs of small worlds on numba's simulator of a graphics processor, beside the same on the processor; prints figures as JSON.

Run as a program, as the simulator has to be chosen before numba is imported. Every thread of the simulator is one of Python's:
worlds have a hundred cells and runs a few steps.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    warnings.simplefilter("error")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from cimdesk.analysis.flood import grid
from cimdesk.analysis.flood.inundation import NobodyWatches, StackedFrames, run_inundation
from cimdesk.analysis.flood.memory import memory_of, put_back
from cimdesk.base.errors import Cancelled
from cimdesk.model.flood import EdgeBoundary, FloodResult, FloodScenario, Gauge, Inflow, Series
from cimdesk.model.flood_inputs import Culvert, GaugedRain, LineGauge, MovingBed, Pump, Soil, thiessen_shares
from tests.numerics.channels import constant, scenario, town

GRIDS = ("depths", "max_depth", "max_speed", "max_depth_speed", "arrival")


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


def lake(precision: str) -> dict[str, Any]:
    ground, houses = town(12)
    return beside(scenario(ground, 2.0, 6.0, is_blocked=houses, initial_level=0.1, precision=precision))


def dam_break(precision: str) -> dict[str, Any]:
    level = np.where(np.arange(24) < 12, 2.0, 0.1) * np.ones((3, 1))
    return beside(scenario(np.zeros((3, 24)), 5.0, 8.0, initial_level=level, precision=precision, manning_n=0.05, timings=True))


def rain_on_houses(precision: str) -> dict[str, Any]:
    ground, houses = town(12)
    raised = ground + np.where(houses, 6.0, 0.0)
    rain = Series(np.array([0.0, 12.0]), np.array([200.0, 0.0]) / 3.6e6)
    level = raised.astype(np.float64) + 0.1
    return beside(scenario(raised, 5.0, 16.0, rain=rain, initial_level=level, precision=precision, infiltration=1e-6))


def dry_tiles(precision: str) -> dict[str, Any]:
    rows, columns = grid.TILE_ROWS, grid.TILE_COLUMNS
    grid.TILE_ROWS, grid.TILE_COLUMNS = 8, 8
    try:
        pump = Inflow(np.array([[30.0, 30.0]]), constant(2.0), radius=6.0)
        ground = 0.01 * np.indices((12, 26)).sum(axis=0)
        return beside(scenario(ground, 5.0, 30.0, inflows=(pump,), precision=precision))
    finally:
        grid.TILE_ROWS, grid.TILE_COLUMNS = rows, columns


def everything(soil: str = "green-ampt", precision: str = "float32") -> FloodScenario:
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
    return scenario(
        ground, 2.0, 10.0, is_blocked=houses, precision=precision, output_every=5.0, rain=constant(3e-5), infiltration=1e-7,
        rain_field=rain, soil=Soil(soil, parameters, (np.indices((12, 12)).sum(axis=0) % 2).astype(np.uint8)), initial_level=0.1,
        beds=(MovingBed(gate, np.array([2.0, 8.0]), heights),), devices=(pump, culvert), timings=True,
        inflows=(Inflow(np.array([[11.0, 11.0]]), constant(0.2), 3.0),),
        boundaries=(EdgeBoundary("west", "free"), EdgeBoundary("east", "level", level=constant(0.3)),
                    EdgeBoundary("south", "discharge", discharge=constant(0.2)), EdgeBoundary("north", "critical")),
        gauges=(Gauge("G", 9.0, 11.0),), lines=(LineGauge("L", west, np.zeros((0, 3), dtype=int)),),
    )  # fmt: skip


def broken_off() -> dict[str, Any]:
    flood = replace(everything("horton"), device="gpu")
    whole, watch, frames = run_inundation(flood), LooksOn(3.0), StackedFrames()
    with suppress(Cancelled):
        run_inundation(flood, frames=frames, watch=watch)
    continued = run_inundation(flood, frames=frames, watch=LooksOn(memory=watch.memory))
    return {"difference": difference(whole, continued), "began": watch.run.time, "steps": continued.statistics["steps"]}


CASES = {
    **{f"{case.__name__} {precision}": lambda case=case, precision=precision: case(precision)
       for case in (lake, dam_break, rain_on_houses, dry_tiles) for precision in ("float32", "float64")},
    "everything": lambda: beside(everything()),
    "everything float64": lambda: beside(everything("horton", "float64")),
    "broken off": broken_off,
}  # fmt: skip

if __name__ == "__main__":
    print(json.dumps({name: CASES[name]() for name in sys.argv[1:] or CASES}))
