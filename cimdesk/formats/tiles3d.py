"""3D Tiles 1.0 and 1.1 from a folder or an archive: the tree, opened to a chosen error and placed in metres, as a TiledCity."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int32, UInt8
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, json_object
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.tiles3d_archive import MAGIC, TilesetArchive, holds_tileset, is_archive_name
from cimdesk.formats.tiles3d_content import ContentReader, TileContent, merged_columns
from cimdesk.formats.tiles3d_entities import add_entity_columns
from cimdesk.formats.tiles3d_paths import CONTENT_BYTES, JSON_BYTES, BrokenPart, TilePlace, TilesetFolder, is_json
from cimdesk.formats.tiles3d_points import points_source
from cimdesk.formats.tiles3d_stated import stated_error
from cimdesk.formats.tiles3d_tree import KNOWN_VERSIONS, TileTree, TreeReader
from cimdesk.formats.tiles3d_volumes import NO_VOLUME
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.layers import LayerKind
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.tileset import RequestVolumes, TiledCity, Tileset
from cimdesk.model.workspace import bounds_of

GEOCENTRIC = Crs.epsg(4978)
EARTH = (6.3e6, 6.5e6)
STEEP = 0.35
"""Cosine of the slope beyond which a face is a wall, about 70 degrees."""
MAX_TRIANGLES = 60_000_000
_MAGICS = (b"b3dm", b"cmpt", b"i3dm", b"pnts")
_LASTING = ("gml_id", "gml:id", "gmlid", "gmlID", "GmlID", "uuid", "UUID", "guid", "GUID", "GlobalId", "globalid")
"""Columns whose values name a thing for good, by convention; they are used as identifiers where they are unique."""


@dataclass(frozen=True)
class TilesetReader:
    """Reads tilesets and single tile contents."""

    name: str = "3D Tiles"
    suffixes: tuple[str, ...] = (".json", ".b3dm", ".cmpt", ".i3dm", ".pnts", ".3tz")

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely this is a folder with a tileset, a tileset file, or a tile."""
        if not head:
            return 0.95 if path.is_dir() and _tileset_in(path) is not None else 0.0
        if head[:4] in _MAGICS:
            return 0.95
        if head[:4] == MAGIC and is_archive_name(path):
            return 0.95 if path.suffix.lower() == ".3tz" or holds_tileset(path) else 0.0
        text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if not text.startswith(b"{") or b'"CityJSON' in head or b'"accessors"' in head or b'"FeatureCollection"' in head:
            return 0.0
        votes = sum(word in head for word in (b'"geometricError"', b'"boundingVolume"', b'"implicitTiling"', b'"refine"'))
        if votes and (b'"root"' in head or b'"asset"' in head):
            return 0.95
        if b'"root"' in head and b'"asset"' in head:
            return 0.8
        return 0.7 if path.name.lower().startswith("tileset") and (b'"asset"' in head or b'"root"' in head) else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read the tree, and the contents that show it to ``options.max_error``.

        Raises
        ------
        DataError
            If the tileset file is missing or no JSON object, or a single tile cannot be used.
        """
        place, name, file = place_of(path)
        return read_from(place, name, file, options)


def place_of(path: Path) -> tuple[TilePlace, str, Path]:
    """Return where the files of a tileset are, the name of its file there, and what to call the whole.

    Raises
    ------
    DataError
        If there is no tileset in the folder or archive.
    """
    if is_archive_name(path):
        archive = TilesetArchive.open(path)
        name = archive.top()
        if name is None:
            raise DataError(path, "the archive has no tileset.json.", remedy="Choose the archive of a tileset.")
        return archive, name, path
    file = _tileset_in(path) if path.is_dir() else path
    if file is None:
        raise DataError(path, "the folder has no tileset.json.", remedy="Choose the folder or file of the tileset's root.")
    return TilesetFolder.of(file), file.resolve().name, file


def read_from(place: TilePlace, name: str, file: Path, options: ReadOptions) -> ReadResult:
    """Read a tileset whole, opened to ``options.max_error``.

    Raises
    ------
    DataError
        If the tileset file is missing or no JSON object, or a single tile cannot be used.
    """
    findings = Findings()
    document, tree = _tree_of(place, name, file, findings)
    crs = projected(tree) if is_geocentric(tree) else None
    tileset = tileset_of(document, tree, crs)
    contents = ContentReader(place, findings, up_axis(document))
    rows = shown_rows(tileset, min(options.max_error, stated_error(document)))
    opened = _open(tileset, tree, rows, contents, options, findings)
    if crs is None and not np.isfinite(tileset.centres).any():
        crs = _projected_by_contents(opened)
    city = build_city(opened, crs, tileset.metadata)
    clouds = [part for _, content in opened for part in content.clouds]
    points = points_source(file, title_of(file), clouds, crs, options, findings)
    return _result(file, tileset, city, opened, options, crs, findings.problems(), points)


def _tileset_in(folder: Path) -> Path | None:
    """Return the tileset file of a folder: ``tileset.json``, the only file called something like it, or the only one just below."""
    plain = folder / "tileset.json"
    if plain.is_file():
        return plain
    for pattern in ("*tileset*.json", "*/tileset.json", "*/*/tileset.json"):
        found = sorted(islice(folder.glob(pattern), 2))
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _tree_of(place: TilePlace, name: str, file: Path, findings: Findings) -> tuple[dict[str, Any], TileTree]:
    """Return the JSON and the tree of a tileset file; of a single tile, a tree of one."""
    try:
        data = place.read(name, JSON_BYTES if is_json(name) else CONTENT_BYTES)
        if data[:4] in _MAGICS:
            tree = TileTree()
            tree.add(-1, 0.0, True, NO_VOLUME, (name,), np.eye(4))
            return {"asset": {}}, tree
        document = json_object(data)
    except BrokenPart as broken:
        raise DataError(file, broken.template, remedy="Export or download the tileset again.", **broken.values) from broken
    note_version(document, file.name, findings)
    return document, TreeReader(place, findings).read(document, name)


def note_version(document: dict[str, Any], where: str, findings: Findings) -> None:
    """Note a version that is none of those known."""
    version = as_dict(document.get("asset")).get("version")
    if version not in KNOWN_VERSIONS:
        findings.add("bad-version", where, "The version “{version}” is none of 3D Tiles 1.0 and 1.1.", version=str(version)[:20])


def up_axis(document: dict[str, Any]) -> str:
    """Return the axis that points up in the models of a tileset."""
    axis = str(as_dict(document.get("asset")).get("gltfUpAxis", "Y")).upper()
    return axis if axis in ("X", "Y", "Z") else "Y"


def is_geocentric(tree: TileTree) -> bool:
    """Return whether tileset coordinates are earth-centred: a region says so, or the tiles lie at the earth's radius."""
    if tree.is_geocentric:
        return True
    centres = np.array(tree.centres).reshape(-1, 3)
    distances = np.linalg.norm(centres[np.isfinite(centres).all(axis=1)], axis=1)
    return bool(len(distances)) and EARTH[0] < float(np.median(distances)) < EARTH[1]


