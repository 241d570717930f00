"""A 3D Tiles 1.1 tileset on disk: contents by level, column and row, subtrees that say which exist, and tileset.json last."""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from cimdesk.base.arrays import AnyArray, Bool, Int
from cimdesk.base.errors import DataError
from cimdesk.formats.atomic import replacing
from cimdesk.formats.tiles3d_grid import TileGrid, morton
from cimdesk.formats.tiles3d_stated import EXTRAS
from cimdesk.formats.tiles3d_subtree import tiles_in_levels

SUBTREE_LEVELS = 5
GENERATOR = "cimdesk"


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
        tiles: Collection[tuple[int, int, int]],
        geometric_error: float,
        heights: tuple[float, float],
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the subtrees and, last, ``tileset.json``.

        Parameters
        ----------
        tiles : collection of (level, x, y)
            Tiles that have content; those above them exist without.
        geometric_error : float
            Of the root [m]; it halves with every level.
        heights : tuple of two floats
            Lowest and highest place of everything [m].
        extras : mapping or None
            Further keys of ``asset.extras.cimdesk``, beside the reference system.
        """
        levels = write_subtrees(self.folder, tiles)
        crs = self.grid.crs
        about = {"crs": None if crs is None else crs.definition, **(extras or {})}
        document = {
            "asset": {"version": "1.1", "generator": GENERATOR, "extras": {EXTRAS: about}},
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


def write_subtrees(folder: Path, tiles: Collection[tuple[int, int, int]]) -> int:
    """Write the subtree files of a quadtree; return its number of levels.

    Parameters
    ----------
    folder : Path
        Of the tileset.
    tiles : collection of (level, x, y)
        Tiles that have content.
    """
    rows = np.array(sorted(tiles), dtype=np.int64).reshape(-1, 3)
    deepest = int(rows[:, 0].max(initial=0))
    has_content = [_at_level(rows, level) for level in range(deepest + 1)]
    exists = list(has_content)
    for level in range(deepest - 1, -1, -1):
        exists[level] = np.unique(np.concatenate([exists[level], exists[level + 1] >> 1]), axis=0)
    exists[0] = np.zeros((1, 2), dtype=np.int64)
    for top in range(0, deepest + 1, SUBTREE_LEVELS):
        below = exists[top + SUBTREE_LEVELS] if top + SUBTREE_LEVELS <= deepest else np.zeros((0, 2), dtype=np.int64)
        _write_level(folder, top, exists, has_content, below)
    return deepest + 1


def _at_level(rows: Int, level: int) -> Int:
    return np.unique(rows[rows[:, 0] == level][:, 1:], axis=0)


def _write_level(folder: Path, top: int, exists: list[Int], has_content: list[Int], below: Int) -> None:
    """Write every subtree whose root is at level ``top``."""
    size = tiles_in_levels(SUBTREE_LEVELS, 4)
    places = [tuple(place) for place in exists[top].tolist()]
    number = {place: k for k, place in enumerate(places)}
    bits = np.zeros((2, len(places), size), dtype=bool)
    for depth in range(min(SUBTREE_LEVELS, len(exists) - top)):
        start = tiles_in_levels(depth, 4)
        for which, found in enumerate((exists[top + depth], has_content[top + depth])):
            _mark(bits[which], found, number, depth, start)
    children = np.zeros((len(places), 4**SUBTREE_LEVELS), dtype=bool)
    _mark(children, below, number, SUBTREE_LEVELS, 0)
    for k, (x, y) in enumerate(places):
        path = folder / "subtrees" / str(top) / str(x) / f"{y}.subtree"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_subtree(bits[0, k], bits[1, k], children[k]))


def _mark(bits: Bool, found: Int, number: Mapping[tuple[int, ...], int], depth: int, start: int) -> None:
    """Set the bits of tiles ``found`` (N, 2) that lie ``depth`` levels below the roots ``number`` counts."""
    if not len(found):
        return
    roots = [number[tuple(place)] for place in (found >> depth).tolist()]
    inside = found - ((found >> depth) << depth)
    bits[roots, start + morton(inside[:, 0], inside[:, 1])] = True


def encode_subtree(tiles: Bool, contents: Bool, children: Bool) -> bytes:
    """Return a binary subtree.

    Parameters
    ----------
    tiles, contents : (N,) bool
        Level by level, each in Morton order.
    children : (C,) bool
        Subtrees below.
    """
    views: list[dict[str, int]] = []
    body = b""

    def availability(bits: AnyArray) -> dict[str, int]:
        nonlocal body
        count = int(bits.sum())
        if count in (0, len(bits)):
            return {"constant": int(count > 0)}
        data = np.packbits(bits, bitorder="little").tobytes()
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data)})
        body += data + b"\0" * (-len(data) % 8)
        return {"bitstream": len(views) - 1, "availableCount": count}

    document: dict[str, Any] = {
        "tileAvailability": availability(tiles),
        "contentAvailability": [availability(contents)],
        "childSubtreeAvailability": availability(children),
    }
    if body:
        document = {"buffers": [{"byteLength": len(body)}], "bufferViews": views, **document}
    text = orjson.dumps(document)
    text += b" " * (-len(text) % 8)
    return struct.pack("<4sIQQ", b"subt", 1, len(text), len(body)) + text + body
