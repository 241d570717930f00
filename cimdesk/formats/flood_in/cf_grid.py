"""NetCDF after the CF conventions on a regular grid: depths or levels by time, as many models and our own export write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.i18n import tr
from cimdesk.formats.flood_in import names
from cimdesk.formats.flood_in.gridding import Collector
from cimdesk.formats.flood_in.netcdf import Dataset, Variable
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_flow import FlowFrames, packed_flow
from cimdesk.model.flood_maps import KEYS
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain

_X = ("x", "easting", "lon", "longitude", "projection_x_coordinate")
_Y = ("y", "northing", "lat", "latitude", "projection_y_coordinate")


def read_cf(data: Dataset, options: ReadOptions) -> ReadResult:
    """Read depths (or levels over a ground) by time on a grid.

    Raises
    ------
    DataError
        If there are none, or the grid is not regular.
    """
    fields = _fields(data)
    water = fields.get(names.DEPTH) or fields.get(names.LEVEL)
    bed_of = fields.get(names.BED)
    if water is None or (water is fields.get(names.LEVEL) and bed_of is None):
        raise DataError(
            data.path, "it holds no water depths on a grid, nor levels over a ground.",
            remedy="Name the depths by their standard name, or convert them to GeoTIFFs.",
        )  # fmt: skip
    grid, flips = _grid_of(data, water)
    is_level = fields.get(names.DEPTH) is None
    bed = _plane(bed_of, flips, None) if bed_of is not None and len(bed_of.shape) == 2 else np.zeros(grid.shape)
    if bed.shape != grid.shape:
        raise DataError(data.path, "the ground and the water are on different grids.", where=water.name, remedy="Use one grid.")
    problems: list[Problem] = []
    if bed_of is None:
        problems.append(Problem(Severity.WARNING, "no-ground", water.name, "it has no ground: levels of the water are not known."))
    times, start = _times(data, water)
    collector = Collector(grid, _deepest(water), len(times))
    velocity = _velocity_of(fields, water, flips)
    speed = _speed_of(fields, water, flips)
    for k in range(len(times)):
        options.cancel.raise_if_cancelled()
        options.progress(k / len(times), tr("Reading time {number} of {count}").format(number=k + 1, count=len(times)))
        index = k if len(water.shape) == 3 else None
        values = _plane(water, flips, index)
        collector.add(float(times[k]), values - bed if is_level else values, speed(index), velocity(index))
    ground = replace(grid, elevations=bed.astype(np.float32))
    flood = collector.result(data.path.stem, ground, start, times, {"engine": str(data.attrs.get("source", "") or "NetCDF")})
    flood = _with_maps(flood, data, water.dims[-2:], flips)
    flood = flood if flood.flow is not None else replace(flood, flow=_flow_of(data, fields, water))
    said = data.crs()
    rows, columns = grid.shape
    objects = {"times": len(times), "rows": rows, "columns": columns}
    version = next(
        (word.removeprefix("CF-") for word in str(data.attrs.get("Conventions", "")).split() if word.startswith("CF-")), None
    )
    source = Source(flood.name, LayerKind.FLOOD, flood, options.crs_for(said))
    return ReadResult("NetCDF-CF", version, said.code if said else None, objects, ground.bounds, (source,), tuple(problems))


def _with_maps(flood: FloodResult, data: Dataset, dims: tuple[str, ...], flips: tuple[bool, bool]) -> FloodResult:
    """Return the flood with the maps that our own export writes: what the frames alone cannot tell."""
    found = {
        key: _plane(variable, flips, None).astype(np.float32)
        for key in KEYS
        if (variable := data.variables.get(key.replace(".", "_"))) is not None and variable.dims == dims
    }
    maxima = {key: found.pop(key) for key in ("max_speed", "max_depth_speed", "arrival") if key in found}
    kept = {key: grid for key, grid in found.items() if key.startswith(("arrival", "duration", "peak"))}
    return replace(
        flood, max_speed=maxima.get("max_speed", flood.max_speed), arrival=maxima.get("arrival", flood.arrival),
        max_depth_speed=maxima.get("max_depth_speed", flood.max_depth_speed), envelopes=kept,
    )  # fmt: skip


def _fields(data: Dataset) -> dict[str, Variable]:
    """Return grids by what they are; those by time come before those of one moment."""
    found: dict[str, Variable] = {}
    for variable in data.variables.values():
        if len(variable.shape) not in (2, 3) or min(variable.shape) < 1 or _axis(data, variable.dims[-1]) != "x":
            continue
        quantity = names.quantity_of(variable.text("standard_name"), variable.name, variable.text("long_name"))
        if quantity and (quantity not in found or len(variable.shape) > len(found[quantity].shape)):
            found[quantity] = variable
    return found


def _axis(data: Dataset, dim: str) -> str:
    variable = data.variables.get(dim)
    told = {dim.lower()} | ({variable.text("standard_name").lower(), variable.text("axis").lower()} if variable else set())
    return "x" if told & set(_X) else "y" if told & set(_Y) else ""


def _grid_of(data: Dataset, water: Variable) -> tuple[Terrain, tuple[bool, bool]]:
    """Return the grid without heights, and whether rows and columns are to be turned round."""
    steps = []
    for dim in water.dims[-2:]:
        axis = data.variables.get(dim)
        at = axis.values().ravel() if axis is not None else np.zeros(0)
        if len(at) < 2 or not np.isfinite(at).all():
            raise DataError(data.path, "the grid has no coordinates.", where=dim, remedy="Write them along each dimension.")
        gaps = np.diff(at)
        if gaps[0] == 0 or (np.abs(gaps - gaps.mean()) > 1e-3 * abs(gaps.mean())).any():
            raise DataError(data.path, "the grid is not regular.", where=dim, remedy="Resample it to a regular grid.")
        steps.append((float(at[0]), float(at[-1]), float(abs(gaps.mean())), len(at)))
    (y0, y1, dy, rows), (x0, x1, dx, columns) = steps
    grid = Terrain(np.zeros((rows, columns), dtype=np.float32), min(x0, x1) - 0.5 * dx, max(y0, y1) + 0.5 * dy, dx, dy)
    return grid, (y1 > y0, x1 < x0)


def _plane(variable: Variable, flips: tuple[bool, bool], index: int | None) -> Float:
    values = variable.values() if index is None else variable.values(index)
    values = values[-1] if values.ndim == 3 else values
    return values[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1]


def _times(data: Dataset, water: Variable) -> tuple[Float, float]:
    if len(water.shape) == 2:
        return np.zeros(1), 0.0
    if water.dims[0] not in data.variables:
        return np.arange(water.shape[0], dtype=np.float64), 0.0
    return data.times(water.dims[0])


def _deepest(water: Variable) -> float:
    """Return a value that no depth is likely to be above, from the first, middle and last time."""
    if names.quantity_of(water.text("standard_name"), water.name) != names.DEPTH or len(water.shape) < 3:
        return 0.0
    picks = {0, water.shape[0] // 2, water.shape[0] - 1}
    return 2.0 * max(float(np.nanmax(np.nan_to_num(water.values(k)), initial=0.0)) for k in picks)


def _velocity_of(
    fields: dict[str, Variable], water: Variable, flips: tuple[bool, bool]
) -> Callable[[int | None], tuple[Float, Float] | None]:
    parts = [fields[key] for key in (names.U, names.V) if key in fields]
    if len(parts) < 2 or any(part.shape != water.shape for part in parts):
        return lambda _index: None
    return lambda index: (_plane(parts[0], flips, index), _plane(parts[1], flips, index))


def _flow_of(data: Dataset, fields: dict[str, Variable], water: Variable) -> FlowFrames | None:
    """Return velocities that a file holds on blocks of their own, as our own export does."""
    parts = [fields[key] for key in (names.U, names.V) if key in fields]
    if (
        len(parts) < 2
        or parts[0].dims != parts[1].dims
        or any(len(part.shape) != 3 or part.shape[0] != water.shape[0] for part in parts)
    ):
        return None
    grid, flips = _grid_of(data, parts[0])
    flow = FlowFrames((grid.west, grid.north, grid.cell_x, grid.cell_y), grid.shape)
    return flow.with_frames(packed_flow(_plane(parts[0], flips, k), _plane(parts[1], flips, k)) for k in range(water.shape[0]))


def _speed_of(fields: dict[str, Variable], water: Variable, flips: tuple[bool, bool]) -> Callable[[int | None], Float | None]:
    parts = [fields[key] for key in ((names.SPEED,) if names.SPEED in fields else (names.U, names.V)) if key in fields]
    if not parts or (len(parts) == 1 and names.SPEED not in fields) or any(part.shape != water.shape for part in parts):
        return lambda _index: None
    if len(parts) == 1:
        return lambda index: _plane(parts[0], flips, index)
    return lambda index: np.hypot(_plane(parts[0], flips, index), _plane(parts[1], flips, index))
