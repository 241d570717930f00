"""Compiled inner loops of a run on coarse cells with tables; `subgrid_reference` has the same steps in plain numpy.

The layout is that of `kernels`, and so are limits and updates: ``h`` is the water of a cell over its whole area, ``q`` the
discharge through a face over its whole width. What differs is that levels, flow depths and conveyances come from tables. Numbers
between two arrays are float64, whatever the arrays are.
"""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.kernels import ARRIVAL_DEPTH, MIN_FLOW_DEPTH, SPEED_DEPTH, THETA, limits_row, scale_row, update_row
from cimdesk.analysis.flood.subgrid_tables import KNOTS, LEVELS
from cimdesk.base.compiled import njit

_EXACT_MATH = {"nnan", "nsz"}
_STEPS = (LEVELS - 1) * (LEVELS - 1)


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def depth_of(cells, i, j, held):  # type: ignore[no-untyped-def]
    """Return how deep the water of a cell stands above its lowest ground [m], and which share of the cell is wet."""
    if held <= 0.0:
        return 0.0, 0.0
    last, end = 0, KNOTS
    while end - last > 1:
        middle = (last + end) // 2
        if cells[i, j, middle, 1] <= held:
            last = middle
        else:
            end = middle
    depth, share = np.float64(cells[i, j, last, 0]), np.float64(cells[i, j, last, 2])
    over = held - np.float64(cells[i, j, last, 1])
    if last == KNOTS - 1:
        return depth + over / share, share
    span = np.float64(cells[i, j, last + 1, 0]) - depth
    more = np.float64(cells[i, j, last + 1, 1]) - np.float64(cells[i, j, last, 1])
    bend = max((more - share * span) / (span * span), 0.0)
    root = np.sqrt(share * share + 4.0 * bend * over)
    return depth + min(2.0 * over / (share + root), span), min(root, np.float64(cells[i, j, last + 1, 2]))


@njit(nogil=True, cache=True, error_model="numpy")
def level_tiles(tiles, first, last, h, bottom, cells, sills, level, wet, tile_depth):  # type: ignore[no-untyped-def]
    """Write level and wet share of the cells of some tiles, and each tile's largest depth above the lowest sill of a cell."""
    for t in range(first, last):
        deepest = 0.0
        for i in range(tiles[t, 0], tiles[t, 1]):
            for j in range(tiles[t, 2], tiles[t, 3]):
                depth, wet[i, j] = depth_of(cells, i, j, np.float64(h[i, j]))
                level[i, j] = np.float64(bottom[i, j]) + depth
                if h[i, j] > 0.0:
                    # Water below every sill stays where it is, but its tile is wet.
                    deepest = max(deepest, level[i, j] - np.float64(sills[i, j]), 1e-30)
        tile_depth[tiles[t, 5]] = deepest


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def section_of(faces, curves, i, j, above):  # type: ignore[no-untyped-def]
    """Return flow depth [m] and conveyance to the power of 3/5, over the width of the cell, of a face so far above its sill."""
    place = above * np.float64(faces[i, j, 1]) * _STEPS
    if place >= _STEPS:
        more, end = above - 1.0 / np.float64(faces[i, j, 1]), LEVELS - 1
        depth, passed = np.float64(curves[i, j, end, 0]), np.float64(curves[i, j, end, 1])
        return depth + more * np.float64(faces[i, j, 2]), passed + more * np.float64(faces[i, j, 3])
    k = min(int(np.sqrt(place)), LEVELS - 2)
    share = (place - k * k) / (2 * k + 1)
    depth, passed = np.float64(curves[i, j, k, 0]), np.float64(curves[i, j, k, 1])
    deeper, wider = np.float64(curves[i, j, k + 1, 0]), np.float64(curves[i, j, k + 1, 1])
    return depth + share * (deeper - depth), passed + share * (wider - passed)


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def advanced(depth, passed, slope, before, own, after, across, g_dt_dx, g_dt):  # type: ignore[no-untyped-def]
    """Return the discharge of a face after a step; ``slope`` is the rise of the level [m] from one cell to the next.

    As `kernels.flux_row`, with area and conveyance of the section: dQ/dt + g A dz/dx + g A Q |Q| / K^2 = 0.
    """
    norm = np.sqrt(own * own + across * across)
    driven = THETA * own + 0.5 * (1.0 - THETA) * (before + after) - g_dt_dx * depth * slope
    return driven / (1.0 + g_dt * depth * norm / (passed * passed * passed * np.cbrt(passed)))


