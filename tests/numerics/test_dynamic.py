"""Known answers for the dynamic engine: dam breaks, oscillating lakes, steady flows with and without shocks, friction, rain.

Exact solutions as collected by Delestre et al. (2013), SWASHES, doi 10.1002/fld.3741. Errors are relative L1 of the depth.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq

from cimdesk.analysis.flood import workers
from cimdesk.analysis.flood.inundation import Run, run_inundation
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Inflow, Series

from .channels import channel, constant, scenario, town

G = 9.81
Water = tuple[np.ndarray, np.ndarray, np.ndarray]


def dynamic(make: Callable[..., FloodScenario], *args: object, **fields: object) -> FloodScenario:
    fields.setdefault("precision", "float64")
    return make(*args, engine="dynamic", **fields)


def finished(flood: FloodScenario, start: Water | None = None, bed: np.ndarray | None = None) -> Run:
    """Run to the end, from given depths and velocities to the east and to the south, over a bed in full precision."""
    run = Run(flood, 1, CancelToken())
    s = run.state
    if bed is not None:
        s.inside(s.z)[:] = bed
    if start is not None:
        h, u, v = start
        s.inside(s.h)[:], s.inside(s.qx)[:], s.inside(s.qy)[:] = h, h * u, h * v
        run.ledger.initial = s.volume(flood.terrain.cell_x**2)
        run.engine._fastest = float((np.maximum(np.abs(u), np.abs(v)) + np.sqrt(G * h)).max())
        run.tiles.activate_all()
    run.frame()
    with run:
        run.advance(flood.duration)
    run.frame()
    return run


def depths(run: Run) -> np.ndarray:
    return run.state.inside(run.state.h).astype(np.float64)


def relative_error(computed: np.ndarray, exact: np.ndarray) -> float:
    return float(np.abs(computed - exact).sum() / exact.sum())


def orders(errors: list[float]) -> list[float]:
    """Return the orders of convergence between grids of half the cell size each."""
    return [float(np.log2(coarse / fine)) for coarse, fine in pairwise(errors)]


@pytest.mark.parametrize(("precision", "still"), [("float64", 1e-14), ("float32", 1e-6)])
def test_a_lake_with_islands_and_houses_stays_at_rest(precision: str, still: float):
    ground, houses = town(70)
    run = finished(dynamic(scenario, ground, 2.0, 200.0, is_blocked=houses, initial_level=0.15, precision=precision))
    start = np.where(~houses & (ground < 0.15), 0.15 - ground.astype(np.float64), 0.0)
    assert 0.2 < np.mean(start > 0) < 0.9, "part of the ground must stand out of the water"
    assert np.abs(depths(run) + run.state.inside(run.state.lo) - start).max() <= still
    assert max(np.abs(run.state.qx).max(), np.abs(run.state.qy).max()) <= still


def dam_break(cells: int, right: float, precision: str = "float64") -> float:
    """Return the error of a dam break after 6 s: onto dry ground (Ritter) or onto water (Stoker)."""
    left, length, end = 0.005, 10.0, 6.0
    dx = length / cells
    x = (np.arange(cells) + 0.5) * dx
    level = np.tile(np.where(x < 5.0, left, right), (3, 1))
    run = finished(dynamic(channel, np.zeros(cells), dx, end, initial_level=level, manning_n=0.0, precision=precision))
    c = np.sqrt(G * left)
    fine = (np.arange(20 * cells) + 0.5) * dx / 20
    xi = (fine - 5.0) / end
    fan = (2.0 * c - xi) ** 2 / (9.0 * G)
    if right == 0.0:
        exact = np.where(xi < -c, left, np.where(xi < 2.0 * c, fan, 0.0))
    else:

        def balance(cm: float) -> float:
            return -8.0 * G * right * cm**2 * (c - cm) ** 2 + (cm**2 - G * right) ** 2 * (cm**2 + G * right)

        cm = brentq(balance, np.sqrt(G * right) * (1.0 + 1e-9), c)
        hm, um = cm**2 / G, 2.0 * (c - cm)
        shock = um * hm / (hm - right)
        exact = np.where(xi < -c, left, np.where(xi < um - cm, fan, np.where(xi < shock, hm, right)))
    assert run.state.h.min() >= 0.0
    return relative_error(depths(run)[1], exact.reshape(cells, 20).mean(axis=1))


@pytest.mark.parametrize(("right", "most"), [(0.0, 6e-3), (0.001, 5e-3)])
def test_dam_breaks_follow_ritter_and_stoker(right: float, most: float):
    errors = [dam_break(cells, right) for cells in (100, 200, 400)]
    print(f"\ndam break onto {right} m: {errors}, orders {orders(errors)}")
    assert errors[1] <= most
    assert np.mean(orders(errors)) >= 0.9
    assert dam_break(200, right, "float32") == pytest.approx(errors[1], rel=1e-3)


def oscillating_lake(cells: int, kind: str, precision: str = "float64") -> tuple[float, Run]:
    """Return the error of Thacker's lake in a bowl after a whole period: a tilted plane that turns, or a dome that breathes."""
    a, h0, length = 1.0, 0.1, 4.0
    dx = length / cells
    centres = (np.arange(cells) + 0.5) * dx - length / 2
    x, y = np.meshgrid(centres, centres)
    r2 = x**2 + y**2
    bed = -h0 * (1.0 - r2 / a**2)
    if kind == "planar":
        eta, w = 0.5, np.sqrt(2.0 * G * h0) / a
        h = np.maximum(eta * h0 / a**2 * (2.0 * x - eta) - bed, 0.0)
        u, v = np.zeros_like(x), np.full_like(x, eta * w)
    else:
        r0, w = 0.8, np.sqrt(8.0 * G * h0) / a
        big = (a**2 - r0**2) / (a**2 + r0**2)
        q = 1.0 - big
        h = np.maximum(h0 * (np.sqrt(1.0 - big**2) / q - 1.0 - r2 / a**2 * ((1.0 - big**2) / q**2 - 1.0)) - bed, 0.0)
        u = v = np.zeros_like(x)
    run = finished(dynamic(scenario, bed, dx, 2.0 * np.pi / w, manning_n=0.0, precision=precision), (h, u, v), bed)
    return relative_error(depths(run), h), run


