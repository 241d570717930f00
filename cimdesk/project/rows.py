"""Records of the document as rows with readable columns, and back, without losing anything."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from cimdesk.model.document import Record

MORE = "more"
"""JSON column of the fields that have no column of their own, or whose value does not fit it."""

_EXACT_INTEGER = 2**53


class RowError(ValueError):
    """A row holds something no cimdesk wrote."""


@dataclass(frozen=True)
class Column:
    """One readable column of a table.

    Attributes
    ----------
    name : str
        Column in the file.
    kind : str
        ``TEXT``, ``DOUBLE``, ``BOOLEAN``, ``DATETIME`` (ISO, UTC; POSIX seconds in the record) or ``JSON``.
    field : str
        Field of the record.
    """

    name: str
    kind: str
    field: str

    @property
    def sql_type(self) -> str:
        """The type the file declares."""
        return "TEXT" if self.kind == "JSON" else self.kind


@dataclass(frozen=True)
class TableSpec:
    """How one table of the document is kept.

    Attributes
    ----------
    table : str
        Name in the document.
    name : str
        Name in the file.
    title : str
        What other software shows.
    columns : tuple of Column
    place : bool
        Whether the record's ``place`` (easting, northing, height) is kept as a point geometry.
    """

    table: str
    name: str
    title: str
    columns: tuple[Column, ...]
    place: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """Every column that `to_row` fills, in its order."""
        return ("key", *(column.name for column in self.columns), MORE, *(("geom",) if self.place else ()))


def to_row(spec: TableSpec, key: str, record: Record, srs_id: int) -> tuple[Any, ...]:
    """Return the row of a record, its values in the order of `TableSpec.column_names`."""
    more = dict(record)
    values: list[Any] = [key]
    for column in spec.columns:
        value = _ENCODE[column.kind](more.get(column.field))
        values.append(value)
        if value is not None:
            del more[column.field]
    geometry = None
    if spec.place and (place := _as_place(more.get("place"))) is not None:
        geometry = point_blob(place, srs_id)
        del more["place"]
    values.append(orjson.dumps(more).decode() if more else None)
    if spec.place:
        values.append(geometry)
    return tuple(values)


def from_row(spec: TableSpec, row: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """Return key and record of a row whose values are in the order of `TableSpec.column_names`.

    Raises
    ------
    RowError
        If a value is not what its column should hold.
    """
    key = row[0]
    if not isinstance(key, str) or not key:
        raise RowError("the key is no text")
    record: dict[str, Any] = {}
    for column, value in zip(spec.columns, row[1:], strict=False):
        if value is None:
            continue
        if column.kind == "TEXT" and type(value) is str:
            record[column.field] = value
            continue
        try:
            record[column.field] = _DECODE[column.kind](value)
        except (ValueError, TypeError, OverflowError) as error:
            raise RowError(f"{column.name} of {key} is {str(value)[:40]!r}") from error
    more = row[1 + len(spec.columns)]
    if more is not None:
        record.update(_decode_object(more))
    if spec.place and row[-1] is not None:
        record["place"] = list(blob_point(row[-1]))
    return key, record


def point_blob(place: Sequence[float], srs_id: int) -> bytes:
    """Return the GeoPackage geometry of a point with height."""
    # GeoPackage 1.3, 2.1.3: "GP", version 0, flags (little endian, no envelope), srs_id, then ISO WKB POINT Z.
    return struct.pack("<2sBBi", b"GP", 0, 1, srs_id) + struct.pack("<BIddd", 1, 1001, *place)


def blob_point(blob: Any) -> tuple[float, float, float]:
    """Return the coordinates of a GeoPackage point; raises RowError for anything else."""
    try:
        magic, _, flags, _ = struct.unpack_from("<2sBBi", blob, 0)
        # Other software may add an envelope: 0, 4, 6, 6 or 8 doubles by bits 1-3 of the flags.
        offset = 8 + 8 * (0, 4, 6, 6, 8)[flags >> 1 & 7]
        order = "<" if blob[offset] == 1 else ">"
        kind = struct.unpack_from(f"{order}I", blob, offset + 1)[0]
        count = {1: 2, 1001: 3, 0x80000001: 3}[kind]
        values = struct.unpack_from(f"{order}{count}d", blob, offset + 5)
    except (struct.error, TypeError, IndexError, KeyError) as error:
        raise RowError("a geometry is no point") from error
    if magic != b"GP" or not all(map(math.isfinite, values)):
        raise RowError("a geometry is no point")
    return (values[0], values[1], values[2] if count == 3 else 0.0)


@lru_cache(4096)
def iso_of(time: float) -> str | None:
    """Return POSIX seconds as ISO text to the millisecond; None where that would lose something."""
    try:
        text = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return text if _time_of(text) == time else None
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(4096)
def _time_of(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _as_place(value: Any) -> tuple[float, ...] | None:
    if isinstance(value, list | tuple) and len(value) == 3 and all(type(v) is float and math.isfinite(v) for v in value):
        return tuple(value)
    return None


def _encode_text(value: Any) -> str | None:
    # SQLite stops reading a text at NUL in places; such a text is kept in JSON.
    return value if type(value) is str and "\0" not in value else None


def _encode_double(value: Any) -> float | None:
    if type(value) is float:
        return value if math.isfinite(value) else None
    return float(value) if type(value) is int and abs(value) <= _EXACT_INTEGER else None


def _encode_boolean(value: Any) -> int | None:
    return int(value) if type(value) is bool else None


def _encode_time(value: Any) -> str | None:
    return iso_of(float(value)) if type(value) in (int, float) else None


def _encode_json(value: Any) -> str | None:
    return orjson.dumps(value).decode() if isinstance(value, Mapping | list | tuple) else None


def _decode_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _decode_double(value: Any) -> float:
    number = float(value) if isinstance(value, int | float) else math.nan
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _decode_boolean(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError(value)
    return bool(value)


def _decode_time(value: Any) -> float:
    return _time_of(_decode_text(value))


def _decode_json(value: Any) -> Any:
    return orjson.loads(_decode_text(value))


def _decode_object(value: Any) -> dict[str, Any]:
    try:
        found = orjson.loads(_decode_text(value))
    except ValueError as error:
        raise RowError(f"{MORE} is no JSON") from error
    if not isinstance(found, dict):
        raise RowError(f"{MORE} is no JSON object")
    return found


_ENCODE = {
    "TEXT": _encode_text, "DOUBLE": _encode_double, "BOOLEAN": _encode_boolean, "DATETIME": _encode_time, "JSON": _encode_json,
}  # fmt: skip
_DECODE = {
    "TEXT": _decode_text, "DOUBLE": _decode_double, "BOOLEAN": _decode_boolean, "DATETIME": _decode_time, "JSON": _decode_json,
}  # fmt: skip
