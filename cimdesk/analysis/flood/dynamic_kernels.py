"""Compiled inner loops of the dynamic engine. `dynamic_reference` has the same stage in plain numpy, for the tests.

Second order in space and time: MUSCL with minmod slopes of depth, level and velocities, hydrostatic reconstruction (Audusse et
al. 2004, SIAM J. Sci. Comput. 25, 2050-2065), HLLC fluxes (Toro 2001), Heun's strong-stability-preserving stages, and friction
implicit in each stage. Arrays are (R + 3, C + 3) as in `kernels`; here ``qx`` and ``qy`` are unit discharges at cell centres,
and the ring holds what is beyond the edges.

What a face does to the momentum of a cell is written less the hydrostatic pressure on its own side, and the slope of the bed
and of the pressure within the cell become one term, ``-g h d(level)/dx``. Still water gives exact zeros then, in any
precision. Nothing is reassociated or contracted, so a face gives the same bits from both of the tiles that compute it.
"""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.compiled import part2
from cimdesk.analysis.flood.dynamic_laws import (
    THIN_DEPTH,
    WALL,
    blended,
    driven,
    face_fluxes,
    given_flux,
    over_depth,
    reconstructed,
    surplus_given,
    wave_speed,
)
from cimdesk.analysis.flood.kernels import envelope_row, infiltrate_row, outflow, settled, two_sum
from cimdesk.base.compiled import njit

CHUNK = 512
"""Columns computed together: their rows of intermediate values stay in the fastest cache."""

_EXACT = {"nnan", "nsz"}


@njit(fastmath=_EXACT, nogil=True, cache=True, error_model="numpy")
def velocity_row(h, qx, qy, inverse, u, v):  # type: ignore[no-untyped-def]
    """Write one over the depth (fading where thin) and the velocities of a row of cells."""
    for j in range(h.shape[0]):
        over = over_depth(h[j])
        inverse[j] = over
        u[j] = qx[j] * over
        v[j] = qy[j] * over


@njit(fastmath=_EXACT, nogil=True, cache=True, error_model="numpy")
def slope_row(ha, h, hb, za, z, zb, ua, u, ub, va, v, vb, inverse, dh, de, u_a, u_b, v_a, v_b):  # type: ignore[no-untyped-def]
    """Write what `reconstructed` says of a row of cells between neighbours ``a`` (west or north) and ``b``."""
    for j in range(h.shape[0]):
        dh[j], de[j], u_a[j], u_b[j], v_a[j], v_b[j] = reconstructed(
            ha[j], h[j], hb[j], za[j], z[j], zb[j], ua[j], u[j], ub[j], va[j], v[j], vb[j], inverse[j]
        )


@njit(nogil=True, cache=True)
def flat_row(velocity, slopes, along, across, p, q):  # type: ignore[no-untyped-def]
    """Reconstruct cells beyond the edge: constant, with the velocities of these rows of ``velocity``."""
    for j in range(p, q):
        slopes[0, j] = slopes[1, j] = 0.0
        slopes[2, j] = slopes[3, j] = velocity[along, j]
        slopes[4, j] = slopes[5, j] = velocity[across, j]


@njit(nogil=True, cache=True)
def _copy(into, values):  # type: ignore[no-untyped-def]
    """Copy a row, which an assignment of slices does no quicker but takes longer to compile."""
    for j in range(into.shape[0]):
        into[j] = values[j]


@njit(fastmath=_EXACT, nogil=True, cache=True, error_model="numpy")
def flux_row(ha, hb, za, zb, dha, dhb, dea, deb, ul, ur, vl, vr, mass, left, right, across, gravity):  # type: ignore[no-untyped-def]
    """Write the fluxes through a row of faces between cells ``a`` and ``b``; see `face_fluxes`."""
    for j in range(ha.shape[0]):
        mass[j], left[j], right[j], across[j] = face_fluxes(
            ha[j], hb[j], za[j], zb[j], dha[j], dhb[j], dea[j], deb[j], ul[j], ur[j], vl[j], vr[j], gravity
        )


