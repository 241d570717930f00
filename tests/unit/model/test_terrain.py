"""A regular grid of elevations: sampling, shading, cutting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.terrain import Terrain


def plane(rows: int = 20, columns: int = 30, east: float = 0.1, north: float = -0.05) -> Terrain:
    """Return a plane that rises ``east`` and ``north`` per metre, from 10 m at the origin of the world."""
    terrain = Terrain(np.zeros((rows, columns), np.float32), 1000.0, 5000.0, 2.0, 4.0)
    z = 10 + east * terrain.column_centres()[None, :] + north * terrain.row_centres()[:, None]
    return Terrain(z.astype(np.float32), terrain.west, terrain.north, terrain.cell_x, terrain.cell_y)


@given(st.floats(1001.0, 1059.0), st.floats(4922.0, 4998.0))
def test_sampling_a_plane_gives_the_plane(x: float, y: float):
    assert plane().sample(np.array([[x, y]]))[0] == pytest.approx(10 + 0.1 * x - 0.05 * y, abs=1e-3)


def test_sampling_at_cell_centres_gives_the_cells():
    terrain = plane()
    x, y = np.meshgrid(terrain.column_centres(), terrain.row_centres())
    np.testing.assert_allclose(terrain.sample(np.column_stack([x.ravel(), y.ravel()])).reshape(terrain.shape), terrain.elevations)


def test_there_is_no_height_outside_or_next_to_no_data():
    terrain = plane()
    terrain.elevations[0, 0] = np.nan
    points = np.array([[999.0, 4990.0], [1001.5, 4997.0], [np.nan, 4990.0], [1030.0, 5001.0]])
    assert np.isnan(terrain.sample(points)).all()


def test_bounds_are_the_outer_edges_of_the_cells():
    np.testing.assert_allclose(plane().bounds[:, :2], [[1000.0, 4920.0], [1060.0, 5000.0]])


def test_a_slope_that_faces_the_sun_is_brighter_than_one_that_turns_away():
    faces_east, faces_west = plane(east=-0.5, north=0.0), plane(east=0.5, north=0.0)
    assert faces_east.hillshade(azimuth_deg=90.0).mean() > faces_west.hillshade(azimuth_deg=90.0).mean()
    faces_north, faces_south = plane(east=0.0, north=-0.5), plane(east=0.0, north=0.5)
    assert faces_north.hillshade(azimuth_deg=0.0).mean() > faces_south.hillshade(azimuth_deg=0.0).mean()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_thin_and_empty_grids_can_be_shaded(shape: tuple[int, int]):
    level = Terrain(np.full(shape, np.nan, np.float32), 0.0, 0.0, 1.0, 1.0)
    np.testing.assert_allclose(level.hillshade(altitude_deg=90.0), 1.0)


def test_a_part_keeps_its_place_in_the_world():
    terrain = plane()
    part = terrain.part(1010.0, 4940.0, 1030.0, 4980.0)
    assert part.shape == (10, 10)
    points = np.array([[1015.0, 4950.0], [1025.0, 4970.0]])
    np.testing.assert_allclose(part.sample(points), terrain.sample(points))


def test_a_part_outside_is_refused():
    with pytest.raises(ValueError, match="outside"):
        plane().part(0.0, 0.0, 10.0, 10.0)
