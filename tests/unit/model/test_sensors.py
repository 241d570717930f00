"""Sensors: series, latest readings and status at a moment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.sensors import Observations, Sensors, Status


def sensors(values: list[float], **fields) -> Sensors:
    """Return one sensor per value, read at time 100, with levels 1, 2 and 3, stale after 50 s."""
    count = len(values)
    observations = Observations.from_rows(count, np.arange(count), np.full(count, 100.0), np.array(values, dtype=float))
    return Sensors(
        FeatureTable(as_strings(range(count))),
        np.zeros((count, 3)),
        np.tile([1.0, 2.0, 3.0], (count, 1)),
        np.full(count, 50.0),
        observations,
        **fields,
    )


def test_status_is_the_highest_threshold_reached():
    found = sensors([0.5, 1.0, 2.5, 3.0, np.nan]).status_at(120.0)
    assert found.tolist() == [Status.NORMAL, Status.ATTENTION, Status.WARNING, Status.ALARM, Status.STALE]


def test_a_sensor_is_stale_before_its_first_reading_and_after_a_long_silence():
    one = sensors([0.5])
    assert [int(one.status_at(time)[0]) for time in (99.0, 100.0, 150.0, 151.0)] == [Status.STALE, 0, 0, Status.STALE]


def test_what_the_source_says_of_a_sensor_comes_first():
    said = np.array([Status.NORMAL, Status.FAULT, Status.MAINTENANCE], dtype=np.uint8)
    found = sensors([5.0, 5.0, np.nan], condition=said).status_at(100.0)
    assert found.tolist() == [Status.ALARM, Status.FAULT, Status.MAINTENANCE]


def test_columns_of_the_wrong_length_are_refused():
    with pytest.raises(ValueError, match="condition"):
        sensors([1.0, 2.0], condition=np.zeros(3, dtype=np.uint8))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50), st.floats(-9, 9)), max_size=60), st.integers(-5, 55))
def test_the_latest_reading_is_the_last_one_at_or_before_the_moment(rows: list[tuple[int, int, float]], time: int):
    sensor, times, values = (np.array([row[k] for row in rows]) for k in range(3))
    observations = Observations.from_rows(5, sensor.astype(np.int64), times.astype(float), values.astype(float))
    seen, value = observations.latest(float(time))
    for k in range(5):
        mine = [(t, v) for s, t, v in rows if s == k and t <= time]
        if not mine:
            assert np.isnan(seen[k])
        else:
            assert seen[k] == max(t for t, _ in mine)
            assert value[k] in [v for t, v in mine if t == seen[k]]


def test_bounds_cover_the_placed_sensors_only():
    placed = sensors([1.0, 2.0])
    placed.positions[1] = np.nan
    np.testing.assert_array_equal(placed.bounds, np.zeros((2, 3)))
