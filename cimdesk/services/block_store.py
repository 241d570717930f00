"""What views ask for of something larger than memory: brought by threads, most wanted first, within a fixed amount of memory."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from cimdesk.base.errors import Problem
from cimdesk.base.signals import Signal
from cimdesk.services.block_memory import Block, BlockMemory, Losses

RETRY_AFTER = 20.0
"""Seconds until a block that did not come is asked for again."""
NICER = 5
"""How much less the threads that bring blocks press for the processor than those that draw."""
log = logging.getLogger(__name__)
B = TypeVar("B", bound=Block)


@dataclass(frozen=True)
class _Wishes:
    """What one view asks for; ``asked`` are all rows, those it has among them."""

    priorities: dict[int, float]
    keep: frozenset[int]
    asked: frozenset[int]


class BlockStore(Generic[B]):
    """Blocks by row; tiles of a tileset, nodes of a point cloud.

    Subclasses say how one is brought (`bring`) and what broke (`broken`).

    Attributes
    ----------
    arrived : Signal of None
        Emitted by the thread that brought something.
    workers : int
        Threads at most.
    is_gentle : bool
        Whether half of them are to do, because pictures are being drawn one after the other.
    """

    def __init__(self, memory: int, workers: int) -> None:
        self.arrived: Signal[None] = Signal()
        self.workers = workers
        self.is_gentle = False
        self._lock = threading.Lock()
        self._at_rest = threading.Condition(self._lock)
        self._held: BlockMemory[B] = BlockMemory(memory)
        self._losses = Losses()
        self._wishes: dict[int, _Wishes] = {}
        self._at_work: set[int] = set()
        self._threads = 0
        self._is_full = False
        self._job = threading.local()

    # --- what the scene asks ------------------------------------------------------------------------------------------

    @property
    def memory(self) -> int:
        """Bytes allowed for blocks."""
        return self._held.memory

    @memory.setter
    def memory(self, size: int) -> None:
        self._held.memory = size

    @property
    def used(self) -> int:
        """Bytes they take now."""
        return self._held.used

    @property
    def is_full(self) -> bool:
        """Whether what is wanted does not fit into the memory allowed."""
        return self._is_full

    @property
    def is_busy(self) -> bool:
        """Whether something wanted is on its way."""
        with self._lock:
            return bool(self._at_work) or self._best() is not None

    def want(self, client: object, wishes: Mapping[int, float], keep: Collection[int]) -> None:
        """Replace what a client asks for; what nobody asks for any more is not begun, and given up where it is being fetched."""
        with self._lock:
            asked = frozenset(wishes).union(keep)
            before = self._wishes.get(id(client))
            # What did not fit before is not tried again for the same view.
            self._is_full = self._is_full and before is not None and asked == before.asked
            self._wishes[id(client)] = _Wishes(dict(wishes), frozenset(keep), asked)
            self._held.touch(keep)
            self._held.make_room(0, self._kept())
            self._start()

    def forget(self, client: object) -> None:
        """Drop the wishes of a client."""
        with self._lock:
            self._wishes.pop(id(client), None)

    def block(self, row: int) -> B | None:
        """Return a block when it is there."""
        return self._held.blocks.get(row)

    def is_lost(self, row: int) -> bool:
        """Return whether a block cannot be had, for good or for now."""
        return row in self._losses

    def problems(self) -> tuple[Problem, ...]:
        """Return what is missing or broken so far."""
        with self._lock:
            return self._losses.problems()

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
        return row is not None and not any(row in wishes.asked for wishes in list(self._wishes.values()))

    # --- what subclasses do -------------------------------------------------------------------------------------------

    def bring(self, row: int) -> None:
        """Read a block, and `keep` it or `lose` it; called by the threads."""
        raise NotImplementedError

    def broken(self, row: int, error: Exception) -> Problem:
        """Return what to say of a block that broke its reader."""
        raise NotImplementedError

    def is_open(self, row: int) -> bool:
        """Return whether a block can be brought now, where nobody is at it and it is not lost."""
        return row not in self._held.blocks and not self._is_full

    def keep(self, block: B, problems: tuple[Problem, ...] = ()) -> None:
        """Take a block that came, with what is wrong in it, if it fits."""
        with self._lock:
            self._losses.found(block.row, problems)
            if not self._held.keep(block, self._kept()):
                # What is in sight already takes everything: the scene then asks for coarser ones.
                self._is_full = any(block.row in wishes.asked for wishes in self._wishes.values())

    def lose(self, row: int, until: float, problems: tuple[Problem, ...]) -> None:
        """Take note that a block did not come; it is not asked for again before ``until`` [s, monotonic]."""
        with self._lock:
            self._losses.note(row, until, problems)

    # --- the threads --------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Begin as many threads as there is work for. They end when there is none, so an idle store has no threads."""
        if self._best() is None:
            return
        waiting = sum(len(wishes.priorities) for wishes in self._wishes.values())
        for _ in range(min(self._most_threads(), waiting) - self._threads):
            self._threads += 1
            threading.Thread(target=self._work, name=type(self).__name__, daemon=True).start()

    def _most_threads(self) -> int:
        return max(self.workers // 2, 1) if self.is_gentle else self.workers

    def _work(self) -> None:
        _step_back()
        while True:
            with self._lock:
                row = self._best() if self._threads <= self._most_threads() else None
                if row is None:
                    self._threads -= 1
                    self._at_rest.notify_all()
                    return
                self._at_work.add(row)
            self._job.row = row
            try:
                self.bring(row)
            except Exception as error:
                # A block that breaks its reader is one block lost, not the thread.
                log.exception("%s %d", type(self).__name__, row)
                self.lose(row, np.inf, (self.broken(row, error),))
            with self._lock:
                self._at_work.discard(row)
                for wishes in self._wishes.values():
                    # Come, lost or too big: the next look at the view decides whether to ask again.
                    wishes.priorities.pop(row, None)
                self._at_rest.notify_all()
            self.arrived.emit(None)

    def _kept(self) -> set[int]:
        return set().union(*(wishes.keep for wishes in self._wishes.values()))

    def _best(self) -> int | None:
        """Return what is wanted most and not there yet."""
        best: tuple[float, int] | None = None
        for wishes in self._wishes.values():
            for row, priority in wishes.priorities.items():
                if best is not None and priority <= best[0]:
                    continue
                if row not in self._at_work and self.is_open(row) and not self.is_lost(row):
                    best = (priority, row)
        return None if best is None else best[1]


def _step_back() -> None:
    """Let threads that draw go first; only Linux has a priority for each thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(os.getpriority(os.PRIO_PROCESS, 0) + NICER, 19))
