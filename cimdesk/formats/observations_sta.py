"""OGC SensorThings payloads saved as JSON: entity sets, single entities, expanded or not, data arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.units import parse_times
from cimdesk.formats.json_head import JsonHead
from cimdesk.formats.observations_build import (
    NO_PLACE,
    NO_THRESHOLDS,
    SensorRecord,
    as_object,
    as_objects,
    finite,
    place,
    result_of,
)
from cimdesk.formats.registry import ReadOptions, ReadResult

Entity = Mapping[str, Any]
_MARKS = ("@iot.id", "@iot.selfLink", "@iot.nextLink", "@iot.count", "Datastreams@iot.navigationLink", "dataArray")


def is_sensor_things(outline: JsonHead) -> bool:
    """Whether a JSON document begins like a SensorThings payload."""
    if outline.is_array:
        return "Datastream" in outline and "dataArray" in outline
    if any(mark in outline for mark in _MARKS):
        return True
    text = outline.text
    if outline.value("value").startswith("["):
        return any(f'"{mark}"' in text for mark in _MARKS) or ('"phenomenonTime"' in text and '"result"' in text)
    return ("phenomenonTime" in outline and "result" in outline) or ("unitOfMeasurement" in outline and "name" in outline)


@dataclass
class _Collected:
    """What is found while the entities are walked."""

    path: Path
    things: dict[str, Entity] = field(default_factory=dict)
    positions: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    streams: dict[str, Entity] = field(default_factory=dict)
    thing_of: dict[str, str] = field(default_factory=dict)
    times: dict[str, list[str]] = field(default_factory=dict)
    results: dict[str, list[float]] = field(default_factory=dict)
    bad: int = 0
    more: int = 0
    places: int = 0


def read_sensor_things(path: Path, document: Any, options: ReadOptions) -> ReadResult:
    """Return the sensors of a SensorThings payload: one per Datastream.

    Raises
    ------
    DataError
        If there is no Thing, Datastream or Observation in it.
    """
    found = _Collected(path)
    entities = document.get("value") if isinstance(document, dict) and isinstance(document.get("value"), list) else document
    if isinstance(document, dict):
        found.more += any(key.endswith("nextLink") for key in document)
    for entity in entities if isinstance(entities, list) else [entities]:
        if isinstance(entity, dict):
            _take(found, entity)
    if not found.things and not found.streams and not found.results and not found.places and entities:
        raise DataError(path, "there is no Thing, Datastream or Observation in the file.", remedy="Save it again from the service.")
    records = list(_records(found))
    problems = _problems(found)
    streams = len(found.streams)
    result = result_of(
        "SensorThings", path.stem, records, Crs.epsg(4326), options, things=len(found.things), problems=problems, version=None
    )
    objects = {"things": len(found.things), "datastreams": streams, "observations": sum(map(len, found.results.values()))}
    return ReadResult(result.format, result.version, result.crs, objects, result.extent, result.sources, result.problems)


def _take(found: _Collected, entity: Entity) -> None:
    """Sort one entity by the keys it has."""
    if "dataArray" in entity:
        _take_data_array(found, entity)
    elif "phenomenonTime" in entity and "result" in entity:
        stream = entity.get("Datastream")
        key = _take_stream(found, stream) if isinstance(stream, dict) else _linked(entity) or found.path.stem
        _take_observation(found, key, entity)
    elif "unitOfMeasurement" in entity or "observationType" in entity:
        _take_stream(found, entity)
    elif "location" in entity:
        found.places += 1
        for thing in as_objects(entity.get("Things")):
            _take_thing(found, thing)
            found.positions[_id(thing)] = _point(entity["location"])
    elif "name" in entity or "Datastreams" in entity or _id(entity):
        _take_thing(found, entity)


def _take_thing(found: _Collected, thing: Entity) -> None:
    key = _id(thing) or str(thing.get("name", len(found.things)))
    found.things[key] = thing
    for location in as_objects(thing.get("Locations")):
        found.positions.setdefault(key, _point(location.get("location")))
    found.more += any(name in thing for name in ("Datastreams@iot.nextLink", "Locations@iot.nextLink"))
    for stream in (*as_objects(thing.get("Datastreams")), *as_objects(thing.get("MultiDatastreams"))):
        found.thing_of[_take_stream(found, stream)] = key


def _take_stream(found: _Collected, stream: Entity) -> str:
    key = _id(stream) or str(stream.get("name", len(found.streams)))
    found.streams.setdefault(key, stream)
    found.more += "Observations@iot.nextLink" in stream
    if isinstance(thing := stream.get("Thing"), dict):
        found.thing_of[key] = _id(thing) or str(thing.get("name", ""))
        _take_thing(found, thing)
    for observation in as_objects(stream.get("Observations")):
        _take_observation(found, key, observation)
    return key


def _take_observation(found: _Collected, key: str, observation: Entity) -> None:
    time = observation.get("phenomenonTime") or observation.get("resultTime")
    _add(found, key, time, observation.get("result"))


def _take_data_array(found: _Collected, entity: Entity) -> None:
    stream, components, rows = entity.get("Datastream"), entity.get("components"), entity.get("dataArray")
    key = _take_stream(found, stream) if isinstance(stream, dict) else _linked(entity) or found.path.stem
    if not isinstance(components, list) or not isinstance(rows, list) or "result" not in components:
        found.bad += 1
        return
    result = components.index("result")
    time = components.index("phenomenonTime") if "phenomenonTime" in components else -1
    time = components.index("resultTime") if time < 0 and "resultTime" in components else time
    for row in rows:
        if isinstance(row, list) and len(row) > max(result, time):
            _add(found, key, row[time] if time >= 0 else None, row[result])
        else:
            found.bad += 1


def _add(found: _Collected, key: str, time: Any, result: Any) -> None:
    value = finite(result)
    found.bad += bool(np.isnan(value) and result is not None) or not isinstance(time, str)
    # An interval counts from when it was known: its end.
    found.times.setdefault(key, []).append(time.rpartition("/")[2] if isinstance(time, str) else "")
    found.results.setdefault(key, []).append(value)


def _records(found: _Collected) -> Iterable[SensorRecord]:
    for key in dict.fromkeys((*found.streams, *found.results)):
        stream = found.streams.get(key, {})
        thing_key = found.thing_of.get(key, "")
        thing = found.things.get(thing_key, {})
        yield _record(found, key, stream, thing, found.positions.get(thing_key, NO_PLACE))
    having = set(found.thing_of.values())
    for key, thing in found.things.items():
        if key not in having:
            yield SensorRecord(
                key, str(thing.get("name", "")), position=found.positions.get(key, NO_PLACE), attributes=_properties(thing)
            )


def _record(found: _Collected, key: str, stream: Entity, thing: Entity, position: tuple[float, float, float]) -> SensorRecord:
    unit, observed = as_object(stream.get("unitOfMeasurement")), as_object(stream.get("ObservedProperty"))
    quantity = observed.get("name") or stream.get("name") or ""
    symbol = unit.get("symbol") or unit.get("name") or ""
    if np.isnan(position[0]):
        position = _point(stream.get("observedArea"))
    names = [str(part) for part in (thing.get("name"), stream.get("name")) if part]
    attributes = (
        {"thing": str(thing.get("name", "")), **_properties(thing), **_properties(stream)} if thing else _properties(stream)
    )
    return SensorRecord(
        key, " · ".join(dict.fromkeys(names)), str(quantity), str(symbol), position, _thresholds(stream),
        parse_times(found.times.get(key, []), "UTC"), found.results.get(key, []), attributes,
    )  # fmt: skip


def _problems(found: _Collected) -> list[Problem]:
    problems = []
    if found.more:
        template = "The service has more than this file: it ends with a link to the next page, which is not here."
        problems.append(Problem(Severity.WARNING, "next-page", found.path.name, template, {}))
    if found.bad:
        template = "{count} observations have no readable time or number; they are gaps."
        problems.append(Problem(Severity.WARNING, "bad-observation", found.path.name, template, {"count": found.bad}))
    return problems


def _id(entity: Entity) -> str:
    for name in ("@iot.id", "id", "@id"):
        if isinstance(value := entity.get(name), str | int):
            return str(value)
    return ""


def _linked(entity: Entity) -> str:
    """Return the Datastream id in a link such as ``.../Datastreams(7)/Observations``; empty when there is none."""
    for name in ("Datastream@iot.navigationLink", "@iot.selfLink"):
        link = str(entity.get(name, ""))
        if "Datastreams(" in link:
            return link.split("Datastreams(", 1)[1].split(")", 1)[0].strip("'\"")
    return ""


def _point(location: Any) -> tuple[float, float, float]:
    """Return the point of a GeoJSON geometry or feature; of lines and areas the mean of their corners."""
    if not isinstance(location, dict):
        return NO_PLACE
    if isinstance(location.get("geometry"), dict):
        location = location["geometry"]
    coordinates = location.get("coordinates")
    if location.get("type") == "Point" and isinstance(coordinates, list) and len(coordinates) >= 2:
        return place(*coordinates[:3])
    corners = list(_corners(coordinates))
    return (*np.mean(corners, axis=0).tolist(), np.nan) if corners else NO_PLACE


def _corners(value: Any, depth: int = 0) -> Iterable[tuple[float, float]]:
    if not isinstance(value, list) or depth > 4:
        return
    if len(value) >= 2 and all(isinstance(item, int | float) for item in value[:2]):
        yield float(value[0]), float(value[1])
        return
    for item in value:
        yield from _corners(item, depth + 1)


def _thresholds(stream: Entity) -> tuple[float, float, float]:
    """Return levels from a Datastream's properties: ``attention``, ``warning``, ``alarm``, or a list of three."""
    properties = stream.get("properties")
    if not isinstance(properties, dict):
        return NO_THRESHOLDS
    levels = properties.get("thresholds", properties)
    if isinstance(levels, list):
        padded = [*levels, None, None, None][:3]
        return finite(padded[0]), finite(padded[1]), finite(padded[2])
    if not isinstance(levels, dict):
        return NO_THRESHOLDS
    return finite(levels.get("attention")), finite(levels.get("warning")), finite(levels.get("alarm"))


def _properties(entity: Entity) -> dict[str, Any]:
    properties = entity.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {
        str(k): v
        for k, v in properties.items()
        if isinstance(v, str | int | float | bool) and k not in ("attention", "warning", "alarm")
    }
