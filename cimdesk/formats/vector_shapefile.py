"""Shapefiles as people send them: sidecar files missing, Chinese text in an encoding that nothing names."""

from __future__ import annotations

import codecs
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.encodings import detect_encoding

SAMPLE_BYTES = 8 << 20
_MAGIC = struct.pack(">I", 9994)
# Language driver byte of dBASE headers.
_LANGUAGE_DRIVERS = {0x4D: "gbk", 0x7A: "gbk", 0x4F: "cp950", 0x78: "cp950", 0x7B: "cp932", 0x03: "cp1252", 0x57: ""}


@dataclass(frozen=True)
class Sidecars:
    """Where to open a shapefile, how to read its text, and what was missing.

    Attributes
    ----------
    path : Path
        The file to open; a stand-in with an index when that was missing.
    encoding : str
        Codec of names and texts.
    problems : tuple of Problem
    """

    path: Path
    encoding: str
    problems: tuple[Problem, ...]


@contextmanager
def completed(path: Path) -> Iterator[Sidecars]:
    """Yield what is needed to open the shapefile ``path``; nothing is written beside it.

    Raises
    ------
    DataError
        If the main file is no shapefile.
    """
    problems: list[Problem] = []
    table = sibling(path, ".dbf")
    if table is None:
        problems.append(_missing(path, ".dbf"))
    if sibling(path, ".prj") is None:
        problems.append(_missing(path, ".prj"))
    encoding, named = "utf-8", ""
    if table is not None:
        encoding, named = table_encoding(table, sibling(path, ".cpg"))
        if named and codecs.lookup(named).name != codecs.lookup(encoding).name:
            problems.append(
                Problem(
                    Severity.WARNING, "wrong-encoding", table.name,
                    "The table says its text is {named}, but it is {encoding}; it was read as {encoding}.",
                    {"named": named, "encoding": encoding},
                )
            )  # fmt: skip
    if sibling(path, ".shx") is not None:
        yield Sidecars(path, encoding, tuple(problems))
        return
    problems.append(_missing(path, ".shx"))
    folder = Path(tempfile.mkdtemp(prefix="cimdesk-shape-"))
    try:
        yield Sidecars(_stand_in(path, folder), encoding, tuple(problems))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sibling(path: Path, suffix: str) -> Path | None:
    """Return the file beside ``path`` with another suffix in any case; None when there is none."""
    for name in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
        if name.is_file():
            return name
    return None


def table_encoding(table: Path, code_page: Path | None) -> tuple[str, str]:
    """Return the codec that reads the text of a dBASE table, and the one it claims (empty when it claims none)."""
    with table.open("rb") as file:
        data = file.read(SAMPLE_BYTES)
    named = _codec(code_page.read_text("ascii", "ignore")) if code_page else ""
    if not named and len(data) > 29:
        named = _LANGUAGE_DRIVERS.get(data[29], "")
    texts = _texts(data)
    if named and all(_fits(text, named) for text in texts):
        return named, named
    return detect_encoding(texts), named


def _codec(name: str) -> str:
    """Return Python's name of a code page as .cpg files write it: ``UTF-8``, ``936``, ``ANSI 936``, ``OEM 936``."""
    text = name.strip().lower().removeprefix("ansi").removeprefix("oem").strip()
    for candidate in (text, f"cp{text}"):
        try:
            found = codecs.lookup(candidate).name
        except LookupError:
            continue
        return "gb18030" if found in ("gbk", "gb2312", "gb18030") else found
    return ""


def _fits(text: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(text)
    except UnicodeDecodeError:
        return False
    return True


def _texts(data: bytes) -> list[bytes]:
    """Return the non-ASCII names and text fields of the first records of a dBASE table."""
    if len(data) < 33:
        return []
    count, header, record = struct.unpack_from("<IHH", data, 4)
    names, fields, place = [], [], 1
    for start in range(32, min(header, len(data)) - 31, 32):
        if data[start] == 0x0D:
            break
        names.append(data[start : start + 11].split(b"\0")[0])
        width = data[start + 16]
        if data[start + 11 : start + 12] in (b"C", b"c"):
            fields.append((place, place + width))
        place += width
    if record < 1 or header < 33:
        return [name for name in names if not name.isascii()]
    texts = set(names)
    for row in range(min(count, (len(data) - header) // record)):
        base = header + row * record
        if not data[base : base + record].isascii():
            texts.update(data[base + a : base + b].rstrip(b" \0") for a, b in fields)
    return [text for text in texts if not text.isascii()]


def _missing(path: Path, suffix: str) -> Problem:
    template = {
        ".dbf": "The table {name} is missing: there are shapes but no attributes.",
        ".prj": "The file {name} is missing: nothing says in which coordinate reference system the shapes are.",
        ".shx": "The index {name} is missing; it was made anew for this reading.",
    }[suffix]
    return Problem(Severity.WARNING, f"missing-{suffix[1:]}", path.name, template, {"name": path.with_suffix(suffix).name})


def _stand_in(path: Path, folder: Path) -> Path:
    """Return a copy by link of the shapefile in ``folder``, with an index made from the records."""
    for suffix in (".shp", ".dbf", ".prj", ".cpg"):
        beside = path if suffix == ".shp" else sibling(path, suffix)
        if beside is None:
            continue
        target = folder / f"{path.stem}{suffix}"
        try:
            os.symlink(beside.resolve(), target)
        except OSError:  # no links on this system
            shutil.copyfile(beside, target)
    (folder / f"{path.stem}.shx").write_bytes(_index_of(path))
    return folder / f"{path.stem}.shp"


def _index_of(path: Path) -> bytes:
    """Return the bytes of the .shx that belongs to a .shp: offset and length of each record, in 16-bit words."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    if len(data) < 100 or bytes(data[:4]) != _MAGIC:
        raise DataError(path, "this is no shapefile.", remedy="Copy it again, with all files of the same name.")
    entries, place, end = [], 100, len(data)
    while place + 8 <= end:
        (length,) = struct.unpack(">I", bytes(data[place + 4 : place + 8]))
        if place + 8 + 2 * length > end:
            break
        entries.append((place // 2, length))
        place += 8 + 2 * length
    header = bytearray(data[:100])
    header[24:28] = struct.pack(">I", 50 + 4 * len(entries))
    return bytes(header) + np.array(entries, dtype=">u4").tobytes()
