"""Plans as vectors -> VectorLayer: GeoPackage, GeoJSON, Shapefile, FlatGeobuf, KML, GML, OSM, DXF, and tables with a place.

One source per layer and kind of geometry. Lines that say they are pipes or cables become a network (`vector_network`).
Files without a reference system report none; GeoJSON is then taken as longitude and latitude (RFC 7946) when its numbers
allow it.
"""

from __future__ import annotations

import mmap
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.geojson_rows import FeatureRows, feature_rows
from cimdesk.formats.json_head import JsonHead, json_head
from cimdesk.formats.registry import ReadOptions, ReadResult, Source, read_head
from cimdesk.formats.text_table import Table, parse_table, read_table
from cimdesk.formats.vector_csv import layers_of_table, place_columns
from cimdesk.formats.vector_gdal import (
    JUMPING,
    LayerInfo,
    Stretch,
    layer_infos,
    naming_column,
    read_layer,
    stream_areas,
    without_side_effects,
)
from cimdesk.formats.vector_network import network_from_lines, utilities_of
from cimdesk.formats.vector_places import is_place_list, read_place_list
from cimdesk.formats.vector_shapefile import completed, sibling
from cimdesk.formats.vector_views import endless_views
from cimdesk.formats.vector_write import write_csv, write_geojson, write_geopackage
from cimdesk.model.features import ShapeKind, VectorLayer
from cimdesk.model.layers import LayerKind
from cimdesk.model.workspace import bounds_of

__all__ = ["READER", "VectorReader", "network_from_lines", "write_csv", "write_geojson", "write_geopackage"]

_CLAIMS = {
    ".gpkg": 0.9, ".shp": 0.95, ".fgb": 0.95, ".kml": 0.9, ".kmz": 0.85, ".geojson": 0.95, ".gml": 0.7, ".osm": 0.8, ".dxf": 0.8,
    ".gpx": 0.8, ".tab": 0.7, ".mif": 0.8, ".geojsonl": 0.9, ".geojsons": 0.9, ".gdb": 0.9, ".topojson": 0.9,
}  # fmt: skip
_FORMATS = {"GPKG": "GeoPackage", "ESRI Shapefile": "Shapefile", "OSM": "OpenStreetMap"}
_SIDECARS = (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix")
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".wkt")
_GEOMETRIES = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection", "Topology")
_KIND_NAMES = {ShapeKind.POINT: "points", ShapeKind.LINE: "lines", ShapeKind.POLYGON: "areas"}
_ZIPPED = (".shp", ".gpkg", ".geojson", ".kml", ".gml", ".fgb")
_CRS_MEMBER = re.compile(rb'"crs"\s*:\s*(null|\{\s*"(?:type|properties)"\s*:)')
_MIXED = ("", "Unknown", "None", "GeometryCollection", "Geometry", "3D Geometry", "2.5D Geometry", "2.5D Unknown")
OSM_AREAS = "multipolygons"
"""Table of the areas of OpenStreetMap, as GDAL calls it."""
MAX_UNZIPPED = 4 << 30
MAX_RATIO = 1000


