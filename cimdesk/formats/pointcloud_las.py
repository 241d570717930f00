"""LAS and LAZ files: the header, the reference system, and the points as plain records, as many as can be read."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings

if TYPE_CHECKING:
    import laspy

CHUNK_POINTS = 500_000
PATCH_POINTS = 1_000
"""Points read at a time where a file is damaged, so that few good ones are lost."""
GLANCE_ASIDE = 6_000
GOLDEN = 0.618033988749895
GLANCE_STEP = 50_000
"""Points in a piece of a LAZ file, mostly: reading begins at the beginning of one."""
MOST_SALVAGED = 2 << 30
"""Largest damaged file whose rest is looked for [bytes]."""
LASZIP_RECORD = 22204
_DAMAGE = "Export or download the point cloud again."
_PLAIN: dict[str, str] = {
    "intensity": "<u2", "return_number": "u1", "number_of_returns": "u1", "classification": "u1", "user_data": "u1",
    "scan_angle": "<f4", "point_source_id": "<u2", "gps_time": "<f8", "red": "<u2", "green": "<u2", "blue": "<u2", "nir": "<u2",
}  # fmt: skip
MOST_ELEMENTS = 4
"""An extra dimension with more numbers for each point is left out."""
SCAN_ANGLE_STEP = 0.006
"""Degrees of one unit of the scan angle in point formats 6 to 10 (LAS 1.4, table 13)."""


class DamagedPoints(Exception):  # noqa: N818 - carries what a decoder said until a problem is made of it
    """The points cannot be read from here on."""


@contextmanager
def decoding() -> Iterator[None]:
    """Turn whatever a decoder of point data raises into `DamagedPoints`."""
    import laspy
    import lazrs

    try:
        yield
    except (laspy.errors.LaspyException, lazrs.LazrsError, ValueError, TypeError, LookupError, OSError, ArithmeticError,
            struct.error, MemoryError, AttributeError, EOFError) as error:  # fmt: skip
        raise DamagedPoints(str(error)[:160] or type(error).__name__) from error
    except BaseException as error:
        # The decompressor, which is not written in Python, panics on some damage.
        if type(error).__name__ != "PanicException":
            raise
        raise DamagedPoints("decompression failed") from error


@dataclass(frozen=True)
class LasFile:
    """An opened LAS or LAZ file.

    Attributes
    ----------
    path : Path
    version : str
    header : laspy.LasHeader
    crs : Crs or None
    announced : int
        Points the header tells of.
    low, high : (3,) float64
        Box the header tells of; upside down or not finite in bad files.
    is_copc : bool
    """

    path: Path
    version: str
    header: laspy.LasHeader
    crs: Crs | None
    announced: int
    low: Float
    high: Float
    is_copc: bool

    @property
    def is_compressed(self) -> bool:
        """Whether the points are packed (LAZ)."""
        return bool(self.header.are_points_compressed)

    @property
    def scale(self) -> Float:
        """(3,) steps of the integer coordinates."""
        return np.array(self.header.scales, dtype=np.float64)

    @property
    def offset(self) -> Float:
        """(3,) world coordinates of their zero."""
        return np.array(self.header.offsets, dtype=np.float64)


def open_las(path: Path, findings: Findings) -> LasFile:
    """Read the header of a LAS or LAZ file.

    Raises
    ------
    DataError
        If it cannot be used.
    """
    with path.open("rb") as file:
        return open_stream(path, file, path.stat().st_size, findings)


def open_stream(path: Path, file: BinaryIO, size: int, findings: Findings, reads_last: bool = True) -> LasFile:
    """Read the header of a LAS or LAZ file of ``size`` bytes from a stream.

    Parameters
    ----------
    path : Path
        What to call it.
    file : binary stream
        Must be able to go back.
    size : int
    findings : Findings
    reads_last : bool
        Whether to look at the records after the points too.

    Raises
    ------
    DataError
        If it cannot be used.
    """
    import laspy

    facts = _checked(path, file, size, findings)
    try:
        # Extended records come after the points; those of COPC are read by their place, and damaged ones would be fatal.
        file.seek(0)
        with decoding():
            header = laspy.LasHeader.read_from(file, read_evlrs=facts.reads_evlrs and reads_last)
            sizes = header.point_format.size, header.point_format.id
    except DamagedPoints as error:
        raise DataError(path, "its header cannot be read ({reason}).", remedy=_DAMAGE, reason=str(error)) from error
    scale, offset = np.array(header.scales, dtype=np.float64), np.array(header.offsets, dtype=np.float64)
    if not (
        np.isfinite(scale).all() and np.isfinite(offset).all() and (np.abs(scale) > 1e-15).all() and (np.abs(scale) < 1e6).all()
    ):
        raise DataError(path, "its header gives coordinates no usable scale.", remedy=_DAMAGE)
    low, high = np.array(header.mins, dtype=np.float64), np.array(header.maxs, dtype=np.float64)
    if sizes[0] != facts.record_length:
        raise DataError(
            path, "its points have {size} bytes, format {format} needs {needed}.",
            remedy=_DAMAGE, size=facts.record_length, format=sizes[1], needed=sizes[0],
        )  # fmt: skip
    is_copc = any(vlr.user_id == "copc" and vlr.record_id == 1 for vlr in header.vlrs)
    crs = crs_of(header, findings)
    return LasFile(path, f"{header.version}", header, crs, int(header.point_count), low, high, is_copc)


@dataclass(frozen=True)
class _Facts:
    record_length: int
    reads_evlrs: bool


def _checked(path: Path, file: BinaryIO, size: int, findings: Findings) -> _Facts:
    """Refuse headers that would lead a reader astray, before one sees them."""
    head = file.read(375)
    if head[:4] != b"LASF":
        raise DataError(path, "this is no LAS file: it does not begin with LASF.", remedy="Export it again.")
    if len(head) < 227:
        raise DataError(path, "the file ends in its header.", remedy=_DAMAGE)
    start, vlrs = struct.unpack_from("<II", head, 96)
    kind, record_length = struct.unpack_from("<BH", head, 104)
    if start > size or start < 227 or vlrs * 54 > start:
        raise DataError(
            path, "the header says that the points begin at byte {start} of {size}.", remedy=_DAMAGE, start=start, size=size
        )
    if kind & 0x3F > 10 or record_length < 20:
        raise DataError(path, "point format {kind} is not known.", remedy=_DAMAGE, kind=kind & 0x3F)
    reads = False
    if head[25] >= 4 and len(head) >= 247:
        first, count = struct.unpack_from("<QI", head, 235)
        reads = 0 < count < 1000 and start <= first and first + 60 * count <= size
        if count and not reads:
            findings.add("bad-evlr", "", "The records after the points are out of place and left out.")
        if reads and size - first > 256 << 20:
            reads = False
    return _Facts(record_length, reads)


def crs_of(header: Any, findings: Findings) -> Crs | None:
    """Return the reference system that the header names: WKT first, then GeoTIFF keys, with the vertical one."""
    texts = [_wkt_of(vlr) for vlr in (*header.vlrs, *(header.evlrs or ()))]
    for text in texts:
        if text and (found := Crs.parse(text)) is not None:
            return found
    if any(texts):
        findings.add("bad-crs", "", "The coordinate reference system of the file is not understood.")
    keys = {}
    for vlr in header.vlrs:
        if vlr.record_id == 34735 and str(vlr.user_id).startswith("LASF_Projection") and hasattr(vlr, "geo_keys"):
            keys = {int(key.id): int(key.value_offset) for key in vlr.geo_keys if int(key.tiff_tag_location) == 0}
    # 3072 projected, 2048 geographic, 4096 vertical; 32767 stands for one of the user's own.
    code = next((keys[key] for key in (3072, 2048) if 1024 <= keys.get(key, 0) < 32767), None)
    if code is None or (found := Crs.parse(f"EPSG:{code}")) is None:
        return None
    vertical = keys.get(4096, 0)
    both = Crs.parse(f"EPSG:{code}+{vertical}") if 1024 <= vertical < 32767 else None
    return both if both is not None and _is_sound(both) else found


def _is_sound(crs: Crs) -> bool:
    from pyproj.exceptions import CRSError

    try:
        return bool(crs.pyproj.is_compound)
    except CRSError:
        return False


def _wkt_of(vlr: Any) -> str:
    if vlr.record_id != 2112 or not str(vlr.user_id).startswith("LASF_Projection"):
        return ""
    text = getattr(vlr, "string", None)
    if text is None:
        data = getattr(vlr, "record_data", b"")
        text = bytes(data).decode("utf-8", "replace")
    return str(text).strip("\0 \r\n\t")


def fields_of(point_format: Any) -> list[tuple[str, str, str, int]]:
    """Return (name, dtype, name in the file, element or -1) of what is kept of each point, after ``X Y Z``."""
    names = set(point_format.dimension_names)
    fields = []
    for name, kind in _PLAIN.items():
        source = "scan_angle_rank" if name == "scan_angle" and "scan_angle" not in names else name
        if source in names:
            fields.append((name, kind, source, -1))
    taken = {"X", "Y", "Z", "x", "y", "z", "height", "color", *(field[0] for field in fields)}
    for dimension in point_format.extra_dimensions:
        count = int(dimension.num_elements or 1)
        if count > MOST_ELEMENTS:
            continue
        for k in range(count):
            name = dimension.name if count == 1 else f"{dimension.name}[{k}]"
            name = name if name not in taken else f"{name}_2"
            taken.add(name)
            kind = "<f8" if dimension.is_scaled or dimension.dtype is None else np.dtype(dimension.dtype).base.str
            fields.append((name, kind, dimension.name, k if count > 1 else -1))
    return fields


def records_of(points: Any, fields: list[tuple[str, str, str, int]]) -> AnyArray:
    """Return a laspy record of points as a plain structured array: ``X Y Z`` and ``fields``."""
    dtype = np.dtype([("X", "<i4"), ("Y", "<i4"), ("Z", "<i4"), *((name, kind) for name, kind, _, _ in fields)])
    out = np.empty(len(points.array), dtype=dtype)
    for name in ("X", "Y", "Z"):
        out[name] = points.array[name]
    for name, _, source, element in fields:
        values = np.asarray(points[source])
        values = values[:, element] if element >= 0 else values
        out[name] = values * SCAN_ANGLE_STEP if source == "scan_angle" else values
    return out


def read_records(las: LasFile, findings: Findings, size: int = CHUNK_POINTS) -> Iterator[AnyArray]:
    """Yield the points of a file as records, ``size`` at a time; what is wrong ends them and is noted.

    Parameters
    ----------
    las : LasFile
    findings : Findings
    size : int
    """
    given = 0
    reason = ""
    try:
        for records in _compressed(las, size) if las.is_compressed else _plain(las, size):
            given += len(records)
            yield records
    except DamagedPoints as error:
        reason = str(error)
    if reason and las.is_compressed:
        yield from (salvaged := _Salvage(las, given))
        given, reason = salvaged.given, salvaged.reason
    if given < las.announced:
        findings.error(
            "cut-off", "", "The header tells of {said} points; {found} can be read ({reason}).",
            said=las.announced, found=given, reason=reason or "the file ends",
        )  # fmt: skip


def glance(las: LasFile, places: int, points: int) -> list[AnyArray]:
    """Return some points from many places of a file, evenly over it: as many as can be read.

    Parameters
    ----------
    las : LasFile
    places : int
        Number of places at most.
    points : int
        Points from each.
    """
    import laspy

    found: list[AnyArray] = []
    step = max(las.announced // places, GLANCE_STEP)
    try:
        with decoding():
            reader = laspy.open(las.path, laz_backend=laspy.LazBackend.Lazrs, read_evlrs=False)
            fields = fields_of(reader.header.point_format)
        with reader:
            for k, start in enumerate(range(0, las.announced, step)):
                # Not at the very beginning of every piece: those may lie in rows, as lines of a flight have equal lengths.
                aside = int((k * GOLDEN % 1.0) * min(GLANCE_ASIDE, max(las.announced - start - points, 0)))
                with decoding():
                    reader.seek(start + aside)
                    found.append(records_of(reader.read_points(points), fields))
    except DamagedPoints:
        return found
    return found


class _Salvage:
    """Reads what is left of a damaged LAZ file from the front, a few points at a time, after the ``given`` ones."""

    def __init__(self, las: LasFile, given: int) -> None:
        self.las, self.given, self.reason = las, given, ""

    def __iter__(self) -> Iterator[AnyArray]:
        skip, waiting = self.given, []
        try:
            for records in _unpacked_in_order(self.las):
                fresh = records[min(skip, len(records)) :]
                skip -= len(records) - len(fresh)
                if len(fresh):
                    waiting.append(fresh)
                    self.given += len(fresh)
                if len(waiting) >= 200:
                    yield np.concatenate(waiting)
                    waiting = []
        except DamagedPoints as error:
            self.reason = str(error)
        if waiting:
            yield np.concatenate(waiting)


def _unpacked_in_order(las: LasFile) -> Iterator[AnyArray]:
    """Yield the points of a LAZ file that lost the table at its end: an empty table is put in its place."""
    import lazrs
    from laspy.point.record import PackedPointRecord, ScaleAwarePointRecord

    header = las.header
    if las.path.stat().st_size > MOST_SALVAGED:
        return
    start = int(header.offset_to_point_data)
    data = bytearray(las.path.read_bytes())
    if start + 8 > len(data):
        return
    struct.pack_into("<q", data, start, len(data))
    stream = io.BytesIO(bytes(data + bytes(8)))
    stream.seek(start)
    dtype, fields = header.point_format.dtype(), fields_of(header.point_format)
    with decoding():
        laszip = next((bytes(vlr.record_data) for vlr in header.vlrs if vlr.record_id == LASZIP_RECORD), b"")
        unpacker = lazrs.LasZipDecompressor(stream, laszip)
    for _ in range(0, las.announced, PATCH_POINTS):
        raw = np.zeros(PATCH_POINTS * dtype.itemsize, dtype=np.uint8)
        with decoding():
            unpacker.decompress_many(raw)
            packed = PackedPointRecord(raw.view(dtype), header.point_format)
            aware = ScaleAwarePointRecord(packed.array, packed.point_format, header.scales, header.offsets)
            yield records_of(aware, fields)


def _plain(las: LasFile, size: int) -> Iterator[AnyArray]:
    """Yield the points of an unpacked file, as many whole ones as it has."""
    from laspy.point.record import PackedPointRecord, ScaleAwarePointRecord

    header = las.header
    dtype = header.point_format.dtype()
    fields = fields_of(header.point_format)
    left = las.announced
    with las.path.open("rb") as file:
        file.seek(header.offset_to_point_data)
        while left > 0:
            data = file.read(min(size, left) * dtype.itemsize)
            array = np.frombuffer(data, dtype=dtype, count=len(data) // dtype.itemsize)
            if not len(array):
                return
            left -= len(array)
            with decoding():
                packed = PackedPointRecord(array, header.point_format)
                yield records_of(ScaleAwarePointRecord(packed.array, packed.point_format, header.scales, header.offsets), fields)


def _compressed(las: LasFile, size: int) -> Iterator[AnyArray]:
    import logging

    import laspy

    # What it would log is raised too, and told to the person.
    logging.getLogger("laspy").setLevel(logging.CRITICAL)
    with decoding():
        reader = laspy.open(las.path, laz_backend=laspy.LazBackend.LazrsParallel, read_evlrs=False)
        fields = fields_of(reader.header.point_format)
    try:
        chunks = reader.chunk_iterator(size)
        while True:
            with decoding():
                points = next(chunks, None)
                records = None if points is None else records_of(points, fields)
            if records is None or not len(records):
                return
            yield records
    finally:
        reader.close()
