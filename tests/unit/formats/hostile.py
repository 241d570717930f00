"""Writers of hostile files, and the list of all of them: `CASES`."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

OUTSIDE = ["../outside.glb", "%2e%2e/outside.glb", "..\\outside.glb", "file:///etc/passwd", "/etc/passwd", "\0.glb"]
SECRET = "top-secret-of-another-folder"

Builder = Callable[[Path], Path]
CASES: dict[str, Builder] = {}


def case(builder: Builder) -> Builder:
    """Put a writer on the list under its name."""
    CASES[builder.__name__] = builder
    return builder


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sparse(path: Path) -> Path:
    os.truncate(path, 20_000_000_000)
    return path


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def bomb(path: Path, start: bytes, megabytes: int = 4000) -> Path:
    """Write a gzip file of a few megabytes that unpacks to ``megabytes`` of spaces."""
    block = gzip.compress(b" " * 50_000_000, 9)
    return write(path, gzip.compress(start) + block * (megabytes // 50))


def kml(path: Path, doctype: str, name: str) -> Path:
    place = f"<Placemark><name>{name}</name><Point><coordinates>113,23</coordinates></Point></Placemark>"
    text = f'<?xml version="1.0"?>{doctype}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{place}</Document></kml>'
    return write(path, text.encode())


def city(folder: Path, members: dict) -> Path:
    head = {"type": "CityJSON", "version": "2.0", "transform": {"scale": [1, 1, 1], "translate": [0, 0, 0]}}
    return write(folder / "a.city.json", json.dumps({**head, "CityObjects": {}, "vertices": [], **members}).encode())


def tileset(folder: Path, uris: list[str]) -> Path:
    volume = {"boundingVolume": {"sphere": [0, 0, 0, 9]}, "geometricError": 1}
    children = [{**volume, "content": {"uri": uri}} for uri in uris]
    root = {**volume, "refine": "ADD", "children": children}
    return write(folder / "tileset.json", json.dumps({"asset": {"version": "1.1"}, "geometricError": 1, "root": root}).encode())


def gltf(path: Path, members: dict) -> Path:
    mesh = {"primitives": [{"attributes": {"POSITION": 0}}]}
    document = {"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "scene": 0, "nodes": [{"mesh": 0}], "meshes": [mesh]}
    return write(path, json.dumps({**document, **members}).encode())


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def tiff(columns: int, rows: int) -> bytes:
    """Return a TIFF that says ``columns`` x ``rows`` bytes and holds 64."""
    tags = [(256, 4, columns), (257, 4, rows), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 4, rows), (279, 4, min(columns * rows, 0xFFFFFFFF))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 72) + bytes(range(64)) + struct.pack("<H", len(tags)) + entries + bytes(4)


def geopackage(path: Path) -> Path:
    import pyogrio
    import shapely

    points = shapely.to_wkb(shapely.points([[113.0, 23.0], [113.1, 23.1]]))
    pyogrio.raw.write(path, points, [], [], layer="places", geometry_type="Point", crs="EPSG:4326", driver="GPKG")
    return path
