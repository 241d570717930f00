"""SELAFIN (SERAFIN): results of TELEMAC-2D, Fortran records of either byte order and precision."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.flood_in import names
from cimdesk.formats.flood_in.finish import result_of
from cimdesk.formats.flood_in.mesh import Mesh, MeshFlow, no_speed, no_velocity, usable_faces
from cimdesk.formats.registry import ReadOptions, ReadResult

TITLE = 80
_REMEDY = "Copy it again, or write the result again."


def is_selafin(head: bytes) -> bool:
    """Return whether a file begins with a title of 80 letters as a Fortran record."""
    return len(head) >= TITLE + 8 and head[:4] in (b"\0\0\0P", b"P\0\0\0") and head[TITLE + 4 : TITLE + 8] == head[:4]


@dataclass(frozen=True)
class _Header:
    """What stands before the first time."""

    variables: list[str]
    nodes: Float
    faces: AnyArray
    start_time: float
    start: int
    real: np.dtype
    count: int
    title: str
    is_cut: bool

    @property
    def frame(self) -> int:
        """Bytes of one time."""
        size = len(self.nodes) * self.real.itemsize
        return self.real.itemsize + 8 + len(self.variables) * (size + 8)


class _Records:
    """Fortran records of a file in memory that is mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = np.memmap(path, dtype=np.uint8, mode="r")
        self.order = ">" if bytes(self.data[:4]) == b"\0\0\0P" else "<"
        self.at = 0

    def next(self) -> bytes:
        """Return the next record; raises `DataError` where the file is cut."""
        size = self._mark(self.at)
        end = self.at + 4 + size
        if size < 0 or end + 4 > len(self.data) or self._mark(end) != size:
            raise DataError(
                self.path, "the records do not fit together; the file is damaged or cut short.", where=f"byte {self.at}",
                remedy=_REMEDY,
            )  # fmt: skip
        body = bytes(self.data[self.at + 4 : end])
        self.at = end + 4
        return body

    def _mark(self, at: int) -> int:
        if at + 4 > len(self.data):
            return -1
        return int(struct.unpack(self.order + "i", bytes(self.data[at : at + 4]))[0])

    def integers(self) -> AnyArray:
        """Return the next record as whole numbers."""
        body = self.next()
        return np.frombuffer(body[: len(body) // 4 * 4], dtype=self.order + "i4").astype(np.int64)


def _header_of(records: _Records) -> _Header:
    path = records.path
    title = records.next().decode("latin-1")
    counts = records.integers()
    if len(counts) < 2 or not (0 < counts[0] + counts[1] < 1000) or counts.min() < 0:
        raise DataError(path, "the number of variables cannot be.", where="record 2", remedy=_REMEDY)
    variables = [records.next().decode("latin-1") for _ in range(int(counts[0] + counts[1]))]
    parameters = records.integers()
    start = _date(records.integers()) if len(parameters) >= 10 and parameters[9] == 1 else 0.0
    sizes = records.integers()
    if len(sizes) < 3 or min(sizes[:3]) < 1:
        raise DataError(path, "the mesh has no faces.", where="record 5", remedy=_REMEDY)
    if len(parameters) >= 7 and parameters[6] > 1:
        raise DataError(
            path, "it is a result of three dimensions, with {planes} planes.", remedy="Open the two-dimensional result.",
            planes=int(parameters[6]),
        )  # fmt: skip
    elements, points, corners = (int(size) for size in sizes[:3])
    table = records.integers()
    records.next()
    x, y = records.next(), records.next()
    wide = len(x) == 8 * points
    real = np.dtype(records.order + ("f8" if wide else "f4"))
    if table.size != elements * corners or len(x) != points * real.itemsize or len(y) != len(x):
        raise DataError(path, "the mesh cannot be understood.", where="record 6", remedy=_REMEDY)
    nodes = np.column_stack([np.frombuffer(x, real), np.frombuffer(y, real)]).astype(np.float64)
    if len(parameters) >= 4:
        nodes += parameters[2:4]
    header = _Header(variables, nodes, table.reshape(elements, corners) - 1, start, records.at, real, 0, title, False)
    left = len(records.data) - records.at
    return _Header(variables, nodes, header.faces, start, records.at, real, left // header.frame, title, left % header.frame != 0)


def _date(parts: AnyArray) -> float:
    try:
        if parts[0] <= 1900:  # what TELEMAC writes where nobody gave a date
            return 0.0
        return datetime(*(int(part) for part in parts[:6]), tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]
    except (ValueError, TypeError, IndexError):
        return 0.0


def read_selafin(path: Path, options: ReadOptions) -> ReadResult:
    """Read the mesh of a file and its water by time; the ground alone where there is none.

    Raises
    ------
    DataError
        If the file is damaged before its first time.
    """
    records = _Records(path)
    header = _header_of(records)
    problems: list[Problem] = []
    if header.is_cut:
        problems.append(Problem(Severity.WARNING, "cut-short", f"byte {header.start + header.count * header.frame}",
                                "the last time is cut short; the times before it are read."))  # fmt: skip
    usable = usable_faces(header.nodes, header.faces)
    if not usable.any():
        raise DataError(path, "the mesh has no faces.", where="record 6", remedy=_REMEDY)
    flow = _flow_of(path, header, records.data, Mesh(header.nodes, header.faces[usable]), problems)
    objects = {"nodes": len(header.nodes), "faces": len(header.faces), "variables": len(header.variables)}
    return result_of("SELAFIN", None, flow, objects, options, problems)


def _flow_of(path: Path, header: _Header, data: AnyArray, mesh: Mesh, problems: list[Problem]) -> MeshFlow:
    size, count = header.real.itemsize, len(header.nodes)

    def values(row: int, k: int) -> Float:
        at = header.start + k * header.frame + size + 8 + row * (count * size + 8) + 4
        return np.frombuffer(bytes(data[at : at + count * size]), header.real).astype(np.float64)

    def time(k: int) -> float:
        at = header.start + k * header.frame + 4
        return float(np.frombuffer(bytes(data[at : at + size]), header.real)[0])

    rows: dict[str, int] = {}
    for row, name in enumerate(header.variables):
        rows.setdefault(names.quantity_of(name[:16]), row)
    times = np.array([time(k) for k in range(header.count)])
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise DataError(path, "its times are not rising.", remedy=_REMEDY)
    bed = values(rows[names.BED], 0) if names.BED in rows and header.count else np.zeros(0)
    has_depth, has_level = names.DEPTH in rows, names.LEVEL in rows
    if not header.count or not (has_depth or (has_level and len(bed))):
        return MeshFlow(path.stem, mesh, True, bed, np.zeros(0), np.zeros)
    if not len(bed):
        bed = values(rows[names.LEVEL], 0) - values(rows[names.DEPTH], 0) if has_level else np.zeros(count)
        if not has_level:
            problems.append(
                Problem(Severity.WARNING, "no-ground", path.stem, "it has no ground: levels of the water are not known.")
            )

    def depth(k: int) -> Float:
        return values(rows[names.DEPTH], k) if has_depth else values(rows[names.LEVEL], k) - bed

    def speed(k: int) -> Float:
        return np.abs(values(rows[names.SPEED], k)) if not moves else np.hypot(*velocity(k))

    def velocity(k: int) -> tuple[Float, Float]:
        return values(rows[names.U], k), values(rows[names.V], k)

    moves = names.U in rows and names.V in rows
    return MeshFlow(
        path.stem, mesh, True, bed, times - times[0], depth, speed if moves or names.SPEED in rows else no_speed,
        header.start_time + float(times[0]),
        statistics={"engine": "TELEMAC-2D"}, velocity=velocity if moves else no_velocity,
    )  # fmt: skip
