"""The files of an export: one function for each family of formats. They see frozen data only and may run beside the window."""

from __future__ import annotations

import struct
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool
from cimdesk.base.crs import Crs
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.formats.atomic import replacing
from cimdesk.formats.cityjson import Excerpt, copy_excerpt, count_objects, write_cityjson, write_cityjsonseq
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer
from cimdesk.model.mesh import Surface
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.sensors import Sensors
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData

INDEX_NAME = "@3dtilesIndex1@"
_ENTRIES_AT_ONCE = 2_000


@dataclass(frozen=True)
class ExportPlan:
    """What is written, gathered while nothing else changes it.

    Attributes
    ----------
    path : Path
    data : LayerData
        As it is in the project.
    crs : Crs or None
        Of ``data``.
    ids : frozenset of str or None
        Only these features.
    columns : mapping of str to array
        Added to the attributes, one value for each feature of ``data``.
    source : Path or None
        CityJSON file the data comes from, to be copied from as it is written.
    excerpt : Excerpt
        What of the source is written.
    tiles_from : Path or None
        Unchanged file that can be tiled itself.
    source_crs : Crs or None
        Chosen by hand for a source that names none.
    """

    path: Path
    data: LayerData
    crs: Crs | None
    ids: frozenset[str] | None = None
    columns: Mapping[str, AnyArray] = field(default_factory=dict)
    source: Path | None = None
    excerpt: Excerpt = field(default_factory=Excerpt)
    tiles_from: Path | None = None
    source_crs: Crs | None = None

    def city(self) -> CityModel:
        """Return the city with the added columns; may read tiles for long."""
        city = self.data.whole() if isinstance(self.data, TiledCity) else self.data
        assert isinstance(city, CityModel)
        added = {name: values for name, values in self.columns.items() if len(values) == len(city.features)}
        return replace(city, features=replace(city.features, columns={**city.features.columns, **added})) if added else city


def write_city(plan: ExportPlan, progress: Progress, cancel: CancelToken) -> int:
    """Write CityJSON or a sequence: from the file the city came from where there is one, else of its triangles."""
    as_sequence = plan.path.suffix.lower() == ".jsonl"
    if plan.source is not None:
        copied = copy_excerpt(plan.source, plan.path, plan.excerpt, as_sequence, progress, cancel)
        if copied is not None:
            return copied
        features = plan.city().features if not isinstance(plan.data, TiledCity) or plan.data.tiles is None else None
        return len(features) if features is not None else _count_objects(plan.path)
    city = plan.city()
    cancel.raise_if_cancelled()
    return (write_cityjsonseq if as_sequence else write_cityjson)(plan.path, city, plan.crs, plan.ids)


def write_model(plan: ExportPlan, progress: Progress, cancel: CancelToken) -> int:
    """Write a GLB with what a click should tell: feature ids, and attributes as a property table."""
    from cimdesk.formats.glb_write import TileMesh, write_glb
    from cimdesk.formats.metadata_write import MetadataClass, TableSummary

    city = plan.city()
    cancel.raise_if_cancelled()
    progress(0.2)
    mesh = city.finest.of_features(_wanted(city.features, plan.ids))
    rows, owner = np.unique(mesh.feature_index, return_inverse=True)
    features = city.features.take(rows)
    summary = TableSummary()
    summary.add(len(features), features.columns)
    progress(0.5)
    extras: dict[str, Any] = {"origin": mesh.origin.tolist(), **({"crs": plan.crs.definition} if plan.crs else {})}
    content = write_glb(
        TileMesh(mesh.vertices, mesh.triangles, owner.ravel(), mesh.colors, mesh.pictures),
        np.eye(4).ravel().tolist(),
        features,
        MetadataClass(summary),
        extras,
    )
    cancel.raise_if_cancelled()
    with replacing(plan.path) as temporary:
        temporary.write_bytes(content)
    return len(rows)


