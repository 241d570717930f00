"""Kernels for graphics processors that both engines have: soils, notes of times, sums, cells that travel.

Threads beside one another take columns beside one another, so that memory is read in whole lines; a block covers a strip of
`ROWS_EACH` rows of a tile. Nothing depends on the order in which threads come: maxima are the same in any order, and sums are kept
apart for each thread and added in one order. Products that two cells must agree on to the last bit are rounded on their own, as the
compiler for graphics processors would otherwise merge them into sums. No kernel has threads wait for one another.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np

# Small grids leave most of a device idle, which is no news; read when the compiler is imported.
os.environ.setdefault("NUMBA_CUDA_LOW_OCCUPANCY_WARNINGS", "0")

import numba
from numba import cuda as _cuda

from cimdesk.analysis.flood.soil_kernels import GREEN_AMPT, HORTON, green_ampt, horton

cuda: Any = _cuda
ROWS_EACH = 8
"""Rows of a column that a thread takes one after the other; tiles have a multiple of them."""


@cuda.jit(device=True)
def strip_of(tiles, tile, strip, column):  # type: ignore[no-untyped-def]
    """Return what a thread computes: row of the table of ``tiles``, column of the grid, first and end row; none beyond the tile.

    ``tile`` and ``strip`` are the numbers of its block, ``column`` its own in the tile.
    """
    first = tiles[tile, 0] + strip * ROWS_EACH
    last = min(first + ROWS_EACH, tiles[tile, 1])
    j = tiles[tile, 2] + column
    return tile, j, first, (last if j < tiles[tile, 3] else first)


def _plain_product(a, b):  # type: ignore[no-untyped-def]
    """Return a * b."""
    return a * b


def _single_product(a, b):  # type: ignore[no-untyped-def]
    """Return a * b of float32, rounded on its own."""
    return cuda.libdevice.fmul_rn(a, b)


def _double_product(a, b):  # type: ignore[no-untyped-def]
    """Return a * b of float64, rounded on its own."""
    return cuda.libdevice.dmul_rn(a, b)


@cache
def rounded_product(precision: str) -> Any:
    """Return the function of a device that multiplies two numbers of ``float32`` or ``float64`` and rounds them on their own."""
    is_simulated = bool(vars(numba.config)["ENABLE_CUDASIM"])
    return cuda.jit(device=True)(_plain_product if is_simulated else _single_product if precision == "float32" else _double_product)


@cuda.jit
def soil_cells(  # type: ignore[no-untyped-def]
    tiles, h, lo, fallen, share, classes, parameters, memory, came, taken, has_rain, model, seconds
):
    """Add the rain that fell in some seconds and take what the soil takes, as `soil_kernels.soil_tiles`."""
    t, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
    if first >= last:
        return
    rained = gone = 0.0
    for i in range(first, last):
        rain = fallen[i, j] * np.float64(share[i, j]) if has_rain else 0.0
        held = np.float64(h[i, j]) + np.float64(lo[i, j]) + rain
        if held <= 0.0:
            continue
        drunk = 0.0
        if model == HORTON:
            c = classes[i, j]
            drunk, since = horton(held, seconds, memory[i, j], parameters[c, 0], parameters[c, 1], parameters[c, 2])
            memory[i, j] = since
        elif model == GREEN_AMPT:
            c = classes[i, j]
            drunk = green_ampt(held, seconds, memory[i, j], parameters[c, 0], parameters[c, 1], parameters[c, 2])
            memory[i, j] += drunk
        after = held - drunk
        depth = h.dtype.type(after)
        h[i, j] = depth
        lo[i, j] = h.dtype.type(after - np.float64(depth))
        rained += rain
        gone += drunk
    came[tiles[t, 5], cuda.blockIdx.y, j - tiles[t, 2]] = rained
    taken[tiles[t, 5], cuda.blockIdx.y, j - tiles[t, 2]] = gone


@cuda.jit
def note_cells(  # type: ignore[no-untyped-def]
    tiles, h, deepest, seen, peak, arrivals, durations, arrival_depths, duration_depths, time, seconds
):
    """Note the water at ``time``, standing for the ``seconds`` before it, as `envelopes.note_tiles`."""
    _, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
    if first >= last:
        return
    for i in range(first, last):
        depth, highest = h[i, j], np.float32(deepest[i, j])
        if highest > seen[i, j]:
            peak[i, j] = time
            seen[i, j] = highest
        for n in range(arrival_depths.shape[0]):
            if depth > arrival_depths[n]:
                arrivals[n, i, j] = min(arrivals[n, i, j], time)
        for n in range(duration_depths.shape[0]):
            if depth > duration_depths[n]:
                durations[n, i, j] += seconds


@cuda.jit
def sum_strips(parts, sums):  # type: ignore[no-untyped-def]
    """Write the sums of ``parts`` (tiles, strips, columns) as (tiles, strips) float64, each in the order of its columns."""
    n = cuda.grid(1)
    if n >= sums.shape[0] * sums.shape[1]:
        return
    t, strip = n // sums.shape[1], n % sums.shape[1]
    total = 0.0
    for j in range(parts.shape[2]):
        total += parts[t, strip, j]
    sums[t, strip] = total


@cuda.jit
def gather(field, places, values, first):  # type: ignore[no-untyped-def]
    """Copy the cells at ``places`` (N, 2) into ``values``, from number ``first`` on."""
    n = cuda.grid(1)
    if n < places.shape[0]:
        values[first + n] = field[places[n, 0], places[n, 1]]


@cuda.jit
def scatter(field, places, values, first):  # type: ignore[no-untyped-def]
    """Put ``values``, from number ``first`` on, into the cells at ``places`` (N, 2)."""
    n = cuda.grid(1)
    if n < places.shape[0]:
        field[places[n, 0], places[n, 1]] = values[first + n]
