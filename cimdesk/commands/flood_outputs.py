"""Floods shown as maps and written to files: NetCDF-CF, Zarr, GeoTIFF and COG, outlines in GeoPackage, hydrographs as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk import __version__
from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.base.units import format_utc
from cimdesk.commands.flood_fine_export import FineGrid, can_be_fine, fine_scenario, write_fine
from cimdesk.commands.history import Edit
from cimdesk.commands.layers import set_style
from cimdesk.commands.session import Session
from cimdesk.formats.flood_out.contents import VELOCITY
from cimdesk.model.document import Changes
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_maps import DEPTHS, KEYS, MapClasses, available, classes_of, hydrograph_at, ranges, values_of
from cimdesk.model.ramps import RAMPS

DEPTH = "depth"
SUMMARY = "summary"
HYDROGRAPHS = "hydrographs"
FORMATS: dict[str, str] = {
    ".nc": "nc", ".zarr": "zarr", ".tif": "tif", ".tiff": "tif", ".gpkg": "gpkg", ".geojson": "geojson", ".csv": "csv", "": "tif",
}  # fmt: skip
KINDS = ("nc", "zarr", "tif", "cog", "gpkg", "geojson", "csv")
_DEFAULT: dict[str, tuple[str, ...]] = {
    "nc": (DEPTH, VELOCITY, *KEYS), "zarr": (DEPTH, VELOCITY, *KEYS),
    "tif": ("max_depth",), "cog": ("max_depth",), "gpkg": ("max_depth",),
    "geojson": ("max_depth",), "csv": (HYDROGRAPHS,),
}  # fmt: skip
_WHOLE = ("hazard_aidr", "hazard_cn")
"""Maps of whole numbers, written as bytes."""


@dataclass(frozen=True)
class ExportWish:
    """What is written of a flood.

    Attributes
    ----------
    path : Path
    what : tuple of str
        ``depth``, ``velocity`` (of NetCDF and Zarr), keys of maps, ``all``;
        of CSV ``hydrographs`` and ``summary``. Empty takes what suits the format.
    kind : str
        One of `KINDS`; empty takes it from the name.
    times : tuple of float
        Seconds from the start whose depths are written; empty for every frame.
    points : tuple of (name, x, y)
        Places besides the gauges of the run.
    is_fine : bool
        Of a run on coarse cells: rasters of the fine ground below its levels.
    """

    path: Path
    what: tuple[str, ...] = ()
    kind: str = ""
    times: tuple[float, ...] = ()
    points: tuple[tuple[str, float, float], ...] = ()
    is_fine: bool = False


def show_map(session: Session, layer_id: str, key: str) -> Changes:
    """Show another map of a flood layer, undoably; an empty key shows the depth at the clock."""
    layer = session.workspace.layer(layer_id)
    return set_style(session, layer_id, replace(layer.style, attribute=key))


def show_flow(session: Session, layer_ids: Sequence[str], kind: str) -> Changes:
    """Show where the water of floods flows to by ``arrows`` or ``streaks``, undoably; an empty kind hides it."""
    document, records = session.workspace.document, []
    for key in layer_ids:
        style = replace(session.workspace.layer(key).style, flow=kind)
        records.append(document.update("layer", key, style=style.to_record()))
    names = ", ".join(session.workspace.layer(key).name for key in layer_ids)
    return session.do(Edit(tr("Flow of {name}").format(name=names), tuple(records)))


def export_job(
    session: Session, layer_id: str, wish: ExportWish, told: Callable[[str], None] | None = None
) -> JobSpec[dict[str, Any]]:
    """Return the job that writes the flood of a layer, and says so when it is done.

    Raises
    ------
    UsageError
        If it has none, or what is wished cannot be.
    """
    result = session.workspace.data(layer_id)
    if not isinstance(result, FloodResult):
        raise UsageError("this is no flood result.")
    frame = session.workspace.frame
    crs = frame.crs if frame is not None else None
    _settled(result, wish)
    file = session.base_dir / session.workspace.layer(layer_id).source

    def work(progress: Progress, cancel: CancelToken) -> dict[str, Any]:
        return export_result(result, crs, wish, progress, cancel, file)

    def done(written: dict[str, Any]) -> None:
        if told is not None:
            told(tr("Written: {path}").format(path=written["path"]))

    return JobSpec(tr("Exporting {name}").format(name=result.name), work, done)


def export_file(
    path: Path, wish: ExportWish, progress: Progress = no_progress, cancel: CancelToken | None = None
) -> dict[str, Any]:
    """Write a flood that a file holds, our own or another model's; return what ``flood export --json`` tells."""
    from cimdesk.formats.registry import ReadOptions, read

    found = read(path, ReadOptions(progress=progress, cancel=cancel or CancelToken()))
    flood = next((source for source in found.sources if isinstance(source.data, FloodResult)), None)
    if flood is None or not isinstance(flood.data, FloodResult):
        raise DataError(path, "there is no flood in it.", remedy="Give a flood result.")
    return export_result(flood.data, flood.crs, wish, progress, cancel, path)


