"""Compiled inner loop of strokes: lines as bands with round joints, as areas to be summed into coverage."""

from __future__ import annotations

import numpy as np

from cimdesk.base.compiled import njit
from cimdesk.formats.imagery.kernels import accumulate_edges

CORNERS = 12
"""Corners of the rounds at joints."""


@njit(nogil=True, cache=True, error_model="numpy")
def accumulate_strokes(points, starts, half, is_closed, area):  # type: ignore[no-untyped-def]
    """Add the area of bands ``half`` px to both sides of lines to ``area``, see `kernels.accumulate_edges`."""
    height, width = area.shape[0], area.shape[1] - 2
    quad = np.empty((4, 2), dtype=np.float32)
    disc = np.empty((CORNERS, 2), dtype=np.float32)
    quad_starts = np.array([0, 4], dtype=np.int64)
    disc_starts = np.array([0, CORNERS], dtype=np.int64)
    for ring in range(starts.shape[0] - 1):
        first, last = starts[ring], starts[ring + 1]
        before_x = before_y = np.float32(0.0)
        has_before = False
        for p in range(first, last):
            q = p + 1
            if q >= last:
                if not is_closed:
                    break
                q = first
            ax, ay, bx, by = points[p, 0], points[p, 1], points[q, 0], points[q, 1]
            dx, dy = bx - ax, by - ay
            length = np.sqrt(dx * dx + dy * dy)
            if not length > 0.0:
                continue
            dx, dy = dx / length, dy / length
            is_out = max(ax, bx) + half < 0 or min(ax, bx) - half > width or max(ay, by) + half < 0 or min(ay, by) - half > height
            if not is_out:
                nx, ny = -dy * half, dx * half
                quad[0, 0], quad[0, 1] = ax + nx, ay + ny
                quad[1, 0], quad[1, 1] = ax - nx, ay - ny
                quad[2, 0], quad[2, 1] = bx - nx, by - ny
                quad[3, 0], quad[3, 1] = bx + nx, by + ny
                accumulate_edges(quad, quad_starts, area)
                # A joint shows where the line turns and is wide enough; below that the overlap of the bands does.
                if has_before and half > 0.8 and dx * before_x + dy * before_y < 0.985:
                    for k in range(CORNERS):
                        angle = 2.0 * np.pi * k / CORNERS
                        disc[k, 0] = ax + half * np.float32(np.cos(angle))
                        disc[k, 1] = ay + half * np.float32(np.sin(angle))
                    accumulate_edges(disc, disc_starts, area)
            before_x, before_y, has_before = dx, dy, True
