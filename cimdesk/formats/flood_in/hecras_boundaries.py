"""Hydrographs of HEC-RAS: boundaries of a plan with what came of them (HDF5), and those written into an unsteady flow file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.flood_in import hecras
from cimdesk.formats.flood_in.hecras_gauges import along_lines, has_hydrographs, hydrographs
from cimdesk.model.hydrographs import DISCHARGE, LEVEL, NOWHERE, QUANTITIES, Hydrograph

EVENTS = "Event Conditions/Unsteady/Boundary Conditions"
KINDS = {"Flow Hydrographs": DISCHARGE, "Stage Hydrographs": LEVEL, "Lateral Inflow Hydrographs": DISCHARGE}
_IN_DAYS = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
_STEPS = {"SECOND": 1.0, "MINUTE": 60.0, "MIN": 60.0, "HOUR": 3600.0, "DAY": 86400.0, "WEEK": 604800.0}
_TEXTS = {
    "Flow Hydrograph": DISCHARGE, "Lateral Inflow Hydrograph": DISCHARGE, "Uniform Lateral Inflow Hydrograph": DISCHARGE,
    "Stage Hydrograph": LEVEL,
}  # fmt: skip
_WIDTH = 8
"""Letters of a number in the tables of a flow file."""


def plan_hydrographs(path: Path) -> list[Hydrograph]:
    """Return the boundaries of a plan, what came through them, and what its reference lines and points saw.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    import h5py

    try:
        with h5py.File(path, "r") as data:
            return _of_plan(data)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        reason = str(error).split("(")[0]
        raise DataError(
            path, "the file is damaged or not whole ({reason}).", remedy="Copy or download it again.", reason=reason
        ) from error


def _of_plan(data: Any) -> list[Hydrograph]:
    crs = Crs.parse(hecras.text_of(data.attrs.get("Projection", "")))
    foot = hecras.FOOT if hecras.is_us(data) else 1.0
    factors = {DISCHARGE: foot**3, LEVEL: foot}
    lines = along_lines(data, "Boundary Condition Lines", hecras.text_of)
    found = []
    for group, quantity in KINDS.items():
        for name, table in data[f"{EVENTS}/{group}"].items() if f"{EVENTS}/{group}" in data else ():
            rows = np.asarray(table[:], dtype=np.float64)
            unit = _IN_DAYS.get(hecras.text_of(table.attrs.get("Interval", "")).strip().lower(), 86400.0)
            start = _moment(hecras.text_of(table.attrs.get("Start Date", "")))
            own = name.rsplit("BCLine:", 1)[-1].strip()
            times = rows[:, 0] * unit + (start or 0.0)
            place = lines.get(own, NOWHERE)
            found.append(Hydrograph(own, quantity, times, rows[:, 1] * factors[quantity], start is not None, place[:2], crs))
    if has_hydrographs(data, hecras.SERIES):
        stamps = np.array([hecras.moment_of(hecras.text_of(stamp)) for stamp in data[hecras.stamps_of(data)]])
        for record in hydrographs(data, hecras.SERIES, stamps, hecras.text_of):
            if record.quantity in QUANTITIES:
                kind = QUANTITIES[record.quantity]
                values = np.asarray(record.values) * factors[kind]
                found.append(Hydrograph(record.name, kind, stamps, values, True, record.position[:2], crs))
    known = {(one.name, one.quantity) for one in found}
    return found + [one for one in _through_boundaries(data, factors, lines, crs) if (one.name, one.quantity) not in known]


def _through_boundaries(
    data: Any, factors: dict[str, float], lines: dict[str, tuple[float, float, float]], crs: Crs | None
) -> Iterator[Hydrograph]:
    """Yield stage and flow that a run kept at the boundaries of its flow areas."""
    base = f"{hecras.SERIES}/2D Flow Areas"
    for area in data[base].values() if base in data else ():
        for name, table in area["Boundary Conditions"].items() if "Boundary Conditions" in area else ():
            if table.ndim != 2 or table.shape[1] != 2 or " - " in name:
                continue
            stamps = np.array([hecras.moment_of(hecras.text_of(stamp)) for stamp in data[hecras.stamps_of(data)]])
            values = np.asarray(table[:], dtype=np.float64)
            for column, kind in enumerate((LEVEL, DISCHARGE)):
                place = lines.get(name, NOWHERE)
                yield Hydrograph(name, kind, stamps, values[:, column] * factors[kind], True, place[:2], crs)


