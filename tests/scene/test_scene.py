"""Facts about the picture: colours at known places, what is drawn when, and what stays out."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.model.city import CityModel
from cimdesk.model.document import RecordChange
from cimdesk.model.features import FeatureTable
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.network import Utility
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Style, StyleMode
from cimdesk.model.workspace import Workspace
from cimdesk.scene.look import LOOKS
from tests.scene import cities

pytestmark = pytest.mark.render


def one_building(**style):
    mesh = cities.boxes(*(np.array([v], float) for v in (500.0, 500.0, 40.0, 40.0, 30.0, 0.0, 5.0)))
    from cimdesk.model.features import as_strings

    table = FeatureTable(
        as_strings(["B1"]), {"type": np.array(["Building"], dtype=object), "use": np.array(["school"], dtype=object)}
    )
    city = CityModel(table, np.full(1, -1, np.int32), {"1": mesh})
    return cities.workspace_of(("buildings", LayerKind.BUILDINGS, city, {"style": Style(**style)}))


ROOF = (cities.ORIGIN[0] + 500.0, cities.ORIGIN[1] + 500.0, 35.0)


def test_a_roof_is_lighter_than_a_wall_and_both_are_warm_and_bright(stage_of):
    stage = stage_of(one_building())
    picture = stage.look(0, 35, 150, (500, 500, 20)).astype(int)
    column, row = stage.pixel(ROOF)
    wall_column, wall_row = stage.pixel((ROOF[0], ROOF[1] - 20.0, 20.0))
    roof, wall = picture[row, column], picture[wall_row, wall_column]
    assert roof.min() > 235
    assert 110 < wall.mean() < roof.mean() - 15
    assert wall[0] >= wall[2]


def test_a_category_colour_shows_on_the_building(stage_of):
    stage = stage_of(one_building(mode=StyleMode.CATEGORIES, attribute="use", categories={"school": "#d73027"}))
    picture = stage.look(0, 60, 150, (500, 500, 20)).astype(int)
    column, row = stage.pixel(ROOF)
    red, green, blue = picture[row, column]
    assert red > green + 50
    assert red > blue + 50


def test_restyling_recolours_without_building_anew(stage_of):
    workspace = one_building()
    stage = stage_of(workspace)
    stage.look(0, 60, 150, (500, 500, 20))
    visual = stage.scene.visuals["buildings"]
    cities.restyle(workspace, "buildings", style=Style(color="#2f7fc1").to_record())
    picture = stage.draw().astype(int)
    column, row = stage.pixel(ROOF)
    assert stage.scene.visuals["buildings"] is visual
    assert picture[row, column][2] > picture[row, column][0] + 40


def test_a_hidden_layer_leaves_only_the_ground(stage_of):
    workspace = one_building()
    stage = stage_of(workspace)
    before = stage.look(0, 60, 150, (500, 500, 20)).astype(int)
    cities.restyle(workspace, "buildings", visible=False)
    after = stage.draw().astype(int)
    column, row = stage.pixel(ROOF)
    assert abs(before[row, column] - after[row, column]).max() > 15


def test_features_with_transparent_colours_disappear(stage_of):
    stage = stage_of(one_building())
    stage.look(0, 60, 150, (500, 500, 20))
    visual = stage.scene.visuals["buildings"]
    visual.paint(np.zeros((1, 4), dtype=np.uint8))
    picture = stage.draw().astype(int)
    column, row = stage.pixel(ROOF)
    # Beside the building: further away the ground fades into the sky.
    beside, level = stage.pixel((ROOF[0] + 40.0, ROOF[1], 5.0))
    assert abs(picture[row, column] - picture[level, beside]).max() < 6


@pytest.mark.parametrize("theme", list(LOOKS))
def test_nothing_is_black_and_the_sky_is_the_theme_s(stage_of, demo, theme):
    stage = stage_of(demo, theme)
    picture = stage.look(345, 8, 2600, (1200, 1200, 10)).astype(int)
    assert (picture.max(axis=2) < 12).mean() < 0.003
    low, high = (np.array([int(c[k : k + 2], 16) for k in (1, 3, 5)]) for c in (LOOKS[theme].horizon, LOOKS[theme].sky))
    top = picture[2, 320]
    assert (top >= np.minimum(low, high) - 3).all()
    assert (top <= np.maximum(low, high) + 3).all()


def test_the_sky_turns_bluer_upwards_in_the_light_theme(stage_of, demo):
    stage = stage_of(demo)
    column = stage.look(345, 3, 2600, (1200, 1200, 10)).astype(int)[:, 5]
    horizon = stage.pixel((cities.ORIGIN[0] + 1200, cities.ORIGIN[1] + 60000, 10))[1]
    blueness = column[:, 2] - column[:, 0]
    assert blueness[3] > blueness[max(horizon - 4, 8)] + 8


def test_deep_water_is_dark_blue_and_dry_ground_is_not(stage_of):
    terrain = cities.river_terrain()
    city = cities.district(terrain, 500)
    result = cities.storm(terrain, city)
    workspace = cities.workspace_of(("terrain", LayerKind.TERRAIN, terrain), ("flood", LayerKind.FLOOD, result))
    stage = stage_of(workspace)
    stage.scene.set_time(cities.T0 + 3 * cities.HOUR)
    picture = stage.look(0, 60, 1500, (1200, 600, 5)).astype(int)
    depth = result.depth_at(cities.T0 + 3 * cities.HOUR)
    row, column = np.argwhere(depth > 3.0)[len(np.argwhere(depth > 3.0)) // 2]
    wet = (terrain.column_centres()[column], terrain.row_centres()[row], terrain.elevations[row, column] + depth[row, column])
    x, y = stage.pixel(wet)
    red, green, blue = picture[y, x]
    assert blue > red + 60
    assert red < 90
    x, y = stage.pixel((cities.ORIGIN[0] + 1900, cities.ORIGIN[1] + 1000, 7.6))
    assert picture[y, x][2] <= picture[y, x][0] + 12
    assert green < blue


def test_before_the_storm_there_is_no_water(stage_of):
    terrain = cities.river_terrain()
    result = cities.storm(terrain, cities.district(terrain, 500))
    workspace = cities.workspace_of(("terrain", LayerKind.TERRAIN, terrain), ("flood", LayerKind.FLOOD, result))
    stage = stage_of(workspace)
    stage.scene.set_time(cities.T0 - 60.0)
    picture = stage.look(0, 60, 1500, (1200, 600, 5)).astype(int)
    assert (picture[..., 2] > picture[..., 0] + 40).mean() < 0.001


def test_moving_the_clock_asks_for_a_frame_only_when_something_changes(stage_of):
    workspace = one_building()
    stage = stage_of(workspace)
    stage.draw()
    stage.waiting = 0
    stage.scene.set_time(1000.0)
    assert stage.waiting == 0


def test_a_still_scene_asks_for_no_frame(stage_of, demo):
    stage = stage_of(demo)
    stage.draw()
    stage.waiting = 0
    for _ in range(5):
        stage.scene.prepare()
    assert stage.waiting == 0


def test_pipes_are_under_the_ground_until_the_ground_is_see_through(stage_of):
    terrain = cities.river_terrain()
    pipes = cities.drainage(terrain, Utility.GAS)
    workspace = cities.workspace_of(("terrain", LayerKind.TERRAIN, terrain), ("gas", LayerKind.NETWORK, pipes))
    stage = stage_of(workspace)

    def magenta(picture):
        picture = picture.astype(int)
        return ((picture[..., 0] > picture[..., 1] + 60) & (picture[..., 2] > picture[..., 1] + 60)).mean()

    assert magenta(stage.look(0, 45, 900, (1200, 1200, 8))) == 0.0
    stage.scene.set_xray(True)
    assert magenta(stage.draw()) > 0.005


def test_a_network_alone_is_seen_at_once(stage_of):
    terrain = cities.river_terrain()
    workspace = cities.workspace_of(("gas", LayerKind.NETWORK, cities.drainage(terrain, Utility.GAS)))
    picture = stage_of(workspace).look(0, 45, 900, (1200, 1200, 8)).astype(int)
    assert ((picture[..., 0] > picture[..., 1] + 60) & (picture[..., 2] > picture[..., 1] + 60)).mean() > 0.005


def test_selecting_outlines_and_keeps_the_colour(stage_of):
    stage = stage_of(one_building())
    before = stage.look(0, 35, 120, (500, 500, 20)).astype(int)
    stage.scene.set_selection(frozenset({AssetRef("buildings", "B1")}))
    after = stage.draw().astype(int)
    column, row = stage.pixel(ROOF)
    assert abs(before[row, column] - after[row, column]).max() < 10
    accent = np.abs(after - np.array([0x1F, 0x6F, 0xEB])).max(axis=2) < 30
    assert accent.sum() > 100


def test_an_alarm_pin_is_red_and_a_stale_one_hollow(stage_of):
    terrain = cities.river_terrain()
    sensors = cities.gauges(terrain)
    workspace = cities.workspace_of(("terrain", LayerKind.TERRAIN, terrain), ("gauges", LayerKind.SENSORS, sensors))
    stage = stage_of(workspace)
    stage.scene.set_time(cities.T0 + 3 * cities.HOUR)
    picture = stage.look(0, 60, 1500, (1200, 1000, 5)).astype(int)
    red = (picture[..., 0] > 180) & (picture[..., 1] < 90) & (picture[..., 2] < 90)
    assert red.sum() > 40


def test_layers_that_come_and_go_are_followed(stage_of):
    workspace = Workspace()
    stage = stage_of(workspace)
    empty = stage.draw()
    assert empty.std() < 40
    terrain = cities.river_terrain()
    layer = Layer("t", "Terrain", LayerKind.TERRAIN, "t.tif")
    settings = RecordChange("project", "settings", None, {"crs": "EPSG:4547", "origin": list(cities.ORIGIN)})
    workspace.apply((settings, RecordChange("layer", "t", None, layer.to_record())), {"t": terrain})
    stage.draw()
    assert set(stage.scene.visuals) == {"t"}
    workspace.apply((workspace.document.remove("layer", "t"),), {"t": None})
    stage.draw()
    assert stage.scene.visuals == {}


def test_after_detaching_edits_are_no_longer_followed(stage_of):
    workspace = one_building()
    stage = stage_of(workspace)
    stage.draw()
    stage.scene.detach()
    stage.scene.detach()
    stage.waiting = 0
    cities.restyle(workspace, "buildings", opacity=0.5)
    assert stage.waiting == 0


def test_labels_are_drawn_beside_their_features(stage_of):
    stage = stage_of(one_building())
    before = stage.look(0, 35, 150, (500, 500, 20)).astype(int)
    cities.restyle(stage.scene.workspace, "buildings", style=Style(labels="use").to_record())
    after = stage.draw().astype(int)
    column, row = stage.pixel(ROOF)
    changed = np.argwhere(np.abs(after - before).max(axis=2) > 60)
    assert len(changed) > 40
    assert np.abs(changed.mean(axis=0) - [row - 12, column]).max() < 12


def test_a_few_buildings_are_framed_whole(stage_of):
    stage = stage_of(one_building())
    stage.scene.fit()
    stage.draw()
    width, height = stage.window.GetSize()
    for x in (480.0, 520.0):
        for y in (480.0, 520.0):
            for z in (5.0, 35.0):
                column, row = stage.pixel((cities.ORIGIN[0] + x, cities.ORIGIN[1] + y, z))
                assert 0.02 * width < column < 0.98 * width
                assert 0.02 * height < row < 0.98 * height