class VectorReader:
    """Reads every layer of a vector file. ``ReadOptions.part`` names one: ``layer`` or ``layer#lines``.

    ``ReadOptions.extra`` may hold ``utility``: a class of `Utility` that makes lines a network, or ``none``.
    """

    name = "Vector"
    streams = True
    suffixes = (*_CLAIMS, ".json", ".pbf", ".csv", ".zip")

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the file holds vectors."""
        suffix = path.suffix.lower()
        if not head:
            return _CLAIMS[suffix] if suffix == ".gdb" else 0.0
        if suffix in _SIDECARS:
            return 0.5 if sibling(path, ".shp") else 0.0
        if head[:4] == b"PK\3\4" and suffix == ".zip":
            return 0.75 if len(_zip_members(path)) else 0.0
        if outline := json_head(head):
            return _claim_json(outline, suffix)
        if suffix in _TEXT_SUFFIXES:
            return _claim_table(path, head)
        if suffix == ".pbf":
            return 0.9 if b"OSMHeader" in head[:64] else 0.0
        if suffix == ".gml" and b"citygml" in head.lower():
            return 0.0
        return _CLAIMS.get(suffix, 0.0)

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read the file; raises `DataError` when it has no readable layer."""
        if path.suffix.lower() in _SIDECARS:
            name = path.with_suffix(".shp").name
            raise DataError(path, "this file is a part of {name}.", remedy="Open {name}; the rest is read with it.", name=name)
        head = read_head(path)
        outline = json_head(head)
        if outline and is_place_list(outline):
            return read_place_list(path, options)
        if not outline and path.suffix.lower() in _TEXT_SUFFIXES:
            return _read_text_table(path, options)
        return _read_with_gdal(path, head, outline, options)


READER = VectorReader()


def _claim_json(outline: JsonHead, suffix: str) -> float:
    if is_place_list(outline):
        return 0.7
    kind = outline.value("type")
    if kind.startswith("CityJSON") or "CityObjects" in outline:
        return 0.0
    if kind in ("FeatureCollection", "Feature", *_GEOMETRIES):
        return 0.9
    if outline.value("features").startswith("[") and '"geometry"' in outline.text:
        return 0.8
    return 0.6 if suffix in (".geojson", ".topojson", ".geojsonl", ".geojsons") else 0.0


def _claim_table(path: Path, head: bytes) -> float:
    from cimdesk.formats.encodings import decode_text

    text = decode_text(head)[0]
    if text.startswith("#") or "\0" in text:
        return 0.0
    try:
        table = parse_table(path, text.rsplit("\n", 1)[0] or text, "utf-8")
    except DataError:
        return 0.0
    if table.header:
        return 0.6 if place_columns(table.header) is not None else 0.0
    width = len(table.rows[0])
    return 0.3 if width in (2, 3) and all(len(row) == width for row in table.rows) else 0.0


def _zip_members(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [info for info in archive.infolist() if Path(info.filename).suffix.lower() in _ZIPPED]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


@dataclass(frozen=True)
class RowTable:
    """A table, before it is read.

    Attributes
    ----------
    name : str
    rows : int
    crs : Crs or None
        As the file says.
    geometry : str
        As GDAL says, such as ``Polygon``.
    columns : tuple of str
    format : str
        Such as ``GeoPackage``.
    jumps : bool
        Whether any row is reached without reading those before it.
    extent : (2, 2) float64 or None
        In that system, where the file tells without being read.
    """

    name: str
    rows: int
    crs: Crs | None
    geometry: str
    columns: tuple[str, ...]
    format: str
    jumps: bool
    extent: Float | None = None

    @property
    def may_have_areas(self) -> bool:
        """Whether there may be polygons in it."""
        return "Polygon" in self.geometry or "Surface" in self.geometry or self.geometry in _MIXED


@dataclass
class _Reading:
    """What is found while one file is read."""

    path: Path
    options: ReadOptions
    problems: list[Problem] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, severity: Severity, code: str, template: str, where: str = "", **values: Any) -> None:
        self.problems.append(Problem(severity, code, where, template, values))

    def add(self, name: str, layers: tuple[VectorLayer, ...], crs: Crs | None) -> None:
        """Add the layers of one table, those that are networks as such."""
        wanted = self.options.part.partition("#")[2]
        for layer in layers:
            kind = _KIND_NAMES[layer.shapes.kind]
            part = f"{name}#{kind}" if len(layers) > 1 else name
            title = f"{name} ({kind})" if len(layers) > 1 else name
            if wanted and wanted.split("@")[0] not in ("", kind):
                continue
            self._add_layer(title, part, layer, self.options.crs_for(crs), wanted.partition("@")[2])

    def _add_layer(self, title: str, part: str, layer: VectorLayer, crs: Crs | None, wanted: str) -> None:
        utilities = utilities_of(title, layer, str(self.options.extra.get("utility", "")))
        options = dict(self.options.extra)
        for utility, rows in utilities.items():
            if wanted and wanted != utility:
                continue
            network, problems = network_from_lines(layer, utility, rows=rows, crs=crs)
            self.problems += problems
            several = len(utilities) > 1
            name, place = (f"{title} ({utility})", f"{part}{'' if '#' in part else '#'}@{utility}") if several else (title, part)
            self.sources.append(Source(name, LayerKind.NETWORK, network, crs, place, {**options, "utility": str(utility)}))
        if not utilities:
            self.sources.append(Source(title, LayerKind.VECTOR, layer, crs, part, options))

    def result(self, format_name: str, crs: str | None, version: str | None = None) -> ReadResult:
        """Return the result; raises `DataError` when there is no source."""
        if not self.sources:
            raise DataError(
                self.path,
                "there is no layer {part} in the file.",
                remedy="It has: {layers}.",
                part=self.options.part,
                layers=", ".join(self.counts) or "–",
            )
        boxes = [bounds_of(source.data) for source in self.sources]
        boxes = [box for box in boxes if np.isfinite(box[:, :2]).all()]
        extent = None
        if boxes:
            both = np.array(boxes)
            low, high = np.fmin.reduce(both[:, 0]), np.fmax.reduce(both[:, 1])
            extent = np.array([low, high])
        return ReadResult(format_name, version, crs, self.counts, extent, tuple(self.sources), tuple(self.problems))


