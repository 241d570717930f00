"""The inertial engine's step for graphics processors: the laws of `kernels` and `soil_kernels`, a thread for some cells.

Threads beside one another take columns beside one another, so that memory is read in whole lines; a block covers a strip of
`ROWS_EACH` rows of a tile. Nothing depends on the order in which threads come: maxima are the same in any order, and sums are kept
apart for each thread and added in one order. Products that two cells must agree on to the last bit are rounded on their own, as the
compiler for graphics processors would otherwise merge them into sums.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, NamedTuple

import numpy as np

# Small grids leave most of a device idle, which is no news; read when the compiler is imported.
os.environ.setdefault("NUMBA_CUDA_LOW_OCCUPANCY_WARNINGS", "0")

import numba
from numba import cuda as _cuda

from cimdesk.analysis.flood.kernels import (
    ARRIVAL_DEPTH,
    face_discharge,
    motion,
    outflow,
    seeped,
    settled,
    share_given,
)
from cimdesk.analysis.flood.soil_kernels import GREEN_AMPT, HORTON, green_ampt, horton

cuda: Any = _cuda
ROWS_EACH = 8
"""Rows of a column that a thread takes one after the other; tiles have a multiple of them."""


def _plain_product(a, b):  # type: ignore[no-untyped-def]
    """Return a * b."""
    return a * b


def _single_product(a, b):  # type: ignore[no-untyped-def]
    """Return a * b of float32, rounded on its own."""
    return cuda.libdevice.fmul_rn(a, b)


def _double_product(a, b):  # type: ignore[no-untyped-def]
    """Return a * b of float64, rounded on its own."""
    return cuda.libdevice.dmul_rn(a, b)


class StepKernels(NamedTuple):
    """The kernels of a step: new discharges, shares that cells can give, new water; for one precision."""

    flow: Any
    limit: Any
    settle: Any


def flow_cells(tiles, h, z, k, qx, qy, new_x, new_y, is_given, given, tile_depth, g_dt_dx, half_dt):  # type: ignore[no-untyped-def]
    """Write the new discharges through western and northern faces, and through the last faces of the grid."""
    t = cuda.blockIdx.z
    j = tiles[t, 2] + cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    first = tiles[t, 0] + cuda.blockIdx.y * ROWS_EACH
    last = min(first + ROWS_EACH, tiles[t, 1])
    if cuda.blockIdx.x == 0 and cuda.blockIdx.y == 0 and cuda.threadIdx.x == 0:
        tile_depth[tiles[t, 5]] = np.float32(0.0)
    if j >= tiles[t, 3]:
        return
    rows, columns = h.shape[0] - 3, h.shape[1] - 3
    for i in range(first, last):
        if j == 1 and is_given[0]:
            new_x[i, j] = given[0, i]
        else:
            new_x[i, j] = face_discharge(
                h[i, j - 1], h[i, j], z[i, j - 1], z[i, j], k[i, j - 1], k[i, j], qx[i, j - 1], qx[i, j], qx[i, j + 1],
                (qy[i, j - 1] + qy[i, j]) + (qy[i + 1, j - 1] + qy[i + 1, j]), g_dt_dx, half_dt,
            )  # fmt: skip
        if i == 1 and is_given[2]:
            new_y[i, j] = given[2, j]
        else:
            new_y[i, j] = face_discharge(
                h[i - 1, j], h[i, j], z[i - 1, j], z[i, j], k[i - 1, j], k[i, j], qy[i - 1, j], qy[i, j], qy[i + 1, j],
                (qx[i - 1, j] + qx[i, j]) + (qx[i - 1, j + 1] + qx[i, j + 1]), g_dt_dx, half_dt,
            )  # fmt: skip
        # Beyond the last faces is the closed ring: nothing passes but what is given.
        if j == columns and is_given[1]:
            new_x[i, j + 1] = given[1, i]
        if i == rows and is_given[3]:
            new_y[i + 1, j] = given[3, j]


def limit_cells(tiles, h, new_x, new_y, limits, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Write the share of its outflow that each cell can give."""
    t = cuda.blockIdx.z
    j = tiles[t, 2] + cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    first = tiles[t, 0] + cuda.blockIdx.y * ROWS_EACH
    last = min(first + ROWS_EACH, tiles[t, 1])
    if j >= tiles[t, 3]:
        return
    real = h.dtype.type
    for i in range(first, last):
        out = real(outflow(new_x[i, j], new_x[i, j + 1], new_y[i, j], new_y[i + 1, j], dt_dx))
        limits[i, j] = share_given(keep * h[i, j], out)


