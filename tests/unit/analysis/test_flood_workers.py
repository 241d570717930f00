"""Tiles are shared out among threads: each once, whatever happens to a thread."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from cimdesk.analysis.flood import workers
from cimdesk.analysis.flood.grid import TILE_COLUMNS, TILE_ROWS, Tiles
from cimdesk.analysis.flood.workers import Workers


@pytest.mark.parametrize(("down", "across", "threads"), [(12, 3, 2), (1, 9, 3), (40, 1, 2), (1, 1, 4)])
def test_every_tile_is_worked_on_once(monkeypatch: pytest.MonkeyPatch, down: int, across: int, threads: int):
    monkeypatch.setattr(workers, "LEAST_SHARED_CELLS", 1)
    tiles = Tiles(down * TILE_ROWS, across * TILE_COLUMNS)
    tiles.activate_all()
    seen = np.zeros(down * across, dtype=int)
    cuts, lock = [], threading.Lock()

    def kernel(active: np.ndarray, first: int, last: int) -> None:
        with lock:
            seen[active[first:last, 5]] += 1
            cuts.append(first)

    with Workers(tiles, threads) as pool:
        pool.each(kernel)
    assert (seen == 1).all()
    if down > workers.PARTS * threads:
        assert all(first % across == 0 for first in cuts), "rows of tiles stay whole"


def test_an_error_in_any_thread_comes_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "LEAST_SHARED_CELLS", 1)
    tiles = Tiles(20 * TILE_ROWS, TILE_COLUMNS)
    tiles.activate_all()

    def kernel(_: np.ndarray, first: int, last: int) -> None:
        if threading.current_thread() is not threading.main_thread() or last == 20:
            raise ValueError("broken")

    with Workers(tiles, 2) as pool, pytest.raises(ValueError, match="broken"):
        pool.each(kernel)


def test_a_small_flood_is_left_to_one_thread():
    tiles = Tiles(TILE_ROWS, 10)
    tiles.activate_all()
    where = []
    with Workers(tiles, 3) as pool:
        pool.each(lambda active, first, last: where.append((threading.current_thread(), first, last)))
    assert where == [(threading.current_thread(), 0, 1)]


def test_little_work_in_each_cell_is_left_to_one_thread():
    tiles = Tiles(10 * TILE_ROWS, TILE_COLUMNS)
    tiles.activate_all()
    calls = []
    with Workers(tiles, 2) as pool:
        pool.each(lambda *part: calls.append(part), weight=0.1)
        assert len(calls) == 1
        pool.each(lambda *part: calls.append(part))
    assert len(calls) > 2
