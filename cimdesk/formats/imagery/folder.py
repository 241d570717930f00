"""Folders of tiles: zoom/column/row.png, rows counted from the north (XYZ) or, where a tilemapresource.xml says so, the south."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from cimdesk.base.errors import Problem, Severity
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.imagery.grids import MAX_ZOOM, Tile
from cimdesk.formats.imagery.pyramid import LostTileError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".pbf", ".mvt")
MAX_TILE = 16 << 20
LOOKED_AT = 4000
_NUMBER = re.compile(r"\d{1,9}$")


class TileFolder:
    """Tiles of one folder; a `TileFiles`.

    Attributes
    ----------
    zooms : tuple of 2 ints
    suffix : str
        Of its tiles.
    """

    workers = 1

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        found = sorted(zoom for zoom in _numbers(path) if zoom <= MAX_ZOOM)
        self.zooms = (found[0], found[-1])
        self.suffix = _suffix(path / str(found[-1]))
        self.is_tms = (path / "tilemapresource.xml").is_file()

    def read(self, tile: Tile, cancel: CancelToken) -> bytes | None:
        """Return the bytes of a tile, None when there is none; ``tile.level`` counts from the first zoom."""
        zoom = self.zooms[0] + tile.level
        row = 2**zoom - 1 - tile.row if self.is_tms else tile.row
        place = self.path / str(zoom) / str(tile.column) / f"{row}{self.suffix}"
        try:
            if not place.is_file():
                return None
            if place.stat().st_size > MAX_TILE or not place.resolve().is_relative_to(self.path):
                raise OSError("larger than believable, or elsewhere")
            return place.read_bytes()
        except OSError as error:
            problem = Problem(
                Severity.ERROR, "unreadable-tile", f"{zoom}/{tile.column}/{tile.row}", "The tile cannot be read ({reason}).",
                {"reason": error.strerror or str(error)},
            )  # fmt: skip
            raise LostTileError(problem) from error

    def columns_and_rows(self) -> tuple[int, int, int, int]:
        """Return first and last column, first and last row (from the north) of the first zoom."""
        zoom = self.zooms[0]
        top = self.path / str(zoom)
        columns = sorted(_numbers(top))
        rows = sorted({int(p.stem) for c in columns for p in islice((top / str(c)).iterdir(), LOOKED_AT) if p.stem.isdigit()})
        rows = rows or [0]
        if self.is_tms:
            rows = sorted(2**zoom - 1 - row for row in rows)
        return columns[0], columns[-1], rows[0], rows[-1]

    def first(self) -> bytes | None:
        """Return any tile of the finest level, to see what the tiles are."""
        top = self.path / str(self.zooms[1])
        for column in sorted(_numbers(top))[:10]:
            for place in islice((top / str(column)).iterdir(), LOOKED_AT):
                if place.suffix == self.suffix and place.is_file() and place.stat().st_size <= MAX_TILE:
                    return place.read_bytes()
        return None


def is_tile_folder(path: Path) -> bool:
    """Return whether a folder looks like zoom/column/row.png."""
    try:
        zooms = [zoom for zoom in _numbers(path) if zoom <= MAX_ZOOM]
        return bool(zooms) and bool(_suffix(path / str(max(zooms))))
    except OSError:
        return False


def _numbers(path: Path) -> list[int]:
    return [int(p.name) for p in islice(path.iterdir(), LOOKED_AT) if _NUMBER.fullmatch(p.name) and p.is_dir()]


def _suffix(path: Path) -> str:
    """Return the suffix of the tiles of one zoom; empty when there are none."""
    for column in sorted(_numbers(path))[:10]:
        for place in islice((path / str(column)).iterdir(), 50):
            if place.suffix.lower() in SUFFIXES and place.stem.isdigit():
                return place.suffix
    return ""
