"""Buildings and terrain on the computational grid."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.flood.footprints import block_cells, cover_cells, resample
from cimdesk.formats.series import ring_shapes
from cimdesk.model.features import ShapeKind, Shapes
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.terrain import Terrain

GRID = Terrain(np.zeros((40, 50), dtype=np.float32), 100.0, 280.0, 2.0, 2.0)


def centres() -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(GRID.column_centres(), GRID.row_centres())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), corners=st.integers(3, 9))
def test_polygons_cover_the_cells_whose_centre_they_hold(seed: int, corners: int):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(5, 60, corners)
    ring = np.column_stack([150 + radius * np.cos(angles), 240 + radius * np.sin(angles)])
    ring = np.vstack([ring, ring[:1]])
    polygon = shapely.Polygon(ring)
    if not polygon.is_valid:
        return
    x, y = centres()
    expected = shapely.contains_xy(polygon, x, y)
    np.testing.assert_array_equal(cover_cells(GRID, ring_shapes([ring])).is_blocked, expected)


def test_a_courtyard_stays_open():
    outer = np.array([[110, 210], [150, 210], [150, 250], [110, 250], [110, 210]], dtype=float)
    inner = np.array([[120, 220], [140, 220], [140, 240], [120, 240], [120, 220]], dtype=float)
    xy = np.concatenate([outer, inner])
    shapes = Shapes(
        ShapeKind.POLYGON, np.column_stack([xy, np.zeros(10)]), np.array([0, 5, 10]), np.array([7, 7]), np.array([False, True])
    )
    covered = cover_cells(GRID, shapes)
    assert covered.is_blocked.sum() == 400 - 100
    assert set(np.unique(covered.index)) == {-1, 7}


def test_a_mesh_blocks_by_its_ground_and_knows_its_owner():
    # A box whose roof overhangs the ground: the ground counts; the second feature has a roof only.
    ground = [[110, 210, 0], [130, 210, 0], [130, 230, 0], [110, 230, 0]]
    roof = [[106, 206, 9], [134, 206, 9], [134, 234, 9], [106, 234, 9]]
    other = [[150, 210, 5], [170, 210, 5], [170, 230, 5], [150, 230, 5]]
    origin = np.array([100.0, 200.0, 0.0])
    vertices = (np.array(ground + roof + other, dtype=float) - origin).astype(np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7], [8, 9, 10], [8, 10, 11]], dtype=np.int32)
    mesh = TriangleMesh(vertices, triangles, np.array([0, 0, 0, 0, 1, 1], np.int32), np.array([1, 1, 3, 3, 3, 3], np.uint8), origin)
    index = block_cells(GRID, mesh).index
    assert np.count_nonzero(index == 0) == 100
    assert np.count_nonzero(index == 1) == 100


def test_buildings_outside_the_grid_are_left_out():
    ring = np.array([[-500, -500], [-400, -500], [-400, -400], [-500, -500]], dtype=float)
    assert not cover_cells(GRID, ring_shapes([ring])).is_blocked.any()


@pytest.mark.parametrize("cell", [2.0, 3.0, 5.0, 7.3])
def test_resampling_keeps_the_volume_under_the_ground(cell: float):
    rng = np.random.default_rng(0)
    fine = Terrain(rng.normal(10.0, 3.0, (73, 73)).astype(np.float32), 0.0, 73.0, 1.0, 1.0)
    coarse = resample(fine, cell)
    edge = coarse.shape[0] * cell
    weights = np.clip(edge - np.arange(73), 0.0, 1.0)
    below = float((fine.elevations * weights[:, None] * weights[None, :]).sum())
    assert float(coarse.elevations.sum(dtype=np.float64)) * cell * cell == pytest.approx(below, rel=1e-6)


def test_cells_mostly_without_data_have_none():
    heights = np.ones((4, 4), dtype=np.float32)
    heights[0, :2] = np.nan
    heights[1, 0] = np.nan
    coarse = resample(Terrain(heights, 0.0, 4.0, 1.0, 1.0), 2.0)
    assert np.isnan(coarse.elevations[0, 0])
    assert np.nansum(coarse.elevations) == 3.0


def test_finer_cells_are_interpolated():
    heights = np.tile(np.arange(10, dtype=np.float32), (10, 1))
    fine = resample(Terrain(heights, 0.0, 10.0, 1.0, 1.0), 0.5)
    assert fine.shape == (20, 20)
    np.testing.assert_allclose(fine.elevations[5, 2:-2], np.arange(20)[2:-2] / 2 - 0.25, atol=1e-6)
