"""Files to tile as tasks that any process can do: stretches of a sequence or of a table of outlines, or whole files."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import Progress, no_progress
from cimdesk.formats import registry
from cimdesk.formats.citygml.pieces import read_pieces
from cimdesk.formats.citygml.reader import CityGMLReader
from cimdesk.formats.cityjson.flat import SequenceHead, read_head_lines, read_lines
from cimdesk.formats.cityjson.glance import glance_at
from cimdesk.formats.cityjson.reader import CityJSONReader, CityJSONSeqReader
from cimdesk.formats.cityjson.stretches import LargeObject, large_object, read_objects
from cimdesk.formats.findings import Findings
from cimdesk.formats.json_parts import aligned
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.city import CityModel
from cimdesk.model.city_piece import CityPiece
from cimdesk.model.features import VectorLayer
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData, bounds_of
from cimdesk.services.tiling.footprints import (
    ROWS,
    Outlines,
    Raising,
    is_large_osm,
    layout_of,
    pieces_of_osm,
    pieces_of_rows,
    place_of_osm,
    raised,
)
from cimdesk.services.tiling.pieces import piece_of_city, split_piece

STRETCH = 4 << 20
"""Bytes of a sequence in one task."""
MAX_LINE = 64 << 20
"""Bytes a line may have: a longer one is no city object."""
OBJECT_FROM = 64 << 20
"""Size from which CityJSON is read stretch by stretch [bytes]."""
PICTURED_FROM = 256 << 20
"""The same where pictures lie on faces, whose colours only who reads it whole has [bytes]."""
STREAM_FROM = 100 << 20
"""Size from which CityGML is read in pieces [bytes]."""
MOST_TEXT = 8 << 20
"""Bytes of a table of outlines in one task."""
GLANCE = 1_000
"""Objects of such a file that are read to see where it lies."""
PIECE = 20_000
"""Features of a piece."""


@dataclass(frozen=True)
class Task:
    """A part of the input, cheap to send to another process.

    Attributes
    ----------
    number : int
        Counts the tasks of all files.
    path : str
    start, stop : int
        Bytes of a sequence, or rows of a table; 0 and -1 for a whole file.
    lines : bytes
        The text itself, where it had to be unpacked.
    rows : Outlines or None
        The table, where rows are meant.
    is_objects : bool
        Whether the bytes are objects of one large CityJSON object.
    size : int
        Bytes of the file that it stands for.
    """

    number: int
    path: str
    start: int = 0
    stop: int = -1
    lines: bytes = b""
    rows: Outlines | None = None
    size: int = 0
    is_objects: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole file for the readers of the application."""
        return self.stop < 0


@dataclass(frozen=True)
class InputFile:
    """One file to tile.

    Attributes
    ----------
    path : Path
    head : SequenceHead or None
        Of a sequence; None for a file that is read whole.
    crs : Crs or None
        As the file says.
    place : (3,) float64
        A place in it, in that system; NaN where it has none.
    size : int
        Bytes.
    tables : tuple of Outlines
        Of a file of outlines that is read stretch by stretch.
    part : str
        The only part of it that is tiled; empty for all.
    large : LargeObject or None
        Of CityJSON too large to be read whole.
    """

    path: Path
    head: SequenceHead | None
    crs: Crs | None
    place: Float
    size: int
    tables: tuple[Outlines, ...] = ()
    part: str = ""
    large: LargeObject | None = None


