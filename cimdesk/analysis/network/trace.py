"""Tracing: up- and downstream, everything connected, and the valves that isolate a failed part.

Links that are closed, in the model or by request, carry nothing. Gravity networks flow from start to end of each link. Pressurised
ones have no fixed direction: each link is taken to carry water away from the sources along the paths of least resistance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork

SOURCES = (NodeKind.RESERVOIR, NodeKind.SOURCE, NodeKind.SUBSTATION)
CLOSABLE = (LinkKind.VALVE, LinkKind.PUMP, LinkKind.SWITCH)
"""Links that can be shut to isolate a part; a pump is shut by stopping it."""


class Direction(StrEnum):
    """What a trace looks for."""

    UP = "up"
    DOWN = "down"
    CONNECTED = "connected"
    ISOLATE = "isolate"


@dataclass(frozen=True)
class TraceResult:
    """What a trace found; rows of the network, rising.

    Attributes
    ----------
    direction : Direction
    nodes, links : (N,), (L,) int64
        What was reached; when isolating, the part that is shut off.
    length : float
        Of the links [m]; unknown lengths count nothing.
    valves : (V,) int64
        Link rows: valves among the links, or the ones to shut when isolating.
    node_valves : (W,) int64
        Node rows of valves that are nodes, likewise.
    sources : (S,) int64
        Node rows of sources reached; when isolating, those that feed the part with no valve between and must be shut themselves.
    customers : (C,) int64
        Node rows with demand that were reached; when isolating, every one that is left without supply, outside the part too.
    """

    direction: Direction
    nodes: Int
    links: Int
    length: float
    valves: Int
    node_valves: Int
    sources: Int
    customers: Int = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def trace(
    network: UtilityNetwork,
    direction: Direction,
    nodes: Sequence[int] = (),
    links: Sequence[int] = (),
    closed: Sequence[int] = (),
) -> TraceResult:
    """Trace from nodes and links.

    Parameters
    ----------
    network : UtilityNetwork
    direction : Direction
    nodes, links : sequence of int
        Rows to start from. From a link, up goes on at the end water comes from, down at the other.
    closed : sequence of int
        Link rows taken as closed besides those the network says are.
    """
    passable = passable_links(network, closed)
    seeds = np.asarray(nodes, dtype=np.int64)
    seed_links = np.asarray(links, dtype=np.int64)
    if direction is Direction.ISOLATE:
        return _isolate(network, seeds, seed_links, passable)
    if direction is Direction.CONNECTED:
        ends = np.concatenate([seeds, network.start[seed_links], network.end[seed_links]])
        reached = reachable(len(network.nodes), network.start[passable], network.end[passable], ends, directed=False)
        is_link = passable & reached[network.start] & reached[network.end]
    else:
        tails, heads, two_way = flow_directions(network, passable)
        if direction is Direction.UP:
            tails, heads = heads, tails
        both = passable & two_way
        at = np.concatenate([seeds, heads[seed_links], tails[seed_links[two_way[seed_links]]]])
        reached = reachable(
            len(network.nodes), np.concatenate([tails[passable], heads[both]]), np.concatenate([heads[passable], tails[both]]), at
        )
        is_link = passable & reached[tails]
    is_link[seed_links] = True
    found = np.flatnonzero(is_link)
    return _result(network, direction, reached, found, reached & is_customer(network))


def passable_links(network: UtilityNetwork, closed: Sequence[int] = ()) -> Bool:
    """Return (L,) bool: open in the network and not among ``closed`` rows."""
    assert network.is_open is not None
    passable = network.is_open.astype(bool).copy()
    passable[np.asarray(closed, dtype=np.int64)] = False
    return passable


def is_customer(network: UtilityNetwork) -> Bool:
    """Return (N,) bool: meters, and nodes with a demand, connected customers or dry-weather flow."""
    found: Bool = network.node_kind == NodeKind.METER
    for name in ("demand", "customers", "dry_weather_flow"):
        values = network.nodes.columns.get(name)
        if values is not None and values.dtype.kind in "fiu":
            with np.errstate(invalid="ignore"):
                found = found | (values > 0)
    return found


def is_source(network: UtilityNetwork) -> Bool:
    """Return (N,) bool: reservoirs, sources and substations; tanks where there is none of these."""
    found: Bool = np.isin(network.node_kind, SOURCES)
    return found if found.any() else network.node_kind == NodeKind.TANK


def flows_by_gravity(network: UtilityNetwork) -> bool:
    """Return whether each link flows from its start to its end, rather than away from sources."""
    return network.utility is Utility.DRAINAGE or not (is_source(network).any())


def flow_directions(network: UtilityNetwork, passable: Bool) -> tuple[Int, Int, Bool]:
    """Return where water enters and leaves each link, and where neither is known.

    Parameters
    ----------
    network : UtilityNetwork
    passable : (L,) bool

    Returns
    -------
    tails, heads : (L,) int64
        Node rows; water goes from tail to head.
    two_way : (L,) bool
        Links that no source reaches: either way is possible.
    """
    start, end = network.start.astype(np.int64), network.end.astype(np.int64)
    if flows_by_gravity(network):
        return start, end, np.zeros(len(start), dtype=bool)
    distances = supply_distances(network, passable)
    one_way = _is_one_way(network)
    backwards = (distances[end] < distances[start]) & ~one_way
    unknown = ~np.isfinite(distances[start]) & ~np.isfinite(distances[end]) & ~one_way
    return np.where(backwards, end, start), np.where(backwards, start, end), unknown


def supply_distances(network: UtilityNetwork, passable: Bool) -> Float:
    """Return (N,) resistance from the nearest source, infinite where no source reaches.

    Hazen-Williams head loss goes with L / D^4.87; it is a stand-in for a simulation, good for telling the near end of a pipe.
    Parts fed by tanks alone count from their tanks.
    """
    from scipy.sparse.csgraph import dijkstra

    lengths = np.nan_to_num(network.lengths, nan=1.0)
    diameters = np.where(network.diameters > 0.0, network.diameters, 0.3)
    weights = lengths / np.maximum(diameters, 1e-3) ** 4.87 + 1e-9
    back = passable & ~_is_one_way(network)
    tails = np.concatenate([network.start[passable], network.end[back]])
    heads = np.concatenate([network.end[passable], network.start[back]])
    graph = _least_graph(len(network.nodes), tails, heads, np.concatenate([weights[passable], weights[back]]))
    distances = np.full(len(network.nodes), np.inf)
    for feeders in (np.flatnonzero(is_source(network)), np.flatnonzero(network.node_kind == NodeKind.TANK)):
        feeders = feeders[~np.isfinite(distances[feeders])]
        if len(feeders):
            more = dijkstra(graph, indices=feeders, min_only=True)
            distances = np.where(np.isfinite(distances), distances, more)
    return distances


def reachable(count: int, tails: Any, heads: Any, seeds: Int, directed: bool = True) -> Bool:
    """Return (N,) bool: nodes that can be reached from ``seeds`` along links from ``tails`` to ``heads``, seeds included."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    reached = np.zeros(count + 1, dtype=bool)
    if len(seeds):
        # One more node leads to every seed, so that one pass serves them all.
        tails = np.concatenate([np.asarray(tails, dtype=np.int32), np.full(len(seeds), count, dtype=np.int32)])
        heads = np.concatenate([np.asarray(heads, dtype=np.int32), np.asarray(seeds, dtype=np.int32)])
        graph = coo_array((np.ones(len(tails), dtype=np.int8), (tails, heads)), shape=(count + 1, count + 1)).tocsr()
        graph.data[:] = 1
        reached[breadth_first_order(graph, count, directed=directed, return_predecessors=False)] = True
    return reached[:count]