@pytest.mark.parametrize(("kind", "most"), [("planar", 7e-3), ("radial", 6e-3)])
def test_lakes_in_a_bowl_swing_like_thacker(kind: str, most: float):
    results = [oscillating_lake(cells, kind) for cells in (50, 100, 200)]
    errors = [error for error, _ in results]
    print(f"\nThacker, {kind}: {errors}, orders {orders(errors)}")
    assert errors[2] <= most
    assert np.mean(orders(errors)) >= 1.5
    assert all(abs(run.ledger.mass_error) <= 1e-12 for _, run in results)
    assert oscillating_lake(100, kind, "float32")[0] == pytest.approx(errors[1], rel=2e-3)


@pytest.mark.parametrize(("manning_n", "speed", "length", "most"), [(0.03, 0.29, 1500.0, 0.005), (0.01, 1.0, 4500.0, 0.005)])
def test_waves_on_flat_ground_follow_hunter(manning_n: float, speed: float, length: float, most: float):
    """Hunter et al. (2005), Adv. Water Resour. 28, 975-991; exact for the full equations too, as the speed is constant."""
    dx, end = 25.0, 3600.0

    def exact(x: np.ndarray | float, t: np.ndarray | float) -> np.ndarray:
        return (7.0 / 3.0 * manning_n**2 * speed**2 * np.maximum(speed * np.asarray(t) - x, 0.0)) ** (3.0 / 7.0)

    times = np.linspace(0.0, end, 721)
    west = EdgeBoundary("west", "discharge", discharge=Series(times, 3 * dx * speed * exact(0.0, times)))
    wave = dynamic(channel, np.zeros(int(length / dx)), dx, end, manning_n=manning_n, boundaries=(west,))
    run = finished(wave)
    error = np.sqrt(np.mean((depths(run)[1] - exact(wave.terrain.column_centres(), end)) ** 2))
    print(f"\nHunter n={manning_n} u={speed}: RMSE {100 * error:.2f} cm")
    assert error <= most


def bump(x: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 0.2 - 0.05 * (x - 10.0) ** 2)


