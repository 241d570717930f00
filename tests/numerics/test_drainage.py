"""Drains and surface together: streets drain, full drains flood them, vessels level out, and no water is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.flood.drainage import Coefficients, DrainageExchange, Inlets, Outfalls, exchange_flow
from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.commands.flood import simulate
from cimdesk.model.drainage import SewerState
from cimdesk.model.flood import FloodResult, FloodScenario, Series

from .channels import scenario
from .sewers import Tank, drains, needs_swmm, swmm_text

AREA = 1.0
RIM = 2.0 * np.sqrt(np.pi)
LAWS = Coefficients()


def flow(head: float, depth: float, crest: float = 10.0) -> float:
    return float(exchange_flow(np.array([head]), np.array([depth]), np.array([crest]), AREA, LAWS)[0])


@pytest.mark.parametrize(
    ("head", "depth", "expected"),
    [
        (8.0, 0.1, 2 / 3 * 0.54 * RIM * 0.1**1.5 * np.sqrt(19.62)),  # free weir
        (10.05, 0.1, 0.056 * RIM * 0.1 * np.sqrt(19.62 * 0.05)),  # submerged weir
        (10.1, 0.5, 0.167 * np.sqrt(19.62 * 0.4)),  # deep water: orifice inwards
        (10.9, 0.4, -0.167 * np.sqrt(19.62 * 0.5)),  # orifice outwards
        (10.3, 0.3, 0.0),  # level
        (8.0, 0.0, 0.0),  # dry street
        (10.0, 0.0, 0.0),
    ],
)
def test_exchange_follows_the_laws_of_weir_and_orifice(head: float, depth: float, expected: float):
    assert flow(head, depth) == pytest.approx(expected, abs=1e-12)


def inlets(count: int, area: float = AREA, open_share: float = 1.0, limit: float = np.inf, crest: float = 0.0) -> Inlets:
    cells = np.stack([np.arange(count) * 3 + 3, np.full(count, 5)], axis=1).astype(np.int32)
    return Inlets(cells, np.full(count, crest), np.full(count, open_share), np.full(count, limit), area)


def ends(cells: list[tuple[int, int]]) -> Outfalls:
    return Outfalls(np.array(cells, dtype=np.int32).reshape(-1, 2), np.zeros(len(cells)), np.full(len(cells), -1.0))


def puddle(depth: float, duration: float = 60.0, size: int = 24, **fields: object) -> FloodScenario:
    return scenario(np.zeros((size, size)), 2.0, duration, initial_level=depth, precision="float64", **fields)


@given(
    heads=st.lists(st.floats(-3.0, 2.0), min_size=3, max_size=3),
    depth=st.floats(0.0, 0.8),
    leak=st.floats(0.0, 0.2),
    relaxation=st.floats(0.0, 20.0),
)
@settings(max_examples=20, deadline=None)
def test_surface_drains_and_what_is_between_them_hold_all_the_water(heads, depth, leak, relaxation):
    tank = Tank(heads, 4.0, outfalls=1, leak=leak)
    exchange = DrainageExchange(inlets(3), ends([(20, 20)]), tank, 4.0, relaxation=relaxation)
    result = run_inundation(puddle(depth), exchanges=[exchange])
    exchange.meet(60.0)
    held = result.volume[-1] + tank.volume + exchange.in_transit.sum() + exchange.owed.sum()
    assert held == pytest.approx(result.volume[0], rel=1e-12, abs=1e-10)
    assert abs(exchange.mass_missing) < 1e-10
    assert abs(result.statistics["mass_error"]) < 1e-12


def test_a_shaft_levels_with_the_street_and_does_not_swing():
    tank = Tank([-4.0], AREA)
    exchange = DrainageExchange(inlets(1), ends([]), tank, 2500.0, relaxation=1.0)
    heads = []
    taken = exchange.meet

    def meet(time: float) -> None:
        taken(time)
        heads.append(float(tank.heads[0]))

    exchange.meet = meet  # type: ignore[method-assign]
    lake = scenario(np.zeros((12, 12)), 50.0, 120.0, initial_level=0.3, precision="float64")
    result = run_inundation(lake, exchanges=[exchange])
    assert tank.heads[0] == pytest.approx(float(result.depths[-1][3, 5]), abs=1e-3)
    assert len(heads) >= 100
    assert max(heads) <= 0.3 + 1e-3  # the street itself moves by as much
    assert exchange.ledger.surcharge < 1e-2


def test_a_full_shaft_gives_only_what_stands_above_the_street():
    tank = Tank([2.0], AREA)
    exchange = DrainageExchange(inlets(1), ends([]), tank, 4.0)
    result = run_inundation(puddle(0.0, 300.0), exchanges=[exchange])
    assert result.volume[-1] == pytest.approx(2.0, abs=0.05)
    assert exchange.ledger.inflow < 0.05


def test_clogging_and_limits_hold_back_what_goes_in():
    def inflow(**fields: float) -> float:
        exchange = DrainageExchange(inlets(1, **fields), ends([]), Tank([-50.0], 100.0), 2500.0)
        wide = scenario(np.zeros((24, 24)), 50.0, 20.0, initial_level=0.1, precision="float64")
        run_inundation(wide, exchanges=[exchange])
        return exchange.ledger.inflow

    assert inflow() == pytest.approx(20.0 * flow(-50.0, 0.1), rel=2e-2)
    assert inflow(open_share=0.5) == pytest.approx(0.5 * inflow(), rel=2e-2)
    assert inflow(open_share=0.0) == 0.0
    assert inflow(limit=0.01) == pytest.approx(0.01 * 20.0, rel=1e-6)


STREET = [("J1", 11.0, 21.0, -2.0, 2.0), ("J2", 41.0, 21.0, -2.1, 2.0)]
AWAY = [("OUT", 500.0, 21.0, -3.0, 0.0)]
PIPES = [("P1", "J1", "J2", 30.0, 0.5), ("P2", "J2", "OUT", 60.0, 0.5)]
RAIN = Series(np.array([0.0, 300.0]), np.array([80e-3 / 3600, 0.0]))


def town(**fields: object) -> FloodScenario:
    ground = np.zeros((20, 30)) + 0.002 * np.abs(np.arange(30) - 12.0)
    return scenario(ground, 2.0, 900.0, output_every=300.0, precision="float64", start_time=1780801200.0, **fields)


def books_close(result: FloodResult) -> None:
    """Check that surface and pipes account for every drop that passed between them."""
    figures = result.statistics["drainage"]
    assert abs(figures["mass_error"]) <= 1e-9
    assert abs(result.statistics["mass_error"]) <= 1e-12
    exchanged = result.statistics["exchange_out_m3"] - result.statistics["exchange_in_m3"]
    assert figures["inflow_m3"] - figures["surcharge_m3"] - figures["outfall_to_surface_m3"] == pytest.approx(exchanged, rel=1e-9)


@needs_swmm
@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
def test_a_flooded_street_drains(tmp_path: Path, engine: str):
    dry = simulate(town(initial_level=0.15, engine=engine), 1)
    result = simulate(town(initial_level=0.15, engine=engine, drainage=drains(tmp_path, swmm_text(STREET, AWAY, PIPES))), 1)
    figures = result.statistics["drainage"]
    assert dry.volume[-1] == pytest.approx(dry.volume[0], rel=1e-12)
    assert result.volume[-1] < 0.5 * result.volume[0]
    assert figures["left_model_m3"] + figures["stored_m3"] == pytest.approx(figures["inflow_m3"], rel=0.02)
    assert (result.depths[-1] <= dry.depths[-1] + 1e-3).all()
    books_close(result)


@needs_swmm
@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
def test_a_surcharged_manhole_floods_the_street(tmp_path: Path, engine: str):
    # 0.3 m3/s come down a sewer that is closed below the street: all of it must come up there.
    nodes = [("TOP", 500.0, 21.0, 0.0, 6.0), ("J1", 21.0, 21.0, -2.0, 2.0)]
    text = swmm_text(nodes, [("OUT", 600.0, 21.0, -3.0, 0.0)], [("P0", "TOP", "J1", 60.0, 0.6), ("P1", "J1", "OUT", 60.0, 0.01)],
                     "[DWF]\nTOP FLOW 0.3")  # fmt: skip
    result = simulate(town(drainage=drains(tmp_path, text), engine=engine), 1)
    figures = result.statistics["drainage"]
    came = 0.3 * 900.0
    assert figures["inlets"] == 1
    assert result.volume[-1] == pytest.approx(came - figures["stored_m3"], rel=0.05)
    assert figures["surcharge_m3"] > 0.8 * came
    assert figures["surcharged_nodes"] == 1
    series = result.drainage
    row = list(series.ids).index("J1")
    assert series.surcharge[-1, row] > 0.05
    assert series.exchange[-1, row] == pytest.approx(-0.3, rel=0.03)
    books_close(result)


@needs_swmm
def test_two_basins_joined_by_a_pipe_level_out(tmp_path: Path):
    # The pipe ends under water on the right, so what the outfall sees is the level of the basin there.
    ground = np.zeros((12, 41))
    ground[:, 20] = 5.0
    walls = scenario(ground, 2.0, 3600.0, output_every=900.0, precision="float64")
    level = np.zeros(ground.shape)
    level[:, :20] = 0.6
    text = swmm_text([("J1", 31.0, 13.0, -1.0, 1.0)], [("OUT", 51.0, 13.0, -1.0, 0.0)], [("P1", "J1", "OUT", 20.0, 0.6)])
    walls = replace(walls, initial_level=level, drainage=drains(tmp_path, text))
    result = simulate(walls, 1)
    depth = np.asarray(result.depths[-1])
    left, right = float(depth[:, :20].mean()), float(depth[:, 21:].mean())
    assert result.statistics["drainage"]["outfalls_on_grid"] == 1
    assert left == pytest.approx(right, abs=0.02)
    assert left == pytest.approx(0.3, abs=0.03)
    books_close(result)


@needs_swmm
def test_rain_is_not_counted_twice(tmp_path: Path):
    catchment = (
        "[RAINGAGES]\nRG INTENSITY 0:05 1.0 TIMESERIES STORM\n[SUBCATCHMENTS]\nS1 RG J1 10 100 100 1 0\n"
        "[SUBAREAS]\nS1 0.01 0.1 0 0 100 OUTLET\n[INFILTRATION]\nS1 76 8 4 7 0\n[TIMESERIES]\nSTORM 0:00 200\nSTORM 1:00 0"
    )
    plain = swmm_text(STREET, AWAY, PIPES)
    with_runoff = swmm_text(STREET, AWAY, PIPES, catchment)
    (tmp_path / "a").mkdir()
    a = simulate(town(rain=RAIN, drainage=drains(tmp_path / "a", plain)), 1)
    b = simulate(town(rain=RAIN, drainage=drains(tmp_path, with_runoff)), 1)
    assert b.statistics["drainage"]["inflow_m3"] == a.statistics["drainage"]["inflow_m3"]
    assert b.statistics["drainage"]["stored_m3"] == a.statistics["drainage"]["stored_m3"]
    assert b.statistics["rain_m3"] == pytest.approx(80e-3 / 12 * 20 * 30 * 4, rel=1e-9)
    books_close(b)


@needs_swmm
def test_the_books_of_swmm_agree_with_ours(tmp_path: Path):
    from cimdesk.commands.flood_drainage import coupled

    ready = town(rain=RAIN, initial_level=0.1, drainage=drains(tmp_path, swmm_text(STREET, AWAY, PIPES)))
    steps: list[SewerState] = []
    with coupled(ready) as run:
        ask = run.exchange.sewers.advance

        def advance(count: int, volumes: np.ndarray, levels: np.ndarray) -> SewerState:
            steps.extend(ask(1, volumes / count, levels) for _ in range(count))
            last = steps[-count:]
            received = np.sum([step.received for step in last], axis=0)
            return SewerState(last[-1].heads, last[-1].outfall_volumes, sum(step.lost for step in last), received)

        run.exchange.sewers.advance = advance
        result = run.finish(run_inundation(ready, exchanges=[run]))
        totals = run._sewers.totals()
        ledger = run.exchange.ledger
    # SWMM sums by the trapezoidal rule, so half of its last step is still to come.
    assert totals.external == pytest.approx(ledger.received - 0.5 * steps[-1].received.sum(), rel=1e-9)
    assert totals.outflow == pytest.approx(ledger.lost - 0.5 * steps[-1].lost, rel=1e-9)
    assert result.statistics["drainage"]["swmm_continuity_error"] == pytest.approx(0.0, abs=0.02)


@needs_swmm
def test_runs_with_drains_repeat_to_the_last_bit(tmp_path: Path):
    ready = town(rain=RAIN, drainage=drains(tmp_path, swmm_text(STREET, AWAY, PIPES)))
    first, second = simulate(ready, 1), simulate(ready, 2)
    np.testing.assert_array_equal(first.max_depth, second.max_depth)
    np.testing.assert_array_equal(first.drainage.depths, second.drainage.depths)
    assert first.statistics["drainage"] == second.statistics["drainage"]


@needs_swmm
@pytest.mark.parametrize(("units", "per_cms", "length"), [("LPS", 1000.0, 1.0), ("CFS", 35.3146667, 3.28084)])
def test_units_of_the_network_do_not_matter(tmp_path: Path, units: str, per_cms: float, length: float):
    def scaled(rows: list, *columns: int) -> list:
        return [tuple(v * length if k in columns else v for k, v in enumerate(row)) for row in rows]

    other = swmm_text(scaled(STREET, 3, 4), scaled(AWAY, 3), scaled(PIPES, 3, 4)).replace("UNITS CMS", f"UNITS {units}")
    (tmp_path / "metric").mkdir()
    a = simulate(town(initial_level=0.15, drainage=drains(tmp_path / "metric", swmm_text(STREET, AWAY, PIPES))), 1)
    b = simulate(town(initial_level=0.15, drainage=drains(tmp_path, other)), 1)
    assert b.statistics["drainage"]["inflow_m3"] == pytest.approx(a.statistics["drainage"]["inflow_m3"], rel=2e-3)
    assert b.statistics["drainage"]["stored_m3"] == pytest.approx(a.statistics["drainage"]["stored_m3"], rel=2e-2)
    books_close(b)
