"""The quick way for what most of a city is written as: a building's walls and roofs, each one multi-surface of one polygon.

There are a dozen of these for each building. Every step is written out, for calls would take longer than what they do; their
polygons go into the collector many at once, and whatever differs in the least is left to the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cimdesk.formats.citygml.geometry import GeometryCollector, Target
from cimdesk.formats.citygml.names import GROUPS, KINDS, LOCAL_NAMES, PROPERTIES, Role

GEOMETRY = int(Role.GEOMETRY)


class _Kinds(dict[str, tuple[str, int] | None]):
    """Name and `Surface` code by tag; None where it is no thematic surface."""

    def __missing__(self, tag: str) -> tuple[str, int] | None:
        name = LOCAL_NAMES[tag]
        found = self[tag] = (name, int(KINDS[name])) if name in KINDS else None
        return found


class _Levels(dict[str, str]):
    """Level of detail of a property with a geometry by its tag; empty for other properties."""

    def __missing__(self, tag: str) -> str:
        found = PROPERTIES[tag]
        level = self[tag] = found.lod if found.role == GEOMETRY else ""
        return level


class UsualSurfaces:
    """Takes thematic surfaces of the usual form straight into a collector.

    Parameters
    ----------
    count : callable
        Told the names of the thematic surfaces taken.
    """

    def __init__(self, count: Callable[[list[str]], None]) -> None:
        self._count = count
        self._kinds = _Kinds()
        self._levels = _Levels()

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
        kinds, levels, id_names, given = self._kinds, self._levels, collector.id_names, collector.materials
        names: list[str] = []
        members: list[Any] = []
        aim: Target | None = None
        aimed, aimed_level, material = None, "", -1
        for prop in element[:]:
            if len(prop) == 1:
                surface = prop[0]
                known = kinds[surface.tag]
                if known and len(surface) == 1:
                    shape = surface[0]
                    level = levels[shape.tag]
                    if level and len(shape) == 1:
                        group = shape[0]
                        # A member without content is a link, which waits until what it leads to is there.
                        if len(group) == 1 and len(member := group[0]) and group.tag in GROUPS:
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
