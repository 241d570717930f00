"""The compiled split of vertices gives what plain numpy gives, in another order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.formats.glb_kernels import split_vertices, split_vertices_reference


def faces_of(result):
    """Return every face as its corners with position, normal and feature; the order of vertices does not matter."""
    at, normals, owned, indices = result
    vertices = np.column_stack([at.astype(np.float64), normals.astype(np.float64), owned.astype(np.float64)])
    return vertices[indices]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 30), st.integers(0, 60), st.integers(1, 5))
def test_compiled_and_plain_agree(seed, vertices, faces, features):
    rng = np.random.default_rng(seed)
    points = rng.integers(-4, 5, (vertices, 3)).astype(np.float32)
    triangles = rng.integers(0, vertices, (faces, 3))
    owner = rng.integers(0, features, faces)
    fast, plain = split_vertices(points, triangles, owner), split_vertices_reference(points, triangles, owner)
    assert np.array_equal(faces_of(fast), faces_of(plain))
    # No two vertices are the same, and none is there for nothing.
    rows = np.column_stack([fast[0], fast[1], fast[2]])
    assert len(np.unique(fast[3])) == len(rows)
    assert len(rows) <= len(points) * faces


def test_faces_that_share_an_edge_keep_their_own_normals_and_features():
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    flat = np.array([[0, 1, 2], [0, 2, 3]])
    at, normals, _, indices = split_vertices(points, flat, np.zeros(2, dtype=np.int64))
    assert (len(at), len(indices)) == (4, 2)
    assert (normals[:, :3] == [0, 127, 0]).all()
    assert len(split_vertices(points, flat, np.array([0, 1]))[0]) == 6
    bent = np.array([[0, 1, 2], [0, 4, 1]])
    assert len(split_vertices(points, bent, np.zeros(2, dtype=np.int64))[0]) == 6
    line = np.array([[0, 1, 1]])
    assert len(split_vertices(points, line, np.zeros(1, dtype=np.int64))[3]) == 0
