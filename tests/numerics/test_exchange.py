"""Water given and taken by something beside the grid: all of it booked, none invented, the same for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import Run, run_inundation
from cimdesk.base.jobs import CancelToken

from .channels import scenario, town


class Pump:
    """Takes from one cell what it can and gives the same water to another in the next step."""

    def __init__(self, source: tuple[int, int], target: tuple[int, int], discharge: float) -> None:
        self.cells = np.array([source, target], dtype=np.int32)
        self.held = 0.0
        self.asked: list[np.ndarray] = []
        self._discharge = discharge

    def step(self, time: float, dt: float, depths: np.ndarray, levels: np.ndarray) -> np.ndarray:
        assert (depths >= 0.0).all()
        self.asked.append(np.concatenate([[time, dt], levels]))
        return np.array([-self._discharge * dt, self.held])

    def accepted(self, volumes: np.ndarray) -> None:
        assert volumes[0] <= 0.0 <= volumes[1]
        self.held -= float(volumes.sum())


def open_cells(houses: np.ndarray) -> np.ndarray:
    return np.argwhere(~houses)


@pytest.mark.parametrize(("precision", "lost"), [("float64", 1e-12), ("float32", 1e-6)])
@pytest.mark.parametrize("discharge", [0.5, 1e6])
@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
def test_a_pump_moves_water_and_makes_none(engine: str, precision: str, lost: float, discharge: float):
    ground, houses = town(60)
    cells = open_cells(houses)
    pump = Pump(tuple(cells[100]), tuple(cells[-100]), discharge)
    lake = scenario(ground, 2.0, 120.0, is_blocked=houses, initial_level=0.3, precision=precision, engine=engine)
    run = Run(lake, 1, CancelToken(), [pump])
    run.frame()
    before = run.state.volume(4.0)
    with run:
        run.advance(120.0)
    run.frame()
    assert run.ledger.exchange_out > 10.0
    assert abs(run.ledger.mass_error) <= lost
    assert run.state.volume(4.0) + pump.held == pytest.approx(before, rel=lost)
    assert run.state.h.min() >= 0.0


def test_levels_are_told_above_the_datum_and_times_follow_on():
    ground = np.full((12, 12), 25.0, dtype=np.float32)
    pump = Pump((3, 3), (8, 8), 0.1)
    run_inundation(scenario(ground, 2.0, 60.0, initial_level=25.5), exchanges=[pump])
    told = np.array(pump.asked)
    assert told[0, 2:] == pytest.approx(25.5)
    np.testing.assert_allclose(told[1:, 0], (told[:, 0] + told[:, 1])[:-1])
    assert told[-1, 0] + told[-1, 1] == pytest.approx(60.0)


def test_water_from_drains_wakes_a_dry_grid():
    pump = Pump((1, 1), (90, 700), 0.0)
    pump.held = 40.0
    result = run_inundation(scenario(np.zeros((100, 800), dtype=np.float32), 2.0, 30.0), exchanges=[pump])
    assert result.volume[-1] == pytest.approx(40.0, rel=1e-6)
    assert result.statistics["exchange_in_m3"] == pytest.approx(40.0, rel=1e-6)


def test_an_exchange_inside_a_building_is_refused():
    ground, houses = town(40)
    inside = tuple(np.argwhere(houses)[0])
    with pytest.raises(ValueError, match="open ground"):
        run_inundation(scenario(ground, 2.0, 30.0, is_blocked=houses), exchanges=[Pump(inside, inside, 1.0)])
