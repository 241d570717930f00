"""What happens in one cell and through one face in the dynamic engine; `dynamic_kernels` has the method and its loops.

The kernels of graphics processors (`cuda_dynamic_kernels`) take the same functions as they are. Nothing is reassociated or
contracted on processors, so that still water gives exact zeros and two tiles that compute a face get the same bits. No function
here allows for other mathematics: compilers for graphics processors would take that for leave to divide roughly.
"""

from __future__ import annotations

from math import sqrt

from cimdesk.analysis.flood.kernels import CLOSED_HEIGHT, inverse_cube_root_guess, settled, two_sum
from cimdesk.base.compiled import njit

DRY_DEPTH = 1.0e-7
"""A thinner film has no surface slope and no momentum [m]."""
THIN_DEPTH = 1.0e-6
"""Velocities fade out below this depth [m] (Kurganov and Petrova 2007)."""
LEAST_DEPTH = 1.0e-15
"""Stands for thinner films where depths are squared: processors are slow with numbers next to nothing [m]."""
WALL = 0.5 * CLOSED_HEIGHT
"""Cells that stand higher are walls."""


@njit(inline="always")
def over_depth(h):  # type: ignore[no-untyped-def]
    """Return one over a depth, fading where it is thin."""
    real = type(h)
    depth = max(h, real(LEAST_DEPTH))
    square = depth * depth
    return real(2.0) * h / (square + max(square, real(THIN_DEPTH * THIN_DEPTH)))


@njit(inline="always")
def freedom(za, z, zb):  # type: ignore[no-untyped-def]
    """Return the share of limited differences that are slopes: a half, and nothing beside walls."""
    real = type(z)
    return real(0.5) if max(max(za, zb), z) < real(WALL) else real(0.0)


@njit(inline="always")
def limited(a, b, share):  # type: ignore[no-untyped-def]
    """Return a share of the smaller of two differences; nothing where their signs differ (minmod)."""
    zero = type(a)(0.0)
    return share * (max(min(a, b), zero) + min(max(a, b), zero))


@njit(inline="always", cache=True)
def level_slope(ha, h, hb, za, z, zb):  # type: ignore[no-untyped-def]
    """Return half the slope of the level in a cell between ``a`` and ``b``; zero where it is dry and beside walls."""
    real = type(h)
    level = limited((h - ha) + (z - za), (hb - h) + (zb - z), freedom(za, z, zb))
    return level if h > real(DRY_DEPTH) else real(0.0)


@njit(inline="always")
def reconstructed(ha, h, hb, za, z, zb, ua, u, ub, va, v, vb, inverse):  # type: ignore[no-untyped-def]
    """Reconstruct a cell between neighbours ``a`` (west or north) and ``b``; ``u`` is the velocity towards ``b``.

    Returned are half the slopes of depth and level, and both velocities at the faces towards ``a`` and ``b``. Those are weighted
    so that the momentum of the cell stays what it is. Beside walls, and of the level in dry cells, slopes are zero.
    """
    one, share = type(h)(1.0), freedom(za, z, zb)
    depth = limited(h - ha, hb - h, share)
    level = level_slope(ha, h, hb, za, z, zb)
    weight = depth * inverse
    along = limited(u - ua, ub - u, share)
    across = limited(v - va, vb - v, share)
    return (
        depth, level,
        u - along * (one + weight), u + along * (one - weight), v - across * (one + weight), v + across * (one - weight),
    )  # fmt: skip


