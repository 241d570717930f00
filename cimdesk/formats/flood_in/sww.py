"""SWW: results of ANUGA, a NetCDF file of triangles with the level (or stage) of the water at their corners."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.flood_in.finish import result_of
from cimdesk.formats.flood_in.mesh import Mesh, MeshFlow, no_velocity, usable_faces
from cimdesk.formats.flood_in.netcdf import Dataset, Variable
from cimdesk.formats.registry import ReadOptions, ReadResult

LEAST_DEPTH = 1e-3
"""Depth below which a speed made from a discharge says nothing [m]."""


def is_sww(data: Dataset) -> bool:
    """Return whether a NetCDF file is an SWW."""
    return {"x", "y", "volumes", "time", "stage"} <= set(data.variables)


def read_sww(data: Dataset, options: ReadOptions) -> ReadResult:
    """Read the triangles of a file and their water."""
    v = data.variables
    ground = next((v[name] for name in ("elevation", "z") if name in v), None)
    if ground is None:
        raise DataError(data.path, "it has no elevations.", where="elevation", remedy="Store them with the stage.")
    nodes = np.column_stack([v["x"].values().ravel(), v["y"].values().ravel()])
    nodes += [float(data.attrs.get("xllcorner", 0.0)), float(data.attrs.get("yllcorner", 0.0))]
    faces = v["volumes"].read().astype(np.int64)
    usable = usable_faces(nodes, faces) if faces.ndim == 2 else np.zeros(0, dtype=bool)
    stage = v["stage"]
    if not usable.any() or stage.shape[1:] != (len(nodes),):
        raise DataError(data.path, "the mesh cannot be understood.", where="volumes", remedy="Write the result again.")
    bed = ground.values(0) if len(ground.shape) == 2 else ground.values()
    times, start = data.times("time")
    if len(times) != stage.shape[0]:
        raise DataError(data.path, "there are {times} times for {frames} levels.", where="time", remedy="Write the result again.",
                        times=len(times), frames=stage.shape[0])  # fmt: skip
    problems: list[Problem] = []
    if np.shape(bed) != (len(nodes),):
        raise DataError(data.path, "the mesh cannot be understood.", where=ground.name, remedy="Write the result again.")
    if len(ground.shape) == 2:
        problems.append(Problem(Severity.INFO, "ground-moves", ground.name, "the ground moves; depths are over that of each time."))

    def depth(k: int) -> Float:
        under = ground.values(k) if len(ground.shape) == 2 else bed
        return np.maximum(stage.values(k) - under, 0.0)

    velocity = _velocities(data, stage, depth)

    def speed(k: int) -> Float | None:
        parts = velocity(k)
        return None if parts is None else np.hypot(*parts)

    start = start or float(data.attrs.get("starttime", 0.0))
    flow = MeshFlow(
        data.path.stem, Mesh(nodes, faces[usable]), True, bed, times, depth, speed, start, _crs_of(data),
        statistics={"engine": "ANUGA"}, velocity=velocity,
    )  # fmt: skip
    return result_of("ANUGA SWW", None, flow, {"nodes": len(nodes), "faces": len(faces)}, options, problems)


def _velocities(data: Dataset, stage: Variable, depth: Callable[[int], Float]) -> Callable[[int], tuple[Float, Float] | None]:
    """Return what gives velocities: of discharges over depths, as ANUGA keeps them, or as they are where somebody stored them."""
    v = data.variables
    x, y = (v.get(name) for name in ("xmomentum", "ymomentum"))
    if x is not None and y is not None and x.shape == y.shape == stage.shape:
        east, north = x, y

        def divided(k: int) -> tuple[Float, Float]:
            deep = depth(k)
            inverse = np.where(deep > LEAST_DEPTH, 1.0 / np.maximum(deep, LEAST_DEPTH), 0.0)
            return east.values(k) * inverse, north.values(k) * inverse

        return divided
    x, y = (v.get(name) for name in ("xvelocity", "yvelocity"))
    if x is not None and y is not None and x.shape == y.shape == stage.shape:
        given = (x, y)
        return lambda k: (given[0].values(k), given[1].values(k))
    return no_velocity


def _crs_of(data: Dataset) -> Crs | None:
    """Return the UTM zone that a file names; ANUGA writes zone -1 or 0 for none."""
    if (named := data.crs()) is not None:
        return named
    zone = data.attrs.get("zone")
    if not isinstance(zone, int | np.integer) or not 1 <= int(zone) <= 60:
        return None
    south = str(data.attrs.get("hemisphere", "southern")).lower().startswith("s")
    return Crs.epsg((32700 if south else 32600) + int(zone))
