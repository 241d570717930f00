"""Coarse cells with tables: what they hold and carry is what the ground within them does, and no water is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.flood import kernels, subgrid_kernels, subgrid_reference
from cimdesk.analysis.flood.inundation import Run, new_run, run_inundation
from cimdesk.analysis.flood.memory import memory_of, put_back
from cimdesk.analysis.flood.subgrid_tables import CLOSED, held_below, subgrid_tables
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.flood_subgrid import with_subgrid
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Gauge, Inflow, Series
from cimdesk.model.flood_inputs import LineGauge, Pump

from .channels import constant, scenario, town

FACTOR = 8


def coarse(ground: np.ndarray, dx: float, duration: float, factor: int = FACTOR, **fields: object) -> FloodScenario:
    fields.setdefault("precision", "float64")
    return with_subgrid(scenario(ground, dx, duration, **fields), factor, True)


def hills(cells: int = 64, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:cells, :cells]
    return (5.0 + 0.6 * np.sin(x / 9.0) * np.cos(y / 7.0) + rng.normal(0.0, 0.05, x.shape)).astype(np.float32)


def tables_of(ground: np.ndarray, is_open: np.ndarray | None = None, n: float = 0.03, factor: int = FACTOR):
    return subgrid_tables(ground, np.ones(ground.shape, dtype=bool) if is_open is None else is_open, n, factor)


def test_a_cell_holds_what_its_ground_holds_below_any_level():
    ground = hills()
    tables = tables_of(ground)
    for level in np.linspace(4.2, 7.0, 15):
        below = np.maximum(level - ground.astype(np.float64), 0.0)
        true = below.reshape(8, FACTOR, 8, FACTOR).mean(axis=(1, 3))
        held = held_below(tables, float(level))[1:-2, 1:-2]
        assert np.abs(held - true).max() < 0.003
        deep = true > 0.5
        assert held[deep] == pytest.approx(true[deep], rel=2e-4)


def test_level_and_water_held_turn_into_each_other_exactly():
    tables = tables_of(hills())
    for level in (4.6, 5.0, 5.3, 6.5):
        held = held_below(tables, level)
        depth, _ = subgrid_reference.depths(tables.cells, held)
        wet = held > 0.0
        assert (tables.bottom + depth)[wet] + tables.datum == pytest.approx(level, abs=1e-12)


def test_a_v_shaped_channel_holds_the_square_of_its_depth():
    offsets = np.abs(np.arange(40) - 19.5)
    ground = np.tile((0.1 * offsets)[:, np.newaxis], (1, 40)).astype(np.float32)
    tables = tables_of(ground, factor=40)
    for depth in (0.3, 0.8, 1.4):
        area = depth**2 / 0.1  # of the V, above its lowest point between two cells
        held = held_below(tables, depth)[1, 1] * 40.0
        assert held == pytest.approx(area, rel=0.02)


@pytest.mark.parametrize("above", [0.15, 0.5, 1.2, 3.0, 9.0])
def test_a_face_carries_what_its_section_carries(above):
    rng = np.random.default_rng(5)
    profile = rng.uniform(1.0, 2.5, FACTOR)
    ground = np.tile(profile[:, np.newaxis], (1, 2 * FACTOR)).astype(np.float32)
    tables = tables_of(ground, n=0.04)
    level = float(ground.min()) + above
    depths = np.maximum(level - ground[:, 0].astype(np.float64), 0.0)
    depth, passed = subgrid_reference.section(tables.west[1, 2], tables.west_curve[1, 2], np.float64(level - tables.datum))
    assert depth == pytest.approx(depths.mean(), rel=0.06)
    assert passed ** (5 / 3) == pytest.approx((depths ** (5 / 3)).mean() / 0.04, rel=0.06)


def test_a_wall_within_a_cell_holds_water_back_until_it_is_overtopped():
    ground = np.ones((24, 48), dtype=np.float32)
    ground[:, 19] = 2.5
    tables = tables_of(ground)
    assert tables.west[1:-2, 4, 0] + tables.datum == pytest.approx(2.5)
    assert tables.west[1:-2, 3, 0] + tables.datum == pytest.approx(1.0)
    slanted = np.ones((24, 48), dtype=np.float32)
    slanted[np.arange(24), np.arange(24) + 8] = 2.5
    run = run_inundation(coarse(slanted, 2.0, 1800.0, inflows=(Inflow(np.array([[5.0, 24.0]]), constant(0.05)),)))
    east = np.asarray(run.depths[-1])[:, 40:]
    assert run.statistics["inflow_m3"] == pytest.approx(90.0)
    assert east.max() == 0.0


def test_a_closed_yard_does_not_cut_its_cell_off():
    ground, is_open = np.ones((24, 24), dtype=np.float32), np.ones((24, 24), dtype=bool)
    is_open[9:14, 9:14] = False
    is_open[11, 11], ground[11, 11] = True, -2.0
    tables = tables_of(ground, is_open)
    assert (tables.west[1:4, 2:4, 0] < CLOSED).all()
    assert tables.west[2, 2, 0] + tables.datum == pytest.approx(1.0)


def test_still_water_stays_still_over_any_ground():
    ground, houses = town(64)
    still = coarse(ground, 2.0, 1800.0, initial_level=float(np.median(ground)) + 0.1, is_blocked=houses)
    run = new_run(still, 1, CancelToken())
    before = run.state.h.copy()
    with run:
        run.advance(1800.0)
    assert np.abs(run.state.h - before).max() <= 1e-12
    assert max(np.abs(run.state.qx).max(), np.abs(run.state.qy).max()) <= 1e-12
    assert abs(run.mass_error()) <= 1e-14


def test_a_bowl_fills_to_the_level_that_its_shape_gives():
    y, x = (np.mgrid[:80, :80] - 39.5) * 2.0
    ground = (0.001 * (x**2 + y**2)).astype(np.float32)
    volume = 3000.0
    pouring = Series(np.array([0.0, 1000.0, 1001.0]), np.array([3.0, 3.0, 0.0]))
    result = run_inundation(coarse(ground, 2.0, 10800.0, inflows=(Inflow(np.array([[80.0, 80.0]]), pouring, 20.0),)))
    true = np.sqrt(2.0 * 0.001 * result.volume[-1] / np.pi)  # V = pi level^2 / (2 k)
    assert result.volume[-1] == pytest.approx(volume, rel=1e-3)
    wet = np.asarray(result.depths[-1]) > 0.05
    levels = (np.asarray(result.depths[-1]) + ground)[wet]
    assert levels.mean() == pytest.approx(true, abs=0.02)
    assert abs(result.statistics["mass_error"]) <= 1e-12


def compound(columns: int, slope: float, dx: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ground and roughness of a channel of 12 m between flood plains, falling to the east."""
    profile = np.full(96, 2.0)
    profile[:4] = profile[-4:] = 8.0
    profile[42:54] = 0.0
    rough = np.full(96, 0.06)
    rough[42:54] = 0.03
    fall = 20.0 - slope * dx * np.arange(columns)
    return (profile[:, np.newaxis] + fall).astype(np.float32), np.tile(rough[:, np.newaxis], (1, columns)).astype(np.float32)


