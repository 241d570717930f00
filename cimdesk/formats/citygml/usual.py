"""The quick way for what most of a city is written as: a building's walls and roofs, each one multi-surface of one polygon.

There are a dozen of these for each building. Every step is written out, for calls would take longer than what they do; their
polygons go into the collector many at once, and whatever differs in the least is left to the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cimdesk.formats.citygml.geometry import GROUP, GeometryCollector, Target
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
        kinds, lods, id_names, given = self._kinds, self._lods, collector.id_names, collector.materials
        names: list[str] = []
        members: list[Any] = []
        aim: Target | None = None
        aimed, aimed_level, material = ("", 0), "", -1
        for prop in element:
            if len(prop) == 1:
                surface = prop[0]
                known = kinds.get(tag := surface.tag) or self._kind(tag)
                if known[0] and len(surface) == 1:
                    shape = surface[0]
                    level = lods.get(tag := shape.tag)
                    if level is None:
                        level = self._lod(tag)
                    if level and len(shape) == 1:
                        group = shape[0]
                        # A member without content is a link, which waits until what it leads to is there.
                        if len(group) == 1 and len(member := group[0]) and PARTS.get(group.tag) == GROUP:
                            if aim is None or known is not aimed or level is not aimed_level or given:
                                if aim is not None:
                                    collector.add_members(members, aim, material)
                                aim, aimed, aimed_level, members = target(level, known[1]), known, level, []
                                material = -1
                            for id_name in id_names:
                                if name := group.get(id_name):
                                    aim.drawn.add(name)
                                    material = given.get(name, material)
                            names.append(known[0])
                            members.append(member)
                            continue
            others.append(prop)
        if aim is not None:
            collector.add_members(members, aim, material)
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
