"""Points of tiles that are held whole: a layer of points, whose columns are known as those of LAS where they spell them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.formats import registry
from cimdesk.formats.tiles3d import place_of
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.model.layers import LayerKind
from cimdesk.model.point_style import dimension_named, dimension_title
from tests.scene.test_streamed_points import pnts
from tests.unit.formats.tile_files import Glb, tile, write_tileset

POINTS = np.random.default_rng(1).uniform(0, 100, (500, 3))


def cloud_of(path):
    (source,) = [each for each in registry.read(path).sources if each.kind is LayerKind.POINTS]
    return source.data


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Classification", "classification"), ("INTENSITY", "intensity"), ("ReturnNumber", "return_number"), ("GpsTime", "gps_time"),
     ("temperature", "temperature"), ("Class", "Class"), ("IntensityRaw", "IntensityRaw")],
)  # fmt: skip
def test_names_that_spell_dimensions_of_las_are_known(name, expected):
    assert dimension_named(name) == expected
    assert (dimension_title(name) == name) == (name == expected)


def test_classes_and_intensities_of_tiles_are_those_of_a_point_cloud(tmp_path):
    table = {"Classification": [2, 6] * 250, "Intensity": list(range(500)), "name": ["a"] * 500}
    path = write_tileset(tmp_path, tile("a.pnts"), {"a.pnts": pnts(POINTS, table)})
    cloud = cloud_of(path)
    assert cloud.classes == {2: 250, 6: 250}
    assert dict(cloud.categories) == {}
    assert "intensity" in cloud.dimensions


def test_texts_and_places_keep_their_names(tmp_path):
    table = {"Classification": ["wall", "roof", "wall", None, "wall"] * 100, "X": list(range(500)), "Height": list(range(500))}
    path = write_tileset(tmp_path, tile("a.pnts"), {"a.pnts": pnts(POINTS, table)})
    cloud = cloud_of(path)
    assert {"Classification", "property X", "Height"} <= set(cloud.nodes.read(0).columns)
    assert cloud.bounds[1, 0] < 101.0
    assert cloud.categories == {"Classification": {"wall": 300, "roof": 100}}


def test_numbers_of_gltf_points_without_metadata_are_columns(tmp_path):
    rows = POINTS.astype(np.float32)
    glb = Glb().mesh(
        rows, None, mode=0, matrix=None,
        _INTENSITY=np.arange(500, dtype=np.float32), _CLASSIFICATION=np.full(500, 6, dtype=np.uint8),
        _NORMALS_OF_OTHERS=rows, _FEATURE_ID_3=np.zeros(500, dtype=np.float32),
    ).write()  # fmt: skip
    path = write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb})
    place, name, _ = place_of(path)
    cloud = TileStream(place, name).decode(0).block.cloud
    assert set(cloud.columns) == {"INTENSITY", "CLASSIFICATION"} == set(cloud.own)
    assert cloud_of(path).classes == {6: 500}


def test_a_broken_number_of_gltf_points_is_told_and_the_points_are_there(tmp_path):
    glb = Glb().mesh(POINTS.astype(np.float32), None, mode=0, matrix=None, _INTENSITY=np.arange(500, dtype=np.float32))
    glb.document["accessors"][-1]["bufferView"] = 99
    path = write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()})
    result = registry.read(path)
    assert [source.kind for source in result.sources] == [LayerKind.POINTS]
    assert len(result.problems) >= 1
    assert json.dumps([problem.code for problem in result.problems])
