"""How a layer is coloured: a style, resolved to one colour per feature and to the legend that explains it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, pairwise
from typing import Any, TypeGuard

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Strings, UInt8
from cimdesk.base.units import format_number
from cimdesk.model.features import FeatureTable, plain_value

NEUTRAL = "#f2ede3"
MISSING = "#b9bec4"
CATEGORY_COLORS = ("#4e79a7", "#e8870e", "#59a14f", "#b07aa1", "#d7b34a", "#76b7b2", "#9c755f", "#e15759", "#86bcb6", "#8cd17d")
RAMPS: dict[str, tuple[str, ...]] = {
    "depth": ("#bfe3f5", "#6db7e3", "#2f7fc1", "#124a86"),
    "viridis": ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"),
    "warm": ("#fff3d6", "#f9c77e", "#ee8f4b", "#c8502f", "#7f2a1d"),
    "year": ("#5b4b8a", "#4e79a7", "#76b7b2", "#d7cf9a", "#f4f0e2"),
}


class StyleMode(StrEnum):
    """What decides the colour of a feature."""

    SINGLE = "single"
    CATEGORIES = "categories"
    GRADUATED = "graduated"
    STAGE = "stage"
    STATUS = "status"
    DEPTH = "depth"


@dataclass(frozen=True)
class Style:
    """How a layer is drawn; kept in its layer record.

    Attributes
    ----------
    mode : StyleMode
    color : str
        ``#rrggbb`` of single features, and of those without a value in other modes.
    attribute : str
        Column that decides, for categories and graduated colours.
    ramp : str
        Name in `RAMPS`, for graduated colours.
    categories : mapping of value to colour
        Fixed colours of some categories; the others take the next free one.
    breaks : tuple of float
        Class limits for graduated colours, rising; equal-count classes when empty.
    size : float
        Symbol size or line width [px] where the layer has them.
    labels : str
        Column written beside the features; empty for none.
    """

    mode: StyleMode = StyleMode.SINGLE
    color: str = NEUTRAL
    attribute: str = ""
    ramp: str = "viridis"
    categories: Mapping[str, str] | None = None
    breaks: tuple[float, ...] = ()
    size: float = 10.0
    labels: str = ""

    def to_record(self) -> dict[str, Any]:
        """Return the JSON-able form."""
        return {
            "mode": str(self.mode), "color": self.color, "attribute": self.attribute, "ramp": self.ramp,
            "categories": dict(self.categories or {}), "breaks": list(self.breaks), "size": self.size, "labels": self.labels,
        }  # fmt: skip

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Style:
        """Return the style of a record; unknown fields are ignored, missing ones take their default."""
        known = {name: record[name] for name in ("attribute", "size", "labels") if name in record}
        mode, color, ramp = record.get("mode"), record.get("color"), record.get("ramp")
        categories = dict(record.get("categories") or {})
        return Style(
            mode=StyleMode(mode) if mode in set(StyleMode) else StyleMode.SINGLE,
            color=color if _is_color(color) else NEUTRAL,
            ramp=ramp if ramp in RAMPS else "viridis",
            categories={name: each for name, each in categories.items() if _is_color(each)},
            breaks=tuple(record.get("breaks") or ()),
            **known,
        )


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One line of a legend card."""

    label: str
    color: str
    count: int = 0


@dataclass(frozen=True)
class Coloring:
    """A style applied to a table.

    Attributes
    ----------
    colors : (N, 4) uint8
        RGBA of each feature.
    legend : tuple of LegendEntry
    """

    colors: UInt8
    legend: tuple[LegendEntry, ...]


def rgba(color: str, alpha: int = 255) -> tuple[int, int, int, int]:
    """Return 0..255 components of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), alpha


def _is_color(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", value) is not None


def hex_color(components: Sequence[float] | AnyArray) -> str:
    """Return ``#rrggbb`` of 0..255 components."""
    return "#" + "".join(f"{round(float(c)):02x}" for c in components[:3])


