"""Sorting and filtering a columnar table without copying it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.features import FeatureTable
from cimdesk.ui.attributes import show_value
from cimdesk.ui.feature_model import FeatureModel, matching_rows, runs, sort_rows

ROWS = [
    {"use": "school", "storeys": 3, "height": 12.5},
    {"use": "home", "storeys": 30, "height": None},
    {"use": None, "storeys": 8, "height": 28.0},
    {"use": "Home office", "storeys": 1, "height": 4.0},
]
TABLE = FeatureTable.from_rows(["a", "b", "c", "d"], ROWS)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("home", [1, 3]), ("", [0, 1, 2, 3]), ("storeys>5", [1, 2]), ("storeys<=3", [0, 3]), ("height>10", [0, 2]),
        ("use=HOME", [1]), ("8", [2]), ("nothing like it", []), ("c", [0, 2, 3]),
    ],
)  # fmt: skip
def test_filter_finds_words_and_compares_numbers(text, rows):
    assert matching_rows(TABLE, text).tolist() == rows


@pytest.mark.parametrize(("column", "up", "down"), [("height", [3, 0, 2, 1], [2, 0, 3, 1]), ("use", [3, 1, 0, 2], [0, 1, 3, 2])])
def test_missing_values_come_last_either_way(column, up, down):
    rows = np.arange(4)
    assert rows[sort_rows(TABLE, column, rows, descending=False)].tolist() == up
    assert rows[sort_rows(TABLE, column, rows, descending=True)].tolist() == down


@given(st.lists(st.integers(0, 200), unique=True).map(sorted))
def test_runs_are_the_same_rows_again(rows):
    spread = [row for first, last in runs(np.array(rows, dtype=np.int64)) for row in range(first, last + 1)]
    assert spread == rows


def test_rows_are_found_again_after_sorting_and_filtering():
    model = FeatureModel()
    model.set_table(TABLE)
    model.sort(2)
    model.set_matching(np.array([0, 1, 3]))
    assert [model.feature_of(row) for row in range(model.rowCount())] == ["d", "a", "b"]
    assert model.rows_showing(np.array([1, 2, 3])).tolist() == [0, 2]


def test_a_million_rows_are_shown_without_a_copy():
    count = 1_000_000
    ids = np.arange(count).astype(object)
    model = FeatureModel()
    model.set_table(FeatureTable(ids, {"value": np.arange(count, dtype=np.float64)[::-1].copy()}))
    assert model.rowCount() == count
    model.sort(1)
    assert model.index(0, 0).data() == str(count - 1)
    assert model.index(count - 1, 1).data() == "999999"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (np.nan, "–"), (True, "✓"), (3.0, "3"), (0.12345, "0.1235"), ("x", "x"), (7, "7")]
)
def test_values_read_as_people_expect(value, text):
    assert show_value(value) == text
