"""Implicit tiling: the tiles that subtree files say there are, with the volumes they state of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.formats.gltf_json import as_dict, number_list
from cimdesk.formats.tiles3d_entities import StatedTile, SubtreeEntities
from cimdesk.formats.tiles3d_paths import SUBTREE_BYTES, BrokenPart
from cimdesk.formats.tiles3d_rows import Growing, Pending, Stub, content_entries
from cimdesk.formats.tiles3d_subtree import from_morton, read_subtree, tiles_in_levels
from cimdesk.formats.tiles3d_volumes import FoundVolume, Volume, implicit_sphere, read_volumes


@dataclass
class ImplicitWork:
    """Walks the subtrees below one implicit root."""

    reader: Growing
    at: Pending
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
    states_volumes: bool = False

    def run(self) -> None:
        """Add every available tile."""
        stack: list[tuple[int, tuple[int, ...]]] = [(0, (0,) * self.dimensions)]
        seen: set[tuple[int, tuple[int, ...]]] = set()
        while stack and not self.reader.is_full:
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
            self.reader.findings.error(
                broken.code, f"subtree {level} {place}", broken.template, remedy=broken.remedy, **broken.values
            )
            return
        self.reader.put_off(row, Stub(reference, SUBTREE_BYTES, partial(self._follow, level, place)))

    def _follow(self, level: int, place: tuple[int, ...]) -> None:
        """Add the tiles of one subtree, and a row for each subtree below it."""
        for below, child in self._subtree(level, place):
            parent = self.rows.get((below - 1, *(axis >> 1 for axis in child)))
            if parent is None or not self.reader.has_room:
                continue
            # Where tiles state their own volumes, those below may lie anywhere in that of the one above.
            volume = self.reader.tree.volume(parent) if self.states_volumes else self._share(below, child)
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
            findings.error(broken.code, f"subtree {level} {place}", broken.template, remedy=broken.remedy, **broken.values)
            return []
        entities = SubtreeEntities.of(subtree, self.at.entities, findings, reference)
        branching = 2**self.dimensions
        for depth in range(min(self.levels, self.available - level)):
            start = tiles_in_levels(depth, branching)
            codes = np.flatnonzero(subtree.tiles[start : start + branching**depth])
            below = from_morton(codes, self.dimensions) + np.array(place) * 2**depth
            stated = [entities.stated(code) for code in (codes + start).tolist()]
            volumes = read_volumes([each.volume for each in stated], self.matrix)
            for code, coordinates, said, own in zip((codes + start).tolist(), below.tolist(), stated, volumes, strict=True):
                if not self.reader.has_room:
                    self.reader.stop()
                    return []
                has = [content[code] for content in subtree.contents]
                row = self._tile(level + depth, tuple(coordinates), has, said, own)
                if entities:
                    self._describe(row, code, level + depth, tuple(coordinates), entities)
        if level + self.levels >= self.available:
            return []
        children = from_morton(np.flatnonzero(subtree.children), self.dimensions) + np.array(place) * 2**self.levels
        return [(level + self.levels, tuple(child)) for child in children.tolist()]

    def _describe(self, row: int, code: int, level: int, place: tuple[int, ...], entities: SubtreeEntities) -> None:
        """Note the metadata of a tile and its contents."""
        entries = content_entries(self.at.tile)
        for k, (entry, uri) in enumerate(zip(entries, self.uris, strict=False)):
            values = entities.of_content(code, k, entry)
            if values and isinstance(uri, str):
                try:
                    reference = self.reader.folder.reference(_filled(uri, level, place), self.at.base)
                except BrokenPart:
                    continue
                self.reader.tree.described[row, reference] = values

    def _share(self, level: int, place: tuple[int, ...], heights: tuple[float, float] | None = None) -> Volume:
        whole = as_dict(self.at.tile.get("boundingVolume"))
        region = number_list(whole.get("region"), 6)
        if heights is not None and region is not None and len(place) == 2:
            whole = {"region": [*region[:4], *heights]}
        return implicit_sphere(whole, level, place, self.matrix)

    def _tile(self, level: int, place: tuple[int, ...], has: list[Any], stated: StatedTile, own: FoundVolume | None) -> int:
        uris = [_filled(uri, level, place) for uri, there in zip(self.uris, has, strict=False) if there and isinstance(uri, str)]
        pending = Pending({}, -1, self.replaces, self.matrix, self.error, self.at.base, f"tile {level} {place}", self.at.entities)
        drawn, nested = self.reader.sorted_references(uris, pending)
        above = self.above.get((level, *place))
        parent = self.rows.get((level - 1, *(axis >> 1 for axis in place)), self.at.parent) if above is None else above
        self.states_volumes |= own is not None
        volume = own.volume if own is not None and np.isfinite(own.volume[1]) else self._share(level, place, stated.heights)
        error = self.error / 2.0**level if stated.geometric_error is None else stated.geometric_error
        replaces = self.replaces if stated.replaces is None else stated.replaces
        row = self.reader.tree.add(parent, error, replaces, volume, drawn, self.matrix)
        self.rows[(level, *place)] = row
        self.reader.follow(nested, row, self.trail)
        if level == 0:
            self.reader.request(row, self.at.tile, self.matrix, self.at.where)
        return row


def old_implicit(tile: Mapping[str, Any]) -> Any:
    return as_dict(tile.get("extensions")).get("3DTILES_implicit_tiling")


def _filled(template: str, level: int, place: tuple[int, ...]) -> str:
    text = template.replace("{level}", str(level))
    for name, value in zip("xyz", place, strict=False):
        text = text.replace("{" + name + "}", str(value))
    return text
