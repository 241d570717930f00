"""Compiled inner loops of the inertial engine. `reference` has the same steps in plain numpy, which the tests compare with.

All arrays are (R + 3, C + 3): cell (row, column) of the grid is at [row + 1, column + 1], inside a ring of closed cells.
``qx[i, j]`` is the unit discharge [m2 s-1] through the western face of cell [i, j], positive to the east; ``qy[i, j]``
that through its northern face, positive to the south. Closed cells stand at `CLOSED_HEIGHT`, so no water reaches them.
Depths are a pair: ``h`` and the small remainder ``lo`` that a float32 cannot hold, so light rain is not rounded away.
Loops run over row slices handed to small functions, which is what lets the compiler vectorise them.
"""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.compiled import njit

CLOSED_HEIGHT = 1.0e6
"""Height that stands for buildings, cells without data and the ring around the grid [m]."""
MIN_FLOW_DEPTH = 1.0e-5
"""Thinner water does not move [m]."""
THETA = 0.9
"""Weight of a face's own discharge against its neighbours' (de Almeida et al. 2012)."""
ARRIVAL_DEPTH = 0.05
"""Water has arrived when it is this deep [m]."""
SPEED_DEPTH = 0.01
"""Speeds in thinner films are taken as if the film were this thick [m]."""

# No reassociation: the remainders of `_two_sum` must survive. Contraction stays out of the update for the same reason.
_FLUX_MATH = {"nnan", "ninf", "nsz", "contract", "arcp"}
_EXACT_MATH = {"nnan", "nsz"}


@njit(inline="always")
def inverse_cube_root_guess(x):  # type: ignore[no-untyped-def]
    """Return x**(-1/3) within 3.5 % for a normal float32, from its bits (dividing the exponent by -3)."""
    bits = np.float32(x).view(np.int32)
    return np.int32(np.int32(1419901580) - np.int32(np.float32(bits) * np.float32(1 / 3))).view(np.float32)


