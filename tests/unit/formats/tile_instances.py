"""Instanced tiles and glTF files with instances."""

from __future__ import annotations

import json
import struct

import numpy as np

from tests.unit.formats.tile_files import SQUARE, Glb, padded

FLAT = np.subtract(SQUARE, (5, 5, 0), dtype=np.float32)
"""A square of 10 m around zero: in the model's own axes x is right, y up."""


def i3dm(gltf=None, uri=None, table=None, count=3, is_gone=False, **features):
    """An i3dm file; arrays among the features go into the binary body."""
    entries, binary = {"INSTANCES_LENGTH": count}, bytearray()
    for name, value in features.items():
        if isinstance(value, np.ndarray):
            binary += b"\0" * (-len(binary) % 8)
            entries[name] = {"byteOffset": len(binary)}
            if name == "BATCH_ID":
                entries[name]["componentType"] = "UNSIGNED_BYTE"
            binary += value.tobytes()
        else:
            entries[name] = value
    text, body = padded(json.dumps(entries).encode()), bytes(binary) + b"\0" * (-len(binary) % 8)
    batch = b"" if table is None else padded(json.dumps(table).encode())
    rest = gltf if gltf is not None else uri.encode() + b"  "
    data = text + body + batch + rest
    head = struct.pack("<4s7I", b"i3dm", 1, 32 + len(data), len(text), len(body), len(batch), 0, int(gltf is not None))
    return head + data


def f4(values):
    return np.array(values, dtype="<f4")


def gpu(features=None, **attributes):
    glb = Glb().mesh(points=FLAT, matrix=None)
    node = glb.document["nodes"][0]
    found = {name: glb.accessor(values) for name, values in attributes.items()}
    node["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": found}}
    if features is not None:
        node["extensions"]["EXT_instance_features"] = {"featureIds": [features]}
    return glb
