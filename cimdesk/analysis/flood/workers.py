"""Threads that share the tiles of a grid. Kernels release the interpreter lock, so they run side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from cimdesk.analysis.flood.grid import Tiles
from cimdesk.base.arrays import AnyArray

LEAST_SHARED_CELLS = 100_000
"""Fewer cells for each worker than this cost more to share out than they gain."""
PARTS = 4
"""Parts for each thread."""


class Workers:
    """Runs kernels over the active tiles, on as many threads as it was given."""

    def __init__(self, tiles: Tiles, threads: int) -> None:
        self._tiles = tiles
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Workers:
        if self._threads > 1:
            self._pool = ThreadPoolExecutor(self._threads - 1, thread_name_prefix="flood")
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None

    def each(self, kernel: Callable[..., None], *arrays: Any, weight: float = 1.0) -> None:
        """Run ``kernel(tiles, first, last, *arrays)`` over the active tiles and wait until all are done.

        The calling thread works too, and whoever is free takes the next part, so one that the system keeps waiting holds up little.
        A kernel that does little in a cell has a ``weight`` below one: few cells of it are not worth sharing out.
        """
        active = self._tiles.active
        if self._pool is None or self._tiles.active_cells * weight < LEAST_SHARED_CELLS * self._threads:
            kernel(active, 0, len(active), *arrays)
            return
        parts = deque(pairwise(_cuts(active, PARTS * self._threads)))

        def work() -> None:
            while parts:
                try:
                    first, last = parts.popleft()
                except IndexError:
                    return
                kernel(active, first, last, *arrays)

        others = [self._pool.submit(work) for _ in range(self._threads - 1)]
        work()
        for other in others:
            other.result()


def _cuts(active: AnyArray, parts: int) -> list[int]:
    """Return where to cut the active tiles, in the order of their rows: between rows where there are enough of them.

    Tiles beside one another are quicker together; at a cut within a row they would each compute what both see.
    """
    even = np.linspace(0, len(active), parts + 1).astype(int)
    starts = np.flatnonzero(np.diff(active[:, 0], prepend=-1, append=-1))
    if len(starts) > parts:
        even = starts[np.searchsorted(starts, even)]
    return [int(cut) for cut in np.unique(even)]