def export_result(
    result: FloodResult,
    crs: Crs | None,
    wish: ExportWish,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    file: Path | None = None,
) -> dict[str, Any]:
    """Write a flood; ``file`` is the one that it was read from, beside which its scenario lies.

    Returns
    -------
    dict
        ``path``, ``format``, ``what``, ``files`` and ``frames``.

    Raises
    ------
    UsageError
        If what is wished cannot be, before anything is written.
    DataError
        If a file cannot be written; what was there stays.
    """
    what, kind, numbers = _settled(result, wish)
    chosen = _at_times(result, numbers) if wish.times else result
    cancel = cancel or CancelToken()
    if not wish.path.absolute().parent.is_dir():
        raise DataError(wish.path, "there is no folder to write the result into.", remedy="Make the folder first.")
    if kind in ("nc", "zarr"):
        from cimdesk.formats.flood_out.netcdf import write_netcdf
        from cimdesk.formats.flood_out.zarr_store import write_zarr

        write = write_netcdf if kind == "nc" else write_zarr
        files = [write(wish.path, chosen, crs, what, f"cimdesk {__version__}", progress, cancel)]
    elif wish.is_fine:
        fine = fine_scenario(result, file or Path())
        files = write_fine(_fine_grids(wish, result, what, numbers), result, fine, crs, kind == "cog", progress, cancel)
    elif kind in ("tif", "cog"):
        files = _write_rasters(wish, chosen, crs, what, kind == "cog", progress, cancel)
    elif kind == "csv":
        files = _write_csv(wish, result, what)
    else:
        files = _write_outlines(wish, chosen, crs, what, kind, progress, cancel)
    progress(1.0)
    frames = len(numbers) if DEPTH in what else 0
    return {"path": str(wish.path), "format": kind, "what": list(what), "files": [str(file) for file in files], "frames": frames}


def _at_times(result: FloodResult, numbers: AnyArray) -> FloodResult:
    """Return a flood with some of its frames."""
    flow = None if result.flow is None else result.flow.with_frames(result.flow.packed[int(k)] for k in numbers)
    frames: Any = _Chosen(result.depths, numbers)
    return replace(result, times=result.times[numbers], depths=frames, flow=flow)


class _Chosen:
    """Some of the frames, read when they are asked for."""

    def __init__(self, frames: Any, numbers: AnyArray) -> None:
        self._frames, self._numbers = frames, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Any:
        return (self._frames[int(k)] for k in self._numbers)


def _settled(result: FloodResult, wish: ExportWish) -> tuple[tuple[str, ...], str, AnyArray]:
    """Return what is written, in which format, and the numbers of the frames.

    Raises
    ------
    UsageError
        For a format, a map or a time that there is not.
    """
    kind = wish.kind or FORMATS.get(wish.path.suffix.lower(), "")
    if kind not in KINDS:
        raise UsageError(
            "'{name}' names no format; there are: {known}.", name=wish.kind or wish.path.suffix, known=", ".join(KINDS)
        )
    has_flow = kind in ("nc", "zarr") and result.flow is not None
    can = (HYDROGRAPHS, SUMMARY) if kind == "csv" else (DEPTH, *((VELOCITY,) if has_flow else ()), *available(result))
    asked = wish.what or tuple(key for key in _DEFAULT[kind] if key in can)
    asked = can if "all" in asked else asked
    if wish.is_fine and kind not in ("tif", "cog"):
        raise UsageError("only GeoTIFF and COG are written at the resolution of the fine ground.", remedy="Choose one of them.")
    if wish.is_fine and not can_be_fine(result):
        raise UsageError("this flood was not computed on coarse cells, or is on the fine ones already.", remedy="Leave --fine out.")
    unknown = [key for key in asked if key not in can]
    if unknown:
        raise UsageError("'{name}' cannot be written; there are: {known}.", name=unknown[0], known=", ".join(can))
    return tuple(dict.fromkeys(asked)), kind, _frames_at(result, wish.times)


