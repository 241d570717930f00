"""One step of the inertial engine in a single pass over the water, in place.

Rows go through fluxes, outflow limits and new depths one behind the other, so every array is read and written once. Only a few
rows of old and new values are held beside, in buffers that stay in the fastest cache. What tiles see of their neighbours is
copied before any of them changes (`keep_seams`); what both sides of a seam compute is the same to the last bit, so neither the
tiles nor the threads matter. The row functions and the layout of the arrays are those of `kernels`.
"""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.compiled import uncounted
from cimdesk.analysis.flood.kernels import (
    deepest_row,
    envelope_row,
    flux_row,
    infiltrate_row,
    limits_row,
    overdrawn_row,
    scale_row,
    update_row,
)
from cimdesk.base.compiled import njit

BEFORE, AFTER = 2, 3
"""Rows or columns on either side of a seam that its neighbours read."""
SEAM = BEFORE + AFTER
WIDEST = 4096
"""Columns swept together at most: long rows keep the memory streaming, and the buffers still fit the second cache."""
_DEPTH, _EAST, _SOUTH = 0, 1, 2
"""Of the old values: depth and both discharges."""


@njit(nogil=True, cache=True)
def keep_seams(tiles, first, last, h, qx, qy, row_seams, column_seams):  # type: ignore[no-untyped-def]
    """Copy the water beside the seams around some tiles.

    ``row_seams[r, v]`` (5, C + 3) is depth or a discharge in the two rows before and the three after the upper seam of tile row
    ``r``; ``column_seams[c, v]`` (R + 3, 5) the same about the western seam of tile column ``c``.
    """
    rows, columns = h.shape[0] - 3, h.shape[1] - 3
    across = column_seams.shape[0]
    for t in range(first, last):
        i0, i1, j0, j1 = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3]
        c = tiles[t, 4] - 1
        r = (tiles[t, 5] - c) // across
        a, b = 0 if j0 == 1 else j0, columns + 3 if j1 == columns + 1 else j1
        end = i1 + 1 if i1 == rows + 1 else i1
        for v, field in enumerate((h, qx, qy)):
            if i0 > 1:
                row_seams[r, v, BEFORE:, a:b] = field[i0 : i0 + AFTER, a:b]
            if i1 <= rows:
                row_seams[r + 1, v, :BEFORE, a:b] = field[i1 - BEFORE : i1, a:b]
            if j0 > 1:
                column_seams[c, v, i0:end, BEFORE:] = field[i0:end, j0 : j0 + AFTER]
            if j1 <= columns:
                column_seams[c + 1, v, i0:end, :BEFORE] = field[i0:end, j1 - BEFORE : j1]


@njit(nogil=True, cache=True)
def _copy(into, values):  # type: ignore[no-untyped-def]
    """Copy a row: ten times as quick as an assignment of slices, which expects them to overlap."""
    for j in range(into.shape[0]):
        into[j] = values[j]


@njit(nogil=True, cache=True)
def _load(into, v, field, row_seams, column_seams, i, run):  # type: ignore[no-untyped-def]
    """Read a row of old values of a run of tiles, two columns before it to three after, from the grid or the seams around."""
    i0, i1, j0, j1, r, c0, c1 = run
    rows, columns = field.shape[0] - 3, field.shape[1] - 3
    base = j0 - BEFORE
    a, b = max(base, 0), min(j1 + AFTER, columns + 3)
    if 1 <= i < i0:
        _copy(into[a - base : b - base], row_seams[r, v, i - i0 + BEFORE, a:b])
    elif i >= i1 and i1 <= rows:
        _copy(into[a - base : b - base], row_seams[r + 1, v, i - i1 + BEFORE, a:b])
    else:
        _copy(into[BEFORE : j1 - base], field[i, j0:j1])
        if j0 == 1:
            into[BEFORE - 1] = field[i, 0]
        else:
            _copy(into[:BEFORE], column_seams[c0, v, i, :BEFORE])
        if j1 == columns + 1:
            _copy(into[j1 - base : b - base], field[i, j1:b])
        else:
            _copy(into[j1 - base : b - base], column_seams[c1, v, i, BEFORE:])


