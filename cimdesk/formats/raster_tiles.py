"""Quantized-mesh terrain tiles: what one tile holds. A tile does not say where it lies, so it makes no layer of its own."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.registry import ReadResult

HEADER = struct.Struct("<3d2f4d3d")
"""Centre, lowest and highest height, bounding sphere, horizon point."""
MAX_BYTES = 256 << 20
_TILE_SET = re.compile(rb'"(?:tilejson|format)"\s*:\s*"(?:quantized-mesh|heightmap|\d+\.\d+)')


def is_tile_set(head: bytes) -> bool:
    """Whether a JSON file describes a set of terrain tiles (``layer.json``)."""
    return bool(_TILE_SET.search(head)) and (b'"tiles"' in head or b'"tilejson"' in head or b"quantized-mesh" in head)


def refuse_tile_set(path: Path) -> DataError:
    """Return the refusal of a tile description."""
    return DataError(
        path,
        "this describes terrain tiles of a web globe; it holds no elevations itself.",
        remedy="Ask the provider for the terrain as GeoTIFF.",
    )


def is_terrain_tile(path: Path) -> bool:
    """Whether the name says it is a terrain tile."""
    return path.suffix.lower() == ".terrain"


def read_terrain_tile(path: Path) -> ReadResult:
    """Return the counts and heights of a quantized-mesh tile.

    Raises
    ------
    DataError
        If the tile is cut short or contradicts itself.
    """
    data = _bytes_of(path)
    try:
        header = HEADER.unpack_from(data)
        low, high = header[3:5]
        (vertices,) = struct.unpack_from("<I", data, HEADER.size)
        offset = HEADER.size + 4
        heights = np.frombuffer(data, "<u2", vertices, offset + 4 * vertices).astype(np.int64)
        offset += 6 * vertices
        offset += -offset % (4 if vertices > 65_536 else 2)
        (triangles,) = struct.unpack_from("<I", data, offset)
        np.frombuffer(data, "<u4" if vertices > 65_536 else "<u2", 3 * triangles, offset + 4)
    except (struct.error, ValueError) as error:
        raise DataError(
            path,
            "the terrain tile is cut short or no quantized mesh.",
            where=f"byte {len(data)}",
            remedy="Download the tile again.",
        ) from error
    if not (np.isfinite([low, high]).all() and low <= high) or not vertices:
        raise DataError(path, "the heights in the header of the terrain tile make no sense.", remedy="Download the tile again.")
    steps = np.cumsum((heights >> 1) ^ -(heights & 1))
    problems = [
        Problem(
            Severity.WARNING,
            "tile-without-place",
            path.name,
            "A terrain tile does not say where it lies; it is counted and cannot be shown. Heights {low} to {high} m.",
            {"low": round(low, 2), "high": round(high, 2)},
        )
    ]
    if steps.min() < 0 or steps.max() > 32_767:
        problems.append(
            Problem(Severity.ERROR, "height-out-of-range", path.name, "Some vertices lie outside the tile's range of heights.")
        )
    return ReadResult(
        "Quantized-mesh terrain tile", None, None, {"vertices": vertices, "triangles": triangles}, None, (), tuple(problems)
    )


def _bytes_of(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                data = packed.read(MAX_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path, "the terrain tile cannot be unpacked.", remedy="Download the tile again.") from error
    return data
