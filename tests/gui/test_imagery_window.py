"""A basemap in the window: it fills by itself, stays when faded, is credited, and an address opens the map that is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.commands import layers, sources
from tests.gui.windows import open_window
from tests.unit.formats.imagery.tile_samples import png, tiles_of, write_mbtiles
from tests.unit.services.tile_server import TileServer

pytestmark = pytest.mark.gui


def middle(window):
    """Return the colour in the middle of the view."""
    image = window.view.grab().toImage()
    color = image.pixelColor(image.width() // 2, image.height() // 2)
    return np.array([color.red(), color.green(), color.blue()])


def whole(window):
    scene = window.view.scene
    visuals = list(scene.visuals.values())
    return bool(visuals) and not any(v.is_waiting or v.is_pending for v in visuals) and not window.view.surface.pending


def test_a_basemap_fills_by_itself_fades_with_its_slider_and_is_credited(qtbot, tmp_path):
    red = {key: png((200, 30, 30), 256) for key in tiles_of(range(3))}
    path = write_mbtiles(tmp_path / "map.mbtiles", red, bounds="113.2,23.0,113.4,23.2", attribution="© City of A")
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [path]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=10_000)
    qtbot.waitUntil(lambda: whole(window), timeout=30_000)
    (layer,) = session.workspace.layers()
    assert layer.kind == "imagery"
    assert np.abs(middle(window) - (200, 30, 30)).max() < 12
    layers.set_opacity(session, layer.id, 0.3)
    qtbot.waitUntil(lambda: middle(window)[1] > 100, timeout=30_000)
    from cimdesk.ui.credits_card import CreditsCard

    (card,) = window.view.findChildren(CreditsCard)
    qtbot.waitUntil(lambda: card.text == "© City of A" and card.isVisible(), timeout=5_000)


def test_an_address_of_tiles_becomes_a_layer(qtbot, tmp_path, monkeypatch):
    server = TileServer()
    try:
        for (z, x, y), data in tiles_of(range(3)).items():
            server.files[f"/t/{z}/{x}/{y}.png"] = data
        window = open_window(qtbot)
        desk = window.desk
        monkeypatch.setattr(desk.ask, "text", lambda title, label, value="": server.url("/t/{z}/{x}/{y}.png"))
        asked = []

        def form(name, desk, **values):
            asked.append(values["previews"][0].result.format)
            values["done"](([p.path for p in values["previews"]], ""))

        monkeypatch.setattr(desk.ask, "form", form)
        desk.trigger("project.open_address")
        qtbot.waitUntil(lambda: len(desk.session.workspace.layers()) == 1, timeout=15_000)
        assert asked == ["XYZ tiles"]
        assert desk.session.workspace.layers()[0].source.endswith("/t/{z}/{x}/{y}.png")
        qtbot.waitUntil(lambda: whole(window), timeout=30_000)
    finally:
        server.close()
