"""A streamed layer styled by attributes that nobody styled by before: no frame shows a colour of another style."""

from __future__ import annotations

import threading
import zlib

import numpy as np
import pytest

from cimdesk.commands import layers, tiled
from cimdesk.model.classes import Method
from cimdesk.model.coloring import color_features, settled
from cimdesk.model.limits import ready_tables
from cimdesk.model.style import Style, StyleMode
from cimdesk.scene.tile_colors import PALETTE
from cimdesk.scene.tiles import shaded_pair
from cimdesk.services.tile_features import FeaturePool
from tests.scene.test_streaming import drawn, look, opened
from tests.scene.tile_towns import write_town

pytestmark = pytest.mark.render

STYLES = [
    Style(StyleMode.GRADUATED, "#cccccc", "height"),
    Style(StyleMode.CATEGORIES, "#cccccc", "use"),
    Style(StyleMode.CONTINUOUS, "#cccccc", "height"),
    Style(StyleMode.GRADUATED, "#cccccc", "height", method=Method.NATURAL, classes=8),
    Style(StyleMode.SINGLE, "#336699"),
    Style(StyleMode.CATEGORIES, "#cccccc", "use", categories={"flats": "#00ff00"}, other="#101010"),
    Style(StyleMode.CONTINUOUS, "#cccccc", "height", ramp="magma", clip=(5.0, 95.0)),
]


@pytest.fixture
def town(tmp_path, monkeypatch):
    """A tileset whose features have a use and a height."""
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)
    add = FeaturePool.add

    def with_attributes(self, ids, columns):
        numbers = np.array([zlib.crc32(str(key).encode()) % 1000 for key in ids])
        uses = np.array(["flats", "office", "shop", None], dtype=object)[numbers % 4]
        return add(self, ids, {**columns, "height": numbers / 10.0, "use": uses})

    monkeypatch.setattr(FeaturePool, "add", with_attributes)
    return write_town(tmp_path / "town", levels=3, tile=200.0, count=6)


def stale_features(stage, session, layer_id):
    """Return how many features of the tiles that are drawn have not the colours that their style gives them."""
    visual = drawn(stage)
    style, known = session.workspace.layer(layer_id).style, session.workspace.features(layer_id)
    everything = session.workspace.data(layer_id).tiles.features.table()
    first = color_features(style, known)
    later = color_features(settled(style, known), everything)
    looks = [shaded_pair(coloring.palette, visual.context.look) for coloring in (first, later)]
    stale = 0
    for row in visual.shown:
        features = visual.tiles[row].block.features
        for side in (0, 1):
            texels = visual.colors.texture.texels[PALETTE + 2 * features + side]
            wanted = looks[1][side][later.codes[features]]
            is_known = features < len(known)
            wanted[is_known] = looks[0][side][first.codes[features[is_known]]]
            stale += int((texels != wanted).any(axis=1).sum())
    return stale


@pytest.mark.parametrize("is_made_ready", [True, False])
def test_no_frame_shows_a_colour_of_another_style(town, stage_of, is_made_ready):
    session = opened(town)
    stage = stage_of(session.workspace)
    (layer,) = session.workspace.layers()
    rng = np.random.default_rng(5)
    look(stage, 0.0, 70.0, 900.0, (800.0, 800.0, 0.0))
    assert stage.scene.complete(60.0)
    tiled.publish(session)
    checked = 0
    for style in STYLES * 2:
        made = threading.Thread(target=ready_tables, args=([session.workspace.features(layer.id)],))
        if is_made_ready:
            made.start()
        layers.set_style(session, layer.id, style)
        for _ in range(6):
            stage.scene.prepare()
            if session.workspace.features(layer.id) is not None and drawn(stage).shown:
                assert stale_features(stage, session, layer.id) == 0
                checked += 1
            stage.window.Render()
            place = (*rng.uniform(100.0, 1500.0, 2), 0.0)
            stage.scene.camera.set_view(rng.uniform(0, 360), rng.uniform(20, 89), rng.uniform(100, 900), place)
        if rng.random() < 0.5:
            tiled.publish(session)
        if is_made_ready:
            made.join()
    assert checked > 60
    assert len(session.workspace.features(layer.id)) > 1000
