"""River, tide and rain gauges of England as the flood services of the Environment Agency and Defra give them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.units import parse_times
from cimdesk.formats.json_head import JsonHead
from cimdesk.formats.observations_build import (
    NO_PLACE,
    SensorRecord,
    as_object,
    as_objects,
    distinct,
    finite,
    place,
    result_of,
    texts_of,
)
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.model.sensors import Status

Row = Mapping[str, Any]
_FORMAT = "Gauges of England (Defra)"
_TYPES = {
    "S": ("water_level", "m"), "M": ("water_level", "m"), "C": ("water_level", "m"), "G": ("water_level", "m"),
    "R": ("rainfall", "mm"),
}  # fmt: skip
_STATION_COLUMNS = (
    "station_type", "river_name", "catchment", "region", "status", "qualifier", "rloi_id", "telemetry_id", "telemetry_station_id",
    "location_info", "area", "date_open", "period", "ngr", "data_type",
)  # fmt: skip
_NUMBER_COLUMNS = ("percentile_5", "percentile_95", "day_total", "six_hr_total", "one_hr_total", "site_max", "highest_level")


def is_defra(outline: JsonHead) -> bool:
    """Whether a JSON document begins like one of these services' answers."""
    if outline.is_array:
        return (
            "telemetry_id" in outline
            or ("ts" in outline and "_" in outline)
            or ("value_timestamp" in outline and "value" in outline)
        )
    return (
        ("station" in outline and ("telemetry" in outline or '"rloi_id"' in outline.text))
        or ("stations" in outline and ('"telemetry_id"' in outline.text or "place" in outline))
        or ("latestDateTime" in outline and ("minutes" in outline or "hours" in outline))
        or ("features" in outline and '"telemetry_station_id"' in outline.text)
    )


def read_defra(path: Path, document: Any, options: ReadOptions) -> ReadResult:
    """Return the gauges of one answer.

    Raises
    ------
    DataError
        If there is no gauge and no reading in it.
    """
    if isinstance(document, dict) and isinstance(document.get("features"), list):
        return _read_features(path, document, options)
    if isinstance(document, dict) and isinstance(document.get("station"), dict):
        return _read_station(path, document, options)
    if isinstance(document, dict) and isinstance(document.get("stations"), list):
        document = document["stations"]
    rows = as_objects(document) if isinstance(document, list) else _readings_of(document)
    if not rows:
        raise DataError(path, "there is no gauge and no reading in the file.", remedy="Ask the service again.")
    if "telemetry_id" in rows[0]:
        return _read_stations(path, rows, options)
    return _read_telemetry(path, rows, options)


def _readings_of(document: Any) -> list[Row]:
    """Return the readings of a rain gauge's answer: by quarter hours, else by hours."""
    if not isinstance(document, dict):
        return []
    for step in ("minutes", "hours"):
        if rows := as_objects(as_object(document.get(step)).get("values")):
            return rows
    return []


def _read_stations(path: Path, rows: Sequence[Row], options: ReadOptions) -> ReadResult:
    times = parse_times([str(row.get("value_timestamp") or "") for row in rows], "UTC")
    records = [_station_record(row, [time], [finite(row.get("value"))]) for row, time in zip(rows, times.tolist(), strict=True)]
    problems = []
    repeated = len(records) - distinct([record.key for record in records])
    if repeated:
        template = "{count} gauges are listed more than once; the later ones have a number added to their id."
        problems.append(Problem(Severity.INFO, "repeated-id", path.name, template, {"count": repeated}))
    return result_of(
        _FORMAT, path.stem, records, Crs.epsg(4326), options, rows=len(rows), said_crs=None, problems=problems,
        metadata={"licence": "Open Government Licence v3.0"},
    )  # fmt: skip


def _station_record(row: Row, times: Sequence[float], values: Sequence[float]) -> SensorRecord:
    """Return a gauge with readings. Its usual range ends at the level exceeded 5 % of the time; above that is attention."""
    kind = str(row.get("station_type", ""))
    quantity, unit = _TYPES.get(kind, ("", ""))
    key = str(row.get("telemetry_id") or row.get("rloi_id") or row.get("external_name") or "gauge")
    if row.get("qualifier") == "d":
        key += ":downstream"
    position = _position(row)
    known = [(t, v) for t, v in zip(times, values, strict=True) if np.isfinite(t)]
    return SensorRecord(
        key, str(row.get("external_name") or row.get("agency_name") or ""), quantity, unit, position,
        (finite(row.get("percentile_5")) if kind != "R" else np.nan, np.nan, np.nan),
        [t for t, _ in known], [v for _, v in known], _attributes(row), _condition(row),
    )  # fmt: skip


def _attributes(row: Row) -> dict[str, Any]:
    numbers = {name: finite(row[name]) for name in _NUMBER_COLUMNS if row.get(name) is not None}
    return {**texts_of(row, _STATION_COLUMNS), **numbers}


def _condition(row: Row) -> Status:
    if str(row.get("status", "Active")) in ("Suspended", "Closed", "ukcmf"):
        return Status.MAINTENANCE
    return Status.FAULT if row.get("value_erred") is True else Status.NORMAL


