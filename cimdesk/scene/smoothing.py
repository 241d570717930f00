"""When edges are smoothed: always where a graphics card does it; where the processor draws, once there is time for it.

There it takes as long as a third of the city. So a picture at rest is drawn without it first; what that took tells whether smooth
edges fit into the time a frame may hold up the window.
"""

from __future__ import annotations

from typing import Protocol

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
    """

    def __init__(self) -> None:
        self.limit: float | None = None
        self._plain: float | None = None
        self._extra: float | None = None
        self._was_smooth = False
        self._pixels = PIXELS

    def rest(self) -> None:
        """Take note that the camera has come to rest, or has left: nothing is known of the next picture."""
        self._plain = None

    def wants(self, is_whole: bool, canvas: Drawing) -> bool:
        """Return whether to smooth the next frame, a still one.

        Parameters
        ----------
        is_whole : bool
            Everything is there: an earlier picture is soon replaced.
        canvas : Drawing
            What it is drawn on.
        """
        if is_whole and self.limit is not None and not canvas.has_graphics_card:
            self._pixels = canvas.size[0] * canvas.size[1]
            is_whole = self._fits(self.limit)
        self._was_smooth = is_whole
        return is_whole

    def took(self, seconds: float, is_moving: bool) -> bool:
        """Take note of the seconds a frame took, drawing and reading it back; return whether a smooth one is due now."""
        if is_moving or self.limit is None:
            return False
        if self._was_smooth:
            if self._plain is not None:
                self._extra = max(seconds - self._plain, 0.0)
            return False
        is_first, self._plain = self._plain is None, seconds
        return is_first and self._fits(self.limit)

    def _fits(self, limit: float) -> bool:
        extra = self._extra if self._extra is not None else SHARE * self._pixels / PIXELS
        return self._plain is not None and self._plain + extra <= limit
