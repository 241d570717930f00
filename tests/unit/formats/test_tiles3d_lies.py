"""Contents that announce far more than they hold: told, without the memory being taken."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from cimdesk.formats.findings import Findings
from cimdesk.formats.tiles3d_content import ContentReader
from cimdesk.formats.tiles3d_paths import TilesetFolder
from tests.unit.formats.tile_files import Glb, b3dm, cmpt, square_glb
from tests.unit.formats.tile_instances import gpu, i3dm
from tests.unit.formats.tile_textures import textured, with_ids

MOST = 48 << 20
"""Bytes that a small file may take at the most, whatever it says."""
PLACES = np.float32([[0, 0, 0], [9, 0, 0], [0, 9, 0]])


def png_of(width, height):
    """A PNG whose header has this size and whose rows are not there."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def lying(glb, **changes):
    """A GLB with some values of its JSON changed: ``accessors_0_count=5``."""
    for path, value in changes.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split("_")]
        holder = glb.document
        for step in way:
            holder = holder[step]
        holder[last] = value
    return glb.write()


def packed(count):
    glb = Glb().mesh()
    view = glb.document["bufferViews"][0]
    entry = {"buffer": 0, "byteOffset": 0, "byteLength": view["byteLength"], "byteStride": 12, "count": count, "mode": "ATTRIBUTES"}
    view["extensions"] = {"EXT_meshopt_compression": entry}
    return glb.write()


def with_rows(count):
    glb = with_ids([[0, 1]])
    table = glb.document["extensions"]["EXT_structural_metadata"]["propertyTables"][0]
    table["count"] = count
    return glb.write()


LIES = {
    "instances of i3dm": ("i3dm", i3dm(square_glb(), count=19_000_000, POSITION=PLACES)),
    "batches of i3dm": ("i3dm", i3dm(square_glb(), POSITION=PLACES, BATCH_ID=np.uint8([0, 255, 9]), table={"a": [1] * 9})),
    "features of b3dm": ("b3dm", b3dm(square_glb([0, 0, 1, 1]), 19_000_000, {"a": [1, 2]})),
    "binary columns": (
        "b3dm", b3dm(square_glb(), 19_000_000, {"h": {"byteOffset": 0, "componentType": "DOUBLE", "type": "VEC4"}}, bytes(64)),
    ),
    "parents": (
        "b3dm",
        b3dm(square_glb(), 2, {"HIERARCHY": {"classes": [], "instancesLength": 19_000_000, "classIds": {"byteOffset": 0}}},
             bytes(8)),
    ),
    "tiles of cmpt": ("cmpt", cmpt(b3dm(square_glb()))[:12] + struct.pack("<I", 2**32 - 1) + b3dm(square_glb())),
    "vertices": ("glb", lying(Glb().mesh(), accessors_0_count=190_000_000)),
    "indices": ("glb", lying(Glb().mesh(), accessors_1_count=190_000_000)),
    "bytes of a view": ("glb", lying(Glb().mesh(), bufferViews_0_byteLength=2**40)),
    "instances of glTF": ("glb", lying(gpu(TRANSLATION=PLACES), accessors_2_count=190_000_000)),
    "packed vertices": ("glb", packed(40_000_000)),
    "rows of a table": ("glb", with_rows(19_000_000)),
    "pixels": ("glb", textured(png_of(60_000, 60_000)).write()),
    "pixels that are not there": ("glb", textured(png_of(3_000, 2_000)).write()),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_what_is_announced_and_not_there_takes_no_memory(tmp_path, lie):
    kind, data = LIES[lie]
    (tmp_path / f"a.{kind}").write_bytes(data)
    findings = Findings()
    reader = ContentReader(TilesetFolder(tmp_path), findings)
    tracemalloc.start()
    try:
        contents = reader.read(f"a.{kind}", np.eye(4))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert findings.problems(), json.dumps([content.triangle_count for content in contents])
    assert peak < MOST