def projected(tree: TileTree) -> Crs | None:
    """Return the system the tileset says it came from, else UTM of the zone it lies in; None when no tile says where that is."""
    if tree.crs is not None:
        return tree.crs
    centres = np.array(tree.centres).reshape(-1, 3)
    centres = centres[np.isfinite(centres).all(axis=1)]
    if not len(centres):
        return None
    return utm_for(centres[0])


def _projected_by_contents(opened: Sequence[tuple[str, TileContent]]) -> Crs | None:
    """Return the UTM system of a single tile whose vertices lie on the globe; None elsewhere."""
    clouds = (part.points for _, content in opened for part in content.clouds)
    faces = (each for _, content in opened for each in content.points)
    points = next((each for each in (*faces, *clouds) if len(each)), None)
    if points is None or not EARTH[0] < float(np.linalg.norm(np.median(points, axis=0))) < EARTH[1]:
        return None
    return utm_for(np.median(points, axis=0))


def utm_for(point: Float) -> Crs:
    """Return the UTM system of an earth-centred point (3,) [m]; polar places take the last zone."""
    longitude = np.degrees(np.arctan2(point[1], point[0]))
    zone = int(np.clip((longitude + 180.0) // 6.0 + 1, 1, 60))
    return Crs.epsg((32600 if point[2] >= 0 else 32700) + zone)


def tileset_of(
    document: dict[str, Any], tree: TileTree, crs: Crs | None, stubs: Collection[int] = (), known: Tileset | None = None
) -> Tileset:
    """Return a tree as arrays, earth-centred places in ``crs``.

    Parameters
    ----------
    stubs : collection of int
        Rows with more below that has not been read.
    known : Tileset or None
        What the tree's first rows gave before.
    """
    start = 0 if known is None else len(known.parent)
    centres = np.array(tree.centres[start:], dtype=np.float64).reshape(-1, 3)
    if crs is not None:
        finite = np.isfinite(centres).all(axis=1)
        centres[finite] = GEOCENTRIC.transform(crs, centres[finite])
    fresh: dict[str, Any] = {
        "parent": np.array(tree.parent[start:], dtype=np.int32),
        "geometric_error": np.array(tree.geometric_error[start:], dtype=np.float64),
        "replaces": np.array(tree.replaces[start:], dtype=bool),
        "centres": centres,
        "radii": np.array(tree.radii[start:], dtype=np.float64),
        "transforms": np.array(tree.transforms[start:], dtype=np.float64).reshape(-1, 4, 4),
        "rises": np.array(tree.rises[start:], dtype=np.float64),
    }
    if known is not None:
        fresh = {name: np.concatenate([getattr(known, name), values]) for name, values in fresh.items()}
    asset = as_dict(document.get("asset"))
    version = asset.get("version")
    return Tileset(
        **fresh,
        contents=tuple(tree.contents),
        version="" if version is None else str(version),
        crs="" if crs is None else crs.definition,
        missing=tuple(dict.fromkeys(tree.missing)),
        metadata={
            "generator": asset.get("generator"),
            "copyright": asset.get("copyright"),
            "extras": document.get("extras"),
            "metadata": tree.entity,
            "explicit_tiles": tree.explicit_here,
            "implicit_roots": tree.implicit_roots,
            "external_tilesets": tree.external,
        },
        stubs=frozenset(stubs),
        requests=_request_volumes(tree, crs),
    )


def _request_volumes(tree: TileTree, crs: Crs | None) -> RequestVolumes | None:
    """Return the volumes that the eye must be in, in the system of the world; None without any."""
    if not tree.requests:
        return None
    rows = np.array(sorted(tree.requests), dtype=np.int64)
    corners = np.array([tree.requests[int(row)][0] for row in rows])
    if crs is not None:
        corners = GEOCENTRIC.transform(crs, corners.reshape(-1, 3)).reshape(-1, 4, 3)
    is_round = np.array([tree.requests[int(row)][1] for row in rows])
    return RequestVolumes(rows, corners[:, 0], corners[:, 1:] - corners[:, :1], is_round)


def shown_rows(tileset: Tileset, max_error: float) -> Int32:
    """Return the rows to open; a replaced tile stays where one that replaces it has lost its content."""
    if not len(tileset.parent):
        return np.zeros(0, dtype=np.int32)
    rows = tileset.refine(max_error)
    lost = set(tileset.missing)
    if not lost:
        return rows
    broken = [int(row) for row in rows if tileset.contents[row] and lost.issuperset(tileset.contents[row])]
    kept = {keeper for row in broken if (keeper := _keeper_of(tileset, row, lost)) is not None}
    below = np.zeros(len(tileset.parent), dtype=bool)
    for row in range(len(tileset.parent)):
        parent = int(tileset.parent[row])
        below[row] = parent >= 0 and (below[parent] or parent in kept)
    return np.array(sorted({int(row) for row in rows if not below[row]} | {k for k in kept if not below[k]}), dtype=np.int32)


def _keeper_of(tileset: Tileset, row: int, lost: set[str]) -> int | None:
    """Return the nearest ancestor that would have been replaced and has its content."""
    parent = int(tileset.parent[row])
    while parent >= 0:
        if tileset.replaces[parent] and tileset.contents[parent] and not lost.intersection(tileset.contents[parent]):
            return parent
        parent = int(tileset.parent[parent])
    return None


def _open(
    tileset: Tileset, tree: TileTree, rows: Int32, reader: ContentReader, options: ReadOptions, findings: Findings
) -> list[tuple[str, TileContent]]:
    """Return the contents of the rows to show, each with its reference."""
    lost = set(tileset.missing)
    opened: list[tuple[str, TileContent]] = []
    seen: set[tuple[str, bytes]] = set()
    total = 0
    for k, row in enumerate(rows):
        options.cancel.raise_if_cancelled()
        options.progress(k / len(rows))
        for reference in tileset.contents[row]:
            key = (reference, tileset.transforms[row].tobytes())
            if reference in lost or key in seen:
                continue
            seen.add(key)
            for content in reader.read(reference, tileset.transforms[row]):
                add_entity_columns(content, tree.described.get((int(row), reference), {}))
                total += content.triangle_count
                opened.append((reference, content))
        if total > MAX_TRIANGLES:
            findings.error(
                "too-many-triangles",
                "",
                "The tiles opened have more than {count} triangles; the rest is left out.",
                count=MAX_TRIANGLES,
            )
            break
    return opened


def build_city(opened: Sequence[tuple[str, TileContent]], crs: Crs | None, metadata: Any) -> CityModel:
    """Return all contents as one city model: a row per feature, one mesh ``tiles``.

    Parameters
    ----------
    opened : sequence of (str, TileContent)
    crs : Crs or None
        Projected system for earth-centred contents; None leaves coordinates as they are.
    metadata : mapping
    """
    lasting = [name for _, content in opened for name in content.lasting]
    if opened and all(len(content.lasting) == len(content.names) for _, content in opened):
        return _merged_by_name(_build_city(opened, crs, metadata, lasting))
    return _build_city(opened, crs, metadata, feature_ids(opened))


def _merged_by_name(city: CityModel) -> CityModel:
    """Return a city with one row for each identifier: a feature that lies in several tiles is one feature."""
    known: dict[str, int] = {}
    rows = np.array([known.setdefault(str(key), len(known)) for key in city.features.ids], dtype=np.int32)
    if len(known) == len(rows):
        return city
    _, first = np.unique(rows, return_index=True)
    table, mesh = city.features.take(first), city.meshes["tiles"]
    mesh = replace(mesh, feature_index=rows[mesh.feature_index])
    merged = FeatureTable(table.ids, {**table.columns, **_measured(mesh, len(known))})
    return CityModel(merged, city.parents[first], {"tiles": mesh}, city.metadata)


def _build_city(opened: Sequence[tuple[str, TileContent]], crs: Crs | None, metadata: Any, ids: Sequence[str]) -> CityModel:
    columns = merged_columns([(len(content.names), content.columns) for _, content in opened])
    tiles = as_strings(reference for reference, content in opened for _ in content.names)
    kinds = columns.pop("type", np.full(len(ids), None, dtype=object))
    kinds = kinds if kinds.dtype == object else as_strings(kinds)
    kinds = np.array([kind or "Feature" for kind in kinds], dtype=object).reshape(-1)
    mesh = _mesh(opened, crs)
    table = FeatureTable(as_strings(ids), {"type": kinds, **columns, **_measured(mesh, len(ids)), "tile": tiles})
    return CityModel(table, np.full(len(ids), -1, dtype=np.int32), {"tiles": mesh}, dict(metadata))


def _measured(mesh: TriangleMesh, count: int) -> dict[str, Float]:
    """Return what the geometry itself tells of each feature [m]: many tilesets carry no attributes at all."""
    low, high = mesh.heights(count)
    return {"measured_height": (high - low).round(2), "ground_elevation": low.round(2)}


def feature_ids(opened: Sequence[tuple[str, TileContent]]) -> list[str]:
    """Return an identifier for every feature, the same whichever other tiles are open: a lasting name where the contents have one
    that is unique, else the content and the number in it."""
    stems = _unique_stems([reference for reference, _ in opened])
    plain = [f"{stem}#{name}" if name else stem for stem, (_, content) in zip(stems, opened, strict=True) for name in content.names]
    plain = _distinct(plain)
    for column in _LASTING:
        blocks = [content.columns.get(column) for _, content in opened]
        if not any(block is not None for block in blocks):
            continue
        values: list[str | None] = []
        for block, (_, content) in zip(blocks, opened, strict=True):
            found: list[Any] = [] if block is None else block.tolist()
            values += [str(v) if isinstance(v, str) and v else None for v in found] + [None] * (len(content.names) - len(found))
        named = [value for value in values if value]
        if len(named) == len(set(named)) and not set(named).intersection(plain):
            return [value or other for value, other in zip(values, plain, strict=True)]
    return plain


def _unique_stems(references: Sequence[str]) -> list[str]:
    """Return references without their suffix; one drawn at several places is numbered."""
    times: dict[str, int] = {}
    stems: list[str] = []
    for reference in references:
        stem = str(PurePosixPath(reference).with_suffix("")) if PurePosixPath(reference).name else reference
        times[stem] = times.get(stem, 0) + 1
        stems.append(stem if times[stem] == 1 else f"{stem}~{times[stem]}")
    return stems


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) == len(names):
        return names
    taken: set[str] = set()
    out: list[str] = []
    for name in names:
        other, k = name, 1
        while other in taken:
            k += 1
            other = f"{name}~{k}"
        taken.add(other)
        out.append(other)
    return out


def _mesh(opened: Sequence[tuple[str, TileContent]], crs: Crs | None) -> TriangleMesh:
    """Return all triangles around one origin; exact in float64 until then."""
    points: list[Float] = []
    triangles: list[AnyArray] = []
    features: list[AnyArray] = []
    colors: list[AnyArray] = []
    edges: list[AnyArray] = []
    vertex_start = feature_start = 0
    for _, content in opened:
        edges.append(content.edges() + vertex_start)
        for p, t, f, color in zip(content.points, content.triangles, content.features, content.colors, strict=True):
            points.append(p)
            triangles.append(t + vertex_start)
            features.append(f + feature_start)
            colors.append(np.broadcast_to(color, (len(t), 4)))
            vertex_start += len(p)
        feature_start += len(content.names)
    if not vertex_start:
        return TriangleMesh.empty()
    world = np.concatenate(points)
    if crs is not None:
        world = GEOCENTRIC.transform(crs, world)
    rows = np.concatenate(triangles)
    owners, paint = np.concatenate(features), np.concatenate(colors)
    finite: Bool = np.asarray(np.isfinite(world).all(axis=1))
    if not finite.all():
        keep = finite[rows].all(axis=1)
        rows, owners, paint = rows[keep], owners[keep], paint[keep]
        world = np.where(finite[:, None], world, world[finite][0] if finite.any() else 0.0)
    origin = np.floor(world.min(axis=0) / 2 + world.max(axis=0) / 2)
    local = (world - origin).astype(np.float32)
    return TriangleMesh(
        local,
        rows.astype(np.int32),
        owners.astype(np.int32),
        surfaces_by_slope(local, rows),
        origin,
        np.concatenate(edges).astype(np.int32),
        colors=None if (paint == 255).all() else paint,
    )


def _result(
    file: Path,
    tileset: Tileset,
    city: CityModel,
    opened: Sequence[tuple[str, TileContent]],
    options: ReadOptions,
    crs: Crs | None,
    problems: tuple[Problem, ...],
    points: Source | None = None,
) -> ReadResult:
    mesh = city.meshes["tiles"]
    counts = {
        "tiles": len(tileset.parent),
        "contents": sum(len(each) for each in tileset.contents),
        "missing": len(tileset.missing),
        "features": len(city.features),
        "triangles": len(mesh.triangles) - sum(content.added_triangles for _, content in opened),
        "points": sum(content.point_count for _, content in opened),
        "instances": sum(content.instance_count for _, content in opened),
    }
    single = file.suffix.lower() != ".json" and not opened
    if single:
        worst = problems[0] if problems else None
        raise DataError(
            file,
            worst.template if worst else "the tile holds nothing that can be used.",
            remedy="Export or download the tile again.",
            **(worst.values if worst else {}),
        )
    name = title_of(file)
    used = options.crs_for(crs)
    sources: tuple[Source, ...] = ()
    if len(mesh.triangles):
        sources = (Source(name, LayerKind.TILES, TiledCity(tileset, city, options.max_error), used),)
    extents = [mesh.bounds] if len(mesh.triangles) else []
    if points is not None:
        sources = (*sources, points)
        extents.append(bounds_of(points.data))
    return ReadResult(
        format="3D Tiles",
        version=tileset.version or None,
        crs=None if crs is None else crs.definition,
        objects={key: count for key, count in counts.items() if count},
        extent=np.array([np.min([e[0] for e in extents], axis=0), np.max([e[1] for e in extents], axis=0)]) if extents else None,
        sources=sources,
        problems=problems,
    )


def title_of(file: Path) -> str:
    """Return what to call a layer: the name of the folder, where the file has no name of its own."""
    return file.resolve().parent.name if file.stem.lower() == "tileset" else file.stem


def surfaces_by_slope(points: Float32, triangles: AnyArray) -> UInt8:
    """Return (T,) `Surface` codes: tiles do not say what a face is, so flat and sloping ones are roofs and steep ones walls.

    Parameters
    ----------
    points : (V, 3) float32
    triangles : (T, 3) int
        Either winding: many exporters write double-sided faces without caring for it.
    """
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    steep = np.abs(normals[:, 2]) < STEEP * np.linalg.norm(normals, axis=1)
    return np.where(steep, Surface.WALL, Surface.ROOF).astype(np.uint8)


READER = TilesetReader()
