"""Containers of 3D Tiles 1.0: batched models with their batch tables, and what instanced, point and composite tiles hold."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.formats.batch_hierarchy import hierarchy_columns
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, json_object, number_list
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.model.features import column_of

MAX_BATCH = 20_000_000
_LEGACY = 0x22000000
"""A length this large is the first bytes of JSON (``{"`` or ``"``), so the header is one of the two old, shorter ones."""
_TYPES = {
    "BYTE": "i1", "UNSIGNED_BYTE": "u1", "SHORT": "<i2", "UNSIGNED_SHORT": "<u2", "INT": "<i4", "UNSIGNED_INT": "<u4",
    "FLOAT": "<f4", "DOUBLE": "<f8",
}  # fmt: skip
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True)
class BatchedModel:
    """A b3dm file taken apart.

    Attributes
    ----------
    gltf : bytes
    batch_length : int
        Number of features the file announces.
    columns : dict of str to (batch_length,) array
        Batch table.
    center : (3,) float64 or None
        RTC_CENTER in tile axes.
    """

    gltf: bytes
    batch_length: int
    columns: dict[str, AnyArray]
    center: Float | None


def read_b3dm(data: bytes, findings: Findings, where: str) -> BatchedModel:
    """Take a b3dm file apart.

    Raises
    ------
    BrokenPart
        If the header or the feature table is broken.
    """
    at, lengths, legacy_batch = _header(data, findings, where)
    feature_json, feature_binary, batch_json, batch_binary = slices(data, at, lengths)
    features = json_object(feature_json) if feature_json.strip(b" \0") else {}
    batch_length = legacy_batch if legacy_batch is not None else as_int(global_value(features, feature_binary, "BATCH_LENGTH"), 0)
    if not 0 <= batch_length <= MAX_BATCH:
        raise BrokenPart("bad-batch", "The tile announces {count} features.", count=batch_length)
    columns: dict[str, AnyArray] = {}
    if batch_json.strip(b" \0"):
        try:
            columns = batch_columns(json_object(batch_json), batch_binary, batch_length, findings, where)
        except BrokenPart as broken:
            findings.add("bad-batch-table", where, "The batch table is left out: {reason}", reason=broken.message)
    center = rtc_center(features, feature_binary)
    return BatchedModel(data[at + sum(lengths) :], batch_length, columns, None if center is None else np.array(center))


def rtc_center(features: dict[str, Any], binary: bytes) -> list[float] | None:
    """Return RTC_CENTER of a feature table; None when it has none."""
    center = number_list(features.get("RTC_CENTER"), 3)
    if center is None and isinstance(features.get("RTC_CENTER"), dict):
        start = as_int(features["RTC_CENTER"].get("byteOffset"), -1)
        if 0 <= start <= len(binary) - 12:
            center = number_list([float(each) for each in struct.unpack_from("<3f", binary, start)], 3)
    return center


def _header(data: bytes, findings: Findings, where: str) -> tuple[int, tuple[int, int, int, int], int | None]:
    """Return where the tables start, their four lengths, and the batch length of the old headers."""
    if len(data) < 28:
        raise BrokenPart("short-tile", "The tile ends in its header.")
    version, size, a, b, c, d = struct.unpack_from("<6I", data, 4)
    if size > len(data):
        raise BrokenPart("short-tile", "The tile says {said} bytes and has {size}; it is cut off.", said=size, size=len(data))
    if version != 1:
        findings.add("tile-version", where, "The tile has version {version}; version 1 is expected.", version=version)
    if c >= _LEGACY:
        return 20, (0, 0, b, 0), a
    if d >= _LEGACY:
        return 24, (0, 0, a, b), c
    return 28, (a, b, c, d), None


def slices(data: bytes, at: int, lengths: tuple[int, int, int, int]) -> list[bytes]:
    """Return the parts of a tile after its header; raises BrokenPart when it is too short for them."""
    if at + sum(lengths) > len(data):
        raise BrokenPart(
            "short-tile", "The tile says {said} bytes and has {size}; it is cut off.", said=at + sum(lengths), size=len(data)
        )
    parts = []
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    return parts


def global_value(features: dict[str, Any], binary: bytes, name: str) -> Any:
    """Return a whole number of a feature table, which may stand in its binary body."""
    value = features.get(name)
    if isinstance(value, dict):
        start = as_int(value.get("byteOffset"), -1)
        return struct.unpack_from("<I", binary, start)[0] if 0 <= start <= len(binary) - 4 else None
    return value


def batch_columns(table: dict[str, Any], binary: bytes, count: int, findings: Findings, where: str) -> dict[str, AnyArray]:
    """Return the columns of a batch table: JSON arrays, and binary bodies.

    Parameters
    ----------
    table : dict
    binary : bytes
    count : int
        Length every column must have.
    """
    columns = _hierarchy(table, binary, count, findings, where)
    for name, value in table.items():
        if name in ("extensions", "extras", "HIERARCHY"):
            continue
        if isinstance(value, list):
            if len(value) == count:
                columns[name] = column_of(value)
                continue
            findings.add("bad-property", where, "Property “{name}” has {found} values for {count} features; it is left out.",
                         name=name[:60], found=len(value), count=count)  # fmt: skip
            continue
        if isinstance(value, dict) and "byteOffset" in value:
            column = _binary_column(value, binary, count)
            if column is not None:
                columns[name] = column
                continue
        findings.add("bad-property", where, "Property “{name}” of the batch table is broken; it is left out.", name=name[:60])
    return columns


def _hierarchy(table: dict[str, Any], binary: bytes, count: int, findings: Findings, where: str) -> dict[str, AnyArray]:
    """Return the columns of a batch table's hierarchy, if it has one."""
    entry = as_dict(table.get("extensions")).get("3DTILES_batch_table_hierarchy", table.get("HIERARCHY"))
    if entry is None:
        return {}

    def column(value: Any, length: int) -> AnyArray | None:
        if isinstance(value, list):
            return column_of(value) if len(value) == length else None
        return _binary_column(value, binary, length) if isinstance(value, dict) else None

    def numbers(value: Any, length: int) -> AnyArray | None:
        # In hierarchies a reference to the binary body need not say that it is of single numbers.
        found = column({"componentType": "UNSIGNED_SHORT", "type": "SCALAR", **value} if isinstance(value, dict) else value, length)
        if found is None or (length and found.dtype.kind != "i"):
            return None
        return found.astype(np.int64)

    try:
        return hierarchy_columns(entry, count, numbers, column)
    except BrokenPart as broken:
        findings.add("bad-batch-table", where, "The batch table is left out: {reason}", reason=broken.message)
        return {}


def _binary_column(entry: dict[str, Any], binary: bytes, count: int) -> AnyArray | None:
    width = _WIDTHS.get(str(entry.get("type")))
    type_name = _TYPES.get(str(entry.get("componentType")))
    start = as_int(entry.get("byteOffset"), -1)
    if width is None or type_name is None or start < 0:
        return None
    dtype = np.dtype(type_name)
    if start + count * width * dtype.itemsize > len(binary):
        return None
    values = np.frombuffer(binary, dtype, count * width, start)
    if width > 1:
        return column_of(values.reshape(count, width).tolist())
    return values.astype(np.float64 if dtype.kind == "f" else np.int64)


def composite_parts(data: bytes) -> list[bytes]:
    """Return the tiles inside a cmpt file.

    Raises
    ------
    BrokenPart
        If its lengths do not fit.
    """
    if len(data) < 16:
        raise BrokenPart("short-tile", "The tile ends in its header.")
    count = struct.unpack_from("<I", data, 12)[0]
    parts: list[bytes] = []
    at = 16
    while len(parts) < count and at + 12 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        if size < 12 or at + size > len(data):
            break
        parts.append(data[at : at + size])
        at += size
    if len(parts) != count:
        raise BrokenPart("short-tile", "The composite tile says {said} tiles and has {found}.", said=count, found=len(parts))
    return parts


def counted(data: bytes, name: str) -> int:
    """Return how many points (``POINTS_LENGTH``) or instances (``INSTANCES_LENGTH``) a pnts or i3dm file holds.

    Raises
    ------
    BrokenPart
        If its header or feature table is broken.
    """
    start = 32 if data[:4] == b"i3dm" else 28
    if len(data) < start:
        raise BrokenPart("short-tile", "The tile ends in its header.")
    size, json_length, binary_length = struct.unpack_from("<3I", data, 8)
    if size > len(data) or start + json_length + binary_length > len(data):
        raise BrokenPart("short-tile", "The tile says {said} bytes and has {size}; it is cut off.", said=size, size=len(data))
    features = as_dict(json_object(data[start : start + json_length]))
    value = as_int(global_value(features, data[start + json_length : start + json_length + binary_length], name), 0)
    return value if 0 <= value <= MAX_BATCH * 100 else 0
