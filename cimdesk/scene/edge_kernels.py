"""Compiled: smooth edges in a picture that was read back. Import it late: it loads numba. See `smoothing`."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.compiled import njit

LEAST = 8
"""Luma range around a pixel below which there is no edge (of 255)."""
SHARE = 16
"""The same as a part of the brightest neighbour: one such part of it."""
REACH = 12
"""Pixels that the end of an edge is looked for in each direction."""
SUBPIXEL = 0.5
"""How much lines and points thinner than a pixel are softened."""


@njit(cache=True, nogil=True)
def _luma_of(pixels: AnyArray) -> AnyArray:
    """Return (H, W) int16 brightness of sRGB pixels (Rec. 601)."""
    rows, columns = pixels.shape[:2]
    out = np.empty((rows, columns), dtype=np.int16)
    for y in range(rows):
        for x in range(columns):
            out[y, x] = (77 * pixels[y, x, 0] + 150 * pixels[y, x, 1] + 29 * pixels[y, x, 2]) >> 8
    return out


@njit(cache=True, nogil=True)
def _end(
    luma: AnyArray, y: int, x: int, step_y: int, step_x: int, side_y: int, side_x: int, middle: float, limit: float
) -> tuple[int, float]:
    """Return how far an edge goes on from a pixel, and by how much its mean brightness differs where it ends."""
    rows, columns = luma.shape
    difference = 0.0
    for k in range(1, REACH + 1):
        v, u = y + k * step_y, x + k * step_x
        if v < 1 or u < 1 or v >= rows - 1 or u >= columns - 1:
            return REACH, difference
        difference = 0.5 * (luma[v, u] + luma[v + side_y, u + side_x]) - middle
        if abs(difference) >= limit:
            return k, difference
    return REACH, difference


@njit(cache=True, nogil=True)
def smooth_edges(pixels: AnyArray, kept: AnyArray) -> None:
    """Blend pixels along edges with their neighbours across it, by how near they are to the end of a step.

    Parameters
    ----------
    pixels : (H, W, 4) uint8
        Changed in place.
    kept : (N, 4) int64
        Left, top, right and bottom of boxes that are left as they are: lettering, which is smooth already.

    Notes
    -----
    Lottes 2009, FXAA (NVIDIA white paper), the variant that looks for the ends of edges.
    """
    luma = _luma_of(pixels)
    rows, columns = luma.shape
    is_kept = np.zeros((rows, columns), dtype=np.bool_)
    for k in range(len(kept)):
        is_kept[max(kept[k, 1], 0) : max(kept[k, 3], 0), max(kept[k, 0], 0) : max(kept[k, 2], 0)] = True
    # Edges are looked for and blended in the picture as it was.
    plain = pixels.copy()
    for y in range(1, rows - 1):
        for x in range(1, columns - 1):
            m = int(luma[y, x])
            n, s, w, e = int(luma[y - 1, x]), int(luma[y + 1, x]), int(luma[y, x - 1]), int(luma[y, x + 1])
            low, high = min(m, n, s, w, e), max(m, n, s, w, e)
            spread = high - low
            if spread < LEAST or spread * SHARE < high or is_kept[y, x]:
                continue
            nw, ne, sw, se = int(luma[y - 1, x - 1]), int(luma[y - 1, x + 1]), int(luma[y + 1, x - 1]), int(luma[y + 1, x + 1])
            flat = abs(nw + sw - 2 * w) + 2 * abs(n + s - 2 * m) + abs(ne + se - 2 * e)
            steep = abs(nw + ne - 2 * n) + 2 * abs(w + e - 2 * m) + abs(sw + se - 2 * s)
            is_flat = flat >= steep
            before, after = (n, s) if is_flat else (w, e)
            is_before = abs(before - m) >= abs(after - m)
            limit = 0.25 * max(abs(before - m), abs(after - m))
            side = -1 if is_before else 1
            side_y, side_x = (side, 0) if is_flat else (0, side)
            step_y, step_x = (0, 1) if is_flat else (1, 0)
            middle = 0.5 * ((before if is_before else after) + m)
            back, difference_back = _end(luma, y, x, -step_y, -step_x, side_y, side_x, middle, limit)
            ahead, difference_ahead = _end(luma, y, x, step_y, step_x, side_y, side_x, middle, limit)
            nearer = difference_back if back < ahead else difference_ahead
            share = 0.0
            # The pixel is on the side that gives way at the nearer end.
            if (nearer < 0.0) != (m < middle):
                share = 0.5 - min(back, ahead) / (back + ahead)
            around = (2 * (n + s + w + e) + nw + ne + sw + se) / 12.0
            # Beside a straight edge a third of what is around lies beyond it.
            part = min(max(1.5 * abs(around - m) / spread - 0.51, 0.0), 1.0)
            part = part * part * (3.0 - 2.0 * part)
            share = max(share, part * part * SUBPIXEL)
            if share > 0.0:
                for c in range(3):
                    own, other = float(plain[y, x, c]), float(plain[y + side_y, x + side_x, c])
                    pixels[y, x, c] = np.uint8(own + (other - own) * share + 0.5)