@njit(nogil=True, cache=True, error_model="numpy")
def flux_tiles(  # type: ignore[no-untyped-def]
    tiles, first, last, level, qx, qy, west, west_curve, north, north_curve, new_x, new_y, deep_x, deep_y, g_dt_dx, g_dt
):
    """Write the new discharges and flow depths of the western and northern faces of the cells of some tiles."""
    for t in range(first, last):
        for i in range(tiles[t, 0], tiles[t, 1]):
            for j in range(tiles[t, 2], tiles[t, 3]):
                here, new, deep = level[i, j], 0.0, 0.0
                above = max(level[i, j - 1], here) - np.float64(west[i, j, 0])
                if above > 0.0:
                    deep, passed = section_of(west, west_curve, i, j, above)
                    if deep > MIN_FLOW_DEPTH and passed > 0.0:
                        across = 0.25 * np.float64(qy[i, j - 1] + qy[i + 1, j - 1] + qy[i, j] + qy[i + 1, j])
                        before, own, after = np.float64(qx[i, j - 1]), np.float64(qx[i, j]), np.float64(qx[i, j + 1])
                        new = advanced(deep, passed, here - level[i, j - 1], before, own, after, across, g_dt_dx, g_dt)
                new_x[i, j], deep_x[i, j], new, deep = new, deep, 0.0, 0.0
                above = max(level[i - 1, j], here) - np.float64(north[i, j, 0])
                if above > 0.0:
                    deep, passed = section_of(north, north_curve, i, j, above)
                    if deep > MIN_FLOW_DEPTH and passed > 0.0:
                        across = 0.25 * np.float64(qx[i - 1, j] + qx[i - 1, j + 1] + qx[i, j] + qx[i, j + 1])
                        before, own, after = np.float64(qy[i - 1, j]), np.float64(qy[i, j]), np.float64(qy[i + 1, j])
                        new = advanced(deep, passed, here - level[i - 1, j], before, own, after, across, g_dt_dx, g_dt)
                new_y[i, j], deep_y[i, j] = new, deep


