"""The demo city, tiled, from afar in the window: coloured by an attribute, and a click on a block tells of a building."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.commands import layers, sources, tiled
from cimdesk.commands.demo import generate
from cimdesk.commands.tiling import tile_files
from cimdesk.model.style import Style, StyleMode
from cimdesk.services.tiling import build
from tests.gui.windows import open_window

pytestmark = [pytest.mark.e2e, pytest.mark.gui, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def tiles(tmp_path, monkeypatch):
    """Return the tileset of the demo city, with blocks as near as a city ten times as large has them."""
    generate(tmp_path / "demo", "small", 7, no_progress, CancelToken(), storm=False, fresh=True)
    monkeypatch.setattr(build, "LEAF_FEATURES", 200)
    monkeypatch.setattr(build, "PRISMS", 200)
    tile_files([tmp_path / "demo" / "data" / "city.city.json"], tmp_path / "tiles", workers=1)
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)
    return tmp_path / "tiles" / "tileset.json"


def test_the_overview_shows_the_map_that_was_asked_for_and_a_click_the_building(qtbot, tiles):
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [tiles]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=20_000)
    (layer,) = session.workspace.layers()
    qtbot.waitUntil(lambda: window.view.scene is not None and bool(window.view.scene.visuals), timeout=20_000)
    scene = window.view.scene
    (visual,) = scene.visuals.values()
    scene.camera.set_view(20.0, 60.0, 9_000.0, tuple(visual.source.tileset.bounds.mean(axis=0)))
    window.view.request_render()

    def has_come():
        known = len(session.workspace.features(layer.id))
        return visual.choice.complete and not visual.source.is_busy and known == visual.source.feature_count > 0

    def drawn():
        qtbot.waitUntil(lambda: has_come() and not window.view.surface.pending, timeout=60_000)
        qtbot.wait(1000)
        image = window.view.grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
        return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).astype(int)

    plain = drawn()
    assert any(tile.block.bodies is not None for tile in visual.drawing.shown_tiles())
    layers.set_style(session, layer.id, Style(StyleMode.CATEGORIES, "#ffffff", "use", categories={"residential": "#ff0000"}))
    colored = drawn()
    assert np.count_nonzero(colored[..., 0] > colored[..., 2] + 60) > 200 > np.count_nonzero(plain[..., 0] > plain[..., 2] + 60)
    tile = next(tile for tile in visual.drawing.shown_tiles() if tile.block.bodies is not None)
    block = tile.block
    row = int(np.argmax(np.bincount(block.owner)))
    corners = block.points[block.triangles[block.owner == row].ravel()].astype(float)
    top = np.append((corners.min(axis=0) + corners.max(axis=0))[:2] / 2.0, corners[:, 2].max()) + block.origin
    (at,) = window.view.to_logical(top[None])
    QTest.mouseMove(window.view, at.toPoint())
    QTest.mouseClick(window.view, Qt.MouseButton.LeftButton, pos=at.toPoint())
    qtbot.waitUntil(lambda: len(session.selection.refs) == 1, timeout=5_000)
    (ref,) = session.selection.refs
    table = session.workspace.features(layer.id)
    said = table.row(table.row_of(ref.feature))
    assert said["use"] is not None
    inspector = window.inspector
    qtbot.waitUntil(lambda: inspector.attributes.isVisibleTo(inspector), timeout=5_000)
    texts = {label.text().replace("\u200b", ""): value.text() for label, value in inspector.attributes._rows if label.text()}
    assert said["use"] in texts.values()
