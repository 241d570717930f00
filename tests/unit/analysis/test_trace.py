"""Tracing on networks small enough to see the answer, and laws that hold on every one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.network.trace import Direction, is_customer, trace
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork


def build(links, kinds=None, link_kinds=None, utility=Utility.DRAINAGE, demand=None, status=None, closed=()):
    """Return a network of (start, end) node letters; kinds by letter, link kinds by position; every link is 10 m long."""
    names = sorted({name for link in links for name in link})
    rows = {name: k for k, name in enumerate(names)}
    count = len(links)
    node_columns = {} if demand is None else {"demand": np.array([float(name in demand) for name in names])}
    link_columns = {} if status is None else {"status": np.array([status.get(k, "open") for k in range(count)], dtype=object)}
    return UtilityNetwork(
        utility,
        FeatureTable(as_strings(names), node_columns),
        FeatureTable(as_strings(f"{a}{b}" for a, b in links), link_columns),
        np.array([(kinds or {}).get(name, NodeKind.JUNCTION) for name in names], dtype=np.uint8),
        np.array([(link_kinds or {}).get(k, LinkKind.PIPE) for k in range(count)], dtype=np.uint8),
        np.zeros((len(names), 3)),
        np.array([rows[a] for a, _ in links], dtype=np.int32),
        np.array([rows[b] for _, b in links], dtype=np.int32),
        np.full(count, 0.3),
        np.full(count, 10.0),
        is_open=np.array([k not in closed for k in range(count)]),
    )


def letters(network, rows):
    return "".join(sorted(str(network.nodes.ids[row]) for row in rows))


def node(network, name):
    return [network.nodes.row_of(name)]


SEWER = ["ac", "bc", "cd", "de", "xd"]
"""a and b meet in c; c and x meet in d; e is the outfall."""


def test_downstream_of_a_sewer_follows_the_flow_to_the_outfall():
    network = build(SEWER)
    found = trace(network, Direction.DOWN, node(network, "c"))
    assert letters(network, found.nodes) == "cde"
    assert found.length == 20.0


def test_upstream_of_a_sewer_collects_every_branch_but_not_the_neighbour():
    network = build(SEWER)
    found = trace(network, Direction.UP, node(network, "c"))
    assert letters(network, found.nodes) == "abc"
    assert sorted(network.links.ids[found.links]) == ["ac", "bc"]


def test_a_pipe_is_traced_from_the_end_the_water_leaves_or_comes_from():
    network = build(SEWER)
    pipe = [network.links.row_of("cd")]
    assert letters(network, trace(network, Direction.DOWN, links=pipe).nodes) == "de"
    assert letters(network, trace(network, Direction.UP, links=pipe).nodes) == "abc"
    assert network.links.row_of("cd") in trace(network, Direction.UP, links=pipe).links


def test_closed_links_stop_a_trace_whether_the_model_or_the_person_closed_them():
    network = build(SEWER, closed=(0,))
    assert letters(network, trace(network, Direction.UP, node(network, "c")).nodes) == "bc"
    shut = [network.links.row_of("bc")]
    assert letters(network, trace(network, Direction.UP, node(network, "c"), closed=shut).nodes) == "c"


def test_a_loop_in_a_sewer_ends():
    network = build(["ab", "bc", "ca", "cd"])
    assert letters(network, trace(network, Direction.DOWN, node(network, "a")).nodes) == "abcd"


WATER = ["sa", "ab", "bc", "ca", "bd", "ed"]
"""s feeds a loop a-b-c; d hangs on b; the pipe to e is drawn from e to d."""


def water(**changes):
    return build(WATER, kinds={"s": NodeKind.RESERVOIR}, utility=Utility.WATER, demand="cde", **changes)


def test_pressurised_water_flows_away_from_the_source_whichever_way_a_pipe_was_drawn():
    network = water()
    assert letters(network, trace(network, Direction.DOWN, node(network, "d")).nodes) == "de"
    assert letters(network, trace(network, Direction.UP, node(network, "e")).nodes) == "abdes"


def test_customers_and_sources_on_the_way_are_named():
    network = water()
    down = trace(network, Direction.DOWN, node(network, "b"))
    assert set("de") <= set(letters(network, down.customers))
    assert letters(network, trace(network, Direction.UP, node(network, "b")).sources) == "s"


def test_a_part_without_any_source_is_followed_both_ways():
    network = water(closed=(4,))
    assert letters(network, trace(network, Direction.DOWN, node(network, "e")).nodes) == "de"
    assert letters(network, trace(network, Direction.UP, node(network, "e")).nodes) == "de"


def test_a_check_valve_lets_no_water_back():
    network = build(["sa", "ba"], kinds={"s": NodeKind.RESERVOIR}, utility=Utility.WATER, demand="b", status={1: "cv"})
    assert letters(network, trace(network, Direction.DOWN, node(network, "a")).nodes) == "a"


def test_connected_is_everything_that_open_links_join():
    network = build([*SEWER, "pq"])
    found = trace(network, Direction.CONNECTED, node(network, "x"))
    assert letters(network, found.nodes) == "abcdex"
    assert found.length == 50.0
    assert letters(network, trace(network, Direction.CONNECTED, node(network, "q")).nodes) == "pq"


STREET = ["sa", "ab", "bc", "cd", "de"]
"""Valves ab and cd on a street of pipes fed at s; customers at c and e."""


def street(**changes):
    return build(
        STREET,
        kinds={"s": NodeKind.RESERVOIR},
        link_kinds={1: LinkKind.VALVE, 3: LinkKind.VALVE},
        utility=Utility.WATER,
        demand="ce",
        **changes,
    )


def test_isolating_a_burst_names_the_valves_on_both_sides_and_everyone_left_dry():
    network = street()
    found = trace(network, Direction.ISOLATE, links=[network.links.row_of("bc")])
    assert sorted(network.links.ids[found.valves]) == ["ab", "cd"]
    assert letters(network, found.nodes) == "bc"
    assert letters(network, found.customers) == "ce"
    assert found.length == 10.0
    assert not len(found.sources)


def test_a_valve_already_shut_needs_no_shutting():
    network = street()
    shut = [network.links.row_of("cd")]
    found = trace(network, Direction.ISOLATE, links=[network.links.row_of("bc")], closed=shut)
    assert network.links.ids[found.valves].tolist() == ["ab"]
    assert letters(network, found.customers) == "c"


def test_a_burst_beside_the_source_says_the_source_must_be_shut():
    network = street()
    found = trace(network, Direction.ISOLATE, links=[network.links.row_of("sa")])
    assert letters(network, found.sources) == "s"
    assert network.links.ids[found.valves].tolist() == ["ab"]
    assert letters(network, found.customers) == "ce"


def test_a_second_feed_keeps_the_customers_beyond_the_valve_supplied():
    network = build(
        [*STREET, "te"],
        kinds={"s": NodeKind.RESERVOIR, "t": NodeKind.RESERVOIR},
        link_kinds={1: LinkKind.VALVE, 3: LinkKind.VALVE},
        utility=Utility.WATER,
        demand="ce",
    )
    found = trace(network, Direction.ISOLATE, links=[network.links.row_of("bc")])
    assert letters(network, found.customers) == "c"


def test_a_failed_valve_is_isolated_by_the_next_ones():
    network = street()
    found = trace(network, Direction.ISOLATE, links=[network.links.row_of("cd")])
    assert network.links.ids[found.valves].tolist() == ["ab"]
    assert letters(network, found.nodes) == "bcde"


def test_valves_that_are_nodes_isolate_too():
    network = build(
        ["sa", "av", "vb", "bc"], kinds={"s": NodeKind.RESERVOIR, "v": NodeKind.VALVE}, utility=Utility.WATER, demand="c"
    )
    found = trace(network, Direction.ISOLATE, links=[network.links.row_of("bc")])
    assert letters(network, found.node_valves) == "v"
    assert letters(network, found.nodes) == "bc"
    assert sorted(network.links.ids[found.links]) == ["bc", "vb"]
    assert letters(network, found.customers) == "c"


@st.composite
def networks(draw):
    count = draw(st.integers(2, 12))
    ends = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), min_size=1, max_size=25))
    names = "abcdefghijkl"
    kinds = {
        names[k]: draw(st.sampled_from([NodeKind.JUNCTION, NodeKind.RESERVOIR, NodeKind.TANK, NodeKind.VALVE])) for k in range(3)
    }
    link_kinds = {k: draw(st.sampled_from([LinkKind.PIPE, LinkKind.VALVE, LinkKind.PUMP])) for k in range(len(ends))}
    utility = draw(st.sampled_from([Utility.DRAINAGE, Utility.WATER]))
    return build([names[a] + names[b] for a, b in ends], kinds, link_kinds, utility, demand="adg")


@settings(max_examples=150, deadline=None)
@given(networks(), st.data())
def test_laws_of_tracing_hold_on_random_networks(network, data):
    seed = data.draw(st.integers(0, len(network.nodes) - 1))
    up, down, both = (trace(network, d, [seed]) for d in (Direction.UP, Direction.DOWN, Direction.CONNECTED))
    assert seed in up.nodes
    assert seed in down.nodes
    assert set(up.nodes) | set(down.nodes) <= set(both.nodes)
    assert set(up.links) | set(down.links) <= set(both.links)
    for other in down.nodes:
        assert seed in trace(network, Direction.UP, [int(other)]).nodes
    isolated = trace(network, Direction.ISOLATE, [seed])
    assert set(isolated.nodes) <= set(both.nodes)
    assert not set(isolated.valves) & set(isolated.links)
    # After shutting the valves nothing open leads out of the part but to node valves and sources.
    shut = replace(network, is_open=network.is_open & ~np.isin(np.arange(len(network.links)), isolated.valves))
    edge = set(isolated.nodes) | set(isolated.node_valves) | set(isolated.sources)
    for a, b, is_open in zip(shut.start, shut.end, shut.is_open, strict=True):
        if is_open and (a in isolated.nodes or b in isolated.nodes):
            assert {int(a), int(b)} <= edge


def test_customers_are_meters_and_nodes_with_demand():
    network = build(["ab", "bc"], kinds={"c": NodeKind.METER}, demand="a")
    assert is_customer(network).tolist() == [True, False, True]


@pytest.mark.parametrize("direction", list(Direction))
def test_a_network_without_links_traces_to_the_node_itself(direction):
    network = build(["ab"])
    single = UtilityNetwork(
        Utility.WATER, network.nodes.take(np.array([0])), FeatureTable.empty(), np.zeros(1, np.uint8), np.zeros(0, np.uint8),
        np.zeros((1, 3)), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0), np.zeros(0),
    )  # fmt: skip
    assert trace(single, direction, [0]).nodes.tolist() == [0]
