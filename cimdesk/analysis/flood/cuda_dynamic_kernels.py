"""The dynamic engine's stages for graphics processors: the laws of `dynamic_laws`, a thread for some cells; see `cuda_kernels`.

Every face is computed once, by the cell east or south of it, and what passes it is kept for the cells on both sides: however a
device merges products into sums, no water is made there. Where a cell gives more than it holds, it and its neighbours find the
same surplus and correct themselves, in the order in which processors do it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from cimdesk.analysis.flood.cuda_kernels import cuda, rounded_product, strip_of
from cimdesk.analysis.flood.dynamic_laws import (
    THIN_DEPTH,
    blended,
    face_between,
    given_flux,
    level_slope,
    staged,
    surplus_given,
    wave_speed,
)
from cimdesk.analysis.flood.kernels import ARRIVAL_DEPTH, motion, outflow, seeped, two_sum


class StageKernels(NamedTuple):
    """The kernels of a time step: fluxes through faces, first stage, last stage, outflows cut to what there is."""

    face: Any
    advance: Any
    finish: Any
    repair: Any


@cuda.jit(device=True)
def pass_face(h, z, along, across, faces, edges, is_given, given, stage, gravity, axis, i, j):  # type: ignore[no-untyped-def]
    """Write what passes the face west (``axis`` 0) or north (1) of a cell; discharges go along that axis and across it."""
    f, last = (i, h.shape[0] - 3) if axis else (j, h.shape[1] - 3)
    down, right = axis, 1 - axis
    back, ahead = max(f - 2, 0) - f, min(f + 1, last + 1) - f
    ai, aj, bi, bj, di, dj = i + back * down, j + back * right, i - down, j - right, i + ahead * down, j + ahead * right
    mass, low, high, shear = face_between(
        h[ai, aj], h[bi, bj], h[i, j], h[di, dj], z[ai, aj], z[bi, bj], z[i, j], z[di, dj],
        along[ai, aj], along[bi, bj], along[i, j], along[di, dj], across[ai, aj], across[bi, bj], across[i, j], across[di, dj],
        f == 1, f == last + 1, gravity,
    )  # fmt: skip
    faces[axis, 0, i, j], faces[axis, 1, i, j], faces[axis, 2, i, j], faces[axis, 3, i, j] = mass, low, high, shear
    if f == 1 or f == last + 1:
        edge, k = 2 * axis + (0 if f == 1 else 1), j if axis else i
        if is_given[edge]:
            # The cell within the grid, on this side of the face or on the other.
            ci, cj = (i, j) if f == 1 else (bi, bj)
            mass, low = given_flux(given[edge, k], h[ci, cj], z[ci, cj], gravity)
            faces[axis, 0, i, j], faces[axis, 1, i, j], faces[axis, 2, i, j], faces[axis, 3, i, j] = mass, low, low, 0.0
        edges[stage, edge, k] = faces[axis, 0, i, j]


def face_cells(  # type: ignore[no-untyped-def]
    tiles, h, z, qx, qy, faces, edges, is_given, given, flags, tile_wet, tile_speed, stage, gravity
):
    """Write the fluxes through western and northern faces, and through the last faces of the grid.

    ``faces`` (2, 4, R + 3, C + 3) are those of `face_fluxes`, western then northern; ``edges`` (2, 4, n) keep the mass that
    passes the edges in each stage. Edges that ``is_given`` (4,) names take the discharges ``given`` (4, n).
    """
    t, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
    if first >= last:
        return
    rows, columns = h.shape[0] - 3, h.shape[1] - 3
    if j == tiles[t, 2]:
        for i in range(first, last):
            flags[i, tiles[t, 4]] = 0
        if first == tiles[t, 0]:
            tile_wet[tiles[t, 5]] = 0
            tile_speed[tiles[t, 5]] = 0
    for i in range(first, last):
        for f in range(j, j + 2 if j == columns else j + 1):
            pass_face(h, z, qx, qy, faces, edges, is_given, given, stage, gravity, 0, i, f)
    for f in range(first, last + 1 if last == rows + 1 else last):
        pass_face(h, z, qy, qx, faces, edges, is_given, given, stage, gravity, 1, f, j)


def _stage_cell(product: Any) -> Any:
    """Return the function of a device that gives the water of a cell after a stage, with this ``product``."""

    def stage_cell(h, lo, qx, qy, z, k, faces, i, j, dt_dx, dt, gravity):  # type: ignore[no-untyped-def]
        real = h.dtype.type
        dex = level_slope(h[i, j - 1], h[i, j], h[i, j + 1], z[i, j - 1], z[i, j], z[i, j + 1])
        dey = level_slope(h[i - 1, j], h[i, j], h[i + 1, j], z[i - 1, j], z[i, j], z[i + 1, j])
        # The simulator hands on doubles: each law gets the precision of the run.
        return staged(
            h[i, j], lo[i, j], qx[i, j], qy[i, j], k[i, j],
            product(faces[0, 0, i, j], dt_dx), product(faces[0, 0, i, j + 1], dt_dx),
            product(faces[1, 0, i, j], dt_dx), product(faces[1, 0, i + 1, j], dt_dx), real(dex), real(dey),
            faces[0, 1, i, j + 1], faces[0, 2, i, j], faces[1, 3, i, j], faces[1, 3, i + 1, j],
            faces[1, 1, i + 1, j], faces[1, 2, i, j], faces[0, 3, i, j], faces[0, 3, i, j + 1], dt_dx, dt, gravity,
        )  # fmt: skip

    return cuda.jit(device=True)(stage_cell)


@cuda.jit(device=True)
def is_overdrawn(h, faces, i, j, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Return whether a cell gives more than it holds."""
    out = outflow(faces[0, 0, i, j], faces[0, 0, i, j + 1], faces[1, 0, i, j], faces[1, 0, i + 1, j], dt_dx)
    return out > keep * h[i, j]


