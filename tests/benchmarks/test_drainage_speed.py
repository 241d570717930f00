"""What drains cost a run: the exchange of a thousand inlets, and a step of SWMM in its own process beside SWMM alone."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from cimdesk.analysis.flood.drainage import DrainageExchange, Inlets, Outfalls
from cimdesk.model.drainage import SewerState
from cimdesk.services.swmm import SewerPlan, SewerProcess

pytestmark = pytest.mark.benchmark
INLETS = 1000
STEPS = 300


class Still:
    """Pipes in which nothing moves."""

    def __init__(self, count: int) -> None:
        self.heads = np.linspace(-2.0, 1.0, count)

    def advance(self, steps: int, volumes: np.ndarray, levels: np.ndarray) -> SewerState:
        return SewerState(self.heads, np.zeros(0), 0.0, volumes)


def test_exchange_of_a_thousand_inlets(benchmark):
    cells = np.zeros((INLETS, 2), dtype=np.int32)
    inlets = Inlets(cells, np.zeros(INLETS), np.ones(INLETS), np.full(INLETS, np.inf), 1.167)
    none = Outfalls(np.zeros((0, 2), dtype=np.int32), np.zeros(0), np.zeros(0))
    exchange = DrainageExchange(inlets, none, Still(INLETS), 16.0)
    depths = np.random.default_rng(2).uniform(0.0, 0.3, INLETS)
    clock = iter(np.arange(1, 10_000_000) * 0.3)

    def step() -> None:
        exchange.accepted(exchange.step(float(next(clock)), 0.3, depths, depths))

    benchmark(step)
    assert benchmark.stats.stats.min < 2e-3


def chain(count: int) -> str:
    names = [f"J{k}" for k in range(count)]
    return "\n".join([
        "[OPTIONS]", "FLOW_UNITS CMS", "FLOW_ROUTING DYNWAVE", "ROUTING_STEP 1", "VARIABLE_STEP 0", "SURCHARGE_METHOD SLOT",
        "THREADS 1", "[JUNCTIONS]", *(f"{name} {10 - 0.06 * k:.2f} 3 0 0 0" for k, name in enumerate(names)),
        "[OUTFALLS]", f"OUT {10 - 0.06 * count:.2f} FREE NO",
        "[CONDUITS]", *(f"C{k} {a} {b} 60 0.013 0 0 0 0" for k, (a, b) in enumerate(zip(names, [*names[1:], "OUT"], strict=True))),
        "[XSECTIONS]", *(f"C{k} CIRCULAR 1.2 0 0 0 1" for k in range(count)), "",
    ])  # fmt: skip


@pytest.mark.skipif(find_spec("swmm") is None, reason="SWMM is not installed: drains are NOT tested")
def test_swmm_in_its_process_beside_swmm_alone(tmp_path: Path, record_property):
    file = tmp_path / "chain.inp"
    file.write_text(chain(300), encoding="utf-8")
    ids = np.array([*(f"J{k}" for k in range(300)), "OUT"], dtype=object)
    plan = SewerPlan(file, ids, np.arange(300), np.array([300]), 1.167, 1.0, None, 3600.0)
    volumes, levels = np.full(300, 0.002), np.array([-1e3])
    with SewerProcess(plan) as sewers:
        coupled = _seconds(lambda: sewers.advance(1, volumes, levels))
        alone = _seconds(lambda: sewers.advance(50, volumes * 50, levels), STEPS // 50) / 50
    record_property("ms_per_step_coupled", coupled * 1e3)
    record_property("ms_per_step_alone", alone * 1e3)
    print(f"coupled {coupled * 1e3:.2f} ms a step, fifty steps at once {alone * 1e3:.2f} ms a step, {coupled / alone:.1f}x")
    assert coupled < 20e-3


def _seconds(step, count: int = STEPS) -> float:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