def _read_text_table(path: Path, options: ReadOptions) -> ReadResult:
    table: Table = read_table(path)
    found = layers_of_table(path, table)
    reading = _Reading(path, options, list(found.problems))
    reading.counts[path.stem] = len(table.rows)
    reading.add(path.stem, found.layers, found.crs)
    return reading.result("Table with coordinates", found.crs.code if found.crs else None)


def _read_with_gdal(path: Path, head: bytes, outline: JsonHead | None, options: ReadOptions) -> ReadResult:
    _refuse_redirections(path, head)
    reading = _Reading(path, options)
    with _opened(path, reading) as (name, encoding), without_side_effects():
        endless = endless_views(path, head)
        for view in sorted(endless):
            reading.note(Severity.ERROR, "endless-view", "This view of the database does not come to an end; it is left out.", view)
        infos = layer_infos(path, name, encoding, endless)
        wanted = options.part.partition("#")[0]
        spoken: str | None = None
        for index, info in enumerate(infos):
            reading.counts[info.name] = info.features
            if wanted and info.name != wanted:
                continue
            options.cancel.raise_if_cancelled()
            options.progress(index / len(infos), info.name)
            found, said = _crs_of(reading, info, outline)
            spoken = spoken or said
            content = read_layer(path, name, info, encoding, options)
            reading.problems += content.problems
            reading.counts[info.name] = content.rows
            if content.rows or len(infos) == 1:
                reading.add(info.name, content.layers, _plausible(reading, info, content.layers, found))
    driver = infos[0].driver if infos else ""
    return reading.result(_FORMATS.get(driver, driver), spoken)


