"""Point clouds in plain files: PLY without faces, and XYZ or PTS text with one point in a line."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.pointcloud import memory_nodes, result_of
from cimdesk.formats.pointcloud_columns import packed_records
from cimdesk.formats.registry import ReadOptions, ReadResult

MOST_POINTS = 40_000_000
"""Points held in memory at most; larger clouds are for LAZ."""
MOST_COLUMNS = 24
MOST_HEADER = 1 << 20
BLOCK_BYTES = 32 << 20
_SUFFIXES = (".xyz", ".pts", ".ply")
_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ALIASES = {
    "r": "red", "g": "green", "b": "blue", "diffuse_red": "red", "diffuse_green": "green", "diffuse_blue": "blue",
    "i": "intensity", "scalar_intensity": "intensity", "reflectance": "intensity", "class": "classification",
    "scalar_classification": "classification", "label": "classification", "easting": "x", "northing": "y", "height": "z",
    "gpstime": "gps_time", "scalar_gpstime": "gps_time",
}  # fmt: skip
_BY_COUNT: dict[int, tuple[str, ...]] = {
    3: ("x", "y", "z"), 4: ("x", "y", "z", "intensity"), 6: ("x", "y", "z", "red", "green", "blue"),
    7: ("x", "y", "z", "intensity", "red", "green", "blue"),
}  # fmt: skip
"""What the columns of a text without names are, by their number."""
_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")
_AGAIN = "Export it again as LAZ or as text with x, y and z first."


@dataclass(frozen=True)
class PlainPointReader:
    """Reads PLY points and XYZ text."""

    name: str = "Points"
    suffixes: tuple[str, ...] = _SUFFIXES

    def claim(self, path: Path, head: bytes) -> float:
        """Claim PLY files that have no faces, and text whose lines begin with three numbers."""
        suffix = path.suffix.lower()
        if head[:3] == b"ply":
            faces = re.search(rb"element\s+(?:face|tristrips)\s+(\d+)", head)
            return 0.95 if b"element vertex" in head and (faces is None or int(faces[1]) == 0) else 0.0
        if suffix not in (".xyz", ".pts"):
            return 0.0
        lines = [line for line in head.splitlines()[:-1] if line.strip()]
        return 0.8 if any(len(_numbers(line)) >= 3 for line in lines[:20]) else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read all points into memory.

        Raises
        ------
        DataError
            If nothing in it can be used.
        """
        findings = Findings()
        is_ply = _begins_ply(path)
        columns = _read_ply(path, findings) if is_ply else _read_text(path, options, findings)
        options.cancel.raise_if_cancelled()
        records, scale = packed_records(path, _known(columns), findings)
        nodes = memory_nodes(path, [records], scale)
        return result_of("PLY" if is_ply else "XYZ", None, None, path.stem, nodes, options, findings.problems())


def _begins_ply(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"ply\n", b"ply\r")


def _numbers(line: bytes) -> list[bytes]:
    parts = re.split(rb"[\s,;]+", line.strip())
    return parts if all(_NUMBER.match(part) for part in parts) else []


