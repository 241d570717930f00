"""tileset.json -> Tileset: explicit tiles, implicit tiling and external tilesets as one tree of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, as_list, json_object, number_list
from cimdesk.formats.tiles3d_paths import JSON_BYTES, SUBTREE_BYTES, BrokenPart, TilePlace, is_json
from cimdesk.formats.tiles3d_stated import stated_crs
from cimdesk.formats.tiles3d_subtree import from_morton, read_subtree, tiles_in_levels

MAX_TILES = 1_000_000
MAX_EXTERNAL_DEPTH = 32
KNOWN_VERSIONS = ("0.0", "1.0", "1.1")
Volume: TypeAlias = tuple[Float, float, float]
"""Centre, radius, and half the height [m]."""
NO_VOLUME: Volume = (np.full(3, np.nan), np.nan, np.nan)


@dataclass
class TileTree:
    """Tiles as growing lists, parents before children.

    Attributes
    ----------
    parent, geometric_error, replaces, centres, radii, rises, contents, transforms : list
        As in `Tileset`; centres are in tileset coordinates.
    is_geocentric : bool
        Whether a region or a place on the globe says that tileset coordinates are earth-centred.
    missing : list of str
    crs : Crs or None
        Projected system the tileset says it came from.
    external, implicit_roots, explicit : int
        Counts of what was followed.
    explicit_here : int
        Tiles written in the opened file itself.
    """

    parent: list[int] = field(default_factory=list)
    geometric_error: list[float] = field(default_factory=list)
    replaces: list[bool] = field(default_factory=list)
    centres: list[Float] = field(default_factory=list)
    radii: list[float] = field(default_factory=list)
    rises: list[float] = field(default_factory=list)
    contents: list[tuple[str, ...]] = field(default_factory=list)
    transforms: list[Float] = field(default_factory=list)
    is_geocentric: bool = False
    crs: Crs | None = None
    missing: list[str] = field(default_factory=list)
    external: int = 0
    implicit_roots: int = 0
    explicit: int = 0
    explicit_here: int = 0

    def add(self, parent: int, error: float, replaces: bool, volume: Volume, contents: tuple[str, ...], matrix: Float) -> int:
        """Add one tile and return its row."""
        self.parent.append(parent)
        self.geometric_error.append(error)
        self.replaces.append(replaces)
        self.centres.append(volume[0])
        self.radii.append(volume[1])
        self.rises.append(volume[2])
        self.contents.append(contents)
        self.transforms.append(matrix)
        return len(self.parent) - 1


@dataclass(frozen=True)
class _Pending:
    """A tile still to be added, with what it inherits."""

    tile: Mapping[str, Any]
    parent: int
    replaces: bool
    matrix: Float
    parent_error: float
    base: str
    where: str


@dataclass(frozen=True)
class Stub:
    """What is read on below a row: the file it needs first, and how to go on."""

    reference: str
    limit: int
    follow: Callable[[], None]


class TreeReader:
    """Follows a tileset from its root.

    Parameters
    ----------
    folder : TilePlace
    findings : Findings
    is_lazy : bool
        Read external tilesets and subtrees only when `expand` asks for them, and take it that contents are there.

    Attributes
    ----------
    tree : TileTree
    stubs : dict of int to list of Stub
        What is still to be read below a row.
    """

    def __init__(self, folder: TilePlace, findings: Findings, is_lazy: bool = False) -> None:
        self.folder = folder
        self.findings = findings
        self.is_lazy = is_lazy
        self.tree = TileTree()
        self.stubs: dict[int, list[Stub]] = {}
        self._full = False

    def read(self, document: Mapping[str, Any], name: str) -> TileTree:
        """Return the tree of an opened tileset file called ``name``."""
        self.tree.crs = stated_crs(document)
        self._tileset(document, name, -1, np.eye(4), float("inf"), True, (name,))
        return self.tree

    def expand(self, row: int) -> None:
        """Read on below a row; nothing happens where there is nothing to read."""
        for stub in self.stubs.pop(row, ()):
            stub.follow()

    def put_off(self, row: int, stub: Stub) -> None:
        """Leave something below a row for `expand`."""
        self.stubs.setdefault(row, []).append(stub)

    def _tileset(
        self,
        document: Mapping[str, Any],
        name: str,
        parent: int,
        matrix: Float,
        error: float,
        replaces: bool,
        trail: tuple[str, ...],
    ) -> None:
        base = self.folder.base_of(name)
        root = document.get("root")
        if not isinstance(root, dict):
            self.findings.error("no-root", name, "The tileset has no root tile.")
            return
        own = self._error(document, error, name)
        stack = [_Pending(root, parent, replaces, matrix, own, base, f"{name} root")]
        while stack and not self._full:
            pending = stack.pop()
            if len(trail) == 1:
                self.tree.explicit_here += 1
            stack.extend(reversed(self._tile(pending, trail)))

    def _tile(self, at: _Pending, trail: tuple[str, ...]) -> list[_Pending]:
        """Add one explicit tile with what hangs from it; return its explicit children."""
        if len(self.tree.parent) >= MAX_TILES:
            self._stop()
            return []
        tile = at.tile
        matrix = at.matrix @ self._transform(tile, at.where)
        replaces = self._refine(tile, at.replaces, at.where)
        error = self._error(tile, at.parent_error, at.where)
        volume = self._volume(tile.get("boundingVolume"), matrix, at.where)
        self.tree.explicit += 1
        uris = self._content_uris(tile, at.where)
        if isinstance(tile.get("implicitTiling") or _old_implicit(tile), dict):
            self._implicit(at, matrix, replaces, error, uris)
            return []
        if "implicitTiling" in tile:
            self.findings.error("bad-implicit", at.where, "The implicit tiling is not an object; its tiles are left out.")
        drawn, nested = self._sorted(uris, at)
        row = self.tree.add(at.parent, error, replaces, volume, drawn, matrix)
        for reference in nested:
            if self.is_lazy:
                self.put_off(row, Stub(reference, JSON_BYTES, partial(self._external, reference, row, trail)))
            else:
                self._external(reference, row, trail)
        children = tile.get("children", [])
        if not isinstance(children, list):
            self.findings.error("bad-children", at.where, "The children are not a list; they are left out.")
            return []
        return [
            _Pending(child, row, replaces, matrix, error, at.base, f"{at.where}/{k}")
            for k, child in enumerate(children)
            if self._is_tile(child, f"{at.where}/{k}")
        ]

    def _is_tile(self, child: Any, where: str) -> bool:
        if not isinstance(child, dict):
            self.findings.error("bad-tile", where, "A child is not a tile; it is left out.")
        return isinstance(child, dict)

    def _stop(self) -> None:
        if not self._full:
            self.findings.error(
                "too-many-tiles", "", "The tileset has more than {count} tiles; the rest is left out.", count=MAX_TILES
            )
        self._full = True

    def _transform(self, tile: Mapping[str, Any], where: str) -> Float:
        if "transform" not in tile:
            return np.eye(4)
        numbers = number_list(tile["transform"], 16)
        if numbers is None:
            self.findings.error("bad-transform", where, "The transform is not sixteen numbers; it is left out.")
            return np.eye(4)
        matrix = np.array(numbers).reshape(4, 4).T
        if not np.allclose(matrix[3], (0, 0, 0, 1)) or abs(np.linalg.det(matrix[:3, :3])) < 1e-30:
            self.findings.add("bad-transform", where, "The transform is not affine or cannot be inverted.")
        return matrix

    def _refine(self, tile: Mapping[str, Any], inherited: bool, where: str) -> bool:
        value = tile.get("refine")
        if value is None:
            return inherited
        word = value.upper() if isinstance(value, str) else ""
        if value not in ("ADD", "REPLACE"):
            self.findings.add("bad-refine", where, "Refinement “{value}” should be ADD or REPLACE.", value=str(value)[:40])
        return word == "REPLACE" if word in ("ADD", "REPLACE") else inherited

    def _error(self, tile: Mapping[str, Any], inherited: float, where: str) -> float:
        value = tile.get("geometricError")
        if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value) and value >= 0:
            return float(value)
        self.findings.add("bad-geometric-error", where, "The geometric error is missing or no positive number.")
        return inherited / 2.0 if np.isfinite(inherited) else 1e6

    def _content_uris(self, tile: Mapping[str, Any], where: str) -> list[Any]:
        """Return the raw references of a tile's contents: ``content``, ``contents``, and the old ``url``."""
        found: list[Any] = []
        for name in ("content", "contents"):
            if name not in tile:
                continue
            value = tile[name]
            entries = [value] if name == "content" else value
            if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
                self.findings.error("bad-content", where, "The content of a tile is not an object; it is left out.")
                continue
            found.extend(each.get("uri", each.get("url")) for each in entries)
        multiple = as_dict(as_dict(tile.get("extensions")).get("3DTILES_multiple_contents"))
        old = multiple.get("contents", multiple.get("content"))
        found.extend(as_dict(each).get("uri") for each in as_list(old))
        return found

    def _sorted(self, uris: list[Any], at: _Pending) -> tuple[tuple[str, ...], list[str]]:
        """Return the contents to draw and the external tilesets among references; missing ones are noted."""
        drawn: list[str] = []
        nested: list[str] = []
        for uri in uris:
            try:
                reference = self.folder.reference(uri, at.base)
            except BrokenPart as broken:
                self.findings.error(broken.code, at.where, broken.template, **broken.values)
                continue
            if not self.is_lazy and not self.folder.exists(reference):
                self.tree.missing.append(reference)
                self.findings.error("missing-content", at.where, "“{uri}” is not there.", uri=reference[:120])
                drawn.append(reference)
            elif is_json(reference):
                nested.append(reference)
            else:
                drawn.append(reference)
        return tuple(drawn), nested

    def _external(self, reference: str, parent: int, trail: tuple[str, ...]) -> None:
        if reference in trail or len(trail) > MAX_EXTERNAL_DEPTH:
            self.findings.error("tileset-cycle", reference, "The tilesets refer to each other in a circle; it is followed once.")
            return
        try:
            document = json_object(self.folder.read(reference, JSON_BYTES))
        except BrokenPart as broken:
            self.findings.error(broken.code, reference, broken.template, **broken.values)
            return
        tree = self.tree
        tree.external += 1
        matrix, error, replaces = tree.transforms[parent], tree.geometric_error[parent], tree.replaces[parent]
        self._tileset(document, reference, parent, matrix, error, replaces, (*trail, reference))

    # -- bounding volumes -------------------------------------------------------------------------

    def _volume(self, volume: Any, matrix: Float, where: str) -> Volume:
        """Return the bounding sphere of a box, sphere or region in tileset coordinates; NaN when there is none to read."""
        entry = as_dict(volume)
        if (box := number_list(entry.get("box"), 12)) is not None:
            return _box_sphere(np.array(box), matrix)
        if (sphere := number_list(entry.get("sphere"), 4)) is not None:
            centre, radius = _moved(np.array(sphere[:3]), abs(sphere[3]), matrix)
            return centre, radius, radius
        if (region := number_list(entry.get("region"), 6)) is not None:
            if not _is_region(region):
                self.findings.add("bad-volume", where, "The region is outside the globe.")
                return NO_VOLUME
            self.tree.is_geocentric = True
            return region_sphere(region)
        self.findings.add("bad-volume", where, "The bounding volume is missing or broken.")
        return NO_VOLUME

    # -- implicit tiling --------------------------------------------------------------------------

    def _implicit(self, at: _Pending, matrix: Float, replaces: bool, error: float, uris: list[Any]) -> None:
        tiling = as_dict(at.tile.get("implicitTiling") or _old_implicit(at.tile))
        self.tree.implicit_roots += 1
        dimensions = {"QUADTREE": 2, "OCTREE": 3}.get(str(tiling.get("subdivisionScheme")), 0)
        levels = as_int(tiling.get("subtreeLevels"), 0)
        available = as_int(tiling.get("availableLevels", tiling.get("maximumLevel")), 0)
        template = as_dict(tiling.get("subtrees")).get("uri")
        if not dimensions or not 1 <= levels <= 12 or not 1 <= available <= 40 or not isinstance(template, str):
            self.findings.error("bad-implicit", at.where, "The implicit tiling is broken; its tiles are left out.")
            return
        work = _ImplicitWork(self, at, matrix, replaces, error, uris, dimensions, levels, available, template)
        if self.is_lazy:
            volume = self._volume(at.tile.get("boundingVolume"), matrix, at.where)
            work.put_off(self.tree.add(at.parent, error, replaces, volume, (), matrix), 0, (0,) * dimensions)
            return
        work.run()
        if not work.rows:
            self.tree.add(at.parent, error, replaces, self._volume(at.tile.get("boundingVolume"), matrix, at.where), (), matrix)


