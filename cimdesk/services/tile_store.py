"""Tiles of a streamed tileset: read and decoded in threads of their own, nearest first, within a fixed amount of memory."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

import numpy as np

from cimdesk.base.arrays import Int
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem, Severity
from cimdesk.formats.findings import Findings
from cimdesk.formats.tiles3d_decode import FADING, DecodedTile
from cimdesk.formats.tiles3d_paths import BrokenPart, TilePlace
from cimdesk.model.city import CityModel
from cimdesk.model.tile_point_columns import PointColumns
from cimdesk.model.tileset import TileBlock, Tileset
from cimdesk.services.block_store import RETRY_AFTER, BlockStore
from cimdesk.services.tile_features import FeaturePool
from cimdesk.services.tile_meshes import LoadedMeshes, all_blocks, finest_of, merged_mesh
from cimdesk.services.tile_notes import NotedPoints

MEMORY = 600 << 20
"""Bytes that decoded tiles may take."""


class Decoder(Protocol):
    """Reads tiles; `TileStream` in the application."""

    place: TilePlace
    findings: Findings

    @property
    def tileset(self) -> Tileset: ...
    def aim(self, own: Crs | None, target: Crs | None) -> Tileset: ...
    def files_below(self, row: int) -> list[tuple[str, int]]: ...
    def expand(self, row: int) -> None: ...
    def decode(self, row: int) -> DecodedTile: ...


class TileStore(BlockStore[TileBlock]):
    """The tiles of one tileset.

    Attributes
    ----------
    stream : Decoder
    decode : callable
        Gives the tile of a row; ``stream.decode``, or what takes it out of this process.
    features : FeaturePool
    notes : NotedPoints
    point_columns : PointColumns
    """

    def __init__(self, stream: Decoder, memory: int = MEMORY, workers: int = 2) -> None:
        super().__init__(memory, workers)
        self.stream = stream
        self.decode: Callable[[int], DecodedTile] = stream.decode
        self.features = FeaturePool()
        self.notes = NotedPoints(self.block)
        self.point_columns = PointColumns.of(stream.tileset.metadata)
        self._whole: weakref.ref[CityModel] | None = None

    def aim(self, own: Crs | None, target: Crs | None) -> Tileset:
        """Put everything into the system ``target``, before anything is asked for; return the tree in it."""
        return self.stream.aim(own, target)

    @property
    def tileset(self) -> Tileset:
        """The tree as far as it is known."""
        return self.stream.tileset

    @property
    def feature_count(self) -> int:
        """Number of features seen so far."""
        return len(self.features)

    def feature_id(self, row: int) -> str:
        """Return the id of a feature by its row."""
        return self.features.id_of(row)

    def rows_of(self, features: Collection[str]) -> Int:
        """Return the rows of the features that have been seen."""
        return self.features.rows_of(features)

    def problems(self) -> tuple[Problem, ...]:
        return (*self.stream.findings.problems(), *super().problems())

    def city(self) -> CityModel:
        """Return the features seen so far, and the tiles in memory as a mesh that is put together when asked for."""
        table = self.features.table()
        return CityModel(table, np.full(len(table), -1, dtype=np.int32), LoadedMeshes(self.finest_blocks, len(table)))

    def whole(self) -> CityModel:
        """Read everything at its finest; the last answer is kept as long as somebody uses it.

        Raises
        ------
        DataError
            If it is more than this machine can be expected to hold.
        """
        known = self._whole() if self._whole is not None else None
        if known is not None:
            return known
        while self.tileset.stubs:
            self.stream.expand(min(self.tileset.stubs))
        parts = all_blocks(self.tileset, lambda row: self.block(row) or self._decoded(row)[0])
        table = self.features.table()
        city = CityModel(table, np.full(len(table), -1, dtype=np.int32), {"tiles": merged_mesh(parts, len(table))})
        self._whole = weakref.ref(city)
        return city

    def finest_blocks(self) -> list[TileBlock]:
        """Return the tiles in memory that no finer one in memory replaces."""
        with self._lock:
            blocks = dict(self._held.blocks)
        return finest_of(self.tileset, blocks)

    def is_open(self, row: int) -> bool:
        return row in self.tileset.stubs or super().is_open(row)

    def bring(self, row: int) -> None:
        if self.tileset.is_stub[row]:
            self._read_on(row)
        elif not self.tileset.is_empty[row]:
            block, problems = self._decoded(row)
            if block is not None:
                self.keep(block, problems)

    def broken(self, row: int, error: Exception) -> Problem:
        return Problem(Severity.ERROR, "broken-tile", str(row), "The tile cannot be read ({reason}).", {"reason": str(error)[:200]})

    def _read_on(self, row: int) -> None:
        """Read the tree below a row."""
        for reference, limit in self.stream.files_below(row):
            try:
                self.stream.place.read(reference, limit)
            except BrokenPart as broken:
                if broken.code == "cancelled":
                    return
                if broken.code in FADING:
                    problem = broken.problem(Severity.ERROR, reference[-120:])
                    self.lose(row, time.monotonic() + RETRY_AFTER, (problem,))
                    return
                break
        self.stream.expand(row)

    def _decoded(self, row: int) -> tuple[TileBlock | None, tuple[Problem, ...]]:
        """Return a tile with its features among all others, and what is wrong in it; None, and lost, when there is none."""
        # Without a view nobody waits for pictures.
        decode = self.decode if self._wishes else self.stream.decode
        tile = decode(row)
        if tile.block is not None:
            self.point_columns.note(row, tile.block.cloud, tile.block.origin)
            return replace(tile.block, features=self.features.add(tile.ids, tile.columns)), tile.problems
        if not any(problem.code == "cancelled" for problem in tile.problems):
            self.lose(row, time.monotonic() + RETRY_AFTER if tile.may_come else np.inf, tile.problems)
        return None, tile.problems
