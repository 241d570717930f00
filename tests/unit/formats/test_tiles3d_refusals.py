"""3D Tiles: addresses, tiles and tilesets that are wrong cost themselves alone, or are refused in one message."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.registry import read_head
from cimdesk.formats.tiles3d import READER
from tests.unit.formats.tile_files import (
    BOX,
    Glb,
    b3dm,
    square_glb,
    subtree,
    tile,
    write_tileset,
)
from tests.unit.formats.tile_reading import codes, implicit, read


@pytest.mark.parametrize(
    "uri",
    [
        "../outside.glb",
        "a/../../outside.glb",
        "%2e%2e/outside.glb",
        "..%2foutside.glb",
        "/etc/passwd",
        "//server/share",
        "file:///etc/passwd",
        "http://example.com/a.glb",
        "https://example.com/a.glb",
        "ftp://x/a",
        "javascript:alert(1)",
        "data:application/octet-stream;base64,AAAA",
        "\\\\server\\share\\a.glb",
        "..\\outside.glb",
        "C:\\a.glb",
        "c:/a.glb",
        "a.glb\0.png",
        "link.glb",
    ],
)
def test_nothing_outside_the_folder_is_read(tmp_path, uri):
    (tmp_path / "outside.glb").write_bytes(square_glb())
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.glb").symlink_to(tmp_path / "outside.glb")
    root = tile(error=5, children=[tile(uri), tile("good.glb")])
    result = read(write_tileset(inside, root, {"good.glb": square_glb()}))
    assert result.objects["triangles"] == 2
    assert codes(result) in (["unsafe-uri"], ["missing-content"])


def test_uris_may_have_queries_escapes_and_dots(tmp_path):
    root = tile("./sub/../sub/a%20b.glb?v=1#x")
    assert read(write_tileset(tmp_path, root, {"sub/a b.glb": square_glb()})).objects["triangles"] == 2


def test_gzipped_tilesets_and_tiles_open(tmp_path):
    path = write_tileset(tmp_path, tile("a.glb"), {"a.glb": gzip.compress(square_glb())})
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert READER.claim(path, read_head(path)) > 0.9
    assert read(path).objects["triangles"] == 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unknown-content"),
        (b"error page", "unknown-content"),
        (b"glTF", "short-glb"),
        (b"b3dm", "short-tile"),
        (square_glb()[:-40], "short-glb"),
        (b3dm(square_glb())[:-4], "short-tile"),
        (b"{}", None),
        (b"{", "bad-json"),
        (b'{"a":' * 5000, "bad-json"),
        (square_glb(triangles=np.array([[0, 1, 9]], dtype=np.uint16)), "bad-triangles"),
    ],
)
def test_a_broken_tile_costs_itself_alone(tmp_path, data, code):
    root = tile(error=5, children=[tile("bad.glb"), tile("good.glb")])
    result = read(write_tileset(tmp_path, root, {"bad.glb": data, "good.glb": square_glb()}))
    assert result.objects["triangles"] == 2
    assert codes(result) == ([] if code is None else [code])
    assert all("bad.glb" in problem.where for problem in result.problems)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"refine": "replace"}, "bad-refine"),
        ({"geometricError": -1}, "bad-geometric-error"),
        ({"transform": [1, 2]}, "bad-transform"),
        ({"transform": ["x"] * 16}, "bad-transform"),
        ({"boundingVolume": {"box": [1, 2, 3]}}, "bad-volume"),
        ({"boundingVolume": {"region": [9, 9, 9, 9, 0, 0]}}, "bad-volume"),
        ({"children": {}}, "bad-children"),
        ({"children": [3]}, "bad-tile"),
        ({"contents": 5}, "bad-content"),
        ({"implicitTiling": 3}, "bad-implicit"),
    ],
)
def test_broken_tiles_are_told_by_place_and_the_rest_loads(tmp_path, change, code):
    result = read(write_tileset(tmp_path, {**tile("a.glb"), **change}, {"a.glb": square_glb()}))
    assert code in codes(result)
    assert result.objects["triangles"] == 2
    assert any("root" in problem.where for problem in result.problems)


def test_hostile_implicit_trees_stop(tmp_path, monkeypatch):
    monkeypatch.setattr("cimdesk.formats.tiles3d_tree.MAX_TILES", 1000)
    files = {"s/0_0_0.subtree": subtree(1, 0, 0)}
    result = read(write_tileset(tmp_path, implicit(levels=8, available=8), files))
    assert result.objects["tiles"] == 1000
    assert "too-many-tiles" in codes(result)


def test_a_missing_subtree_leaves_its_root(tmp_path):
    result = read(write_tileset(tmp_path, implicit()))
    assert dict(result.objects) == {"tiles": 1}
    assert codes(result) == ["missing-content"]


def test_node_cycles_end(tmp_path):
    glb = Glb().mesh()
    glb.document["nodes"][0]["children"] = [0, 0]
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}))
    assert "node-cycle" in codes(result)


def test_huge_counts_without_data_are_refused(tmp_path):
    glb = Glb().mesh()
    glb.document["accessors"][0] = {"componentType": 5126, "type": "VEC3", "count": 2**31}
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}))
    assert codes(result) == ["bad-accessor"]


def test_required_extensions_we_do_not_know_are_named(tmp_path):
    glb = Glb().mesh()
    glb.document["extensionsRequired"] = ["EXT_unheard_of"]
    (problem,) = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()})).problems
    assert "EXT_unheard_of" in problem.message


@pytest.mark.parametrize("text", ["", "[]", "{", "3", '{"asset": NaN}'])
def test_what_is_no_tileset_is_refused_with_file_and_remedy(tmp_path, text):
    path = tmp_path / "tileset.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"tileset\.json.*again"):
        read(path)


def test_a_folder_without_tileset_is_not_claimed(tmp_path):
    assert READER.claim(tmp_path, b"") == 0.0
    with pytest.raises(DataError, match=r"no tileset\.json"):
        read(tmp_path)


def test_other_json_is_not_claimed(tmp_path):
    path = tmp_path / "x.json"
    for other in (
        b'{"type":"CityJSON"}',
        b'{"asset":{},"accessors":[]}',
        b'{"type":"FeatureCollection"}',
        b"[1]",
        b'{"root": 1}',
        b"text",
    ):
        assert READER.claim(path, other) == 0.0
    assert READER.claim(path, json.dumps({"asset": {"version": "1.0"}, "root": {"boundingVolume": BOX}}).encode()) > 0.9
