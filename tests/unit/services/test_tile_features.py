"""A feature table that grows: rows stay, kinds widen, earlier tables do not change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.model.features import as_strings
from cimdesk.services.tile_features import FeaturePool


def test_rows_stay_and_earlier_tables_do_not_change():
    pool = FeaturePool()
    assert pool.add(as_strings(["a", "b"]), {"h": np.array([1.0, 2.0])}).tolist() == [0, 1]
    before = pool.table()
    assert pool.add(as_strings(["c", "a"]), {"h": np.array([3.0, 9.0]), "name": as_strings(["x", "y"])}).tolist() == [2, 0]
    after = pool.table()
    assert len(before) == 2
    assert list(before.columns) == ["h"]
    assert after.columns["h"].tolist() == [1.0, 2.0, 3.0]
    assert after.columns["name"].tolist() == [None, None, "x"]
    assert pool.rows_of(["c", "nobody", "b"]).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (np.array([1]), np.array([2]), [1, 2]),
        (np.array([1]), np.array([2.5]), [1.0, 2.5]),
        (np.array([1]), as_strings(["x"]), ["1", "x"]),
        (as_strings(["x"]), np.array([1.5]), ["x", "1.5"]),
        (np.array([True]), np.array([False]), [True, False]),
        (np.array([True]), np.array([3]), ["True", "3"]),
    ],
)
def test_kinds_widen_as_little_as_they_must(first, second, wanted):
    pool = FeaturePool()
    pool.add(as_strings(["a"]), {"v": first})
    pool.add(as_strings(["b"]), {"v": second})
    assert pool.table().columns["v"].tolist() == wanted


def test_a_column_that_a_tile_lacks_is_missing_there():
    pool = FeaturePool()
    pool.add(as_strings(["a"]), {"n": np.array([4]), "flag": np.array([True])})
    pool.add(as_strings(["b"]), {})
    columns = pool.table().columns
    assert columns["n"][0] == 4.0
    assert np.isnan(columns["n"][1])
    assert columns["flag"].tolist() == ["True", None]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3000), max_size=400), max_size=12))
def test_every_feature_keeps_the_value_it_came_with(tiles):
    pool = FeaturePool()
    told = {}
    for k, numbers in enumerate(tiles):
        ids = list(dict.fromkeys(f"f{number}" for number in numbers))
        pool.add(as_strings(ids), {"tile": np.full(len(ids), float(k))})
        for key in ids:
            told.setdefault(key, float(k))
    table = pool.table()
    assert dict(zip(table.ids.tolist(), table.columns.get("tile", np.zeros(0)).tolist(), strict=True)) == told
    assert pool.rows_of(list(told)).tolist() == [table.row_of(key) for key in told]
