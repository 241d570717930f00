"""How a layer is coloured: a style as it is kept in the layer's record, and what comes of it; `coloring` applies it to a table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np

from cimdesk.base.arrays import AnyArray, UInt8
from cimdesk.model.classes import Method
from cimdesk.model.ramps import CATEGORY_COLORS as CATEGORY_COLORS
from cimdesk.model.ramps import RAMPS as RAMPS
from cimdesk.model.ramps import components
from cimdesk.model.ramps import ramp_colors as ramp_colors

NEUTRAL = "#f2ede3"
MISSING = "#b9bec4"
NOTHING, REST = -1, -2
FEWEST_CLASSES, MOST_CLASSES = 2, 12


class StyleMode(StrEnum):
    """What decides the colour of a feature."""

    SINGLE = "single"
    CATEGORIES = "categories"
    GRADUATED = "graduated"
    CONTINUOUS = "continuous"
    RULES = "rules"
    STAGE = "stage"
    STATUS = "status"
    DEPTH = "depth"


@dataclass(frozen=True)
class Rule:
    """One line of a style by rules: the first whose condition is true decides.

    Attributes
    ----------
    condition : str
        Expression; an empty one is always true.
    color : str
        ``#rrggbb``.
    label : str
        What the legend says; the condition itself when empty.
    visible : bool
        Whether its features are drawn at all.
    """

    condition: str
    color: str
    label: str = ""
    visible: bool = True

    def to_record(self) -> dict[str, Any]:
        """Return the JSON-able form."""
        return {"condition": self.condition, "color": self.color, "label": self.label, "visible": self.visible}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Rule:
        """Return the rule of a record; what is no colour becomes grey."""
        color = record.get("color")
        return Rule(
            str(record.get("condition", "")),
            color if _is_color(color) else MISSING,
            str(record.get("label", "")),
            bool(record.get("visible", True)),
        )


FLOWS = ("arrows", "streaks")


@dataclass(frozen=True)
class Style:
    """How a layer is drawn; kept in its layer record.

    Attributes
    ----------
    mode : StyleMode
    color : str
        ``#rrggbb`` of single features, and of those no rule is for.
    attribute : str
        Column that decides, for categories, classes and continuous colours.
    ramp : str
        Name in `RAMPS`, for classes and continuous colours.
    categories : mapping of value to colour
        Fixed colours of some categories; the others take the next free one, or ``other`` where that is given.
    breaks : tuple of float
        Class limits, rising; found by ``method`` when empty.
    size : float
        Symbol size or line width [px] where the layer has them.
    labels : str
        Column or expression written beside the features; empty for none.
    reverse : bool
        Whether the ramp runs the other way.
    method : Method
        How class limits are found.
    classes : int
        How many classes are wanted.
    class_colors : tuple of str
        Colours of the classes set by hand; those of the ramp when empty.
    low, high : float
        Values at the ends of a continuous ramp; NaN takes the percentiles ``clip``.
    clip : tuple of 2 floats
        Percentiles, 0..100.
    log : bool
        Whether a continuous ramp follows the logarithm.
    missing : str
        Colour of features without a value.
    other : str
        Colour of categories that are not in ``categories``; empty lets them take colours of their own.
    rules : tuple of Rule
    height : str
        Column or expression [m] by which footprints and points stand up as columns; empty for none.
    height_scale : float
        Metres for each unit of ``height``.
    label_priority : int
        Labels of layers with a higher one win the room.
    flow : str
        How a flood shows where its water flows to: ``arrows``, ``streaks``, or empty for not at all.
    """

    mode: StyleMode = StyleMode.SINGLE
    color: str = NEUTRAL
    attribute: str = ""
    ramp: str = "viridis"
    categories: Mapping[str, str] | None = None
    breaks: tuple[float, ...] = ()
    size: float = 10.0
    labels: str = ""
    reverse: bool = False
    method: Method = Method.QUANTILE
    classes: int = 5
    class_colors: tuple[str, ...] = ()
    low: float = math.nan
    high: float = math.nan
    clip: tuple[float, float] = (2.0, 98.0)
    log: bool = False
    missing: str = MISSING
    other: str = ""
    rules: tuple[Rule, ...] = ()
    height: str = ""
    height_scale: float = 1.0
    label_priority: int = 0
    flow: str = ""

    @property
    def shows_source(self) -> bool:
        """Whether a layer shows the colours and pictures that its source gives, and the theme's where it gives none."""
        return self.mode is StyleMode.SINGLE and self.color == NEUTRAL

    def to_record(self) -> dict[str, Any]:
        """Return the JSON-able form; what is as by default and newer than the first version is left out."""
        record: dict[str, Any] = {
            "mode": str(self.mode), "color": self.color, "attribute": self.attribute, "ramp": self.ramp,
            "categories": dict(self.categories or {}), "breaks": list(self.breaks), "size": self.size, "labels": self.labels,
        }  # fmt: skip
        plain = Style()
        for name in ("reverse", "classes", "log", "missing", "other", "height", "height_scale", "label_priority", "flow"):
            if getattr(self, name) != getattr(plain, name):
                record[name] = getattr(self, name)
        if self.method is not plain.method:
            record["method"] = str(self.method)
        if self.class_colors:
            record["class_colors"] = list(self.class_colors)
        if self.clip != plain.clip:
            record["clip"] = list(self.clip)
        for name, value in (("low", self.low), ("high", self.high)):
            if math.isfinite(value):
                record[name] = value
        if self.rules:
            record["rules"] = [rule.to_record() for rule in self.rules]
        return record

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Style:
        """Return the style of a record; unknown fields are ignored, missing ones take their default."""
        names = ("attribute", "size", "labels", "reverse", "log", "height", "height_scale", "label_priority")
        known = {name: record[name] for name in names if name in record}
        mode, color, ramp, method = (record.get(name) for name in ("mode", "color", "ramp", "method"))
        categories = dict(record.get("categories") or {})
        missing, other = record.get("missing"), record.get("other")
        class_colors = tuple(record.get("class_colors") or ())
        clip = record.get("clip") or (2.0, 98.0)
        return Style(
            mode=StyleMode(mode) if mode in set(StyleMode) else StyleMode.SINGLE,
            color=color if _is_color(color) else NEUTRAL,
            ramp=ramp if ramp in RAMPS else "viridis",
            categories={name: each for name, each in categories.items() if _is_color(each)},
            breaks=tuple(record.get("breaks") or ()),
            method=Method(method) if method in set(Method) else Method.QUANTILE,
            classes=min(max(int(record.get("classes", 5)), FEWEST_CLASSES), MOST_CLASSES),
            class_colors=class_colors if all(map(_is_color, class_colors)) else (),
            low=float(record.get("low", math.nan)),
            high=float(record.get("high", math.nan)),
            clip=(float(clip[0]), float(clip[1])),
            missing=missing if _is_color(missing) else MISSING,
            other=other if _is_color(other) else "",
            rules=tuple(Rule.from_record(rule) for rule in record.get("rules") or ()),
            flow=str(record["flow"]) if record.get("flow") in FLOWS else "",
            **known,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns and expressions that decide how features look."""
        return tuple(name for name in (self.attribute, self.height, self.labels) if name)


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
    codes : (N,) array of unsigned integers
        Row of the palette of each feature.
    palette : (K, 4) uint8
        RGBA; features whose alpha is 0 are not drawn.
    legend : tuple of LegendEntry
    entry_codes : tuple of int
        Code that each entry of the legend counts; `REST` for all that no other entry counts, `NOTHING` for none.
    """

    codes: AnyArray
    palette: UInt8
    legend: tuple[LegendEntry, ...] = field(default=())
    entry_codes: tuple[int, ...] = field(default=())

    @cached_property
    def colors(self) -> UInt8:
        """(N, 4) uint8 RGBA of each feature."""
        return np.take(self.palette, self.codes, axis=0)

    def __len__(self) -> int:
        return len(self.codes)

    @staticmethod
    def uniform(count: int, color: str) -> Coloring:
        """Return one colour for all."""
        return Coloring(np.zeros(count, dtype=np.uint8), np.array([rgba(color)], dtype=np.uint8))

    def hiding(self, shown: AnyArray | None) -> Coloring:
        """Return the same with the features that are not ``shown`` (N,) bool made invisible; None shows all."""
        if shown is None:
            return self
        count = len(self.palette)
        codes: AnyArray = self.codes.astype(np.uint16 if count < 65_535 else np.uint32)
        # Integer arithmetic is several times quicker than choosing: shown ones keep their code, others take the last.
        np.multiply(codes, shown, out=codes)
        np.add(codes, np.multiply(~shown, count, dtype=codes.dtype), out=codes)
        last = np.zeros((1, 4), dtype=np.uint8)
        return Coloring(codes, np.concatenate([self.palette, last]), self._recounted(codes, count), self.entry_codes)

    def _recounted(self, codes: AnyArray, hidden: int) -> tuple[LegendEntry, ...]:
        """Return the legend with the counts of what is in sight; the code ``hidden`` is that of all others."""
        if len(self.entry_codes) != len(self.legend) or hidden > 65_000:
            return self.legend
        counts = np.bincount(codes, minlength=hidden + 1)
        named = sum(int(counts[code]) for code in self.entry_codes if code >= 0)
        rest = len(codes) - int(counts[hidden]) - named
        parts = zip(self.legend, self.entry_codes, strict=True)
        return tuple(
            entry if code == NOTHING else replace(entry, count=rest if code == REST else int(counts[code])) for entry, code in parts
        )


def rgba(color: str, alpha: int = 255) -> tuple[int, int, int, int]:
    """Return 0..255 components of ``#rrggbb``."""
    return (*components(color), alpha)


def _is_color(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", value) is not None


def hex_color(parts: Sequence[float] | AnyArray) -> str:
    """Return ``#rrggbb`` of 0..255 components."""
    return "#" + "".join(f"{round(float(c)):02x}" for c in parts[:3])
