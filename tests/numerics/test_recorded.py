"""Cells held at recorded depths: a surge out of the dry, and water that is taken with its momentum."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import new_run, run_inundation
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood_inputs import HeldDepths, Storage

from .channels import scenario


def surge(engine: str, **fields: object):
    """A flat of 60 cells, dry, on whose western rim three metres of water come up within a few seconds."""
    cells = np.array([[row, 0] for row in range(20)])
    held = HeldDepths(
        cells, np.array([0.0, 10.0, 60.0]), np.array([[0.0], [3.0], [3.0]], dtype=np.float32) * np.ones(20, np.float32)
    )
    return scenario(np.zeros((20, 60)), 10.0, 60.0, devices=(held,), engine=engine, precision="float64", manning_n=0.02, **fields)


@pytest.mark.parametrize("engine", ["inertial", "dynamic"])
def test_a_surge_from_a_held_rim_runs_into_the_dry_without_a_jump(engine: str):
    result = run_inundation(surge(engine))
    assert abs(result.statistics["mass_error"]) <= 1e-12
    # A bore is no case of the inertial engine, which heaps it up.
    assert result.max_depth.max() <= (3.0 + 1e-6 if engine == "dynamic" else 3.6)
    # No faster than the front of a dam break of that depth.
    assert result.max_speed.max() <= 2.0 * np.sqrt(9.81 * 3.0)
    # A step is seen after its water has run off; the inertial one is long.
    assert np.asarray(result.depths[-1])[:, 0] == pytest.approx(3.0, abs=0.35 if engine == "dynamic" else 1.0)
    assert result.statistics["rim_in_m3"] > 1000.0


def test_water_that_is_taken_takes_its_momentum_along():
    tank = Storage("T", np.array([[10, 30]]), 1e6, 0.2, 10.0)
    flow = scenario(np.zeros((20, 60)), 10.0, 60.0, engine="dynamic", precision="float64", initial_level=1.0, devices=(tank,))
    run = new_run(flow, 1, CancelToken())
    inside = run.state.inside
    inside(run.state.qx)[:] = 0.5
    before = inside(run.state.qx)[10, 30] / inside(run.state.h)[10, 30]
    run._exchanges.apply(run.state, 0.0, 2.0)
    assert inside(run.state.h)[10, 30] < 0.9
    assert inside(run.state.qx)[10, 30] / inside(run.state.h)[10, 30] == pytest.approx(before)
    assert inside(run.state.qx)[10, 31] == 0.5
