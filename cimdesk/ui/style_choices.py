"""What the style panel proposes for a column, and the colours that come of it as lines of a list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.model.classes import Method
from cimdesk.model.coloring import (
    NO_DATA_LABEL,
    OTHER_LABEL,
    category_colors,
    class_breaks,
    class_labels,
    classify,
    palette_of_classes,
)
from cimdesk.model.columns import encode, is_number
from cimdesk.model.features import FeatureTable
from cimdesk.model.style import MISSING, Style, StyleMode, hex_color
from cimdesk.model.tile_point_style import category_text
from cimdesk.ui.style_parts import Swatch

MOST_CATEGORIES = 60
NUMERIC_MODES = (StyleMode.GRADUATED, StyleMode.CONTINUOUS)


def fresh(attribute: str) -> dict[str, Any]:
    """Return the fields of a style that another attribute makes invalid, as by default."""
    plain = Style()
    return {
        "attribute": attribute, "categories": None, "breaks": (), "class_colors": (), "low": plain.low, "high": plain.high,
        "other": "", "method": Method.QUANTILE,
    }  # fmt: skip


def likely(mode: StyleMode, table: FeatureTable | None, names: list[str]) -> str:
    """Return the attribute that a person probably wants: few different texts, or numbers that differ."""
    assert table is not None
    for name in names:
        values = table.columns[name]
        if mode is StyleMode.CATEGORIES and not is_number(values) and 2 <= len(encode(values).names) <= 20:
            return name
        if mode in NUMERIC_MODES and len(np.unique(values[:5000])) > 4:
            return name
    return names[0]


def category_swatches(style: Style, values: Any) -> list[Swatch]:
    """Return the colours of the distinct values of a column, the most frequent first, then of all others and of none."""
    encoded = encode(values)
    colors, counts = category_colors(style, encoded), encoded.counts
    fixed = dict(style.categories or {})
    order = [k for k in np.argsort(-counts, kind="stable").tolist() if not style.other or encoded.names[k] in fixed]
    shown = [Swatch(f"category:{encoded.names[k]}", encoded.names[k], colors[k], int(counts[k])) for k in order[:MOST_CATEGORIES]]
    rest = int(counts.sum()) - sum(swatch.count for swatch in shown)
    if rest or style.other:
        shown.append(Swatch("other", tr(OTHER_LABEL), style.other or MISSING, rest))
    if encoded.missing:
        shown.append(Swatch("missing", tr(NO_DATA_LABEL), style.missing, encoded.missing))
    return shown


def class_swatches(style: Style, values: Any) -> list[Swatch]:
    """Return the colours of the classes of a column, and of missing values."""
    breaks = class_breaks(style, values)
    colors = palette_of_classes(style, len(breaks) + 1)
    counts = np.bincount(classify(values, breaks), minlength=len(breaks) + 2)
    parts = zip(class_labels(breaks), colors, counts[: len(breaks) + 1], strict=True)
    shown = [Swatch(f"class:{k}", label, hex_color(color), int(n)) for k, (label, color, n) in enumerate(parts)]
    shown.append(Swatch("missing", tr(NO_DATA_LABEL), style.missing, int(counts[len(breaks) + 1])))
    return shown


def of_points(swatches: list[Swatch], column: str) -> list[Swatch]:
    """Return the lines as they are for points: classes by their names, and uncounted, for only some points are known."""
    return [replace(swatch, count=-1, label=_named(swatch, column)) for swatch in swatches]


def _named(swatch: Swatch, column: str) -> str:
    return category_text(column, swatch.label) if swatch.key.startswith("category:") else swatch.label
