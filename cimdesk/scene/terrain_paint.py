"""Colours of the ground: quiet for a city to stand on, or by height where the terrain is what is looked at; with hill shading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, UInt8
from cimdesk.model.style import rgba
from cimdesk.model.terrain import HEIGHT_TINTS, Terrain, TerrainStyle
from cimdesk.scene.look import Look

SUN_AZIMUTH_DEG, SUN_ALTITUDE_DEG = 225.0, 48.0
FLAT_LIGHT = float(np.sin(np.radians(SUN_ALTITUDE_DEG)))
MAX_GRID = 512
"""Cells along a side of the overview that the scale of heights and slopes is taken from."""
LINE_WIDTH = 1.1
"""Width of contours in texels."""
BOLD_EVERY = 5


@dataclass(frozen=True, eq=False)
class HeightScale:
    """What is high and steep in a terrain.

    Attributes
    ----------
    knots : (K,) float64
        Heights at which the tints of the height scale stand, rising [m].
    middle, relief : float
        Height of the common ground, and range of the heights [m].
    steepness : float
        Slope that few places exceed [-].
    """

    knots: Float
    middle: float
    relief: float
    steepness: float

    @staticmethod
    def of(terrain: Terrain) -> HeightScale:
        """Return the scale of a terrain, from a coarse look at it."""
        step = max(1, -(-max(terrain.shape) // MAX_GRID))
        z = terrain.elevations[::step, ::step]
        known = z[np.isfinite(z)].astype(np.float64)
        if not known.size:
            known = np.zeros(1)
        if min(z.shape) > 1:
            d_north, d_east = np.gradient(
                np.where(np.isfinite(z), z, np.median(known)), terrain.cell_y * step, terrain.cell_x * step
            )
            steepness = float(np.percentile(np.hypot(d_north, d_east), 90))
        else:
            steepness = 0.0
        middle, low, high = np.percentile(known, [40, 2, 99.5])
        return HeightScale(height_knots(known, len(HEIGHT_TINTS)), float(middle), max(float(high - low), 1.0), steepness)


def height_knots(heights: Float, count: int) -> Float:
    """Return heights for ``count`` tints: half by equal steps, half by equal areas, so that plains and peaks both differ."""
    shares = np.linspace(1.0, 99.7, count)
    by_area = np.percentile(heights, shares)
    by_step = np.linspace(by_area[0], by_area[-1], count)
    knots: Float = 0.55 * by_step + 0.45 * by_area
    return knots + np.arange(count) * 1e-6


@dataclass(frozen=True)
class GroundPainter:
    """Paints chunks of one terrain in one look and style."""

    scale: HeightScale
    look: Look
    by_height: bool
    style: TerrainStyle

    @property
    def cut(self) -> UInt8:
        """(4,) uint8 colour of the walls at the rim of the terrain."""
        color = np.array(rgba(self.look.rock if self.by_height else self.look.ground)[:3], dtype=np.float64)
        return np.array([*(color * (0.80 if self.by_height else 0.90)), 255], dtype=np.uint8)

    def paint(self, heights: Float32, cell_x: float, cell_y: float) -> tuple[UInt8, Float32]:
        """Return (R - 3, C - 3, 3) colours, shaded, and (R - 3, C - 3) shading, 1 for flat ground, of (R, C) samples."""
        z = _smooth(heights)
        corners = (z[:-1, :-1], z[:-1, 1:], z[1:, :-1], z[1:, 1:])
        d_east = (corners[1] + corners[3] - corners[0] - corners[2]) / np.float32(2.0 * cell_x)
        d_north = (corners[0] + corners[1] - corners[2] - corners[3]) / np.float32(2.0 * cell_y)
        middle = (corners[0] + corners[1] + corners[2] + corners[3]) * np.float32(0.25)
        slope = np.hypot(d_east, d_north)
        color = self._tints(middle) if self.by_height else self._quiet(middle, slope)
        shade = self._shade(d_east, d_north, slope)
        color = color * shade[..., None]
        if self.style.contours > 0.0:
            color = self._lines(color, middle, slope * np.float32(np.sqrt(cell_x * cell_y)))
        return np.clip(color, 0, 255).astype(np.uint8), shade

    def _shade(self, d_east: Float32, d_north: Float32, slope: Float32) -> Float32:
        target = 0.42 if self.by_height else 0.25
        gain = float(np.clip(target / max(self.scale.steepness, 1e-4), 1.0, 6.0))
        east, north = d_east * np.float32(gain), d_north * np.float32(gain)
        azimuth, altitude = np.radians(SUN_AZIMUTH_DEG), np.radians(SUN_ALTITUDE_DEG)
        sun = (np.sin(azimuth) * np.cos(altitude), np.cos(azimuth) * np.cos(altitude), np.sin(altitude))
        light = (sun[2] - east * np.float32(sun[0]) - north * np.float32(sun[1])) / np.sqrt(east * east + north * north + 1.0)
        light = np.clip(light, 0.0, 1.0)
        if not self.by_height:
            return np.asarray(1.0 + self.look.shade * 0.55 * (light - FLAT_LIGHT), dtype=np.float32)
        # The slope itself darkens a little too, so that valleys along the sun's direction keep their form.
        steep = np.minimum(slope * np.float32(gain), 1.5)
        return np.asarray(1.0 + self.look.shade * (0.85 * (light - FLAT_LIGHT) - 0.10 * steep), dtype=np.float32)

    def _tints(self, heights: Float32) -> Float32:
        tints = np.array([rgba(tint)[:3] for tint in HEIGHT_TINTS], dtype=np.float64)
        if self.look.name == "dark":
            tints = tints * 0.60 + np.array([8.0, 12.0, 18.0])
        elif self.look.name == "projector":
            tints = tints.mean(axis=1, keepdims=True) + (tints - tints.mean(axis=1, keepdims=True)) * 1.35
        return np.stack([np.interp(heights, self.scale.knots, tints[:, k]) for k in range(3)], axis=-1).astype(np.float32)

    def _quiet(self, heights: Float32, slope: Float32) -> Float32:
        """Flat city ground stays quiet; hills turn green with slope and height, and pale again on the very top of big relief."""
        relief, middle = self.scale.relief, self.scale.middle
        height = np.clip((heights - middle) / relief, 0.0, 1.0)
        green = np.clip((heights - middle) / max(12.0, 0.10 * relief), 0.0, 1.0) * np.clip(0.35 + slope / 0.10, 0.0, 1.0)
        rock = np.clip((height - 0.55) / 0.4, 0.0, 1.0) * np.clip((relief - 250.0) / 400.0, 0.0, 1.0)
        base, meadow, stone = (np.array(rgba(c)[:3], dtype=np.float32) for c in (self.look.ground, self.look.green, self.look.rock))
        color = base + (meadow - base) * green[..., None].astype(np.float32)
        return np.asarray(color + (stone - color) * rock[..., None].astype(np.float32), dtype=np.float32)

    def _lines(self, color: Float32, heights: Float32, rise: Float32) -> Float32:
        """Draw contours; ``rise`` is by how much the height changes from texel to texel."""
        ink = np.array(rgba(self.look.edge if self.look.name == "dark" else self.look.dim)[:3], dtype=np.float32)
        if self.look.name == "dark":
            ink = ink * 1.25
        strength = np.maximum(
            0.42 * _line(heights, rise, self.style.contours, LINE_WIDTH),
            0.75 * _line(heights, rise, self.style.contours * BOLD_EVERY, LINE_WIDTH * 1.3),
        )
        return np.asarray(color + (ink - color) * strength[..., None], dtype=np.float32)


def _line(heights: Float32, rise: Float32, interval: float, width: float) -> Float32:
    """Return (R, C) coverage of texels by contours at multiples of ``interval``; nothing where they would run together."""
    away = np.abs(heights / interval - np.round(heights / interval)) * interval
    texels = away / np.maximum(rise, 1e-6)
    is_clear: Bool = (rise < interval / 3.0) & (rise > 1e-5)
    return np.asarray(np.clip(width / 2.0 + 0.5 - texels, 0.0, 1.0) * is_clear, dtype=np.float32)


def _smooth(z: Float32) -> Float32:
    """Return (R - 2, C - 2) samples mixed with their neighbours: whole metres and noise would look like stairs."""
    lines = (z[:-2] + 2.0 * z[1:-1] + z[2:]) * np.float32(0.25)
    return np.asarray((lines[:, :-2] + 2.0 * lines[:, 1:-1] + lines[:, 2:]) * np.float32(0.25), dtype=np.float32)
