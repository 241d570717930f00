"""Styles resolved to colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.coloring import color_by_codes, color_features
from cimdesk.model.features import FeatureTable, as_strings, column_of
from cimdesk.model.style import (
    CATEGORY_COLORS,
    MISSING,
    RAMPS,
    Style,
    StyleMode,
    hex_color,
    ramp_colors,
    rgba,
)


def table(values):
    return FeatureTable(as_strings(range(len(values))), {"a": column_of(values)})


def test_a_style_comes_back_from_its_record():
    style = Style(StyleMode.GRADUATED, "#123456", "year", "year", {"x": "#ffffff"}, (1.0, 2.0), 3.0, "name")
    assert Style.from_record(style.to_record()) == style


def test_records_of_other_versions_give_defaults_for_what_is_unknown():
    assert Style.from_record({"mode": "sparkling", "glow": 3}) == Style(categories={})


def test_the_commonest_category_takes_the_first_free_colour():
    coloring = color_features(Style(StyleMode.CATEGORIES, attribute="a"), table(["x", "y", "y", "y", "x", None]))
    assert [(entry.label, entry.count) for entry in coloring.legend] == [("y", 3), ("x", 2), ("no data", 1)]
    assert tuple(coloring.colors[1]) == rgba(CATEGORY_COLORS[0])
    assert tuple(coloring.colors[5]) == rgba(MISSING)


def test_fixed_category_colours_are_kept_and_not_given_twice():
    style = Style(StyleMode.CATEGORIES, attribute="a", categories={"x": CATEGORY_COLORS[0]})
    coloring = color_features(style, table(["x", "y"]))
    assert tuple(coloring.colors[0]) == rgba(CATEGORY_COLORS[0])
    assert tuple(coloring.colors[1]) != rgba(CATEGORY_COLORS[0])


def test_graduated_classes_count_every_value_once():
    style = Style(StyleMode.GRADUATED, attribute="a", breaks=(10.0, 20.0))
    coloring = color_features(style, table([5.0, 10.0, 15.0, 25.0, None]))
    assert [entry.count for entry in coloring.legend] == [1, 2, 1, 1]
    assert tuple(coloring.colors[1]) == tuple(coloring.colors[2])
    assert tuple(coloring.colors[4]) == rgba(MISSING)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_graduated_legends_are_complete_for_any_numbers(values):
    coloring = color_features(Style(StyleMode.GRADUATED, attribute="a"), table(values))
    assert sum(entry.count for entry in coloring.legend) == len(values)


@pytest.mark.parametrize("ramp", list(RAMPS))
def test_ramps_begin_and_end_with_their_stops(ramp):
    colors = ramp_colors(ramp, np.array([0.0, 1.0]))
    assert hex_color(colors[0]) == RAMPS[ramp][0]
    assert hex_color(colors[1]) == RAMPS[ramp][-1]


def test_codes_that_do_not_occur_are_not_in_the_legend():
    coloring = color_by_codes(np.array([2, 2, 0], dtype=np.uint8), (("a", "#000000"), ("b", "#111111"), ("c", "#222222")))
    assert [entry.label for entry in coloring.legend] == ["a", "c"]


def test_a_missing_column_falls_back_to_the_single_colour():
    coloring = color_features(Style(StyleMode.CATEGORIES, color="#112233", attribute="gone"), table([1, 2]))
    assert coloring.colors.tolist() == [[0x11, 0x22, 0x33, 255]] * 2


def test_colours_and_ramps_that_are_none_give_the_defaults():
    style = Style.from_record({"color": "red", "ramp": "sunset", "categories": {"a": "#12345", "b": "#abcdef"}})
    assert style == Style(categories={"b": "#abcdef"})


def test_a_number_that_is_missing_is_no_category():
    coloring = color_features(Style(StyleMode.CATEGORIES, attribute="a"), table([2.5, None, 2.5]))
    assert [(entry.label, entry.count) for entry in coloring.legend] == [("2.5", 2), ("no data", 1)]
    assert coloring.colors[1].tolist() == list(rgba(MISSING))


def test_categories_keep_their_colours_apart_from_missing_when_most_colours_are_taken():
    style = Style(
        StyleMode.CATEGORIES, attribute="a", categories={f"gone {k}": color for k, color in enumerate(CATEGORY_COLORS[1:])}
    )
    coloring = color_features(style, table(["x", "y", "z"]))
    assert {entry.color for entry in coloring.legend} == {CATEGORY_COLORS[0]}
