"""Signal[T]: observers of model objects, without Qt. Bound methods are held weakly."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Signal(Generic[T]):
    """Call every observer with one value, in the order they connected.

    Methods are held weakly, so a closed window does not keep listening; plain functions are held strongly.
    """

    def __init__(self) -> None:
        self._observers: list[Callable[[], Callable[[T], object] | None]] = []

    def connect(self, observer: Callable[[T], object]) -> None:
        """Call ``observer(value)`` on every emit from now on."""
        if hasattr(observer, "__self__") and hasattr(observer, "__func__"):
            self._observers.append(weakref.WeakMethod(observer))
        else:
            self._observers.append(lambda: observer)

    def disconnect(self, observer: Callable[[T], object]) -> None:
        """Stop calling ``observer``; it is no error when it was not connected."""
        self._observers = [ref for ref in self._observers if ref() not in (None, observer)]

    def emit(self, value: T) -> None:
        """Tell every living observer."""
        dead = False
        for ref in tuple(self._observers):
            observer = ref()
            if observer is None:
                dead = True
            else:
                observer(value)
        if dead:
            self._observers = [ref for ref in self._observers if ref() is not None]
