"""What was decoded before, within a fixed amount of memory; things that two threads ask for are made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Keeps values by key; what was not asked for longest goes first.

    Parameters
    ----------
    most : int
        Bytes to keep.
    size : callable
        Bytes of a value.
    """

    def __init__(self, most: int, size: Callable[[T], int]) -> None:
        self.most = most
        self.used = 0
        self._size = size
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, threading.Event] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, made by ``make`` unless it is kept; errors of ``make`` are raised and not kept."""
        while True:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
                done = self._making.get(key)
                if done is None:
                    mine = self._making[key] = threading.Event()
                    break
            done.wait(60.0)
        try:
            value = make()
        except BaseException:
            self._finish(key, mine)
            raise
        with self._lock:
            self._values[key] = value
            self.used += self._size(value)
            while self.used > self.most and len(self._values) > 1:
                self.used -= self._size(self._values.popitem(last=False)[1])
        self._finish(key, mine)
        return value

    def _finish(self, key: Hashable, done: threading.Event) -> None:
        with self._lock:
            self._making.pop(key, None)
        done.set()
