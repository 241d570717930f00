"""Terrain and what stands on it: looks, the vertical datum, buildings set down, and taking it all back."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands import ground, sources
from cimdesk.commands.session import Session
from cimdesk.formats.raster import write_geotiff
from cimdesk.model.terrain import Terrain, TerrainLook, TerrainStyle


@pytest.fixture
def session(tmp_path):
    east, north = np.meshgrid(np.arange(200.0), np.arange(200.0))
    z = (30.0 + 0.1 * east + 0.05 * north).astype(np.float32)
    path = write_geotiff(tmp_path / "hill.tif", Terrain(z, 0.0, 1000.0, 5.0, 5.0), None)
    session = Session()
    sources.import_files(session, [path], "local")
    return session


def box(x, y, z, size=10.0, height=20.0):
    return {"x": x, "y": y, "z": z, "size": size, "height": height}


def city_of(boxes):
    """A city of plain boxes, one feature each."""
    from cimdesk.model.city import CityModel
    from cimdesk.model.features import FeatureTable
    from cimdesk.model.mesh import TriangleMesh

    points, triangles, owner = [], [], []
    for k, b in enumerate(boxes):
        corner = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=float)
        start = 8 * k
        points.append(corner * [b["size"], b["size"], b["height"]] + [b["x"], b["y"], b["z"]])
        faces = np.array([[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4]]) + start
        triangles.append(faces)
        owner += [k] * len(faces)
    mesh = TriangleMesh(
        np.concatenate(points).astype(np.float32),
        np.concatenate(triangles).astype(np.int32),
        np.array(owner, dtype=np.int32),
        np.zeros(len(owner), dtype=np.uint8),
        np.zeros(3),
    )
    table = FeatureTable(np.array([f"b{k}" for k in range(len(boxes))], dtype=object), {})
    return CityModel(table, np.full(len(boxes), -1, dtype=np.int32), {"1": mesh})


def lowest(city):
    mesh = city.meshes["1"]
    low = np.full(len(city.features), np.inf)
    np.minimum.at(low, mesh.feature_index, mesh.vertices[mesh.triangles].min(axis=1)[:, 2])
    return low


def with_city(session, city):
    from cimdesk.commands.history import Edit
    from cimdesk.model.document import RecordChange
    from cimdesk.model.layers import Layer, LayerKind

    record = Layer("city", "city", LayerKind.BUILDINGS, "city.json").to_record()
    session.do(Edit("add", (RecordChange("layer", "city", None, record),), {"city": city}))


def test_buildings_are_set_down_and_undo_gives_their_heights_back(session):
    city = city_of([box(100, 500, 0), box(600, 300, 200)])
    with_city(session, city)
    ground.set_on_ground(session, "city", True)
    terrain = next(d for layer in session.workspace.layers() if isinstance(d := session.workspace.data(layer.id), Terrain))
    moved = session.workspace.data("city")
    for k, (x, y) in enumerate([(100, 500), (600, 300)]):
        around = terrain.sample(np.array([[x + 5.0, y + 5.0]]))[0]
        assert lowest(moved)[k] == pytest.approx(around, abs=1.5)
    heights = moved.meshes["1"].vertices[:, 2].reshape(-1, 8)
    np.testing.assert_allclose(heights.max(axis=1) - heights.min(axis=1), 20.0, atol=1e-3)
    session.undo()
    np.testing.assert_array_equal(session.workspace.data("city").meshes["1"].vertices, city.meshes["1"].vertices)
    assert not session.workspace.layer("city").options.get("on_ground")
    session.redo()
    np.testing.assert_allclose(lowest(session.workspace.data("city")), lowest(moved))


def test_buildings_get_their_own_heights_back(session):
    city = city_of([box(100, 500, 3.0)])
    with_city(session, city)
    ground.set_on_ground(session, "city", True)
    ground.set_on_ground(session, "city", False)
    after = session.workspace.data("city")
    np.testing.assert_allclose(after.meshes["1"].vertices, city.meshes["1"].vertices, atol=1e-4)
    assert ground.LIFT not in after.features.columns


def test_parts_move_with_their_building(session):
    from dataclasses import replace

    city = city_of([box(100, 500, 0), box(100, 500, 30)])
    city = replace(city, parents=np.array([-1, 0], dtype=np.int32))
    with_city(session, city)
    ground.set_on_ground(session, "city", True)
    low = lowest(session.workspace.data("city"))
    assert low[1] - low[0] == pytest.approx(30.0, abs=1e-3)


def test_buildings_beside_the_terrain_stay(session):
    with_city(session, city_of([box(5000, 5000, 7.0)]))
    ground.set_on_ground(session, "city", True)
    assert lowest(session.workspace.data("city"))[0] == pytest.approx(7.0)


def test_loading_again_sets_them_down_again(session):
    city = city_of([box(100, 500, 0)])
    with_city(session, city)
    ground.set_on_ground(session, "city", True)
    found = ground.settled(session.workspace, {"city": city})
    np.testing.assert_allclose(lowest(found["city"]), lowest(session.workspace.data("city")))


def test_without_a_terrain_or_buildings_the_reason_is_said(session):
    terrain = session.workspace.layers()[0].id
    with pytest.raises(UsageError, match="no buildings"):
        ground.set_on_ground(session, terrain, True)
    bare = Session()
    with_city(bare, city_of([box(0, 0, 0)]))
    with pytest.raises(UsageError, match="no terrain"):
        ground.set_on_ground(bare, "city", True)


def test_an_offset_raises_the_terrain_and_stays_when_it_is_read_again(session):
    (layer,) = session.workspace.layers()
    at = np.array([[500.0, 500.0]])
    before = session.workspace.data(layer.id).sample(at)
    style = TerrainStyle(TerrainLook.HEIGHTS, 2.0, 10.0)
    ground.set_terrain(session, layer.id, style, -12.5)
    assert session.workspace.data(layer.id).sample(at) == pytest.approx(before - 12.5)
    assert TerrainStyle.of(session.workspace.layer(layer.id).options) == style
    sources.reload(session, layer.id)
    assert session.workspace.data(layer.id).sample(at) == pytest.approx(before - 12.5)
    session.undo()
    assert session.workspace.layer(layer.id).options.get("height_offset") is None
    assert session.workspace.data(layer.id).sample(at) == pytest.approx(before)


def test_styles_that_make_no_sense_fall_back():
    assert TerrainStyle.of({"terrain_look": "pink", "exaggeration": True, "contours": -3}) == TerrainStyle()
