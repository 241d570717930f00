"""A 3D Tiles 1.1 tileset on disk: contents by level, column and row, subtrees that say which exist, and tileset.json last."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import orjson

from cimdesk.base.arrays import AnyArray, Bool, Float, Int
from cimdesk.base.errors import DataError
from cimdesk.formats.atomic import replacing
from cimdesk.formats.tiles3d_grid import Extent, TileGrid, morton
from cimdesk.formats.tiles3d_stated import EXTRAS
from cimdesk.formats.tiles3d_subtree import tiles_in_levels

SUBTREE_LEVELS = 5
AT_ONCE = 1_000
"""Subtrees that are put together at a time: each takes some 16 kB."""
GENERATOR = "cimdesk"
TILE, VOLUME = "tile", "volume"
"""Class of what subtrees say of tiles, and its property."""
Place: TypeAlias = tuple[int, int, int]
"""Level, column and row of a tile."""
_NOWHERE: Extent = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class TilesetWriter:
    """Writes the files of one tileset below a folder. Contents may come in any order and from several processes.

    Attributes
    ----------
    folder : Path
    grid : TileGrid
    """

    folder: Path
    grid: TileGrid

    def content_path(self, level: int, x: int, y: int) -> Path:
        """Return where the content of a tile lies."""
        return self.folder / "content" / str(level) / str(x) / f"{y}.glb"

    def write_content(self, level: int, x: int, y: int, glb: bytes) -> None:
        """Write the content of one tile; the file is whole or not there.

        Raises
        ------
        DataError
            If the disk does not take it.
        """
        path = self.content_path(level, x, y)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_bytes(glb)
            temporary.replace(path)
        except OSError as error:
            raise DataError(
                path,
                "the file cannot be written ({reason}).",
                remedy="Choose a folder you may write to, with room on the disk.",
                reason=error.strerror or error,
            ) from error

    def finish(
        self,
        tiles: Mapping[Place, Extent],
        geometric_error: float,
        heights: tuple[float, float],
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the subtrees and, last, ``tileset.json``.

        Parameters
        ----------
        tiles : mapping of (level, x, y) to Extent
            Where the contents of tiles are; the tiles above them exist without.
        geometric_error : float
            Of the root [m]; it halves with every level.
        heights : tuple of two floats
            Lowest and highest place of everything [m].
        extras : mapping or None
            Further keys of ``asset.extras.cimdesk``, beside the reference system.
        """
        crs = self.grid.crs
        levels = write_subtrees(self.folder, tiles, crs is not None)
        about = {"crs": None if crs is None else crs.definition, **(extras or {})}
        document = {
            "asset": {"version": "1.1", "generator": GENERATOR, "extras": {EXTRAS: about}},
            "schema": _schema(crs is not None),
            "geometricError": geometric_error * 2.0,
            "root": {
                "boundingVolume": self.grid.volume(heights[0], max(heights[1], heights[0] + 0.01)),
                "geometricError": geometric_error,
                "refine": "REPLACE",
                "content": {"uri": "content/{level}/{x}/{y}.glb"},
                "implicitTiling": {
                    "subdivisionScheme": "QUADTREE",
                    "availableLevels": levels,
                    "subtreeLevels": SUBTREE_LEVELS,
                    "subtrees": {"uri": "subtrees/{level}/{x}/{y}.subtree"},
                },
            },
        }
        with replacing(self.folder / "tileset.json") as temporary:
            temporary.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def write_subtrees(folder: Path, tiles: Mapping[Place, Extent], is_geodetic: bool = True) -> int:
    """Write the subtree files of a quadtree; return its number of levels.

    What lies on the edge of a tile sticks out of it, so every tile states the volume around its contents and those below.

    Parameters
    ----------
    folder : Path
        Of the tileset.
    tiles : mapping of (level, x, y) to Extent
        Where the contents of tiles are.
    is_geodetic : bool
        Whether extents are longitudes and latitudes.
    """
    rows = np.array(sorted(tiles), dtype=np.int64).reshape(-1, 3)
    around = _around(tiles)
    deepest = int(rows[:, 0].max(initial=0))
    has_content = [_at_level(rows, level) for level in range(deepest + 1)]
    places = np.array(sorted(around), dtype=np.int64).reshape(-1, 3)
    exists = [_at_level(places, level) for level in range(deepest + 1)]
    exists[0] = np.zeros((1, 2), dtype=np.int64)
    volumes = [
        np.array([_volume(around.get((level, x, y), _NOWHERE), is_geodetic) for x, y in found.tolist()])
        for level, found in enumerate(exists)
    ]
    for top in range(0, deepest + 1, SUBTREE_LEVELS):
        below = exists[top + SUBTREE_LEVELS] if top + SUBTREE_LEVELS <= deepest else np.zeros((0, 2), dtype=np.int64)
        _write_level(folder, top, exists, has_content, below, volumes)
    return deepest + 1


def _around(tiles: Mapping[Place, Extent]) -> dict[Place, Extent]:
    """Return the extents of tiles with all that is below them; tiles without content are there too."""
    found = dict(tiles)
    for level in range(max((level for level, _, _ in tiles), default=0), 0, -1):
        for (_, x, y), extent in [each for each in found.items() if each[0][0] == level]:
            above = (level - 1, x >> 1, y >> 1)
            other = found.get(above, extent)
            low = [min(a, b) for a, b in zip(extent, other, strict=True)]
            high = [max(a, b) for a, b in zip(extent, other, strict=True)]
            found[above] = (low[0], low[1], high[2], high[3], low[4], high[5])
    return found


