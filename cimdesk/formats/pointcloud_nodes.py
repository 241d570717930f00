"""Nodes of a cloud without an index of its own: in memory, or in a folder of the cache that is found again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError
from cimdesk.base.paths import cache_dir
from cimdesk.formats.pointcloud_tree import PENDING_BYTES, coordinates
from cimdesk.model.points import COLOR, PointBlock, PointTree

LAYOUT = 2
"""Version of what is kept in the cache."""
KEPT_BYTES = 40 << 30
"""Room that the nodes of all clouds together may take on disk; the longest unused ones go first."""
FREE_BYTES = 2 << 30
"""Room on disk that is left alone."""
_BOX = ("X", "Y", "Z")


@dataclass(frozen=True)
class RecordScale:
    """How records become world coordinates and colours.

    Attributes
    ----------
    scale, offset : (3,) float64
    color_shift : int
        Binary digits to take away from colours: 8 where they have 16 of them.
    """

    scale: Float
    offset: Float
    color_shift: int = 8


def block_of(row: int, records: AnyArray, scale: RecordScale) -> PointBlock:
    """Return records as a block: fields other than ``X Y Z`` are columns, ``red green blue`` one of colours."""
    world = coordinates(records) * scale.scale + scale.offset
    origin = np.floor(world.mean(axis=0)) if len(world) else np.zeros(3)
    columns: dict[str, AnyArray] = {}
    names = [name for name in records.dtype.names or () if name not in _BOX]
    if {"red", "green", "blue"} <= set(names):
        colors = np.column_stack([records[name] for name in ("red", "green", "blue")])
        columns[COLOR] = (colors >> scale.color_shift).astype(np.uint8) if colors.dtype.itemsize > 1 else colors
        names = [name for name in names if name not in ("red", "green", "blue")]
    for name in names:
        columns[name] = np.ascontiguousarray(records[name])
    return PointBlock(row, origin, (world - origin).astype(np.float32), columns)


class MemoryNodes:
    """A small cloud, held whole."""

    def __init__(self, tree: PointTree, parts: Mapping[int, list[AnyArray]], keys: list[int], scale: RecordScale) -> None:
        self.tree = tree
        self.scale = scale
        self._records = [np.concatenate(parts[key]) if key in parts else None for key in keys]

    def read(self, row: int) -> PointBlock:
        """Return one node."""
        records = self._records[row]
        assert records is not None
        return block_of(row, records, self.scale)


class DiskSink:
    """Writes records to one file; a node lies in it in as many pieces as it was added to."""

    def __init__(self, file: Path, pending: int = PENDING_BYTES) -> None:
        self.extents: dict[int, list[tuple[int, int]]] = {}
        self.dtype: np.dtype[Any] | None = None
        self._file = file.open("w+b", buffering=0)
        self._end = 0
        self._pending: dict[int, list[AnyArray]] = {}
        self._waiting = 0
        self._most = pending

    def append(self, key: int, records: AnyArray) -> None:
        """Add records to a node."""
        self.dtype = records.dtype
        self._pending.setdefault(key, []).append(records)
        self._waiting += records.nbytes
        if self._waiting > self._most:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._file.seek(self._end)
        written = []
        for key, parts in self._pending.items():
            count = sum(map(len, parts))
            self.extents.setdefault(key, []).append((self._end, count))
            written += parts
            self._end += sum(part.nbytes for part in parts)
        # One large write instead of thousands: pieces of records are gathered first.
        if written:
            self._file.write(np.concatenate(written).view(np.uint8).data)
        self._pending.clear()
        self._waiting = 0

    def slices(self, key: int) -> Iterator[AnyArray]:
        """Yield the records of a node, some at a time."""
        self.flush()
        assert self.dtype is not None
        for start, count in list(self.extents.get(key, ())):
            yield _records_at(self._file.fileno(), start, count, self.dtype)

    def discard(self, key: int) -> None:
        """Forget a node; its place in the file stays unused."""
        self.flush()
        self.extents.pop(key, None)

    def rename(self, key: int, new: int) -> None:
        """Give the records of a node to another, which has none."""
        self.flush()
        self.extents[new] = self.extents.pop(key)

    def close(self) -> None:
        """Write what waits and close the file; safe to call twice."""
        if not self._file.closed:
            self.flush()
            self._file.close()


class DiskNodes:
    """A large cloud in a folder of the cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.facts: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
            index = np.load(folder / "index.npz", allow_pickle=False)
            self.tree = PointTree(*(index[name] for name in ("keys", "parent", "counts", "low", "high", "spacing")))
            self._starts, self._extents = index["starts"], index["extents"]
        except (OSError, ValueError, KeyError) as error:
            raise DataError(folder, "the prepared points cannot be read.", remedy="Open the point cloud again.") from error
        self._dtype = np.dtype([(str(name), str(kind)) for name, kind in self.facts["dtype"]])
        self.scale = RecordScale(np.array(self.facts["scale"]), np.array(self.facts["offset"]), int(self.facts["color_shift"]))
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def read(self, row: int) -> PointBlock:
        """Return one node."""
        with self._lock:
            if self._descriptor is None:
                self._descriptor = os.open(self.folder / "points.bin", os.O_RDONLY | getattr(os, "O_BINARY", 0))
        pieces = self._extents[self._starts[row] : self._starts[row + 1]].tolist()
        try:
            records = [_records_at(self._descriptor, start, count, self._dtype) for start, count in pieces]
        except (OSError, ValueError) as error:
            raise DataError(self.folder, "the prepared points cannot be read.", remedy="Open the point cloud again.") from error
        return block_of(row, np.concatenate(records), self.scale)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) is not None:
            os.close(self._descriptor)  # type: ignore[arg-type]


