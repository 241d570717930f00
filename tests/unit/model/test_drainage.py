"""What the nodes of the drains did, asked by node and by time."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.model.drainage import DrainageSeries, NodeState, SewerTotals


def series() -> DrainageSeries:
    return DrainageSeries(
        ids=np.array(["J1", "O1"], dtype=object),
        positions=np.zeros((2, 2)),
        inverts=np.array([8.0, 7.0]),
        rims=np.array([10.0, np.nan]),
        times=np.array([0.0, 60.0, 120.0]),
        depths=np.array([[0.0, 0.0], [1.5, 0.5], [2.25, 3.5]], dtype=np.float32),
        exchange=np.array([[0.0, 0.0], [0.1, 0.0], [-0.2, 0.0]], dtype=np.float32),
    )


def test_water_above_the_ground_is_surcharge_and_outfalls_have_none():
    np.testing.assert_allclose(series().surcharge, [[0, 0], [0, 0], [0.25, 0]])


@pytest.mark.parametrize(("seconds", "row"), [(-5.0, 0), (0.0, 0), (59.0, 0), (60.0, 1), (1e9, 2)])
def test_a_state_holds_until_the_next(seconds: float, row: int):
    assert series().row_at(seconds) == row
    assert series().surcharge_at(seconds)[0] == series().surcharge[row, 0]


def test_a_node_tells_depth_surcharge_and_exchange():
    assert series().state_of("J1", 130.0) == NodeState(2.25, 0.25, pytest.approx(-0.2))
    assert series().state_of("J9", 130.0) is None


def test_the_continuity_error_is_a_share_of_all_that_came():
    totals = SewerTotals(initial=10.0, stored=30.0, external=80.0, dry_weather=10.0, outflow=65.0, flooding=0.0)
    assert totals.continuity_error == pytest.approx(0.05)
    assert SewerTotals(0.0, 0.0, 0.0, 0.0, 0.0, 0.0).continuity_error == 0.0
