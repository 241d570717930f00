"""Readings in CSV: one reading a row (long), or one sensor a column (wide), with an optional table of stations beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.units import DEFAULT_ZONE, parse_times
from cimdesk.formats.observations_build import NO_PLACE, NO_THRESHOLDS, SensorRecord, distinct, result_of
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.formats.text_table import Table, numbers, read_table

_TIME = re.compile(
    r"time|timestamp|date ?time|date_time|datetime_?utc|time_?utc|utc|ts|phenomenontime|resulttime|value_timestamp|seconds|"
    r"(时间|日期时间|(采集|监测|观测|上报|记录)时间)",
    re.IGNORECASE,
)
_DATE = re.compile(r"date|day|日期", re.IGNORECASE)
_VALUE = re.compile(r"value|val|reading|result|measurement|值|数值|读数|(监测|观测|测量)值", re.IGNORECASE)
_SENSOR = re.compile(
    r"(sensor|station|site|gauge|gage|device|datastream|thing)([ _]?(id|no|code|name))?|id|name|point|"
    r"(站点|测站|测点|监测点|设备|传感器)(编号|编码|名称|id|代码)?|编号|编码|站名|站码",
    re.IGNORECASE,
)
_COLUMNS = {
    "quantity": re.compile(r"quantity|parameter|variable|observed_?property|指标|监测项|监测指标|参数", re.IGNORECASE),
    "unit": re.compile(r"unit|units|uom|单位", re.IGNORECASE),
    "name": re.compile(r"name|(station|sensor|site)[ _]?name|名称|站名|(站点|测站|测点)名称", re.IGNORECASE),
    "x": re.compile(r"x|easting|x坐标|东坐标", re.IGNORECASE),
    "y": re.compile(r"y|northing|y坐标|北坐标", re.IGNORECASE),
    "lon": re.compile(r"lon|lng|long|longitude|经度", re.IGNORECASE),
    "lat": re.compile(r"lat|latitude|纬度", re.IGNORECASE),
    "z": re.compile(r"z|height|elevation|altitude|高程", re.IGNORECASE),
    "attention": re.compile(r"attention(_level)?|关注(值|水位)?", re.IGNORECASE),
    "warning": re.compile(r"warning(_level)?|预警(值|水位)?|警戒(值|水位)?", re.IGNORECASE),
    "alarm": re.compile(r"alarm(_level)?|报警(值|水位)?|危险(值|水位)?", re.IGNORECASE),
}
_UNIT_IN_HEADER = re.compile(r"^(.*?)\s*[\[(（]([^\])）]*)[\])）]\s*$")
_UNIT_SUFFIX = re.compile(r"^(.*?)_(m3_s|m3s|m3/s|l_s|mm_h|mm|m_s|m|cm|kpa|mpa|pa|degc|ntu|mg_l|ft|ft3_s|cfs|pct)$", re.IGNORECASE)
_SUFFIX_UNITS = {
    "m3_s": "m3/s",
    "m3s": "m3/s",
    "l_s": "L/s",
    "mm_h": "mm/h",
    "m_s": "m/s",
    "mg_l": "mg/L",
    "ft3_s": "ft3/s",
    "pct": "%",
}


@dataclass(frozen=True)
class Layout:
    """Which columns of a table of readings say what; -1 for none.

    Attributes
    ----------
    time, date, value, sensor : int
    roles : mapping of str to int
        Columns of quantity, unit, name, place and thresholds.
    series : tuple of int
        Columns of the wide form: one sensor each.
    """

    time: int
    date: int
    value: int
    sensor: int
    roles: dict[str, int] = field(default_factory=dict)
    series: tuple[int, ...] = ()


def layout_of(header: Sequence[str], first: Sequence[str] = ()) -> Layout | None:
    """Return how a table of readings is laid out; None when it is no such table.

    Parameters
    ----------
    header : sequence of str
    first : sequence of str
        The first row of values, which tells numbers from texts; empty when unknown.
    """
    names = [_UNIT_IN_HEADER.sub(r"\1", name.strip()) if i else name.strip() for i, name in enumerate(header)]
    time = _find(names, _TIME)
    if time < 0 and len(names) > 2 and not names[0] and all(names[1:]):
        time = 0  # a data frame written with its times as index
    date = _find(names, _DATE)
    if time < 0 and date >= 0:
        time, date = date, -1
    if time < 0:
        return None
    value = _find(names, _VALUE)
    roles = {role: index for role, pattern in _COLUMNS.items() if (index := _find(names, pattern)) >= 0}
    sensor = _find(names, _SENSOR)
    if value >= 0:
        return Layout(time, date if names[time].lower() == "time" else -1, value, sensor, roles)
    taken = {time, date if names[time].lower() == "time" else -1}
    series = tuple(k for k in range(len(names)) if k not in taken and (not first or k >= len(first) or _is_reading(first[k])))
    if not series or (time > 0 and sensor >= 0):
        return None
    return Layout(time, date if date in taken else -1, -1, -1, {}, series)


def is_counted(table: Table, layout: Layout) -> bool:
    """Whether a nameless first column only counts the rows, and so is no time."""
    counted = [str(row) for row in range(min(3, len(table.rows)))]
    return not table.header[layout.time] and table.column(layout.time)[:3] == counted


def read_observation_table(path: Path, options: ReadOptions) -> ReadResult:
    """Read a CSV of readings.

    Raises
    ------
    DataError
        If no column is a time, or no row has one.
    """
    table = read_table(path)
    layout = layout_of(table.header, table.rows[0] if table.rows else ())
    if layout is None:
        raise DataError(path, "no column of the table is a time.", remedy="Name one column time and one value.", where="line 1")
    if not table.rows:
        raise DataError(path, "the table has a header and no readings.", remedy="Export it again.")
    zone = str(options.extra.get("zone", DEFAULT_ZONE))
    times = parse_times(_time_texts(table, layout), zone)
    if is_counted(table, layout):
        raise DataError(path, "no column of the table is a time.", remedy="Name one column time and one value.", where="line 1")
    problems = _bad_rows(table, np.isnan(times), "bad-time", "{count} rows have no readable time; they are left out.")
    if np.isnan(times).all():
        raise DataError(
            path, "no row of the table has a readable time.", remedy="Write times as 2026-06-07 12:40 or seconds.", where="line 2"
        )
    options.cancel.raise_if_cancelled()
    stations = _stations_beside(path)
    if layout.value >= 0:
        records, more = _long(path, table, layout, times)
    else:
        records, more = _wide(path, table, layout, times)
    problems += more
    in_degrees = _placed_from(records, stations) or "lon" in layout.roles
    if table.encoding not in ("utf-8", "utf-8-sig"):
        problems.append(
            Problem(Severity.INFO, "encoding", "", "The text was read as {encoding}.", {"encoding": table.encoding.upper()})
        )
    crs = Crs.epsg(4326) if in_degrees else None
    return result_of(
        "Table of readings", path.stem, records, crs, options, rows=len(table.rows), problems=problems,
        metadata={"zone": zone, "encoding": table.encoding},
    )  # fmt: skip


def _find(names: Sequence[str], pattern: re.Pattern[str]) -> int:
    return next((index for index, name in enumerate(names) if pattern.fullmatch(name)), -1)


def _is_reading(text: str) -> bool:
    text = text.strip().lower()
    if text in ("", "nan", "na", "n/a", "null", "none", "-", "--"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _time_texts(table: Table, layout: Layout) -> list[str]:
    texts = table.column(layout.time)
    if layout.date < 0:
        return texts
    return [f"{date} {time}" for date, time in zip(table.column(layout.date), texts, strict=True)]


def _bad_rows(table: Table, is_bad: AnyArray, code: str, template: str) -> list[Problem]:
    rows = np.flatnonzero(is_bad)
    if not len(rows):
        return []
    lines = ", ".join(str(table.lines[row]) for row in rows[:5].tolist())
    return [Problem(Severity.WARNING, code, f"line {lines}", template, {"count": len(rows)})]


def _readings(texts: list[str]) -> tuple[Float, AnyArray]:
    """Return values and which texts are neither a number nor an empty cell."""
    values = numbers(texts)
    unread = np.flatnonzero(np.isnan(values))
    is_bad = np.zeros(len(texts), dtype=bool)
    is_bad[[row for row in unread.tolist() if not _is_reading(texts[row])]] = True
    return values, is_bad


def _long(path: Path, table: Table, layout: Layout, times: Float) -> tuple[list[SensorRecord], list[Problem]]:
    values, is_bad = _readings(table.column(layout.value))
    problems = _bad_rows(table, is_bad, "bad-value", "{count} readings are no numbers; they are gaps.")
    keys = np.array(table.column(layout.sensor) if layout.sensor >= 0 else [path.stem] * len(times), dtype=object)
    columns = {role: table.column(index) for role, index in layout.roles.items()}
    if "quantity" in columns:  # a station that measures several things is several sensors
        several = np.array([f"{key}:{quantity}" for key, quantity in zip(keys, columns["quantity"], strict=True)], dtype=object)
        keys = several if distinct(several) > distinct(keys) else keys
    names, first, group = np.unique(keys.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(names) + 1))
    unit = _header_unit(table.header[layout.value])[1]
    records = []
    for index in np.argsort(first).tolist():
        rows, row = order[bounds[index] : bounds[index + 1]], int(first[index])
        said = {role: texts[row] for role, texts in columns.items()}
        records.append(
            SensorRecord(
                str(names[index]), said.get("name", ""), said.get("quantity", "") or _quantity_in(table.header[layout.value]),
                said.get("unit", "") or unit, _place(said), _thresholds(said), times[rows], values[rows],
            )
        )  # fmt: skip
    return records, problems


def _wide(path: Path, table: Table, layout: Layout, times: Float) -> tuple[list[SensorRecord], list[Problem]]:
    records: list[SensorRecord] = []
    problems: list[Problem] = []
    for index in layout.series:
        values, is_bad = _readings(table.column(index))
        if is_bad.any():
            template = "{count} readings are no numbers; they are gaps."
            problems += _bad_rows(table, is_bad, "bad-value", template)
        label, unit = _header_unit(table.header[index])
        key = label or f"{path.stem}-{index}"
        records.append(SensorRecord(key, key, _quantity_in(label), unit, times=times, values=values))
    return records, problems


def _header_unit(header: str) -> tuple[str, str]:
    """Return name and unit of a column: ``Liede (m)``, ``level_m``, ``discharge_m3_s``."""
    if found := _UNIT_IN_HEADER.match(header.strip()):
        return found[1], found[2].strip()
    if found := _UNIT_SUFFIX.match(header.strip()):
        return found[1], _SUFFIX_UNITS.get(found[2].lower(), found[2])
    return header.strip(), ""


def _quantity_in(header: str) -> str:
    """Return a column's name when it says what is measured, not where."""
    from cimdesk.formats.observations_build import quantity_of

    label = _header_unit(header)[0]
    return quantity_of(label) if quantity_of(label) != label.lower().replace(" ", "_") else ""


