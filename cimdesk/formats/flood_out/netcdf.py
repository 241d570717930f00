"""Floods as NetCDF 4 after the CF conventions: depths by time packed to millimetres, maps, ground, reference system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.formats.atomic import replacing
from cimdesk.formats.flood_out.contents import (
    CHUNK,
    FILL,
    FLOW_DIMS,
    VELOCITY,
    axes_of,
    crs_attrs,
    depth_attrs,
    depth_step,
    flow_attrs,
    flow_axes,
    flow_counts,
    global_attrs,
    grids_of,
    no_water,
    packed_depth,
)
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_flow import FlowFrames


def write_netcdf(
    path: Path | str,
    result: FloodResult,
    crs: Crs | None,
    what: tuple[str, ...],
    program: str = "cimdesk",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """Write a flood; the file appears whole or not at all.

    Parameters
    ----------
    what : tuple of str
        ``depth`` for the frames, ``velocity`` for those of blocks of cells, and keys of `model.flood_maps`.
    """
    import h5netcdf

    rows, columns = result.terrain.shape
    chunk = (min(CHUNK, rows), min(CHUNK, columns))
    flow = result.flow if VELOCITY in what else None
    with replacing(path) as temporary, h5netcdf.File(temporary, "w") as file:
        file.dimensions = {"time": len(result.times), "y": rows, "x": columns}
        for name, value in global_attrs(result, program).items():
            file.attrs[name] = value
        for axis in axes_of(result, crs):
            made = file.create_variable(axis.name, axis.dims, data=axis.values)
            made.attrs.update(axis.attrs)
        if crs is not None:
            made = file.create_variable("crs", (), data=np.int32(0))
            made.attrs.update(crs_attrs(crs))
        for grid in grids_of(result, what, crs is not None):
            made = file.create_variable(
                grid.name, grid.dims, data=grid.values, fillvalue=grid.fill, chunks=chunk, compression="gzip", compression_opts=4,
                shuffle=True,
            )  # fmt: skip
            made.attrs.update(grid.attrs)
        if flow is not None:
            _write_flow(file, flow, crs)
        if "depth" in what:
            step, dry = depth_step(result), no_water(result)
            made = file.create_variable(
                "water_depth", ("time", "y", "x"), np.dtype(np.int16), fillvalue=np.int16(FILL), chunks=(1, *chunk),
                compression="gzip", compression_opts=4, shuffle=True,
            )  # fmt: skip
            made.attrs.update(depth_attrs(step, crs is not None))
            for k, depth in enumerate(result.depths):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                made[k] = packed_depth(depth, dry, step)
                progress((k + 1) / len(result.times))
    return Path(path)


def _write_flow(file: Any, flow: FlowFrames, crs: Crs | None) -> None:
    for axis, size in zip(flow_axes(flow, crs is not None and crs.is_geographic), flow.shape, strict=True):
        file.dimensions[axis.name] = size
        file.create_variable(axis.name, axis.dims, data=axis.values).attrs.update(axis.attrs)
    chunks = (1, *(min(CHUNK, size) for size in flow.shape))
    for way, (name, attrs) in enumerate(flow_attrs(flow, crs is not None).items()):
        made = file.create_variable(
            name, ("time", *FLOW_DIMS), np.dtype(np.int16), chunks=chunks, compression="gzip", compression_opts=4, shuffle=True
        )
        made.attrs.update(attrs)
        for k in range(len(flow)):
            made[k] = flow_counts(flow, k)[way]