@dataclass
class _ImplicitWork:
    """Walks the subtrees below one implicit root."""

    reader: TreeReader
    at: _Pending
    matrix: Float
    replaces: bool
    error: float
    uris: list[Any]
    dimensions: int
    levels: int
    available: int
    template: str
    rows: dict[tuple[int, ...], int] = field(default_factory=dict)
    above: dict[tuple[int, ...], int] = field(default_factory=dict)

    def run(self) -> None:
        """Add every available tile."""
        stack: list[tuple[int, tuple[int, ...]]] = [(0, (0,) * self.dimensions)]
        seen: set[tuple[int, tuple[int, ...]]] = set()
        while stack and not self.reader._full:
            level, place = stack.pop()
            if (level, place) in seen or level >= self.available:
                continue
            seen.add((level, place))
            stack.extend(self._subtree(level, place))

    def put_off(self, row: int, level: int, place: tuple[int, ...]) -> None:
        """Leave the subtree at a place for later, below a row that stands for its top."""
        self.above[(level, *place)] = row
        try:
            reference = self.reader.folder.reference(_filled(self.template, level, place), self.at.base)
        except BrokenPart as broken:
            self.reader.findings.error(broken.code, f"subtree {level} {place}", broken.template, **broken.values)
            return
        self.reader.put_off(row, Stub(reference, SUBTREE_BYTES, partial(self._follow, level, place)))

    def _follow(self, level: int, place: tuple[int, ...]) -> None:
        """Add the tiles of one subtree, and a row for each subtree below it."""
        for below, child in self._subtree(level, place):
            parent = self.rows.get((below - 1, *(axis >> 1 for axis in child)))
            if parent is None or len(self.reader.tree.parent) >= MAX_TILES:
                continue
            volume = implicit_sphere(as_dict(self.at.tile.get("boundingVolume")), below, child, self.matrix)
            error = self.error / 2.0**below
            self.put_off(self.reader.tree.add(parent, error, self.replaces, volume, (), self.matrix), below, child)

    def _subtree(self, level: int, place: tuple[int, ...]) -> list[tuple[int, tuple[int, ...]]]:
        """Add the tiles of one subtree file; return the subtrees below."""
        folder, findings = self.reader.folder, self.reader.findings
        try:
            reference = folder.reference(_filled(self.template, level, place), self.at.base)
            base = folder.base_of(reference)

            def resolve(uri: str) -> bytes:
                return folder.read(folder.reference(uri, base), SUBTREE_BYTES)

            subtree = read_subtree(folder.read(reference, SUBTREE_BYTES), self.levels, 2**self.dimensions, resolve)
        except BrokenPart as broken:
            findings.error(broken.code, f"subtree {level} {place}", broken.template, **broken.values)
            return []
        branching = 2**self.dimensions
        for depth in range(min(self.levels, self.available - level)):
            start = tiles_in_levels(depth, branching)
            codes = np.flatnonzero(subtree.tiles[start : start + branching**depth])
            below = from_morton(codes, self.dimensions) + np.array(place) * 2**depth
            for code, coordinates in zip((codes + start).tolist(), below.tolist(), strict=True):
                if len(self.reader.tree.parent) >= MAX_TILES:
                    self.reader._stop()
                    return []
                has = [content[code] for content in subtree.contents]
                self._tile(level + depth, tuple(coordinates), has)
        if level + self.levels >= self.available:
            return []
        children = from_morton(np.flatnonzero(subtree.children), self.dimensions) + np.array(place) * 2**self.levels
        return [(level + self.levels, tuple(child)) for child in children.tolist()]

    def _tile(self, level: int, place: tuple[int, ...], has: list[Any]) -> None:
        uris = [_filled(uri, level, place) for uri, there in zip(self.uris, has, strict=False) if there and isinstance(uri, str)]
        pending = _Pending({}, -1, self.replaces, self.matrix, self.error, self.at.base, f"tile {level} {place}")
        drawn, nested = self.reader._sorted(uris, pending)
        if nested:
            self.reader.findings.add(
                "implicit-external", pending.where, "An external tileset inside implicit tiling is not followed."
            )
        above = self.above.get((level, *place))
        parent = self.rows.get((level - 1, *(axis >> 1 for axis in place)), self.at.parent) if above is None else above
        volume = implicit_sphere(as_dict(self.at.tile.get("boundingVolume")), level, place, self.matrix)
        error = self.error / 2.0**level
        self.rows[(level, *place)] = self.reader.tree.add(parent, error, self.replaces, volume, drawn, self.matrix)


