"""What a flood holds after the CF conventions: variables with their attributes, the same for NetCDF and Zarr."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.base.crs import Crs
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_flow import FlowFrames
from cimdesk.model.flood_maps import available, map_named, values_of

STEP = 0.001
FILL = -32768
CHUNK = 256
VELOCITY = "velocity"
FLOW_DIMS = ("y_flow", "x_flow")
CONVENTIONS = "CF-1.11"
_UNITS = {"m": "m", "m/s": "m s-1", "m²/s": "m2 s-1", "s": "s"}
_STANDARD = {"depth": "flood_water_thickness", "ground": "surface_altitude"}


@dataclass(frozen=True)
class Grid:
    """One variable of a file.

    Attributes
    ----------
    name : str
    dims : tuple of str
    values : array
        Of what is not by time.
    attrs : mapping
    fill : number or None
    """

    name: str
    dims: tuple[str, ...]
    values: AnyArray
    attrs: dict[str, Any]
    fill: float | int | None = None


def depth_step(result: FloodResult) -> float:
    """Return the step of packed depths [m]: a millimetre, unless water is deeper than int16 then reaches."""
    deepest = float(np.nanmax(result.max_depth, initial=0.0))
    return STEP if deepest < 32.7 else deepest / 32_700.0


def packed_depth(depth: Float32, is_dry: AnyArray, step: float) -> AnyArray:
    """Return int16 steps of a depth; `FILL` where no water can be."""
    steps = np.rint(np.clip(np.nan_to_num(depth) / step, 0.0, 32767.0)).astype(np.int16)
    return np.where(is_dry, np.int16(FILL), steps)


def depth_attrs(step: float, has_crs: bool) -> dict[str, Any]:
    """Return the attributes of the packed depths."""
    attrs: dict[str, Any] = {
        "standard_name": _STANDARD["depth"], "long_name": "water depth", "units": "m", "scale_factor": step, "add_offset": 0.0,
        "cell_methods": "area: mean time: point",
    }  # fmt: skip
    return attrs | ({"grid_mapping": "crs"} if has_crs else {})


def flow_axes(flow: FlowFrames, is_degrees: bool) -> list[Grid]:
    """Return the coordinates of the blocks whose velocities are kept: rows from north to south, and columns."""
    west, north, width, height = flow.grid
    rows, columns = flow.shape
    names = ("latitude", "longitude") if is_degrees else ("projection_y_coordinate", "projection_x_coordinate")
    units = ("degrees_north", "degrees_east") if is_degrees else ("m", "m")
    places = (north - (np.arange(rows) + 0.5) * height, west + (np.arange(columns) + 0.5) * width)
    return [
        Grid(name, (name,), at, {"standard_name": said, "units": unit, "axis": name[0].upper()})
        for name, at, said, unit in zip(FLOW_DIMS, places, names, units, strict=True)
    ]


def flow_attrs(flow: FlowFrames, has_crs: bool) -> dict[str, dict[str, Any]]:
    """Return the names and attributes of the two velocities."""
    kept = {"units": "m s-1", "scale_factor": flow.step, "add_offset": 0.0, "cell_methods": "area: mean time: point"}
    kept |= {"grid_mapping": "crs"} if has_crs else {}
    ways = (("x", "towards the east"), ("y", "towards the north"))
    return {
        f"water_{way}_velocity": {"standard_name": f"sea_water_{way}_velocity", "long_name": f"velocity of water {said}", **kept}
        for way, said in ways
    }


def flow_counts(flow: FlowFrames, index: int) -> AnyArray:
    """Return (2, r, c) int16 steps of the velocities of a frame."""
    counts: AnyArray = np.rint(flow.frame(index) / flow.step).astype(np.int16)
    return counts


def no_water(result: FloodResult) -> AnyArray:
    """Return (R, C) where no water can be: inside buildings and beyond the model."""
    return np.asarray(result.is_blocked | ~np.isfinite(result.terrain.elevations))


def axes_of(result: FloodResult, crs: Crs | None) -> list[Grid]:
    """Return the coordinates: time, y and x, rows from north to south."""
    grid = result.terrain
    is_degrees = crs is not None and crs.is_geographic
    x, y = grid.column_centres(), grid.row_centres()
    when = {"standard_name": "time", "units": "seconds since 1970-01-01T00:00:00Z", "calendar": "standard", "axis": "T"}
    east = {"standard_name": "longitude", "units": "degrees_east"} if is_degrees else {
        "standard_name": "projection_x_coordinate", "units": "m"
    }  # fmt: skip
    north = {"standard_name": "latitude", "units": "degrees_north"} if is_degrees else {
        "standard_name": "projection_y_coordinate", "units": "m"
    }  # fmt: skip
    return [
        Grid("time", ("time",), result.start_time + np.asarray(result.times, dtype=np.float64), when),
        Grid("y", ("y",), np.asarray(y, dtype=np.float64), {**north, "axis": "Y"}),
        Grid("x", ("x",), np.asarray(x, dtype=np.float64), {**east, "axis": "X"}),
    ]


def crs_attrs(crs: Crs) -> dict[str, Any]:
    """Return the attributes of the grid mapping; numbers and text only."""
    said = crs.pyproj.to_cf()
    return {"spatial_ref": crs.pyproj.to_wkt()} | {k: v for k, v in said.items() if isinstance(v, str | int | float)}


def grids_of(result: FloodResult, what: tuple[str, ...], has_crs: bool) -> list[Grid]:
    """Return the ground, and the maps that are asked for and can be made."""
    mapping = {"grid_mapping": "crs"} if has_crs else {}
    ground = {"standard_name": _STANDARD["ground"], "long_name": "ground", "units": "m", **mapping}
    found = [Grid("ground", ("y", "x"), result.terrain.elevations.astype(np.float32), ground, math.nan)]
    for key in (key for key in available(result) if key in what):
        each = map_named(key)
        attrs: dict[str, Any] = {"long_name": each.title, "units": _UNITS.get(each.unit, "1"), **mapping}
        if key.startswith("hazard"):
            attrs["comment"] = _HAZARDS[key]
        name = key.replace(".", "_")
        found.append(Grid(name, ("y", "x"), values_of(result, key), attrs, math.nan))
    return found


_HAZARDS = {
    "hazard_uk": "Hazard rating d (v + 0.5) + DF, FD2321; 0.75, 1.25 and 2 begin danger for some, most, all",
    "hazard_aidr": "1 to 6 for H1 to H6 of AIDR Guideline 7-3",
    "hazard_cn": "1 to 5: below 0.15 m, 0.27 m, 0.40 m, 0.60 m, and deeper",
}


def global_attrs(result: FloodResult, program: str) -> dict[str, Any]:
    """Return what is said of the whole file: the run and its limits."""
    said = result.statistics
    attrs: dict[str, Any] = {
        "Conventions": CONVENTIONS,
        "title": result.name,
        "source": f"{program}, {said.get('engine', 'flood')} engine",
    }
    for key, value in said.items():
        if isinstance(value, bool):
            attrs[f"run_{key}"] = int(value)
        elif isinstance(value, str | int | float):
            attrs[f"run_{key}"] = value
    return attrs
