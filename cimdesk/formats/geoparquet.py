"""GeoParquet 1.x -> VectorLayer: columns through DuckDB, geometry as WKB, the reference system from the file's ``geo`` metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.vector_shapes import geometries_from_wkb, split_by_kind, take_apart
from cimdesk.model.features import FeatureTable, ShapeKind, VectorLayer, as_strings, column_of
from cimdesk.model.layers import LayerKind

CHUNK = 200_000
"""Rows read between two looks at the cancel token."""
MAGIC = b"PAR1"
_SUFFIXES = (".parquet", ".geoparquet", ".pq")
_USUAL = ("geometry", "geom", "wkb_geometry", "wkb", "the_geom", "shape")
_ID_NAMES = ("id", "asset_id", "gml_id", "osm_id", "identificatie", "fid", "编号")
_KIND_NAMES = {ShapeKind.POINT: "points", ShapeKind.LINE: "lines", ShapeKind.POLYGON: "areas"}


@dataclass(frozen=True)
class _Place:
    """The column with the geometry, its reference system, and the version the file states."""

    column: str
    crs: Crs | None
    version: str | None


class GeoParquetReader:
    """Reads the primary geometry column with all other columns. ``ReadOptions.part`` may name a kind of geometry."""

    name = "GeoParquet"
    streams = True
    suffixes = _SUFFIXES

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the file is Parquet."""
        if head[:4] != MAGIC:
            return 0.3 if head and path.suffix.lower() in _SUFFIXES else 0.0
        return 0.95 if path.suffix.lower() in _SUFFIXES else 0.7

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read the file; raises `DataError` when it is damaged or has no geometry that can be read."""
        with _connected(path) as connection:
            columns = _columns(path, connection)
            place = _place_of(path, connection, columns)
            values = _values(path, connection, columns, options, (0, _count(path, connection)))
        wkb = _as_bytes(values.pop(place.column))
        table = _table(values, len(wkb))
        layers, problems = _layers(table, wkb)
        if place.crs is None:
            problems.append(Problem(Severity.WARNING, "no-crs", "", "The file names no coordinate reference system.", {}))
        sources = tuple(_sources(path.stem, layers, options.crs_for(place.crs), options))
        boxes = [layer.shapes.bounds for layer in layers if len(layer.shapes.coordinates)]
        extent = np.array([np.fmin.reduce([b[0] for b in boxes]), np.fmax.reduce([b[1] for b in boxes])]) if boxes else None
        code = place.crs.code if place.crs else None
        return ReadResult("GeoParquet", place.version, code, {path.stem: len(table)}, extent, sources, tuple(problems))


READER = GeoParquetReader()


@dataclass(frozen=True)
class RowCounts:
    """What a file holds, without reading it: its rows, the names of its columns, and its system."""

    rows: int
    columns: tuple[str, ...]
    crs: Crs | None


def row_counts(path: Path) -> RowCounts:
    """Return what a file holds; raises `DataError` when it is damaged or has no geometry that can be read."""
    with _connected(path) as connection:
        columns = _columns(path, connection)
        return RowCounts(_count(path, connection), tuple(columns), _place_of(path, connection, columns).crs)


def row_names(path: Path) -> str:
    """Return the column that names every row differently; empty when none does."""
    with _connected(path) as connection:
        columns = _columns(path, connection)
        lower = {name.casefold(): name for name in columns}
        total = _count(path, connection)
        for wanted in _ID_NAMES:
            if wanted in lower and columns[lower[wanted]] not in ("FLOAT", "DOUBLE"):
                quoted = _column_name(lower[wanted])
                query = f"SELECT count(DISTINCT {quoted}) FROM read_parquet({_file(path)})"
                if int(connection.execute(query).fetchone()[0]) == total:
                    return lower[wanted]
    return ""


def read_rows(path: Path, start: int, stop: int, ids: str = "") -> tuple[tuple[VectorLayer, ...], tuple[Problem, ...]]:
    """Return some rows by kinds of geometry, and what was wrong with them; ``ids`` is the column that names them."""
    with _connected(path) as connection:
        columns = _columns(path, connection)
        place = _place_of(path, connection, columns)
        values = _values(path, connection, columns, ReadOptions(), (start, stop))
    wkb = _as_bytes(values.pop(place.column))
    made = _table(values, len(wkb)).columns
    names = made[ids].tolist() if ids in made else range(start + 1, start + 1 + len(wkb))
    layers, problems = _layers(FeatureTable(as_strings(names), made), wkb)
    return layers, tuple(problems)


def _layers(table: FeatureTable, wkb: AnyArray) -> tuple[tuple[VectorLayer, ...], list[Problem]]:
    geometries, damaged = geometries_from_wkb(wkb)
    problems = []
    if len(damaged):
        problems.append(Problem(Severity.ERROR, "bad-geometry", "", "{count} geometries are damaged.", {"count": len(damaged)}))
    return split_by_kind(table, take_apart(geometries)), problems


def _sources(name: str, layers: tuple[VectorLayer, ...], crs: Crs | None, options: ReadOptions) -> Iterator[Source]:
    wanted = options.part.partition("#")[2]
    for layer in layers:
        kind = _KIND_NAMES[layer.shapes.kind]
        if wanted and wanted != kind:
            continue
        several = len(layers) > 1
        title, part = (f"{name} ({kind})", f"{name}#{kind}") if several else (name, name)
        yield Source(title, LayerKind.VECTOR, layer, crs, part, dict(options.extra))


@contextmanager
def _connected(path: Path) -> Iterator[Any]:
    """Yield a connection that can open this one file and nothing else."""
    import duckdb

    connection = duckdb.connect()
    try:
        for setting in ("autoinstall_known_extensions", "autoload_known_extensions", "enable_geoparquet_conversion"):
            connection.execute(f"SET {setting}=false")
        connection.execute(f"SET allowed_paths=[{_quoted(str(path.resolve()))}, {_file(path)}]")
        connection.execute("SET enable_external_access=false")
        yield connection
    except duckdb.Error as error:
        reason = str(error).splitlines()[0].replace(str(path.resolve()), path.name)
        raise DataError(
            path,
            "the Parquet file cannot be read ({reason}).",
            reason=reason,
            remedy="Copy or download it again, or convert it to GeoPackage.",
        ) from error
    finally:
        connection.close()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _file(path: Path) -> str:
    """Return the path as SQL; signs that would stand for several files mean themselves."""
    name = str(path.resolve())
    return _quoted("".join(f"[{sign}]" if sign in "*?[" else sign for sign in name))


def _columns(path: Path, connection: Any) -> dict[str, str]:
    """Return the type of each column."""
    rows = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({_file(path)})").fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


def _place_of(path: Path, connection: Any, columns: Mapping[str, str]) -> _Place:
    """Return where the geometry is, as the ``geo`` metadata says, else in a column of a usual name."""
    rows = connection.execute(f"SELECT value FROM parquet_kv_metadata({_file(path)}) WHERE decode(key) = 'geo'").fetchall()
    try:
        said = json.loads(bytes(rows[0][0]).decode()) if rows else {}
    except (ValueError, UnicodeDecodeError):
        said = {}
    said = said if isinstance(said, dict) else {}
    column = str(said.get("primary_column") or "")
    about = said.get("columns", {}).get(column, {}) if isinstance(said.get("columns"), dict) else {}
    if column not in columns:
        column = next((name for name in columns if name.casefold() in _USUAL and columns[name] == "BLOB"), "")
        about = {}
    if not column:
        raise DataError(
            path, "it has no column of geometry.", remedy="Export it as GeoParquet, or as CSV with columns of coordinates."
        )
    encoding = str(about.get("encoding", "WKB"))
    if encoding.upper() != "WKB":
        raise DataError(
            path,
            "its geometry is encoded as {encoding}; only WKB can be read.",
            encoding=encoding,
            remedy="Export it again with geometry as WKB.",
        )
    return _Place(column, _crs_of(about, bool(said)), str(said["version"]) if "version" in said else None)


def _crs_of(about: Any, is_geo: bool) -> Crs | None:
    """Return the system of PROJJSON; a GeoParquet file that does not speak of one is in longitude and latitude."""
    if not is_geo:
        return None
    if "crs" not in about:
        return Crs.epsg(4326)
    said = about["crs"]
    if not isinstance(said, dict):
        return None
    identifier = said.get("id")
    if isinstance(identifier, dict) and {"authority", "code"} <= set(identifier):
        if str(identifier["code"]).upper() == "CRS84":
            return Crs.epsg(4326)
        found = Crs.parse(f"{identifier['authority']}:{identifier['code']}")
        if found is not None:
            return found
    return Crs.parse(json.dumps(said))


def _count(path: Path, connection: Any) -> int:
    return int(connection.execute(f"SELECT count(*) FROM read_parquet({_file(path)})").fetchone()[0])


def _column_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _values(
    path: Path, connection: Any, columns: Mapping[str, str], options: ReadOptions, rows: tuple[int, int]
) -> dict[str, AnyArray]:
    """Return the columns of some rows; what is nested becomes JSON text, the boxes of features are left out."""
    chosen = [name for name, kind in columns.items() if not (name == "bbox" and kind.startswith("STRUCT"))]
    names = ", ".join(map(_column_name, chosen))
    first, last = rows
    chunks: list[dict[str, Any]] = []
    for start in range(first, max(last, first + 1), CHUNK):
        options.cancel.raise_if_cancelled()
        options.progress((start - first) / max(last - first, 1))
        query = f"SELECT {names} FROM read_parquet({_file(path)}, file_row_number=true)"
        stop = min(start + CHUNK, last)
        chunks.append(connection.execute(f"{query} WHERE file_row_number >= {start} AND file_row_number < {stop}").fetchnumpy())
    return {name: np.concatenate([_column(np.ma.asarray(chunk[name])) for chunk in chunks]) for name in chosen}


def _column(values: Any) -> AnyArray:
    """Return a column in one of the dtypes a FeatureTable holds; missing values are NaN or None."""
    data, mask = values.data, np.ma.getmaskarray(values)
    if data.dtype.kind == "f" or (data.dtype.kind in "iu" and mask.any()):
        return np.where(mask, np.nan, data.astype(np.float64))
    if data.dtype.kind in "iu":
        return np.asarray(data.astype(np.int64))
    if data.dtype.kind == "b" and not mask.any():
        return np.asarray(data.astype(bool))
    plain = data.astype(str) if data.dtype.kind in "mM" else data
    out = np.empty(len(plain), dtype=object)
    out[:] = [None if missing else value for value, missing in zip(plain.tolist(), mask.tolist(), strict=True)]
    return out


def _as_bytes(values: AnyArray) -> AnyArray:
    out = np.empty(len(values), dtype=object)
    out[:] = [bytes(value) if isinstance(value, bytes | bytearray) else None for value in values.tolist()]
    return out


def _table(values: Mapping[str, AnyArray], count: int) -> FeatureTable:
    columns: dict[str, AnyArray] = {}
    for name, column in values.items():
        columns[name] = column if column.dtype != object else column_of([_plain(value) for value in column.tolist()])
    lower = {name.casefold(): name for name in columns}
    for wanted in _ID_NAMES:
        if wanted in lower and columns[lower[wanted]].dtype.kind != "f":
            ids = as_strings(columns[lower[wanted]].tolist())
            if len(set(ids.tolist())) == count and "None" not in ids:
                return FeatureTable(ids, columns)
    return FeatureTable(as_strings(range(1, count + 1)), columns)


def _plain(value: Any) -> Any:
    """Return a value as JSON can say it: numbers of fixed digits as numbers, bytes by their length."""
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    if value is None or isinstance(value, str | int | float | bool | dict | list):
        return value
    return str(value)
