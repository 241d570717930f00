"""Filters, hiding and selections as edits: what they do, refuse, and how exposure follows them."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands import selecting
from cimdesk.commands.flood_exposure import exposure_of
from cimdesk.commands.session import Session
from cimdesk.model.expression import ExpressionError
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.model.visibility import shown_nodes, shown_rows
from tests.scene import cities


@pytest.fixture
def session():
    terrain = cities.river_terrain()
    city = cities.district(terrain, 300)
    session = Session()
    session.workspace = cities.workspace_of(
        ("terrain", LayerKind.TERRAIN, terrain),
        ("buildings", LayerKind.BUILDINGS, city),
        ("drainage", LayerKind.NETWORK, cities.drainage(terrain)),
    )
    return session


def ids(session, layer="buildings"):
    return session.workspace.features(layer).ids


def test_ways_of_selecting_combine(session):
    first, second, third = (str(key) for key in ids(session)[:3])
    assert selecting.select_by_expression(session, "buildings", f"id in ('{first}', '{second}')") == 2
    selecting.select_by_expression(session, "buildings", f"id = '{third}'", "add")
    selecting.select_by_expression(session, "buildings", f"id = '{first}'", "remove")
    assert session.selection.of_layer("buildings") == {second, third}
    selecting.select_by_expression(session, "buildings", f"id = '{third}'", "within")
    assert session.selection.of_layer("buildings") == {third}
    with pytest.raises(UsageError):
        selecting.select_by_expression(session, "buildings", "id = 'x'", "sideways")


def test_a_filter_that_cannot_be_understood_changes_nothing(session):
    with pytest.raises(ExpressionError):
        selecting.set_filter(session, "buildings", "no_such_thing > 2")
    with pytest.raises(UsageError):
        selecting.set_filter(session, "terrain", "a > 2")
    assert not session.history.done
    assert shown_rows(session.workspace, session.workspace.layer("buildings")) is None


def test_what_is_filtered_or_hidden_is_not_selected(session):
    keys = [str(key) for key in ids(session)]
    selecting.set_filter(session, "buildings", f"id != '{keys[0]}'")
    session.selection.set([AssetRef("buildings", keys[1])])
    selecting.hide_selection(session)
    selecting.invert(session, ["buildings"])
    assert session.selection.of_layer("buildings") == set(keys[2:])


def test_hidden_features_outlive_the_record(session):
    key = str(ids(session)[5])
    session.selection.set([AssetRef("buildings", key)])
    selecting.hide_selection(session)
    layer = session.workspace.layer("buildings")
    assert type(layer).from_record("buildings", layer.to_record()).hidden == [key]


def test_nodes_go_with_their_links_and_can_be_hidden_alone(session):
    network = session.workspace.data("drainage")
    link = int(np.flatnonzero(network.start != network.end)[0])
    session.selection.set([AssetRef("drainage", str(network.links.ids[link]))])
    selecting.isolate_selection(session)
    nodes = shown_nodes(session.workspace.layer("drainage"), network)
    assert np.flatnonzero(nodes).tolist() == sorted({int(network.start[link]), int(network.end[link])})
    selecting.show_all_features(session)
    name = f"node:{network.nodes.ids[0]}"
    session.selection.set([AssetRef("drainage", name)])
    selecting.hide_selection(session)
    nodes = shown_nodes(session.workspace.layer("drainage"), network)
    assert not nodes[0]
    assert nodes[1:].all()


def test_exposure_counts_what_the_filter_leaves_when_asked(session):
    city = session.workspace.data("buildings")
    result = cities.storm(session.workspace.data("terrain"), city)
    everything = exposure_of(session, result)["buildings_total"]
    keys = ", ".join(f"'{key}'" for key in ids(session)[: len(ids(session)) // 2])
    selecting.set_filter(session, "buildings", f"id in ({keys})")
    assert exposure_of(session, result)["buildings_total"] == everything
    assert 0 < exposure_of(session, result, in_sight=True)["buildings_total"] < everything
