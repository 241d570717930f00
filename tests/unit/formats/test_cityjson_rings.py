"""Faces with holes, from their triangles and back, in metres and in degrees."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.base.crs import Crs
from cimdesk.formats import registry
from cimdesk.formats.cityjson import write_cityjson
from cimdesk.formats.cityjson.face_rings import simple_rings, surfaces_of
from cimdesk.formats.cityjson.merging import flat_faces
from cimdesk.formats.polygons import Polygons, triangulate
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable
from cimdesk.model.mesh import TriangleMesh

PLANES = [np.eye(3), np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), np.array([[2, 1, 2], [-2, 2, 1], [-1, -2, 2]]) / 3.0]
HOLES = st.tuples(st.integers(1, 4), st.integers(1, 4), st.floats(0.1, 0.45), st.integers(3, 9))


def as_cut(polygon: shapely.Polygon, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points and the triangles a reader makes of a polygon, laid into a plane of space."""
    oriented = shapely.geometry.polygon.orient(polygon)
    rings = [np.array(ring.coords)[:-1] for ring in (oriented.exterior, *oriented.interiors)]
    # Rings that touch share the corner, as they do in a file.
    flat, corners = np.unique(np.concatenate(rings), axis=0, return_inverse=True)
    points = np.column_stack([flat, np.zeros(len(flat))]) @ axes
    offsets = np.cumsum([0, *(len(ring) for ring in rings)])
    return points, triangulate(Polygons(points, corners.ravel(), offsets, np.array([0, len(rings)]))).triangles


def recovered(points: np.ndarray, triangles: np.ndarray) -> list[list[list[int]]]:
    faces = flat_faces(triangles, np.zeros(len(triangles), dtype=np.int64), points, 1e-6 * float(np.ptp(points)))
    found = surfaces_of(triangles, faces, points)
    return found.boundaries(0, len(found.first), found.corners)


def drawn(rings: list[list[int]], points: np.ndarray, axes: np.ndarray) -> shapely.Polygon:
    flat = (points @ axes.T)[:, :2]
    return shapely.Polygon(flat[rings[0]], [flat[ring] for ring in rings[1:]])


