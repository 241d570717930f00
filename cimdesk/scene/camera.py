"""The camera as people move it: about a target on the ground, upright always, above the ground unless X-ray is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.signals import Signal

VIEW_ANGLE_DEG = 40.0
DEGREES_PER_PIXEL = 0.25
MIN_DISTANCE = 3.0
CLEARANCE = 1.7
PRESETS: dict[str, tuple[float | None, float]] = {
    "top": (None, 90.0), "north_up": (0.0, 90.0), "south": (0.0, 14.0), "oblique": (345.0, 24.0)
}  # fmt: skip
"""Azimuth (None keeps it) and elevation [degrees] of the ready-made views."""


class CameraControl:
    """Target, azimuth, elevation and distance of the view, all world metres and degrees.

    Attributes
    ----------
    changed : Signal of None
    azimuth : float
        Direction looked towards, clockwise from north [degrees].
    elevation : float
        How steeply the camera looks down: 90 is straight down, 0 level [degrees].
    distance : float
        From the eye to the target [m].
    target : (3,) float64
        World coordinates.
    max_distance : float
    """

    def __init__(
        self,
        world_at: Callable[[float, float], tuple[float, float, float] | None],
        ground: Callable[[Float], float],
        size: Callable[[], tuple[int, int]],
    ) -> None:
        self.changed: Signal[None] = Signal()
        self._world_at = world_at
        self._ground = ground
        self._size = size
        self.target: Float = np.zeros(3)
        self.azimuth, self.elevation = 345.0, 24.0
        self.distance = 1000.0
        self.max_distance = 1e6
        self.may_go_under = False
        self._grabbed: tuple[float, float, float] | None = None

    @property
    def heading_deg(self) -> float:
        """Direction looked towards, clockwise from north [degrees]."""
        return self.azimuth % 360.0

    @property
    def forward(self) -> Float:
        """(3,) unit direction of view."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        return np.array([np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), -np.sin(e)])

    @property
    def up(self) -> Float:
        """(3,) unit direction that is up in the picture; never tilted sideways."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        return np.array([np.sin(a) * np.sin(e), np.cos(a) * np.sin(e), np.cos(e)])

    @property
    def eye(self) -> Float:
        """(3,) world position of the eye."""
        eye: Float = self.target - self.forward * self.distance
        return eye

    def ray(self, x: float, y: float) -> Float:
        """Return the (3,) unit direction through a pixel, from the eye."""
        width, height = self._size()
        half = np.tan(np.radians(VIEW_ANGLE_DEG / 2))
        right = np.cross(self.forward, self.up)
        across = (2.0 * x / width - 1.0) * half * width / height
        upward = (1.0 - 2.0 * y / height) * half
        direction = self.forward + right * across + self.up * upward
        unit: Float = direction / np.linalg.norm(direction)
        return unit

    def pan(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Move so that what is under pixel (x0, y0) comes under (x1, y1). Steps of one drag keep hold of the same point."""
        if self._grabbed is None or self._grabbed[:2] != (x0, y0):
            point = self._under(x0, y0)
            self._grabbed = (x0, y0, float(point[2]))
        height = self._grabbed[2]
        before, after = self._on_plane(x0, y0, height), self._on_plane(x1, y1, height)
        if before is None or after is None:
            return
        self.target = self.target + (before - after) * [1.0, 1.0, 0.0]
        self._grabbed = (x1, y1, height)
        self._settle(keep_grab=True)

    def orbit(self, pivot: tuple[float, float, float] | None, dx_px: float, dy_px: float) -> None:
        """Turn about a world point (the target when None): right turns clockwise, down looks from higher up."""
        centre = self.target if pivot is None else np.asarray(pivot, dtype=np.float64)
        lowest = -85.0 if self.may_go_under else 1.0
        turned = np.clip(self.elevation + dy_px * DEGREES_PER_PIXEL, lowest, 90.0)
        before = self._axes()
        offset = before @ (self.eye - centre)
        self.azimuth = (self.azimuth + dx_px * DEGREES_PER_PIXEL) % 360.0
        self.elevation = float(turned)
        eye = centre + self._axes().T @ offset
        self.target = eye + self.forward * self.distance
        self._settle()

    def zoom(self, x: float, y: float, factor: float) -> None:
        """Come nearer to the point under a pixel by ``factor``; below 1 goes away."""
        point = self._under(x, y)
        factor = float(np.clip(factor, self.distance / self.max_distance, max(self.distance / MIN_DISTANCE, 1.0)))
        eye = point + (self.eye - point) / factor
        self.distance /= factor
        self.target = eye + self.forward * self.distance
        self._settle()

    def set_view(
        self,
        azimuth_deg: float,
        elevation_deg: float,
        distance: float | None = None,
        target: tuple[float, float, float] | Float | None = None,
    ) -> None:
        """Look towards ``azimuth_deg``, down by ``elevation_deg``, from ``distance`` at a world ``target``; None keeps."""
        self.azimuth = float(azimuth_deg) % 360.0
        self.elevation = float(np.clip(elevation_deg, -85.0 if self.may_go_under else 1.0, 90.0))
        if distance is not None:
            self.distance = float(np.clip(distance, MIN_DISTANCE, self.max_distance))
        if target is not None:
            self.target = np.asarray(target, dtype=np.float64).copy()
        self._settle()

    def look_from(self, preset: str) -> None:
        """Take a ready-made view: ``top``, ``north_up``, ``south`` or ``oblique``; raises ValueError for any other."""
        if preset not in PRESETS:
            raise ValueError(f"no view {preset!r}; there are {', '.join(PRESETS)}")
        azimuth, elevation = PRESETS[preset]
        self.set_view(self.azimuth if azimuth is None else azimuth, elevation)

    def to_record(self) -> dict[str, Any]:
        """Return the JSON-able view kept in bookmarks."""
        target = [float(v) for v in self.target]
        return {"target": target, "azimuth": self.azimuth, "elevation": self.elevation, "distance": self.distance}

    def from_record(self, record: dict[str, Any]) -> None:
        """Take the view of a bookmark."""
        self.set_view(record["azimuth"], record["elevation"], record["distance"], record["target"])

    def metres_per_pixel(self, x: float | None = None, y: float | None = None) -> float:
        """Return the width of a pixel on the ground at a pixel, or at the target [m]."""
        distance = self.distance
        if x is not None and y is not None:
            distance = float(np.linalg.norm(self._under(x, y) - self.eye))
        return 2.0 * distance * float(np.tan(np.radians(VIEW_ANGLE_DEG / 2))) / self._size()[1]

    def frame(self, low: Float, high: Float, share: float = 1.0, nearest: float = 30.0) -> None:
        """Come so near that a world box (corners ``low``, ``high``) fills the picture, keeping the direction.

        ``share`` is the distance taken, of that at which all of the box is in the picture, ``nearest`` the least distance [m].
        """
        corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
        width, height = self._size()
        half = np.tan(np.radians(VIEW_ANGLE_DEG / 2))
        reach = np.array([half * width / height, half])
        axes = self._axes()
        self.target = (low + high) / 2.0
        for _ in range(6):
            offset = (corners - self.target) @ axes.T
            need = np.abs(offset[:, :2]) / reach - offset[:, 2:]
            self.distance = float(np.clip(need.max() * share, nearest, self.max_distance))
            seen = offset[:, :2] / np.maximum(offset[:, 2:] + self.distance, 1e-6)
            # Perspective makes the near side larger: move until what is seen is as far from the left as from the right edge.
            shift = (seen.min(axis=0) + seen.max(axis=0)) / 2.0 * self.distance
            self.target = self.target + axes[:2].T @ shift
        self._settle()

    def apply(self, camera: Any, origin: Float) -> None:
        """Set a vtkCamera, in coordinates local to ``origin``."""
        camera.SetViewAngle(VIEW_ANGLE_DEG)
        camera.SetPosition(*(self.eye - origin))
        camera.SetFocalPoint(*(self.target - origin))
        camera.SetViewUp(*self.up)

    def _axes(self) -> Float:
        return np.array([np.cross(self.forward, self.up), self.up, self.forward])

    def _under(self, x: float, y: float) -> Float:
        found = self._world_at(x, y)
        if found is not None:
            return np.asarray(found, dtype=np.float64)
        on_plane = self._on_plane(x, y, float(self.target[2]))
        return self.eye + self.ray(x, y) * self.distance if on_plane is None else on_plane

    def _on_plane(self, x: float, y: float, height: float) -> Float | None:
        direction, eye = self.ray(x, y), self.eye
        if abs(direction[2]) < 1e-4:
            return None
        along = (height - eye[2]) / direction[2]
        # Near the horizon a pixel is kilometres wide; holding on to it would throw the camera away.
        if along <= 0.0 or along > 12.0 * self.distance + 100.0:
            return None
        point: Float = eye + direction * along
        return point

    def _settle(self, keep_grab: bool = False) -> None:
        if not keep_grab:
            self._grabbed = None
        if not self.may_go_under:
            eye = self.eye
            lack = self._ground(eye) + CLEARANCE - eye[2]
            if lack > 0.0:
                self.target = self.target + np.array([0.0, 0.0, lack])
        self.changed.emit(None)
