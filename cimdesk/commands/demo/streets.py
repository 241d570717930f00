"""The street graph of the demo city: crossings, the stretches between them and points along them, for everything buried there."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.commands.demo import places
from cimdesk.commands.demo.plan import Plan, Street


@dataclass(frozen=True)
class Stretch:
    """A street between two neighbouring crossings."""

    street: Street
    first: int
    last: int
    start: float
    end: float


@dataclass
class StreetGraph:
    """Crossings and street ends, and the stretches between them.

    Attributes
    ----------
    uv : (N, 2) float64
        Plan coordinates of the nodes.
    xy : (N, 2) float64
        World coordinates.
    side : (N,) int64
        Bank.
    stretches : list of Stretch
    """

    uv: Float
    xy: Float
    side: Int
    stretches: list[Stretch] = field(default_factory=list)


def make_graph(plan: Plan) -> StreetGraph:
    """Return the graph of all roads of a plan inside its window."""
    uv: list[tuple[float, float]] = []
    sides: list[int] = []
    raw: list[Stretch] = []
    for side in (1, -1):
        roads = [s for s in plan.streets if s.side == side and s.is_road]
        on_street = _crossings(roads, uv, sides, side)
        for street, nodes in zip(roads, on_street, strict=True):
            places_ = sorted(nodes.items())
            raw += [Stretch(street, n, m, a, b) for (a, n), (b, m) in pairwise(places_) if b - a > 2.0]
    points, side_of = np.array(uv), np.array(sides)
    xy = np.empty_like(points)
    for side in (1, -1):
        xy[side_of == side] = plan.warps[side].forward(points[side_of == side, 0], points[side_of == side, 1])
    is_inside = plan.inside(xy, 8.0)
    kept = [s for s in raw if is_inside[s.first] and is_inside[s.last]]
    kept = _largest_parts(kept, side_of)
    used = np.unique([n for s in kept for n in (s.first, s.last)])
    row = np.full(len(xy), -1)
    row[used] = np.arange(len(used))
    stretches = [Stretch(s.street, int(row[s.first]), int(row[s.last]), s.start, s.end) for s in kept]
    return StreetGraph(points[used], xy[used], side_of[used], stretches)


def _largest_parts(stretches: list[Stretch], side_of: Int) -> list[Stretch]:
    """Return the stretches without those that the window's edge cuts off from the rest of their bank."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array([(s.first, s.last) for s in stretches])
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(side_of), len(side_of)))
    _, part = connected_components(graph, directed=False)
    sizes = np.bincount(part)
    largest = {int(part[np.argmax(sizes[part] * (side_of == side))]) for side in np.unique(side_of)}
    return [s for s in stretches if part[s.first] in largest]


def _crossings(roads: list[Street], uv: list[tuple[float, float]], sides: list[int], side: int) -> list[dict[float, int]]:
    """Return, for each road, the nodes by their position along it; new nodes are added to ``uv`` and ``sides``."""
    nodes: list[dict[float, int]] = [{} for _ in roads]
    along_u = [k for k, s in enumerate(roads) if s.line.axis == "u"]
    along_v = [k for k, s in enumerate(roads) if s.line.axis == "v"]
    at, low, high = (np.array([getattr(roads[k], name) for k in along_v]) for name in ("start", "start", "end"))
    at = np.array([roads[k].line.at for k in along_v])
    for k in along_u:
        street = roads[k]
        hits = (
            (at >= street.start - 0.5) & (at <= street.end + 0.5) & (low <= street.line.at + 0.5) & (high >= street.line.at - 0.5)
        )
        for j in np.flatnonzero(hits):
            nodes[k][float(at[j])] = nodes[along_v[j]][street.line.at] = len(uv)
            uv.append((street.line.at, float(at[j])))
            sides.append(side)
    for street, own in zip(roads, nodes, strict=True):
        for end in (street.start, street.end):
            if not any(abs(position - end) < 3.0 for position in own):
                own[end] = len(uv)
                uv.append((street.line.at, end) if street.line.axis == "u" else (end, street.line.at))
                sides.append(side)
    return nodes


def crosses_creek(plan: Plan, stretch: Stretch) -> bool:
    """Whether a stretch passes over a creek."""
    return stretch.street.line.axis == "v" and any(
        stretch.start < s.line.at < stretch.end and s.start <= stretch.street.line.at <= s.end and s.side == stretch.street.side
        for s in plan.streets
        if s.line.kind == "creek"
    )


def passes_underpass(stretch: Stretch) -> bool:
    """Whether a stretch dips below the railway."""
    u, v = places.UNDERPASS
    return (
        stretch.street.side > 0
        and stretch.street.line.axis == "u"
        and stretch.street.line.at == u
        and stretch.start < v < stretch.end
    )