@njit(nogil=True, cache=True, error_model="numpy")
def limit_tiles(tiles, first, last, h, new_x, new_y, limits, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Write which share of its outflow each cell of some tiles can give."""
    for t in range(first, last):
        a, b = tiles[t, 2], tiles[t, 3]
        for i in range(tiles[t, 0], tiles[t, 1]):
            limits_row(
                h[i, a:b], new_x[i, a:b], new_x[i, a + 1 : b + 1], new_y[i, a:b], new_y[i + 1, a:b], limits[i, a:b], dt_dx, keep
            )


@njit(nogil=True, cache=True, error_model="numpy")
def pass_tiles(tiles, first, last, qx, qy, new_x, new_y, limits):  # type: ignore[no-untyped-def]
    """Bring the discharges of some tiles to the new ones, scaled by what the cells they come from can give."""
    rows, columns = qx.shape[0] - 3, qx.shape[1] - 3
    for t in range(first, last):
        a, b = tiles[t, 2], tiles[t, 3]
        for i in range(tiles[t, 0], tiles[t, 1]):
            end = b + 1 if b == columns + 1 else b
            qx[i, a:end] = new_x[i, a:end]
            scale_row(qx[i, a:end], limits[i, a - 1 : end - 1], limits[i, a:end])
            qy[i, a:b] = new_y[i, a:b]
            scale_row(qy[i, a:b], limits[i - 1, a:b], limits[i, a:b])
            if i == rows:
                qy[i + 1, a:b] = new_y[i + 1, a:b]
                scale_row(qy[i + 1, a:b], limits[i, a:b], limits[i + 1, a:b])


@njit(nogil=True, cache=True, error_model="numpy")
def settle_tiles(  # type: ignore[no-untyped-def]
    tiles, first, last, h, lo, qx, qy, rain_share, wet, deep_x, deep_y, envelopes, tile_loss, dt_dx, rain, loss, time
):
    """Bring the water of some tiles to the new time and raise the running maxima; note each tile's infiltration."""
    deepest, speed2, discharge2, arrival = envelopes
    for t in range(first, last):
        a, b, lost = tiles[t, 2], tiles[t, 3], 0.0
        for i in range(tiles[t, 0], tiles[t, 1]):
            update_row(
                h[i, a:b], lo[i, a:b], qx[i, a:b], qx[i, a + 1 : b + 1], qy[i, a:b], qy[i + 1, a:b], rain_share[i, a:b], dt_dx, rain
            )
            for j in range(a, b):
                if loss > 0.0 and h[i, j] > 0.0:
                    lost += _seeped(h, lo, i, j, h.dtype.type(loss * wet[i, j]))
                _note(h, qx, qy, deep_x, deep_y, deepest, speed2, discharge2, arrival, i, j, time)
        tile_loss[tiles[t, 5]] = lost


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def _seeped(h, lo, i, j, loss):  # type: ignore[no-untyped-def]
    """Take up to ``loss`` [m] from a cell; return what went [m, float64]."""
    if h[i, j] <= loss:
        gone = np.float64(h[i, j]) + np.float64(lo[i, j])
        h[i, j] = h.dtype.type(0.0)
        lo[i, j] = h.dtype.type(0.0)
        return gone
    add = lo[i, j] - loss
    total = h[i, j] + add
    virtual = total - h[i, j]
    lo[i, j] = (h[i, j] - (total - virtual)) + (add - virtual)
    h[i, j] = total
    return np.float64(loss)


@njit(nogil=True, cache=True, error_model="numpy")
def _note(h, qx, qy, deep_x, deep_y, deepest, speed2, discharge2, arrival, i, j, time):  # type: ignore[no-untyped-def]
    """Raise the running maxima of a cell: its speed is that of the mean of its faces, each over its own flow depth."""
    u = 0.5 * (qx[i, j] / max(deep_x[i, j], SPEED_DEPTH) + qx[i, j + 1] / max(deep_x[i, j + 1], SPEED_DEPTH))
    v = 0.5 * (qy[i, j] / max(deep_y[i, j], SPEED_DEPTH) + qy[i + 1, j] / max(deep_y[i + 1, j], SPEED_DEPTH))
    x, y = 0.5 * (qx[i, j] + qx[i, j + 1]), 0.5 * (qy[i, j] + qy[i + 1, j])
    deepest[i, j] = max(deepest[i, j], h[i, j])
    speed2[i, j] = max(speed2[i, j], u * u + v * v)
    discharge2[i, j] = max(discharge2[i, j], x * x + y * y)
    if h[i, j] > ARRIVAL_DEPTH and time < arrival[i, j]:
        arrival[i, j] = time


@njit(nogil=True, cache=True)
def levels_at(rows, columns, h, lo, bottom, cells, level):  # type: ignore[no-untyped-def]
    """Write the levels of some cells; minus infinity for dry ones."""
    for p in range(rows.shape[0]):
        i, j = rows[p], columns[p]
        held = np.float64(h[i, j]) + np.float64(lo[i, j])
        level[p] = np.float64(bottom[i, j]) + depth_of(cells, i, j, held)[0] if held > 0.0 else -np.inf


@njit(nogil=True, cache=True)
def spread_levels(ground, is_open, h, level, factor, depth):  # type: ignore[no-untyped-def]
    """Write the (R factor, C factor) depths of fine cells below the levels of the coarse ones that hold water."""
    for i in range(depth.shape[0]):
        for j in range(depth.shape[1]):
            a, b = i // factor + 1, j // factor + 1
            depth[i, j] = 0.0
            if is_open[i, j] and h[a, b] > 0.0:
                depth[i, j] = max(level[a, b] - np.float64(ground[i, j]), 0.0)
