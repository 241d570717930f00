"""A folder of GeoTIFFs, one for each time: water depths as other programs write them out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.i18n import tr
from cimdesk.base.units import parse_time
from cimdesk.formats.flood_in import names
from cimdesk.formats.flood_in.gridding import Collector, metres_per_unit
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain

_SUFFIXES = (".tif", ".tiff")
_CLOCK = re.compile(r"(\d{4})[-_]?(\d{2})[-_]?(\d{2})[T_ -]?(\d{2})[-_:]?(\d{2})(?:[-_:]?(\d{2}))?(?!\d)")
_SPAN = re.compile(r"(?<![0-9.])(\d+(?:\.\d+)?)[ _]?(sec|s|min|m|hours|hour|hrs|hr|h|days|d)(?![a-zA-Z])", re.IGNORECASE)
_COUNT = re.compile(r"(\d+)(?!.*\d)")
_SECONDS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0,
            "hours": 3600.0, "d": 86400.0, "days": 86400.0}  # fmt: skip
_WORDS = re.compile(r"depth|tiefe|hauteur|wse|stage|level|flood|inund|water|水深|淹没", re.IGNORECASE)


@dataclass(frozen=True)
class _Frame:
    path: Path
    time: float


def claim_folder(path: Path) -> float:
    """Return how surely a folder holds the times of one flood: GeoTIFFs over the same place whose names tell times."""
    frames = _frames_of(path)
    if len(frames) < 2 or not _is_water(frames[0].path):
        return 0.0
    places = {_place_of(frame.path) for frame in (frames[0], frames[-1])}
    return 0.8 if len(places) == 1 and None not in places else 0.0


def _is_water(path: Path) -> bool:
    return bool(_WORDS.search(path.stem) or _WORDS.search(path.parent.name)) and "elevation" not in path.stem.lower()


def _frames_of(folder: Path) -> list[_Frame]:
    """Return the rasters of a folder by time; of several sets the depths, then the most."""
    sets = _sets_of(folder)
    best = max(sets.items(), key=lambda item: (names.quantity_of(item[0]) == names.DEPTH, len(item[1])), default=("", []))[1]
    return sorted(best, key=lambda frame: frame.time)


def _sets_of(folder: Path) -> dict[str, list[_Frame]]:
    """Return the rasters of a folder whose names tell a time, by the names without it."""
    sets: dict[str, list[_Frame]] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in _SUFFIXES and (told := time_of(file.stem)) is not None:
            time, rest = told
            sets.setdefault(rest, []).append(_Frame(file, time))
    return sets


def _motion_of(folder: Path, frames: list[_Frame], place: tuple[Any, ...]) -> dict[str, dict[float, Path]]:
    """Return by quantity (speed, or velocities to the east and north) the rasters of every time of the depths, where all are."""
    found: dict[str, dict[float, Path]] = {}
    for name, others in _sets_of(folder).items():
        quantity = names.quantity_of(name)
        files = {frame.time: frame.path for frame in others}
        if quantity not in (names.SPEED, names.U, names.V) or not all(frame.time in files for frame in frames):
            continue
        if all(_place_of(files[frame.time]) == place for frame in frames):
            found[quantity] = files
    if not {names.U, names.V} <= set(found):
        return {names.SPEED: found[names.SPEED]} if names.SPEED in found else {}
    return {key: found[key] for key in (names.U, names.V)}


def time_of(stem: str) -> tuple[float, str] | None:
    """Return the time that a name tells, and the name without it: a date [POSIX s], a span [s], or a number as it is."""
    if match := _CLOCK.search(stem):
        year, month, day, hour, minute, second = match.groups()
        try:
            return parse_time(f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}+00:00", "UTC"), _without(stem, match)
        except ValueError:
            return None
    if match := _SPAN.search(stem):
        return float(match[1]) * _SECONDS[match[2].lower()], _without(stem, match)
    if match := _COUNT.search(stem):
        return float(match[1]), _without(stem, match)
    return None


def _without(stem: str, match: re.Match[str]) -> str:
    return (stem[: match.start()] + stem[match.end() :]).strip(" _-.")


def _place_of(path: Path) -> tuple[Any, ...] | None:
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver="GTiff", sharing=False) as file:
                return (file.width, file.height, *(round(part, 6) for part in file.transform[:6]))
    except (RasterioError, ValueError):
        return None


def read_stack(folder: Path, options: ReadOptions) -> ReadResult:
    """Read the rasters of a folder as the times of one flood; rasters that do not fit are left out and told.

    A raster named for its ground (``ground``, ``dem``, ``terrain``) gives the ground.
    """
    import rasterio

    frames = _frames_of(folder)
    place = _place_of(frames[0].path) if frames else None
    if place is None:
        raise DataError(folder, "none of its rasters can be read.", remedy="Copy them again.")
    problems: list[Problem] = []
    fitting = [frame for frame in frames if _place_of(frame.path) == place]
    for frame in frames:
        if frame not in fitting:
            problems.append(
                Problem(
                    Severity.WARNING, "other-place", frame.path.name, "this raster is damaged or of another place; it is left out."
                )
            )
    with rasterio.open(fitting[0].path, driver="GTiff", sharing=False) as file:
        crs = Crs.parse(file.crs.to_wkt()) if file.crs else None
        west, north = file.transform.c, file.transform.f
        grid = Terrain(np.zeros((file.height, file.width), np.float32), west, north, file.transform.a, -file.transform.e)
    if grid.cell_x <= 0 or grid.cell_y <= 0:
        raise DataError(folder, "the rasters are turned or mirrored.", remedy="Write them with rows from north to south.")
    unit = metres_per_unit(crs) if crs is not None else 1.0
    bed = _ground_of(folder, place)
    is_level = names.quantity_of(time_of(fitting[0].path.stem)[1]) == names.LEVEL  # type: ignore[index]
    if bed is None and is_level:
        raise DataError(
            folder, "the rasters are levels, and there is no ground under them.", remedy="Add a raster named ground.tif."
        )
    if bed is None:
        problems.append(Problem(Severity.WARNING, "no-ground", folder.name, "it has no ground: levels of the water are not known."))
    first = fitting[0].time
    start = first if first > 1e8 else 0.0
    times = np.array([frame.time - start for frame in fitting])
    collector = Collector(grid, times=len(times))
    motion = _motion_of(folder, fitting, place)
    for k, frame in enumerate(fitting):
        options.cancel.raise_if_cancelled()
        options.progress(k / len(fitting), tr("Reading time {number} of {count}").format(number=k + 1, count=len(fitting)))
        values = _band(frame.path)
        depth = (values - bed if is_level and bed is not None else values) * unit
        collector.add(float(times[k]), depth, *_moving(motion, frame.time, unit))
    heights = (np.zeros(grid.shape) if bed is None else bed) * unit
    ground = replace(grid, elevations=heights.astype(np.float32))
    flood = collector.result(folder.name, ground, start, times, {"engine": "GeoTIFF"})
    source = Source(folder.name, LayerKind.FLOOD, flood, options.crs_for(crs))
    objects = {"times": len(times), "rows": grid.shape[0], "columns": grid.shape[1]}
    return ReadResult("GeoTIFF stack", None, crs.code if crs else None, objects, ground.bounds, (source,), tuple(problems))


def _moving(motion: dict[str, dict[float, Path]], time: float, unit: float) -> tuple[Float | None, tuple[Float, Float] | None]:
    """Return speeds and velocities at a time, as far as rasters tell them [m/s]."""
    parts = {quantity: _band(files[time]) * unit for quantity, files in motion.items()}
    if names.U in parts:
        return np.hypot(parts[names.U], parts[names.V]), (parts[names.U], parts[names.V])
    return parts.get(names.SPEED), None


def _band(path: Path) -> Float:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path, driver="GTiff", sharing=False) as file:
            return np.ma.filled(file.read(1, masked=True).astype(np.float64), np.nan)
    except RasterioError as error:
        raise DataError(path, "the raster is damaged or cut short.", remedy="Copy them again.") from error


def _ground_of(folder: Path, place: tuple[Any, ...]) -> Float | None:
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in _SUFFIXES and names.quantity_of(file.stem) == names.BED and _place_of(file) == place:
            return _band(file)
    return None
