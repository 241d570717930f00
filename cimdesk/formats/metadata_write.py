"""Columns of features -> a class of EXT_structural_metadata, and its property tables as bytes.

One class serves all tiles of a tileset, so that a style of Cesium that asks for a property finds the same thing everywhere; it is
gathered from all parts of the input before the first tile is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray

MOST_NAMES = 64
"""Different texts up to which a column becomes an enumeration."""
MISSING = "␀"
"""Stands for a missing text where empty texts occur too: the symbol for NULL."""
NO_INT = -(2**31)
NO_FLOAT = -1e200
_INT32 = (-(2**31) + 1, 2**31 - 1)
_TYPES = {"INT32": "<i4", "INT64": "<i8", "FLOAT64": "<f8"}


@dataclass
class ColumnSummary:
    """What occurs in one column over all parts of the input.

    Attributes
    ----------
    kinds : set of str
        Of the numpy kinds ``b``, ``i``, ``f``, ``O``.
    has_missing, has_empty, has_fractions : bool
    low, high : int
        Range of whole numbers.
    names : dict of str to None, or None
        The different texts in order; None when they are too many.
    """

    kinds: set[str] = field(default_factory=set)
    has_missing: bool = False
    has_empty: bool = False
    low: int = 0
    high: int = 0
    names: dict[str, None] | None = field(default_factory=dict)

    def add(self, values: AnyArray) -> None:
        """Take the values of one part."""
        self.kinds.add(values.dtype.kind)
        if values.dtype.kind == "i" and len(values):
            self.low, self.high = min(self.low, int(values.min())), max(self.high, int(values.max()))
        elif values.dtype.kind == "f":
            self.has_missing |= bool(np.isnan(values).any())
        elif values.dtype.kind == "O":
            self._add_texts(values.tolist())

    def _add_texts(self, texts: list[Any]) -> None:
        # Where the first few are too many already, nobody has to know all the different ones.
        found = dict.fromkeys(texts[: 4 * MOST_NAMES])
        if len(found) > MOST_NAMES + 1:
            self.names = None
            found = dict.fromkeys(name for name in ("", None) if name in texts)
        elif len(texts) > 4 * MOST_NAMES:
            found = dict.fromkeys(texts)
        self.has_missing |= None in found
        self.has_empty |= "" in found
        found.pop(None, None)
        self._add_names(found)

    def _add_names(self, found: Mapping[str, None]) -> None:
        if self.names is not None:
            self.names.update(dict.fromkeys(str(name) for name in found))
            if len(self.names) > MOST_NAMES or any(len(name) > 60 for name in found):
                self.names = None

    def merge(self, other: ColumnSummary) -> None:
        """Take what occurs in another part."""
        self.kinds |= other.kinds
        self.has_missing |= other.has_missing
        self.has_empty |= other.has_empty
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        if other.names is None:
            self.names = None
        else:
            self._add_names(other.names)

    def to_record(self) -> list[Any]:
        """Return plain values that `from_record` takes."""
        names = None if self.names is None else list(self.names)
        return [sorted(self.kinds), self.has_missing, self.has_empty, self.low, self.high, names]

    @staticmethod
    def from_record(record: Sequence[Any]) -> ColumnSummary:
        """Return the summary of a record."""
        kinds, has_missing, has_empty, low, high, names = record
        return ColumnSummary(set(kinds), has_missing, has_empty, low, high, None if names is None else dict.fromkeys(names))


@dataclass
class TableSummary:
    """What occurs in the columns of all features.

    Attributes
    ----------
    rows : int
    columns : dict of str to ColumnSummary
    """

    rows: int = 0
    columns: dict[str, ColumnSummary] = field(default_factory=dict)

    def add(self, count: int, columns: Mapping[str, AnyArray]) -> None:
        """Take the columns of one part with ``count`` features."""
        part = TableSummary(count)
        for name, values in columns.items():
            part.columns[name] = ColumnSummary()
            part.columns[name].add(values)
        self.merge(part)

    def merge(self, other: TableSummary) -> None:
        """Take what occurs in another part; a column that one of both lacks has gaps."""
        for name, found in other.columns.items():
            if name not in self.columns:
                self.columns[name] = ColumnSummary(has_missing=self.rows > 0)
            self.columns[name].merge(found)
        if other.rows:
            for name, known in self.columns.items():
                known.has_missing |= name not in other.columns
        self.rows += other.rows

    def to_record(self) -> dict[str, Any]:
        """Return plain values that `from_record` takes."""
        return {"rows": self.rows, "columns": {name: column.to_record() for name, column in self.columns.items()}}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> TableSummary:
        """Return the summary of a record."""
        columns = {str(name): ColumnSummary.from_record(entry) for name, entry in record["columns"].items()}
        return TableSummary(int(record["rows"]), columns)


@dataclass(frozen=True)
class _Property:
    """One property: its name in the file, the column it comes from, its description and what stands for nothing."""

    key: str
    column: str
    described: dict[str, Any]
    dtype: str
    codes: Mapping[str, int]


class MetadataClass:
    """A class of features with its properties, the same in every tile.

    Parameters
    ----------
    summary : TableSummary
        Of all columns, without the identifiers.
    name : str
        Of the class.

    Attributes
    ----------
    schema : dict
        The JSON of the schema.
    """

    def __init__(self, summary: TableSummary, name: str = "feature") -> None:
        self.name = name
        taken: set[str] = set()
        self._id_key = _key("id", taken)
        self._properties = [_property(column, found, taken) for column, found in summary.columns.items()]
        enums = {p.described["enumType"]: _enum(p.codes) for p in self._properties if p.described["type"] == "ENUM"}
        ids = {"name": "Identifier", "type": "STRING", "semantic": "ID", "required": True, "extras": {"column": ""}}
        properties = {self._id_key: ids, **{p.key: p.described for p in self._properties}}
        self.schema: dict[str, Any] = {"id": "city", "classes": {name: {"name": "City object", "properties": properties}}}
        if enums:
            self.schema["enums"] = enums

    def encode(self, ids: Iterable[Any], columns: Mapping[str, AnyArray]) -> list[tuple[str, dict[str, Any], list[bytes]]]:
        """Return the properties of a table.

        Parameters
        ----------
        ids : (N,) str
        columns : mapping of str to (N,) array
            A column of the class that is missing here has gaps everywhere.

        Returns
        -------
        list of (key, entry, blocks)
            ``entry`` is the property's JSON with positions in ``blocks`` where numbers of buffer views go.
        """
        texts = [str(key) for key in ids]
        found = [(self._id_key, *_strings(texts))]
        for each in self._properties:
            values = columns.get(each.column)
            filled = np.full(len(texts), None, dtype=object) if values is None else values
            found.append((each.key, *_encoded(each, filled)))
        return found


def _property(column: str, found: ColumnSummary, taken: set[str]) -> _Property:
    key = _key(column, taken)
    described: dict[str, Any] = {"name": column}
    if key != column:
        # What the column is called where names may be anything; readers that do not know this show the name above.
        described["extras"] = {"column": column}
    if found.kinds == {"b"} and not found.has_missing:
        return _Property(key, column, {**described, "type": "BOOLEAN", "required": True}, "b", {})
    if found.kinds <= {"i", "f"} and found.kinds:
        return _number(key, column, described, found)
    if found.names is not None and found.kinds == {"O"} and 0 < len(found.names) < max(MOST_NAMES, 2):
        return _enumerated(key, column, described, found)
    return _text(key, column, described, found)


def _number(key: str, column: str, described: dict[str, Any], found: ColumnSummary) -> _Property:
    missing: dict[str, float]
    if found.kinds == {"i"}:
        is_short = _INT32[0] <= found.low and found.high <= _INT32[1]
        kind = "INT32" if is_short else "INT64"
        missing = {"noData": NO_INT if is_short else -(2**53)}
    else:
        kind, missing = "FLOAT64", {"noData": NO_FLOAT}
    gaps: dict[str, Any] = missing if found.has_missing else {"required": True}
    return _Property(key, column, {**described, "type": "SCALAR", "componentType": kind, **gaps}, _TYPES[kind], {})


def _enumerated(key: str, column: str, described: dict[str, Any], found: ColumnSummary) -> _Property:
    assert found.names is not None
    codes = {name: code for code, name in enumerate(found.names)}
    gaps: dict[str, Any] = {"required": True}
    if found.has_missing:
        codes[MISSING] = len(codes)
        gaps = {"noData": MISSING}
    return _Property(key, column, {**described, "type": "ENUM", "enumType": f"{key}_values", **gaps}, "<u2", codes)


def _text(key: str, column: str, described: dict[str, Any], found: ColumnSummary) -> _Property:
    missing = MISSING if found.has_empty else ""
    has_gaps = found.has_missing or found.kinds != {"O"}
    gaps: dict[str, Any] = {"noData": missing} if has_gaps else {"required": True}
    return _Property(key, column, {**described, "type": "STRING", **gaps}, "O", {})


def _enum(codes: Mapping[str, int]) -> dict[str, Any]:
    return {"valueType": "UINT16", "values": [{"name": name, "value": code} for name, code in codes.items()]}


def _key(name: str, taken: set[str]) -> str:
    """Return an identifier as the specification allows them, other than those taken."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "property"
    plain = f"_{plain}" if plain[0].isdigit() else plain
    key, k = plain, 1
    while key.lower() in taken:
        k += 1
        key = f"{plain}_{k}"
    taken.add(key.lower())
    return key