def _settle_cells(product: Any) -> Any:
    """Return the kernel that brings water, discharges and running maxima to the new time, with this ``product``."""

    def settle_cells(  # type: ignore[no-untyped-def]
        tiles, h, lo, qx, qy, new_x, new_y, limits, rain_share, deepest, speed2, discharge2, arrival, tile_depth, taken,
        dt_dx, rain, loss, time, is_noted,
    ):  # fmt: skip
        t = cuda.blockIdx.z
        j = tiles[t, 2] + cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        first = tiles[t, 0] + cuda.blockIdx.y * ROWS_EACH
        last = min(first + ROWS_EACH, tiles[t, 1])
        if j >= tiles[t, 3]:
            return
        rows, columns = h.shape[0] - 3, h.shape[1] - 3
        real = h.dtype.type
        zero = real(0.0)
        most, gone = np.float32(0.0), 0.0
        for i in range(first, last):
            # A face gives what the cell it comes from can; both of its cells compute the same.
            own = limits[i, j]
            west, east, north, south = new_x[i, j], new_x[i, j + 1], new_y[i, j], new_y[i + 1, j]
            west = product(west, limits[i, j - 1] if west > zero else own)
            east = product(east, own if east > zero else limits[i, j + 1])
            north = product(north, limits[i - 1, j] if north > zero else own)
            south = product(south, own if south > zero else limits[i + 1, j])
            fallen = product(rain, rain_share[i, j]) if rain > zero else zero
            depth, rest = settled(
                h[i, j], lo[i, j], product(west, dt_dx), product(east, dt_dx), product(north, dt_dx), product(south, dt_dx), fallen
            )
            # The simulator hands on doubles: each law gets the precision of the run.
            if loss > zero:
                depth, rest, seeps = seeped(real(depth), real(rest), loss)
                gone += seeps
            h[i, j], lo[i, j], qx[i, j], qy[i, j] = depth, rest, west, north
            if j == columns:
                qx[i, j + 1] = east
            if i == rows:
                qy[i + 1, j] = south
            most = max(most, np.float32(depth))
            if is_noted:
                v2, q2 = motion(real(depth), west, east, north, south)
                deepest[i, j] = max(deepest[i, j], real(depth))
                speed2[i, j] = max(speed2[i, j], v2)
                discharge2[i, j] = max(discharge2[i, j], q2)
                if real(depth) > real(ARRIVAL_DEPTH):
                    arrival[i, j] = min(arrival[i, j], time)
        # Most threads see that another has noted as much already.
        if most > tile_depth[tiles[t, 5]]:
            cuda.atomic.max(tile_depth, tiles[t, 5], most)
        if loss > zero:
            taken[tiles[t, 5], cuda.blockIdx.y, j - tiles[t, 2]] = gone

    return settle_cells


@cuda.jit
def soil_cells(  # type: ignore[no-untyped-def]
    tiles, h, lo, fallen, share, classes, parameters, memory, came, taken, has_rain, model, seconds
):
    """Add the rain that fell in some seconds and take what the soil takes, as `soil_kernels.soil_tiles`."""
    t = cuda.blockIdx.z
    j = tiles[t, 2] + cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    first = tiles[t, 0] + cuda.blockIdx.y * ROWS_EACH
    last = min(first + ROWS_EACH, tiles[t, 1])
    if j >= tiles[t, 3]:
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
    t = cuda.blockIdx.z
    j = tiles[t, 2] + cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    first = tiles[t, 0] + cuda.blockIdx.y * ROWS_EACH
    last = min(first + ROWS_EACH, tiles[t, 1])
    if j >= tiles[t, 3]:
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
    n = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
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
    n = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if n < places.shape[0]:
        values[first + n] = field[places[n, 0], places[n, 1]]


@cuda.jit
def scatter(field, places, values, first):  # type: ignore[no-untyped-def]
    """Put ``values``, from number ``first`` on, into the cells at ``places`` (N, 2)."""
    n = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if n < places.shape[0]:
        field[places[n, 0], places[n, 1]] = values[first + n]


@cache
def step_kernels(precision: str) -> StepKernels:
    """Return the kernels of a step for ``float32`` or ``float64``."""
    single_or_double = _single_product if precision == "float32" else _double_product
    is_simulated = bool(vars(numba.config)["ENABLE_CUDASIM"])
    product = cuda.jit(device=True)(_plain_product if is_simulated else single_or_double)
    return StepKernels(cuda.jit(flow_cells), cuda.jit(limit_cells), cuda.jit(_settle_cells(product)))
