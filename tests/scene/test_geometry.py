"""Shapes made for drawing: tubes, edges, drapes, textures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.scene.city_tiles import tile_rows
from cimdesk.scene.drape import dense_lines, ribbons, subdivided, triangulated
from cimdesk.scene.geometry import sharp_edges
from cimdesk.scene.network import tubes
from cimdesk.scene.plan_picture import PlanGrid, ground_cells, paint
from cimdesk.scene.textures import WIDTH, FeatureTexture
from tests.scene import cities


def plan_areas(triangles):
    first, second = triangles[:, 1, :2] - triangles[:, 0, :2], triangles[:, 2, :2] - triangles[:, 0, :2]
    return np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2.0


def signed_volume(points, triangles):
    a, b, c = (points[triangles[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 360), st.floats(-80, 80), st.floats(0.1, 2.0))
def test_a_tube_is_closed_and_wound_outward(azimuth, slope, radius):
    a, e = np.radians(azimuth), np.radians(slope)
    ends = np.array([[0, 0, 0], [np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)]]) * 20.0
    points, normals, triangles, owner = tubes(ends, np.array([0, 2]), np.array([radius]))
    octagon = 8 * 0.5 * np.sin(np.pi / 4) * radius**2
    assert signed_volume(points, triangles) == pytest.approx(20.0 * octagon, rel=1e-3)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert set(owner) == {0}


def test_tubes_keep_their_width_round_a_right_angle():
    line = np.array([[0, 0, 0], [10, 0, 0], [10, 10, 0]], float)
    points, _, triangles, _ = tubes(line, np.array([0, 3]), np.array([0.5]))
    # Two prisms mitred at 45 degrees have the volume of their axis length.
    assert signed_volume(points, triangles) == pytest.approx(20.0 * 8 * 0.5 * np.sin(np.pi / 4) * 0.25, rel=0.02)


def test_links_without_geometry_make_no_tube():
    points, _, triangles, _ = tubes(np.zeros((0, 3)), np.array([0, 0, 0]), np.array([1.0, 1.0]))
    assert len(points) == 0
    assert len(triangles) == 0


def test_a_box_has_twelve_sharp_edges_and_no_diagonals():
    mesh = cities.boxes(*(np.array([v], float) for v in (0.0, 0.0, 10.0, 8.0, 6.0, 0.3, 0.0)))
    edges = sharp_edges(mesh.vertices, mesh.triangles, mesh.feature_index)
    lengths = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    assert len(edges) == 12
    assert sorted(np.round(lengths).tolist()) == [6.0] * 4 + [8.0] * 4 + [10.0] * 4


def test_tiles_hold_every_triangle_once_and_no_feature_twice():
    city = cities.district(cities.river_terrain(), 6000)
    mesh = city.finest
    tiles = tile_rows(mesh, len(city.features))
    assert len(tiles) > 1
    assert np.array_equal(np.sort(np.concatenate(tiles)), np.arange(len(mesh.triangles)))
    owners = [set(mesh.feature_index[rows].tolist()) for rows in tiles]
    assert sum(len(owner) for owner in owners) == len(set().union(*owners))


def test_polygons_keep_their_area_and_their_holes():
    zones = cities.parcels(cities.river_terrain()).shapes
    triangles, owner = triangulated(zones)
    area = plan_areas(triangles)
    assert np.bincount(owner, weights=area)[:2] == pytest.approx([48_000.0, 280 * 260 - 120 * 100])
    fine, fine_owner = subdivided(triangles, owner, 20.0)
    edges = np.linalg.norm(np.roll(fine, -1, axis=1)[..., :2] - fine[..., :2], axis=2)
    assert edges.max() <= 20.0
    area = plan_areas(fine)
    assert np.bincount(fine_owner, weights=area)[:2] == pytest.approx([48_000.0, 60_800.0])


def test_painted_polygons_cover_their_area_and_leave_their_holes_clear():
    zones = cities.parcels(cities.river_terrain()).shapes
    grid = PlanGrid.around(zones)
    colors = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]], dtype=np.uint8)
    picture = paint(zones, grid, colors)
    area = grid.pixel**2
    clear = picture[..., 3] == 0
    for k, expected in enumerate((48_000.0, 60_800.0)):
        assert ((picture[..., k] == 255) & ~clear).sum() * area == pytest.approx(expected, rel=0.02)
    points, triangles, coordinates = ground_cells(picture, grid)
    assert plan_areas(np.pad(points, ((0, 0), (0, 1)))[triangles]).sum() >= (~clear).sum() * area
    # Cells at the rim reach over the picture, whose own rim is clear.
    assert coordinates.min() >= -0.05
    assert not picture[[0, -1], :, 3].any()
    assert not picture[:, [0, -1], 3].any()


def test_dense_lines_keep_their_length_and_do_not_join_features():
    roads = cities.roads(cities.river_terrain()).shapes
    points, segments, owner = dense_lines(roads, 11.0)
    lengths = np.linalg.norm(points[segments[:, 1], :2] - points[segments[:, 0], :2], axis=1)
    assert lengths.max() <= 11.0 + 1e-6
    assert (owner[segments[:, 0]] == owner[segments[:, 1]]).all()
    first = roads.ring(0)
    expected = np.linalg.norm(np.diff(first[:, :2], axis=0), axis=1).sum()
    assert lengths[owner[segments[:, 0]] == 0].sum() == pytest.approx(expected)


def test_ribbons_are_as_wide_as_the_feature_says():
    roads = cities.roads(cities.river_terrain()).shapes
    triangles, owner = ribbons(roads, np.full(roads.feature_of_ring.max() + 1, 7.0), 30.0)
    area = plan_areas(triangles)
    length = np.linalg.norm(np.diff(roads.ring(0)[:, :2], axis=0), axis=1).sum()
    assert area[owner == 0].sum() == pytest.approx(7.0 * length, rel=1e-6)


@pytest.mark.parametrize("count", [1, WIDTH, WIDTH + 1, 5000])
def test_texture_coordinates_hit_the_texel_of_each_entry(count):
    texture = FeatureTexture(count)
    entries = np.arange(count)
    uv = texture.coordinates(entries)
    column, row = np.floor(uv[:, 0] * WIDTH), np.floor(uv[:, 1] * texture.rows)
    assert np.array_equal(row * WIDTH + column, entries)
