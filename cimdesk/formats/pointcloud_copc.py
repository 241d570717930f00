"""COPC files: the octree is in the file, so only its hierarchy and the nodes that a view needs are ever read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.pointcloud_las import LASZIP_RECORD, DamagedPoints, LasFile, decoding, fields_of, records_of
from cimdesk.formats.pointcloud_nodes import RecordScale, block_of
from cimdesk.formats.pointcloud_tree import tree_of
from cimdesk.model.points import PointBlock, PointTree, name_of

MAX_NODES = 2_000_000
MAX_NODE_POINTS = 20_000_000
DEEPEST = 25
_ENTRY = np.dtype(
    [("level", "<i4"), ("x", "<i4"), ("y", "<i4"), ("z", "<i4"), ("offset", "<u8"), ("size", "<i4"), ("count", "<i4")]
)

ReadAt = Callable[[int, int], bytes]
"""(offset, size) -> bytes: fewer where the file ends."""


class CopcNodes:
    """The nodes of a COPC file.

    Attributes
    ----------
    tree : PointTree
    scale : RecordScale
    """

    def __init__(self, las: LasFile, read_at: ReadAt, size: int, findings: Findings) -> None:
        self._las = las
        self._read_at = read_at
        header = las.header
        self._laszip = next((bytes(vlr.record_data) for vlr in header.vlrs if vlr.record_id == LASZIP_RECORD), b"")
        info = next(vlr for vlr in header.vlrs if vlr.user_id == "copc" and vlr.record_id == 1)
        self._fields = fields_of(header.point_format)
        self.scale = RecordScale(las.scale, las.offset)
        half = float(info.halfsize)
        centre = np.array(info.center, dtype=np.float64)
        if not (np.isfinite(centre).all() and np.isfinite(half) and half > 0.0 and self._laszip):
            raise DataError(las.path, "its COPC record cannot be used.", remedy="Convert it again, for example with untwine.")
        spacing = float(info.spacing) if np.isfinite(info.spacing) and 0.0 < info.spacing <= 2.0 * half else half / 64.0
        entries = self._entries(int(info.hierarchy_root_offset), int(info.hierarchy_root_size), size, findings)
        self.tree, self._places = _tree(entries, centre - half, 2.0 * half, spacing, las)
        if not self.tree.counts.sum():
            raise DataError(
                las.path, "its hierarchy has no points that can be read.", remedy="Convert it again, for example with untwine."
            )

    @property
    def count(self) -> int:
        """Points of all nodes."""
        return int(self.tree.counts.sum())

    def with_color_shift(self, shift: int) -> None:
        """Say how many binary digits of the colours to take away."""
        self.scale = replace(self.scale, color_shift=shift)

    def read(self, row: int) -> PointBlock:
        """Return one node.

        Raises
        ------
        DataError
            If it cannot be unpacked.
        """
        offset, size, count = self._places[row].tolist()
        try:
            records = self._unpacked(self._read_at(offset, size), size, count)
        except DamagedPoints as error:
            raise DataError(
                self._las.path, "the points of a node cannot be unpacked ({reason}).",
                where=name_of(self.tree.keys[row]), remedy="Convert it again, for example with untwine.", reason=str(error),
            ) from error  # fmt: skip
        return block_of(row, records, self.scale)

    def _unpacked(self, data: bytes, size: int, count: int) -> AnyArray:
        import lazrs
        from laspy.point.record import PackedPointRecord, ScaleAwarePointRecord

        if len(data) < size:
            raise DamagedPoints("the file ends")
        header = self._las.header
        dtype = header.point_format.dtype()
        raw = np.zeros(count * dtype.itemsize, dtype=np.uint8)
        with decoding():
            lazrs.decompress_points_with_chunk_table(data, self._laszip, raw, [(count, size)])
            packed = PackedPointRecord(raw.view(dtype), header.point_format)
            aware = ScaleAwarePointRecord(packed.array, packed.point_format, header.scales, header.offsets)
            return records_of(aware, self._fields)

    def _entries(self, start: int, length: int, size: int, findings: Findings) -> AnyArray:
        """Return every entry that has or leads to points, one for each node; pages that lie are left out."""
        pages, seen, found, total = [(start, length)], set(), [], 0
        while pages:
            offset, length = pages.pop()
            if offset in seen or length <= 0 or offset + length > size or total + length // 32 > MAX_NODES:
                findings.error(
                    "bad-page", str(offset), "A page of the hierarchy lies outside the file or comes twice; its nodes are missing."
                )
                continue
            seen.add(offset)
            data = self._read_at(offset, length)
            entries = np.frombuffer(data, dtype=_ENTRY, count=len(data) // _ENTRY.itemsize)
            total += len(entries)
            is_page = entries["count"] == -1
            pages += [(int(e["offset"]), int(e["size"])) for e in entries[is_page]]
            found.append(entries[~is_page])
        entries = np.concatenate(found) if found else np.zeros(0, dtype=_ENTRY)
        side = np.int64(1) << np.clip(entries["level"], 0, DEEPEST).astype(np.int64)
        is_sound = (entries["level"] >= 0) & (entries["level"] <= DEEPEST) & (entries["count"] >= 0)
        for axis in "xyz":
            is_sound &= (entries[axis] >= 0) & (entries[axis] < side)
        end = entries["offset"].astype(np.float64) + entries["size"]
        is_empty = entries["count"] == 0
        is_sound &= is_empty | ((entries["size"] > 0) & (end <= size) & (entries["count"] <= MAX_NODE_POINTS))
        if not is_sound.all():
            findings.error(
                "bad-node",
                "",
                "{count} nodes of the hierarchy lie outside the file and are left out.",
                count=int((~is_sound).sum()),
            )
        return entries[is_sound]


def _tree(entries: AnyArray, low: Float, side: float, spacing: float, las: LasFile) -> tuple[PointTree, AnyArray]:
    """Return the tree, and (N, 3) int64 offset, size and count of each node."""
    places: dict[tuple[int, int, int, int], tuple[int, int, int]] = {}
    for level, x, y, z, offset, size, count in entries.tolist():
        places[level, x, y, z] = (offset, size, count)
    for level, x, y, z in list(places):
        while level and (key := (level - 1, x >> 1, y >> 1, z >> 1)) not in places:
            places[key] = (0, 0, 0)
            level, x, y, z = key
    order = sorted(places)
    row_of = {key: row for row, key in enumerate(order)}
    parent = [row_of[k[0] - 1, k[1] >> 1, k[2] >> 1, k[3] >> 1] if k[0] else -1 for k in order]
    keys = np.array(order, dtype=np.int32).reshape(-1, 4)
    table = np.array([places[key] for key in order], dtype=np.int64).reshape(-1, 3)
    sides = (side / 2.0 ** keys[:, 0].astype(np.float64))[:, None]
    box_low = low + keys[:, 1:] * sides
    box_high = box_low + sides
    if np.isfinite([las.low, las.high]).all() and (las.low <= las.high).all():
        # The cube is as high as it is wide; the header knows how low the city is.
        box_low, box_high = np.clip(box_low, las.low, las.high), np.clip(box_high, las.low, las.high)
    is_empty = table[:, 2] == 0
    box_low[is_empty], box_high[is_empty] = np.inf, -np.inf
    tree = tree_of(keys, np.array(parent, dtype=np.int32), table[:, 2], box_low, box_high, spacing)
    return tree, table


def file_reader(path: Any) -> ReadAt:
    """Return what reads a part of a file, from any thread."""

    def read_at(offset: int, size: int) -> bytes:
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                return file.read(size)
        except (OSError, OverflowError, struct.error) as error:
            raise DamagedPoints(str(error)) from error

    return read_at
