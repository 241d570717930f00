"""Colours of points: by their own colour, by class as ASPRS names them, or along a ramp by any dimension; and the legend."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from itertools import cycle

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, UInt8
from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number
from cimdesk.model.point_painter import painter_of
from cimdesk.model.points import CLASSIFICATION, COLOR, HEIGHT, INTENSITY, Dimension, PointBlock, PointCloud
from cimdesk.model.style import CATEGORY_COLORS, MISSING, NEUTRAL, LegendEntry, Style, StyleMode, hex_color, ramp_colors, rgba
from cimdesk.model.tile_points import packed

CLASS_NAMES: tuple[tuple[str, str], ...] = (
    ("Never classified", "#b9bec4"),
    ("Unclassified", "#c9c2b4"),
    ("Ground", "#a67c52"),
    ("Low vegetation", "#b5d18a"),
    ("Medium vegetation", "#7fb35a"),
    ("High vegetation", "#3f8a3c"),
    ("Building", "#d9583b"),
    ("Low point (noise)", "#8e44ad"),
    ("Model key point", "#c58b5a"),
    ("Water", "#3a87c8"),
    ("Rail", "#6b5b53"),
    ("Road surface", "#8a8d93"),
    ("Overlap", "#d7b34a"),
    ("Wire – guard", "#e8a0bf"),
    ("Wire – conductor", "#e05a9b"),
    ("Transmission tower", "#7b5fb0"),
    ("Wire connector", "#b07aa1"),
    ("Bridge deck", "#5c6f82"),
    ("High noise", "#c0392b"),
    ("Overhead structure", "#9c755f"),
    ("Ignored ground", "#c7ab86"),
    ("Snow", "#e8eef4"),
    ("Temporal exclusion", "#76b7b2"),
)
"""Point classes 0 to 22 of LAS 1.4 (ASPRS, revision 15, table 17) and quiet colours for them."""
POINT_SIZE = 2.0
RAMP_STEPS = 5
HIDDEN_CLASSES = "hidden_classes"
"""Option of a layer: the classes that are not drawn."""


def class_name(code: int) -> str:
    """Return what a class is called, in the current language."""
    return tr(CLASS_NAMES[code][0]) if 0 <= code < len(CLASS_NAMES) else tr("Class {code}").format(code=code)


def default_point_style(cloud: PointCloud) -> Style:
    """Return what a freshly added cloud looks like: its own colours, else its classes, else its heights."""
    if cloud.has_color:
        return Style(color=NEUTRAL, attribute=CLASSIFICATION, size=POINT_SIZE)
    if len([code for code in cloud.classes if code > 1]) > 1:
        return Style(StyleMode.CATEGORIES, NEUTRAL, CLASSIFICATION, size=POINT_SIZE)
    return Style(StyleMode.GRADUATED, NEUTRAL, HEIGHT, size=POINT_SIZE)


def color_points(style: Style, cloud: PointCloud, block: PointBlock) -> UInt8:
    """Return (P, 3) uint8 colours of a node's points."""
    values = block.values(style.attribute)
    if values is not None and is_by_category(style, cloud):
        return painter_of(_with_categories(style, cloud), packed(values))(0, len(block))
    if style.mode is StyleMode.CATEGORIES and values is not None and values.ndim == 1 and values.dtype.kind in "biuf":
        colors: UInt8 = _class_palette(style)[np.nan_to_num(values).astype(np.int64) & 255]
        return colors
    if style.mode is StyleMode.GRADUATED and values is not None and values.ndim == 1:
        found = cloud.dimensions.get(style.attribute)
        return _ramp(style, found or Dimension(style.attribute, 0.0, 1.0), values)
    own = block.columns.get(COLOR)
    if own is not None and style.color == NEUTRAL:
        return np.ascontiguousarray(own)
    return np.tile(np.array(rgba(style.color)[:3], dtype=np.uint8), (len(block), 1))


