"""What a tileset states of the values of its properties: ``properties`` of version 1.0, ``statistics`` of version 1.1."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from cimdesk.formats.gltf_json import as_dict

MOST_NAMES = 256


def stated_ranges(document: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest value of each property of all features and points, by its name.

    Classes that state different ranges of a property of the same name are taken together. What is no range is left out.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, low, high in _entries(document):
        if not (_is_number(low) and _is_number(high) and low <= high):
            continue
        known = found.get(name, (math.inf, -math.inf))
        found[name] = (min(known[0], float(low)), max(known[1], float(high)))
    return found


def stated_names(document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the names of the values of enumerations that occur, by the name of the property."""
    found: dict[str, tuple[str, ...]] = {}
    for name, entry in _statistics(document):
        occurs = as_dict(entry.get("occurrences"))
        if 0 < len(occurs) <= MOST_NAMES:
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *map(str, occurs))))
    return found


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name, entry in as_dict(document.get("properties")).items():
        yield str(name), as_dict(entry).get("minimum"), as_dict(entry).get("maximum")
    for name, entry in _statistics(document):
        yield name, entry.get("min"), entry.get("max")


def _statistics(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for described in as_dict(as_dict(document.get("statistics")).get("classes")).values():
        for name, entry in as_dict(as_dict(described).get("properties")).items():
            yield str(name), as_dict(entry)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300