@pytest.mark.parametrize("discharge", [12.0, 90.0])
def test_uniform_flow_in_a_compound_channel_has_the_depth_that_manning_gives(discharge):
    dx, slope, columns = 1.0, 0.001, 400
    ground, rough = compound(columns, slope, dx)
    edges = (EdgeBoundary("east", "free", slope), EdgeBoundary("west", "discharge", discharge=constant(discharge)))
    middle = LineGauge("middle", np.array([[r, 200, 1] for r in range(96)]), np.zeros((0, 3), dtype=int))
    run = run_inundation(coarse(ground, dx, 4.0 * 3600.0, manning_n=rough, boundaries=edges, lines=(middle,)))
    section = (ground[:, 200] - ground[:, 200].min()).astype(np.float64)
    depths = np.linspace(0.0, 5.0, 2001)
    carried = (np.maximum(depths[:, np.newaxis] - section, 0.0) ** (5 / 3) / rough[:, 200]).sum(axis=1) * dx * np.sqrt(slope)
    normal = float(np.interp(discharge, carried, depths))
    # At the end of each coarse cell down the slope its level is that of the face.
    seen = np.array([np.asarray(run.depths[-1])[47, FACTOR * k - 1] for k in range(15, 35)])
    assert seen.mean() == pytest.approx(normal, rel=0.03)
    assert np.ptp(seen) < 0.02
    assert run.lines[0].discharges[-1] == pytest.approx(discharge, rel=0.002)
    assert abs(run.statistics["mass_error"]) <= 1e-12


