"""Small tilesets made in memory: GLB, b3dm, subtrees and tileset.json with known contents."""

from __future__ import annotations

import json
import struct

import numpy as np

Y_UP = [1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1]
"""Node matrix that turns z-up vertices into glTF's y-up."""

SQUARE = np.array([[0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0]], dtype=np.float32)
TWO = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.uint16)


class Glb:
    """Collects buffer views and accessors and writes a GLB."""

    def __init__(self):
        self.binary = bytearray()
        self.document = {
            "asset": {"version": "2.0"},
            "bufferViews": [],
            "accessors": [],
            "scenes": [{"nodes": []}],
            "nodes": [],
            "meshes": [],
        }

    def view(self, data, stride=None):
        self.binary += b"\0" * (-len(self.binary) % 8)
        entry = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        if stride:
            entry["byteStride"] = stride
        self.document["bufferViews"].append(entry)
        self.binary += data
        return len(self.document["bufferViews"]) - 1

    def accessor(self, values, normalized=False):
        codes = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
        values = np.ascontiguousarray(values)
        width = values.shape[1] if values.ndim > 1 else 1
        entry = {
            "bufferView": self.view(values.tobytes()), "componentType": codes[values.dtype.name], "count": len(values),
            "type": {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}[width],
        }  # fmt: skip
        if normalized:
            entry["normalized"] = True
        self.document["accessors"].append(entry)
        return len(self.document["accessors"]) - 1

    def mesh(self, points=SQUARE, triangles=TWO, matrix=Y_UP, mode=4, extensions=None, material=None, **attributes):
        primitive = {"attributes": {"POSITION": self.accessor(points)}, "mode": mode}
        if triangles is not None:
            primitive["indices"] = self.accessor(np.asarray(triangles).ravel())
        for name, values in attributes.items():
            primitive["attributes"][name] = self.accessor(values)
        if extensions:
            primitive["extensions"] = extensions
        if material is not None:
            primitive["material"] = material
        self.document["meshes"].append({"primitives": [primitive]})
        node = {"mesh": len(self.document["meshes"]) - 1}
        if matrix is not None:
            node["matrix"] = matrix
        self.document["nodes"].append(node)
        self.document["scenes"][0]["nodes"].append(len(self.document["nodes"]) - 1)
        return self

    def write(self):
        self.document["buffers"] = [{"byteLength": len(self.binary)}]
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        binary = bytes(self.binary) + b"\0" * (-len(self.binary) % 4)
        length = 12 + 8 + len(text) + 8 + len(binary)
        return (
            struct.pack("<4sII", b"glTF", 2, length)
            + struct.pack("<I4s", len(text), b"JSON") + text
            + struct.pack("<I4s", len(binary), b"BIN\0") + binary
        )  # fmt: skip


def square_glb(batch_ids=None, **changes):
    """A 10 m square in the xy plane."""
    attributes = {} if batch_ids is None else {"_BATCHID": np.asarray(batch_ids, dtype=np.float32)}
    return Glb().mesh(**changes, **attributes).write()


def padded(text):
    return text + b" " * (-len(text) % 8)


def b3dm(glb, batch_length=0, table=None, table_binary=b"", center=None):
    """A b3dm file with a current header."""
    features = {"BATCH_LENGTH": batch_length}
    if center is not None:
        features["RTC_CENTER"] = list(center)
    feature_json = padded(json.dumps(features).encode())
    batch_json = b"" if table is None else padded(json.dumps(table).encode())
    lengths = (len(feature_json), 0, len(batch_json), len(table_binary))
    body = feature_json + batch_json + table_binary + glb
    return struct.pack("<4s6I", b"b3dm", 1, 28 + len(body), *lengths) + body


def legacy_b3dm(glb, table, batch_length, words):
    """A b3dm file with one of the old headers of 20 (two words) or 24 (three words) bytes."""
    text = json.dumps(table).encode()
    head = (batch_length, len(text)) if words == 2 else (len(text), 0, batch_length)
    size = 12 + 4 * words + len(text) + len(glb)
    return struct.pack("<4s2I", b"b3dm", 1, size) + struct.pack(f"<{words}I", *head) + text + glb


def cmpt(*tiles):
    """A composite tile."""
    body = b"".join(tiles)
    return struct.pack("<4s3I", b"cmpt", 1, 16 + len(body), len(tiles)) + body


def bits(flags):
    """A bitstream, first bit lowest."""
    return np.packbits(np.asarray(flags, dtype=bool), bitorder="little").tobytes()


def subtree(tiles, contents, children):
    """A binary subtree; each availability is 0 or 1 for a constant, or a list of flags."""
    binary = bytearray()
    views = []

    def availability(value):
        if isinstance(value, int):
            return {"constant": value}
        data = bits(value)
        binary.extend(b"\0" * (-len(binary) % 8))
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        binary.extend(data)
        return {"bitstream": len(views) - 1}

    document = {
        "tileAvailability": availability(tiles), "contentAvailability": [availability(contents)],
        "childSubtreeAvailability": availability(children),
    }  # fmt: skip
    if views:
        document |= {"bufferViews": views, "buffers": [{"byteLength": len(binary)}]}
    text = padded(json.dumps(document).encode())
    binary.extend(b"\0" * (-len(binary) % 8))
    return struct.pack("<4sIQQ", b"subt", 1, len(text), len(binary)) + text + bytes(binary)


BOX = {"box": [5, 5, 0, 5, 0, 0, 0, 5, 0, 0, 0, 1]}


def tile(uri=None, error=0.0, children=(), refine=None, **more):
    """One explicit tile."""
    entry = {"boundingVolume": BOX, "geometricError": error, **more}
    if uri is not None:
        entry["content"] = {"uri": uri}
    if children:
        entry["children"] = list(children)
    if refine:
        entry["refine"] = refine
    return entry


def write_tileset(folder, root, files=None, version="1.1", name="tileset.json", **asset):
    """Write a tileset and its files; return the path of the tileset."""
    for reference, data in (files or {}).items():
        path = folder / reference
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path = folder / name
    path.write_text(
        json.dumps({"asset": {"version": version, **asset}, "geometricError": 1000.0, "root": {"refine": "REPLACE", **root}})
    )
    return path
