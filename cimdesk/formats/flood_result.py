"""Flood results on disk: one ``.flood`` file, written whole or not at all and read lazily.

The container is a plain zip. ``result.json`` says what the run was; ``frames/NNNNN`` is one output time: depths as uint16
steps of ``depth_step`` (1 mm), deflated, row 0 north; ``flow/NNNNN`` are the velocities of blocks of cells then, to the east and to
the north, as int16; the other members are ``.npy`` arrays. Anything that opens a zip and
numpy can read it.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from cimdesk.base.arrays import AnyArray, Float32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.atomic import replacing
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.drainage import DrainageSeries
from cimdesk.model.features import as_strings
from cimdesk.model.flood import FloodResult, Gauge, GaugeSeries, Series
from cimdesk.model.flood_flow import FlowFrames
from cimdesk.model.flood_inputs import LineGauge, LineSeries
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain

VERSION = "1"
DEPTH_STEP = 0.001
RECENT_FRAMES = 4
_HEADER = "result.json"
_GRIDS = ("max_depth", "max_speed", "max_depth_speed", "arrival")
_NODES = ("positions", "inverts", "rims", "times", "depths", "exchange")
_BROKEN = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError, EOFError, TypeError, OSError)
_REMEDY = "Run the scenario again."


class PackedFrames:
    """Depth frames kept deflated in millimetres, unpacked when asked for; indexes like an (F, R, C) float32 array."""

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, shape: tuple[int, int], packed: list[bytes] | None = None, step: float = DEPTH_STEP) -> None:
        self.packed: list[bytes] = packed if packed is not None else []
        self.step = step
        self._grid = shape
        self._recent: OrderedDict[int, Float32] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (len(self.packed), *self._grid)

    @property
    def nbytes(self) -> int:
        """Memory in use [bytes]."""
        return sum(len(frame) for frame in self.packed)

    def append(self, depth: Float32) -> None:
        """Take a frame."""
        counts = np.rint(np.minimum(depth / np.float32(self.step), 65535.0)).astype("<u2")
        self.packed.append(zlib.compress(counts.tobytes(), level=1))

    def finish(self) -> Float32:
        """Return itself, in the role of the array it stands for."""
        return cast(Float32, self)

    def __len__(self) -> int:
        return len(self.packed)

    def __iter__(self) -> Iterator[Float32]:
        return (self._frame(k) for k in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            first, rest = key[0], key[1:]
            return self[first][rest] if isinstance(first, int | np.integer) else self[first][(slice(None), *rest)]
        if isinstance(key, int | np.integer):
            return self._frame(range(len(self))[int(key)])
        wanted = np.arange(len(self))[key]
        return np.stack([self._frame(int(k)) for k in wanted]) if len(wanted) else np.zeros((0, *self._grid), dtype=np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.asarray(self[:], dtype=dtype)

    def _frame(self, index: int) -> Float32:
        with self._lock:
            if index in self._recent:
                self._recent.move_to_end(index)
                return self._recent[index]
        counts = np.frombuffer(zlib.decompress(self.packed[index]), dtype="<u2").reshape(self._grid)
        depth = counts * np.float32(self.step)
        depth.flags.writeable = False
        with self._lock:
            self._recent[index] = depth
            while len(self._recent) > RECENT_FRAMES:
                self._recent.popitem(last=False)
        return depth


def write_result(path: Path | str, result: FloodResult, crs: Crs | None = None) -> Path:
    """Write a result; the file appears whole or not at all.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    kept: Any = result.depths
    frames = kept if isinstance(kept, PackedFrames) else _packed(result)
    header = {
        "format": "cimdesk flood result", "version": VERSION, "name": result.name, "crs": crs.definition if crs else "",
        "grid": {"west": result.terrain.west, "north": result.terrain.north, "cell_x": result.terrain.cell_x,
                 "cell_y": result.terrain.cell_y, "shape": list(result.terrain.shape)},
        "start_time": result.start_time, "frames": len(frames), "depth_step": frames.step,
        "gauges": [{"name": s.gauge.name, "x": s.gauge.x, "y": s.gauge.y} for s in result.gauges],
        "lines": [series.gauge.name for series in result.lines],
        "envelopes": sorted(result.envelopes),
        "nodes": None if result.drainage is None else [str(node) for node in result.drainage.ids],
        "has_rain": result.rain is not None, "statistics": dict(result.statistics),
        "flow": None if result.flow is None else {
            "grid": list(result.flow.grid), "shape": list(result.flow.shape), "step": result.flow.step,
        },
    }  # fmt: skip
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_HEADER, json.dumps(header, ensure_ascii=False, indent=1))
        for name, array in _arrays(result).items():
            archive.writestr(f"{name}.npy", _npy(array), zipfile.ZIP_DEFLATED, 1)
        for k, packed in enumerate(frames.packed):
            archive.writestr(f"frames/{k:05d}", packed)
        for k, packed in enumerate(result.flow.packed if result.flow is not None else ()):
            archive.writestr(f"flow/{k:05d}", packed)
    return Path(path)