@njit(fastmath=_EXACT, nogil=True, cache=True, error_model="numpy")
def depth_row(h, lo, west, east, north, south, h_new, lo_new, dt_dx, keep):  # type: ignore[no-untyped-def]
    """Write the depths of a row after a stage; return how many cells give more than they hold."""
    zero, overdrawn = h.dtype.type(0.0), np.int32(0)
    for j in range(h.shape[0]):
        # Compilers vectorise counts, but not a running maximum of what is computed here.
        overdrawn += np.int32(outflow(west[j], east[j], north[j], south[j], dt_dx) > keep * h[j])
        h_new[j], lo_new[j] = settled(h[j], lo[j], west[j] * dt_dx, east[j] * dt_dx, north[j] * dt_dx, south[j] * dt_dx, zero)
    return overdrawn


@njit(fastmath=_EXACT, nogil=True, cache=True, error_model="numpy")
def momentum_row(  # type: ignore[no-untyped-def]
    h, h_new, qx, qy, k, dex, dey, left_e, right_w, across_n, across_s, left_s, right_n, across_w, across_e,
    qx_new, qy_new, dt_dx, dt, gravity,
):  # fmt: skip
    """Write the discharges of a row after a stage; see `driven`."""
    for j in range(h.shape[0]):
        qx_new[j], qy_new[j] = driven(
            h[j], h_new[j], qx[j], qy[j], k[j], dex[j], dey[j], left_e[j], right_w[j], across_n[j], across_s[j],
            left_s[j], right_n[j], across_w[j], across_e[j], dt_dx, dt, gravity,
        )  # fmt: skip


@njit(fastmath=_EXACT, nogil=True, cache=True, error_model="numpy")
def blend_row(h, lo, qx, qy, h_last, lo_last, qx_last, qy_last, rain_share, rain):  # type: ignore[no-untyped-def]
    """Bring a row to the new time, see `blended`; return how many cells are wet."""
    zero, wet = h.dtype.type(0.0), np.int32(0)
    for j in range(h.shape[0]):
        h[j], lo[j], qx[j], qy[j] = blended(
            h[j], lo[j], qx[j], qy[j], h_last[j], lo_last[j], qx_last[j], qy_last[j], rain * rain_share[j]
        )
        wet += np.int32(h[j] > zero)
    return wet


@njit(fastmath=_EXACT, nogil=True, cache=True, error_model="numpy")
def fastest_row(h, qx, qy, speeds, gravity):  # type: ignore[no-untyped-def]
    """Return the greatest speed of waves in a row [m s-1]; ``speeds`` is scratch."""
    for j in range(h.shape[0]):
        speeds[j] = wave_speed(h[j], qx[j], qy[j], gravity)
    fastest = h.dtype.type(0.0)
    for j in range(h.shape[0]):
        fastest = max(fastest, speeds[j])
    return fastest


