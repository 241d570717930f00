"""Scenario files: TOML -> a checked description with paths resolved, before any source in it is opened.

What makes no sense is refused here by name, so that nobody waits for a run that leaves something out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cimdesk.base.units import parse_time
from cimdesk.formats.scenario_inputs import (
    BoundaryInput,
    CoverInput,
    DrainageInput,
    InflowInput,
    Points,
    RainGaugeInput,
    RainInput,
    ScenarioInput,
    SeriesInput,
    SubgridInput,
    ZoneInput,
)
from cimdesk.formats.scenario_measures import read_measure, read_nodes
from cimdesk.formats.scenario_soil import SOIL_MODELS, read_soil
from cimdesk.formats.scenario_table import ScenarioTable, read_toml

EDGES = ("north", "east", "south", "west")
LONGEST_PIPE_STEP = 2.0
"""Full pipes in SWMM become unstable with longer ones [s]."""
LEAST_FACTOR, MOST_FACTOR = 2, 100
DEVICES = ("cpu", "gpu", "auto")
"""Cells of the terrain along a coarse cell."""
RASTER_SUFFIXES = (".tif", ".tiff", ".asc", ".nc")


def read_scenario(path: Path | str) -> ScenarioInput:
    """Read a scenario file.

    Raises
    ------
    DataError
        Naming the field that is wrong, missing or unknown.
    """
    path = Path(path)
    document = read_toml(path)
    top = ScenarioTable(path, "", document)
    fields = _scenario(top.table("scenario"))
    if "solver" in document:
        fields |= _solver(top.table("solver"), str(fields["engine"]))
    fields |= _surface(top.table("surface", required=False)) | _initial(top.table("initial", required=False))
    gauges = [_gauge(table) for table in top.tables("gauge")]
    fields["gauges"] = tuple((name, *points[0]) for name, points in gauges if len(points) == 1)
    fields["lines"] = tuple((name, points) for name, points in gauges if len(points) > 1)
    fields["rain"] = tuple(_rain(table) for table in top.tables("rain"))
    fields["inflows"] = tuple(_inflow(table) for table in top.tables("inflow"))
    fields["boundaries"] = tuple(boundary for table in top.tables("boundary") for boundary in _boundary(table))
    measures = [read_measure(table) for table in top.tables("measure")]
    fields["measures"] = tuple(measure for measure in measures if measure.kind != "unblock")
    unblock = tuple(node for measure in measures for node in measure.nodes)
    if "drainage" in document:
        fields["drainage"] = _drainage(top.table("drainage"), unblock)
    elif unblock:
        raise top.error("measure", "there are no drains to unblock.", remedy="Add a [drainage] table.")
    top.close()
    return ScenarioInput(path=path, **fields)


def _scenario(table: ScenarioTable) -> dict[str, Any]:
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


def _solver(table: ScenarioTable, engine: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"device": table.choice("device", DEVICES, "cpu")}
    if "subgrid" in table.values:
        fields["subgrid"] = _subgrid(table, engine)
    table.close()
    return fields


def _subgrid(table: ScenarioTable, engine: str) -> SubgridInput:
    block = ScenarioTable(table.path, "solver.subgrid", table.mapping("subgrid", table.take("subgrid")))
    factor = block.need("factor", above=0.0)
    if factor != int(factor) or not LEAST_FACTOR <= factor <= MOST_FACTOR:
        raise block.error("factor", "the factor is a whole number from {least} to {most}.", least=LEAST_FACTOR, most=MOST_FACTOR)
    if engine != "inertial":
        raise block.error(
            "", "only the inertial engine computes on coarse cells.", remedy='Set engine = "inertial", or leave it out.'
        )
    shown = block.choice("result", ("fine", "coarse"), "") if "result" in block.values else ""
    block.close()
    return SubgridInput(int(factor), None if not shown else shown == "fine")


def _surface(table: ScenarioTable) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    manning = table.take("manning")
    if isinstance(manning, Mapping):
        zoned = ScenarioTable(table.path, "surface.manning", manning)
        has_default = "default" in manning
        fields["manning_n"] = zoned.number("default", 0.035, above=0.0)
        zones = zoned.tables("zones")
        if "table" in manning:
            column = str(zoned.take("column") or "class")
            fields["cover"] = CoverInput(zoned.file("source"), zoned.file("table"), column, has_default)
        elif "source" in manning:
            zones = [ScenarioTable(table.path, "surface.manning", {key: zoned.take(key) for key in ("source", "value")})]
        fields["zones"] = tuple(ZoneInput(zone.file("source"), zone.need("value", above=0.0)) for zone in zones)
        zoned.close()
    elif manning is not None:
        fields["manning_n"] = ScenarioTable(table.path, "surface", {"manning": manning}).need("manning", above=0.0)
    buildings = table.take("buildings")
    if isinstance(buildings, str):
        buildings = {"source": buildings}
    if buildings is not None:
        block = ScenarioTable(table.path, "surface.buildings", table.mapping("buildings", buildings))
        fields["treatment"] = block.choice("treatment", ("block", "raise", "ignore"), "block")
        fields["buildings"] = block.file("source")
        fields["raise_by"] = block.number("height", 3.0, above=0.0)
        block.close()
    infiltration = table.take("infiltration")
    if infiltration is not None:
        loss = ScenarioTable(table.path, "surface.infiltration", table.mapping("infiltration", infiltration))
        model = loss.choice("model", ("none", "constant", *SOIL_MODELS), "none")
        if model in SOIL_MODELS:
            fields["soil"] = read_soil(loss, model)
        elif model == "constant":
            fields["infiltration_mm_per_h"] = loss.need("rate_mm_h", above=0.0)
        loss.close()
    table.close()
    return fields


def _initial(table: ScenarioTable) -> dict[str, Any]:
    fields = {"level": table.amount("level"), "depth": table.amount("depth")}
    if fields["level"] is not None and fields["depth"] is not None:
        raise table.error("depth", "give either a level or a depth to start with, not both.")
    table.close()
    return fields


def _drainage(table: ScenarioTable, unblock: tuple[str, ...]) -> DrainageInput:
    drainage = DrainageInput(
        path=table.path,
        network=table.file("network"),
        clogging=_share(table, "clogging"),
        intake_limit=table.number("intake_limit_m3_s", float("inf"), above=0.0) or float("inf"),
        manhole_area=table.number("manhole_area_m2", 1.167, above=0.0) or 1.167,
        step=table.duration("step", 1.0),
        sealed=read_nodes(table, "sealed"),
        clogged=(*(_clogged(one) for one in table.tables("clogged")), (0.0, unblock)),
    )
    if drainage.step > LONGEST_PIPE_STEP:
        raise table.error("step", "the step of the pipes is {limit} s at most.", limit=LONGEST_PIPE_STEP)
    table.close()
    return drainage


def _clogged(table: ScenarioTable) -> tuple[float, tuple[str, ...]]:
    found = _share(table, "share", 1.0), read_nodes(table, "nodes")
    table.close()
    return found


def _share(table: ScenarioTable, key: str, default: float = 0.0) -> float:
    share = table.number(key, default, least=0.0) or 0.0
    if share > 1.0:
        raise table.error(key, "clogging is a share between 0 and 1.")
    return share


def _gauge(table: ScenarioTable) -> tuple[str, Points]:
    """Return a gauge: one point, or a line across which the discharge is kept."""
    name = str(table.take("name") or table.where)
    points = table.points("at")
    table.close()
    return name, points


def _rain(table: ScenarioTable) -> RainInput:
    kinds = [key for key in ("hyetograph", "design", "rate_mm_h", "gauge", "rasters") if key in table.values]
    if len(kinds) != 1:
        raise table.error("", "rain needs one of hyetograph, design, rate_mm_h, gauge or rasters.")
    if kinds[0] == "hyetograph":
        rain = RainInput(hyetograph=table.file("hyetograph"))
    elif kinds[0] == "gauge":
        rain = RainInput(
            gauges=tuple(_rain_gauge(gauge) for gauge in table.tables("gauge")),
            method=table.choice("method", ("thiessen", "idw"), "thiessen"),
            power=table.number("power", 2.0, above=0.0) or 2.0,
        )
    elif kinds[0] == "rasters":
        rain = RainInput(
            rasters=_rasters(table), raster_step=table.duration("step", 300.0),
            raster_start=table.number("begins_s", 0.0, least=0.0) or 0.0,
        )  # fmt: skip
    elif kinds[0] == "rate_mm_h":
        length = table.duration("duration", 0.0)
        rain = RainInput(rate_mm_per_h=table.need("rate_mm_h", least=0.0), duration=length or None)
    else:
        design = ScenarioTable(table.path, f"{table.where}.design", table.mapping("design", table.take("design")))
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


def _rain_gauge(table: ScenarioTable) -> RainGaugeInput:
    at = table.points("at")
    if len(at) != 1:
        raise table.error("at", "a rain gauge has one point [x, y].")
    gauge = RainGaugeInput(at[0], table.file("hyetograph"))
    table.close()
    return gauge


def _rasters(table: ScenarioTable) -> tuple[Path, ...]:
    """Return the rasters of rain: one file, a folder of files taken in the order of their names, or a list."""
    if isinstance(table.values.get("rasters"), str):
        found = table.file("rasters")
        files = sorted(f for f in found.iterdir() if f.suffix.lower() in RASTER_SUFFIXES) if found.is_dir() else [found]
        if not files:
            raise table.error("rasters", "there are no rasters in this folder.")
        return tuple(files)
    names = table.take("rasters")
    if not isinstance(names, list) or not names:
        raise table.error("rasters", "expected a file, a folder or a list of files.")
    return tuple(ScenarioTable(table.path, table.where, {"rasters": name}).file("rasters") for name in names)


def _inflow(table: ScenarioTable) -> InflowInput:
    discharge = table.driving("discharge", required=True)
    assert discharge is not None
    points = () if isinstance(discharge, SeriesInput) and "at" not in table.values else table.points("at")
    radius = table.number("radius", 0.0, least=0.0) or 0.0
    table.close()
    return InflowInput(points, discharge, radius)


def _boundary(table: ScenarioTable) -> list[BoundaryInput]:
    line = table.points("line") if "line" in table.values else ()
    edge = "" if line else table.choice("edge", (*EDGES, "all"))
    kind = table.choice("kind", ("closed", "free", "level", "discharge", "critical"))
    level = table.driving("level", required=kind == "level")
    discharge = table.driving("discharge", required=kind == "discharge")
    if kind == "discharge" and edge == "all":
        raise table.error("edge", "a discharge needs one edge to enter through.", remedy="Name north, east, south or west.")
    slope = table.number("slope", 0.001, above=0.0) or 0.001
    if line and kind in ("closed", "discharge"):
        raise table.error("kind", "a line can be level, free or critical.", remedy="Use a wall, or an inflow along the line.")
    table.close()
    if line:
        return [BoundaryInput("", kind, slope, level, None, line)]
    return [BoundaryInput(name, kind, slope, level, discharge) for name in (EDGES if edge == "all" else (edge,))]
