"""The compiled code that water is drawn with, made ready beside the window: a second from disk, and longer the first time."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

import numpy as np

from cimdesk.model.flood import FloodResult
from cimdesk.model.terrain import Terrain
from cimdesk.scene.flood_surface import WaterFrames

_lock = threading.Lock()
_thread: threading.Thread | None = None
_is_done = threading.Event()
_asking: list[Callable[[], None]] = []


def are_kernels_ready(tell: Callable[[], None] = lambda: None) -> bool:
    """Return whether water can be drawn at once; else have it made ready, and ``tell`` (from another thread) when it is."""
    global _thread
    with _lock:
        if _is_done.is_set():
            return True
        if tell not in _asking:
            _asking.append(tell)
        if _thread is None:
            _thread = threading.Thread(target=_make_ready, daemon=True, name="water")
            # A compiler that the interpreter ends under takes the whole process along.
            atexit.register(_thread.join)
            _thread.start()
        return False


def _make_ready() -> None:
    try:
        use_kernels()
    finally:
        with _lock:
            _is_done.set()
            waiting = list(_asking)
            _asking.clear()
        for tell in waiting:
            tell()


def use_kernels() -> None:
    """Draw a puddle that nobody sees."""
    side = 8
    depth = np.zeros((1, side, side), dtype=np.float32)
    depth[0, 2:5, 2:5] = 0.5
    blocked = np.zeros((side, side), dtype=bool)
    blocked[5:, 5:] = True
    zero, none = np.zeros((side, side), dtype=np.float32), np.zeros(1)
    ground = Terrain(zero, 0.0, float(side), 1.0, 1.0)
    puddle = FloodResult("", ground, blocked, 0.0, none, depth, depth[0], zero, zero, zero, (), none, none)
    WaterFrames(puddle, zero).surface(0).nodes(2)
