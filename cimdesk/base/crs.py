"""Coordinate reference systems in every form files use, and the project's local frame.

All transformations go through pyproj with ``always_xy``: x is easting or longitude, whatever the authority's axis order.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.arrays import Float, Float32, Points3

if TYPE_CHECKING:
    import pyproj

# Other software leaves these in the environment and then PROJ or GDAL reads a foreign database.
for _stale in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH"):
    os.environ.pop(_stale, None)

_EPSG = re.compile(r"EPSG(?:[/:]{1,2}(?:[\w.]*[/:])?|\.xml#|\.io/)(\d{4,6})(?![\d.])", re.IGNORECASE)
_INIT = re.compile(r"\+init=epsg:(\d+)", re.IGNORECASE)
_COMPOUND_SHORT = re.compile(r"^\s*EPSG:(\d+)\s*\+\s*(?:EPSG:)?(\d+)\s*$", re.IGNORECASE)
# The German cadastre (AdV) names its systems without codes; names per the AdV GeoInfoDok.
_ADV = {
    "ETRS89_UTM31": 25831, "ETRS89_UTM32": 25832, "ETRS89_UTM33": 25833,
    "ETRS89_LAT-LON": 4258, "ETRS89_LAT-LON-H": 4937,
    "DE_DHDN_3GK2": 31466, "DE_DHDN_3GK3": 31467, "DE_DHDN_3GK4": 31468, "DE_DHDN_3GK5": 31469,
    "DE_DHHN92_NH": 5783, "DE_DHHN2016_NH": 7837,
}  # fmt: skip
# Datum names as Chinese survey files write them, with the first codes of the 3-degree (central meridian, zone number)
# and 6-degree Gauss-Kruger series of each in the EPSG register.
_CHINESE = (
    (re.compile(r"CGCS\s*2000|国家大地|2000国家|大地2000", re.IGNORECASE), 4490, (4534, 4513), (4502, 4491)),
    (re.compile(r"西安\s*(?:19)?80|XI'?AN\s*(?:19)?80", re.IGNORECASE), 4610, (2370, 2349), (2338, 2327)),
    (re.compile(r"北京\s*(?:19)?54|BEIJING\s*(?:19)?54", re.IGNORECASE), 4214, (2422, 2401), (21453, 21413)),
)
_MERIDIAN = re.compile(r"(?:中央(?:子午线|经线)|CM|CENTRAL MERIDIAN)\D{0,4}(\d{2,3})", re.IGNORECASE)
_ZONE = re.compile(r"(?:ZONE|带号|第)\D{0,3}(\d{2})", re.IGNORECASE)
_SIX_DEGREE = re.compile(r"6\s*度|6[ -_]DEGREE|六度", re.IGNORECASE)


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
        ``urn:adv:crs:...``, ``CRS84``, PROJ strings, WKT, PROJJSON and names, Chinese ones too
        (``2000国家大地坐标系 3度带 中央子午线114``).
        """
        if not text or not text.strip():
            return None
        text = text.strip()
        if "[" in text or text[0] in "+{":
            return _parse_definition(text)
        if "CRS84" in text.upper():
            return Crs.epsg(4979 if "CRS84H" in text.upper() else 4326)
        if "adv:crs" in text.lower():
            return _parse_adv(text)
        if short := _COMPOUND_SHORT.match(text):
            codes = [int(short[1]), int(short[2])]
            return Crs.epsg(*codes) if all(_is_known(code) for code in codes) else None
        codes = [int(code) for code in _EPSG.findall(text)]
        if not codes and re.fullmatch(r"[0-9]{1,9}", text):
            codes = [int(text)]
        if codes:
            return Crs.epsg(*codes[:2]) if all(_is_known(code) for code in codes[:2]) else None
        return _parse_chinese(text) or _parse_name(text)

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
        return _registered(self.pyproj)

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
    parts = re.split(r"[*,]", re.split("crs:", text, maxsplit=1, flags=re.IGNORECASE)[1])
    codes = [_ADV[name] for part in parts if (name := part.rsplit(":", 1)[-1].strip()) in _ADV]
    return Crs.epsg(*codes[:2]) if codes else None


