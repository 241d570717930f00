"""Style, filter and hiding on the screen: of meshes, streamed tiles, plans, networks and pins; labels keep clear of pins."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.commands import layers, selecting, sources, tiled
from cimdesk.commands.session import Session
from cimdesk.model.appearance import legend_cards
from cimdesk.model.features import FeatureTable, ShapeKind, Shapes, VectorLayer, as_strings
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Rule, Style, StyleMode
from cimdesk.scene.columns import ColumnsVisual
from tests.scene import cities
from tests.scene.in_window import InWindow
from tests.scene.tile_towns import write_town

pytestmark = pytest.mark.render


@pytest.fixture
def session():
    """A session on a synthetic district, without a file."""
    session = Session()
    session.workspace = cities.workspace_of(("buildings", LayerKind.BUILDINGS, cities.district(cities.river_terrain(), 400)))
    return session


@pytest.fixture
def demo():
    """The whole synthetic city, to be changed."""
    return cities.demo_city(300, flood=False)


@pytest.fixture
def streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)
    session = Session(runner=InWindow())
    session.run(sources.open_job(session, [write_town(tmp_path, levels=3, tile=200.0, count=6)]))
    return session


def texels_of(visual):
    return visual.texture.texels if hasattr(visual, "texture") else visual.colors.texture.texels


def drawn(stage):
    (visual,) = stage.scene.visuals.values()
    return visual


def settle(stage):
    assert stage.scene.complete(30.0)
    stage.window.Render()


def test_tiles_that_arrive_after_a_style_and_a_filter_were_set_follow_them(streamed, stage_of):
    (layer,) = streamed.workspace.layers()
    style = Style(StyleMode.RULES, rules=(Rule("id like 't/3_0_0%'", "#ff0000"),), color="#00ff00")
    layers.set_style(streamed, layer.id, style)
    # Nothing has been seen yet: no table, no columns.
    record = streamed.workspace.document.update("layer", layer.id, filter="id like 't/3_%'", hidden=["t/3_0_0#3"])
    streamed.workspace.apply((record,))
    stage = stage_of(streamed.workspace)
    settle(stage)
    visual = drawn(stage)
    table = visual.source.city().features
    assert len(table) > 100
    rows = np.arange(len(table))
    walls = texels_of(visual)[4096 + 2 * rows]
    is_red = np.array([str(key).startswith("t/3_0_0#") for key in table.ids])
    is_leaf = np.array([str(key).startswith("t/3_") for key in table.ids])
    hidden = table.row_of("t/3_0_0#3")
    expected = is_leaf & (rows != hidden)
    assert np.array_equal(walls[:, 3] > 0, expected)
    assert (walls[is_red & expected, :3] == [255, 0, 0]).all()
    assert (walls[~is_red & expected, :3] == [0, 255, 0]).all()
    before = walls.copy()
    assert tiled.publish(streamed)
    settle(stage)
    assert np.array_equal(texels_of(visual)[4096 + 2 * rows], before)


def test_classes_found_before_stay_while_more_tiles_come(streamed, stage_of):
    (layer,) = streamed.workspace.layers()
    stage = stage_of(streamed.workspace)
    settle(stage)
    tiled.publish(streamed)
    layers.set_style(streamed, layer.id, Style(StyleMode.CATEGORIES, attribute="tile", other="#123456", categories={}))
    settle(stage)
    visual = drawn(stage)
    fresh = visual.painting.arriving.coloring(np.arange(3))
    assert (fresh.colors[:, :3] == [0x12, 0x34, 0x56]).all()


def test_hidden_streamed_features_are_neither_picked_nor_have_edges(streamed, stage_of):
    (layer,) = streamed.workspace.layers()
    stage = stage_of(streamed.workspace)
    settle(stage)
    tiled.publish(streamed)
    visual = drawn(stage)
    settle(stage)
    block = next(iter(visual.tiles.values())).block
    first = visual.feature_id(int(block.features[0]))
    before = len(visual.painting.arriving.edges(block))
    streamed.selection.set([AssetRef(layer.id, first)])
    selecting.hide_selection(streamed)
    settle(stage)
    assert not visual.in_sight()[block.features[0]]
    assert len(visual.painting.arriving.edges(block)) < before
    streamed.undo()
    settle(stage)
    assert visual.in_sight() is None
    assert len(visual.painting.arriving.edges(block)) == before


def test_hiding_isolating_and_undo_of_buildings(session, stage_of):
    workspace = session.workspace
    stage = stage_of(workspace)
    stage.draw()
    visual = stage.scene.visuals["buildings"]
    ids = workspace.features("buildings").ids
    chosen = [AssetRef("buildings", str(ids[k])) for k in (1, 4)]
    session.selection.set(chosen)
    selecting.hide_selection(session)
    stage.draw()
    assert not session.selection.refs
    alpha = visual.texture.texels[: 2 * len(ids) : 2, 3]
    assert np.flatnonzero(alpha == 0).tolist() == [1, 4]
    session.undo()
    session.selection.set(chosen)
    selecting.isolate_selection(session)
    stage.draw()
    alpha = visual.texture.texels[: 2 * len(ids) : 2, 3]
    assert np.flatnonzero(alpha).tolist() == [1, 4]
    selecting.show_all_features(session)
    stage.draw()
    assert (visual.texture.texels[: 2 * len(ids), 3] == 255).all()


def test_a_hidden_building_gives_way_to_the_one_behind_when_picked(session, stage_of):
    stage = stage_of(session.workspace)
    visual_ids = session.workspace.features("buildings").ids
    stage.draw()
    visual = stage.scene.visuals["buildings"]
    top = visual.anchors()[0]
    assert visual.pick(top, 5.0).row == 0
    session.selection.set([AssetRef("buildings", str(visual_ids[0]))])
    selecting.hide_selection(session)
    stage.draw()
    hit = visual.pick(top, 5.0)
    assert hit is None or hit.row != 0
    assert AssetRef("buildings", str(visual_ids[0])) not in stage.scene.pick_inside([(0, 0), (640, 0), (640, 360), (0, 360)])


def test_a_preview_is_drawn_and_forgotten_without_an_edit(session, stage_of):
    stage = stage_of(session.workspace)
    stage.draw()
    visual = stage.scene.visuals["buildings"]
    before = visual.texture.texels.copy()
    session.workspace.preview("buildings", style=Style(color="#ff0000"))
    stage.draw()
    assert (visual.texture.texels[0, :3] == [255, 0, 0]).all()
    assert not session.history.done
    session.workspace.preview("buildings")
    stage.draw()
    assert np.array_equal(visual.texture.texels, before)


def test_legends_count_what_the_filter_leaves(session):
    table = session.workspace.features("buildings")
    name = next(name for name, values in table.columns.items() if values.dtype.kind in "fi")
    middle = float(np.median(table.columns[name]))
    layers.set_style(session, "buildings", Style(StyleMode.GRADUATED, attribute=name, breaks=(middle,)))
    selecting.set_filter(session, "buildings", f'"{name}" >= {middle}')
    card = next(card for card in legend_cards(session.workspace, 0.0) if card.layer == "buildings")
    assert card.entries[0].count == 0
    assert card.entries[1].count == int((table.columns[name] >= middle).sum())


def test_plots_stand_up_as_columns_on_the_ground(stage_of):
    ring = np.array([[0, 0], [40, 0], [40, 40], [0, 40], [0, 0]], dtype=float)
    hole = np.array([[10, 10], [10, 30], [30, 30], [30, 10], [10, 10]], dtype=float)
    points = np.concatenate([ring, hole, ring + np.array([100.0, 0.0])])
    points = np.column_stack([points + cities.ORIGIN[:2] + [500, 500], np.full(len(points), np.nan)])
    shapes = Shapes(ShapeKind.POLYGON, points, np.array([0, 5, 10, 15]), np.array([0, 0, 1]), np.array([False, True, False]))
    table = FeatureTable(as_strings(["a", "b"]), {"people": np.array([30.0, np.nan])})
    workspace = cities.workspace_of(("plots", LayerKind.VECTOR, VectorLayer(table, shapes)))
    cities.restyle(workspace, "plots", style=Style(height="people", height_scale=2.0, color="#cc0000").to_record())
    stage = stage_of(workspace)
    stage.draw()
    visual = stage.scene.visuals["plots"]
    assert isinstance(visual, ColumnsVisual)
    mesh = visual.mesh
    assert set(mesh.feature_index.tolist()) == {0}
    low, high = mesh.heights(2)
    assert high[0] - low[0] == pytest.approx(60.0, abs=1e-3)
    # Closed but for the floor: roof 40 x 40 less a hole of 20 x 20, and walls that face outwards and into the hole.
    corners = mesh.vertices[mesh.triangles].astype(float)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    assert normal[:, 2].sum() == pytest.approx(1200.0, rel=1e-5)
    assert np.linalg.norm(normal, axis=1).sum() == pytest.approx(1200.0 + 60.0 * (160 + 80), rel=1e-5)
    centre = corners.mean(axis=1)
    volume = np.einsum("ij,ij->i", normal, centre - centre.mean(axis=0)).sum() / 3.0
    assert volume > 0
    cities.restyle(workspace, "plots", style=Style().to_record())
    stage.draw()
    assert not isinstance(stage.scene.visuals["plots"], ColumnsVisual)


def boxes_apart(boxes):
    for k, box in enumerate(boxes):
        others = np.delete(boxes, k, axis=0)
        hit = (others[:, 0] < box[2]) & (others[:, 2] > box[0]) & (others[:, 1] < box[3]) & (others[:, 3] > box[1])
        if hit.any():
            return False
    return True


def test_labels_cover_neither_each_other_nor_a_pin(demo, stage_of):
    for layer in demo.layers():
        if demo.features(layer.id) is not None:
            cities.restyle(demo, layer.id, style={**layer.style.to_record(), "labels": "id"})
    stage = stage_of(demo)
    stage.look(20, 35, 1500, (1200, 1000, 10))
    view = stage.scene.view()
    boxes = stage.scene.labels.boxes(view)
    assert len(boxes) > 10
    assert boxes_apart(boxes)
    pins = np.concatenate([np.zeros((0, 4)), *(visual.obstacles() for visual in stage.scene.visuals.values())])
    assert len(pins)
    for box in boxes:
        hit = (pins[:, 0] < box[2]) & (pins[:, 2] > box[0]) & (pins[:, 1] < box[3]) & (pins[:, 3] > box[1])
        assert not hit.any()


def test_layers_of_higher_priority_win_the_room(demo, stage_of):
    for layer in demo.layers():
        if demo.features(layer.id) is not None:
            priority = 1 if layer.id == "buildings" else 0
            record = {**layer.style.to_record(), "labels": "id", "label_priority": priority}
            cities.restyle(demo, layer.id, style=record)
    stage = stage_of(demo)
    stage.look(20, 35, 900, (1200, 1000, 10))
    first = stage.scene.labels._keys[0][0]
    assert first in demo.features("buildings")
