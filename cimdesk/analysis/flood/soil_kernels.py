"""Compiled loops of rain fields and infiltration; layout and remainders as in `kernels`."""

from __future__ import annotations

from math import exp, log1p, sqrt

import numpy as np

from cimdesk.base.compiled import njit

NO_SOIL, HORTON, GREEN_AMPT = 0, 1, 2
_EXACT_MATH = {"nnan", "nsz"}
# For processors only: compilers for graphics processors take any of it for leave to do as they like. Hence not in laws of cells.
_ROUNDS = 12
"""Newton steps at most; two or three do."""


@njit(nogil=True, cache=True, error_model="numpy")
def horton_curve(t, initial, final, decay):  # type: ignore[no-untyped-def]
    """Return what has gone in by the time ``t`` on Horton's curve [m]."""
    if decay <= 0.0:
        return final * t
    return final * t + (initial - final) / decay * (1.0 - exp(-decay * t))


@njit(nogil=True, cache=True, error_model="numpy")
def horton(held, seconds, memory, initial, final, decay):  # type: ignore[no-untyped-def]
    """Return what soil takes of ``held`` [m] in some seconds, and its new time on the curve [s].

    Horton (1940), Soil Sci. Soc. Am. Proc. 5, 399-417. Where there is less water than it could take, the curve advances only as
    far as that water brings it, as in SWMM.
    """
    gone = horton_curve(memory, initial, final, decay)
    could = horton_curve(memory + seconds, initial, final, decay) - gone
    if held >= could:
        return could, memory + seconds
    if held <= 0.0:
        return 0.0, memory
    t = memory + seconds * held / could
    for _round in range(_ROUNDS):
        rate = final + (initial - final) * exp(-decay * t)
        error = horton_curve(t, initial, final, decay) - gone - held
        if rate <= 0.0 or abs(error) <= 1e-15:
            break
        t = min(max(t - error / rate, memory), memory + seconds)
    return held, t


@njit(nogil=True, cache=True, error_model="numpy")
def green_ampt(held, seconds, taken, conductivity, suction, deficit):  # type: ignore[no-untyped-def]
    """Return what soil takes of ``held`` [m] in some seconds, having ``taken`` some before [m].

    Green and Ampt (1911) integrated over the step: K dt = dF - psi dtheta ln(1 + dF / (F + psi dtheta)), by Newton's method.
    """
    head = suction * deficit
    potential = conductivity * seconds
    if head > 0.0:
        base = taken + head
        # Never less than the root: from above, Newton on this convex curve comes down without overshooting.
        potential = potential + sqrt(2.0 * conductivity * seconds * base)
        for _round in range(_ROUNDS):
            error = potential - head * log1p(potential / base) - conductivity * seconds
            slope = 1.0 - head / (base + potential)
            if slope <= 0.0 or abs(error) <= 1e-15:
                break
            potential = max(potential - error / slope, conductivity * seconds)
    return min(held, potential)


@njit(fastmath=_EXACT_MATH, nogil=True, cache=True, error_model="numpy")
def soil_tiles(  # type: ignore[no-untyped-def]
    tiles, first, last, h, lo, fallen, share, classes, parameters, memory, tile_rain, tile_loss, has_rain, model, seconds
):  # fmt: skip
    """Add the rain that fell in some seconds to some tiles and take what the soil takes; note both for each tile [m cells]."""
    real = h.dtype.type
    for t in range(first, last):
        came = went = 0.0
        for i in range(tiles[t, 0], tiles[t, 1]):
            for j in range(tiles[t, 2], tiles[t, 3]):
                rain = fallen[i, j] * np.float64(share[i, j]) if has_rain else 0.0
                before = np.float64(h[i, j]) + np.float64(lo[i, j])
                held = before + rain
                if held <= 0.0:
                    continue
                taken = 0.0
                if model == HORTON:
                    p = parameters[classes[i, j]]
                    taken, memory[i, j] = horton(held, seconds, memory[i, j], p[0], p[1], p[2])
                elif model == GREEN_AMPT:
                    p = parameters[classes[i, j]]
                    taken = green_ampt(held, seconds, memory[i, j], p[0], p[1], p[2])
                    memory[i, j] += taken
                after = held - taken
                h[i, j] = real(after)
                lo[i, j] = real(after - np.float64(h[i, j]))
                came += rain
                went += taken
        tile_rain[tiles[t, 5]] = came
        tile_loss[tiles[t, 5]] = went
