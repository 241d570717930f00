"""A scene in an off-screen window, and the colours it shows."""

from __future__ import annotations

import numpy as np

from cimdesk.scene.scene import Scene
from cimdesk.scene.view import offscreen_window, read_pixels
from tests.scene import cities


class Stage:
    """A scene of a workspace, drawn when asked."""

    def __init__(self, workspace, theme="light", size=(640, 360), quality="still"):
        self.window = offscreen_window(*size)
        self.scene = Scene(workspace, theme)
        self.scene.attach(self.window)
        self.scene.set_quality(quality)
        self.waiting = 1
        self.scene.needs_render.connect(self._on_render)

    def _on_render(self, _):
        self.waiting += 1

    def draw(self) -> np.ndarray:
        """Render until nothing is pending and return the (H, W, 3) picture."""
        self.waiting = 1
        while self.waiting:
            self.waiting = 0
            self.scene.prepare()
            self.window.Render()
        return read_pixels(self.window)

    def look(self, azimuth, elevation, distance, target) -> np.ndarray:
        """Set a view and draw it; ``target`` is east, north of the synthetic origin, and height."""
        world = (target[0] + cities.ORIGIN[0], target[1] + cities.ORIGIN[1], target[2])
        self.draw()
        self.scene.camera.set_view(azimuth, elevation, distance, world)
        return self.draw()

    def pixel(self, world) -> tuple[int, int]:
        """Return column and row of a world point."""
        x, y, _ = self.scene.places.screen_of(np.asarray(world, dtype=float)[None])[0]
        return round(float(x)), round(float(y))

    def close(self):
        self.scene.detach()
        self.window.Finalize()
