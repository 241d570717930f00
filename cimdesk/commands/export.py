"""Write a layer, or some features of it, to a file whose suffix names the format."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import UsageError
from cimdesk.commands.session import Session
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.imagery import Imagery
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.sensors import Sensors
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData

CITY_SUFFIXES = (".json", ".jsonl", ".glb")
VECTOR_SUFFIXES = (".gpkg", ".geojson", ".csv")
TERRAIN_SUFFIXES = (".tif", ".asc")


def export_layer(session: Session, layer_id: str, path: Path, ids: Collection[str] | None = None) -> int:
    """Write a layer's features to ``path``; return how many were written.

    Parameters
    ----------
    ids : collection of str or None
        Only these features; None for all.

    Raises
    ------
    UsageError
        If the layer cannot be written in the format of that suffix.
    """
    data = session.workspace.data(layer_id)
    if data is None:
        reason = session.workspace.unavailable(layer_id)
        raise UsageError("Layer {name} has no data to export. {reason}", name=layer_id, reason=reason)
    crs = session.workspace.frame.crs if session.workspace.frame else None
    if not _suffixes(data):
        raise UsageError("A layer of this kind cannot be exported.")
    writer = _writer_for(data, path)
    if writer is None:
        raise UsageError(
            "A layer of this kind cannot be written as {suffix}; it can be written as {choices}.",
            suffix=path.suffix or path.name,
            choices=", ".join(_suffixes(data)),
        )
    return writer(path, data, crs, ids)


Writer = Callable[[Path, LayerData, Crs | None, Collection[str] | None], int]


def _suffixes(data: LayerData) -> tuple[str, ...]:
    if isinstance(data, CityModel | TiledCity):
        return (*CITY_SUFFIXES, *VECTOR_SUFFIXES)
    if isinstance(data, FloodResult | Imagery):
        return ()
    return TERRAIN_SUFFIXES if isinstance(data, Terrain) else VECTOR_SUFFIXES


def _writer_for(data: LayerData, path: Path) -> Writer | None:
    suffix = path.suffix.lower()
    if suffix not in _suffixes(data):
        return None
    if suffix in CITY_SUFFIXES:
        return _write_city
    return _write_terrain if isinstance(data, Terrain) else _write_vector


def _write_city(path: Path, data: LayerData, crs: Crs | None, ids: Collection[str] | None) -> int:
    city = data.whole() if isinstance(data, TiledCity) else data
    assert isinstance(city, CityModel)
    if path.suffix.lower() == ".glb":
        from cimdesk.formats.meshes import write_glb

        wanted = np.isin(city.features.ids.astype(str), list(ids)) if ids is not None else np.ones(len(city.features), dtype=bool)
        mesh = city.finest.of_features(wanted)
        write_glb(path, mesh, extras={"crs": crs.definition} if crs else None)
        return len(np.unique(mesh.feature_index))
    from cimdesk.formats import cityjson

    write = cityjson.write_cityjsonseq if path.suffix.lower() == ".jsonl" else cityjson.write_cityjson
    return write(path, city, crs, ids)


def _write_terrain(path: Path, data: LayerData, crs: Crs | None, ids: Collection[str] | None) -> int:
    from cimdesk.formats.raster_write import write_ascii_grid, write_geotiff

    assert isinstance(data, Terrain)
    if data.source is not None:
        (west, south, _), (east, north, _) = data.bounds.tolist()
        data = data.part(west, south, east, north)
    if path.suffix.lower() == ".asc":
        write_ascii_grid(path, data)
    else:
        write_geotiff(path, data, crs)
    return 1


def _write_vector(path: Path, data: LayerData, crs: Crs | None, ids: Collection[str] | None) -> int:
    from cimdesk.formats.vector_write import write_csv, write_geojson, write_geopackage

    layer = as_vector(data)
    if ids is not None:
        layer = _only(layer, ids)
    if path.suffix.lower() == ".csv":
        return write_csv(path, layer)
    if path.suffix.lower() == ".geojson":
        return write_geojson(path, layer, crs)
    return write_geopackage(path, [(path.stem, layer, crs)])


def as_vector(data: LayerData) -> VectorLayer:
    """Return any layer as plain features with points, lines or polygons.

    Buildings become points at the middle of their geometry, networks their links, sensors points.
    """
    if isinstance(data, VectorLayer):
        return data
    if isinstance(data, UtilityNetwork):
        lines = [data.link_points(row) for row in range(len(data.links))]
        return VectorLayer(data.links, _ragged(ShapeKind.LINE, lines))
    if isinstance(data, Sensors):
        return VectorLayer(data.features, _ragged(ShapeKind.POINT, [row[None, :] for row in data.positions]))
    city = data.whole() if isinstance(data, TiledCity) else data
    assert isinstance(city, CityModel)
    return VectorLayer(city.features, _ragged(ShapeKind.POINT, [row[None, :] for row in _centres(city)]))


def _centres(city: CityModel) -> np.ndarray:
    mesh = city.finest
    count = len(city.features)
    middles = mesh.world_vertices()[mesh.triangles].mean(axis=1)
    hits = np.bincount(mesh.feature_index, minlength=count)
    with np.errstate(invalid="ignore"):
        return np.column_stack([np.bincount(mesh.feature_index, middles[:, k], count) / hits for k in range(3)])


def _ragged(kind: ShapeKind, parts: list[np.ndarray]) -> Shapes:
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    coordinates = np.concatenate(parts) if parts else np.zeros((0, 3))
    return Shapes(kind, coordinates, offsets, np.arange(len(parts), dtype=np.int64), np.zeros(len(parts), dtype=bool))


def _only(layer: VectorLayer, ids: Collection[str]) -> VectorLayer:
    wanted = np.isin(layer.features.ids.astype(str), list(ids))
    rows = np.flatnonzero(wanted)
    new_row = np.cumsum(wanted) - 1
    shapes = layer.shapes
    rings = [k for k in range(len(shapes.feature_of_ring)) if wanted[shapes.feature_of_ring[k]]]
    picked = _ragged(shapes.kind, [shapes.ring(k) for k in rings])
    owners = new_row[shapes.feature_of_ring[rings]].astype(np.int64)
    table: FeatureTable = layer.features.take(rows)
    return VectorLayer(table, Shapes(shapes.kind, picked.coordinates, picked.ring_offsets, owners, shapes.is_hole[rings]))
