"""Triangulation keeps area and orientation, whatever the plane and the shape."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.formats.polygons import Polygons, Triangulation, triangulate


def polygons(*shapes: list[list[tuple[float, float, float]]]) -> Polygons:
    """Return polygons, each a list of rings of points."""
    points, ring_lengths, ring_counts = [], [], []
    for rings in shapes:
        ring_counts.append(len(rings))
        for ring in rings:
            ring_lengths.append(len(ring))
            points.extend(ring)
    offsets = [np.concatenate([[0], np.cumsum(counts)]).astype(np.int64) for counts in (ring_lengths, ring_counts)]
    return Polygons(np.array(points, dtype=np.float64).reshape(-1, 3), np.arange(len(points)), *offsets)


def area_vectors(shape: Polygons, found: Triangulation) -> np.ndarray:
    """Return (P, 3) sums of the triangles' area vectors per polygon."""
    points = np.concatenate([shape.points, found.extra_points])
    a, b, c = points[found.triangles].transpose(1, 0, 2)
    total = np.zeros((len(shape.polygon_offsets) - 1, 3))
    np.add.at(total, found.polygon_of, np.cross(b - a, c - a) / 2.0)
    return total


def areas(shape: Polygons, found: Triangulation) -> np.ndarray:
    """Return (P,) sums of the triangles' areas per polygon."""
    points = np.concatenate([shape.points, found.extra_points])
    a, b, c = points[found.triangles].transpose(1, 0, 2)
    return np.bincount(found.polygon_of, np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0, len(shape.polygon_offsets) - 1)


SQUARE = [(0, 0, 0), (4, 0, 0), (4, 4, 0), (0, 4, 0)]
HOLE = [(1, 1, 0), (1, 2, 0), (2, 2, 0), (2, 1, 0)]
ARROW = [(0, 0, 0), (4, 0, 0), (4, 4, 0), (3, 1, 0)]


@pytest.mark.parametrize(
    ("rings", "area", "triangles"),
    [
        ([SQUARE[:3]], 8.0, 1),
        ([SQUARE], 16.0, 2),
        ([ARROW], 4.0, 2),
        ([SQUARE, HOLE], 15.0, 8),
        ([SQUARE, HOLE[::-1]], 15.0, 8),
        ([[*SQUARE, SQUARE[0]]], 16.0, 2),
        ([[(0, 0, 0), (2, 0, 0), (4, 0, 0), (4, 4, 0), (0, 4, 0)]], 16.0, 3),
    ],
    ids=["triangle", "square", "reflex", "hole", "hole-turned", "closed", "straight-corner"],
)
def test_known_shapes_have_their_area_and_no_more_triangles_than_needed(rings, area, triangles):
    shape = polygons(rings)
    found = triangulate(shape)
    assert area_vectors(shape, found)[0] == pytest.approx([0.0, 0.0, area])
    assert areas(shape, found)[0] == pytest.approx(area)
    assert len(found.triangles) == triangles
    assert not found.is_repaired.any()


@settings(deadline=None, max_examples=60)
@given(
    st.integers(3, 40), st.integers(0, 10_000), st.booleans(), st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 6.28), st.booleans()
)
def test_a_star_on_any_plane_keeps_its_area_and_faces_its_normal(count, seed, with_hole, nx, ny, turn, far):
    rng = np.random.default_rng(seed)
    angles = (np.arange(count) + turn) * 2.0 * np.pi / count
    radii = rng.uniform(2.0, 9.0, count)
    flat = np.column_stack([radii * np.cos(angles), radii * np.sin(angles)])
    normal = np.array([nx, ny, 0.7])
    normal /= np.linalg.norm(normal)
    u = np.cross(normal, [0.0, 1.0, 0.0])
    u /= np.linalg.norm(u)
    axes = np.array([u, np.cross(normal, u)])
    shift = np.array([420_000.0, 2_560_000.0, 10.0]) if far else np.zeros(3)
    hole = 0.05 * np.array([[1, 0], [0, -1], [-1, 0], [0, 1]])
    rings = [(flat @ axes + shift).tolist()] + ([(hole @ axes + shift).tolist()] if with_hole and count > 5 else [])
    shape = polygons(rings)
    found = triangulate(shape)
    x, y = flat.T
    expected = 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) - (0.005 if len(rings) == 2 else 0.0)
    tolerance = 1e-6 if far else 1e-9
    assert found.normals[0] == pytest.approx(normal, abs=1e-6)
    assert area_vectors(shape, found)[0] == pytest.approx(normal * expected, rel=tolerance, abs=tolerance * 100)
    assert areas(shape, found)[0] == pytest.approx(expected, rel=tolerance, abs=tolerance * 100)


def test_many_polygons_at_once_are_those_one_by_one():
    shapes = [[SQUARE], [ARROW], [SQUARE, HOLE], [SQUARE[:3]], [[(0, 0, 1), (0, 3, 1), (0, 3, 4)]]]
    together = triangulate(polygons(*shapes))
    start = 0
    for k, rings in enumerate(shapes):
        alone = triangulate(polygons(rings))
        assert (together.triangles[together.polygon_of == k] - start).tolist() == alone.triangles.tolist()
        start += sum(map(len, rings))


@pytest.mark.parametrize(
    "ring",
    [[], [(1, 1, 1)], [(0, 0, 0), (1, 0, 0)], [(0, 0, 0), (1, 0, 0), (2, 0, 0)], [(1, 2, 3)] * 5, [(0, 0, 0), (1, 1, 1)] * 3],
    ids=["empty", "point", "segment", "straight", "same", "there-and-back"],
)
def test_a_ring_without_area_gives_nothing_and_is_called_degenerate(ring):
    found = triangulate(polygons([SQUARE], [ring], [SQUARE]))
    assert found.is_degenerate.tolist() == [False, True, False]
    assert len(found.triangles) == 4


def test_a_bow_tie_is_repaired_to_its_two_halves():
    shape = polygons([[(0, 0, 0), (2, 2, 0), (2, 0, 0), (0, 2, 0)]])
    found = triangulate(shape)
    assert found.is_repaired.tolist() == [True]
    assert areas(shape, found)[0] == pytest.approx(2.0)


def test_a_skewed_quad_is_still_covered():
    shape = polygons([[(0, 0, 0), (10, 0, 0.4), (10, 10, 0), (0, 10, 0.4)]])
    found = triangulate(shape)
    assert areas(shape, found)[0] == pytest.approx(100.0, rel=0.01)
    assert not found.is_repaired.any()


def test_edges_are_those_of_all_rings():
    found = triangulate(polygons([SQUARE, HOLE], [SQUARE[:3]]))
    assert np.bincount(found.polygon_of_edge).tolist() == [8, 3]


def test_no_polygons_give_no_triangles():
    found = triangulate(polygons())
    assert found.triangles.shape == (0, 3)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1)), max_size=12), st.integers(1, 3))
def test_random_rings_never_fail(points, parts):
    cuts = np.linspace(0, len(points), parts + 1).astype(int)
    shape = polygons([points[a:b] for a, b in pairwise(cuts)])
    found = triangulate(shape)
    assert len(found.triangles) == 0 or found.triangles.max() < len(shape.points) + len(found.extra_points)
    assert np.isfinite(found.extra_points).all()