def unsteady_hydrographs(path: Path) -> list[Hydrograph]:
    """Return the hydrographs that stand in an unsteady flow file (``.u01``); those kept in DSS files are left out.

    Raises
    ------
    DataError
        If a table is no row of numbers, or nobody says whether they are feet.
    """
    foot = _unit_beside(path)
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error
    found = []
    for block in _blocks(lines):
        for key, quantity in _TEXTS.items():
            count = _count(path, block, key)
            if count:
                values = _table(path, lines, block[key][0] + 1, count) * (foot**3 if quantity == DISCHARGE else foot)
                if quantity == DISCHARGE:
                    values = values * _scale(path, block)
                is_fixed = block.get("Use Fixed Start Time", (0, ""))[1].strip().lower() == "true"
                start = _moment(block.get("Fixed Start Date/Time", (0, ""))[1]) if is_fixed else None
                times: Float = np.arange(count, dtype=np.float64) * _step(path, block) + (start or 0.0)
                found.append(Hydrograph(_name_of(block), quantity, times, values, start is not None))
    return found


def _blocks(lines: list[str]) -> Iterator[dict[str, tuple[int, str]]]:
    """Yield what each boundary says: by key the number of its line and its value."""
    block: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        key, is_said, value = line.partition("=")
        if is_said and key == "Boundary Location":
            if block:
                yield block
            block = {key: (number, value)}
        elif is_said and block:
            block.setdefault(key.strip(), (number, value))
    if block:
        yield block


def _count(path: Path, block: dict[str, tuple[int, str]], key: str) -> int:
    if key not in block:
        return 0
    number, value = block[key]
    try:
        return int(value)
    except ValueError:
        raise DataError(path, "this is no number of values.", where=f"line {number + 1}", remedy=_REMEDY) from None


_REMEDY = "Save it again from HEC-RAS."


def _table(path: Path, lines: list[str], first: int, count: int) -> Float:
    """Return the numbers of a table: ten of eight letters on a line."""
    values: list[float] = []
    for number in range(first, min(first + -(-count // 10), len(lines))):
        line = lines[number]
        try:
            values += [float(line[at : at + _WIDTH]) for at in range(0, len(line.rstrip()), _WIDTH)]
        except ValueError:
            raise DataError(path, "this line is no row of numbers.", where=f"line {number + 1}", remedy=_REMEDY) from None
    if len(values) < count:
        raise DataError(path, "a table is cut short.", where=f"line {first + 1}", remedy=_REMEDY)
    return np.array(values[:count])


def _step(path: Path, block: dict[str, tuple[int, str]]) -> float:
    number, value = block.get("Interval", (0, ""))
    match = re.match(r"\s*(\d+)\s*([A-Za-z]+?)S?\s*$", value)
    if match is None or match[2].upper() not in _STEPS:
        raise DataError(path, "'{text}' is no interval.", where=f"line {number + 1}", remedy=_REMEDY, text=value.strip())
    return int(match[1]) * _STEPS[match[2].upper()]


def _scale(path: Path, block: dict[str, tuple[int, str]]) -> float:
    number, value = block.get("Flow Hydrograph QMult", (0, ""))
    try:
        return float(value) if value.strip() else 1.0
    except ValueError:
        raise DataError(path, "'{value}' is no number.", where=f"line {number + 1}", remedy=_REMEDY, value=value.strip()) from None


def _name_of(block: dict[str, tuple[int, str]]) -> str:
    """Return what a boundary is called: its line, else its area, else river, reach and station."""
    parts = [part.strip() for part in block["Boundary Location"][1].split(",")] + [""] * 9
    river = " ".join(part for part in parts[:3] if part)
    return parts[7] or parts[5] or river or parts[4]


def _unit_beside(path: Path) -> float:
    """Return the metres of a foot, or 1, as the project beside a flow file says; the flow file itself does not tell."""
    for project in sorted(path.parent.glob("*.[pP][rR][jJ]")):
        text = project.read_text(encoding="latin-1")[:20_000]
        if "English Units" in text or "SI Units" in text:
            return 1.0 if "SI Units" in text else hecras.FOOT
    raise DataError(
        path, "it does not say whether its numbers are feet or metres.", remedy="Put the project file of HEC-RAS (.prj) beside it."
    )


def _moment(text: str) -> float | None:
    """Return the moment of ``02JAN1999 1200`` or ``02Jan1999,12:00`` [POSIX s]; None where there is none."""
    match = re.match(r"\s*(\d{1,2})([A-Za-z]{3})(\d{4})[\s,]+(\d{2}):?(\d{2})(?::?(\d{2}))?", text)
    if match is None:
        return None
    try:
        day = datetime.strptime(f"{match[1]} {match[2].title()} {match[3]}", "%d %b %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
    # Midnight may be told as 24:00 of the day before.
    return day.timestamp() + int(match[4]) * 3600 + int(match[5]) * 60 + int(match[6] or 0)
