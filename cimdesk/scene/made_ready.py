"""Compiled code made ready beside the window: a second from disk, and longer the first time."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable


class MadeReady:
    """Something that is done once, in a thread of its own, as soon as somebody asks for it.

    Parameters
    ----------
    name : str
        Of the thread.
    work : callable
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_done = threading.Event()
        self._asking: list[Callable[[], None]] = []

    def is_done(self, tell: Callable[[], None] = lambda: None) -> bool:
        """Return whether it is done; else have it done, and ``tell`` (from another thread) when it is."""
        with self._lock:
            if self._is_done.is_set():
                return True
            if tell not in self._asking:
                self._asking.append(tell)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name=self._name)
                # A compiler that the interpreter ends under takes the whole process along.
                atexit.register(self._thread.join)
                self._thread.start()
            return False

    def _run(self) -> None:
        try:
            self._work()
        finally:
            with self._lock:
                self._is_done.set()
                waiting, self._asking = self._asking, []
            for tell in waiting:
                tell()
