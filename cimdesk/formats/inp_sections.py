"""The text layout EPANET and SWMM share: ``[SECTIONS]`` of whitespace-separated rows. No meaning, only words and places."""

from __future__ import annotations

import codecs
import gzip
import math
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float, Strings
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings

MAX_BYTES = 1 << 30
_WORDS = re.compile(r'"([^"]*)"|([^\s";]+)|(;)')
_HIGH_RUNS = re.compile(rb"[\x80-\xff]+")


@dataclass
class Section:
    """Rows of one section, all its occurrences in the file together.

    Attributes
    ----------
    name : str
        Full name in capitals, such as ``JUNCTIONS``.
    rows : list of list of str
        Words of each line that has any, comments left out.
    lines : list of int
        Line number of each row, from 1.
    """

    name: str
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, row: int) -> str:
        """Return the place of a row as ``line 12 [PIPES]``."""
        return f"line {self.lines[row]} [{self.name}]"

    def with_words(self, count: int, findings: Findings) -> Section:
        """Return the rows that have at least ``count`` words; the others are noted."""
        short = [k for k, row in enumerate(self.rows) if len(row) < count]
        if not short:
            return self
        for k in short:
            findings.error("short-row", self.where(k), "The line has {found} of at least {wanted} values; it is left out.",
                           found=len(self.rows[k]), wanted=count)  # fmt: skip
        return self.only([k for k, row in enumerate(self.rows) if len(row) >= count])

    def only(self, rows: Iterable[int]) -> Section:
        """Return just these rows."""
        rows = list(rows)
        return Section(self.name, [self.rows[k] for k in rows], [self.lines[k] for k in rows])

    def texts(self, column: int) -> list[str | None]:
        """Return the words of one column; None where a row is shorter."""
        return [row[column] if len(row) > column else None for row in self.rows]

    def strings(self, column: int) -> Strings:
        """Return (R,) object words of one column, None where there are none."""
        values = np.empty(len(self.rows), dtype=object)
        values[:] = self.texts(column)
        return values

    def numbers(self, column: int, findings: Findings, default: float = math.nan) -> Float:
        """Return (R,) float64 numbers of one column.

        ``default`` stands where a row is shorter or holds ``*``; a word that is no number gives NaN and is noted.
        """
        texts = self.texts(column)
        try:
            values = np.array([default if text is None or text == "*" else float(text) for text in texts], dtype=np.float64)
            if not np.isinf(values).any():
                return values
        except ValueError:
            pass
        return np.array([self._number(k, text, default, findings) for k, text in enumerate(texts)], dtype=np.float64)

    def _number(self, row: int, text: str | None, default: float, findings: Findings) -> float:
        if text is None or text == "*":
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.inf
        if math.isfinite(value):
            return value
        findings.add("bad-number", self.where(row), "“{text}” is not a number; the value is left out.", text=text[:40])
        return math.nan


@dataclass(frozen=True)
class InpText:
    """A file as sections.

    Attributes
    ----------
    sections : dict of str to Section
        By full name.
    title : str
    encoding : str
        What the bytes were read as.
    """

    sections: dict[str, Section]
    title: str
    encoding: str

    def section(self, name: str) -> Section:
        """Return one section; an empty one when the file has none."""
        return self.sections.get(name) or Section(name)

    def counts(self) -> dict[str, int]:
        """Return the number of rows of every section that has any."""
        return {name: len(section) for name, section in self.sections.items() if len(section)}


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, unpacked when gzipped.

    Raises
    ------
    DataError
        If it cannot be read, is larger than `MAX_BYTES`, or is no text.
    """
    remedy = "Give a network of at most 1 GB, or cut it into parts."
    try:
        is_larger = path.stat().st_size > MAX_BYTES
        with path.open("rb") as file:
            data = file.read(2 if is_larger else MAX_BYTES + 1)
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as packed:
                data = packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path, "the file cannot be read ({reason}).", reason=error, remedy="Copy or download it again.") from error
    if is_larger or len(data) > MAX_BYTES:
        raise DataError(path, "the file is larger than 1 GB.", remedy=remedy)
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not is_wide and data.count(b"\0") > len(data) // 100:
        raise DataError(path, "the file is binary, not the text of a network.", remedy="Export the network as an .inp text file.")
    return data


def decode(data: bytes) -> tuple[str, str]:
    """Return the text of some bytes and the encoding they were in; never fails.

    UTF-8 wins where it fits. Of the rest, Chinese text (GB18030) has its high bytes in pairs; Western text mostly alone.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), "utf-16"
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    runs = [len(run) for run in _HIGH_RUNS.findall(data)]
    if 2 * sum(length % 2 == 0 for length in runs) > len(runs):
        try:
            return data.decode("gb18030"), "gb18030"
        except UnicodeDecodeError:
            pass
    return data.decode("latin-1"), "latin-1"


