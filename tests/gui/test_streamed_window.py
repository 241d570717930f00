"""A large tileset in the window: it fills by itself, its features reach the table, a click gives their attributes."""

from __future__ import annotations

import pytest

from cimdesk.commands import sources, tiled
from tests.gui.windows import open_window
from tests.scene.tile_towns import write_town

pytestmark = pytest.mark.gui


def test_a_tileset_fills_by_itself_and_a_click_tells_what_a_building_is(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(tiled, "WHOLE_TILES", 10)
    town = write_town(tmp_path, levels=3, tile=200.0, count=5)
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [town]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=10_000)
    (layer,) = session.workspace.layers()
    qtbot.waitUntil(lambda: len(session.workspace.features(layer.id)) >= 25 * 16, timeout=30_000)
    store = session.workspace.data(layer.id).tiles
    qtbot.waitUntil(lambda: not store.is_busy and len(session.workspace.features(layer.id)) == store.feature_count, timeout=30_000)
    table = session.workspace.features(layer.id)
    name = next(str(key) for key in table.ids if key.startswith("t/3_"))
    session.selection.set([])
    scene = window.view.scene
    (visual,) = scene.visuals.values()
    scene.camera.set_view(0.0, 89.0, 400.0, tuple(visual.anchors()[table.row_of(name)] + scene.context.origin))
    qtbot.waitUntil(lambda: visual.choice.complete and not window.view.surface.pending, timeout=30_000)
    x, y, _ = scene.places.screen_of(visual.anchors()[[table.row_of(name)]] + scene.context.origin)[0]
    pick = scene.pick(float(x), float(y))
    assert pick is not None
    assert pick.ref.feature == name
