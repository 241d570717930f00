"""From GML geometry to flat arrays of surfaces, whichever of its many shapes a surface is written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int, offsets_from_counts
from cimdesk.formats.citygml.names import HREF, IDS, PARTS, Part
from cimdesk.formats.cityjson.surfaces import SurfaceArrays
from cimdesk.formats.findings import Findings

MAX_LODS = 32
LINK, POSITIONS, PATCH, POSITION = int(Part.LINK), int(Part.POSITIONS), int(Part.PATCH), int(Part.POSITION)
NO_LOD = "?"
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)


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
    material : int
        Row of its colour, -1 for none.
    """

    row: int
    lod: int
    kind: int
    drawn: set[str]
    material: int = -1


@dataclass
class _Rings:
    """Rings and surfaces that wait to become arrays."""

    numbers: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    first_rings: list[int] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    lods: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    materials: list[int] = field(default_factory=list)
    flips: list[bool] = field(default_factory=list)


class _State:
    """Where in a geometry the reading is."""

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
    """

    def __init__(self, findings: Findings) -> None:
        self.follow: Callable[[str, Target, bool], None] = _stay
        self.polygons = self.points = self.lines = self.grids = 0
        self.lod_names: dict[str, int] = {}
        self.materials: dict[str, int] = {}
        self._findings = findings
        self._rings = _Rings()

    def __len__(self) -> int:
        """Return how many numbers wait."""
        return len(self._rings.numbers)

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
        numbers, lengths = self._rings.numbers, self._rings.lengths
        state = _State(geometry, flip, geometry.get("srsDimension"), self._material(geometry, target.material))
        part_of, is_open = PARTS.get, False
        for element in geometry.iter():
            part = part_of(element.tag)
            if part is None:
                continue
            if part == LINK:
                if not len(element) and (link := element.get(HREF)):
                    self.follow(link, target, state.is_turned(element))
            elif part == POSITIONS:
                if not is_open:
                    self.lines += 1
                    continue
                found = self._numbers(element, state.dimension)
                if state.ring is None or element.getparent().tag.endswith("LinearRing"):
                    lengths.append(len(found))
                else:
                    # A ring of curves: where one ends the next begins, and the place said twice does no harm.
                    lengths[-1] += len(found)
                numbers += found
            elif part <= PATCH:
                self._begin(element, target, state, part)
                is_open = True
            elif part == POSITION:
                if is_open:
                    self._add_position(element, state)
            else:
                is_open = self._note(part, element, target, state, is_open)

    def take(self) -> tuple[SurfaceArrays, Float] | None:
        """Return what waits and its (V, 3) vertices as written, then start anew; None when nothing waits."""
        rings, self._rings = self._rings, _Rings()
        if not rings.owners:
            return None
        coordinates = self._parsed(rings.numbers).reshape(-1, 3)
        vertices, corners = _welded(coordinates)
        ring_counts = np.diff(np.append(rings.first_rings, len(rings.lengths)))
        ring_lengths = np.array(rings.lengths, dtype=np.int64) // 3
        if any(rings.flips):
            corners = corners[_turned(np.repeat(np.array(rings.flips), ring_counts), ring_lengths)]
        surfaces = SurfaceArrays(
            np.array(rings.owners, dtype=np.int64),
            np.array(rings.lods, dtype=np.int64),
            np.array(rings.kinds, dtype=np.int64),
            np.array(rings.materials, dtype=np.int64),
            ring_counts.astype(np.int64),
            ring_lengths,
            corners,
            list(self.lod_names),
        )
        return surfaces, vertices

    def _begin(self, element: Any, target: Target, state: _State, part: int) -> None:
        """Start a surface."""
        rings = self._rings
        self.polygons += 1
        name = state.holder if part == PATCH else _id_of(element)
        if name:
            target.drawn.add(name)
        state.dimension = element.get("srsDimension") or state.inherited
        state.ring = None
        rings.first_rings.append(len(rings.lengths))
        rings.owners.append(target.row)
        rings.lods.append(target.lod)
        rings.kinds.append(target.kind)
        rings.materials.append(self.materials.get(name, state.material) if self.materials else state.material)
        rings.flips.append(state.is_turned(element))

    def _add_position(self, element: Any, state: _State) -> None:
        """Take one position of a ring written position by position."""
        parent = element.getparent()
        if state.ring is None or (parent is not state.ring and parent.tag.endswith("LinearRing")):
            self._rings.lengths.append(0)
            state.ring = parent
        found = self._numbers(element, state.dimension)
        self._rings.lengths[-1] += len(found)
        self._rings.numbers += found

    def _note(self, part: int, element: Any, target: Target, state: _State, is_open: bool) -> bool:
        """Take note of what stands around or instead of surfaces; return whether positions still belong to one."""
        if part == Part.RING:
            if is_open:
                self._rings.lengths.append(0)
                state.ring = element
            return is_open
        if part == Part.CURVE and is_open and state.ring is not None:
            return True
        if part == Part.HOLDER:
            state.holder = _id_of(element)
        elif part in (Part.REVERSIBLE, Part.GROUP):
            state.has_reversible |= part == Part.REVERSIBLE
            if name := _id_of(element):
                target.drawn.add(name)
        elif part == Part.POINT:
            self.points += 1
        elif part == Part.GRID:
            self.grids += 1
        elif part == Part.COORDINATES and is_open:
            found = self._old_numbers(element)
            self._rings.lengths.append(len(found))
            self._rings.numbers += found
            return True
        return False

    def _material(self, geometry: Any, inherited: int) -> int:
        return self.materials.get(_id_of(geometry), inherited) if self.materials else inherited

    def _numbers(self, element: Any, dimension: str | None) -> list[str]:
        """Return the numbers of a list of positions, three for each."""
        found: list[str] = (element.text or "").split()
        if (element.get("srsDimension") or dimension) == "2" or (len(found) % 3 and len(found) % 2 == 0):
            found = [number for k in range(0, len(found) - 1, 2) for number in (found[k], found[k + 1], "0")]
        if len(found) % 3:
            self._findings.error(
                "bad-coordinates", f"line {element.sourceline}", "Coordinates are not three numbers each; the ring is left out."
            )
            return []
        return found

    def _old_numbers(self, element: Any) -> list[str]:
        """Return the numbers of ``gml:coordinates``, the form of GML 2: x,y,z x,y,z."""
        decimal, separator, gap = element.get("decimal", "."), element.get("cs", ","), element.get("ts", " ")
        positions = (element.text or "").replace(gap, " ").split()
        found = [number.replace(decimal, ".") for position in positions for number in [*position.split(separator), "0"][:3]]
        return found[: len(found) - len(found) % 3]

    def _parsed(self, numbers: list[str]) -> Float:
        try:
            return np.fromiter(map(float, numbers), np.float64, len(numbers))
        except ValueError:
            return np.array([self._number(text) for text in numbers])

    def _number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            self._findings.error("bad-coordinates", "", "{text} is no coordinate.", text=repr(text[:40]))
            return float("nan")


def _stay(link: str, target: Target, flip: bool) -> None:
    """Follow no link."""


def _id_of(element: Any) -> str:
    return element.get(IDS[0]) or element.get(IDS[1]) or ""


def _welded(coordinates: Float) -> tuple[Float, Int]:
    """Return the different rows of (C, 3) coordinates and, for each row, which of them it is."""
    if not len(coordinates):
        return coordinates, np.zeros(0, dtype=np.int64)
    # Adding zero makes -0.0 the same as 0.0.
    bits = (coordinates + 0.0).view(np.uint64)
    keys = bits[:, 0] * _STEP
    for axis in (1, 2):
        keys = ((keys ^ (keys >> np.uint64(29))) + bits[:, axis]) * _FIRST
        keys ^= keys >> np.uint64(32)
    _, first, corners = np.unique(keys, return_index=True, return_inverse=True)
    return coordinates[first], corners.astype(np.int64)


def _turned(flips: Bool, lengths: Int) -> Int:
    """Return (C,) where to take each corner from so that the rings with ``flips`` (R,) run backwards."""
    starts = np.repeat(offsets_from_counts(lengths)[:-1], lengths)
    ends = starts + np.repeat(lengths, lengths) - 1
    order = np.arange(len(starts))
    return np.where(np.repeat(flips, lengths), ends - order + starts, order)
