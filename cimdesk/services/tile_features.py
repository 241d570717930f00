"""Features of a streamed tileset: a table that grows as tiles arrive, with one row per feature however many tiles show it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Int, Strings
from cimdesk.model.features import FeatureTable

_FIRST = 1024


class FeaturePool:
    """Rows are only ever added, so a row found once stays the row of that feature. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, int] = {}
        self._ids: Strings = np.empty(_FIRST, dtype=object)
        self._columns: dict[str, AnyArray] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def id_of(self, row: int) -> str:
        """Return the id of a row."""
        return str(self._ids[row])

    def rows_of(self, ids: Collection[str]) -> Int:
        """Return (M,) rows of the features that are known, in the order asked."""
        rows = self._rows
        return np.array([row for key in ids if (row := rows.get(key)) is not None], dtype=np.int64)

    def add(self, ids: Strings, columns: Mapping[str, AnyArray]) -> Int:
        """Add the features of a tile and return their (N,) rows; those known keep theirs, and what was said of them first.

        Parameters
        ----------
        ids : (N,) object
        columns : mapping of str to (N,) array
        """
        with self._lock:
            start = len(self._rows)
            rows = np.array([self._rows.setdefault(str(key), len(self._rows)) for key in ids], dtype=np.int64)
            end = len(self._rows)
            if end > start:
                _, first = np.unique(rows, return_index=True)
                fresh = first[rows[first] >= start]
                self._ids = _grown(self._ids, end)
                self._ids[rows[fresh]] = ids[fresh]
                for name in dict.fromkeys((*self._columns, *columns)):
                    self._write(name, columns.get(name), fresh, rows[fresh], start, end)
            return rows

    def table(self) -> FeatureTable:
        """Return the table as it is now; it does not change when more features come."""
        with self._lock:
            count = len(self._rows)
            # Rows are written once, beyond what earlier tables show: views of the growing arrays are as good as copies.
            return FeatureTable(self._ids[:count], {name: values[:count] for name, values in self._columns.items()})

    def _write(self, name: str, values: AnyArray | None, picked: Int, rows: Int, start: int, end: int) -> None:
        column = self._columns.get(name)
        if column is None:
            assert values is not None
            column = _blank(values.dtype, _FIRST) if start == 0 else _blank(_with_gaps(values.dtype), max(start, _FIRST))
        wanted = _common(column.dtype, None if values is None else values.dtype)
        if column.dtype != wanted:
            column = _as(column, wanted, start)
        column = _grown(column, end)
        if values is not None:
            column[rows] = _as(values[picked], wanted, len(picked))
        self._columns[name] = column


def _blank(dtype: np.dtype[Any], count: int) -> AnyArray:
    if dtype.kind == "f":
        return np.full(count, np.nan)
    return np.full(count, None, dtype=object) if dtype.kind == "O" else np.zeros(count, dtype=dtype)


def _grown(column: AnyArray, count: int) -> AnyArray:
    if count <= len(column):
        return column
    return np.concatenate([column, _blank(column.dtype, max(count, 2 * len(column)) - len(column))])


def _with_gaps(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return what holds values of a kind, or nothing."""
    return np.dtype(np.float64) if dtype.kind in "if" else np.dtype(object)


def _common(known: np.dtype[Any], fresh: np.dtype[Any] | None) -> np.dtype[Any]:
    if fresh is None:
        return _with_gaps(known)
    if known.kind == fresh.kind:
        return known
    return np.dtype(np.float64) if {known.kind, fresh.kind} <= set("if") else np.dtype(object)


def _as(values: AnyArray, dtype: np.dtype[Any], count: int) -> AnyArray:
    """Return values as another kind; beyond ``count`` there is nothing yet."""
    if values.dtype == dtype:
        return values
    if dtype.kind == "f":
        out: AnyArray = values.astype(np.float64)
        out[count:] = np.nan
        return out
    if dtype.kind == "O":
        out = np.full(len(values), None, dtype=object)
        out[:count] = [None if value != value else str(value) for value in values[:count].tolist()]
        return out
    return values.astype(dtype)
