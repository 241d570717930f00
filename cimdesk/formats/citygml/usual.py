"""The quick way for what most of a city is written as: a building's walls and roofs, each one multi-surface of plain polygons.

There are a dozen of these for each building. Every step is written out, for calls would take longer than what they do; whatever
differs in the least is left to the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cimdesk.formats.citygml.geometry import GROUP, POLYGONS, POSITION_LISTS, GeometryCollector, Target
from cimdesk.formats.citygml.names import KINDS, LOCAL_NAMES, PARTS, PROPERTIES, Role

GEOMETRY = int(Role.GEOMETRY)


class UsualSurfaces:
    """Takes thematic surfaces of the usual form straight into a collector.

    Parameters
    ----------
    count : callable
        Told the names of the thematic surfaces taken.
    """

    def __init__(self, count: Callable[[list[str]], None]) -> None:
        self._count = count
        self._kinds: dict[Any, tuple[str, int]] = {}
        self._lods: dict[str, str] = {}

    def take(self, element: Any, collector: GeometryCollector, target: Callable[[str, int], Target]) -> list[Any]:
        """Take the properties of a feature that hold one thematic surface of the usual form; return the others, in order.

        Parameters
        ----------
        element : element
            The feature.
        collector : GeometryCollector
            Its coordinates have three numbers each.
        target : callable
            Gives the target of a level of detail and a kind of surface.
        """
        others: list[Any] = []
        rings, kinds, lods = collector.rings, self._kinds, self._lods
        id_names, given = collector.id_names, collector.materials
        add_length, add_text, lengths = rings.lengths.append, rings.texts.append, rings.lengths
        begin, own, lod, kind_of, paint = (
            rings.first_rings.append, rings.owners.append, rings.lods.append, rings.kinds.append, rings.materials.append
        )  # fmt: skip
        known: tuple[str, int] | None = None
        names: list[str] = []
        aim: Target | None = None
        aimed: tuple[str, int] | None = None
        for prop in element:
            if len(prop) == 1:
                surface = prop[0]
                tag = surface.tag
                known = kinds.get(tag) or self._kind(tag)
                if known[0] and len(surface) == 1:
                    shape = surface[0]
                    level = lods.get(shape.tag)
                    if level is None:
                        level = self._lod(shape.tag)
                    if level and len(shape) == 1:
                        group = shape[0]
                        if len(group) == 1 and PARTS.get(group.tag) == GROUP:
                            member = group[0]
                            if len(member) == 1:
                                polygon = member[0]
                                if polygon.tag in POLYGONS and len(polygon) == 1:
                                    boundary = polygon[0]
                                    if len(boundary) == 1:
                                        ring = boundary[0]
                                        if len(ring) == 1:
                                            positions = ring[0]
                                            text = positions.text if positions.tag in POSITION_LISTS else None
                                            if text:
                                                if aimed != (level, known[1]):
                                                    aimed = (level, known[1])
                                                    aim = target(level, known[1])
                                                assert aim is not None
                                                material = -1
                                                for id_name in id_names:
                                                    if name := group.get(id_name):
                                                        aim.drawn.add(name)
                                                        material = given.get(name, material)
                                                    if name := polygon.get(id_name):
                                                        aim.drawn.add(name)
                                                        material = given.get(name, material)
                                                names.append(known[0])
                                                begin(len(lengths))
                                                own(aim.row)
                                                lod(aim.lod)
                                                kind_of(aim.kind)
                                                paint(material)
                                                numbers = text.count(" ") + 1
                                                if (
                                                    numbers % 3
                                                    or "\n" in text
                                                    or "  " in text
                                                    or "\t" in text
                                                    or text[0] == " "
                                                    or text[-1] == " "
                                                ):
                                                    rings.add_positions(positions, None, True)
                                                else:
                                                    add_length(numbers)
                                                    add_text(text)
                                                continue
            others.append(prop)
        collector.polygons += len(names)
        self._count(names)
        return others

    def _kind(self, tag: Any) -> tuple[str, int]:
        name = LOCAL_NAMES[tag] if isinstance(tag, str) else ""
        found = self._kinds[tag] = (name, int(KINDS[name])) if name in KINDS else ("", 0)
        return found

    def _lod(self, tag: Any) -> str:
        found = PROPERTIES[tag] if isinstance(tag, str) else None
        level = self._lods[tag] = found.lod if found is not None and found.role == GEOMETRY else ""
        return level
