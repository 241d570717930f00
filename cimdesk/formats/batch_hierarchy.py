"""3DTILES_batch_table_hierarchy: features of several classes, each with parents whose properties it shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Int
from cimdesk.formats.gltf_json import as_dict, as_int, as_list
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.model.features import column_of

MAX_INSTANCES = 20_000_000
MAX_PAIRS = 5_000_000
"""Features with their ancestors, at one step upwards."""
MAX_DEPTH = 64
Numbers = Callable[[Any, int], "Int | None"]
"""Gives (count,) whole numbers of a list, or of a reference to the binary body; None when there are not so many."""
Column = Callable[[Any, int], "AnyArray | None"]


def hierarchy_columns(entry: Any, count: int, numbers: Numbers, column: Column) -> dict[str, AnyArray]:
    """Return the columns of the first ``count`` instances, which are the features.

    A feature has the properties of its own class, then those of its parents, the nearest first, and the class in ``type``.

    Raises
    ------
    BrokenPart
        If the numbers do not fit together.
    """
    table = as_dict(entry)
    total = as_int(table.get("instancesLength"), -1)
    if not count <= total <= MAX_INSTANCES:
        raise _broken()
    class_of = numbers(table.get("classIds"), total)
    classes = [as_dict(each) for each in as_list(table.get("classes"))]
    if class_of is None or (total and (class_of.min() < 0 or class_of.max() >= len(classes))):
        raise _broken()
    row_in_class = _rows_in_class(class_of, len(classes))
    kinds = np.array([str(each.get("name", "")) or None for each in classes] or [None], dtype=object)
    names: dict[str, list[tuple[int, AnyArray]]] = {}
    for k, described in enumerate(classes):
        length = as_int(described.get("length"), -1)
        if length < int((class_of == k).sum()):
            raise _broken()
        for name, value in as_dict(described.get("instances")).items():
            values = column(value, length)
            if values is not None:
                names.setdefault(str(name), []).append((k, values))
    starts, parents = _parents(table, total, numbers)
    lines = _lines_up(starts, parents, count)
    out: dict[str, AnyArray] = {"type": kinds[class_of[:count]]} if count else {}
    for name, owners in names.items():
        out[name] = _inherited(dict(owners), lines, class_of, row_in_class, count)
    return out


def _broken() -> BrokenPart:
    return BrokenPart("bad-hierarchy", "The hierarchy of the batch table does not fit together.")


def _rows_in_class(class_of: Int, classes: int) -> Int:
    """Return for each instance how many of its class come before it."""
    order = np.argsort(class_of, kind="stable")
    counts = np.bincount(class_of, minlength=classes)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.empty(len(class_of), dtype=np.int64)
    rows[order] = np.arange(len(class_of)) - starts
    return rows


def _parents(table: dict[str, Any], total: int, numbers: Numbers) -> tuple[Int, Int]:
    """Return (total + 1,) starts and the parents of each instance; one that names itself has none."""
    if "parentIds" not in table:
        return np.zeros(total + 1, dtype=np.int64), np.zeros(0, dtype=np.int64)
    counts = numbers(table["parentCounts"], total) if "parentCounts" in table else np.ones(total, dtype=np.int64)
    if counts is None or (total and (counts.min() < 0 or counts.max() > total)):
        raise _broken()
    parents = numbers(table["parentIds"], int(counts.sum()))
    if parents is None or (len(parents) and (parents.min() < 0 or parents.max() >= total)):
        raise _broken()
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), parents


def _lines_up(starts: Int, parents: Int, count: int) -> list[tuple[Int, Int]]:
    """Return steps upwards: features and the ancestors that they have so many steps above them, the features themselves first."""
    features = np.arange(count)
    line = [(features, features)]
    here = features
    for _ in range(MAX_DEPTH):
        times = starts[here + 1] - starts[here] if len(parents) else np.zeros(len(here), dtype=np.int64)
        if int(times.sum()) > MAX_PAIRS:
            break
        first = np.repeat(starts[here] - (np.cumsum(times) - times), times) if len(here) else times
        above = parents[np.arange(int(times.sum())) + first]
        below, features = np.repeat(here, times), np.repeat(features, times)
        is_other = above != below
        here, features = above[is_other], features[is_other]
        # Several ways to the same ancestor are one; this also keeps the number of pairs within bounds.
        pairs = np.unique(np.column_stack([features, here]), axis=0) if len(here) else np.zeros((0, 2), dtype=np.int64)
        features, here = pairs[:, 0], pairs[:, 1]
        if not len(here):
            break
        line.append((features, here))
    return line


def _inherited(owners: dict[int, AnyArray], lines: list[tuple[Int, Int]], class_of: Int, row_in_class: Int, count: int) -> AnyArray:
    """Return one property of every feature: its own, else that of the nearest ancestor that has it."""
    out = np.full(count, None, dtype=object)
    is_open = np.ones(count, dtype=bool)
    for features, instances in lines:
        for owner, values in owners.items():
            mine = (class_of[instances] == owner) & is_open[features]
            where = features[mine]
            out[where] = [None if value != value else value for value in values[row_in_class[instances[mine]]].tolist()]
            is_open[where] = False
        if not is_open.any():
            break
    return column_of(out.tolist())
