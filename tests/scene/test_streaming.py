"""Streamed tilesets on the screen: coarse first, never a hole, within the memory, with colours, picks and outlines."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from cimdesk.commands import layers, sources, tiled
from cimdesk.commands.session import Session
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Style, StyleMode
from cimdesk.scene.view import SnapshotRequest, read_pixels, snapshot
from cimdesk.services import tile_meshes
from tests.scene.in_window import InWindow
from tests.scene.tile_towns import write_town
from tests.unit.formats.tile_files import square_glb, tile, write_tileset

pytestmark = pytest.mark.render


@pytest.fixture(autouse=True)
def streams_early(monkeypatch):
    """Stream what has more than one content."""
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return write_town(tmp_path_factory.mktemp("town"), levels=3, tile=200.0, count=6)


def opened(path):
    session = Session(runner=InWindow())
    session.run(sources.open_job(session, [path]))
    return session


def drawn(stage):
    (visual,) = stage.scene.visuals.values()
    return visual


def wait_for(stage, seconds=60.0):
    assert stage.scene.complete(seconds)
    stage.window.Render()
    return read_pixels(stage.window)


def look(stage, azimuth, elevation, distance, target):
    stage.scene.prepare()
    stage.scene.camera.set_view(azimuth, elevation, distance, target)


def test_a_large_tileset_opens_with_its_tree_alone_and_fills_as_it_is_looked_at(town, stage_of):
    session = opened(town)
    (layer,) = session.workspace.layers()
    assert len(session.workspace.features(layer.id)) == 0
    stage = stage_of(session.workspace)
    wait_for(stage)
    assert tiled.publish(session)
    table = session.workspace.features(layer.id)
    assert "t/3_0_0#7" in table
    assert table.row(table.row_of("t/3_0_0#7"))["tile"] == "t/3_0_0.glb"
    assert not tiled.publish(session)


def test_small_tilesets_are_held_whole(tmp_path, stage_of):
    session = opened(write_tileset(tmp_path, tile("a.glb"), {"a.glb": square_glb()}))
    (layer,) = session.workspace.layers()
    assert len(session.workspace.features(layer.id)) == 1
    assert session.workspace.data(layer.id).tiles is None


def test_the_picture_never_loses_what_it_had_while_it_gets_finer(town, stage_of):
    session = opened(town)
    stage = stage_of(session.workspace)
    look(stage, 0.0, 89.0, 2500.0, (800.0, 800.0, 0.0))
    visual = None
    before = np.zeros((8, 8), int)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        stage.scene.prepare()
        visual = drawn(stage)
        now = np.zeros((8, 8), int)
        for row in visual.shown:
            level, x, y = map(int, visual.source.tileset.contents[row][0][2:-4].split("_"))
            wide = 8 >> level
            part = now[y * wide : (y + 1) * wide, x * wide : (x + 1) * wide]
            assert (part == 0).all()
            part[:] = level + 1
        assert (now >= before).all()
        before = now
        if not visual.is_waiting and not visual.is_pending:
            break
        time.sleep(0.002)
    assert (before > 0).all()
    assert len(visual.shown) <= 300


def test_a_camera_that_stands_still_changes_nothing_and_asks_for_nothing(town, stage_of):
    session = opened(town)
    stage = stage_of(session.workspace)
    first = wait_for(stage)
    # A coarse tile that its finer ones have overtaken may still be under way; it changes nothing.
    assert drawn(stage).source.wait(30.0)
    shown = drawn(stage).shown
    decoded = drawn(stage).source.used
    for _ in range(5):
        again = wait_for(stage)
        assert drawn(stage).shown == shown
    assert drawn(stage).source.used == decoded
    assert np.array_equal(first, again)


def test_no_more_than_three_tiles_are_uploaded_in_a_frame_while_the_camera_moves(town, stage_of):
    session = opened(town)
    stage = stage_of(session.workspace)
    stage.scene.set_quality("moving")
    most = 0
    for _ in range(60):
        before = len(drawn(stage).tiles) if stage.scene.visuals else 0
        stage.scene.prepare()
        most = max(most, len(drawn(stage).tiles) - before)
        time.sleep(0.01)
    assert 1 <= most <= 3


def test_a_pick_gives_the_attributes_of_the_loaded_tile_and_its_outline(town, stage_of):
    session = opened(town)
    stage = stage_of(session.workspace)
    look(stage, 0.0, 89.0, 300.0, (100.0, 100.0, 0.0))
    wait_for(stage)
    tiled.publish(session)
    wait_for(stage)
    (layer,) = session.workspace.layers()
    anchors = drawn(stage).anchors()
    row = drawn(stage).rows_of(["t/3_0_0#14"])[0]
    x, y = stage.pixel(anchors[row] + stage.scene.context.origin)
    pick = stage.scene.pick(x, y)
    assert pick.ref.feature == "t/3_0_0#14"
    table = session.workspace.features(layer.id)
    assert 6.0 <= table.row(table.row_of(pick.ref.feature))["measured_height"] <= 60.0
    before = read_pixels(stage.window)
    stage.scene.set_selection(frozenset([pick.ref]))
    assert not np.array_equal(before, wait_for(stage))


def test_the_scene_follows_new_features_without_putting_the_meshes_of_all_tiles_together(town, stage_of, monkeypatch):
    session = opened(town)
    stage = stage_of(session.workspace)
    look(stage, 0.0, 89.0, 300.0, (100.0, 100.0, 0.0))
    wait_for(stage)

    def put_together(blocks, count):
        raise AssertionError

    monkeypatch.setattr(tile_meshes, "merged_mesh", put_together)
    assert tiled.publish(session)
    wait_for(stage)
    look(stage, 0.0, 89.0, 300.0, (900.0, 900.0, 0.0))
    wait_for(stage)
    assert tiled.publish(session)
    wait_for(stage)


def test_styles_colour_and_hide_features_as_they_arrive(town, stage_of):
    session = opened(town)
    stage = stage_of(session.workspace)
    (layer,) = session.workspace.layers()
    red = Style(StyleMode.CATEGORIES, "#ffffff", "tile", categories={"t/3_0_0.glb": "#ff0000"})
    layers.set_style(session, layer.id, red)
    look(stage, 0.0, 89.0, 300.0, (100.0, 100.0, 0.0))
    wait_for(stage)
    tiled.publish(session)
    picture = wait_for(stage)
    anchors = drawn(stage).anchors()
    x, y = stage.pixel(anchors[drawn(stage).rows_of(["t/3_0_0#14"])[0]] + stage.scene.context.origin)
    pixel = picture[y, x].astype(int)
    assert pixel[0] > pixel[1] + 60
    layers.set_visible(session, [layer.id], False)
    assert not np.array_equal(wait_for(stage)[y, x], picture[y, x])


def test_memory_stays_within_what_is_allowed_through_a_flight(town, stage_of):
    session = opened(town)
    (layer,) = session.workspace.layers()
    store = session.workspace.data(layer.id).tiles
    store.want(store, {0: 1.0}, ())
    assert store.wait(5.0)
    store.memory = 12 * store.block(0).size
    store.forget(store)
    stage = stage_of(session.workspace)
    for k in range(12):
        look(stage, 30.0 * k, 40.0, 250.0, (100.0 + 120.0 * k, 100.0 + 110.0 * k, 0.0))
        for _ in range(8):
            stage.scene.prepare()
            store.wait(2.0)
            assert store.used <= store.memory
    stage.scene.prepare()
    stage.scene.prepare()
    assert sum(tile.block.size for tile in drawn(stage).tiles.values()) <= store.memory
    assert store.used <= store.memory
    assert drawn(stage).shown


def test_the_texture_grows_with_the_features(town, stage_of, monkeypatch):
    monkeypatch.setattr("cimdesk.scene.tile_colors.FIRST_ROWS", 5)
    session = opened(town)
    stage = stage_of(session.workspace)
    wait_for(stage)
    tiled.publish(session)
    small = wait_for(stage)
    assert drawn(stage).colors.texture.rows > 5
    monkeypatch.undo()
    other = stage_of(session.workspace)
    assert np.array_equal(small, wait_for(other))


def test_features_of_the_same_name_are_one_in_all_tiles_and_hide_together(tmp_path, stage_of):
    def named(height):
        from tests.unit.formats.tile_files import b3dm

        points = np.array([[0, 0, height], [100, 0, height], [100, 100, height], [0, 100, height]], dtype=np.float32)
        return b3dm(square_glb([0] * 4, points=points), 1, {"gml_id": ["tower"], "floors": [int(height)]})

    root = tile("coarse.b3dm", 100.0, [tile("fine.b3dm")], "REPLACE")
    path = write_tileset(tmp_path, root, {"coarse.b3dm": named(5.0), "fine.b3dm": named(9.0)})
    session = opened(path)
    stage = stage_of(session.workspace)
    wait_for(stage)
    tiled.publish(session)
    (layer,) = session.workspace.layers()
    assert session.workspace.features(layer.id).ids.tolist() == ["tower"]


def test_the_first_view_fits_what_is_there_rather_than_what_the_tileset_claims(tmp_path, stage_of):
    town = write_town(tmp_path, levels=2, tile=200.0, count=4)
    document = json.loads(town.read_text())
    document["root"]["boundingVolume"]["box"][3] *= 3.0
    document["root"]["boundingVolume"]["box"][7] *= 3.0
    town.write_text(json.dumps(document))
    stage = stage_of(opened(town).workspace)
    wait_for(stage)
    assert drawn(stage).extent[1, :2] - drawn(stage).extent[0, :2] == pytest.approx([800.0, 800.0], abs=60.0)
    near = stage.scene.camera.distance
    stage.scene.camera.zoom(320.0, 180.0, 2.0)
    wait_for(stage)
    assert stage.scene.camera.distance == pytest.approx(near / 2.0)


def test_what_must_not_leave_anything_out_reads_everything(town, tmp_path):
    from cimdesk.commands.export import export_layer

    session = opened(town)
    (layer,) = session.workspace.layers()
    assert export_layer(session, layer.id, tmp_path / "town.glb") == 64 * 36
    whole = session.workspace.data(layer.id).whole()
    assert len(np.unique(whole.meshes["tiles"].feature_index)) == 64 * 36
    assert whole.bounds[1, :2] == pytest.approx([1600.0, 1600.0], abs=30.0)


def test_a_snapshot_waits_for_its_tiles(town):
    session = opened(town)
    camera = {"target": [800.0, 800.0, 0.0], "azimuth": 0.0, "elevation": 89.0, "distance": 2500.0}
    picture = snapshot(session.workspace, SnapshotRequest(320, 180, camera=camera, furniture=False))
    again = snapshot(session.workspace, SnapshotRequest(320, 180, camera=camera, furniture=False))
    assert np.array_equal(picture, again)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_an_implicit_tileset_of_millions_of_tiles_opens_at_once_and_reads_what_is_seen(tmp_path, stage_of):
    from tests.unit.formats.tile_files import subtree

    levels, deep = 5, 15
    count = (4**levels - 1) // 3
    for level in range(0, deep, levels):
        (tmp_path / "s").mkdir(exist_ok=True)
        (tmp_path / f"s/{level}.0.0.subtree").write_bytes(subtree(1, 1, 1))
    root = {
        "boundingVolume": {"box": [500, 500, 5, 500, 0, 0, 0, 500, 0, 0, 0, 5]},
        "geometricError": 500.0,
        "refine": "REPLACE",
        "content": {"uri": "c.glb"},
        "implicitTiling": {
            "subdivisionScheme": "QUADTREE", "subtreeLevels": levels, "availableLevels": deep,
            "subtrees": {"uri": "s/{level}.0.0.subtree"},
        },
    }  # fmt: skip
    (tmp_path / "c.glb").write_bytes(square_glb())
    path = tmp_path / "tileset.json"
    path.write_text(json.dumps({"asset": {"version": "1.1"}, "geometricError": 900, "root": root}))
    begun = time.process_time()
    session = opened(path)
    assert time.process_time() - begun < 2.0
    (layer,) = session.workspace.layers()
    store = session.workspace.data(layer.id).tiles
    assert len(store.tileset.parent) == 1
    stage = stage_of(session.workspace)
    for _ in range(20):
        stage.scene.prepare()
        store.wait(1.0)
    assert count <= len(store.tileset.parent) < 40_000


def test_many_selected_features_are_marked_by_colour_also_those_that_come_later(town, stage_of, monkeypatch):
    monkeypatch.setattr("cimdesk.scene.streaming.StreamedVisual.most_outlined", 10)
    session = opened(town)
    stage = stage_of(session.workspace)
    look(stage, 0.0, 89.0, 300.0, (100.0, 100.0, 0.0))
    before = wait_for(stage)
    tiled.publish(session)
    (layer,) = session.workspace.layers()
    names = [f"t/3_{x}_{y}#{k}" for x in range(8) for y in range(8) for k in range(36)]
    stage.scene.set_selection(frozenset(AssetRef(layer.id, name) for name in names))
    marked = wait_for(stage)
    assert (marked != before).any(axis=2).mean() > 0.1
    known = len(drawn(stage).painting.marked_rows)
    assert 0 < known < len(names)
    look(stage, 0.0, 89.0, 300.0, (1500.0, 1500.0, 0.0))
    wait_for(stage)
    assert len(drawn(stage).painting.marked_rows) > known
    look(stage, 0.0, 89.0, 300.0, (100.0, 100.0, 0.0))
    stage.scene.set_selection(frozenset())
    wait_for(stage)
    assert len(drawn(stage).painting.marked_rows) == 0


def test_near_tiles_are_drawn_before_far_ones_and_the_ground_last(stage_of, town):
    session = opened(town)
    stage = stage_of(session.workspace)
    for azimuth in (20.0, 200.0):
        look(stage, azimuth, 12.0, 300.0, (800.0, 800.0, 0.0))
        wait_for(stage)
        props = stage.scene.canvas.renderer.GetViewProps()
        order = [props.GetItemAsObject(k) for k in range(props.GetNumberOfItems())]
        visual, eye = drawn(stage), stage.scene.view().eye
        tiles = [(order.index(tile.actor), tile) for tile in visual.drawing.shown_tiles()]
        away = [
            np.linalg.norm(np.maximum(np.maximum(t.low - eye, eye - t.high), 0.0)) for _, t in sorted(tiles, key=lambda x: x[0])
        ]
        assert len(away) > 3
        assert away == sorted(away)
        assert max(place for place, _ in tiles) < min(order.index(actor) for actor in stage.scene.ground.actors)
        assert len(order) == len(set(order))
