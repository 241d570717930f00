"""tileset.json -> Tileset: explicit tiles, implicit tiling and external tilesets as one tree of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.crs import Crs
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, as_list, json_object, number_list
from cimdesk.formats.tiles3d_entities import Entities, SubtreeEntities
from cimdesk.formats.tiles3d_paths import JSON_BYTES, SUBTREE_BYTES, BrokenPart, TilePlace, is_json
from cimdesk.formats.tiles3d_rules import check_document, check_entity, check_extensions, extensions_in
from cimdesk.formats.tiles3d_stated import stated_crs
from cimdesk.formats.tiles3d_subtree import from_morton, read_subtree, tiles_in_levels
from cimdesk.formats.tiles3d_volumes import NO_VOLUME, Volume, implicit_sphere, read_volume, request_volume

MAX_TILES = 1_000_000
MAX_EXTERNAL_DEPTH = 32
KNOWN_VERSIONS = ("0.0", "1.0", "1.1")


@dataclass
class TileTree:
    """Tiles as growing lists, parents before children.

    Attributes
    ----------
    parent, geometric_error, replaces, centres, radii, rises, contents, transforms : list
        As in `Tileset`; centres are in tileset coordinates.
    axes : list of (3, 3) float64
        Half axes of a box around each tile, in tileset coordinates.
    is_geocentric : bool
        Whether a region or a place on the globe says that tileset coordinates are earth-centred.
    requests : dict of int to ((4, 3) float64, bool)
        Volumes the eye must be in for a row to be shown, as `request_volume` gives them.
    described : dict of (int, str) to dict
        Metadata of a tile, its content and the content's group, by row and reference.
    entity : dict
        Metadata of the tileset that was opened.
    crs : Crs or None
        Projected system the tileset says it came from.
    missing : list of str
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
    axes: list[Float] = field(default_factory=list)
    contents: list[tuple[str, ...]] = field(default_factory=list)
    transforms: list[Float] = field(default_factory=list)
    is_geocentric: bool = False
    requests: dict[int, tuple[Float, bool]] = field(default_factory=dict)
    described: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    entity: dict[str, Any] = field(default_factory=dict)
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
        self.axes.append(volume[3])
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
    entities: Entities


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
        self._extensions: set[str] = set()
        self._suffixes: set[str] = set()

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
        entities = Entities.of(document, lambda uri: self.folder.read(self.folder.reference(uri, base), JSON_BYTES),
                               self.findings, name)  # fmt: skip
        if len(trail) == 1:
            self.tree.entity = entities.tileset
        check_document(document, self.findings, name)
        outer = self._extensions, self._suffixes
        self._extensions, self._suffixes = set(), set()
        stack = [_Pending(root, parent, replaces, matrix, own, base, f"{name} root", entities)]
        while stack and not self._full:
            pending = stack.pop()
            if len(trail) == 1:
                self.tree.explicit_here += 1
            stack.extend(reversed(self._tile(pending, trail)))
        check_extensions(document, self._extensions, self._suffixes, self.findings, name)
        self._extensions, self._suffixes = outer

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
        if error > at.parent_error:
            self.findings.add("bad-geometric-error", at.where, "The geometric error is larger than that of the tile above.")
        self.tree.explicit += 1
        self._extensions.update(extensions_in(tile))
        if "metadata" in tile:
            check_entity(tile["metadata"], at.entities.schema, self.findings, at.where)
        uris = self._content_uris(tile, at.where)
        if isinstance(tile.get("implicitTiling") or _old_implicit(tile), dict):
            self._implicit(at, matrix, replaces, error, uris, trail)
            return []
        if "implicitTiling" in tile:
            self.findings.error("bad-implicit", at.where, "The implicit tiling is not an object; its tiles are left out.")
        drawn, nested = self._sorted(uris, at)
        row = self.tree.add(at.parent, error, replaces, volume, drawn, matrix)
        self._request(row, tile, matrix, at.where)
        for entry in _content_entries(tile):
            at.entities.check_content(entry, self.findings, at.where)
        if at.entities:
            self._describe(row, tile, at)
        self._follow(nested, row, trail)
        children = tile.get("children", [])
        if not isinstance(children, list):
            self.findings.error("bad-children", at.where, "The children are not a list; they are left out.")
            return []
        return [
            _Pending(child, row, replaces, matrix, error, at.base, f"{at.where}/{k}", at.entities)
            for k, child in enumerate(children)
            if self._is_tile(child, f"{at.where}/{k}")
        ]

    def _follow(self, nested: list[str], row: int, trail: tuple[str, ...]) -> None:
        """Read external tilesets below a row, or leave them for `expand`."""
        for reference in nested:
            if self.is_lazy:
                self.put_off(row, Stub(reference, JSON_BYTES, partial(self._external, reference, row, trail)))
            else:
                self._external(reference, row, trail)

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
        if not np.allclose(matrix[3], (0, 0, 0, 1)):
            self.findings.add("bad-transform", where, "The transform is not affine.")
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
        for name in ("content", "contents"):
            value = tile.get(name, [])
            entries = value if name == "contents" or value == [] else [value]
            if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
                self.findings.error("bad-content", where, "The content of a tile is not an object; it is left out.")
        return [entry.get("uri", entry.get("url")) for entry in _content_entries(tile)]

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
            self._suffixes.add(PurePosixPath(reference.split("?", 1)[0].lower()).suffix)
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
        """Return the bounding sphere of a tile in tileset coordinates; NaN when there is none to read."""
        found = read_volume(as_dict(volume), matrix)
        if found is None:
            self.findings.add("bad-volume", where, "The bounding volume is missing or broken.")
            return NO_VOLUME
        if not np.isfinite(found.volume[1]):
            self.findings.add("bad-volume", where, "The region is outside the globe.")
        self.tree.is_geocentric |= found.is_geocentric
        return found.volume

    def _request(self, row: int, tile: Mapping[str, Any], matrix: Float, where: str) -> None:
        """Note the volume that the eye must be in for a tile to be shown."""
        if "viewerRequestVolume" not in tile:
            return
        found = request_volume(as_dict(tile["viewerRequestVolume"]), matrix)
        if found is None:
            self.findings.add("bad-volume", where, "The volume for the viewer is broken; the tile is shown from everywhere.")
        else:
            self.tree.requests[row] = found

    def _describe(self, row: int, tile: Mapping[str, Any], at: _Pending) -> None:
        """Note the metadata of a tile and its contents."""
        for entry in _content_entries(tile):
            try:
                reference = self.folder.reference(entry.get("uri", entry.get("url")), at.base)
            except BrokenPart:
                continue
            values = at.entities.of_content(tile, entry)
            if values:
                self.tree.described[row, reference] = values

    # -- implicit tiling --------------------------------------------------------------------------

    def _implicit(self, at: _Pending, matrix: Float, replaces: bool, error: float, uris: list[Any], trail: tuple[str, ...]) -> None:
        tiling = as_dict(at.tile.get("implicitTiling") or _old_implicit(at.tile))
        self.tree.implicit_roots += 1
        dimensions = {"QUADTREE": 2, "OCTREE": 3}.get(str(tiling.get("subdivisionScheme")), 0)
        levels = as_int(tiling.get("subtreeLevels"), 0)
        available = as_int(tiling.get("availableLevels", tiling.get("maximumLevel")), 0)
        template = as_dict(tiling.get("subtrees")).get("uri")
        if not dimensions or not 1 <= levels <= 12 or not 1 <= available <= 40 or not isinstance(template, str):
            self.findings.error("bad-implicit", at.where, "The implicit tiling is broken; its tiles are left out.")
            return
        work = _ImplicitWork(self, at, matrix, replaces, error, uris, dimensions, levels, available, template, trail)
        if self.is_lazy:
            volume = self._volume(at.tile.get("boundingVolume"), matrix, at.where)
            row = self.tree.add(at.parent, error, replaces, volume, (), matrix)
            self._request(row, at.tile, matrix, at.where)
            work.put_off(row, 0, (0,) * dimensions)
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
    trail: tuple[str, ...]
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
        entities = SubtreeEntities.of(subtree, self.at.entities, findings, reference)
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
                row = self._tile(level + depth, tuple(coordinates), has)
                if entities:
                    self._describe(row, code, level + depth, tuple(coordinates), entities)
        if level + self.levels >= self.available:
            return []
        children = from_morton(np.flatnonzero(subtree.children), self.dimensions) + np.array(place) * 2**self.levels
        return [(level + self.levels, tuple(child)) for child in children.tolist()]

    def _describe(self, row: int, code: int, level: int, place: tuple[int, ...], entities: SubtreeEntities) -> None:
        """Note the metadata of a tile and its contents."""
        entries = _content_entries(self.at.tile)
        for k, (entry, uri) in enumerate(zip(entries, self.uris, strict=False)):
            values = entities.of_content(code, k, entry)
            if values and isinstance(uri, str):
                try:
                    reference = self.reader.folder.reference(_filled(uri, level, place), self.at.base)
                except BrokenPart:
                    continue
                self.reader.tree.described[row, reference] = values

    def _tile(self, level: int, place: tuple[int, ...], has: list[Any]) -> int:
        uris = [_filled(uri, level, place) for uri, there in zip(self.uris, has, strict=False) if there and isinstance(uri, str)]
        pending = _Pending({}, -1, self.replaces, self.matrix, self.error, self.at.base, f"tile {level} {place}", self.at.entities)
        drawn, nested = self.reader._sorted(uris, pending)
        above = self.above.get((level, *place))
        parent = self.rows.get((level - 1, *(axis >> 1 for axis in place)), self.at.parent) if above is None else above
        volume = implicit_sphere(as_dict(self.at.tile.get("boundingVolume")), level, place, self.matrix)
        error = self.error / 2.0**level
        row = self.reader.tree.add(parent, error, self.replaces, volume, drawn, self.matrix)
        self.rows[(level, *place)] = row
        self.reader._follow(nested, row, self.trail)
        if level == 0:
            self.reader._request(row, self.at.tile, self.matrix, self.at.where)
        return row


def _content_entries(tile: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a tile's contents, those of the extension of 1.0 too."""
    several = as_dict(as_dict(tile.get("extensions")).get("3DTILES_multiple_contents"))
    found = [tile.get("content"), *as_list(tile.get("contents")), *as_list(several.get("contents", several.get("content")))]
    return [each for each in found if isinstance(each, dict)]


def _old_implicit(tile: Mapping[str, Any]) -> Any:
    return as_dict(tile.get("extensions")).get("3DTILES_implicit_tiling")


def _filled(template: str, level: int, place: tuple[int, ...]) -> str:
    text = template.replace("{level}", str(level))
    for name, value in zip("xyz", place, strict=False):
        text = text.replace("{" + name + "}", str(value))
    return text
