"""Who is part of whom, and attributes as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Int32, Strings
from cimdesk.formats.cityjson.structure import CityObject, decode_any
from cimdesk.formats.findings import Findings
from cimdesk.model.features import FeatureTable, as_strings, column_of

MAX_COLUMNS = 200
MANY_CELLS = 2_000_000
OWN_COLUMNS = ("type", "group", "address")
REST = "other attributes"


def parent_rows(ids: Mapping[str, int], objects: Sequence[CityObject], findings: Findings) -> tuple[Int32, dict[int, str]]:
    """Return (N,) rows of the parents, and the id of the group of each grouped row.

    Either side of the relation is enough. Groups are not parents: being listed in one does not make a building its part.
    """
    parents = np.full(len(objects), -1, dtype=np.int32)
    groups: dict[int, str] = {}
    for row, (name, item) in enumerate(zip(ids, objects, strict=True)):
        is_group = item.type == "CityObjectGroup"
        for child in (*(item.children or ()), *(item.members or ())):
            child_row = ids.get(child, -1)
            if child_row < 0:
                findings.add("missing-object", name, "It names {child} as its part, which is not there.", child=child)
            elif is_group:
                groups.setdefault(child_row, name)
            elif child_row != row and parents[child_row] < 0:
                parents[child_row] = row
    for row, (name, item) in enumerate(zip(ids, objects, strict=True)):
        for parent in item.parents or ():
            parent_row = ids.get(parent, -1)
            if parent_row < 0:
                findings.add("missing-object", name, "It names {parent} as its parent, which is not there.", parent=parent)
            elif objects[parent_row].type == "CityObjectGroup":
                groups.setdefault(row, parent)
            elif parents[row] < 0 and parent_row != row:
                parents[row] = parent_row
    return _without_cycles(parents, list(ids), findings), groups


def _without_cycles(parents: Int32, names: list[str], findings: Findings) -> Int32:
    """Cut objects loose that are their own ancestors."""
    above = np.append(parents, -1)
    for _ in range(len(parents).bit_length() + 1):
        above = above[above]
    circling = above[:-1] >= 0
    if circling.any():
        first = names[int(np.flatnonzero(circling)[0])]
        findings.error(
            "circular-parents", first, "{count} objects are parts of themselves; they are set apart.", count=int(circling.sum())
        )
        return np.where(circling, -1, parents).astype(np.int32)
    return parents


def feature_table(names: list[str], objects: Sequence[CityObject], groups: Mapping[int, str], findings: Findings) -> FeatureTable:
    """Return one row per object: type, group and address where there are any, then the attributes."""
    columns: dict[str, AnyArray] = {"type": _texts([item.type for item in objects])}
    if groups:
        columns["group"] = _texts([groups.get(row) for row in range(len(objects))])
    if any(item.address for item in objects):
        columns["address"] = column_of([decode_any(item.address) if item.address else None for item in objects])
    counts: Counter[str] = Counter()
    for item in objects:
        if item.attributes:
            counts.update(item.attributes.keys())
    kept = dict.fromkeys(counts)
    if len(counts) > MAX_COLUMNS and len(counts) * len(objects) > MANY_CELLS:
        kept = dict.fromkeys(name for name, _ in counts.most_common(MAX_COLUMNS))
        findings.add(
            "too-many-attributes",
            "",
            "{count} different attributes; the rare ones are kept together in one column.",
            count=len(counts),
        )
        rest = [{k: v for k, v in (item.attributes or {}).items() if k not in kept} or None for item in objects]
        columns[REST] = column_of(rest)
    nothing: dict[str, Any] = {}
    attributes = [item.attributes or nothing for item in objects]
    for name, values in zip(kept, _columns_of(attributes, list(kept)), strict=True):
        columns[f"attributes.{name}" if name in columns or name in OWN_COLUMNS else name] = _column(values)
    return FeatureTable(as_strings(names), columns)


def _columns_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Sequence[Any]]:
    """Return the values of each name in all rows, None where a row has none."""
    if len(names) > 1 and rows:
        try:
            # Most files have the same attributes everywhere: all of a row at once.
            return list(zip(*map(itemgetter(*names), rows), strict=True))
        except KeyError:
            pass
    return [[row.get(name) for row in rows] for name in names]


def _column(values: Sequence[Any]) -> AnyArray:
    if set(map(type, values)) <= {str, type(None)}:
        return _texts(values)
    return column_of(values)


def _texts(values: Sequence[str | None]) -> Strings:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
