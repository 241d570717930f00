"""Scenario files: TOML -> a checked description with paths resolved, before any source in it is opened.

What the engine cannot do yet is refused here by name, so that nobody waits for a run that leaves something out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cimdesk.base.errors import DataError
from cimdesk.base.units import parse_duration, parse_time

Amount: TypeAlias = float | Path
"""A number, or the CSV or raster that holds it."""
Points: TypeAlias = tuple[tuple[float, float], ...]
EDGES = ("north", "east", "south", "west")
LONGEST_PIPE_STEP = 2.0
"""Full pipes in SWMM become unstable with longer ones [s]."""
LATER = "Leave it out, or wait for the release that brings it."


@dataclass(frozen=True)
class RainInput:
    """Rain from a hyetograph, at a constant rate [mm/h], or as a design storm."""

    hyetograph: Path | None = None
    rate_mm_per_h: float | None = None
    duration: float | None = None
    city: str = ""
    return_period: float = 0.0
    peak: float = 0.4
    step: float = 300.0


@dataclass(frozen=True)
class InflowInput:
    """Water entering at a point, along a line or over a polygon (a closed line) [m3/s]."""

    points: Points
    discharge: Amount
    radius: float = 0.0


@dataclass(frozen=True)
class BoundaryInput:
    """What happens at an edge of the grid."""

    edge: str
    kind: str
    slope: float = 0.001
    level: Amount | None = None
    discharge: Amount | None = None


@dataclass(frozen=True)
class ZoneInput:
    """Roughness inside the polygons of a file."""

    source: Path
    manning_n: float


@dataclass(frozen=True)
class DrainageInput:
    """Drains below the surface: a SWMM file and how its inlets take water [SI]."""

    path: Path
    network: Path
    clogging: float = 0.0
    intake_limit: float = float("inf")
    manhole_area: float = 1.167
    step: float = 1.0
    sealed: tuple[str, ...] = ()
    clogged: tuple[tuple[float, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class ScenarioInput:
    """A scenario as written, checked for form; see CLI help for the fields. Paths are absolute, times in seconds."""

    path: Path
    name: str
    terrain: Path
    cell: float | None
    duration: float
    output_every: float
    start_time: float | None = None
    precision: str = "float32"
    engine: str = "inertial"
    extent: tuple[float, float, float, float] | None = None
    manning_n: float = 0.035
    zones: tuple[ZoneInput, ...] = ()
    buildings: Path | None = None
    treatment: str = "block"
    raise_by: float = 3.0
    infiltration_mm_per_h: float = 0.0
    level: Amount | None = None
    depth: Amount | None = None
    gauges: tuple[tuple[str, float, float], ...] = ()
    rain: tuple[RainInput, ...] = ()
    inflows: tuple[InflowInput, ...] = ()
    boundaries: tuple[BoundaryInput, ...] = field(default_factory=tuple)
    drainage: DrainageInput | None = None


def read_scenario(path: Path | str) -> ScenarioInput:
    """Read a scenario file.

    Raises
    ------
    DataError
        Naming the field that is wrong, missing, unknown or not supported yet.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(path, "there is no such file.", remedy="Check the name, or locate the file again.") from None
    except UnicodeDecodeError as error:
        raise DataError(path, "the scenario is not UTF-8 text.", remedy="Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(path, "the scenario is not valid TOML: {reason}.", reason=str(error)) from error
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error
    top = _Table(path, "", document)
    fields = _scenario(top.table("scenario"))
    fields |= _surface(top.table("surface", required=False)) | _initial(top.table("initial", required=False))
    fields["gauges"] = tuple(_gauge(table) for table in top.tables("gauge"))
    fields["rain"] = tuple(_rain(table) for table in top.tables("rain"))
    fields["inflows"] = tuple(_inflow(table) for table in top.tables("inflow"))
    fields["boundaries"] = tuple(boundary for table in top.tables("boundary") for boundary in _boundary(table))
    unblock = tuple(node for table in top.tables("measure") for node in _unblocked(table))
    if "drainage" in document:
        fields["drainage"] = _drainage(top.table("drainage"), unblock)
    elif unblock:
        raise top.error("measure", "there are no drains to unblock.", remedy="Add a [drainage] table.")
    top.close()
    return ScenarioInput(path=path, **fields)


def _scenario(table: _Table) -> dict[str, Any]:
    start = table.take("start")
    try:
        start_time = None if start is None else parse_time(str(start))
    except ValueError:
        raise table.error("start", "'{value}' is no ISO date and time.", value=start) from None
    extent = table.numbers("extent", 4)
    if extent is not None and not (extent[0] < extent[2] and extent[1] < extent[3]):
        raise table.error("extent", "the extent must be [west, south, east, north].")
    fields = {
        "name": str(table.take("name") or table.path.stem),
        "terrain": table.file("terrain"),
        "cell": table.number("cell", None, above=0.0),
        "duration": table.duration("duration"),
        "output_every": table.duration("output_every", 300.0),
        "start_time": start_time,
        "engine": table.choice("engine", ("inertial", "dynamic"), "inertial"),
        "precision": table.choice("precision", ("float32", "float64"), "float32"),
        "extent": extent,
    }
    table.close()
    return fields


def _surface(table: _Table) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    manning = table.take("manning")
    if isinstance(manning, Mapping):
        zoned = _Table(table.path, "surface.manning", manning)
        fields["manning_n"] = zoned.number("default", 0.035, above=0.0)
        zones = zoned.tables("zones")
        if "source" in manning:
            zones = [_Table(table.path, "surface.manning", {key: zoned.take(key) for key in ("source", "value")})]
        fields["zones"] = tuple(ZoneInput(zone.file("source"), zone.need("value", above=0.0)) for zone in zones)
        zoned.close()
    elif manning is not None:
        fields["manning_n"] = _Table(table.path, "surface", {"manning": manning}).need("manning", above=0.0)
    buildings = table.take("buildings")
    if isinstance(buildings, str):
        buildings = {"source": buildings}
    if buildings is not None:
        block = _Table(table.path, "surface.buildings", table.mapping("buildings", buildings))
        fields["treatment"] = block.choice("treatment", ("block", "raise", "ignore"), "block")
        fields["buildings"] = block.file("source")
        fields["raise_by"] = block.number("height", 3.0, above=0.0)
        block.close()
    infiltration = table.take("infiltration")
    if infiltration is not None:
        loss = _Table(table.path, "surface.infiltration", table.mapping("infiltration", infiltration))
        model = loss.choice("model", ("none", "constant", "horton", "green-ampt"), "none")
        if model in ("horton", "green-ampt"):
            raise loss.error(
                "model", "the infiltration model '{model}' is not supported yet.", remedy='Use "constant".', model=model
            )
        if model == "constant":
            fields["infiltration_mm_per_h"] = loss.need("rate_mm_h", above=0.0)
        loss.close()
    table.close()
    return fields


def _initial(table: _Table) -> dict[str, Any]:
    fields = {"level": table.amount("level"), "depth": table.amount("depth")}
    if fields["level"] is not None and fields["depth"] is not None:
        raise table.error("depth", "give either a level or a depth to start with, not both.")
    table.close()
    return fields


def _drainage(table: _Table, unblock: tuple[str, ...]) -> DrainageInput:
    drainage = DrainageInput(
        path=table.path,
        network=table.file("network"),
        clogging=_share(table, "clogging"),
        intake_limit=table.number("intake_limit_m3_s", float("inf"), above=0.0) or float("inf"),
        manhole_area=table.number("manhole_area_m2", 1.167, above=0.0) or 1.167,
        step=table.duration("step", 1.0),
        sealed=_nodes(table, "sealed"),
        clogged=(*(_clogged(one) for one in table.tables("clogged")), (0.0, unblock)),
    )
    if drainage.step > LONGEST_PIPE_STEP:
        raise table.error("step", "the step of the pipes is {limit} s at most.", limit=LONGEST_PIPE_STEP)
    table.close()
    return drainage


def _clogged(table: _Table) -> tuple[float, tuple[str, ...]]:
    found = _share(table, "share", 1.0), _nodes(table, "nodes")
    table.close()
    return found


def _unblocked(table: _Table) -> tuple[str, ...]:
    """Return the nodes that a measure clears; the other kinds of measure come later."""
    if table.take("kind") != "unblock":
        raise _Table(table.path, "", {}).error("measure", "'{field}' is not supported yet.", remedy=LATER, field="measure")
    table.take("name")
    nodes = _nodes(table, "nodes")
    table.close()
    return nodes


def _share(table: _Table, key: str, default: float = 0.0) -> float:
    share = table.number(key, default, least=0.0) or 0.0
    if share > 1.0:
        raise table.error(key, "clogging is a share between 0 and 1.")
    return share


def _nodes(table: _Table, key: str) -> tuple[str, ...]:
    nodes = table.take(key) or []
    if not isinstance(nodes, Sequence) or isinstance(nodes, str):
        raise table.error(key, "'{value}' is no list of nodes.", value=nodes)
    return tuple(str(node) for node in nodes)


def _gauge(table: _Table) -> tuple[str, float, float]:
    name = str(table.take("name") or table.where)
    points = table.points("at")
    if len(points) != 1:
        raise table.error("at", "gauges along lines are not supported yet.", remedy="Give one point [x, y].")
    table.close()
    return name, points[0][0], points[0][1]


def _rain(table: _Table) -> RainInput:
    kinds = [key for key in ("hyetograph", "design", "rate_mm_h") if key in table.values]
    if len(kinds) != 1:
        raise table.error("", "rain needs one of hyetograph, design or rate_mm_h.")
    if kinds[0] == "hyetograph":
        rain = RainInput(hyetograph=table.file("hyetograph"))
    elif kinds[0] == "rate_mm_h":
        length = table.duration("duration", 0.0)
        rain = RainInput(rate_mm_per_h=table.need("rate_mm_h", least=0.0), duration=length or None)
    else:
        design = _Table(table.path, f"{table.where}.design", table.mapping("design", table.take("design")))
        design.choice("method", ("chicago",), "chicago")
        rain = RainInput(
            city=str(design.take("city") or "guangzhou"),
            return_period=design.need("return_period", above=0.0),
            peak=design.number("peak", 0.4, above=0.0) or 0.4,
            duration=design.duration("duration", 7200.0),
            step=design.duration("step", 300.0),
        )
        if not 0.0 < rain.peak < 1.0:
            raise design.error("peak", "the peak is a share of the duration, between 0 and 1.")
        design.close()
    table.close()
    return rain


def _inflow(table: _Table) -> InflowInput:
    points = table.points("at")
    discharge = table.amount("discharge", required=True)
    assert discharge is not None
    radius = table.number("radius", 0.0, least=0.0) or 0.0
    table.close()
    return InflowInput(points, discharge, radius)


def _boundary(table: _Table) -> list[BoundaryInput]:
    if "line" in table.values:
        raise table.error("line", "boundaries along lines are not supported yet.", remedy="Use an edge of the grid.")
    edge = table.choice("edge", (*EDGES, "all"))
    kind = table.choice("kind", ("closed", "free", "level", "discharge", "critical"))
    level = table.amount("level", required=kind == "level")
    discharge = table.amount("discharge", required=kind == "discharge")
    if kind == "discharge" and edge == "all":
        raise table.error("edge", "a discharge needs one edge to enter through.", remedy="Name north, east, south or west.")
    slope = table.number("slope", 0.001, above=0.0) or 0.001
    table.close()
    return [BoundaryInput(name, kind, slope, level, discharge) for name in (EDGES if edge == "all" else (edge,))]


class _Table:
    """One table of the file: fields are taken out and checked; what is left when it is closed is unknown."""

    def __init__(self, path: Path, where: str, values: Mapping[str, Any]) -> None:
        self.path = path
        self.where = where
        self.values = dict(values)

    def error(self, key: str, template: str, remedy: str = "", **values: Any) -> DataError:
        """Return the error about one field."""
        return DataError(self.path, template, where=".".join(part for part in (self.where, key) if part), remedy=remedy, **values)

    def close(self) -> None:
        """Refuse fields nobody has asked for: a misspelt one must not be silently left out."""
        if self.values:
            name = next(iter(self.values))
            raise self.error(name, "there is no such field.", remedy="Check its spelling.")

    def take(self, key: str) -> Any:
        """Return and remove a field; None when it is not there."""
        return self.values.pop(key, None)

    def mapping(self, key: str, value: Any) -> Mapping[str, Any]:
        """Return a value that must be a table."""
        if not isinstance(value, Mapping):
            raise self.error(key, "'{value}' is no table; write {{ ... }}.", value=value)
        return value

    def table(self, key: str, required: bool = True) -> _Table:
        """Return a sub-table."""
        if required and key not in self.values:
            raise self.error(key, "the field is missing.")
        return _Table(self.path, f"{self.where}.{key}".strip("."), self.mapping(key, self.take(key) or {}))

    def tables(self, key: str) -> list[_Table]:
        """Return an array of sub-tables, maybe empty."""
        items = self.take(key) or []
        if not isinstance(items, Sequence) or isinstance(items, str):
            raise self.error(key, "'{value}' is no list of tables; write [[{field}]].", value=items, field=key)
        return [
            _Table(self.path, f"{self.where}.{key}[{k + 1}]".strip("."), self.mapping(key, item)) for k, item in enumerate(items)
        ]

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return one of some words."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        if value not in allowed:
            raise self.error(
                key, "'{value}' is not one of {allowed}.", value="" if value is None else value, allowed=", ".join(allowed)
            )
        return str(value)

    def number(self, key: str, default: float | None, above: float | None = None, least: float | None = None) -> float | None:
        """Return a finite number within limits."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
            raise self.error(key, "'{value}' is no number.", value=value)
        if (above is not None and not value > above) or (least is not None and not value >= least):
            raise self.error(key, "{value} is too small.", value=value)
        return float(value)

    def need(self, key: str, above: float | None = None, least: float | None = None) -> float:
        """Return a number that must be there."""
        value = self.number(key, None, above, least)
        if value is None:
            raise self.error(key, "the field is missing.")
        return value

    def numbers(self, key: str, count: int) -> Any:
        """Return a tuple of numbers, or None."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, Sequence) or len(value) != count or not all(_is_number(v) for v in value):
            raise self.error(key, "expected {count} numbers.", count=count)
        return tuple(float(v) for v in value)

    def duration(self, key: str, default: float | None = None) -> float:
        """Return a positive duration [s]."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        try:
            seconds = parse_duration(value) if isinstance(value, str) or _is_number(value) else -1.0
        except ValueError:
            seconds = -1.0
        if not 0.0 < seconds < 1e10:
            raise self.error(key, "'{value}' is no duration; write 3h, 90min or 45s.", value="" if value is None else value)
        return seconds

    def file(self, key: str) -> Path:
        """Return a path that must exist, relative to the scenario."""
        value = self.take(key)
        if not isinstance(value, str) or not value:
            raise self.error(key, "the field is missing.")
        found = self.path.parent / value
        if not found.exists():
            raise self.error(key, "there is no file '{value}'.", remedy="Paths are relative to the scenario file.", value=value)
        return found

    def amount(self, key: str, required: bool = False) -> Amount | None:
        """Return a number or an existing path; None when it is not there."""
        if isinstance(self.values.get(key), str):
            return self.file(key)
        return self.need(key) if required else self.number(key, None)

    def points(self, key: str) -> Points:
        """Return one point or several, written ``[x, y]`` or ``[[x, y], ...]``."""
        value = self.take(key)
        pairs = [value] if isinstance(value, Sequence) and value and _is_number(value[0]) else value
        if not isinstance(pairs, Sequence) or isinstance(pairs, str) or not pairs:
            raise self.error(key, "expected a point [x, y] or a list of points.")
        for pair in pairs:
            if not isinstance(pair, Sequence) or len(pair) != 2 or not all(_is_number(v) for v in pair):
                raise self.error(key, "'{value}' is no point [x, y].", value=pair)
        return tuple((float(x), float(y)) for x, y in pairs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) != float("inf")