def _old_implicit(tile: Mapping[str, Any]) -> Any:
    return as_dict(tile.get("extensions")).get("3DTILES_implicit_tiling")


def _filled(template: str, level: int, place: tuple[int, ...]) -> str:
    text = template.replace("{level}", str(level))
    for name, value in zip("xyz", place, strict=False):
        text = text.replace("{" + name + "}", str(value))
    return text


def _moved(centre: Float, radius: float, matrix: Float) -> tuple[Float, float]:
    scale = float(np.linalg.norm(matrix[:3, :3], 2))
    return matrix[:3, :3] @ centre + matrix[:3, 3], radius * scale


def _box_sphere(box: Float, matrix: Float) -> Volume:
    axes = box[3:].reshape(3, 3)
    centre, radius = _moved(box[:3], float(np.linalg.norm(np.linalg.norm(axes, axis=1))), matrix)
    far = float(np.linalg.norm(centre))
    up = centre / far if far > 6.3e6 else np.array([0.0, 0.0, 1.0])
    return centre, radius, min(float(np.abs((axes @ matrix[:3, :3].T) @ up).sum()), radius)


def _is_region(region: list[float]) -> bool:
    west, south, east, north = region[:4]
    return abs(west) <= 6.3 and abs(east) <= 6.3 and abs(south) <= 1.5709 and abs(north) <= 1.5709


