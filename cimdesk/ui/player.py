"""Player: moves the session's clock while it plays. The only timer that runs on its own, and only while playing."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, QTimer, Signal

from cimdesk.model.clock import Clock

SPEEDS = (1, 10, 60, 300, 600, 1800, 3600, 86400)
"""Seconds of the clock per second of the wall."""
TICK_MS = 50


class Player(QObject):
    """Plays the clock forwards.

    Attributes
    ----------
    changed : Signal
        Playing, or the speed, changed.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.speed = 600
        self._clock = Clock()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._last = 0.0

    @property
    def playing(self) -> bool:
        """Whether the clock moves."""
        return self._timer.isActive()

    def bind(self, clock: Clock) -> None:
        """Play another clock; it starts paused."""
        self.pause()
        self._clock = clock

    def toggle(self) -> None:
        """Play or pause; at the end, play again from the beginning."""
        if self.playing:
            self.pause()
            return
        first, last = self._clock.range
        if last <= first:
            return
        if self._clock.time >= last:
            self._clock.set_time(first)
        self._last = time.monotonic()
        self._timer.start()
        self.changed.emit()

    def pause(self) -> None:
        """Stop where the clock is."""
        if self._timer.isActive():
            self._timer.stop()
            self.changed.emit()

    def faster(self, steps: int = 1) -> None:
        """Take the next faster speed, or a slower one for negative ``steps``."""
        at = SPEEDS.index(self.speed) if self.speed in SPEEDS else 4
        self.speed = SPEEDS[min(max(at + steps, 0), len(SPEEDS) - 1)]
        self.changed.emit()

    def step(self, direction: int) -> None:
        """Move by one step: a sixtieth of the range, rounded to a time people count in."""
        first, last = self._clock.range
        wanted = (last - first) / 60.0
        size = next((s for s in (60, 300, 600, 900, 1800, 3600, 21600, 86400, 604800, 2592000) if s >= wanted), 2592000)
        self._clock.set_time(self._clock.time + direction * size)

    def jump(self, to_end: bool) -> None:
        """Go to the beginning or the end."""
        self._clock.set_time(self._clock.range[1 if to_end else 0])

    def _tick(self) -> None:
        now = time.monotonic()
        # A slow frame must not make the clock leap: at most a quarter of a second is caught up.
        elapsed, self._last = min(now - self._last, 0.25), now
        self._clock.set_time(self._clock.time + elapsed * self.speed)
        if self._clock.time >= self._clock.range[1]:
            self.pause()
