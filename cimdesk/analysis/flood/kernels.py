"""Compiled inner loops of the inertial engine. `reference` has the same steps in plain numpy, which the tests compare with.

All arrays are (R + 3, C + 3): cell (row, column) of the grid is at [row + 1, column + 1], inside a ring of closed cells.
``qx[i, j]`` is the unit discharge [m2 s-1] through the western face of cell [i, j], positive to the east; ``qy[i, j]``
that through its northern face, positive to the south. Closed cells stand at `CLOSED_HEIGHT`, so no water reaches them.
Depths are a pair: ``h`` and the small remainder ``lo`` that a float32 cannot hold, so light rain is not rounded away.
Loops run over row slices handed to small functions, which is what lets the compiler vectorise them. What happens in one cell or
through one face is in functions of their own, which the kernels of graphics processors (`cuda_kernels`) take as they are.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from cimdesk.analysis.flood.compiled import fma
from cimdesk.base.compiled import njit

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

# Nothing is reassociated or contracted: remainders must survive, and a face that two tiles compute must get the same bits in
# both. Where a product is added to, `fma` says so.
_EXACT_MATH = {"nnan", "nsz"}


@njit(inline="always")
def inverse_cube_root_guess(x):  # type: ignore[no-untyped-def]
    """Return x**(-1/3) within 3.5 % for a normal float32, from its bits (dividing the exponent by -3)."""
    bits = np.float32(x).view(np.int32)
    return np.int32(np.int32(1419901580) - np.int32(np.float32(bits) * np.float32(1 / 3))).view(np.float32)


@njit(inline="always")
def inverse_seven_thirds(x):  # type: ignore[no-untyped-def]
    """Return the factors of x**(-7/3) for a normal float: a rough one, and what makes it right to 1e-7 (float64: 1e-14).

    From a guess ``y`` of x**(-1/3) and its error ``e = 1 - x y^3``, as ``y^7 (1 - e)^(-7/3)``. The polynomial is the best one for
    the errors of the guess, up to 10.3 %, in an order that waits little; doubles refine the guess first.
    """
    real = type(x)
    one = real(1.0)
    y = real(inverse_cube_root_guess(x))
    # Known when it is compiled, so only one way is left.
    if one + real(1e-12) > one:
        e = fma(-x * y, y * y, one)
        y = fma(y * e, fma(e, fma(e, real(14 / 81), real(2 / 9)), real(1 / 3)), y)
        e = fma(-x * y, y * y, one)
        y = fma(y * e, fma(e, real(2 / 9), real(1 / 3)), y)
        square = y * y
        return square * square, square * y
    square = y * y
    e = fma(-(x * y), square, one)
    e2 = e * e
    high = fma(e2, real(11.7868056), fma(e, real(9.74024774), real(7.48966566)))
    low = fma(e2, fma(e, real(5.61598249), real(3.88888609)), fma(e, real(2.33333496), one))
    return (square * square) * (square * y), fma(e2 * e2, high, low)


@njit(inline="always", cache=True)
def face_discharge(ha, hb, za, zb, ka, kb, before, own, after, across, g_dt_dx, half_dt):  # type: ignore[no-untyped-def]
    """Return the unit discharge [m2 s-1] through a face between cells ``a`` and ``b`` after a step, towards ``b``.

    Semi-implicit, q-centred: de Almeida and Bates (2013), Water Resour. Res. 49, 4833-4844, eq. 8 with the norm of the
    discharge in the friction. ``h``, ``z`` and ``k`` are depth, bed and g n2 of the cells; ``before``, ``own``, ``after`` the
    discharges of the face and of its neighbours along the flow, ``across`` the sum of the four faces across.
    """
    real = type(ha)
    zero, one, shallow = real(0.0), real(1.0), real(MIN_FLOW_DEPTH)
    dz = zb - za
    # Higher level less higher bed, written with differences only: exact for still water however high the ground.
    flow_depth = max(ha - max(dz, zero), hb + min(dz, zero))
    x = max(flow_depth, shallow)
    norm = sqrt(fma(own, own, real(1 / 16) * (across * across)))
    rough, rest = inverse_seven_thirds(x)
    slope = (hb - ha) + dz
    driven = fma(real(THETA), own, fma(real(0.5 * (1.0 - THETA)), before + after, -((g_dt_dx * slope) * x)))
    advanced = driven / fma(((half_dt * (ka + kb)) * norm) * rough, rest, one)
    return advanced if flow_depth > shallow else zero


@njit(inline="always", cache=True)
def two_sum(a, b):  # type: ignore[no-untyped-def]
    """Return a + b and what its rounding lost (Knuth 1969)."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


