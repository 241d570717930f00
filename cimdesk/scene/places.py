"""Places of the world, and where they are in the picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.scene.canvas import Canvas
from cimdesk.scene.ground import Ground
from cimdesk.scene.visual import Context, View


class Places:
    """Answers where something is, in world coordinates."""

    def __init__(self, context: Context, canvas: Canvas, ground: Ground, view: Callable[[], View]) -> None:
        self._context = context
        self._canvas = canvas
        self._ground = ground
        self._view = view

    def world_at(self, x: float, y: float) -> tuple[float, float, float] | None:
        """Return the world point drawn at a pixel of the last frame; None for the sky."""
        found = self._canvas.world_at(x, y)
        if found is None:
            return None
        east, north, _ = found[0] + self._context.origin
        height = self._ground.measured(found[0]) + self._context.origin[2]
        return float(east), float(north), float(height)

    def ground_at(self, x: float, y: float) -> float:
        """Return the height of the ground at a place in the world [m]."""
        return self.ground_under(np.array([x, y, self._context.origin[2]]))

    def ground_under(self, world: Float) -> float:
        """Return the height of the ground under a (3,) world point [m]."""
        local = (world - self._context.origin)[None, :]
        return float(self._ground.heights(local)[0] + self._context.origin[2])

    def screen_of(self, world: Float) -> Float:
        """Return (N, 3) of world points (N, 3): device px from left and top, and the distance ahead (negative behind)."""
        return self._view().project(np.asarray(world, dtype=np.float64) - self._context.origin)
