"""One step of the inertial engine in a single pass over the water, in place.

Rows go through fluxes, outflow limits and new depths one behind the other, so every array is read and written once. A few rows of
new discharges are held beside, in buffers that stay in the second cache; old values are read where they are, as a row changes only
two rows after its own turn. What tiles see of their neighbours is copied before any of them changes (`keep_seams`), and a run of
tiles that does not reach from edge to edge copies its old values too. What both sides of a seam compute is the same to the last
bit, so neither the tiles nor the threads matter. The row functions and the layout of the arrays are those of `kernels`.
"""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.compiled import part1, part2, part3, part4
from cimdesk.analysis.flood.kernels import (
    deepest_row,
    envelope_row,
    faces_row,
    infiltrate_row,
    limits_row,
    overdrawn_row,
    scale_row,
    settle_row,
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
def _copy(into, values):  # type: ignore[no-untyped-def]
    """Copy a row: ten times as quick as an assignment of slices, which expects them to overlap."""
    for j in range(into.shape[0]):
        into[j] = values[j]


@njit(nogil=True, cache=True)
def keep_seams(tiles, first, last, h, qx, qy, row_seams, column_seams):  # type: ignore[no-untyped-def]
    """Copy the water beside the seams around some tiles.

    ``row_seams[r, v]`` (5, C + 3) is depth or a discharge in the two rows before and the three after the upper seam of tile row
    ``r``; ``column_seams[c, v]`` (R + 3, 5) the same about the western seam of tile column ``c``.
    """
    rows, columns, across = h.shape[0] - 3, h.shape[1] - 3, column_seams.shape[0]
    for t in range(first, last):
        i0, i1, j0, j1 = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3]
        c = tiles[t, 4] - 1
        r = (tiles[t, 5] - c) // across
        a, b = 0 if j0 == 1 else j0, columns + 3 if j1 == columns + 1 else j1
        for v in range(3):
            field = h if v == _DEPTH else (qx if v == _EAST else qy)
            for n in range(SEAM):
                if n >= BEFORE and i0 > 1:
                    _copy(part4(row_seams, r, v, n, a, b), part2(field, i0 - BEFORE + n, a, b))
                elif n < BEFORE and i1 <= rows:
                    _copy(part4(row_seams, r + 1, v, n, a, b), part2(field, i1 - BEFORE + n, a, b))
            for i in range(i0, i1 + 1 if i1 == rows + 1 else i1):
                for n in range(SEAM):
                    if n >= BEFORE and j0 > 1:
                        column_seams[c, v, i, n] = field[i, j0 - BEFORE + n]
                    elif n < BEFORE and j1 <= columns:
                        column_seams[c + 1, v, i, n] = field[i, j1 - BEFORE + n]


@njit(nogil=True, cache=True)
def _load(into, v, field, row_seams, column_seams, i, run):  # type: ignore[no-untyped-def]
    """Read a row of old values of a run of tiles, from two columns before it to three after, from the grid or the seams around."""
    i0, i1, j0, j1, r, c0, c1 = run
    rows, columns = field.shape[0] - 3, field.shape[1] - 3
    base = max(j0 - BEFORE, 0)
    a, b = base, min(j1 + AFTER, columns + 3)
    if 1 <= i < i0:
        _copy(part1(into, 0, b - base), part4(row_seams, r, v, i - i0 + BEFORE, a, b))
    elif i >= i1 and i1 <= rows:
        _copy(part1(into, 0, b - base), part4(row_seams, r + 1, v, i - i1 + BEFORE, a, b))
    else:
        a, b = a if j0 == 1 else j0, b if j1 == columns + 1 else j1
        _copy(part1(into, a - base, b - base), part2(field, i, a, b))
        for n in range(SEAM):
            if n < BEFORE and j0 > 1:
                into[n] = column_seams[c0, v, i, n]
            elif n >= BEFORE and j1 <= columns:
                into[j1 - BEFORE - base + n] = column_seams[c1, v, i, n]


@njit(nogil=True, cache=True)
def _old(kept, v, field, row_seams, i, run):  # type: ignore[no-untyped-def]
    """Return a row of old values: where it is, if the run goes from edge to edge, else as it was loaded."""
    i0, i1, r = run[0], run[1], run[4]
    if run[2] > 1 or run[3] <= field.shape[1] - 3:
        return part3(kept, v, i & 3, 0, kept.shape[2])
    if 1 <= i < i0:
        return part4(row_seams, r, v, i - i0 + BEFORE, 0, field.shape[1])
    if i >= i1 and i1 <= field.shape[0] - 3:
        return part4(row_seams, r + 1, v, i - i1 + BEFORE, 0, field.shape[1])
    return part2(field, i, 0, field.shape[1])