def _packed(result: FloodResult) -> PackedFrames:
    deepest = float(np.nanmax(result.max_depth, initial=0.0))
    frames = PackedFrames(result.terrain.shape, step=DEPTH_STEP if deepest < 65.0 else deepest / 65000.0)
    for depth in result.depths:
        frames.append(depth)
    return frames


def _arrays(result: FloodResult) -> dict[str, AnyArray]:
    arrays: dict[str, AnyArray] = {name: getattr(result, name) for name in _GRIDS}
    arrays |= {"ground": result.terrain.elevations, "is_blocked": result.is_blocked, "times": result.times}
    arrays |= {"volume": result.volume, "wet_area": result.wet_area}
    arrays |= {f"envelope_{name}": grid for name, grid in result.envelopes.items()}
    if result.gauges:
        arrays["gauge_times"] = result.gauges[0].times
        arrays["gauge_depths"] = np.stack([series.depths for series in result.gauges])
        arrays["gauge_levels"] = np.stack([series.levels for series in result.gauges])
    if result.lines:
        arrays["line_times"] = result.lines[0].times
        arrays["line_discharges"] = np.stack([series.discharges for series in result.lines])
        for k, series in enumerate(result.lines):
            arrays[f"line_{k}_west"], arrays[f"line_{k}_north"] = series.gauge.west_faces, series.gauge.north_faces
    if result.drainage is not None:
        arrays |= {f"node_{name}": getattr(result.drainage, name) for name in _NODES}
    if result.rain is not None:
        arrays["rain"] = np.stack([result.rain.times, result.rain.values])
    return arrays