def _isolate(network: UtilityNetwork, seeds: Int, seed_links: Int, passable: Bool) -> TraceResult:
    """Find what is shut off together with the seeds, what to shut for it, and who is left without supply."""
    count = len(network.nodes)
    can_shut = np.isin(network.link_kind, CLOSABLE)
    is_barrier = (network.node_kind == NodeKind.VALVE) | is_source(network) | (network.node_kind == NodeKind.TANK)
    is_barrier[seeds] = False
    inner = passable & ~can_shut
    start, end = network.start.astype(np.int64), network.end.astype(np.int64)
    # The seeds' own links leak both ways, valves or not; water may arrive at a barrier node but does not pass through it.
    at = np.concatenate([seeds, start[seed_links], end[seed_links]])
    out_of_start, out_of_end = inner & ~is_barrier[start], inner & ~is_barrier[end]
    reached = reachable(
        count,
        np.concatenate([start[out_of_start], end[out_of_end]]),
        np.concatenate([end[out_of_start], start[out_of_end]]),
        at[~is_barrier[at]],
    )
    reached[at] = True
    section = reached & ~is_barrier
    is_link = inner & (section[start] | section[end])
    is_link[seed_links] = True
    # Only valves that are still open need shutting; the failed link cannot shut itself.
    to_shut = passable & can_shut & (section[start] | section[end]) & ~is_link
    shut = is_link | to_shut
    touched = np.zeros(count, dtype=bool)
    touched[start[is_link]] = True
    touched[end[is_link]] = True
    fed_before = _fed(network, passable)
    fed_after = _fed(network, passable & ~shut) & ~section
    without = is_customer(network) & fed_before & ~fed_after
    return TraceResult(
        Direction.ISOLATE,
        np.flatnonzero(section),
        np.flatnonzero(is_link),
        _length(network, np.flatnonzero(is_link)),
        np.flatnonzero(to_shut),
        np.flatnonzero(touched & is_barrier & (network.node_kind == NodeKind.VALVE)),
        np.flatnonzero(touched & is_barrier & (network.node_kind != NodeKind.VALVE)),
        np.flatnonzero(without | (section & is_customer(network))),
    )


