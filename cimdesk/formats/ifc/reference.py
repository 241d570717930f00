"""From the engineering coordinates of an IFC file to a map: the system, and the turn, scale and shift into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.formats.findings import Findings

NEAR = 0.02
"""Relative difference within which two scales are the same but for a map's own scale."""
_VERTICAL = {"N2000": 3900, "N60": 5717, "NN2000": 5941, "RH2000": 5613, "DHHN2016": 7837, "DHHN92": 5783, "NAP": 5709, "AHD": 5711,
             "NAVD88": 5703, "NGF-IGN69": 5720, "LN02": 5728, "ODN": 5701, "EVRF2007": 5621, "TAW": 5710}  # fmt: skip


@dataclass(frozen=True)
class Placing:
    """How engineering coordinates become the map's.

    Attributes
    ----------
    crs : Crs or None
        None when the file does not say where it lies.
    matrix : (4, 4) float64
        From metres of the engineering system to units of the map.
    way : str
        ``map``, ``rigid``, ``site`` or ``none``: which of the ways there are was used.
    """

    crs: Crs | None
    matrix: Float
    way: str

    def place(self, points: Float) -> Float:
        """Return (N, 3) map coordinates of (N, 3) engineering ones [m]."""
        placed: Float = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return placed


def placing_of(said: Mapping[str, Any], unit: float, findings: Findings) -> Placing:
    """Return where a file lies.

    Parameters
    ----------
    said : mapping
        As `georeference.georeference_of` gives it.
    unit : float
        The project's unit of length [m].
    findings : Findings
    """
    crs = _system(said.get("system", {}))
    if crs is not None and "conversion" in said:
        return Placing(crs, _conversion(said, unit, crs, findings), "map")
    if crs is not None and "rigid" in said:
        return _rigid(said, crs)
    if said.get("system") and crs is None:
        name = next((text for text in said["system"].values() if text.strip()), "")
        findings.add("unknown-crs", "IfcProjectedCRS", "The reference system {name} is not known.", name=repr(name))
    latitude, longitude = said.get("latitude"), said.get("longitude")
    if latitude is not None and longitude is not None and (latitude or longitude) and abs(latitude) < 84 and abs(longitude) <= 180:
        findings.info(
            "placed-by-site",
            "IfcSite",
            "The place comes from the latitude and longitude of the site ({latitude}, {longitude}), which many programs leave at a "
            "default, and true north. Check it.",
            latitude=f"{latitude:.6f}",
            longitude=f"{longitude:.6f}",
        )
        return _by_site(said, unit)
    return Placing(None, np.eye(4), "none")


def _system(said: Mapping[str, str]) -> Crs | None:
    """Return the reference system, with the vertical one where that is told and known."""
    found = next((crs for key in ("Name", "Description") if (crs := Crs.parse(said.get(key))) is not None), None)
    if found is None or found.code is None or "+" in found.code:
        return found
    text = said.get("VerticalDatum", "").strip()
    vertical = Crs.parse(text) if "EPSG" in text.upper() else None
    code = (
        vertical.code.removeprefix("EPSG:")
        if vertical is not None and vertical.code
        else _VERTICAL.get(text.upper().replace(" ", ""))
    )
    if code is None or not found.code.startswith("EPSG:"):
        return found
    both = Crs.parse(f"{found.code}+{code}")
    return both or found