def _advance_cells(stage_cell: Any) -> Any:
    """Return the kernel of the first stage, a whole explicit step to other arrays."""

    def advance_cells(  # type: ignore[no-untyped-def]
        tiles, h, lo, qx, qy, z, k, faces, h_to, lo_to, qx_to, qy_to, flags, dt_dx, dt, gravity, keep
    ):
        t, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
        for i in range(first, last):
            depth, rest, x, y = stage_cell(h, lo, qx, qy, z, k, faces, i, j, dt_dx, dt, gravity)
            h_to[i, j], lo_to[i, j], qx_to[i, j], qy_to[i, j] = depth, rest, x, y
            if is_overdrawn(h, faces, i, j, dt_dx, keep):
                flags[i, tiles[t, 4]] = 1

    return advance_cells


def _finish_cells(stage_cell: Any, product: Any) -> Any:
    """Return the kernel of the last stage: the mean with the start, rain and infiltration, running maxima."""

    def finish_cells(  # type: ignore[no-untyped-def]
        tiles, h_mid, lo_mid, qx_mid, qy_mid, z, k, faces, h, lo, qx, qy, flags, rain_share, deepest, speed2, discharge2, arrival,
        tile_wet, tile_speed, taken, dt_dx, dt, gravity, keep, rain, loss, time,
    ):  # fmt: skip
        t, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
        if first >= last:
            return
        real = h.dtype.type
        zero = real(0.0)
        fastest, gone, is_wet = zero, 0.0, False
        for i in range(first, last):
            d, r, x, y = stage_cell(h_mid, lo_mid, qx_mid, qy_mid, z, k, faces, i, j, dt_dx, dt, gravity)
            if is_overdrawn(h_mid, faces, i, j, dt_dx, keep):
                flags[i, tiles[t, 4]] = 1
            fallen = product(rain, rain_share[i, j])
            d, r, x, y = blended(h[i, j], lo[i, j], qx[i, j], qy[i, j], real(d), real(r), real(x), real(y), fallen)
            is_wet = is_wet or d > zero
            if loss > zero:
                d, r, seeps = seeped(real(d), real(r), loss)
                gone += seeps
            h[i, j], lo[i, j], qx[i, j], qy[i, j] = d, r, x, y
            depth, x, y = real(d), real(x), real(y)
            fastest = max(fastest, real(wave_speed(depth, x, y, gravity)))
            v2, q2 = motion(depth, x, x, y, y)
            deepest[i, j] = max(deepest[i, j], depth)
            speed2[i, j] = max(speed2[i, j], v2)
            discharge2[i, j] = max(discharge2[i, j], q2)
            if depth > real(ARRIVAL_DEPTH):
                arrival[i, j] = min(arrival[i, j], time)
        # Most threads see that another has noted as much already.
        if is_wet and tile_wet[tiles[t, 5]] == 0:
            tile_wet[tiles[t, 5]] = 1
        if fastest > tile_speed[tiles[t, 5]]:
            cuda.atomic.max(tile_speed, tiles[t, 5], fastest)
        if loss > zero:
            taken[tiles[t, 5], cuda.blockIdx.y, j - tiles[t, 2]] = gone

    return finish_cells


