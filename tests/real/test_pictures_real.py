"""Pictures on faces of real models: each lies on the faces that its file names, and every part of a face has it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from cimdesk.formats import registry
from cimdesk.formats.registry import ReadOptions
from cimdesk.scene.facade_pages import painted_page, plan_pages

pytestmark = pytest.mark.real

YOKOSUKA = "citygml/plateau/yokosuka-shi/udx/bldg/52397519_bldg_6697_op.gml"


def read(path):
    return registry.read(path, ReadOptions()).sources[0].data


def faces_named(text: str) -> dict[str, int]:
    """Return how many faces each picture of a CityGML 2 file is laid on, found without an XML parser."""
    found = {}
    for texture in re.findall(r"<app:ParameterizedTexture.*?</app:ParameterizedTexture>", text, re.DOTALL):
        (name,) = re.findall(r"<app:imageURI>\s*([^<]+?)\s*</app:imageURI>", texture)
        found[name.rpartition("/")[2]] = len(re.findall(r"<app:target ", texture))
    return found


def test_yokosuka_has_three_pictures_on_the_faces_that_the_file_names(real_data):
    city = read(real_data / YOKOSUKA)
    laid = city.meshes["2"].pictures
    expected = faces_named((real_data / YOKOSUKA).read_text(encoding="utf-8"))
    assert {each.path.name for each in laid.files} == set(expected)
    corners = city.meshes["2"].vertices[city.meshes["2"].triangles]
    for number, file in enumerate(laid.files):
        with Image.open(file.path) as image:
            assert image.size == file.size
        mine = laid.triangles[laid.file_of == number]
        normals = np.cross(corners[mine, 1] - corners[mine, 0], corners[mine, 2] - corners[mine, 0])
        owners = np.unique(city.meshes["2"].feature_index[mine])
        # A face gives at least one triangle; all those of a picture belong to one building.
        assert len(mine) >= expected[file.path.name] * 0.95
        assert (np.linalg.norm(normals, axis=1) > 0).mean() > 0.99
        roots = {int(city.parents[row]) if city.parents[row] >= 0 else int(row) for row in owners}
        assert len(roots) == 1
    assert laid.places.min() >= -1e-6
    assert laid.places.max() <= 1.0 + 1e-6


def test_one_building_of_rotterdam_has_the_picture_that_is_there(real_data):
    path = real_data / "cityjson/cjio/rotterdam/rotterdam_one.json"
    result = registry.read(path, ReadOptions())
    laid = result.sources[0].data.meshes["2"].pictures
    assert [each.path.name for each in laid.files] == ["0320_4_15.jpg"]
    # The roof [0, 0, 1, 2, 3, 4, 5, 6] of seven corners is five triangles.
    assert len(laid.triangles) == 5
    assert [p.values["count"] for p in result.problems if p.code == "missing-picture"] == [5]


@pytest.mark.parametrize(
    ("path", "size"),
    [("BoxTexturedWebp/BoxTexturedWebp.gltf", (256, 256)), ("DracoCompressed/CesiumMilkTruck.gltf", (2048, 2048))],
)
def test_models_of_their_own_have_their_pictures_whole(real_data, path, size):
    mesh = read(real_data / "3dtiles/cesium-native" / path).finest
    (file,) = mesh.pictures.files
    assert file.size == size
    (page,) = plan_pages([file], np.zeros(1, dtype=bool), np.ones(1, dtype=bool))
    assert len(np.unique(painted_page(page, [file])[::8, ::8].reshape(-1, 3), axis=0)) > 50
