"""Trace a network by identifiers, and let the selection be what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cimdesk.analysis.network.trace import Direction, TraceResult
from cimdesk.analysis.network.trace import trace as trace_rows
from cimdesk.base.errors import UsageError
from cimdesk.commands.session import Session
from cimdesk.model.network import NODE_PREFIX, UtilityNetwork
from cimdesk.model.selection import AssetRef


def trace(network: UtilityNetwork, from_id: str, direction: Direction | str, closed: Iterable[str] = ()) -> TraceResult:
    """Trace from one node or link.

    Parameters
    ----------
    network : UtilityNetwork
    from_id : str
        ``node:<id>``, ``link:<id>`` or a bare identifier; bare, a node is meant where node and link share it.
    direction : Direction or str
        ``up``, ``down``, ``connected`` or ``isolate``.
    closed : iterable of str
        Links taken as closed besides those the network says are.

    Raises
    ------
    UsageError
        If the identifier or direction does not exist.
    """
    if direction not in set(Direction):
        raise UsageError(
            "“{direction}” is no direction of tracing.", remedy="Use up, down, connected or isolate.", direction=direction
        )
    is_node, row = _find(network, f"{NODE_PREFIX}{from_id}" if from_id in network.nodes else from_id)
    shut = [_find_link(network, link) for link in closed]
    return trace_rows(network, Direction(direction), [row] if is_node else [], [] if is_node else [row], shut)


def select_trace(session: Session, ref: AssetRef, direction: Direction | str, closed: Iterable[str] = ()) -> TraceResult:
    """Trace from an asset of a network layer and select what was found: links by their id, nodes as ``node:<id>``.

    When isolating, the valves to shut are selected as well.

    Raises
    ------
    UsageError
        If the layer is no loaded network, or has no such asset.
    """
    network = session.workspace.data(ref.layer)
    if not isinstance(network, UtilityNetwork):
        raise UsageError("“{layer}” is not a network that is open.", remedy="Select a pipe, cable or node first.", layer=ref.layer)
    exact = ref.feature if ref.feature.startswith(NODE_PREFIX) else f"link:{ref.feature}"
    result = trace(network, exact, direction, closed)
    session.selection.set(AssetRef(ref.layer, feature) for feature in features_of(network, result))
    return result


def features_of(network: UtilityNetwork, result: TraceResult) -> list[str]:
    """Return the features of a result as selections name them."""
    links = _names(network.links.ids, [*result.links, *result.valves])
    nodes = [f"{NODE_PREFIX}{name}" for name in _names(network.nodes.ids, [*result.nodes, *result.node_valves])]
    return [*links, *nodes]


def describe(network: UtilityNetwork, result: TraceResult) -> dict[str, Any]:
    """Return a result by identifiers, with the keys of the command line's ``trace``.

    Returns
    -------
    dict
        ``nodes``, ``links``, ``valves``, ``sources``, ``customers``: lists of identifiers; ``length_m``: float;
        ``drained_area_m2``: land that drains to the nodes, for drainage.
    """
    found: dict[str, Any] = {
        "direction": str(result.direction),
        "nodes": _names(network.nodes.ids, result.nodes),
        "links": _names(network.links.ids, result.links),
        "length_m": result.length,
        "valves": [*_names(network.links.ids, result.valves), *_names(network.nodes.ids, result.node_valves)],
        "sources": _names(network.nodes.ids, result.sources),
        "customers": _names(network.nodes.ids, result.customers),
    }
    if "drained_area" in network.nodes.columns:
        found["drained_area_m2"] = float(network.nodes.columns["drained_area"][result.nodes].sum())
    return found


def _names(ids: Any, rows: Sequence[int] | Any) -> list[str]:
    return [str(ids[row]) for row in rows]


def _find(network: UtilityNetwork, ref: str) -> tuple[bool, int]:
    try:
        return network.find(ref)
    except KeyError:
        raise UsageError(
            "there is no node or link “{id}” in the network.", remedy="Check the identifier in the attribute table.", id=ref
        ) from None


def _find_link(network: UtilityNetwork, link: str) -> int:
    name = link.removeprefix("link:")
    if link not in network.links and name not in network.links:
        raise UsageError("there is no link “{id}” to close.", remedy="Check the identifier in the attribute table.", id=link)
    return network.links.row_of(link if link in network.links else name)
