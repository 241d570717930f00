"""What every reader of readings hands over: sensors one by one with their series; here they become one `Sensors`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem, Severity
from cimdesk.base.units import unit_conversion
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.features import FeatureTable, as_strings, column_of
from cimdesk.model.layers import LayerKind
from cimdesk.model.sensors import Observations, Sensors, Status

NO_PLACE = (np.nan, np.nan, np.nan)
NO_THRESHOLDS = (np.nan, np.nan, np.nan)
STALE_AFTER = 6 * 3600.0
"""Silence after which a sensor with too few readings to know its rhythm is stale [s]."""
MIN_STALE, MAX_STALE = 900.0, 30 * 86_400.0

# What a name or description is about -> ObservedProperty id.
_QUANTITIES: tuple[tuple[str, str], ...] = (
    (r"water[ _]?depth|ponding|积水|水深", "water_depth"),
    (r"rain(fall)?[ _]?(intensity|rate)|雨强", "rain_intensity"),
    (r"rain|precip|雨量|降雨|降水", "rainfall"),
    (r"discharge|stream ?flow|flow|流量", "flow_rate"),
    (r"level|stage|gage height|gauge height|head|水位|液位|潮位|tide", "water_level"),
    (r"velocity|流速", "velocity"),
    (r"pressure|水压|压力", "pressure"),
    (r"chlorine|余氯", "residual_chlorine"),
    (r"turbid|浊度", "turbidity"),
    (r"\bch4\b|methane|甲烷", "ch4"),
    (r"\blel\b|gas conc|燃气浓度|可燃气", "gas_concentration"),
    (r"\bh2s\b|hydrogen sulph?f?ide|硫化氢", "h2s"),
    (r"pm ?2[._]?5", "pm2_5"),
    (r"wind ?speed|风速", "wind_speed"),
    (r"load ?rate|负载率", "load_rate"),
    (r"active[ _]?power|功率", "active_power"),
    (r"voltage|电压", "voltage"),
    (r"current|电流", "current"),
    (r"tilt|倾斜|倾角", "manhole_tilt"),
    (r"displacement|settlement|位移|沉降", "displacement"),
    (r"heart ?rate|心率", "heart_rate"),
    (r"temperature|温度", "temperature"),
)
_BY_UNIT = {
    "m3/s": "flow_rate",
    "mm/h": "rain_intensity",
    "Cel": "temperature",
    "kPa": "pressure",
    "NTU": "turbidity",
    "m/s": "velocity",
}


@dataclass
class SensorRecord:
    """One sensor as a source describes it.

    Attributes
    ----------
    key : str
        Identifier in the source; made unique when it repeats.
    name, quantity, unit : str
        Quantity is any description; it is mapped to an ObservedProperty id. Unit is the source's.
    position : (x, y, z)
        NaN where unknown.
    thresholds : 3 floats
        Attention, warning, alarm in the source's unit; NaN where none.
    times, values : arrays or sequences
        POSIX seconds and readings in the source's unit; NaN is a gap.
    attributes : mapping
        Further columns.
    condition : Status
    """

    key: str
    name: str = ""
    quantity: str = ""
    unit: str = ""
    position: tuple[float, float, float] = NO_PLACE
    thresholds: tuple[float, float, float] = NO_THRESHOLDS
    times: Sequence[float] | Float = ()
    values: Sequence[float] | Float = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    condition: Status = Status.NORMAL


def quantity_of(text: str, unit: str = "") -> str:
    """Return the ObservedProperty id that a description means; the description itself when it is none we know."""
    plain = text.strip()
    for pattern, quantity in _QUANTITIES:
        if plain == quantity or re.search(pattern, plain, re.IGNORECASE):
            return quantity
    return _BY_UNIT.get(unit, "") if not plain else plain.lower().replace(" ", "_")


def build_sensors(records: Sequence[SensorRecord], metadata: Mapping[str, Any] | None = None) -> Sensors:
    """Return sensors with their readings in one unit per quantity, series sorted and freed of repeated times."""
    rows = []
    series: list[tuple[Float, Float]] = []
    thresholds = np.full((len(records), 3), np.nan)
    for index, record in enumerate(records):
        unit, factor, offset = unit_conversion(record.unit)
        times, values = clean_series(record.times, record.values)
        series.append((times, values * factor + offset))
        thresholds[index] = np.asarray(record.thresholds, dtype=np.float64) * factor + offset
        row = {"name": record.name or record.key, "quantity": quantity_of(record.quantity, unit), "unit": unit, **record.attributes}
        if unit != record.unit.strip():
            row["source_unit"] = record.unit.strip()
        rows.append(row)
    ids = unique_ids([record.key for record in records])
    condition = np.array([record.condition for record in records], dtype=np.uint8)
    return Sensors(
        features=_table(ids, rows),
        positions=np.array([record.position for record in records], dtype=np.float64).reshape(-1, 3),
        thresholds=thresholds,
        stale_after=np.array([stale_after(times) for times, _ in series], dtype=np.float64),
        observations=_joined(series),
        metadata=dict(metadata or {}),
        condition=condition if condition.any() else None,
    )


def _table(ids: list[str], rows: list[dict[str, Any]]) -> FeatureTable:
    names = dict.fromkeys(["name", "quantity", "unit"])
    for row in rows:
        names.update(dict.fromkeys(row))
    return FeatureTable(as_strings(ids), {name: column_of([row.get(name) for row in rows]) for name in names})


def _joined(series: list[tuple[Float, Float]]) -> Observations:
    if not series:
        return Observations.empty(0)
    offsets = np.zeros(len(series) + 1, dtype=np.int64)
    np.cumsum([len(times) for times, _ in series], out=offsets[1:])
    return Observations(offsets, np.concatenate([times for times, _ in series]), np.concatenate([values for _, values in series]))


def clean_series(times: Sequence[float] | Float, values: Sequence[float] | Float) -> tuple[Float, Float]:
    """Return a series by rising time; rows without a time are left out, of equal times the last one counts."""
    t, v = np.asarray(times, dtype=np.float64).ravel(), np.asarray(values, dtype=np.float64).ravel()
    known = np.isfinite(t)
    t, v = t[known], v[known]
    if len(t) > 1 and (np.diff(t) <= 0).any():
        order = np.argsort(t, kind="stable")
        t, v = t[order], v[order]
        last = np.append(np.diff(t) > 0, True)
        t, v = t[last], v[last]
    return t, np.where(np.isfinite(v), v, np.nan)


def stale_after(times: Float) -> float:
    """Return the silence that makes a sensor stale: three times its usual interval, a quarter of an hour to a month [s]."""
    if len(times) < 3:
        return STALE_AFTER
    return min(max(MIN_STALE, 3.0 * float(np.median(np.diff(times)))), MAX_STALE)


def unique_ids(keys: Sequence[str]) -> list[str]:
    """Return keys with ``-2``, ``-3`` added where they repeat."""
    taken = set(keys)
    seen: dict[str, int] = {}
    out = []
    for key in keys:
        number = seen[key] = seen.get(key, 0) + 1
        name = key
        while number > 1 and (name := f"{key}-{number}") in taken:
            number += 1
        taken.add(name)
        out.append(name)
    return out


def finite(value: Any) -> float:
    """Return any JSON value as a number; NaN when it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return number if np.isfinite(number) else np.nan


