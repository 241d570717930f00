"""Compiled: world coordinates to those of a tile by a polynomial. Import it late: it loads numba."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Points3
from cimdesk.base.compiled import njit


@njit(cache=True, nogil=True)
def _sums_of_terms(points: AnyArray, middle: AnyArray, half: AnyArray, factors: AnyArray, out: AnyArray) -> None:
    f = factors
    for i in range(len(points)):
        x, y, z = (points[i, 0] - middle[0]) / half[0], (points[i, 1] - middle[1]) / half[1], (points[i, 2] - middle[2]) / half[2]
        xx, xy, yy = x * x, x * y, y * y
        for k in range(3):
            flat = f[0, k] + x * f[1, k] + y * f[2, k] + xx * f[4, k] + xy * f[5, k] + yy * f[6, k]
            bent = xx * x * f[9, k] + xx * y * f[10, k] + x * yy * f[11, k] + yy * y * f[12, k]
            out[i, k] = flat + bent + z * (f[3, k] + x * f[7, k] + y * f[8, k])


def sums_of_terms(points: Points3, middle: Float, half: Float, factors: AnyArray) -> Float32:
    """Return (N, 3) float32 values of the polynomials whose (13, 3) factors belong to the terms of `tiles3d_grid`.

    Parameters
    ----------
    points : (N, 3) float64
    middle, half : (3,) float64
        Of the box in which the polynomials run from -1 to 1.
    factors : (13, 3) float64
    """
    out = np.empty((len(points), 3), dtype=np.float32)
    _sums_of_terms(np.ascontiguousarray(points), middle, half, np.ascontiguousarray(factors), out)
    return out