def _encoded(each: _Property, values: AnyArray) -> tuple[dict[str, Any], list[bytes]]:
    if each.dtype == "b":
        bits = np.packbits(values.astype(bool), bitorder="little")
        return {"values": 0}, [bits.tobytes()]
    if each.dtype == "<u2":
        codes: dict[str | None, int] = {}
        codes.update(each.codes)
        if MISSING in codes:
            codes[None] = codes[MISSING]
        return {"values": 0}, [np.fromiter(map(codes.__getitem__, values.tolist()), "<u2", len(values)).tobytes()]
    if each.dtype == "O":
        texts = values.tolist()
        if set(map(type, texts)) == {str}:
            return _strings(texts)
        missing = str(each.described.get("noData", ""))
        return _strings([_as_text(value, missing) for value in texts])
    return {"values": 0}, [_numbers(values, each.described.get("noData"), each.dtype)]


def _numbers(values: AnyArray, missing: float | None, dtype: str) -> bytes:
    if values.dtype.kind == "O":
        assert missing is not None
        return np.full(len(values), missing, dtype=dtype).tobytes()
    if values.dtype.kind == "f" and missing is not None:
        values = np.where(np.isnan(values), missing, values)
    return values.astype(dtype).tobytes()


def _strings(texts: Sequence[str]) -> tuple[dict[str, Any], list[bytes]]:
    body = "".join(texts)
    data = body.encode("utf-8", errors="replace")
    if len(data) == len(body):
        lengths = list(map(len, texts))
    else:
        lengths = [len(text.encode("utf-8", errors="replace")) for text in texts]
    offsets = np.zeros(len(texts) + 1, dtype="<u4")
    np.cumsum(lengths, out=offsets[1:])
    # A buffer view must not be empty.
    return {"values": 0, "stringOffsets": 1}, [data or b"\0", offsets.tobytes()]


def _as_text(value: Any, missing: str) -> str:
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return missing
    return str(value).lower() if isinstance(value, bool) else str(value)
