"""Meshes on grids: every drop stays."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from cimdesk.formats.flood_in.gridding import MOST_CELLS, grid_for, gridding_of, nice_above, nice_below
from cimdesk.formats.flood_in.mesh import Mesh, usable_faces
from cimdesk.formats.flood_in.overlap import overlaps


def mesh_of(seed: int, count: int = 30) -> Mesh:
    points = np.random.default_rng(seed).uniform(-50.0, 150.0, (count, 2))
    return Mesh(points, np.asarray(Delaunay(points).simplices, dtype=np.int64))


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 90.0))
@settings(max_examples=25, deadline=None)
def test_water_of_faces_is_all_on_the_grid(seed: int, cell: float) -> None:
    mesh = mesh_of(seed)
    depth = np.random.default_rng(seed + 1).uniform(0.0, 3.0, len(mesh.faces))
    gridding = gridding_of(mesh, grid_for(mesh, cell), at_nodes=False)
    area = gridding.grid.cell_x * gridding.grid.cell_y
    assert gridding.mean(depth).sum() * area == pytest.approx((depth * mesh.areas()).sum(), rel=1e-7)
    assert gridding.cover.sum() * area == pytest.approx(mesh.areas().sum(), rel=1e-7)
    assert gridding.cover.max() <= 1.0 + 1e-9


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 90.0))
@settings(max_examples=25, deadline=None)
def test_water_that_is_linear_between_nodes_is_all_on_the_grid(seed: int, cell: float) -> None:
    mesh = mesh_of(seed)
    depth = np.random.default_rng(seed + 1).uniform(0.0, 3.0, len(mesh.nodes))
    gridding = gridding_of(mesh, grid_for(mesh, cell), at_nodes=True)
    area = gridding.grid.cell_x * gridding.grid.cell_y
    whole = (depth[mesh.faces].mean(axis=1) * mesh.areas()).sum()
    assert gridding.mean(depth).sum() * area == pytest.approx(whole, rel=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_a_plane_stays_a_plane(seed: int) -> None:
    mesh = mesh_of(seed)
    gridding = gridding_of(mesh, grid_for(mesh, 10.0), at_nodes=True)
    heights = gridding.within(2.0 + 0.1 * mesh.nodes[:, 0] - 0.05 * mesh.nodes[:, 1])
    full = gridding.cover > 1.0 - 1e-6
    x, y = np.meshgrid(gridding.grid.column_centres(), gridding.grid.row_centres())
    np.testing.assert_allclose(heights[full], (2.0 + 0.1 * x - 0.05 * y)[full], atol=1e-5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_parts_are_those_that_geos_cuts(seed: int) -> None:
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0.0, 2 * np.pi, 7))
    radii = random.uniform(0.5, 4.0, 7)  # a star, seldom convex
    x, y = 5.0 + radii * np.cos(angles), 5.0 + radii * np.sin(angles)
    star = shapely.Polygon(np.column_stack([x, y]))
    if not star.is_valid:
        return
    _, cell, area, _ = overlaps(x, y, np.arange(7)[np.newaxis], 10, 10)
    for index, part in zip(cell, area, strict=True):
        row, column = divmod(int(index), 10)
        assert part == pytest.approx(star.intersection(shapely.box(column, row, column + 1, row + 1)).area, abs=1e-9)


def test_the_cell_follows_the_faces_and_stays_within_reason() -> None:
    assert nice_below(7.3) == 5.0
    assert nice_below(5.0) == 5.0
    assert nice_above(5.1) == 10.0
    mesh = mesh_of(3)
    tiny = grid_for(mesh, 1e-3)
    assert tiny.elevations.size <= MOST_CELLS * 1.01


def test_faces_that_cannot_be_are_told() -> None:
    nodes = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [np.nan, 0.0]])
    faces = np.array([[0, 1, 2, -1], [0, 1, 3, -1], [0, 1, 9, -1], [0, 1, -1, -1]])
    assert usable_faces(nodes, faces).tolist() == [True, False, False, False]
