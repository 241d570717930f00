"""The water of a run on a graphics processor, and what goes back and forth between it and the arrays that all else looks at.

The arrays of `GridState` stay where they are, but what they hold is of the moment they were last fetched. After each step only
the few cells come back that something outside the grid looks at, such as inlets, gauges and open edges; before the next one those
that it may have changed go there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.analysis.flood import cuda_kernels
from cimdesk.analysis.flood.cuda_kernels import ROWS_EACH, cuda
from cimdesk.analysis.flood.grid import TILE_COLUMNS, TILE_ROWS, GridState, Tiles
from cimdesk.base.arrays import AnyArray, Float

WATER = ("h", "lo", "qx", "qy")
MAXIMA = ("deepest", "speed2", "discharge2", "arrival")
FIXED = ("z", "k", "rain_share")
STRIPS = TILE_ROWS // ROWS_EACH
BLOCK = 128
"""Threads of a block."""


class Links:
    """Cells of some arrays whose values go back or forth together in one piece.

    Parameters
    ----------
    places : mapping of array name to (N, 2) int
        Row and column in the padded arrays.
    """

    def __init__(self, places: dict[str, AnyArray], real: Any) -> None:
        self._places = {name: np.ascontiguousarray(cells, dtype=np.int32) for name, cells in places.items() if len(cells)}
        count = sum(len(cells) for cells in self._places.values())
        self._values = np.zeros(count, dtype=real)
        self._on_device = {name: cuda.to_device(cells) for name, cells in self._places.items()}
        self._device_values = cuda.to_device(self._values)

    def fetch(self, fields: dict[str, Any], hosts: dict[str, AnyArray]) -> None:
        """Bring the cells from the device into the arrays of the same names."""
        if not len(self._values):
            return
        first = 0
        for name, places in self._on_device.items():
            _over(cuda_kernels.gather, len(places))(fields[name], places, self._device_values, first)
            first += len(places)
        self._device_values.copy_to_host(self._values)
        first = 0
        for name, cells in self._places.items():
            hosts[name][cells[:, 0], cells[:, 1]] = self._values[first : first + len(cells)]
            first += len(cells)

    def send(self, fields: dict[str, Any], hosts: dict[str, AnyArray]) -> None:
        """Bring the cells from the arrays of the same names to the device."""
        if not len(self._values):
            return
        first = 0
        for name, cells in self._places.items():
            self._values[first : first + len(cells)] = hosts[name][cells[:, 0], cells[:, 1]]
            first += len(cells)
        self._device_values.copy_to_device(self._values)
        first = 0
        for name, places in self._on_device.items():
            _over(cuda_kernels.scatter, len(places))(fields[name], places, self._device_values, first)
            first += len(places)


class DeviceWater:
    """The arrays of a `GridState` on the device, from the first step until the run is over.

    Attributes
    ----------
    fields : dict of name to device array
        Empty while the run has not begun.
    """

    def __init__(self, state: GridState, tiles: Tiles) -> None:
        self._state, self._tiles = state, tiles
        self.fields: dict[str, Any] = {}
        self._stale: set[str] = set()
        self._shown: AnyArray | None = None
        self._active: Any = None
        self._sent: dict[str, Links] = {}
        self._fetched: dict[str, Links] = {}

    @property
    def is_loaded(self) -> bool:
        """Whether the water is on the device."""
        return bool(self.fields)

    def load(self, to_fetch: dict[str, AnyArray], to_send: dict[str, AnyArray], beside: dict[str, float]) -> None:
        """Bring everything to the device; name the cells that come back after each step, and those that go there before it.

        ``beside`` are names of more arrays, and what they are full of when they begin.
        """
        state = self._state
        self.fields = {name: cuda.to_device(getattr(state, name)) for name in (*WATER, *MAXIMA, *FIXED)}
        self.fields |= {name: cuda.to_device(state.another(fill)) for name, fill in beside.items()}
        self._fetched, self._sent = (
            {"": Links(places, state.h.dtype)} if any(len(p) for p in places.values()) else {} for places in (to_fetch, to_send)
        )
        self._stale.clear()
        self._shown = None

    def release(self) -> None:
        """Fetch everything and give the memory of the device back."""
        self.fetch()
        self.fields, self._active, self._sent, self._fetched = {}, None, {}, {}
        self._shown = None

    def each(self, kernel: Any, *arguments: Any) -> None:
        """Run a kernel over the active tiles."""
        active = self._tiles.active
        if not len(active):
            return
        if self._shown is not active:
            self._shown, self._active = active, cuda.to_device(np.ascontiguousarray(active))
        rows, columns = (int((active[:, n + 1] - active[:, n]).max()) for n in (0, 2))
        threads = min(BLOCK, columns)
        grid = (-(-columns // threads), -(-rows // ROWS_EACH), len(active))
        kernel[grid, threads](self._active, *arguments)

    def send_links(self) -> None:
        """Bring the cells to the device that may have been changed since the step before."""
        for links in self._sent.values():
            links.send(self.fields, vars(self._state))

    def stepped(self, has_maxima: bool) -> None:
        """Be told that the water on the device has changed; bring back the cells that are looked at."""
        self._stale.update(WATER)
        if has_maxima:
            self._stale.update(MAXIMA)
        self.fetch_links()

    def fetch_links(self) -> None:
        """Bring back the cells that are looked at."""
        for links in self._fetched.values():
            links.fetch(self.fields, vars(self._state))

    def fetch(self, *names: str) -> None:
        """Bring the arrays of the state up to date: those of these names, or all."""
        for name in sorted(self._stale & set(names or self._stale)):
            self.fields[name].copy_to_host(getattr(self._state, name))
            self._stale.discard(name)


def strip_sums(count: int) -> tuple[Any, Any]:
    """Return device arrays for sums over the strips of ``count`` tiles: those of threads, and those of strips."""
    return (
        cuda.to_device(np.zeros((count, STRIPS, TILE_COLUMNS))),
        cuda.to_device(np.zeros((count, STRIPS))),
    )


def tile_sums(parts: Any, sums: Any) -> Float:
    """Return the (tiles,) float64 sums of what the threads noted, always added in the same order."""
    _over(cuda_kernels.sum_strips, sums.shape[0] * sums.shape[1])(parts, sums)
    return np.asarray(sums.copy_to_host().sum(axis=1))


def _over(kernel: Any, count: int) -> Any:
    threads = min(BLOCK, count)
    return kernel[-(-count // threads), threads]