@njit(inline="always", cache=True)
def outflow(west, east, north, south, dt_dx):  # type: ignore[no-untyped-def]
    """Return what a cell gives through its four faces in a step [m]."""
    zero = type(west)(0.0)
    return dt_dx * ((max(east, zero) - min(west, zero)) + (max(south, zero) - min(north, zero)))


@njit(inline="always", cache=True)
def share_given(held, out):  # type: ignore[no-untyped-def]
    """Return the share of its outflow that a cell can give."""
    return held / out if out > held else type(held)(1.0)


@njit(inline="always", cache=True)
def settled(h, lo, west, east, north, south, fallen):  # type: ignore[no-untyped-def]
    """Return depth and remainder of a cell after a step, from the depths [m] that passed its faces and that ``fallen`` on it."""
    return two_sum(h, ((west - east) + (north - south)) + (fallen + lo))


@njit(inline="always", cache=True)
def seeped(h, lo, loss):  # type: ignore[no-untyped-def]
    """Return depth and remainder of a cell that up to ``loss`` [m] was taken from, and how much that was [m, float64]."""
    if h <= loss:
        return type(h)(0.0), type(h)(0.0), np.float64(h) + np.float64(lo)
    depth, rest = two_sum(h, lo - loss)
    return depth, rest, np.float64(loss)


