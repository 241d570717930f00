"""The inertial engine's step for graphics processors: the laws of `kernels`, a thread for some cells; see `cuda_kernels`."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from cimdesk.analysis.flood.cuda_kernels import cuda, rounded_product, strip_of
from cimdesk.analysis.flood.kernels import ARRIVAL_DEPTH, face_discharge, motion, outflow, seeped, settled, share_given


class StepKernels(NamedTuple):
    """The kernels of a step: new discharges, shares that cells can give, new water; for one precision."""

    flow: Any
    limit: Any
    settle: Any


def flow_cells(tiles, h, z, k, qx, qy, new_x, new_y, is_given, given, tile_depth, g_dt_dx, half_dt):  # type: ignore[no-untyped-def]
    """Write the new discharges through western and northern faces, and through the last faces of the grid."""
    t, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
    if first >= last:
        return
    if first == tiles[t, 0] and j == tiles[t, 2]:
        tile_depth[tiles[t, 5]] = np.float32(0.0)
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
    _, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
    if first >= last:
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
        t, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
        if first >= last:
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


@cache
def step_kernels(precision: str) -> StepKernels:
    """Return the kernels of a step for ``float32`` or ``float64``."""
    return StepKernels(cuda.jit(flow_cells), cuda.jit(limit_cells), cuda.jit(_settle_cells(rounded_product(precision))))
