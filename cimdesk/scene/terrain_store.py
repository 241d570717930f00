"""Threads that bring chunks of a terrain: the most needed first, and none that nobody needs any more."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from cimdesk.base.errors import ServiceError
from cimdesk.scene.terrain_chunks import ChunkBlock
from cimdesk.scene.terrain_tree import Key

WORKERS = 2
RETRY_AFTER = 20.0
"""Seconds until a chunk that did not come from a server is asked for again."""
log = logging.getLogger(__name__)


class ChunkStore:
    """Builds chunks away from the window.

    Attributes
    ----------
    build : callable
        Key -> block, or None where there is nothing.
    wake : callable
        Called in the thread that brought something.
    """

    def __init__(self, build: Callable[[Key], ChunkBlock | None], wake: Callable[[], None]) -> None:
        self.build = build
        self.wake = wake
        self._lock = threading.Lock()
        self._wanted: dict[Key, float] = {}
        self._errands: deque[Callable[[], None]] = deque()
        self._at_work: set[Key] = set()
        self._done: dict[Key, ChunkBlock | None] = {}
        self._lost: dict[Key, float] = {}
        self._threads = 0

    @property
    def is_busy(self) -> bool:
        """Whether something wanted is on its way."""
        with self._lock:
            return bool(self._at_work or self._wanted or self._errands)

    def want(self, wishes: Mapping[Key, float]) -> None:
        """Replace what is asked for; what cannot be had is not asked for again."""
        with self._lock:
            taken = self._at_work | {key for key in self._lost if self.is_lost(key)} | self._done.keys()
            self._wanted = {key: pixels for key, pixels in wishes.items() if key not in taken}
            self._start()

    def is_lost(self, key: Key) -> bool:
        """Whether a chunk could not be read, for good or for now."""
        return time.monotonic() < self._lost.get(key, 0.0)

    def run(self, errand: Callable[[], None]) -> None:
        """Do something small in one of the threads, before the next chunk."""
        with self._lock:
            self._errands.append(errand)
            self._start()

    def take(self) -> dict[Key, ChunkBlock | None]:
        """Return what has come since the last time."""
        with self._lock:
            done, self._done = self._done, {}
            return done

    def put_back(self, key: Key, block: ChunkBlock) -> None:
        """Keep a block for a coming frame."""
        with self._lock:
            self._done.setdefault(key, block)

    def close(self) -> None:
        """Give up everything."""
        with self._lock:
            self._wanted.clear()
            self._errands.clear()

    def _start(self) -> None:
        waiting = len(self._wanted) + len(self._errands)
        for _ in range(min(WORKERS, waiting) - self._threads):
            self._threads += 1
            threading.Thread(target=self._work, name="terrain", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                errand = self._errands.popleft() if self._errands else None
                key = max(self._wanted, key=self._wanted.__getitem__) if errand is None and self._wanted else None
                if errand is None and key is None:
                    self._threads -= 1
                    return
                if key is not None:
                    del self._wanted[key]
                    self._at_work.add(key)
            if errand is not None:
                self._try(errand)
            elif key is not None:
                self._bring(key)

    def _bring(self, key: Key) -> None:
        block: ChunkBlock | None = None
        lost_until = 0.0
        try:
            block = self.build(key)
        except ServiceError:
            # The server is away: the coarser parent stays meanwhile.
            lost_until = time.monotonic() + RETRY_AFTER
        except Exception:
            # A chunk that breaks its reader is one chunk lost, not the thread; its coarser parent stays.
            log.exception("terrain chunk %s", key)
            lost_until = math.inf
        with self._lock:
            self._at_work.discard(key)
            if lost_until:
                self._lost[key] = lost_until
            else:
                self._done[key] = block
        self.wake()

    def _try(self, errand: Callable[[], None]) -> None:
        try:
            errand()
        except Exception:
            # What breaks while a picture is laid on is one picture lost, not the thread.
            log.exception("terrain picture")
