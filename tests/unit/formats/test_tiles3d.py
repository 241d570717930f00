"""3D Tiles: trees, containers, features and attributes."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from cimdesk.formats.crease_edges import crease_edges
from cimdesk.formats.tiles3d import READER
from cimdesk.model.mesh import Surface
from tests.unit.formats.tile_files import (
    SQUARE,
    TWO,
    Glb,
    b3dm,
    cmpt,
    legacy_b3dm,
    square_glb,
    tile,
    write_tileset,
)
from tests.unit.formats.tile_reading import TREE, city_of, codes, mesh_of, read


def test_a_square_keeps_its_place_and_stands_upright(tmp_path):
    wall = np.array([[0, 0, 0], [10, 0, 0], [10, 0, 5], [0, 0, 5]], dtype=np.float32)
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": square_glb(points=wall)}))
    assert mesh_of(result).bounds.tolist() == [[0, 0, 0], [10, 0, 5]]
    assert dict(result.objects) == {"tiles": 1, "contents": 1, "features": 1, "triangles": 2}
    assert result.version == "1.1"
    assert result.crs is None
    assert not result.problems


def test_steep_faces_are_walls_and_others_roofs_whichever_way_they_are_wound(tmp_path):
    wall = np.array([[0, 0, 0], [10, 0, 0], [10, 0, 5], [0, 0, 5]], dtype=np.float32)
    points, triangles = np.vstack([SQUARE, wall]), np.vstack([TWO, TWO[:, ::-1] + 4])
    mesh = mesh_of(read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": square_glb(points=points, triangles=triangles)})))
    assert mesh.surface.tolist() == [Surface.ROOF, Surface.ROOF, Surface.WALL, Surface.WALL]


def test_a_folder_opens_like_its_tileset(tmp_path):
    write_tileset(tmp_path, tile("a.glb"), {"a.glb": square_glb()})
    assert READER.claim(tmp_path, b"") > 0.9
    assert read(tmp_path).objects["triangles"] == 2


def test_old_tilesets_may_have_z_up_models(tmp_path):
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": square_glb(matrix=None)}, "1.0", gltfUpAxis="Z"))
    assert mesh_of(result).bounds.tolist() == [[0, 0, 0], [10, 10, 0]]


def test_transforms_of_parents_and_nodes_and_centres_add_up(tmp_path):
    shift = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 100, 200, 300, 1]
    turn = [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    child = tile("a.b3dm", transform=turn)
    data = b3dm(square_glb(), center=(1000, 0, 0))
    result = read(write_tileset(tmp_path, tile(error=10, children=[child], transform=shift), {"a.b3dm": data}))
    # The quarter turn takes (1000..1010, 0..10) to (-10..0, 1000..1010) before the parent's shift.
    assert mesh_of(result).bounds.tolist() == [[90, 1200, 300], [100, 1210, 300]]


def test_node_rotation_scale_and_translation_are_applied(tmp_path):
    glb = Glb().mesh(matrix=None)
    glb.document["nodes"][0] |= {
        "translation": [1, 2, 3],
        "rotation": [0, 0, 0.7071067811865476, 0.7071067811865476],
        "scale": [2, 1, 1],
    }
    mesh = mesh_of(read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}, gltfUpAxis="Z")))
    assert mesh.bounds == pytest.approx(np.array([[-9, 2, 3], [1, 22, 3]]), abs=1e-5)


def test_mirroring_transforms_keep_faces_outward(tmp_path):
    mirror = [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    mesh = mesh_of(read(write_tileset(tmp_path, tile("a.glb", transform=mirror), {"a.glb": square_glb()})))
    corners = mesh.vertices[mesh.triangles]
    assert (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0).all()


@pytest.mark.parametrize(("max_error", "replace", "add"), [(1000, 1, 1), (50, 2, 3), (0, 3, 5)])
def test_the_chosen_error_decides_how_deep_tiles_open(tmp_path, max_error, replace, add):
    files = {f"{name}.glb": square_glb() for name in ("root", "a", "a0", "a1", "b")}
    for refine, wanted in (("REPLACE", replace), ("ADD", add)):
        result = read(write_tileset(tmp_path, {**TREE, "refine": refine}, files), max_error)
        assert result.objects["features"] == wanted
        assert result.objects["tiles"] == 5


def test_a_tile_without_content_is_opened_whatever_its_error(tmp_path):
    result = read(write_tileset(tmp_path, tile(error=1, children=[tile("a.glb")]), {"a.glb": square_glb()}), 16.0)
    assert result.objects["triangles"] == 2


def test_where_a_finer_tile_is_lost_the_coarser_one_stays(tmp_path):
    files = {"root.glb": square_glb(), "b.glb": square_glb()}
    root = tile("root.glb", 100, [tile("lost.glb"), tile("b.glb")], "REPLACE")
    result = read(write_tileset(tmp_path, root, files))
    assert city_of(result).features.columns["tile"].tolist() == ["root.glb"]
    assert result.objects["missing"] == 1
    assert codes(result) == ["missing-content"]


def test_batch_identifiers_are_features_with_their_attributes(tmp_path):
    table = {"name": ["left", "right"], "height": [3.5, 7], "floors": [1, 2], "nested": [{"a": 1}, None]}
    points = np.vstack([SQUARE, SQUARE + np.array([20, 0, 0])]).astype(np.float32)
    glb = square_glb([0] * 4 + [1] * 4, points=points, triangles=np.vstack([TWO, TWO + 4]))
    result = read(write_tileset(tmp_path, tile("t/a.b3dm"), {"t/a.b3dm": b3dm(glb, 2, table)}))
    city = city_of(result)
    assert city.features.ids.tolist() == ["t/a#0", "t/a#1"]
    assert city.features.columns["name"].tolist() == ["left", "right"]
    assert city.features.columns["height"].tolist() == [3.5, 7.0]
    assert city.features.columns["floors"].dtype == np.int64
    assert city.features.columns["nested"].tolist() == ['{"a": 1}', None]
    right = mesh_of(result).world_vertices()[mesh_of(result).triangles[mesh_of(result).feature_index == 1].ravel()]
    assert right[:, 0].min() == 20


def test_binary_batch_tables_are_read(tmp_path):
    binary = (
        np.array([1.25, 2.5], "<f8").tobytes() + np.array([7, 8], "u1").tobytes() + b"\0" * 6 + np.arange(6, dtype="<f4").tobytes()
    )
    table = {
        "area": {"byteOffset": 0, "componentType": "DOUBLE", "type": "SCALAR"},
        "code": {"byteOffset": 16, "componentType": "UNSIGNED_BYTE", "type": "SCALAR"},
        "place": {"byteOffset": 24, "componentType": "FLOAT", "type": "VEC3"},
    }
    result = read(write_tileset(tmp_path, tile("a.b3dm"), {"a.b3dm": b3dm(square_glb([0] * 4), 2, table, binary)}))
    columns = city_of(result).features.columns
    assert columns["area"].tolist() == [1.25, 2.5]
    assert columns["code"].tolist() == [7, 8]
    assert columns["place"].tolist() == ["[0.0, 1.0, 2.0]", "[3.0, 4.0, 5.0]"]


@pytest.mark.parametrize("words", [2, 3])
def test_the_two_old_headers_are_understood(tmp_path, words):
    data = legacy_b3dm(square_glb([1] * 4), {"name": ["a", "b"]}, 2, words)
    result = read(write_tileset(tmp_path, tile("a.b3dm"), {"a.b3dm": data}))
    assert city_of(result).features.columns["name"].tolist() == ["a", "b"]
    assert set(mesh_of(result).feature_index.tolist()) == {1}


def test_lasting_names_become_identifiers_where_they_are_unique(tmp_path):
    def named(*names):
        return b3dm(square_glb([0, 0, 1, 1]), 2, {"gml_id": list(names)})

    files = {"a.b3dm": named("B1", "B2"), "b.b3dm": named("B3", "B4")}
    root = tile(error=5, children=[tile("a.b3dm"), tile("b.b3dm")])
    assert city_of(read(write_tileset(tmp_path, root, files))).features.ids.tolist() == ["B1", "B2", "B3", "B4"]
    files["b.b3dm"] = named("B1", "B4")
    assert city_of(read(write_tileset(tmp_path, root, files))).features.ids.tolist() == ["a#0", "a#1", "b#0", "b#1"]


def test_the_same_content_at_two_places_is_two_things(tmp_path):
    shift = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 50, 0, 0, 1]
    root = tile(error=5, children=[tile("a.glb"), tile("a.glb", transform=shift)])
    city = city_of(read(write_tileset(tmp_path, root, {"a.glb": square_glb()})))
    assert city.features.ids.tolist() == ["a", "a~2"]


def test_property_tables_of_gltf_are_attributes(tmp_path):
    glb = Glb()
    texts = ["平房", "塔楼"]
    raw = [text.encode() for text in texts]
    views = {
        "height": glb.view(np.array([3.5, 99.0], "<f4").tobytes()),
        "name": glb.view(b"".join(raw)),
        "offsets": glb.view(np.cumsum([0, *map(len, raw)]).astype("<u4").tobytes()),
        "use": glb.view(np.array([1, 0], "<u2").tobytes()),
        "listed": glb.view(b"\x02"),
        "levels": glb.view(np.array([1, 2, 3], "<i4").tobytes()),
        "level_offsets": glb.view(np.array([0, 1, 3], "<u4").tobytes()),
        "share": glb.view(np.array([0, 255], "u1").tobytes()),
    }
    glb.document["extensions"] = {
        "EXT_structural_metadata": {
            "schema": {
                "id": "s",
                "classes": {
                    "building": {
                        "properties": {
                            "height": {"type": "SCALAR", "componentType": "FLOAT32", "noData": 99.0},
                            "name": {"type": "STRING"},
                            "use": {"type": "ENUM", "enumType": "uses"},
                            "listed": {"type": "BOOLEAN"},
                            "levels": {"type": "SCALAR", "componentType": "INT32", "array": True},
                            "share": {"type": "SCALAR", "componentType": "UINT8", "normalized": True, "scale": 100, "offset": 1},
                        }
                    }
                },
                "enums": {"uses": {"values": [{"name": "home", "value": 0}, {"name": "office", "value": 1}]}},
            },
            "propertyTables": [
                {
                    "class": "building",
                    "count": 2,
                    "properties": {
                        "height": {"values": views["height"]},
                        "name": {"values": views["name"], "stringOffsets": views["offsets"]},
                        "use": {"values": views["use"]},
                        "listed": {"values": views["listed"]},
                        "levels": {"values": views["levels"], "arrayOffsets": views["level_offsets"]},
                        "share": {"values": views["share"]},
                    },
                }
            ],
        }
    }
    features = {"EXT_mesh_features": {"featureIds": [{"featureCount": 2, "attribute": 0, "propertyTable": 0}]}}
    glb.mesh(extensions=features, _FEATURE_ID_0=np.array([1, 1, 1, 0], dtype=np.uint16))
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}))
    columns = city_of(result).features.columns
    assert not result.problems
    assert columns["type"].tolist() == ["building", "building"]
    assert columns["name"].tolist() == texts
    assert columns["use"].tolist() == ["office", "home"]
    assert columns["listed"].tolist() == [False, True]
    assert columns["levels"].tolist() == ["[1]", "[2, 3]"]
    assert columns["share"].tolist() == [1.0, 101.0]
    assert columns["height"][0] == 3.5
    assert np.isnan(columns["height"][1])
    assert mesh_of(result).feature_index.tolist() == [1, 1]


def test_quantised_positions_are_scaled_by_their_node(tmp_path):
    matrix = [0.01, 0, 0, 0, 0, 0, -0.01, 0, 0, 0.01, 0, 0, 0, 0, 0, 1]
    points = (SQUARE * 100).astype(np.uint16)
    glb = Glb().mesh(points=points, matrix=matrix)
    glb.document["extensionsRequired"] = ["KHR_mesh_quantization"]
    mesh = mesh_of(read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()})))
    assert mesh.bounds == pytest.approx(np.array([[0, 0, 0], [10, 10, 0]]), abs=1e-6)


@pytest.mark.parametrize(("mode", "indices", "wanted"), [(4, [0, 1, 2, 0, 2, 3], 2), (5, [0, 1, 3, 2], 2), (6, [0, 1, 2, 3], 2)])
def test_lists_strips_and_fans_give_the_same_square(tmp_path, mode, indices, wanted):
    glb = Glb().mesh(triangles=np.array(indices, dtype=np.uint8), mode=mode)
    mesh = mesh_of(read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()})))
    corners = mesh.vertices[mesh.triangles]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert len(mesh.triangles) == wanted
    assert crosses[:, 2].sum() == pytest.approx(200)
    assert (crosses[:, 2] > 0).all()


def test_material_colours_become_screen_colours(tmp_path):
    glb = Glb().mesh(material=0)
    glb.document["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [0.21586, 0, 1, 0.5]}, "alphaMode": "BLEND"}]
    colors = mesh_of(read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}))).colors
    assert colors[0].tolist() == [128, 0, 255, 128]


def test_composite_tiles_are_taken_apart(tmp_path):
    inner = cmpt(b3dm(square_glb()))
    result = read(write_tileset(tmp_path, tile("a.cmpt"), {"a.cmpt": cmpt(b3dm(square_glb()), inner)}))
    assert result.objects["triangles"] == 4
    assert len(set(city_of(result).features.ids)) == 2


def test_points_without_positions_are_counted_and_named(tmp_path):
    features = b'{"POINTS_LENGTH": 12 }     '
    features += b" " * (-len(features) % 8)
    pnts = struct.pack("<4s6I", b"pnts", 1, 28 + len(features), len(features), 0, 0, 0) + features
    root = tile(error=5, children=[tile("a.pnts"), tile("c.glb")])
    result = read(write_tileset(tmp_path, root, {"a.pnts": pnts, "c.glb": square_glb()}))
    assert (result.objects["points"], result.objects["triangles"]) == (12, 2)
    assert codes(result) == ["bad-positions"]


def test_crease_edges_outline_a_cube_without_diagonals():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    points = np.vstack([corners[face] for face in faces])
    triangles = np.array([[4 * k + a, 4 * k + b, 4 * k + c] for k in range(6) for a, b, c in ((0, 1, 2), (0, 2, 3))])
    edges = crease_edges(points, triangles)
    assert len(edges) == 12
    assert np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1) == pytest.approx(1.0)
