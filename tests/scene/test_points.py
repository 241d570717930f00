"""Point clouds on the screen: coarse first and finer to the end, within the budget, coloured, picked, filtered, marked."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cimdesk.commands import layers, points, sources
from cimdesk.commands.session import Session
from cimdesk.formats import pointcloud_tree
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Style, StyleMode
from cimdesk.scene import points as scene_points
from cimdesk.scene.view import read_pixels
from tests.scene.stage import Stage
from tests.unit.formats.las_files import town, write_las

pytestmark = pytest.mark.render
MIDDLE = (430_100.0, 2_550_100.0, 0.0)


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setattr(pointcloud_tree, "LEAF_POINTS", 1_500)
    session = Session()
    sources.import_files(session, [write_las(tmp_path / "town.laz", *town(60_000))])
    return session


@pytest.fixture
def stage(session):
    stage = Stage(session.workspace)
    stage.scene.complete(20.0)
    stage.scene.camera.set_view(0.0, 89.0, 260.0, MIDDLE)
    yield stage
    stage.close()


def picture(stage):
    assert stage.scene.complete(20.0)
    stage.window.Render()
    return read_pixels(stage.window).astype(int)


def visual_of(stage):
    (visual,) = stage.scene.visuals.values()
    return visual


def share_of(image, color, reach=12):
    wanted = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
    return float((np.abs(image - wanted).max(axis=2) <= reach).mean())


def test_classes_have_their_colours_in_the_picture(stage):
    image = picture(stage)
    assert share_of(image, "#a67c52") > 0.1
    assert share_of(image, "#d9583b") > 0.03


def test_a_hidden_class_is_not_drawn_and_comes_back(stage, session):
    (layer,) = session.workspace.layers()
    points.set_point_style(session, layer.id, layer.style, (6,))
    assert share_of(picture(stage), "#d9583b") == 0.0
    session.undo()
    assert share_of(picture(stage), "#d9583b") > 0.03


def test_one_colour_is_that_colour(stage, session):
    (layer,) = session.workspace.layers()
    layers.set_style(session, layer.id, Style(color="#2255cc", size=4.0))
    assert share_of(picture(stage), "#2255cc") > 0.2


def test_a_ramp_tells_roofs_from_ground(stage, session):
    (layer,) = session.workspace.layers()
    layers.set_style(session, layer.id, Style(StyleMode.GRADUATED, attribute="height", ramp="viridis", size=3.0))
    image = picture(stage)
    assert share_of(image, "#fde725", 30) > 0.02
    assert share_of(image, "#440154", 30) > 0.1


def test_while_the_camera_moves_fewer_points_are_drawn_larger(stage, monkeypatch):
    monkeypatch.setitem(scene_points.BUDGETS, "moving", 20_000)
    picture(stage)
    visual = visual_of(stage)
    counts = visual.source.tree.counts
    still, small = sum(counts[row] for row in visual.choice.pixels), visual._size_px
    stage.scene.set_quality("moving")
    picture(stage)
    assert sum(counts[row] for row in visual.choice.pixels) <= 20_000 < still
    assert visual._size_px > small


def test_the_picture_fills_up_and_never_loses_a_point(tmp_path, session):
    stage = Stage(session.workspace)
    try:
        stage.scene.camera.set_view(0.0, 60.0, 200.0, MIDDLE)
        shown: list[set[int]] = []
        for _ in range(200):
            stage.scene.prepare()
            visual = visual_of(stage)
            shown.append({row for row, node in visual.nodes.items() if node.actor.GetVisibility()})
            if shown[-1] and not visual.is_waiting and not visual.is_pending:
                break
        for before, after in pairwise(shown):
            assert before <= after
    finally:
        stage.close()


def test_a_point_is_picked_and_marked(stage, session):
    picture(stage)
    pick = next(p for x in range(250, 390, 3) if (p := stage.scene.pick(x, 180)) is not None and p.ref is not None)
    (layer,) = session.workspace.layers()
    known = session.workspace.data(layer.id).attributes(pick.ref.feature)
    assert np.hypot(known["x"] - pick.world[0], known["y"] - pick.world[1]) < 3.0
    assert pick.value in ("Ground", "Building")
    before = picture(stage)
    stage.scene.set_selection(frozenset({pick.ref}))
    assert (picture(stage) != before).any()
    assert visual_of(stage).rows_of([pick.ref.feature, "9-9-9-9:3", "nonsense"]).shape == (1,)


def test_a_selection_that_is_no_longer_there_is_no_harm(stage):
    before = picture(stage)
    stage.scene.set_selection(frozenset({AssetRef(next(iter(stage.scene.visuals)), "7-1-1-1:5")}))
    np.testing.assert_array_equal(picture(stage), before)


def test_memory_holds_and_the_view_is_filled_all_the_same(session):
    (layer,) = session.workspace.layers()
    store = session.workspace.data(layer.id).points
    store.memory = 3_000_000
    stage = Stage(session.workspace)
    try:
        for azimuth in (0.0, 90.0, 180.0):
            stage.scene.camera.set_view(azimuth, 40.0, 120.0, MIDDLE)
            stage.scene.complete(5.0)
            assert store.used <= store.memory
            assert visual_of(stage).nodes
    finally:
        stage.close()
