"""Compiled measures of items agree with plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats.tiles3d_grid import TileFrame
from cimdesk.services.tiling.kernels import boxes, part, tops


@pytest.fixture
def mesh():
    rng = np.random.default_rng(7)
    return rng.uniform(0, 50, (300, 3)), rng.integers(0, 300, (500, 3)), rng.integers(0, 40, 500)


def test_boxes_hold_exactly_the_triangles_of_each_owner(mesh):
    points, triangles, owner = mesh
    low, high = boxes(points, triangles, owner, 41)
    for row in range(40):
        corners = points[triangles[owner == row]].reshape(-1, 3)
        np.testing.assert_array_equal(low[row], corners.min(axis=0))
        np.testing.assert_array_equal(high[row], corners.max(axis=0))
    assert np.isnan(low[40]).all()
    assert np.isnan(high[40]).all()


def test_tops_are_means_by_area_of_what_faces_up(mesh):
    points, triangles, owner = mesh
    area, top, error = tops(points, triangles, owner, 41)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    weight = np.maximum((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0], 0.0)
    height = (a + b + c)[:, 2] / 3.0
    for row in range(40):
        mine = owner == row
        assert area[row] == pytest.approx(weight[mine].sum() / 2.0)
        mean = np.average(height[mine], weights=weight[mine])
        assert top[row] == pytest.approx(mean)
        assert error[row] == pytest.approx(np.sqrt(np.average((height[mine] - mean) ** 2, weights=weight[mine])))
    assert (area[40], top[40], error[40]) == (0.0, 0.0, 0.0)


def test_a_part_has_the_same_triangles_and_no_points_of_others(mesh):
    points, triangles, _ = mesh
    used, renumbered = part(points, triangles[:20])
    np.testing.assert_array_equal(used[renumbered], points[triangles[:20]])
    assert len(used) == len(np.unique(triangles[:20]))


@pytest.mark.parametrize("size", [50.0, 3000.0, 200_000.0])
def test_local_places_of_many_points_are_exact_to_a_tenth_of_a_millimetre_of_the_reference(size):
    crs = Crs.epsg(4547)
    rng = np.random.default_rng(1)
    centre = np.array([420_000.0, 2_560_000.0, 30.0])
    world = centre + rng.uniform(-0.5, 0.5, (4000, 3)) * [size, size, 300.0]
    frame = TileFrame.at(crs, centre)
    found = frame.to_local(world)
    exact = np.concatenate([frame.to_local(world[k : k + 100]) for k in range(0, 4000, 100)])
    rounding = np.spacing(np.abs(exact).max())
    assert np.abs(found.astype(np.float64) - exact.astype(np.float64)).max() <= 1e-4 + rounding
