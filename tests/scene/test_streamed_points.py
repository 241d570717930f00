"""Points in streamed tilesets: drawn beside triangles in their colours, sized by the error of their tile, known one by one."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from cimdesk.commands import layers, selecting, sources, tiled
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Style, StyleMode
from cimdesk.scene.streamed_points import NOTED
from cimdesk.scene.view import read_pixels
from tests.scene.test_streaming import opened
from tests.unit.formats.tile_files import Glb, padded, square_glb, tile, write_tileset

pytestmark = pytest.mark.render
SIDE = 100.0


@pytest.fixture(autouse=True)
def streams_early(monkeypatch):
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)


def pnts(points, table=None, table_binary=b"", **properties):
    """A point tile; properties are (N, k) arrays of the feature table, or plain values."""
    points = np.asarray(points, dtype=np.float32)
    binary, said = bytearray(points.tobytes()), {"POINTS_LENGTH": len(points), "POSITION": {"byteOffset": 0}}
    for name, values in properties.items():
        if isinstance(values, np.ndarray):
            binary += b"\0" * (-len(binary) % 8)
            said[name] = {"byteOffset": len(binary)}
            binary += values.tobytes()
        else:
            said[name] = values
    head, body = padded(json.dumps(said).encode()), bytes(binary) + b"\0" * (-len(binary) % 8)
    batch = b"" if table is None else padded(json.dumps(table).encode())
    lengths = (len(head), len(body), len(batch), len(table_binary))
    whole = head + body + batch + table_binary
    return struct.pack("<4s6I", b"pnts", 1, 28 + len(whole), *lengths) + whole


def plane(step=1.0, color=(255, 0, 0), height=0.0, **more):
    """Points all over the square of the tiles."""
    x, y = (part.ravel() for part in np.meshgrid(np.arange(0, SIDE, step), np.arange(0, SIDE, step)))
    points = np.column_stack([x, y, np.full(len(x), height)])
    return pnts(points, RGB=np.tile(np.array(color, dtype=np.uint8), (len(x), 1)), **more)


def towns(tmp_path, contents, errors=(8.0, 0.0), refine="ADD"):
    """A tileset of a top and what lies below it, all over the same square."""
    box = {"box": [SIDE / 2, SIDE / 2, 5, SIDE / 2, 0, 0, 0, SIDE / 2, 0, 0, 0, 10]}
    names = list(contents)
    children = [{**tile(name, error=errors[1]), "boundingVolume": box} for name in names[1:]]
    root = {**tile(names[0], error=errors[0], children=children), "boundingVolume": box, "refine": refine}
    return write_tileset(tmp_path, root, contents)


def seen_from_above(stage, distance=160.0):
    stage.scene.prepare()
    local = np.array([SIDE / 2, SIDE / 2, 0.0]) - stage.scene.context.origin
    stage.scene.camera.set_view(0.0, 89.0, distance, local)
    assert stage.scene.complete(30.0)
    stage.window.Render()
    return read_pixels(stage.window)


def middle(pixels):
    h, w = pixels.shape[:2]
    return pixels[h // 2 - 20 : h // 2 + 20, w // 2 - 20 : w // 2 + 20, :3].astype(int)


def visual_of(stage):
    (visual,) = stage.scene.visuals.values()
    return visual


def test_points_of_streamed_tiles_are_drawn_in_their_colours(tmp_path, stage_of):
    session = opened(towns(tmp_path, {"top.pnts": plane(5.0), "a.pnts": plane(1.0), "b.pnts": plane(2.0)}))
    stage = stage_of(session.workspace)
    patch = middle(seen_from_above(stage))
    assert (patch[..., 0] > 200).mean() > 0.8
    assert (patch[..., 1] < 90).mean() > 0.8
    assert tiled.publish(session)
    (layer,) = session.workspace.layers()
    table = session.workspace.features(layer.id)
    assert sorted(table.ids) == ["a.points", "b.points", "top.points"]
    assert table.row(table.row_of("a.points"))["points"] == 10_000
    assert {problem.code for problem in session.workspace.problems(layer.id)} <= {"no-crs"}


def test_points_and_triangles_stand_in_one_tileset(tmp_path, stage_of):
    session = opened(towns(tmp_path, {"top.glb": square_glb(), "a.pnts": plane(1.0), "b.glb": Glb().mesh(
        np.arange(30, dtype=np.float32).reshape(10, 3), None, mode=0).mesh().write()}))  # fmt: skip
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    tiled.publish(session)
    (layer,) = session.workspace.layers()
    table = session.workspace.features(layer.id)
    assert {"a.points", "b.points", "top", "b"} <= set(table.ids)
    assert set(visual_of(stage).points._tiles) == {1, 2}


def test_a_click_tells_everything_of_one_point(tmp_path, stage_of):
    x = np.arange(0.0, SIDE, 4.0)
    points = np.array([[a, b, 3.0] for a in x for b in x])
    values = np.arange(len(points), dtype=np.float32)
    cloud = pnts(points, {"intensity": {"byteOffset": 0, "componentType": "FLOAT", "type": "SCALAR"}}, values.tobytes())
    session = opened(towns(tmp_path, {"top.pnts": cloud, "a.pnts": plane(25.0), "b.pnts": plane(25.0)}))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    visual = visual_of(stage)
    place = np.array([40.0, 60.0, 3.0]) - stage.scene.context.origin
    hit = visual.pick(place + 0.1, 0.5)
    assert hit.row >= NOTED
    name = visual.feature_id(hit.row)
    (layer,) = session.workspace.layers()
    said = session.workspace.data(layer.id).point(name)
    index = 10 * len(x) + 15
    assert name == f"top.points@{index}"
    assert (said["x"], said["y"], said["height"], said["intensity"]) == (40.0, 60.0, 3.0, index)
    rows = visual.rows_of([name, "nothing"])
    assert rows.tolist() == [hit.row]
    cross, _ = visual.outline(rows)
    assert cross.mean(axis=0) == pytest.approx(place, abs=1e-3)
    session.selection.set([AssetRef(layer.id, name)])
    stage.scene.prepare()
    assert visual.pick(place + np.array([0.0, 0.0, 50.0]), 0.5) is None


def test_points_with_batch_ids_are_features_with_attributes_style_and_filter(tmp_path, stage_of):
    x, y = (part.ravel() for part in np.meshgrid(np.arange(0, SIDE), np.arange(0, SIDE)))
    ids = (x >= SIDE / 2).astype(np.uint16)
    cloud = pnts(
        np.column_stack([x, y, 0 * x]), {"name": ["west", "east"]},
        BATCH_ID=ids, BATCH_LENGTH=2, CONSTANT_RGBA=[0, 0, 255, 255],
    )  # fmt: skip
    session = opened(towns(tmp_path, {"top.pnts": cloud, "a.glb": square_glb(), "b.glb": square_glb()}))
    stage = stage_of(session.workspace)
    pixels = seen_from_above(stage)
    assert (middle(pixels)[..., 2] > 200).mean() > 0.8
    tiled.publish(session)
    (layer,) = session.workspace.layers()
    table = session.workspace.features(layer.id)
    assert table.row(table.row_of("top.points#1"))["name"] == "east"
    visual = visual_of(stage)
    hit = visual.pick(np.array([80.0, 50.0, 0.0]) - stage.scene.context.origin, 0.6)
    assert visual.feature_id(hit.row) == "top.points#1"
    style = Style(StyleMode.CATEGORIES, attribute="name", categories={"west": "#00ff00", "east": "#ff0000"})
    layers.set_style(session, layer.id, style)
    stage.scene.prepare()
    assert stage.scene.complete(10.0)
    stage.window.Render()
    pixels = read_pixels(stage.window).astype(int)
    h, w = pixels.shape[:2]
    west, east = pixels[h // 2, w // 2 - 60, :3], pixels[h // 2, w // 2 + 60, :3]
    assert west[1] > west[0]
    assert east[0] > east[1]
    selecting.set_filter(session, layer.id, "name = 'east'")
    stage.scene.prepare()
    assert visual.pick(np.array([20.0, 50.0, 0.0]) - stage.scene.context.origin, 0.6) is None
    assert visual.pick(np.array([80.0, 50.0, 0.0]) - stage.scene.context.origin, 0.6) is not None


def test_points_of_coarse_tiles_are_larger(tmp_path, stage_of):
    sizes = []
    for error in (0.0, 30.0):
        (tmp_path / str(error)).mkdir()
        contents = {"top.pnts": plane(10.0), "a.glb": square_glb(), "b.glb": square_glb()}
        stage = stage_of(opened(towns(tmp_path / str(error), contents, errors=(max(error, 0.01), 0.0))).workspace)
        seen_from_above(stage, 400.0)
        sizes.append(visual_of(stage).points._tiles[0].actor.GetProperty().GetPointSize())
    assert sizes[0] < sizes[1] == pytest.approx(5.0, abs=0.1)


def test_points_are_given_back_with_their_tiles(tmp_path, stage_of):
    session = opened(towns(tmp_path, {"top.pnts": plane(5.0), "a.pnts": plane(1.0), "b.pnts": plane(1.0)}, refine="REPLACE"))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    visual = visual_of(stage)
    shown = {row for row, each in visual.points._tiles.items() if each.actor.GetVisibility()}
    assert shown == set(visual.shown)
    assert visual.source.used > 20_000 * 12
    layers.set_visible(session, [next(iter(session.workspace.layers())).id], False)
    stage.scene.prepare()
    assert not any(each.actor.GetVisibility() for each in visual.points._tiles.values())


@pytest.mark.parametrize("damage", ["short", "count", "nan"])
def test_broken_points_are_told_and_the_rest_is_drawn(tmp_path, stage_of, damage):
    cloud = plane(2.0)
    if damage == "short":
        cloud = cloud[:400]
    elif damage == "count":
        cloud = cloud.replace(b'"POINTS_LENGTH": 2500', b'"POINTS_LENGTH": 9900')
    else:
        cloud = pnts(np.full((10, 3), np.nan))
    session = opened(towns(tmp_path, {"top.glb": square_glb(), "a.pnts": cloud, "b.pnts": plane(2.0)}))
    stage = stage_of(session.workspace)
    seen_from_above(stage)
    tiled.publish(session)
    (layer,) = session.workspace.layers()
    assert "b.points" in session.workspace.features(layer.id)
    assert len({problem.code for problem in session.workspace.problems(layer.id)} - {"no-crs"}) == 1
    assert sources.missing_layers(session) == []
