"""The surfaces inside GML geometry, whichever of its many shapes they are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cimdesk.base.arrays import Float
from cimdesk.formats.citygml.names import HREF, IDS, PARTS, Part
from cimdesk.formats.citygml.pictures import PicturePlaces
from cimdesk.formats.citygml.rings import Rings
from cimdesk.formats.findings import Findings
from cimdesk.formats.surface_arrays import SurfaceArrays

MAX_LODS = 32
MAX_DEPTH = 40
NO_LOD = "?"
# Enumerations are looked up thirty times slower than plain numbers, and this is done for every element.
POLYGON, PATCH, GROUP = int(Part.POLYGON), int(Part.PATCH), int(Part.GROUP)
LINK, POSITIONS, POSITION = int(Part.LINK), int(Part.POSITIONS), int(Part.POSITION)
POLYGONS = frozenset(tag for tag, part in PARTS.items() if part == POLYGON)
POSITION_LISTS = frozenset(tag for tag, part in PARTS.items() if part == POSITIONS)


@dataclass(slots=True)
class Target:
    """Whose surfaces are being read.

    Attributes
    ----------
    row : int
        Feature they belong to.
    lod : int
        From `GeometryCollector.lod`.
    kind : int
        `Surface` code.
    drawn : set of str
        Ids of the surfaces the feature already has in this level.
    """

    row: int
    lod: int
    kind: int
    drawn: set[str]


class _State:
    """Where in a geometry the reading is, and what holds for all of it."""

    def __init__(self, geometry: Any, flip: bool, dimension: str | None, material: int) -> None:
        self.geometry, self.flip, self.material = geometry, flip, material
        self.dimension = self.inherited = dimension
        self.holder = ""
        self.ring: Any = None
        self.has_reversible = False

    def is_turned(self, element: Any) -> bool:
        """Return whether a surface is to be turned round: an odd number of things around it say so."""
        turned = self.flip
        while self.has_reversible and element is not None:
            if element.get("orientation") == "-" and PARTS.get(element.tag) == Part.REVERSIBLE:
                turned = not turned
            element = None if element is self.geometry else element.getparent()
        return turned


class GeometryCollector:
    """Takes GML geometries one by one and gives them back as arrays, many at once.

    Parameters
    ----------
    findings : Findings

    Attributes
    ----------
    follow : callable
        Called with a link, the target and whether to turn the surface round; adds what the link points to.
    polygons, points, lines, grids : int
        Seen so far; points, lines and grids make no surfaces.
    lod_names : dict of str to int
    materials : dict of str to int
        Colour of surfaces by their id.
    id_names : tuple of bytes
        Attributes to look for ids in; none where nothing refers to them.
    has_flat : bool
        Coordinates may have two numbers.
    rings : Rings
        What waits.
    """

    def __init__(self, findings: Findings) -> None:
        self.follow: Callable[[str, Target, bool], None] = _stay
        self.polygons = self.points = self.lines = self.grids = 0
        self.lod_names: dict[str, int] = {}
        self.materials: dict[str, int] = {}
        self.id_names = IDS
        self.has_flat = True
        self._findings = findings
        self.rings = Rings(findings)

    def __len__(self) -> int:
        """Return how many rings wait."""
        return len(self.rings.texts)

    def lod(self, name: str) -> int:
        """Return the code of a level of detail."""
        if name not in self.lod_names and len(self.lod_names) >= MAX_LODS:
            name = NO_LOD
        return self.lod_names.setdefault(name, len(self.lod_names))

    def add(self, geometry: Any, target: Target, flip: bool = False) -> None:
        """Take every surface in ``geometry``, an element of GML.

        Parameters
        ----------
        geometry : element
        target : Target
        flip : bool
            Turn the surfaces round.
        """
        self._walk(geometry, target, flip, geometry.get("srsDimension") if self.has_flat else None, -1, 0)

    def add_members(self, members: Any, target: Target, material: int = -1) -> None:
        """Take the surfaces in members of a group, none of them a link, whose coordinates have three numbers each."""
        for member in self._add_plain(members, target, material):
            for child in member:
                self._walk(child, target, False, None, material, 1)

    def take(self, laid: PicturePlaces, names: Sequence[str]) -> tuple[SurfaceArrays, Float] | None:
        """Return what waits and its (V, 3) vertices as written, then start anew; None when nothing waits.

        Parameters
        ----------
        laid : PicturePlaces
        names : sequence of str
            Of the features, for findings.
        """
        rings, self.rings = self.rings, Rings(self._findings)
        return rings.arrays(list(self.lod_names), laid, names) if rings.runs else None

    def _walk(self, element: Any, target: Target, flip: bool, dimension: str | None, material: int, depth: int) -> None:
        """Go straight down to the polygons of the usual aggregates; leave everything unusual to `_search`."""
        part = PARTS.get(element.tag)
        if part == POLYGON and self._add_polygon(element, target, flip, dimension, material):
            return
        if part != GROUP or depth > MAX_DEPTH:
            self._search(element, target, flip, dimension, material)
            return
        if self.id_names and (name := self._id(element)):
            target.drawn.add(name)
            if self.materials:
                material = self.materials.get(name, material)
        drawn = target.drawn
        for member in element if flip or self.has_flat else self._add_plain(element[:], target, material):
            if len(member):
                for child in member:
                    self._walk(child, target, flip, dimension, material, depth + 1)
            elif (link := member.get(HREF)) and not (link[0] == "#" and link[1:] in drawn):
                self.follow(link, target, flip)

    def _add_plain(self, members: Any, target: Target, material: int) -> list[Any]:
        """Take the members that are one polygon without holes, as by far the most are; return the others.

        Every step is written out: calls would take longer than what they do.
        """
        others = []
        rings = self.rings
        texts, add_text = rings.texts, rings.texts.append
        id_names, given, drawn = self.id_names, self.materials, target.drawn
        before = len(texts)
        painted = {}
        for member in members:
            text = None
            inside = len(member)
            if inside == 1:
                polygon = member[0]
                if len(polygon) == 1 and polygon.tag in POLYGONS:
                    boundary = polygon[0]
                    if len(boundary) == 1:
                        ring = boundary[0]
                        if len(ring) == 1:
                            positions = ring[0]
                            text = positions.text if positions.tag in POSITION_LISTS else None
            elif not inside:
                # A solid is often all links to what its walls and roofs have brought already.
                link = member.get(HREF)
                if link and link[0] == "#" and link[1:] in drawn:
                    continue
            if not text:
                others.append(member)
                continue
            for id_name in id_names:
                if name := polygon.get(id_name):
                    drawn.add(name)
                    if given and name in given:
                        painted[len(texts) - before] = given[name]
            add_text(text)
        if count := len(texts) - before:
            rings.add_surfaces(before, count, (target.row, target.lod, target.kind, material), painted)
            self.polygons += count
        return others

    def _add_polygon(self, polygon: Any, target: Target, flip: bool, dimension: str | None, material: int) -> bool:
        """Take a polygon whose rings are lists of positions; return whether it is one."""
        lists = []
        for boundary in polygon:
            if len(boundary) != 1:
                return False
            ring = boundary[0]
            if len(ring) != 1:
                return False
            positions = ring[0]
            if PARTS.get(positions.tag) != POSITIONS:
                return False
            lists.append(positions)
        self._begin(self._id(polygon) if self.id_names else None, target, flip, material)
        if self.has_flat:
            dimension = polygon.get("srsDimension") or dimension
            for positions in lists:
                self.rings.add_positions(positions, positions.get("srsDimension") or dimension, True)
        else:
            for positions in lists:
                self.rings.add_positions(positions, None, True)
        return True

    def _id(self, element: Any) -> str | None:
        for name in self.id_names:
            if found := element.get(name):
                return str(found)
        return None

    def _search(self, geometry: Any, target: Target, flip: bool, dimension: str | None, material: int) -> None:
        """Take the surfaces of a geometry of any shape, element by element."""
        state = _State(geometry, flip, dimension, material)
        part_of, is_open = PARTS.get, False
        for element in geometry.iter():
            part = part_of(element.tag)
            if part is None:
                continue
            if part == LINK:
                if not len(element) and (link := element.get(HREF)):
                    self.follow(link, target, state.is_turned(element))
            elif part == POSITIONS:
                if is_open:
                    # A ring of curves goes on: where one ends the next begins, and the place said twice does no harm.
                    is_new = state.ring is None or element.getparent().tag.endswith("LinearRing")
                    self.rings.add_positions(element, element.get("srsDimension") or state.dimension, is_new)
                else:
                    self.lines += 1
            elif part <= PATCH:
                name = state.holder if part == PATCH else self._id(element)
                self._begin(name, target, state.is_turned(element), state.material)
                state.dimension = element.get("srsDimension") or state.inherited
                state.ring, is_open = None, True
            elif part == POSITION:
                if is_open:
                    self._add_position(element, state)
            else:
                is_open = self._note(part, element, target, state, is_open)

    def _begin(self, name: str | None, target: Target, flip: bool, material: int) -> None:
        """Start a surface."""
        rings = self.rings
        self.polygons += 1
        if name:
            target.drawn.add(name)
            if self.materials:
                material = self.materials.get(name, material)
        rings.runs += (len(rings.texts), 1, target.row, target.lod, target.kind, material, flip)

    def _add_position(self, element: Any, state: _State) -> None:
        """Take one position of a ring written position by position."""
        parent = element.getparent()
        is_new = state.ring is None or (parent is not state.ring and parent.tag.endswith("LinearRing"))
        if is_new:
            state.ring = parent
        self.rings.add_positions(element, element.get("srsDimension") or state.dimension, is_new)

    def _note(self, part: int, element: Any, target: Target, state: _State, is_open: bool) -> bool:
        """Take note of what stands around or instead of surfaces; return whether positions still belong to one."""
        if part == Part.RING:
            if is_open:
                self.rings.begin_ring()
                state.ring = element
            return is_open
        if part == Part.CURVE and is_open and state.ring is not None:
            return True
        if part == Part.COORDINATES:
            if is_open:
                self.rings.add_old_positions(element)
            return is_open
        if part == Part.HOLDER:
            state.holder = self._id(element) or ""
            if self.materials:
                state.material = self.materials.get(state.holder, state.material)
        elif part in (Part.REVERSIBLE, GROUP):
            state.has_reversible |= part == Part.REVERSIBLE
            if name := self._id(element):
                target.drawn.add(name)
        elif part == Part.POINT:
            self.points += 1
        elif part == Part.GRID:
            self.grids += 1
        return False


def _stay(link: str, target: Target, flip: bool) -> None:
    """Follow no link."""