def _frames_at(result: FloodResult, times: Sequence[float]) -> AnyArray:
    last = float(result.times[-1])
    for time in times:
        if not (math.isfinite(time) and float(result.times[0]) - 1e-6 <= time <= last + 1e-6):
            raise UsageError("the run has no {time} s; it ends at {last} s.", time=f"{time:g}", last=f"{last:g}")
    if not times:
        return np.arange(len(result.times))
    return np.unique([int(np.abs(result.times - time).argmin()) for time in times])


def _write_rasters(
    wish: ExportWish,
    result: FloodResult,
    crs: Crs | None,
    what: tuple[str, ...],
    is_cog: bool,
    progress: Progress,
    cancel: CancelToken,
) -> list[Path]:
    """Write one grid into the file that is named, several into a folder of that name."""
    from cimdesk.formats.flood_out.rasters import write_grid

    dry = result.is_blocked | ~np.isfinite(result.terrain.elevations)
    grids: list[tuple[str, Any]] = [(key, None) for key in what if key != DEPTH]
    if DEPTH in what:
        grids += [(_frame_name(time), k) for k, time in enumerate(result.times)]
    folder = _raster_folder(wish, len(grids))
    frames = iter(result.depths)
    written: list[Path] = []
    for number, (name, frame) in enumerate(grids):
        cancel.raise_if_cancelled()
        progress(number / len(grids), name)
        values = values_of(result, name) if frame is None else np.where(dry, np.float32(np.nan), next(frames))
        if name in _WHOLE:
            values = np.nan_to_num(values).astype(np.uint8)
        path = wish.path if folder is None else folder / f"{name.replace('.', '_') if frame is None else name}.tif"
        written.append(write_grid(path, values, result.terrain, crs, is_cog))
    if folder is not None and DEPTH in what:
        # With the ground beside them the depths can be read again as a flood with levels.
        written.append(write_grid(folder / "ground.tif", result.terrain.elevations, result.terrain, crs, is_cog))
    return written


def _frame_name(time: float) -> str:
    return f"depth_{round(float(time)):07d}s"


def _raster_folder(wish: ExportWish, count: int) -> Path | None:
    """Return the folder that rasters are written into, made where it is not there; None for one into the file that is named."""
    is_file = wish.path.suffix.lower() in (".tif", ".tiff")
    if count == 1 and is_file:
        return None
    folder = wish.path.with_suffix("") if is_file else wish.path
    folder.mkdir(exist_ok=True)
    return folder


def _fine_grids(wish: ExportWish, result: FloodResult, what: tuple[str, ...], numbers: AnyArray) -> list[FineGrid]:
    """Return the rasters to write of the fine ground, under the names that those of coarse cells have."""
    maps = [key for key in what if key != DEPTH]
    frames = numbers.tolist() if DEPTH in what else []
    folder = _raster_folder(wish, len(maps) + len(frames))
    if folder is None:
        return [FineGrid(wish.path, maps[0], is_whole=maps[0] in _WHOLE) if maps else FineGrid(wish.path, frame=frames[0])]
    grids = [FineGrid(folder / f"{key.replace('.', '_')}.tif", key, is_whole=key in _WHOLE) for key in maps]
    grids += [FineGrid(folder / f"{_frame_name(result.times[k])}.tif", frame=k) for k in frames]
    return grids + ([FineGrid(folder / "ground.tif", "ground")] if frames else [])


def _write_outlines(
    wish: ExportWish,
    result: FloodResult,
    crs: Crs | None,
    what: tuple[str, ...],
    kind: str,
    progress: Progress,
    cancel: CancelToken,
) -> list[Path]:
    from cimdesk.formats.flood_out.outlines import outlines_of
    from cimdesk.formats.vector_write import write_geojson, write_geopackage

    layers = []
    depths = MapClasses(DEPTHS, RAMPS["depth"], ranges(DEPTHS, "m"))
    for number, key in enumerate(what):
        cancel.raise_if_cancelled()
        progress(number / len(what), key)
        if key == DEPTH:
            for time, depth in zip(result.times, result.depths, strict=True):
                cancel.raise_if_cancelled()
                codes = depths.codes(np.where(result.is_blocked, np.float32(np.nan), depth))
                layers.append((f"depth_{round(float(time)):07d}s", outlines_of(codes, result.terrain, depths.labels, depths.lows)))
        else:
            classes = classes_of(result, key)
            codes = classes.codes(values_of(result, key))
            layers.append((key.replace(".", "_"), outlines_of(codes, result.terrain, classes.labels, classes.lows)))
    if kind == "geojson":
        if len(layers) > 1:
            raise UsageError("GeoJSON holds one layer; choose one map, or write a GeoPackage.")
        write_geojson(wish.path, layers[0][1], crs)
    else:
        write_geopackage(wish.path, [(name, layer, crs) for name, layer in layers])
    return [wish.path]


