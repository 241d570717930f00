"""HEC-RAS: the mesh and the water of two-dimensional flow areas in plan and geometry files (HDF5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.flood_in.finish import result_of
from cimdesk.formats.flood_in.hecras_cells import Area, cells_of, joined, mean_depths
from cimdesk.formats.flood_in.hecras_flow import Velocity, fastest_of, velocities_of
from cimdesk.formats.flood_in.hecras_gauges import has_hydrographs, hydrographs, in_metres_too, version_of
from cimdesk.formats.flood_in.mesh import MeshFlow, no_speed, no_velocity
from cimdesk.formats.observations_build import result_of as sensors_of
from cimdesk.formats.registry import ReadOptions, ReadResult

AREAS = "Geometry/2D Flow Areas"
OUTPUT = "Results/Unsteady/Output/Output Blocks/Base Output"
SERIES, SUMMARY = f"{OUTPUT}/Unsteady Time Series", f"{OUTPUT}/Summary Output"
FOOT = 0.3048
_AGAIN = "Copy or download it again."
_OF_MAXIMA = "it has maxima alone: depth times speed, and hazards, are of the highest of both, which need not have come together."


def is_hecras(path: Path) -> bool:
    """Return whether an HDF5 file is one of HEC-RAS."""
    import h5py

    with path.open("rb") as file:
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            return False
    try:
        with h5py.File(path, "r") as data:
            said = data.attrs.get("File Type", b"")
            return AREAS in data or b"HEC-RAS" in (said if isinstance(said, bytes) else str(said).encode())
    except (OSError, RuntimeError, ValueError):
        return False


def read_hecras(path: Path, options: ReadOptions) -> ReadResult:
    """Read the flow areas of a file and the water in them; the ground alone of a geometry.

    A plan whose mesh was taken out finds it in the file beside it that has the same areas.

    Raises
    ------
    DataError
        If there is no mesh of a flow area.
    """
    import h5py

    try:
        with h5py.File(path, "r") as data:
            return _read(path, data, options)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            path, "the file is damaged or not whole ({reason}).", remedy=_AGAIN, reason=str(error).split("(")[0]
        ) from error


def _read(path: Path, data: Any, options: ReadOptions) -> ReadResult:
    problems: list[Problem] = []
    named = area_names(data)
    if not any(f"{base}/2D Flow Areas" in data for base in (SERIES, SUMMARY)) and has_hydrographs(data, SERIES):
        return _read_hydrographs(path, data, options)
    if not named:
        raise DataError(path, "it has no two-dimensional flow areas.", remedy="Open a plan or a geometry with flow areas.")
    areas = _areas_of(path, data, named)
    if not areas:
        areas, lender = _beside(path, data, named)
        if not areas:
            raise DataError(
                path, "the mesh of its flow areas is not in it.", where=AREAS,
                remedy="Put the plan or geometry file with the mesh into the same folder.",
            )  # fmt: skip
        problems.append(Problem(Severity.INFO, "mesh-beside", path.name, "the mesh is taken from {file}.", {"file": lender}))
    unit = FOOT if is_us(data) else 1.0
    crs = Crs.parse(text_of(data.attrs.get("Projection", "")))
    mesh = joined(areas)
    bed = _bed_of(path, data, areas, problems)
    objects = {
        "areas": len(areas),
        "cells": sum(area.rows for area in areas),
        "facepoints": sum(area.face_points for area in areas),
    }
    version = version_of(text_of(data.attrs.get("File Version", "")))
    times, start, level = _levels(data, areas)
    if not len(times) and not np.isfinite(bed).any():
        raise DataError(
            path, "it has neither levels nor heights of the ground for its flow areas.", where=AREAS,
            remedy="Open the plan file with the results of the run.",
        )  # fmt: skip
    known = [area.volumes is not None for area in areas]
    if len(times) and not all(known):
        problems.append(
            Problem(
                Severity.WARNING,
                "no-volumes",
                path.name,
                "it does not say how much water the cells hold: depths are those over the lowest ground of each cell.",
            )
        )

    def depth(k: int) -> Float:
        return mean_depths(level(k), bed, areas)

    speed, velocity = _motion(data, areas, len(times), level)
    if len(times) == 1 and speed is not no_speed:
        problems.append(Problem(Severity.INFO, "speeds-of-maxima", path.name, _OF_MAXIMA))
    flow = MeshFlow(
        path.stem, mesh, False, bed, times, depth, speed, start, crs, unit, velocity=velocity,
        statistics={"engine": "HEC-RAS", "areas": ", ".join(area.name for area in areas)},
    )  # fmt: skip
    return result_of("HEC-RAS", version, flow, objects, options, problems)


def _read_hydrographs(path: Path, data: Any, options: ReadOptions) -> ReadResult:
    """Return the hydrographs of a file without a mesh, as sensors."""
    stamps = np.array([moment_of(text_of(stamp)) for stamp in data[stamps_of(data)]])
    records = hydrographs(data, SERIES, stamps, text_of)
    text = "it has hydrographs at {count} places and no mesh: they are gauges, there is no water to show between them."
    count = len({record.name for record in records})
    problem = Problem(Severity.INFO, "hydrographs-only", path.name, text, {"count": count})
    crs = Crs.parse(text_of(data.attrs.get("Projection", "")))
    crs, records = in_metres_too(options.crs_for(crs), records)
    version = version_of(text_of(data.attrs.get("File Version", "")))
    return sensors_of("HEC-RAS", path.stem, records, crs, options, things=count, version=version, problems=[problem])


def area_names(data: Any) -> list[str]:
    """Return the names of the flow areas that a file lists, or has results of."""
    if f"{AREAS}/Attributes" in data:
        return [text_of(row).strip() for row in data[f"{AREAS}/Attributes"]["Name"]]
    found = {name for base in (SERIES, SUMMARY) if f"{base}/2D Flow Areas" in data for name in data[f"{base}/2D Flow Areas"]}
    return sorted(found)


def _areas_of(path: Path, data: Any, named: list[str]) -> list[Area]:
    return [cells_of(path, data[f"{AREAS}/{name}"], name) for name in named if f"{AREAS}/{name}/FacePoints Coordinate" in data]


def _beside(path: Path, data: Any, named: list[str]) -> tuple[list[Area], str]:
    """Return the areas of a file in the same folder that has all of these, with as many cells as there are levels."""
    import h5py

    for other in sorted(path.parent.glob("*.hdf")):
        if other == path or other.stem.split(".")[0] != path.stem.split(".")[0]:
            continue
        try:
            with h5py.File(other, "r") as lender:
                if area_names(lender) != named:
                    continue
                areas = _areas_of(other, lender, named)
        except (OSError, RuntimeError, KeyError, ValueError, DataError):
            continue
        wanted = _rows_of_results(data)
        if len(areas) == len(named) and all(wanted.get(area.name, area.rows) == area.rows for area in areas):
            return areas, other.name
    return [], ""


def _rows_of_results(data: Any) -> dict[str, int]:
    base = f"{SERIES}/2D Flow Areas"
    if base not in data:
        return {}
    return {name: int(group["Water Surface"].shape[1]) for name, group in data[base].items() if "Water Surface" in group}


def _levels(data: Any, areas: list[Area]) -> tuple[Float, float, Callable[[int], Float]]:
    """Return times [s], their start [POSIX s], and the level of every cell at a time; the maximum alone where that is all."""
    base = f"{SERIES}/2D Flow Areas"
    if base in data and all(f"{base}/{area.name}/Water Surface" in data for area in areas):
        series = [data[f"{base}/{area.name}/Water Surface"] for area in areas]
        moments = np.array([moment_of(text_of(stamp)) for stamp in data[stamps_of(data)]])
        return (
            moments - moments[0],
            float(moments[0]),
            lambda k: np.concatenate(
                [values[k, : area.rows][area.cells].astype(np.float64) for values, area in zip(series, areas, strict=True)]
            ),
        )
    base = f"{SUMMARY}/2D Flow Areas"
    if base in data and all(f"{base}/{area.name}/Maximum Water Surface" in data for area in areas):
        highest = [data[f"{base}/{area.name}/Maximum Water Surface"][0, : area.rows][area.cells] for area in areas]
        return np.zeros(1), 0.0, lambda _k: np.concatenate(highest).astype(np.float64)
    return np.zeros(0), 0.0, lambda _k: np.zeros(0)


def stamps_of(data: Any) -> str:
    """Return where the moments of the time series stand."""
    return next(f"{SERIES}/{name}" for name in ("Time Date Stamp (ms)", "Time Date Stamp") if f"{SERIES}/{name}" in data)


def moment_of(text: str) -> float:
    """Return the moment of ``02JAN1999 12:00:00:000``; HEC-RAS names no time zone, so it is taken for UTC."""
    match = re.match(r"(\d{2})([A-Za-z]{3})(\d{4})\s+(\d{2}):(\d{2}):(\d{2})(?:[:.](\d{1,3}))?", text)
    if match is None:
        raise ValueError(f"no date: {text}")
    day = datetime.strptime(f"{match[1]} {match[2].title()} {match[3]}", "%d %b %Y").replace(tzinfo=UTC)
    return day.timestamp() + int(match[4]) * 3600 + int(match[5]) * 60 + int(match[6]) + int(match[7] or 0) / 1000.0


def _motion(
    data: Any, areas: list[Area], count: int, level: Callable[[int], Float]
) -> tuple[Callable[[int], Float | None], Velocity]:
    """Return what gives speeds and velocities of all cells at a time: of one moment the highest speeds of the run alone."""
    if count == 1:
        fastest = fastest_of(data, f"{SUMMARY}/2D Flow Areas", areas)
        return (no_speed if fastest is None else lambda _k: fastest), no_velocity
    velocity = velocities_of(data, f"{SERIES}/2D Flow Areas", areas, level) if count else None
    if velocity is None:
        return no_speed, no_velocity

    def speed(k: int) -> Float | None:
        parts = velocity(k)
        return None if parts is None else np.hypot(*parts)

    return speed, velocity


def _bed_of(path: Path, data: Any, areas: list[Area], problems: list[Problem]) -> Float:
    """Return the lowest ground of each cell; where the file does not tell, the lowest level that the cell ever had."""
    beds = [area.bed for area in areas]
    if all(bed is not None for bed in beds):
        return np.concatenate([bed for bed in beds if bed is not None])
    problems.append(
        Problem(
            Severity.WARNING,
            "no-ground",
            path.name,
            "it has no heights of the ground: depths are over the lowest level that each cell had.",
        )
    )
    return np.concatenate([_lowest(data, area) if area.bed is None else area.bed for area in areas])


def _lowest(data: Any, area: Area) -> AnyArray:
    series, least = (
        f"{SERIES}/2D Flow Areas/{area.name}/Water Surface",
        f"{SUMMARY}/2D Flow Areas/{area.name}/Minimum Water Surface",
    )
    if series in data:
        return np.asarray(data[series][:].min(axis=0)[: area.rows][area.cells], dtype=np.float64)
    if least in data:
        return np.asarray(data[least][0, : area.rows][area.cells], dtype=np.float64)
    return np.full(len(area.cells), np.nan)


def is_us(data: Any) -> bool:
    """Return whether a file is in feet."""
    return "US" in text_of(data.attrs.get("Units System", "")) or "foot" in text_of(data.attrs.get("Projection", "")).lower()


def text_of(value: Any) -> str:
    """Return what a file has as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
