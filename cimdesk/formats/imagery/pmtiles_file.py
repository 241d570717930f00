"""PMTiles 3: tiles in one file behind directories sorted by place on a Hilbert curve; local, or read in parts from a server."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from cimdesk.base.arrays import Float, Int, UInt8
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.imagery.grids import MAX_ZOOM, Tile, lonlat_box
from cimdesk.formats.imagery.kept import Kept
from cimdesk.formats.imagery.pyramid import LostTileError

MAGIC = b"PMTiles"
HEADER = 127
MAX_DIRECTORY = 8 << 20
MAX_METADATA = 8 << 20
MAX_TILE = 16 << 20
DIRECTORIES = 32 << 20
DEPTH = 4
NONE, GZIP = 1, 2
TYPES = {1: "mvt", 2: "png", 3: "jpeg", 4: "webp", 5: "avif", 6: "mlt"}

Fetch = Callable[[int, int, CancelToken], bytes]
"""(offset, length, cancel) -> bytes; may be fewer at the end. Raises LostTileError."""


class BrokenArchiveError(Exception):
    """The file is not what its header says; the text says why."""


@dataclass(frozen=True)
class Directory:
    """Entries in order of their first tile: (N,) int64 ids, run lengths (0 for a further directory), lengths and offsets."""

    ids: Int
    runs: Int
    lengths: Int
    offsets: Int


class PmtilesFile:
    """Tiles of one archive; a `TileFiles`.

    Attributes
    ----------
    kind : str
        What its tiles are: mvt, png, jpeg, webp, avif, mlt or empty.
    zooms : tuple of 2 ints
    bounds : (2, 2) float64
        Web Mercator box that the header names.
    centre : tuple of 3 floats
        Longitude, latitude and zoom to begin with.
    count : int
        Tiles that the header says can be asked for.
    metadata : dict
    """

    def __init__(self, name: Path | str, fetch: Fetch, workers: int = 1) -> None:
        from pmtiles.tile import deserialize_header

        self.workers = workers
        self._fetch = fetch
        self._directories: Kept[Directory] = Kept(DIRECTORIES, lambda entries: 4 * entries.ids.nbytes + 64)
        head = fetch(0, HEADER, CancelToken())
        if len(head) < HEADER or not head.startswith(MAGIC):
            raise _broken(name, "the header is cut off")
        if head[7] != 3:
            raise DataError(
                name,
                "this is PMTiles version {version}; version 3 can be read.",
                remedy="Convert it with “pmtiles convert”.",
                version=head[7],
            )
        try:
            header: dict[str, Any] = dict(deserialize_header(head))
        except (ValueError, KeyError, IndexError) as error:
            raise _broken(name, str(error)) from error
        self._header = header
        self._packing = int(header["internal_compression"].value)
        self._tile_packing = int(header["tile_compression"].value)
        for packing in (self._packing, self._tile_packing):
            if packing not in (0, NONE, GZIP):
                raise DataError(
                    name,
                    "its tiles are packed with {method}, which cannot be read.",
                    remedy="Convert it with gzip packing.",
                    method={3: "brotli", 4: "zstd"}.get(packing, packing),
                )
        self.kind = TYPES.get(int(header["tile_type"].value), "")
        self.zooms = (int(header["min_zoom"]), int(header["max_zoom"]))
        if not 0 <= self.zooms[0] <= self.zooms[1] <= MAX_ZOOM:
            raise _broken(name, f"zoom {self.zooms[0]} to {self.zooms[1]}")
        degrees = [header[key] / 1e7 for key in ("min_lon_e7", "min_lat_e7", "max_lon_e7", "max_lat_e7")]
        self.bounds: Float = lonlat_box(*degrees)
        self.centre = (header["center_lon_e7"] / 1e7, header["center_lat_e7"] / 1e7, float(header["center_zoom"]))
        self.count = int(header["addressed_tiles_count"])
        try:
            self._root = self._directory(int(header["root_offset"]), int(header["root_length"]), CancelToken())
            self.metadata = self._metadata(header)
        except BrokenArchiveError as error:
            raise _broken(name, str(error)) from error

    def read(self, tile: Tile, cancel: CancelToken) -> bytes | None:
        """Return the unpacked bytes of a tile, None when there is none; ``tile.level`` counts from the first zoom."""
        from pmtiles.tile import zxy_to_tileid

        zoom = self.zooms[0] + tile.level
        try:
            place = self._find(zxy_to_tileid(zoom, tile.column, tile.row), cancel)
            if place is None:
                return None
            offset, length = place
            if length > MAX_TILE:
                raise BrokenArchiveError(f"{length} bytes")
            data = self._fetch(int(self._header["tile_data_offset"]) + offset, length, cancel)
            if len(data) < length:
                raise BrokenArchiveError("cut off")
            return unpacked(data, MAX_TILE) if self._tile_packing in (0, GZIP) else data
        except BrokenArchiveError as error:
            problem = Problem(
                Severity.ERROR, "unreadable-tile", f"{zoom}/{tile.column}/{tile.row}", "The tile cannot be read ({reason}).",
                {"reason": str(error)},
            )  # fmt: skip
            raise LostTileError(problem) from error

    def _find(self, tile_id: int, cancel: CancelToken) -> tuple[int, int] | None:
        entries = self._root
        for _ in range(DEPTH):
            at = int(np.searchsorted(entries.ids, tile_id, side="right")) - 1
            if at < 0:
                return None
            run, offset, length = int(entries.runs[at]), int(entries.offsets[at]), int(entries.lengths[at])
            if run > 0:
                return (offset, length) if tile_id < int(entries.ids[at]) + run else None
            start = int(self._header["leaf_directory_offset"]) + offset
            entries = self._directories.get((start, length), lambda s=start, n=length: self._directory(s, n, cancel))  # type: ignore[misc]
        raise BrokenArchiveError("directories within directories")

    def _directory(self, offset: int, length: int, cancel: CancelToken) -> Directory:
        if not 0 < length <= MAX_DIRECTORY:
            raise BrokenArchiveError(f"a directory of {length} bytes")
        data = self._fetch(offset, length, cancel)
        if len(data) < length:
            raise BrokenArchiveError("a directory is cut off")
        return directory_of(unpacked(data, MAX_DIRECTORY) if self._packing != NONE else data)

    def _metadata(self, header: dict[str, Any]) -> dict[str, Any]:
        length = int(header["metadata_length"])
        if not 0 < length <= MAX_METADATA:
            return {}
        data = self._fetch(int(header["metadata_offset"]), length, CancelToken())
        try:
            found = orjson.loads(unpacked(data, MAX_METADATA) if self._packing != NONE else data)
        except orjson.JSONDecodeError as error:
            raise BrokenArchiveError(str(error)) from error
        return found if isinstance(found, dict) else {}


def directory_of(data: bytes) -> Directory:
    """Return the entries of an unpacked directory; raises BrokenArchiveError."""
    numbers = varints(np.frombuffer(data, dtype=np.uint8))
    count = int(numbers[0]) if len(numbers) else -1
    if count < 1 or len(numbers) < 1 + 4 * count:
        raise BrokenArchiveError("a directory is cut off")
    steps, runs, lengths, places = numbers[1 : 1 + 4 * count].astype(np.int64).reshape(4, count)
    offsets = places - 1
    follows = places == 0
    if follows[0] or (lengths <= 0).any() or (offsets < -1).any() or (steps < 0).any():
        raise BrokenArchiveError("a directory is damaged")
    # Where the place is left out, the tile follows on the one before.
    ends = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    anchor = np.maximum.accumulate(np.where(follows, -1, np.arange(count)))
    offsets = offsets[anchor] + ends - ends[anchor]
    return Directory(np.cumsum(steps), runs, lengths, offsets)


def varints(data: UInt8) -> Any:
    """Return the (N,) uint64 numbers of a run of base-128 varints; what is cut off at the end is left out."""
    last = np.flatnonzero(data < 0x80)
    if not len(last):
        return np.zeros(0, dtype=np.uint64)
    data = data[: last[-1] + 1]
    starts = np.concatenate([[0], last[:-1] + 1])
    owner = np.repeat(np.arange(len(last)), last - starts + 1)
    shift = (np.arange(len(data)) - starts[owner]) * 7
    if int(shift.max()) > 63:
        raise BrokenArchiveError("a number is too long")
    parts = (data & 0x7F).astype(np.uint64) << shift.astype(np.uint64)
    return np.bitwise_or.reduceat(parts, starts)


def unpacked(data: bytes, limit: int) -> bytes:
    """Return gzipped bytes unpacked, others as they are; raises BrokenArchiveError for more than ``limit`` bytes."""
    if data[:2] != b"\x1f\x8b":
        return data
    unpacker = zlib.decompressobj(31)
    try:
        out = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        raise BrokenArchiveError(str(error)) from error
    if len(out) > limit or not unpacker.eof:
        raise BrokenArchiveError("too large when unpacked" if len(out) > limit else "cut off")
    return out


class LocalParts:
    """Parts of a local file; closes it when nobody needs them any more."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error

    def __call__(self, offset: int, length: int, cancel: CancelToken) -> bytes:
        try:
            with self._lock:
                self._file.seek(offset)
                return self._file.read(length)
        except (OSError, ValueError, OverflowError) as error:
            raise BrokenArchiveError(str(error)) from error

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def _broken(name: Path | str, reason: str) -> DataError:
    return DataError(name, "the tiles cannot be read ({reason}).", remedy="Copy or download the file again.", reason=reason)