@njit(nogil=True, cache=True)
def _flow_south(old, new, z, k, i, base, a, b, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Advance the discharge through the northern faces of a row."""
    up, at, down, p, q = (i - 1) & 3, i & 3, (i + 1) & 3, a - base, b - base
    depth, east, south = old[_DEPTH], old[_EAST], old[_SOUTH]
    flux_row(
        depth[up, p:q], depth[at, p:q], z[i - 1, a:b], z[i, a:b], k[i - 1, a:b], k[i, a:b],
        south[up, p:q], south[at, p:q], south[down, p:q],
        east[up, p:q], east[at, p:q], east[up, p + 1 : q + 1], east[at, p + 1 : q + 1], new[at, p:q], g_dt_dx, dt,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _flow_east(old, new, z, k, i, base, a, b, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Advance the discharge through the western faces of a row."""
    at, down, p, q = i & 3, (i + 1) & 3, a - base, b - base
    depth, east, south = old[_DEPTH], old[_EAST], old[_SOUTH]
    flux_row(
        depth[at, p - 1 : q - 1], depth[at, p:q], z[i, a - 1 : b - 1], z[i, a:b], k[i, a - 1 : b - 1], k[i, a:b],
        east[at, p - 1 : q - 1], east[at, p:q], east[at, p + 1 : q + 1],
        south[at, p - 1 : q - 1], south[at, p:q], south[down, p - 1 : q - 1], south[down, p:q], new[at, p:q], g_dt_dx, dt,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _flow(old, new_x, new_y, z, k, is_given, given, i, run, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Write the new discharges of a row of faces of each kind, one cell beyond the run on either side; given ones at edges."""
    i1, j0, j1 = run[1], run[2], run[3]
    rows, columns = z.shape[0] - 3, z.shape[1] - 3
    base = j0 - BEFORE
    a, b = max(j0 - 1, 1), min(j1, columns) + 1
    if 1 <= i <= rows + 1:
        _flow_south(old, new_y, z, k, i, base, a, b, g_dt_dx, dt)
        if is_given[2] and i == 1:
            new_y[1, a - base : b - base] = given[2, a:b]
        if is_given[3] and i == rows + 1:
            new_y[i & 3, a - base : b - base] = given[3, a:b]
    else:
        new_y[i & 3] = 0.0
    if 1 <= i <= rows and i <= i1:
        _flow_east(old, new_x, z, k, i, base, a, min(j1, columns) + 2, g_dt_dx, dt)
        if is_given[0] and a == 1:
            new_x[i & 3, 1 - base] = given[0, i]
        if is_given[1] and b == columns + 1:
            new_x[i & 3, b - base] = given[1, i]
    else:
        new_x[i & 3] = 0.0


@njit(nogil=True, cache=True)
def _limit(old, new_x, new_y, limits, is_tight, i, run, rows, columns, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Scale what leaves the cells of a row to what they hold; the row before it has its limits already."""
    i0, i1, j0, j1 = run[0], run[1], run[2], run[3]
    base = j0 - BEFORE
    p, q = max(j0 - 1, 1) - base, min(j1, columns) + 1 - base
    at, down = i & 3, (i + 1) & 3
    h, west, east = old[_DEPTH, at, p:q], new_x[at, p:q], new_x[at, p + 1 : q + 1]
    was_tight, is_tight[at] = is_tight[at], False
    # What comes from beyond the grid has no limit.
    if 1 <= i <= rows and overdrawn_row(h, west, east, new_y[at, p:q], new_y[down, p:q], dt_dx, keep) > 0:
        limits_row(h, west, east, new_y[at, p:q], new_y[down, p:q], limits[at, p:q], dt_dx, keep)
        is_tight[at] = True
    elif was_tight:
        limits[at] = 1.0
    p, q = BEFORE, j1 - base
    if i >= i0 and (is_tight[at] or is_tight[(i - 1) & 3]):
        scale_row(new_y[at, p:q], limits[(i - 1) & 3, p:q], limits[at, p:q])
    if i0 <= i < i1 and is_tight[at]:
        scale_row(new_x[at, p : q + 1], limits[at, p - 1 : q], limits[at, p : q + 1])


@njit(nogil=True, cache=True)
def _settle(  # type: ignore[no-untyped-def]
    h, lo, qx, qy, new_x, new_y, rain_share, envelopes, i, run, tiles, tile_depth, tile_loss, dt_dx, rain, loss, time, is_noted,
):  # fmt: skip
    """Bring depths, discharges and, where asked, running maxima of a row of ``tiles`` to the new time."""
    j0, j1 = run[2], run[3]
    rows, columns = h.shape[0] - 3, h.shape[1] - 3
    p, q, e = BEFORE, BEFORE + j1 - j0, j1 + 1 if j1 == columns + 1 else j1
    at, down = i & 3, (i + 1) & 3
    west, east, north, south = new_x[at, p:q], new_x[at, p + 1 : q + 1], new_y[at, p:q], new_y[down, p:q]
    depth = h[i, j0:j1]
    # Without rain its shares are not even read; any finite row does in their place.
    update_row(depth, lo[i, j0:j1], west, east, north, south, rain_share[i, j0:j1] if rain > 0.0 else west, dt_dx, rain)
    for t in range(tiles.shape[0]):
        a, b, number = tiles[t, 2], tiles[t, 3], tiles[t, 5]
        if loss > 0.0:
            tile_loss[number] += infiltrate_row(h[i, a:b], lo[i, a:b], loss)
        tile_depth[number] = max(tile_depth[number], deepest_row(h[i, a:b]))
    _copy(qx[i, j0:e], new_x[at, p : p + e - j0])
    _copy(qy[i, j0:j1], north)
    if i == rows:
        _copy(qy[i + 1, j0:j1], south)
    if is_noted:
        deepest, speed2, discharge2, arrival = envelopes
        envelope_row(
            depth, west, east, north, south, deepest[i, j0:j1], speed2[i, j0:j1], discharge2[i, j0:j1], arrival[i, j0:j1], time
        )


@njit(nogil=True, cache=True)
def sweep_tiles(  # type: ignore[no-untyped-def]
    tiles, first, last, h, lo, qx, qy, z, k, rain_share, envelopes, row_seams, column_seams, is_given, given,
    tile_depth, tile_loss, dt_dx, g_dt_dx, dt, keep, rain, loss, time, is_noted,
):  # fmt: skip
    """Advance some tiles by a step in place; note each tile's largest depth and infiltration.

    Edges that ``is_given`` (4,) names (west, east, north, south) take the discharges ``given`` (4, n). ``envelopes`` are the
    running maxima and the arrival, raised where it ``is_noted``. Tiles beside one another are swept as one run.
    """
    bare_h, bare_lo, bare_qx, bare_qy, bare_z, bare_k = (
        uncounted(h),
        uncounted(lo),
        uncounted(qx),
        uncounted(qy),
        uncounted(z),
        uncounted(k),
    )
    bare_share = uncounted(rain_share)
    bare_env = (uncounted(envelopes[0]), uncounted(envelopes[1]), uncounted(envelopes[2]), uncounted(envelopes[3]))
    bare_rs, bare_cs = uncounted(row_seams), uncounted(column_seams)
    rows = h.shape[0] - 3
    across, width = column_seams.shape[0], min(h.shape[1], WIDEST) + SEAM
    buffers, shares = np.zeros((5, 4, width), h.dtype), np.ones((4, width), h.dtype)
    old, new_x, new_y = uncounted(buffers[:3]), uncounted(buffers[3]), uncounted(buffers[4])
    limits, is_tight = uncounted(shares), np.zeros(4, np.bool_)
    t = first
    while t < last:
        i0, i1, j0, j1, c = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3], tiles[t, 4] - 1
        until = t + 1
        while until < last and tiles[until, 0] == i0 and tiles[until, 2] == j1 and tiles[until, 3] - j0 <= WIDEST:
            j1 = tiles[until, 3]
            until += 1
        run, swept = (i0, i1, j0, j1, (tiles[t, 5] - c) // across, c, tiles[until - 1, 4]), tiles[t:until]
        old[:], new_x[:], new_y[:], limits[:], is_tight[:] = 0.0, 0.0, 0.0, 1.0, False
        for number in swept[:, 5]:
            tile_depth[number], tile_loss[number] = 0.0, 0.0
        for i in range(max(i0 - 2, 0), i0):
            for v, field in enumerate((bare_h, bare_qx, bare_qy)):
                _load(old[v, i & 3], v, field, bare_rs, bare_cs, i, run)
        for i in range(i0 - 1, i1 + 2):
            if i <= rows + 1:
                for v, field in enumerate((bare_h, bare_qx, bare_qy)):
                    _load(old[v, (i + 1) & 3], v, field, bare_rs, bare_cs, i + 1, run)
            _flow(old, new_x, new_y, bare_z, bare_k, is_given, given, i, run, g_dt_dx, dt)
            if i >= i0:
                _limit(old, new_x, new_y, limits, is_tight, i - 1, run, rows, h.shape[1] - 3, dt_dx, keep)
            if i >= i0 + 2:
                _settle(
                    bare_h, bare_lo, bare_qx, bare_qy, new_x, new_y, bare_share, bare_env, i - 2, run, swept, tile_depth, tile_loss,
                    dt_dx, rain, loss, time, is_noted,
                )  # fmt: skip
        t = until
    # Named last, so that the buffers live until here.
    buffers[0, 0, 0], shares[0, 0] = 0.0, 1.0
