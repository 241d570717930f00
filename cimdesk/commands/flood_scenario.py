"""Scenarios made ready to run: sources opened, brought onto one grid and checked, with one clear message for every fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.analysis.flood.cuda_devices import check_device, find_gpu, memory_needed
from cimdesk.base.arrays import Bool, Float, Float32, Int32
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands.flood_cover import roughness_of, standard_roughness
from cimdesk.commands.flood_drainage import place_drains, read_drainage
from cimdesk.commands.flood_measures import place_line_boundary, place_line_gauge, place_measures
from cimdesk.commands.flood_rain import (
    MM_PER_H,
    added,
    ended,
    gauge_series,
    is_uniform,
    made_rain,
    rain_field,
    soil_of,
)
from cimdesk.commands.flood_series import EDGES, OtherSeries, driven
from cimdesk.commands.flood_subgrid import whole_cells, with_subgrid
from cimdesk.commands.placing import place
from cimdesk.formats import registry, series
from cimdesk.formats.scenario import read_scenario
from cimdesk.formats.scenario_inputs import DrainageInput, Points, ScenarioInput
from cimdesk.model.city import CityModel
from cimdesk.model.drainage import Drainage
from cimdesk.model.features import VectorLayer
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Gauge, Inflow, Series
from cimdesk.model.hydrographs import Hydrograph
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData

if TYPE_CHECKING:
    from cimdesk.commands.session import Session

MOST_CELLS = 400_000_000


@dataclass(frozen=True)
class FloodForm:
    """What the window's form asks for.

    Attributes
    ----------
    name : str
    terrain : str
        Layer id.
    rain : Series or None
        [m/s].
    buildings : str
        Layer id; empty for none.
    cell : float or None
        [m]; None takes the terrain's own.
    duration, output_every : float
        [s].
    treatment : str
        ``block``, ``raise`` or ``ignore``.
    edges : str
        ``free`` lets water leave at every edge, ``closed`` keeps it in.
    level : float or None
        Water level at the start [m], such as the river's.
    extent : west, south, east, north, or None
    drainage : str
        Layer id of a SWMM network; empty for none.
    subgrid : int
        Cells along a coarse one that is computed on; 0 computes on the cells themselves.
    cover : str
        Layer id of a land-cover raster that gives the roughness; empty for ``manning_n`` everywhere.
    device : str
        ``cpu``, ``gpu`` or ``auto``.
    hydrographs : tuple of (Hydrograph, edge, place)
        What besides rain drives the flood; an empty edge is an inflow at the place, see `flood_series.driven`.
    """

    name: str
    terrain: str
    rain: Series | None
    buildings: str = ""
    cell: float | None = None
    duration: float = 10800.0
    output_every: float = 300.0
    manning_n: float = 0.035
    infiltration_mm_per_h: float = 0.0
    treatment: str = "block"
    edges: str = "free"
    slope: float = 0.001
    level: float | None = None
    start_time: float = 0.0
    extent: tuple[float, float, float, float] | None = None
    drainage: str = ""
    inflows: tuple[Inflow, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    precision: str = "float32"
    engine: str = "inertial"
    subgrid: int = 0
    cover: str = ""
    device: str = "cpu"
    hydrographs: tuple[tuple[Hydrograph, str, tuple[float, float] | None], ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


def gpu_offer() -> tuple[str, str]:
    """Return the name of the graphics processor to compute on, or empty and why there is none, in the current language."""
    found = find_gpu()
    return found.name, tr(found.reason) if found.reason else ""


def scenario_from_session(session: Session, form: FloodForm) -> FloodScenario:
    """Return the scenario of the window's form over the layers of the open project.

    Raises
    ------
    UsageError, DataError
        If a layer is not loaded or of the wrong kind, or nothing could be simulated.
    """
    terrain = session.workspace.data(form.terrain)
    if not isinstance(terrain, Terrain):
        raise UsageError("the flood needs a terrain layer that is loaded.")
    frame = session.workspace.frame
    grid = grid_of(terrain, form.cell, form.extent, None)
    if form.subgrid:
        grid = whole_cells(grid, form.subgrid, None)
    ground, is_blocked = grid, np.zeros(grid.shape, dtype=bool)
    if form.buildings and form.treatment != "ignore":
        index = building_cells(grid, [session.workspace.data(form.buildings)])
        ground, is_blocked = with_buildings(grid, index, form.treatment, 3.0)
    kinds = tuple(EdgeBoundary(edge, form.edges, form.slope) for edge in EDGES)
    inflows, kinds = driven(form.hydrographs, kinds, form.start_time, form.duration)
    manning: float | Float32 = form.manning_n
    if form.cover:
        cover = session.base_dir / session.workspace.layer(form.cover).source
        manning = standard_roughness(cover, ground, frame.crs if frame else None)
    scenario = FloodScenario(
        name=form.name, terrain=ground, manning_n=manning, is_blocked=is_blocked, duration=form.duration,
        output_every=form.output_every, start_time=form.start_time, rain=form.rain,
        infiltration=form.infiltration_mm_per_h * MM_PER_H, inflows=(*form.inflows, *inflows), boundaries=kinds, gauges=form.gauges,
        initial_level=form.level, precision=form.precision, engine=form.engine, timings=True,
        drainage=_drains_of(session, form.drainage),
        metadata={"crs": frame.crs.definition if frame and frame.crs else "", "buildings": form.buildings, **form.metadata},
        device=form.device,
    )  # fmt: skip
    check(scenario, None)
    check_device(form.device, form.subgrid > 0, memory_needed(scenario))
    return with_subgrid(scenario, form.subgrid, None) if form.subgrid else scenario


def load_for(session: Session, path: Path) -> Callable[[], FloodScenario]:
    """Return what loads a scenario file for a session, within a job.

    The scenario must be in the reference system of the project, or its layer would lie elsewhere.
    """
    frame = session.workspace.frame

    def load() -> FloodScenario:
        scenario = load_scenario(path)
        own = Crs.parse(str(scenario.metadata.get("crs", "")))
        if frame is not None and frame.crs is not None and own is not None and own.code != frame.crs.code:
            raise DataError(
                path, "the scenario is in {system}, the project in {other}.",
                remedy="Open it in a project of its own.", system=own.name, other=frame.crs.name,
            )  # fmt: skip
        return scenario

    return load


def _drains_of(session: Session, layer_id: str) -> Drainage | None:
    if not layer_id:
        return None
    file = session.base_dir / session.workspace.layer(layer_id).source
    frame = session.workspace.frame
    return read_drainage(DrainageInput(file, file), frame.crs if frame else None)


def load_scenario(path: Path | str, change: Callable[[ScenarioInput], ScenarioInput] | None = None) -> FloodScenario:
    """Return the scenario of a TOML file, ready to run; ``change`` makes another of what the file says.

    Raises
    ------
    DataError, UsageError
        One message naming file, field and remedy, before anything is run.
    """
    asked = read_scenario(path)
    asked = asked if change is None else change(asked)
    data, crs = _open(asked.terrain, (Terrain,))
    terrain = data[0]
    assert isinstance(terrain, Terrain)
    if crs is not None and crs.is_geographic:
        raise DataError(
            asked.terrain, "the terrain is in degrees; a flood needs metres.", remedy="Reproject it to a projected system first."
        )
    grid = grid_of(terrain, asked.cell, asked.extent, asked.path)
    if asked.subgrid is not None:
        grid = whole_cells(grid, asked.subgrid.factor, asked.path)
    ground, is_blocked = grid, np.zeros(grid.shape, dtype=bool)
    if asked.buildings is not None and asked.treatment != "ignore":
        shapes = _outlines(asked.buildings, crs)
        ground, is_blocked = with_buildings(grid, building_cells(grid, shapes), asked.treatment, asked.raise_by)
    driving = _driving(asked, grid, crs)
    placed = place_measures(ground, is_blocked, asked.measures, asked.path)
    is_open = np.isfinite(ground.elevations) & ~is_blocked
    along = [boundary for boundary in asked.boundaries if boundary.line]
    lines = [
        place_line_boundary(grid, is_open, boundary, level, asked.manning_n, asked.path)
        for boundary, level in zip(along, driving.line_levels, strict=True)
    ]
    scenario = FloodScenario(
        name=asked.name, terrain=placed.ground, manning_n=_roughness(asked, grid, crs), is_blocked=is_blocked,
        duration=asked.duration, output_every=min(asked.output_every, asked.duration), start_time=driving.start,
        rain=driving.rain, infiltration=asked.infiltration_mm_per_h * MM_PER_H, inflows=driving.inflows,
        boundaries=driving.edges, gauges=tuple(Gauge(*gauge) for gauge in asked.gauges),
        initial_level=_initial_level(asked, placed.ground), precision=asked.precision, engine=asked.engine,
        drainage=None if asked.drainage is None else read_drainage(asked.drainage, crs),
        rain_field=rain_field(asked, grid, crs, driving.rain_gauges), soil=soil_of(asked.soil, grid, crs),
        beds=placed.beds, devices=(*placed.devices, *lines), timings=True,
        lines=tuple(place_line_gauge(grid, name, points, asked.path) for name, points in asked.lines),
        metadata={"crs": crs.definition if crs else "", "source": str(asked.path)}, device=asked.device,
    )  # fmt: skip
    check(scenario, asked.path)
    check_device(scenario.device, asked.subgrid is not None, memory_needed(scenario))
    if asked.subgrid is not None:
        return with_subgrid(scenario, asked.subgrid.factor, asked.subgrid.is_downscaled, asked.path)
    return scenario


def grid_of(terrain: Terrain, cell: float | None, extent: Sequence[float] | None, path: Path | None) -> Terrain:
    """Return the computational grid: the terrain cut to ``extent`` and resampled to square cells of size ``cell``."""
    from cimdesk.analysis.flood.footprints import resample

    if terrain.source is not None:
        (west, south, _), (east, north, _) = terrain.bounds.tolist()
        west, south, east, north = extent or (west, south, east, north)
        cell = terrain.finest_cell if cell is None else cell
        _refuse_many((east - west) * (north - south) / cell**2, path)
        try:
            terrain = terrain.part(west, south, east, north, cell)
        except ValueError as error:
            raise DataError(path, "the extent does not meet the terrain.", where="scenario.extent") from error
    elif extent is not None:
        west, south, east, north = extent
        first = np.clip(round((west - terrain.west) / terrain.cell_x), 0, terrain.shape[1])
        last = np.clip(round((east - terrain.west) / terrain.cell_x), 0, terrain.shape[1])
        top = np.clip(round((terrain.north - north) / terrain.cell_y), 0, terrain.shape[0])
        bottom = np.clip(round((terrain.north - south) / terrain.cell_y), 0, terrain.shape[0])
        if last - first < 2 or bottom - top < 2:
            raise DataError(path, "the extent does not meet the terrain.", where="scenario.extent")
        part = np.ascontiguousarray(terrain.elevations[top:bottom, first:last])
        terrain = Terrain(
            part, terrain.west + first * terrain.cell_x, terrain.north - top * terrain.cell_y, terrain.cell_x, terrain.cell_y
        )
    size = min(terrain.cell_x, terrain.cell_y) if cell is None else cell
    count = terrain.shape[0] * terrain.cell_y / size * (terrain.shape[1] * terrain.cell_x / size)
    _refuse_many(count, path)
    grid = resample(terrain, size)
    if min(grid.shape) < 3:
        raise DataError(path, "the terrain has fewer than three cells of {cell} m across.", where="scenario.cell", cell=size)
    return grid


def _refuse_many(count: float, path: Path | None) -> None:
    if count > MOST_CELLS:
        raise DataError(
            path, "{count} cells are too many.", where="scenario.cell", remedy="Use larger cells.", count=f"{count:,.0f}"
        )


def building_cells(grid: Terrain, sources: Sequence[LayerData | None]) -> Int32:
    """Return (R, C) int32 row of the top-level building over each cell, -1 for none; sources are tried in turn."""
    from cimdesk.analysis.flood.footprints import block_cells, cover_cells

    index: Int32 = np.full(grid.shape, -1, dtype=np.int32)
    for data in sources:
        if isinstance(data, TiledCity):
            data = data.whole()
        if isinstance(data, CityModel):
            wanted = is_building(data)
            found = block_cells(grid, data.finest.of_features(wanted if wanted.any() else ~wanted)).index
            found = np.where(found >= 0, roots_of(data)[found], -1).astype(np.int32)
        elif isinstance(data, VectorLayer):
            found = cover_cells(grid, data.shapes).index
        else:
            raise UsageError("buildings need a layer of buildings or polygons that is loaded.")
        index = np.where(found >= 0, found, index)
    return index


def is_building(city: CityModel) -> Bool:
    """Return (N,) bool: which objects are buildings or parts of them; all where the source knows no types, as most tilesets."""
    types = city.features.columns.get("type")
    if types is None:
        return np.ones(len(city.features), dtype=bool)
    is_named = np.array([str(name).startswith(("Building", "Feature")) for name in types], dtype=bool)
    # In IFC everything in a building belongs to it: walls, slabs and the rest make its shape.
    of_ifc: Bool = np.asarray(types[roots_of(city)] == "IfcBuilding", dtype=np.bool_)
    return is_named | of_ifc


def roots_of(city: CityModel) -> Int32:
    """Return (N,) int32 row of the top-level object of each."""
    roots = np.arange(len(city.parents), dtype=np.int32)
    for _ in range(32):
        above = city.parents[roots]
        if (above < 0).all():
            break
        roots = np.where(above >= 0, above, roots).astype(np.int32)
    return roots


def with_buildings(grid: Terrain, index: Int32, treatment: str, height: float) -> tuple[Terrain, Bool]:
    """Return ground and closed cells with the buildings blocked, or raised by ``height`` [m]."""
    covered = index >= 0
    if treatment == "block":
        return grid, covered
    raised: Float32 = (grid.elevations + np.where(covered, np.float32(height), np.float32(0.0))).astype(np.float32)
    return replace(grid, elevations=raised), np.zeros(grid.shape, dtype=bool)


def check(scenario: FloodScenario, path: Path | None) -> None:
    """Refuse what cannot run: no ground, gauges or inflows where no water can be."""
    from cimdesk.analysis.flood.grid import cells_of, inflow_cells

    is_open = np.isfinite(scenario.terrain.elevations) & ~scenario.is_blocked
    if not is_open.any():
        raise DataError(
            path, "no cell of the grid is open ground.", remedy="Check that terrain and buildings lie in the same place."
        )
    for gauge in scenario.gauges:
        rows, columns, inside = cells_of(scenario, np.array([[gauge.x, gauge.y]]))
        if not inside[0] or not is_open[rows[0], columns[0]]:
            raise DataError(path, "gauge '{name}' is not on open ground of the grid.", remedy="Move it.", name=gauge.name)
    if scenario.drainage is not None:
        from cimdesk.services.swmm import require_swmm

        require_swmm()
        place_drains(scenario, scenario.drainage)
    for k, inflow in enumerate(scenario.inflows):
        if len(inflow_cells(scenario, is_open, inflow.points, inflow.radius)[0]) == 0:
            raise DataError(
                path, "inflow {number} meets no open ground of the grid.", remedy="Move it or widen its radius.", number=k + 1
            )


def _open(path: Path, kinds: tuple[type, ...]) -> tuple[list[Any], Crs | None]:
    found = [source for source in registry.read(path).sources if isinstance(source.data, kinds)]
    if not found:
        raise DataError(path, "this file holds nothing of the kind that the scenario needs here.")
    return [source.data for source in found], found[0].crs


def _outlines(path: Path, crs: Crs | None) -> list[LayerData]:
    """Return buildings or polygons in the terrain's system; CSV files and folders are rings of x, y."""
    if path.is_dir() or path.suffix.lower() == ".csv":
        return [series.read_rings(path)]
    data, own = _open(path, (CityModel, TiledCity, VectorLayer))
    return [place(item, own, LocalFrame(crs, (0.0, 0.0, 0.0))) for item in data]


