"""A what-if on a window agrees with the whole run again, to the centimetre, and loses no water."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cimdesk.analysis.flood.drainage import Inlets
from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.analysis.flood.recorded import KnownDrainsExchange
from cimdesk.analysis.flood.window import Window, cut, holding_devices, known_drains, rim_cells, rim_of, window_around
from cimdesk.commands.flood import simulate
from cimdesk.commands.flood_whatif import difference, plan, run_window, with_measures
from cimdesk.commands.measures import as_inputs
from cimdesk.model.drainage import DrainageSeries
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Gauge, Inflow, Series
from cimdesk.model.flood_inputs import MovingBed, Pump
from cimdesk.model.measures import Measure
from cimdesk.model.terrain import Terrain

SHAPE = (140, 180)
CELL = 5.0


def valley(seed: int = 3) -> FloodScenario:
    """A valley with bumps and houses that falls to the east: rain, a stream from the west, free flow out in the east."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(SHAPE)
    ground = 20.0 - 0.02 * CELL * columns / 5.0 + 0.0006 * (rows - SHAPE[0] / 2.0) ** 2
    ground += 0.3 * np.sin(rows / 7.0) * np.sin(columns / 9.0) + rng.normal(0.0, 0.02, SHAPE)
    is_blocked = (rows % 20 < 6) & (columns % 24 < 8) & (np.abs(rows - 70) > 12)
    return FloodScenario(
        name="valley", terrain=Terrain(ground.astype(np.float32), 0.0, SHAPE[0] * CELL, CELL, CELL), manning_n=0.035,
        is_blocked=is_blocked, duration=3600.0, output_every=120.0,
        rain=Series(np.array([0.0, 1800.0]), np.array([60.0 / 3.6e6, 0.0])),
        inflows=(Inflow(np.array([[12.0, 350.0]]), Series(np.array([0.0, 900.0, 3600.0]), np.array([0.0, 8.0, 4.0])), 15.0),),
        boundaries=(EdgeBoundary("east", "free", 0.002),), gauges=(Gauge("middle", 500.0, 350.0),),
    )  # fmt: skip


WALL = Measure("wall", "Wall", ((470.0, 290.0), (470.0, 410.0)), numbers={"height": 1.5})


@pytest.fixture(scope="module")
def parent():
    return simulate(valley(), 2)


@pytest.fixture(scope="module")
def whole(parent):
    return simulate(with_measures(valley(), as_inputs([WALL]), "whole"), 2)


@pytest.fixture(scope="module")
def nested(parent):
    return run_window(with_measures(valley(), as_inputs([WALL]), "nested"), plan(parent, [WALL], whole=False), 2).result


def test_a_window_without_any_measure_gives_the_run_it_came_from(parent):
    window = Window(30, 110, 50, 140)
    nested = cut(valley(), window)
    again = run_inundation(replace(nested, devices=(*nested.devices, rim_of(valley(), window, parent))), 2)
    off = np.abs(again.max_depth - parent.max_depth[window.part])[2:-2, 2:-2]
    assert np.sqrt((off**2).mean()) < 0.003
    assert np.percentile(off, 99) < 0.01


def test_a_wall_in_a_window_does_what_it_does_in_the_whole(parent, whole, nested):
    rise = whole.max_depth - parent.max_depth
    assert rise.max() > 0.2
    off = np.abs(nested.max_depth - whole.max_depth)
    top, left = 30, 40
    assert np.sqrt((off[top:-top, left:-left] ** 2).mean()) < 0.004
    assert off.max() < 0.03
    assert difference(parent, nested)["largest_rise_m"] == pytest.approx(difference(parent, whole)["largest_rise_m"], abs=0.015)


def test_outside_its_window_a_result_is_the_parent(parent, nested):
    west, south, east, north = nested.statistics["window"]
    outside = np.ones(SHAPE, dtype=bool)
    outside[
        round((SHAPE[0] * CELL - north) / CELL) : round((SHAPE[0] * CELL - south) / CELL), round(west / CELL) : round(east / CELL)
    ] = False
    assert outside.any()
    assert np.array_equal(nested.max_depth[outside], parent.max_depth[outside])
    for k in (3, 20):
        assert np.array_equal(np.asarray(nested.depths[k])[outside], np.asarray(parent.depths[k])[outside])


def test_a_window_loses_no_water(nested):
    assert abs(nested.statistics["mass_error"]) < 1e-6
    assert nested.statistics["rim_in_m3"] > 0.0
    area = CELL * CELL
    held = [float(np.asarray(depth).sum(dtype=np.float64)) * area for depth in nested.depths]
    assert nested.volume == pytest.approx(held, abs=0.002 * max(held))  # frames are in millimetres


def test_water_behind_a_wall_that_reaches_the_rim_widens_the_window(parent):
    narrow = replace(plan(parent, [WALL], whole=False), window=Window(55, 85, 80, 105))
    result = run_window(with_measures(valley(), as_inputs([WALL]), "narrow"), narrow, 2).result
    assert result.statistics["window_rounds"] > 1
    assert result.statistics["window_cells"] > 30 * 25


def test_edges_of_the_grid_keep_their_boundaries_in_a_window():
    window = Window(0, 60, 100, SHAPE[1])
    part = cut(valley(), window)
    assert [boundary.edge for boundary in part.boundaries] == ["east"]
    held = window.own(rim_cells(valley(), window))
    assert set(held[:, 1]) >= {0}
    assert not (held[:, 1] == window.shape[1] - 1).all()
    assert held[:, 0].max() == window.shape[0] - 1


