"""Attributes as people read them: names without underscores, values with their unit and sensible digits."""

from __future__ import annotations

import re
from typing import Any

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number, format_quantity
from cimdesk.model.city import CityModel
from cimdesk.model.features import plain_value
from cimdesk.model.made_names import made_names
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.point_style import class_name, dimension_named, dimension_title
from cimdesk.model.points import CLASSIFICATION, HEIGHT
from cimdesk.model.tileset import TiledCity

SUFFIXES = {
    "m2": "m²", "m3": "m³", "mm": "mm", "cm": "cm", "m": "m", "km": "km", "ha": "ha", "kv": "kV", "kw": "kW", "kpa": "kPa",
    "m3s": "m³/s", "percent": "%",
}  # fmt: skip
"""Units as names of columns end in them, such as ``floor_area_m2``."""

NETWORK_UNITS = {
    **dict.fromkeys(
        ("length", "diameter", "width", "start_offset", "end_offset", "start_invert", "end_invert", "invert_elevation", "depth",
         "initial_depth", "maximum_depth", "rim_elevation", "elevation", "head", "initial_level", "minimum_level",
         "maximum_level", "tank_diameter"),
        "m",
    ),
    "drained_area": "m²", "minimum_volume": "m³", "dry_weather_flow": "m³/s", "demand": "m³/s",
}  # fmt: skip
"""Units in which every network keeps these columns, whatever its file had."""

_HEIGHTS = ("measuredheight", "measured_height", "ground_elevation")
_UNIT = ".uom"
"""What the name of a column of units ends in, after the name of the column whose units it holds."""
_CENTIMETRES = ("depth", "elevation", "invert", "level", "offset", "diameter", "head", "height")
"""Lengths that are told to the centimetre."""


def readable_name(column: str, data: object = None) -> tuple[str, str]:
    """Return the name of a column for people, and its unit; an empty one where none is known.

    ``attributes.floor_area_m2`` is ("floor area", "m²").
    """
    if isinstance(data, CityModel | TiledCity) and (made := made_names().get(column)):
        return made
    if column.endswith(_UNIT) and column != _UNIT:
        return tr("{name}: unit").format(name=readable_name(column.removesuffix(_UNIT), data)[0]), ""
    name = column.removeprefix("attributes.")
    unit = NETWORK_UNITS.get(name, "") if isinstance(data, UtilityNetwork) else "m" if name.casefold() in _HEIGHTS else ""
    stem, _, suffix = name.rpartition("_")
    if not unit and stem and suffix.casefold() in SUFFIXES:
        name, unit = stem, SUFFIXES[suffix.casefold()]
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name).replace("_", " ").strip()
    return (spaced.lower() if spaced != name and spaced.isascii() else spaced or column), unit


def titled(column: str, data: object = None) -> str:
    """Return the name of a column for people with its unit, as in lists of columns."""
    return " ".join(part for part in readable_name(column, data) if part)


def show_row(attributes: dict[str, Any], data: object = None) -> list[tuple[str, str]]:
    """Return the attributes of one feature as (name, value); a unit kept beside a value stands behind it."""
    shown = []
    for column, value in attributes.items():
        if column.endswith(_UNIT) and column.removesuffix(_UNIT) in attributes:
            continue
        name, text = show_attribute(column, value, data)
        kept = plain_value(attributes.get(column + _UNIT))
        if kept and text not in ("–", "") and not readable_name(column, data)[1]:
            text = f"{text} {SUFFIXES.get(str(kept).casefold(), str(kept))}"
        shown.append((name, text))
    return shown


def point_attributes(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and values of a point as people read them: its class in words, coordinates with their unit."""
    shown = []
    for name, value in attributes.items():
        text = f"{value:,.3f} m" if name in ("x", "y", HEIGHT) else show_value(value)
        if dimension_named(name) == CLASSIFICATION and isinstance(value, int):
            text = f"{class_name(value)} ({value})"
        shown.append((dimension_title(name), text))
    return shown


def show_value(value: Any) -> str:
    """Return an attribute without a unit: sensible digits, a dash for missing."""
    value = plain_value(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e6:
            return f"{value:.0f}"
        text = format_number(value, 4)
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def show_attribute(column: str, value: Any, data: object = None) -> tuple[str, str]:
    """Return an attribute as (name, value with its unit): ("diameter", "1.00 m (DN 1000)")."""
    name, unit = readable_name(column, data)
    plain = plain_value(value)
    if plain is None or isinstance(plain, bool | str) or not unit:
        return name, show_value(value)
    if unit == "m" and any(word in column.casefold() for word in _CENTIMETRES):
        text = f"{plain:,.2f} m"
    elif isinstance(plain, int) or (float(plain).is_integer() and abs(plain) < 1e9):
        text = f"{plain:,.0f} {unit}"
    else:
        text = format_quantity(float(plain), unit)
    if column == "diameter" and isinstance(data, UtilityNetwork) and plain > 0:
        text += f" (DN {plain * 1000:.0f})"
    return name, text
