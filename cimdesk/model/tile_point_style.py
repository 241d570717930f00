"""Colours of points of streamed tiles by what is known of each, the limits they are chosen by, and the legend.

Limits, ends and colours come from the points seen when they are first asked for, and stay: points that come later look as if they
had been there. What lies beyond is told by the legend.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.units import format_number
from cimdesk.model.coloring import NO_DATA_LABEL, color_features, settled
from cimdesk.model.features import FeatureTable
from cimdesk.model.point_painter import number_named
from cimdesk.model.point_style import CLASS_NAMES, class_name, dimension_named, dimension_title
from cimdesk.model.points import CLASSIFICATION, HEIGHT
from cimdesk.model.style import Coloring, LegendEntry, Style, StyleMode
from cimdesk.model.tile_point_columns import POINT_HEIGHT, PointColumns
from cimdesk.model.tileset import TiledCity

MODES = (StyleMode.CATEGORIES, StyleMode.GRADUATED, StyleMode.CONTINUOUS)
"""Styles that one column decides."""
MOST_CATEGORIES = 24
MOST_TOLD_APART = 500
MOST_KEPT = 16


def columns_of(data: object, style: Style) -> PointColumns | None:
    """Return the columns of points of a layer, if one of them decides its style; else None."""
    if not isinstance(data, TiledCity) or data.tiles is None or style.mode not in MODES:
        return None
    columns = data.tiles.point_columns
    return columns if style.attribute in columns else None


def is_class_column(name: str) -> bool:
    """Return whether a column holds classes of LAS by its name."""
    return dimension_named(name) == CLASSIFICATION


def class_categories() -> dict[str, str]:
    """Return the colours of the classes of LAS as categories of a style."""
    return {str(code): color for code, (_, color) in enumerate(CLASS_NAMES)}


def category_text(column: str, name: str) -> str:
    """Return what people call a category: a class by its name, all else as it is."""
    code = number_named(name) if is_class_column(column) else math.nan
    return class_name(int(code)) if code.is_integer() else name


def settled_by(style: Style, samples: Mapping[str, AnyArray]) -> Style:
    """Return a style with limits, ends and colours written down as a sample of its column gives them."""
    values = samples.get(style.attribute)
    if values is None or style.mode not in MODES:
        return style
    is_coded = is_class_column(style.attribute) and values.dtype != object
    if style.mode is StyleMode.CATEGORIES and is_coded and not style.other:
        style = replace(style, categories={**class_categories(), **(style.categories or {})})
    return settled(style, _table(style, values), MOST_CATEGORIES)


def steady_style(style: Style, columns: PointColumns) -> Style:
    """Return a style with everything it finds in the points written down, and the same again while more points come.

    It is returned as it is while no point has its column.
    """
    if style.mode not in MODES or style.attribute not in columns:
        return style
    # Records are alike where numbers are missing; styles are not.
    wanted = style.to_record()
    for asked, found in columns.settled:
        if asked == wanted:
            return found
    columns.settled[:] = [(wanted, settled_by(style, columns)), *columns.settled[:MOST_KEPT]]
    return columns.settled[0][1]


def with_point_legend(coloring: Coloring, style: Style, data: object) -> Coloring:
    """Return the colours of a layer's features with the legend of its points, if a column of these decides the style."""
    columns = columns_of(data, style)
    return coloring if columns is None else replace(coloring, legend=legend_of(style, columns), entry_codes=())


def legend_of(style: Style, columns: PointColumns) -> tuple[LegendEntry, ...]:
    """Return the legend of points by a column. Only some of them are known, so it counts none.

    Ends of a ramp say that what lies beyond looks like them, unless the tileset states that nothing does.
    """
    name = style.attribute
    style = steady_style(style, columns)
    entries = color_features(style, _table(style, columns[name])).legend
    is_ramp = style.mode is StyleMode.CONTINUOUS and columns[name].dtype.kind in "iuf"
    if is_ramp and not columns.spans_all(name, style.low, style.high):
        last = max(k for k, entry in enumerate(entries) if entry.label != NO_DATA_LABEL)
        signs = {0: "≤ ", last: "≥ "}
        entries = tuple(replace(entry, label=signs.get(k, "") + entry.label) for k, entry in enumerate(entries))
    is_named = style.mode is StyleMode.CATEGORIES
    return tuple(replace(each, count=0, label=category_text(name, each.label) if is_named else each.label) for each in entries)


def title_of(style: Style, data: object) -> str | None:
    """Return what people call the column of points that decides a style; None where none does."""
    return None if columns_of(data, style) is None else point_title(style.attribute)


def point_title(name: str) -> str:
    """Return what a column of points is called, in the current language."""
    return dimension_title(HEIGHT if name == POINT_HEIGHT else name)


def value_of_point(style: Style, said: Mapping[str, Any]) -> str:
    """Return what a style shows of a single point: its class, or the value that colours it."""
    name = style.attribute
    value = said.get(HEIGHT if name == POINT_HEIGHT and POINT_HEIGHT not in said else name) if style.mode in MODES else None
    if value is None:
        return ""
    if is_class_column(name) and isinstance(value, int):
        return class_name(value)
    text = format_number(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    return f"{point_title(name)} {text}" + (" m" if name == POINT_HEIGHT else "")


def _table(style: Style, values: AnyArray) -> FeatureTable:
    if style.mode is StyleMode.CATEGORIES and values.dtype.kind in "fiu":
        values = _most_frequent(values)
    return FeatureTable(np.empty(len(values), dtype=object), {style.attribute: values})


def _most_frequent(values: AnyArray) -> AnyArray:
    """Return those values alone that can have a colour as categories, and one more that stands for all others."""
    different, counts = np.unique(values, return_counts=True)
    if len(different) <= MOST_TOLD_APART:
        return values
    kept = np.argsort(-counts, kind="stable")[: MOST_CATEGORIES + 1]
    return np.repeat(different[kept], counts[kept])