def row_tables(path: Path) -> tuple[RowTable, ...]:
    """Return what is in a file without reading it; nothing of OpenStreetMap, text tables and lists of places.

    Raises
    ------
    DataError
        If GDAL cannot open it, or it is not opened for being unsafe.
    """
    head = read_head(path)
    outline = json_head(head)
    if (outline and is_place_list(outline)) or (not outline and path.suffix.lower() in _TEXT_SUFFIXES):
        return ()
    _refuse_redirections(path, head)
    if (rows := _features_of(path, outline)) is not None:
        with without_side_effects():
            sample = rows.sample
            return (RowTable(rows.name, rows.count, rows.crs, sample.geometry, sample.fields, "GeoJSON", True),)
    reading = _Reading(path, ReadOptions())
    with _opened(path, reading) as (name, encoding), without_side_effects():
        infos = layer_infos(path, name, encoding, endless_views(path, head))
        return tuple(
            RowTable(
                info.name,
                info.features,
                _crs_of(reading, info, outline)[0],
                info.geometry,
                info.fields,
                _FORMATS.get(info.driver, info.driver),
                info.driver in JUMPING,
                info.extent,
            )
            for info in infos
            if info.features >= 0 and info.driver != "OSM"
        )


def is_osm(path: Path) -> bool:
    """Return whether a file of vectors is one of OpenStreetMap, plain or packed, by its name."""
    return path.suffix.lower() in (".osm", ".pbf")


def osm_areas(path: Path, rows: int) -> Iterator[tuple[tuple[VectorLayer, ...], tuple[Problem, ...]]]:
    """Yield the areas of a file of OpenStreetMap so many rows at a time, with what was wrong; they are in degrees.

    Raises
    ------
    DataError
        If it cannot be read to its end.
    """
    with without_side_effects():
        for content in stream_areas(path, LayerInfo(OSM_AREAS, "OSM", None, -1), rows):
            yield content.layers, content.problems


def place_in_osm(path: Path) -> tuple[float, float] | None:
    """Return longitude and latitude of one of the first things in a file of OpenStreetMap; None when it has no tagged points.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    with without_side_effects():
        for content in stream_areas(path, LayerInfo("points", "OSM", None, -1), 1):
            for layer in content.layers:
                return float(layer.shapes.coordinates[0, 0]), float(layer.shapes.coordinates[0, 1])
    return None


def row_names(path: Path, table: str) -> str:
    """Return the column that names the rows of a table; empty when none does."""
    if (rows := _features_of(path, json_head(read_head(path)))) is not None:
        with without_side_effects():
            return rows.naming
    with _opened(path, _Reading(path, ReadOptions())) as (name, encoding), without_side_effects():
        infos = layer_infos(path, name, encoding)
        return next((naming_column(path, name, info, encoding) for info in infos if info.name == table), "")


def read_rows(path: Path, table: str, stretch: Stretch) -> tuple[tuple[VectorLayer, ...], Crs | None, tuple[Problem, ...]]:
    """Return a stretch of a table by kinds of geometry, with the system that the file names for it and what was wrong.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    outline = json_head(read_head(path))
    reading = _Reading(path, ReadOptions())
    if (rows := _features_of(path, outline)) is not None:
        return _read_features(rows, reading, stretch)
    with _opened(path, reading) as (name, encoding), without_side_effects():
        info = next(each for each in layer_infos(path, name, encoding) if each.name == table)
        content = read_layer(path, name, info, encoding, reading.options, stretch)
        crs = _plausible(reading, info, content.layers, _crs_of(reading, info, outline)[0])
    return content.layers, crs, (*reading.problems, *content.problems)


def _features_of(path: Path, outline: JsonHead | None) -> FeatureRows | None:
    """Return the features of a GeoJSON file that is so large that it is read stretch by stretch."""
    return feature_rows(path) if outline is not None and path.is_file() else None


def _read_features(
    rows: FeatureRows, reading: _Reading, stretch: Stretch
) -> tuple[tuple[VectorLayer, ...], Crs | None, tuple[Problem, ...]]:
    count = min(stretch.stop, rows.count) - stretch.start
    info = rows.info(count)
    with without_side_effects():
        text = rows.text(stretch.start, stretch.start + count)
        content = read_layer(rows.path, text, info, None, reading.options, Stretch(0, count, stretch.ids, stretch.start))
        crs = _plausible(reading, info, content.layers, rows.crs)
    if not rows.is_whole and stretch.start + count == rows.count:
        reading.note(Severity.ERROR, "cut-off", "The file ends too early; what was there of it is used.", rows.path.name)
    return content.layers, crs, (*reading.problems, *content.problems)


