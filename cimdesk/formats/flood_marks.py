"""Surveyed flood marks and gauge readings: a CSV table with name, x, y, level or depth, and maybe time and source."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.units import parse_time
from cimdesk.formats.encodings import decode_text

_NAMES = ("name", "id", "mark", "point", "station", "gauge", "名称", "编号")
_X = ("x", "east", "easting", "e", "东")
_Y = ("y", "north", "northing", "n", "北")
_LEVEL = ("level", "level_m", "water_level", "stage", "wse", "peak_level", "水位")
_DEPTH = ("depth", "depth_m", "water_depth", "peak_depth", "水深")
_TIME = ("time", "datetime", "moment", "时间")
_SOURCE = ("source", "observer", "method", "来源")
MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Mark:
    """One reading: a peak where it has no time, else one of a series.

    Attributes
    ----------
    name, source : str
    x, y : float
        World coordinates.
    level, depth : float
        Water level or depth [m]; one of them is NaN.
    time : float
        [POSIX s, or seconds from the start of the run]; NaN for a peak.
    """

    name: str
    x: float
    y: float
    level: float
    depth: float
    time: float = np.nan
    source: str = ""


def read_marks(path: Path, value: str = "") -> tuple[list[Mark], list[Problem]]:
    """Return the marks of a table, and what was wrong with the rows that were left out.

    Parameters
    ----------
    path : Path
    value : str
        Name of the column that holds the level, where it is not called so.

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, or no row is good.
    """
    try:
        text = decode_text(path.read_bytes())[0]
    except OSError as error:
        raise DataError(path, "the file cannot be read: {reason}.", reason=error.strerror or str(error)) from error
    lines = [(k, row) for k, row in enumerate(_rows(text), start=1) if row and not row[0].lstrip().startswith("#")]
    if len(lines) < 2:
        raise DataError(path, "expected a header and rows of marks below it.", remedy="Give name, x, y and level or depth.")
    columns = _columns(path, [cell.strip().lower().lstrip("\ufeff") for cell in lines[0][1]], value.strip().lower())
    marks: list[Mark] = []
    problems: list[Problem] = []
    for line, row in lines[1:]:
        if not any(cell.strip() for cell in row):
            continue
        try:
            marks.append(_mark(row, columns, len(marks)))
        except (ValueError, IndexError):
            problems.append(Problem(Severity.WARNING, "mark", f"{path.name}, line {line}", "'{text}' is no mark.",
                                    {"text": ",".join(row)[:60]}))  # fmt: skip
    if not marks:
        raise DataError(path, "no row is a mark: x, y and the level must be numbers.", where=f"line {lines[1][0]}")
    return marks, problems[:MOST_PROBLEMS]


def _rows(text: str) -> list[list[str]]:
    head = text[:2000]
    delimiter = ";" if head.count(";") > head.count(",") else "\t" if head.count("\t") > head.count(",") else ","
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def _columns(path: Path, header: list[str], value: str) -> dict[str, int]:
    def find(names: tuple[str, ...]) -> int:
        return next((header.index(name) for name in names if name in header), -1)

    found = {"name": find(_NAMES), "x": find(_X), "y": find(_Y), "level": find(_LEVEL), "depth": find(_DEPTH),
             "time": find(_TIME), "source": find(_SOURCE)}  # fmt: skip
    if value:
        if value not in header:
            raise DataError(path, "there is no column {column}.", where="line 1", remedy="Name it so.", column=value)
        found["level"], found["depth"] = (header.index(value), -1) if "depth" not in value else (-1, header.index(value))
    for name in ("x", "y"):
        if found[name] < 0:
            raise DataError(path, "there is no column {column}.", where="line 1", remedy="Name it so.", column=name)
    if found["level"] < 0 and found["depth"] < 0:
        remedy = "Call the column with the water level level, or the one with the depth depth."
        raise DataError(path, "there is neither a level nor a depth.", where="line 1", remedy=remedy)
    return found


def _mark(row: list[str], columns: dict[str, int], number: int) -> Mark:
    def text(name: str) -> str:
        at = columns[name]
        return row[at].strip() if 0 <= at < len(row) else ""

    def amount(name: str) -> float:
        return float(text(name)) if text(name) else np.nan

    x, y, level, depth = float(text("x")), float(text("y")), amount("level"), amount("depth")
    if not np.isfinite([x, y]).all() or not (np.isfinite(level) or np.isfinite(depth)):
        raise ValueError("no place or no value")
    told = text("time")
    time = np.nan if not told else float(told) if _is_number(told) else parse_time(told)
    return Mark(text("name") or str(number + 1), x, y, level, depth if not np.isfinite(level) else np.nan, time, text("source"))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
