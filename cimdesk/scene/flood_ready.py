"""The compiled code that water is drawn with, made ready beside the window: a second from disk, and longer the first time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from cimdesk.model.flood import FloodResult
from cimdesk.model.terrain import Terrain
from cimdesk.scene.flood_surface import WaterFrames

_lock = threading.Lock()
_thread: threading.Thread | None = None
_asking: list[Callable[[], None]] = []


def are_kernels_ready(tell: Callable[[], None] = lambda: None) -> bool:
    """Return whether water can be drawn at once; else have it made ready, and ``tell`` (from another thread) when it is."""
    global _thread
    with _lock:
        if _thread is not None and not _thread.is_alive():
            return True
        if tell not in _asking:
            _asking.append(tell)
        if _thread is None:
            _thread = threading.Thread(target=_make_ready, daemon=True, name="water")
            _thread.start()
        return False


def _make_ready() -> None:
    try:
        use_kernels()
    finally:
        with _lock:
            waiting = list(_asking)
            _asking.clear()
        # Those who ask again now find that the thread is about to end.
        threading.Timer(0.02, _tell, [waiting]).start()


def _tell(waiting: list[Callable[[], None]]) -> None:
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
