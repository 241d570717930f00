"""Which reference system coordinates are in, and which of them comes first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.formats.findings import Findings

MARGIN = 0.5
"""How far outside its area of use a system may be used, as a part of the area's size."""
# Names that stand in the register for the geographic system and in Swiss files for the map projection on it.
_PROJECTED = {"EPSG:4149": 21781, "EPSG:4150": 2056}
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class Frame:
    """How coordinates as written become world coordinates.

    Attributes
    ----------
    crs : Crs or None
    is_swapped : bool
        Northing or latitude is written first.
    """

    crs: Crs | None
    is_swapped: bool = False

    def world(self, written: Float) -> Float:
        """Return (N, 3) coordinates with easting or longitude first."""
        return written[:, [1, 0, 2]] if self.is_swapped else written

    def scale(self, latitude: float) -> Float:
        """Return (3,) metres per unit of each axis."""
        if self.crs is None or not self.crs.is_geographic:
            return np.ones(3)
        return np.array([METRES_PER_DEGREE * max(0.01, float(np.cos(np.radians(latitude)))), METRES_PER_DEGREE, 1.0])


def frame_of(name: str | None, points: Float, findings: Findings) -> Frame:
    """Return the frame that a ``srsName`` and the coordinates themselves speak of.

    Files disagree with the register about which axis comes first, so the place decides: the order that puts the points
    into the area the system is made for. Where both do, geographic systems named by URN or URL are taken latitude first, as
    the register has them, and all others easting first.

    Parameters
    ----------
    name : str or None
    points : (N, 3) float64
        As written.
    findings : Findings
    """
    if not name:
        return Frame(None)
    crs = _parsed(name.strip())
    if crs is None:
        findings.add("unknown-crs", "srsName", "The reference system {system} is not known; choose one.", system=repr(name[:80]))
        return Frame(None)
    finite = points[np.isfinite(points).all(axis=1)]
    if not len(finite):
        return Frame(crs)
    middle = np.median(finite[:, :2], axis=0)
    if crs.is_geographic and np.abs(middle).max() > 360.0:
        return _metres_after_all(crs, name, middle, findings)
    fits = [_is_within(crs, *order) for order in (middle, middle[::-1])]
    if fits[0] != fits[1]:
        return Frame(crs, is_swapped=fits[1])
    is_formal = name.strip().lower().startswith(("urn:", "http")) and "CRS84" not in name.upper()
    return Frame(crs, is_swapped=crs.is_geographic and is_formal and abs(middle[0]) <= 90.0)


@lru_cache(maxsize=256)
def _parsed(name: str) -> Crs | None:
    return None if name.startswith("#") or len(name) > 20_000 else Crs.parse(name)


def _metres_after_all(crs: Crs, name: str, middle: Float, findings: Findings) -> Frame:
    projected = Crs.epsg(_PROJECTED[crs.code]) if crs.code in _PROJECTED else None
    if projected is not None and _is_within(projected, *middle):
        findings.info(
            "crs-by-place", "srsName", "{system} is taken for {crs}, where the coordinates lie.", system=name, crs=projected.code
        )
        return Frame(projected)
    findings.add(
        "wrong-crs",
        "srsName",
        "The file says {system}, which is in degrees, but its coordinates are not; choose a system.",
        system=name,
    )
    return Frame(None)


def _is_within(crs: Crs, x: float, y: float) -> bool:
    box = _area(crs)
    if box is None:
        return False
    low, high = box
    slack = (high - low) * MARGIN
    point = np.array([x, y])
    if crs.is_geographic:
        slack = np.minimum(slack, np.maximum(0.0, np.array([180.0, 90.0]) - np.abs(np.array([low, high])).max(axis=0)))
    return bool((point >= low - slack).all() and (point <= high + slack).all())


@lru_cache(maxsize=64)
def _area(crs: Crs) -> tuple[Float, Float] | None:
    """Return the area of use in the system's own coordinates, easting or longitude first."""
    known = crs.pyproj
    area = known.area_of_use or (known.sub_crs_list[0].area_of_use if known.is_compound else None)
    if area is None or area.west > area.east:
        return None
    steps = np.linspace(0.0, 1.0, 9)
    lon, lat = np.meshgrid(area.west + steps * (area.east - area.west), area.south + steps * (area.north - area.south))
    corners = np.column_stack([lon.ravel(), lat.ravel(), np.zeros(lon.size)])
    if not crs.is_geographic:
        corners = Crs.epsg(4326).transform(crs, corners)
    corners = corners[np.isfinite(corners).all(axis=1), :2]
    return (corners.min(axis=0), corners.max(axis=0)) if len(corners) else None