@njit(nogil=True, cache=True)
def _flow(h, qx, qy, kept, row_seams, new_x, new_y, z, k, is_given, given, i, run, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Write the new discharges of a row of faces of each kind, one cell beyond the run on either side; given ones at edges."""
    i1, j0, j1 = run[1], run[2], run[3]
    rows, columns = z.shape[0] - 3, z.shape[1] - 3
    at, base = i & 3, max(j0 - BEFORE, 0)
    a, b = max(j0 - 1, 1), min(j1, columns) + 1
    p, q = a - base, b - base
    if i < 1 or i > rows + 1:
        new_x[at] = 0.0
        new_y[at] = 0.0
        return
    m, n = p - 1, q + 2
    faces_row(
        part1(_old(kept, _DEPTH, h, row_seams, i - 1, run), m, n), part1(_old(kept, _DEPTH, h, row_seams, i, run), m, n),
        part2(z, i - 1, a - 1, b + 2), part2(z, i, a - 1, b + 2), part2(k, i - 1, a - 1, b + 2), part2(k, i, a - 1, b + 2),
        part1(_old(kept, _EAST, qx, row_seams, i - 1, run), m, n), part1(_old(kept, _EAST, qx, row_seams, i, run), m, n),
        part1(_old(kept, _SOUTH, qy, row_seams, i - 1, run), m, n), part1(_old(kept, _SOUTH, qy, row_seams, i, run), m, n),
        part1(_old(kept, _SOUTH, qy, row_seams, i + 1, run), m, n), part2(new_x, at, p, q + 1), part2(new_y, at, p, q + 1),
        g_dt_dx, dt,
    )  # fmt: skip
    if is_given[2] and i == 1:
        _copy(part2(new_y, at, p, q), part2(given, 2, a, b))
    if is_given[3] and i == rows + 1:
        _copy(part2(new_y, at, p, q), part2(given, 3, a, b))
    if i > rows or i > i1:
        new_x[at] = 0.0
        return
    if is_given[0] and a == 1:
        new_x[at, p] = given[0, i]
    if is_given[1] and b == columns + 1:
        new_x[at, q] = given[1, i]


@njit(nogil=True, cache=True)
def _limit(h, new_x, new_y, limits, is_tight, i, run, rows, columns, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Scale what leaves the cells of a row, of old depths ``h``, to what they hold; the row before it has its limits already."""
    i0, i1, j0, j1 = run[0], run[1], run[2], run[3]
    base = max(j0 - BEFORE, 0)
    p, q = max(j0 - 1, 1) - base, min(j1, columns) + 1 - base
    at, down = i & 3, (i + 1) & 3
    was_tight, is_tight[at] = is_tight[at], False
    # What comes from beyond the grid has no limit.
    if 1 <= i <= rows:
        held, west, east = part1(h, p, q), part2(new_x, at, p, q), part2(new_x, at, p + 1, q + 1)
        north, south = part2(new_y, at, p, q), part2(new_y, down, p, q)
        if overdrawn_row(held, west, east, north, south, dt_dx, keep) > 0:
            limits_row(held, west, east, north, south, part2(limits, at, p, q), dt_dx, keep)
            is_tight[at] = True
    if was_tight and not is_tight[at]:
        limits[at] = 1.0
    p, q = j0 - base, j1 - base
    if i >= i0 and (is_tight[at] or is_tight[(i - 1) & 3]):
        scale_row(part2(new_y, at, p, q), part2(limits, (i - 1) & 3, p, q), part2(limits, at, p, q))
    if i0 <= i < i1 and is_tight[at]:
        scale_row(part2(new_x, at, p, q + 1), part2(limits, at, p - 1, q), part2(limits, at, p, q + 1))


@njit(nogil=True, cache=True)
def _settle(  # type: ignore[no-untyped-def]
    h, lo, qx, qy, new_x, new_y, rain_share, envelopes, i, run, tiles, first, last, tile_depth, tile_loss, dt_dx, rain, loss,
    time, is_noted,
):  # fmt: skip
    """Bring depths, discharges and, where asked, running maxima of a row of some tiles to the new time."""
    rows, columns = h.shape[0] - 3, h.shape[1] - 3
    at, down, base = i & 3, (i + 1) & 3, max(run[2] - BEFORE, 0)
    for t in range(first, last):
        a, b, number = tiles[t, 2], tiles[t, 3], tiles[t, 5]
        p, q = a - base, b - base
        west, east = part2(new_x, at, p, q), part2(new_x, at, p + 1, q + 1)
        north, south = part2(new_y, at, p, q), part2(new_y, down, p, q)
        depth, rest = part2(h, i, a, b), part2(lo, i, a, b)
        # Without rain its shares are not even read; any finite row does in their place.
        share = part2(rain_share, i, a, b) if rain > 0.0 else west
        most = settle_row(depth, rest, west, east, north, south, share, part2(qx, i, a, b), part2(qy, i, a, b), dt_dx, rain)
        if loss > 0.0:
            tile_loss[number] += infiltrate_row(depth, rest, loss)
            most = deepest_row(depth)
        tile_depth[number] = max(tile_depth[number], most)
        if i == rows:
            _copy(part2(qy, i + 1, a, b), south)
        if is_noted:
            envelope_row(
                depth, west, east, north, south, part2(envelopes[0], i, a, b), part2(envelopes[1], i, a, b),
                part2(envelopes[2], i, a, b), part2(envelopes[3], i, a, b), time,
            )  # fmt: skip
    if run[3] == columns + 1:
        qx[i, run[3]] = new_x[at, run[3] - base]


@njit(nogil=True, cache=True)
def sweep_tiles(  # type: ignore[no-untyped-def]
    tiles, first, last, h, lo, qx, qy, z, k, rain_share, envelopes, row_seams, column_seams, is_given, given,
    tile_depth, tile_loss, dt_dx, g_dt_dx, dt, keep, rain, loss, time, is_noted,
):  # fmt: skip
    """Advance some tiles by a step in place; note each tile's largest depth and infiltration.

    Edges that ``is_given`` (4,) names (west, east, north, south) take the discharges ``given`` (4, n). ``envelopes`` are the
    running maxima and the arrival, raised where it ``is_noted``. Tiles beside one another are swept as one run.
    """
    rows, columns = h.shape[0] - 3, h.shape[1] - 3
    across, width = column_seams.shape[0], min(h.shape[1], WIDEST) + SEAM
    kept, limits, is_tight = np.zeros((3, 4, width), h.dtype), np.ones((4, width), h.dtype), np.zeros(4, np.bool_)
    new_x, new_y = np.zeros((4, width), h.dtype), np.zeros((4, width), h.dtype)
    t = first
    while t < last:
        i0, i1, j0, j1, c = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3], tiles[t, 4] - 1
        until = t + 1
        while until < last and tiles[until, 0] == i0 and tiles[until, 2] == j1 and tiles[until, 3] - j0 <= WIDEST:
            j1 = tiles[until, 3]
            until += 1
        run = (i0, i1, j0, j1, (tiles[t, 5] - c) // across, c, tiles[until - 1, 4])
        is_part = j0 > 1 or j1 <= columns
        limits[:], is_tight[:] = 1.0, False
        for n in range(t, until):
            tile_depth[tiles[n, 5]], tile_loss[tiles[n, 5]] = 0.0, 0.0
        loaded = max(i0 - BEFORE, 0)
        for i in range(i0 - 1, i1 + 2):
            while is_part and loaded <= min(i + 1, rows + 2):
                for v in range(3):
                    field = h if v == _DEPTH else (qx if v == _EAST else qy)
                    _load(part3(kept, v, loaded & 3, 0, width), v, field, row_seams, column_seams, loaded, run)
                loaded += 1
            _flow(h, qx, qy, kept, row_seams, new_x, new_y, z, k, is_given, given, i, run, g_dt_dx, dt)
            if i >= i0:
                old = _old(kept, _DEPTH, h, row_seams, i - 1, run)
                _limit(old, new_x, new_y, limits, is_tight, i - 1, run, rows, columns, dt_dx, keep)
            if i >= i0 + 2:
                _settle(
                    h, lo, qx, qy, new_x, new_y, rain_share, envelopes, i - 2, run, tiles, t, until, tile_depth, tile_loss,
                    dt_dx, rain, loss, time, is_noted,
                )  # fmt: skip
        t = until
    # Named last, so that the buffers live until here.
    kept[0, 0, 0], limits[0, 0], new_x[0, 0], new_y[0, 0] = 0.0, 1.0, 0.0, 0.0
