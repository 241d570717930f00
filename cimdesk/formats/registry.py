"""Which reader takes a file: readers claim by suffix and first bytes; built-ins and add-ons are found the same way."""

from __future__ import annotations

import gzip
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.model.layers import LayerKind
from cimdesk.model.workspace import LayerData

HEAD_BYTES = 4096
MAX_WHOLE = 4 * 2**30
"""Largest file a reader gets that reads the whole file into memory [bytes]."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadOptions:
    """What the person or the project says about a source.

    Attributes
    ----------
    crs : Crs or None
        Used for sources that name no reference system, and instead of what they name when ``force_crs``.
    force_crs : bool
    part : str
        Read only this table or sub-layer; empty for all.
    max_error : float
        Geometric error to which tilesets are opened [m].
    progress, cancel
        Told and asked during the read.
    extra : mapping
        Reader's own options, such as column names of a CSV.
    """

    crs: Crs | None = None
    force_crs: bool = False
    part: str = ""
    max_error: float = 16.0
    progress: Progress = no_progress
    cancel: CancelToken = field(default_factory=CancelToken)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def crs_for(self, found: Crs | None) -> Crs | None:
        """Return the system to use when the source says ``found``."""
        return self.crs if self.crs is not None and (found is None or self.force_crs) else found


@dataclass(frozen=True)
class Source:
    """One layer's worth of data read from a file, in the source's own reference system.

    Attributes
    ----------
    name : str
        Suggested layer name.
    kind : LayerKind
    data : LayerData
    crs : Crs or None
        System of the coordinates; None when nothing says (local or unknown).
    part : str
        What to pass as ``ReadOptions.part`` to read it again.
    options : mapping
        Kept with the layer, passed back as ``ReadOptions.extra``.
    visible : bool
        Whether it is shown at first.
    """

    name: str
    kind: LayerKind
    data: LayerData
    crs: Crs | None
    part: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    visible: bool = True


@dataclass(frozen=True)
class ReadResult:
    """What a file gave.

    Attributes
    ----------
    format : str
        Name of the format, such as ``CityJSON``.
    version : str or None
        As the file says.
    crs : str or None
        ``EPSG:n`` or ``EPSG:n+m`` as the file says.
    objects : mapping of str to int
        Counts per type; the keys of CLI.md's ``check``.
    extent : (2, 3) float64 or None
        World bounds in the source's system.
    sources : tuple of Source
        Layers that can be added; empty for a file that only holds readings or metadata.
    problems : tuple of Problem
    """

    format: str
    version: str | None
    crs: str | None
    objects: Mapping[str, int]
    extent: Float | None
    sources: tuple[Source, ...]
    problems: tuple[Problem, ...] = ()


class Reader(Protocol):
    """Reads one format. An entry point of group ``cimdesk.formats`` names an instance.

    A reader that never holds a whole file in memory has an attribute ``streams = True`` and gets files of any size.
    """

    name: str
    suffixes: tuple[str, ...]

    def claim(self, path: Path, head: bytes) -> float:
        """Return 0 (not mine) to 1 (certainly mine) from the name and the first bytes; folders have an empty ``head``."""
        ...

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read the file; raises `DataError` only when nothing in it can be used."""
        ...


@cache
def readers() -> tuple[Reader, ...]:
    """Return every reader that loads; a broken add-on costs one log line, not the start."""
    found: list[Reader] = []
    for point in sorted(entry_points(group="cimdesk.formats"), key=lambda p: p.name):
        try:
            found.append(point.load())
        except (ImportError, AttributeError) as error:
            log.warning("format %s is left out: %s", point.name, error)
    return tuple(found)


def reader_for(path: Path) -> Reader:
    """Return the reader that claims ``path`` most strongly.

    Raises
    ------
    DataError
        If the file is missing, unreadable, empty, or claimed by nobody.
    """
    head = read_head(path)
    claims = [(reader.claim(path, head), reader) for reader in readers()]
    best = max(claims, key=lambda claim: claim[0], default=None)
    if best is None or best[0] <= 0.0:
        if not head:
            raise DataError(
                path,
                "no reader knows this kind of folder.",
                remedy="Open one of the files in it; a folder is opened when it holds a tileset.json.",
            )
        raise DataError(
            path,
            "no reader knows this kind of file.",
            remedy="Convert it to CityJSON, 3D Tiles, GeoTIFF, GeoPackage, EPANET/SWMM .inp or CSV.",
        )
    return best[1]


def read(path: Path | str, options: ReadOptions | None = None) -> ReadResult:
    """Read a file or folder with whoever claims it.

    Raises
    ------
    DataError
        One message with file, place and remedy, when nothing in it can be used.
    """
    path = Path(path)
    reader = reader_for(path)
    if not getattr(reader, "streams", False):  # add-ons need not say it
        refuse_larger(path, MAX_WHOLE)
    try:
        return reader.read(path, options or ReadOptions())
    except MemoryError as error:
        raise DataError(
            path, "the file needs more memory than this computer has.", remedy="Close other programs, or cut the file into parts."
        ) from error


def refuse_larger(path: Path, limit: int) -> None:
    """Raise a `DataError` for a file of more than ``limit`` bytes, before anything of it is read into memory."""
    if path.is_file() and (size := path.stat().st_size) > limit:
        raise DataError(
            path,
            "the file has {size} GB; files of this kind are read up to {limit} GB.",
            remedy="Cut the file into parts.",
            size=f"{size / 2**30:.1f}",
            limit=f"{limit / 2**30:.1f}",
        )


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file (unpacked when gzipped); empty for a folder.

    Raises
    ------
    DataError
        If there is no such file, it may not be read, or it is empty.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return b""
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            raise DataError(path, "this is a device or a pipe, not a file.", remedy="Save the data to a file and open that.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (FileNotFoundError, ValueError):  # a name with a zero byte cannot be one
        raise DataError(path, "there is no such file.", remedy="Check the name, or locate the file again.") from None
    except OSError as error:
        raise DataError(
            path,
            "the file cannot be opened ({reason}).",
            remedy="Check its name, and that you may read it.",
            reason=os.strerror(error.errno or 0),
        ) from error
    if not head:
        raise DataError(path, "the file is empty.", remedy="Copy or download it again.")
    if head[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as packed:
                return packed.read(HEAD_BYTES)
        except (OSError, EOFError):
            return head
    return head
