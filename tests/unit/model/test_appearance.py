"""What styles make of features, and the legends that say so."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from cimdesk.base.i18n import set_language
from cimdesk.base.paths import resource_dir
from cimdesk.model.appearance import (
    DEPTH_CLASSES,
    UTILITY_COLORS,
    UTILITY_NAMES,
    color_layer,
    default_style,
    describe,
    feature_depths,
    legend_cards,
    value_text,
)
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.lifecycle import STAGE_PALETTE, Stage, StageEvent
from cimdesk.model.network import Utility
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import STATUS_PALETTE, Status
from cimdesk.model.style import NEUTRAL, Style, StyleMode, rgba
from cimdesk.model.workspace import Workspace
from tests.scene import cities
from tests.unit.project.cities import network


@pytest.fixture(scope="module")
def workspace():
    return cities.demo_city(300)


def layer_with(workspace, key, **style):
    return workspace.layer(key).but(style=Style(**style))


def test_every_utility_has_its_cjj61_colour_and_a_name():
    assert set(UTILITY_COLORS) == set(UTILITY_NAMES) == set(Utility)
    assert rgba(UTILITY_COLORS[Utility.WATER])[:3] == (0, 255, 255)
    assert rgba(UTILITY_COLORS[Utility.DRAINAGE])[:3] == (76, 57, 38)
    assert rgba(UTILITY_COLORS[Utility.UNKNOWN])[:3] == (102, 0, 204)


def test_depth_classes_follow_each_other_without_gaps():
    assert [low for low, _, _ in DEPTH_CLASSES[1:]] == [high for _, high, _ in DEPTH_CLASSES[:-1]]
    assert math.isinf(DEPTH_CLASSES[-1][1])


def test_stage_colours_follow_the_clock(workspace):
    ref = AssetRef("buildings", "B00003")
    event = StageEvent("e1", ref, Stage.CONSTRUCTION, 1000.0, "me", "test", 0.0)
    workspace.apply((workspace.document.put("stage_event", "e1", event.to_record()),))
    layer = layer_with(workspace, "buildings", mode=StyleMode.STAGE)
    before, after = (color_layer(workspace, layer, time).colors for time in (999.0, 1001.0))
    assert tuple(before[3]) == rgba(STAGE_PALETTE[Stage.UNKNOWN][1])
    assert tuple(after[3]) == rgba(STAGE_PALETTE[Stage.CONSTRUCTION][1])
    assert np.array_equal(np.delete(before, 3, axis=0), np.delete(after, 3, axis=0))


def test_sensor_colours_are_those_of_their_status(workspace):
    time = cities.T0 + 3 * cities.HOUR
    status = workspace.data("gauges").status_at(time)
    coloring = color_layer(workspace, workspace.layer("gauges"), time)
    for row, code in enumerate(status):
        assert tuple(coloring.colors[row]) == rgba(STATUS_PALETTE[code][1])
    assert sum(entry.count for entry in coloring.legend) == len(status)


def test_feature_depth_is_the_deepest_water_beside_a_building(workspace):
    time = cities.T0 + 3 * cities.HOUR
    depths = feature_depths(workspace, "buildings", time)
    result = workspace.data("flood")
    assert np.nanmax(depths) > 0.4
    assert np.nanmax(depths) <= result.depth_at(time).max()
    assert (depths == 0.0).any()


def test_buildings_coloured_by_depth_use_the_classes(workspace):
    time = cities.T0 + 3 * cities.HOUR
    coloring = color_layer(workspace, layer_with(workspace, "buildings", mode=StyleMode.DEPTH), time)
    depths = feature_depths(workspace, "buildings", time)
    row = int(np.nanargmax(depths))
    expected = next(color for low, high, color in DEPTH_CLASSES if low <= depths[row] < high)
    assert tuple(coloring.colors[row]) == rgba(expected)
    assert sum(entry.count for entry in coloring.legend) == int((depths >= 0.03).sum())


def test_legends_explain_visible_coloured_layers_only(workspace):
    titles = [card.title for card in legend_cards(workspace, cities.T0)]
    assert titles == ["Gauges · Status", "Water depth", "Utilities"]
    cities.restyle(workspace, "gauges", visible=False)
    assert "Gauges · Status" not in [card.title for card in legend_cards(workspace, cities.T0)]
    cities.restyle(workspace, "gauges", visible=True)


def test_one_card_explains_all_utilities(workspace):
    card = next(card for card in legend_cards(workspace, cities.T0) if card.title == "Utilities")
    assert [entry.label for entry in card.entries] == ["Drainage", "Water supply", "Gas"]
    assert card.symbol == "line"


def test_networks_of_one_utility_share_a_line_of_the_legend_unless_their_colours_differ():
    workspace = Workspace()
    for key, color in (("north", "#4c3926"), ("south", "#4c3926"), ("planned", "#ff0000")):
        layer = Layer(key, key, LayerKind.NETWORK, "", style=Style(color=color))
        workspace.apply((workspace.document.put("layer", key, layer.to_record()),), {key: network(3)})
    (card,) = legend_cards(workspace, 0.0)
    assert [(entry.color, entry.count) for entry in card.entries] == [("#4c3926", 6), ("#ff0000", 3)]


def test_new_layers_look_like_what_they_are(workspace):
    assert default_style(LayerKind.NETWORK, workspace.data("gas")).color == UTILITY_COLORS[Utility.GAS]
    assert default_style(LayerKind.SENSORS, workspace.data("gauges")).mode is StyleMode.STATUS
    assert default_style(LayerKind.BUILDINGS, workspace.data("buildings")).mode is StyleMode.SINGLE
    assert default_style(LayerKind.FLOOD, workspace.data("flood")).mode is StyleMode.DEPTH


def test_a_model_of_land_and_water_is_coloured_by_type():
    table = FeatureTable.from_rows(["a", "b"], [{"type": "Building"}, {"type": "WaterBody"}])
    style = default_style(LayerKind.BUILDINGS, CityModel(table, np.full(2, -1, np.int32)))
    assert style.mode is StyleMode.CATEGORIES
    assert style.categories["Building"] == NEUTRAL
    assert style.categories["WaterBody"] == "#9cc3dd"


def test_a_legend_calls_the_columns_the_program_adds_by_their_names():
    table = FeatureTable.from_rows(["a", "b"], [{"type": "Building"}, {"type": "WaterBody"}])
    city = CityModel(table, np.full(2, -1, np.int32))
    workspace, layer = Workspace(), Layer("town", "town", LayerKind.BUILDINGS, "", style=default_style(LayerKind.BUILDINGS, city))
    workspace.apply((workspace.document.put("layer", "town", layer.to_record()),), {"town": city})
    set_language("zh_CN")
    assert [card.title for card in legend_cards(workspace, 0.0)] == ["town · 类型"]


@pytest.mark.parametrize(
    ("layer", "feature", "name"),
    [
        ("buildings", "B00001", "Building B00001"),
        ("drainage", "YS-7", "Sewer YS-7"),
        ("drainage", "node:N3", "Manhole N3"),
        ("gauges", "G004", "Gauge PS-004"),
        ("zones", "park", "公园 Park"),
        ("zones", "gone", "gone"),
    ],
)
def test_things_are_called_by_their_names(workspace, layer, feature, name):
    assert describe(workspace, AssetRef(layer, feature)) == name


def test_names_are_translated(workspace):
    set_language("zh_CN")
    assert describe(workspace, AssetRef("drainage", "YS-7")) == "排水管 YS-7"


def test_values_carry_their_unit_or_status(workspace):
    time = cities.T0 + 3 * cities.HOUR
    assert value_text(workspace, AssetRef("gauges", "G000"), time) == "0.95 m · Alarm"
    assert value_text(workspace, AssetRef("drainage", "YS-7"), time).startswith("DN ")
    assert value_text(workspace, AssetRef("buildings", "nobody"), time) == ""


def test_every_palette_label_has_a_translation():
    catalogue = json.loads((resource_dir() / "i18n" / "zh_CN" / "scene.json").read_text(encoding="utf-8"))
    labels = [label for label, _ in (*STATUS_PALETTE, *STAGE_PALETTE)] + list(UTILITY_NAMES.values())
    assert [label for label in labels if label not in catalogue] == []
    assert len(STATUS_PALETTE) == len(Status)
