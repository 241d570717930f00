"""Velocities of blocks of cells: what is kept of a run's flow, and what it is between blocks and frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.flood_flow import MOST_BLOCKS, STEP, FlowFrames, block_flow, blocks_over, packed_flow, sampled, speed_classes
from cimdesk.model.style import Style
from cimdesk.model.terrain import Terrain


def grid(rows: int, columns: int, cell: float = 2.0) -> Terrain:
    return Terrain(np.zeros((rows, columns), dtype=np.float32), 1000.0, 5000.0, cell, cell)


def test_a_block_flows_with_what_goes_through_it_over_what_stands_in_it():
    depth = np.array([[1.0, 3.0], [0.0, 0.0]])
    east, north = np.array([[1.0, 3.0], [9.0, 9.0]]), np.array([[0.0, -2.0], [9.0, 9.0]])
    u, v = block_flow(depth, east, north, 2)
    assert u[0, 0] == pytest.approx(1.0)
    assert v[0, 0] == pytest.approx(-0.5)


def test_blocks_at_the_rim_hold_the_cells_that_are_left():
    u, _ = block_flow(np.ones((5, 7)), np.full((5, 7), 0.7), np.zeros((5, 7)), 3)
    assert u.shape == (2, 3)
    np.testing.assert_allclose(u, 0.7, rtol=1e-6)


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(0.1, 1e5))
def test_no_run_keeps_more_than_its_share(rows, columns, frames):
    factor, blocks = blocks_over(Terrain(np.broadcast_to(np.float32(0.0), (rows, columns)), 0.0, 0.0, 1.0, 1.0), frames)
    assert blocks.shape[0] * blocks.shape[1] <= MOST_BLOCKS
    assert (blocks.shape[0] - 1) * factor < rows <= blocks.shape[0] * factor


def test_what_is_packed_comes_back_within_half_a_step():
    rng = np.random.default_rng(1)
    u, v = rng.uniform(-5, 5, (2, 6, 8))
    flow = FlowFrames((0.0, 12.0, 2.0, 2.0), (6, 8), (packed_flow(u, v), b""))
    assert np.abs(flow.frame(0) - np.stack([u, v])).max() <= 0.5 * STEP + 1e-6
    assert not flow.frame(1).any()
    np.testing.assert_allclose(flow.between(0, 1, 0.25), 0.75 * flow.frame(0), atol=1e-6)


def test_velocities_are_linear_between_blocks_and_those_of_the_wet_ones_beside_dry_ones():
    u = np.array([[1.0, 2.0, 0.0]], dtype=np.float32)
    flow = FlowFrames((1000.0, 5000.0, 10.0, 10.0), (1, 3), (packed_flow(u, np.zeros_like(u)),))
    places = np.array([[1005.0, 4995.0], [1010.0, 4995.0], [1021.0, 4995.0], [1029.0, 4995.0], [900.0, 4995.0]])
    np.testing.assert_allclose(flow.at_points(0, places)[:, 0], [1.0, 1.5, 2.0, 0.0, 0.0], atol=1e-6)
    assert sampled(flow.frame(0), np.zeros((0, 2))).shape == (0, 2)


def test_classes_begin_where_the_legend_says():
    assert speed_classes(np.array([0.0, 0.24, 0.25, 0.6, 1.0, 9.0])).tolist() == [0, 0, 1, 2, 3, 3]


def test_a_style_keeps_how_flow_is_shown_and_nothing_else_than_it_knows():
    assert Style.from_record(Style(flow="arrows").to_record()).flow == "arrows"
    assert "flow" not in Style().to_record()
    assert Style.from_record({"flow": "fireworks"}).flow == ""
