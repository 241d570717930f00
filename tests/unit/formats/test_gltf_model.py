"""Single glTF models: features with properties, instances, points, nodes by name, and refusals in one message."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.meshes import READER
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.layers import LayerKind
from tests.unit.formats.test_meshopt import CASES
from tests.unit.formats.tile_files import SQUARE, TWO, Glb
from tests.unit.formats.tile_textures import textured


def read(path, data):
    path.write_bytes(data)
    return READER.read(path, ReadOptions())


def with_table(glb, names, **columns):
    """Give a model a property table of texts."""
    document = glb.document
    properties = {}
    for name, values in columns.items():
        data = [value.encode() for value in values]
        ends = np.cumsum([0, *map(len, data)]).astype(np.uint32)
        properties[name] = {"values": glb.view(b"".join(data)), "stringOffsets": glb.view(ends.tobytes())}
    kinds = {name: {"type": "STRING"} for name in columns}
    document["extensionsUsed"] = ["EXT_structural_metadata", "EXT_mesh_features"]
    document["extensions"] = {
        "EXT_structural_metadata": {
            "schema": {"id": "s", "classes": {"house": {"properties": kinds}}},
            "propertyTables": [{"class": "house", "count": names, "properties": properties}],
        }
    }
    return glb


def test_features_have_their_properties(tmp_path):
    ids = {"EXT_mesh_features": {"featureIds": [{"featureCount": 2, "attribute": 0, "propertyTable": 0}]}}
    glb = Glb().mesh(np.concatenate([SQUARE, SQUARE + 20]), np.concatenate([TWO, TWO + 4]), extensions=ids,
                     _FEATURE_ID_0=np.repeat([0, 1], 4).astype(np.float32))  # fmt: skip
    city = read(tmp_path / "a.glb", with_table(glb, 2, owner=["Chan", "Wong"]).write()).sources[0].data
    assert city.features.columns["owner"].tolist() == ["Chan", "Wong"]
    assert city.features.columns["type"].tolist() == ["house", "house"]
    assert city.meshes["3"].feature_index.tolist() == [0, 0, 1, 1]


def test_instances_stand_where_they_are_placed_each_a_feature(tmp_path):
    glb = Glb().mesh(matrix=None)
    places = glb.accessor(np.array([[0, 0, 0], [100, 0, 0], [0, 50, 0]], dtype=np.float32))
    glb.document["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": places}}}
    result = read(tmp_path / "trees.glb", glb.write())
    assert result.objects == {"meshes": 3, "triangles": 6, "instances": 3}
    # glTF's y is up: the third stands 50 m above the first.
    assert result.extent[1].tolist() == [110.0, 0.0, 60.0]
    assert len(set(result.sources[0].data.features.ids)) == 3


def test_parts_are_called_as_their_nodes_and_those_of_one_name_are_one(tmp_path):
    glb = Glb().mesh().mesh().mesh()
    for node, name in zip(glb.document["nodes"], ("roof", "wall", "wall"), strict=True):
        node["name"] = name
    city = read(tmp_path / "a.glb", glb.write()).sources[0].data
    assert city.features.ids.tolist() == ["roof", "wall"]
    assert np.bincount(city.meshes["3"].feature_index).tolist() == [2, 4]


def test_points_are_a_layer_of_their_own(tmp_path):
    glb = Glb().mesh().mesh(np.arange(30, dtype=np.float32).reshape(10, 3), None, mode=0)
    result = read(tmp_path / "a.glb", glb.write())
    assert [source.kind for source in result.sources] == [LayerKind.BUILDINGS, LayerKind.POINTS]
    assert result.objects == {"meshes": 1, "triangles": 2, "points": 10}


def test_plain_gltf_reads_the_file_beside_it_and_no_other(tmp_path):
    glb = Glb().mesh()
    document = {**glb.document, "buffers": [{"uri": "body.bin", "byteLength": len(glb.binary)}]}
    (tmp_path / "body.bin").write_bytes(bytes(glb.binary))
    assert read(tmp_path / "a.gltf", json.dumps(document).encode()).objects == {"meshes": 1, "triangles": 2}
    (tmp_path / "in").mkdir()
    document["buffers"][0]["uri"] = "../body.bin"
    with pytest.raises(DataError, match="does not lie in the folder"):
        read(tmp_path / "in" / "a.gltf", json.dumps(document).encode())


def test_earth_centred_models_are_where_they_are(tmp_path):
    glb = Glb().mesh()
    centre = [-2_417_000.0, 5_380_000.0, 2_410_000.0]
    glb.document["extensions"] = {"CESIUM_RTC": {"center": centre}}
    glb.document["extensionsUsed"] = ["CESIUM_RTC"]
    result = read(tmp_path / "a.glb", glb.write())
    assert result.crs == "EPSG:32650"
    assert result.sources[0].crs is not None


@pytest.mark.parametrize("extension", ["EXT_meshopt_compression", "KHR_meshopt_compression"])
def test_packed_positions_are_unpacked(tmp_path, extension):
    case = CASES["v1 floats" if extension.startswith("KHR") else "positions"]
    packed, plain = base64.b64decode(case["packed"]), base64.b64decode(case["plain"])
    glb = Glb().mesh(np.zeros((case["count"], 3), dtype=np.float32), np.array([[0, 1, 2], [2, 1, 3]], dtype=np.uint16))
    entry = {name: case[name] for name in ("mode", "filter", "count", "byteStride")}
    view = glb.document["bufferViews"][0]
    begin = glb.document["bufferViews"][glb.view(packed)]["byteOffset"]
    view["extensions"] = {extension: {"buffer": 0, "byteOffset": begin, "byteLength": len(packed), **entry}}
    view |= {"byteLength": len(plain), "byteStride": case["byteStride"]}
    glb.document["extensionsRequired"] = [extension]
    if case["byteStride"] == 8:
        glb.document["accessors"][0] |= {"componentType": 5123}
        glb.document["extensionsRequired"].append("KHR_mesh_quantization")
        values = np.frombuffer(plain, "<u2").reshape(-1, 4)[:, :3]
    else:
        values = np.frombuffer(plain, "<f4").reshape(-1, 3)
    mesh = read(tmp_path / "a.glb", glb.write()).sources[0].data.meshes["3"]
    used = values[:4].astype(np.float64)
    assert mesh.world_vertices()[mesh.triangles].reshape(-1, 3) == pytest.approx(used[[0, 1, 2, 2, 1, 3]], abs=1e-4)


def test_what_is_needed_and_not_read_is_named(tmp_path):
    glb = Glb().mesh()
    glb.document["extensionsRequired"] = ["EXT_unheard_of"]
    with pytest.raises(DataError, match="EXT_unheard_of") as caught:
        read(tmp_path / "a.glb", glb.write())
    assert caught.value.remedy


def places_by_corner(mesh):
    """Return the set of (place in the picture, corner) of all triangles that have one."""
    laid = mesh.pictures
    corners = (mesh.vertices + mesh.origin)[mesh.triangles[laid.triangles]]
    pairs = zip(laid.places.reshape(-1, 2).round(4).tolist(), corners.reshape(-1, 3)[:, [0, 1]].round(3).tolist(), strict=True)
    return {(tuple(place), tuple(corner)) for place, corner in pairs}


MIRRORED = [-1.0, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("matrix", [None, MIRRORED], ids=["as-it-is", "mirrored"])
def test_pictures_are_laid_on_whole_triangles(tmp_path, matrix):
    glb = textured([[[9, 9, 9, 255]] * 4] * 2)
    if matrix is not None:
        glb.document["nodes"][0]["matrix"] = matrix
    mesh = read(tmp_path / "a.glb", glb.write()).sources[0].data.finest
    assert len(mesh.triangles) == 2
    (file,) = mesh.pictures.files
    assert (file.size, file.is_repeated, file.alpha) == ((4, 2), True, 0.0)
    east = -1.0 if matrix is not None else 1.0
    # The square's texture coordinates are those of its corners, from the top: here from the bottom, as its north.
    assert places_by_corner(mesh) == {((x, y), (east * x * 10, y * 10)) for x in (0.0, 1.0) for y in (0.0, 1.0)}


def test_instances_have_the_picture_of_their_model(tmp_path):
    glb = textured([[[9, 9, 9, 255]]])
    moved = glb.accessor(np.array([[0, 0, 0], [100, 0, 0]], dtype=np.float32))
    glb.document["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": moved}}}
    mesh = read(tmp_path / "a.glb", glb.write()).sources[0].data.finest
    assert mesh.pictures.triangles.tolist() == [0, 1, 2, 3]
    assert {place for place, _ in places_by_corner(mesh)} == {(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)}
    assert len(mesh.pictures.files) == 1


def test_factor_cutoff_and_clamp_go_with_the_picture(tmp_path):
    glb = textured([[[9, 9, 9, 255]]], sampler={"wrapS": 33071, "wrapT": 33071}, alphaMode="MASK", alphaCutoff=0.3)
    glb.document["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] = [0.5, 0.25, 1.0, 1.0]
    (file,) = read(tmp_path / "a.glb", glb.write()).sources[0].data.finest.pictures.files
    assert (file.tint, file.alpha, file.is_repeated) == ((0.5, 0.25, 1.0), 0.3, False)


def test_a_picture_of_a_kind_that_is_not_read_is_told_and_the_model_drawn(tmp_path):
    glb = Glb().mesh(material=0, TEXCOORD_0=np.zeros((4, 2), dtype=np.float32))
    glb.document["extensionsRequired"] = ["KHR_texture_basisu"]
    glb.document["textures"] = [{"extensions": {"KHR_texture_basisu": {"source": 0}}}]
    glb.document["images"] = [{"mimeType": "image/ktx2", "bufferView": glb.view(b"\xabKTX 20\xbb\r\n\x1a\n")}]
    glb.document["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    result = read(tmp_path / "a.glb", glb.write())
    assert result.objects["triangles"] == 2
    assert any("KTX2" in problem.message for problem in result.problems)
