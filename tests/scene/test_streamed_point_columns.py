"""Streamed points coloured by what is known of each: at once, as in the legend, and so for those that come later."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest

from cimdesk.commands import layers, selecting, tiled
from cimdesk.model.appearance import describe, legend_cards, value_text
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Style, StyleMode
from cimdesk.model.tile_point_columns import POINT_HEIGHT
from cimdesk.scene import point_painting
from cimdesk.scene.streamed_points import NOTED
from cimdesk.scene.tile_colors import PALETTE
from cimdesk.scene.view import read_pixels
from cimdesk.services.raised_tiles import raised
from cimdesk.services.tile_store import TileStore
from tests.scene.test_streamed_points import SIDE, plane, pnts, seen_from_above, towns, visual_of
from tests.scene.test_streaming import opened
from tests.unit.formats.tile_files import Glb, square_glb

pytestmark = pytest.mark.render
KINDS = {"Intensity": ("UNSIGNED_SHORT", "<u2"), "Classification": ("UNSIGNED_BYTE", "u1"), "Deviation": ("FLOAT", "<f4")}
RED, GREEN = "#ff0000", "#00ff00"


@pytest.fixture(autouse=True)
def streams_early(monkeypatch):
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)


def survey(step=1.0, shift=0.0, more=None, **columns):
    """Points all over the square, with columns made of their places."""
    x, y = (part.ravel() for part in np.meshgrid(np.arange(0, SIDE, step) + shift, np.arange(0, SIDE, step)))
    table, binary = dict(more(x, y) if more else {}), bytearray()
    for name, make in columns.items():
        component, dtype = KINDS[name]
        binary += b"\0" * (-len(binary) % 8)
        table[name] = {"byteOffset": len(binary), "componentType": component, "type": "SCALAR"}
        binary += make(x, y).astype(dtype).tobytes()
    return pnts(np.column_stack([x, y, np.zeros(len(x))]), table, bytes(binary) + b"\0" * (-len(binary) % 8))


def halves(x, y):
    """Ground in the west, buildings in the east."""
    return np.where(x < SIDE / 2, 2, 6)


def shown(session, stage, style):
    (layer,) = session.workspace.layers()
    layers.set_style(session, layer.id, style)
    stage.scene.prepare()
    assert stage.scene.complete(20.0)
    stage.window.Render()
    return west_and_east(stage)


def west_and_east(stage):
    pixels = read_pixels(stage.window).astype(int)
    h, w = pixels.shape[:2]
    return tuple(
        np.median(pixels[h // 2 - 20 : h // 2 + 20, at - 6 : at + 6, :3], axis=(0, 1)) for at in (w // 2 - 60, w // 2 + 60)
    )


def town_of(tmp_path, top=None, a=None, b=None, **more):
    point = survey(25.0, Classification=halves, Intensity=lambda x, y: x)
    return towns(tmp_path, {"top.pnts": top or point, "a.pnts": a or point, "b.pnts": b or point}, **more)


def test_points_are_coloured_by_their_classes_and_the_legend_names_them(tmp_path, stage_of):
    session = opened(town_of(tmp_path, a=survey(1.0, Classification=halves)))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    style = Style(StyleMode.CATEGORIES, attribute="Classification", categories={"2": GREEN, "6": RED})
    west, east = shown(session, stage, style)
    assert west.tolist() == [0, 255, 0]
    assert east.tolist() == [255, 0, 0]
    tiled.publish(session)
    (card,) = legend_cards(session.workspace, 0.0)
    assert [(entry.label, entry.color, entry.count) for entry in card.entries] == [("Ground", GREEN, 0), ("Building", RED, 0)]
    assert card.title.endswith("· Class")


def test_points_are_coloured_along_a_ramp_and_in_classes(tmp_path, stage_of):
    session = opened(town_of(tmp_path, a=survey(1.0, Intensity=lambda x, y: x * 10)))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    for mode in (StyleMode.CONTINUOUS, StyleMode.GRADUATED):
        west, east = shown(session, stage, Style(mode, attribute="Intensity", ramp="blue-red"))
        assert west[2] > west[0]
        assert east[0] > east[2]


def test_points_without_any_column_are_coloured_by_their_height(tmp_path, stage_of):
    slope = np.array([[x, y, x / 10] for x in np.arange(0, SIDE) for y in np.arange(0, SIDE)])
    session = opened(towns(tmp_path, {"top.pnts": pnts(slope), "a.glb": square_glb(), "b.glb": square_glb()}))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    west, east = shown(session, stage, Style(StyleMode.CONTINUOUS, attribute=POINT_HEIGHT, ramp="blue-red"))
    assert west[2] > west[0]
    assert east[0] > east[2]


@pytest.fixture
def near_tiles(monkeypatch):
    """Hold back all tiles but the top until the event is set."""
    bring, may_come = TileStore.bring, threading.Event()
    monkeypatch.setattr(TileStore, "bring", lambda store, row: bring(store, row) if row == 0 or may_come.is_set() else None)
    return may_come


def test_points_that_come_later_follow_the_style_and_the_limits_stay(tmp_path, stage_of, near_tiles):
    near = survey(1.0, Intensity=lambda x, y: np.where(x < SIDE / 2, 10_000, 60_000))
    coarse = survey(5.0, Intensity=lambda x, y: x * 10)
    session = opened(town_of(tmp_path, top=coarse, a=near, b=near, errors=(8.0, 0.0), refine="REPLACE"))
    stage = stage_of(session.workspace)
    seen_from_above(stage, 4000.0)
    visual = visual_of(stage)
    assert visual.shown == {0}
    shown(session, stage, Style(StyleMode.CONTINUOUS, attribute="Intensity", ramp="blue-red", clip=(0.0, 100.0)))
    tiled.publish(session)
    before = legend_cards(session.workspace, 0.0)[0].entries
    limits = visual.points._painting._style
    near_tiles.set()
    seen_from_above(stage)
    assert visual.shown == {1, 2}
    tiled.publish(session)
    stage.scene.prepare()
    assert visual.points._painting._style is limits
    assert (limits.low, limits.high) == (0.0, 950.0)
    assert len(set(map(tuple, west_and_east(stage)))) == 1
    assert before[-1].label == "≥ 950"


def test_a_style_that_waits_for_its_column_takes_hold_with_the_first_point_that_has_it(tmp_path, stage_of, near_tiles):
    coarse = plane(5.0)
    near = survey(1.0, Classification=halves)
    session = opened(town_of(tmp_path, top=coarse, a=near, b=near, errors=(8.0, 0.0), refine="REPLACE"))
    stage = stage_of(session.workspace)
    (layer,) = session.workspace.layers()
    layers.set_style(session, layer.id, Style(StyleMode.CATEGORIES, attribute="Classification"))
    seen_from_above(stage, 4000.0)
    assert visual_of(stage).shown == {0}
    near_tiles.set()
    seen_from_above(stage)
    west, east = west_and_east(stage)
    assert west.tolist() == [0xA6, 0x7C, 0x52]
    assert east.tolist() == [0xD9, 0x58, 0x3B]


def test_a_click_tells_the_value_that_colours_a_point(tmp_path, stage_of):
    session = opened(town_of(tmp_path, a=survey(4.0, Classification=halves, Intensity=lambda x, y: x + y)))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    (layer,) = session.workspace.layers()
    visual = visual_of(stage)
    hit = visual.pick(np.array([80.1, 60.1, 0.0]) - stage.scene.context.origin, 0.5)
    ref = AssetRef(layer.id, visual.feature_id(hit.row))
    for attribute, expected in (("Classification", "Building"), ("Intensity", "Intensity 140")):
        layers.set_style(session, layer.id, Style(StyleMode.CATEGORIES, attribute=attribute))
        assert value_text(session.workspace, ref, 0.0) == expected
    assert ref.feature in describe(session.workspace, ref)


def test_groups_whose_points_differ_tell_of_single_points_when_those_are_coloured(tmp_path, stage_of):
    x, y = (part.ravel() for part in np.meshgrid(np.arange(0, SIDE, 2.0), np.arange(0, SIDE, 2.0)))
    points = np.column_stack([x, y, 0 * x]).astype(np.float32)
    glb = Glb().mesh(
        points, None, mode=0, matrix=None,
        extensions={"EXT_mesh_features": {"featureIds": [{"featureCount": 2, "attribute": 0}]}},
        _FEATURE_ID_0=(y > SIDE / 2).astype(np.float32), _INTENSITY=x.astype(np.float32),
    ).write()  # fmt: skip
    session = opened(towns(tmp_path, {"top.glb": glb, "a.glb": square_glb(), "b.glb": square_glb()}))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    tiled.publish(session)
    (layer,) = session.workspace.layers()
    visual = visual_of(stage)
    assert "INTENSITY" not in session.workspace.features(layer.id).columns
    assert set(visual.source.point_columns) == {"INTENSITY", POINT_HEIGHT}
    tile = visual.points._tiles[0]
    place = tile.cloud.xyz[7] + tile.shift
    assert visual.pick(place, 0.5).row < NOTED
    layers.set_style(session, layer.id, Style(StyleMode.CONTINUOUS, attribute="INTENSITY"))
    stage.scene.prepare()
    assert visual.pick(place, 0.5).row >= NOTED


def test_columns_of_groups_alone_stay_columns_of_features(tmp_path, stage_of):
    x, y = (part.ravel() for part in np.meshgrid(np.arange(0, SIDE, 2.0), np.arange(0, SIDE, 2.0)))
    cloud = pnts(np.column_stack([x, y, 0 * x]), {"year": [1990, 2020]}, BATCH_ID=(x > 50).astype(np.uint16), BATCH_LENGTH=2)
    session = opened(towns(tmp_path, {"top.pnts": cloud, "a.glb": square_glb(), "b.glb": square_glb()}))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    tiled.publish(session)
    (layer,) = session.workspace.layers()
    assert set(visual_of(stage).source.point_columns) == {POINT_HEIGHT}
    assert session.workspace.features(layer.id).columns["year"].tolist().count(2020.0) == 1
    shown(session, stage, Style(StyleMode.CATEGORIES, attribute="year"))
    (card,) = legend_cards(session.workspace, 0.0)
    assert {entry.count for entry in card.entries[:2]} == {1}


def test_buildings_beside_points_have_the_colour_of_the_style(tmp_path, stage_of):
    top = survey(50.0, Intensity=lambda x, y: x)
    session = opened(towns(tmp_path, {"top.pnts": top, "a.glb": square_glb(), "b.glb": square_glb()}))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    shown(session, stage, Style(StyleMode.CONTINUOUS, attribute="Intensity", color="#123456"))
    visual = visual_of(stage)
    (row,) = visual.source.rows_of(["a"]).tolist()
    assert visual.colors.texture.texels[PALETTE + 2 * row].tolist() == [0x12, 0x34, 0x56, 255]


def test_hidden_features_hide_their_points_whatever_colours_them(tmp_path, stage_of):
    session = opened(town_of(tmp_path, a=survey(1.0, Classification=halves)))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    tiled.publish(session)
    shown(session, stage, Style(StyleMode.CATEGORIES, attribute="Classification", categories={"2": GREEN, "6": RED}))
    (layer,) = session.workspace.layers()
    selecting.set_filter(session, layer.id, "id <> 'a.points'")
    stage.scene.prepare()
    assert stage.scene.complete(10.0)
    stage.window.Render()
    assert west_and_east(stage)[0].tolist() != [0, 255, 0]
    selecting.set_filter(session, layer.id, "")
    stage.scene.prepare()
    assert stage.scene.complete(10.0)
    stage.window.Render()
    assert west_and_east(stage)[0].tolist() == [0, 255, 0]


def test_heights_follow_a_tileset_that_is_raised(tmp_path, stage_of):
    session = opened(town_of(tmp_path))
    (layer,) = session.workspace.layers()
    data = session.workspace.data(layer.id)
    high = raised(data, 40.0)
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    assert data.tiles.point_columns[POINT_HEIGHT].max() == 0.0
    assert high.tiles.block(0) is not None
    assert high.tiles.point_columns[POINT_HEIGHT].max() == 40.0


def test_new_colours_take_short_turns_and_all_come(tmp_path, stage_of, monkeypatch):
    monkeypatch.setattr(point_painting, "AT_ONCE", 1_000)
    monkeypatch.setattr(point_painting, "SECONDS", 0.0)
    dense = survey(1.0, Classification=halves)
    session = opened(town_of(tmp_path, top=dense, a=dense, b=dense))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    (layer,) = session.workspace.layers()
    visual = visual_of(stage)
    layers.set_style(session, layer.id, Style(StyleMode.CATEGORIES, attribute="Classification", categories={"2": GREEN, "6": RED}))
    frames = 0
    stage.scene.prepare()
    while visual.points.is_behind:
        assert visual.is_pending
        stage.scene.prepare()
        frames += 1
    assert 20 < frames < 60
    stage.window.Render()
    assert west_and_east(stage)[0].tolist() == [0, 255, 0]


def test_new_colours_of_a_million_points_do_not_hold_up_the_window(tmp_path, stage_of):
    dense = survey(0.1, Classification=halves, Intensity=lambda x, y: x * 7)
    session = opened(town_of(tmp_path, top=dense))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    (layer,) = session.workspace.layers()
    worst = 0.0
    for attribute, mode in (("Classification", StyleMode.CATEGORIES), ("Intensity", StyleMode.CONTINUOUS)):
        layers.set_style(session, layer.id, Style(mode, attribute=attribute))
        is_behind = True
        while is_behind:
            start = time.process_time()
            stage.scene.prepare()
            worst = max(worst, time.process_time() - start)
            is_behind = visual_of(stage).points.is_behind
    assert worst < 0.1


def test_columns_of_points_count_in_the_memory_of_tiles(tmp_path, stage_of):
    session = opened(town_of(tmp_path, a=survey(1.0, Classification=halves, Intensity=lambda x, y: x), b=plane(1.0)))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    source = visual_of(stage).source
    rich, poor = source.block(1).size, source.block(2).size
    assert rich - poor == pytest.approx(10_000 * (1 + 1) - 10_000 * 3, abs=200)


def test_what_the_tileset_states_holds_before_the_points_come(tmp_path, stage_of):
    path = town_of(tmp_path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "properties": {"Intensity": {"minimum": 0, "maximum": 4000}}}))
    session = opened(path)
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    shown(session, stage, Style(StyleMode.CONTINUOUS, attribute="Intensity", clip=(0.0, 100.0)))
    (card,) = legend_cards(session.workspace, 0.0)
    assert [entry.label for entry in card.entries][:: len(card.entries) - 1] == ["0", "4,000"]


def test_points_that_are_selected_stand_out_and_then_do_not(tmp_path, stage_of):
    session = opened(town_of(tmp_path, a=survey(1.0, Classification=halves)))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    tiled.publish(session)
    style = Style(StyleMode.CATEGORIES, attribute="Classification", categories={"2": GREEN, "6": RED})
    before = shown(session, stage, style)
    visual = visual_of(stage)
    for names, is_same in ((frozenset({"a.points"}), False), (frozenset(), True)):
        assert visual.mark(names, visual.rows_of(names))
        assert stage.scene.complete(10.0)
        stage.window.Render()
        assert (west_and_east(stage)[0] == before[0]).all() == is_same
