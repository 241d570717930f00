"""When edges are smoothed: always where a graphics card does it; where the processor draws, once there is time for it.

There it takes as long as a third of the city. So a picture at rest is drawn without it first; what that took tells whether smooth
edges fit into the time a frame may hold up the window. As soon as they once did not, code of our own is made ready that smooths the
pixels of a picture that was read back, in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from cimdesk.base.arrays import Float, UInt8
from cimdesk.scene.made_ready import MadeReady

PIXELS = 1280 * 720
SHARE = 0.06
"""Seconds that smoothing takes a processor for so many pixels, as long as nothing better is known."""


class Drawing(Protocol):
    """What `Canvas` says of itself."""

    @property
    def has_graphics_card(self) -> bool: ...
    @property
    def size(self) -> tuple[int, int]: ...


class Smoothing:
    """Decides for one scene.

    Attributes
    ----------
    limit : float or None
        Seconds a frame may take with smooth edges; None for any, as in pictures that nobody waits for.
    reads_back : bool
        Whether somebody reads the pictures back and asks for `smooth`.
    by_hand : bool
        Whether the edges of the frame that comes next are to be smoothed in its pixels, by `smooth`.
    lettering : (N, 4) float64
        Left, top, right and bottom of what is smooth already there [px].

    Parameters
    ----------
    wake : callable
        Asks for a frame, from any thread.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.limit: float | None = None
        self.reads_back = self.by_hand = False
        self.lettering: Float = np.zeros((0, 4))
        self._wake = wake
        self._plain: float | None = None
        self._extra: float | None = None
        self._was_smooth = self._is_heavy = False
        self._pixels = PIXELS

    def rest(self) -> None:
        """Take note that the camera has come to rest, or has left: nothing is known of the next picture."""
        self._plain = None
        self.by_hand = False

    def wants(self, is_whole: bool, canvas: Drawing) -> bool:
        """Return whether to smooth the next frame, a still one.

        Parameters
        ----------
        is_whole : bool
            Everything is there: an earlier picture is soon replaced.
        canvas : Drawing
            What it is drawn on.
        """
        if self.limit is not None and not canvas.has_graphics_card:
            self._pixels = canvas.size[0] * canvas.size[1]
            self.by_hand = self._is_by_hand()
            is_whole = is_whole and not self.by_hand and self._fits(self.limit)
        self._was_smooth = is_whole
        return is_whole

    def smooth(self, pixels: UInt8) -> None:
        """Smooth the edges in (H, W, 4) pixels, row 0 at the top, where that is left to be done."""
        if self.by_hand:
            from cimdesk.scene.edge_kernels import smooth_edges

            smooth_edges(pixels, np.round(self.lettering).astype(np.int64))

    def took(self, seconds: float, is_moving: bool) -> bool:
        """Take note of the seconds a frame took, drawing and reading it back; return whether a smooth one is due now."""
        if is_moving or self.limit is None:
            return False
        if self._was_smooth:
            if self._plain is not None:
                self._extra = max(seconds - self._plain, 0.0)
            return False
        is_first, self._plain = self._plain is None, seconds
        if self.by_hand:
            return False
        fits = self._fits(self.limit)
        self._is_heavy = self._is_heavy or not fits
        return is_first and (fits or self._is_by_hand())

    def _is_by_hand(self) -> bool:
        return self.reads_back and self._is_heavy and _KERNEL.is_done(self._wake)

    def _fits(self, limit: float) -> bool:
        extra = self._extra if self._extra is not None else SHARE * self._pixels / PIXELS
        return self._plain is not None and self._plain + extra <= limit


def _use_kernel() -> None:
    """Smooth a picture that nobody sees."""
    from cimdesk.scene.edge_kernels import smooth_edges

    smooth_edges(np.zeros((8, 8, 4), dtype=np.uint8), np.zeros((0, 4), dtype=np.int64))


_KERNEL = MadeReady("edges", _use_kernel)