def parse(data: bytes, known: tuple[str, ...], findings: Findings) -> InpText:
    """Return the sections of a file.

    Parameters
    ----------
    data : bytes
    known : tuple of str
        Full names of the sections of this family; a file may shorten them to four letters or more.
    findings : Findings
        Told of sections nobody knows and of words before the first section.
    """
    text, encoding = decode(data)
    sections: dict[str, Section] = {}
    titles: list[str] = []
    rows: list[list[str]] | None = None
    lines: list[int] = []
    current = ""
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ").split("\n"), start=1):
        line = line.strip()
        if not line or line[0] == ";":
            continue
        if line[0] == "[":
            current = _section_name(line, number, known, findings)
            if current == "END":
                break
            section = sections.setdefault(current, Section(current))
            rows, lines = section.rows, section.lines
        elif rows is None:
            findings.add("outside-section", f"line {number}", "Text before the first section is left out.")
            rows = []
        else:
            if current == "TITLE":
                titles.append(line)
            words = split_words(line)
            if words:
                rows.append(words)
                lines.append(number)
    return InpText(sections, "\n".join(titles), encoding)


def split_words(line: str) -> list[str]:
    """Return the words of a line up to its comment; quoted words may hold blanks."""
    if '"' not in line:
        return line.split(";", 1)[0].split()
    words: list[str] = []
    for match in _WORDS.finditer(line):
        if match[3]:
            break
        words.append(match[1] if match[1] is not None else match[2])
    return words


def full_name(name: str, known: tuple[str, ...]) -> str | None:
    """Return the full name of a section that a file may have shortened, or lengthened by a letter; None for an unknown one."""
    if name in known:
        return name
    if len(name) < 4:
        return None
    return next((full for full in known if full.startswith(name) or name.startswith(full.rstrip("S"))), None)


def _section_name(line: str, number: int, known: tuple[str, ...], findings: Findings) -> str:
    written = line[1:].split("]", 1)[0].strip().upper()
    name = full_name(written, known)
    if name is None:
        findings.add("unknown-section", f"line {number}", "No section is called [{name}]; it is left out.", name=written[:40])
        return f"?{written[:40]}"
    return name


def parse_hours(text: str) -> float | None:
    """Return seconds of ``1:30``, ``1:30:00``, ``1.5``, ``90 MIN``, ``12 AM``; None when it is no time."""
    words = text.strip().upper().split()
    if not words or len(words) > 2:
        return None
    suffix = words[1] if len(words) == 2 else ""
    parts = words[0].split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return None
    if len(values) > 3 or not all(math.isfinite(value) for value in values):
        return None
    seconds = sum(value * scale for value, scale in zip(values, (3600.0, 60.0, 1.0), strict=False))
    if suffix in ("AM", "PM"):
        if values[0] > 12:
            return None
        return seconds - 43200.0 * (values[0] == 12) + 43200.0 * (suffix == "PM")
    scale = {"": 1.0, "S": 1 / 3600, "M": 1 / 60, "H": 1.0, "D": 24.0}.get(suffix[:1])
    return None if scale is None else seconds * scale
