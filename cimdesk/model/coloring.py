"""Styles applied to tables: each feature gets a code into a short palette, so that a new colour costs no work per feature.

Codes are kept for as long as the column lives: changing colours, ramps or what is hidden does not classify again.
"""

from __future__ import annotations

import math
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from itertools import cycle, pairwise

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, UInt8
from cimdesk.base.units import format_number
from cimdesk.model.classes import Method
from cimdesk.model.columns import Encoded, encode
from cimdesk.model.evaluation import matching
from cimdesk.model.expression import ExpressionError
from cimdesk.model.features import FeatureTable
from cimdesk.model.limits import ends_of, limits_of
from cimdesk.model.ramps import CATEGORY_COLORS, LEVELS, class_colors, ramp_levels
from cimdesk.model.style import MISSING, NOTHING, REST, Coloring, LegendEntry, Style, StyleMode, hex_color, rgba

KEPT = 24
AT_ONCE = 32_768
"""Values that are looked up together: so many stay near the processor."""
LEGEND_CATEGORIES = 12
OTHER_LABEL = "other"
NO_DATA_LABEL = "no data"

_codes: OrderedDict[tuple[Hashable, ...], tuple[weakref.ref[AnyArray], AnyArray]] = OrderedDict()


def color_features(style: Style, table: FeatureTable) -> Coloring:
    """Apply a style by attribute or rules; stage, status and depth are coloured by `color_by_codes`."""
    if style.mode is StyleMode.RULES:
        return _by_rules(style, table)
    values = table.columns.get(style.attribute) if style.attribute != "id" else table.columns.get("id", table.ids)
    if values is None:
        return Coloring.uniform(len(table), style.color)
    if style.mode is StyleMode.CATEGORIES:
        return _by_category(style, values)
    if style.mode in (StyleMode.GRADUATED, StyleMode.CONTINUOUS):
        if values.dtype.kind not in "fiu":
            return _by_category(style, values)
        return _graduated(style, values) if style.mode is StyleMode.GRADUATED else _continuous(style, values)
    return Coloring.uniform(len(table), style.color)


def color_by_codes(codes: AnyArray, palette: Sequence[tuple[str, str]]) -> Coloring:
    """Colour by small integer codes; ``palette`` gives (label, colour) per code. Only codes that occur are in the legend."""
    colors = np.array([rgba(color) for _, color in palette], dtype=np.uint8).reshape(-1, 4)
    counts = np.bincount(codes.astype(np.int64), minlength=len(palette))
    there = [k for k in range(len(palette)) if counts[k]]
    legend = tuple(LegendEntry(palette[k][0], palette[k][1], int(counts[k])) for k in there)
    return Coloring(codes, colors, legend, tuple(there))


def settled(style: Style, table: FeatureTable, most: int = LEGEND_CATEGORIES) -> Style:
    """Return the style with everything it finds in the data written down, so that features which come later look alike.

    Class limits, the ends of a ramp and the colours of the most frequent categories are kept; the rest becomes "other".
    """
    from dataclasses import replace

    values = table.columns.get(style.attribute)
    if values is None or not len(values):
        return style
    if style.mode is StyleMode.CATEGORIES or values.dtype.kind not in "fiu":
        if style.mode not in (StyleMode.CATEGORIES, StyleMode.GRADUATED, StyleMode.CONTINUOUS):
            return style
        encoded = encode(values)
        palette = category_colors(style, encoded)
        order = np.argsort(-encoded.counts, kind="stable")
        fixed = dict(style.categories or {})
        fixed |= {encoded.names[k]: palette[k] for k in order[:most] if encoded.names[k] not in fixed and not style.other}
        return replace(style, categories=fixed, other=style.other or MISSING)
    if style.mode is StyleMode.GRADUATED and not style.breaks:
        return replace(style, breaks=limits_of(values, style.method, style.classes))
    if style.mode is StyleMode.CONTINUOUS:
        low, high = ramp_ends(style, values)
        return replace(style, low=low, high=high)
    return style


def category_colors(style: Style, encoded: Encoded) -> list[str]:
    """Return the colour of each distinct value: the fixed one, or the next free one in the order of frequency."""
    fixed = dict(style.categories or {})
    free = cycle([color for color in CATEGORY_COLORS if color not in fixed.values()] or [MISSING])
    palette = [MISSING] * len(encoded.names)
    for k in np.argsort(-encoded.counts, kind="stable").tolist():
        name = encoded.names[k]
        palette[k] = fixed.get(name) or style.other or next(free)
    return palette


