"""The storm sewers of the demo city: they follow the streets, fall to the river and creeks, and grow on the way (SWMM)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.commands.demo import places, storm
from cimdesk.commands.demo.plan import Plan
from cimdesk.commands.demo.streets import StreetGraph, crosses_creek, passes_underpass
from cimdesk.model.terrain import Terrain

SPACING = 60.0
MANNING = 0.013
COVER = 1.0
SIZES = np.array([0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.35, 1.5, 1.65, 1.8, 2.0, 2.2, 2.4])
LEAST_FALL = np.array([30.0, 20.0, 15.0, 12.0, 10.0, 10.0, 9.0, 8.0, 8.0, 8.0, 7.0, 7.0, 6.0, 6.0]) * 1e-4
"""Least slope of each size."""
RUNOFF = {
    "park": 0.2, "hill": 0.22, "greenway": 0.25, "lowrise": 0.55, "high": 0.6, "slab": 0.65, "courtyard": 0.7, "civic": 0.7,
    "industry": 0.75, "strip": 0.8, "office": 0.8, "cbd": 0.85, "oldtown": 0.85, "village": 0.9,
}  # fmt: skip
"""Paved share of each quarter."""


@dataclass
class Catchment:
    """A piece of ground and the manhole that takes its water."""

    ring: Float
    area: float
    paved: float
    outlet: int


@dataclass
class Sewers:
    """Manholes, outfalls and pipes.

    Attributes
    ----------
    xy : (N, 2), ground : (N,), invert : (N,) float64
        Nodes in the world [m].
    is_outfall : (N,) bool
    to : (N,) int64
        The node each node drains to; -1 at outfalls.
    diameter, length, invert_up, invert_down : (N,) float64
        Of the pipe that leaves each node.
    street : list of str
        Name of the street above that pipe.
    year : (N,) int64
    catchments : list of Catchment
    sump : int or None
        Node that the pumps of the underpass lift to; the sump itself is not one of the nodes.
    """

    xy: Float
    ground: Float
    is_outfall: np.ndarray
    to: Int
    length: Float
    street: list[str]
    kind: list[str]
    invert: Float = field(default_factory=lambda: np.zeros(0))
    diameter: Float = field(default_factory=lambda: np.zeros(0))
    invert_up: Float = field(default_factory=lambda: np.zeros(0))
    invert_down: Float = field(default_factory=lambda: np.zeros(0))
    catchments: list[Catchment] = field(default_factory=list)
    sump_xy: Float | None = None
    sump_to: int = -1

    def node_name(self, k: int) -> str:
        """Return the identifier of a manhole or outfall."""
        return f"PK{k + 1:04d}" if self.is_outfall[k] else f"YJ{k + 1:04d}"

    def link_name(self, k: int) -> str:
        """Return the identifier of the pipe that leaves a manhole."""
        return f"YS-{k + 1:04d}"


def make_sewers(plan: Plan, graph: StreetGraph, terrain: Terrain) -> Sewers:
    """Return the sewer network of a plan, sized for a two-year storm."""
    xy, edges, streets, outfalls = _manholes(plan, graph)
    ground = terrain.sample(xy)
    to, length, street = _drain_tree(xy, ground, edges, streets, outfalls)
    keep = (to >= 0) | np.isin(np.arange(len(xy)), outfalls)
    is_outfall = np.isin(np.arange(len(xy)), outfalls)
    fed = np.zeros(len(xy), dtype=bool)
    fed[to[to >= 0]] = True
    keep &= ~is_outfall | fed
    row = np.full(len(xy) + 1, -1)
    row[np.flatnonzero(keep)] = np.arange(keep.sum())
    kinds = [s.street.line.kind for s in graph.stretches]
    name = [graph.stretches[k].street.line.en if k >= 0 else "outfall" for k in street[keep]]
    kind = [kinds[k] if k >= 0 else "outfall" for k in street[keep]]
    sewers = Sewers(xy[keep], ground[keep], is_outfall[keep], row[to[keep]], length[keep], name, kind)
    _add_catchments(plan, sewers)
    _design(sewers)
    _add_sump(plan, sewers)
    return sewers


def _manholes(plan: Plan, graph: StreetGraph) -> tuple[Float, list[tuple[int, int]], list[int], Int]:
    """Return node positions, edges between them, the stretch of each edge (-1 for outfall pipes) and the outfall nodes."""
    xy = [graph.xy]
    count = len(graph.xy)
    edges: list[tuple[int, int]] = []
    streets: list[int] = []
    outlets: list[tuple[int, Float]] = []
    for k, stretch in enumerate(graph.stretches):
        if passes_underpass(stretch):
            continue
        if crosses_creek(plan, stretch):
            outlets += _creek_outlets(plan, graph, k)
            continue
        parts = max(1, round((stretch.end - stretch.start) / SPACING))
        along = np.linspace(stretch.start, stretch.end, parts + 1)[1:-1]
        xy.append(plan.street_points(stretch.street, along))
        chain = [stretch.first, *range(count, count + len(along)), stretch.last]
        count += len(along)
        edges += pairwise(chain)
        streets += [k] * (len(chain) - 1)
    outlets += _river_outlets(plan, graph)
    places_ = np.array([point for _, point in outlets])
    first = count
    for k, (node, _) in enumerate(outlets):
        edges.append((node, first + k))
        streets.append(-1)
    return np.concatenate([*xy, places_]), edges, streets, np.arange(first, first + len(outlets))


def _creek_outlets(plan: Plan, graph: StreetGraph, k: int) -> list[tuple[int, Float]]:
    stretch = graph.stretches[k]
    creek = next(s for s in plan.streets if s.line.kind == "creek" and stretch.start < s.line.at < stretch.end)
    reach = places.CREEK_WIDTH / 2.0 - 1.0
    banks = plan.street_points(
        stretch.street, np.array([creek.line.at - reach, creek.line.at + reach]), stretch.street.line.width / 2.0 + 3.0
    )
    return [(stretch.first, banks[0]), (stretch.last, banks[1])]


def _river_outlets(plan: Plan, graph: StreetGraph) -> list[tuple[int, Float]]:
    """Return an outfall in the quay wall below every main street that meets the riverside avenue."""
    out = []
    for side in (1, -1):
        first = min(s.line.at for s in plan.streets if s.line.axis == "v" and s.is_road and s.side == side)
        nodes = np.flatnonzero((graph.side == side) & (np.abs(graph.uv[:, 1] - first) < 0.5))
        for node in nodes:
            point = plan.warps[side].forward(graph.uv[node, 0] + np.array([4.0]), np.array([-2.0]))[0]
            if plan.inside(point, 3.0):
                out.append((int(node), point))
    return out


def _drain_tree(
    xy: Float, ground: Float, edges: list[tuple[int, int]], streets: list[int], outfalls: Int
) -> tuple[Int, Float, Int]:
    """Return for each node the next one on its best way to an outfall, that pipe's length and its stretch.

    Ways uphill cost more, so that pipes follow the ground; every node that can reach an outfall does.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    ends = np.array(edges)
    length = np.hypot(*(xy[ends[:, 0]] - xy[ends[:, 1]]).T)
    rise = ground[ends[:, 1]] - ground[ends[:, 0]]
    count = len(xy)
    # Searching from the outfalls, an edge a -> b of the graph is water running b -> a.
    cost_ab = length * (1.0 + 90.0 * np.maximum(-rise, 0.0) / length)
    cost_ba = length * (1.0 + 90.0 * np.maximum(rise, 0.0) / length)
    is_outlet = np.isin(ends[:, 1], outfalls)
    cost_ab, cost_ba = np.where(is_outlet, 1.0, cost_ab), np.where(is_outlet, 1.0, cost_ba)
    rows, columns = np.concatenate([ends[:, 0], ends[:, 1]]), np.concatenate([ends[:, 1], ends[:, 0]])
    graph = csr_array((np.concatenate([cost_ab, cost_ba]), (rows, columns)), shape=(count, count))
    _, before, _ = dijkstra(graph, directed=True, indices=outfalls, return_predecessors=True, min_only=True)
    to = np.where(before >= 0, before, -1)
    of = {(a, b): k for k, (a, b) in enumerate(edges)}
    pipe = np.array([of.get((k, int(t)), of.get((int(t), k), -1)) if t >= 0 else -1 for k, t in enumerate(to)])
    lengths = np.where(pipe >= 0, length[pipe], 0.0)
    stretch = np.where(pipe >= 0, np.array(streets)[pipe], -1)
    return to, lengths, stretch


