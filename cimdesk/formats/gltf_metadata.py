"""Property tables of EXT_structural_metadata -> columns: every type of the 3D Metadata Specification 1.1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Int
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf import Buffers, Resolver
from cimdesk.formats.gltf_json import as_dict, as_int, as_list, json_object
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.model.features import column_of

MAX_ROWS = 20_000_000
_TYPES = {
    "INT8": "i1", "UINT8": "u1", "INT16": "<i2", "UINT16": "<u2", "INT32": "<i4", "UINT32": "<u4", "INT64": "<i8", "UINT64": "<u8",
    "FLOAT32": "<f4", "FLOAT64": "<f8",
}  # fmt: skip
_WIDTHS = {"SCALAR": 1, "ENUM": 1, "BOOLEAN": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


class PropertyTables:
    """The property tables of one glTF file.

    Parameters
    ----------
    document : mapping
        The glTF JSON.
    buffers : Buffers
    resolve : callable
        Gives a schema file.
    """

    def __init__(self, document: Mapping[str, Any], buffers: Buffers, resolve: Resolver) -> None:
        extension = as_dict(as_dict(document.get("extensions")).get("EXT_structural_metadata"))
        self._tables = [as_dict(table) for table in as_list(extension.get("propertyTables"))]
        self._buffers = buffers
        schema = as_dict(extension.get("schema"))
        if not schema and isinstance(extension.get("schemaUri"), str):
            schema = json_object(resolve(extension["schemaUri"]))
        self._classes = as_dict(schema.get("classes"))
        self._enums = as_dict(schema.get("enums"))

    def __len__(self) -> int:
        return len(self._tables)

    def rows(self, table: int) -> int:
        """Return the number of features of a table."""
        count = as_int(self._tables[table].get("count"), 0)
        if not 0 <= count <= MAX_ROWS:
            raise BrokenPart("bad-table", "A property table has {count} rows.", count=count)
        return count

    def class_name(self, table: int) -> str:
        """Return the class of a table's features."""
        return str(self._tables[table].get("class", ""))

    def columns(self, table: int, findings: Findings, where: str) -> dict[str, AnyArray]:
        """Return the columns of a table; a property that cannot be read is noted and left out."""
        count = self.rows(table)
        described = as_dict(as_dict(self._classes.get(self.class_name(table))).get("properties"))
        stored = as_dict(self._tables[table].get("properties"))
        columns: dict[str, AnyArray] = {}
        for name, entry in stored.items():
            try:
                columns[str(name)] = self._column(as_dict(described.get(name)), as_dict(entry), count)
            except BrokenPart as broken:
                findings.add("bad-property", where, "Property “{name}” is left out: {reason}", name=str(name)[:60],
                             reason=broken.message)  # fmt: skip
        return columns

    def _column(self, kind: dict[str, Any], entry: dict[str, Any], count: int) -> AnyArray:
        name = str(kind.get("type"))
        fixed = as_int(kind.get("count"), 0) if kind.get("array") is True else 1
        if kind.get("array") is True and fixed <= 0:
            offsets = self._offsets(entry, "arrayOffsets", "arrayOffsetType", count + 1)
        else:
            offsets = np.arange(count + 1, dtype=np.int64) * fixed
        total = int(offsets[-1])
        if not 0 <= total <= MAX_ROWS or (np.diff(offsets) < 0).any():
            raise BrokenPart("bad-table", "A property table has {count} rows.", count=total)
        values = self._strings(entry, total) if name == "STRING" else self._numbers(name, kind, entry, total)
        if kind.get("array") is not True:
            return values if isinstance(values, np.ndarray) else column_of(values)
        plain = values.tolist() if isinstance(values, np.ndarray) else values
        return column_of([plain[offsets[k] : offsets[k + 1]] for k in range(count)])

    def _strings(self, entry: dict[str, Any], total: int) -> list[Any]:
        data = self._view(entry, "values")
        offsets = self._offsets(entry, "stringOffsets", "stringOffsetType", total + 1)
        if len(offsets) and (offsets[-1] > len(data) or (np.diff(offsets) < 0).any() or offsets[0] < 0):
            raise BrokenPart("short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.",
                             end=int(offsets.max()), size=len(data))  # fmt: skip
        bounds = offsets.tolist()
        return [data[a:b].decode("utf-8", errors="replace") for a, b in pairwise(bounds)]

    def _numbers(self, name: str, kind: dict[str, Any], entry: dict[str, Any], total: int) -> AnyArray | list[Any]:
        width = _WIDTHS.get(name)
        if width is None:
            raise BrokenPart("bad-type", "type “{type}” is unknown.", type=name[:40])
        data = self._view(entry, "values")
        if name == "BOOLEAN":
            if len(data) * 8 < total:
                raise _short(total, len(data) * 8)
            return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[:total].astype(bool)
        enum = as_dict(self._enums.get(str(kind.get("enumType")))) if name == "ENUM" else {}
        type_name = str(enum.get("valueType", "UINT16") if name == "ENUM" else kind.get("componentType"))
        if type_name not in _TYPES:
            raise BrokenPart("bad-type", "type “{type}” is unknown.", type=type_name[:40])
        dtype = np.dtype(_TYPES[type_name])
        if len(data) < total * width * dtype.itemsize:
            raise _short(total * width * dtype.itemsize, len(data))
        raw = np.frombuffer(data, dtype, total * width)
        if name == "ENUM":
            names = {as_int(as_dict(v).get("value"), 0): str(as_dict(v).get("name", "")) for v in as_list(enum.get("values"))}
            return [names.get(int(code)) for code in raw]
        if width > 1:
            return _scaled(raw, kind, entry).reshape(total, width).tolist()
        return _without_no_data(raw, _scaled(raw, kind, entry), kind)

    def _offsets(self, entry: dict[str, Any], key: str, type_key: str, count: int) -> Int:
        dtype = np.dtype(_TYPES.get(str(entry.get(type_key, "UINT32")), "<u4"))
        data = self._view(entry, key)
        if len(data) < count * dtype.itemsize:
            raise _short(count * dtype.itemsize, len(data))
        return np.frombuffer(data, dtype, count).astype(np.int64)

    def _view(self, entry: dict[str, Any], key: str) -> bytes:
        return self._buffers.view(as_int(entry.get(key), -1))


def _short(end: int, size: int) -> BrokenPart:
    return BrokenPart("short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.", end=end, size=size)


def _scaled(raw: AnyArray, kind: dict[str, Any], entry: dict[str, Any]) -> AnyArray:
    """Return numbers with normalisation, scale and offset applied; whole numbers stay whole without them."""
    values: AnyArray = raw
    if kind.get("normalized") is True and raw.dtype.kind in "iu":
        values = np.maximum(raw.astype(np.float64) / np.iinfo(raw.dtype).max, -1.0)
    scale, offset = (entry.get(key, kind.get(key)) for key in ("scale", "offset"))
    if isinstance(scale, int | float):
        values = values * float(scale)
    if isinstance(offset, int | float):
        values = values + float(offset)
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    return values.astype(np.int64) if values.dtype != np.uint64 or not (values > 2**63 - 1).any() else values.astype(np.float64)


def _without_no_data(raw: AnyArray, values: AnyArray, kind: dict[str, Any]) -> AnyArray:
    missing = kind.get("noData")
    if not isinstance(missing, int | float) or not math.isfinite(missing) or not (raw == missing).any():
        return values
    default = kind.get("default")
    filler = float(default) if isinstance(default, int | float) else np.nan
    return np.where(raw == missing, filler, values.astype(np.float64))
