"""When water came, stood highest and how long it stayed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.flood.envelopes import ARRIVALS, DURATIONS, note_reference, note_tiles
from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Inflow, Series
from cimdesk.model.terrain import Terrain


def basin(**fields: object) -> FloodScenario:
    ground = np.zeros((40, 60), dtype=np.float32)
    terrain = Terrain(ground, 0.0, 400.0, 10.0, 10.0)
    scenario = FloodScenario("basin", terrain, 0.03, np.zeros(ground.shape, dtype=bool), 1800.0, 300.0, timings=True)
    return replace(scenario, **fields)  # type: ignore[arg-type]


def wave(at: float, high: float) -> Series:
    return Series(np.array([0.0, at, 2 * at, 1e9]), np.array([0.0, high, 0.0, 0.0]))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_compiled_note_is_the_plain_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (9, 13)
    h = np.where(random.random(shape) < 0.3, 0.0, random.random(shape)).astype(np.float32)
    deepest = np.maximum(h, random.random(shape)).astype(np.float32)
    pair = []
    for kernel in (note_tiles, note_reference):
        seen, peak = np.full(shape, 0.5, dtype=np.float32), np.full(shape, np.nan, dtype=np.float32)
        arrivals = np.full((len(ARRIVALS), *shape), np.inf, dtype=np.float32)
        durations = np.zeros((len(DURATIONS), *shape), dtype=np.float32)
        depths = (np.array(ARRIVALS, np.float32), np.array(DURATIONS, np.float32))
        for k in range(3):
            arrays = (h * np.float32(k), deepest * np.float32(k), seen, peak, arrivals, durations, *depths)
            tail = (np.float32(7.0 * k), np.float32(7.0))
            if kernel is note_tiles:
                tiles = np.array([[0, 4, 0, 13, 1, 0], [4, 9, 0, 13, 1, 1]], dtype=np.int64)
                note_tiles(tiles, 0, 2, *arrays, *tail)
            else:
                note_reference(*arrays, *tail)
        pair.append((seen, peak, arrivals, durations))
    for ours, theirs in zip(*pair, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    assert not run_inundation(basin(timings=False, initial_level=0.2)).envelopes


def test_standing_water_stays_for_the_whole_run() -> None:
    result = run_inundation(basin(initial_level=0.2))
    np.testing.assert_allclose(result.envelopes["duration_0.05"], 1800.0, rtol=1e-5)
    np.testing.assert_allclose(result.envelopes["duration_0.10"], 1800.0, rtol=1e-5)
    assert (result.envelopes["duration_0.30"] == 0.0).all()
    assert (result.envelopes["arrival_0.10"] == 0.0).all()
    assert np.isnan(result.envelopes["arrival_0.30"]).all()
    assert (result.envelopes["peak_time"] == 0.0).all()


@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_wave_comes_peaks_and_goes_in_order(engine: str, precision: str) -> None:
    edges = (EdgeBoundary("east", "free", slope=0.01),)
    scenario = basin(
        boundaries=edges, inflows=(Inflow(np.array([[5.0, 205.0]]), wave(500.0, 30.0)),), engine=engine, precision=precision
    )
    found = run_inundation(scenario)
    times = found.envelopes
    wet = found.max_depth > 0.35
    assert wet.any()
    assert (found.arrival[wet] <= times["arrival_0.10"][wet] + 5.0).all()
    assert (times["arrival_0.10"][wet] <= times["arrival_0.30"][wet]).all()
    assert (times["arrival_0.30"][wet] <= times["peak_time"][wet]).all()
    assert (times["duration_0.05"] >= times["duration_0.10"]).all()
    assert (times["duration_0.10"] >= times["duration_0.30"]).all()
    assert (times["duration_0.30"][wet] > 0.0).all()
    near = times["peak_time"][20, 0]
    assert 450.0 < near < 800.0


def test_threads_change_nothing() -> None:
    scenario = basin(inflows=(Inflow(np.array([[5.0, 205.0]]), wave(500.0, 30.0)),))
    one, two = run_inundation(scenario, 1), run_inundation(scenario, 2)
    for name, grid in one.envelopes.items():
        np.testing.assert_array_equal(grid, two.envelopes[name])
