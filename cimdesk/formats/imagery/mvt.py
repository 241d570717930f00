"""Mapbox Vector Tiles 2.1: protocol-buffer bytes -> rings, lines and points as arrays, with the attributes of features.

The bytes of a layer are walked here; its features are decoded by one compiled loop (`mvt_kernels`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float32, Int, Strings, UInt8
from cimdesk.formats.imagery.decode import BadTileError

POINT, LINE, POLYGON = 1, 2, 3
MAX_BYTES = 32 << 20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class VectorPart:
    """One layer of a tile.

    Attributes
    ----------
    name : str
    extent : int
        Units along the side of the tile.
    kinds : (F,) uint8
        POINT, LINE or POLYGON; 0 for features that cannot be drawn.
    points : (P, 2) float32
        In units of the tile, from its upper left corner.
    starts : (R + 1,) int64
        First point of each ring, line or group of points.
    owners : (R,) int64
        Feature of each ring.
    keys : tuple of str
    values : tuple
    tags : (T, 2) int64
        Rows of `keys` and `values`.
    tag_owners : (T,) int64
    """

    name: str
    extent: int
    kinds: UInt8
    points: Float32
    starts: Int
    owners: Int
    keys: tuple[str, ...]
    values: tuple[Any, ...]
    tags: Int
    tag_owners: Int

    def column(self, *names: str) -> Strings:
        """Return (F,) what features have under the first of these names that they have; None where none."""
        out = np.full(len(self.kinds), None, dtype=object)
        values = np.array([*self.values, None], dtype=object)
        for name in reversed(names):
            if name in self.keys:
                mine = self.tags[:, 0] == self.keys.index(name)
                out[self.tag_owners[mine]] = values[self.tags[mine, 1]]
        return out


def vector_parts(data: bytes) -> list[VectorPart]:
    """Return the layers of a tile.

    Raises
    ------
    BadTileError
        If the bytes are no vector tile.
    """
    if len(data) > MAX_BYTES:
        raise BadTileError(f"{len(data)} bytes")
    try:
        return [
            _part(data, start, end) for number, kind, start, end in _fields(data, 0, len(data)) if (number, kind) == (3, _BYTES)
        ]
    except (IndexError, ValueError, struct.error, OverflowError) as error:
        raise BadTileError(str(error)[:80] or "cut off") from error


def _part(data: bytes, first: int, last: int) -> VectorPart:
    name, extent = "", 4096
    keys: list[str] = []
    values: list[Any] = []
    spans: list[tuple[int, int]] = []
    for number, kind, start, end in _fields(data, first, last):
        if number == 2 and kind == _BYTES:
            spans.append((start, end))
        elif number == 1 and kind == _BYTES:
            name = data[start:end].decode("utf-8", "replace")
        elif number == 3 and kind == _BYTES:
            keys.append(data[start:end].decode("utf-8", "replace"))
        elif number == 4 and kind == _BYTES:
            values.append(_value(data, start, end))
        elif number == 5 and kind == _VARINT:
            extent = start
    return _features(data, name, max(1, min(extent, 1 << 20)), keys, values, spans)


def _features(data: bytes, name: str, extent: int, keys: list[str], values: list[Any], spans: list[tuple[int, int]]) -> VectorPart:
    from cimdesk.formats.imagery.mvt_kernels import decode_features

    bounds = np.array(spans, dtype=np.int64).reshape(-1, 2)
    # Every number takes a byte at least: that many points, rings and tags there can be.
    room = int((bounds[:, 1] - bounds[:, 0]).sum()) + 2
    kinds = np.zeros(len(bounds), dtype=np.uint8)
    points = np.empty((room // 2 + 1, 2), dtype=np.float32)
    starts, owners = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    tags, tag_owners = np.empty((room // 2 + 1, 2), dtype=np.int64), np.empty(room // 2 + 1, dtype=np.int64)
    count, rings, tagged = decode_features(
        np.frombuffer(data, dtype=np.uint8), bounds, len(keys), len(values), kinds, points, starts, owners, tags, tag_owners
    )
    starts[rings] = count
    return VectorPart(
        name, extent, kinds, points[:count].copy(), starts[: rings + 1].copy(), owners[:rings].copy(),
        tuple(keys), tuple(values), tags[:tagged].copy(), tag_owners[:tagged].copy(),
    )  # fmt: skip


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, wire type, start, end) of the fields of a message; for varints their value in place of the start."""
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, kind, value, at
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > end:
            raise ValueError("cut off")
        yield key >> 3, kind, at, at + size
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _value(data: bytes, first: int, last: int) -> Any:
    for number, kind, start, end in _fields(data, first, last):
        if number == 1 and kind == _BYTES:
            return data[start:end].decode("utf-8", "replace")
        if number == 2 and kind == _FIXED32:
            return struct.unpack("<f", data[start:end])[0]
        if number == 3 and kind == _FIXED64:
            return struct.unpack("<d", data[start:end])[0]
        if kind == _VARINT:
            if number == 6:
                return (start >> 1) ^ -(start & 1)
            if number == 7:
                return bool(start)
            return start - (1 << 64) if number == 4 and start >= 1 << 63 else start
    return None