@njit(inline="always")
def face_fluxes(ha, hb, za, zb, dha, dhb, dea, deb, ul, ur, vl, vr, gravity):  # type: ignore[no-untyped-def]
    """Return the fluxes through a face between cells ``a`` and ``b``, from depths, beds, half slopes and velocities at the face.

    Mass; that of the momentum along the flow less the pressure of the left and of the right side; that across.
    """
    real = type(ha)
    zero, half, two, quarter, wall, tiny = real(0.0), real(0.5), real(2.0), real(0.25), real(WALL), real(1e-30)
    open_a, open_b = za < wall, zb < wall
    hl, hr = ha + dha, hb - dhb
    step = (zb - za) - ((dea - dha) + (deb - dhb))
    # The bed between the cells is the higher of both sides; a wall mirrors the water before it.
    over_l, over_r = max(hl - max(step, zero), zero), max(hr + min(step, zero), zero)
    over_l, over_r = (
        (over_l if open_b else max(hl, zero)) if open_a else (max(hr, zero) if open_b else zero),
        (over_r if open_a else max(hr, zero)) if open_b else (max(hl, zero) if open_a else zero),
    )
    u_l = ul if open_a else -ur
    u_r = ur if open_b else -ul
    cl, cr = sqrt(gravity * over_l), sqrt(gravity * over_r)
    middle_u = half * (u_l + u_r) + (cl - cr)
    middle_c = half * (cl + cr) + quarter * (u_l - u_r)
    low = min(u_l - cl, middle_u - middle_c)
    high = max(u_r + cr, middle_u + middle_c)
    low = u_r - two * cr if over_l <= zero else (u_l - cl if over_r <= zero else low)
    high = u_l + two * cl if over_r <= zero else (u_r + cr if over_l <= zero else high)
    low, high = min(low, zero), max(high, zero)
    over = real(1.0) / max(high - low, tiny)
    ql, qr = over_l * u_l, over_r * u_r
    both = low * high
    flow = (high * ql - low * qr + both * (over_r - over_l)) * over
    flow = flow if open_a and open_b else zero
    pressure = half * gravity * (over_r - over_l) * (over_r + over_l)
    push = high * ql * u_l - low * qr * u_r + both * (qr - ql)
    return flow, (push - low * pressure) * over, (push - high * pressure) * over, flow * (vl if flow > zero else vr)


@njit(inline="always", cache=True)
def given_flux(q, h, z, gravity):  # type: ignore[no-untyped-def]
    """Return mass and momentum of a given discharge through an edge, at the depth within or at the critical one if greater."""
    q = q if z < WALL else h * 0.0
    depth = max(max(h, (q * q / gravity) ** (1.0 / 3.0)), DRY_DEPTH)
    return q, q * q / depth + 0.5 * gravity * (depth - h) * (depth + h)


@njit(inline="always")
def rubbed(x, y, h, k, dt):  # type: ignore[no-untyped-def]
    """Return discharges after the friction of Manning, implicit in the new discharge, at the new depth ``h``."""
    real = type(h)
    one, two, four, dry = real(1.0), real(2.0), real(4.0), real(DRY_DEPTH)
    depth = max(h, dry)
    root = real(inverse_cube_root_guess(depth))
    e = one - depth * root * root * root
    root = root * (one + e * (real(1 / 3) + e * (real(2 / 9) + e * real(14 / 81))))
    e = one - depth * root * root * root
    root = root * (one + e * (real(1 / 3) + e * real(2 / 9)))
    square = root * root
    drag = dt * k * (square * square * square * root)
    speed = sqrt(x * x + y * y)
    fade = depth * depth
    fade = two * fade / (fade + max(fade, real(THIN_DEPTH * THIN_DEPTH)))
    share = two * fade / (one + sqrt(one + four * drag * speed))
    share = share if h > dry else real(0.0)
    return x * share, y * share


@njit(inline="always")
def driven(  # type: ignore[no-untyped-def]
    h, h_new, qx, qy, k, dex, dey, left_e, right_w, across_n, across_s, left_s, right_n, across_w, across_e, dt_dx, dt, gravity
):
    """Return the discharges of a cell after a stage: fluxes through its faces, slope of its level, friction at the new depth."""
    weight = type(h)(2.0) * gravity * h
    x = qx - dt_dx * (((left_e - right_w) + (across_s - across_n)) + weight * dex)
    y = qy - dt_dx * (((left_s - right_n) + (across_e - across_w)) + weight * dey)
    return rubbed(x, y, h_new, k, dt)


