"""What gives single points their colours by one column: look-ups that are made once and then cost little for each point."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cimdesk.base.arrays import AnyArray, UInt8
from cimdesk.model.coloring import classify, palette_of_classes, ramp_codes
from cimdesk.model.ramps import ramp_levels
from cimdesk.model.style import MISSING, Style, StyleMode, rgba
from cimdesk.model.tile_points import PointValues, TextColumn

Painter = Callable[[int, int], UInt8]
"""Returns (P, 3) colours of the points from one number to before another."""


def painter_of(style: Style, values: PointValues) -> Painter:
    """Return what colours points by a column, for a style that is settled.

    Parameters
    ----------
    style : Style
        By categories, in classes or along a ramp; texts always are categories.
    values : PointValues
    """
    if isinstance(values, TextColumn):
        fixed = dict(style.categories or {})
        palette = _palette([style.missing, *(fixed.get(name, style.other or MISSING) for name in values.names)])
        return lambda start, stop: palette[values.codes[start:stop]]
    if style.mode is StyleMode.CATEGORIES or values.dtype.kind == "b":
        return _category_painter(style, values)
    if style.mode is StyleMode.GRADUATED:
        colors = palette_of_classes(style, len(style.breaks) + 1)
        palette = np.concatenate([colors[:, :3], _palette([style.missing])])
        return lambda start, stop: palette[classify(values[start:stop], style.breaks)]
    palette = np.concatenate([ramp_levels(style.ramp, style.reverse)[:, :3], _palette([style.missing])])
    low, high = (style.low, style.high) if math.isfinite(style.low) and math.isfinite(style.high) else (0.0, 1.0)
    return lambda start, stop: palette[ramp_codes(values[start:stop], low, high, style.log)]


def _category_painter(style: Style, values: AnyArray) -> Painter:
    known = {number: color for name, color in (style.categories or {}).items() if not math.isnan(number := number_named(name))}
    keys = np.array(sorted(known), dtype=np.float64)
    palette = _palette([*(known[key] for key in keys.tolist()), style.other or MISSING, style.missing])

    def codes(numbers: AnyArray) -> AnyArray:
        if not len(keys):
            found = np.zeros(len(numbers), dtype=np.int64)
        else:
            place = np.minimum(np.searchsorted(keys, numbers), len(keys) - 1)
            found = np.where(keys[place] == numbers, place, len(keys))
        return np.where(np.isnan(numbers), len(keys) + 1, found)

    if values.dtype.kind in "iu" and values.itemsize <= 2:
        # One look-up a point, for all the values that there can be.
        least = int(np.iinfo(values.dtype).min)
        every = palette[codes(np.arange(least, int(np.iinfo(values.dtype).max) + 1, dtype=np.float64))]
        return lambda start, stop: every[values[start:stop].astype(np.int64) - least]
    return lambda start, stop: palette[codes(values[start:stop].astype(np.float64))]


def number_named(name: str) -> float:
    """Return the number that a category is the name of; NaN for none."""
    if name in ("True", "False"):
        return float(name == "True")
    try:
        return float(name)
    except ValueError:
        return math.nan


def _palette(colors: list[str]) -> UInt8:
    return np.array([rgba(color)[:3] for color in colors], dtype=np.uint8)
