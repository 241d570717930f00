"""One layer of a vector file through GDAL: attributes as columns, geometries as arrays, oddities as problems."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.arrow_batches import batches
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.vector_osm import OTHER, frequent_tags, with_tags
from cimdesk.formats.vector_shapes import geometries_from_wkb, split_by_kind, take_apart
from cimdesk.model.features import FeatureTable, VectorLayer, as_strings

CHUNK = 100_000
"""Features read between two looks at the cancel token, where the format can jump to a row."""
HEIGHT_TAGS = ("height", "building:levels", "building:part", "min_height", "building:min_level")
"""Tags of OpenStreetMap that say how high buildings are."""
_FID, _WKB = "OGC_FID", "wkb_geometry"
_BYTES = "ISO-8859-1"
"""The encoding in which every byte is a character; other code pages are decoded here, where every one is known."""
_GDAL_NAMES = {None: None, "utf-8": "UTF-8"}
JUMPING = ("GPKG", "ESRI Shapefile", "FlatGeobuf", "OpenFileGDB")
ID_NAMES = ("id", "asset_id", "gml_id", "osm_id", "fid_1", "code", "编号", "编码", "管线编号", "唯一编码")
_STATEMENT = re.compile(r"sqlite3_\w+\(.*\) failed: (?:.*; )?", re.DOTALL)
"""SQL in the messages of GDAL, which tells a planner nothing."""
_CONFIG = {
    "GML_DOWNLOAD_SCHEMA": "NO", "GDAL_HTTP_MAX_RETRY": "0", "OGR_GEOJSON_MAX_OBJ_SIZE": "200",
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
}  # fmt: skip


@dataclass(frozen=True)
class LayerInfo:
    """What GDAL says about a layer before reading it. ``features`` is -1 where counting would mean reading.

    Attributes
    ----------
    geometry : str
        Kind that the layer declares, such as ``Polygon``.
    fields : tuple of str
    extent : (2, 2) float64 or None
        Where it is known without reading.
    """

    name: str
    driver: str
    crs: str | None
    features: int
    geometry: str = ""
    fields: tuple[str, ...] = ()
    extent: Float | None = None


@dataclass(frozen=True)
class Stretch:
    """Rows of a layer that are read together.

    Attributes
    ----------
    start, stop : int
    ids : str
        Column that names the features; empty for the numbers GDAL gives.
    first : int
        Number of the first feature of what is read, where GDAL would count it as zero.
    """

    start: int
    stop: int
    ids: str = ""
    first: int = 0


@dataclass(frozen=True)
class LayerContent:
    """What one layer holds, by kind of geometry."""

    layers: tuple[VectorLayer, ...]
    rows: int
    problems: tuple[Problem, ...]


@contextmanager
def without_side_effects() -> Iterator[None]:
    """Keep GDAL from writing beside the file, from fetching schemas, and its warnings from the screen."""
    import pyogrio

    earlier = {name: pyogrio.get_gdal_config_option(name) for name in _CONFIG}
    pyogrio.set_gdal_config_options(_CONFIG)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(earlier)


def layer_infos(path: Path, name: str, encoding: str | None, skipped: Collection[str] = ()) -> list[LayerInfo]:
    """Return the layers of a file, but for those named in ``skipped``.

    Raises
    ------
    DataError
        If GDAL cannot open it, or it has no vector layer.
    """
    import pyogrio

    with as_data_errors(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [str(layer) for layer in pyogrio.list_layers(name)[:, 0]]
        infos = [info_of(name, layer, encoding) for layer in names if layer not in skipped]
    if not infos:
        raise DataError(path, "there is no vector layer in the file.", remedy="Check that it is complete.")
    return infos


def info_of(name: str | bytes, layer: str, encoding: str | None) -> LayerInfo:
    """Return what GDAL says about a layer of a file, or of its bytes."""
    import pyogrio

    found = pyogrio.read_info(name, layer=layer, encoding=None if encoding is None else _BYTES)
    crs, bounds = found["crs"], found["total_bounds"]
    return LayerInfo(
        layer,
        str(found["driver"]),
        None if crs is None else str(crs),
        int(found["features"]),
        str(found["geometry_type"] or ""),
        tuple(str(field) for field in found["fields"]),
        None if bounds is None else np.asarray(bounds, dtype=np.float64).reshape(2, 2),
    )


def read_layer(
    path: Path, name: str | bytes, info: LayerInfo, encoding: str | None, options: ReadOptions, stretch: Stretch | None = None
) -> LayerContent:
    """Read one layer, or a stretch of it; ``name`` is what GDAL opens, or the bytes of a small file.

    Raises
    ------
    DataError
        If its features cannot be read.
    """
    if stretch is None:
        fids, wkb, names, columns, said = _read_columns(path, name, info, encoding, options)
    else:
        count = stretch.stop - stretch.start
        fids, wkb, names, columns, said = _read_chunk(path, name, info, encoding, stretch.start, count)
        if stretch.first and np.array_equal(fids, np.arange(len(fids))):
            fids = fids + stretch.first
    table = _table(fids, names, columns, info.driver)
    if stretch is not None:
        named = table.columns.get(stretch.ids)
        table = FeatureTable(as_strings((fids if named is None else named).tolist()), table.columns)
    return _content(info, table, wkb, said)


def stream_areas(path: Path, info: LayerInfo, rows: int) -> Iterator[LayerContent]:
    """Yield a layer of OpenStreetMap's areas so many rows at a time, in the order in which GDAL finds them.

    Tags that are frequent in the first rows, or tell heights, are columns of all.

    Raises
    ------
    DataError
        If the file cannot be read to its end.
    """
    from pyogrio.raw import open_arrow

    tags: list[str] | None = None
    with as_data_errors(path, info.name), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_arrow(path, layer=info.name, batch_size=rows, return_fids=True) as (_, source):
            for batch in batches(source):
                columns = {name: _column(values) for name, values in batch.items() if name not in (_FID, _WKB)}
                if tags is None:
                    tags = list(dict.fromkeys([*HEIGHT_TAGS, *frequent_tags(columns[OTHER])])) if OTHER in columns else []
                columns = with_tags(columns, tags)
                yield _content(info, FeatureTable(_ids(batch[_FID], columns, "OSM"), columns), batch.get(_WKB), [])


def _content(info: LayerInfo, table: FeatureTable, wkb: AnyArray | None, said: list[str]) -> LayerContent:
    """Return rows by kinds of geometry, with what is wrong with them."""
    problems = [Problem(Severity.WARNING, "gdal", info.name, "{text}", {"text": text}) for text in said]
    geometries, damaged = geometries_from_wkb(wkb) if wkb is not None else (np.full(len(table), None, dtype=object), np.zeros(0))
    if len(damaged):
        problems.append(_rows_problem(Severity.ERROR, "bad-geometry", info.name, table, damaged, "{count} geometries are damaged."))
    bad = _not_finite(geometries)
    if len(bad):
        geometries[bad] = None
        template = "{count} geometries have coordinates that are no numbers; they are left out."
        problems.append(_rows_problem(Severity.ERROR, "not-finite", info.name, table, bad, template))
    parts = take_apart(geometries)
    empty = np.setdiff1d(np.arange(len(table)), np.concatenate([parts.owners, damaged, bad]).astype(np.int64))
    if len(empty) and len(empty) < len(table):
        template = "{count} features have no geometry; they are in the table only."
        problems.append(_rows_problem(Severity.INFO, "no-geometry", info.name, table, empty, template))
    return LayerContent(split_by_kind(table, parts), len(table), tuple(problems))


def naming_column(path: Path, name: str, info: LayerInfo, encoding: str | None) -> str:
    """Return the column that names every feature of a layer differently; empty when none does. Only candidates are read."""
    import pyogrio

    if encoding not in _GDAL_NAMES:
        return ""
    with as_data_errors(path, info.name), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = [str(field) for field in pyogrio.read_info(name, layer=info.name)["fields"]]
        wanted = [field for key in ID_NAMES for field in fields if field.lower() == key]
        for field in wanted:
            try:
                data = pyogrio.raw.read(name, layer=info.name, columns=[field], read_geometry=False)[3]
            except UnicodeDecodeError:
                continue
            values = data[0].tolist() if data and data[0].dtype.kind != "f" else [None]
            if None not in values and "" not in values and len(set(values)) == len(values):
                return field
    return ""


def _not_finite(geometries: AnyArray) -> AnyArray:
    import shapely

    bounds = shapely.bounds(geometries)
    has_any = ~shapely.is_missing(geometries) & ~shapely.is_empty(geometries)
    return np.flatnonzero(has_any & ~np.isfinite(bounds).all(axis=1))


def _rows_problem(severity: Severity, code: str, layer: str, table: FeatureTable, rows: AnyArray, template: str) -> Problem:
    shown = ", ".join(str(name) for name in table.ids[rows[:5]])
    return Problem(severity, code, f"{layer}: {shown}", template, {"count": len(rows)})


_Columns = tuple[AnyArray, AnyArray | None, list[str], list[AnyArray], list[str]]


def _read_columns(path: Path, name: str | bytes, info: LayerInfo, encoding: str | None, options: ReadOptions) -> _Columns:
    """Read ids, geometries and columns, in chunks where the format can jump."""
    step = CHUNK if info.driver in JUMPING and info.features > CHUNK else None
    chunks: list[_Columns] = []
    done = 0
    while True:
        options.cancel.raise_if_cancelled()
        chunk = _read_chunk(path, name, info, encoding, done, step)
        chunks.append(chunk)
        done += len(chunk[0])
        if step is None or len(chunk[0]) < step:
            break
        options.progress(min(1.0, done / max(info.features, 1)), info.name)
    if len(chunks) == 1:
        return chunks[0]
    geometries = [chunk[1] for chunk in chunks if chunk[1] is not None]
    columns = [np.concatenate([chunk[3][k] for chunk in chunks]) for k in range(len(chunks[0][2]))]
    said = list(dict.fromkeys(text for chunk in chunks for text in chunk[4]))
    fids = np.concatenate([chunk[0] for chunk in chunks])
    return fids, np.concatenate(geometries) if geometries else None, chunks[0][2], columns, said


def _read_chunk(path: Path, name: str | bytes, info: LayerInfo, encoding: str | None, skip: int, count: int | None) -> _Columns:
    import pyogrio

    extra: dict[str, Any] = {"WRITE_GFS": "NO"} if info.driver == "GML" else {}
    with as_data_errors(path, info.name), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        arguments: dict[str, Any] = {
            "layer": info.name, "return_fids": True, "datetime_as_string": True,
            "skip_features": skip, "max_features": count, **extra,
        }  # fmt: skip
        plain = encoding in (None, "utf-8")
        try:
            meta, fids, wkb, data = pyogrio.raw.read(name, encoding=_GDAL_NAMES.get(encoding, _BYTES), **arguments)
        except UnicodeDecodeError:  # fields cut in the middle of a character
            meta, fids, wkb, data = pyogrio.raw.read(name, encoding=_BYTES, **arguments)
            plain = False
    names = [str(field) for field in meta["fields"]]
    if not plain:
        names = [_decoded(text, encoding or "utf-8") for text in names]
        data = [_decoded_column(column, encoding or "utf-8") for column in data]
    said = list(dict.fromkeys(str(warning.message) for warning in caught if issubclass(warning.category, RuntimeWarning)))
    return fids, wkb, names, list(data), said[:20]


def _decoded(text: Any, codec: str) -> Any:
    return text.encode("latin-1", "replace").decode(codec, "replace").rstrip("\ufffd") if isinstance(text, str) else text


def _decoded_column(column: AnyArray, codec: str) -> AnyArray:
    if column.dtype != object:
        return column
    out = np.empty(len(column), dtype=object)
    out[:] = [_decoded(value, codec) for value in column]
    return out


@contextmanager
def as_data_errors(path: Path, where: str = "") -> Iterator[None]:
    """Turn what GDAL raises into one message."""
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

    try:
        yield
    except (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError, ValueError, RuntimeError) as error:
        said = _STATEMENT.sub("", str(error)).split("; It might help")[0]
        reason = said.replace(f"/vsisubfile/0,{path.resolve()}", path.name).replace(str(path), path.name).strip().rstrip(".")
        raise DataError(
            path,
            "the vector file cannot be read ({reason}).",
            where=where,
            remedy="Copy or download it again, or convert it to GeoPackage.",
            reason=reason.splitlines()[0] if reason else type(error).__name__,
        ) from error


def _table(fids: AnyArray, names: Sequence[str], columns: Sequence[AnyArray], driver: str) -> FeatureTable:
    taken: dict[str, AnyArray] = {}
    for name, column in zip(names, columns, strict=True):
        label = name or "column"
        while label in taken:
            label += "_2"
        taken[label] = _column(column)
    if driver == "OSM":
        taken = with_tags(taken)
    return FeatureTable(_ids(fids, taken, driver), taken)


def _ids(fids: AnyArray, columns: dict[str, AnyArray], driver: str) -> AnyArray:
    """Return a column of unique names as ids, else the numbers GDAL gives."""
    lower = {name.lower(): name for name in columns}
    for wanted in ID_NAMES:
        if wanted not in lower:
            continue
        values = columns[lower[wanted]]
        if values.dtype.kind == "f" or any(value is None or value == "" for value in values.tolist()):
            continue
        ids = as_strings(values.tolist())
        if len(set(ids.tolist())) == len(ids):
            return ids
    ids = as_strings(fids.tolist())
    return ids if len(set(ids.tolist())) == len(ids) else as_strings(range(len(fids)))


def _column(values: AnyArray) -> AnyArray:
    """Return a column in one of the dtypes a FeatureTable holds."""
    kind = values.dtype.kind
    if kind == "b":
        return values.astype(bool)
    if kind in "iu":
        return values.astype(np.int64)
    if kind == "f":
        return values.astype(np.float64)
    out = np.empty(len(values), dtype=object)
    out[:] = [_text(value) for value in values.tolist()]
    return out


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
