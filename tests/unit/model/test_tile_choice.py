"""Which tiles a view shows and asks for: no holes, only finer while it stands still, never too many."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.model.sight import Sight
from cimdesk.model.tile_choice import select_tiles
from cimdesk.model.tileset import Tileset

SLOPE = 1e-3


def quadtree(levels=4, size=1000.0, replaces=True, empty=()):
    """A quadtree over a square from the origin; the error of a tile is a fiftieth of its side."""
    parent, errors, centres, radii, contents = [], [], [], [], []

    def add(level, x, y, above):
        row = len(parent)
        side = size / 2**level
        parent.append(above)
        errors.append(side / 50.0 if level < levels else 0.0)
        centres.append([(x + 0.5) * side, (y + 0.5) * side, 0.0])
        radii.append(side / np.sqrt(2.0))
        contents.append(() if level in empty else (f"{level}_{x}_{y}",))
        if level < levels:
            for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
                add(level + 1, 2 * x + dx, 2 * y + dy, row)

    add(0, 0, 0, -1)
    count = len(parent)
    return Tileset(
        np.array(parent, np.int32), np.array(errors), np.full(count, replaces), np.array(centres), np.array(radii),
        tuple(contents), np.tile(np.eye(4), (count, 1, 1)), "1.1", "", rises=np.full(count, 20.0),
    )  # fmt: skip


def view_from(eye, max_pixels=4.0, planes=None):
    return Sight(np.array(eye, float), np.zeros((0, 4)) if planes is None else np.array(planes, float), SLOPE, max_pixels)


def covers(tileset, shown, point):
    """How many shown tiles lie over a point of the square."""
    found = 0
    for row in shown:
        half = tileset.radii[row] / np.sqrt(2.0)
        found += bool((np.abs(np.asarray(point) - tileset.centres[row, :2]) < half).all())
    return found


def leaves_of(tileset):
    return set(range(len(tileset.parent))) - set(tileset.parent.tolist())


POINTS = np.random.default_rng(2).uniform(1.0, 999.0, (40, 2))


@pytest.mark.parametrize("empty", [(), (0,), (0, 1), (1, 2)])
@pytest.mark.parametrize("eye", [(500, 500, 100), (10, 10, 30), (5000, 500, 2000)])
def test_with_everything_ready_each_place_is_shown_once_and_fine_enough(empty, eye):
    tileset = quadtree(empty=empty)
    view = view_from(eye)
    choice = select_tiles(tileset, view, set(range(len(tileset.parent))))
    assert [covers(tileset, choice.shown, point) for point in POINTS] == [1] * len(POINTS)
    assert choice.complete
    leaves = leaves_of(tileset)
    for row in choice.shown:
        away = np.abs(tileset.centres[row] - eye)
        flat = max(np.hypot(away[0], away[1]) - tileset.radii[row], 0.0)
        pixels = tileset.geometric_error[row] / (max(np.hypot(flat, max(away[2] - 20.0, 0.0)), 1.0) * SLOPE)
        assert pixels <= 4.0 or row in leaves


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(), (1,), (0, 2)]), st.booleans(), st.booleans())
def test_in_whatever_order_tiles_arrive_no_place_is_lost_and_each_only_gets_finer(seed, empty, narrow, by_urgency):
    tileset = quadtree(3, empty=empty)
    planes = [[1.0, 0.0, 0.0, -400.0]] if narrow else None
    view = view_from((500, 500, 60), planes=planes)
    rng = random.Random(seed)
    ready: set[int] = set()
    depth = np.array([int(content[0][0]) if content else -1 for content in tileset.contents])
    before = np.full(len(POINTS), -1)
    for _ in range(400):
        choice = select_tiles(tileset, view, ready)
        assert set(choice.shown) <= ready
        now = np.array([max((depth[row] for row in choice.shown if covers(tileset, [row], p)), default=-1) for p in POINTS])
        in_view = POINTS[:, 0] > 400.0 if narrow else np.ones(len(POINTS), bool)
        assert (now[in_view] >= before[in_view]).all()
        assert all(covers(tileset, choice.shown, p) <= 1 for p in POINTS)
        before = now
        if choice.complete and not choice.wanted:
            break
        ready.add(max(choice.wanted, key=choice.wanted.get) if by_urgency else rng.choice(list(choice.wanted)))
    assert choice.complete
    assert all(covers(tileset, choice.shown, p) == 1 for p in POINTS[in_view])


def test_standing_still_with_everything_there_asks_for_nothing_and_shows_the_same():
    tileset = quadtree()
    view = view_from((500, 500, 100))
    first = select_tiles(tileset, view, set(range(len(tileset.parent))))
    again = select_tiles(tileset, view, set(range(len(tileset.parent))))
    assert first == again
    assert not first.wanted


def test_coarse_tiles_are_asked_for_first():
    tileset = quadtree()
    choice = select_tiles(tileset, view_from((500, 500, 100)), ())
    assert max(choice.wanted, key=choice.wanted.get) == 0
    for row in choice.wanted:
        if tileset.parent[row] >= 0:
            assert choice.wanted[int(tileset.parent[row])] >= choice.wanted[row]


def test_what_is_out_of_view_is_neither_shown_nor_asked_for():
    tileset = quadtree()
    choice = select_tiles(tileset, view_from((500, 500, 100), planes=[[1, 0, 0, -600.0]]), set(range(len(tileset.parent))))
    assert all(tileset.centres[row, 0] + tileset.radii[row] > 600.0 for row in choice.shown)


def test_a_lost_tile_leaves_its_parent_in_place():
    tileset = quadtree(1)
    choice = select_tiles(tileset, view_from((500, 500, 10)), {0, 1, 2, 3}, {4})
    assert choice.shown == (0,)
    assert not choice.wanted
    assert choice.complete


def test_added_tiles_are_shown_with_their_parents():
    tileset = quadtree(2, replaces=False)
    choice = select_tiles(tileset, view_from((500, 500, 10)), set(range(len(tileset.parent))))
    assert sorted(choice.shown) == list(range(len(tileset.parent)))


def test_moving_back_shows_the_fine_tiles_until_the_coarse_one_is_there():
    tileset = quadtree(1)
    far = view_from((500, 500, 60000), 4.0)
    assert select_tiles(tileset, far, {0, 1, 2, 3, 4}).shown == (0,)
    assert set(select_tiles(tileset, far, {1, 2, 3, 4}).shown) == {1, 2, 3, 4}


def test_the_number_of_tiles_is_kept_by_showing_coarser_ones():
    tileset = quadtree(6, size=4000.0)
    everything = set(range(len(tileset.parent)))
    finest = select_tiles(tileset, view_from((2000, 2000, 800), 0.01), everything, most=10**6)
    assert len(finest.shown) == 4**6
    some = select_tiles(tileset, view_from((2000, 2000, 800), 0.01), everything)
    assert 50 <= len(some.shown) <= 300
    assert all(covers(tileset, some.shown, point * 4) == 1 for point in POINTS)


def test_more_behind_an_unread_row_is_asked_for_and_keeps_what_stands_above():
    tileset = replace(quadtree(1, empty=(1,)), stubs=frozenset({1}))
    choice = select_tiles(tileset, view_from((500, 500, 10)), {0})
    assert 1 in choice.wanted
    assert choice.shown == (0,)
    assert not choice.complete


def test_tiles_that_do_not_say_where_they_are_are_shown():
    tileset = quadtree(1)
    lost = replace(tileset, centres=np.full_like(tileset.centres, np.nan), radii=np.full_like(tileset.radii, np.nan))
    assert set(select_tiles(lost, view_from((500, 500, 10)), {0, 1, 2, 3, 4}).shown) == {1, 2, 3, 4}


def test_no_more_triangles_than_allowed_are_shown_wherever_looking_for_the_error_begins():
    tileset = quadtree(5, size=4000.0)
    everything = set(range(len(tileset.parent)))
    triangles = dict.fromkeys(everything, 100)
    view = view_from((2000, 2000, 800), 0.01)
    choices = [
        select_tiles(tileset, view, everything, most=10**6, triangles=triangles, most_triangles=2_000, start=start)
        for start in (0, 3, 9, 30)
    ]
    assert 1 < len(choices[0].shown) <= 20
    assert all(each == choices[0] for each in choices)
    assert choices[0].coarser > 0
