"""Property tables of EXT_structural_metadata and of subtrees -> columns: every type of the 3D Metadata Specification 1.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Int
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, as_list
from cimdesk.formats.metadata_schema import NUMBERS, WIDTHS, Schema, scaled, without_no_data
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.model.features import column_of

MAX_ROWS = 20_000_000
UNPROVEN = 100_000
"""Rows a table may have none of whose properties can be read."""


MOST_STATED = 16
"""Numbers of one thing that the standard gives a meaning to, at most."""


class PropertyTables:
    """The property tables, textures and attributes of one file.

    Parameters
    ----------
    extension : mapping
        Has ``propertyTables`` and, in glTF, ``propertyTextures`` and ``propertyAttributes``.
    view : callable
        Gives the bytes of a buffer view.
    schema : Schema
    """

    def __init__(self, extension: Mapping[str, Any], view: Callable[[int], bytes], schema: Schema) -> None:
        self._extension = extension
        self._tables = [as_dict(table) for table in as_list(extension.get("propertyTables"))]
        self._view_of = view
        self.schema = schema

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
        """Return the columns of a table; a property that cannot be read is noted and left out.

        Properties of the class that the table leaves out have their default.
        """
        count = self.rows(table)
        described = self.schema.properties(self.class_name(table))
        stored = as_dict(self._tables[table].get("properties"))
        columns: dict[str, AnyArray] = {}
        for name, entry in stored.items():
            try:
                columns[str(name)] = self._column(as_dict(described.get(name)), as_dict(entry), count)
            except BrokenPart as broken:
                findings.add("bad-property", where, "Property “{name}” is left out: {reason}", name=str(name)[:60],
                             reason=broken.message)  # fmt: skip
        if stored and not columns and count > UNPROVEN:
            raise BrokenPart("bad-table", "A property table has {count} rows.", count=count)
        for name, kind in described.items():
            default = as_dict(kind).get("default")
            if name not in stored and default is not None:
                columns[str(name)] = column_of([default] * count)
        return columns

    def stated(self, table: int, prefix: str) -> dict[str, AnyArray]:
        """Return what a table says that the standard gives a meaning to, by semantic: (N,) or (N, K) numbers.

        Those that cannot be read, and those that are no numbers, are left out.
        """
        count = self.rows(table)
        stored = as_dict(self._tables[table].get("properties"))
        found: dict[str, AnyArray] = {}
        for name, kind in self.schema.properties(self.class_name(table)).items():
            semantic, width = str(as_dict(kind).get("semantic", "")), as_int(as_dict(kind).get("count"), 1)
            if not semantic.startswith(prefix) or name not in stored or not 1 <= width <= MOST_STATED:
                continue
            try:
                values = self._numbers(str(kind.get("type")), {**kind, "array": True}, as_dict(stored[name]), count * width)
            except BrokenPart:
                continue
            if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
                found[semantic] = values.reshape(count, width) if kind.get("array") is True else values
        return found

    def placed_properties(self, group: str, used: list[Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Return the properties of ``propertyTextures`` or ``propertyAttributes`` in use: the entry, and the class's property.

        Vectors and arrays are left out: a column has one value for a place.
        """
        known = as_list(self._extension.get(group))
        found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        for index in used:
            if not isinstance(index, int) or not 0 <= index < len(known):
                continue
            entity = as_dict(known[index])
            described = self.schema.properties(entity.get("class"))
            for name, entry in as_dict(entity.get("properties")).items():
                kind = as_dict(described.get(name))
                if kind.get("type") in ("SCALAR", "ENUM") and kind.get("array") is not True:
                    found[str(name)] = (as_dict(entry), kind)
        return found

    def texel_values(self, texels: AnyArray, entry: Mapping[str, Any], kind: Mapping[str, Any]) -> AnyArray:
        """Return (T,) values of a property kept in the channels of (T, 4) texels, lowest byte first."""
        channels = [min(max(as_int(each, 0), 0), 3) for each in as_list(entry.get("channels", [0]))][:4]
        dtype = self.schema.dtype(kind)
        if len(channels) != dtype.itemsize:
            dtype, channels = np.dtype(np.uint8), channels[:1] or [0]
        raw = np.ascontiguousarray(texels[:, channels]).view(dtype).ravel()
        return self.scaled_numbers(raw, kind, entry)

    def scaled_numbers(self, raw: AnyArray, kind: Mapping[str, Any], entry: Mapping[str, Any]) -> AnyArray:
        """Return what raw numbers of a property mean: names of enums, numbers with scale, offset and gaps."""
        if kind.get("type") == "ENUM":
            names = self.schema.enum_names(kind)
            out = np.empty(len(raw), dtype=object)
            codes, where = np.unique(raw.astype(np.int64), return_inverse=True)
            known: list[Any] = [names.get(code) for code in codes.tolist()]
            if kind.get("noData") is not None:
                known = [kind.get("default") if name == kind["noData"] else name for name in known]
            out[:] = [known[k] for k in where.tolist()]
            return out
        return without_no_data(raw, scaled(raw, kind, entry), kind)

    def _column(self, kind: dict[str, Any], entry: dict[str, Any], count: int) -> AnyArray:
        name = str(kind.get("type"))
        is_array = kind.get("array") is True
        fixed = as_int(kind.get("count"), 0) if is_array else 1
        offsets = None
        if is_array and fixed <= 0:
            offsets = self._offsets(entry, "arrayOffsets", "arrayOffsetType", count + 1)
            if (np.diff(offsets) < 0).any() or offsets[0] < 0:
                raise BrokenPart("bad-table", "A property table has {count} rows.", count=int(offsets.max()))
        total = count * fixed if offsets is None else int(offsets[-1])
        if not 0 <= total <= MAX_ROWS:
            raise BrokenPart("bad-table", "A property table has {count} rows.", count=total)
        values = self._strings(entry, total) if name == "STRING" else self._numbers(name, kind, entry, total)
        if isinstance(values, np.ndarray) and not is_array:
            return values
        plain = values.tolist() if isinstance(values, np.ndarray) else values
        if is_array:
            bounds = range(0, total + 1, fixed) if offsets is None else offsets.tolist()
            plain = [plain[a:b] for a, b in pairwise(bounds)]
        if "noData" in kind:
            plain = [kind.get("default") if value == kind["noData"] else value for value in plain]
        return column_of(plain)

    def _strings(self, entry: dict[str, Any], total: int) -> list[Any]:
        data = self._view(entry, "values")
        offsets = self._offsets(entry, "stringOffsets", "stringOffsetType", total + 1)
        if len(offsets) and (offsets[-1] > len(data) or (np.diff(offsets) < 0).any() or offsets[0] < 0):
            raise _short(int(offsets.max()), len(data))
        return [data[a:b].decode("utf-8", errors="replace") for a, b in pairwise(offsets.tolist())]

    def _numbers(self, name: str, kind: dict[str, Any], entry: dict[str, Any], total: int) -> AnyArray | list[Any]:
        width = WIDTHS.get(name)
        if width is None:
            raise BrokenPart("bad-type", "type “{type}” is unknown.", type=name[:40])
        data = self._view(entry, "values")
        if name == "BOOLEAN":
            if len(data) * 8 < total:
                raise _short(total, len(data) * 8)
            return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[:total].astype(bool)
        dtype = self.schema.dtype(kind)
        if len(data) < total * width * dtype.itemsize:
            raise _short(total * width * dtype.itemsize, len(data))
        raw = np.frombuffer(data, dtype, total * width)
        if name == "ENUM":
            # In arrays it is the whole array that may say that there is none.
            return self.scaled_numbers(raw, {**kind, "noData": None} if kind.get("array") is True else kind, entry)
        if width > 1:
            return list(scaled(raw.reshape(total, width), kind, entry).tolist())
        values = scaled(raw, kind, entry)
        return values if kind.get("array") is True else without_no_data(raw, values, kind)

    def _offsets(self, entry: dict[str, Any], key: str, type_key: str, count: int) -> Int:
        dtype = np.dtype(NUMBERS.get(str(entry.get(type_key, "UINT32")), "<u4"))
        data = self._view(entry, key)
        if len(data) < count * dtype.itemsize:
            raise _short(count * dtype.itemsize, len(data))
        return np.frombuffer(data, dtype, count).astype(np.int64)

    def _view(self, entry: dict[str, Any], key: str) -> bytes:
        return self._view_of(as_int(entry.get(key), -1))


def _short(end: int, size: int) -> BrokenPart:
    return BrokenPart("short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.", end=end, size=size)
