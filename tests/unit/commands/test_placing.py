"""Data of any reference system comes to lie where it belongs in the project's one."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.commands.placing import frame_for, place, project_crs_for
from cimdesk.formats.registry import Source
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.layers import LayerKind
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.sensors import Observations, Sensors

GUANGZHOU = np.array([113.33, 23.11, 0.0])


def _sensors(positions: np.ndarray) -> Sensors:
    count = len(positions)
    features = FeatureTable(as_strings(range(count)))
    return Sensors(features, positions, np.full((count, 3), np.nan), np.full(count, 3600.0), Observations.empty(count))


def _city(vertices: np.ndarray, origin: np.ndarray) -> CityModel:
    mesh = TriangleMesh(
        vertices.astype(np.float32), np.array([[0, 1, 2]], np.int32), np.zeros(1, np.int32), np.zeros(1, np.uint8), origin
    )
    return CityModel(FeatureTable(as_strings(["a"])), np.array([-1], np.int32), {"1": mesh})


@pytest.mark.parametrize(
    ("crs", "centre", "expected"),
    [
        ("EPSG:28992", np.array([84000.0, 447000.0, 0.0]), "EPSG:28992"),
        ("EPSG:7415", np.array([84000.0, 447000.0, 0.0]), "EPSG:7415"),
        ("EPSG:4490", GUANGZHOU, "EPSG:4547"),
        ("EPSG:4326", np.array([-75.5, 39.1, 0.0]), "EPSG:32618"),
        ("EPSG:4326", np.array([151.7, -32.9, 0.0]), "EPSG:32756"),
        ("EPSG:2263", np.array([985000.0, 195000.0, 0.0]), "EPSG:32618"),
    ],
)
def test_a_project_takes_a_metric_system_that_fits_its_first_data(crs: str, centre: np.ndarray, expected: str):
    assert project_crs_for(Crs(crs), centre).code == expected


def test_the_frame_lies_at_a_whole_kilometre_near_the_data():
    source = Source("gauges", LayerKind.SENSORS, _sensors(GUANGZHOU[None, :]), Crs.epsg(4490))
    frame = frame_for(source)
    assert frame.crs == Crs.epsg(4547)
    assert frame.origin[0] % 1000 == frame.origin[1] % 1000 == 0
    assert np.hypot(frame.origin[0] - 431_400, frame.origin[1] - 2_556_900) < 2_000


def test_data_without_a_system_stays_as_it_is():
    sensors = _sensors(np.array([[1.0, 2.0, 3.0]]))
    assert place(sensors, None, LocalFrame(Crs.epsg(4547), (0.0, 0.0, 0.0))) is sensors


def test_meshes_keep_millimetres_through_a_change_of_system():
    vertices = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 5.0]])
    city = _city(vertices, np.array([431_205.2, 2_558_410.8, 0.0]))
    frame = LocalFrame(Crs.epsg(4549), (0.0, 0.0, 0.0))
    moved = place(city, Crs.epsg(4547), frame)
    back = place(moved, Crs.epsg(4549), LocalFrame(Crs.epsg(4547), (0.0, 0.0, 0.0)))
    np.testing.assert_allclose(back.meshes["1"].world_vertices(), city.meshes["1"].world_vertices(), atol=1e-3)


def test_heights_that_are_unknown_stay_unknown_and_places_that_cannot_be_expressed_become_unknown():
    sensors = _sensors(np.array([[-1.5, 52.0, np.nan], [np.nan, np.nan, 4.0]]))
    placed = place(sensors, Crs.epsg(4326), LocalFrame(Crs.epsg(27700), (0.0, 0.0, 0.0)))
    assert np.isfinite(placed.positions[0, :2]).all()
    assert np.isnan(placed.positions[0, 2])
    assert np.isnan(placed.positions[1, 0])