def _read_ply(path: Path, findings: Findings) -> dict[str, AnyArray]:
    """Return the columns of the vertices."""
    with path.open("rb") as file:
        head = file.read(MOST_HEADER)
        end = re.search(rb"end_header[^\n]*\n", head)
        if end is None:
            raise DataError(path, "its header does not end.", remedy=_AGAIN)
        words = [line.split() for line in head[: end.start()].decode("ascii", "replace").splitlines()]
        form = next((line[1] for line in words if line[:1] == ["format"] and len(line) > 1), "")
        count, fields = _vertex_of(path, words)
        order = {"binary_little_endian": "<", "binary_big_endian": ">"}.get(form)
        if order is None and form != "ascii":
            raise DataError(path, "its form “{form}” is not known.", remedy=_AGAIN, form=form[:40])
        if count > MOST_POINTS:
            raise _too_many(path, count)
        file.seek(end.end())
        if order is None:
            table = _parsed(file.read(), len(fields), count)
            found = {name: table[:, k] for k, (name, _) in enumerate(fields)}
        else:
            dtype = np.dtype([(name, order + kind) for name, kind in fields])
            data = file.read(count * dtype.itemsize)
            records = np.frombuffer(data, dtype=dtype, count=len(data) // dtype.itemsize)
            found = {name: records[name] for name, _ in fields}
    have = len(next(iter(found.values())))
    if have < count:
        findings.error(
            "cut-off", "", "The header tells of {said} points; {found} can be read ({reason}).",
            said=count, found=have, reason="the file ends",
        )  # fmt: skip
    return found


def _vertex_of(path: Path, words: Sequence[list[str]]) -> tuple[int, list[tuple[str, str]]]:
    """Return the number of vertices and their properties."""
    starts = [k for k, line in enumerate(words) if line[:1] == ["element"]]
    if not starts or words[starts[0]][1:2] != ["vertex"] or not words[starts[0]][2:3] or not words[starts[0]][2].isdigit():
        raise DataError(path, "its points do not come first.", remedy=_AGAIN)
    end = starts[1] if len(starts) > 1 else len(words)
    fields: list[tuple[str, str]] = []
    for line in words[starts[0] + 1 : end]:
        if line[:1] != ["property"]:
            continue
        kind = _PLY_TYPES.get(line[1]) if len(line) == 3 else None
        if kind is None:
            raise DataError(path, "a property of its points has no plain type.", where=" ".join(line)[:60], remedy=_AGAIN)
        name = line[2] if line[2] not in dict(fields) else f"{line[2]}_{len(fields)}"
        fields.append((name, kind))
    return int(words[starts[0]][2]), fields


def _read_text(path: Path, options: ReadOptions, findings: Findings) -> dict[str, AnyArray]:
    """Return the columns of a text; lines that are no points are counted."""
    names: list[str] = []
    width = 0
    tables: list[Float] = []
    total = skipped = 0
    for data in _blocks(path):
        options.cancel.raise_if_cancelled()
        if not width:
            names, width = _columns_of(path, data)
        table = _parsed(data, width, None)
        skipped += _lines(data) - len(table)
        tables.append(table)
        total += len(table)
        if total > MOST_POINTS:
            raise _too_many(path, total)
    # A line of names and, in PTS, the number of points come before the points.
    if skipped > 2:
        findings.add("bad-lines", "", "{count} lines are no points and are left out.", count=skipped)
    whole = np.concatenate(tables) if tables else np.zeros((0, 3))
    return {name: whole[:, k] for k, name in enumerate(names[:width])}


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield whole lines, some megabytes at a time."""
    rest = b""
    with path.open("rb") as file:
        while data := file.read(BLOCK_BYTES):
            cut = data.rfind(b"\n") + 1
            if not cut and len(rest) > 4 * BLOCK_BYTES:
                raise DataError(path, "it has a line without end.", remedy=_AGAIN)
            if cut:
                yield rest + data[:cut]
                rest = data[cut:]
            else:
                rest += data
    if rest:
        yield rest + b"\n"


def _columns_of(path: Path, data: bytes) -> tuple[list[str], int]:
    """Return the names of the columns and their number, from the first lines."""
    lines = data[:65536].splitlines()[:200]
    rows = [len(numbers) for line in lines if len(numbers := _numbers(line)) >= 3]
    if not rows:
        raise DataError(path, "no line of it begins with three numbers.", remedy=_AGAIN)
    width = min(max(set(rows), key=rows.count), MOST_COLUMNS)
    first = next(line for line in lines if line.strip())
    words = re.split(r"[\s,;]+", first.decode("utf-8", "replace").strip().lstrip("#/").strip())
    if len(words) >= width and not _numbers(first) and {"x", "y", "z"} <= {_ALIASES.get(w.lower(), w.lower()) for w in words}:
        return words[:width], width
    known = list(_BY_COUNT.get(width, ()))
    return known or [*_BY_COUNT[3], *(f"column_{k + 1}" for k in range(3, width))], width


def _parsed(data: bytes, width: int, count: int | None) -> Float:
    """Return the rows of numbers of a text that have at least ``width`` of them."""
    text = data.replace(b",", b" ").replace(b";", b" ")
    try:
        table = np.loadtxt(io.BytesIO(text), usecols=range(width), ndmin=2, max_rows=count, comments=["#", "//"])
        return table.reshape(-1, width)
    except ValueError:
        pass
    rows = [numbers[:width] for line in text.splitlines()[:count] if len(numbers := _numbers(line)) >= width]
    return np.array(rows, dtype=np.float64).reshape(-1, width)


def _lines(data: bytes) -> int:
    return sum(1 for line in data.splitlines() if line.strip())


def _too_many(path: Path, count: int) -> DataError:
    return DataError(
        path, "it has {count} points; in this form up to {most} are read.",
        remedy="Convert it to LAZ or COPC.", count=count, most=MOST_POINTS,
    )  # fmt: skip


def _known(columns: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return columns under the names that they have elsewhere."""
    named = {_ALIASES.get(name.lower(), name.lower() if len(name) == 1 else name): values for name, values in columns.items()}
    return dict(list(named.items())[: MOST_COLUMNS + 3])


READER = PlainPointReader()
