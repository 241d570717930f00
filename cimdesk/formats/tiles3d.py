"""3D Tiles 1.0 and 1.1 from a folder or an archive: the tree, opened to a chosen error and placed in metres, as a TiledCity."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int32
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, Problem
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, json_object
from cimdesk.formats.registry import ReadOptions, ReadResult, Source
from cimdesk.formats.tiles3d_archive import MAGIC, TilesetArchive, holds_tileset, is_archive_name
from cimdesk.formats.tiles3d_city import GEOCENTRIC, build_city
from cimdesk.formats.tiles3d_content import ContentReader, TileContent
from cimdesk.formats.tiles3d_entities import add_entity_columns
from cimdesk.formats.tiles3d_paths import CONTENT_BYTES, JSON_BYTES, BrokenPart, TilePlace, TilesetFolder, is_json
from cimdesk.formats.tiles3d_points import points_source
from cimdesk.formats.tiles3d_ranges import stated_names, stated_ranges
from cimdesk.formats.tiles3d_rows import TileTree
from cimdesk.formats.tiles3d_stated import stated_error
from cimdesk.formats.tiles3d_tree import KNOWN_VERSIONS, TreeReader
from cimdesk.formats.tiles3d_volumes import NO_VOLUME
from cimdesk.model.city import CityModel
from cimdesk.model.layers import LayerKind
from cimdesk.model.tileset import RequestVolumes, TiledCity, Tileset
from cimdesk.model.workspace import bounds_of

EARTH = (6.3e6, 6.5e6)
MAX_TRIANGLES = 60_000_000
_MAGICS = (b"b3dm", b"cmpt", b"i3dm", b"pnts")


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
        crs = projected_by_contents(opened)
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
        raise DataError(file, broken.template, remedy=broken.remedy, **broken.values) from broken
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


def projected_by_contents(opened: Sequence[tuple[str, TileContent]]) -> Crs | None:
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
    axes = np.array(tree.axes[start:], dtype=np.float64).reshape(-1, 3, 3)
    if crs is not None:
        finite = np.isfinite(centres).all(axis=1)
        ends = GEOCENTRIC.transform(crs, (centres[finite, None] + axes[finite]).reshape(-1, 3)).reshape(-1, 3, 3)
        centres[finite] = GEOCENTRIC.transform(crs, centres[finite])
        axes[finite] = ends - centres[finite, None]
    fresh: dict[str, Any] = {
        "parent": np.array(tree.parent[start:], dtype=np.int32),
        "geometric_error": np.array(tree.geometric_error[start:], dtype=np.float64),
        "replaces": np.array(tree.replaces[start:], dtype=bool),
        "centres": centres,
        "radii": np.array(tree.radii[start:], dtype=np.float64),
        "transforms": np.array(tree.transforms[start:], dtype=np.float64).reshape(-1, 4, 4),
        "rises": np.array(tree.rises[start:], dtype=np.float64),
        "reaches": np.abs(axes[:, :, :2]).sum(axis=1),
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
            "ranges": stated_ranges(document),
            "values": stated_names(document),
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


READER = TilesetReader()
