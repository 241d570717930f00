"""Buffers packed by meshoptimizer's own encoder come out as its own decoder has them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.formats.meshopt import decode_meshopt
from cimdesk.formats.tiles3d_paths import BrokenPart
from tests.unit.formats.tile_files import SQUARE, Glb, tile, write_tileset
from tests.unit.formats.tile_reading import codes, mesh_of, read

CASES = json.loads((Path(__file__).parent / "data" / "meshopt.json").read_text())
"""Made with the npm package meshoptimizer: the extension's entry, the packed bytes, and what its decoder gives."""
ROOM = 1 << 24


def packed_of(case):
    return base64.b64decode(case["packed"])


@pytest.mark.parametrize("name", CASES)
def test_packed_buffers_come_out_as_the_reference_has_them(name):
    case = CASES[name]
    found = np.frombuffer(decode_meshopt(packed_of(case), case, ROOM), np.uint8)
    wanted = np.frombuffer(base64.b64decode(case["plain"]), np.uint8)
    if case["filter"] == "QUATERNION":
        # The last bit of a square root may differ.
        assert np.abs(found.view("<i2").astype(int) - wanted.view("<i2")).max() <= 1
    else:
        assert (found == wanted).all()


@pytest.mark.parametrize("name", CASES)
def test_streams_cut_short_are_told(name):
    case = CASES[name]
    data = packed_of(case)
    for end in range(0, len(data) - 1, max(len(data) // 23, 1)):
        with pytest.raises(BrokenPart):
            decode_meshopt(data[:end], case, ROOM)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(CASES)), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_streams_end_in_time_and_in_bounds(name, edits):
    case = CASES[name]
    data = bytearray(packed_of(case))
    for at, byte in edits:
        data[at % len(data)] = byte
    try:
        found = len(decode_meshopt(bytes(data), case, ROOM))
    except BrokenPart:
        return
    assert found == case["count"] * case["byteStride"]


@pytest.mark.parametrize(
    "lie", [{"count": 2**40}, {"count": -1}, {"byteStride": 0}, {"byteStride": 6}, {"mode": "NOISE"}, {"filter": "X"}]
)
def test_lying_entries_are_refused_before_memory_is_taken(lie):
    case = CASES["positions"]
    with pytest.raises(BrokenPart):
        decode_meshopt(packed_of(case), {**case, **lie}, ROOM)


def test_a_mesh_in_packed_buffers_is_drawn(tmp_path):
    case = CASES["positions"]
    glb = Glb().mesh(points=SQUARE.astype(np.uint16), triangles=None, matrix=None)
    glb.document["extensionsRequired"] = ["EXT_meshopt_compression", "KHR_mesh_quantization"]
    for name in ("positions", "triangles"):
        each = CASES[name]
        view = glb.document["bufferViews"][glb.view(packed_of(each))]
        entry = {key: each[key] for key in ("mode", "filter", "count", "byteStride")}
        view["extensions"] = {"EXT_meshopt_compression": {**entry, **{k: view[k] for k in ("buffer", "byteOffset", "byteLength")}}}
        view |= {"byteOffset": 0, "byteLength": len(base64.b64decode(each["plain"]))}
    views = len(glb.document["bufferViews"])
    primitive = glb.document["meshes"][0]["primitives"][0]
    glb.document["accessors"] += [
        {"bufferView": views - 2, "componentType": 5123, "count": case["count"], "type": "VEC3"},
        {"bufferView": views - 1, "componentType": 5125, "count": CASES["triangles"]["count"], "type": "SCALAR"},
    ]
    accessors = len(glb.document["accessors"])
    primitive["attributes"]["POSITION"], primitive["indices"] = accessors - 2, accessors - 1
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}, gltfUpAxis="Z"))
    assert not codes(result)
    mesh = mesh_of(result)
    assert len(mesh.triangles) == 2 * 19 * 19
    assert mesh.bounds[:, :2].tolist() == [[0, 0], [9500, 9500]]


def test_a_file_of_gltfpack_is_the_surface_it_was_made_from(tmp_path):
    # 17 by 17 points every 5 m of 10 sin(x / 15 m) cos(y / 20 m), packed with gltfpack -cc.
    data = (Path(__file__).parent / "data" / "gltfpack.glb").read_bytes()
    assert b"EXT_meshopt_compression" in data
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": data}))
    assert not codes(result)
    mesh = mesh_of(result)
    assert len(mesh.triangles) == 2 * 16 * 16
    east, south, height = mesh.world_vertices()[np.unique(mesh.triangles)].T
    assert height == pytest.approx(10 * np.sin(east / 15) * np.cos(-south / 20), abs=0.02)
    assert mesh.bounds[:, :2] == pytest.approx(np.array([[0, -80], [80, 0]]), abs=0.01)