def _roughness(asked: ScenarioInput, grid: Terrain, crs: Crs | None) -> float | Float32:
    if not asked.zones and asked.cover is None:
        return asked.manning_n
    manning: Float32 = np.full(grid.shape, asked.manning_n, dtype=np.float32)
    if asked.cover is not None:
        manning = roughness_of(asked.cover, asked.manning_n, grid, crs)
    for zone in asked.zones:
        manning[building_cells(grid, _outlines(zone.source, crs)) >= 0] = zone.manning_n
    return manning


def _initial_level(asked: ScenarioInput, ground: Terrain) -> float | Float | None:
    if asked.level is not None:
        return asked.level if isinstance(asked.level, float) else _sampled(asked.level, ground)
    if asked.depth is not None:
        depth = asked.depth if isinstance(asked.depth, float) else np.nan_to_num(_sampled(asked.depth, ground))
        return np.asarray(ground.elevations.astype(np.float64) + depth)
    return None


def _sampled(path: Path, grid: Terrain) -> Float:
    raster = _open(path, (Terrain,))[0][0]
    x, y = np.meshgrid(grid.column_centres(), grid.row_centres())
    values: Float = raster.sample(np.column_stack([x.ravel(), y.ravel()])).reshape(grid.shape)
    return values


@dataclass(frozen=True)
class _Driving:
    """Start time, and all series of a scenario on the clock of the run."""

    start: float
    rain: Series | None
    rain_gauges: list[Series]
    inflows: tuple[Inflow, ...]
    edges: tuple[EdgeBoundary, ...]
    line_levels: list[Series | None]