def _records_at(descriptor: int, start: int, count: int, dtype: np.dtype[Any]) -> AnyArray:
    if hasattr(os, "pread"):
        data = os.pread(descriptor, count * dtype.itemsize, start)
    else:  # Windows has no call that reads at a place
        with _SEEK:
            os.lseek(descriptor, start, os.SEEK_SET)
            data = os.read(descriptor, count * dtype.itemsize)
    return np.frombuffer(data, dtype=dtype, count=count)


_SEEK = threading.Lock()


def write_index(
    folder: Path, tree: PointTree, keys: list[int], sink: DiskSink, scale: RecordScale, facts: Mapping[str, Any]
) -> None:
    """Write beside the points what finds them again."""
    pieces = [sink.extents.get(key, []) for key in keys]
    starts = np.cumsum([0, *map(len, pieces)])
    extents = np.array([piece for each in pieces for piece in each], dtype=np.int64).reshape(-1, 2)
    assert sink.dtype is not None
    np.savez(
        folder / "index.npz", keys=tree.keys, parent=tree.parent, counts=tree.counts, low=tree.low, high=tree.high,
        spacing=tree.spacing, starts=starts, extents=extents,
    )  # fmt: skip
    known = {
        **facts, "scale": scale.scale.tolist(), "offset": scale.offset.tolist(), "color_shift": scale.color_shift,
        "dtype": [[name, sink.dtype[name].str] for name in sink.dtype.names or ()],
    }  # fmt: skip
    (folder / "facts.json").write_text(json.dumps(known), encoding="utf-8")


def folder_for(path: Path) -> Path:
    """Return where the nodes of a file are kept: another place whenever the file changes."""
    known = path.resolve()
    stat = known.stat()
    text = f"{LAYOUT}|{known}|{stat.st_size}|{stat.st_mtime_ns}"
    return cache_dir() / "points" / hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def known_nodes(folder: Path) -> DiskNodes | None:
    """Return the nodes kept in a folder; None when there are none that can be used."""
    if not (folder / "facts.json").is_file():
        return None
    try:
        nodes = DiskNodes(folder)
        os.utime(folder / "facts.json")
    except (DataError, OSError):
        return None
    return nodes


def make_room(path: Path, size: int) -> None:
    """Let go of the longest unused clouds until ``size`` bytes more may be kept.

    Raises
    ------
    DataError
        If the disk has no room for them.
    """
    home = cache_dir() / "points"
    home.mkdir(parents=True, exist_ok=True)
    folders = sorted((f for f in home.iterdir() if (f / "facts.json").is_file()), key=lambda f: (f / "facts.json").stat().st_mtime)
    used = {folder: (folder / "points.bin").stat().st_size for folder in folders if (folder / "points.bin").is_file()}
    total = sum(used.values())
    for folder in folders:
        free = shutil.disk_usage(home).free
        if total + size <= KEPT_BYTES and size + FREE_BYTES <= free:
            break
        shutil.rmtree(folder, ignore_errors=True)
        total -= used.get(folder, 0)
    if size + FREE_BYTES > shutil.disk_usage(home).free:
        raise DataError(
            path,
            "it needs {size} GB of room on disk to be prepared.",
            remedy="Make room, or convert it to a COPC file (.copc.laz), which needs none.",
            size=f"{size / 2**30:.1f}",
        )
