"""Shapes in pixels: exact coverage, holes, lines of their width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.formats.imagery.paint import Canvas

SUB = 32


def one(points):
    return np.array(points, dtype=np.float32), np.array([0, len(points)], dtype=np.int64)


def coverage(canvas):
    return canvas.pixels[..., 3] / 255.0


def covered_by_counting(points, side):
    """Coverage of a polygon by counting points inside, for comparison."""
    at = (np.arange(side * SUB) + 0.5) / SUB
    x, y = np.meshgrid(at, at)
    inside = np.zeros(x.shape, dtype=bool)
    for k in range(len(points)):
        (x0, y0), (x1, y1) = points[k], points[(k + 1) % len(points)]
        if y0 != y1:
            crosses = (y0 <= y) != (y1 <= y)
            inside ^= crosses & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return inside.reshape(side, SUB, side, SUB).mean(axis=(1, 3))


def test_a_square_between_pixels_covers_its_share_of_each():
    canvas = Canvas(4, 4)
    canvas.fill(*one([(0.5, 1.0), (2.5, 1.0), (2.5, 2.0), (0.5, 2.0)]), "#ff0000")
    assert coverage(canvas)[1] == pytest.approx([0.5, 1.0, 0.5, 0.0], abs=0.01)
    assert coverage(canvas)[[0, 2, 3]].max() == 0.0
    assert canvas.pixels[1, 1].tolist() == [255, 0, 0, 255]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(-4, 12), st.floats(-4, 12)), min_size=3, max_size=3, unique=True))
def test_coverage_of_any_triangle_agrees_with_counting(points):
    canvas = Canvas(8, 8)
    canvas.fill(*one(points), "#000000")
    assert np.abs(coverage(canvas) - covered_by_counting(points, 8)).max() < 0.12
    assert coverage(canvas).sum() == pytest.approx(covered_by_counting(points, 8).sum(), abs=0.5)


def test_rings_the_other_way_round_are_holes():
    outer = [(0, 0), (8, 0), (8, 8), (0, 8)]
    hole = [(2, 2), (2, 6), (6, 6), (6, 2)]
    canvas = Canvas(8, 8)
    canvas.fill(np.array(outer + hole, dtype=np.float32), np.array([0, 4, 8]), "#00ff00")
    assert coverage(canvas)[3, 3] == 0.0
    assert coverage(canvas)[1, 1] == 1.0


def test_what_overlaps_counts_once_and_edges_side_by_side_leave_no_seam():
    canvas = Canvas(8, 8)
    left = [(0, 0), (4.3, 0), (4.3, 8), (0, 8)]
    right = [(4.3, 0), (8, 0), (8, 8), (4.3, 8)]
    canvas.fill(np.array(left + right + left, dtype=np.float32), np.array([0, 4, 8, 12]), "#0000ff")
    assert coverage(canvas).min() == 1.0


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0, 200.0, 301.0])
def test_a_line_covers_its_length_times_its_width(angle):
    turn = np.radians(angle)
    end = 32.0 + 20.0 * np.array([np.cos(turn), np.sin(turn)])
    canvas = Canvas(64, 64)
    canvas.stroke(*one([(32.0, 32.0), tuple(end)]), 4.0, "#000000")
    assert coverage(canvas).sum() == pytest.approx(80.0, rel=0.03)


def test_a_bent_line_has_no_gap_at_its_bend_and_no_hole():
    canvas = Canvas(64, 64)
    canvas.stroke(*one([(10, 50), (32, 10), (54, 50)]), 9.0, "#000000")
    assert coverage(canvas)[10, 32] > 0.95
    assert coverage(canvas)[7, 32] > 0.7


def test_shapes_far_outside_do_nothing():
    canvas = Canvas(8, 8)
    canvas.fill(*one([(1e6, 1e6), (2e6, 1e6), (2e6, 2e6)]), "#000000")
    canvas.stroke(*one([(-1e6, -5), (-2e6, -5)]), 3.0, "#000000")
    assert not canvas.pixels.any()


def test_a_shape_around_the_picture_fills_it():
    canvas = Canvas(8, 8)
    canvas.fill(*one([(-1e5, -1e5), (1e5, -1e5), (1e5, 1e5), (-1e5, 1e5)]), "#123456")
    assert (canvas.pixels == [0x12, 0x34, 0x56, 255]).all()