def _by_category(style: Style, values: AnyArray) -> Coloring:
    encoded = encode(values)
    palette = category_colors(style, encoded)
    colors = np.array([rgba(color) for color in (style.missing, *palette)], dtype=np.uint8)
    counts, fixed = encoded.counts, dict(style.categories or {})
    shown = [k for k in np.argsort(-counts, kind="stable").tolist() if not style.other or encoded.names[k] in fixed]
    entries = [LegendEntry(encoded.names[k], palette[k], int(counts[k])) for k in shown[:LEGEND_CATEGORIES]]
    rest = int(counts.sum()) - sum(entry.count for entry in entries)
    places = [k + 1 for k in shown[:LEGEND_CATEGORIES]]
    if style.other and rest:
        entries.append(LegendEntry(OTHER_LABEL, style.other, rest))
        places.append(REST)
    if encoded.missing:
        entries.append(LegendEntry(NO_DATA_LABEL, style.missing, encoded.missing))
        places.append(0)
    return Coloring(encoded.places, colors, tuple(entries), tuple(places))


def class_breaks(style: Style, values: AnyArray) -> tuple[float, ...]:
    """Return the class limits of a style: those written down, or found by its method."""
    return style.breaks or limits_of(values, style.method, style.classes)


def class_labels(breaks: Sequence[float]) -> list[str]:
    """Return what the legend says of each class."""
    if all(float(b).is_integer() and abs(b) < 1e12 for b in breaks):
        # Years stay without a comma.
        years = all(1000 <= b <= 2200 for b in breaks)
        limits = [f"{b:.0f}" if years else f"{b:,.0f}" for b in breaks]
        return _class_texts(limits)
    digits = 3
    limits = [format_number(b, digits) for b in breaks]
    while len(set(limits)) < len(limits) and digits < 9:
        digits += 1
        limits = [format_number(b, digits) for b in breaks]
    return _class_texts(limits)


def _class_texts(limits: list[str]) -> list[str]:
    return [f"< {limits[0]}", *(f"{a} – {b}" for a, b in pairwise(limits)), f"≥ {limits[-1]}"] if limits else ["–"]


def palette_of_classes(style: Style, count: int) -> UInt8:
    """Return the (count, 4) colours of the classes of a style."""
    if len(style.class_colors) == count:
        return np.array([rgba(color) for color in style.class_colors], dtype=np.uint8)
    return class_colors(style.ramp, count, style.reverse)


def _graduated(style: Style, values: AnyArray) -> Coloring:
    breaks = class_breaks(style, values)
    count = len(breaks) + 1
    codes = _remembered(values, ("classes", breaks), lambda: classify(values, breaks))
    colors = palette_of_classes(style, count)
    counts = _remembered(values, ("counts", breaks), lambda: _counted(codes, range(count + 1)))
    parts = zip(class_labels(breaks), colors, counts[:count], strict=True)
    entries = [LegendEntry(label, hex_color(color), int(n)) for label, color, n in parts]
    if counts[count]:
        entries.append(LegendEntry(NO_DATA_LABEL, style.missing, int(counts[count])))
    palette = np.concatenate([colors, [rgba(style.missing)]]).astype(np.uint8)
    return Coloring(codes, palette, tuple(entries), tuple(range(len(entries))))


def classify(values: AnyArray, breaks: Sequence[float]) -> UInt8:
    """Return the (N,) class of each value, 0 below the first limit; one more than the last class where it is missing."""
    codes = np.zeros(len(values), dtype=np.uint8)
    for start in range(0, len(values), AT_ONCE):
        part, found = values[start : start + AT_ONCE].astype(np.float64, copy=False), codes[start : start + AT_ONCE]
        for limit in breaks:
            found += (part >= limit).view(np.uint8)
        if values.dtype.kind == "f":
            np.copyto(found, np.uint8(len(breaks) + 1), where=~np.isfinite(part))
    return codes


def _counted(codes: AnyArray, wanted: Sequence[int]) -> Int:
    """Return how often each of a few codes occurs."""
    counts = np.zeros(len(wanted), dtype=np.int64)
    for start in range(0, len(codes), AT_ONCE):
        part = codes[start : start + AT_ONCE]
        counts += [np.count_nonzero(part == code) for code in wanted]
    return counts


