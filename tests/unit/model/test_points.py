"""Choosing nodes of a point cloud: parents first, within the budget, finer where it is near; and colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.point_style import class_name, color_points, default_point_style, point_legend, shown_points, value_of
from cimdesk.model.points import Dimension, PointBlock, PointCloud, PointTree, locate, point_id, select_nodes
from cimdesk.model.sight import Sight
from cimdesk.model.style import MISSING, NEUTRAL, Style, StyleMode, rgba

NO_PLANES = np.zeros((0, 4))


def quadtree(levels: int, side: float = 1024.0, count: int = 1000) -> PointTree:
    """Return a full flat tree."""
    keys = [(level, x, y, 0) for level in range(levels) for x in range(2**level) for y in range(2**level)]
    row_of = {key: row for row, key in enumerate(keys)}
    parent = [row_of[k[0] - 1, k[1] // 2, k[2] // 2, 0] if k[0] else -1 for k in keys]
    key = np.array(keys, dtype=np.int32)
    sides = side / 2.0 ** key[:, 0]
    low = np.column_stack([key[:, 1] * sides, key[:, 2] * sides, np.zeros(len(keys))])
    high = low + np.column_stack([sides, sides, np.full(len(keys), 10.0)])
    counts = np.full(len(keys), count, dtype=np.int64)
    return PointTree(key, np.array(parent, dtype=np.int32), counts, low, high, sides / 128.0)


def view(eye, budget=10**9, pixels=1.5, planes=NO_PLANES):
    return Sight(np.array(eye, dtype=np.float64), planes, 0.001, pixels), budget


def test_a_node_is_never_chosen_without_its_parent():
    tree = quadtree(5)
    for budget in (1, 5_000, 20_000, 10**9):
        chosen = set(select_nodes(tree, *view((100, 100, 60), budget)).pixels)
        assert all(tree.parent[row] < 0 or int(tree.parent[row]) in chosen for row in chosen)


@given(st.floats(-500, 1500), st.floats(-500, 1500), st.floats(2, 3000), st.integers(1, 300))
def test_the_budget_holds_and_a_larger_one_only_adds(x, y, z, thousands):
    tree = quadtree(5)
    few = select_nodes(tree, *view((x, y, z), thousands * 1000))
    more = select_nodes(tree, *view((x, y, z), thousands * 2000))
    assert tree.counts[list(few.pixels)].sum() <= max(thousands * 1000, 1000)
    assert set(few.pixels) <= set(more.pixels)
    assert more.finest <= few.finest


def test_near_the_eye_it_is_finer_than_far_away():
    tree = quadtree(6)
    chosen = list(select_nodes(tree, *view((10, 10, 15))).pixels)
    deepest = tree.keys[chosen, 0].max()
    finest = [row for row in chosen if tree.keys[row, 0] == deepest]
    assert deepest == 5
    assert tree.high[finest, 0].max() < 600


def test_what_is_out_of_view_is_not_chosen():
    tree = quadtree(4)
    east_of_600 = np.array([[1.0, 0.0, 0.0, -600.0]])
    chosen = list(select_nodes(tree, *view((800, 500, 100), planes=east_of_600)).pixels)
    assert 0 in chosen
    assert (tree.high[chosen, 0] > 600).all()
    assert len(chosen) < len(select_nodes(tree, *view((800, 500, 100))).pixels)


def test_from_far_away_the_root_is_enough():
    assert list(select_nodes(quadtree(5), *view((500, 500, 1e6))).pixels) == [0]


def test_a_view_of_nothing_chooses_nothing():
    nothing = np.array([[1.0, 0.0, 0.0, -5000.0]])
    assert not select_nodes(quadtree(3), *view((0, 0, 10), planes=nothing)).pixels


def block(count=4, **columns):
    return PointBlock(0, np.array([10.0, 20.0, 100.0]), np.arange(count * 3, dtype=np.float32).reshape(-1, 3), columns)


def cloud(**fields):
    tree = quadtree(1)
    dimensions = {"height": Dimension("height", 100.0, 110.0), "intensity": Dimension("intensity", 0.0, 10.0)}
    return PointCloud(_One(tree), 4, dimensions, **fields)


class _One:
    def __init__(self, tree):
        self.tree = tree

    def read(self, row):
        return block(classification=np.array([2, 6, 6, 200], dtype=np.uint8), intensity=np.array([0.0, 5.0, 10.0, np.nan]))


def test_a_point_is_found_by_its_id():
    tree = quadtree(3)
    for row in (0, 4, 20):
        assert locate(tree, point_id(tree, row, 17)) == (row, 17)
    assert locate(tree, "9-9-9-9:1") is None
    assert locate(tree, "0-0-0-0:x") is None
    assert cloud().attributes("0-0-0-0:1") == {"x": 13.0, "y": 24.0, "height": 105.0, "classification": 6, "intensity": 5.0}
    assert cloud().attributes("0-0-0-0:99") == {}


def test_classes_have_the_names_and_colours_of_asprs():
    assert [class_name(code) for code in (2, 6, 9, 18, 64)] == ["Ground", "Building", "Water", "High noise", "Class 64"]
    style = Style(StyleMode.CATEGORIES, attribute="classification")
    colors = color_points(style, cloud(), _One(None).read(0))
    assert (colors[1] == colors[2]).all()
    assert not (colors[0] == colors[1]).all()
    legend = point_legend(style, cloud(classes={2: 5, 6: 90}))
    assert [entry.label for entry in legend] == ["Building", "Ground"]
    assert [entry.label for entry in point_legend(style, cloud(classes={2: 5, 6: 90}), hidden=(6,))] == ["Ground"]


def test_a_ramp_runs_from_low_to_high_and_says_so():
    style = Style(StyleMode.GRADUATED, attribute="intensity", ramp="viridis")
    colors = color_points(style, cloud(), _One(None).read(0))
    assert tuple(colors[0]) == (0x44, 0x01, 0x54)
    assert tuple(colors[2]) == (0xFD, 0xE7, 0x25)
    assert tuple(colors[3]) == (0xB9, 0xBE, 0xC4)
    assert len(point_legend(style, cloud())) == 5


def test_a_cloud_first_shows_its_own_colours_then_classes_then_heights():
    assert default_point_style(cloud(has_color=True)).mode is StyleMode.SINGLE
    assert default_point_style(cloud(classes={2: 1, 6: 1})).attribute == "classification"
    assert default_point_style(cloud(classes={0: 1})).attribute == "height"
    own = color_points(Style(color=NEUTRAL), cloud(), block(color=np.full((4, 3), 7, dtype=np.uint8)))
    assert (own == 7).all()
    assert (color_points(Style(color="#102030"), cloud(), block())[0] == (0x10, 0x20, 0x30)).all()


@pytest.mark.parametrize(("hidden", "shown"), [((6,), [True, False, False, True]), ((2, 200), [False, True, True, False])])
def test_points_of_hidden_classes_are_left_out(hidden, shown):
    assert shown_points(_One(None).read(0), hidden).tolist() == shown
    assert shown_points(_One(None).read(0), ()) is None


def test_columns_of_few_values_are_coloured_as_categories_with_a_legend():
    lines = np.array([7, 7, 9, 8], dtype=np.uint16)
    found = cloud(categories={"line": {"7": 2, "9": 1}, "kind": {"wall": 3, "roof": 1}})
    style = Style(StyleMode.CATEGORIES, attribute="line", categories={"9": "#ff0000"})
    colors = color_points(style, found, block(line=lines))
    assert colors[2].tolist() == [255, 0, 0]
    assert (colors[0] == colors[1]).all()
    # What nobody had seen has the colour of what is not known.
    assert colors[3].tolist() == list(rgba(MISSING)[:3])
    legend = point_legend(style, found)
    assert [entry.label for entry in legend] == ["7", "9"]
    assert legend[1].color == "#ff0000"
    kinds = color_points(replace(style, attribute="kind"), found, block(kind=np.array(["wall", "roof", "", "wall"])))
    assert (kinds[0] == kinds[3]).all()
    assert (kinds[0] != kinds[1]).any()
    assert value_of(replace(style, attribute="line"), {"line": 7}) == "line 7"


def test_texts_without_a_colour_each_are_drawn_plainly():
    style = Style(StyleMode.CATEGORIES, attribute="kind", color="#102030")
    colors = color_points(style, cloud(), block(kind=np.array(["a", "b", "c", "d"])))
    assert (colors == (0x10, 0x20, 0x30)).all()
