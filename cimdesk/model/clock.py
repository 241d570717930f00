"""The one clock: sensors, flood frames, works and lifecycle stages are all shown at its time."""

from __future__ import annotations

from cimdesk.base.signals import Signal


class Clock:
    """A moment within a range, in POSIX seconds. View state: moving it is not an edit.

    Attributes
    ----------
    changed : Signal of float
        Emitted with the new time.
    range_changed : Signal of (float, float)
    """

    def __init__(self, time: float = 0.0) -> None:
        self.changed: Signal[float] = Signal()
        self.range_changed: Signal[tuple[float, float]] = Signal()
        self._time = time
        self._range = (time, time)

    @property
    def time(self) -> float:
        """The moment shown [POSIX s]."""
        return self._time

    @property
    def range(self) -> tuple[float, float]:
        """First and last moment that anything in the project knows about [POSIX s]."""
        return self._range

    def set_time(self, time: float) -> None:
        """Move the clock, kept within its range."""
        first, last = self._range
        time = min(max(time, first), last)
        if time != self._time:
            self._time = time
            self.changed.emit(time)

    def set_range(self, first: float, last: float) -> None:
        """Set the range; the time moves into it if it must."""
        if last < first:
            raise ValueError("a clock's range ends after it begins")
        if (first, last) != self._range:
            self._range = (first, last)
            self.range_changed.emit(self._range)
            self.set_time(self._time)
