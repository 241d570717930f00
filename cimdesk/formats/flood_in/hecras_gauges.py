"""Hydrographs that HEC-RAS keeps at reference points and across reference lines, as sensors: gauges of a run that is not here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.formats.flood_in.gridding import metre_system, metres_per_unit
from cimdesk.formats.observations_build import NO_PLACE, SensorRecord

KINDS = ("Reference Points", "Reference Lines")
_UNITS = {"cfs": "ft3/s", "cms": "m3/s", "ft": "ft", "m": "m", "ft/s": "ft/s", "m/s": "m/s", "fps": "ft/s"}
_QUANTITIES = {"Flow": "flow_rate", "Water Surface": "water_level", "Velocity": "velocity"}


def has_hydrographs(data: Any, series: str) -> bool:
    """Return whether there are hydrographs below ``series``, the group of the time series."""
    return any(f"{series}/{kind}/Name" in data for kind in KINDS)


def hydrographs(data: Any, series: str, stamps: Float, text: Callable[[Any], str]) -> list[SensorRecord]:
    """Return one sensor for each quantity at each reference point and line.

    Parameters
    ----------
    data : h5py.File
    series : str
        Group of the time series.
    stamps : (T,) float64
        [POSIX s]
    text : callable
        Makes text of what the file has.
    """
    records = []
    for kind in KINDS:
        group = f"{series}/{kind}"
        if f"{group}/Name" not in data:
            continue
        places = _places(data, kind, text)
        names = [text(name).strip() for name in data[f"{group}/Name"]]
        for quantity, known in _QUANTITIES.items():
            if f"{group}/{quantity}" not in data:
                continue
            values = np.asarray(data[f"{group}/{quantity}"][:], dtype=np.float64)
            if values.shape != (len(stamps), len(names)):
                raise ValueError(f"{group}/{quantity} has another number of times or places")
            said = text(data[f"{group}/{quantity}"].attrs.get("Units", "")).strip()
            for k, name in enumerate(names):
                own, _, area = name.partition("|")
                records.append(SensorRecord(
                    f"{own} {quantity}", own, known, _UNITS.get(said.lower(), said), places.get(own, NO_PLACE),
                    times=stamps, values=values[:, k], attributes={"kind": kind, "area": area},
                ))  # fmt: skip
    return records


def _places(data: Any, kind: str, text: Callable[[Any], str]) -> dict[str, tuple[float, float, float]]:
    """Return where each of a kind is: the point itself, or half-way along the line."""
    base = f"Geometry/{kind}"
    if f"{base}/Points" not in data or f"{base}/Attributes" not in data:
        return along_lines(data, kind, text)
    names = [text(row).strip() for row in data[f"{base}/Attributes"]["Name"]]
    points = np.asarray(data[f"{base}/Points"][:], dtype=np.float64)
    return {name: (float(x), float(y), np.nan) for name, (x, y) in zip(names, points, strict=True)}


def along_lines(data: Any, kind: str, text: Callable[[Any], str]) -> dict[str, tuple[float, float, float]]:
    """Return the place half-way along each line of a kind of the geometry, by its name."""
    base = f"Geometry/{kind}"
    if f"{base}/Polyline Info" not in data or f"{base}/Attributes" not in data:
        return {}
    names = [text(row).strip() for row in data[f"{base}/Attributes"]["Name"]]
    points = np.asarray(data[f"{base}/Polyline Points"][:], dtype=np.float64)
    found = {}
    for name, (first, count, *_) in zip(names, data[f"{base}/Polyline Info"][:].tolist(), strict=True):
        line = points[first : first + count]
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        x, y = (float(np.interp(0.5 * along[-1], along, line[:, axis])) for axis in (0, 1))
        found[name] = (x, y, np.nan)
    return found


def in_metres_too(crs: Crs | None, records: list[SensorRecord]) -> tuple[Crs | None, list[SensorRecord]]:
    """Return the records placed in a system of metres, as the mesh of a run would be, where theirs is of feet."""
    points = np.array([(record.position[0], record.position[1], 0.0) for record in records]).reshape(-1, 3)
    placed = np.isfinite(points).all(axis=1)
    if crs is None or crs.is_geographic or metres_per_unit(crs) == 1.0 or not placed.any():
        return crs, records
    zone = metre_system(crs, points[placed])
    points[placed] = crs.transform(zone, points[placed])
    return zone, [replace(record, position=(float(x), float(y), np.nan)) for record, (x, y, _) in zip(records, points, strict=True)]


def version_of(text: str) -> str | None:
    """Return the version of HEC-RAS that a file names."""
    found = re.search(r"HEC-RAS\s+([\d.]+)", text)
    return found[1] if found else None
