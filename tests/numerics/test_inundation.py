"""Known answers for the inertial engine: still water, all water accounted for, waves and steady flows with exact solutions."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.analysis.flood import workers
from cimdesk.analysis.flood.inundation import Run, run_inundation
from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import EdgeBoundary, Gauge, Inflow, Series

from .channels import channel, constant, scenario, town

PRECISIONS = ("float32", "float64")


def finished(run_of) -> Run:
    run = Run(run_of, 1, CancelToken())
    run.frame()
    with run:
        run.advance(run_of.duration)
    run.frame()
    return run


@pytest.mark.parametrize(("precision", "still"), [("float64", 1e-14), ("float32", 1e-6)])
def test_a_lake_with_islands_and_houses_stays_at_rest(precision: str, still: float):
    ground, houses = town(70)
    lake = scenario(ground, 2.0, 200.0, is_blocked=houses, initial_level=0.15, precision=precision)
    run = finished(lake)
    start = np.where(~houses & (ground < 0.15), 0.15 - ground.astype(np.float64), 0.0)
    assert 0.2 < np.mean(start > 0) < 0.9, "part of the ground must stand out of the water"
    depth = run.state.inside(run.state.h).astype(np.float64) + run.state.inside(run.state.lo)
    assert np.abs(depth - start).max() <= still
    assert max(np.abs(run.state.qx).max(), np.abs(run.state.qy).max()) <= still


@pytest.mark.parametrize(("precision", "lost"), [("float64", 1e-12), ("float32", 1e-6)])
def test_rain_on_raised_houses_is_all_still_there(precision: str, lost: float):
    ground, houses = town(128)
    raised = ground + np.where(houses, 6.0, 0.0)
    rain = Series(np.array([0.0, 900.0]), np.array([50.0, 0.0]) / 3.6e6)
    level = raised.astype(np.float64) + 0.1
    run = finished(scenario(raised, 5.0, 1800.0, rain=rain, initial_level=level, precision=precision))
    assert abs(run.ledger.mass_error) <= lost
    assert run.ledger.rain == pytest.approx(0.0125 * ground.size * 25.0, rel=1e-5)
    assert run.state.h.min() >= 0.0
    # Water slid off the roofs, and the small scale of it all did not blow up.
    assert 0.3 < run.state.h.max() < 3.0


def test_rain_of_roofs_reaches_the_ground_of_a_closed_basin():
    ground, houses = town(64)
    rain = constant(60.0 / 3.6e6)
    run = finished(scenario(ground, 2.0, 1800.0, is_blocked=houses, rain=rain, precision="float64"))
    assert run.state.volume(4.0) == pytest.approx(0.03 * ground.size * 4.0, rel=1e-12)
    assert (run.state.inside(run.state.h)[houses] == 0.0).all()


def test_every_drop_is_accounted_for_with_inflow_infiltration_and_open_edges():
    ground, houses = town(96)
    edges = (EdgeBoundary("west", "free", 0.01), EdgeBoundary("south", "level", level=constant(0.2)))
    pump = Inflow(np.array([[120.0, 60.0]]), Series(np.array([0.0, 300.0, 600.0]), np.array([0.0, 5.0, 0.0])), radius=6.0)
    for precision, lost in (("float32", 1e-6), ("float64", 1e-12)):
        run = finished(
            scenario(
                ground, 2.0, 900.0, is_blocked=houses, boundaries=edges, inflows=(pump,), rain=constant(30 / 3.6e6),
                infiltration=8 / 3.6e6, precision=precision,
            )
        )  # fmt: skip
        assert abs(run.ledger.mass_error) <= lost
        assert run.ledger.inflow == pytest.approx(1500.0, rel=2e-3)
        assert run.ledger.infiltration > 0.0
        assert run.ledger.edges_out > 0.0


def test_results_do_not_depend_on_threads_or_on_which_tiles_are_computed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "LEAST_SHARED_CELLS", 1)
    ground, houses = town(200)
    pump = Inflow(np.array([[150.0, 150.0]]), constant(4.0), radius=4.0)
    flood = scenario(ground, 1.5, 240.0, is_blocked=houses, inflows=(pump,), output_every=60.0)
    one, three = run_inundation(flood, threads=1), run_inundation(flood, threads=3)
    for name in ("depths", "max_depth", "max_speed", "max_depth_speed", "arrival", "volume"):
        np.testing.assert_array_equal(getattr(one, name), getattr(three, name))
    everywhere = Run(flood, 1, CancelToken())
    everywhere.tiles.activate_all()
    followed = Run(flood, 1, CancelToken())
    for run in (everywhere, followed):
        for end in (60.0, 120.0, 180.0, 240.0):
            run.advance(end)
    assert len(followed.tiles.active) < len(everywhere.tiles.active), "dry tiles must be left out"
    np.testing.assert_array_equal(everywhere.state.h, followed.state.h)
    np.testing.assert_array_equal(everywhere.state.h[1:-2, 1:-2], one.depths[-1])


def test_water_spreads_the_same_in_all_directions():
    cells = 101
    middle = np.array([[cells, cells]], dtype=float)
    y, x = np.mgrid[:cells, :cells] - cells // 2
    bowl = 0.0005 * (x**2 + y**2).astype(np.float32)
    flood = scenario(bowl, 2.0, 300.0, inflows=(Inflow(middle, constant(3.0)),))
    depth = finished(flood).state.h[1:-2, 1:-2]
    assert depth.max() > 0.1
    for turned in (depth[::-1], depth[:, ::-1], depth.T):
        np.testing.assert_array_equal(depth, turned)


def test_a_slow_wave_on_flat_ground_follows_hunter():
    """Hunter et al. (2005), Adv. Water Resour. 28, 975-991: a front of constant speed.

    At this speed the advection that the inertial equations leave out is below one per cent of the slope (Froude squared); the
    faster wave of the same paper (1 m/s) needs the full equations.
    """
    manning_n, speed, length = 0.03, 0.29, 1500.0
    dx, end = 25.0, 3600.0

    def exact(x: np.ndarray | float, t: np.ndarray | float) -> np.ndarray:
        return (7.0 / 3.0 * manning_n**2 * speed**2 * np.maximum(speed * np.asarray(t) - x, 0.0)) ** (3.0 / 7.0)

    times = np.linspace(0.0, end, 721)
    outside = Series(times, exact(-0.5 * dx, times))
    wave = channel(
        np.zeros(int(length / dx)), dx, end, manning_n=manning_n, boundaries=(EdgeBoundary("west", "level", level=outside),)
    )
    run = finished(wave)
    x = wave.terrain.column_centres()
    computed = run.state.inside(run.state.h)[1].astype(np.float64)
    error = np.sqrt(np.mean((computed - exact(x, end)) ** 2))
    print(f"Hunter n={manning_n} u={speed}: RMSE {100 * error:.2f} cm")
    assert error <= 0.02


def test_uniform_flow_has_manning_depth():
    dx, slope, q, n = 10.0, 0.002, 1.2, 0.03
    bed = 5.0 - slope * dx * np.arange(120)
    xy = np.column_stack([np.full(3, 5.0), [5.0, 15.0, 25.0]])
    flow = channel(
        bed, dx, 7200.0, manning_n=n, precision="float64",
        inflows=(Inflow(xy, constant(q * 3 * dx)),), boundaries=(EdgeBoundary("east", "free", slope),),
    )  # fmt: skip
    run = finished(flow)
    depth = run.state.inside(run.state.h)[1][40:100]
    np.testing.assert_allclose(depth, (q * n / np.sqrt(slope)) ** 0.6, rtol=2e-3)


def depth_before_a_brink(engine: str, dx: float) -> tuple[np.ndarray, np.ndarray]:
    """Return computed and exact depths (n,) of a level channel of 400 m that falls off at critical depth, from upstream down."""
    q, count = 0.8, round(400.0 / dx)
    edges = (
        EdgeBoundary("west", "discharge", discharge=constant(q * 3 * dx)),
        EdgeBoundary("east", "critical"),
    )
    run = finished(channel(np.zeros(count), dx, 2400.0, manning_n=0.03, precision="float64", boundaries=edges, engine=engine))
    assert run.ledger.edges_in == pytest.approx(q * 3 * dx * 2400.0, rel=1e-9)
    assert abs(run.ledger.mass_error) <= 1e-12
    # Drawdown curve upstream of the brink: (1 - Froude squared) dh = friction slope dx, from the critical depth up.
    fine = np.linspace((q**2 / 9.81) ** (1 / 3), 1.5, 100_000)
    steps = (1.0 - q**2 / (9.81 * fine**3)) / (0.03**2 * q**2 / fine ** (10 / 3))
    upstream = np.concatenate([[0.0], np.cumsum(0.5 * (steps[1:] + steps[:-1]) * np.diff(fine))])
    return run.state.inside(run.state.h)[1], np.interp(dx * (np.arange(count)[::-1] + 0.5), upstream, fine)


def test_a_given_discharge_falls_off_at_critical_depth_in_the_dynamic_engine():
    errors = {}
    for dx in (10.0, 5.0, 2.5):
        depth, exact = depth_before_a_brink("dynamic", dx)
        assert (np.diff(depth) < 0.0).all(), "the level falls towards the brink"
        away = np.abs(depth / exact - 1.0)
        errors[dx] = away.mean()
        # The curve is vertical at the brink, so that the last cells err most; 100 m before it a thousandth a metre of cell is left.
        assert away[: -round(100.0 / dx)].max() <= 1e-3 * dx
    print("brink:", ", ".join(f"{dx} m {error:.2%}" for dx, error in errors.items()))
    assert errors[5.0] <= 0.005
    assert np.log2(errors[10.0] / errors[2.5]) / 2.0 >= 0.95, "the error is the cell's: it goes as the cell gets smaller"


def test_the_inertial_engine_lies_below_the_drawdown_curve():
    depth, exact = depth_before_a_brink("inertial", 5.0)
    assert (np.diff(depth) < 0.0).all()
    # It leaves out the advection that makes the flow critical: an error of the model, that no smaller cell takes away.
    assert (depth < exact).all()
    np.testing.assert_allclose(depth, exact, rtol=0.2)


def test_a_dry_edge_takes_its_discharge_at_the_lowest_cells():
    ground = np.tile(np.abs(np.arange(21) - 10.0)[:, np.newaxis] * 0.2, (1, 30))
    for engine in ("inertial", "dynamic"):
        edge = EdgeBoundary("west", "discharge", discharge=constant(0.5))
        run = finished(scenario(ground, 2.0, 60.0, boundaries=(edge,), precision="float64", engine=engine))
        depth = run.state.inside(run.state.h)
        assert run.ledger.edges_in == pytest.approx(30.0, rel=1e-9)
        assert np.argmax(depth[:, 0]) == 10
        np.testing.assert_allclose(depth, depth[::-1], atol=1e-12)


@pytest.mark.parametrize("rain", [0.0, 0.001])
def test_steady_flow_over_a_varied_bed_follows_macdonald(rain: float):
    """MacDonald et al. (1997), long subcritical channel, without and with rain (Delestre et al. 2013, doi 10.1002/fld.3741)."""
    gravity, n, length, cells = 9.81, 0.033, 1000.0, 200
    q0 = 1.0 if rain else 2.0
    fine = np.linspace(0.0, length, 40_001)
    bump = np.exp(-16.0 * (fine / length - 0.5) ** 2)
    h = (4.0 / gravity) ** (1 / 3) * (1.0 + 0.5 * bump)
    dh = (4.0 / gravity) ** (1 / 3) * 0.5 * bump * (-32.0 / length) * (fine / length - 0.5)
    q = q0 + rain * fine
    dz = (q**2 / (gravity * h**3) - 1.0) * dh - 2.0 * q * rain / (gravity * h**2) - n**2 * q**2 / h ** (10 / 3)
    z = np.concatenate([[0.0], np.cumsum(0.5 * (dz[1:] + dz[:-1]) * np.diff(fine))])
    dx = length / cells
    centres = (np.arange(cells) + 0.5) * dx
    bed, depth = np.interp(centres, fine, z), np.interp(centres, fine, h)
    outside = float(z[-1] + dz[-1] * dx / 2 + h[-1])
    xy = np.column_stack([np.full(3, dx / 2), dx * (np.arange(3) + 0.5)])
    flow = channel(
        bed, dx, 4000.0, manning_n=n, precision="float64", rain=constant(rain) if rain else None,
        initial_level=np.tile(bed + 0.5, (3, 1)),
        inflows=(Inflow(xy, constant(q0 * 3 * dx)),), boundaries=(EdgeBoundary("east", "level", level=constant(outside)),),
    )  # fmt: skip
    run = finished(flow)
    error = np.abs(run.state.inside(run.state.h)[1] - depth).mean()
    print(f"MacDonald, rain {rain}: mean error of the level {error * 100:.2f} cm")
    assert error <= (0.04 if rain else 0.03)


def test_ripples_on_a_deep_river_die_away():
    cells = 60
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:cells, :cells]
    level = 5.0 + 0.01 * np.where((x + y) % 2, 1.0, -1.0) + rng.normal(0.0, 0.002, x.shape)
    river = finished(scenario(np.zeros((cells, cells), dtype=np.float32), 4.0, 1800.0, initial_level=level, manning_n=0.02))
    assert river.steps > 4000
    assert np.ptp(river.state.h[1:-2, 1:-2]) < 0.002
    assert np.sqrt(river.state.speed2.max()) < 0.1


def test_a_gauge_sees_the_water_come():
    ground = np.zeros((20, 60), dtype=np.float32)
    pump = Inflow(np.array([[10.0, 20.0]]), constant(2.0), radius=5.0)
    flood = scenario(ground, 2.0, 600.0, inflows=(pump,), gauges=(Gauge("far", 100.0, 20.0),), output_every=60.0)
    result = run_inundation(flood)
    series = result.gauges[0]
    assert series.depths[0] == 0.0
    assert series.depths[-1] == pytest.approx(result.depths[-1][10, 50], abs=1e-6)
    first = series.times[np.argmax(series.depths > 0.05)]
    assert first == pytest.approx(result.arrival[10, 50], abs=2.0)
    assert len(result.times) == len(result.depths) == 11
    assert result.statistics["mass_error"] == pytest.approx(0.0, abs=1e-6)
    assert result.max_depth[10, 50] >= result.depths[-1][10, 50]


def test_fast_water_is_reported_as_beyond_the_engine():
    steep = channel(20.0 - 0.3 * np.arange(100), 2.0, 120.0, manning_n=0.015, boundaries=(EdgeBoundary("east", "free", 0.15),),
                    inflows=(Inflow(np.array([[1.0, 3.0]]), constant(3.0), radius=3.0),))  # fmt: skip
    assert run_inundation(steep).statistics["froude_warning"] is True
    calm = scenario(np.zeros((30, 30), dtype=np.float32), 5.0, 300.0, rain=constant(100 / 3.6e6))
    assert run_inundation(calm).statistics["froude_warning"] is False


def test_speeds_at_a_bank_stay_within_what_the_engine_can_tell():
    bed = np.where(np.arange(60) < 30, 2.0, np.where(np.arange(60) < 32, 1.0, -2.0))
    fall = Series(np.array([0.0, 60.0, 600.0]), np.array([2.5, 0.0, 0.0]))
    drained = channel(bed, 4.0, 600.0, initial_level=2.5, boundaries=(EdgeBoundary("east", "level", level=fall),))
    result = run_inundation(drained)
    assert (result.max_speed <= 3.001 * np.sqrt(9.81 * result.max_depth)).all()
    assert result.max_speed.max() > 1.0


def test_cancelling_stops_the_run():
    cancel = CancelToken()
    told: list[float] = []

    def progress(fraction: float | None, text: str = "") -> None:
        told.append(fraction or 0.0)
        if fraction and fraction > 0.3:
            cancel.cancel()

    flood = scenario(np.zeros((40, 40), dtype=np.float32), 5.0, 3600.0, rain=constant(50 / 3.6e6))
    with pytest.raises(Cancelled):
        run_inundation(flood, 2, progress, cancel)
    assert told == sorted(told)
    assert told[-1] < 0.4
