"""Compiled kernels of the formats give what plain numpy and the JSON reader give."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.base.arrays import offsets_from_counts
from cimdesk.formats import mesh_assembly
from cimdesk.formats import polygons as module
from cimdesk.formats.compiled import pays
from cimdesk.formats.number_kernels import nested_numbers, separated_numbers
from cimdesk.formats.polygon_kernels import welded

NUMBERS = st.one_of(
    st.integers(-(10**15), 10**15),
    st.decimals(-100_000, 100_000, places=6, allow_nan=False).map(float),
    st.floats(-1e15, 1e15, allow_nan=False),
)


def some_polygons(seed: int) -> module.Polygons:
    """Return polygons of every kind: convex, with holes, crossing, flat, with repeated corners, and empty rings."""
    rng = np.random.default_rng(seed)
    points = np.round(rng.uniform(-10, 10, (60, 3)), 1)
    points[:20, 2] = 0.0
    corners, lengths, rings = [], [], []
    for _ in range(40):
        count = int(rng.integers(1, 3))
        rings.append(count)
        for _ in range(count):
            size = int(rng.integers(0, 9))
            chosen = rng.integers(0, 20 if rng.random() < 0.5 else 60, size)
            if size > 3 and rng.random() < 0.6:
                turn = np.sort(rng.uniform(0, 2 * np.pi, size))
                start = len(points)
                points = np.vstack([points, np.column_stack([5 * np.cos(turn), 5 * np.sin(turn), np.zeros(size)])])
                chosen = np.arange(start, start + size)
                chosen = np.append(chosen, chosen[0]) if rng.random() < 0.3 else chosen
            corners.extend(chosen.tolist())
            lengths.append(len(chosen))
    return module.Polygons(points, np.array(corners, dtype=np.int64), offsets_from_counts(lengths), offsets_from_counts(rings))


@pytest.mark.parametrize("seed", range(25))
def test_polygons_are_triangulated_alike_compiled_and_plain(seed, monkeypatch):
    polygons = some_polygons(seed)
    monkeypatch.setattr(module, "pays", lambda size, worth: False)
    plain = module.triangulate(polygons)
    monkeypatch.setattr(module, "pays", lambda size, worth: True)
    compiled = module.triangulate(polygons)
    np.testing.assert_array_equal(compiled.triangles, plain.triangles)
    np.testing.assert_array_equal(compiled.polygon_of, plain.polygon_of)
    np.testing.assert_array_equal(compiled.is_degenerate, plain.is_degenerate)
    np.testing.assert_array_equal(compiled.is_repaired, plain.is_repaired)
    np.testing.assert_array_equal(compiled.edges, plain.edges)
    np.testing.assert_allclose(compiled.normals, plain.normals, atol=1e-12)


def test_nothing_is_triangulated_to_nothing(monkeypatch):
    monkeypatch.setattr(module, "pays", lambda size, worth: True)
    none = np.zeros(0, dtype=np.int64)
    start = np.zeros(1, dtype=np.int64)
    assert not len(module.triangulate(module.Polygons(np.zeros((0, 3)), none, start, start)).triangles)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.lists(NUMBERS | st.none(), max_size=4), max_size=4), max_size=5), st.booleans())
def test_nested_numbers_are_those_of_the_json_reader_to_the_last_bit(texts, has_spaces):
    separators = (", ", ": ") if has_spaces else (",", ":")
    found = nested_numbers([msgspec.Raw(json.dumps(text, separators=separators).encode()) for text in texts], 2)
    flat = [number for text in texts for ring in text for number in ring]
    if found is None:
        # Only numbers with many digits or exponents may be left to others.
        assert any((number is not None and len(repr(number).lstrip("-")) > 15) or "e" in repr(number) for number in flat)
        return
    wanted = np.array([np.nan if number is None else float(number) for number in flat], dtype=np.float64)
    np.testing.assert_array_equal(found.numbers, wanted)
    assert found.lengths.tolist() == [len(ring) for text in texts for ring in text]
    assert found.groups.tolist() == [len(text) for text in texts]
    assert found.inside.tolist() == [[1, sum(map(len, text))] for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        b"[[1,2]", b"[[1,2]]]", b"[[1 2]]", b"[[1,]]", b"[[,1]]", b"[[01]]", b"[[1.]]", b"[[.5]]", b"[[+1]]", b"[[-]]", b"[[1e3]]",
        b"[[nul]]", b"[[nope]]", b"[[[1]]]", b"[1]", b"1", b"", b'[["1"]]', b"[[1]]x", b"[[1]],[[2]]", b"[[1][2]]", b"[[1],]",
        b"{}", b"[[true]]", b"[[1.2.3]]", b"[[--1]]", b"[[99999999999999999999]]",
    ],
)  # fmt: skip
def test_text_that_is_not_as_usual_is_left_to_others(text):
    assert nested_numbers([msgspec.Raw(b"[[1]]"), msgspec.Raw(text)], 2) is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.decimals(-10_000_000, 10_000_000, places=3, allow_nan=False).map(str), max_size=9), min_size=1, max_size=9
    ),
    st.sampled_from([" ", "\n", " \t", "\r\n  "]),
)
def test_numbers_of_texts_are_those_of_python(texts, gap):
    found = separated_numbers([gap.join(["", *numbers]) for numbers in texts])
    if found is not None:
        assert found[0].tolist() == [float(number) for numbers in texts for number in numbers]
        assert found[1].tolist() == [len(numbers) for numbers in texts]
    else:
        assert any("E" in number for numbers in texts for number in numbers)


@pytest.mark.parametrize("text", ["1 2 x", "1,2", "1.5.2", "+1", "1e5", "NaN", "1 \u00a02", "2.", "-", "1 \0 2"])
def test_numbers_written_otherwise_are_left_to_others(text):
    assert separated_numbers([text]) is None


def test_welded_corners_are_the_different_ones_in_order():
    rows = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [-0.0, 0.0, 0.0], [1.0, 2.0, 3.5]])
    different, number = welded(rows)
    assert different.tolist() == [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.5]]
    assert number.tolist() == [0, 1, 0, 1, 2]


def test_welding_loses_nothing():
    rows = np.round(np.random.default_rng(3).uniform(0, 9, (5000, 3)))
    different, number = welded(rows)
    np.testing.assert_array_equal(different[number], rows)
    assert len(different) == len(np.unique(rows, axis=0))


@pytest.mark.parametrize("seed", range(12))
def test_edges_that_are_drawn_are_the_same_compiled_and_plain(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    # Few points, so that many polygons share edges, both ways; few normals, so that many are alike.
    polygons = 80
    edges, polygon_of = rng.integers(0, 30, (400, 2)), np.sort(rng.integers(0, polygons, 400))
    normals = np.eye(3)[rng.integers(0, 2, polygons)]
    normals[rng.random(polygons) < 0.1] = 0.0
    nothing = np.zeros((0, 3))
    none = np.zeros(polygons, dtype=bool)
    found = module.Triangulation(nothing, nothing[:, 0], normals, none, none, nothing, edges, polygon_of)
    owners = rng.integers(0, 3, polygons)
    monkeypatch.setattr(mesh_assembly, "pays", lambda size, worth: False)
    plain = mesh_assembly._crisp(edges, polygon_of, found, owners)
    monkeypatch.setattr(mesh_assembly, "pays", lambda size, worth: True)
    np.testing.assert_array_equal(mesh_assembly._crisp(edges, polygon_of, found, owners), plain)
    assert 0 < len(plain) < len(np.unique(np.sort(edges, axis=1), axis=0))


def test_compiled_code_is_loaded_only_where_it_pays():
    assert pays(100, 100)
    assert not pays(4, 100)
