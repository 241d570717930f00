"""Class limits against known answers, figures of columns, codes of texts that grow, and palettes for every eye."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.classes import Method, breaks_of, histogram, natural_breaks, statistics
from cimdesk.model.coloring import LEVELS, class_labels, color_features, ramp_codes, settled
from cimdesk.model.columns import encode
from cimdesk.model.families import styled_table
from cimdesk.model.features import FeatureTable, as_strings, column_of
from cimdesk.model.ramps import CATEGORY_COLORS, components
from cimdesk.model.style import Rule, Style, StyleMode


def test_natural_breaks_part_groups_that_lie_apart():
    values = np.array([1.0, 2, 3, 50, 51, 52, 100, 101, 102])
    assert natural_breaks(values, 3).tolist() == [50.0, 100.0]


def test_natural_breaks_are_the_optimum_of_every_split():
    rng = np.random.default_rng(4)
    values = np.sort(rng.gamma(2.0, 3.0, 14))

    def spread(limits):
        classes = np.searchsorted(limits, values, side="right")
        return sum(((values[classes == k] - values[classes == k].mean()) ** 2).sum() for k in range(3))

    best = min(spread([values[a], values[b]]) for a in range(1, 13) for b in range(a + 1, 14))
    assert spread(natural_breaks(values, 3)) == pytest.approx(best)


def test_pretty_limits_are_round_and_equal_ones_even():
    values = np.linspace(0.3, 99.1, 500)
    assert breaks_of(values, Method.PRETTY, 5) == (20.0, 40.0, 60.0, 80.0)
    assert np.diff(breaks_of(values, Method.EQUAL, 5)) == pytest.approx([98.8 / 5] * 3)
    counts = np.bincount(np.searchsorted(breaks_of(values, Method.QUANTILE, 5), values, side="right"))
    assert counts.max() - counts.min() <= 1


@given(st.lists(st.floats(-1e9, 1e9), max_size=40), st.sampled_from(list(Method)), st.integers(2, 12))
def test_limits_rise_and_leave_no_more_classes_than_wanted(values, method, count):
    breaks = breaks_of(np.array(values), method, count)
    assert all(a < b for a, b in pairwise(breaks))
    assert len(breaks) < count + (2 if method is Method.PRETTY else 0) * count


def test_histograms_count_what_is_in_range_once():
    values = np.array([0.0, 1, 2, 3, 4, np.nan, 50])
    assert histogram(values, 4, 0.0, 4.0).sum() == 5
    assert histogram(np.array([1.0, 10, 100, -5]), 2, 1.0, 100.0, log=True).tolist() == [1, 2]


def test_statistics_of_numbers_and_texts():
    found = statistics(np.array([1.0, 2, 2, 5, np.nan]))
    assert (found.count, found.missing, found.distinct) == (4, 1, 3)
    assert found.numbers["median"] == 2.0
    assert found.numbers["sum"] == 10.0
    texts = statistics(column_of(["a", "b", "a", None]))
    assert (texts.count, texts.missing, texts.distinct, texts.top[0]) == (3, 1, 2, ("a", 2))
    assert statistics(np.zeros(0)).numbers == {}


def test_a_longer_view_of_a_column_goes_on_where_the_shorter_ended():
    whole = np.array(["x", "y", "x", "z", None, "y"], dtype=object)
    short = encode(whole[:3])
    longer = encode(whole[:6])
    assert longer.names[: len(short.names)] == short.names
    assert [longer.names[k] if k >= 0 else None for k in longer.codes] == whole.tolist()
    assert encode(whole[:6]) is longer


def test_ends_of_a_ramp_take_what_lies_beyond_and_missing_values_stay_apart():
    codes = ramp_codes(np.array([-5.0, 0.0, 5.0, 10.0, 99.0, np.nan]), 0.0, 10.0, False)
    assert codes.tolist() == [0, 0, (LEVELS - 1) // 2, LEVELS - 1, LEVELS - 1, LEVELS]
    logs = ramp_codes(np.array([1.0, 10.0, 100.0, 0.0, -3.0]), 1.0, 100.0, True)
    assert logs[0] == 0
    assert logs[1] == (LEVELS - 1) // 2
    assert logs[4] == LEVELS


def test_rules_are_asked_in_order_and_a_broken_one_holds_for_nothing():
    table = FeatureTable(as_strings("abc"), {"h": np.array([1.0, 5.0, 9.0])})
    rules = (Rule("h >", "#111111"), Rule("h > 8", "#222222", visible=False), Rule("h > 2", "#333333", "tall"))
    coloring = color_features(Style(StyleMode.RULES, color="#444444", rules=rules), table)
    assert coloring.colors.tolist() == [[0x44, 0x44, 0x44, 255], [0x33, 0x33, 0x33, 255], [0x22, 0x22, 0x22, 0]]
    assert [(entry.label, entry.count) for entry in coloring.legend] == [("h >", 0), ("tall", 1), ("other", 1)]


def test_a_settled_style_gives_newcomers_the_same_colours():
    values = np.arange(100.0)
    table = FeatureTable(as_strings(range(100)), {"v": values})
    style = settled(Style(StyleMode.GRADUATED, attribute="v", classes=4), table)
    late = FeatureTable(as_strings("z"), {"v": np.array([60.0])})
    assert color_features(style, late).colors[0].tolist() == color_features(style, table).colors[60].tolist()


def test_whole_limits_read_as_whole_numbers_and_close_ones_stay_different():
    assert class_labels([1990.0, 2005.0]) == ["< 1990", "1990 – 2005", "≥ 2005"]
    assert class_labels([1000.1, 1000.2]) == ["< 1,000.1", "1,000.1 – 1,000.2", "≥ 1,000.2"]


def test_parts_of_a_building_have_its_values():
    from cimdesk.model.city import CityModel

    table = FeatureTable(as_strings(["b", "p", "q"]), {"use": column_of(["shop", None, "flat"]), "h": np.array([5.0, np.nan, 2.0])})
    styled = styled_table(CityModel(table, np.array([-1, 0, 0], dtype=np.int32)))
    assert styled.columns["use"].tolist() == ["shop", "shop", "flat"]
    assert styled.columns["h"].tolist() == [5.0, 5.0, 2.0]
    assert table.columns["use"].tolist() == ["shop", None, "flat"]


# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "normal": np.eye(3),
}


def lab(linear):
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 0.0))
    return np.column_stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_first_category_colours_are_told_apart_by_every_eye(kind):
    srgb = np.array([components(color) for color in CATEGORY_COLORS[:6]]) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = lab(np.clip(linear @ np.array(BLINDNESS[kind]).T, 0.0, 1.0))
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 1e3 * np.eye(6)
    assert distance.min() > 11.0
