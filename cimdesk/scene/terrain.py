"""What lies around the city: the plain plane that everything stands on, and the sky."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int, UInt8
from cimdesk.model.style import rgba
from cimdesk.scene.geometry import actor_of, poly_data, set_point_array
from cimdesk.scene.look import Look
from cimdesk.scene.visual import View

HORIZON_SHARE = 0.32
"""How much of the sky's blue the haze at the horizon has."""
SKY_SHARE = 0.98
"""Distance of the sky as a share of the far clipping plane."""


def ring_cells(rings: int, spokes: int) -> Int:
    """Return the (T, 3) triangles between consecutive rings of as many points each."""
    spoke = np.arange(spokes)
    after = (spoke + 1) % spokes
    cells = []
    for ring in range(rings - 1):
        a, b = ring * spokes, (ring + 1) * spokes
        cells += [np.column_stack([a + spoke, b + spoke, b + after]), np.column_stack([a + spoke, b + after, a + after])]
    return np.concatenate(cells)


class GroundPlane:
    """A wide plane fading into the horizon, so that nothing floats in a void."""

    RINGS = (0.0, 0.8, 1.1, 1.5, 2.5, 4.0, 7.0, 24.0)
    HAZY = 7.0
    """Radii at which the plane has the colour of the horizon."""
    SPOKES = 72

    def __init__(self) -> None:
        self._angles = np.linspace(0.0, 2.0 * np.pi, self.SPOKES, endpoint=False)
        count = len(self.RINGS) * self.SPOKES
        self._points: Float32 = np.zeros((count, 3), dtype=np.float32)
        self._colors: UInt8 = np.zeros((count, 3), dtype=np.uint8)
        self.data = poly_data(self._points, ring_cells(len(self.RINGS), self.SPOKES))
        self._scalars = set_point_array(self.data, self._colors, "scalars")
        self.actor = actor_of(self.data)
        self.actor.GetMapper().ScalarVisibilityOn()
        self.actor.GetProperty().LightingOff()
        self.actor.UseBoundsOff()
        self.actor.PickableOff()

    def place(self, centre: Float, radius: float, height: float, look: Look) -> None:
        """Lay the plane around a local ``centre`` at a local ``height``, plain up to ``radius`` and fading beyond."""
        ground, horizon, sky = (np.array(rgba(c)[:3], dtype=np.float64) for c in (look.ground, look.horizon, look.sky))
        haze = horizon + (sky - horizon) * HORIZON_SHARE
        for ring, factor in enumerate(self.RINGS):
            part = slice(ring * self.SPOKES, (ring + 1) * self.SPOKES)
            self._points[part, 0] = centre[0] + np.cos(self._angles) * factor * radius
            self._points[part, 1] = centre[1] + np.sin(self._angles) * factor * radius
            self._points[part, 2] = height
            fade = np.sqrt(np.clip((factor - 0.8) / (self.HAZY - 0.8), 0.0, 1.0))
            self._colors[part] = ground + (haze - ground) * fade
        self.data.GetPoints().Modified()
        self._scalars.Modified()
        self.data.Modified()

    def set_opacity(self, opacity: float) -> None:
        """Fade the plane for the X-ray view."""
        self.actor.GetProperty().SetOpacity(opacity)


class SkyDome:
    """The sky around the eye: hazy at the horizon, bluer higher up, wherever the camera looks."""

    ELEVATIONS = (-90.0, -1.0, 0.0, 3.0, 8.0, 16.0, 30.0, 90.0)
    SHARES = (HORIZON_SHARE, HORIZON_SHARE, HORIZON_SHARE, 0.55, 0.78, 0.94, 1.0, 1.0)
    SPOKES = 24

    def __init__(self) -> None:
        turn = np.linspace(0.0, 2.0 * np.pi, self.SPOKES, endpoint=False)
        rise = np.radians(self.ELEVATIONS)[:, None]
        east, north = np.sin(turn) * np.cos(rise), np.cos(turn) * np.cos(rise)
        points = np.stack([east, north, np.broadcast_to(np.sin(rise), east.shape)], axis=-1).reshape(-1, 3)
        self._colors: UInt8 = np.zeros((len(points), 3), dtype=np.uint8)
        self.data = poly_data(points.astype(np.float32), ring_cells(len(self.ELEVATIONS), self.SPOKES))
        self._scalars = set_point_array(self.data, self._colors, "scalars")
        self.actor = actor_of(self.data)
        self.actor.GetMapper().ScalarVisibilityOn()
        self.actor.GetProperty().LightingOff()
        self.actor.UseBoundsOff()
        self.actor.PickableOff()

    def paint(self, look: Look) -> None:
        """Take the colours of a theme."""
        horizon, sky = (np.array(rgba(c)[:3], dtype=np.float64) for c in (look.horizon, look.sky))
        self._colors[:] = np.repeat(horizon + (sky - horizon) * np.array(self.SHARES)[:, None], self.SPOKES, axis=0)
        self._scalars.Modified()
        self.data.Modified()

    def prepare(self, view: View) -> None:
        """Follow the eye."""
        self.actor.SetPosition(*view.eye)
        self.actor.SetScale(SKY_SHARE * view.far)
