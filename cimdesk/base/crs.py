"""Coordinate reference systems in every form files use, and the project's local frame.

All transformations go through pyproj with ``always_xy``: x is easting or longitude, whatever the authority's axis order.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.arrays import Float, Float32, Points3

if TYPE_CHECKING:
    import pyproj

# Other software leaves these in the environment and then PROJ or GDAL reads a foreign database.
for _stale in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH"):
    os.environ.pop(_stale, None)

_EPSG = re.compile(r"EPSG[/:]{1,2}(?:[\w.]*[/:])?(\d{4,6})(?!\.)", re.IGNORECASE)
_COMPOUND_SHORT = re.compile(r"^\s*EPSG:(\d+)\s*\+\s*(?:EPSG:)?(\d+)\s*$", re.IGNORECASE)
# The German cadastre (AdV) names its systems without codes; names per the AdV GeoInfoDok.
_ADV = {
    "ETRS89_UTM31": 25831, "ETRS89_UTM32": 25832, "ETRS89_UTM33": 25833,
    "ETRS89_LAT-LON": 4258, "ETRS89_LAT-LON-H": 4937,
    "DE_DHDN_3GK2": 31466, "DE_DHDN_3GK3": 31467, "DE_DHDN_3GK4": 31468, "DE_DHDN_3GK5": 31469,
    "DE_DHHN92_NH": 5783, "DE_DHHN2016_NH": 7837,
}  # fmt: skip


@dataclass(frozen=True)
class Crs:
    """A coordinate reference system, horizontal and optionally vertical.

    Attributes
    ----------
    definition : str
        What pyproj builds it from: ``EPSG:n``, ``EPSG:n+m`` or WKT.
    """

    definition: str

    @staticmethod
    def epsg(code: int, vertical: int | None = None) -> Crs:
        """Return the system of an EPSG code, with an optional vertical one."""
        return Crs(f"EPSG:{code}" if vertical is None else f"EPSG:{code}+{vertical}")

    @staticmethod
    def parse(text: str | None) -> Crs | None:
        """Understand a reference system as files write it; None when it says nothing usable.

        Reads ``EPSG:n``, OGC URLs and URNs, compound URNs (``urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::5783``),
        ``urn:adv:crs:...``, ``CRS84``, PROJ strings and WKT.
        """
        if not text or not text.strip():
            return None
        text = text.strip()
        if "CRS84H" in text.upper():
            return Crs.epsg(4979)
        if "CRS84" in text.upper():
            return Crs.epsg(4326)
        if "adv:crs" in text.lower():
            return _parse_adv(text)
        if short := _COMPOUND_SHORT.match(text):
            return Crs.epsg(int(short[1]), int(short[2]))
        if "[" in text or text.startswith("+"):
            return _parse_wkt(text)
        codes = [int(code) for code in _EPSG.findall(text)]
        if not codes and text.isdigit():
            codes = [int(text)]
        if codes and all(_is_known(code) for code in codes[:2]):
            return Crs.epsg(codes[0], codes[1] if len(codes) > 1 else None)
        return None

    @cached_property
    def pyproj(self) -> pyproj.CRS:
        """The pyproj object; raises ``pyproj.exceptions.CRSError`` for an unknown definition."""
        from pyproj import CRS

        return CRS.from_user_input(self.definition)

    @cached_property
    def code(self) -> str | None:
        """``EPSG:n`` or ``EPSG:n+m``; None when it is in no register."""
        if self.definition.upper().startswith("EPSG:"):
            return self.definition.upper()
        found = self.pyproj.to_epsg(min_confidence=70)
        return None if found is None else f"EPSG:{found}"

    @cached_property
    def name(self) -> str:
        """Name in the register, such as ``CGCS2000 / 3-degree Gauss-Kruger CM 114E``."""
        return str(self.pyproj.name)

    @cached_property
    def is_geographic(self) -> bool:
        """Whether coordinates are degrees, not metres."""
        return bool(self.pyproj.is_geographic)

    @cached_property
    def is_geocentric(self) -> bool:
        """Whether coordinates are earth-centred (ECEF)."""
        return bool(self.pyproj.is_geocentric)

    def transform(self, target: Crs, points: Points3) -> Points3:
        """Return ``points`` in another system.

        Parameters
        ----------
        target : Crs
        points : (N, 3) float64
            Easting or longitude, northing or latitude, height.

        Returns
        -------
        (N, 3) float64
            Infinite where the transformation is not defined.
        """
        if target == self or not len(points):
            return points
        # A vertical datum on one side only would need a geoid grid that may not be installed: heights then pass unchanged.
        x, y, z = _transformer(self, target).transform(points[:, 0], points[:, 1], points[:, 2])
        return np.column_stack([x, y, z])


def _parse_adv(text: str) -> Crs | None:
    parts = re.split(r"[*,]", text.split("crs:", 1)[1])
    codes = [_ADV[part.strip()] for part in (p.rsplit(":", 1)[-1] for p in parts) if part.strip() in _ADV]
    return Crs.epsg(codes[0], codes[1] if len(codes) > 1 else None) if codes else None


def _parse_wkt(text: str) -> Crs | None:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        found = CRS.from_user_input(text)
    except CRSError:
        return None
    code = found.to_epsg(min_confidence=90)
    return Crs.epsg(code) if code else Crs(text)


@cache
def _is_known(code: int) -> bool:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        CRS.from_epsg(code)
    except CRSError:
        return False
    return True


@cache
def _transformer(source: Crs, target: Crs) -> pyproj.Transformer:
    from pyproj import Transformer

    one_sided = source.pyproj.is_compound != target.pyproj.is_compound
    return Transformer.from_crs(
        _horizontal(source) if one_sided else source.pyproj, _horizontal(target) if one_sided else target.pyproj, always_xy=True
    )


def _horizontal(crs: Crs) -> pyproj.CRS:
    horizontal: pyproj.CRS = crs.pyproj.sub_crs_list[0] if crs.pyproj.is_compound else crs.pyproj
    return horizontal


@dataclass(frozen=True)
class LocalFrame:
    """The project's origin: world float64 on one side, local float32 on the other.

    At a northing of 2 560 000 m a float32 step is 0.25 m; around a local origin it is below a millimetre.

    Attributes
    ----------
    crs : Crs or None
        Projected system of the project, metres; None while nothing says where the data lies.
    origin : tuple of 3 floats
        World coordinates of the local zero, whole kilometres.
    """

    crs: Crs | None
    origin: tuple[float, float, float]

    @staticmethod
    def around(crs: Crs | None, centre: Float) -> LocalFrame:
        """Return the frame whose origin is the whole kilometre nearest to ``centre`` (3,), at height zero."""
        east, north = (float(round(v / 1000.0) * 1000.0) for v in centre[:2])
        return LocalFrame(crs, (east, north, 0.0))

    def to_local(self, points: Points3) -> Float32:
        """Return (N, 3) float32 local coordinates of (N, 3) float64 world ones."""
        return np.asarray(points - np.asarray(self.origin), dtype=np.float32)

    def to_world(self, points: Float32 | Float) -> Points3:
        """Return (N, 3) float64 world coordinates of local ones."""
        return np.asarray(points, dtype=np.float64) + np.asarray(self.origin)