@pytest.mark.parametrize(("precision", "most"), [("float64", 1e-12), ("float32", 1e-6)])
def test_rain_on_a_town_is_all_still_there(precision, most):
    ground, houses = town(96)
    rain = Series(np.array([0.0, 1800.0]), np.array([80.0 / 3.6e6, 0.0]))
    wet = coarse(ground, 2.0, 3600.0, rain=rain, is_blocked=houses, precision=precision, infiltration=2.0 / 3.6e6)
    result = run_inundation(wet)
    assert result.statistics["rain_m3"] == pytest.approx(0.04 * 96 * 96 * 4.0, rel=1e-6)
    assert abs(result.statistics["mass_error"]) <= most
    shown = float(np.asarray(result.depths[-1]).sum(dtype=np.float64)) * 4.0
    assert shown == pytest.approx(result.volume[-1], rel=0.01)
    assert not np.asarray(result.depths[-1])[houses].any()


def test_threads_change_no_bit():
    ground, houses = town(96)
    rain = Series(np.array([0.0, 900.0]), np.array([80.0 / 3.6e6, 0.0]))
    wet = coarse(np.tile(ground, (6, 6)), 2.0, 900.0, 2, rain=rain, is_blocked=np.tile(houses, (6, 6)), precision="float32")
    one, three = (run_inundation(wet, threads) for threads in (1, 3))
    assert np.array_equal(one.depths[-1], three.depths[-1])
    assert np.array_equal(one.max_speed, three.max_speed)


def test_a_run_that_was_broken_off_goes_on_to_the_last_bit():
    ground, houses = town(64)
    pump = Pump("P", np.array([[20, 20], [50, 50]]), 0.2, 0.0, -1.0)
    wet = coarse(
        ground, 2.0, 1200.0, output_every=300.0, rain=constant(60.0 / 3.6e6), is_blocked=houses & False, devices=(pump,),
        gauges=(Gauge("G", 31.0, 31.0),), boundaries=(EdgeBoundary("east", "free"),),
    )  # fmt: skip
    straight, broken = new_run(wet, 1, CancelToken()), new_run(wet, 1, CancelToken())
    with straight, broken:
        for end in (300.0, 600.0, 900.0, 1200.0):
            straight.advance(end)
            straight.frame()
        broken.advance(300.0)
        broken.frame()
        broken.advance(600.0)
        broken.frame()
        again: Run = new_run(wet, 1, CancelToken())
        put_back(again, memory_of(broken))
        for end in (900.0, 1200.0):
            again.advance(end)
            again.frame()
    assert np.array_equal(again.state.h, straight.state.h)
    assert np.array_equal(again.depth, straight.depth)
    assert again.gauges.series()[0].depths.tolist() == straight.gauges.series()[0].depths.tolist()


def test_a_gauge_sees_the_depth_over_its_own_ground():
    ground = np.zeros((24, 24), dtype=np.float32)
    ground[:, 12:] = 0.5
    still = coarse(ground, 2.0, 60.0, initial_level=0.8, gauges=(Gauge("low", 5.0, 5.0), Gauge("high", 45.0, 5.0)))
    low, high = run_inundation(still).gauges
    assert low.depths[-1] == pytest.approx(0.8)
    assert high.depths[-1] == pytest.approx(0.3)
    assert high.levels[-1] == pytest.approx(0.8)


def test_a_result_on_coarse_cells_holds_the_same_water():
    ground, houses = town(64)
    rain = Series(np.array([0.0, 900.0]), np.array([80.0 / 3.6e6, 0.0]))
    fine = coarse(ground, 2.0, 900.0, rain=rain, is_blocked=houses)
    shown = run_inundation(replace(fine, subgrid=replace(fine.subgrid, is_downscaled=False)))
    assert shown.terrain.shape == shown.max_depth.shape == (8, 8)
    assert float(np.asarray(shown.depths[-1]).sum()) * 16.0**2 == pytest.approx(shown.volume[-1], rel=1e-5)


