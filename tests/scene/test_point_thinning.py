"""More points in sight than can be drawn in time: every so many stand for all, larger, and all of them near by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.commands import tiled
from cimdesk.scene.point_thinning import SMALLEST_TILE, sample_of, step_for, thinned, weight
from tests.scene.test_streamed_point_columns import survey
from tests.scene.test_streamed_points import SIDE, plane, seen_from_above, towns, visual_of
from tests.scene.test_streaming import opened

WHOLE_VIEW = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=np.float64)


@given(st.integers(1, 10**9), st.integers(1, 10**7))
def test_about_as_many_points_as_the_budget_are_drawn(total, budget):
    step = step_for(total, budget)
    assert step & (step - 1) == 0
    assert step == 1 or total / step <= 1.5 * budget
    assert step == 1 or total / step >= 0.7 * budget
    assert total > 1.5 * budget or step in (1, 2)


def test_without_a_budget_everything_is_drawn():
    assert step_for(10**6, 0) == 1


@given(st.integers(SMALLEST_TILE + 1, 50_000), st.sampled_from([2, 4, 32]))
def test_those_that_are_drawn_come_from_everywhere_and_never_twice(count, step):
    rows = np.arange(count, dtype=np.int32)
    found = thinned(rows, step)
    assert len(found) == count // step
    assert (np.diff(found) > 0).all()
    assert (np.diff(found) < 2 * step).all()
    assert np.array_equal(found, thinned(rows, step))


def test_small_tiles_are_never_thinned():
    rows = np.arange(SMALLEST_TILE, dtype=np.int32)
    assert thinned(rows, 64) is rows


def test_points_beside_the_view_count_for_little():
    inside = np.zeros((10, 3), dtype=np.float32)
    beside = np.full((10, 3), 50.0, dtype=np.float32)
    assert weight([(1000, inside)], WHOLE_VIEW) == 1000.0
    assert weight([(1000, beside)], WHOLE_VIEW) == pytest.approx(40.0)
    assert weight([(1000, inside), (1000, beside)], WHOLE_VIEW) == pytest.approx(1040.0)
    assert weight([], WHOLE_VIEW) == 0.0


def test_a_sample_is_small_and_from_all_over():
    points = np.arange(300_000, dtype=np.float32).reshape(-1, 3)
    sample = sample_of(points)
    assert 1000 <= len(sample) <= 1001
    assert sample[-1, 0] > 0.99 * points[-1, 0]


@pytest.mark.render
def test_large_tiles_are_thinned_far_away_and_while_moving_and_whole_near_by(tmp_path, stage_of, monkeypatch):
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)
    top = survey(0.5, Intensity=lambda x, y: x)
    stage = stage_of(opened(towns(tmp_path, {"top.pnts": top, "a.pnts": plane(50.0), "b.pnts": plane(50.0)})).workspace)
    stage.scene.context.point_budget = lambda is_moving: 1_000 if is_moving else 10_000
    seen_from_above(stage)
    tile = visual_of(stage).points._tiles[0]
    assert len(tile.cloud) == 40_000
    assert tile.step == 4
    drawn = tile.data.GetVerts().GetConnectivityArray().GetNumberOfTuples()
    assert drawn == 10_000
    wide = tile.actor.GetProperty().GetPointSize()
    seen_from_above(stage, 15.0)
    assert tile.step == 1
    assert tile.data.GetVerts().GetConnectivityArray().GetNumberOfTuples() == 40_000
    stage.scene.set_quality("moving")
    seen_from_above(stage)
    assert tile.step == 32
    assert tile.actor.GetProperty().GetPointSize() >= wide
    place = np.array([40.2, 60.2, 0.0]) - stage.scene.context.origin
    # What is not drawn now can be pointed at all the same.
    hit = visual_of(stage).pick(place, 1.0)
    assert hit.distance < 0.5
    assert (place < SIDE).all()
