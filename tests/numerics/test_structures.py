"""Structures against known answers: gates open, pumps lift, culverts balance, tanks fill; no water is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import Run, run_inundation
from cimdesk.analysis.flood.lines import cells_along, faces_along
from cimdesk.analysis.flood.structures import culvert_discharge
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import EdgeBoundary, Inflow, Series
from cimdesk.model.flood_inputs import Culvert, LineBoundary, LineGauge, MovingBed, Pump, Storage
from cimdesk.model.terrain import Terrain

from .channels import constant, scenario

ENGINES = ("inertial", "dynamic")


def basin(width: int = 20, dam: int = 10, crest: float = 3.0) -> np.ndarray:
    """Return two ponds of flat ground, five cells deep, parted by a dam one cell thick."""
    ground = np.zeros((5, width))
    ground[:, dam] = crest
    return ground


def level_left(ground: np.ndarray, level: float, dam: int = 10) -> np.ndarray:
    """Return start levels: water left of the dam only."""
    levels = np.full(ground.shape, -1.0)
    levels[:, :dam] = level
    return levels


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gate_opens_and_both_ponds_end_at_one_level(engine):
    ground = basin()
    cells = np.argwhere(ground > 0.0)
    gate = MovingBed(cells, np.array([60.0, 120.0]), np.array([np.full(5, 3.0), np.zeros(5)]))
    start = level_left(ground, 2.0)
    flood = scenario(
        ground,
        2.0,
        3600.0,
        initial_level=start,
        beds=(gate,),
        engine=engine,
        precision="float64",
        output_every=60.0,
        manning_n=0.06,
    )
    result = run_inundation(flood)
    assert result.depths[1][:, 11:].max() == 0.0, "nothing passes the closed gate"
    assert result.depths[-1].mean(axis=0)[15] == pytest.approx(result.depths[-1].mean(axis=0)[3], abs=0.02)
    assert result.depths[-1].mean() == pytest.approx(2.0 * 10 / 20, abs=1e-6)
    assert abs(result.statistics["mass_error"]) <= 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gate_that_closes_again_keeps_what_has_passed(engine):
    ground = basin()
    cells = np.argwhere(ground > 0.0)
    states = np.array([np.full(5, 3.0), np.full(5, 1.5), np.full(5, 1.5), np.full(5, 3.0)])
    gate = MovingBed(cells, np.array([0.0, 10.0, 60.0, 70.0]), states)
    flood = scenario(
        ground,
        2.0,
        600.0,
        initial_level=level_left(ground, 2.0),
        beds=(gate,),
        engine=engine,
        precision="float64",
        output_every=100.0,
    )
    result = run_inundation(flood)
    right = result.depths[:, :, 11:].sum(axis=(1, 2))
    assert right[1] > 0.1
    # What stood on the gate runs off to both sides for a while.
    np.testing.assert_allclose(right[3:], right[3], rtol=2e-3)
    assert abs(result.statistics["mass_error"]) <= 1e-12


def test_a_pump_empties_a_pond_into_another_to_its_stop_level():
    ground = basin()
    pump = Pump("P", np.array([[2, 5], [2, 15]]), 0.05, 0.5, 0.2)
    flood = scenario(
        ground, 2.0, 3600.0, initial_level=level_left(ground, 1.0), devices=(pump,), precision="float64", output_every=600.0
    )
    result = run_inundation(flood)
    left = result.depths[:, :, :10].mean(axis=(1, 2))
    assert left[-1] == pytest.approx(0.2, abs=0.02)
    assert (left[1] - left[0]) * 50 * 4.0 == pytest.approx(-0.05 * 600.0, rel=0.01), "at its capacity"
    assert result.volume[-1] == pytest.approx(result.volume[0], abs=0.05 * 5.0), "but for what is in the pipe"
    assert abs(result.statistics["mass_error"]) <= 1e-12


def test_a_pump_out_of_the_model_counts_what_it_removes():
    ground = basin()
    pump = Pump("P", np.array([[2, 5]]), 0.02, 0.1, 0.05)
    flood = scenario(ground, 2.0, 600.0, initial_level=level_left(ground, 1.0), devices=(pump,), precision="float64")
    result = run_inundation(flood)
    assert result.statistics["pumped_out_m3"] == pytest.approx(12.0, rel=1e-3)
    assert result.volume[0] - result.volume[-1] == pytest.approx(result.statistics["pumped_out_m3"], rel=1e-9)


@pytest.mark.parametrize("has_flap", [False, True])
def test_a_culvert_evens_out_two_ponds_unless_its_flap_keeps_the_water_back(has_flap):
    ground = basin()
    ends = np.array([[2, 9], [2, 11]]) if not has_flap else np.array([[2, 11], [2, 9]])
    pipe = Culvert("C", ends, (0.0, 0.0), 0.8, 0.8, 10.0, has_flap=has_flap)
    flood = scenario(
        ground, 2.0, 7200.0, initial_level=level_left(ground, 1.0), devices=(pipe,), precision="float64", output_every=600.0,
    )  # fmt: skip
    result = run_inundation(flood)
    left, right = result.depths[-1][:, :10].mean(), result.depths[-1][:, 11:].mean()
    assert abs(result.statistics["mass_error"]) <= 1e-12
    if has_flap:
        assert right == 0.0
    else:
        assert left == pytest.approx(right, abs=0.02)
        assert result.volume[-1] == pytest.approx(result.volume[0], rel=1e-9)


def test_a_drowned_culvert_carries_what_the_energy_equation_gives():
    pipe = Culvert("C", np.zeros((2, 2), int), (0.0, 0.0), 1.0, 1.0, 20.0, manning_n=0.013)
    area, radius = np.pi / 4.0, 0.25
    losses = 1.5 + 2.0 * 9.81 * 0.013**2 * 20.0 / radius ** (4.0 / 3.0)
    expected = area * np.sqrt(2.0 * 9.81 * 0.3 / losses)
    assert culvert_discharge(pipe, 3.3, 3.0, 0.0, 0.0) == pytest.approx(expected, rel=1e-12)
    assert culvert_discharge(pipe, 3.0, 3.0, 0.0, 0.0) == 0.0
    # A free inlet at small head is a weir of the width that is wet.
    assert culvert_discharge(pipe, 0.1, 0.0, 0.0, -2.0) < 2 / 3 * 0.54 * 1.0 * 0.1**1.5 * np.sqrt(19.62)


def test_a_tank_fills_to_its_capacity_and_no_further():
    tank = Storage("T", np.array([[5, 5]]), 40.0, 0.1, 4.0)
    run = Run(scenario(np.zeros((10, 10)), 2.0, 900.0, initial_level=0.5, devices=(tank,), precision="float64"), 1, CancelToken())
    with run:
        run.advance(900.0)
    assert run.devices[0].held == pytest.approx(40.0, rel=1e-6)
    run.frame()
    assert run.ledger.volumes[-1] == pytest.approx(200.0 - 40.0, rel=1e-9)
    assert abs(run.ledger.mass_error) <= 1e-12


def test_a_tank_gives_back_when_the_street_is_dry():
    tank = Storage("T", np.array([[5, 5]]), 40.0, 0.1, 4.0, release=0.01)
    ground = np.tile(0.02 * np.arange(40)[::-1], (5, 1))
    spell = Series(np.array([0.0, 300.0, 301.0]), np.array([0.3, 0.3, 0.0]))
    flood = scenario(
        ground, 2.0, 3600.0, inflows=(Inflow(np.array([[1.0, 5.0]]), spell),),
        devices=(replace(tank, cells=np.array([[2, 10]]), sill=float(ground[0, 10]) + 0.01),),
        boundaries=(EdgeBoundary("east", "free", 0.02),), precision="float64",
    )  # fmt: skip
    run = Run(flood, 1, CancelToken())
    with run:
        run.advance(400.0)
        most = run.devices[0].held
        run.advance(3600.0)
    assert most > 2.0
    assert run.devices[0].held < 0.5 * most
    run.frame()
    assert abs(run.ledger.mass_error) <= 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_what_crosses_a_line_is_what_arrives_behind_it(engine):
    ground = np.tile(0.02 * np.arange(60)[::-1], (7, 1))
    grid = Terrain(ground.astype(np.float32), 0.0, 14.0, 2.0, 2.0)
    west, north = faces_along(grid, np.array([[61.0, 0.0], [61.0, 14.0]]))
    gauge = LineGauge("L", west, north)
    inflow = Inflow(np.array([[1.0, 7.0]]), constant(0.5))
    flood = scenario(ground, 2.0, 600.0, inflows=(inflow,), lines=(gauge,), engine=engine, precision="float64")
    line = run_inundation(flood)
    flows, times = line.lines[0].discharges, line.lines[0].times
    passed = float(np.trapezoid(flows, times))
    behind = float(line.depths[-1][:, 30:].sum()) * 4.0
    assert len(west) == 7
    assert passed == pytest.approx(behind, rel=0.02)
    assert flows[-1] == pytest.approx(0.5, rel=0.02)


def test_a_line_has_no_gaps_and_its_faces_know_their_side():
    grid = Terrain(np.zeros((50, 50), np.float32), 0.0, 50.0, 1.0, 1.0)
    line = np.array([[3.0, 4.0], [20.7, 33.9], [44.0, 21.0]])
    cells, along = cells_along(grid, line)
    steps = np.abs(np.diff(cells, axis=0)).max(axis=1)
    assert (steps == 1).all()
    assert (np.diff(along) > 0.0).all()
    west, north = faces_along(grid, line)
    # A uniform flow to the east crosses as much as the line's extent from north to south, whatever its shape.
    assert west[:, 2].sum() == 21 - 4
    assert north[:, 2].sum() == 44 - 3


@pytest.mark.parametrize("kind", ["level", "free", "critical"])
def test_a_boundary_along_a_line_holds_or_lets_go(kind):
    ground = np.zeros((5, 40))
    cells = np.column_stack([np.arange(5), np.full(5, 35)])
    line = LineBoundary(cells, kind, np.zeros(1), np.array([0.3]), slope=0.01)
    flood = scenario(ground, 2.0, 3600.0, initial_level=1.0, devices=(line,), precision="float64", output_every=600.0)
    result = run_inundation(flood)
    assert abs(result.statistics["mass_error"]) <= 1e-12
    if kind == "level":
        np.testing.assert_allclose(result.depths[-1], 0.3, atol=0.01)
    else:
        assert result.depths[-1].max() < 0.2


@pytest.mark.parametrize("engine", ENGINES)
def test_structures_give_the_same_bits_on_any_number_of_threads(engine):
    rng = np.random.default_rng(3)
    ground = rng.normal(0.0, 0.1, (300, 900))
    ground[:, 450] = 3.0
    gate = MovingBed(np.argwhere(ground == 3.0)[100:120], np.array([5.0, 10.0]), np.array([np.full(20, 3.0), np.zeros(20)]))
    pump = Pump("P", np.array([[20, 20], [200, 800]]), 0.5, 0.1, 0.0)
    flood = scenario(
        ground,
        2.0,
        30.0,
        initial_level=level_left(ground, 1.0, 450),
        beds=(gate,),
        devices=(pump,),
        engine=engine,
        output_every=30.0,
    )
    one, two = (run_inundation(flood, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.depths, two.depths)