@contextmanager
def _opened(path: Path, reading: _Reading) -> Iterator[tuple[str, str | None]]:
    """Yield the name GDAL opens and the encoding of its texts; None lets GDAL decide."""
    if path.suffix.lower() == ".zip":
        yield f"/vsizip/{path.resolve()}/{_only_member(path)}", None
    elif path.suffix.lower() == ".gml":
        # As a part of a file GML has no place beside it where GDAL would write its notes.
        yield f"/vsisubfile/0,{path.resolve()}", None
    elif path.suffix.lower() == ".shp":
        with completed(path) as sidecars:
            reading.problems += sidecars.problems
            yield str(sidecars.path), sidecars.encoding
    else:
        yield str(path), None


def _only_member(path: Path) -> str:
    """Return the only vector file of a zip that is safe to look into."""
    members = _zip_members(path)
    if len(members) != 1:
        raise DataError(
            path,
            "the zip holds {count} vector files; only a zip of exactly one can be opened.",
            remedy="Unpack it and open them one by one.",
            count=len(members),
        )
    with zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    info = members[0]
    unsafe = info.filename.startswith(("/", "\\")) or ".." in Path(info.filename).parts or "}" in info.filename
    if unsafe or size > MAX_UNZIPPED or info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise DataError(path, "the zip is not safe to open.", remedy="Unpack it yourself if you trust it.", where=info.filename)
    return info.filename


def _refuse_redirections(path: Path, head: bytes) -> None:
    """Refuse files that make GDAL open other files or addresses."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:2048]
    if start.startswith((b"<OGRVRT", b"<VRTDataset")) or b"<!DOCTYPE" in start or b"<!ENTITY" in start:
        raise DataError(
            path,
            "the file refers to other files or defines entities; that is not opened.",
            remedy="Convert it to GeoPackage with a program you trust.",
        )


def _crs_of(reading: _Reading, info: LayerInfo, outline: JsonHead | None) -> tuple[Crs | None, str | None]:
    """Return the system to use for a layer, and the code the file itself gives."""
    found = Crs.parse(info.crs)
    if outline is None or info.driver not in ("GeoJSON", "GeoJSONSeq"):
        return found, found.code if found else None
    member = _crs_member(reading.path)
    if member == b"null":
        return None, None
    # A GeoJSON file that names no system is in longitude and latitude; the file itself said nothing.
    return (found, found.code if found else None) if member else (Crs.epsg(4326), None)


def _crs_member(path: Path) -> bytes:
    """Return the beginning of the value of a GeoJSON file's ``crs`` member; empty when it has none."""
    if not path.stat().st_size:
        return b""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _CRS_MEMBER.search(data)
        return found[1] if found else b""


def _plausible(reading: _Reading, info: LayerInfo, layers: tuple[VectorLayer, ...], crs: Crs | None) -> Crs | None:
    """Return the system unless the coordinates contradict it; say so, and say when there is none."""
    if crs is None:
        if reading.options.crs is None and not any(p.code in ("no-crs", "missing-prj") for p in reading.problems):
            reading.note(Severity.WARNING, "no-crs", "The file names no coordinate reference system.", where=info.name)
        return None
    if not crs.is_geographic:
        return crs
    boxes = [layer.shapes.bounds[:, :2] for layer in layers if len(layer.shapes.coordinates)]
    if all(np.abs(box[:, 0]).max() <= 400 and np.abs(box[:, 1]).max() <= 100 for box in boxes):
        return crs
    reading.note(
        Severity.WARNING,
        "not-degrees",
        "The coordinates are no degrees, so they are not in {crs}; choose their reference system.",
        where=info.name,
        crs=crs.code or crs.name,
    )
    return None