def _driving(asked: ScenarioInput, grid: Terrain, crs: Crs | None) -> _Driving:
    """Read all series of a scenario; dated ones are put on the clock of the run."""
    uniform = [rain for rain in asked.rain if is_uniform(rain)]
    raw: dict[tuple[str, int], tuple[Float, Float, bool]] = {}
    others = OtherSeries(crs)
    for k, rain in enumerate(uniform):
        raw["rain", k] = (
            series.read_series(rain.hyetograph, "rain") if rain.hyetograph else (*made_rain(rain, asked.duration), False)
        )
    raw |= {("gauge", k): one for k, one in enumerate(gauge_series(asked))}
    raw |= {("inflow", k): others.amount(inflow.discharge, "discharge") for k, inflow in enumerate(asked.inflows)}
    for k, boundary in enumerate(asked.boundaries):
        if boundary.level is not None:
            raw["level", k] = others.amount(boundary.level, "level")
        if boundary.discharge is not None:
            raw["discharge", k] = others.amount(boundary.discharge, "discharge")
    dated = [float(times[0]) for times, _, moments in raw.values() if moments]
    start = asked.start_time if asked.start_time is not None else min(dated, default=0.0)
    placed = {key: Series(times - start if moments else times, values) for key, (times, values, moments) in raw.items()}
    edges = [
        EdgeBoundary(b.edge, b.kind, b.slope, placed.get(("level", k)), placed.get(("discharge", k)))
        for k, b in enumerate(asked.boundaries) if not b.line
    ]  # fmt: skip
    return _Driving(
        start,
        added([ended(placed["rain", k]) for k in range(len(uniform))]),
        [one for (kind, _), one in placed.items() if kind == "gauge"],
        tuple(
            Inflow(_inflow_points(others.place(one), grid), placed["inflow", k], one.radius) for k, one in enumerate(asked.inflows)
        ),
        tuple(edges),
        [placed.get(("level", k)) for k, b in enumerate(asked.boundaries) if b.line],
    )


def _inflow_points(at: Points, grid: Terrain) -> Float:
    """Return (N, 2) points an inflow enters at: its point, one per cell along its line, or the cells of its polygon."""
    points = np.array(at, dtype=np.float64)
    if len(points) == 1:
        return points
    if len(points) > 3 and (points[0] == points[-1]).all():
        from cimdesk.analysis.flood.footprints import cover_cells

        rows, columns = np.nonzero(cover_cells(grid, series.ring_shapes([points])).is_blocked)
        return np.column_stack([grid.column_centres()[columns], grid.row_centres()[rows]])
    along = []
    for a, b in pairwise(points):
        count = max(1, round(float(np.hypot(*(b - a))) / grid.cell_x))
        along.append(a + (b - a) * ((np.arange(count) + 0.5) / count)[:, np.newaxis])
    return np.concatenate(along)
