"""One stage of the dynamic scheme in plain numpy, array by array: what the compiled `dynamic_kernels` are checked against.

Written like the papers: whole hydrostatic pressures and the bed source as such, not the differences the kernels work with.
"""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.dynamic_laws import DRY_DEPTH, THIN_DEPTH, WALL
from cimdesk.analysis.flood.grid import GRAVITY
from cimdesk.base.arrays import AnyArray, Bool


def stage(
    h: AnyArray, z: AnyArray, k: AnyArray, qx: AnyArray, qy: AnyArray, dt: float, dx: float
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return depth and discharges of the grid's own cells, (R, C) each, after an explicit step with implicit friction.

    Parameters
    ----------
    h, z, k, qx, qy : (R + 3, C + 3)
        As in `dynamic_kernels`.
    """
    cut = (slice(0, -1), slice(0, -1))
    h, z, k, qx, qy = h[cut], z[cut], k[cut], qx[cut], qy[cut]
    u, v = _velocity(h, qx), _velocity(h, qy)
    west_east = _fluxes(h[1:-1], z[1:-1], u[1:-1], v[1:-1])
    north_south = _fluxes(h[:, 1:-1].T, z[:, 1:-1].T, v[:, 1:-1].T, u[:, 1:-1].T)
    across = [array.T for array in north_south]
    own = (slice(1, -1), slice(1, -1))
    new_h = h[own] + dt / dx * (west_east[0] + across[0])
    new_x = qx[own] + dt / dx * (west_east[1] + across[2])
    new_y = qy[own] + dt / dx * (west_east[2] + across[1])
    speed = np.hypot(new_x, new_y)
    depth = np.maximum(new_h, DRY_DEPTH)
    drag = dt * k[own] * depth ** (-7.0 / 3.0)
    fade = 2.0 * depth**2 / (depth**2 + np.maximum(depth**2, THIN_DEPTH**2))
    share = np.where(new_h > DRY_DEPTH, fade * 2.0 / (1.0 + np.sqrt(1.0 + 4.0 * drag * speed)), 0.0)
    return new_h, new_x * share, new_y * share


def _velocity(h: AnyArray, q: AnyArray) -> AnyArray:
    return np.asarray(2.0 * h * q / (h**2 + np.maximum(h**2, THIN_DEPTH**2)))


def _minmod(a: AnyArray, b: AnyArray) -> AnyArray:
    return np.asarray(np.where(a * b > 0.0, np.sign(a) * np.minimum(np.abs(a), np.abs(b)), 0.0))


def _slopes(values: AnyArray, is_free: Bool) -> AnyArray:
    """Return half the limited differences along the rows; zero in the ring and beside walls."""
    steps = np.diff(values, axis=1)
    half = np.zeros_like(values)
    half[:, 1:-1] = 0.5 * _minmod(steps[:, :-1], steps[:, 1:])
    return np.where(is_free, half, 0.0)


def _fluxes(h: AnyArray, z: AnyArray, u: AnyArray, v: AnyArray) -> list[AnyArray]:
    """Return what rows of cells gain per dt / dx from both faces along the rows: depth, momentum along, momentum across."""
    wall = z >= WALL
    is_free = ~wall
    is_free[:, 1:-1] &= ~(wall[:, :-2] | wall[:, 2:])
    dh = _slopes(h, is_free)
    de = np.where(h > DRY_DEPTH, _slopes(np.where(wall, 0.0, z) + h, is_free), 0.0)
    weight = dh * 2.0 * h / (h**2 + np.maximum(h**2, THIN_DEPTH**2))
    du, dv = _slopes(u, is_free), _slopes(v, is_free)
    west = h - dh, z - (de - dh), u - du * (1.0 + weight), v - dv * (1.0 + weight)
    east = h + dh, z + (de - dh), u + du * (1.0 - weight), v + dv * (1.0 - weight)
    left, right = [list(side) for side in ([a[:, :-1] for a in east], [a[:, 1:] for a in west])]
    wall_l, wall_r = wall[:, :-1], wall[:, 1:]
    for here, there, is_wall in ((left, right, wall_l), (right, left, wall_r)):
        for n, sign in enumerate((1.0, 1.0, -1.0, 1.0)):
            here[n] = np.where(is_wall, sign * there[n], here[n])
    closed = wall_l & wall_r
    left[0], right[0] = np.where(closed, 0.0, left[0]), np.where(closed, 0.0, right[0])
    bed = np.maximum(left[1], right[1])
    over_l, over_r = (np.maximum(side[0] + side[1] - bed, 0.0) for side in (left, right))
    mass, push, drift = _hllc(over_l, left[2], left[3], over_r, right[2], right[3])
    mass, drift = (np.where(wall_l | wall_r, 0.0, flux) for flux in (mass, drift))
    to_left = push + 0.5 * GRAVITY * (left[0] ** 2 - over_l**2)
    to_right = push + 0.5 * GRAVITY * (right[0] ** 2 - over_r**2)
    own = (slice(None), slice(1, -1))
    bed_push = GRAVITY * 0.5 * (west[0] + east[0])[own] * (west[1] - east[1])[own]
    gains = [mass[:, :-1] - mass[:, 1:], to_right[:, :-1] - to_left[:, 1:] + bed_push, drift[:, :-1] - drift[:, 1:]]
    return [np.where(wall[own], 0.0, gain) for gain in gains]


def _hllc(
    hl: AnyArray, ul: AnyArray, vl: AnyArray, hr: AnyArray, ur: AnyArray, vr: AnyArray
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return the fluxes of depth, of momentum along and of momentum across (Toro 2001, chapter 10)."""
    cl, cr = np.sqrt(GRAVITY * hl), np.sqrt(GRAVITY * hr)
    u, c = 0.5 * (ul + ur) + cl - cr, 0.5 * (cl + cr) + 0.25 * (ul - ur)
    low = np.where(hl <= 0.0, ur - 2.0 * cr, np.where(hr <= 0.0, ul - cl, np.minimum(ul - cl, u - c)))
    high = np.where(hr <= 0.0, ul + 2.0 * cl, np.where(hl <= 0.0, ur + cr, np.maximum(ur + cr, u + c)))
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    span = np.where(high > low, high - low, 1.0)

    def between(flux_l: AnyArray, flux_r: AnyArray, jump: AnyArray) -> AnyArray:
        mean = (high * flux_l - low * flux_r + low * high * jump) / span
        return np.asarray(np.where(high > low, mean, 0.0))

    mass = between(hl * ul, hr * ur, hr - hl)
    push = between(hl * ul**2 + 0.5 * GRAVITY * hl**2, hr * ur**2 + 0.5 * GRAVITY * hr**2, hr * ur - hl * ul)
    return mass, push, np.asarray(np.where(mass > 0.0, mass * vl, mass * vr))