@njit(inline="always", cache=True)
def motion(h, west, east, north, south):  # type: ignore[no-untyped-def]
    """Return the squares of speed [m2 s-2] and of unit discharge [m4 s-2] in the middle of a cell."""
    real = type(h)
    qx, qy = real(0.5) * (west + east), real(0.5) * (north + south)
    q2 = qx * qx + qy * qy
    inverse = real(1.0) / max(h, real(SPEED_DEPTH))
    return q2 * inverse * inverse, q2


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def flux_row(ha, hb, za, zb, ka, kb, before, own, after, c1, c2, c3, c4, out, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Advance the discharge through a row of faces of one kind; see `face_discharge`.

    ``c1..c4`` are the four faces across, the pairs along the flow first so that turned water stays the same to the last bit.
    """
    half_dt = out.dtype.type(0.5) * dt
    for j in range(out.shape[0]):
        out[j] = face_discharge(
            ha[j],
            hb[j],
            za[j],
            zb[j],
            ka[j],
            kb[j],
            before[j],
            own[j],
            after[j],
            (c1[j] + c2[j]) + (c3[j] + c4[j]),
            g_dt_dx,
            half_dt,
        )


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def faces_row(h0, h1, z0, z1, k0, k1, x0, x1, y0, y1, y2, new_x, new_y, g_dt_dx, dt):  # type: ignore[no-untyped-def]
    """Advance the discharges through the western and northern faces of a row of n cells: twice `flux_row`, reading all once.

    Rows 1 are those of the cells, 0 to the north of them, 2 to the south; they begin a cell before ``new_x`` and ``new_y`` (n,)
    and end one after.
    """
    half_dt = new_x.dtype.type(0.5) * dt
    for j in range(new_x.shape[0]):
        m, e = j + 1, j + 2
        north = face_discharge(
            h0[m], h1[m], z0[m], z1[m], k0[m], k1[m], y0[m], y1[m], y2[m], (x0[m] + x1[m]) + (x0[e] + x1[e]), g_dt_dx, half_dt
        )
        west = face_discharge(
            h1[j], h1[m], z1[j], z1[m], k1[j], k1[m], x1[j], x1[m], x1[e], (y1[j] + y1[m]) + (y2[j] + y2[m]), g_dt_dx, half_dt
        )
        new_x[j] = west
        new_y[j] = north


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def overdrawn_row(h, west, east, north, south, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Return how many cells of the row would give more than they hold."""
    # Compilers vectorise a count, but not a running maximum of what is computed here: six times as quick.
    overdrawn = np.int32(0)
    for j in range(h.shape[0]):
        out = outflow(west[j], east[j], north[j], south[j], dt_dx)
        overdrawn += np.int32(out > keep * h[j])
    return overdrawn


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def limits_row(h, west, east, north, south, limits, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Write the share of its outflow that each cell of the row can give: min(1, held / wanted)."""
    for j in range(h.shape[0]):
        limits[j] = share_given(keep * h[j], outflow(west[j], east[j], north[j], south[j], dt_dx))


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def scale_row(q, limits_a, limits_b):  # type: ignore[no-untyped-def]
    """Scale a row of faces by the limit of the cell the water comes from."""
    zero = q.dtype.type(0.0)
    for j in range(q.shape[0]):
        # Both are read whatever the sign, as vectors are.
        a, b = limits_a[j], limits_b[j]
        q[j] = q[j] * (a if q[j] > zero else b)


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def update_row(h, lo, west, east, north, south, rain_share, dt_dx, rain):  # type: ignore[no-untyped-def]
    """Add what flowed in and rained to the depths of a row, keeping the remainder."""
    for j in range(h.shape[0]):
        h[j], lo[j] = settled(
            h[j], lo[j], west[j] * dt_dx, east[j] * dt_dx, north[j] * dt_dx, south[j] * dt_dx, rain * rain_share[j]
        )


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def settle_row(h, lo, west, east, north, south, rain_share, qx, qy, dt_dx, rain):  # type: ignore[no-untyped-def]
    """Do as `update_row`, keep the discharges as ``qx`` and ``qy``, and return the largest depth as `deepest_row` does."""
    most = np.int32(0)
    for j in range(h.shape[0]):
        w, n = west[j], north[j]
        total, rest = settled(h[j], lo[j], w * dt_dx, east[j] * dt_dx, n * dt_dx, south[j] * dt_dx, rain * rain_share[j])
        lo[j] = rest
        h[j] = total
        qx[j] = w
        qy[j] = n
        most = max(most, np.float32(total).view(np.int32))
    return np.int32(most).view(np.float32)


@njit(nogil=True, cache=True)
def deepest_row(h):  # type: ignore[no-untyped-def]
    """Return the largest depth of a row as a float32: the largest bits, as compilers vectorise that and not the maximum itself."""
    most = np.int32(0)
    for j in range(h.shape[0]):
        most = max(most, np.float32(h[j]).view(np.int32))
    return np.int32(most).view(np.float32)


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def infiltrate_row(h, lo, loss):  # type: ignore[no-untyped-def]
    """Take up to ``loss`` [m] from each cell of a row; return how much went altogether [m, float64]."""
    taken = 0.0
    for j in range(h.shape[0]):
        h[j], lo[j], gone = seeped(h[j], lo[j], loss)
        taken += gone
    return taken


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def envelope_row(h, west, east, north, south, deepest, speed2, discharge2, arrival, time):  # type: ignore[no-untyped-def]
    """Raise the running maxima of depth, speed squared and unit discharge squared of a row; note the arrival."""
    real = h.dtype.type
    never, arrived = real(np.inf), real(ARRIVAL_DEPTH)
    for j in range(h.shape[0]):
        v2, q2 = motion(h[j], west[j], east[j], north[j], south[j])
        deepest[j] = max(deepest[j], h[j])
        speed2[j] = max(speed2[j], v2)
        discharge2[j] = max(discharge2[j], q2)
        arrival[j] = min(arrival[j], time if h[j] > arrived else never)


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
