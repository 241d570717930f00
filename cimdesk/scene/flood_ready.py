"""The compiled code that water is drawn with, made ready beside the window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cimdesk.model.flood import FloodResult
from cimdesk.model.terrain import Terrain
from cimdesk.scene.flood_surface import WaterFrames
from cimdesk.scene.made_ready import MadeReady


def are_kernels_ready(tell: Callable[[], None] = lambda: None) -> bool:
    """Return whether water can be drawn at once; else have it made ready, and ``tell`` (from another thread) when it is."""
    return _READY.is_done(tell)


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


_READY = MadeReady("water", use_kernels)