def survey(path: Path, findings: Findings, crs: Crs | None = None, part: str = "", progress: Progress = no_progress) -> InputFile:
    """Return what a file is and where it lies.

    Parameters
    ----------
    crs : Crs or None
        For files that name no system.
    part : str
        Table of a file of outlines; empty for all.
    progress : Progress
        Told how far the file is read where it has to be.

    Raises
    ------
    DataError
        If nothing in it can be tiled.
    """
    size = path.stat().st_size if path.is_file() else 0
    if isinstance(registry.reader_for(path), CityJSONSeqReader):
        head = head_of(path, findings)
        return InputFile(path, head, head.crs or crs, head.place, size)
    if _is_streamed(path):
        # The first thousand objects tell where it lies.
        for city, own in read_pieces(path, ReadOptions(), Findings(), GLANCE, is_glance=True):
            if np.isfinite(city.bounds).all():
                return InputFile(path, None, own or crs, city.bounds.mean(axis=0), size)
    if isinstance(registry.reader_for(path), CityJSONReader):
        large = large_object(path) if size >= OBJECT_FROM else None
        if large is not None and large.is_pictured and size < PICTURED_FROM:
            large = None
        if (glance := glance_at(path)) is not None:
            return InputFile(path, None, glance.crs or crs, glance.extent.mean(axis=0), size, large=large)
        if large is not None:
            return InputFile(path, None, large.crs or crs, large.place, size, large=large)
    if is_large_osm(path, part):
        return InputFile(path, None, Crs.epsg(4326), place_of_osm(path), size, (), part)
    layout = layout_of(path, part, findings)
    if layout is not None:
        return InputFile(path, None, layout.crs or crs, layout.place, size, layout.tables, part)
    result = registry.read(path, ReadOptions(crs=crs, max_error=0.0, part=part, progress=progress))
    usable = [source for source in result.sources if _is_tileable(source.data)]
    for source in usable:
        middle = bounds_of(source.data).mean(axis=0)
        if np.isfinite(middle[:2]).all():
            # Outlines without heights have none in the middle either.
            return InputFile(path, None, source.crs, np.nan_to_num(middle), size, (), part)
    if usable:
        return InputFile(path, None, usable[0].crs, np.full(3, np.nan), size, (), part)
    raise DataError(
        path,
        "it holds no buildings or other city objects that could be tiled.",
        remedy="Choose a city model, a model, or polygons with a column of heights.",
    )


def tasks_of(file: InputFile, first: int, stretch: int = STRETCH) -> Iterator[Task]:
    """Yield the tasks of a file, numbered from ``first``; always the same ones for the same file."""
    path = str(file.path)
    if file.tables:
        yield from _row_tasks(file, first)
    elif file.large is not None:
        cuts = file.large.stretches()
        share = file.size / max(cuts[-1][1] - cuts[0][0], 1)
        for k, (start, stop) in enumerate(cuts):
            yield Task(first + k, path, start, stop, size=int(share * (stop - start)), is_objects=True)
    elif file.head is None:
        yield Task(first, path, size=file.size)
    elif _is_packed(file.path):
        yield from _unpacked_tasks(file.path, first, stretch)
    else:
        for k, start in enumerate(range(0, file.size, stretch)):
            stop = min(start + stretch, file.size)
            yield Task(first + k, path, start, stop, size=stop - start)


def _row_tasks(file: InputFile, first: int) -> Iterator[Task]:
    number, share = first, file.size / sum(table.rows for table in file.tables)
    # Rows with many corners are fewer at a time.
    step = min(ROWS, aligned(int(MOST_TEXT / max(share, 1.0))))
    for table in file.tables:
        for start in range(0, table.rows, step):
            stop = min(start + step, table.rows)
            yield Task(number, str(file.path), start, stop, rows=table, size=int(share * (stop - start)))
            number += 1


def pieces_of(
    task: Task,
    head: bytes,
    crs: Crs | None,
    raising: Raising,
    findings: Findings,
    part: str = "",
    progress: Progress = no_progress,
) -> Iterator[tuple[CityPiece, Crs | None]]:
    """Yield the features of a task in pieces, each with the system of its coordinates.

    Parameters
    ----------
    task : Task
    head : bytes
        First line of a sequence, or what stretches of objects have to know.
    crs : Crs or None
        Of a sequence, or for files that name no system.
    raising : Raising
        How plain polygons are raised.
    findings : Findings
    part : str
        The only part of a file that is wanted; empty for all.
    progress : Progress
        Told how far a whole file is read.
    """
    if task.rows is not None:
        table = task.rows
        for piece, own in pieces_of_rows(Path(task.path), table.table, task.start, task.stop, table.ids, raising, findings):
            yield piece, own or crs
        return
    if task.is_objects:
        yield read_objects(Path(task.path), task.start, task.stop, head, findings), crs
        return
    if not task.is_whole:
        yield read_lines(head, _lines(task, head), findings, with_head=task.start == 0), crs
        return
    if _is_streamed(Path(task.path)):
        for city, own in read_pieces(Path(task.path), ReadOptions(progress=progress), findings):
            yield piece_of_city(city), own or crs
        return
    if is_large_osm(Path(task.path), part):
        yield from pieces_of_osm(Path(task.path), raising, findings, progress)
        return
    yield from _whole(task, crs, raising, findings, part, progress)