def _volume(extent: Extent, is_geodetic: bool) -> list[float]:
    """Return the numbers of a region, or of a box."""
    if is_geodetic:
        return list(extent)
    west, south, east, north, low, high = extent
    half = [(east - west) / 2.0, (north - south) / 2.0, (high - low) / 2.0]
    centre = [west + half[0], south + half[1], low + half[2]]
    return [*centre, half[0], 0.0, 0.0, 0.0, half[1], 0.0, 0.0, 0.0, half[2]]


def _schema(is_geodetic: bool) -> dict[str, Any]:
    """Return the schema of what subtrees say of tiles."""
    semantic, count = ("TILE_BOUNDING_REGION", 6) if is_geodetic else ("TILE_BOUNDING_BOX", 12)
    stated = {"type": "SCALAR", "componentType": "FLOAT64", "array": True, "count": count, "semantic": semantic, "required": True}
    return {"id": GENERATOR, "classes": {TILE: {"properties": {VOLUME: stated}}}}


def _at_level(rows: Int, level: int) -> Int:
    return np.unique(rows[rows[:, 0] == level][:, 1:], axis=0)


@dataclass(frozen=True)
class _Marks:
    """Tiles as places in the subtrees that hold them, in the order of those.

    Attributes
    ----------
    roots : (N,) int64
        Number of the subtree, rising.
    codes : (N,) int64
        Place in it.
    rows : (N,) int64
        Which of the tiles.
    """

    roots: Int
    codes: Int
    rows: Int

    @staticmethod
    def of(found: Int, number: Mapping[tuple[int, ...], int], depth: int, start: int) -> _Marks:
        """Return those of tiles ``found`` (N, 2) that lie ``depth`` levels below the roots ``number`` counts."""
        roots = np.array([number[tuple(place)] for place in (found >> depth).tolist()], dtype=np.int64)
        inside = found - ((found >> depth) << depth)
        order = np.argsort(roots, kind="stable")
        return _Marks(roots[order], (start + morton(inside[:, 0], inside[:, 1]))[order], order)

    def set(self, target: AnyArray, begin: int, values: AnyArray | None = None) -> None:
        """Set the bits, or values by tile, of the subtrees from ``begin`` on that ``target`` has rows for."""
        some = slice(*np.searchsorted(self.roots, [begin, begin + len(target)]))
        target[self.roots[some] - begin, self.codes[some]] = True if values is None else values[self.rows[some]]


def _write_level(folder: Path, top: int, exists: list[Int], has_content: list[Int], below: Int, volumes: list[Float]) -> None:
    """Write every subtree whose root is at level ``top``, some at a time: a country has hundreds of thousands."""
    size = tiles_in_levels(SUBTREE_LEVELS, 4)
    places = [tuple(place) for place in exists[top].tolist()]
    number = {place: k for k, place in enumerate(places)}
    tiles, contents = (
        [
            _Marks.of(found[top + depth], number, depth, tiles_in_levels(depth, 4))
            for depth in range(min(SUBTREE_LEVELS, len(found) - top))
        ]
        for found in (exists, has_content)
    )
    children = _Marks.of(below, number, SUBTREE_LEVELS, 0)
    for begin in range(0, len(places), AT_ONCE):
        some = places[begin : begin + AT_ONCE]
        is_there, has, leads = (np.zeros((len(some), width), dtype=bool) for width in (size, size, 4**SUBTREE_LEVELS))
        stated = np.zeros((len(some), size, volumes[top].shape[1]))
        for depth, (tile, content) in enumerate(zip(tiles, contents, strict=True)):
            tile.set(is_there, begin)
            tile.set(stated, begin, volumes[top + depth])
            content.set(has, begin)
        children.set(leads, begin)
        for k, (x, y) in enumerate(some):
            path = folder / "subtrees" / str(top) / str(x) / f"{y}.subtree"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_subtree(is_there[k], has[k], leads[k], stated[k, is_there[k]]))


def encode_subtree(tiles: Bool, contents: Bool, children: Bool, volumes: Float) -> bytes:
    """Return a binary subtree.

    Parameters
    ----------
    tiles, contents : (N,) bool
        Level by level, each in Morton order.
    children : (C,) bool
        Subtrees below.
    volumes : (M, 6 or 12) float64
        Regions or boxes of the M tiles there are.
    """
    views: list[dict[str, int]] = []
    body = b""

    def view(data: bytes) -> int:
        nonlocal body
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data)})
        body += data + b"\0" * (-len(data) % 8)
        return len(views) - 1

    def availability(bits: AnyArray) -> dict[str, int]:
        count = int(bits.sum())
        if count in (0, len(bits)):
            return {"constant": int(count > 0)}
        return {"bitstream": view(np.packbits(bits, bitorder="little").tobytes()), "availableCount": count}

    document: dict[str, Any] = {
        "tileAvailability": availability(tiles),
        "contentAvailability": [availability(contents)],
        "childSubtreeAvailability": availability(children),
        "propertyTables": [
            {"class": TILE, "count": len(volumes), "properties": {VOLUME: {"values": view(volumes.astype("<f8").tobytes())}}}
        ],
        "tileMetadata": 0,
    }
    document = {"buffers": [{"byteLength": len(body)}], "bufferViews": views, **document}
    text = orjson.dumps(document)
    text += b" " * (-len(text) % 8)
    return struct.pack("<4sIQQ", b"subt", 1, len(text), len(body)) + text + body
