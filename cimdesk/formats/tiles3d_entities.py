"""Metadata of tilesets, tiles, contents and groups, as values that every feature of a content has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Int
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, as_list
from cimdesk.formats.gltf_metadata import PropertyTables
from cimdesk.formats.metadata_schema import Schema, entity_values
from cimdesk.formats.tiles3d_content import TileContent
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.formats.tiles3d_rules import check_entity
from cimdesk.formats.tiles3d_subtree import Subtree
from cimdesk.model.features import column_of, plain_value


@dataclass(frozen=True)
class Entities:
    """What a tileset file says of itself, its groups, tiles and contents. False when it says nothing of the kind.

    Attributes
    ----------
    schema : Schema
    tileset : dict
    groups : list of dict
    """

    schema: Schema = field(default_factory=Schema)
    tileset: dict[str, Any] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def of(document: Mapping[str, Any], resolve: Callable[[str], bytes], findings: Findings, where: str) -> Entities:
        """Return the metadata of a tileset file; a schema that cannot be read is noted."""
        old = as_dict(as_dict(document.get("extensions")).get("3DTILES_metadata"))
        owner = document if "schema" in document or "schemaUri" in document else old
        try:
            schema = Schema.of(owner, resolve)
        except BrokenPart as broken:
            findings.add("bad-schema", where, "The schema of the metadata is left out: {reason}", reason=broken.message)
            schema = Schema()
        if "metadata" in document:
            check_entity(document["metadata"], schema, findings, where)
        for k, group in enumerate(as_list(document.get("groups"))):
            check_entity(group, schema, findings, f"{where} group {k}")
        groups = document.get("groups", old.get("groups"))
        listed = list(groups.values()) if isinstance(groups, dict) else as_list(groups)
        return Entities(
            schema, entity_values(document.get("metadata", old.get("tileset")), schema), [entity_values(g, schema) for g in listed]
        )

    def __bool__(self) -> bool:
        return bool(self.schema.classes or self.groups)

    def check_content(self, content: Mapping[str, Any], findings: Findings, where: str) -> None:
        """Note what is wrong with the metadata and the group of a content."""
        if "metadata" in content:
            check_entity(content["metadata"], self.schema, findings, where)
        if "group" in content and not 0 <= as_int(content["group"], -1) < len(self.groups):
            findings.add("bad-group", where, "A content belongs to group {group}, of which there are {count}.",
                         group=str(content["group"])[:20], count=len(self.groups))  # fmt: skip

    def of_content(self, tile: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a tile, one of its contents and that one's group, with what they belong to in their names."""
        own = entity_values(_entity(content, "metadata"), self.schema)
        of_tile = entity_values(_entity(tile, "metadata"), self.schema)
        return {**_named("tile", of_tile), **_named("content", own), **self.of_group(content)}

    def of_group(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the group of a content."""
        group = as_int(content.get("group"), -1)
        return _named("group", self.groups[group]) if 0 <= group < len(self.groups) else {}


@dataclass(frozen=True)
class StatedTile:
    """What a subtree says of one tile that the standard gives a meaning to (3D Metadata Semantic Reference); None for nothing.

    Attributes
    ----------
    volume : dict
        As in tileset.json; empty for the tile's share of the root's.
    heights : (float, float) or None
        Lowest and highest place [m] of what has its share of the root's region.
    geometric_error : float or None
    replaces : bool or None
    """

    volume: dict[str, Any] = field(default_factory=dict)
    heights: tuple[float, float] | None = None
    geometric_error: float | None = None
    replaces: bool | None = None


_NOTHING = StatedTile()
_VOLUMES = {"TILE_BOUNDING_BOX": ("box", 12), "TILE_BOUNDING_REGION": ("region", 6), "TILE_BOUNDING_SPHERE": ("sphere", 4)}
REPLACE = 1.0
"""What TILE_REFINE is for REPLACE; 0 for ADD."""
_MEANT = ("TILE_", "CONTENT_")


@dataclass(frozen=True)
class SubtreeEntities:
    """Metadata of the tiles and contents of one subtree. False when there is none.

    Attributes
    ----------
    entities : Entities
    tables : dict of str to ((N,) int64, dict of str to column)
        For ``tile`` and for each content by its number: the row of each tile in the table, -1 for none, and the columns.
    meant : dict of str to array
        What the table of the tiles says by semantic.
    """

    entities: Entities
    tables: dict[str, tuple[Int, dict[str, AnyArray]]]
    meant: dict[str, AnyArray] = field(default_factory=dict)

    @staticmethod
    def of(subtree: Subtree, entities: Entities, findings: Findings, where: str) -> SubtreeEntities:
        """Return the metadata of a subtree; what cannot be read is noted."""
        document = subtree.document
        tables: dict[str, tuple[Int, dict[str, AnyArray]]] = {}
        meant: dict[str, AnyArray] = {}
        if entities and as_list(document.get("propertyTables")):
            known = PropertyTables(document, subtree.view, entities.schema)
            wanted = [("tile", document.get("tileMetadata"), subtree.tiles)]
            listed = zip(as_list(document.get("contentMetadata")), subtree.contents, strict=False)
            wanted += [(str(k), index, there) for k, (index, there) in enumerate(listed)]
            for name, index, there in wanted:
                if not isinstance(index, int) or not 0 <= index < len(known):
                    continue
                try:
                    count, columns = known.rows(index), known.columns(index, findings, where)
                    if name == "tile":
                        meant = known.stated(index, "TILE_")
                except BrokenPart as broken:
                    findings.add(broken.code, where, broken.template, remedy=broken.remedy, **broken.values)
                    continue
                rows = np.where(there, np.cumsum(there) - 1, -1)
                # What has a meaning for the tile itself says nothing of the features in it.
                described = entities.schema.properties(known.class_name(index))
                said = {key: values for key, values in columns.items() if not _is_meant(described.get(key))}
                tables[name] = (np.where(rows < count, rows, -1), said)
        return SubtreeEntities(entities, tables, meant)

    def __bool__(self) -> bool:
        return bool(self.tables or self.entities.groups)

    def stated(self, code: int) -> StatedTile:
        """Return what is said of the tile at a place in the subtree that the standard gives a meaning to."""
        row = int(self.tables["tile"][0][code]) if self.meant else -1
        if row < 0:
            return _NOTHING
        volume: dict[str, Any] = {}
        for semantic, (name, width) in _VOLUMES.items():
            values = self.meant.get(semantic)
            if values is not None and values.ndim == 2 and values.shape[1] == width:
                volume[name] = values[row].tolist()
        error, refine = self._number("TILE_GEOMETRIC_ERROR", row), self._number("TILE_REFINE", row)
        low, high = self._number("TILE_MINIMUM_HEIGHT", row), self._number("TILE_MAXIMUM_HEIGHT", row)
        return StatedTile(
            volume,
            (low, high) if low is not None and high is not None and low <= high else None,
            error if error is not None and error >= 0.0 else None,
            None if refine is None else refine == REPLACE,
        )

    def _number(self, semantic: str, row: int) -> float | None:
        values = self.meant.get(semantic)
        return float(values[row]) if values is not None and values.ndim == 1 and np.isfinite(values[row]) else None

    def of_content(self, code: int, number: int, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the tile at a place in the subtree, one of its contents and that one's group."""
        found = self.entities.of_group(content)
        for name, key in (("tile", "tile"), ("content", str(number))):
            rows, columns = self.tables.get(key, (None, {}))
            row = -1 if rows is None else int(rows[code])
            if row >= 0:
                found |= _named(name, {each: plain_value(values[row]) for each, values in columns.items()})
        return found


def add_entity_columns(content: TileContent, values: Mapping[str, Any]) -> None:
    """Give every feature of a content the values of what it lies in."""
    for name, value in values.items():
        if value is not None:
            content.columns.setdefault(name, column_of([value] * len(content.names)))


def _entity(owner: Mapping[str, Any], name: str) -> Any:
    return owner.get(name, as_dict(owner.get("extensions")).get("3DTILES_metadata"))


def _named(owner: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{owner}.{name}": value for name, value in values.items()}


def _is_meant(kind: Any) -> bool:
    return str(as_dict(kind).get("semantic", "")).startswith(_MEANT)
