"""Depth at walls, at points and along roads."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.analysis.exposure import count_by_depth, depth_at_buildings, depth_at_points, road_lengths
from cimdesk.model.features import ShapeKind, Shapes
from cimdesk.model.terrain import Terrain

GRID = Terrain(np.zeros((10, 10), dtype=np.float32), 0.0, 20.0, 2.0, 2.0)


def building() -> tuple[np.ndarray, np.ndarray]:
    index = np.full((10, 10), -1, dtype=np.int32)
    index[3:6, 3:6] = 0
    index[3:6, 6] = 1
    return index, index >= 0


def test_depth_at_a_building_is_the_deepest_at_its_walls():
    index, blocked = building()
    depth = np.zeros((10, 10), dtype=np.float32)
    depth[2, 4] = 0.3
    depth[6, 5] = 0.5
    depth[1, 4] = 2.0
    assert depth_at_buildings(depth, index, blocked, 3).tolist()[:2] == pytest.approx([0.5, 0.0])
    assert np.isnan(depth_at_buildings(depth, index, blocked, 3)[2])


def test_neighbours_wall_to_wall_do_not_wet_each_other():
    index, blocked = building()
    depth = np.zeros((10, 10), dtype=np.float32)
    depth[4, 7] = 0.4
    found = depth_at_buildings(depth, index, blocked, 2)
    assert found.tolist() == pytest.approx([0.0, 0.4])


def test_a_building_that_is_not_blocked_counts_the_water_in_it():
    index, blocked = building()
    depth = np.zeros((10, 10), dtype=np.float32)
    depth[4, 4] = 0.7
    assert depth_at_buildings(depth, index, np.zeros_like(blocked), 2)[0] == pytest.approx(0.7)


def test_points_on_houses_take_the_water_beside_them():
    _, blocked = building()
    depth = np.where(blocked, 0.0, 0.2).astype(np.float32)
    depth[2, 3] = 0.6
    points = np.array([[1.0, 1.0], [7.0, 13.0], [-5.0, 3.0], [np.nan, 3.0]])
    found = depth_at_points(depth, GRID, points, blocked)
    assert found[:2].tolist() == pytest.approx([0.2, 0.6])
    assert np.isnan(found[2:]).all()


def test_road_lengths_fall_into_depth_classes_and_add_up():
    depth = np.zeros((10, 10), dtype=np.float32)
    depth[:, 5:] = 0.5
    lines = Shapes(
        ShapeKind.LINE,
        np.array([[1.0, 5.0, 0], [19.0, 5.0, 0], [3.0, 1.0, 0], [3.0, 19.0, 0], [3.0, 29.0, 0]]),
        np.array([0, 2, 5]), np.array([0, 1]), np.zeros(2, dtype=bool),
    )  # fmt: skip
    lengths = road_lengths(depth, GRID, lines, [0.15, 0.4])
    assert lengths[0] == pytest.approx(9.0 + 18.0 + 1.0, abs=0.5)
    assert lengths[1] == 0.0
    assert lengths[2] == pytest.approx(9.0, abs=0.5)


def test_counts_by_group_and_depth_keep_every_feature():
    counted = count_by_depth(np.array([0.0, 0.2, 0.9, np.nan, 0.5]), ["home", "home", "school", "home", "home"], [0.15, 0.6])
    assert counted.groups == ("home", "school")
    assert counted.counts.tolist() == [[1, 2, 0], [0, 0, 1]]
    people = count_by_depth(np.array([0.2, 0.9]), ["a", "a"], [0.15, 0.6], np.array([30.0, np.nan]))
    assert people.total.tolist() == [0.0, 30.0, 0.0]
