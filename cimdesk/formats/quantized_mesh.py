"""Quantized-mesh 1.0 tiles: the bytes of one tile as arrays. Where tiles lie is in `quantized_pyramid`.

Format: https://github.com/CesiumGS/quantized-mesh
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Int, Int32, UInt8

HEADER = struct.Struct("<3d2f4d3d")
"""Centre, lowest and highest height, bounding sphere, horizon point."""
FULL = 32_767
"""Quantized value of the eastern and northern edge, and of the highest height."""
MAX_OVERLAP = 60
"""How often the boxes of triangles may cover a tile on average."""
TOUCHES = 1e-6
"""A crossing this near the edge of a triangle belongs to it [share of its height]."""
NORMALS, WATER, METADATA = 1, 2, 4


class BrokenTileError(ValueError):
    """The bytes are no quantized mesh."""


@dataclass(frozen=True)
class TerrainTile:
    """One tile.

    Attributes
    ----------
    low, high : float
        Heights at the ends of the tile's range [m above the ellipsoid].
    places : (V, 2) float64
        0..1 from west to east and from south to north.
    heights : (V,) float64
        [m above the ellipsoid]
    triangles : (T, 3) int32
    normals : (V, 3) float32 or None
        In earth-centred axes.
    water : (256, 256) or (1, 1) uint8 or None
        255 for water, row 0 north.
    metadata : mapping
        Such as ``available``: ranges of finer tiles.
    is_whole : bool
        Whether all vertices lie within the tile and its range of heights.
    """

    low: float
    high: float
    places: Float
    heights: Float
    triangles: Int32
    normals: Float32 | None
    water: UInt8 | None
    metadata: Mapping[str, Any]
    is_whole: bool


def decode_tile(data: bytes) -> TerrainTile:
    """Return the tile in unpacked bytes; extensions that are unknown or broken are passed over.

    Raises
    ------
    BrokenTileError
        If the mesh itself is cut short or makes no sense.
    """
    try:
        header = HEADER.unpack_from(data)
        low, high = header[3:5]
        (count,) = struct.unpack_from("<I", data, HEADER.size)
        offset = HEADER.size + 4
        raw = np.frombuffer(data, "<u2", 3 * count, offset).reshape(3, count).astype(np.int64)
        offset += 6 * count
        kind, size = ("<u4", 4) if count > 65_536 else ("<u2", 2)
        offset += -offset % size
        (faces,) = struct.unpack_from("<I", data, offset)
        codes = np.frombuffer(data, kind, 3 * faces, offset + 4).astype(np.int64)
        offset += 4 + size * 3 * faces
        for _ in range(4):  # vertices along the western, southern, eastern, northern edge
            (along,) = struct.unpack_from("<I", data, offset)
            offset += 4 + size * along
    except (struct.error, ValueError) as error:
        raise BrokenTileError("cut short") from error
    if not (np.isfinite([low, high]).all() and low <= high) or not count:
        raise BrokenTileError("heights")
    u, v, h = np.cumsum((raw >> 1) ^ -(raw & 1), axis=1)
    triangles = _high_water_marks(codes).reshape(-1, 3)
    if len(triangles) and (triangles.min() < 0 or triangles.max() >= count):
        raise BrokenTileError("indices")
    is_whole = bool(min(u.min(), v.min(), h.min()) >= 0 and max(u.max(), v.max(), h.max()) <= FULL)
    normals, water, metadata = _extensions(data, offset, count)
    return TerrainTile(
        float(low), float(high), np.column_stack([u, v]) / FULL, low + h / FULL * (high - low), triangles.astype(np.int32),
        normals, water, metadata, is_whole,
    )  # fmt: skip


def _high_water_marks(codes: Int) -> Int:
    """Return indices from their distance below the highest index so far, which rises by one at each zero."""
    is_new = codes == 0
    highest = np.cumsum(is_new) - is_new
    return np.asarray(highest - codes)


def _extensions(data: bytes, offset: int, count: int) -> tuple[Float32 | None, UInt8 | None, Mapping[str, Any]]:
    normals: Float32 | None = None
    water: UInt8 | None = None
    metadata: Mapping[str, Any] = {}
    while offset + 5 <= len(data):
        kind, length = struct.unpack_from("<BI", data, offset)
        body = data[offset + 5 : offset + 5 + length]
        offset += 5 + length
        if len(body) < length:
            break
        if kind == NORMALS and length == 2 * count:
            normals = oct_decoded(np.frombuffer(body, np.uint8).reshape(count, 2))
        elif kind == WATER and length in (1, 65_536):
            side = 256 if length > 1 else 1
            water = np.frombuffer(body, np.uint8).reshape(side, side).copy()
        elif kind == METADATA:
            metadata = _metadata(body)
    return normals, water, metadata


def _metadata(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body[4:].decode("utf-8")) if len(body) > 4 else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def oct_decoded(codes: UInt8) -> Float32:
    """Return (V, 3) unit vectors of (V, 2) octahedral codes; Cigolle and others (2014), JCGT 3(2)."""
    x, y = (codes[:, k].astype(np.float64) / 255.0 * 2.0 - 1.0 for k in range(2))
    z = 1.0 - np.abs(x) - np.abs(y)
    folded = z < 0.0
    x, y = (
        np.where(folded, (1.0 - np.abs(y)) * np.where(x >= 0, 1.0, -1.0), x),
        np.where(folded, (1.0 - np.abs(x)) * np.where(y >= 0, 1.0, -1.0), y),
    )
    out = np.column_stack([x, y, z])
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def tile_grid(tile: TerrainTile) -> Float32:
    """Return (n, n) heights at the crossings of equal lines over the tile, its edges included, row 0 north; NaN beside the mesh."""
    side = int(np.clip(2 ** np.ceil(np.log2(1.5 * np.sqrt(len(tile.heights)))), 32, 256)) + 1
    return rasterized(tile.places * (side - 1), tile.heights, tile.triangles, side)[::-1]


def rasterized(points: Float, values: Float, triangles: AnyArray, side: int) -> Float32:
    """Return (side, side) values at whole coordinates, linear within each triangle; row 0 is y = 0.

    Parameters
    ----------
    points : (V, 2) float64
        In units of the grid.
    values : (V,) float64
    triangles : (T, 3) int
    side : int

    Raises
    ------
    BrokenTileError
        If the triangles lie over each other many times.
    """
    out = np.full((side, side), np.nan, dtype=np.float32)
    corner = points[triangles]
    first = np.clip(np.ceil(corner.min(axis=1) - 1e-6), 0, side).astype(np.int64)
    last = np.clip(np.floor(corner.max(axis=1) + 1e-6) + 1, 0, side).astype(np.int64)
    spans = np.maximum(last - first, 0)
    counts = spans[:, 0] * spans[:, 1]
    if int(counts.sum()) > MAX_OVERLAP * side * side:
        raise BrokenTileError("overlap")
    owner = np.repeat(np.arange(len(triangles)), counts)
    if not len(owner):
        return out
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    x = first[owner, 0] + place % spans[owner, 0]
    y = first[owner, 1] + place // spans[owner, 0]
    a, b, c = corner[:, 0], corner[:, 1], corner[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        dx, dy = x - a[owner, 0], y - a[owner, 1]
        beta = (dx * (c - a)[owner, 1] - dy * (c - a)[owner, 0]) / area[owner]
        gamma = (dy * (b - a)[owner, 0] - dx * (b - a)[owner, 1]) / area[owner]
        # A triangle without area gives infinities of both signs: it covers nothing.
        inside = (beta >= -TOUCHES) & (gamma >= -TOUCHES) & (beta + gamma <= 1.0 + TOUCHES)
    owner, x, y, beta, gamma = owner[inside], x[inside], y[inside], beta[inside], gamma[inside]
    z = values[triangles[owner]]
    out[y, x] = z[:, 0] + beta * (z[:, 1] - z[:, 0]) + gamma * (z[:, 2] - z[:, 0])
    return out
