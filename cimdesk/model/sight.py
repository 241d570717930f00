"""What decides which parts of something larger than memory to show: where the eye is, and how fine is good enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Bool, Float


@dataclass(frozen=True)
class Sight:
    """A view without a picture.

    Attributes
    ----------
    eye : (3,) float64
        World coordinates.
    planes : (K, 4) float64
        Sides of the view as unit normals that point inwards, and offsets.
    slope : float
        Metres per pixel at one metre distance.
    max_pixels : float
        Error on the screen, or distance between points there, that is good enough [px].
    """

    eye: Float
    planes: Float
    slope: float
    max_pixels: float

    def distances(self, centres: Float, halves: Float) -> Float:
        """Return (N,) distances from the eye to upright boxes with these middles and half sizes [m]; 0 inside."""
        away = np.maximum(np.abs(centres - self.eye) - halves, 0.0)
        return np.asarray(np.sqrt((away * away).sum(axis=1)))

    def sees(self, centres: Float, halves: Float) -> Bool:
        """Return (N,) whether upright boxes are in view."""
        normals = self.planes[:, :3]
        return np.asarray((centres @ normals.T + self.planes[:, 3] > -(halves @ np.abs(normals).T)).all(axis=1))