def hydrographs(result: FloodResult, points: Sequence[tuple[str, float, float]] = ()) -> list[tuple[str, str, Float, Float]]:
    """Return name, unit, times [s from the start] and values of all that is told by time at places and lines.

    Gauges give depth and level, lines discharge, ``points`` depth and level in every frame.

    Raises
    ------
    UsageError
        If a point is off the grid.
    """
    found: list[tuple[str, str, Float, Float]] = []
    for series in result.gauges:
        found.append((f"{series.gauge.name} {tr('depth')}", "m", series.times, series.depths))
        found.append((f"{series.gauge.name} {tr('level')}", "m", series.times, series.levels))
    for line in result.lines:
        found.append((line.gauge.name, "m3/s", line.times, line.discharges))
    for name, x, y in points:
        told = hydrograph_at(result, x, y)
        if told is None:
            raise UsageError("the point {name} is beside the grid of the flood.", name=name)
        found.append((f"{name} {tr('depth')}", "m", told[0], told[1]))
        found.append((f"{name} {tr('level')}", "m", told[0], told[2]))
    return found


def _write_csv(wish: ExportWish, result: FloodResult, what: tuple[str, ...]) -> list[Path]:
    """Write hydrographs, and what is told of each frame; both at once into two files."""
    written = []
    for key in what:
        path = wish.path if len(what) == 1 else wish.path.with_stem(f"{wish.path.stem}_{key}")
        if key == HYDROGRAPHS:
            series = _columns(result, wish.points)
            if not series:
                raise UsageError("the run has no gauges and no lines; name a point.")
        else:
            series = [
                ("volume_m3", result.times, result.volume), ("wet_area_m2", result.times, result.wet_area),
                ("buildings_touched", result.times, buildings_touched(result)),
            ]  # fmt: skip
        written.append(_write_series(path, result.start_time, series))
    return written


def _columns(result: FloodResult, points: Sequence[tuple[str, float, float]]) -> list[tuple[str, Float, Float]]:
    """Return the columns of a table, named as scenario files name them so that they can be read again."""
    columns: list[tuple[str, Float, Float]] = []
    for series in result.gauges:
        columns += [(f"{series.gauge.name} depth_m", series.times, series.depths)]
        columns += [(f"{series.gauge.name} level_m", series.times, series.levels)]
    columns += [(f"{line.gauge.name} discharge_m3_s", line.times, line.discharges) for line in result.lines]
    for name, x, y in points:
        told = hydrograph_at(result, x, y)
        if told is None:
            raise UsageError("the point {name} is beside the grid of the flood.", name=name)
        columns += [(f"{name} depth_m", told[0], told[1]), (f"{name} level_m", told[0], told[2])]
    return columns


def _write_series(path: Path, start: float, series: Sequence[tuple[str, Float, Float]]) -> Path:
    """Write columns over the union of their times; where a column has no time it is left empty."""
    from cimdesk.formats.atomic import replacing

    times = np.unique(np.concatenate([own for _, own, _ in series]))
    filled = []
    for _, own, values in series:
        column = np.full(len(times), np.nan)
        column[np.searchsorted(times, own)] = values
        filled.append(column)
    dated = start > 0.0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", *(["date"] if dated else []), *(name for name, _, _ in series)])
        for k, time in enumerate(times):
            row = [f"{time:.3f}".rstrip("0").rstrip(".")] + ([format_utc(start + float(time))] if dated else [])
            writer.writerow(row + ["" if math.isnan(column[k]) else f"{column[k]:.6g}" for column in filled])
    return path


def buildings_touched(result: FloodResult, depth: float = 0.05) -> Float:
    """Return (F,) how many buildings have water deeper than ``depth`` [m] beside them in each frame, as blocked cells tell."""
    from scipy.ndimage import label

    parts, count = label(result.is_blocked)
    if not count:
        return np.zeros(len(result.times))
    padded = np.pad(parts, 1)
    rows, columns = parts.shape
    beside = [padded[r : r + rows, c : c + columns] for r, c in ((0, 1), (1, 0), (1, 2), (2, 1))]
    rim = [(~result.is_blocked & (near > 0), near) for near in beside]
    touched = []
    for frame in result.depths:
        wet = np.zeros(count + 1, dtype=bool)
        for mask, near in rim:
            wet[near[mask & (frame > depth)]] = True
        touched.append(float(wet[1:].sum()))
    return np.array(touched)