def point_legend(style: Style, cloud: PointCloud, hidden: Collection[int] = ()) -> tuple[LegendEntry, ...]:
    """Return the legend of a cloud: its classes, the most frequent first, or the steps of a ramp."""
    if is_by_category(style, cloud):
        known = _with_categories(style, cloud).categories or {}
        return tuple(LegendEntry(name, known[name]) for name in cloud.categories[style.attribute])
    if style.mode is StyleMode.CATEGORIES:
        if style.attribute != CLASSIFICATION:
            return ()
        palette = _class_palette(style)
        # Counts are of a part of the points, so they order the classes and are not told.
        codes = sorted((code for code in cloud.classes if code not in hidden), key=lambda code: -cloud.classes[code])
        return tuple(LegendEntry(class_name(code), hex_color(palette[code & 255])) for code in codes)
    found = cloud.dimensions.get(style.attribute)
    if style.mode is not StyleMode.GRADUATED or found is None:
        return ()
    values = np.linspace(found.high, found.low, RAMP_STEPS) if not found.is_constant else np.array([found.low])
    unit = " m" if found.name == HEIGHT else ""
    digits = 1 if found.high - found.low > 2.0 else 2
    texts = [f"{value:.{digits}f}{unit}" if unit else format_number(float(value)) for value in values]
    return tuple(LegendEntry(text, hex_color(color)) for text, color in zip(texts, _ramp(style, found, values), strict=True))


def shown_points(block: PointBlock, hidden: Collection[int]) -> Bool | None:
    """Return (P,) which points are not of a hidden class; None when all are shown."""
    classes = block.columns.get(CLASSIFICATION)
    if not hidden or classes is None:
        return None
    return np.asarray(~np.isin(classes, list(hidden)))


def is_by_category(style: Style, cloud: PointCloud) -> bool:
    """Return whether a style colours by the values of a column that has few of them, other than classes."""
    return style.mode is StyleMode.CATEGORIES and style.attribute in cloud.categories


def _with_categories(style: Style, cloud: PointCloud) -> Style:
    """Return a style in which every value of its column that is known has a colour."""
    fixed = dict(style.categories or {})
    free = cycle([color for color in CATEGORY_COLORS if color not in fixed.values()] or [MISSING])
    return replace(style, categories={name: fixed.get(name) or next(free) for name in cloud.categories[style.attribute]})


def value_of(style: Style, attributes: dict[str, object]) -> str:
    """Return what a style shows of a point: its class, or the value that colours it."""
    value = attributes.get(style.attribute)
    if value is None or style.mode not in (StyleMode.CATEGORIES, StyleMode.GRADUATED):
        classification = attributes.get(CLASSIFICATION)
        return class_name(int(classification)) if isinstance(classification, int) else ""
    if style.attribute == CLASSIFICATION and isinstance(value, int):
        return class_name(value)
    is_measure = style.mode is not StyleMode.CATEGORIES
    text = format_number(float(value)) if is_measure and isinstance(value, int | float) else str(value)
    return f"{dimension_title(style.attribute)} {text}" + (" m" if style.attribute == HEIGHT else "")


def dimension_title(name: str) -> str:
    """Return what a dimension is called, in the current language; a file's own dimensions keep their names."""
    known = dimension_named(name)
    return tr(_TITLES[known]) if known in _TITLES else name


def dimension_named(name: str) -> str:
    """Return the dimension of LAS that a name spells in its own way, such as ``GpsTime`` or ``INTENSITY``; others as they are."""
    known = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold()
    return known if known in _TITLES else name


_TITLES = {
    HEIGHT: "Height",
    INTENSITY: "Intensity",
    CLASSIFICATION: "Class",
    COLOR: "Colour",
    "return_number": "Return number",
    "number_of_returns": "Number of returns",
    "gps_time": "GPS time",
    "point_source_id": "Flight line",
    "scan_angle": "Scan angle",
    "user_data": "User data",
    "x": "Easting",
    "y": "Northing",
}


def _class_palette(style: Style) -> UInt8:
    """Return (256, 3) colours by code."""
    named = [color for _, color in CLASS_NAMES] if style.attribute == CLASSIFICATION else list(CATEGORY_COLORS)
    rest = [CATEGORY_COLORS[k % len(CATEGORY_COLORS)] for k in range(256 - len(named))]
    palette = named + rest
    for name, color in (style.categories or {}).items():
        if name.isascii() and name.isdigit() and int(name) < 256:
            palette[int(name)] = color
    return np.array([rgba(color)[:3] for color in palette], dtype=np.uint8)


def _ramp(style: Style, dimension: Dimension, values: AnyArray) -> UInt8:
    span = dimension.high - dimension.low
    position: Float = (values.astype(np.float64) - dimension.low) / (span if span > 0.0 else 1.0)
    is_known = np.isfinite(position)
    table = ramp_colors(style.ramp, np.linspace(0.0, 1.0, 256))[:, :3]
    colors: UInt8 = table[(np.clip(np.where(is_known, position, 0.0), 0.0, 1.0) * 255.0).astype(np.uint8)]
    if not is_known.all():
        colors[~is_known] = rgba(MISSING)[:3]
    return colors
