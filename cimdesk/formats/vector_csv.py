"""Tables of text with a place in each row: a WKT column, or columns of coordinates. Also bare lists of coordinates."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.text_table import Table, is_number, numbers
from cimdesk.formats.vector_shapes import point_shapes, split_by_kind, take_apart
from cimdesk.model.features import FeatureTable, VectorLayer, as_strings

_WKT_NAMES = re.compile(r"(the_)?geom(etry)?|wkt(_.*)?|shape|geometry_wkt|几何", re.IGNORECASE)
_X_NAMES = (
    "x",
    "lon",
    "lng",
    "long",
    "longitude",
    "easting",
    "east",
    "经度",
    "东坐标",
    "横坐标",
    "x坐标",
    "point_x",
    "coord_x",
    "dec_long_va",
)
_Y_NAMES = ("y", "lat", "latitude", "northing", "north", "纬度", "北坐标", "纵坐标", "y坐标", "point_y", "coord_y", "dec_lat_va")
_Z_NAMES = ("z", "height", "elevation", "elev", "altitude", "高程", "标高", "z坐标", "point_z")
_DEGREES = ("lon", "lng", "long", "longitude", "经度", "dec_long_va")
_ID_NAMES = ("id", "gid", "fid", "code", "name", "编号", "编码", "名称", "objectid")
_EWKT = re.compile(r"SRID\s*=\s*(\d+)\s*;\s*", re.IGNORECASE)
# What GEOS does not read; GDAL makes plain lines and areas of it.
_CURVED = re.compile(r"\s*(?:CIRCULAR|COMPOUNDCURVE|CURVE|MULTICURVE|MULTISURFACE|POLYHEDRAL|TIN|TRIANGLE)", re.IGNORECASE)


@dataclass(frozen=True)
class TableLayer:
    """Features of a table, where they lie, and what was wrong."""

    layers: tuple[VectorLayer, ...]
    crs: Crs | None
    problems: tuple[Problem, ...]


def place_columns(header: Sequence[str]) -> tuple[int, int] | int | None:
    """Return the columns of x and y, or that of WKT; None when no column says where a row lies."""
    names = [name.strip().strip('"').lower() for name in header]
    for index, name in enumerate(names):
        if _WKT_NAMES.fullmatch(name):
            return index
    x = next((index for index, name in enumerate(names) if name in _X_NAMES), None)
    y = next((index for index, name in enumerate(names) if name in _Y_NAMES), None)
    return (x, y) if x is not None and y is not None else None


def layers_of_table(path: Path, table: Table) -> TableLayer:
    """Return the features of a table that has a place in each row.

    Raises
    ------
    DataError
        If no column says where the rows lie, or no row has a place.
    """
    header = table.header or ("x", "y", "z")[: min(3, len(table.rows[0]))]
    problems = _read_as(table)
    place = place_columns(header)
    if not table.header and len(table.rows[0]) not in (2, 3):
        place = None
    if place is None:
        raise DataError(
            path, "no column says where the rows lie.", remedy="Name the columns x and y, lon and lat, or WKT.", where="line 1"
        )
    used = {place} if isinstance(place, int) else set(place)
    features = FeatureTable(_ids(table, header), _columns(table, header, used))
    if isinstance(place, int):
        return _wkt_layers(path, table, place, features, problems)
    z = next((k for k, name in enumerate(header) if name.lower() in _Z_NAMES), None)
    xyz = np.column_stack([numbers(table.column(k)) if k is not None else np.full(len(table.rows), np.nan) for k in (*place, z)])
    problems += _unplaced(table, np.isfinite(xyz[:, :2]).all(axis=1))
    if not np.isfinite(xyz[:, :2]).all(axis=1).any():
        raise DataError(path, "no row of the table has coordinates.", remedy="Check the columns of coordinates.")
    degrees = header[place[0]].lower() in _DEGREES and bool((np.abs(xyz[:, :2][np.isfinite(xyz[:, 0])]) <= 360).all())
    return TableLayer((VectorLayer(features, point_shapes(xyz)),), Crs.epsg(4326) if degrees else None, tuple(problems))


def _read_as(table: Table) -> list[Problem]:
    problems = []
    if table.encoding not in ("utf-8", "utf-8-sig"):
        problems.append(
            Problem(Severity.INFO, "encoding", "", "The text was read as {encoding}.", {"encoding": table.encoding.upper()})
        )
    if not table.header:
        problems.append(
            Problem(Severity.INFO, "no-header", "line 1", "The table has no header; its columns are taken as x, y and z.")
        )
    return problems


def _unplaced(table: Table, is_placed: AnyArray) -> list[Problem]:
    lines = [table.lines[row] for row in np.flatnonzero(~is_placed).tolist()]
    if not lines:
        return []
    where = "line {}".format(", ".join(str(line) for line in lines[:5]))
    return [
        Problem(
            Severity.WARNING,
            "no-place",
            where,
            "{count} rows have no readable place; they are in the table only.",
            {"count": len(lines)},
        )
    ]


def _ids(table: Table, header: Sequence[str]) -> AnyArray:
    for name in _ID_NAMES:
        index = next((k for k, column in enumerate(header) if column.lower() == name), None)
        if index is not None and table.header:
            texts = table.column(index)
            if all(texts) and len(set(texts)) == len(texts):
                return as_strings(texts)
    return as_strings(range(1, len(table.rows) + 1))


def _columns(table: Table, header: Sequence[str], used: set[int]) -> dict[str, AnyArray]:
    columns: dict[str, AnyArray] = {}
    for index, name in enumerate(header):
        if index in used:
            continue
        label = name or f"column_{index + 1}"
        while label in columns:
            label += "_2"
        columns[label] = _typed(table.column(index))
    return columns


def _typed(texts: list[str]) -> AnyArray:
    """Return texts as int64 or float64 when all of them are, else as they are; empty ones are missing."""
    present = [text for text in texts if text]
    # A leading zero means a code (0755), not a number.
    if present and all(is_number(text) and not re.match(r"[+-]?0\d", text) for text in present):
        if len(present) == len(texts) and all(re.fullmatch(r"[+-]?\d{1,18}", text) for text in present):
            return np.array([int(text) for text in texts], dtype=np.int64)
        return np.array([float(text) if text else np.nan for text in texts], dtype=np.float64)
    out = np.empty(len(texts), dtype=object)
    out[:] = [text or None for text in texts]
    return out


def _wkt_layers(path: Path, table: Table, place: int, features: FeatureTable, problems: list[Problem]) -> TableLayer:
    import shapely

    texts = table.column(place)
    system = next((found[1] for text in texts if (found := _EWKT.match(text))), None)
    if system is None and (named := re.search(r"(?:srid|epsg)_?(\d{4,6})", table.header[place], re.IGNORECASE)):
        system = named[1]
    plain = [_EWKT.sub("", text, count=1) for text in texts]
    curved = np.array([k for k, text in enumerate(plain) if _CURVED.match(text)], dtype=np.int64)
    straight = np.array([text if text and not _CURVED.match(text) else None for text in plain], dtype=object)
    geometries = shapely.from_wkt(straight, on_invalid="ignore")
    if len(curved):
        geometries[curved] = _straightened([plain[k] for k in curved])
    problems += _unplaced(table, ~shapely.is_missing(geometries))
    parts = take_apart(geometries)
    if not len(parts.geometries):
        raise DataError(
            path, "no row of the table has a readable geometry.", remedy="Check the column of WKT.", where=table.header[place]
        )
    return TableLayer(split_by_kind(features, parts), Crs.parse(system), tuple(problems))


def _straightened(texts: list[str]) -> AnyArray:
    """Return curved WKT as polylines, which GDAL makes of it."""
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    with tempfile.TemporaryDirectory(prefix="cimdesk-wkt-") as folder:
        file = Path(folder) / "curves.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["WKT", "n"])
            writer.writerows([text, str(k)] for k, text in enumerate(texts))
        try:
            _, _, wkb, _ = pyogrio.raw.read(file, columns=[])
        except (DataSourceError, DataLayerError):
            return np.full(len(texts), None, dtype=object)
    return np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"))
