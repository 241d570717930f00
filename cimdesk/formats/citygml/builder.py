"""Puts a city model together while the file streams by: rows, hierarchy, groups, versions and attribute columns."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.formats.citygml.appearance import Palette
from cimdesk.formats.citygml.attributes import AttributeReader, Attributes
from cimdesk.formats.citygml.meshes import MeshBuilder
from cimdesk.formats.citygml.names import HREF, IDS, LOCAL_NAMES, PROPERTIES
from cimdesk.formats.findings import Findings
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings, column_of

MAX_COLUMNS = 300
REST = "other attributes"


class CityBuilder:
    """Collects features and their shapes.

    Parameters
    ----------
    findings : Findings
    palette : Palette
        Takes colours and pictures.

    Attributes
    ----------
    findings : Findings
    types : Counter of str
        City objects and thematic surfaces per type as written.
    names : list of str
        Id of each feature row.
    attributes : list of dict
        Of each feature row.
    groups : dict of str to str
        Group of an object, by id.
    palette : Palette
    meshes : MeshBuilder
    extent : (2, 3) float64 or None
        World bounds, once the model is built.
    """

    def __init__(self, findings: Findings, palette: Palette) -> None:
        self.findings = findings
        self.types: Counter[str] = Counter()
        self.names: list[str] = []
        self.attributes: list[Attributes] = []
        self.groups: dict[str, str] = {}
        self.palette = palette
        self.meshes = MeshBuilder(findings, self.palette, self.names)
        self.extent: Float | None = None
        self._kinds: list[str] = []
        self._parents: list[int] = []
        self._rows: dict[str, int] = {}
        self._versions: list[Attributes] = []
        self._members_of: dict[str, list[str]] = {}

    def add_feature(self, element: Any, kind: str, parent: int) -> int:
        """Add a row for a city object; return it."""
        row = len(self.names)
        key = name = element.get(IDS[0]) or element.get(IDS[1]) or f"{kind}_{row + 1}"
        if key in self._rows:
            name = next(f"{key}~{k}" for k in range(2, row + 3) if f"{key}~{k}" not in self._rows)
            self.findings.add("duplicate-id", key, "Id {id} occurs again; it is read as {name}.", id=key, name=name)
        self._rows[name] = row
        self.names.append(name)
        self.types[kind] += 1
        self._kinds.append(kind)
        self._parents.append(parent)
        self.attributes.append({})
        return row

    def count_surfaces(self, kinds: list[str]) -> None:
        """Count thematic surfaces by their names."""
        self.types.update(kinds)

    def add_version(self, kind: str, element: Any, reader: AttributeReader) -> None:
        """Take a version of the city, or a transition between two."""
        said: Attributes = {"kind": kind}
        for prop in element:
            found = PROPERTIES[prop.tag]
            if found.name == "versionMember":
                self._members_of.setdefault((prop.get(HREF) or "").rpartition("#")[2], []).append(_tag_of(element))
            else:
                reader.read(prop, found, said)
        self.types[kind] += 1
        self._versions.append(said)

    def build(self, metadata: Attributes, reader: AttributeReader) -> CityModel:
        """Return the model; nothing may be added afterwards."""
        meshes, self.extent = self.meshes.finish()
        collector = self.meshes.collector
        for name, count in (("points", collector.points), ("lines", collector.lines), ("grids", collector.grids)):
            if count:
                metadata[name] = count
        if collector.points:
            self.findings.info("not-drawn", "", "Points are counted but not drawn: {count}.", count=collector.points)
        if collector.lines:
            self.findings.info("not-drawn", "", "Lines are counted but not drawn: {count}.", count=collector.lines)
        self.palette.pictures.tell()
        if self.palette.textures:
            metadata["textures"] = self.palette.textures
        if self._versions:
            metadata["versions"] = self._versions
        metadata["polygons"] = collector.polygons
        self._note_relations()
        return CityModel(self._table(reader), np.array(self._parents, dtype=np.int32), meshes, metadata)

    def _note_relations(self) -> None:
        """Write groups and versions into the rows of their members."""
        for name, group in self.groups.items():
            if name in self._rows:
                self.attributes[self._rows[name]]["group"] = group
            else:
                self.findings.add("missing-object", group, "It names {child} as its part, which is not there.", child=name)
        for name, tags in self._members_of.items():
            if name in self._rows:
                self.attributes[self._rows[name]]["version"] = "; ".join(tags)

    def _table(self, reader: AttributeReader) -> FeatureTable:
        counts: Counter[str] = Counter()
        for row in self.attributes:
            counts.update(row.keys())
        kept = counts
        columns: dict[str, AnyArray] = {"type": _texts(self._kinds)}
        if len(counts) > MAX_COLUMNS:
            kept = Counter(dict(counts.most_common(MAX_COLUMNS)))
            self.findings.add(
                "too-many-attributes",
                "",
                "{count} different attributes; the rare ones are kept together in one column.",
                count=len(counts),
            )
            columns[REST] = column_of([{k: v for k, v in row.items() if k not in kept} or None for row in self.attributes])
        for name in kept:
            values = [row.get(name) for row in self.attributes]
            if name in reader.guessed and name not in reader.codes:
                values = _guessed(values)
            columns[f"attributes.{name}" if name in columns else name] = _column(values)
        return FeatureTable(as_strings(self.names), columns)


def _tag_of(version: Any) -> str:
    tag = next((child.text for child in version if LOCAL_NAMES[child.tag] == "tag" and child.text), None)
    return str(tag or version.get(IDS[0]) or version.get(IDS[1]) or "").strip()


def _guessed(values: list[Any]) -> list[Any]:
    """Return numbers where every text is one and would read the same again."""
    texts = [value for value in values if value is not None]
    for kind in (int, float):
        try:
            if all(isinstance(text, str) and _is_plain(text) and kind(text) is not None for text in texts):
                return [None if value is None else kind(value) for value in values]
        except ValueError:
            continue
    return values


def _is_plain(text: str) -> bool:
    digits = text.lstrip("-")
    return (
        digits.replace(".", "", 1).isdigit()
        and digits.isascii()
        and len(digits) < 16
        and not (digits[0] == "0" and digits[1:2].isdigit())
    )


def _column(values: list[Any]) -> AnyArray:
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {str}:
        return _texts(values)
    if str in kinds and kinds <= {str, int, float}:
        return _texts([None if value is None else str(value) for value in values])
    return column_of(values)


def _texts(values: list[Any]) -> AnyArray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
