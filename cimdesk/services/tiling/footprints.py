"""Outlines with heights -> bodies, stretch by stretch: what open building footprints are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import Problem
from cimdesk.base.jobs import Progress
from cimdesk.formats import geoparquet, registry, vector
from cimdesk.formats.atomic import replacing
from cimdesk.formats.extrusion import Extrusion, bodies, building_table, only_buildings, part_of
from cimdesk.formats.findings import Findings
from cimdesk.formats.geoparquet import GeoParquetReader
from cimdesk.formats.vector import VectorReader
from cimdesk.formats.vector_gdal import Stretch
from cimdesk.model.city_piece import CityPiece
from cimdesk.model.features import FeatureTable, ShapeKind, VectorLayer

ROWS = 50_000
"""Outlines of one task."""
AT_ONCE = 20_000
"""Outlines raised at a time: their bodies take about 2.3 kB each while they are made."""
OSM_FROM = 16 << 20
"""Size from which files of OpenStreetMap are read area by area [bytes]."""
OSM_AT_ONCE = 5_000
"""Areas of these at a time: each comes with all its tags."""
GLANCE = 500
GROUND = "ground_height"
"""Column of the heights on which outlines were set down [m]."""


@dataclass(frozen=True)
class Outlines:
    """A table of outlines that is read stretch by stretch.

    Attributes
    ----------
    table : str
        Its name in the file.
    rows : int
    ids : str
        Column that names its rows.
    """

    table: str
    rows: int
    ids: str


@dataclass(frozen=True)
class Layout:
    """What a file of outlines holds.

    Attributes
    ----------
    tables : tuple of Outlines
    crs : Crs or None
        Of the first of them.
    place : (3,) float64
        A place in it.
    """

    tables: tuple[Outlines, ...]
    crs: Crs | None
    place: Float


@dataclass(frozen=True)
class Raising:
    """How outlines are raised, and where they stand.

    Attributes
    ----------
    extrusion : Extrusion
    grounds : str
        File of heights of the ground by feature (`write_grounds`); empty for what the outlines themselves say.
    """

    extrusion: Extrusion
    grounds: str = ""


def write_grounds(path: Path, ids: AnyArray, heights: Float) -> None:
    """Write on which heights the features of these names stand.

    Parameters
    ----------
    path : Path
    ids : (N,) object
    heights : (N,) float64
        NaN where the ground is not known [m].
    """
    names = ids.astype(str)
    order = np.argsort(names)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, ids=names[order], heights=heights[order])


@lru_cache(maxsize=1)
def _grounds(path: str) -> tuple[AnyArray, Float]:
    with np.load(path, allow_pickle=False) as kept:
        return kept["ids"], kept["heights"]


def _on_grounds(layer: VectorLayer, grounds: str, unit: float) -> VectorLayer:
    """Return a layer with the heights of the ground as a column, in units of so many metres."""
    ids, heights = _grounds(grounds)
    names = layer.features.ids.astype(str)
    place = np.minimum(np.searchsorted(ids, names), max(len(ids) - 1, 0))
    known = np.where(ids[place] == names, heights[place], np.nan) if len(ids) else np.full(len(names), np.nan)
    return replace(layer, features=FeatureTable(layer.features.ids, {**layer.features.columns, GROUND: known / unit}))


def layout_of(path: Path, part: str, findings: Findings) -> Layout | None:
    """Return how a file of outlines is read stretch by stretch; None for what has to be read at once, or has no outlines.

    Parameters
    ----------
    part : str
        Read only this table; empty for all.
    """
    wanted = part.partition("#")[0]
    if _is_parquet(path):
        found = geoparquet.row_counts(path)
        return _placed(path, (Outlines("", found.rows, geoparquet.row_names(path)),))
    if not isinstance(registry.reader_for(path), VectorReader):
        return None
    tables = [table for table in vector.row_tables(path) if wanted in ("", table.name)]
    if not tables or not all(table.jumps for table in tables):
        return None
    others = sum(table.rows for table in tables if not table.may_have_areas)
    if others:
        _not_areas(others, findings)
    areas = [table for table in tables if table.may_have_areas and table.rows]
    if not areas:
        return None
    return _placed(path, tuple(Outlines(each.name, each.rows, vector.row_names(path, each.name)) for each in areas))


def _placed(path: Path, tables: tuple[Outlines, ...]) -> Layout | None:
    for table in tables:
        layers, crs, _ = _rows(path, table.table, 0, GLANCE, table.ids)
        for layer in layers:
            if layer.shapes.kind is ShapeKind.POLYGON and np.isfinite(layer.shapes.bounds[:, :2]).all():
                return Layout(tables, crs, np.nan_to_num(layer.shapes.bounds.mean(axis=0)))
    return None


def pieces_of_rows(
    path: Path, table: str, start: int, stop: int, ids: str, raising: Raising, findings: Findings
) -> Iterator[tuple[CityPiece, Crs | None]]:
    """Yield some rows of a table as bodies, with the system of their coordinates.

    Parameters
    ----------
    path : Path
    table, ids : str
        As `Outlines` says.
    start, stop : int
        Rows.
    raising : Raising
    findings : Findings
    """
    layers, crs, problems = _rows(path, table, start, stop, ids)
    for problem in problems:
        findings.add(problem.code, problem.where, problem.template, problem.severity, problem.remedy, **problem.values)
    for layer in layers:
        for piece in raised(layer, raising, findings):
            yield piece, crs


def is_large_osm(path: Path, part: str) -> bool:
    """Return whether the areas are wanted of a file of OpenStreetMap that is too large to be read at once."""
    is_wanted = part.partition("#")[0] in ("", vector.OSM_AREAS)
    return is_wanted and path.is_file() and path.stat().st_size >= OSM_FROM and vector.is_osm(path)


def place_of_osm(path: Path) -> Float:
    """Return a place (3,) in a file of OpenStreetMap, in degrees; NaN where it has none."""
    place = vector.place_in_osm(path)
    if place is not None:
        return np.array([*place, 0.0])
    for layers, _ in vector.osm_areas(path, GLANCE):
        for layer in layers:
            middle: Float = np.nan_to_num(layer.shapes.bounds.mean(axis=0))
            return middle
    return np.full(3, np.nan)


def pieces_of_osm(path: Path, raising: Raising, findings: Findings, progress: Progress) -> Iterator[tuple[CityPiece, Crs | None]]:
    """Yield the buildings of a file of OpenStreetMap as bodies; ``progress`` is told nothing but that there is some."""
    crs = Crs.epsg(4326)
    for layers, problems in vector.osm_areas(path, OSM_AT_ONCE):
        progress(None)
        for problem in problems:
            findings.add(problem.code, problem.where, problem.template, problem.severity, problem.remedy, **problem.values)
        for layer in layers:
            for piece in raised(layer, raising, findings):
                yield piece, crs


def _rows(
    path: Path, table: str, start: int, stop: int, ids: str
) -> tuple[tuple[VectorLayer, ...], Crs | None, tuple[Problem, ...]]:
    if _is_parquet(path):
        layers, problems = geoparquet.read_rows(path, start, stop, ids)
        return layers, geoparquet.row_counts(path).crs, problems
    return vector.read_rows(path, table, Stretch(start, stop, ids))


def _is_parquet(path: Path) -> bool:
    return isinstance(registry.reader_for(path), GeoParquetReader)


def raised(layer: VectorLayer, raising: Raising, findings: Findings) -> Iterator[CityPiece]:
    """Yield polygons as bodies of their heights, some at a time; those without a height lie flat."""
    if layer.shapes.kind is not ShapeKind.POLYGON:
        _not_areas(len(layer.features), findings)
        return
    layer = only_buildings(layer, findings)
    extrusion = raising.extrusion
    if raising.grounds:
        layer, extrusion = _on_grounds(layer, raising.grounds, extrusion.unit), replace(extrusion, base=GROUND)
    for part in _parts(layer):
        made = bodies(part, extrusion, findings)
        parents = np.full(len(part.features), -1, dtype=np.int64)
        table = building_table(part.features, made)
        if raising.grounds:
            table = FeatureTable(table.ids, {**table.columns, GROUND: table.columns[GROUND] * extrusion.unit})
        yield CityPiece(table, parents, made.points, made.triangles, made.owner, made.kind)


def _parts(layer: VectorLayer) -> Iterator[VectorLayer]:
    """Yield a layer in parts of so many outlines."""
    count = len(layer.features)
    if count <= AT_ONCE:
        yield layer
        return
    rows = np.arange(count)
    for start in range(0, count, AT_ONCE):
        yield part_of(layer, (rows >= start) & (rows < start + AT_ONCE))


def _not_areas(count: int, findings: Findings) -> None:
    findings.add("not-tiled", "", "Points and lines have no bodies and are left out: {count}.", count=count)
