"""tileset.json -> Tileset: explicit tiles, implicit tiling and external tilesets as one tree of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, json_object, number_list
from cimdesk.formats.tiles3d_entities import Entities
from cimdesk.formats.tiles3d_implicit import ImplicitWork, old_implicit
from cimdesk.formats.tiles3d_paths import JSON_BYTES, MISSING, BrokenPart, TilePlace, is_json
from cimdesk.formats.tiles3d_rows import MAX_TILES, Pending, Stub, TileTree, content_entries
from cimdesk.formats.tiles3d_rules import check_document, check_entity, check_extensions, extensions_in
from cimdesk.formats.tiles3d_stated import stated_crs
from cimdesk.formats.tiles3d_volumes import NO_VOLUME, Volume, read_volume, request_volume

MAX_EXTERNAL_DEPTH = 32
KNOWN_VERSIONS = ("0.0", "1.0", "1.1")


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
        self.is_full = False
        self._extensions: set[str] = set()
        self._suffixes: set[str] = set()

    def read(self, document: Mapping[str, Any], name: str) -> TileTree:
        """Return the tree of an opened tileset file called ``name``."""
        self.tree.crs = stated_crs(document)
        self._tileset(document, name, -1, np.eye(4), float("inf"), True, (name,))
        return self.tree

    @property
    def has_room(self) -> bool:
        """Whether more tiles may be added."""
        return len(self.tree.parent) < MAX_TILES

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
        stack = [Pending(root, parent, replaces, matrix, own, base, f"{name} root", entities)]
        while stack and not self.is_full:
            pending = stack.pop()
            if len(trail) == 1:
                self.tree.explicit_here += 1
            stack.extend(reversed(self._tile(pending, trail)))
        check_extensions(document, self._extensions, self._suffixes, self.findings, name)
        self._extensions, self._suffixes = outer

    def _tile(self, at: Pending, trail: tuple[str, ...]) -> list[Pending]:
        """Add one explicit tile with what hangs from it; return its explicit children."""
        if not self.has_room:
            self.stop()
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
        if isinstance(tile.get("implicitTiling") or old_implicit(tile), dict):
            self._implicit(at, matrix, replaces, error, uris, trail)
            return []
        if "implicitTiling" in tile:
            self.findings.error("bad-implicit", at.where, "The implicit tiling is not an object; its tiles are left out.")
        drawn, nested = self.sorted_references(uris, at)
        row = self.tree.add(at.parent, error, replaces, volume, drawn, matrix)
        self.request(row, tile, matrix, at.where)
        for entry in content_entries(tile):
            at.entities.check_content(entry, self.findings, at.where)
        if at.entities:
            self._describe(row, tile, at)
        self.follow(nested, row, trail)
        children = tile.get("children", [])
        if not isinstance(children, list):
            self.findings.error("bad-children", at.where, "The children are not a list; they are left out.")
            return []
        return [
            Pending(child, row, replaces, matrix, error, at.base, f"{at.where}/{k}", at.entities)
            for k, child in enumerate(children)
            if self._is_tile(child, f"{at.where}/{k}")
        ]

    def follow(self, nested: list[str], row: int, trail: tuple[str, ...]) -> None:
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

    def stop(self) -> None:
        if not self.is_full:
            self.findings.error(
                "too-many-tiles", "", "The tileset has more than {count} tiles; the rest is left out.", count=MAX_TILES
            )
        self.is_full = True

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
        return [entry.get("uri", entry.get("url")) for entry in content_entries(tile)]

    def sorted_references(self, uris: list[Any], at: Pending) -> tuple[tuple[str, ...], list[str]]:
        """Return the contents to draw and the external tilesets among references; missing ones are noted."""
        drawn: list[str] = []
        nested: list[str] = []
        for uri in uris:
            try:
                reference = self.folder.reference(uri, at.base)
            except BrokenPart as broken:
                self.findings.error(broken.code, at.where, broken.template, remedy=broken.remedy, **broken.values)
                continue
            self._suffixes.add(PurePosixPath(reference.split("?", 1)[0].lower()).suffix)
            if not self.is_lazy and not self.folder.exists(reference):
                self.tree.missing.append(reference)
                self.findings.error(
                    "missing-content",
                    at.where,
                    "“{uri}” is not there.",
                    remedy=MISSING,
                    uri=reference[:120],
                )
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
            self.findings.error(broken.code, reference, broken.template, remedy=broken.remedy, **broken.values)
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

    def request(self, row: int, tile: Mapping[str, Any], matrix: Float, where: str) -> None:
        """Note the volume that the eye must be in for a tile to be shown."""
        if "viewerRequestVolume" not in tile:
            return
        found = request_volume(as_dict(tile["viewerRequestVolume"]), matrix)
        if found is None:
            self.findings.add("bad-volume", where, "The volume for the viewer is broken; the tile is shown from everywhere.")
        else:
            self.tree.requests[row] = found

    def _describe(self, row: int, tile: Mapping[str, Any], at: Pending) -> None:
        """Note the metadata of a tile and its contents."""
        for entry in content_entries(tile):
            try:
                reference = self.folder.reference(entry.get("uri", entry.get("url")), at.base)
            except BrokenPart:
                continue
            values = at.entities.of_content(tile, entry)
            if values:
                self.tree.described[row, reference] = values

    # -- implicit tiling --------------------------------------------------------------------------

    def _implicit(self, at: Pending, matrix: Float, replaces: bool, error: float, uris: list[Any], trail: tuple[str, ...]) -> None:
        tiling = as_dict(at.tile.get("implicitTiling") or old_implicit(at.tile))
        self.tree.implicit_roots += 1
        dimensions = {"QUADTREE": 2, "OCTREE": 3}.get(str(tiling.get("subdivisionScheme")), 0)
        levels = as_int(tiling.get("subtreeLevels"), 0)
        available = as_int(tiling.get("availableLevels", tiling.get("maximumLevel")), 0)
        template = as_dict(tiling.get("subtrees")).get("uri")
        if not dimensions or not 1 <= levels <= 12 or not 1 <= available <= 40 or not isinstance(template, str):
            self.findings.error("bad-implicit", at.where, "The implicit tiling is broken; its tiles are left out.")
            return
        work = ImplicitWork(self, at, matrix, replaces, error, uris, dimensions, levels, available, template, trail)
        if self.is_lazy:
            volume = self._volume(at.tile.get("boundingVolume"), matrix, at.where)
            row = self.tree.add(at.parent, error, replaces, volume, (), matrix)
            self.request(row, at.tile, matrix, at.where)
            work.put_off(row, 0, (0,) * dimensions)
            return
        work.run()
        if not work.rows:
            self.tree.add(at.parent, error, replaces, self._volume(at.tile.get("boundingVolume"), matrix, at.where), (), matrix)