def bernoulli(z: float, q: float, energy: float, is_fast: bool) -> float:
    """Return the depth that has this energy over a bed: the shallow, fast one or the deep, slow one."""
    critical = (q**2 / G) ** (1 / 3)

    def excess(h: float) -> float:
        return h + z + q**2 / (2.0 * G * h**2) - energy

    if excess(critical) >= 0.0:
        return critical
    return float(brentq(excess, 1e-3, critical) if is_fast else brentq(excess, critical, 5.0))


def over_the_bump(kind: str, x: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Return discharge, level downstream and exact depths of a steady flow over the bump."""
    q, level = {"slow": (4.42, 2.0), "falling": (1.53, 0.66), "jump": (0.18, 0.33)}[kind]
    if kind == "slow":
        energy = level + q**2 / (2.0 * G * level**2)
        return q, level, np.array([bernoulli(z, q, energy, False) for z in bump(x)])
    critical = (q**2 / G) ** (1 / 3)
    energy = 0.2 + 1.5 * critical
    upstream = np.array([bernoulli(z, q, energy, at > 10.0) for z, at in zip(bump(x), x, strict=True)])
    if kind == "falling":
        return q, level, upstream
    after = level + q**2 / (2.0 * G * level**2)

    def unbalance(at: float) -> float:
        z = float(bump(np.array([at]))[0])
        fast, slow = bernoulli(z, q, energy, True), bernoulli(z, q, after, False)
        return q**2 * (1.0 / fast - 1.0 / slow) + 0.5 * G * (fast**2 - slow**2)

    jump = brentq(unbalance, 10.2, 11.9)
    behind = np.array([bernoulli(z, q, after, False) for z in bump(x)])
    return q, level, np.where(x < jump, upstream, behind)


@pytest.mark.parametrize(("kind", "most"), [("slow", 2e-3), ("falling", 4e-3), ("jump", 1e-2)])
def test_steady_flows_over_a_bump_follow_bernoulli_and_jump_where_they_should(kind: str, most: float):
    cells, length = 200, 25.0
    dx = length / cells
    x = (np.arange(cells) + 0.5) * dx
    q, level, exact = over_the_bump(kind, x)
    east = EdgeBoundary("east", "critical") if kind == "falling" else EdgeBoundary("east", "level", level=constant(level))
    edges = (EdgeBoundary("west", "discharge", discharge=constant(q * 3 * dx)), east)
    flow = dynamic(channel, bump(x), dx, 120.0, manning_n=0.0, initial_level=np.full((3, cells), level), boundaries=edges)
    run = finished(flow)
    error = relative_error(depths(run)[1], exact)
    discharge = run.state.inside(run.state.qx)[1]
    print(f"\nbump, {kind}: error {error:.1e}, discharge within {np.abs(discharge / q - 1).max():.1e}")
    assert error <= most
    assert np.abs(np.delete(discharge, np.argmax(np.abs(discharge / q - 1.0))) / q - 1.0).max() <= 0.05


@pytest.mark.parametrize(("rain", "most"), [(0.0, 0.005), (0.001, 0.01)])
def test_steady_flow_over_a_varied_bed_follows_macdonald(rain: float, most: float):
    """MacDonald et al. (1997), long subcritical channel, without and with rain."""
    n, length, cells = 0.033, 1000.0, 200
    q0 = 1.0 if rain else 2.0
    fine = np.linspace(0.0, length, 40_001)
    swell = np.exp(-16.0 * (fine / length - 0.5) ** 2)
    h = (4.0 / G) ** (1 / 3) * (1.0 + 0.5 * swell)
    dh = (4.0 / G) ** (1 / 3) * 0.5 * swell * (-32.0 / length) * (fine / length - 0.5)
    q = q0 + rain * fine
    dz = (q**2 / (G * h**3) - 1.0) * dh - 2.0 * q * rain / (G * h**2) - n**2 * q**2 / h ** (10 / 3)
    z = np.concatenate([[0.0], np.cumsum(0.5 * (dz[1:] + dz[:-1]) * np.diff(fine))])
    dx = length / cells
    centres = (np.arange(cells) + 0.5) * dx
    bed, depth = np.interp(centres, fine, z), np.interp(centres, fine, h)
    outside = float(z[-1] + dz[-1] * dx / 2 + h[-1])
    edges = (
        EdgeBoundary("west", "discharge", discharge=constant(q0 * 3 * dx)),
        EdgeBoundary("east", "level", level=constant(outside)),
    )
    flow = dynamic(
        channel, bed, dx, 3000.0, manning_n=n, rain=constant(rain) if rain else None,
        initial_level=np.tile(bed + 0.5, (3, 1)), boundaries=edges,
    )  # fmt: skip
    error = np.abs(depths(finished(flow))[1] - depth).mean()
    print(f"\nMacDonald, rain {rain}: mean error of the level {error * 100:.2f} cm")
    assert error <= most


def test_uniform_flow_has_manning_depth():
    dx, slope, q, n = 10.0, 0.002, 1.2, 0.03
    bed = 5.0 - slope * dx * np.arange(120)
    edges = (EdgeBoundary("west", "discharge", discharge=constant(q * 3 * dx)), EdgeBoundary("east", "free", slope))
    flow = dynamic(channel, bed, dx, 3600.0, manning_n=n, boundaries=edges)
    np.testing.assert_allclose(depths(finished(flow))[1][40:100], (q * n / np.sqrt(slope)) ** 0.6, rtol=2e-3)


def three_humps(dx: float) -> tuple[np.ndarray, np.ndarray]:
    """Return x of the columns and the bed of a basin of 75 by 30 m with three humps (Kawahara and Umetsu 1986)."""
    y, x = np.mgrid[dx / 2 : 30.0 : dx, dx / 2 : 75.0 : dx]
    low = [1.0 - np.hypot(x - 30.0, y - at) / 8.0 for at in (6.0, 24.0)]
    high = 3.0 - 0.3 * np.hypot(x - 47.5, y - 15.0)
    return x, np.maximum(0.0, np.max([*low, high], axis=0))


def test_water_among_three_humps_stays_still():
    _, bed = three_humps(1.0)
    run = finished(dynamic(scenario, bed, 1.0, 600.0, manning_n=0.018, initial_level=0.875), bed=bed.astype(np.float32))
    assert np.abs(run.state.qx).max() <= 1e-13
    assert np.abs(run.state.speed2).max() <= 1e-20


def test_a_dam_break_goes_over_the_low_humps_and_round_the_high_one():
    x, bed = three_humps(0.5)
    flood = dynamic(
        scenario, bed, 0.5, 16.0, manning_n=0.018, initial_level=np.where(x < 16.0, 1.875, -1.0), output_every=1.0,
        precision="float32",
    )  # fmt: skip
    result = run_inundation(flood)
    low, high, behind = (12, 60), (30, 95), (30, 115)
    depth = result.depths[:, [low[0], high[0], behind[0]], [low[1], high[1], behind[1]]]
    assert bed[low] == pytest.approx(1.0, abs=0.1)
    assert bed[high] > 2.8
    reached = [result.times[np.argmax(result.depths[:, 12, column] > 0.01)] for column in (46, 60)]
    assert 1.0 <= reached[0] <= 3.0, "the foot of the low humps is reached after about two seconds"
    assert reached[1] <= 6.0, "at six seconds they are under water"
    assert (depth[6:9, 0] > 0.005).all()
    assert (depth[:, 1] == 0.0).all(), "the high hump stays dry"
    assert x[8][result.depths[12, 8] > 0.01].max() > 57.5, "at twelve its sides have been passed"
    assert depth[16, 2] > 0.01, "and soon it is an island"
    np.testing.assert_allclose(result.depths, result.depths[:, ::-1], atol=2e-3)
    assert abs(result.statistics["mass_error"]) <= 1e-6


@pytest.mark.parametrize(("precision", "lost"), [("float64", 1e-12), ("float32", 1e-6)])
def test_rain_on_raised_houses_is_all_still_there(precision: str, lost: float):
    ground, houses = town(96)
    raised = ground + np.where(houses, 6.0, 0.0)
    rain = Series(np.array([0.0, 450.0]), np.array([50.0, 0.0]) / 3.6e6)
    level = raised.astype(np.float64) + 0.1
    run = finished(dynamic(scenario, raised, 5.0, 900.0, rain=rain, initial_level=level, precision=precision))
    assert abs(run.ledger.mass_error) <= lost
    assert run.ledger.rain == pytest.approx(0.00625 * ground.size * 25.0, rel=1e-5)
    assert run.state.h.min() >= 0.0
    assert 0.3 < run.state.h.max() < 3.0


@pytest.mark.parametrize(("precision", "lost"), [("float64", 1e-12), ("float32", 1e-6)])
def test_every_drop_is_accounted_for_with_inflow_infiltration_and_open_edges(precision: str, lost: float):
    ground, houses = town(96)
    edges = (
        EdgeBoundary("west", "free", 0.01),
        EdgeBoundary("south", "level", level=constant(0.2)),
        EdgeBoundary("north", "critical"),
        EdgeBoundary("east", "discharge", discharge=constant(2.0)),
    )
    pump = Inflow(np.array([[120.0, 60.0]]), Series(np.array([0.0, 150.0, 300.0]), np.array([0.0, 5.0, 0.0])), radius=6.0)
    run = finished(
        dynamic(
            scenario, ground, 2.0, 450.0, is_blocked=houses, boundaries=edges, inflows=(pump,), rain=constant(30 / 3.6e6),
            infiltration=8 / 3.6e6, precision=precision,
        )
    )  # fmt: skip
    assert abs(run.ledger.mass_error) <= lost
    assert run.ledger.inflow == pytest.approx(750.0, rel=2e-3)
    assert run.ledger.edges_in > 2.0 * 450.0 * 0.99
    assert min(run.ledger.infiltration, run.ledger.edges_out) > 0.0


def test_results_do_not_depend_on_threads_or_on_which_tiles_are_computed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "LEAST_SHARED_CELLS", 1)
    ground, houses = town(200)
    pump = Inflow(np.array([[150.0, 150.0]]), constant(4.0), radius=4.0)
    flood = dynamic(scenario, ground, 1.5, 120.0, is_blocked=houses, inflows=(pump,), output_every=60.0, precision="float32")
    one, three = run_inundation(flood, threads=1), run_inundation(flood, threads=3)
    for name in ("depths", "max_depth", "max_speed", "max_depth_speed", "arrival", "volume"):
        np.testing.assert_array_equal(getattr(one, name), getattr(three, name))
    everywhere = Run(flood, 1, CancelToken())
    everywhere.tiles.activate_all()
    for end in (60.0, 120.0):
        everywhere.advance(end)
    np.testing.assert_array_equal(everywhere.state.h[1:-2, 1:-2], one.depths[-1])
    followed = Run(flood, 1, CancelToken())
    followed.advance(60.0)
    assert len(followed.tiles.active) < len(everywhere.tiles.active), "dry tiles must be left out"


def test_water_spreads_the_same_in_all_directions():
    cells = 101
    y, x = np.mgrid[:cells, :cells] - cells // 2
    bowl = 0.0005 * (x**2 + y**2).astype(np.float32)
    middle = np.array([[cells, cells]], dtype=float)
    flood = dynamic(scenario, bowl, 2.0, 120.0, inflows=(Inflow(middle, constant(3.0)),), precision="float32")
    depth = finished(flood).state.h[1:-2, 1:-2]
    assert depth.max() > 0.1
    for turned in (depth[::-1], depth[:, ::-1], depth.T):
        np.testing.assert_array_equal(depth, turned)


def test_a_slow_river_is_what_the_inertial_engine_makes_of_it():
    ground, houses = town(64)
    rain = Series(np.array([0.0, 600.0]), np.array([60.0, 0.0]) / 3.6e6)
    levels = []
    for engine in ("dynamic", "inertial"):
        flood = scenario(ground, 4.0, 1800.0, is_blocked=houses, rain=rain, manning_n=0.05, engine=engine)
        levels.append(run_inundation(flood).depths[-1].astype(np.float64))
    assert np.sqrt(np.mean((levels[0] - levels[1]) ** 2)) <= 0.01


def test_fast_water_is_told_as_such_but_needs_no_other_engine():
    edges = (EdgeBoundary("east", "free", 0.15), EdgeBoundary("west", "discharge", discharge=constant(3.0)))
    steep = dynamic(channel, 20.0 - 0.3 * np.arange(100), 2.0, 60.0, manning_n=0.015, boundaries=edges)
    statistics = run_inundation(steep).statistics
    assert statistics["froude_high_fraction"] > 0.5
    assert statistics["froude_warning"] is False
    assert statistics["suggested_engine"] == "dynamic"
