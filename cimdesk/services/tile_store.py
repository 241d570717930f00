"""Tiles of a streamed tileset: read and decoded in threads of their own, nearest first, within a fixed amount of memory."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from cimdesk.base.arrays import Int
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem, Severity
from cimdesk.base.signals import Signal
from cimdesk.formats.findings import Findings
from cimdesk.formats.tiles3d_paths import BrokenPart, TilePlace
from cimdesk.formats.tiles3d_stream import FADING, DecodedTile
from cimdesk.model.city import CityModel
from cimdesk.model.tileset import TileBlock, Tileset
from cimdesk.services.tile_features import FeaturePool
from cimdesk.services.tile_memory import Losses, TileMemory
from cimdesk.services.tile_meshes import LoadedMeshes, all_blocks, finest_of, merged_mesh
from cimdesk.services.tile_notes import NotedPoints

MEMORY = 600 << 20
"""Bytes that decoded tiles may take."""
RETRY_AFTER = 20.0
"""Seconds until a tile that did not come is asked for again."""
log = logging.getLogger(__name__)


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


@dataclass
class _Wishes:
    """What one view asks for."""

    priorities: dict[int, float]
    keep: frozenset[int]


class TileStore:
    """The tiles of one tileset.

    Attributes
    ----------
    stream : Decoder
    features : FeaturePool
    arrived : Signal of None
        Emitted by the thread that brought something.
    workers : int
        Threads at most.
    notes : NotedPoints
    is_gentle : bool
        Whether half of them are to do, because pictures are being drawn one after the other.
    """

    def __init__(self, stream: Decoder, memory: int = MEMORY, workers: int = 2) -> None:
        self.stream = stream
        self.features = FeaturePool()
        self.arrived: Signal[None] = Signal()
        self.workers = workers
        self.is_gentle = False
        self._lock = threading.Lock()
        self._at_rest = threading.Condition(self._lock)
        self._held = TileMemory(memory)
        self._losses = Losses()
        self._wishes: dict[int, _Wishes] = {}
        self._at_work: set[int] = set()
        self._threads = 0
        self._is_full = False
        self._job = threading.local()
        self.notes = NotedPoints(self.block)
        self._whole: weakref.ref[CityModel] | None = None

    def aim(self, own: Crs | None, target: Crs | None) -> Tileset:
        """Put everything into the system ``target``, before anything is asked for; return the tree in it."""
        return self.stream.aim(own, target)

    # --- what the scene asks ------------------------------------------------------------------------------------------

    @property
    def memory(self) -> int:
        """Bytes allowed for decoded tiles."""
        return self._held.memory

    @memory.setter
    def memory(self, size: int) -> None:
        self._held.memory = size

    @property
    def used(self) -> int:
        """Bytes they take now."""
        return self._held.used

    @property
    def tileset(self) -> Tileset:
        """The tree as far as it is known."""
        return self.stream.tileset

    @property
    def is_full(self) -> bool:
        """Whether what is wanted does not fit into the memory allowed."""
        return self._is_full

    @property
    def is_busy(self) -> bool:
        """Whether something wanted is on its way."""
        with self._lock:
            return bool(self._at_work) or self._best() is not None

    @property
    def feature_count(self) -> int:
        """Number of features seen so far."""
        return len(self.features)

    def want(self, client: object, wishes: Mapping[int, float], keep: Collection[int]) -> None:
        """Replace what a client asks for; what nobody asks for any more is not begun, and given up where it is being fetched."""
        with self._lock:
            self._wishes[id(client)] = _Wishes(dict(wishes), frozenset(keep))
            self._held.touch(keep)
            # Something was let go or asked for otherwise: it may fit now.
            self._is_full = False
            self._held.make_room(0, self._kept())
            self._start()

    def forget(self, client: object) -> None:
        """Drop the wishes of a client."""
        with self._lock:
            self._wishes.pop(id(client), None)

    def block(self, row: int) -> TileBlock | None:
        """Return a tile when it is there."""
        return self._held.blocks.get(row)

    def is_lost(self, row: int) -> bool:
        """Return whether a tile cannot be had, for good or for now."""
        return row in self._losses

    def feature_id(self, row: int) -> str:
        """Return the id of a feature by its row."""
        return self.features.id_of(row)

    def rows_of(self, features: Collection[str]) -> Int:
        """Return the rows of the features that have been seen."""
        return self.features.rows_of(features)

    def problems(self) -> tuple[Problem, ...]:
        """Return what is missing or broken so far."""
        with self._lock:
            return (*self.stream.findings.problems(), *self._losses.problems)

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
        parts = all_blocks(self.tileset, lambda row: self.block(row) or self._read_now(row))
        table = self.features.table()
        city = CityModel(table, np.full(len(table), -1, dtype=np.int32), {"tiles": merged_mesh(parts, len(table))})
        self._whole = weakref.ref(city)
        return city

    def _read_now(self, row: int) -> TileBlock | None:
        tile = self.stream.decode(row)
        if tile.block is None:
            self._note_lost(row, time.monotonic() + RETRY_AFTER if tile.may_come else np.inf, tile.problems)
            return None
        return replace(tile.block, features=self.features.add(tile.ids, tile.columns))

    def finest_blocks(self) -> list[TileBlock]:
        """Return the tiles in memory that no finer one in memory replaces."""
        with self._lock:
            blocks = dict(self._held.blocks)
        return finest_of(self.tileset, blocks)

    def wait(self, seconds: float) -> bool:
        """Wait until nothing wanted is on its way; return whether that came true."""
        with self._at_rest:
            return self._at_rest.wait_for(lambda: not self._at_work and self._best() is None, seconds)

    def close(self) -> None:
        """Give up everything that is being fetched."""
        with self._lock:
            self._wishes.clear()

    def is_unwanted(self) -> bool:
        """Return whether nobody asks any more for what the calling thread is fetching."""
        row = getattr(self._job, "row", None)
        return row is not None and not self._is_wanted(row)

    # --- the threads --------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Begin as many threads as there is work for. They end when there is none, so an idle store has no threads."""
        waiting = sum(len(wishes.priorities) for wishes in self._wishes.values())
        if self._best() is None:
            return
        for _ in range(min(self._most_threads(), waiting) - self._threads):
            self._threads += 1
            threading.Thread(target=self._work, name="tiles", daemon=True).start()

    def _most_threads(self) -> int:
        return max(self.workers // 2, 1) if self.is_gentle else self.workers

    def _work(self) -> None:
        while True:
            with self._lock:
                row = self._best()
                if row is None or self._is_full or self._threads > self._most_threads():
                    self._threads -= 1
                    self._at_rest.notify_all()
                    return
                self._at_work.add(row)
            self._job.row = row
            try:
                self._bring(row)
            except Exception as error:
                # A tile that breaks its reader is one tile lost, not the thread.
                log.exception("tile %d", row)
                self._note_lost(row, np.inf, (_broken(row, error),))
            with self._lock:
                self._at_work.discard(row)
                for wishes in self._wishes.values():
                    # Come, lost or too big: the next look at the view decides whether to ask again.
                    wishes.priorities.pop(row, None)
                self._at_rest.notify_all()
            self.arrived.emit(None)

    def _bring(self, row: int) -> None:
        if self.tileset.is_stub[row]:
            for reference, limit in self.stream.files_below(row):
                try:
                    self.stream.place.read(reference, limit)
                except BrokenPart as broken:
                    if broken.code == "cancelled":
                        return
                    if broken.code in FADING:
                        problem = Problem(Severity.ERROR, broken.code, reference[-120:], broken.template, broken.values)
                        self._note_lost(row, time.monotonic() + RETRY_AFTER, (problem,))
                        return
                    break
            self.stream.expand(row)
            return
        if self.tileset.is_empty[row]:
            return
        tile = self.stream.decode(row)
        if tile.block is None:
            if not any(problem.code == "cancelled" for problem in tile.problems):
                self._note_lost(row, time.monotonic() + RETRY_AFTER if tile.may_come else np.inf, tile.problems)
            return
        rows = self.features.add(tile.ids, tile.columns)
        self._keep(replace(tile.block, features=rows), tile.problems)

    def _keep(self, block: TileBlock, problems: tuple[Problem, ...]) -> None:
        with self._lock:
            self._losses.found(block.row, problems)
            if not self._held.keep(block, self._kept()):
                # What is in sight already takes everything: the scene then asks for coarser tiles.
                self._is_full = self._is_wanted(block.row)

    def _kept(self) -> set[int]:
        return set().union(*(wishes.keep for wishes in self._wishes.values()))

    def _note_lost(self, row: int, until: float, problems: tuple[Problem, ...]) -> None:
        with self._lock:
            self._losses.note(row, until, problems)

    def _best(self) -> int | None:
        """Return what is wanted most and not there yet."""
        best: tuple[float, int] | None = None
        stubs = self.tileset.stubs
        for wishes in self._wishes.values():
            for row, priority in wishes.priorities.items():
                if best is not None and priority <= best[0]:
                    continue
                is_open = row in stubs or (row not in self._held.blocks and not self._is_full)
                if is_open and row not in self._at_work and not self.is_lost(row):
                    best = (priority, row)
        return None if best is None else best[1]

    def _is_wanted(self, row: int) -> bool:
        return any(row in wishes.priorities or row in wishes.keep for wishes in list(self._wishes.values()))


def _broken(row: int, error: Exception) -> Problem:
    return Problem(Severity.ERROR, "broken-tile", str(row), "The tile cannot be read ({reason}).", {"reason": str(error)[:200]})
