"""Colours that people tell apart: perceptual ramps, and palettes of categories that work with every kind of colour vision."""

from __future__ import annotations

from functools import cache

import numpy as np

from cimdesk.base.arrays import Float, UInt8

CATEGORY_COLORS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#332288",
    "#88ccee", "#882255", "#999933", "#aa4499",
)  # fmt: skip
"""Okabe and Ito (2008), then Tol's muted ones: told apart with red-green and blue-yellow colour blindness."""

RAMPS: dict[str, tuple[str, ...]] = {
    "depth": ("#bfe3f5", "#6db7e3", "#2f7fc1", "#124a86"),
    "viridis": ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"),
    "cividis": ("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"),
    "magma": ("#000004", "#1c1044", "#4f127b", "#812581", "#b5367a", "#e55064", "#fb8761", "#fec287", "#fcfdbf"),
    "plasma": ("#0d0887", "#4b03a1", "#7d03a8", "#a82296", "#cb4679", "#e56b5d", "#f89441", "#fdc328", "#f0f921"),
    "warm": ("#fff3d6", "#f9c77e", "#ee8f4b", "#c8502f", "#7f2a1d"),
    "greens": ("#f0f9e8", "#c7e9c0", "#74c476", "#31a354", "#006d2c"),
    "blues": ("#eff3ff", "#bdd7e7", "#6baed6", "#3182bd", "#08519c"),
    "year": ("#5b4b8a", "#4e79a7", "#76b7b2", "#d7cf9a", "#f4f0e2"),
    "blue-red": (
        "#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f",
    ),
    "brown-green": (
        "#543005", "#8c510a", "#bf812d", "#dfc27d", "#f6e8c3", "#f5f5f5", "#c7eae5", "#80cdc1", "#35978f", "#01665e", "#003c30",
    ),
}  # fmt: skip
"""Stops of each ramp, even steps from the lowest value to the highest. The last two part at the middle."""

LEVELS = 1024
"""Colours of a continuous ramp."""


def components(color: str) -> tuple[int, int, int]:
    """Return 0..255 red, green and blue of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def ramp_colors(name: str, positions: Float, reverse: bool = False) -> UInt8:
    """Return (N, 4) uint8 colours of a ramp at ``positions`` (N,) in 0..1, linear between its stops."""
    stops = np.array([(*components(color), 255) for color in RAMPS[name]], dtype=np.float64)
    at = np.linspace(0.0, 1.0, len(stops))
    where = 1.0 - np.asarray(positions) if reverse else positions
    return np.column_stack([np.interp(where, at, stops[:, k]) for k in range(4)]).round().astype(np.uint8)


@cache
def ramp_levels(name: str, reverse: bool) -> UInt8:
    """Return the (LEVELS, 4) colours of a continuous ramp; do not change them."""
    return ramp_colors(name, np.linspace(0.0, 1.0, LEVELS), reverse)


def class_colors(name: str, count: int, reverse: bool = False) -> UInt8:
    """Return (count, 4) colours of classes: even steps over the whole ramp."""
    return ramp_colors(name, np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5]), reverse)