def region_sphere(region: list[float]) -> Volume:
    """Return the earth-centred sphere around west, south, east, north [rad] and the two heights [m], and half its height."""
    west, south, east, north, low, high = region
    if east < west:
        east += 2 * np.pi
    longitudes, latitudes = np.meshgrid(np.linspace(west, east, 3), np.linspace(south, north, 3))
    points = np.concatenate([geocentric(longitudes.ravel(), latitudes.ravel(), height) for height in (low, high)])
    centre = geocentric(np.array([(west + east) / 2]), np.array([(south + north) / 2]), (low + high) / 2)[0]
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    # Over a wide region the ground itself bends away.
    return centre, radius, min(abs(high - low) / 2.0 + radius**2 / 1.27e7, radius)


def geocentric(longitudes: Float, latitudes: Float, height: float) -> Float:
    """Return (N, 3) earth-centred metres on the WGS 84 ellipsoid of angles [rad]."""
    a, e2 = 6378137.0, 6.69437999014e-3
    normal = a / np.sqrt(1 - e2 * np.sin(latitudes) ** 2)
    return np.column_stack([
        (normal + height) * np.cos(latitudes) * np.cos(longitudes),
        (normal + height) * np.cos(latitudes) * np.sin(longitudes),
        (normal * (1 - e2) + height) * np.sin(latitudes),
    ])  # fmt: skip


def implicit_sphere(volume: Mapping[str, Any], level: int, place: tuple[int, ...], matrix: Float) -> Volume:
    """Return the bounding sphere of an implicit tile: its share of the root's region or box."""
    parts = 2**level
    if (region := number_list(volume.get("region"), 6)) is not None and _is_region(region):
        west, south, east, north, low, high = region
        width, depth = (east - west) / parts, (north - south) / parts
        heights = [low, high]
        if len(place) == 3:
            heights = [low + (high - low) * (place[2] + k) / parts for k in (0, 1)]
        corner = (west + width * place[0], south + depth * place[1])
        return region_sphere([corner[0], corner[1], corner[0] + width, corner[1] + depth, *heights])
    if (box := number_list(volume.get("box"), 12)) is not None:
        values = np.array(box)
        axes = values[3:].reshape(3, 3).copy()
        centre = values[:3].copy()
        for axis, index in enumerate(place):
            centre += axes[axis] * ((2 * index + 1) / parts - 1)
            axes[axis] /= parts
        return _box_sphere(np.concatenate([centre, axes.ravel()]), matrix)
    return NO_VOLUME
