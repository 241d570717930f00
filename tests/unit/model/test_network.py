"""UtilityNetwork: adjacency, bends, identifiers, bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.analysis.test_trace import build


def test_adjacency_lists_every_link_from_both_ends():
    network = build(["ab", "bc", "bd"])
    offsets, neighbours, rows = network.adjacency
    b = network.nodes.row_of("b")
    mine = slice(offsets[b], offsets[b + 1])
    assert sorted(network.nodes.ids[neighbours[mine]]) == ["a", "c", "d"]
    assert sorted(rows[mine]) == [0, 1, 2]
    assert offsets[-1] == 2 * len(network.links)


def test_identifiers_find_links_first_and_prefixes_decide():
    network = build(["ab", "bc"])
    assert network.find("ab") == (False, 0)
    assert network.find("a") == (True, network.nodes.row_of("a"))
    assert network.find("node:b") == (True, network.nodes.row_of("b"))
    assert network.find("link:bc") == (False, 1)
    assert network.ref_of_node(0) == "node:a"
    with pytest.raises(KeyError):
        network.find("node:ab")


def test_bounds_leave_out_nodes_without_a_place():
    network = build(["ab", "bc"])
    positions = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, np.nan], [np.nan, np.nan, 9.0]])
    assert replace(network, positions=positions).bounds.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 3.0]]


def test_a_link_without_bends_is_a_straight_line():
    network = build(["ab"])
    assert network.link_points(0).shape == (2, 3)


def test_lengths_that_do_not_match_are_refused():
    network = build(["ab"])
    with pytest.raises(ValueError, match="lengths"):
        replace(network, lengths=np.zeros(5))
