"""The water supply of the demo city: a looped network under the streets with works, pumps, a tank and valves (EPANET)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.commands.demo import places
from cimdesk.commands.demo.buildings import Building
from cimdesk.commands.demo.plan import Plan
from cimdesk.commands.demo.streets import StreetGraph, Stretch
from cimdesk.model.terrain import Terrain

OFFSET = 4.0
"""Where the mains lie beside the street axis, in plan u and v [m]."""
DEPTH = 1.2
DIAMETERS = {
    "small": {"arterial": 600, "secondary": 400, "local": 200, "lane": 150},
    "city": {"arterial": 1200, "secondary": 700, "local": 300, "lane": 200},
}
LITRES_PER_PERSON_DAY = 190.0
PATTERN = (
    0.55, 0.48, 0.45, 0.45, 0.52, 0.78, 1.15, 1.42, 1.38, 1.22, 1.14, 1.18,
    1.24, 1.12, 1.04, 1.02, 1.08, 1.22, 1.40, 1.44, 1.30, 1.08, 0.80, 0.52,
)  # fmt: skip


@dataclass
class Mains:
    """Nodes and links of the supply.

    Attributes
    ----------
    xy : list of (2,) arrays; heights, demands : lists of float
        Junctions: position, level of the pipe axis [m] and base demand [L/s].
    pipes : list of (first, last, length, diameter_mm, roughness, street, year, bends)
    valves : list of (first, last, diameter_mm, street)
    """

    xy: list[Float] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    demands: list[float] = field(default_factory=list)
    pipes: list[tuple[int, int, float, int, int, str, int, Float]] = field(default_factory=list)
    valves: list[tuple[int, int, int, str]] = field(default_factory=list)
    works: list[int] = field(default_factory=list)
    tank: int = 0
    tank_xy: Float = field(default_factory=lambda: np.zeros(2))
    tank_level: float = 0.0


def make_mains(plan: Plan, graph: StreetGraph, terrain: Terrain, buildings: list[Building]) -> Mains:
    """Return the supply network of a plan."""
    rng = np.random.default_rng([plan.seed, 8])
    mains = Mains()
    points = np.empty_like(graph.xy)
    for side in (1, -1):
        here = graph.side == side
        points[here] = plan.warps[side].forward(graph.uv[here, 0] + OFFSET, graph.uv[here, 1] + OFFSET)
    ground = terrain.sample(points)
    for xy, z in zip(points, ground.tolist(), strict=True):
        _add_node(mains, xy, z - DEPTH)
    for stretch in graph.stretches:
        _lay_pipe(plan, mains, stretch, terrain, rng)
    _cross_river(plan, graph, mains)
    _add_demands(mains, buildings, len(points))
    _add_sources(plan, graph, mains, terrain)
    return mains


def _add_node(mains: Mains, xy: Float, height: float) -> int:
    mains.xy.append(xy)
    mains.heights.append(height)
    mains.demands.append(0.0)
    return len(mains.xy) - 1


def _lay_pipe(plan: Plan, mains: Mains, stretch: Stretch, terrain: Terrain, rng: np.random.Generator) -> None:
    line = stretch.street.line
    diameter = DIAMETERS[plan.size][line.kind]
    year = int(rng.integers(1968, 2024)) if line.kind != "arterial" else int(rng.choice([1974, 1986, 1998, 2009, 2018]))
    roughness = 130 if year > 2000 else 110 if year > 1985 else 95
    first = stretch.first
    start, end = stretch.start + OFFSET, stretch.end + OFFSET
    chance = {"arterial": 0.85, "secondary": 0.7, "local": 0.45, "lane": 0.3}[line.kind]
    if rng.random() < chance and end - start > 20.0:
        after = plan.street_points(stretch.street, np.array([start + 5.0]), OFFSET)[0]
        node = _add_node(mains, after, float(terrain.sample(after[None, :])[0]) - DEPTH)
        mains.valves.append((first, node, diameter, line.en))
        first, start = node, start + 5.0
    inner = np.linspace(start, end, max(2, int((end - start) / 70.0) + 1))[1:-1]
    bends = plan.street_points(stretch.street, inner, OFFSET)
    path = np.vstack([mains.xy[first], bends, mains.xy[stretch.last]])
    length = float(np.hypot(*np.diff(path, axis=0).T).sum())
    mains.pipes.append((first, stretch.last, length, diameter, roughness, line.en, year, bends))


def _cross_river(plan: Plan, graph: StreetGraph, mains: Mains) -> None:
    """Hang a main below each river bridge."""
    for at, en, _ in places.RIVER_BRIDGES:
        ends = []
        for side in (1, -1):
            near = np.flatnonzero((graph.side == side) & (np.abs(graph.uv[:, 0] - at) < 150.0) & (graph.uv[:, 1] < 80.0))
            if len(near):
                ends.append(int(near[np.argmin(np.abs(graph.uv[near, 0] - at))]))
        if len(ends) == 2:
            length = float(np.hypot(*(mains.xy[ends[0]] - mains.xy[ends[1]])))
            mains.pipes.append((ends[0], ends[1], length, DIAMETERS[plan.size]["arterial"], 130, en, 2009, np.zeros((0, 2))))


def _add_demands(mains: Mains, buildings: list[Building], crossings: int) -> None:
    from scipy.spatial import cKDTree

    tree = cKDTree(np.array(mains.xy[:crossings]))
    centres = np.array([b.footprint.mean(axis=0) for b in buildings])
    people = np.array([b.attributes["people"] for b in buildings], dtype=np.float64)
    total = np.bincount(tree.query(centres)[1], weights=people, minlength=crossings) * LITRES_PER_PERSON_DAY / 86400.0
    mains.demands[:crossings] = total.tolist()


def _add_sources(plan: Plan, graph: StreetGraph, mains: Mains, terrain: Terrain) -> None:
    """Choose where water works feed in and where the tank stands."""
    degree = np.bincount(
        [n for s in graph.stretches if s.street.line.kind == "arterial" for n in (s.first, s.last)], minlength=len(graph.xy)
    )
    main = np.flatnonzero((degree >= 3) & (graph.side == 1))
    wanted = [(-0.05, 0.9)] if plan.size == "small" else [(0.03, 0.75), (0.97, 0.7), (0.5, 0.95), (0.3, 0.6)]
    west, south, east, north = plan.window
    for fx, fy in wanted:
        corner = np.array([west + fx * (east - west), south + fy * (north - south)])
        node = int(main[np.argmin(np.hypot(*(graph.xy[main] - corner).T))])
        if node not in mains.works:
            mains.works.append(node)
    mains.tank_xy = plan.warps[1].forward(np.array(655.0), np.array(880.0))
    mains.tank_level = float(terrain.sample(mains.tank_xy[None, :])[0])
    mains.tank = int(main[np.argmin(np.hypot(*(graph.xy[main] - mains.tank_xy).T))])


def write_epanet(path: Path, mains: Mains) -> None:
    """Write the network as an EPANET 2.2 input file in litres per second."""
    nodes = range(len(mains.xy))
    total = sum(mains.demands) / len(mains.works)
    sections: list[tuple[str, list[str]]] = [
        ("TITLE", ["Liede Riverside demo 猎德滨江演示: water supply"]),
        ("JUNCTIONS", [f"J{k + 1:04d} {mains.heights[k]:.3f} {mains.demands[k]:.4f} DAY" for k in nodes]),
        ("RESERVOIRS", [f"SC{k + 1:02d} 4.0" for k in range(len(mains.works))]),
        ("TANKS", [f"SX01 {mains.tank_level + 8.0:.2f} 3.5 0.5 6.0 38 0"]),
        ("PIPES", _pipe_lines(mains)),
        ("PUMPS", [f"PB{k + 1:02d} SC{k + 1:02d} J{node + 1:04d} HEAD LIFT" for k, node in enumerate(mains.works)]),
        ("VALVES", [f"FM-{k + 1:04d} J{a + 1:04d} J{b + 1:04d} {d} TCV 0.0 0.2" for k, (a, b, d, _) in enumerate(mains.valves)]),
        ("TAGS", _tag_lines(mains)),
        ("PATTERNS", [f"DAY {' '.join(f'{v:.2f}' for v in PATTERN[k : k + 6])}" for k in range(0, 24, 6)]),
        ("CURVES", [f"LIFT {total:.1f} 48.0"]),
        ("ENERGY", ["Global Efficiency 75"]),
        ("TIMES", ["Duration 24:00", "Hydraulic Timestep 1:00", "Pattern Timestep 1:00", "Report Timestep 1:00"]),
        ("REPORT", ["Status No", "Summary No", "Page 0"]),
        ("OPTIONS", ["Units LPS", "Headloss H-W", "Trials 100", "Accuracy 0.001", "Unbalanced Continue 10", "Pattern DAY"]),
        ("COORDINATES", _coordinate_lines(mains)),
        ("VERTICES", [f"JS-{k + 1:04d} {x:.2f} {y:.2f}" for k, pipe in enumerate(mains.pipes) for x, y in pipe[7].tolist()]),
    ]
    text = "\n\n".join(f"[{name}]\n" + "\n".join(lines) for name, lines in sections) + "\n\n[END]\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def _pipe_lines(mains: Mains) -> list[str]:
    lines = [
        f"JS-{k + 1:04d} J{a + 1:04d} J{b + 1:04d} {max(length, 1.0):.2f} {d} {c} 0 Open"
        for k, (a, b, length, d, c, _, _, _) in enumerate(mains.pipes)
    ]
    reach = float(np.hypot(*(mains.xy[mains.tank] - mains.tank_xy)))
    return [*lines, f"JS-TANK SX01 J{mains.tank + 1:04d} {reach:.2f} 800 130 0 Open"]


def _tag_lines(mains: Mains) -> list[str]:
    pipes = [f"LINK JS-{k + 1:04d} {pipe[5].replace(' ', '_')}/{pipe[6]}" for k, pipe in enumerate(mains.pipes)]
    return [*pipes, *(f"LINK FM-{k + 1:04d} {valve[3].replace(' ', '_')}" for k, valve in enumerate(mains.valves))]


def _coordinate_lines(mains: Mains) -> list[str]:
    lines = [f"J{k + 1:04d} {x:.2f} {y:.2f}" for k, (x, y) in enumerate(np.array(mains.xy).tolist())]
    for k, node in enumerate(mains.works):
        x, y = mains.xy[node] + np.array([-9.0, 9.0])
        lines.append(f"SC{k + 1:02d} {x:.2f} {y:.2f}")
    return [*lines, f"SX01 {mains.tank_xy[0]:.2f} {mains.tank_xy[1]:.2f}"]