def _conversion(said: Mapping[str, Any], unit: float, crs: Crs, findings: Findings) -> Float:
    values = said["conversion"]
    axis = float(crs.pyproj.axis_info[0].unit_conversion_factor) if not crs.is_geographic else 1.0
    map_unit = float(said.get("map_unit") or axis)
    turn = np.array([values.get("XAxisAbscissa", 1.0), values.get("XAxisOrdinate", 0.0)])
    length = float(np.hypot(*turn))
    cosine, sine = turn / length if length > 0 else (1.0, 0.0)
    scale = _scale(values.get("Scale"), unit / map_unit, findings)
    factors = np.array([values.get(key) or 1.0 for key in ("FactorX", "FactorY", "FactorZ")])
    # Metres of the engineering system are units of the project again, then units of the map, then those of the system.
    rotation = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    linear = rotation @ np.diag(factors) * (scale / unit) * (map_unit / axis)
    # Heights are metres whatever the plan's unit, and a map's scale does not stretch them.
    linear[2, 2] = factors[2]
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    shift = [values.get(key, 0.0) * map_unit for key in ("Eastings", "Northings", "OrthogonalHeight")]
    matrix[:3, 3] = [shift[0] / axis, shift[1] / axis, shift[2]]
    return matrix @ _from_wcs(said, unit)


def _scale(given: float | None, expected: float, findings: Findings) -> float:
    """Return the scale from project units to map units, with the unit forgotten in it put right."""
    if given is None or given <= 0.0 or abs(given / expected - 1.0) < NEAR:
        return expected if given is None or given <= 0.0 else given
    if abs(given - 1.0) < NEAR:
        # Scale 1 with millimetres and a map in metres: very many writers leave the unit out.
        findings.info(
            "scale-unit", "IfcMapConversion", "Scale {scale} leaves out the unit of length; it is put right.", scale=given
        )
        return given * expected
    findings.add("odd-scale", "IfcMapConversion", "Scale {scale} does not fit the units of length.", scale=given)
    return given


def _from_wcs(said: Mapping[str, Any], unit: float) -> Float:
    """Return the way from coordinates to those around the file's world coordinate system, in metres."""
    matrix = np.array(said.get("wcs", np.eye(4)), dtype=np.float64)
    matrix[:3, 3] *= unit
    try:
        return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.eye(4)


def _rigid(said: Mapping[str, Any], crs: Crs) -> Placing:
    first, second, height = said["rigid"]
    if crs.is_geographic:
        # Degrees: first is the latitude, as EPSG orders the axes.
        return _at(first, second, height, crs_height=height, north=(0.0, 1.0), site=np.eye(4))
    matrix = np.eye(4)
    axis = float(crs.pyproj.axis_info[0].unit_conversion_factor)
    matrix[:3, :3] = np.diag([1.0 / axis, 1.0 / axis, 1.0])
    matrix[:3, 3] = [first, second, height]
    return Placing(crs, matrix, "rigid")


def _by_site(said: Mapping[str, Any], unit: float) -> Placing:
    site = np.array(said.get("site", np.eye(4)), dtype=np.float64)
    site[:3, 3] *= unit
    height = float(said.get("elevation", 0.0)) * unit
    north = tuple(said.get("true_north", (0.0, 1.0)))
    placing = _at(float(said["latitude"]), float(said["longitude"]), height, height, (float(north[0]), float(north[1])), site)
    return Placing(placing.crs, placing.matrix, "site")


def _at(latitude: float, longitude: float, height: float, crs_height: float, north: tuple[float, float], site: Float) -> Placing:
    """Return the placing around a point of the earth in UTM, with north of the drawing towards true north."""
    zone = int((longitude + 180.0) // 6.0) % 60 + 1
    crs = Crs.epsg((32600 if latitude >= 0 else 32700) + zone)
    ends = Crs.epsg(4326).transform(crs, np.array([[longitude, latitude, height], [longitude, latitude + 1e-4, height]]))
    grid = ends[1, :2] - ends[0, :2]
    # The angle that turns the drawing's north into the direction in which true north lies on the map.
    angle = np.arctan2(grid[1], grid[0]) - np.arctan2(north[1], north[0])
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.eye(4)
    matrix[:2, :2] = [[cosine, -sine], [sine, cosine]]
    origin = site[:3, 3]
    matrix[:3, 3] = np.array([ends[0, 0], ends[0, 1], crs_height]) - matrix[:3, :3] @ origin
    return Placing(crs, matrix, "rigid")