def _add_catchments(plan: Plan, sewers: Sewers) -> None:
    """Divide every block and its half streets into pieces that drain to the nearest manhole."""
    from scipy.spatial import cKDTree
    from shapely import area, box, intersection, polygons

    manholes = np.flatnonzero(~sewers.is_outfall)
    tree = cKDTree(sewers.xy[manholes])
    rings, paved = [], []
    for block in plan.blocks:
        u0, u1, v0, v1 = block.outer
        step = 190.0 if block.quarter == "hill" else 80.0
        us, vs = (np.linspace(a, b, max(1, round((b - a) / step)) + 1) for a, b in ((u0, u1), (v0, v1)))
        for a, b in pairwise(us):
            for c, d in pairwise(vs):
                rings.append(plan.ring(block.side, a, b, c, d, 45.0))
                paved.append(RUNOFF[block.quarter])
    shapes = intersection(np.array([polygons(r) for r in rings]), box(*plan.window))
    areas = area(shapes)
    for shape, size, share in zip(shapes, areas, paved, strict=True):
        if size > 150.0 and shape.geom_type == "Polygon":
            ring = np.asarray(shape.exterior.coords)[:, :2]
            outlet = int(manholes[tree.query(ring[:-1].mean(axis=0))[1]])
            sewers.catchments.append(Catchment(ring, float(size), share, outlet))


