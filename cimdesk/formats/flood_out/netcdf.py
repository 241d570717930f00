"""Floods as NetCDF 4 after the CF conventions: depths by time packed to millimetres, maps, ground, reference system."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.formats.atomic import replacing
from cimdesk.formats.flood_out.contents import (
    CHUNK,
    FILL,
    axes_of,
    crs_attrs,
    depth_attrs,
    depth_step,
    global_attrs,
    grids_of,
    no_water,
    packed_depth,
)
from cimdesk.model.flood import FloodResult


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
        ``depth`` for the frames, and keys of `model.flood_maps`.
    """
    import h5netcdf

    rows, columns = result.terrain.shape
    chunk = (min(CHUNK, rows), min(CHUNK, columns))
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