def test_coarse_cells_with_tables_come_nearer_to_the_fine_run_than_coarse_cells_without():
    from cimdesk.analysis.flood.footprints import resample

    n = 160
    y, x = np.mgrid[:n, :n]
    centre = n / 2 + 18.0 * np.sin(x / 25.0)
    ground = 12.0 - 0.004 * x + np.where(np.abs(y - centre) < 4.0, -1.6, 0.0) + 0.02 * np.abs(y - centre)
    flow = (Inflow(np.array([[6.0, (n - float(centre[0, 3])) * 2.0]]), constant(6.0)),)
    edges = (EdgeBoundary("east", "free", 0.002),)
    fine = scenario(ground.astype(np.float32), 2.0, 3600.0, inflows=flow, boundaries=edges)
    full = run_inundation(fine)
    tabled = run_inundation(with_subgrid(fine, FACTOR, True))
    grid = resample(fine.terrain, 16.0)
    plain = run_inundation(replace(fine, terrain=grid, is_blocked=np.zeros(grid.shape, dtype=bool)))
    levels, wet = (
        np.repeat(np.repeat(v, FACTOR, axis=0), FACTOR, axis=1) for v in (plain.max_depth + grid.elevations, plain.max_depth)
    )
    shown = np.where(wet > 0.01, np.maximum(levels - ground, 0.0), 0.0)
    with_tables = np.sqrt(((tabled.max_depth - full.max_depth) ** 2).mean())
    without = np.sqrt(((shown - full.max_depth) ** 2).mean())
    assert with_tables < 0.5 * without


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), dt=st.floats(0.2, 8.0))
def test_kernels_do_what_numpy_does(seed, dt):
    rng = np.random.default_rng(seed)
    ground = rng.uniform(0.0, 3.0, (5 * 4, 6 * 4)).astype(np.float32)
    is_open = rng.random(ground.shape) > 0.15
    tables = subgrid_tables(ground, is_open, 0.03, 4)
    shape = tables.bottom.shape
    h, qx, qy = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    has_ground = tables.bottom[1:-2, 1:-2] < CLOSED
    h[1:-2, 1:-2] = np.where(has_ground, rng.choice([0.0, 0.01, 0.4, 2.0], (5, 6)), 0.0)
    qx[1:-2, 2:-2], qy[2:-2, 1:-2] = rng.normal(0.0, 0.5, (5, 5)), rng.normal(0.0, 0.5, (4, 6))
    tiles = np.array([[1, 6, 1, 7, 1, 0]], dtype=np.int64)
    level, wet = tables.bottom.copy(), np.zeros(shape)
    subgrid_kernels.level_tiles(tiles, 0, 1, h, tables.bottom, tables.cells, tables.sills, level, wet, np.zeros(1))
    depth, share = subgrid_reference.depths(tables.cells, h)
    assert level == pytest.approx(tables.bottom + depth, rel=1e-12)
    assert wet == pytest.approx(share, abs=1e-12)
    new_x, new_y, deep_x, deep_y = (np.zeros(shape) for _ in range(4))
    subgrid_kernels.flux_tiles(
        tiles, 0, 1, level, qx, qy, tables.west, tables.west_curve, tables.north, tables.north_curve, new_x, new_y, deep_x, deep_y,
        9.81 * dt / 8.0, 9.81 * dt,
    )  # fmt: skip
    new_x[:, 1] = new_y[1] = 0.0
    true_x, true_y = subgrid_reference.fluxes(tables, level, qx, qy, 9.81 * dt / 8.0, 9.81 * dt)
    assert new_x == pytest.approx(true_x, rel=1e-9, abs=1e-12)
    assert new_y == pytest.approx(true_y, rel=1e-9, abs=1e-12)
    shown = np.zeros(ground.shape, dtype=np.float32)
    subgrid_kernels.spread_levels(ground, is_open, h, level, 4, shown)
    inner = (slice(1, -2), slice(1, -2))
    assert shown == pytest.approx(subgrid_reference.downscaled(ground, is_open, h[inner], level[inner], 4), abs=1e-5)


def test_water_that_stands_nowhere_moves_nowhere():
    assert kernels.MIN_FLOW_DEPTH > 0.0
    dry = run_inundation(coarse(hills(), 2.0, 600.0))
    assert dry.volume[-1] == 0.0
    assert not dry.max_depth.any()
