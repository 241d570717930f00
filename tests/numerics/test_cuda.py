"""The engine on graphics processors gives what it gives on processors: on numba's simulator, and on a real one where one is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimdesk.analysis.flood.cuda_devices import find_gpu
from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.base.errors import ServiceError, UsageError
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Inflow, Series
from cimdesk.model.flood_inputs import Subgrid

from .channels import constant, scenario, town

pytestmark = pytest.mark.timeout(600)

SIMULATED = Path(__file__).with_name("simulated.py")
PRECISIONS = ("float32", "float64")
LOST = {"float32": 1e-6, "float64": 1e-12}


@pytest.fixture(scope="module")
def simulated() -> dict:
    """What the simulator found, in a process of its own: it must be chosen before numba is imported."""
    done = subprocess.run(
        [sys.executable, str(SIMULATED)], capture_output=True, text=True, timeout=580, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_lake_among_houses_stays_at_rest(simulated: dict, precision: str):
    lake = simulated[f"lake {precision}"]
    assert lake["moving"] <= (1e-14 if precision == "float64" else 1e-6)
    assert 0.2 < lake["wet"] < 0.9, "part of the ground must stand out of the water"


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", ["lake", "dam_break", "rain_on_houses", "dry_tiles"])
def test_every_grid_is_that_of_the_processor_and_no_water_is_lost(simulated: dict, case: str, precision: str):
    found = simulated[f"{case} {precision}"]
    assert (found["device"], found["processor"]) == ("gpu", "cpu")
    assert found["steps"] == found["processor_steps"]
    assert found["difference"] == 0.0
    assert abs(found["mass_error"]) <= LOST[precision]
    assert found["least"] >= 0.0


def test_cells_that_run_dry_give_no_more_than_they_hold(simulated: dict):
    """Water slides off the roofs: without the limits of outflows there would be negative depths."""
    found = simulated["rain_on_houses float64"]
    assert found["deepest"] > 0.3
    assert found["infiltration_m3"] > 0.0


@pytest.mark.parametrize(("case", "lost"), [("everything", 1e-6), ("everything float64", 1e-12)])
def test_rain_fields_soil_gates_pumps_culverts_edges_gauges_and_lines_are_those_of_the_processor(
    simulated: dict, case: str, lost: float
):
    found = simulated[case]
    assert found["difference"] == 0.0
    assert abs(found["mass_error"]) <= lost
    assert found["infiltration_m3"] > 0.0


def test_a_run_that_was_broken_off_goes_on_to_the_last_bit(simulated: dict):
    found = simulated["broken off"]
    assert found["began"] >= 3.0
    assert found["difference"] == 0.0


def small(**fields) -> FloodScenario:
    return scenario(np.zeros((8, 8)), 5.0, 2.0, initial_level=0.1, **fields)


def test_results_on_processors_say_so():
    assert run_inundation(small()).statistics["device"] == "cpu"


@pytest.mark.parametrize("fields", [{"engine": "dynamic"}, {"subgrid": "some"}])
def test_what_no_graphics_processor_computes_is_refused_when_asked_for_and_left_to_the_processor_otherwise(fields: dict):
    from cimdesk.analysis.flood.cuda_devices import device_of

    if "subgrid" in fields:
        fields = {"subgrid": Subgrid.__new__(Subgrid)}
    with pytest.raises(UsageError, match="inertial"):
        device_of(small(device="gpu", **fields))
    assert device_of(small(device="auto", **fields)) == "cpu"


@pytest.mark.skipif(not find_gpu().reason, reason="there is a graphics processor")
def test_without_a_graphics_processor_asking_for_it_is_an_error_and_letting_choose_is_not():
    with pytest.raises(ServiceError, match="graphics processor: ") as refused:
        run_inundation(small(device="gpu"))
    assert refused.value.remedy
    assert run_inundation(small(device="auto")).statistics["device"] == "cpu"


needs_gpu = pytest.mark.skipif(bool(find_gpu().reason), reason=f"no graphics processor to test on: {find_gpu().reason}")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_real_device_agrees_with_the_processor_on_a_town(precision: str):
    ground, houses = town(300)
    rain = Series(np.array([0.0, 300.0]), np.array([50.0, 0.0]) / 3.6e6)
    flood = scenario(
        ground, 2.0, 600.0, is_blocked=houses, rain=rain, precision=precision, timings=True, output_every=200.0,
        inflows=(Inflow(np.array([[300.0, 300.0]]), constant(3.0), 6.0),),
        boundaries=(EdgeBoundary("west", "free"), EdgeBoundary("east", "level", level=constant(0.3))),
    )  # fmt: skip
    one, other = run_inundation(flood, threads=2), run_inundation(replace(flood, device="gpu"))
    close = 2e-3 if precision == "float32" else 1e-6
    assert np.abs(one.depths - other.depths).max() <= close
    assert abs(other.statistics["mass_error"]) <= LOST[precision]
    np.testing.assert_array_equal(other.depths, run_inundation(replace(flood, device="gpu")).depths)


@pytest.mark.gpu
@needs_gpu
def test_a_lake_stays_at_rest_on_a_real_device():
    ground, houses = town(70)
    for precision, still in (("float64", 1e-14), ("float32", 1e-6)):
        lake = scenario(ground, 2.0, 200.0, is_blocked=houses, initial_level=0.15, precision=precision, device="gpu")
        assert run_inundation(lake).max_depth_speed.max() <= still