def test_a_window_takes_a_pump_whole_or_not_at_all():
    pump = Pump("P", np.array([[50, 50], [50, 90]]), 1.0, 0.0, 0.0)
    window = window_around(np.array([[50, 50]]), 10, SHAPE)
    assert holding_devices(window, (pump,), SHAPE, 10).right == 101
    away = window_around(np.array([[100, 150]]), 10, SHAPE)
    assert holding_devices(away, (pump,), SHAPE, 10) == away


def test_gauges_and_inflows_follow_into_the_window():
    part = cut(valley(), Window(50, 90, 0, 60))
    assert part.gauges == ()
    assert len(part.inflows) == 1
    assert part.terrain.north == pytest.approx((SHAPE[0] - 50) * CELL)
    assert cut(valley(), Window(50, 90, 60, 120)).gauges[0].name == "middle"


@pytest.fixture(scope="module")
def compared(parent):
    changed = with_measures(valley(), as_inputs([WALL]), "nested")
    return run_window(changed, plan(parent, [WALL], whole=False), 2, base=valley())


def test_a_window_is_compared_with_itself_without_the_measures(parent, whole, compared):
    """What the measures do is the difference of two windows: the error of nesting is in both of them."""
    assert compared.result.statistics["nesting_error_m"] < 0.01
    assert not compared.is_baseline_needed
    baseline = compared.baseline
    assert baseline.terrain.elevations.tolist() == parent.terrain.elevations.tolist()
    true = whole.max_depth - parent.max_depth
    own = compared.result.max_depth - baseline.max_depth
    through = compared.result.max_depth - parent.max_depth
    assert np.sqrt(((own - true) ** 2).mean()) <= np.sqrt(((through - true) ** 2).mean()) + 1e-6
    far = np.abs(true) < 1e-4
    assert np.sqrt((own[far] ** 2).mean()) < 0.5 * max(np.sqrt((through[far] ** 2).mean()), 1e-4)


def test_a_window_begins_shortly_before_its_measure_does(parent):
    from cimdesk.commands.flood_nested import SPIN_UP, first_frame

    base = valley()
    ground = base.terrain.elevations
    cells = np.array([[r, 94] for r in range(58, 83)])
    heights = np.stack([ground[cells[:, 0], cells[:, 1]]] * 3).astype(np.float64)
    heights[2] += 1.5
    gate = MovingBed(cells, np.array([0.0, 2400.0, 2401.0]), heights)
    changed = replace(base, name="gate", beds=(gate,))
    frame = first_frame(changed, base, parent)
    assert parent.times[frame] == 2400.0 - SPIN_UP
    late = run_window(changed, replace(plan(parent, [WALL], whole=False)), 2, base=base)
    full = simulate(changed, 2)
    assert late.result.statistics["begin_s"] == 1800.0
    assert len(late.result.depths) == len(parent.depths)
    assert np.abs(np.asarray(late.result.depths[-1]) - np.asarray(full.depths[-1])).max() < 0.05
    rise = np.asarray(full.depths[-1]) - np.asarray(parent.depths[-1])
    own = np.asarray(late.result.depths[-1]) - np.asarray(late.baseline.depths[-1])
    assert rise.max() > 0.1
    assert np.sqrt(((own - rise) ** 2).mean()) < 0.004
    assert np.array_equal(late.result.depths[3], parent.depths[3])


def test_a_measure_from_the_start_has_its_window_begin_there(parent):
    from cimdesk.commands.flood_nested import first_frame

    assert first_frame(with_measures(valley(), as_inputs([WALL]), "wall"), valley(), parent) == 0


def recorded() -> tuple[KnownDrainsExchange, DrainageSeries]:
    """Two manholes and an outfall: the first manhole gave water, the second was far from full, the outfall let out."""
    times = np.array([0.0, 300.0, 600.0])
    flows = np.array([[0.0, 0.0, 0.0], [-0.2, 0.1, -0.5], [-0.2, 0.1, -0.5]], dtype=np.float32)
    depths = np.array([[2.0, 0.5, 1.0]] * 3, dtype=np.float32)
    series = DrainageSeries(
        np.array(["a", "b", "o"], dtype=object), np.zeros((3, 2)), np.array([8.0, 8.0, 7.0]), np.array([10.0, 10.0, np.nan]), times,
        depths, flows,
    )  # fmt: skip
    inlets = Inlets(np.array([[0, 0], [0, 1]], dtype=np.int32), np.full(2, 10.0), np.ones(2), np.full(2, np.inf), 1.167)
    known = known_drains(series, inlets, np.array([0, 1]), np.array([[0, 2]]), np.array([2]))
    return KnownDrainsExchange(known, 25.0), series


def test_drains_in_a_window_give_back_what_they_gave():
    drains, _ = recorded()
    volumes = drains.step(100.0, 2.0, np.array([0.3, 0.3, 0.0]), np.array([10.3, 10.3, 7.0]))
    assert volumes[0] == pytest.approx(0.4)
    assert volumes[2] == pytest.approx(1.0)


def test_drains_in_a_window_take_by_their_law_what_stands_there_now():
    drains, _ = recorded()
    taken = [
        -drains.step(100.0, 2.0, np.full(3, depth), np.array([10.0 + depth, 10.0 + depth, 7.0]))[1] for depth in (0.0, 0.1, 0.3)
    ]
    rim = 2.0 * np.sqrt(np.pi * 1.167)
    assert taken[0] == 0.0
    assert taken[1] == pytest.approx(2.0 * (2.0 / 3.0) * 0.54 * rim * np.sqrt(2.0 * 9.81) * 0.1**1.5)
    assert taken[2] > 3.0 * taken[1]
