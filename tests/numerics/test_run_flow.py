"""The velocities that a run keeps: of uniform flow those of Manning's law, in both engines; the same in a file and continued."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import run_inundation
from cimdesk.formats.flood_result import read_result, write_result
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Inflow, Series
from cimdesk.model.terrain import Terrain

SLOPE, MANNING, DEPTH = 0.002, 0.03, 0.5
SPEED = DEPTH ** (2 / 3) * SLOPE**0.5 / MANNING
CELL, ROWS, COLUMNS = 5.0, 8, 120


def channel(engine: str, turns: int) -> FloodScenario:
    """Return a plane that water runs down, to the east or, turned, to other sides."""
    x = np.arange(COLUMNS) * CELL
    bed = np.tile(10.0 - SLOPE * x, (ROWS, 1))
    side = ["east", "north", "west", "south"][turns]
    bed = np.ascontiguousarray(np.rot90(bed, turns)).astype(np.float32)
    ground = Terrain(bed, 0.0, bed.shape[0] * CELL, CELL, CELL)
    upper = ["west", "south", "east", "north"][turns]
    flow = Series(np.array([0.0, 1e6]), np.full(2, SPEED * DEPTH * ROWS * CELL))
    edges = (EdgeBoundary(side, "free", SLOPE), EdgeBoundary(upper, "discharge", discharge=flow))
    return FloodScenario(
        "channel", ground, MANNING, np.zeros(bed.shape, dtype=bool), 1800.0, 600.0, boundaries=edges, engine=engine,
        initial_level=bed.astype(np.float64) + DEPTH,
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
@pytest.mark.parametrize(("turns", "east", "north"), [(0, 1, 0), (1, 0, 1), (2, -1, 0), (3, 0, -1)])
def test_uniform_flow_has_the_speed_of_manning_and_its_direction(engine, turns, east, north):
    result = run_inundation(channel(engine, turns))
    assert len(result.flow) == len(result.times)
    rows, columns = result.terrain.shape
    middle = np.array([[columns * CELL / 2, rows * CELL / 2]])
    u, v = result.flow.at_points(len(result.times) - 1, middle)[0]
    assert (u, v) == (pytest.approx(east * SPEED, abs=0.02 * SPEED), pytest.approx(north * SPEED, abs=0.02 * SPEED))


def test_velocities_come_back_from_a_file(tmp_path):
    result = run_inundation(channel("inertial", 0))
    again = read_result(write_result(tmp_path / "a.flood", result))
    assert again.flow.grid == result.flow.grid
    for k in range(len(result.times)):
        np.testing.assert_array_equal(again.flow.frame(k), result.flow.frame(k))


def test_still_water_stands():
    ground = Terrain(np.zeros((20, 20), dtype=np.float32), 0.0, 20.0, 1.0, 1.0)
    still = FloodScenario("pond", ground, 0.03, np.zeros((20, 20), dtype=bool), 60.0, 30.0, initial_level=1.0)
    result = run_inundation(still)
    assert not result.flow.frame(2).any()


def test_an_inflow_spreads_to_all_sides():
    ground = Terrain(np.zeros((41, 41), dtype=np.float32), 0.0, 82.0, 2.0, 2.0)
    spring = Inflow(np.array([[41.0, 41.0]]), Series(np.array([0.0, 1e4]), np.array([2.0, 2.0])))
    result = run_inundation(FloodScenario("spring", ground, 0.03, np.zeros((41, 41), dtype=bool), 120.0, 60.0, inflows=(spring,)))
    places = np.array([[49.0, 41.0], [33.0, 41.0], [41.0, 49.0], [41.0, 33.0]])
    found = result.flow.at_points(2, places)
    assert found[0, 0] > 0.02 and found[1, 0] < -0.02 and found[2, 1] > 0.02 and found[3, 1] < -0.02  # noqa: PT018
