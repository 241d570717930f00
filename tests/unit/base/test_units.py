"""Numbers, times and units as people read and write them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.base.units import (
    format_area,
    format_length,
    format_number,
    format_time,
    format_utc,
    parse_duration,
    parse_time,
    parse_times,
    unit_conversion,
)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.6237, "0.624"), (1234567.0, "1,234,567"), (math.nan, "–"), (-12.34, "-12.3")]
)
def test_numbers_have_sensible_digits(value: float, text: str):
    assert format_number(value) == text


def test_lengths_and_areas_choose_their_unit():
    assert format_length(950.0) == "950 m"
    assert format_length(12_500.0) == "12.5 km"
    assert format_area(25_000.0) == "2.50 ha"


def test_times_round_trip_through_the_form_kept_in_files():
    moment = parse_time("2026-06-07T12:40:00+08:00")
    assert format_utc(moment) == "2026-06-07T04:40:00Z"
    assert parse_time(format_utc(moment)) == moment
    assert format_time(moment) == "2026-06-07 12:40"


@pytest.mark.parametrize(
    "text", ["2026-06-07 12:40", "2026/6/7 12:40", "2026年6月7日 12:40", "202606071240", "20260607124000", "2026-06-07T04:40Z"]
)
def test_a_time_without_a_zone_is_local(text: str):
    assert parse_time(text, "Asia/Shanghai") == parse_time("2026-06-07T04:40:00Z")


def test_many_times_at_once_keep_the_good_ones():
    times = parse_times(["2020-10-13T16:00Z", "no time", "3600", ""])
    np.testing.assert_array_equal(times, [1602604800.0, math.nan, 3600.0, math.nan])


def test_the_quick_path_for_utc_agrees_with_the_slow_one():
    texts = ["2020-10-13T16:00Z", "2020-10-13T16:15:30Z", "2020-10-13T16:15:30.250Z"]
    np.testing.assert_allclose(parse_times(texts), [parse_time(text) for text in texts])


@given(st.text(max_size=30))
def test_no_text_at_all_breaks_the_time_parser(text: str):
    assert parse_times([text]).shape == (1,)


@pytest.mark.parametrize(
    ("text", "seconds"), [("3h", 10800.0), ("90 min", 5400.0), ("45s", 45.0), ("2d", 172800.0), (30, 30.0), ("12", 12.0)]
)
def test_durations_are_seconds(text: str | float, seconds: float):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["soon", "", "3 weeks", "h"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("unit", "value", "inside", "expected"),
    [
        ("ft", 10.0, "m", 3.048),
        ("ft3/s", 1.0, "m3/s", 0.028316846592),
        ("degF", 212.0, "Cel", 100.0),
        ("°C", 21.5, "Cel", 21.5),
        ("MPa", 0.3, "kPa", 300.0),
        ("in", 1.0, "mm", 25.4),
        ("毫米", 7.0, "mm", 7.0),
        ("NTU", 3.0, "NTU", 3.0),
    ],
)
def test_readings_are_kept_in_one_unit_per_quantity(unit: str, value: float, inside: str, expected: float):
    name, factor, offset = unit_conversion(unit)
    assert name == inside
    assert value * factor + offset == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("text", ["0001-01-01 00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_placeholder_dates_that_no_zone_could_write_are_no_times(text: str):
    with pytest.raises(ValueError, match="out of range"):
        parse_time(text)
    assert np.isnan(parse_times([text])).all()


def test_every_time_that_is_read_can_be_written():
    for text in ("0005-12-31", "9986-12-31"):
        assert format_time(parse_time(text))


def test_a_zone_without_a_date_is_no_time():
    assert np.isnan(parse_times(["Z", "2026-01-01T00:00:00Z"])).tolist() == [True, False]


def test_times_with_two_zones_are_no_times_and_cost_only_themselves():
    times = parse_times(["2021-05-24T03:45:00Z", "2021-05-24T03:45:00+01:00Z"])
    assert np.isfinite(times[0])
    assert np.isnan(times[1])
