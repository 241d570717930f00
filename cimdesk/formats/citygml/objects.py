"""City objects: who is part of whom, with which attributes, surfaces and placed shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cimdesk.formats.citygml.attributes import AttributeReader, Attributes, address_text
from cimdesk.formats.citygml.builder import CityBuilder
from cimdesk.formats.citygml.geometry import NO_LOD, Target
from cimdesk.formats.citygml.names import (
    FEATURES,
    GEOMETRIES,
    GML,
    HREF,
    IDS,
    KINDS,
    LOCAL_NAMES,
    PROPERTIES,
    Property,
    Role,
    split_tag,
)
from cimdesk.formats.citygml.stream import Contents
from cimdesk.formats.citygml.usual import UsualSurfaces
from cimdesk.model.mesh import Surface

MAX_DEPTH = 60
MAX_LINKS = 12
MINOR = frozenset(
    {"creationDate", "terminationDate", "name", "description", "externalReference", "relativeToTerrain", "relativeToWater"}
)
"""Said of the feature as well, so not kept for each of its surfaces."""


@dataclass
class _Link:
    """A link to something in another member, followed when the whole file has been read."""

    target: Target
    flip: bool
    placing: tuple[list[float], list[str]] | None = None


@dataclass
class _Feature:
    """What is known of the feature being read."""

    row: int
    attributes: Attributes
    drawn: dict[int, set[str]] = field(default_factory=dict)
    surfaces: list[Attributes] = field(default_factory=list)
    targets: dict[tuple[str, int], Target] = field(default_factory=dict)

    def target(self, name: str, kind: int, lod: int) -> Target:
        """Return the target for surfaces of a kind in a level of detail."""
        found = self.targets[name, kind] = Target(self.row, lod, kind, self.drawn.setdefault(lod, set()))
        return found


class ObjectReader:
    """Reads member elements into a `CityBuilder`.

    Attributes
    ----------
    open_links : dict of str to list
        Links to ids that the member they stand in does not have.
    """

    def __init__(self, builder: CityBuilder, attributes: AttributeReader, contents: Contents) -> None:
        self.open_links: dict[str, list[_Link]] = {}
        self._builder = builder
        self._attributes = attributes
        self._member: Any = None
        self._ids: dict[str, Any] | None = None
        self._depth = 0
        self._roles: dict[str, str] = {}
        self._usual = UsualSurfaces(builder.count_surfaces)
        self._has_colors = contents.has(b"surfaceData")
        ids = tuple(name for name, uri in zip(IDS, GML, strict=True) if uri.removeprefix("http://www.").encode() in contents.gml)
        needs_ids = contents.has(b"href") or contents.has(b"surfaceData")
        id_names = (ids or IDS) if needs_ids else ()
        builder.meshes.expect(contents.systems, contents.is_plain, id_names, contents.has_flat or not contents.is_plain)
        builder.meshes.follow_links(self.follow)

    def read(self, member: Any) -> None:
        """Read every city object in a member."""
        self._member, self._ids = member, None
        targets = self._builder.palette.read(member) if self._has_colors else {}
        collector = self._builder.meshes.collector
        before = collector.materials
        if targets:
            collector.materials = {**before, **targets}
        for child in member:
            self._read_object(child, -1, 0)
        collector.materials = before
        self._member = self._ids = None

    def follow(self, link: str, target: Target, flip: bool) -> None:
        """Add the surfaces a link points to, unless the feature has them already."""
        file, _, name = link.rpartition("#")
        if file or not name:
            self._builder.findings.add("external-link", link[:80], "A link leads out of the file; it is not followed.")
            return
        if name in target.drawn:
            return
        found = self._find(name)
        if found is None and self._builder.meshes.is_in_shape:
            self._builder.findings.error("missing-link", name, "A link leads to {id}, which is not there.", id=name)
        elif found is None:
            self.open_links.setdefault(name, []).append(_Link(target, flip))
        else:
            target.drawn.add(name)
            self.add_linked(found, target, flip)

    def add_linked(self, found: Any, target: Target, flip: bool) -> None:
        """Add the surfaces of an element that a link pointed to."""
        if self._depth >= MAX_LINKS:
            self._builder.findings.error(
                "circular-link", self._builder.names[target.row], "Links lead in circles; they are not followed."
            )
            return
        self._depth += 1
        kind, collector = target.kind or _kind_around(found), self._builder.meshes.collector
        counted = collector.polygons
        self._builder.meshes.add(found, Target(target.row, target.lod, kind, target.drawn), flip)
        collector.polygons = counted
        self._depth -= 1

    def resolve(self, member: Any) -> None:
        """Read again, from another member, what links were left open for."""
        self._member, self._ids = member, None
        for element in member.iter():
            name = element.get(IDS[0]) or element.get(IDS[1])
            for link in self.open_links.pop(name, ()) if name else ():
                if link.placing is None:
                    self.add_linked(element, link.target, link.flip)
                else:
                    self._place(element, link.target, *link.placing)
        self._member = self._ids = None

    def _find(self, name: str) -> Any:
        if self._ids is None:
            self._ids = {}
            for element in self._member.iter():
                if key := element.get(IDS[0]) or element.get(IDS[1]):
                    self._ids.setdefault(key, element)
        return self._ids.get(name)

    def _read_object(self, element: Any, parent: int, depth: int) -> int:
        """Read one feature and everything in it; return its row, or -1 for what is no feature."""
        if not isinstance(element.tag, str):
            return -1
        name = LOCAL_NAMES[element.tag]
        if name in ("Version", "VersionTransition"):
            self._builder.add_version(name, element, self._attributes)
        if name in ("Version", "VersionTransition", "Appearance"):
            return -1
        row = self._builder.add_feature(element, name, parent)
        feature = _Feature(row, self._builder.attributes[row])
        own: list[tuple[Any, Property]] = []
        meshes = self._builder.meshes
        is_usual = meshes.is_single and not meshes.collector.has_flat
        for prop in self._usual.take(element, meshes.collector, self._target_in(feature)) if is_usual else element:
            found = PROPERTIES[prop.tag]
            if found.role:
                if found.is_shape and (len(prop) or prop.get(HREF)):
                    own.append((prop, found))
                else:
                    self._read_special(prop, found, feature, depth)
            elif not len(prop) or not self._read_children(prop, found, feature, depth):
                self._attributes.read(prop, found, feature.attributes)
        # Last, for a solid may consist of links to the surfaces of the walls and roofs.
        for prop, found in own:
            self._read_geometry(prop, found, feature, int(KINDS.get(name, Surface.UNKNOWN)))
            if found.name == "grid":
                self._attributes.read(prop, found, feature.attributes)
        if feature.surfaces:
            feature.attributes["surfaces"] = feature.surfaces
        meshes.settle()
        return row

    def _read_special(self, prop: Any, found: Property, feature: _Feature, depth: int) -> None:
        """Take a property of a feature that has a role of its own."""
        role = found.role
        if role == Role.ENVELOPE:
            for envelope in prop:
                self._builder.meshes.meet_system(envelope.get("srsName"))
        elif role == Role.GENERIC:
            self._attributes.read_generic(prop, feature.attributes)
        elif role == Role.ADDRESS:
            if text := address_text(prop):
                before = feature.attributes.get("address")
                feature.attributes["address"] = f"{before}; {text}" if before else text
        elif role == Role.GROUP_MEMBER:
            self._read_group_member(prop, feature, depth)
        elif role != Role.SKIP:
            self._attributes.read(prop, found, feature.attributes)

    def _read_children(self, prop: Any, found: Property, feature: _Feature, depth: int) -> bool:
        """Read the objects in a property; return whether they were more than values."""
        is_object = False
        for child in prop:
            what = self._what(child)
            if what == "surface":
                self._read_surface(child, feature, depth + 1)
            elif what == "feature" and depth < MAX_DEPTH:
                self._read_object(child, feature.row, depth + 1)
            elif what == "geometry":
                self._builder.meshes.add(child, self._target(found.lod or NO_LOD, feature, Surface.UNKNOWN))
            else:
                continue
            is_object = True
        return is_object

    def _what(self, element: Any) -> str:
        """Return whether an element is a ``surface``, a ``feature``, a ``geometry`` or only ``values``."""
        tag = element.tag
        known = self._roles.get(tag)
        if known is None:
            uri, name = split_tag(tag)
            if name in KINDS:
                known = "surface"
            elif name in FEATURES:
                known = "feature"
            elif uri in GML:
                known = "geometry" if name in GEOMETRIES else "values"
            else:
                known = "open" if name[:1].isupper() else "values"
            self._roles[tag] = known
        if known != "open":
            return known
        # An object of an extension is a feature when it has a shape.
        has_shape = any(len(prop) and PROPERTIES[prop.tag].is_shape for prop in element)
        return "feature" if has_shape else "values"

    def _read_surface(self, element: Any, feature: _Feature, depth: int) -> None:
        """Read a thematic surface, its openings, and what is said of it alone."""
        name = LOCAL_NAMES[element.tag]
        kind = KINDS[name]
        self._builder.types[name] += 1
        said: Attributes = {}
        for prop in element:
            found = PROPERTIES[prop.tag]
            if found.is_shape and (len(prop) or prop.get(HREF)):
                self._read_geometry(prop, found, feature, kind)
            elif found.role == Role.GENERIC:
                self._attributes.read_generic(prop, said)
            elif found.role == Role.OTHER and found.name not in MINOR:
                is_value = depth > MAX_DEPTH or not len(prop)
                if is_value or not self._read_children(prop, found, feature, depth):
                    self._attributes.read(prop, found, said)
        if said:
            key = element.get(IDS[0]) or element.get(IDS[1])
            feature.surfaces.append({"type": name, **({"id": key} if key else {}), **said})

    def _read_geometry(self, prop: Any, found: Property, feature: _Feature, kind: int) -> None:
        """Take the shape that a property of a feature or surface holds."""
        lod = found.lod or str(feature.attributes.get("lod", NO_LOD))
        target = feature.targets.get((lod, kind)) or self._target(lod, feature, kind)
        if not len(prop):
            self.follow(prop.get(HREF), target, False)
            return
        for child in prop:
            if found.role == Role.IMPLICIT and LOCAL_NAMES[child.tag] == "ImplicitGeometry":
                self._read_implicit(child, target)
            else:
                self._builder.meshes.add(child, target)

    def _target_in(self, feature: _Feature) -> Callable[[str, int], Target]:
        return lambda lod, kind: feature.targets.get((lod, kind)) or self._target(lod, feature, kind)

    def _target(self, lod: str, feature: _Feature, kind: int) -> Target:
        return feature.target(lod, kind, self._builder.meshes.collector.lod(lod))

    def _read_implicit(self, element: Any, target: Target) -> None:
        """Place a shape that is shared by many objects."""
        matrix: list[float] = []
        anchor: list[str] = []
        shape = link = library = None
        for prop in element:
            name = LOCAL_NAMES[prop.tag]
            if name == "transformationMatrix":
                matrix = _numbers(" ".join(prop.itertext()))
            elif name == "referencePoint":
                anchor = next((part.text or "" for part in prop.iter("{*}pos", "{*}coordinates")), "").replace(",", " ").split()
            elif name in ("relativeGMLGeometry", "relativeGeometry"):
                shape, link = next(iter(prop), None), prop.get(HREF)
            elif name == "libraryObject":
                library = (prop.text or "").strip()
        if shape is not None:
            self._place(shape, target, matrix, anchor)
        elif link:
            self._place_linked(link.rpartition("#")[2], target, matrix, anchor)
        else:
            text = "The shape lies in another file, which is not drawn: {file}."
            self._builder.findings.add("library-object", self._builder.names[target.row], text, file=(library or "?")[:200])

    def _place_linked(self, name: str, target: Target, matrix: list[float], anchor: list[str]) -> None:
        if self._builder.meshes.has_shape(name, target.lod):
            self._builder.meshes.place(name, target, matrix, anchor)
        elif (shape := self._find(name)) is not None:
            self._place(shape, target, matrix, anchor)
        else:
            self.open_links.setdefault(name, []).append(_Link(target, False, (matrix, anchor)))

    def _place(self, shape: Any, target: Target, matrix: list[float], anchor: list[str]) -> None:
        name = shape.get(IDS[0]) or shape.get(IDS[1]) or ""
        name = self._builder.meshes.add_shape(name, shape, target.lod)
        self._builder.meshes.place(name, target, matrix, anchor)

    def _read_group_member(self, prop: Any, feature: _Feature, depth: int) -> None:
        group = self._builder.names[feature.row]
        if link := prop.get(HREF):
            self._builder.groups.setdefault(link.rpartition("#")[2], group)
        for child in prop if depth < MAX_DEPTH else ():
            row = self._read_object(child, -1, depth + 1)
            if row >= 0:
                self._builder.groups.setdefault(self._builder.names[row], group)


def _kind_around(element: Any) -> int:
    """Return the kind of the thematic surface an element lies in."""
    for around in element.iterancestors():
        kind = KINDS.get(LOCAL_NAMES[around.tag])
        if kind is not None:
            return kind
    return Surface.UNKNOWN


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split()]
    except ValueError:
        return []
