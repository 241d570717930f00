"""Streamed points coloured by what each says of itself: limits that stay, colours as in the legend, and an honest legend."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.city import CityModel
from cimdesk.model.coloring import NO_DATA_LABEL, OTHER_LABEL, color_features
from cimdesk.model.features import FeatureTable
from cimdesk.model.point_painter import painter_of
from cimdesk.model.point_style import CLASS_NAMES
from cimdesk.model.style import MISSING, Coloring, LegendEntry, Style, StyleMode, hex_color, rgba
from cimdesk.model.tile_point_columns import POINT_HEIGHT, PointColumns
from cimdesk.model.tile_point_style import (
    category_text,
    legend_of,
    settled_by,
    steady_style,
    title_of,
    value_of_point,
    with_point_legend,
)
from cimdesk.model.tile_points import packed
from cimdesk.model.tileset import TiledCity
from tests.unit.model.test_tile_point_columns import ZERO, cloud, texts

RAMP = Style(StyleMode.CONTINUOUS, attribute="intensity", clip=(0.0, 100.0))
CLASSES = Style(StyleMode.CATEGORIES, attribute="Classification")


def known(stated=None, **columns):
    found = PointColumns.of({"ranges": stated or {}})
    found.note(0, cloud(**columns), ZERO)
    return found


def colors(style, values):
    return painter_of(style, packed(np.asarray(values)))(0, len(values)).tolist()


def plain(color):
    return list(rgba(color)[:3])


@given(
    st.sampled_from([StyleMode.CATEGORIES, StyleMode.GRADUATED, StyleMode.CONTINUOUS]),
    st.lists(st.integers(-3, 300), min_size=2, max_size=60),
    st.sampled_from([np.int64, np.float64]),
)
def test_points_have_the_colours_that_features_with_the_same_values_have(mode, numbers, kind):
    values = np.array(numbers, dtype=kind)
    style = settled_by(Style(mode, attribute="v", classes=4), {"v": values})
    expected = color_features(style, FeatureTable(texts(*map(str, range(len(values)))), {"v": values})).colors[:, :3]
    assert colors(style, values) == expected.tolist()


def test_texts_are_categories_whatever_the_style_says():
    values = texts("wall", "roof", None, "wall")
    for mode in (StyleMode.CATEGORIES, StyleMode.GRADUATED, StyleMode.CONTINUOUS):
        style = settled_by(Style(mode, attribute="kind", categories={"roof": "#ff0000"}), {"kind": values})
        painted = colors(style, values)
        assert painted[1] == [255, 0, 0]
        assert painted[0] == painted[3] != painted[1]
        assert painted[2] == plain(MISSING)


def test_values_nobody_had_seen_are_other_and_missing_ones_are_grey():
    style = settled_by(replace(CLASSES, attribute="code", missing="#010203"), {"code": np.array([1.0, 1.0, 2.0])})
    assert colors(style, np.array([1.0, 7.0, np.nan]))[1:] == [plain(style.other), [1, 2, 3]]


def test_classes_of_las_have_their_names_and_colours():
    columns = known(Classification=np.array([2, 2, 2, 6, 9, 40]))
    legend = legend_of(CLASSES, columns)
    assert [entry.label for entry in legend] == ["Ground", "Building", "Water", "Class 40"]
    assert [entry.color for entry in legend][:3] == [CLASS_NAMES[code][1] for code in (2, 6, 9)]
    assert all(entry.count == 0 for entry in legend)
    style = settled_by(CLASSES, columns)
    assert colors(style, np.array([6, 9])) == [plain(CLASS_NAMES[6][1]), plain(CLASS_NAMES[9][1])]
    own = settled_by(replace(CLASSES, categories={"6": "#123456"}), columns)
    assert colors(own, np.array([6, 9])) == [plain("#123456"), plain(CLASS_NAMES[9][1])]


def test_class_names_are_only_for_columns_of_classes():
    assert category_text("classification", "2") == "Ground"
    assert category_text("floors", "2") == "2"
    assert category_text("classification", "Buildings") == "Buildings"


def test_limits_stay_while_points_come_that_lie_beyond():
    columns = PointColumns()
    assert steady_style(RAMP, columns) is RAMP
    columns.note(0, cloud(intensity=np.arange(100)), ZERO)
    first = steady_style(RAMP, columns)
    columns.note(1, cloud(intensity=np.arange(1000)), ZERO)
    assert steady_style(RAMP, columns) is first
    assert [entry.label for entry in legend_of(RAMP, columns)][-1] == "≥ 99.0"
    assert (first.low, first.high) == (0.0, 99.0)
    assert colors(first, np.array([99, 5000])) == [colors(first, np.array([99]))[0]] * 2


def test_ends_of_a_ramp_tell_that_points_may_lie_beyond():
    labels = [entry.label for entry in legend_of(RAMP, known(intensity=np.arange(101)))]
    assert labels[0] == "≤ 0"
    assert labels[-1] == "≥ 100"
    assert len(labels) == 5


def test_ends_that_the_tileset_states_are_said_as_they_are():
    labels = [entry.label for entry in legend_of(RAMP, known({"intensity": (0, 400)}, intensity=np.arange(101)))]
    assert (labels[0], labels[-1]) == ("0", "400")


def test_missing_values_stand_after_the_end_of_a_ramp():
    labels = [entry.label for entry in legend_of(RAMP, known(intensity=np.array([0.0, 8.0, np.nan])))]
    assert labels[-2:] == ["≥ 8.00", NO_DATA_LABEL]


def test_many_categories_end_in_other():
    legend = legend_of(replace(CLASSES, attribute="line"), known(line=np.arange(90)))
    assert legend[-1].label == OTHER_LABEL


def test_the_legend_shows_the_colours_that_points_have():
    columns = known(intensity=np.arange(1000))
    for style in (Style(StyleMode.GRADUATED, attribute="intensity"), replace(CLASSES, attribute="intensity")):
        painted = {hex_color(color) for color in colors(settled_by(style, columns), np.arange(1000))}
        assert painted <= {entry.color for entry in legend_of(style, columns)}


def test_layers_take_the_legend_of_their_points_only_when_a_column_of_points_decides():
    columns = known(intensity=np.arange(10))
    data = TiledCity(None, CityModel(FeatureTable.empty(), np.zeros(0, np.int32), {}), 0.0, SimpleNamespace(point_columns=columns))
    before = Coloring.uniform(3, "#000000")
    found = with_point_legend(before, RAMP, data)
    assert len(found.legend) == 5
    assert found.codes is before.codes
    assert title_of(RAMP, data) == "Intensity"
    for style in (Style(), replace(RAMP, attribute="height"), replace(RAMP, mode=StyleMode.STAGE)):
        assert with_point_legend(before, style, data) is before
        assert title_of(style, data) is None
    assert with_point_legend(before, RAMP, None) is before


@pytest.mark.parametrize(
    ("attribute", "said", "expected"),
    [
        ("intensity", {"intensity": 0.254, "height": 3.0}, "Intensity 0.254"),
        ("Classification", {"Classification": 6}, "Building"),
        ("material", {"material": "brick"}, "material brick"),
        (POINT_HEIGHT, {"height": 12.5}, "Height 12.5 m"),
        ("gone", {"intensity": 1}, ""),
    ],
)
def test_a_point_that_is_pointed_at_tells_what_colours_it(attribute, said, expected):
    assert value_of_point(Style(StyleMode.CATEGORIES, attribute=attribute), said) == expected
    assert value_of_point(Style(StyleMode.SINGLE, attribute=attribute), said) == ""


def test_a_column_of_one_value_has_a_colour_and_a_legend():
    for mode in (StyleMode.CATEGORIES, StyleMode.GRADUATED, StyleMode.CONTINUOUS):
        columns = known(v=np.full(5, 3))
        style = settled_by(Style(mode, attribute="v"), columns)
        assert len({tuple(color) for color in colors(style, np.full(5, 3))}) == 1
        assert isinstance(legend_of(style, columns)[0], LegendEntry)


def test_truth_is_two_categories():
    style = settled_by(Style(StyleMode.CONTINUOUS, attribute="v"), {"v": np.array([True, False, True])})
    yes, no = colors(style, np.array([True, False]))
    assert yes != no
