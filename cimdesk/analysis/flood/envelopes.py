"""When water came, stood highest and how long it stayed, noted at a pace of its own between the steps of an engine.

The maxima of depth, speed and their product need every step and are kept by the engines. These need not: they are noted every few
seconds, only where they are asked for, in 28 bytes a cell.
"""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.grid import GridState, Tiles
from cimdesk.analysis.flood.workers import Workers
from cimdesk.base.arrays import Float32
from cimdesk.base.compiled import njit

PACE = 10.0
"""Longest time between two notes [s], unless the steps are longer."""
ARRIVALS = (0.10, 0.30)
"""Depths whose first time is noted [m]; that of 0.05 m the engines note."""
DURATIONS = (0.05, 0.10, 0.30)


@njit(nogil=True, cache=True, error_model="numpy", inline="never")
def _note_row(  # type: ignore[no-untyped-def]
    h, deepest, seen, peak, arrivals, durations, arrival_depths, duration_depths, time, seconds
):
    """Note one row; without branches, so that it is done several cells at a time."""
    for j in range(len(h)):
        highest = np.float32(deepest[j])
        is_higher = highest > seen[j]
        peak[j] = time if is_higher else peak[j]
        seen[j] = highest if is_higher else seen[j]
    for k in range(len(arrival_depths)):
        first, limit = arrivals[k], arrival_depths[k]
        for j in range(len(h)):
            first[j] = min(first[j], time) if h[j] > limit else first[j]
    for k in range(len(duration_depths)):
        stay, limit = durations[k], duration_depths[k]
        for j in range(len(h)):
            stay[j] += seconds if h[j] > limit else np.float32(0.0)


@njit(nogil=True, cache=True, error_model="numpy")
def note_tiles(  # type: ignore[no-untyped-def]
    tiles, first, last, h, deepest, seen, peak, arrivals, durations, arrival_depths, duration_depths, time, seconds
):
    """Note the water of some tiles at ``time``, standing for the ``seconds`` before it."""
    for t in range(first, last):
        a, b = tiles[t, 2], tiles[t, 3]
        for i in range(tiles[t, 0], tiles[t, 1]):
            _note_row(
                h[i, a:b], deepest[i, a:b], seen[i, a:b], peak[i, a:b], arrivals[:, i, a:b], durations[:, i, a:b], arrival_depths,
                duration_depths, time, seconds,
            )  # fmt: skip


def note_reference(  # type: ignore[no-untyped-def]
    h, deepest, seen, peak, arrivals, durations, arrival_depths, duration_depths, time, seconds
):
    """Do as `note_tiles` does to whole arrays, in plain numpy."""
    highest = deepest.astype(np.float32)
    higher = highest > seen
    seen[higher], peak[higher] = highest[higher], time
    for k, limit in enumerate(arrival_depths):
        arrivals[k][(h > limit) & (time < arrivals[k])] = time
    for k, limit in enumerate(duration_depths):
        durations[k][h > limit] += seconds


class Envelopes:
    """Time of the peak, times of arrival and durations of a run; does nothing unless it is wanted.

    Attributes
    ----------
    noted : float
        Seconds from the start of the last note.
    """

    def __init__(self, is_wanted: bool, state: GridState, tiles: Tiles, workers: Workers, begin: float = 0.0) -> None:
        self._is_wanted, self._state, self._tiles, self._workers = is_wanted, state, tiles, workers
        shape = state.h.shape if is_wanted else (1, 1)
        self.noted = begin
        self.seen: Float32 = np.zeros(shape, dtype=np.float32)
        self.peak: Float32 = np.full(shape, np.nan, dtype=np.float32)
        self.arrivals: Float32 = np.full((len(ARRIVALS), *shape), np.inf, dtype=np.float32)
        self.durations: Float32 = np.zeros((len(DURATIONS), *shape), dtype=np.float32)
        if is_wanted:
            self._note(begin)

    def __bool__(self) -> bool:
        return self._is_wanted

    def follow(self, time: float, is_due: bool) -> None:
        """Take note at ``time`` [s], where `PACE` has gone by or it is due, as before an output."""
        if time - self.noted >= PACE or (is_due and time > self.noted):
            self._note(time)

    def _note(self, time: float) -> None:
        s = self._state
        real = s.h.dtype.type
        self._workers.each(
            note_tiles, s.h, s.deepest, self.seen, self.peak, self.arrivals, self.durations, np.array(ARRIVALS, dtype=real),
            np.array(DURATIONS, dtype=real), np.float32(time), np.float32(time - self.noted),
        )  # fmt: skip
        self.noted = time

    def grids(self) -> dict[str, Float32]:
        """Return (R, C) float32 grids of seconds by name; NaN where water never came so deep."""
        if not self._is_wanted:
            return {}
        inside = self._state.inside
        found = {"peak_time": np.array(inside(self.peak))}
        for k, limit in enumerate(ARRIVALS):
            at = inside(self.arrivals[k])
            found[f"arrival_{limit:.2f}"] = np.where(np.isfinite(at), at, np.float32(np.nan))
        for k, limit in enumerate(DURATIONS):
            found[f"duration_{limit:.2f}"] = np.array(inside(self.durations[k]))
        return found
