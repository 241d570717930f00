"""Tiles of one tileset decoded in processes of their own, so that the interpreter of the window is free to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from cimdesk.formats.tiles3d_decode import DecodedTile, TileTask, decode_tile
from cimdesk.formats.tiles3d_paths import TilePlace
from cimdesk.services.tile_children import SHARED, ChildEndedError, TileChildren
from cimdesk.services.tile_fetched import Fetched, FetchedPlace, asked, fetch

ENOUGH = 24
"""Tiles of one tileset after which it is worth a process."""
TURN_SECONDS = 2.0
"""How long a tile waits for a child while pictures are being drawn, before the window decodes it after all."""


class TaskedStream(Protocol):
    """A tileset that says what it takes to decode a tile; `TileStream`."""

    place: TilePlace

    def task(self, row: int) -> TileTask: ...
    def decode(self, row: int) -> DecodedTile: ...


class DecodingApart:
    """Decodes the tiles of a tileset in children, once there are enough of them; a child that ends costs one tile its time.

    Parameters
    ----------
    stream : TaskedStream
    is_gentle : callable
        Whether pictures are being drawn one after the other: a tile then rather waits for a child than be decoded here.
    children : TileChildren
    """

    def __init__(self, stream: TaskedStream, is_gentle: Callable[[], bool], children: TileChildren = SHARED) -> None:
        self._stream = stream
        self._is_gentle = is_gentle
        self._children = children
        self._count = 0

    def __call__(self, row: int) -> DecodedTile:
        """Return a tile; raises what decoding it here raises."""
        self._count += 1
        if self._count <= ENOUGH:
            return self._stream.decode(row)
        self._children.warm(self._is_gentle())
        task, place = self._stream.task(row), self._stream.place
        fetched = fetch(task, place)
        tile = self._in_child(task, fetched)
        if tile is None:
            tile = decode_tile(task, FetchedPlace(fetched, partial(asked, place)))
        return tile

    def _in_child(self, task: TileTask, fetched: Mapping[str, Fetched]) -> DecodedTile | None:
        child = self._children.hire(TURN_SECONDS if self._is_gentle() else 0.0)
        if child is None:
            return None
        is_idle = False
        try:
            tile = child.decode(task, fetched, self._stream.place)
            is_idle = True
            return tile
        except ChildEndedError:
            return None
        finally:
            self._children.give_back(child, is_idle)