def _design(sewers: Sewers) -> None:
    """Size every pipe and set its inverts, from the farthest manhole to the outfall."""
    count = len(sewers.xy)
    order = _upstream_first(sewers.to)
    runoff, minutes = np.zeros(count), np.full(count, 8.0)
    for catchment in sewers.catchments:
        runoff[catchment.outlet] += catchment.area * (0.15 + 0.75 * catchment.paved)
    sewers.diameter, sewers.invert_up, sewers.invert_down = np.zeros(count), np.zeros(count), np.zeros(count)
    deepest, largest = np.full(count, np.inf), np.full(count, SIZES[0])
    sewers.invert = np.zeros(count)
    a, b, n = storm.DESIGN_INTENSITY
    for k in order:
        down = sewers.to[k]
        if down < 0:
            sewers.invert[k] = min(deepest[k], sewers.ground[k] - 0.2) if np.isfinite(deepest[k]) else sewers.ground[k] - 1.5
            continue
        flow = runoff[k] / 1e4 * a / (minutes[k] + b) ** n / 1000.0
        length = max(sewers.length[k], 1.0)
        fall = np.clip((sewers.ground[k] - sewers.ground[down]) / length, LEAST_FALL, 0.03)
        capacity = np.pi * SIZES ** (8 / 3) / 4 ** (5 / 3) / MANNING * np.sqrt(fall)
        size = int(min(np.searchsorted(capacity, flow), len(SIZES) - 1))
        size = max(size, int(np.searchsorted(SIZES, largest[k] - 1e-6)))
        d = SIZES[size]
        up = min(deepest[k] + 0.0, sewers.ground[k] - COVER - d)
        low = min(up - fall[size] * length, (sewers.ground[down] - COVER - d) if not sewers.is_outfall[down] else np.inf)
        sewers.diameter[k], sewers.invert_up[k], sewers.invert_down[k], sewers.invert[k] = d, up, low, up
        deepest[down], largest[down] = min(deepest[down], low), max(largest[down], d)
        runoff[down] += runoff[k]
        minutes[down] = max(minutes[down], minutes[k] + length / 60.0)


def _upstream_first(to: Int) -> list[int]:
    """Return the nodes so that each comes before the one it drains to."""
    waiting = np.bincount(to[to >= 0], minlength=len(to))
    ready = [int(k) for k in np.flatnonzero(waiting == 0)]
    order = []
    while ready:
        k = ready.pop()
        order.append(k)
        down = int(to[k])
        if down >= 0:
            waiting[down] -= 1
            if waiting[down] == 0:
                ready.append(down)
    return order


def _add_sump(plan: Plan, sewers: Sewers) -> None:
    """Set the pump sump at the underpass and the manhole its pumps lift to."""
    u, v = places.UNDERPASS
    sewers.sump_xy = plan.warps[1].forward(np.array(u - 6.0), np.array(v))
    away = plan.warps[1].forward(np.array(u), np.array(v - 92.0))
    distance = np.hypot(*(sewers.xy - away).T) + np.where(sewers.is_outfall, 1e6, 0.0)
    sewers.sump_to = int(np.argmin(distance))
