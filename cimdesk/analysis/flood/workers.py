"""Threads that share the tiles of a grid. Kernels release the interpreter lock, so they run side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from cimdesk.analysis.flood.grid import Tiles

LEAST_SHARED_CELLS = 100_000
"""Fewer cells for each worker than this cost more to share out than they gain."""


class Workers:
    """Runs kernels over the active tiles, on as many threads as it was given."""

    def __init__(self, tiles: Tiles, threads: int) -> None:
        self._tiles = tiles
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Workers:
        if self._threads > 1:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="flood")
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None

    def each(self, kernel: Callable[..., None], *arrays: Any) -> None:
        """Run ``kernel(tiles, first, last, *arrays)`` over the active tiles and wait until all are done."""
        active = self._tiles.active
        if self._pool is None or self._tiles.active_cells < LEAST_SHARED_CELLS * self._threads:
            kernel(active, 0, len(active), *arrays)
            return
        cuts = np.linspace(0, len(active), 2 * self._threads + 1).astype(int).tolist()
        jobs = [self._pool.submit(kernel, active, a, b, *arrays) for a, b in pairwise(cuts) if b > a]
        for job in jobs:
            job.result()
