"""The engine on graphics processors gives what it gives on processors: on numba's simulator, and on a real one where one is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest

from cimdesk.analysis.flood import cuda_run
from cimdesk.analysis.flood.cuda_devices import device_of, find_gpu
from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.base.errors import ServiceError, UsageError
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Inflow, Series
from cimdesk.model.flood_inputs import Subgrid

from .channels import constant, scenario, town
from .kernel_code import compiled_kernels, why_no_compiler
from .simulated import everything

pytestmark = pytest.mark.timeout(600)

SIMULATED = Path(__file__).with_name("simulated.py")
PRECISIONS = ("float32", "float64")
ENGINES = ("inertial", "dynamic")
LOST = {"float32": 1e-6, "float64": 1e-12}
both = [pytest.mark.parametrize("precision", PRECISIONS), pytest.mark.parametrize("engine", ENGINES)]


def for_both(test):
    """Run a test for both engines and both precisions."""
    return both[0](both[1](test))


@pytest.fixture(scope="module")
def simulated() -> dict:
    """What the simulator found, in a process of its own: it must be chosen before numba is imported."""
    # With the kernels that other tests have compiled.
    kept = {"NUMBA_CACHE_DIR": str(vars(numba.config)["CACHE_DIR"])}
    done = subprocess.run(
        [sys.executable, str(SIMULATED)], capture_output=True, text=True, timeout=580, check=False, env=os.environ | kept
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@for_both
def test_a_lake_among_houses_stays_at_rest(simulated: dict, engine: str, precision: str):
    lake = simulated[f"lake {engine} {precision}"]
    assert lake["moving"] <= (1e-14 if precision == "float64" else 1e-6)
    assert 0.2 < lake["wet"] < 0.9, "part of the ground must stand out of the water"


@for_both
@pytest.mark.parametrize("case", ["lake", "dam_break", "rain_on_houses", "dry_tiles"])
def test_every_grid_is_that_of_the_processor_and_no_water_is_lost(simulated: dict, case: str, engine: str, precision: str):
    found = simulated[f"{case} {engine} {precision}"]
    assert (found["device"], found["processor"]) == ("gpu", "cpu")
    assert found["steps"] == found["processor_steps"]
    assert found["difference"] == 0.0
    assert abs(found["mass_error"]) <= LOST[precision]
    assert found["least"] >= 0.0


@pytest.mark.parametrize("engine", ENGINES)
def test_cells_that_run_dry_give_no_more_than_they_hold(simulated: dict, engine: str):
    """Water slides off the roofs: without the limits of outflows there would be negative depths."""
    found = simulated[f"rain_on_houses {engine} float64"]
    assert found["deepest"] > 0.3
    assert found["infiltration_m3"] > 0.0


@pytest.mark.parametrize("precision", PRECISIONS)
def test_outflows_of_overdrawn_cells_are_cut_as_on_the_processor(simulated: dict, precision: str):
    """Over seams of tiles and open edges, to the last bit in water, remainders, discharges, maxima and what crossed the edges."""
    found = simulated[f"overdrawn dynamic {precision}"]
    assert found["cut"] > 8
    assert found["unequal"] == 0


@for_both
def test_rain_fields_soil_gates_pumps_culverts_edges_gauges_and_lines_are_those_of_the_processor(
    simulated: dict, engine: str, precision: str
):
    found = simulated[f"everything {engine} {precision}"]
    assert found["difference"] == 0.0
    assert abs(found["mass_error"]) <= LOST[precision]
    assert found["infiltration_m3"] > 0.0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_was_broken_off_goes_on_to_the_last_bit(simulated: dict, engine: str):
    found = simulated[f"broken off {engine}"]
    assert 0.3 <= found["began"] < 0.9
    assert found["difference"] == 0.0


@pytest.mark.skipif(bool(why_no_compiler()), reason=f"no compiler for graphics processors: {why_no_compiler()}")
def test_every_kernel_compiles_for_real_devices():
    made = compiled_kernels((7, 5))
    per_precision = {"flow_cells", "limit_cells", "settle_cells", "face_cells", "advance_cells", "finish_cells", "repair_cells"}
    names = {(code.kernel, code.precision) for code in made}
    assert names >= {(kernel, precision) for kernel in per_precision for precision in PRECISIONS}
    assert {code.kernel for code in made} >= {"soil_cells", "note_cells", "sum_strips", "gather", "scatter"}
    for code in made:
        assert not re.search(r"(div|sqrt)\.(approx|full)|\.ftz\.f32", code.ptx), f"{code.kernel} divides roughly"
        if code.precision == "float32" and code.kernel in ("limit_cells", "advance_cells", "repair_cells"):
            assert not re.search(r"(add|sub|mul|div|fma|sqrt)[.\w]*\.f64", code.ptx), "doubles are slow on most devices"


def small(**fields) -> FloodScenario:
    return scenario(np.zeros((8, 8)), 5.0, 2.0, initial_level=0.1, **fields)


def test_results_on_processors_say_so():
    assert run_inundation(small()).statistics["device"] == "cpu"


def test_coarse_cells_are_refused_when_a_graphics_processor_is_asked_for_and_left_to_the_processor_otherwise():
    coarse = {"subgrid": Subgrid.__new__(Subgrid)}
    with pytest.raises(UsageError, match="coarse cells"):
        device_of(small(device="gpu", **coarse))
    assert device_of(small(device="auto", **coarse)) == "cpu"


@pytest.mark.skipif(not find_gpu().reason, reason="there is a graphics processor")
def test_without_a_graphics_processor_asking_for_it_is_an_error_and_letting_choose_is_not():
    with pytest.raises(ServiceError, match="graphics processor: ") as refused:
        run_inundation(small(device="gpu"))
    assert refused.value.remedy
    assert run_inundation(small(device="auto")).statistics["device"] == "cpu"


def test_too_little_free_graphics_memory_is_said_before_the_first_step(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda_run, "need_gpu", lambda: "H100")
    memory = SimpleNamespace(get_memory_info=lambda: (2**27, 2**37))
    monkeypatch.setattr(cuda_run, "cuda", SimpleNamespace(current_context=lambda: memory))
    with pytest.raises(ServiceError, match=r"needs 0\.3 GB of graphics memory, and 0\.1 GB are free"):
        cuda_run.CudaRun(small(engine="dynamic"), 1, CancelToken())


needs_gpu = pytest.mark.skipif(bool(find_gpu().reason), reason=f"no graphics processor to test on: {find_gpu().reason}")


@pytest.mark.gpu
@needs_gpu
@for_both
def test_a_real_device_agrees_with_the_processor_on_a_town(engine: str, precision: str):
    ground, houses = town(300)
    rain = Series(np.array([0.0, 300.0]), np.array([50.0, 0.0]) / 3.6e6)
    flood = scenario(
        ground, 2.0, 600.0, is_blocked=houses, rain=rain, precision=precision, timings=True, output_every=200.0, engine=engine,
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
@for_both
def test_everything_at_once_agrees_on_a_real_device(engine: str, precision: str):
    flood = everything("horton", precision, engine)
    one, other = run_inundation(flood), run_inundation(replace(flood, device="gpu"))
    assert np.abs(one.depths - other.depths).max() <= (1e-4 if precision == "float32" else 1e-6)
    assert abs(other.statistics["mass_error"]) <= LOST[precision]


@pytest.mark.gpu
@needs_gpu
@for_both
def test_a_lake_stays_at_rest_on_a_real_device(engine: str, precision: str):
    ground, houses = town(70)
    lake = scenario(ground, 2.0, 200.0, is_blocked=houses, initial_level=0.15, precision=precision, device="gpu", engine=engine)
    found = run_inundation(lake)
    assert np.abs(found.depths[-1] - found.depths[0]).max() <= 1e-6
    # On processors 1.02e-6 in the dynamic engine.
    assert found.max_depth_speed.max() <= (1e-14 if precision == "float64" else 1e-6 if engine == "inertial" else 2e-6)


@pytest.mark.gpu
@needs_gpu
def test_water_over_a_dry_bed_runs_as_ritter_says_on_a_real_device():
    """Against the exact solution of a dam break, as on the processor."""
    count, depth, time = 200, 0.005, 6.0
    dx = 10.0 / count
    x = (np.arange(count) + 0.5) * dx - 5.0
    level = np.where(x < 0.0, depth, 0.0) * np.ones((3, 1))
    flood = scenario(
        np.zeros((3, count)), dx, time, initial_level=level, manning_n=0.0, precision="float64", engine="dynamic", device="gpu"
    )
    c = np.sqrt(9.81 * depth)
    fan = (2.0 * c - x / time) ** 2 / (9.0 * 9.81)
    exact = np.where(x / time < -c, depth, np.where(x / time < 2.0 * c, fan, 0.0))
    found = run_inundation(flood).depths[-1][1]
    assert np.abs(found - exact).sum() / exact.sum() <= 6e-3
