"""A city on coarse cells that know the ground, beside the same city on its fine cells: time of the processor and memory."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import new_run
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.flood_subgrid import with_subgrid
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Series
from cimdesk.model.terrain import Terrain

pytestmark = pytest.mark.benchmark


def city(cells: int) -> FloodScenario:
    """Rain on blocks of houses over waves of ground, 2 m cells."""
    y, x = np.mgrid[:cells, :cells].astype(np.float32)
    noise = np.random.default_rng(1).normal(0.0, 0.03, x.shape)
    ground = (20.0 - 0.004 * x + 0.8 * np.sin(x / 53.0) * np.sin(y / 71.0) + noise).astype(np.float32)
    return FloodScenario(
        "city", Terrain(ground, 0.0, cells * 2.0, 2.0, 2.0), 0.035, ((x // 12) % 4 == 0) & ((y // 9) % 4 == 0), 3600.0, 600.0,
        rain=Series(np.array([0.0, 1800.0]), np.array([60.0 / 3.6e6, 0.0])), boundaries=(EdgeBoundary("east", "free", 0.004),),
    )  # fmt: skip


def cost(scenario: FloodScenario) -> tuple[float, float, float]:
    """Return seconds of the processor for setting up and for nine minutes of storm, and memory of state and tables [bytes]."""
    new_run(scenario, 1, CancelToken())
    started = time.process_time()
    run = new_run(scenario, 1, CancelToken())
    ready = time.process_time() - started
    with run:
        run.advance(60.0)
        started = time.process_time()
        run.advance(600.0)
        seconds = time.process_time() - started
    arrays = sum(value.nbytes for value in vars(run.state).values() if isinstance(value, np.ndarray))
    return ready, seconds, arrays + (run.tables.nbytes if hasattr(run, "tables") else 0)


def test_a_city_on_coarse_cells_beside_the_fine_ones():
    fine = city(1000)
    coarse = cost(with_subgrid(fine, 10, True))
    full = cost(fine)
    print(f"\ncoarse: {coarse[0]:.2f} s to set up, {coarse[1]:.2f} s, {coarse[2] / 1e6:.1f} MB")
    print(f"fine:   {full[0]:.2f} s to set up, {full[1]:.2f} s, {full[2] / 1e6:.1f} MB")
    print(f"{full[1] / coarse[1]:.0f} times the time, {full[2] / coarse[2]:.1f} times the memory")
    assert full[1] / coarse[1] >= 10.0
    assert full[2] / coarse[2] >= 5.0