def ramp_colors(name: str, positions: Float) -> UInt8:
    """Return (N, 4) uint8 colours of a ramp at ``positions`` (N,) in 0..1, linear between its stops."""
    stops = np.array([rgba(color) for color in RAMPS[name]], dtype=np.float64)
    at = np.linspace(0.0, 1.0, len(stops))
    return np.column_stack([np.interp(positions, at, stops[:, k]) for k in range(4)]).round().astype(np.uint8)


def color_features(style: Style, table: FeatureTable) -> Coloring:
    """Apply a single, categories or graduated style; stage, status and depth are coloured by `color_by_codes`."""
    if style.mode is StyleMode.CATEGORIES and style.attribute in table.columns:
        return _by_category(style, table.columns[style.attribute])
    if style.mode is StyleMode.GRADUATED and style.attribute in table.columns:
        values = table.columns[style.attribute]
        if values.dtype != object:
            return _graduated(style, values.astype(np.float64))
        return _by_category(style, values)
    return Coloring(np.tile(np.array(rgba(style.color), dtype=np.uint8), (len(table), 1)), ())


def color_by_codes(codes: AnyArray, palette: Sequence[tuple[str, str]]) -> Coloring:
    """Colour by small integer codes; ``palette`` gives (label, colour) per code. Only codes that occur are in the legend."""
    table = np.array([rgba(color) for _, color in palette], dtype=np.uint8).reshape(-1, 4)
    counts = np.bincount(codes.astype(np.int64), minlength=len(palette))
    legend = tuple(
        LegendEntry(label, color, int(n)) for (label, color), n in zip(palette, counts[: len(palette)], strict=True) if n
    )
    return Coloring(table[codes], legend)


def _by_category(style: Style, values: AnyArray) -> Coloring:
    plain = (plain_value(value) for value in values.tolist())
    texts = np.array(["" if value is None else str(value) for value in plain], dtype=object)
    names, codes, counts = _unique(texts)
    fixed = dict(style.categories or {})
    free = cycle([color for color in CATEGORY_COLORS if color not in fixed.values()])
    order = np.argsort(-counts, kind="stable")
    palette = [MISSING] * len(names)
    for k in order:
        name = str(names[k])
        palette[k] = MISSING if name == "" else fixed.get(name) or next(free, MISSING)
    colors = np.array([rgba(color) for color in palette], dtype=np.uint8).reshape(-1, 4)[codes]
    legend = tuple(LegendEntry(str(names[k]) or "–", palette[k], int(counts[k])) for k in order[:12])
    return Coloring(colors, legend)


def _unique(texts: Strings) -> tuple[Strings, AnyArray, AnyArray]:
    names, codes, counts = np.unique(texts.astype(str), return_inverse=True, return_counts=True)
    return names.astype(object), codes, counts


def _graduated(style: Style, values: Float) -> Coloring:
    finite = values[np.isfinite(values)]
    breaks = np.array(style.breaks or np.unique(np.quantile(finite, [0.2, 0.4, 0.6, 0.8])) if finite.size else [], dtype=np.float64)
    classes = np.searchsorted(breaks, np.where(np.isfinite(values), values, 0.0), side="right")
    colors = ramp_colors(style.ramp, np.linspace(0.0, 1.0, len(breaks) + 1))
    out = colors[classes]
    out[~np.isfinite(values)] = rgba(MISSING)
    limits = [format_number(b) for b in breaks]
    labels = [f"< {limits[0]}", *(f"{a} – {b}" for a, b in pairwise(limits)), f"≥ {limits[-1]}"] if limits else ["–"]
    counts = np.bincount(classes[np.isfinite(values)], minlength=len(breaks) + 1)
    legend = tuple(LegendEntry(label, hex_color(color), int(n)) for label, color, n in zip(labels, colors, counts, strict=True))
    return Coloring(out, legend)