def write_tiles(plan: ExportPlan, progress: Progress, cancel: CancelToken) -> int:
    """Write 3D Tiles 1.1: into a folder, or into one ``.3tz`` file."""
    from cimdesk.commands.tiling import tile_files

    folder = plan.path.parent if plan.path.name.lower() == "tileset.json" else plan.path
    with tempfile.TemporaryDirectory(prefix=".export-", dir=plan.path.parent if plan.path.parent.is_dir() else None) as scratch:
        source, crs = plan.tiles_from, plan.source_crs
        if source is None:
            source = Path(scratch) / f"{plan.path.stem or 'city'}.city.jsonl"
            write_city(replace(plan, path=source), _share(progress, 0.0, 0.4), cancel)
            crs = plan.crs
        start = 0.0 if plan.tiles_from is not None else 0.4
        is_archive = plan.path.suffix.lower() == ".3tz"
        out = Path(scratch) / "tiles" if is_archive else folder
        made = tile_files([source], out, crs, progress=_share(progress, start, 0.9), cancel=cancel)
        if is_archive:
            pack_tileset(out, plan.path, _share(progress, 0.9, 1.0), cancel)
    return made.features


def pack_tileset(folder: Path, path: Path, progress: Progress, cancel: CancelToken) -> None:
    """Write the files of a tileset into a ``.3tz`` archive with its index, which readers of any size need.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    names.sort(key=lambda name: name != "tileset.json")
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for k, name in enumerate(names):
            if k % 100 == 0:
                cancel.raise_if_cancelled()
                progress(k / len(names))
            archive.write(folder / name, name)
        # Sorted as readers search it: by the two halves of the hash as little-endian numbers.
        places = [(md5(info.filename.encode(), usedforsecurity=False).digest(), info.header_offset) for info in archive.infolist()]
        places.sort(key=lambda place: struct.unpack("<QQ", place[0]))
        archive.writestr(INDEX_NAME, b"".join(struct.pack("<16sQ", digest, offset) for digest, offset in places))


def write_terrain(plan: ExportPlan, progress: Progress, cancel: CancelToken) -> int:
    """Write a GeoTIFF or an ASCII grid with the finest cells there are."""
    from cimdesk.formats.raster_write import write_ascii_grid, write_geotiff

    data = plan.data
    assert isinstance(data, Terrain)
    if data.source is not None:
        (west, south, _), (east, north, _) = data.bounds.tolist()
        data = data.part(west, south, east, north)
    cancel.raise_if_cancelled()
    progress(0.5)
    if plan.path.suffix.lower() == ".asc":
        write_ascii_grid(plan.path, data)
    else:
        write_geotiff(plan.path, data, plan.crs)
    return 1


def write_vector(plan: ExportPlan, progress: Progress, cancel: CancelToken) -> int:
    """Write GeoPackage, GeoJSON or CSV; buildings as their outlines on the ground, in tables as their middle."""
    from cimdesk.formats.vector_write import write_csv, write_geojson, write_geopackage

    suffix = plan.path.suffix.lower()
    is_city = isinstance(plan.data, CityModel | TiledCity)
    if is_city and suffix != ".csv":
        layer = footprints(plan.city(), plan.ids, progress, cancel)
    else:
        layer = as_vector(plan.city() if is_city else plan.data)
        if not is_city and plan.columns:
            layer = replace(layer, features=replace(layer.features, columns={**layer.features.columns, **plan.columns}))
        if plan.ids is not None:
            layer = _only(layer, plan.ids)
    cancel.raise_if_cancelled()
    progress(0.8)
    if suffix == ".csv":
        return write_csv(plan.path, layer)
    if suffix == ".geojson":
        return write_geojson(plan.path, layer, plan.crs)
    return write_geopackage(plan.path, [(plan.path.stem, layer, plan.crs)])


def footprints(city: CityModel, ids: frozenset[str] | None, progress: Progress, cancel: CancelToken) -> VectorLayer:
    """Return the outlines of city objects on the ground, with the heights between which each lies.

    The outline of ground faces where an object has them, else of everything seen from above. Objects without geometry of their own
    have that of their parts.
    """
    import shapely

    mesh = city.finest
    count = len(city.features)
    wanted = _wanted(city.features, ids)
    corners = mesh.world_vertices()[mesh.triangles]
    owner = mesh.feature_index.astype(np.int64)
    has_own = np.bincount(owner, minlength=count) > 0
    for row in np.flatnonzero(has_own & (city.parents >= 0)).tolist():
        top = city.root_of(row)
        if not has_own[top]:
            # Parts lend their shape to what they are parts of, as further triangles.
            mine = np.flatnonzero(mesh.feature_index == row)
            corners = np.concatenate([corners, corners[mine]])
            owner = np.concatenate([owner, np.full(len(mine), top)])
    surface = mesh.surface if len(owner) == len(mesh.surface) else np.append(mesh.surface, np.zeros(len(owner) - len(mesh.surface)))
    low, high = _heights(corners, owner, count)
    use = _flat_faces(corners, owner, surface, count) & wanted[owner]
    order = np.flatnonzero(use)[np.argsort(owner[use], kind="stable")]
    triangles = shapely.polygons(corners[order][:, :, :2])
    rows, starts = np.unique(owner[order], return_index=True)
    shapes = np.full(count, None, dtype=object)
    for k, (row, begin, end) in enumerate(zip(rows.tolist(), starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True)):
        if k % _ENTRIES_AT_ONCE == 0:
            cancel.raise_if_cancelled()
            progress(0.75 * k / len(rows))
        shapes[row] = shapely.force_3d(shapely.union_all(triangles[begin:end], grid_size=1e-3), low[row])
    table = city.features.take(wanted)
    columns = {**table.columns, "base_height": low[wanted], "top_height": high[wanted]}
    return _polygons(FeatureTable(table.ids, columns), shapes[wanted])


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


def _flat_faces(corners: AnyArray, owner: AnyArray, surface: AnyArray, count: int) -> Bool:
    """Return (T,) whether a triangle makes the outline of its feature: ground faces, else all that are not upright."""
    first, second = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    lies = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) > 1e-4
    is_ground = lies & (surface == Surface.GROUND)
    has_ground = np.bincount(owner[is_ground], minlength=count) > 0
    return np.asarray(lies & (is_ground | ~has_ground[owner]), dtype=np.bool_)


def _heights(corners: AnyArray, owner: AnyArray, count: int) -> tuple[AnyArray, AnyArray]:
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, owner, corners[:, :, 2].min(axis=1, initial=np.inf))
    np.maximum.at(high, owner, corners[:, :, 2].max(axis=1, initial=-np.inf))
    return np.where(low > high, np.nan, low), np.where(low > high, np.nan, high)


def _polygons(features: FeatureTable, geometries: AnyArray) -> VectorLayer:
    from cimdesk.formats.vector_shapes import shapes_of, take_apart

    parts = take_apart(geometries)
    return VectorLayer(features, shapes_of(parts, ShapeKind.POLYGON, np.arange(len(features))))


def _wanted(features: FeatureTable, ids: frozenset[str] | None) -> Bool:
    if ids is None:
        return np.ones(len(features), dtype=bool)
    return np.array([str(name) in ids for name in features.ids.tolist()], dtype=bool)


def _centres(city: CityModel) -> AnyArray:
    mesh = city.finest
    count = len(city.features)
    middles = mesh.world_vertices()[mesh.triangles].mean(axis=1)
    hits = np.bincount(mesh.feature_index, minlength=count)
    with np.errstate(invalid="ignore"):
        return np.column_stack([np.bincount(mesh.feature_index, middles[:, k], count) / hits for k in range(3)])


def _ragged(kind: ShapeKind, parts: list[AnyArray]) -> Shapes:
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    coordinates = np.concatenate(parts) if parts else np.zeros((0, 3))
    return Shapes(kind, coordinates, offsets, np.arange(len(parts), dtype=np.int64), np.zeros(len(parts), dtype=bool))


def _only(layer: VectorLayer, ids: frozenset[str]) -> VectorLayer:
    wanted = _wanted(layer.features, ids)
    new_row = np.cumsum(wanted) - 1
    shapes = layer.shapes
    rings = np.flatnonzero(wanted[shapes.feature_of_ring])
    picked = _ragged(shapes.kind, [shapes.ring(k) for k in rings.tolist()])
    owners = new_row[shapes.feature_of_ring[rings]].astype(np.int64)
    table = layer.features.take(np.flatnonzero(wanted))
    return VectorLayer(table, Shapes(shapes.kind, picked.coordinates, picked.ring_offsets, owners, shapes.is_hole[rings]))


def _share(progress: Progress, begin: float, end: float) -> Progress:
    """Return the progress of a part of the work, from ``begin`` to ``end`` of it all."""

    def tell(fraction: float | None, text: str = "") -> None:
        progress(None if fraction is None else begin + (end - begin) * fraction, text)

    return tell


def _count_objects(path: Path) -> int:
    """Return the objects in a written CityJSON file; a sequence is not held in memory for that."""
    from cimdesk.formats import registry

    if path.suffix.lower() != ".jsonl":
        return sum(registry.read(path).objects.values())
    with path.open("rb") as file:
        return sum(count_objects(line) for line in file)
