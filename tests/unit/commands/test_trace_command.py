"""Tracing by identifiers and into the selection."""

from __future__ import annotations

import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands.session import Session
from cimdesk.commands.trace import describe, select_trace, trace
from cimdesk.model.selection import AssetRef
from tests.unit.analysis.test_trace import SEWER, build


def test_a_trace_by_identifier_is_described_by_identifiers():
    network = build(SEWER)
    told = describe(network, trace(network, "c", "up"))
    assert told["nodes"] == ["a", "b", "c"]
    assert told["links"] == ["ac", "bc"]
    assert told["length_m"] == 20.0
    assert told["valves"] == told["customers"] == []


def test_prefixes_tell_nodes_from_links_of_the_same_name():
    network = build(["ab", "bc"])
    assert describe(network, trace(network, "link:ab", "down"))["nodes"] == ["b", "c"]
    assert describe(network, trace(network, "node:a", "down"))["nodes"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("ref", "direction", "closed", "message"),
    [("z", "up", (), "no node or link “z”"), ("a", "sideways", (), "no direction"), ("a", "up", ("zz",), "no link “zz”")],
)
def test_what_does_not_exist_is_refused_readably(ref, direction, closed, message):
    with pytest.raises(UsageError, match=message):
        trace(build(SEWER), ref, direction, closed)


def test_the_selection_becomes_what_was_found():
    session = Session()
    session.workspace.apply((), {"sewer": build(SEWER)})
    select_trace(session, AssetRef("sewer", "node:c"), "down")
    assert session.selection.of_layer("sewer") == {"node:c", "node:d", "node:e", "cd", "de"}
    with pytest.raises(UsageError, match="not a network"):
        select_trace(session, AssetRef("nothing", "x"), "down")