def _npy(array: AnyArray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def read_result(path: Path | str) -> FloodResult:
    """Read a result; frames stay packed until they are shown.

    Raises
    ------
    DataError
        If the file is missing, cut short, damaged, or of a newer version.
    """
    return _read(Path(path))[0]


def _read(path: Path) -> tuple[FloodResult, dict[str, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(archive.read(_HEADER))
            if str(header["version"]) != VERSION:
                raise DataError(
                    path,
                    "this flood result is of version {version}; this program reads version {known}.",
                    remedy="Update cimdesk, or run the scenario again.",
                    version=header["version"],
                    known=VERSION,
                )
            return _assemble(archive, header), header
    except FileNotFoundError:
        raise DataError(path, "there is no such file.", remedy="Check the name, or locate the file again.") from None
    except _BROKEN as error:
        raise DataError(path, "the flood result is damaged or cut short ({reason}).", remedy=_REMEDY, reason=error) from error


def _assemble(archive: zipfile.ZipFile, header: dict[str, Any]) -> FloodResult:
    def array(name: str) -> AnyArray:
        loaded: AnyArray = np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False)
        return loaded

    grid = header["grid"]
    shape = (int(grid["shape"][0]), int(grid["shape"][1]))
    terrain = Terrain(array("ground"), float(grid["west"]), float(grid["north"]), float(grid["cell_x"]), float(grid["cell_y"]))
    grids: dict[str, Any] = {name: array(name) for name in (*_GRIDS, "is_blocked")}
    envelopes = {str(name): array(f"envelope_{name}") for name in header.get("envelopes", ())}
    if any(values.shape != shape for values in (terrain.elevations, *grids.values(), *envelopes.values())):
        raise ValueError("grids of different size")
    # Reading each member checks its sum, so damage shows here and not in the middle of an animation.
    packed = [archive.read(f"frames/{k:05d}") for k in range(int(header["frames"]))]
    gauges: tuple[GaugeSeries, ...] = ()
    if header["gauges"]:
        times, depths, levels = array("gauge_times"), array("gauge_depths"), array("gauge_levels")
        gauges = tuple(
            GaugeSeries(Gauge(str(g["name"]), float(g["x"]), float(g["y"])), times, depths[k], levels[k])
            for k, g in enumerate(header["gauges"])
        )
    lines: tuple[LineSeries, ...] = ()
    if names := header.get("lines"):
        times, flows = array("line_times"), array("line_discharges")
        lines = tuple(
            LineSeries(LineGauge(str(name), array(f"line_{k}_west"), array(f"line_{k}_north")), times, flows[k])
            for k, name in enumerate(names)
        )
    drainage = None
    if header.get("nodes") is not None:
        drainage = DrainageSeries(as_strings(header["nodes"]), **{name: array(f"node_{name}") for name in _NODES})
        if drainage.depths.shape != (len(drainage.times), len(drainage.ids)):
            raise ValueError("series of drains of different size")
    times = array("times")
    if len(times) != len(packed) or not len(packed):
        raise ValueError("frames are missing")
    return FloodResult(
        name=str(header["name"]), terrain=terrain, start_time=float(header["start_time"]), times=times,
        depths=PackedFrames(shape, packed, float(header["depth_step"])).finish(), gauges=gauges,
        volume=array("volume"), wet_area=array("wet_area"), rain=Series(*array("rain")) if header["has_rain"] else None,
        statistics=header["statistics"], drainage=drainage, lines=lines, envelopes=envelopes, flow=_flow(archive, header), **grids,
    )  # fmt: skip


def _flow(archive: zipfile.ZipFile, header: dict[str, Any]) -> FlowFrames | None:
    said = header.get("flow")
    if said is None:
        return None
    west, north, width, height = map(float, said["grid"])
    rows, columns = map(int, said["shape"])
    packed = [archive.read(f"flow/{k:05d}") for k in range(int(header["frames"]))]
    flow = FlowFrames((west, north, width, height), (rows, columns), tuple(packed), float(said["step"]))
    if any(len(zlib.decompress(frame)) != 4 * rows * columns for frame in packed if frame):
        raise ValueError("velocities of different size")
    return flow


def export_geotiffs(result: FloodResult, folder: Path | str, crs: Crs | None = None) -> list[Path]:
    """Write the maxima, the arrival time and every frame as GeoTIFFs into ``folder``; return the files."""
    from cimdesk.formats.raster_write import write_geotiff

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = [write_geotiff(folder / f"{name}.tif", getattr(result, name), crs, grid=result.terrain) for name in _GRIDS]
    for time, depth in zip(result.times, result.depths, strict=True):
        written.append(write_geotiff(folder / f"depth_{round(float(time)):06d}s.tif", np.asarray(depth), crs, grid=result.terrain))
    return written


class FloodResultReader:
    """Reads ``.flood`` files."""

    name = "flood"
    suffixes: tuple[str, ...] = (".flood",)

    def claim(self, path: Path, head: bytes) -> float:
        """Return whether this is a flood result: a zip whose first member is the header."""
        return 1.0 if head.startswith(b"PK") and _HEADER.encode() in head[:64] else 0.5 if path.suffix.lower() == ".flood" else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read the file as one flood layer."""
        result, header = _read(path)
        found = Crs.parse(header["crs"])
        source = Source(result.name, LayerKind.FLOOD, result, options.crs_for(found))
        counts = {"frames": len(result.times), "cells": int(result.max_depth.size), "gauges": len(result.gauges)}
        return ReadResult(
            "Flood result", str(header["version"]), found.code if found else None, counts, result.terrain.bounds, (source,)
        )


READER = FloodResultReader()
