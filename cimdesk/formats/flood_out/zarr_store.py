"""Floods as a Zarr store (version 2, which all that read Zarr know), laid out after the CF conventions as xarray writes it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.formats.flood_out.contents import (
    CHUNK,
    FILL,
    FLOW_DIMS,
    VELOCITY,
    Grid,
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


def write_zarr(
    path: Path | str,
    result: FloodResult,
    crs: Crs | None,
    what: tuple[str, ...],
    program: str = "cimdesk",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """Write a flood as a folder; it appears whole or not at all, and takes the place of an earlier store only.

    Raises
    ------
    DataError
        If the folder holds something else, or cannot be written.
    """
    target = Path(path)
    if target.exists() and not (target / ".zgroup").is_file():
        raise DataError(target, "there is something else of this name.", remedy="Choose another name.")
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        _fill(temporary, result, crs, what, program, progress, cancel)
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    except OSError as error:
        raise DataError(
            target, "the file cannot be written ({reason}).", remedy="Choose a folder you may write to, with room on the disk.",
            reason=error.strerror or error,
        ) from error  # fmt: skip
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _fill(
    folder: Path, result: FloodResult, crs: Crs | None, what: tuple[str, ...], program: str, progress: Progress,
    cancel: CancelToken | None,
) -> None:  # fmt: skip
    import zarr

    store: Any = zarr.open_group(folder, mode="w", zarr_format=2)
    store.attrs.update(global_attrs(result, program))
    rows, columns = result.terrain.shape
    chunk = (min(CHUNK, rows), min(CHUNK, columns))
    for axis in axes_of(result, crs):
        _array(store, axis, axis.values.shape)
    if crs is not None:
        made = store.create_array("crs", shape=(), dtype="int32")
        made.attrs.update({"_ARRAY_DIMENSIONS": [], **crs_attrs(crs)})
    for grid in grids_of(result, what, crs is not None):
        _array(store, grid, chunk)
    if VELOCITY in what and result.flow is not None:
        _fill_flow(store, result.flow, crs)
    if "depth" in what:
        step, dry = depth_step(result), no_water(result)
        made = store.create_array(
            "water_depth", shape=(len(result.times), rows, columns), dtype="int16", chunks=(1, *chunk), fill_value=FILL
        )
        made.attrs.update({"_ARRAY_DIMENSIONS": ["time", "y", "x"], **depth_attrs(step, crs is not None)})
        for k, depth in enumerate(result.depths):
            if cancel is not None:
                cancel.raise_if_cancelled()
            made[k] = packed_depth(depth, dry, step)
            progress((k + 1) / len(result.times))
    zarr.consolidate_metadata(folder, zarr_format=2)


def _fill_flow(store: Any, flow: FlowFrames, crs: Crs | None) -> None:
    for axis in flow_axes(flow, crs is not None and crs.is_geographic):
        _array(store, axis, axis.values.shape)
    chunks = (1, *(min(CHUNK, size) for size in flow.shape))
    for way, (name, attrs) in enumerate(flow_attrs(flow, crs is not None).items()):
        made = store.create_array(name, shape=(len(flow), *flow.shape), dtype="int16", chunks=chunks, fill_value=None)
        made.attrs.update({"_ARRAY_DIMENSIONS": ["time", *FLOW_DIMS], **attrs})
        for k in range(len(flow)):
            made[k] = flow_counts(flow, k)[way]


def _array(store: Any, grid: Grid, chunk: tuple[int, ...]) -> None:
    made = store.create_array(grid.name, shape=grid.values.shape, dtype=grid.values.dtype, chunks=chunk, fill_value=grid.fill)
    made.attrs.update({"_ARRAY_DIMENSIONS": list(grid.dims), **grid.attrs})
    made[...] = grid.values
