"""The demo city's plan, ground and buildings: do they make sense as a city?"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from cimdesk.commands.demo import places
from cimdesk.commands.demo.plan import Warp, make_plan
from tests.unit.commands.demo_parts import small_parts


@pytest.mark.parametrize("side", [1, -1])
def test_the_bend_of_the_plan_is_undone_exactly(side):
    warp = Warp(side, places.ORIGIN[1])
    uv = np.random.default_rng(1).uniform((-2000, -150), (3800, 3000), (500, 2))
    assert warp.inverse(warp.forward(uv[:, 0], uv[:, 1])) == pytest.approx(uv, abs=1e-6)


def test_the_bend_of_the_plan_keeps_right_angles():
    warp = Warp(1, places.ORIGIN[1])
    east = warp.forward(np.array([500.1]), np.array([200.0])) - warp.forward(np.array([500.0]), np.array([200.0]))
    north = warp.forward(np.array([500.0]), np.array([200.1])) - warp.forward(np.array([500.0]), np.array([200.0]))
    assert float(np.sum(east * north)) == pytest.approx(0.0, abs=1e-6)


def test_small_city_has_about_eight_hundred_buildings():
    assert 700 <= len(small_parts().buildings) <= 1000


def test_every_kind_of_place_is_there():
    uses = Counter(b.attributes["use"] for b in small_parts().buildings)
    wanted = {"residential", "village", "office", "retail", "hotel", "school", "hospital", "elderly_care", "substation", "factory"}
    assert wanted <= set(uses)
    assert uses["village"] > 200


def test_no_building_overlaps_another():
    from shapely import STRtree, polygons

    shapes = np.array([polygons(b.footprint) for b in small_parts().buildings])
    first, second = STRtree(shapes).query(shapes, predicate="intersects")
    assert (first == second).all()


def test_no_building_stands_in_a_street_a_creek_or_on_the_railway():
    from shapely import STRtree, polygons

    parts = small_parts()
    streets = [polygons(parts.plan.street_ring(s)) for s in parts.plan.streets]
    hits, _ = STRtree(streets).query([polygons(b.footprint) for b in parts.buildings], predicate="intersects")
    assert len(hits) == 0


def test_every_building_is_a_closed_solid_with_faces_turned_outwards():
    for building in small_parts().buildings:
        edges = Counter()
        volume = 0.0
        vertices = np.asarray(building.solid.vertices)
        vertices = vertices - vertices.mean(axis=0)
        for face in building.solid.faces:
            for ring in face:
                edges.update(zip(ring, ring[1:] + ring[:1], strict=True))
                for b, c in pairwise(ring[1:]):
                    volume += float(np.dot(vertices[ring[0]], np.cross(vertices[b], vertices[c]))) / 6.0
        assert all(count == 1 and edges[b, a] == 1 for (a, b), count in edges.items()), building.key
        assert volume > 0.0, building.key


def test_inner_rings_stay_inside_the_roof_they_rise_from():
    from shapely import polygons

    for building in small_parts().buildings:
        points = np.asarray(building.solid.vertices)[:, :2]
        for face, surface in zip(building.solid.faces, building.solid.surfaces, strict=True):
            if surface == 2 and len(face) > 1:
                outer = polygons(points[face[0]])
                assert all(outer.contains_properly(polygons(points[hole])) for hole in face[1:]), building.key


def test_people_are_as_many_as_such_a_district_has():
    parts = small_parts()
    residents = sum(b.attributes["people"] for b in parts.buildings if b.attributes["use"] in ("residential", "village"))
    west, south, east, north = parts.plan.window
    per_km2 = residents / ((east - west) * (north - south) / 1e6)
    assert 8_000 < per_km2 < 40_000


def test_the_underpass_is_the_lowest_place_of_all_streets():
    parts = small_parts()
    u, v = places.UNDERPASS
    deepest = parts.terrain.sample(parts.plan.warps[1].forward(np.array([u]), np.array([v])))[0]
    lowest = min(
        float(parts.terrain.sample(parts.graph.xy).min()),
        float(parts.terrain.sample(parts.sewers.xy[~parts.sewers.is_outfall]).min()),
    )
    assert deepest < lowest - 1.0


def test_the_ground_falls_to_the_river_and_rises_to_the_hill():
    parts = small_parts()
    at = parts.plan.warps[1].forward(np.full(3, 200.0), np.array([100.0, 600.0, 740.0]))
    assert (np.diff(parts.terrain.sample(at)) > 0).all()
    assert parts.terrain.elevations.max() > 35.0
    assert parts.terrain.elevations.min() < -2.0


def test_the_same_seed_lays_the_same_plan_and_another_does_not():
    def blocks(seed):
        return [(b.u0, b.u1, b.v0, b.v1, b.quarter, b.use) for b in make_plan("city", seed).blocks]

    first = blocks(3)
    assert first == blocks(3)
    assert first != blocks(4)