def as_object(value: Any) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects in a JSON array; none for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def place(x: Any, y: Any, z: Any = None) -> tuple[float, float, float]:
    """Return a position from any JSON values; NaN where they are no numbers."""
    return finite(x), finite(y), finite(z)


def texts_of(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of ``row`` that have one of these names and a simple value."""
    return {name: row[name] for name in names if isinstance(row.get(name), str | int | float | bool)}


def result_of(
    format_name: str,
    name: str,
    records: Sequence[SensorRecord],
    crs: Crs | None,
    options: ReadOptions,
    *,
    rows: int | None = None,
    things: int | None = None,
    said_crs: str | None = None,
    version: str | None = None,
    problems: Sequence[Problem] = (),
    metadata: Mapping[str, Any] | None = None,
) -> ReadResult:
    """Return what a file of readings gave.

    Parameters
    ----------
    format_name, name : str
        Format, and suggested name of the layer.
    records : sequence of SensorRecord
    crs : Crs or None
        System of the positions.
    options : ReadOptions
    rows, things : int, optional
        Rows of a table; stations, when several sensors share one.
    said_crs, version : str, optional
        As the file says.
    problems, metadata
    """
    sensors = build_sensors(records, metadata)
    objects = {} if rows is None else {"rows": rows}
    count = len(sensors.observations.times)
    objects |= {"things": len(records) if things is None else things, "datastreams": len(records), "observations": count}
    found = list(problems)
    unplaced = int((~np.isfinite(sensors.positions[:, :2]).all(axis=1)).sum())
    if unplaced:
        template = "{count} of {all} sensors have no position; they are in the table and not on the map."
        found.append(Problem(Severity.WARNING, "no-position", name, template, {"count": unplaced, "all": len(records)}))
    has_place = unplaced < len(records)
    system = options.crs_for(crs if has_place else None)
    sources = (Source(name, LayerKind.SENSORS, sensors, system, options=dict(options.extra)),) if records else ()
    if not records:
        found.append(Problem(Severity.WARNING, "no-sensors", name, "The file is well formed and holds no sensor.", {}))
    extent = sensors.bounds if has_place and records else None
    return ReadResult(format_name, version, said_crs, objects, extent, sources, tuple(found))


def distinct(values: AnyArray | Sequence[Any]) -> int:
    """Return how many different values there are."""
    return len(set(values))
