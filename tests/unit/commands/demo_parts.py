"""The parts of the small demo city, made once for all tests that look at them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cimdesk.commands.demo import buildings, drainage, gauges, plan, streets, terrain, water


@dataclass(frozen=True)
class Parts:
    plan: plan.Plan
    terrain: terrain.Terrain
    graph: streets.StreetGraph
    buildings: list[buildings.Building]
    sewers: drainage.Sewers
    mains: water.Mains
    gauges: list[gauges.Gauge]


@cache
def small_parts() -> Parts:
    layout = plan.make_plan("small", 7)
    ground = terrain.make_terrain(layout)
    graph = streets.make_graph(layout)
    built = buildings.make_buildings(layout, ground)
    sewers = drainage.make_sewers(layout, graph, ground)
    mains = water.make_mains(layout, graph, ground, built)
    return Parts(layout, ground, graph, built, sewers, mains, gauges.make_gauges(layout, graph, ground, sewers))
