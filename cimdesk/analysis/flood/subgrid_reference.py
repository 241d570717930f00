"""The steps of a run on coarse cells with tables in plain numpy, array by array: what `subgrid_kernels` is checked against."""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.kernels import MIN_FLOW_DEPTH, THETA
from cimdesk.analysis.flood.subgrid_tables import LEVELS, SubgridTables
from cimdesk.base.arrays import AnyArray

_IN = slice(1, -2)
_FACES = slice(1, -1)


def depths(cells: AnyArray, held: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return depth above the lowest ground [m] and wet share of cells that hold water, (...) of (..., KNOTS, 3) tables."""
    knots = cells.astype(np.float64)
    last = np.clip((knots[..., 1] <= held[..., np.newaxis]).sum(axis=-1) - 1, 0, knots.shape[-2] - 1)
    after = np.minimum(last + 1, knots.shape[-2] - 1)
    low, high = (np.take_along_axis(knots, k[..., np.newaxis, np.newaxis], axis=-2)[..., 0, :] for k in (last, after))
    over, share, span = held - low[..., 1], low[..., 2], high[..., 0] - low[..., 0]
    inner = span > 0.0
    safe = np.where(inner, span, 1.0)
    bend = np.where(inner, np.maximum((high[..., 1] - low[..., 1] - share * safe) / safe**2, 0.0), 0.0)
    root = np.sqrt(share**2 + 4.0 * bend * np.maximum(over, 0.0))
    more = 2.0 * over / np.where(share + root > 0.0, share + root, 1.0)
    is_wet = held > 0.0
    depth = np.where(is_wet, low[..., 0] + np.where(inner, np.minimum(more, span), more), 0.0)
    return depth, np.where(is_wet, np.minimum(root, high[..., 2]), 0.0)


def section(faces: AnyArray, curves: AnyArray, level: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return flow depth [m] and conveyance to the power of 3/5 of (..., 4) faces with (..., LEVELS, 2) curves at levels."""
    above, end = level - faces[..., 0].astype(np.float64), LEVELS - 1
    place = np.maximum(above, 0.0) * faces[..., 1].astype(np.float64) * end**2
    k = np.minimum(np.sqrt(place).astype(np.int64), end - 1)
    low, high = (np.take_along_axis(curves, n[..., np.newaxis, np.newaxis], axis=-2)[..., 0, :].astype(float) for n in (k, k + 1))
    share = (place - k * k) / (2 * k + 1)
    found = low + share[..., np.newaxis] * (high - low)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = (above - 1.0 / faces[..., 1].astype(np.float64))[..., np.newaxis] * faces[..., 2:].astype(np.float64)
    found = np.where((place >= end**2)[..., np.newaxis], curves[..., end, :] + more, found)
    found = np.where((above > 0.0)[..., np.newaxis], found, 0.0)
    return found[..., 0], found[..., 1]


def fluxes(
    tables: SubgridTables, level: AnyArray, qx: AnyArray, qy: AnyArray, g_dt_dx: float, g_dt: float
) -> tuple[AnyArray, AnyArray]:
    """Return the discharges through western and northern faces over their width after a step [m2 s-1]."""
    new_x, new_y = np.zeros_like(qx), np.zeros_like(qy)
    across = 0.25 * (qy[_IN, 0:-2] + qy[_IN, 1:-1] + qy[2:-1, 0:-2] + qy[2:-1, 1:-1])
    new_x[_IN, _FACES] = _advance(
        tables.west[_IN, _FACES], tables.west_curve[_IN, _FACES], level[_IN, 0:-2], level[_IN, 1:-1],
        (qx[_IN, 0:-2], qx[_IN, 1:-1], qx[_IN, 2:]), across, g_dt_dx, g_dt,
    )  # fmt: skip
    across = 0.25 * (qx[0:-2, _IN] + qx[0:-2, 2:-1] + qx[1:-1, _IN] + qx[1:-1, 2:-1])
    new_y[_FACES, _IN] = _advance(
        tables.north[_FACES, _IN], tables.north_curve[_FACES, _IN], level[0:-2, _IN], level[1:-1, _IN],
        (qy[0:-2, _IN], qy[1:-1, _IN], qy[2:, _IN]), across, g_dt_dx, g_dt,
    )  # fmt: skip
    # The edges of the grid are closed unless something is given there.
    new_x[:, 1] = new_x[:, -2] = new_y[1] = new_y[-2] = 0.0
    return new_x, new_y


def _advance(
    faces: AnyArray, curves: AnyArray, here: AnyArray, there: AnyArray, q: tuple[AnyArray, AnyArray, AnyArray], across: AnyArray,
    g_dt_dx: float, g_dt: float,
) -> AnyArray:  # fmt: skip
    before, own, after = q
    depth, passed = section(faces, curves, np.maximum(here, there))
    flows = (depth > MIN_FLOW_DEPTH) & (passed > 0.0)
    driven = THETA * own + 0.5 * (1.0 - THETA) * (before + after) - g_dt_dx * depth * (there - here)
    friction = g_dt * depth * np.hypot(own, across) / np.where(flows, passed, 1.0) ** (10.0 / 3.0)
    return np.asarray(np.where(flows, driven / (1.0 + friction), 0.0))


def downscaled(ground: AnyArray, is_open: AnyArray, h: AnyArray, level: AnyArray, factor: int) -> AnyArray:
    """Return the depths of fine cells below the levels of coarse ones that hold water [m]."""
    whole = np.repeat(np.repeat(np.where(h > 0.0, level, -np.inf), factor, axis=0), factor, axis=1)
    return np.where(is_open, np.maximum(whole - ground, 0.0), 0.0)
