"""Maps of a whole flood: deepest, level, speed, hazard, arrival, peak and duration; their values, classes, colours and legends.

Which one a flood layer shows is the attribute of its style; none is the depth at the clock.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, UInt8
from cimdesk.base.i18n import tr
from cimdesk.base.paths import resource_dir
from cimdesk.model.flood import FloodResult
from cimdesk.model.hazard import aidr_classes, uk_hazard_rating
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.ramps import RAMPS, class_colors
from cimdesk.model.style import LegendEntry, hex_color

WET = 0.03
"""Where the water was never deeper than this, maps show nothing [m]."""
DEPTHS = (WET, 0.15, 0.40, 1.0)
SPEEDS = (0.0, 0.25, 0.5, 1.0, 2.0)
PRODUCTS = (0.0, 0.3, 0.6, 1.0, 4.0)
MINUTES = (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 5760)
LEVELS = 7
"""Classes of level."""
MOST_TIMES = 5
_SPEED_COLORS = ("#e9e3f4", "#c5b3e0", "#9b7fc8", "#6c48a6", "#3b1c75")
_PRODUCT_COLORS = ("#fdeacb", "#f8c17f", "#ec8a48", "#c84f2d", "#7a1f1d")


@dataclass(frozen=True)
class FloodMap:
    """One kind of map.

    Attributes
    ----------
    key : str
        What the style of a layer, the command line and files call it.
    title : str
        English.
    unit : str
        Of the values; empty for classes.
    """

    key: str
    title: str
    unit: str = ""


MAPS: tuple[FloodMap, ...] = (
    FloodMap("max_depth", "Deepest", "m"),
    FloodMap("max_level", "Highest level", "m"),
    FloodMap("max_speed", "Fastest", "m/s"),
    FloodMap("max_depth_speed", "Depth × speed", "m²/s"),
    FloodMap("hazard_uk", "Hazard (UK)"),
    FloodMap("hazard_aidr", "Hazard (AIDR)"),
    FloodMap("hazard_cn", "Hazard (China)"),
    FloodMap("arrival", "Arrival (0.05 m)", "s"),
    FloodMap("arrival_0.10", "Arrival (0.10 m)", "s"),
    FloodMap("arrival_0.30", "Arrival (0.30 m)", "s"),
    FloodMap("peak_time", "Peak time", "s"),
    FloodMap("duration_0.05", "Duration (0.05 m)", "s"),
    FloodMap("duration_0.10", "Duration (0.10 m)", "s"),
    FloodMap("duration_0.30", "Duration (0.30 m)", "s"),
)
KEYS = tuple(each.key for each in MAPS)
DEPTH_NOW = "Depth now"


@dataclass(frozen=True)
class MapClasses:
    """Classes of a map.

    Attributes
    ----------
    lows : rising tuple of float
        Where each class begins; lower values are in none.
    colors : tuple of ``#rrggbb``
    labels : tuple of str
        In the current language.
    """

    lows: tuple[float, ...]
    colors: tuple[str, ...]
    labels: tuple[str, ...]

    def codes(self, values: Float32) -> UInt8:
        """Return for each value the number of its class from 1; 0 for none, as for NaN."""
        known = np.where(np.isfinite(values), values, -np.inf)
        return np.searchsorted(np.asarray(self.lows), known.astype(np.float64), side="right").astype(np.uint8)


def map_named(key: str) -> FloodMap:
    """Return the map of a key; raises KeyError for another."""
    return next(each for each in MAPS if each.key == key) if key in KEYS else _unknown(key)


def _unknown(key: str) -> FloodMap:
    raise KeyError(key)


def shown_map(layer: Layer, result: object) -> str:
    """Return which map a flood layer shows; empty for the depth at the clock, or where the result has not what it takes."""
    if layer.kind is not LayerKind.FLOOD or not isinstance(result, FloodResult):
        return ""
    key = layer.style.attribute
    return key if key and key in available(result) else ""


def available(result: FloodResult) -> tuple[str, ...]:
    """Return the maps that a result has what it takes for: results of others may tell no speed."""
    has_speed = bool(np.isfinite(result.max_speed).any())
    needs_speed = ("max_speed", "max_depth_speed", "hazard_uk", "hazard_aidr")
    return tuple(key for key in KEYS if has_speed or key not in needs_speed)


@cache
def hazard_tables() -> Mapping[str, Any]:
    """Return the tables of ``hazard.toml``."""
    return tomllib.loads((resource_dir() / "standards" / "hazard.toml").read_text(encoding="utf-8"))


def values_of(result: FloodResult, key: str) -> Float32:
    """Return the (R, C) float32 values of a map; NaN where there never was water to speak of.

    Hazards are the UK rating, and numbers of classes from 1 (Australia: H1 to H6; China: the classes of depth).
    """
    wet = result.max_depth > WET
    if key == "hazard_uk":
        table = hazard_tables()["uk"]
        grid = uk_hazard_rating(result.max_depth, _known(result.max_speed), _known(result.max_depth_speed), table["debris"])
    elif key == "hazard_aidr":
        limits = hazard_tables()["aidr"]["limits"]
        classes = aidr_classes(result.max_depth, _known(result.max_speed), _known(result.max_depth_speed), limits)
        grid = classes.astype(np.float32)
    elif key == "hazard_cn":
        limits = np.asarray(hazard_tables()["depth"]["limits"])
        grid = (np.searchsorted(limits, result.max_depth, side="right") + 1).astype(np.float32)
    elif key == "max_level":
        grid = (result.terrain.elevations + result.max_depth).astype(np.float32)
    elif key in ("max_depth", "max_speed", "max_depth_speed", "arrival"):
        grid = getattr(result, key)
    elif key in KEYS:
        grid = result.envelopes[key] if key in result.envelopes else from_frames(result)[key]
    else:
        raise KeyError(key)
    return np.where(wet & ~result.is_blocked, grid, np.float32(np.nan)).astype(np.float32)


def _known(grid: Float32) -> Float32:
    return np.nan_to_num(grid)


_DERIVED: list[tuple[FloodResult, dict[str, Float32]]] = []
_DERIVED_KEPT = 3


def from_frames(result: FloodResult) -> dict[str, Float32]:
    """Return times of arrival, of the peak and durations as the frames tell them, no finer than their interval.

    A frame stands for half the time to the one before it and half to the one after. The last few answers are kept.
    """
    for known, answer in _DERIVED:
        if known is result:
            return answer
    shape, times = result.terrain.shape, result.times
    gaps = np.diff(times)
    share = np.concatenate([[0.0], gaps / 2]) + np.concatenate([gaps / 2, [0.0]]) if len(times) > 1 else np.zeros(1)
    found = {key: np.full(shape, np.nan, dtype=np.float32) for key in ("peak_time", "arrival_0.10", "arrival_0.30")}
    found |= {f"duration_{limit:.2f}": np.zeros(shape, dtype=np.float32) for limit in (0.05, 0.10, 0.30)}
    deepest = np.zeros(shape, dtype=np.float32)
    for k, depth in enumerate(result.depths):
        higher = depth > deepest
        deepest[higher], found["peak_time"][higher] = depth[higher], times[k]
        for limit in (0.10, 0.30):
            first = found[f"arrival_{limit:.2f}"]
            first[np.isnan(first) & (depth > limit)] = times[k]
        for limit in (0.05, 0.10, 0.30):
            found[f"duration_{limit:.2f}"] += np.where(depth > limit, np.float32(share[k]), np.float32(0.0))
    _DERIVED.append((result, found))
    del _DERIVED[:-_DERIVED_KEPT]
    return found


def classes_of(result: FloodResult, key: str) -> MapClasses:
    """Return the classes that suit a map of a result."""
    tables = hazard_tables()
    if key == "hazard_uk":
        table = tables["uk"]
        return MapClasses((1e-6, *map(float, table["limits"])), tuple(table["colors"]), tuple(tr(text) for text in table["labels"]))
    if key == "hazard_aidr":
        return _numbered(tables["aidr"]["labels"], tables["aidr"]["colors"])
    if key == "hazard_cn":
        table = tables["depth"]
        return _numbered(table["labels"], table["colors"])
    if key == "max_depth":
        return MapClasses(DEPTHS, RAMPS["depth"], ranges(DEPTHS, "m"))
    if key == "max_speed":
        return MapClasses(SPEEDS, _SPEED_COLORS, ranges(SPEEDS, "m/s"))
    if key == "max_depth_speed":
        return MapClasses(PRODUCTS, _PRODUCT_COLORS, ranges(PRODUCTS, "m²/s"))
    values = values_of(result, key)
    return _level_classes(values) if key == "max_level" else _time_classes(values, is_long_dark=key.startswith("duration"))


def _numbered(labels: Sequence[str], colors: Sequence[str]) -> MapClasses:
    return MapClasses(tuple(k + 0.5 for k in range(len(labels))), tuple(colors), tuple(tr(text) for text in labels))


def ranges(lows: Sequence[float], unit: str) -> tuple[str, ...]:
    """Return what a legend says of classes that begin at ``lows``, the last being open."""
    said = [f"{low:g} – {high:g} {unit}" for low, high in pairwise(lows)]
    return (*said, tr("over {low} {unit}").format(low=f"{lows[-1]:g}", unit=unit))


def _level_classes(values: Float32) -> MapClasses:
    known = values[np.isfinite(values)].astype(np.float64)
    low, high = np.quantile(known, (0.02, 0.98)).tolist() if len(known) else (0.0, 1.0)
    step = _nice((high - low) / (LEVELS - 1) or 1.0)
    first = np.floor(low / step) * step
    lows = [float(first + k * step) for k in range(LEVELS) if first + k * step <= high + 1e-9] or [float(first)]
    digits = max(0, int(np.ceil(-np.log10(step)))) if step < 1 else 0
    labels = [f"{low:.{digits}f} – {low + step:.{digits}f} m" for low in lows[:-1]]
    labels.append(tr("over {low} {unit}").format(low=f"{lows[-1]:.{digits}f}", unit="m"))
    colors = [hex_color(color) for color in class_colors("viridis", len(lows))]
    return MapClasses((-1e30, *lows[1:]), tuple(colors), tuple(labels))


def _nice(size: float) -> float:
    power = 10.0 ** np.floor(np.log10(size))
    return float(next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= size * (1 - 1e-9)))


def _time_classes(values: Float32, is_long_dark: bool) -> MapClasses:
    """Return classes of time up to the longest; what comes early, or stays long, is dark."""
    longest = float(np.nanmax(values, initial=0.0)) / 60.0 if np.isfinite(values).any() else 0.0
    within = [limit for limit in MINUTES if limit < longest] or [MINUTES[0]]
    limits = within[-MOST_TIMES:]
    words = [span_text(60.0 * limit) for limit in limits]
    labels = [tr("within {time}").format(time=words[0])]
    labels += [f"{low} – {high}" for low, high in pairwise(words)]
    labels.append(tr("over {time}").format(time=words[-1]))
    colors = [hex_color(color) for color in class_colors("blues" if is_long_dark else "warm", len(labels), not is_long_dark)]
    low = 1e-6 if is_long_dark else 0.0
    return MapClasses((low, *(60.0 * limit for limit in limits)), tuple(colors), tuple(labels))


def span_text(seconds: float) -> str:
    """Return a length of time as people say it: minutes, hours or days."""
    for limit, unit, template in ((3600.0, 60.0, tr("{count} min")), (86400.0, 3600.0, tr("{count} h"))):
        if seconds < limit:
            return template.format(count=_short(seconds / unit))
    return tr("{count} d").format(count=_short(seconds / 86400.0))


def _short(number: float) -> str:
    """Return a number with one decimal below ten where it has one, else whole."""
    return f"{number:.1f}".removesuffix(".0") if number < 9.95 else f"{number:.0f}"


def map_legend(result: FloodResult, key: str) -> tuple[LegendEntry, ...]:
    """Return the legend of a map."""
    classes = classes_of(result, key)
    return tuple(LegendEntry(label, color) for label, color in zip(classes.labels, classes.colors, strict=True))


def colors_of(result: FloodResult, key: str) -> UInt8:
    """Return (R, C, 4) uint8 colours of a map, clear where it shows nothing.

    Cells within buildings take the highest class beside them: walls then cut the colours off more sharply than any cell.
    """
    classes = classes_of(result, key)
    codes = classes.codes(values_of(result, key))
    codes = np.where(result.is_blocked, highest_beside(codes), codes)
    palette = np.zeros((len(classes.colors) + 1, 4), dtype=np.uint8)
    palette[1:] = [[int(color[k : k + 2], 16) for k in (1, 3, 5)] + [255] for color in classes.colors]
    colors: UInt8 = palette[codes]
    return colors


def highest_beside(grid: AnyArray) -> AnyArray:
    """Return the largest value of each cell and its eight neighbours."""
    padded = np.pad(grid, 1, mode="edge")
    rows, columns = grid.shape
    return np.asarray(np.max([padded[r : r + rows, c : c + columns] for r in range(3) for c in range(3)], axis=0))


def value_text(result: FloodResult, key: str, value: float) -> str:
    """Return one value of a map with its unit, or its class."""
    if not np.isfinite(value):
        return "–"
    each = map_named(key)
    if each.unit == "s":
        return span_text(value)
    if each.unit:
        return f"{value:.2f} {each.unit}"
    classes = classes_of(result, key)
    label = classes.labels[int(classes.codes(np.array([value], dtype=np.float32))[0]) - 1]
    return f"{value:.2f} · {label}" if key == "hazard_uk" else label


def value_at(result: FloodResult, key: str, x: float, y: float, time: float | None = None) -> float:
    """Return the value of a map at a place of the world; with an empty key the depth at ``time``. NaN beyond the grid."""
    grid = result.terrain
    row, column = int(np.floor((grid.north - y) / grid.cell_y)), int(np.floor((x - grid.west) / grid.cell_x))
    if not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]):
        return float("nan")
    values = values_of(result, key) if key else result.depth_at(result.start_time if time is None else time)
    return float(values[row, column])


def hydrograph_at(result: FloodResult, x: float, y: float) -> tuple[Float, Float, Float] | None:
    """Return times [s from the start], depths and levels [m] at a place in every frame; None beyond the grid."""
    grid = result.terrain
    row, column = int(np.floor((grid.north - y) / grid.cell_y)), int(np.floor((x - grid.west) / grid.cell_x))
    if not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]):
        return None
    depths = np.array([float(frame[row, column]) for frame in result.depths])
    return result.times, depths, depths + float(grid.elevations[row, column])