@st.composite
def blocks(draw) -> shapely.Polygon:
    """Squares of a grid that hang together by their sides, as one polygon: with holes, some of which touch in corners."""
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    filled = draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    chosen = [shapely.box(k % columns, k // columns, k % columns + 1, k // columns + 1) for k, on in enumerate(filled) if on]
    whole = shapely.union_all(chosen or [shapely.box(0, 0, 1, 1)])
    parts = sorted(shapely.get_parts(whole).tolist(), key=lambda part: part.area)
    return parts[-1]


@settings(max_examples=150, deadline=None)
@given(polygon=blocks(), axes=st.sampled_from(PLANES))
def test_a_polygon_comes_back_from_its_triangles_with_its_holes(polygon, axes):
    points, triangles = as_cut(polygon, axes)
    surfaces = recovered(points, triangles)
    back = [drawn(rings, points, axes) for rings in surfaces]
    assert all(each.is_valid and each.exterior.is_ccw for each in back)
    assert not any(hole.is_ccw for each in back for hole in each.interiors)
    assert sum(each.area for each in back) == pytest.approx(polygon.area, rel=1e-9)
    assert shapely.union_all(back).symmetric_difference(polygon).area < 1e-9
    touch = len(points) < shapely.get_num_coordinates(polygon) - 1 - len(polygon.interiors)
    if not touch and axes is not PLANES[2]:
        # Rings that touch, or corners that only rounding puts on a line, may leave it in several.
        assert [len(rings) for rings in surfaces] == [1 + len(polygon.interiors)]


@settings(max_examples=60, deadline=None)
@given(
    holes=st.lists(HOLES, max_size=6, unique_by=lambda hole: hole[:2]),
    axes=st.sampled_from(PLANES),
)
def test_round_holes_come_back_corner_by_corner(holes, axes):
    def wheel(x, y, radius, corners):
        turns = np.arange(corners) * 2 * np.pi / corners + 0.1
        return np.column_stack([x + radius * np.cos(turns), y + radius * np.sin(turns)])

    polygon = shapely.Polygon([(0, 0), (5, 0), (5, 5), (0, 5)], [wheel(*hole) for hole in holes])
    points, triangles = as_cut(polygon, axes)
    (rings,) = recovered(points, triangles)
    assert sorted(len(ring) for ring in rings[1:]) == sorted(hole[3] for hole in holes)
    assert sorted(corner for ring in rings for corner in ring) == list(range(len(points)))
    assert drawn(rings, points, axes).symmetric_difference(polygon).area < 1e-9


def test_rings_that_touch_are_told_apart_at_their_corner():
    outer, hole = [(0, 1), (1, 2), (2, 3), (3, 0)], [(0, 5), (5, 6), (6, 0)]
    found = simple_rings([*outer[:1], *hole, *outer[1:]])
    assert sorted(sorted(ring) for ring in found) == [[0, 1, 2, 3], [0, 5, 6]]


@pytest.mark.parametrize(
    "triangles",
    [
        # An edge of three triangles.
        [(0, 1, 2), (1, 0, 3), (0, 1, 4)],
        # A fan that turns further than once round.
        [(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5)],
    ],
)
def test_a_face_that_no_valid_rings_tell_stays_its_triangles(triangles):
    turns = np.radians([0, 100, 200, 300, 400])
    fan = np.column_stack([np.cos(turns), np.sin(turns), np.zeros(5)]) * np.arange(2, 7)[:, None]
    points = np.array([[0.0, 0.0, 0.0], *fan, [10, 0, 0], [14, 0, 0], [14, 4, 0], [10, 4, 0]])
    other = [(6, 7, 8), (6, 8, 9)]
    faces = np.array([0] * len(triangles) + [1, 1])
    found = surfaces_of(np.array(triangles + other), faces, points)
    rings = found.boundaries(0, len(found.first), found.corners)
    assert sorted(sorted(ring) for (ring,) in rings) == sorted([*map(sorted, triangles), [6, 7, 8, 9]])


def frame_house(scale: np.ndarray, origin: np.ndarray) -> CityModel:
    """Return a house around a courtyard, of triangles: 20 x 20 m outside, 8 x 8 m inside, 10 m high."""
    outer, inner = [(0, 0), (20, 0), (20, 20), (0, 20)], [(6, 6), (14, 6), (14, 14), (6, 14)]
    points = np.array([(x, y, z) for z in (0, 10) for ring in (outer, inner) for x, y in ring], dtype=float)
    rings = [[[8, 9, 10, 11], [15, 14, 13, 12]], [[3, 2, 1, 0], [4, 5, 6, 7]]]
    for k in range(4):
        a, b = k, (k + 1) % 4
        rings += [[[a, b, b + 8, a + 8]], [[b + 4, a + 4, a + 12, b + 12]]]
    flat = [ring for face in rings for ring in face]
    offsets = np.cumsum([0, *map(len, flat)])
    made = triangulate(Polygons(points, np.concatenate(flat), offsets, np.cumsum([0, *map(len, rings)])))
    kinds = np.array([3, 1, *[2] * 8], dtype=np.uint8)[made.polygon_of]
    owner = np.zeros(len(made.triangles), dtype=np.int32)
    mesh = TriangleMesh((points * scale).astype(np.float32), made.triangles.astype(np.int32), owner, kinds, origin)
    return CityModel(FeatureTable(np.array(["court"], dtype=object), {}), np.full(1, -1, dtype=np.int32), {"2": mesh})


@pytest.mark.parametrize(
    ("crs", "scale", "origin"),
    [
        (Crs.epsg(25832), [1.0, 1.0, 1.0], [500_000.0, 5_400_000.0, 30.0]),
        (Crs.epsg(6697), [1.1e-5, 0.9e-5, 1.0], [139.67, 35.28, 30.0]),
        (Crs.epsg(4326), [4.5e-5, 0.9e-5, 1.0], [14.0, 78.2, 30.0]),
    ],
)
def test_a_house_around_a_courtyard_is_a_solid_of_ten_faces_in_metres_and_in_degrees(tmp_path, crs, scale, origin):
    city = frame_house(np.array(scale), np.array(origin))
    write_cityjson(tmp_path / "court.city.json", city, crs)
    document = json.loads((tmp_path / "court.city.json").read_text())
    (geometry,) = document["CityObjects"]["court"]["geometry"]
    (shell,) = geometry["boundaries"]
    assert geometry["type"] == "Solid"
    assert sorted([len(ring) for ring in face] for face in shell) == [[4]] * 8 + [[4, 4]] * 2
    edges = [edge for face in shell for ring in face for edge in zip(ring, ring[1:] + ring[:1], strict=True)]
    assert len(set(edges)) == len(edges)
    assert {edge[::-1] for edge in edges} == set(edges)
    (back,) = registry.read(tmp_path / "court.city.json").sources
    assert back.crs == crs
    assert back.data.bounds == pytest.approx(city.bounds, abs=1e-3)
    assert back.data.meshes["2"].surface.tolist().count(1) == 8