def _place(said: dict[str, str]) -> tuple[float, float, float]:
    x, y = ("lon", "lat") if "lon" in said and "lat" in said else ("x", "y")
    if x not in said or y not in said:
        return NO_PLACE
    point = numbers([said[x], said[y], said.get("z", "")])
    return float(point[0]), float(point[1]), float(point[2])


def _thresholds(said: dict[str, str]) -> tuple[float, float, float]:
    levels = numbers([said.get(name, "") for name in ("attention", "warning", "alarm")])
    return float(levels[0]), float(levels[1]), float(levels[2])


def _stations_beside(path: Path) -> dict[str, dict[str, str]]:
    """Return what a table of stations beside the file says, by station id and by name."""
    for name in (f"{path.stem}_stations.csv", f"{path.stem}_sensors.csv", "stations.csv", "sensors.csv"):
        beside = path.with_name(name)
        if beside != path and beside.is_file():
            break
    else:
        return {}
    table = read_table(beside)
    key = _find(table.header, _SENSOR)
    roles = {role: index for role, pattern in _COLUMNS.items() if (index := _find(table.header, pattern)) >= 0}
    if key < 0 or not roles:
        return {}
    found: dict[str, dict[str, str]] = {}
    for row in table.rows:
        said = {role: row[index].strip() for role, index in roles.items() if index < len(row)}
        for name in (said.get("name", ""), row[key].strip() if key < len(row) else ""):
            if name:
                found[name] = said
    return found


def _placed_from(records: list[SensorRecord], stations: dict[str, dict[str, str]]) -> bool:
    """Fill in what the table of stations knows; return whether its positions are longitude and latitude."""
    in_degrees = False
    for record in records:
        said = stations.get(record.key) or stations.get(record.name) or stations.get(record.key.partition(":")[0])
        if said is None:
            continue
        record.name = said.get("name") or record.name
        record.quantity = record.quantity or said.get("quantity", "")
        record.unit = record.unit or said.get("unit", "")
        if np.isnan(record.position[0]):
            record.position = _place(said)
            in_degrees |= "lon" in said
        if record.thresholds == NO_THRESHOLDS or np.isnan(record.thresholds).all():
            record.thresholds = _thresholds(said)
    return in_degrees
