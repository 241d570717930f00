"""Samples of what streamed points say of themselves: small, steady, with nothing rare missing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.tile_point_columns import MOST_COLUMNS, POINT_HEIGHT, SAMPLED, PointColumns, values_of, with_points
from cimdesk.model.tile_points import TextColumn, TilePoints, packed

ZERO = np.zeros(3)


def cloud(own=None, **columns):
    """Points of one feature; columns are packed as those of tiles are."""
    count = len(next(iter(columns.values())))
    kept = {name: packed(np.asarray(values)) for name, values in columns.items()}
    xyz = np.zeros((count, 3), dtype=np.float32)
    xyz[:, 2] = np.arange(count)
    names = frozenset(columns if own is None else own)
    return TilePoints(xyz, np.zeros(count, np.int32), None, kept, ("a",), 0, False, 1.0, names)


def texts(*values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=50))
def test_whole_numbers_are_packed_without_loss(numbers):
    narrow = packed(np.array(numbers, dtype=np.int64))
    assert narrow.tolist() == numbers
    assert narrow.dtype.kind in "iu"


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=50))
def test_fractions_are_packed_without_loss(numbers):
    values = np.array(numbers)
    assert np.array_equal(packed(values).astype(np.float64), values, equal_nan=True)


@given(st.lists(st.sampled_from(["wall", "roof", "树", None, ""]), max_size=50))
def test_texts_are_packed_without_loss(values):
    column = packed(texts(*values))
    assert isinstance(column, TextColumn)
    assert [column[k] for k in range(len(column))] == [value or None for value in values]


def test_classes_of_points_take_a_byte_each():
    classes = packed(np.random.default_rng(1).integers(0, 19, 10_000))
    assert classes.nbytes == 10_000


def test_a_sample_stays_small_and_has_the_ends_and_every_rare_class():
    columns = PointColumns()
    for row in range(30):
        classes = np.full(50_000, 2)
        if row == 17:
            classes[4_321] = 9
        columns.note(row, cloud(classification=classes, intensity=np.arange(50_000.0) + row), ZERO)
    assert len(columns["intensity"]) < 2 * SAMPLED + 10
    assert set(columns["classification"].tolist()) == {2, 9}
    assert (columns["intensity"].min(), columns["intensity"].max()) == (0.0, 50_028.0)
    assert np.median(columns["intensity"]) == pytest.approx(25_014, rel=0.02)


def test_a_tile_that_comes_again_is_not_counted_again():
    columns = PointColumns()
    for _ in range(5):
        columns.note(3, cloud(intensity=np.arange(100)), ZERO)
    assert len(columns["intensity"]) < 100 + 100 + 4


def test_columns_that_only_tell_features_apart_are_not_those_of_points():
    columns = PointColumns()
    columns.note(0, cloud(own=("gps_time",), name=texts("a", "b"), gps_time=np.array([1.5, 2.5])), ZERO)
    assert set(columns) == {"gps_time", POINT_HEIGHT}


def test_heights_are_offered_in_the_world():
    columns, points = PointColumns(), cloud(intensity=np.arange(5))
    columns.note(0, points, np.array([0.0, 0.0, 100.0]))
    assert set(columns[POINT_HEIGHT].tolist()) == {100.0, 101.0, 102.0, 103.0, 104.0}
    assert values_of(points, np.array([0.0, 0.0, 7.0]), POINT_HEIGHT).tolist() == [7.0, 8.0, 9.0, 10.0, 11.0]
    assert values_of(points, ZERO, "nothing") is None


def test_what_a_tileset_states_is_part_of_the_sample():
    columns = PointColumns.of({"ranges": {"intensity": (0.0, 65535.0)}, "values": {"kind": ("wall", "roof")}})
    columns.note(0, cloud(intensity=np.array([20, 30]), kind=texts("wall", "wall")), ZERO)
    assert (columns["intensity"].min(), columns["intensity"].max()) == (0, 65535)
    assert set(columns["kind"].tolist()) == {"wall", "roof"}
    assert columns.spans_all("intensity", 0.0, 65535.0)
    assert not columns.spans_all("intensity", 10.0, 65535.0)
    assert not columns.spans_all("kind", 0.0, 1.0)


def test_numbers_in_one_tile_and_texts_in_another_are_texts():
    columns = PointColumns()
    columns.note(0, cloud(kind=np.array([1, 2])), ZERO)
    columns.note(1, cloud(kind=texts("a", None)), ZERO)
    assert set(columns["kind"].tolist()) == {"1", "2", "a", None}


def test_columns_without_any_value_and_tiles_without_points_do_no_harm():
    columns = PointColumns()
    columns.note(0, None, ZERO)
    columns.note(1, cloud(gap=np.full(4, np.nan)), ZERO)
    assert np.isnan(columns["gap"]).all()


def test_a_tileset_of_endless_columns_is_cut():
    columns = PointColumns()
    columns.note(0, cloud(**{f"c{k:04d}": np.array([1, 2]) for k in range(MOST_COLUMNS + 50)}), ZERO)
    assert len(columns) == MOST_COLUMNS


def test_tiles_are_noted_by_several_threads():
    columns = PointColumns()
    tiles = [cloud(intensity=np.full(100, k)) for k in range(40)]
    threads = [threading.Thread(target=lambda k=k: columns.note(k, tiles[k], ZERO)) for k in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(columns["intensity"].tolist()) == set(range(40))


def test_a_layer_offers_the_columns_of_its_points_before_those_of_its_features():
    columns = PointColumns()
    columns.note(0, cloud(type=np.array([1, 2]), intensity=np.array([3, 4])), ZERO)
    assert with_points(None, {}) is None
    table = with_points(None, columns.sample())
    assert set(table.columns) == {"type", "intensity", POINT_HEIGHT}