@njit(nogil=True, cache=True)
def _fluxes_west(h, z, velocity, slopes, faces, i, j0, j1, columns, gravity):  # type: ignore[no-untyped-def]
    """Write slopes along a row and the fluxes through the western faces of columns ``j0`` to ``j1`` (inclusive)."""
    o = j0 - 2
    a, b = max(j0 - 1, 1), min(j1 + 1, columns + 1)
    p, q = a - o, b - o
    slope_row(
        part2(h, i, a - 1, b - 1), part2(h, i, a, b), part2(h, i, a + 1, b + 1), part2(z, i, a - 1, b - 1), part2(z, i, a, b),
        part2(z, i, a + 1, b + 1),
        part2(velocity, 1, p - 1, q - 1), part2(velocity, 1, p, q), part2(velocity, 1, p + 1, q + 1),
        part2(velocity, 2, p - 1, q - 1), part2(velocity, 2, p, q), part2(velocity, 2, p + 1, q + 1), part2(velocity, 0, p, q),
        part2(slopes, 0, p, q), part2(slopes, 1, p, q), part2(slopes, 2, p, q), part2(slopes, 3, p, q), part2(slopes, 4, p, q),
        part2(slopes, 5, p, q),
    )  # fmt: skip
    for c in (0, columns + 1):
        if j0 - 1 <= c <= j1:
            flat_row(velocity, slopes, 1, 2, c - o, c - o + 1)
    p, q = 2, j1 - o + 1
    flux_row(
        part2(h, i, j0 - 1, j1), part2(h, i, j0, j1 + 1), part2(z, i, j0 - 1, j1), part2(z, i, j0, j1 + 1),
        part2(slopes, 0, p - 1, q - 1), part2(slopes, 0, p, q), part2(slopes, 1, p - 1, q - 1), part2(slopes, 1, p, q),
        part2(slopes, 3, p - 1, q - 1), part2(slopes, 2, p, q), part2(slopes, 5, p - 1, q - 1), part2(slopes, 4, p, q),
        part2(faces, 0, p, q), part2(faces, 1, p, q), part2(faces, 2, p, q), part2(faces, 3, p, q), gravity,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _slopes_down(h, z, before, here, after, slopes, i, j0, j1, rows):  # type: ignore[no-untyped-def]
    """Write the slopes of a row towards the rows north and south of it."""
    p, q = 2, 2 + j1 - j0
    if i == 0 or i == rows + 1:
        flat_row(here, slopes, 2, 1, p, q)
        return
    slope_row(
        part2(h, i - 1, j0, j1), part2(h, i, j0, j1), part2(h, i + 1, j0, j1), part2(z, i - 1, j0, j1), part2(z, i, j0, j1),
        part2(z, i + 1, j0, j1),
        part2(before, 2, p, q), part2(here, 2, p, q), part2(after, 2, p, q), part2(before, 1, p, q), part2(here, 1, p, q),
        part2(after, 1, p, q), part2(here, 0, p, q),
        part2(slopes, 0, p, q), part2(slopes, 1, p, q), part2(slopes, 2, p, q), part2(slopes, 3, p, q), part2(slopes, 4, p, q),
        part2(slopes, 5, p, q),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _fluxes_north(h, z, above, below, faces, i, j0, j1, gravity):  # type: ignore[no-untyped-def]
    """Write the fluxes through the northern faces of a row, from the slopes of the row above and of its own."""
    p, q = 2, 2 + j1 - j0
    flux_row(
        part2(h, i - 1, j0, j1), part2(h, i, j0, j1), part2(z, i - 1, j0, j1), part2(z, i, j0, j1), part2(above, 0, p, q),
        part2(below, 0, p, q), part2(above, 1, p, q), part2(below, 1, p, q),
        part2(above, 3, p, q), part2(below, 2, p, q), part2(above, 5, p, q), part2(below, 4, p, q), part2(faces, 0, p, q),
        part2(faces, 1, p, q), part2(faces, 2, p, q), part2(faces, 3, p, q), gravity,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _velocities(h, qx, qy, velocity, i, j0, j1, columns):  # type: ignore[no-untyped-def]
    """Write the velocities of a row, two columns beyond both ends where the grid has them."""
    a, b = max(j0 - 2, 0), min(j1 + 2, columns + 2)
    p, q = a - j0 + 2, b - j0 + 2
    velocity_row(
        part2(h, i, a, b),
        part2(qx, i, a, b),
        part2(qy, i, a, b),
        part2(velocity, 0, p, q),
        part2(velocity, 1, p, q),
        part2(velocity, 2, p, q),
    )


@njit(nogil=True, cache=True)
def _set_face(faces, p, q, h, z, gravity):  # type: ignore[no-untyped-def]
    """Put a given discharge through a face at the edge; see `given_flux`."""
    q, push = given_flux(q, h, z, gravity)
    faces[0, p], faces[1, p], faces[2, p], faces[3, p] = q, push, push, 0.0


@njit(nogil=True, cache=True)
def _set_edges(is_given, given, h, z, across, above, below, i, j0, j1, rows, columns, gravity):  # type: ignore[no-untyped-def]
    """Put given discharges through the edges of the grid: west, east, north, south."""
    n = j1 - j0
    if is_given[0] and j0 == 1:
        _set_face(across, 2, given[0, i], h[i, 1], z[i, 1], gravity)
    if is_given[1] and j1 == columns + 1:
        _set_face(across, 2 + n, given[1, i], h[i, columns], z[i, columns], gravity)
    if is_given[2] and i == 1:
        for p in range(n):
            _set_face(above, 2 + p, given[2, j0 + p], h[1, j0 + p], z[1, j0 + p], gravity)
    if is_given[3] and i == rows:
        for p in range(n):
            _set_face(below, 2 + p, given[3, j0 + p], h[rows, j0 + p], z[rows, j0 + p], gravity)


@njit(nogil=True, cache=True)
def _note_edges(edges, across, down, below, i, j0, j1, rows, columns):  # type: ignore[no-untyped-def]
    """Keep the flow through the edges of the grid: west, east, north, south."""
    n = j1 - j0
    if j0 == 1:
        edges[0, i] = across[0, 2]
    if j1 == columns + 1:
        edges[1, i] = across[0, 2 + n]
    if i == 1:
        _copy(part2(edges, 2, j0, j1), part2(down, 0, 2, 2 + n))
    if i == rows:
        _copy(part2(edges, 3, j0, j1), part2(below, 0, 2, 2 + n))


@njit(nogil=True, cache=True)
def _advance(  # type: ignore[no-untyped-def]
    h, lo, qx, qy, k, i, j0, j1, along, above, below, xs, ys, h_new, lo_new, qx_new, qy_new, dt_dx, dt, gravity, keep,
):  # fmt: skip
    """Write a row after a stage, from the fluxes on its four sides; return how many cells are overdrawn."""
    p, q = 2, 2 + j1 - j0
    overdrawn = depth_row(
        part2(h, i, j0, j1),
        part2(lo, i, j0, j1),
        part2(along, 0, p, q),
        part2(along, 0, p + 1, q + 1),
        part2(above, 0, p, q),
        part2(below, 0, p, q),
        h_new,
        lo_new,
        dt_dx,
        keep,
    )
    momentum_row(
        part2(h, i, j0, j1), h_new, part2(qx, i, j0, j1), part2(qy, i, j0, j1), part2(k, i, j0, j1), part2(xs, 1, p, q),
        part2(ys, 1, p, q),
        part2(along, 1, p + 1, q + 1), part2(along, 2, p, q), part2(above, 3, p, q), part2(below, 3, p, q),
        part2(below, 1, p, q), part2(above, 2, p, q), part2(along, 3, p, q), part2(along, 3, p + 1, q + 1),
        qx_new, qy_new, dt_dx, dt, gravity,
    )  # fmt: skip
    return overdrawn


@njit(nogil=True, cache=True)
def stage_tiles(  # type: ignore[no-untyped-def]
    tiles, first, last, h, lo, qx, qy, z, k, h_to, lo_to, qx_to, qy_to, edges, mass_x, mass_y, flags, dt_dx, dt, gravity, keep,
    is_last, rain_share, deepest, speed2, discharge2, arrival, tile_wet, tile_speed, tile_loss, rain, loss, time,
    is_given, given,
):  # fmt: skip
    """Advance some tiles by one stage from ``h, lo, qx, qy``.

    The first stage writes a whole explicit step to the ``_to`` arrays. The last one blends its step with the start of the time
    step, which it finds there, brings rain and infiltration, and notes running maxima and, for each tile, wet cells, greatest
    wave speed and infiltration. Rows in which a cell gives more than it holds are flagged and their flows kept for `repair`.
    Edges that ``is_given`` (4,) names take the discharges ``given`` (4, n) instead of those of what is beyond them.
    """
    rows, columns = h.shape[0] - 3, h.shape[1] - 3
    velocity, ys = np.zeros((4, 3, CHUNK + 4), h.dtype), np.zeros((2, 6, CHUNK + 4), h.dtype)
    yf, xs = np.zeros((2, 4, CHUNK + 4), h.dtype), np.zeros((6, CHUNK + 4), h.dtype)
    xf, made = np.zeros((4, CHUNK + 4), h.dtype), np.zeros((4, CHUNK + 4), h.dtype)
    for t in range(first, last):
        i0, i1, c = tiles[t, 0], tiles[t, 1], tiles[t, 4]
        for i in range(i0, i1):
            flags[i, c] = 0
        wet, fastest, lost = 0, h.dtype.type(0.0), 0.0
        for j0 in range(tiles[t, 2], tiles[t, 3], CHUNK):
            j1 = min(j0 + CHUNK, tiles[t, 3])
            n = j1 - j0
            loaded = max(i0 - 2, 0)
            for i in range(i0 - 1, i1 + 1):
                while loaded <= min(i, rows) + 1:
                    _velocities(h, qx, qy, velocity[loaded & 3], loaded, j0, j1, columns)
                    loaded += 1
                up = i - 1
                _slopes_down(h, z, velocity[up & 3], velocity[i & 3], velocity[(i + 1) & 3], ys[i & 1], i, j0, j1, rows)
                if i < i0:
                    continue
                _fluxes_north(h, z, ys[up & 1], ys[i & 1], yf[i & 1], i, j0, j1, gravity)
                if up < i0:
                    continue
                _fluxes_west(h, z, velocity[up & 3], xs, xf, up, j0, j1, columns, gravity)
                above, below = yf[up & 1], yf[i & 1]
                if is_given[0] or is_given[1] or is_given[2] or is_given[3]:
                    _set_edges(is_given, given, h, z, xf, above, below, up, j0, j1, rows, columns, gravity)
                _note_edges(edges, xf, above, below, up, j0, j1, rows, columns)
                if is_last:
                    to = (part2(made, 0, 0, n), part2(made, 1, 0, n), part2(made, 2, 0, n), part2(made, 3, 0, n))
                else:
                    to = (part2(h_to, up, j0, j1), part2(lo_to, up, j0, j1), part2(qx_to, up, j0, j1), part2(qy_to, up, j0, j1))
                overdrawn = _advance(
                    h, lo, qx, qy, k, up, j0, j1, xf, above, below, xs, ys[up & 1],
                    to[0], to[1], to[2], to[3], dt_dx, dt, gravity, keep,
                )  # fmt: skip
                if overdrawn > 0:
                    flags[up, c] = 1
                    _copy(part2(mass_x, up, j0, j1 + 1), part2(xf, 0, 2, 3 + n))
                    _copy(part2(mass_y, up, j0, j1), part2(above, 0, 2, 2 + n))
                    _copy(part2(mass_y, i, j0, j1), part2(below, 0, 2, 2 + n))
                if not is_last:
                    continue
                h_row, qx_row, qy_row = part2(h_to, up, j0, j1), part2(qx_to, up, j0, j1), part2(qy_to, up, j0, j1)
                wet += blend_row(
                    h_row, part2(lo_to, up, j0, j1), qx_row, qy_row, to[0], to[1], to[2], to[3], part2(rain_share, up, j0, j1), rain
                )
                if loss > 0.0:
                    lost += infiltrate_row(h_row, part2(lo_to, up, j0, j1), loss)
                fastest = max(fastest, fastest_row(h_row, qx_row, qy_row, to[0], gravity))
                envelope_row(
                    h_row, qx_row, qx_row, qy_row, qy_row,
                    part2(deepest, up, j0, j1), part2(speed2, up, j0, j1), part2(discharge2, up, j0, j1),
                    part2(arrival, up, j0, j1), time,
                )  # fmt: skip
        if is_last:
            tile_wet[tiles[t, 5]] = wet
            tile_speed[tiles[t, 5]] = fastest
            tile_loss[tiles[t, 5]] = lost
    # Named last, so that the buffers live until here.
    velocity[0, 0, 0], ys[0, 0, 0], yf[0, 0, 0], xs[0, 0], xf[0, 0], made[0, 0] = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


@njit(nogil=True, cache=True)
def _shift(h, lo, qx, qy, i, j, depth, x, y):  # type: ignore[no-untyped-def]
    """Add a depth [m] and its momentum to a cell."""
    h[i, j], lo[i, j] = two_sum(h[i, j], lo[i, j] + depth)
    qx[i, j] += depth * x
    qy[i, j] += depth * y


@njit(nogil=True, cache=True)
def repair(  # type: ignore[no-untyped-def]
    tiles, flags, h, qx, qy, h_to, lo_to, qx_to, qy_to, edges, mass_x, mass_y, share, dt_dx, keep
):  # fmt: skip
    """Scale the outflows of overdrawn cells to what they hold: give back to them, and take from where it went.

    ``h``, ``qx``, ``qy`` are those the stage began with; ``share`` is its weight in the ``_to`` arrays. Cells are visited in the
    order of the grid, so the result depends on nothing else.
    """
    zero, one = h.dtype.type(0.0), h.dtype.type(1.0)
    rows, columns = h.shape[0] - 3, h.shape[1] - 3
    for t in range(tiles.shape[0]):
        for i in range(tiles[t, 0], tiles[t, 1]):
            if not flags[i, tiles[t, 4]]:
                continue
            for j in range(tiles[t, 2], tiles[t, 3]):
                surplus = surplus_given(h[i, j], mass_x[i, j], mass_x[i, j + 1], mass_y[i, j], mass_y[i + 1, j], dt_dx, keep)
                if surplus <= zero:
                    continue
                west, east = max(-mass_x[i, j], zero), max(mass_x[i, j + 1], zero)
                north, south = max(-mass_y[i, j], zero), max(mass_y[i + 1, j], zero)
                over = one / max(h[i, j], h.dtype.type(THIN_DEPTH))
                x, y = qx[i, j] * over, qy[i, j] * over
                for side, flow, r, c in ((0, west, i, j - 1), (1, east, i, j + 1), (2, north, i - 1, j), (3, south, i + 1, j)):
                    back = share * surplus * flow * dt_dx
                    if back <= zero:
                        continue
                    _shift(h_to, lo_to, qx_to, qy_to, i, j, back, x, y)
                    if r < 1 or c < 1 or r > rows or c > columns:
                        edges[side, i if side < 2 else j] *= one - surplus
                    else:
                        _shift(h_to, lo_to, qx_to, qy_to, r, c, -back, x, y)


@njit(nogil=True, cache=True)
def ghost_cells(kind, h, z, k, along, across, h_out, along_out, across_out, outward, slope, level, gravity):  # type: ignore[no-untyped-def]
    """Write the water beyond an edge: 0 normal flow with ``slope``, 1 a water ``level``, 2 critical flow.

    ``outward`` is the sign of discharge ``along`` the normal that leaves the grid.
    """
    for j in range(h.shape[0]):
        depth = max(h[j], 0.0)
        over = 2.0 * depth / (depth * depth + max(depth * depth, THIN_DEPTH * THIN_DEPTH))
        u, beyond = along[j] * over, depth
        if kind == 0:
            u = outward * depth ** (2.0 / 3.0) * np.sqrt(slope * gravity / k[j])
        elif kind == 1:
            beyond = max(level - z[j], 0.0)
        else:
            u = outward * np.sqrt(gravity * depth)
        if z[j] >= WALL:
            beyond = 0.0
        h_out[j] = beyond
        along_out[j] = beyond * u
        across_out[j] = beyond * across[j] * over
