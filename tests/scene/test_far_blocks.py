"""The overview of a tiled city: blocks have the colours, the attributes and the sight of their main buildings."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.commands import layers, sources, tiled
from cimdesk.commands.session import Session
from cimdesk.commands.tiling import tile_files
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Style, StyleMode
from cimdesk.scene.view import read_pixels
from cimdesk.services.tiling import build
from tests.scene.in_window import InWindow
from tests.unit.services.tiling.sequences import house, write_sequence

pytestmark = pytest.mark.render

COUNT, SIDE = 400, 5_000.0
BY_USE = Style(StyleMode.CATEGORIES, "#ffffff", "use", categories={"home": "#ff0000", "office": "#0000ff"})


@pytest.fixture(autouse=True)
def streams_early(monkeypatch):
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)


@pytest.fixture(scope="module")
def halls():
    """Return the lines of halls, large enough to be seen from afar, and their places by id."""
    places = np.random.default_rng(5).random((COUNT, 2)) * SIDE
    lines = [house(k, float(x), float(y), 60.0, 80.0, 24.0, 30.0) for k, (x, y) in enumerate(places)]
    return lines, {f"house-{k:05d}": place for k, place in enumerate(places)}


@pytest.fixture(scope="module")
def city(tmp_path_factory, halls):
    folder = tmp_path_factory.mktemp("far")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "LEAF_FEATURES", 4)
        patch.setattr(build, "PRISMS", 1)
        patch.setattr(build, "CELLS", 16)
        tile_files([write_sequence(folder / "a.city.jsonl", halls[0])], folder / "tiles", workers=1)
    return folder / "tiles" / "tileset.json"


@pytest.fixture
def overview(city, stage_of):
    """Return the session, a stage that shows blocks alone, and the layer's key."""
    session = Session(runner=InWindow())
    session.run(sources.open_job(session, [city]))
    (layer,) = session.workspace.layers()
    stage = stage_of(session.workspace, size=(1280, 720))
    from_above(stage, 20_000.0)
    tiled.publish(session)
    draw(stage)
    assert all(tile.block.bodies is not None for tile in visual_of(stage).drawing.shown_tiles())
    return session, stage, layer.id


def visual_of(stage):
    (visual,) = stage.scene.visuals.values()
    return visual


def draw(stage):
    assert stage.scene.complete(60.0)
    stage.window.Render()
    return read_pixels(stage.window)


def from_above(stage, distance, place=(SIDE / 2.0, SIDE / 2.0)):
    stage.scene.prepare()
    stage.scene.camera.set_view(0.0, 89.0, distance, (430_000.0 + place[0], 2_556_000.0 + place[1], 0.0))
    return draw(stage)


def box_of(place):
    """Return the box of the hall at a place."""
    low = np.array([430_000.0 + place[0], 2_556_000.0 + place[1], 0.0])
    return np.array([low, low + np.array([60.0, 80.0, 30.0])])


def blocks_seen(stage):
    """Return id and pixel of the middle of each block that is drawn large enough, where no other block is near."""
    scene = stage.scene
    found = []
    for tile in visual_of(stage).drawing.shown_tiles():
        block = tile.block
        for row, feature in enumerate(block.features.tolist()):
            corners = block.points[block.triangles[block.owner == row].ravel()]
            low, high = corners.min(axis=0), corners.max(axis=0)
            if (high - low)[:2].min() > 55.0:
                found.append((visual_of(stage).feature_id(feature), (low + high) / 2.0 + block.origin))
    pixels = np.array([stage.pixel(place) for _, place in found])
    apart = np.linalg.norm(pixels[:, None] - pixels[None], axis=2) + 1e9 * np.eye(len(pixels))
    wide, high = scene.canvas.size
    alone = (apart.min(axis=1) > 5.0) & (pixels > 5).all(axis=1) & (pixels < [wide - 5, high - 5]).all(axis=1)
    return [(found[k][0], int(pixels[k][0]), int(pixels[k][1])) for k in np.flatnonzero(alone).tolist()]


def test_a_style_by_an_attribute_colours_the_overview(overview, halls):
    session, stage, layer = overview
    layers.set_style(session, layer, BY_USE)
    picture = draw(stage).astype(int)
    seen = blocks_seen(stage)
    assert len(seen) > 30
    for name, x, y in seen:
        red, green, blue = picture[y, x]
        use = ("home", "office", None)[int(name.removeprefix("house-")) % 3]
        assert (red > blue + 60, blue > red + 60) == (use == "home", use == "office"), (name, red, green, blue)


def test_a_click_on_a_block_gives_its_main_building_with_its_attributes_and_marks_it(overview):
    session, stage, layer = overview
    before = draw(stage)
    table = session.workspace.features(layer)
    for name, x, y in blocks_seen(stage)[:12]:
        pick = stage.scene.pick(x, y)
        assert pick is not None
        assert pick.ref == AssetRef(layer, name)
        said = table.row(table.row_of(name))
        assert said["name"] == f"House {int(name.removeprefix('house-'))}"
        assert said["measured_height"] == pytest.approx(30.0, abs=0.02)
    stage.scene.set_selection(frozenset([pick.ref]))
    assert not np.array_equal(before, draw(stage))


def test_a_block_is_hidden_with_its_main_building(overview):
    session, stage, layer = overview
    layers.set_style(session, layer, BY_USE)
    draw(stage)
    seen = blocks_seen(stage)
    layers.set_look(session, layer, BY_USE, "use = 'home'")
    picture = draw(stage).astype(int)
    homes = [int(name.removeprefix("house-")) % 3 == 0 for name, _, _ in seen]
    assert 0 < sum(homes) < len(homes)
    for is_home, (name, x, y) in zip(homes, seen, strict=True):
        assert (picture[y, x, 0] > picture[y, x, 2] + 60) == is_home
        pick = stage.scene.pick(x, y)
        # Beside a hidden block, another one may be near enough.
        assert (pick is not None and pick.ref is not None and pick.ref.feature == name) == is_home


def test_what_is_known_of_a_building_from_afar_is_the_same_from_near_and_it_is_one_feature(overview, halls):
    session, stage, layer = overview
    far = session.workspace.features(layer)
    assert 30 < len(far) < COUNT
    assert len(set(far.ids)) == len(far)
    name = str(far.ids[0])
    visual = visual_of(stage)
    # From afar the block may be anywhere in its cell; whoever goes to the building finds it.
    assert np.allclose(visual.bounds(visual.rows_of([name])) + stage.scene.context.origin, box_of(halls[1][name]), atol=0.05)
    for x in np.linspace(300.0, SIDE - 300.0, 8):
        for y in np.linspace(300.0, SIDE - 300.0, 8):
            from_above(stage, 700.0, (float(x), float(y)))
    tiled.publish(session)
    near = session.workspace.features(layer)
    assert sorted(near.ids) == sorted(halls[1])
    for key in far.ids:
        before, after = far.row(far.row_of(key)), near.row(near.row_of(key))
        assert {**before, "tile": None} == {**after, "tile": None}


def test_what_counts_on_shapes_gets_buildings_and_not_blocks(overview, halls):
    session, _, layer = overview
    city = session.workspace.data(layer).tiles.city()
    mesh = city.finest
    corners = mesh.world_vertices()[mesh.triangles]
    for row in np.unique(mesh.feature_index).tolist():
        mine = corners[mesh.feature_index == row].reshape(-1, 3)
        assert np.allclose([mine.min(axis=0), mine.max(axis=0)], box_of(halls[1][str(city.features.ids[row])]), atol=0.05)