def ramp_ends(style: Style, values: AnyArray) -> tuple[float, float]:
    """Return the values at the ends of a continuous ramp: those written down, or the clipping percentiles."""
    if math.isfinite(style.low) and math.isfinite(style.high):
        return style.low, style.high
    ends = ends_of(values, style.clip, style.log)
    return ends if ends[1] > ends[0] else (ends[0], ends[0] + 1.0)


def ramp_codes(values: AnyArray, low: float, high: float, log: bool) -> AnyArray:
    """Return the (N,) uint16 level of each value on a continuous ramp; `LEVELS` where it is missing."""
    if log:
        low, high = math.log10(max(low, 1e-300)), math.log10(max(high, 1e-299))
    codes = np.empty(len(values), dtype=np.uint16)
    with np.errstate(all="ignore"):
        for start in range(0, len(values), AT_ONCE):
            numbers: Float = values[start : start + AT_ONCE].astype(np.float64, copy=False)
            if log:
                numbers = np.log10(numbers)
            position = numbers - low
            position *= (LEVELS - 1) / ((high - low) or 1.0)
            np.clip(position, 0.0, LEVELS - 1.0, out=position)
            np.copyto(position, LEVELS, where=np.isnan(numbers))
            codes[start : start + AT_ONCE] = position
    return codes


def _continuous(style: Style, values: AnyArray) -> Coloring:
    low, high = ramp_ends(style, values)
    codes = _remembered(values, ("ramp", low, high, style.log), lambda: ramp_codes(values, low, high, style.log))
    missing = _remembered(values, ("missing",), lambda: _counted(codes, [LEVELS]))
    levels = ramp_levels(style.ramp, style.reverse)
    palette = np.concatenate([levels, np.array([rgba(style.missing)], dtype=np.uint8)])
    legend = _ramp_legend(style, low, high, int(missing[0]))
    return Coloring(codes, palette, legend, tuple(LEVELS if entry.count else NOTHING for entry in legend))


def _ramp_legend(style: Style, low: float, high: float, missing: int) -> tuple[LegendEntry, ...]:
    levels = ramp_levels(style.ramp, style.reverse)
    steps = np.linspace(0.0, 1.0, 5)
    at = (
        10.0 ** (np.log10(max(low, 1e-300)) + steps * np.log10(high / max(low, 1e-300)))
        if style.log
        else low + steps * (high - low)
    )
    entries = [
        LegendEntry(format_number(float(value)), hex_color(levels[round(step * (LEVELS - 1))]))
        for value, step in zip(at, steps, strict=True)
    ]
    if missing:
        entries.append(LegendEntry(NO_DATA_LABEL, style.missing, missing))
    return tuple(entries)


def _by_rules(style: Style, table: FeatureTable) -> Coloring:
    """Colour each feature by the first rule that holds; a rule that cannot be understood holds for none."""
    codes = np.full(len(table), len(style.rules[:250]), dtype=np.uint8)
    entries: list[LegendEntry] = []
    places: list[int] = []
    left = np.ones(len(table), dtype=bool)
    for k, rule in enumerate(style.rules[:250]):
        try:
            hit = left & matching(rule.condition, table) if rule.condition.strip() else left.copy()
        except ExpressionError:
            hit = np.zeros(len(table), dtype=bool)
        codes[hit] = k
        left &= ~hit
        if rule.visible:
            entries.append(LegendEntry(rule.label or rule.condition or OTHER_LABEL, rule.color, int(hit.sum())))
            places.append(k)
    if left.any():
        entries.append(LegendEntry(OTHER_LABEL, style.color, int(left.sum())))
        places.append(len(style.rules[:250]))
    colors = [rgba(rule.color, 255 if rule.visible else 0) for rule in style.rules[:250]]
    return Coloring(codes, np.array([*colors, rgba(style.color)], dtype=np.uint8), tuple(entries), tuple(places))


def _remembered(values: AnyArray, key: tuple[Hashable, ...], make: Callable[[], AnyArray]) -> AnyArray:
    """Return what ``make`` gave for this column and key, for as long as the column lives and others are not asked more often."""
    place = (id(values), *(str(part) if isinstance(part, float) else part for part in key))
    known = _codes.get(place)
    if known is not None and known[0]() is values:
        _codes.move_to_end(place)
        return known[1]
    made = make()
    _codes[place] = (weakref.ref(values), made)
    while len(_codes) > KEPT:
        _codes.popitem(last=False)
    return made


__all__ = [
    "Method", "category_colors", "class_breaks", "class_labels", "classify", "color_by_codes", "color_features",
    "palette_of_classes", "ramp_codes", "ramp_ends", "settled",
]  # fmt: skip
