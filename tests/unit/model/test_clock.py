"""The clock stays within its range and speaks only when it moves."""

from __future__ import annotations

import pytest

from cimdesk.model.clock import Clock


def test_the_time_is_kept_within_the_range():
    clock = Clock()
    clock.set_range(10.0, 20.0)
    assert clock.time == 10.0
    clock.set_time(99.0)
    assert clock.time == 20.0
    clock.set_range(0.0, 15.0)
    assert clock.time == 15.0


def test_observers_hear_moves_only():
    clock, times, ranges = Clock(), [], []
    clock.changed.connect(times.append)
    clock.range_changed.connect(ranges.append)
    clock.set_range(0.0, 10.0)
    clock.set_range(0.0, 10.0)
    clock.set_time(5.0)
    clock.set_time(5.0)
    assert times == [5.0]
    assert ranges == [(0.0, 10.0)]


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="ends after"):
        Clock().set_range(1.0, 0.0)
