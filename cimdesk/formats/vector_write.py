"""Vector layers and tables -> GeoPackage, GeoJSON and CSV, each file written whole or not at all."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.errors import DataError
from cimdesk.formats.atomic import replacing
from cimdesk.formats.vector_shapes import geometries_of
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, plain_value

if TYPE_CHECKING:
    from cimdesk.base.crs import Crs

Writable: TypeAlias = VectorLayer | FeatureTable
_SINGLE = {ShapeKind.POINT: "Point", ShapeKind.LINE: "LineString", ShapeKind.POLYGON: "Polygon"}
_WGS84 = 4326


def write_geopackage(path: Path | str, layers: Sequence[tuple[str, Writable, Crs | None]]) -> int:
    """Write layers and plain tables into one GeoPackage; returns the number of features.

    Parameters
    ----------
    path : path
        Replaced when it exists.
    layers : sequence of (name, VectorLayer or FeatureTable, Crs or None)
        Tables of a FeatureTable have no geometry.
    """
    import pyogrio

    written = 0
    with replacing(path) as temporary, _as_data_errors(path):
        for index, (name, data, crs) in enumerate(layers):
            geometry, kind, fields = _content(data)
            pyogrio.raw.write(
                temporary, geometry, list(fields.values()), list(fields), layer=name, driver="GPKG", append=index > 0,
                geometry_type=kind, crs=_system(crs) if geometry is not None else None,
                dataset_options=None if index else {"VERSION": "1.3"},
            )  # fmt: skip
            written += len(data.features if isinstance(data, VectorLayer) else data)
    return written


def write_geojson(path: Path | str, layer: VectorLayer, crs: Crs | None) -> int:
    """Write GeoJSON in longitude and latitude (RFC 7946); returns the number of features.

    Parameters
    ----------
    path : path
    layer : VectorLayer
    crs : Crs or None
        System of the layer; None is written as it is.
    """
    import pyogrio

    from cimdesk.base.crs import Crs as System

    shapes = layer.shapes
    if crs is not None and len(shapes.coordinates):
        xyz = np.nan_to_num(shapes.coordinates, nan=0.0)
        moved = crs.transform(System.epsg(_WGS84), xyz)
        moved[np.isnan(shapes.coordinates[:, 2]), 2] = np.nan
        shapes = Shapes(shapes.kind, moved, shapes.ring_offsets, shapes.feature_of_ring, shapes.is_hole)
    geometry, kind, fields = _content(VectorLayer(layer.features, shapes))
    with replacing(path) as temporary, _as_data_errors(path):
        pyogrio.raw.write(
            temporary, geometry, list(fields.values()), list(fields), driver="GeoJSON", geometry_type=kind,
            crs=f"EPSG:{_WGS84}", layer=Path(path).stem, layer_options={"RFC7946": "YES", "COORDINATE_PRECISION": "9"},
        )  # fmt: skip
    return len(layer.features)


def write_csv(path: Path | str, data: Writable) -> int:
    """Write a table as CSV in UTF-8 with a byte-order mark, which spreadsheets need; a layer gets a WKT column.

    Returns the number of rows.
    """
    import shapely

    table = data.features if isinstance(data, VectorLayer) else data
    columns: dict[str, list[Any]] = {} if "id" in table.columns else {"id": table.ids.tolist()}
    columns.update({name: [plain_value(value) for value in values] for name, values in table.columns.items()})
    if isinstance(data, VectorLayer):
        geometries = geometries_of(data.shapes, len(table))
        columns["WKT"] = [text or "" for text in shapely.to_wkt(geometries, rounding_precision=9).tolist()]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return len(table)


def _content(data: Writable) -> tuple[AnyArray | None, str | None, dict[str, AnyArray]]:
    """Return WKB, geometry type and columns of a layer or table."""
    import shapely

    table = data.features if isinstance(data, VectorLayer) else data
    fields = {name: _storable(values) for name, values in table.columns.items() if name.lower() not in ("fid", "geom")}
    if "id" not in {name.lower() for name in fields}:
        fields = {"id": table.ids, **fields}
    if not isinstance(data, VectorLayer):
        return None, None, fields
    geometries = geometries_of(data.shapes, len(table))
    kind = _SINGLE[data.shapes.kind]
    present = geometries[~shapely.is_missing(geometries)]
    if len(present) and (shapely.get_type_id(present) > 3).any():
        kind = f"Multi{kind}"
        geometries = _promoted(geometries, data.shapes.kind)
    if len(present) and shapely.has_z(present).any():
        kind += " Z"
    return shapely.to_wkb(geometries), kind, fields


def _promoted(geometries: AnyArray, kind: ShapeKind) -> AnyArray:
    """Return single geometries as multiple ones, as a typed layer needs them."""
    import shapely

    make = {
        ShapeKind.POINT: shapely.multipoints,
        ShapeKind.LINE: shapely.multilinestrings,
        ShapeKind.POLYGON: shapely.multipolygons,
    }
    out = geometries.copy()
    single = np.flatnonzero(~shapely.is_missing(out) & (shapely.get_type_id(out) <= 3))
    if len(single):
        out[single] = make[kind](out[single], indices=np.arange(len(single)))
    return out


def _storable(values: AnyArray) -> AnyArray:
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    return values


def _system(crs: Crs | None) -> str | None:
    return None if crs is None else (crs.code if crs.code and "+" not in crs.code else crs.pyproj.to_wkt())


@contextmanager
def _as_data_errors(path: Path | str) -> Iterator[None]:
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
            yield
    except (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError) as error:
        raise DataError(path, "the vector file cannot be written ({reason}).", reason=error) from error