def _fed(network: UtilityNetwork, passable: Bool) -> Bool:
    """Return (N,) bool: nodes with a way from a source or tank; every node where the network has neither."""
    feeders = np.flatnonzero(is_source(network) | (network.node_kind == NodeKind.TANK))
    if not len(feeders):
        return np.ones(len(network.nodes), dtype=bool)
    back = passable & ~_is_one_way(network)
    tails = np.concatenate([network.start[passable], network.end[back]])
    heads = np.concatenate([network.end[passable], network.start[back]])
    return reachable(len(network.nodes), tails, heads, feeders)


def _is_one_way(network: UtilityNetwork) -> Bool:
    """Return (L,) bool: pumps, check valves and control valves that let water pass from start to end only."""
    one_way: Bool = network.link_kind == LinkKind.PUMP
    status = network.links.columns.get("status")
    if status is not None:
        one_way = one_way | (status == "cv")
    valve_type = network.links.columns.get("valve_type")
    if valve_type is not None:
        one_way = one_way | np.isin(valve_type.astype(str), ("PRV", "PSV", "FCV"))
    return one_way


def _least_graph(count: int, tails: Any, heads: Any, weights: Float) -> Any:
    """Return the sparse graph with the least weight where several links join the same nodes."""
    from scipy.sparse import csr_array

    order = np.lexsort((weights, heads, tails))
    tails, heads, weights = tails[order], heads[order], weights[order]
    first = np.ones(len(tails), dtype=bool)
    first[1:] = (tails[1:] != tails[:-1]) | (heads[1:] != heads[:-1])
    return csr_array((weights[first], (tails[first], heads[first])), shape=(count, count))


def _result(network: UtilityNetwork, direction: Direction, reached: Bool, links: Int, customers: Bool) -> TraceResult:
    return TraceResult(
        direction,
        np.flatnonzero(reached),
        links,
        _length(network, links),
        links[network.link_kind[links] == LinkKind.VALVE],
        np.flatnonzero(reached & (network.node_kind == NodeKind.VALVE)),
        np.flatnonzero(reached & is_source(network)),
        np.flatnonzero(customers),
    )


def _length(network: UtilityNetwork, links: Int) -> float:
    return float(np.nansum(network.lengths[links]))
