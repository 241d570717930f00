"""Tileset: the pure choice of tiles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.tileset import Tileset


def build(parent, error, replaces=True, contents=None):
    count = len(parent)
    return Tileset(
        np.array(parent, dtype=np.int32),
        np.array(error, dtype=np.float64),
        np.full(count, replaces),
        np.zeros((count, 3)),
        np.zeros(count),
        tuple(contents) if contents is not None else (("a",),) * count,
        np.zeros((count, 4, 4)),
        "1.1",
        "",
    )


@st.composite
def trees(draw):
    count = draw(st.integers(1, 25))
    parent = [-1] + [draw(st.integers(0, k - 1)) for k in range(1, count)]
    error = [draw(st.floats(0, 100)) for _ in range(count)]
    contents = [("a",) if draw(st.booleans()) else () for _ in range(count)]
    return build(parent, error, draw(st.booleans()), contents)


@given(trees(), st.floats(0, 100))
def test_replaced_tiles_are_never_shown_with_their_descendants(tileset, max_error):
    shown = set(tileset.refine(max_error).tolist())
    assert shown
    for row in shown:
        parent = int(tileset.parent[row])
        while parent >= 0:
            assert parent not in shown or not tileset.replaces[parent]
            parent = int(tileset.parent[parent])


@given(trees(), st.floats(0, 100))
def test_no_shown_leaf_could_have_been_finer(tileset, max_error):
    parents = set(tileset.parent.tolist())
    for row in tileset.refine(max_error).tolist():
        if row in parents and tileset.replaces[row]:
            assert tileset.geometric_error[row] <= max_error
            assert tileset.contents[row]


@given(trees(), st.lists(st.floats(0, 100), min_size=2, max_size=6))
def test_smaller_errors_never_show_fewer_leaves_of_added_trees(tileset, errors):
    added = build(tileset.parent, tileset.geometric_error, False, tileset.contents)
    for coarse, fine in pairwise(sorted(errors, reverse=True)):
        assert set(added.refine(coarse).tolist()) <= set(added.refine(fine).tolist())


def test_tiles_without_content_are_passed_through():
    tileset = build([-1, 0, 1], [5.0, 5.0, 0.0], contents=[(), (), ("a",)])
    assert tileset.refine(100.0).tolist() == [2]