def _repair_cells(product: Any) -> Any:
    """Return the kernel that does what `dynamic_kernels.repair` does, from the side of the cells that give and take."""

    def repair_cells(  # type: ignore[no-untyped-def]
        tiles, flags, h, qx, qy, faces, h_to, lo_to, qx_to, qy_to, edges, stage, share, dt_dx, keep
    ):
        t, j, first, last = strip_of(tiles, cuda.blockIdx.z, cuda.blockIdx.y, cuda.grid(1))
        rows, columns = h.shape[0] - 3, h.shape[1] - 3
        real = h.dtype.type
        zero, one = real(0.0), real(1.0)
        for i in range(first, last):
            n = tiles[t, 4]
            if not (flags[i, n] or flags[i - 1, n] or flags[i + 1, n] or flags[i, n - 1] or flags[i, n + 1]):
                continue
            depth, rest, x, y, is_changed = h_to[i, j], lo_to[i, j], qx_to[i, j], qy_to[i, j], False
            # Processors go tile by tile: north, west, the cell, east and south, but the other tile's first or last.
            west_first, south_first = j == tiles[t, 2] and i > tiles[t, 0], j == tiles[t, 3] - 1 and i < tiles[t, 1] - 1
            for turn in range(5):
                who = turn
                if turn < 2 and west_first:
                    who = 1 - turn
                if turn > 2 and south_first:
                    who = 7 - turn
                a = i - 1 if who == 0 else (i + 1 if who == 4 else i)
                b = j - 1 if who == 1 else (j + 1 if who == 3 else j)
                if a < 1 or b < 1 or a > rows or b > columns:
                    continue
                west, east, north, south = faces[0, 0, a, b], faces[0, 0, a, b + 1], faces[1, 0, a, b], faces[1, 0, a + 1, b]
                surplus = real(surplus_given(h[a, b], west, east, north, south, dt_dx, keep))
                if surplus <= zero:
                    continue
                over = one / max(h[a, b], real(THIN_DEPTH))
                u, v = qx[a, b] * over, qy[a, b] * over
                for side in range(4):
                    # Of a neighbour, only what it sent here.
                    if who != 2 and side != (3 if who == 0 else (1 if who == 1 else (0 if who == 3 else 2))):
                        continue
                    flow = max(-west if side == 0 else (east if side == 1 else (-north if side == 2 else south)), zero)
                    back = product(share * surplus * flow, dt_dx)
                    if back <= zero:
                        continue
                    if who != 2:
                        back = -back
                    d, r = two_sum(depth, rest + back)
                    depth, rest, is_changed = real(d), real(r), True
                    x += product(back, u)
                    y += product(back, v)
                    if who == 2:
                        if (side == 0 and j == 1) or (side == 1 and j == columns):
                            edges[stage, side, i] *= one - surplus
                        if (side == 2 and i == 1) or (side == 3 and i == rows):
                            edges[stage, side, j] *= one - surplus
            if is_changed:
                h_to[i, j], lo_to[i, j], qx_to[i, j], qy_to[i, j] = depth, rest, x, y

    return repair_cells


@cache
def stage_kernels(precision: str) -> StageKernels:
    """Return the kernels of a time step for ``float32`` or ``float64``."""
    product = rounded_product(precision)
    stage_cell = _stage_cell(product)
    return StageKernels(
        cuda.jit(face_cells), cuda.jit(_advance_cells(stage_cell)), cuda.jit(_finish_cells(stage_cell, product)),
        cuda.jit(_repair_cells(product)),
    )  # fmt: skip
