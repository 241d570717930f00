"""Compiled inner loops of imagery: sampling a picture at given places, and covering pixels with shapes.

Each stands beside plain numpy in the tests.
"""

from __future__ import annotations

import numpy as np

from cimdesk.base.compiled import njit


@njit(nogil=True, cache=True, error_model="numpy")
def sample_grid(picture, grid, step, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (h, w, 4) from ``picture`` (H, W, 4), both uint8, at places interpolated from a coarse grid.

    ``grid`` (gh, gw, 2) float64 has the column and row in ``picture`` (pixel corners at whole numbers) of the pixel corners
    at every ``step`` pixels of ``out``. Places outside stay transparent; colours are weighted by opacity.
    """
    height, width = out.shape[0], out.shape[1]
    rows, columns = picture.shape[0], picture.shape[1]
    for i in range(height):
        gi = i // step
        fy = (i + 0.5 - gi * step) / step
        for j in range(width):
            gj = j // step
            fx = (j + 0.5 - gj * step) / step
            a, b, c, d = (1.0 - fy) * (1.0 - fx), (1.0 - fy) * fx, fy * (1.0 - fx), fy * fx
            u = a * grid[gi, gj, 0] + b * grid[gi, gj + 1, 0] + c * grid[gi + 1, gj, 0] + d * grid[gi + 1, gj + 1, 0]
            v = a * grid[gi, gj, 1] + b * grid[gi, gj + 1, 1] + c * grid[gi + 1, gj, 1] + d * grid[gi + 1, gj + 1, 1]
            if not (0.0 <= u < columns and 0.0 <= v < rows):
                for k in range(4):
                    out[i, j, k] = 0
                continue
            x, y = u - 0.5, v - 0.5
            x0, y0 = int(np.floor(x)), int(np.floor(y))
            tx, ty = x - x0, y - y0
            x1, y1 = min(x0 + 1, columns - 1), min(y0 + 1, rows - 1)
            x0, y0 = max(x0, 0), max(y0, 0)
            w00, w01, w10, w11 = (1.0 - ty) * (1.0 - tx), (1.0 - ty) * tx, ty * (1.0 - tx), ty * tx
            a00, a01 = w00 * picture[y0, x0, 3], w01 * picture[y0, x1, 3]
            a10, a11 = w10 * picture[y1, x0, 3], w11 * picture[y1, x1, 3]
            alpha = a00 + a01 + a10 + a11
            if alpha <= 0.0:
                for k in range(4):
                    out[i, j, k] = 0
                continue
            for k in range(3):
                color = a00 * picture[y0, x0, k] + a01 * picture[y0, x1, k] + a10 * picture[y1, x0, k] + a11 * picture[y1, x1, k]
                out[i, j, k] = np.uint8(color / alpha + 0.5)
            out[i, j, 3] = np.uint8(alpha + 0.5)


@njit(nogil=True, cache=True, error_model="numpy")
def accumulate_edges(points, starts, area):  # type: ignore[no-untyped-def]
    """Add the signed area left of every edge to ``area`` (h, w + 2) float32; running sums along rows are then coverage.

    ``points`` (P, 2) float32 pixels, ``starts`` (R + 1,) int64 first point of each closed ring. The method of exact
    area coverage: Raph Levien, font-rs (2016).
    """
    height, width = area.shape[0], area.shape[1] - 2
    for ring in range(starts.shape[0] - 1):
        first, last = starts[ring], starts[ring + 1]
        for p in range(first, last):
            q = p + 1 if p + 1 < last else first
            x0, y0, x1, y1 = points[p, 0], points[p, 1], points[q, 0], points[q, 1]
            if y0 == y1:
                continue
            sign = np.float32(1.0)
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
                sign = np.float32(-1.0)
            if y1 <= 0.0 or y0 >= height:
                continue
            slope = (x1 - x0) / (y1 - y0)
            if y0 < 0.0:
                x0 -= y0 * slope
                y0 = np.float32(0.0)
            top, bottom = int(y0), min(height, int(np.ceil(y1)))
            x = x0
            for row in range(top, bottom):
                ya, yb = max(np.float32(row), y0), min(np.float32(row + 1), y1)
                dy = yb - ya
                if dy <= 0.0:
                    continue
                x_next = x0 + slope * (yb - y0)
                left, right = min(x, x_next), max(x, x_next)
                x = x_next
                d = sign * dy
                if right <= 0.0:
                    area[row, 0] += d
                    continue
                if left >= width:
                    continue
                # What lies beyond the sides: all of it counts on the left, nothing on the right.
                share = d / (right - left) if right > left else np.float32(0.0)
                if left < 0.0:
                    area[row, 0] -= left * share
                    d += left * share
                    left = np.float32(0.0)
                if right > width:
                    d -= (right - width) * share
                    right = np.float32(width)
                first_column = int(left)
                last_column = int(np.ceil(right))
                if last_column <= first_column + 1:
                    middle = np.float32(0.5) * (left + right) - first_column
                    area[row, first_column] += d - d * middle
                    area[row, first_column + 1] += d * middle
                    continue
                # Across several pixels: trapezoids of coverage, telescoped so that running sums give them back.
                s = np.float32(1.0) / (right - left)
                lead = left - first_column
                a0 = np.float32(0.5) * s * (np.float32(1.0) - lead) * (np.float32(1.0) - lead)
                tail = right - last_column + np.float32(1.0)
                am = np.float32(0.5) * s * tail * tail
                area[row, first_column] += d * a0
                if last_column == first_column + 2:
                    area[row, first_column + 1] += d * (np.float32(1.0) - a0 - am)
                else:
                    a1 = s * (np.float32(1.5) - lead)
                    area[row, first_column + 1] += d * (a1 - a0)
                    for column in range(first_column + 2, last_column - 1):
                        area[row, column] += d * s
                    a2 = a1 + (last_column - first_column - 3) * s
                    area[row, last_column - 1] += d * (np.float32(1.0) - a2 - am)
                area[row, last_column] += d * am


@njit(nogil=True, cache=True, error_model="numpy")
def blend_coverage(area, red, green, blue, opacity, out):  # type: ignore[no-untyped-def]
    """Sum ``area`` along rows and paint one colour over ``out`` (h, w, 4) uint8 where it covers; empties ``area``."""
    height, width = out.shape[0], out.shape[1]
    for i in range(height):
        total = np.float32(0.0)
        for j in range(width):
            total += area[i, j]
            area[i, j] = 0.0
            cover = min(abs(total), np.float32(1.0)) * opacity
            if cover < 0.004:
                continue
            below = out[i, j, 3] / 255.0
            alpha = cover + below * (1.0 - cover)
            share = cover / alpha
            out[i, j, 0] = np.uint8(out[i, j, 0] + (red - out[i, j, 0]) * share + 0.5)
            out[i, j, 1] = np.uint8(out[i, j, 1] + (green - out[i, j, 1]) * share + 0.5)
            out[i, j, 2] = np.uint8(out[i, j, 2] + (blue - out[i, j, 2]) * share + 0.5)
            out[i, j, 3] = np.uint8(alpha * 255.0 + 0.5)
        for j in range(width, area.shape[1]):
            area[i, j] = 0.0
