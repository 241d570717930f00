"""What the timeline shows, and the small measures of the viewport."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cimdesk.model.features import FeatureTable
from cimdesk.model.lifecycle import Stage
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Observations, Sensors, Status
from cimdesk.ui.charts import thin
from cimdesk.ui.lanes import Work, _rises, pack_rows, time_ticks, value_ticks
from cimdesk.ui.overlays import nice_length
from cimdesk.ui.palette import fuzzy_score
from cimdesk.ui.timeline_lanes import work_rows
from cimdesk.ui.viewport_input import measure_labels


def _sensors(values_by_sensor, thresholds):
    count = len(values_by_sensor)
    table = FeatureTable.from_rows(
        [f"s{k}" for k in range(count)], [{"name": f"S{k}", "quantity": "water_level", "unit": "m"} for k in range(count)]
    )
    rows = np.concatenate([np.full(len(v), k) for k, v in enumerate(values_by_sensor)])
    times = np.concatenate([np.arange(len(v)) * 60.0 for v in values_by_sensor])
    observations = Observations.from_rows(count, rows, times, np.concatenate([np.array(v, dtype=float) for v in values_by_sensor]))
    return Sensors(table, np.zeros((count, 3)), np.array(thresholds), np.full(count, 1e9), observations)


def test_an_alarm_is_the_moment_of_rising_not_every_reading_above():
    sensors = _sensors([[0.0, 0.5, 0.6, 1.2, 0.2, 0.7], [2.0, 2.0]], [[0.2, 0.4, 1.0], [0.2, 0.4, 1.0]])
    events = _rises(sensors, "gauges")
    assert [(event.ref, event.time, event.status) for event in events] == [
        (AssetRef("gauges", "s0"), 60.0, Status.WARNING),
        (AssetRef("gauges", "s0"), 180.0, Status.ALARM),
        (AssetRef("gauges", "s0"), 300.0, Status.WARNING),
        (AssetRef("gauges", "s1"), 0.0, Status.ALARM),
    ]


def test_bars_of_works_never_overlap_in_a_row():
    works = [Work(float(a), float(b), "w", Stage.CONSTRUCTION, ()) for a, b in ((0, 10), (2, 4), (5, 9), (11, 12), (3, 20))]
    rows: dict[int, list[Work]] = {}
    for row, work in pack_rows(sorted(works, key=lambda w: w.begin), gap=0.0):
        assert all(work.begin >= other.end for other in rows.get(row, []))
        rows.setdefault(row, []).append(work)
    assert len(rows) == 3


def test_ticks_are_round_local_times():
    ticks = time_ticks(1_780_000_000.0, 1_780_010_800.0, 8)
    assert 1 <= len(ticks) <= 9
    assert all((tick + 8 * 3600) % 1800 == 0 for tick in ticks)


def test_thinning_keeps_every_peak():
    times = np.arange(100_000, dtype=float)
    values = np.zeros(100_000)
    values[[7, 54_321, 99_998]] = (5.0, -3.0, 9.0)
    t, v = thin(times, values)
    assert len(t) <= 1300
    assert {5.0, -3.0, 9.0} <= set(v.tolist())
    assert (np.diff(t) > 0).all()


@pytest.mark.parametrize(
    ("wanted", "length"), [(0.0, 0.0), (1.0, 1.0), (7.3, 5.0), (199.0, 100.0), (200.0, 200.0), (4999.0, 2000.0)]
)
def test_scale_bars_have_round_lengths(wanted, length):
    assert nice_length(wanted) == pytest.approx(length)


def test_palette_puts_texts_that_hold_the_word_before_strewn_letters():
    strewn = fuzzy_score("liede", "Timeline and tables")
    assert strewn > 0
    for name in ("Liede Creek, Huangpu Avenue", "Pumping station at Liede", "Building Liede-3 on the far side of the long avenue"):
        assert fuzzy_score("Liede", name) > 1.5 * strewn, name


def test_palette_prefers_word_beginnings_and_refuses_what_does_not_fit():
    assert fuzzy_score("rf", "Run flood") > fuzzy_score("rf", "Overflow of reservoirs")
    assert fuzzy_score("xyz", "Run flood") == 0.0
    assert fuzzy_score("flood", "Run flood") > fuzzy_score("flood", "Find layer or other data")


def test_measured_lines_say_length_area_and_height():
    labels = measure_labels([(0.0, 0.0, 1.0), (30.0, 0.0, 1.0), (30.0, 40.0, 3.5)])
    assert labels[0] == "30.0 m"
    assert labels[1] == "Σ 70.0 m  ·  600 m²  ·  Δh +2.50 m"
    assert measure_labels([(0.0, 0.0, 0.0)]) == []


@pytest.mark.parametrize(("space", "count", "named"), [(60.0, 1, 1), (60.0, 4, 4), (46.0, 4, 2), (20.0, 5, 0)])
def test_rows_of_works_fit_their_lane_and_as_many_as_can_be_are_named(space, count, named):
    unit = 13.0
    rows = work_rows(space, count, unit)
    assert sum(height >= unit for _, height in rows) == named
    assert rows[-1][0] + rows[-1][1] <= space + 1e-9
    assert all(after[0] >= before[0] + before[1] - 1e-9 for before, after in pairwise(rows))


@pytest.mark.parametrize(("high", "ticks"), [(29.2, [0, 10, 20]), (0.77, [0, 0.2, 0.4, 0.6]), (4120.0, [0, 2000, 4000])])
def test_values_are_ticked_at_round_numbers(high, ticks):
    assert value_ticks(0.0, high, 4 if high != 29.2 else 3) == pytest.approx(ticks)
