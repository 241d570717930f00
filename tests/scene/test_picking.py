"""What is under a pixel, and what is inside a box on the screen."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.scene.cells import TriangleIndex, distances_to_triangles, meets_box
from cimdesk.scene.geometry import poly_data
from cimdesk.scene.picking import inside_polygon
from tests.scene import cities

pytestmark = pytest.mark.render


def test_the_roof_of_a_building_picks_that_building(stage_of, demo):
    stage = stage_of(demo)
    stage.look(0, 80, 900, (1000, 1100, 10))
    anchors = stage.scene.visuals["buildings"].anchors() + stage.scene.context.origin
    screen = stage.scene.places.screen_of(anchors)
    inside = np.flatnonzero((screen[:, 0] > 30) & (screen[:, 0] < 610) & (screen[:, 1] > 30) & (screen[:, 1] < 330))
    right = 0
    for row in inside[:60]:
        pick = stage.scene.pick(*screen[row, :2])
        right += pick is not None and pick.ref is not None and pick.ref.feature in (f"B{row:05d}",)
    # Towers and pins may stand in front of a few.
    assert right >= 0.85 * len(inside[:60])


def test_world_at_finds_the_point_that_is_drawn(stage_of, demo):
    stage = stage_of(demo)
    stage.look(20, 70, 700, (1350, 1500, 8))
    for x, y in ((320, 180), (200, 250), (500, 90)):
        world = stage.scene.places.world_at(x, y)
        back = stage.scene.places.screen_of(np.array([world]))[0]
        assert back[:2] == pytest.approx([x, y], abs=1.0)


def test_the_sky_is_nothing(stage_of, demo):
    stage = stage_of(demo)
    stage.look(0, 3, 2000, (1200, 1200, 10))
    assert stage.scene.places.world_at(320, 3) is None
    assert stage.scene.pick(320, 3) is None


def test_bare_ground_has_a_place_but_no_asset(stage_of):
    terrain = cities.river_terrain()
    stage = stage_of(cities.workspace_of(("terrain", LayerKind.TERRAIN, terrain)))
    stage.look(0, 60, 500, (1200, 1300, 8))
    pick = stage.scene.pick(320, 180)
    assert pick.ref is None
    assert pick.world[2] == pytest.approx(terrain.sample(np.array([pick.world]))[0], abs=0.5)


def test_a_pin_is_picked_by_its_head(stage_of, demo):
    stage = stage_of(demo)
    stage.scene.set_time(cities.T0 + 3 * cities.HOUR)
    stage.look(0, 60, 900, (1350, 850, 5))
    x, y = stage.pixel(stage.scene.visuals["gauges"].anchors()[0] + stage.scene.context.origin)
    pick = stage.scene.pick(x, y - 30)
    assert pick.ref == AssetRef("gauges", "G000")
    assert pick.label == "Gauge PS-000"
    assert "Alarm" in pick.value


def test_a_pipe_is_picked_through_the_ground_in_the_xray_view(stage_of):
    terrain = cities.river_terrain()
    pipes = cities.drainage(terrain)
    stage = stage_of(cities.workspace_of(("terrain", LayerKind.TERRAIN, terrain), ("drainage", LayerKind.NETWORK, pipes)))
    stage.scene.set_xray(True)
    stage.look(20, 60, 300, (1200, 1200, 5))
    middle = stage.scene.visuals["drainage"].anchors() + stage.scene.context.origin
    screen = stage.scene.places.screen_of(middle)
    near = np.argmin(np.hypot(screen[:, 0] - 320, screen[:, 1] - 180))
    pick = stage.scene.pick(*screen[near, :2])
    assert pick.ref == AssetRef("drainage", f"YS-{near}")
    assert pick.label == f"Sewer YS-{near}"


def test_a_box_selects_what_has_its_reference_point_inside(stage_of, demo):
    stage = stage_of(demo)
    stage.look(0, 89, 900, (1000, 1100, 10))
    refs = stage.scene.pick_inside([(200, 100), (420, 100), (420, 260), (200, 260)])
    anchors = stage.scene.visuals["buildings"].anchors() + stage.scene.context.origin
    screen = stage.scene.places.screen_of(anchors)
    inside = (screen[:, 0] > 200) & (screen[:, 0] < 420) & (screen[:, 1] > 100) & (screen[:, 1] < 260)
    assert {ref.feature for ref in refs if ref.layer == "buildings"} == {f"B{row:05d}" for row in np.flatnonzero(inside)}


def test_a_zone_is_picked_on_its_area(stage_of):
    terrain = cities.river_terrain()
    stage = stage_of(
        cities.workspace_of(("terrain", LayerKind.TERRAIN, terrain), ("zones", LayerKind.VECTOR, cities.parcels(terrain)))
    )
    stage.look(0, 70, 900, (820, 900, 8))
    pick = stage.scene.pick(320, 180)
    assert pick.ref == AssetRef("zones", "park")


def test_even_odd_rule_keeps_the_notch_of_a_polygon_out():
    notched = np.array([[0, 0], [10, 0], [10, 10], [5, 5], [0, 10]], float)
    points = np.array([[1, 1], [5, 8], [9, 2], [11, 5], [5, 4]], float)
    assert inside_polygon(points, notched).tolist() == [True, False, True, False, True]


def test_a_see_through_building_is_picked_in_front_of_what_shows_through_it(stage_of, demo):
    stage = stage_of(demo)
    stage.look(0, 60, 900, (1000, 1100, 10))
    anchors = stage.scene.visuals["buildings"].anchors() + stage.scene.context.origin
    screen = stage.scene.places.screen_of(anchors)
    inside = np.flatnonzero((screen[:, 0] > 60) & (screen[:, 0] < 580) & (screen[:, 1] > 60) & (screen[:, 1] < 300))[:40]
    solid = [stage.scene.pick(*screen[row, :2]) for row in inside]
    buildings = next(layer for layer in stage.scene.workspace.layers() if layer.id == "buildings")
    stage.scene.visuals["buildings"].sync(buildings.but(opacity=0.4))
    stage.draw()
    clear = [stage.scene.pick(*screen[row, :2]) for row in inside]
    same = sum(a is not None and b is not None and a.ref == b.ref for a, b in zip(solid, clear, strict=True))
    assert same >= 0.9 * len(inside)
    for a, b in zip(solid, clear, strict=True):
        if a is not None and b is not None and a.ref is not None and a.ref == b.ref and a.ref.layer == "buildings":
            assert np.linalg.norm(np.array(a.world) - b.world) < 2.0


def test_a_line_meets_a_box_or_passes_it():
    low, high = np.zeros(3), np.ones(3)
    assert meets_box(np.array([-1.0, 0.5, 0.5]), np.array([2.0, 0.5, 0.5]), low, high)
    assert meets_box(np.array([0.5, 0.5, 0.5]), np.array([0.6, 0.5, 0.5]), low, high)
    assert not meets_box(np.array([-1.0, 2.0, 0.5]), np.array([2.0, 2.0, 0.5]), low, high)
    assert not meets_box(np.array([-2.0, 0.5, 0.5]), np.array([-1.0, 0.5, 0.5]), low, high)


def test_the_nearest_triangle_is_found_as_by_looking_at_many_places_of_each():
    rng = np.random.default_rng(4)
    points = rng.uniform(0.0, 100.0, (300, 3)).astype(np.float32)
    triangles = rng.integers(0, 300, (500, 3)).astype(np.int32)
    triangles[:5, 2] = triangles[:5, 1]
    owner = np.arange(500) // 4
    index = TriangleIndex(poly_data(points, triangles), owner, points, triangles)
    shares = np.array([(i / 40, j / 40) for i in range(41) for j in range(41 - i)])
    a, b, c = (points[triangles[:, k]].astype(np.float64)[:, None] for k in range(3))
    places = a + shares[:, :1] * (b - a) + shares[:, 1:] * (c - a)
    for point in rng.uniform(-5.0, 105.0, (30, 3)):
        seen = np.linalg.norm(places - point, axis=2).min(axis=1)
        assert (distances_to_triangles(point, points[triangles].astype(np.float64)) <= seen + 1e-6).all()
        found = index.nearest(point, 6.0)
        assert found is not None or seen.min() > 6.0
        if found is not None:
            assert seen.min() - 2.5 <= found.distance <= seen.min() + 1e-4
            shown = np.ones(125, dtype=bool)
            shown[found.row] = False
            other = index.nearest(point, 6.0, shown)
            assert other is None or (other.row != found.row and other.distance >= found.distance)
