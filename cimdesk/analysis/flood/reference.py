"""The inertial scheme in plain numpy, array by array: what the compiled `kernels` are checked against.

Same layout as the kernels: (R + 3, C + 3) arrays with a closed ring. Slow, short, and easy to compare with the paper.
"""

from __future__ import annotations

import numpy as np

from cimdesk.analysis.flood.kernels import CLOSED_HEIGHT, MIN_FLOW_DEPTH, THETA
from cimdesk.base.arrays import AnyArray

_IN = slice(1, -2)
_FACES = slice(1, -1)


def fluxes(
    h: AnyArray, z: AnyArray, k: AnyArray, qx: AnyArray, qy: AnyArray, g_dt_dx: float, dt: float
) -> tuple[AnyArray, AnyArray]:
    """Return the unit discharge [m2 s-1] through western and northern faces after a step (de Almeida and Bates 2013, eq. 8)."""
    new_x, new_y = np.zeros_like(qx), np.zeros_like(qy)
    across_x = 0.25 * (qy[_IN, 0:-2] + qy[_IN, 1:-1] + qy[2:-1, 0:-2] + qy[2:-1, 1:-1])
    new_x[_IN, _FACES] = _advance(
        h[_IN, 0:-2], h[_IN, 1:-1], z[_IN, 0:-2], z[_IN, 1:-1], k[_IN, 0:-2], k[_IN, 1:-1],
        (qx[_IN, 0:-2], qx[_IN, 1:-1], qx[_IN, 2:]), across_x, g_dt_dx, dt,
    )  # fmt: skip
    across_y = 0.25 * (qx[0:-2, _IN] + qx[0:-2, 2:-1] + qx[1:-1, _IN] + qx[1:-1, 2:-1])
    new_y[_FACES, _IN] = _advance(
        h[0:-2, _IN], h[1:-1, _IN], z[0:-2, _IN], z[1:-1, _IN], k[0:-2, _IN], k[1:-1, _IN],
        (qy[0:-2, _IN], qy[1:-1, _IN], qy[2:, _IN]), across_y, g_dt_dx, dt,
    )  # fmt: skip
    return new_x, new_y


def _advance(
    ha: AnyArray, hb: AnyArray, za: AnyArray, zb: AnyArray, ka: AnyArray, kb: AnyArray,
    q: tuple[AnyArray, AnyArray, AnyArray], across: AnyArray, g_dt_dx: float, dt: float,
) -> AnyArray:  # fmt: skip
    before, own, after = q
    flow_depth = np.maximum(ha + za, hb + zb) - np.maximum(za, zb)
    flows = (flow_depth > MIN_FLOW_DEPTH) & (np.maximum(za, zb) < CLOSED_HEIGHT)
    depth = np.where(flows, flow_depth, 1.0)
    slope = (hb + zb) - (ha + za)
    driven = THETA * own + 0.5 * (1.0 - THETA) * (before + after) - g_dt_dx * depth * slope
    friction = dt * 0.5 * (ka + kb) * np.hypot(own, across) / depth ** (7.0 / 3.0)
    return np.asarray(np.where(flows, driven / (1.0 + friction), 0.0))


def limited(h: AnyArray, qx: AnyArray, qy: AnyArray, dt_dx: float, keep: float) -> tuple[AnyArray, AnyArray]:
    """Return the discharges scaled by min(1, held / wanted) of the cell the water comes from."""
    out = dt_dx * (np.maximum(qx[_IN, 2:-1], 0.0) - np.minimum(qx[_IN, _IN], 0.0))
    out = out + dt_dx * (np.maximum(qy[2:-1, _IN], 0.0) - np.minimum(qy[_IN, _IN], 0.0))
    share = np.ones_like(h)
    held = keep * h[_IN, _IN]
    share[_IN, _IN] = np.where(out > held, held / np.where(out > 0.0, out, 1.0), 1.0)
    scaled_x, scaled_y = qx.copy(), qy.copy()
    scaled_x[:, 1:] *= np.where(qx[:, 1:] > 0.0, share[:, :-1], share[:, 1:])
    scaled_y[1:] *= np.where(qy[1:] > 0.0, share[:-1], share[1:])
    return scaled_x, scaled_y


def updated(h: AnyArray, qx: AnyArray, qy: AnyArray, rain_share: AnyArray, dt_dx: float, rain: float) -> AnyArray:
    """Return the depths [m] after a step."""
    new = h.copy()
    net = (qx[_IN, _IN] - qx[_IN, 2:-1]) + (qy[_IN, _IN] - qy[2:-1, _IN])
    new[_IN, _IN] += dt_dx * net + rain * rain_share[_IN, _IN]
    return new