@lru_cache(maxsize=64)
def _parse_definition(text: str) -> Crs | None:
    """Understand WKT, PROJJSON or a PROJ string; a registered code where the definition is one."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if init := _INIT.search(text):
        return Crs.epsg(int(init[1])) if _is_known(int(init[1])) else None
    try:
        found = CRS.from_user_input(text)
        code = _registered(found)
    except (CRSError, ValueError):
        return None
    return Crs(code or text)


@lru_cache(maxsize=64)
def _registered(crs: pyproj.CRS) -> str | None:
    """Return ``EPSG:n`` or ``EPSG:n+m`` of a system the register knows."""
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    # What the definition calls itself comes first: the database may hold several systems that differ in axis order alone.
    said = crs.to_json_dict().get("id", {})
    if said.get("authority") == "EPSG":
        return f"EPSG:{said['code']}"
    code = crs.to_epsg(min_confidence=70)
    if code is None and crs.is_compound:
        parts = [part.to_epsg(min_confidence=70) for part in crs.sub_crs_list]
        return f"EPSG:{parts[0]}+{parts[1]}" if len(parts) == 2 and None not in parts else None
    if code is None:
        code = _same_by_name(crs)
    return None if code is None else f"EPSG:{code}"


def _same_by_name(crs: pyproj.CRS) -> int | None:
    """Return the code of the registered system with this name and these parameters.

    Old WKT writes northing-first systems of the register easting first, and then the register denies that it knows them.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        candidate = CRS.from_user_input(crs.name)
    except CRSError:
        return None
    ours, theirs = crs.coordinate_operation, candidate.coordinate_operation
    a, b = (np.sort([float(p.value) for p in operation.params]) if operation else np.zeros(0) for operation in (ours, theirs))
    is_same = crs.ellipsoid == candidate.ellipsoid and len(a) == len(b) and np.allclose(a, b, rtol=1e-9)
    return candidate.to_epsg() if is_same and candidate.is_projected == crs.is_projected else None


def _parse_chinese(text: str) -> Crs | None:
    for pattern, geographic, three_degree, six_degree in _CHINESE:
        if not (datum := pattern.search(text)):
            continue
        rest = text[: datum.start()] + " " + text[datum.end() :]
        meridian, zone = _MERIDIAN.search(rest), _ZONE.search(rest)
        is_six = _SIX_DEGREE.search(rest) is not None
        (by_meridian, by_zone), step, first = (six_degree, 6, 13) if is_six else (three_degree, 3, 25)
        if meridian and 75 <= int(meridian[1]) <= 135 and (int(meridian[1]) - 75) % step == 0:
            return Crs.epsg(by_meridian + (int(meridian[1]) - 75) // step)
        if zone and first <= int(zone[1]) <= (23 if is_six else 45):
            return Crs.epsg(by_zone + int(zone[1]) - first)
        if not meridian and not zone:
            return Crs.epsg(geographic)
    return None


def _parse_name(text: str) -> Crs | None:
    """Understand a register name (``WGS 84 / UTM zone 49N``), not anything that merely resembles one."""
    from pyproj import CRS
    from pyproj.enums import WktVersion
    from pyproj.exceptions import CRSError

    # Asking the register for a name it does not have takes it 0.2 s, so nonsense is not asked for.
    if not re.fullmatch(r"[A-Z][\w .,:()+/'-]{2,119}", text, re.ASCII | re.IGNORECASE):
        return None
    try:
        found = CRS.from_user_input(text)
        esri = found.to_wkt(WktVersion.WKT1_ESRI)[:200]
    except (CRSError, ValueError):
        return None
    asked = _letters(text)
    names = [_letters(found.name), _letters(esri.split('"')[1]) if '"' in esri else ""]
    is_meant = text.upper().startswith("ESRI:") or asked in names
    code = _registered(found) if is_meant else None
    return Crs(code) if code else None


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


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
    found = Transformer.from_crs(
        _horizontal(source) if one_sided else source.pyproj, _horizontal(target) if one_sided else target.pyproj, always_xy=True
    )
    # Each thread makes its own: from what was found that takes half a millisecond, from the systems most of a second.
    return Transformer.from_pipeline(found.definition) if found.definition.startswith("proj=") else found


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
        return np.asarray(points + np.asarray(self.origin), dtype=np.float64)
