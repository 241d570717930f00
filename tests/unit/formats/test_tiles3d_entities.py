"""Metadata of tilesets, tiles, contents and groups as attributes of what lies in them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.formats.findings import Findings
from cimdesk.formats.metadata_schema import Schema, entity_values
from cimdesk.formats.tiles3d_paths import TilesetFolder
from cimdesk.formats.tiles3d_stream import TileStream
from tests.unit.formats.tile_files import square_glb, subtree, tile, write_tileset
from tests.unit.formats.tile_reading import city_of, codes, implicit, read

SCHEMA = {
    "classes": {
        "district": {"properties": {
            "name": {"type": "STRING"}, "people": {"type": "SCALAR", "componentType": "UINT32", "default": 7},
            "use": {"type": "ENUM", "enumType": "uses", "noData": "unknown"},
            "share": {"type": "SCALAR", "componentType": "UINT8", "normalized": True},
            "height": {"type": "SCALAR", "componentType": "FLOAT32", "offset": 100, "scale": 2},
            "tint": {"type": "VEC3", "componentType": "UINT8", "normalized": True, "scale": [2, 2, 2]},
        }},
    },
    "enums": {"uses": {"valueType": "UINT8", "values": [{"name": "homes", "value": 3}, {"name": "unknown", "value": 0}]}},
}  # fmt: skip


def with_schema(path, **more):
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "schema": SCHEMA, **more}))
    return path


def test_values_in_json_are_what_their_class_makes_of_them():
    given = {"name": "Old City", "use": "unknown", "share": 51, "height": 4.5, "tint": [0, 255, 51]}
    found = entity_values({"class": "district", "properties": given}, Schema(SCHEMA["classes"], SCHEMA["enums"]))
    assert found == {"name": "Old City", "people": 7, "share": 0.2, "height": 109.0, "tint": pytest.approx([0, 2, 0.4])}


@pytest.mark.parametrize("entity", [None, 5, {}, {"class": 3}, {"class": "district", "properties": [1]}, {"class": "none"}])
def test_entities_of_the_wrong_kind_have_no_values(entity):
    assert entity_values(entity, Schema()) == {}


def test_tiles_contents_and_groups_describe_their_features(tmp_path):
    root = tile("a.glb", metadata={"class": "district", "properties": {"name": "Old City", "people": 15}})
    root["content"] |= {"group": 1, "metadata": {"class": "district", "properties": {"name": "inner"}}}
    groups = [{"class": "district", "properties": {"name": "other"}}, {"class": "district", "properties": {"use": "homes"}}]
    about = {"class": "district", "properties": {"name": "whole"}}
    path = with_schema(write_tileset(tmp_path, root, {"a.glb": square_glb()}), groups=groups, metadata=about)
    result = read(path)
    row = city_of(result).features.row(0)
    wanted = {"tile.name": "Old City", "tile.people": 15, "content.name": "inner", "group.use": "homes"}
    assert {key: row[key] for key in wanted} == wanted
    assert result.sources[0].data.tileset.metadata["metadata"] == {"name": "whole", "people": 7}
    stream = TileStream(TilesetFolder.of(path), path.name)
    assert stream.decode(0).columns["tile.name"].tolist() == ["Old City"]


def test_subtrees_describe_implicit_tiles(tmp_path):
    binary = np.array([10, 20, 30], "<u4").tobytes()
    data = json.dumps({
        "buffers": [{"uri": "m.bin", "byteLength": 13}],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 12}, {"buffer": 0, "byteOffset": 12, "byteLength": 1}],
        "tileAvailability": {"bitstream": 1}, "contentAvailability": [{"bitstream": 1}],
        "childSubtreeAvailability": {"constant": 0},
        "propertyTables": [{"class": "district", "count": 3, "properties": {"people": {"values": 0}}}],
        "tileMetadata": 0, "contentMetadata": [0],
    }).encode()  # fmt: skip
    files = {"s/0_0_0.subtree": data, "s/m.bin": binary + bytes([0b10101])}
    files |= {f"c/{name}.glb": square_glb() for name in ("0_0_0", "1_1_0", "1_1_1")}
    result = read(with_schema(write_tileset(tmp_path, implicit(), files)))
    assert not codes(result)
    columns = city_of(result).features.columns
    assert dict(zip(columns["tile"].tolist(), columns["tile.people"].tolist(), strict=True)) == {
        "c/0_0_0.glb": 10, "c/1_1_0.glb": 20, "c/1_1_1.glb": 30,
    }  # fmt: skip
    assert columns["content.people"].tolist() == columns["tile.people"].tolist()


def stating(properties, tables):
    """Return a subtree of a root and its child (1, 0), whose table has the columns ``tables``; and the schema of them."""
    body, views, values = b"", [], {}
    for name, (dtype, rows) in tables.items():
        data = np.array(rows, dtype).tobytes()
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data)})
        values[name] = {"values": len(views) - 1}
        body += data + b"\0" * (-len(data) % 8)
    views.append({"buffer": 0, "byteOffset": len(body), "byteLength": 1})
    data = json.dumps({
        "buffers": [{"uri": "m.bin", "byteLength": len(body) + 1}], "bufferViews": views,
        "tileAvailability": {"bitstream": len(views) - 1}, "contentAvailability": [{"bitstream": len(views) - 1}],
        "childSubtreeAvailability": {"constant": 0},
        "propertyTables": [{"class": "tile", "count": 2, "properties": values}], "tileMetadata": 0,
    }).encode()  # fmt: skip
    files = {"s/0_0_0.subtree": data, "s/m.bin": body + bytes([0b101])}
    files |= {f"c/{name}.glb": square_glb() for name in ("0_0_0", "1_1_0")}
    return files, {"id": "stated", "classes": {"tile": {"properties": properties}}}


def test_implicit_tiles_have_the_volume_error_and_refinement_that_their_subtree_states(tmp_path):
    box = {"type": "SCALAR", "componentType": "FLOAT32", "array": True, "count": 12, "semantic": "TILE_BOUNDING_BOX"}
    error = {"type": "SCALAR", "componentType": "FLOAT32", "semantic": "TILE_GEOMETRIC_ERROR"}
    refine = {"type": "SCALAR", "componentType": "UINT8", "semantic": "TILE_REFINE"}
    rows = [[5, 5, 0, 5, 0, 0, 0, 5, 0, 0, 0, 1], [9, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1]]
    files, schema = stating(
        {"around": box, "error": error, "refine": refine, "name": {"type": "SCALAR", "componentType": "UINT8"}},
        {"around": ("<f4", rows), "error": ("<f4", [6.0, 1.5]), "refine": ("u1", [1, 0]), "name": ("u1", [7, 8])},
    )
    path = write_tileset(tmp_path, implicit(), files)
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": schema}))
    result = read(path)
    tileset = result.sources[0].data.tileset
    assert not codes(result)
    assert tileset.centres.tolist() == [[5.0, 5.0, 0.0], [9.0, 2.0, 0.0]]
    assert tileset.geometric_error.tolist() == [6.0, 1.5]
    assert tileset.replaces.tolist() == [True, False]
    columns = city_of(result).features.columns
    assert sorted(name for name in columns if name.startswith("tile.")) == ["tile.name"]


def test_heights_that_a_subtree_states_replace_those_of_the_region(tmp_path):
    low, high = (
        {"type": "SCALAR", "componentType": "FLOAT64", "semantic": f"TILE_{each}_HEIGHT"} for each in ("MINIMUM", "MAXIMUM")
    )
    files, schema = stating({"low": low, "high": high}, {"low": ("<f8", [0.0, 40.0]), "high": ("<f8", [100.0, 60.0])})
    root = implicit() | {"boundingVolume": {"region": [1.97, 0.40, 1.9701, 0.4001, 0.0, 100.0]}}
    path = write_tileset(tmp_path, root, files)
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": schema}))
    tileset = read(path).sources[0].data.tileset
    assert tileset.centres[:, 2] == pytest.approx([50.0, 50.0], abs=0.1)
    assert tileset.rises[0] > 45.0
    assert tileset.rises[1] < 15.0


@pytest.mark.parametrize("rows", [[[np.nan] * 6] * 2, [[9.0, 9.0, 9.0, 9.0, 0.0, 1.0]] * 2])
def test_a_volume_that_is_nowhere_leaves_the_tile_its_share(tmp_path, rows):
    kind = {"type": "SCALAR", "componentType": "FLOAT64", "array": True, "count": 6, "semantic": "TILE_BOUNDING_REGION"}
    files, schema = stating({"region": kind}, {"region": ("<f8", rows)})
    path = write_tileset(tmp_path, implicit(), files)
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": schema}))
    tileset = read(path).sources[0].data.tileset
    assert tileset.centres.tolist() == [[5.0, 5.0, 0.0], [7.5, 2.5, 0.0]]


def test_a_schema_that_is_not_there_is_told_and_the_tiles_load(tmp_path):
    path = write_tileset(tmp_path, tile("a.glb"), {"a.glb": square_glb()})
    path.write_text(json.dumps({**json.loads(path.read_text()), "schemaUri": "gone.json"}))
    result = read(path)
    assert codes(result) == ["bad-schema"]
    assert result.objects["triangles"] == 2


def test_external_tilesets_inside_implicit_tiling_are_followed(tmp_path):
    root = implicit()
    root["content"]["uri"] = "c/{level}_{x}_{y}.json"
    inner = json.dumps({"asset": {"version": "1.1"}, "geometricError": 1, "root": tile("../in.glb", refine="ADD")}).encode()
    files = {"s/0_0_0.subtree": subtree([1, 0, 0, 0, 0], [1, 0, 0, 0, 0], 0), "c/0_0_0.json": inner, "in.glb": square_glb()}
    path = write_tileset(tmp_path, root, files)
    result = read(path)
    assert not codes(result)
    assert result.objects["triangles"] == 2
    stream = TileStream(TilesetFolder.of(path), path.name)
    while stream.tileset.stubs:
        stream.expand(min(stream.tileset.stubs))
    assert [each for each in stream.tileset.contents if each] == [("in.glb",)]
    assert isinstance(stream.findings, Findings)
