"""Delimited text as rows of texts: any usual separator, any usual encoding, line numbers kept for messages."""

from __future__ import annotations

import csv
import gc
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.errors import DataError
from cimdesk.formats.encodings import decode_text
from cimdesk.formats.registry import refuse_larger

MAX_FIELD = 16 << 20
MAX_BYTES = 2**30


@dataclass(frozen=True)
class Table:
    """A delimited text file.

    Attributes
    ----------
    header : tuple of str
        Column names; empty when the first row is numbers already.
    rows : list of list of str
    lines : list of int
        Line of the file on which each row ends.
    encoding : str
    """

    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    encoding: str

    def column(self, index: int) -> list[str]:
        """Return the texts of one column; short rows give empty ones."""
        return [row[index].strip() if index < len(row) else "" for row in self.rows]


def read_table(path: Path) -> Table:
    """Read a delimited text file of any usual separator and encoding.

    Raises
    ------
    DataError
        If it cannot be opened or is no table.
    """
    refuse_larger(path, MAX_BYTES)
    try:
        text, encoding = decode_text(path.read_bytes())
    except OSError as error:
        raise DataError(
            path,
            "the file cannot be opened ({reason}).",
            remedy="Check its name, and that you may read it.",
            reason=error.strerror or error,
        ) from error
    return parse_table(path, text, encoding)


def parse_table(path: Path, text: str, encoding: str) -> Table:
    """Return the rows of delimited text."""
    csv.field_size_limit(MAX_FIELD)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",\t;|", key=first.count)
    lines: list[int] = []
    rows: list[list[str]] = []
    # A million small lists keep the collector busy for nothing: they hold no cycles.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        for row in reader:
            if row and (row[0] or any(cell.strip() for cell in row)):
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise DataError(path, "this is no table of text ({reason}).", remedy="Save it as CSV, UTF-8.", reason=error) from error
    finally:
        if was_enabled:
            gc.enable()
    if not rows:
        raise DataError(path, "the table is empty.", remedy="Export it again.")
    header = tuple(cell.strip() for cell in rows[0])
    if all(is_number(cell) for cell in header):
        return Table((), rows, lines, encoding)
    return Table(header, rows[1:], lines[1:], encoding)


def numbers(texts: Sequence[str]) -> Float:
    """Return (N,) float64; NaN where a text is no number."""
    try:
        return np.array(texts, dtype=np.float64)
    except ValueError:
        return np.array([float(text) if is_number(text) else np.nan for text in texts], dtype=np.float64)


def is_number(text: str) -> bool:
    """Whether a text is a number as Python reads one."""
    try:
        float(text)
    except ValueError:
        return False
    return True
