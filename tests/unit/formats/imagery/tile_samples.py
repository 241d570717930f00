"""Small tiles and archives of them, made here."""

from __future__ import annotations

import io
import sqlite3
import struct
from pathlib import Path

import numpy as np
from PIL import Image
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer


def png(color: tuple[int, ...], side: int = 256, form: str = "PNG") -> bytes:
    """Return a tile of one colour."""
    file = io.BytesIO()
    mode = "RGBA" if len(color) == 4 else "RGB"
    Image.new(mode, (side, side), color).save(file, form, **({"lossless": True} if form == "WEBP" else {}))
    return file.getvalue()


def color_of(zoom: int, column: int, row: int) -> tuple[int, int, int]:
    """Return the colour that a tile of `archive` has: it tells which tile it is."""
    return 40 * zoom + 10, 16 * column + 5, 16 * row + 5


def tiles_of(zooms: range) -> dict[tuple[int, int, int], bytes]:
    return {(z, x, y): png(color_of(z, x, y), 64) for z in zooms for x in range(2**z) for y in range(2**z)}


def write_mbtiles(path: Path, tiles: dict[tuple[int, int, int], bytes], **metadata: str) -> Path:
    """Write an MBTiles file; rows are counted from the south there."""
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE metadata (name text, value text)")
        base.execute("CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob)")
        base.executemany("INSERT INTO metadata VALUES (?, ?)", {"name": "made", "format": "png", **metadata}.items())
        rows = [(z, x, 2**z - 1 - y, data) for (z, x, y), data in tiles.items()]
        base.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", rows)
    base.close()
    return path


def write_pmtiles(path: Path, tiles: dict[tuple[int, int, int], bytes], kind: TileType = TileType.PNG, **metadata: object) -> Path:
    """Write a PMTiles archive with the package of its makers."""
    zooms = [z for z, _, _ in tiles]
    with path.open("wb") as file:
        writer = Writer(file)
        for key in sorted(tiles, key=lambda k: zxy_to_tileid(*k)):
            writer.write_tile(zxy_to_tileid(*key), tiles[key])
        header = {
            "tile_type": kind, "tile_compression": Compression.NONE, "min_zoom": min(zooms), "max_zoom": max(zooms),
            "min_lon_e7": -1_800_000_000, "min_lat_e7": -850_000_000, "max_lon_e7": 1_800_000_000, "max_lat_e7": 850_000_000,
            "center_zoom": 0, "center_lon_e7": 0, "center_lat_e7": 0,
        }  # fmt: skip
        writer.finalize(header, {"name": "made", **metadata})
    return path


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: bytes | int) -> bytes:
    """Return a field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def packed(values: list[int]) -> bytes:
    return b"".join(varint(v) for v in values)


def zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def feature(kind: int, geometry: list[int], tags: list[int] | None = None) -> bytes:
    return field(2, packed(tags or [])) * bool(tags) + field(3, kind) + field(4, packed(geometry))


def layer(
    name: str, features: list[bytes], keys: list[str] | None = None, values: list[object] | None = None, extent: int = 4096
) -> bytes:
    """Return a layer of a vector tile."""
    body = field(15, 2) + field(1, name.encode()) + b"".join(field(2, f) for f in features)
    body += b"".join(field(3, key.encode()) for key in keys or [])
    for value in values or []:
        if isinstance(value, str):
            message = field(1, value.encode())
        elif isinstance(value, bool):
            message = field(7, int(value))
        elif isinstance(value, float):
            message = varint(3 << 3 | 1) + struct.pack("<d", value)
        else:
            message = field(6, zigzag(int(value)))
        body += field(4, message)
    return field(3, body + field(5, extent))


def ring(*points: tuple[int, int]) -> list[int]:
    """Return the commands of a closed ring."""
    out: list[int] = []
    x = y = 0
    for k, (px, py) in enumerate(points):
        if k == 0:
            out.append(1 | 1 << 3)
        if k == 1:
            out.append(2 | (len(points) - 1) << 3)
        out += [zigzag(px - x), zigzag(py - y)]
        x, y = px, py
    return [*out, 7 | 1 << 3]


def line(*points: tuple[int, int]) -> list[int]:
    return ring(*points)[:-1]


def plain_pixels(color: tuple[int, int, int, int], height: int, width: int) -> np.ndarray:
    return np.full((height, width, 4), color, dtype=np.uint8)