@njit(inline="always", cache=True)
def blended(h, lo, qx, qy, h_last, lo_last, qx_last, qy_last, fallen):  # type: ignore[no-untyped-def]
    """Return the water of a cell at the new time: the mean of the start and of both stages, and what has ``fallen`` [m]."""
    half = type(h)(0.5)
    net = half * ((h_last - h) + (lo_last - lo))
    depth, rest = two_sum(h, net + (fallen + lo))
    return depth, rest, half * (qx + qx_last), half * (qy + qy_last)


@njit(inline="always", cache=True)
def wave_speed(h, qx, qy, gravity):  # type: ignore[no-untyped-def]
    """Return the greatest speed of waves in a cell [m s-1]."""
    real = type(h)
    depth = max(h, real(LEAST_DEPTH))
    square = depth * depth
    over = real(2.0) * depth / (square + max(square, real(THIN_DEPTH * THIN_DEPTH)))
    return max(abs(qx), abs(qy)) * over + sqrt(gravity * depth)


@njit(inline="always", cache=True)
def surplus_given(h, west, east, north, south, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Return which share of its outflow a cell does not hold; the discharges are those through its faces, outward or not."""
    zero, one = type(h)(0.0), type(h)(1.0)
    out = dt_dx * ((max(east, zero) + max(-west, zero)) + (max(south, zero) + max(-north, zero)))
    # A stage may begin a hair below nothing, which is nothing to give.
    held = max(keep * h, zero)
    return one - held / out if out > held else zero


@njit(nogil=True, cache=True, error_model="numpy")
def face_between(  # type: ignore[no-untyped-def]
    h0, h1, h2, h3, z0, z1, z2, z3, x0, x1, x2, x3, y0, y1, y2, y3, is_flat_1, is_flat_2, gravity
):  # fmt: skip
    """Return the fluxes through the face between the second and the third of four cells in a line; see `face_fluxes`.

    ``x`` are their discharges along the line, ``y`` those across. Cells beyond the edge are constant (``is_flat``).
    """
    real = type(h1)
    i1, i2 = over_depth(h1), over_depth(h2)
    u1, v1, u2, v2 = x1 * i1, y1 * i1, x2 * i2, y2 * i2
    dh1, de1, dh2, de2 = real(0.0), real(0.0), real(0.0), real(0.0)
    ul, vl, ur, vr = u1, v1, u2, v2
    if not is_flat_1:
        i0 = over_depth(h0)
        dh1, de1, _, ul, _, vl = reconstructed(h0, h1, h2, z0, z1, z2, x0 * i0, u1, u2, y0 * i0, v1, v2, i1)
    if not is_flat_2:
        i3 = over_depth(h3)
        dh2, de2, ur, _, vr, _ = reconstructed(h1, h2, h3, z1, z2, z3, u1, u2, x3 * i3, v1, v2, y3 * i3, i2)
    return face_fluxes(h1, h2, z1, z2, dh1, dh2, de1, de2, ul, ur, vl, vr, gravity)


@njit(nogil=True, cache=True, error_model="numpy")
def staged(  # type: ignore[no-untyped-def]
    h, lo, qx, qy, k, west, east, north, south, dex, dey,
    left_e, right_w, across_n, across_s, left_s, right_n, across_w, across_e, dt_dx, dt, gravity,
):  # fmt: skip
    """Return the water of a cell after a stage, from the depths [m] that passed its faces and the momentum (see `driven`)."""
    depth, rest = settled(h, lo, west, east, north, south, type(h)(0.0))
    x, y = driven(
        h, depth, qx, qy, k, dex, dey, left_e, right_w, across_n, across_s, left_s, right_n, across_w, across_e, dt_dx, dt, gravity
    )
    return depth, rest, x, y
