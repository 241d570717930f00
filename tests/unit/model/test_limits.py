"""What styles ask of whole columns: the same whether it was made ready before or is found on the spot."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.model import limits
from cimdesk.model.classes import Method, all_breaks, breaks_of, percentiles, quantiles_of_sorted
from cimdesk.model.coloring import color_features, settled
from cimdesk.model.columns import encode
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.limits import CLIPS, ends_of, limits_of, make_ready, ready_tables
from cimdesk.model.style import MOST_CLASSES, Style, StyleMode

NUMBERS = st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")) | st.integers(-3, 3).map(float), min_size=1, max_size=300)
STYLES = [
    Style(StyleMode.CATEGORIES, attribute="use"),
    Style(StyleMode.GRADUATED, attribute="height"),
    Style(StyleMode.GRADUATED, attribute="height", method=Method.NATURAL, classes=7),
    Style(StyleMode.CONTINUOUS, attribute="height"),
    Style(StyleMode.CONTINUOUS, attribute="height", log=True, clip=(0.0, 100.0)),
]


def town(count: int = 60_000) -> FeatureTable:
    rng = np.random.default_rng(3)
    uses = np.array(["office", "shop", "flats", None], dtype=object)[rng.integers(0, 4, count)]
    height = rng.gamma(3.0, 8.0, count)
    height[rng.random(count) < 0.02] = np.nan
    return FeatureTable(as_strings(range(count)), {"use": uses, "height": height})


@given(
    values=st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=200), shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9)
)
def test_quantiles_of_rising_values_are_those_of_numpy(values, shares):
    assert quantiles_of_sorted(np.sort(values), np.array(shares)).tolist() == np.quantile(values, shares).tolist()


@settings(max_examples=60, deadline=None)
@given(values=NUMBERS)
def test_limits_made_ready_are_those_found_on_the_spot(values):
    column = np.array(values)
    ordered = np.sort(column[np.isfinite(column)])
    for (method, count), found in all_breaks(ordered, MOST_CLASSES).items():
        assert found == breaks_of(column, method, count), (method, count)
    make_ready(column)
    for clip in CLIPS:
        assert ends_of(column, clip, False) == percentiles(column, *clip)
        assert ends_of(column, clip, True) == percentiles(column[column > 0], *clip)


def test_a_style_never_seen_asks_nothing_of_a_column_that_is_ready(monkeypatch):
    table = town()
    made = threading.Thread(target=ready_tables, args=([table],))
    made.start()
    made.join()
    monkeypatch.setattr(limits, "breaks_of", None)
    monkeypatch.setattr(limits, "percentiles", None)
    monkeypatch.setattr("cimdesk.model.columns._codes", None)
    for style in STYLES:
        assert len(color_features(settled(style, table), table)) == len(table)


def test_colours_are_the_same_whether_columns_are_ready_or_not():
    ready, plain = town(), town()
    ready_tables([ready])
    for style in STYLES:
        one, other = (color_features(settled(style, table), table) for table in (ready, plain))
        assert np.array_equal(one.colors, other.colors)
        assert one.legend == other.legend


def test_columns_are_made_ready_while_others_ask_for_them():
    table = town(200_000)
    expected = color_features(STYLES[0], town(200_000)).colors
    made = threading.Thread(target=ready_tables, args=([table],))
    made.start()
    for _ in range(20):
        for style in STYLES[:2]:
            color_features(settled(style, table), table)
    made.join()
    assert np.array_equal(color_features(STYLES[0], table).colors, expected)


def test_what_is_not_wanted_any_more_is_given_up():
    asked = []

    def is_unwanted() -> bool:
        asked.append(True)
        return True

    table = town()
    ready_tables([table], is_unwanted)
    assert asked == [True]
    make_ready(table.columns["height"], is_unwanted)
    assert limits._recall(table.columns["height"], ("ready",)) is None


def test_names_of_which_everything_has_its_own_are_left_alone():
    names = as_strings(range(30_000))
    make_ready(names)
    assert limits._recall(names, ("ready",)) is None


def test_the_beginning_of_a_column_has_the_names_that_occur_there():
    column = np.array(["b", "a", None, "b", "c", "d"], dtype=object)
    assert encode(column).names == ["b", "a", "c", "d"]
    start = encode(column[:4])
    assert (start.names, start.codes.tolist(), start.counts.tolist(), start.missing) == (["b", "a"], [0, 1, -1, 0], [2, 1], 1)
    assert len(encode(column).codes) == 6


def test_limits_go_with_their_column():
    column = np.arange(100.0)
    assert limits_of(column, Method.EQUAL, 4) == pytest.approx((24.75, 49.5, 74.25))
    place = id(column)
    del column
    assert all(known[0]() is None for key, known in limits._kept.items() if key[0] == place)
