"""Scenarios made ready to run: sources opened, brought onto one grid and checked, with one clear message for every fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int32
from cimdesk.base.crs import Crs, LocalFrame
from cimdesk.base.errors import DataError, UsageError
from cimdesk.commands.flood_drainage import place_drains, read_drainage
from cimdesk.commands.flood_tables import design_storm
from cimdesk.commands.placing import place
from cimdesk.formats import registry, series
from cimdesk.formats.scenario import Amount, DrainageInput, InflowInput, RainInput, ScenarioInput, read_scenario
from cimdesk.model.city import CityModel
from cimdesk.model.drainage import Drainage
from cimdesk.model.features import VectorLayer
from cimdesk.model.flood import EdgeBoundary, FloodScenario, Gauge, Inflow, Series
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData

if TYPE_CHECKING:
    from cimdesk.commands.session import Session

MM_PER_H = 1.0 / 3.6e6
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
    inflows: tuple[Inflow, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    precision: str = "float32"
    engine: str = "inertial"
    metadata: dict[str, Any] = field(default_factory=dict)


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
    ground, is_blocked = grid, np.zeros(grid.shape, dtype=bool)
    if form.buildings and form.treatment != "ignore":
        index = building_cells(grid, [session.workspace.data(form.buildings)])
        ground, is_blocked = with_buildings(grid, index, form.treatment, 3.0)
    kinds = tuple(EdgeBoundary(edge, form.edges, form.slope) for edge in ("north", "east", "south", "west"))
    scenario = FloodScenario(
        name=form.name, terrain=ground, manning_n=form.manning_n, is_blocked=is_blocked, duration=form.duration,
        output_every=form.output_every, start_time=form.start_time, rain=form.rain,
        infiltration=form.infiltration_mm_per_h * MM_PER_H, inflows=form.inflows, boundaries=kinds, gauges=form.gauges,
        initial_level=form.level, precision=form.precision, engine=form.engine,
        metadata={"crs": frame.crs.definition if frame and frame.crs else "", "buildings": form.buildings, **form.metadata},
    )  # fmt: skip
    check(scenario, None)
    return scenario


def _drains_of(session: Session, layer_id: str) -> Drainage | None:
    if not layer_id:
        return None
    file = session.base_dir / session.workspace.layer(layer_id).source
    frame = session.workspace.frame
    return read_drainage(DrainageInput(file, file), frame.crs if frame else None)


def load_scenario(path: Path | str) -> FloodScenario:
    """Return the scenario of a TOML file, ready to run.

    Raises
    ------
    DataError, UsageError
        One message naming file, field and remedy, before anything is run.
    """
    asked = read_scenario(path)
    data, crs = _open(asked.terrain, (Terrain,))
    terrain = data[0]
    assert isinstance(terrain, Terrain)
    if crs is not None and crs.is_geographic:
        raise DataError(
            asked.terrain, "the terrain is in degrees; a flood needs metres.", remedy="Reproject it to a projected system first."
        )
    grid = grid_of(terrain, asked.cell, asked.extent, asked.path)
    ground, is_blocked = grid, np.zeros(grid.shape, dtype=bool)
    if asked.buildings is not None and asked.treatment != "ignore":
        shapes = _outlines(asked.buildings, crs)
        ground, is_blocked = with_buildings(grid, building_cells(grid, shapes), asked.treatment, asked.raise_by)
    start, rain, inflows, boundaries = _driving(asked, grid)
    scenario = FloodScenario(
        name=asked.name, terrain=ground, manning_n=_roughness(asked, grid, crs), is_blocked=is_blocked, duration=asked.duration,
        output_every=min(asked.output_every, asked.duration), start_time=start, rain=rain,
        infiltration=asked.infiltration_mm_per_h * MM_PER_H, inflows=inflows, boundaries=boundaries,
        gauges=tuple(Gauge(*gauge) for gauge in asked.gauges), initial_level=_initial_level(asked, ground),
        precision=asked.precision, engine=asked.engine,
        drainage=None if asked.drainage is None else read_drainage(asked.drainage, crs),
        metadata={"crs": crs.definition if crs else "", "source": str(asked.path)},
    )  # fmt: skip
    check(scenario, asked.path)
    return scenario


def grid_of(terrain: Terrain, cell: float | None, extent: Sequence[float] | None, path: Path | None) -> Terrain:
    """Return the computational grid: the terrain cut to ``extent`` and resampled to square cells of size ``cell``."""
    from cimdesk.analysis.flood.footprints import resample

    if terrain.source is not None:
        (west, south, _), (east, north, _) = terrain.bounds.tolist()
        try:
            terrain = terrain.part(*(extent or (west, south, east, north)))
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
    if count > MOST_CELLS:
        raise DataError(
            path, "{count} cells are too many.", where="scenario.cell", remedy="Use larger cells.", count=f"{count:,.0f}"
        )
    grid = resample(terrain, size)
    if min(grid.shape) < 3:
        raise DataError(path, "the terrain has fewer than three cells of {cell} m across.", where="scenario.cell", cell=size)
    return grid


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
    if not asked.zones:
        return asked.manning_n
    manning: Float32 = np.full(grid.shape, asked.manning_n, dtype=np.float32)
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


def _driving(asked: ScenarioInput, grid: Terrain) -> tuple[float, Series | None, tuple[Inflow, ...], tuple[EdgeBoundary, ...]]:
    """Return start time, rain, inflows and boundaries; dated series are put on the clock of the run."""
    raw: list[tuple[Float, Float, bool]] = []
    for rain in asked.rain:
        raw.append(series.read_series(rain.hyetograph, "rain") if rain.hyetograph else (*_made_rain(rain, asked.duration), False))
    raw += [_amount(inflow.discharge, "discharge") for inflow in asked.inflows]
    levels = [boundary for boundary in asked.boundaries if boundary.level is not None]
    raw += [_amount(boundary.level, "level") for boundary in levels if boundary.level is not None]
    entering = [boundary for boundary in asked.boundaries if boundary.discharge is not None]
    raw += [_amount(boundary.discharge, "discharge") for boundary in entering if boundary.discharge is not None]
    dated = [float(times[0]) for times, _, moments in raw if moments]
    start = asked.start_time if asked.start_time is not None else min(dated, default=0.0)
    placed = [Series(times - start if moments else times, values) for times, values, moments in raw]
    rains, rest = placed[: len(asked.rain)], placed[len(asked.rain) :]
    inflows = tuple(
        Inflow(_inflow_points(given, grid), discharge, given.radius)
        for given, discharge in zip(asked.inflows, rest[: len(asked.inflows)], strict=True)
    )
    edges = rest[len(asked.inflows) :]
    level_of = dict(zip(map(id, levels), edges[: len(levels)], strict=True))
    discharge_of = dict(zip(map(id, entering), edges[len(levels) :], strict=True))
    boundaries = tuple(
        EdgeBoundary(b.edge, b.kind, b.slope, level_of.get(id(b)), discharge_of.get(id(b))) for b in asked.boundaries
    )
    return start, _added([_ended(one) for one in rains]), inflows, boundaries


def _made_rain(rain: RainInput, duration: float) -> tuple[Float, Float]:
    if rain.rate_mm_per_h is not None:
        length = rain.duration if rain.duration is not None else duration
        return np.array([0.0, length]), np.array([rain.rate_mm_per_h * MM_PER_H, 0.0])
    storm = design_storm(rain.city, rain.return_period, rain.duration or 7200.0, rain.peak, rain.step)
    return storm.times, storm.values


def _amount(amount: Amount, quantity: str) -> tuple[Float, Float, bool]:
    return series.read_series(amount, quantity) if isinstance(amount, Path) else (np.zeros(1), np.array([amount]), False)


def _ended(rain: Series) -> Series:
    """Return rain that stops one interval after its last row, where the file does not end with zero itself."""
    if rain.values[-1] == 0.0 or len(rain.times) < 2:
        return rain
    return Series(np.append(rain.times, 2 * rain.times[-1] - rain.times[-2]), np.append(rain.values, 0.0))


def _added(rains: list[Series]) -> Series | None:
    if len(rains) < 2:
        return rains[0] if rains else None
    times = np.unique(np.concatenate([rain.times for rain in rains]))
    total = np.zeros(len(times))
    for rain in rains:
        at = np.searchsorted(rain.times, times, side="right") - 1
        total += np.where(at >= 0, rain.values[np.maximum(at, 0)], 0.0)
    return Series(times, total)


def _inflow_points(inflow: InflowInput, grid: Terrain) -> Float:
    """Return (N, 2) points an inflow enters at: its point, one per cell along its line, or the cells of its polygon."""
    points = np.array(inflow.points, dtype=np.float64)
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
