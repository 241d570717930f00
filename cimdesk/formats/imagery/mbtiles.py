"""MBTiles 1.0 to 1.3: tiles in an SQLite database, rows counted from the south."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.imagery.grids import MAX_ZOOM, Tile
from cimdesk.formats.imagery.pyramid import LostTileError

SQLITE_MAGIC = b"SQLite format 3\0"
LONGEST = 5.0
"""Seconds one query may take: what is called a table may be a view that never ends."""
STEPS = 20_000
MAX_TILE = 16 << 20
MAX_METADATA = 4 << 20
SAMPLES = 5


class MbtilesFile:
    """Tiles of one database; a `TileFiles`.

    Attributes
    ----------
    path : Path
    metadata : dict
        Table ``metadata`` as text.
    zooms : tuple of 2 ints
        First and last level that have tiles.
    """

    workers = 1

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._deadline = 0.0
        try:
            self._connection = sqlite3.connect(
                path.resolve().as_uri() + "?mode=ro&immutable=1", uri=True, check_same_thread=False, isolation_level=None
            )
            self._connection.set_progress_handler(lambda: time.monotonic() > self._deadline, STEPS)
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(MAX_TILE, MAX_METADATA))
            self._ask("PRAGMA trusted_schema = OFF")
            self.metadata = {str(name): str(value) for name, value in self._ask("SELECT name, value FROM metadata LIMIT 1000")}
            found = self._ask("SELECT min(zoom_level), max(zoom_level) FROM tiles")[0]
        except (sqlite3.Error, ValueError, MemoryError) as error:
            raise _broken(path, error) from error
        if not all(isinstance(zoom, int) and 0 <= zoom <= MAX_ZOOM for zoom in found):
            raise DataError(path, "there are no tiles in it.", remedy="Export it again with at least one zoom level.")
        self.zooms = (int(found[0]), int(found[1]))

    def read(self, tile: Tile, cancel: CancelToken) -> bytes | None:
        """Return the bytes of a tile, None when there is none; ``tile.level`` counts from the first zoom that has tiles."""
        zoom = self.zooms[0] + tile.level
        row = 2**zoom - 1 - tile.row
        try:
            found = self._ask(
                "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ? LIMIT 1",
                (zoom, tile.column, row),
            )
        except (sqlite3.Error, MemoryError) as error:
            problem = Problem(
                Severity.ERROR, "unreadable-tile", f"{zoom}/{tile.column}/{tile.row}", "The tile cannot be read ({reason}).",
                {"reason": str(error)},
            )  # fmt: skip
            raise LostTileError(problem) from error
        data = found[0][0] if found else None
        return bytes(data) if isinstance(data, bytes) and data else None

    def count(self) -> int | None:
        """Return the number of tiles; None when counting takes too long."""
        with contextlib.suppress(sqlite3.Error):
            return int(self._ask("SELECT count(*) FROM tiles")[0][0])
        return None

    def samples(self) -> list[bytes]:
        """Return a few tiles of the finest level, to see what the tiles are."""
        try:
            found = self._ask("SELECT tile_data FROM tiles WHERE zoom_level = ? LIMIT ?", (self.zooms[1], SAMPLES))
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error
        return [bytes(row[0]) for row in found if isinstance(row[0], bytes) and row[0]]

    def __del__(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()

    def _ask(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            self._deadline = time.monotonic() + LONGEST
            return self._connection.execute(query, values).fetchall()


def _broken(path: Path, error: Exception) -> DataError:
    return DataError(
        path,
        "the tiles cannot be read ({reason}).",
        remedy="Copy or download the file again.",
        reason="interrupted: a query takes too long" if "interrupted" in str(error) else str(error)[:120],
    )
