"""Instanced tiles (i3dm): one glTF at many places, turned and scaled."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.formats.b3dm import MAX_BATCH, batch_columns, global_value, rtc_center, slices
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_instances import Crowd, instance_matrices, kept_instances
from cimdesk.formats.gltf_json import as_dict, as_int, json_object, number_list
from cimdesk.formats.tiles3d_paths import BrokenPart

EMBEDDED = 1
_ON_GLOBE = 6.0e6
_BATCH_TYPES = {"UNSIGNED_BYTE": "u1", "UNSIGNED_SHORT": "<u2", "UNSIGNED_INT": "<u4"}


@dataclass(frozen=True)
class InstancedModel:
    """An i3dm file taken apart.

    Attributes
    ----------
    gltf : bytes
        The model, or nothing when it is in a file of its own.
    uri : str
        Of that file.
    crowd : Crowd
        In tile axes; ``ids`` are batch identifiers.
    batch_length : int
    columns : dict of str to (batch_length,) array
    count : int
        Instances the file has; those beyond a limit are not in ``crowd``.
    """

    gltf: bytes
    uri: str
    crowd: Crowd
    batch_length: int
    columns: dict[str, AnyArray]
    count: int


def read_i3dm(data: bytes, transform: Float, findings: Findings, where: str) -> InstancedModel:
    """Take an i3dm file apart.

    Parameters
    ----------
    data : bytes
    transform : (4, 4) float64
        Of the tile: which way is east and up depends on where on earth an instance stands.

    Raises
    ------
    BrokenPart
        If the header or the feature table is broken.
    """
    if len(data) < 32:
        raise BrokenPart("short-tile", "The tile ends in its header.")
    version, size, a, b, c, d, embedding = struct.unpack_from("<7I", data, 4)
    if size > len(data):
        raise BrokenPart("short-tile", "The tile says {said} bytes and has {size}; it is cut off.", said=size, size=len(data))
    if version != 1:
        findings.add("tile-version", where, "The tile has version {version}; version 1 is expected.", version=version)
    feature_json, feature_binary, batch_json, batch_binary = slices(data, 32, (a, b, c, d))
    table = _FeatureTable(as_dict(json_object(feature_json)), feature_binary)
    count = as_int(global_value(table.entries, feature_binary, "INSTANCES_LENGTH"), -1)
    if not 0 <= count <= MAX_BATCH:
        raise BrokenPart("bad-instance-count", "The tile announces {count} instances.", count=count)
    table.rows = count
    # Positions first: they prove that there are as many instances as announced.
    positions = _positions(table)
    ids = table.batch_ids()
    crowd = _crowd(table, positions, ids, transform, findings, where)
    batch_length = int(ids.max()) + 1 if len(ids) else 0
    columns: dict[str, AnyArray] = {}
    if batch_json.strip(b" \0") and batch_length <= MAX_BATCH:
        try:
            columns = batch_columns(json_object(batch_json), batch_binary, batch_length, findings, where)
        except BrokenPart as broken:
            findings.add("bad-batch-table", where, "The batch table is left out: {reason}", reason=broken.message)
    rest = data[32 + a + b + c + d : size]
    uri = "" if embedding == EMBEDDED else rest.rstrip(b" \0").decode("utf-8", errors="replace")
    return InstancedModel(rest if embedding == EMBEDDED else b"", uri, crowd, batch_length, columns, count)


@dataclass
class _FeatureTable:
    entries: dict[str, Any]
    binary: bytes
    rows: int = 0

    def array(self, name: str, dtype: str, width: int) -> AnyArray | None:
        """Return (rows, width) values of a property; None when it is not there."""
        entry = self.entries.get(name)
        if entry is None:
            return None
        start = as_int(as_dict(entry).get("byteOffset"), -1)
        kind = np.dtype(dtype)
        end = start + self.rows * width * kind.itemsize
        if start < 0 or end > len(self.binary):
            raise BrokenPart("bad-instance-table", "“{name}” of the instances is broken.", name=name)
        return np.frombuffer(self.binary, kind, self.rows * width, start).reshape(self.rows, width)

    def floats(self, name: str, width: int) -> Float | None:
        found = self.array(name, "<f4", width)
        return None if found is None else np.nan_to_num(found.astype(np.float64), posinf=0.0, neginf=0.0)

    def batch_ids(self) -> Int:
        """Return (rows,) batch identifiers; the number of the instance where there are none."""
        kind = str(as_dict(self.entries.get("BATCH_ID")).get("componentType", "UNSIGNED_SHORT"))
        found = self.array("BATCH_ID", _BATCH_TYPES.get(kind, "<u2"), 1)
        return np.arange(self.rows) if found is None else found[:, 0].astype(np.int64)


def _crowd(table: _FeatureTable, positions: Float, ids: Int, transform: Float, findings: Findings, where: str) -> Crowd:
    center = rtc_center(table.entries, table.binary)
    if center is not None:
        positions = positions + np.array(center)
    scales = np.ones((table.rows, 3))
    uniform, uneven = table.floats("SCALE", 1), table.floats("SCALE_NON_UNIFORM", 3)
    scales = scales * (1.0 if uniform is None else uniform) * (1.0 if uneven is None else uneven)
    matrices = instance_matrices(positions, _turns(table, positions, transform), scales)
    kept = kept_instances(table.rows, findings, where)
    return Crowd(matrices[:kept], ids[:kept])


def _positions(table: _FeatureTable) -> Float:
    plain = table.floats("POSITION", 3)
    if plain is not None:
        return plain
    packed = table.array("POSITION_QUANTIZED", "<u2", 3)
    entries, binary = table.entries, table.binary
    offset, scale = (_vector(entries, binary, f"QUANTIZED_VOLUME_{name}") for name in ("OFFSET", "SCALE"))
    if packed is None or offset is None or scale is None:
        raise BrokenPart("no-positions", "The instances have no positions.")
    positions: Float = packed.astype(np.float64) / 65535.0 * np.array(scale) + np.array(offset)
    return positions


def _vector(entries: dict[str, Any], binary: bytes, name: str) -> list[float] | None:
    value = entries.get(name)
    start = as_int(as_dict(value).get("byteOffset"), -1)
    if isinstance(value, dict) and 0 <= start <= len(binary) - 12:
        return number_list([float(each) for each in struct.unpack_from("<3f", binary, start)], 3)
    return number_list(value, 3)


def _turns(table: _FeatureTable, positions: Float, transform: Float) -> Float:
    """Return (N, 3, 3) rotations: by given axes, by east, north and up at the place, or none."""
    ups, rights = table.floats("NORMAL_UP", 3), table.floats("NORMAL_RIGHT", 3)
    if ups is None or rights is None:
        packed = [table.array(f"NORMAL_{name}_OCT32P", "<u2", 2) for name in ("UP", "RIGHT")]
        if packed[0] is not None and packed[1] is not None:
            ups, rights = (octahedral(each) for each in packed if each is not None)
    if ups is not None and rights is not None:
        return _framed(rights, ups)
    if table.entries.get("EAST_NORTH_UP") is True:
        return _upright(positions, transform)
    return np.tile(np.eye(3), (table.rows, 1, 1))


def octahedral(packed: AnyArray) -> Float:
    """Return (N, 3) unit vectors of (N, 2) uint16 octahedral coordinates."""
    # Cigolle et al. (2014), A Survey of Efficient Representations for Independent Unit Vectors.
    x, y = (packed.astype(np.float64) / 65535.0 * 2.0 - 1.0).T
    z = 1.0 - np.abs(x) - np.abs(y)
    fold = z < 0
    folded_x = (1.0 - np.abs(y)) * np.where(x >= 0, 1.0, -1.0)
    folded_y = (1.0 - np.abs(x)) * np.where(y >= 0, 1.0, -1.0)
    vectors = np.column_stack([np.where(fold, folded_x, x), np.where(fold, folded_y, y), z])
    return _unit(vectors)


def _framed(rights: Float, ups: Float) -> Float:
    """Return (N, 3, 3) rotations that take x to the right and y up."""
    right, up = _unit(rights), _unit(ups)
    forward = _unit(np.cross(right, up))
    frame: Float = np.stack([right, up, forward], axis=2)
    is_turn = np.abs(np.linalg.det(frame)) > 0.1
    frame[~is_turn] = np.eye(3)
    return frame


def _unit(vectors: Float) -> Float:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-12)
    return unit


def _upright(positions: Float, transform: Float) -> Float:
    """Return (N, 3, 3) rotations to east, north and up at each place on the globe; none where a place is not on it."""
    turned = np.eye(3)
    world = positions
    if not len(positions) or np.median(np.linalg.norm(positions, axis=1)) < _ON_GLOBE:
        world = positions @ transform[:3, :3].T + transform[:3, 3]
        if len(world) and np.median(np.linalg.norm(world, axis=1)) < _ON_GLOBE:
            return np.tile(np.eye(3), (len(positions), 1, 1))
        u, _, v = np.linalg.svd(transform[:3, :3])
        turned = (u @ v).T
    # The ellipsoid's normal, by its semi-axes squared (WGS 84).
    up = _unit(world / np.array([6378137.0**2, 6378137.0**2, 6356752.314245179**2]))
    east = _unit(np.column_stack([-world[:, 1], world[:, 0], np.zeros(len(world))]))
    frame: Float = turned @ np.stack([east, np.cross(up, east), up], axis=2)
    return frame
