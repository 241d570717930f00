"""Stream gauges of the United States as the USGS water services give them out: RDB tables, NWIS JSON, OGC features."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.units import parse_times
from cimdesk.formats.encodings import decode_text
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

Row = Mapping[str, Any]
_PARAMETERS = {
    "00060": ("flow_rate", "ft3/s"), "00061": ("flow_rate", "ft3/s"), "00065": ("water_level", "ft"),
    "62614": ("water_level", "ft"), "00010": ("temperature", "degC"), "00045": ("rainfall", "in"), "00055": ("velocity", "ft/s"),
    "63680": ("turbidity", "FNU"), "00095": ("specific_conductance", "uS/cm"), "72019": ("depth_to_water", "ft"),
    "00035": ("wind_speed", "mph"),
}  # fmt: skip
_ZONES = {
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AKST": -9,
    "AKDT": -8,
    "HST": -10,
    "UTC": 0,
}
_SITE_COLUMNS = ("site_tp_cd", "alt_va", "alt_datum_cd", "huc_cd", "dec_coord_datum_cd")
_NAD83 = 4269


def is_usgs(outline: JsonHead) -> bool:
    """Whether a JSON document begins like an answer of the water services."""
    if outline.is_array:
        return False
    if "timeSeries" in outline.text[:4096] and "value" in outline:
        return True
    if outline.value("name").startswith("ns1:timeSeriesResponse"):
        return True
    return '"monitoring_location_id"' in outline.text or "monitoring-locations" in outline or "agency-codes" in outline


def is_rdb(text: str) -> bool:
    """Whether a text begins like a USGS RDB table."""
    return text.startswith("#") and ("US Geological Survey" in text or "agency_cd" in text)


def read_usgs(path: Path, document: Any, options: ReadOptions) -> ReadResult:
    """Return the gauges of a JSON answer.

    Raises
    ------
    DataError
        If it is no such answer.
    """
    value = document.get("value") if isinstance(document, dict) else None
    if isinstance(value, dict) and isinstance(value.get("timeSeries"), list):
        records = [record for series in as_objects(value["timeSeries"]) for record in _nwis(series)]
        things = distinct([record.attributes.get("site") for record in records])
        return result_of("USGS NWIS JSON", path.stem, records, Crs.epsg(4326), options, things=things)
    collections = _collections(document)
    if not collections:
        raise DataError(path, "there is no series of readings in the file.", remedy="Ask the service for time series again.")
    return _read_features(path, collections, options)


def _nwis(series: Row) -> Iterable[SensorRecord]:
    """Yield a sensor for each method of a time series."""
    info, variable = as_object(series.get("sourceInfo")), as_object(series.get("variable"))
    site = _first(info.get("siteCode"), "value")
    code = _first(variable.get("variableCode"), "value")
    statistic = _first(as_object(variable.get("options")).get("option"), "optionCode")
    unit = str(as_object(variable.get("unit")).get("unitCode") or _PARAMETERS.get(code, ("", ""))[1])
    quantity = _PARAMETERS.get(code, ("", ""))[0] or html.unescape(str(variable.get("variableName") or code))
    where = as_object(as_object(info.get("geoLocation")).get("geogLocation"))
    zone = as_object(as_object(info.get("timeZoneInfo")).get("defaultTimeZone")).get("zoneOffset")
    missing = finite(variable.get("noDataValue"))
    methods = as_objects(series.get("values"))
    for index, method in enumerate(methods):
        rows = as_objects(method.get("value"))
        times = parse_times([_zoned(str(row.get("dateTime") or ""), str(zone or "+00:00")) for row in rows], "UTC")
        values = np.array([finite(row.get("value")) for row in rows], dtype=np.float64)
        values[values == missing] = np.nan
        key = ":".join(
            part for part in (site, code, statistic if statistic != "00000" else "", str(index + 1) if index else "") if part
        )
        yield SensorRecord(
            key, str(info.get("siteName") or site), quantity, unit, place(where.get("longitude"), where.get("latitude")),
            times=times, values=values, attributes={"site": site, "parameter_code": code, "statistic": statistic},
        )  # fmt: skip


def _zoned(text: str, offset: str) -> str:
    """Return a time with the site's offset when it names none."""
    return text if re.search(r"(?:Z|[+-]\d\d:?\d\d)$", text) or not text else f"{text}{offset}"


def _first(items: Any, key: str) -> str:
    item = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
    return str(item.get(key) or "")


def _collections(document: Any) -> dict[str, list[Row]]:
    """Return the features of an OGC answer, or of several kept in one file by name."""
    if not isinstance(document, dict):
        return {}
    if isinstance(document.get("features"), list):
        return {"": as_objects(document["features"])}
    found = {}
    for name, part in document.items():
        if isinstance(part, dict) and isinstance(part.get("features"), list):
            found[str(name)] = as_objects(part["features"])
    return found


