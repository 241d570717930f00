"""Point contents of 3D Tiles: positions, colours and normals in every form they are packed in, and the batch table by point."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.formats.b3dm import batch_columns, global_value, rtc_center, slices
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, json_object, number_list
from cimdesk.formats.tiles3d_paths import BrokenPart

MAX_POINTS = 50_000_000
FARTHEST = 1e9
"""Points beyond this are damage, not places [m]."""
_DRACO = "3DTILES_draco_point_compression"
_ID_TYPES = {"UNSIGNED_BYTE": "u1", "UNSIGNED_SHORT": "<u2", "UNSIGNED_INT": "<u4"}
_COLORS = ("red", "green", "blue")


@dataclass(frozen=True)
class PointPart:
    """Points of one content.

    Attributes
    ----------
    points : (N, 3) float64
    columns : dict of str to (N,) array
        ``red green blue`` uint8 where there are colours; normals; properties.
    """

    points: Float
    columns: dict[str, AnyArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.points)

    def moved(self, matrix: Float) -> PointPart:
        """Return the points moved by a (4, 4) matrix, without those that are then nowhere."""
        with np.errstate(over="ignore", invalid="ignore"):
            points = self.points @ matrix[:3, :3].T + matrix[:3, 3]
            usable = np.asarray((np.abs(points) < FARTHEST).all(axis=1))
        if usable.all():
            return replace(self, points=points)
        return PointPart(points[usable], {name: values[usable] for name, values in self.columns.items()})


def read_pnts(data: bytes, findings: Findings, where: str) -> PointPart:
    """Read a pnts file.

    Raises
    ------
    BrokenPart
        If its header or its positions cannot be used.
    """
    if len(data) < 28:
        raise BrokenPart("short-tile", "The tile ends in its header.")
    version, size, *lengths = struct.unpack_from("<6I", data, 4)
    if size > len(data):
        raise BrokenPart("short-tile", "The tile says {said} bytes and has {size}; it is cut off.", said=size, size=len(data))
    if version != 1:
        findings.add("tile-version", where, "The tile has version {version}; version 1 is expected.", version=version)
    feature_json, binary, batch_json, batch_binary = slices(data, 28, (lengths[0], lengths[1], lengths[2], lengths[3]))
    table = json_object(feature_json)
    count = as_int(global_value(table, binary, "POINTS_LENGTH"), -1)
    if not 0 <= count <= MAX_POINTS:
        raise BrokenPart("bad-points", "The tile announces {count} points.", count=count)
    batch = json_object(batch_json) if batch_json.strip(b" \0") else {}
    packed = _unpacked(table, batch, binary, count)
    body = _Body(table, binary, count, packed)
    points = _positions(body)
    columns = _colors(body)
    for name, values in zip(("normal_x", "normal_y", "normal_z"), _normals(body), strict=False):
        columns[name] = values
    columns.update(_properties(body, batch, batch_binary, findings, where))
    center = rtc_center(table, binary)
    return PointPart(points if center is None else points + np.array(center), columns)


@dataclass(frozen=True)
class _Body:
    """The feature table with its binary part, and what Draco packed by name."""

    table: dict[str, Any]
    binary: bytes
    count: int
    packed: dict[str, AnyArray]

    def values(self, name: str, kind: str, width: int) -> AnyArray | None:
        """Return (N, width) values of a property; None when there is none.

        Raises
        ------
        BrokenPart
            If it reaches beyond the binary part.
        """
        if name in self.packed:
            return self.packed[name].reshape(self.count, -1)
        entry = self.table.get(name)
        if not isinstance(entry, dict):
            return None
        start, dtype = as_int(entry.get("byteOffset"), -1), np.dtype(kind)
        end = start + self.count * width * dtype.itemsize
        if start < 0 or end > len(self.binary):
            raise BrokenPart(
                "short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.", end=end, size=len(self.binary)
            )
        return np.frombuffer(self.binary, dtype, self.count * width, start).reshape(self.count, width)


def _positions(body: _Body) -> Float:
    plain = body.values("POSITION", "<f4", 3)
    if plain is not None:
        return plain.astype(np.float64)
    quantized = body.values("POSITION_QUANTIZED", "<u2", 3)
    offset = number_list(_vector(body, "QUANTIZED_VOLUME_OFFSET"), 3)
    scale = number_list(_vector(body, "QUANTIZED_VOLUME_SCALE"), 3)
    if quantized is None or offset is None or scale is None:
        raise BrokenPart("bad-positions", "The positions of a primitive are not three numbers each.")
    return np.asarray(quantized / 65535.0 * np.array(scale) + np.array(offset))


def _vector(body: _Body, name: str) -> Any:
    """Return a global property, which may stand in the binary part."""
    value = body.table.get(name)
    if isinstance(value, dict):
        start = as_int(value.get("byteOffset"), -1)
        return list(struct.unpack_from("<3f", body.binary, start)) if 0 <= start <= len(body.binary) - 12 else None
    return value


def _colors(body: _Body) -> dict[str, AnyArray]:
    """Return red, green and blue of each point, by the first form that is there: RGBA, RGB, RGB565, one for all."""
    found = body.values("RGBA", "u1", 4)
    if found is None:
        found = body.values("RGB", "u1", 3)
    if found is None and (narrow := body.values("RGB565", "<u2", 1)) is not None:
        five, six = narrow[:, 0].astype(np.int64), (narrow[:, 0].astype(np.int64) >> 5) & 63
        parts = [(five >> 11) * 255 / 31, six * 255 / 63, (five & 31) * 255 / 31]
        found = np.column_stack(parts).round().astype(np.uint8)
    if found is None:
        one = number_list(body.table.get("CONSTANT_RGBA"), 4)
        if one is None:
            return {}
        found = np.tile(np.clip(one, 0, 255).astype(np.uint8), (body.count, 1))
    return {name: np.ascontiguousarray(found[:, k]).astype(np.uint8) for k, name in enumerate(_COLORS)}


def _normals(body: _Body) -> list[AnyArray]:
    """Return x, y and z of the normals; nothing where there are none."""
    plain = body.values("NORMAL", "<f4", 3)
    if plain is None:
        packed = body.values("NORMAL_OCT16P", "u1", 2)
        plain = None if packed is None else oct_decoded(packed)
    return [] if plain is None else [np.ascontiguousarray(plain[:, k]).astype(np.float32) for k in range(3)]


def oct_decoded(packed: AnyArray) -> Float:
    """Return (N, 3) unit vectors of (N, 2) octahedral ones of 8 binary digits (Cigolle and others 2014)."""
    x, y = (packed / 255.0 * 2.0 - 1.0).T
    z = 1.0 - np.abs(x) - np.abs(y)
    folded_x, folded_y = (1.0 - np.abs(y)) * np.where(x >= 0.0, 1.0, -1.0), (1.0 - np.abs(x)) * np.where(y >= 0.0, 1.0, -1.0)
    vectors = np.column_stack([np.where(z < 0.0, folded_x, x), np.where(z < 0.0, folded_y, y), z])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _properties(body: _Body, batch: dict[str, Any], binary: bytes, findings: Findings, where: str) -> dict[str, AnyArray]:
    """Return the batch table by point: a row for each point, or for each of the groups that points belong to."""
    entry = as_dict(body.table.get("BATCH_ID"))
    ids = body.values("BATCH_ID", _ID_TYPES.get(str(entry.get("componentType", "UNSIGNED_SHORT")), "<u2"), 1)
    groups = as_int(global_value(body.table, body.binary, "BATCH_LENGTH"), 0)
    rows = None if ids is None else ids[:, 0].astype(np.int64)
    names = [name for name in batch if name not in body.packed]
    count = groups if rows is not None else body.count
    found: dict[str, AnyArray] = {}
    if names and 0 <= count <= MAX_POINTS:
        table = batch_columns({name: batch[name] for name in names}, binary, count, findings, where)
        found = table if rows is None else {name: _of_groups(values, rows) for name, values in table.items()}
    for name, values in body.packed.items():
        if name in batch:
            for k in range(values.reshape(body.count, -1).shape[1]):
                wide = values.reshape(body.count, -1)
                found[name if wide.shape[1] == 1 else f"{name}[{k}]"] = np.ascontiguousarray(wide[:, k])
    if rows is not None:
        found["batch_id"] = rows
    return found


def _of_groups(values: AnyArray, rows: Int) -> AnyArray:
    """Return the values of the groups that points belong to; those of groups that do not exist are missing."""
    if not len(values):
        return np.full(len(rows), None, dtype=object)
    inside = (rows >= 0) & (rows < len(values))
    taken = values[np.where(inside, rows, 0)]
    if inside.all():
        return taken
    missing = taken.astype(object) if taken.dtype.kind not in "if" else taken.astype(np.float64)
    missing[~inside] = None if missing.dtype == object else np.nan
    return missing


def _unpacked(table: dict[str, Any], batch: dict[str, Any], binary: bytes, count: int) -> dict[str, AnyArray]:
    """Return what Draco packed, by the names of properties of both tables.

    Raises
    ------
    BrokenPart
        If it cannot be unpacked.
    """
    extension = as_dict(as_dict(table.get("extensions")).get(_DRACO))
    if not extension:
        return {}
    import DracoPy

    start, length = as_int(extension.get("byteOffset"), -1), as_int(extension.get("byteLength"), -1)
    if start < 0 or length <= 0 or start + length > len(binary):
        raise BrokenPart(
            "short-buffer", "A buffer view ends after its buffer: {end} of {size} bytes.", end=start + length, size=len(binary)
        )
    try:
        cloud = DracoPy.decode(binary[start : start + length])
    except (ValueError, TypeError, RuntimeError, DracoPy.FileTypeException) as error:
        raise BrokenPart("bad-draco", "A Draco mesh cannot be decoded: {reason}", reason=str(error)[:120]) from error
    by_id = {int(each["unique_id"]): np.asarray(each["data"]) for each in cloud.attributes}
    names = dict(as_dict(extension.get("properties")))
    names.update(as_dict(as_dict(as_dict(batch.get("extensions")).get(_DRACO)).get("properties")))
    found = {str(name): by_id[number] for name, number in names.items() if isinstance(number, int) and number in by_id}
    if any(len(values) != count for values in found.values()):
        raise BrokenPart("bad-points", "The tile announces {count} points.", count=count)
    return found