def _position(row: Row) -> tuple[float, float, float]:
    if row.get("lon") is not None:
        return place(row.get("lon"), row.get("lat"))
    try:
        shape = orjson.loads(str(row.get("coordinates") or "null"))
        return place(*shape["coordinates"][:2]) if shape else NO_PLACE
    except (orjson.JSONDecodeError, TypeError, KeyError, IndexError):
        return NO_PLACE


def _read_station(path: Path, document: Row, options: ReadOptions) -> ReadResult:
    station = document["station"]
    rows = as_objects(document.get("telemetry"))
    times, values, problems = _series(path, rows)
    record = _station_record(station, times, values)
    record.thresholds = _thresholds(document, record.thresholds[0])
    records = [record]
    if forecast := _forecast(document.get("values"), record):
        records.append(forecast)
    return result_of(
        _FORMAT, path.stem, records, Crs.epsg(4326), options, rows=len(rows), things=1, problems=problems,
        metadata={"title": record.name, "river": str(as_object(document.get("river")).get("river_name", ""))},
    )  # fmt: skip


def _thresholds(document: Row, usual: float) -> tuple[float, float, float]:
    """Return attention (top of the usual range), warning (lowest flood alert) and alarm (lowest flood warning)."""
    levels: dict[str, list[float]] = {"A": [], "W": []}
    for row in (*as_objects(document.get("imtdThresholds")), *as_objects(document.get("thresholds"))):
        kind = str(row.get("fwis_type", ""))
        is_alert = kind == "A" or kind.endswith("FAL")
        if np.isfinite(level := finite(row.get("value"))):
            levels["A" if is_alert else "W"].append(level)
    return usual, min(levels["A"], default=np.nan), min(levels["W"], default=np.nan)


def _forecast(values: Any, observed: SensorRecord) -> SensorRecord | None:
    """Return the forecast that comes with a gauge as a sensor of its own."""
    sets = as_objects(as_object(values).get("SetofValues"))
    rows = as_objects(sets[0].get("Value")) if sets else []
    if not rows:
        return None
    said = [(as_object(row.get("$")), row.get("_")) for row in rows]
    times = parse_times([f"{when.get('date', '')}T{when.get('time', '')}Z" for when, _ in said], "UTC")
    return SensorRecord(
        f"{observed.key}:forecast", f"{observed.name} (forecast)", observed.quantity, observed.unit, observed.position,
        observed.thresholds, times, [finite(value) for _, value in said], {"is_forecast": True},
    )  # fmt: skip


def _series(path: Path, rows: Sequence[Row]) -> tuple[list[float], list[float], list[Problem]]:
    """Return times and values of telemetry rows; readings marked as erroneous are gaps."""
    times = parse_times([str(row.get("ts") or row.get("value_timestamp") or row.get("dateTime") or "") for row in rows], "UTC")
    values = [np.nan if row.get("err") is True else finite(row.get("_", row.get("value"))) for row in rows]
    problems = []
    gaps = int(np.isnan(values).sum()) if values else 0
    if gaps:
        template = "{count} readings are missing or marked as wrong; they are gaps."
        problems.append(Problem(Severity.INFO, "gaps", path.name, template, {"count": gaps}))
    return times.tolist(), values, problems


def _read_telemetry(path: Path, rows: Sequence[Row], options: ReadOptions) -> ReadResult:
    times, values, problems = _series(path, rows)
    if not np.isfinite(times).any():
        raise DataError(path, "no reading in the file has a time.", remedy="Ask the service again.")
    is_rain = "_" not in rows[0]
    quantity, unit = ("rainfall", "mm") if is_rain else ("water_level", "m")
    record = SensorRecord(path.stem, path.stem, quantity, unit, times=times, values=values)
    return result_of(_FORMAT, path.stem, [record], None, options, rows=len(rows), problems=problems)


def _read_features(path: Path, document: Row, options: ReadOptions) -> ReadResult:
    features = as_objects(document["features"])
    rows = [as_object(feature.get("properties")) for feature in features]
    times = parse_times([str(row.get("value_timestamp") or "") for row in rows], "UTC")
    records: list[SensorRecord] = []
    for feature, row, time in zip(features, rows, times.tolist(), strict=True):
        point = as_object(feature.get("geometry")).get("coordinates")
        position = place(*point[:2]) if isinstance(point, list) and len(point) >= 2 else NO_PLACE
        quantity = _TYPES.get(str(row.get("type", "")), ("rainfall", "mm"))[0]
        key = str(feature.get("id") or row.get("telemetry_station_id") or len(records)).removeprefix("rainfall_stations.")
        known = np.isfinite(time)
        records.append(
            SensorRecord(
                key, str(row.get("station_name", "")).strip(), quantity, str(row.get("units") or "mm"), position,
                times=[time] if known else [], values=[finite(row.get("value"))] if known else [],
                attributes=_attributes(row),
            )
        )  # fmt: skip
    said = Crs.parse(str(as_object(as_object(document.get("crs")).get("properties")).get("name") or ""))
    return result_of(
        _FORMAT, path.name.split(".")[0], records, said or Crs.epsg(4326), options, rows=len(rows),
        said_crs=said.code if said else None,
    )  # fmt: skip
