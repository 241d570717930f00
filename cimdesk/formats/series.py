"""Small CSV files of a scenario: series of rain, discharge or level against time, and rings of x, y."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float, offsets_from_counts
from cimdesk.base.errors import DataError
from cimdesk.base.units import parse_time
from cimdesk.formats.encodings import decode_text
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings

_UNITS = {
    "rain": {"mm_h": 1 / 3.6e6, "mm_per_h": 1 / 3.6e6, "mm/h": 1 / 3.6e6, "mm_min": 1 / 6e4, "m_s": 1.0},
    "discharge": {"m3_s": 1.0, "m3/s": 1.0, "l_s": 1e-3, "l/s": 1e-3},
    "level": {"m": 1.0, "cm": 0.01, "mm": 0.001},
}


def read_series(path: Path, quantity: str) -> tuple[Float, Float, bool]:
    """Read a series: a header with ``time`` and one value column that names its unit, such as ``discharge_m3_s``.

    Parameters
    ----------
    path : Path
    quantity : str
        ``rain``, ``discharge`` or ``level``.

    Returns
    -------
    (N,) float64, (N,) float64, bool
        Times [s], values in SI, and whether the times are moments [POSIX s] and not seconds from the start.

    Raises
    ------
    DataError
    """
    rows = _rows(path)
    if len(rows) < 2 or len(rows[0]) < 2:
        raise DataError(path, "expected a header with time and one value column, and rows below it.", where="line 1")
    factor = _factor(path, rows[0][1], quantity)
    times, values = [], []
    moments = not _is_float(rows[1][0])
    for line, row in enumerate(rows[1:], start=2):
        try:
            times.append(parse_time(row[0]) if moments else float(row[0]))
            values.append(float(row[1]))
        except (ValueError, IndexError):
            raise DataError(path, "'{text}' is no time and value.", where=f"line {line}", text=",".join(row)) from None
    time, value = np.array(times), np.array(values) * factor
    if not (np.isfinite(time).all() and np.isfinite(value).all()):
        raise DataError(path, "the series has values that are no numbers.")
    if (np.diff(time) <= 0.0).any():
        line = int(np.flatnonzero(np.diff(time) <= 0.0)[0]) + 3
        raise DataError(path, "times must rise from row to row.", where=f"line {line}")
    if quantity != "level" and (value < 0.0).any():
        raise DataError(path, "the series has negative values.", where=f"line {int(np.argmax(value < 0.0)) + 2}")
    return time, value, moments


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table with a header that has these columns, in any order, maybe among others.

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing or a row is short.
    """
    rows = _rows(path)
    header = [name.strip().lower() for name in rows[0]] if rows else []
    for name in columns:
        if name not in header:
            raise DataError(path, "there is no column {column}.", where="line 1", remedy="Name it so.", column=name)
    at = {name: header.index(name) for name in columns}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) <= max(at.values()):
            raise DataError(path, "the row is too short.", where=f"line {line}")
    return [{name: row[k].strip() for name, k in at.items()} for row in rows[1:]]


def _factor(path: Path, header: str, quantity: str) -> float:
    unit = header.strip().lower()
    for name, factor in sorted(_UNITS[quantity].items(), key=lambda item: -len(item[0])):
        if unit.endswith(name):
            return factor
    raise DataError(
        path,
        "column '{column}' does not say its unit.",
        where="line 1",
        remedy="Name it {example}.",
        column=header,
        example=f"{quantity}_{next(iter(_UNITS[quantity]))}",
    )


def read_rings(path: Path) -> VectorLayer:
    """Read polygons from CSV: one ring of x, y per file, or a third column that names the ring; a folder holds one ring per file.

    Raises
    ------
    DataError
        If a row is no pair of numbers or a ring has fewer than three corners.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    rings: dict[str, list[tuple[float, float]]] = {}
    for file in files:
        rows = _rows(file)
        for line, row in enumerate(rows, start=1):
            if line == 1 and not _is_float(row[0]):
                continue
            try:
                name = f"{file.stem}:{row[2].strip()}" if len(row) > 2 else file.stem
                rings.setdefault(name, []).append((float(row[0]), float(row[1])))
            except (ValueError, IndexError):
                raise DataError(file, "'{text}' is no pair of coordinates.", where=f"line {line}", text=",".join(row)) from None
    if not rings:
        raise DataError(path, "there are no rings of coordinates here.")
    for name, ring in rings.items():
        if len(ring) < 3 or not np.isfinite(ring).all():
            raise DataError(path, "a ring needs at least three corners that are numbers.", where=name)
    return _layer(rings)


def _layer(rings: dict[str, list[tuple[float, float]]]) -> VectorLayer:
    return VectorLayer(FeatureTable(as_strings(rings)), ring_shapes([np.array([*ring, ring[0]]) for ring in rings.values()]))


def ring_shapes(rings: Sequence[Float]) -> Shapes:
    """Return polygons of closed (P, 2) rings, one feature each."""
    xy = np.concatenate(rings)
    count = len(rings)
    return Shapes(
        ShapeKind.POLYGON,
        np.column_stack([xy, np.full(len(xy), np.nan)]),
        offsets_from_counts(np.array([len(ring) for ring in rings])),
        np.arange(count),
        np.zeros(count, dtype=bool),
    )


def _rows(path: Path) -> list[list[str]]:
    try:
        text, _ = decode_text(path.read_bytes())
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error
    return [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
