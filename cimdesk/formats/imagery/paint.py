"""Shapes painted into pixels, with exact coverage along their edges."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float32, Int, UInt8


class Canvas:
    """A picture that is painted class by class.

    Attributes
    ----------
    pixels : (h, w, 4) uint8
    """

    def __init__(self, width: int, height: int) -> None:
        self.pixels: UInt8 = np.zeros((height, width, 4), dtype=np.uint8)
        self._area = np.zeros((height, width + 2), dtype=np.float32)

    def fill(self, points: Float32, starts: Int, color: str, opacity: float = 1.0) -> None:
        """Fill rings with a colour; rings that turn the other way round are holes.

        Parameters
        ----------
        points : (P, 2) float32
            Pixels from the upper left corner of the picture.
        starts : (R + 1,) int64
        color : str
            ``#rrggbb``.
        opacity : float
        """
        from cimdesk.formats.imagery.kernels import accumulate_edges

        if len(starts) < 2:
            return
        accumulate_edges(points, starts, self._area)
        self._lay(color, opacity)

    def stroke(self, points: Float32, starts: Int, width: float, color: str, is_closed: bool = False, opacity: float = 1.0) -> None:
        """Draw lines of a width [px] with round joints; thinner ones than a pixel are drawn fainter."""
        from cimdesk.formats.imagery.stroke_kernels import accumulate_strokes

        if len(starts) < 2:
            return
        accumulate_strokes(points, starts, np.float32(max(width, 1.0) / 2.0), is_closed, self._area)
        self._lay(color, opacity * min(width, 1.0))

    def _lay(self, color: str, opacity: float) -> None:
        from cimdesk.formats.imagery.kernels import blend_coverage

        red, green, blue = (float(int(color[k : k + 2], 16)) for k in (1, 3, 5))
        blend_coverage(self._area, red, green, blue, np.float32(opacity), self.pixels)