def _whole(
    task: Task, crs: Crs | None, raising: Raising, findings: Findings, part: str, progress: Progress
) -> Iterator[tuple[CityPiece, Crs | None]]:
    """Yield a file that is read at once."""

    def told(fraction: float | None, text: str = "") -> None:
        # Sorting what was read takes about as long.
        progress(None if fraction is None else 0.5 * fraction)

    result = registry.read(task.path, ReadOptions(crs=crs, max_error=0.0, part=part, progress=told))
    for problem in result.problems:
        findings.add(problem.code, problem.where, problem.template, problem.severity, problem.remedy, **problem.values)
    for source in result.sources:
        data = source.data
        if isinstance(data, TiledCity):
            data = data.whole()
        pieces: Iterable[CityPiece] = ()
        if isinstance(data, VectorLayer):
            pieces = raised(data, raising, findings)
        elif isinstance(data, CityModel):
            pieces = (piece_of_city(data),)
        for piece in pieces:
            for few in split_piece(piece, PIECE):
                yield few, source.crs


def _is_tileable(data: LayerData) -> bool:
    return isinstance(data, CityModel | TiledCity) or (isinstance(data, VectorLayer) and len(data.features) > 0)


def _is_streamed(path: Path) -> bool:
    """Return whether a file is CityGML too large to be read whole."""
    return path.is_file() and path.stat().st_size >= STREAM_FROM and isinstance(registry.reader_for(path), CityGMLReader)


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def head_of(path: Path, findings: Findings) -> SequenceHead:
    """Return what the first lines of a sequence say."""
    lines: list[bytes] = []
    try:
        with gzip.open(path) if _is_packed(path) else path.open("rb") as file:
            while len(lines) < 2:
                line = file.readline(MAX_LINE)
                if not line:
                    break
                if stripped := line.removeprefix(b"\xef\xbb\xbf").strip():
                    lines.append(stripped)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path, "the file cannot be read ({reason}).", reason=error, remedy="Copy or download it again.") from error
    if not lines:
        raise DataError(path, "the file is empty.", remedy="Copy or download it again.")
    return read_head_lines(lines[0], lines[1] if len(lines) > 1 else b"", findings)


def _lines(task: Task, head: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the first byte and text of the lines that begin in a stretch; the header is left out."""
    if task.lines:
        data, at = task.lines, task.start
    else:
        with Path(task.path).open("rb") as file:
            # One byte earlier: a stretch that begins where a line ends has that line.
            begin = max(task.start - 1, 0)
            file.seek(begin)
            data = file.read(task.stop - begin)
            data += _rest_of_line(file) if not data.endswith(b"\n") else b""
        at = begin
        if task.start:
            skipped = data.find(b"\n") + 1
            data, at = (data[skipped:], at + skipped) if skipped else (b"", at)
    lines = iter(data.split(b"\n"))
    if task.start == 0:
        for line in lines:
            first, begin = line.strip(), at
            at += len(line) + 1
            if first:
                if not head or first.removeprefix(b"\xef\xbb\xbf") != head:
                    yield begin, first
                break
    for line in lines:
        if stripped := line.strip():
            yield at, stripped
        at += len(line) + 1


def _rest_of_line(file: object) -> bytes:
    found: bytes = file.readline(MAX_LINE)  # type: ignore[attr-defined]
    return found


def _unpacked_tasks(path: Path, first: int, stretch: int) -> Iterator[Task]:
    number, at, seen = first, 0, 0
    rest = b""
    try:
        with path.open("rb") as raw, gzip.open(raw) as file:
            while block := file.read(stretch):
                text = rest + block
                end = text.rfind(b"\n") + 1
                if not end:
                    rest = text
                    if len(rest) > MAX_LINE:
                        raise DataError(path, "a line of the sequence is too long.", remedy="Export the file again.")
                    continue
                yield Task(number, str(path), at, at + end, text[:end], size=raw.tell() - seen)
                number, at, rest, seen = number + 1, at + end, text[end:], raw.tell()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            path, "the gzip archive is damaged ({reason}).", reason=str(error), remedy="Copy or download it again."
        ) from error
    if rest.strip():
        yield Task(number, str(path), at, at + len(rest), rest)


def total_bytes(files: Sequence[InputFile]) -> int:
    """Return the size of all files [bytes]."""
    return sum(file.size for file in files)


def place_of(files: Sequence[InputFile]) -> tuple[Crs | None, Float]:
    """Return a place in the first file that has one, with its system."""
    for file in files:
        if np.isfinite(file.place).all():
            return file.crs, file.place
    return files[0].crs, np.zeros(3)
