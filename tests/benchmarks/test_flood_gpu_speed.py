"""Speed of both engines on a graphics processor beside a thread of the processor; skipped where there is none."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from cimdesk.analysis.flood.cuda_devices import find_gpu
from cimdesk.analysis.flood.inundation import new_run
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import FloodScenario

from .test_flood_speed import case

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.gpu,
    pytest.mark.skipif(bool(find_gpu().reason), reason=f"no graphics processor to measure on: {find_gpu().reason}"),
]


def rate(flood: FloodScenario, seconds: float) -> float:
    """Return how many cells a second are advanced, after the code is compiled [1/s]."""
    run = new_run(flood, 1, CancelToken())
    with run:
        run.advance(5.0)
        steps, started, until = run.steps, time.perf_counter(), 5.0
        while time.perf_counter() - started < seconds:
            until += 5.0
            run.advance(until)
        taken = time.perf_counter() - started
        return flood.terrain.elevations.size * (run.steps - steps) / taken


@pytest.mark.parametrize("cells", [1024, 4096])
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
def test_a_graphics_processor_beside_a_thread(benchmark, engine: str, cells: int, precision: str):
    flood = replace(case(cells, precision), engine=engine)
    one = rate(flood, 5.0)
    other = benchmark.pedantic(lambda: rate(replace(flood, device="gpu"), 5.0), rounds=1)
    benchmark.extra_info["cells_per_s"] = {"thread": one, "gpu": other, "ratio": other / one}
    assert other > one
