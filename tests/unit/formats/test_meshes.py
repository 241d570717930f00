"""Single models in, GLB out."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cimdesk.base.errors import DataError
from cimdesk.formats.meshes import READER, write_glb
from cimdesk.formats.registry import ReadOptions, read_head
from cimdesk.model.mesh import TriangleMesh

OBJ = "o house\nv 0 0 0\nv 2 0 0\nv 2 3 0\nv 0 3 0\nv 0 0 4\nf 1 2 3\nf 1 3 4\nf 1 2 5\n"
PLY = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nelement face 1\n"
PLY += "property list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 5\n3 0 1 2\n"
STL = "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 5\nendloop\nendfacet\nendsolid a\n"


def two_triangles(origin=(420_000.0, 2_560_000.0, 0.0)) -> TriangleMesh:
    """Return a roof of two features and two colours."""
    return TriangleMesh(
        np.array([[0, 0, 3], [4, 0, 3], [4, 5, 6], [0, 5, 6]], dtype=np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
        np.array([0, 7], dtype=np.int32),
        np.array([3, 3], dtype=np.uint8),
        np.array(origin),
        colors=np.array([[255, 0, 0, 255], [0, 0, 255, 255]], dtype=np.uint8),
    )


@pytest.mark.parametrize(
    ("name", "text", "triangles", "top"), [("a.obj", OBJ, 3, 4.0), ("a.ply", PLY, 1, 5.0), ("a.stl", STL, 1, 5.0)]
)
def test_models_are_read_in_their_own_coordinates(tmp_path, name, text, triangles, top):
    path = tmp_path / name
    path.write_text(text)
    result = READER.read(path, ReadOptions())
    assert READER.claim(path, read_head(path)) >= 0.7
    assert result.objects == {"meshes": 1, "triangles": triangles}
    assert result.crs is None
    assert result.extent[1][2] == pytest.approx(top)


def test_world_coordinates_keep_their_precision(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 420000.125 2560000.250 1\nv 420001.125 2560000.250 1\nv 420000.125 2560001.250 1.5\nf 1 2 3\n")
    extent = READER.read(path, ReadOptions()).extent
    assert extent == pytest.approx(np.array([[420000.125, 2560000.25, 1], [420001.125, 2560001.25, 1.5]]), abs=1e-6)


def test_a_glb_reads_back_where_it_was(tmp_path):
    mesh = two_triangles()
    write_glb(tmp_path / "a.glb", mesh, extras={"crs": "EPSG:4547"})
    result = READER.read(tmp_path / "a.glb", ReadOptions())
    again = result.sources[0].data.meshes["3"]
    assert (result.format, result.version) == ("GLB", "2.0")
    assert result.extent == pytest.approx(mesh.bounds, abs=1e-6)
    assert again.colors.tolist() == mesh.colors.tolist()
    assert again.world_vertices()[again.triangles] == pytest.approx(mesh.world_vertices()[mesh.triangles], abs=1e-6)
    assert len(again.edges) == 4


def test_a_glb_is_what_the_format_asks_for(tmp_path):
    write_glb(tmp_path / "a.glb", two_triangles())
    data = (tmp_path / "a.glb").read_bytes()
    magic, version, length, json_length, json_type = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, length, json_type) == (b"glTF", 2, len(data), b"JSON")
    document = json.loads(data[20 : 20 + json_length])
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    assert set(attributes) == {"POSITION", "NORMAL", "COLOR_0", "_FEATURE_ID_0"}
    assert document["asset"]["extras"]["origin"] == [420_000.0, 2_560_000.0, 0.0]
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    # y is up: a height of 6 m is y, the north is -z.
    assert document["accessors"][attributes["POSITION"]]["max"] == [4.0, 6.0, 0.0]


def test_an_obj_has_the_picture_of_its_material(tmp_path):
    Image.new("RGB", (6, 3), (10, 200, 10)).save(tmp_path / "grass.png")
    (tmp_path / "a.mtl").write_text("newmtl grass\nKd 1 1 1\nmap_Kd grass.png\n")
    corners = [(0, 0), (4, 0), (4, 4), (0, 4)]
    lines = ["mtllib a.mtl", *(f"v {x} {y} 0" for x, y in corners), *(f"vt {x / 4} {y / 4}" for x, y in corners)]
    (tmp_path / "a.obj").write_text("\n".join([*lines, "usemtl grass", "f 1/1 2/2 3/3", "f 1/1 3/3 4/4"]))
    mesh = READER.read(tmp_path / "a.obj", ReadOptions()).sources[0].data.meshes["3"]
    laid = mesh.pictures
    assert laid.files[0].size == (6, 3)
    at = (mesh.vertices + mesh.origin)[mesh.triangles[laid.triangles]][..., :2]
    np.testing.assert_allclose(laid.places, at / 4.0, atol=1e-6)


def test_parts_of_a_scene_are_features_with_their_placement(tmp_path):
    import trimesh

    scene = trimesh.Scene()
    for k in range(2):
        scene.add_geometry(
            trimesh.creation.box(), node_name=f"box{k}", transform=trimesh.transformations.translation_matrix([5 * k, 2, 0])
        )
    (tmp_path / "a.glb").write_bytes(scene.export(file_type="glb"))
    result = READER.read(tmp_path / "a.glb", ReadOptions())
    assert result.objects == {"meshes": 2, "triangles": 24}
    assert len(result.sources[0].data.meshes["3"].edges) == 24
    # glTF's y is up, so its y = 2 is a height here.
    assert result.extent.tolist() == [[-0.5, -0.5, 1.5], [5.5, 0.5, 2.5]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.glb", b"glTF"),
        ("a.glb", b"glTF\x02\x00\x00\x00" + b"\xff" * 40),
        ("a.gltf", b"{"),
        ("a.gltf", b'{"asset": {"version": "2.0"}}'),
        ("a.gltf", b'{"asset": {"version": "2.0"}, "buffers": [{"uri": "../../etc/passwd", "byteLength": 9}], "meshes": [{}]}'),
        ("a.obj", b"v 1 2"),
        ("a.obj", b"f 1 2 3"),
        ("a.obj", b"\x00" * 50),
        ("a.ply", b"ply\nformat"),
        ("a.stl", b"solid"),
        ("a.stl", b"\x01" * 200),
    ],
)
def test_broken_models_are_refused_in_one_message(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        READER.read(path, ReadOptions())
    assert caught.value.remedy
    assert name in str(caught.value)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["glb", "obj", "ply", "stl"]), st.data())
def test_damaged_models_are_read_or_refused(tmp_path, suffix, data):
    path = tmp_path / f"a.{suffix}"
    if suffix == "glb":
        write_glb(path, two_triangles())
    else:
        path.write_text({"obj": OBJ, "ply": PLY, "stl": STL}[suffix])
    content = bytearray(path.read_bytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=6)):
        content[place] = value
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        mesh = READER.read(path, ReadOptions()).sources[0].data.meshes["3"]
    except DataError:
        return
    assert mesh.triangles.max() < len(mesh.vertices)
    assert np.isfinite(mesh.vertices).all()