@njit(fastmath=_FLUX_MATH, nogil=True, cache=True, error_model="numpy")
def flux_row(ha, hb, za, zb, ka, kb, before, own, after, c1, c2, c3, c4, out, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Advance the discharge through a row of faces between cells ``a`` and ``b`` (west and east, or north and south).

    Semi-implicit, q-centred: de Almeida and Bates (2013), Water Resour. Res. 49, 4833-4844, eq. 8 with the norm of the
    discharge in the friction. ``ka``, ``kb`` are g n2 of the cells, ``before`` and ``after`` the neighbouring faces along the
    flow, ``c1..c4`` the four faces across, the pairs along the flow first so that turned water stays the same to the last bit.
    """
    real = out.dtype.type
    zero, one, shallow = real(0.0), real(1.0), real(MIN_FLOW_DEPTH)
    centre, side = real(THETA), real(0.5 * (1.0 - THETA))
    for j in range(out.shape[0]):
        dz = zb[j] - za[j]
        # Higher level less higher bed, written with differences only: exact for still water however high the ground.
        flow_depth = max(ha[j] - max(dz, zero), hb[j] + min(dz, zero))
        x = max(flow_depth, shallow)
        y = real(inverse_cube_root_guess(x))
        e = one - x * y * y * y
        y = y * (one + e * (real(1 / 3) + e * (real(2 / 9) + e * real(14 / 81))))
        e = one - x * y * y * y
        y = y * (one + e * (real(1 / 3) + e * real(2 / 9)))
        y2 = y * y
        y4 = y2 * y2
        across = real(0.25) * ((c1[j] + c2[j]) + (c3[j] + c4[j]))
        norm = np.sqrt(own[j] * own[j] + across * across)
        slope = (hb[j] - ha[j]) + dz
        driven = centre * own[j] + side * (before[j] + after[j]) - g_dt_dx * x * slope
        advanced = driven / (one + dt * real(0.5) * (ka[j] + kb[j]) * norm * (y4 * y2 * y))
        out[j] = advanced if flow_depth > shallow else zero


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def overdrawn_row(h, west, east, north, south, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Return how many cells of the row would give more than they hold."""
    zero = h.dtype.type(0.0)
    # Compilers vectorise a count, but not a running maximum of what is computed here: six times as quick.
    overdrawn = np.int32(0)
    for j in range(h.shape[0]):
        out = dt_dx * ((max(east[j], zero) - min(west[j], zero)) + (max(south[j], zero) - min(north[j], zero)))
        overdrawn += np.int32(out > keep * h[j])
    return overdrawn


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def limits_row(h, west, east, north, south, limits, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Write the share of its outflow that each cell of the row can give: min(1, held / wanted)."""
    zero, one = h.dtype.type(0.0), h.dtype.type(1.0)
    for j in range(h.shape[0]):
        out = dt_dx * ((max(east[j], zero) - min(west[j], zero)) + (max(south[j], zero) - min(north[j], zero)))
        held = keep * h[j]
        limits[j] = held / out if out > held else one


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def scale_row(q, limits_a, limits_b):  # type: ignore[no-untyped-def]
    """Scale a row of faces by the limit of the cell the water comes from."""
    zero = q.dtype.type(0.0)
    for j in range(q.shape[0]):
        q[j] = q[j] * (limits_a[j] if q[j] > zero else limits_b[j])


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def update_row(h, lo, west, east, north, south, rain_share, dt_dx, rain):  # type: ignore[no-untyped-def]
    """Add what flowed in and rained to the depths of a row, keeping the remainder; return the largest depth."""
    deepest = h.dtype.type(0.0)
    for j in range(h.shape[0]):
        net = (west[j] * dt_dx - east[j] * dt_dx) + (north[j] * dt_dx - south[j] * dt_dx)
        add = net + (rain * rain_share[j] + lo[j])
        total = h[j] + add
        virtual = total - h[j]
        lo[j] = (h[j] - (total - virtual)) + (add - virtual)
        h[j] = total
        deepest = max(deepest, total)
    return deepest


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def infiltrate_row(h, lo, loss):  # type: ignore[no-untyped-def]
    """Take up to ``loss`` [m] from each cell of a row; return how much went altogether [m, float64]."""
    taken = 0.0
    for j in range(h.shape[0]):
        if h[j] <= loss:
            taken += np.float64(h[j]) + np.float64(lo[j])
            h[j] = h.dtype.type(0.0)
            lo[j] = h.dtype.type(0.0)
        else:
            add = lo[j] - loss
            total = h[j] + add
            virtual = total - h[j]
            lo[j] = (h[j] - (total - virtual)) + (add - virtual)
            h[j] = total
            taken += np.float64(loss)
    return taken


@njit(fastmath=_FLUX_MATH, nogil=True, cache=True, error_model="numpy")
def envelope_row(h, west, east, north, south, deepest, speed2, discharge2, arrival, time):  # type: ignore[no-untyped-def]
    """Raise the running maxima of depth, speed squared and unit discharge squared of a row; note the arrival."""
    real = h.dtype.type
    half, one, never, arrived = real(0.5), real(1.0), real(np.inf), real(ARRIVAL_DEPTH)
    for j in range(h.shape[0]):
        qx = half * (west[j] + east[j])
        qy = half * (north[j] + south[j])
        q2 = qx * qx + qy * qy
        inverse = one / max(h[j], real(SPEED_DEPTH))
        deepest[j] = max(deepest[j], h[j])
        speed2[j] = max(speed2[j], q2 * inverse * inverse)
        discharge2[j] = max(discharge2[j], q2)
        arrival[j] = min(arrival[j], time if h[j] > arrived else never)


@njit(nogil=True, cache=True)
def flux_tiles(tiles, first, last, h, z, k, qx, qy, qx_new, qy_new, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Advance all faces of some tiles; each tile owns the western and northern faces of its cells, the last ones all."""
    for t in range(first, last):
        i0, i1, j0, j1 = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3]
        e = j1 + 1 if j1 == h.shape[1] - 2 else j1
        for i in range(i0, i1):
            flux_row(
                h[i, j0 - 1 : e - 1], h[i, j0:e], z[i, j0 - 1 : e - 1], z[i, j0:e], k[i, j0 - 1 : e - 1], k[i, j0:e],
                qx[i, j0 - 1 : e - 1], qx[i, j0:e], qx[i, j0 + 1 : e + 1],
                qy[i, j0 - 1 : e - 1], qy[i, j0:e], qy[i + 1, j0 - 1 : e - 1], qy[i + 1, j0:e],
                qx_new[i, j0:e], g_dt_dx, dt,
            )  # fmt: skip
        for i in range(i0, i1 + 1 if i1 == h.shape[0] - 2 else i1):
            flux_row(
                h[i - 1, j0:j1], h[i, j0:j1], z[i - 1, j0:j1], z[i, j0:j1], k[i - 1, j0:j1], k[i, j0:j1],
                qy[i - 1, j0:j1], qy[i, j0:j1], qy[i + 1, j0:j1],
                qx[i - 1, j0:j1], qx[i, j0:j1], qx[i - 1, j0 + 1 : j1 + 1], qx[i, j0 + 1 : j1 + 1],
                qy_new[i, j0:j1], g_dt_dx, dt,
            )  # fmt: skip


@njit(nogil=True, cache=True)
def limit_tiles(tiles, first, last, h, qx, qy, limits, flags, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Write the outflow limits of the rows in which a cell would give more than it holds, and flag those rows."""
    for t in range(first, last):
        i0, i1, j0, j1, c = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3], tiles[t, 4]
        for i in range(i0, i1):
            west, east = qx[i, j0:j1], qx[i, j0 + 1 : j1 + 1]
            north, south = qy[i, j0:j1], qy[i + 1, j0:j1]
            if overdrawn_row(h[i, j0:j1], west, east, north, south, dt_dx, keep) > 0:
                flags[i, c] = 1
                limits_row(h[i, j0:j1], west, east, north, south, limits[i, j0:j1], dt_dx, keep)
            elif flags[i, c]:
                flags[i, c] = 0
                limits[i, j0:j1] = 1.0


@njit(nogil=True, cache=True)
def scale_tiles(tiles, first, last, qx, qy, limits, flags):  # type: ignore[no-untyped-def]
    """Scale the faces beside flagged rows by the limit of the cell the water comes from."""
    for t in range(first, last):
        i0, i1, j0, j1, c = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3], tiles[t, 4]
        e = j1 + 1 if j1 == qx.shape[1] - 2 else j1
        for i in range(i0, i1):
            if flags[i, c] or flags[i, c - 1]:
                scale_row(qx[i, j0:e], limits[i, j0 - 1 : e - 1], limits[i, j0:e])
        for i in range(i0, i1 + 1 if i1 == qx.shape[0] - 2 else i1):
            if flags[i, c] or flags[i - 1, c]:
                scale_row(qy[i, j0:j1], limits[i - 1, j0:j1], limits[i, j0:j1])


@njit(nogil=True, cache=True)
def update_tiles(  # type: ignore[no-untyped-def]
    tiles,
    first,
    last,
    h,
    lo,
    qx,
    qy,
    rain_share,
    deepest,
    speed2,
    discharge2,
    arrival,
    tile_depth,
    tile_loss,
    dt_dx,
    rain,
    loss,
    time,
):
    """Bring depths and envelopes of some tiles to the new time; note each tile's largest depth and infiltration."""
    for t in range(first, last):
        i0, i1, j0, j1 = tiles[t, 0], tiles[t, 1], tiles[t, 2], tiles[t, 3]
        most = h.dtype.type(0.0)
        lost = 0.0
        for i in range(i0, i1):
            west, east = qx[i, j0:j1], qx[i, j0 + 1 : j1 + 1]
            north, south = qy[i, j0:j1], qy[i + 1, j0:j1]
            # Without rain its shares are not even read; any finite row does in their place.
            share = rain_share[i, j0:j1] if rain > 0.0 else west
            most = max(most, update_row(h[i, j0:j1], lo[i, j0:j1], west, east, north, south, share, dt_dx, rain))
            if loss > 0.0:
                lost += infiltrate_row(h[i, j0:j1], lo[i, j0:j1], loss)
            envelope_row(
                h[i, j0:j1], west, east, north, south,
                deepest[i, j0:j1], speed2[i, j0:j1], discharge2[i, j0:j1], arrival[i, j0:j1], time,
            )  # fmt: skip
        tile_depth[tiles[t, 5]] = most
        tile_loss[tiles[t, 5]] = lost


@njit(nogil=True, cache=True)
def free_edge(h, k, q, sign, slope, gravity):  # type: ignore[no-untyped-def]
    """Let water leave an edge at the normal flow of its depth: q = h^(5/3) sqrt(slope) / n, outward."""
    for j in range(h.shape[0]):
        if h[j] > MIN_FLOW_DEPTH:
            q[j] = -sign * h[j] ** (5.0 / 3.0) * np.sqrt(slope * gravity / k[j])
        else:
            q[j] = 0.0


@njit(nogil=True, cache=True)
def level_edge(h, z, k, old, q, sign, level, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Exchange water with a given level outside an edge; ``sign`` is +1 where positive discharge enters the grid."""
    for j in range(h.shape[0]):
        outside = max(level - z[j], 0.0)
        flow_depth = max(h[j], outside)
        if flow_depth > MIN_FLOW_DEPTH and z[j] < CLOSED_HEIGHT:
            driven = old[j] + sign * g_dt_dx * flow_depth * (outside - h[j])
            q[j] = driven / (1.0 + dt * k[j] * abs(old[j]) / flow_depth ** (7.0 / 3.0))
        else:
            q[j] = 0.0


@njit(nogil=True, cache=True)
def add_at(h, lo, rows, columns, depths):  # type: ignore[no-untyped-def]
    """Add a depth [m] to each of some cells; return how much was added altogether [m, float64]."""
    added = 0.0
    for p in range(rows.shape[0]):
        i, j = rows[p], columns[p]
        add = lo[i, j] + depths[p]
        total = h[i, j] + add
        virtual = total - h[i, j]
        lo[i, j] = (h[i, j] - (total - virtual)) + (add - virtual)
        h[i, j] = total
        added += np.float64(depths[p])
    return added


@njit(nogil=True, cache=True)
def exchange_at(h, lo, rows, columns, depths, done):  # type: ignore[no-untyped-def]
    """Add depths [m, float64] to some cells, or take them as far as there is water; write what was done [m, float64]."""
    for p in range(rows.shape[0]):
        i, j = rows[p], columns[p]
        held = np.float64(h[i, j]) + np.float64(lo[i, j])
        depth = h.dtype.type(depths[p])
        add = lo[i, j] + depth
        total = h[i, j] + add
        if np.float64(depth) <= -held or total < 0.0:
            done[p] = -held
            h[i, j] = 0.0
            lo[i, j] = 0.0
            continue
        virtual = total - h[i, j]
        lo[i, j] = (h[i, j] - (total - virtual)) + (add - virtual)
        h[i, j] = total
        done[p] = np.float64(depth)
