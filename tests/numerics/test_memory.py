"""A run that was broken off and put back goes on to the last bit, with everything that a scenario can hold."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import NobodyWatches, Run, StackedFrames, run_inundation
from cimdesk.analysis.flood.memory import memory_of, put_back
from cimdesk.base.errors import Cancelled
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Gauge, Inflow, Series
from cimdesk.model.flood_inputs import Culvert, GaugedRain, LineGauge, MovingBed, Pump, Soil, Storage, thiessen_shares

from .channels import constant, scenario, town

ENGINES = ("inertial", "dynamic")
CELLS = 60


def everything(engine: str, precision: str = "float32", soil: str = "green-ampt") -> FloodScenario:
    """Return a town with rain fields, soil, gates, pumps, culverts, tanks, inflows, edges and gauges."""
    ground, houses = town(CELLS)
    ground[:, 30] += 1.5
    houses[:, 29:32] = houses[:5, 5:20] = False
    houses[48:53, 48:53] = houses[10:14, 10:14] = False
    centres = (np.arange(CELLS) + 0.5) * 2.0
    shares = thiessen_shares(centres, centres[::-1], np.array([[20.0, 20.0], [100.0, 90.0]]))
    rain = GaugedRain(np.array([0.0, 100.0, 250.0]), np.array([[2e-5, 1e-5], [5e-5, 8e-5], [0.0, 1e-5]]), shares)
    gate = np.column_stack([np.arange(20, 26), np.full(6, 30)])
    heights = np.array([ground[gate[:, 0], 30], ground[gate[:, 0], 30] - 1.5]).astype(np.float64)
    parameters = np.array([[1e-6, 0.1, 0.2], [3e-6, 0.2, 0.3]])
    if soil == "horton":
        parameters = np.array([[2e-5, 1e-6, 1e-3], [5e-6, 1e-6, 2e-3]])
    tank = Storage("T", np.array([[2, 8], [2, 9]]), 30.0, float(ground[2, 8:10].max()), 4.0, 0.01)
    devices = (
        Pump("P", np.array([[12, 12], [50, 50]]), 0.05, float(ground[12, 12]) + 0.02, float(ground[12, 12])),
        Culvert("C", np.array([[40, 29], [40, 31]]), (float(ground[40, 29]), float(ground[40, 31])), 0.5, 0.5, 4.0),
        tank,
    )
    west = np.array([[k, 20, 1] for k in range(CELLS)])
    return scenario(
        ground, 2.0, 400.0, is_blocked=houses, engine=engine, precision=precision, output_every=100.0,
        rain=Series(np.array([0.0, 60.0, 300.0]), np.array([3e-5, 6e-5, 0.0])), infiltration=1e-7, rain_field=rain,
        soil=Soil(soil, parameters, (np.indices((CELLS, CELLS)).sum(axis=0) % 2).astype(np.uint8)),
        beds=(MovingBed(gate, np.array([50.0, 220.0]), heights),), devices=devices,
        inflows=(Inflow(np.array([[101.0, 19.0]]), Series(np.array([0.0, 200.0, 400.0]), np.array([0.0, 0.4, 0.1])), 4.0),),
        boundaries=(EdgeBoundary("west", "free"), EdgeBoundary("east", "level", level=constant(0.3)),
                    EdgeBoundary("south", "discharge", discharge=constant(0.2))),
        gauges=(Gauge("G", 25.0, 95.0),), lines=(LineGauge("L", west, np.zeros((0, 3), dtype=int)),),
    )  # fmt: skip


class Breaks(NobodyWatches):
    """Breaks a run off at a time, with what it knew."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.memory: dict = {}
        self.step = 0

    def stepped(self, run: Run) -> None:
        if run.time >= self.at:
            self.memory = copy.deepcopy(memory_of(run))
            self.step = run.steps
            raise Cancelled


class PutsBack(NobodyWatches):
    def __init__(self, memory: dict) -> None:
        self.memory = memory

    def began(self, run: Run) -> None:
        put_back(run, self.memory)


def broken_and_continued(flood: FloodScenario, at: float, threads: int = 1):
    frames, watch = StackedFrames(), Breaks(at)
    with pytest.raises(Cancelled):
        run_inundation(flood, 1, frames=frames, watch=watch)
    assert watch.step > 0
    return run_inundation(flood, threads, frames=frames, watch=PutsBack(watch.memory))


def assert_same(one, other) -> None:
    for name in ("depths", "max_depth", "max_speed", "max_depth_speed", "arrival", "times", "volume", "wet_area"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.statistics == other.statistics
    for a, b in zip(one.gauges, other.gauges, strict=True):
        np.testing.assert_array_equal(a.times, b.times)
        np.testing.assert_array_equal(a.levels, b.levels)
    for a, b in zip(one.lines, other.lines, strict=True):
        np.testing.assert_array_equal(a.discharges, b.discharges)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("at", [3.0, 153.0, 360.0])
def test_a_run_with_everything_goes_on_to_the_last_bit(engine, at):
    flood = everything(engine)
    whole = run_inundation(flood)
    assert whole.statistics["infiltration_m3"] > 0.0
    assert whole.statistics["exchange_in_m3"] > 0.0
    assert whole.statistics["stored_m3"] > 0.0
    assert_same(whole, broken_and_continued(flood, at))


@pytest.mark.parametrize("engine", ENGINES)
def test_it_does_in_double_precision_with_horton_and_on_more_threads(engine):
    flood = everything(engine, "float64", "horton")
    assert_same(run_inundation(flood), broken_and_continued(flood, 130.0, threads=2))


@pytest.mark.parametrize("engine", ENGINES)
def test_it_does_where_only_some_tiles_are_wet(engine):
    ground = np.zeros((200, 1200))
    flood = scenario(
        ground, 5.0, 120.0, engine=engine, output_every=40.0, inflows=(Inflow(np.array([[3000.0, 500.0]]), constant(60.0)),)
    )
    assert_same(run_inundation(flood), broken_and_continued(flood, 50.0))


def test_what_belongs_to_another_scenario_is_not_put_back():
    flood = everything("inertial")
    watch = Breaks(50.0)
    with pytest.raises(Cancelled):
        run_inundation(flood, watch=watch)
    with pytest.raises(ValueError, match="parts"):
        run_inundation(replace(flood, devices=()), watch=PutsBack(watch.memory))
    with pytest.raises(ValueError, match="knows no"):
        run_inundation(replace(flood, engine="dynamic"), watch=PutsBack(watch.memory))