def _read_features(path: Path, collections: Mapping[str, Sequence[Row]], options: ReadOptions) -> ReadResult:
    """Read OGC features: readings grouped by location and parameter, and locations without any."""
    series: dict[str, list[tuple[str, float]]] = {}
    records: dict[str, SensorRecord] = {}
    sites: dict[str, SensorRecord] = {}
    rows = 0
    for feature in (feature for part in collections.values() for feature in part):
        rows += 1
        said = as_object(feature.get("properties"))
        point = as_object(feature.get("geometry")).get("coordinates")
        position = place(*point[:2]) if isinstance(point, list) and len(point) >= 2 else NO_PLACE
        if "monitoring_location_name" in said:
            key = str(said.get("monitoring_location_id") or feature.get("id") or said.get("id") or "")
            attributes = texts_of(said, ("site_type", "state_name", "county_name", "hydrologic_unit_code", "altitude"))
            sites[key] = SensorRecord(key, str(said["monitoring_location_name"]), position=position, attributes=attributes)
        if "time" in said and "value" in said and "monitoring_location_id" in said:
            site, code = str(said["monitoring_location_id"]), str(said.get("parameter_code") or "")
            statistic = str(said.get("statistic_id") or "")
            key = ":".join(part for part in (site, code, statistic) if part)
            quantity, unit = _PARAMETERS.get(code, (code, ""))
            unit = str(said.get("unit_of_measure") or unit)
            attributes = {"site": site, "parameter_code": code, "statistic": statistic}
            records.setdefault(key, SensorRecord(key, site, quantity, unit, position, attributes=attributes))
            series.setdefault(key, []).append((str(said["time"]), finite(said["value"])))
    for key, readings in series.items():
        records[key].times = parse_times([time for time, _ in readings], "UTC")
        records[key].values = [value for _, value in readings]
    measured = {str(record.attributes["site"]) for record in records.values()}
    every = [*records.values(), *(site for key, site in sites.items() if key not in measured)]
    problems = []
    if len(collections) > 1:
        template = "The file holds {count} collections; readings and locations were taken from all of them."
        problems.append(Problem(Severity.INFO, "collections", path.name, template, {"count": len(collections)}))
    return result_of(
        "USGS water data (OGC features)", path.stem, every, Crs.epsg(4326), options, rows=rows,
        things=len(measured | set(sites)), problems=problems,
    )  # fmt: skip


def read_rdb(path: Path, options: ReadOptions) -> ReadResult:
    """Return the sites or readings of an RDB table: tab-separated, with a line of column formats under the header.

    Raises
    ------
    DataError
        If it has no header or is cut off in it.
    """
    try:
        text, _ = decode_text(path.read_bytes())
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error
    numbered = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line and not line.startswith("#")]
    if len(numbered) < 2:
        raise DataError(path, "the table has no header.", remedy="Ask the service again.", where=f"line {text.count(chr(10)) + 1}")
    header = [name.strip() for name in numbered[0][1].split("\t")]
    body = [(k, line.split("\t")) for k, line in numbered[1:] if line != numbered[0][1] and not _is_format_line(line)]
    rows = [dict(zip(header, (cell.strip() for cell in cells), strict=False)) for _, cells in body if len(cells) == len(header)]
    problems = []
    if bad := [k for k, cells in body if len(cells) != len(header)]:
        where = "line {}".format(", ".join(str(k) for k in bad[:5]))
        problems.append(
            Problem(
                Severity.WARNING,
                "bad-row",
                where,
                "{count} rows have another number of columns than the header.",
                {"count": len(bad)},
            )
        )
    if not rows:
        raise DataError(path, "the table has no readable row.", remedy="Ask the service again.")
    if "datetime" in header:
        return _rdb_readings(path, header, rows, problems, options)
    if "dec_lat_va" in header:
        records = [_rdb_site(row) for row in rows]
        return result_of("USGS RDB", path.stem, records, Crs.epsg(_NAD83), options, rows=len(rows), problems=problems)
    template = "The table holds statistics of each day of the year, not readings; there is nothing to place on the map."
    problems.append(Problem(Severity.INFO, "statistics", path.name, template, {}))
    sites = distinct([row.get("site_no") for row in rows])
    streams = distinct([(row.get("site_no"), row.get("parameter_cd"), row.get("ts_id")) for row in rows])
    return ReadResult(
        "USGS RDB", None, None, {"rows": len(rows), "things": sites, "datastreams": streams}, None, (), tuple(problems)
    )


def _is_format_line(line: str) -> bool:
    return all(re.fullmatch(r"\d+[snd]", cell.strip()) for cell in line.split("\t"))


def _rdb_site(row: Row) -> SensorRecord:
    altitude = finite(row.get("alt_va")) * 0.3048
    position = place(row.get("dec_long_va"), row.get("dec_lat_va"), altitude)
    return SensorRecord(
        str(row.get("site_no")), str(row.get("station_nm", "")), position=position, attributes=texts_of(row, _SITE_COLUMNS)
    )


def _rdb_readings(
    path: Path, header: Sequence[str], rows: Sequence[Row], problems: list[Problem], options: ReadOptions
) -> ReadResult:
    """Read a table of values: one column per series, ``<ts>_<parameter>[_<statistic>]``, beside ``..._cd`` of remarks."""
    series = [name for name in header if re.fullmatch(r"\d+_\d{5}(?:_\d{5})?", name)]
    offsets = [_ZONES.get(str(row.get("tz_cd", "UTC")), 0) * 3600.0 for row in rows]
    times = parse_times([str(row["datetime"]) for row in rows], "UTC") - np.array(offsets)
    sites = np.array([str(row.get("site_no", "")) for row in rows])
    records = []
    for site in dict.fromkeys(sites.tolist()):
        mine = np.flatnonzero(sites == site)
        for name in series:
            values = np.array([finite(rows[k].get(name)) for k in mine.tolist()])
            code = name.split("_")[1]
            quantity, unit = _PARAMETERS.get(code, (code, ""))
            if np.isfinite(values).any():
                attributes = {"site": site, "parameter_code": code}
                records.append(
                    SensorRecord(f"{site}:{code}", site, quantity, unit, times=times[mine], values=values, attributes=attributes)
                )
    return result_of("USGS RDB", path.stem, records, None, options, rows=len(rows), things=distinct(sites), problems=problems)
