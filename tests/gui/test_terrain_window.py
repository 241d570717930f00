"""A terrain in the window: it is drawn in chunks, a form changes its look, and buildings sit on it."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.commands import sources
from cimdesk.formats import raster_large
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.terrain import Terrain, TerrainLook, TerrainStyle
from cimdesk.ui import handlers_data
from cimdesk.ui.terrain_dialog import TerrainDialog
from tests.gui.windows import open_window

pytestmark = pytest.mark.gui


@pytest.fixture(params=[False, True], ids=["in memory", "larger than memory"])
def window(qtbot, tmp_path, monkeypatch, request):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path / "home"))
    if request.param:
        monkeypatch.setattr(raster_large, "LARGE", 100_000)
        monkeypatch.setattr("cimdesk.formats.raster.LARGE", 100_000)
    east, north = np.meshgrid(np.arange(700.0), np.arange(600.0))
    z = (60 + 40 * np.sin(east / 50) * np.cos(north / 70)).astype(np.float32)
    path = write_geotiff(tmp_path / "hills.tif", Terrain(z, 430_000.0, 2_550_000.0, 5.0, 5.0), Crs.epsg(4547))
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [path]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=20_000)
    scene = window.view.scene
    qtbot.waitUntil(lambda: bool(scene.visuals), timeout=20_000)
    (visual,) = scene.visuals.values()
    qtbot.waitUntil(lambda: bool(visual.choice.shown) and not visual.is_waiting and not visual.is_pending, timeout=20_000)
    return window


def test_the_form_colours_the_terrain_and_names_its_datum(qtbot, window):
    session, scene = window.desk.session, window.view.scene
    (layer,) = session.workspace.layers()

    def answer(desk, layer):
        dialog = TerrainDialog(desk, layer, window)
        qtbot.addWidget(dialog)
        assert dialog.vertical.text()
        dialog.look.setCurrentIndex(dialog.look.findData(str(TerrainLook.GROUND)))
        dialog.contours.setValue(10.0)
        dialog.offset.setValue(2.5)
        return dialog.choice()

    window.desk.ask.answers["terrain"] = answer
    window.desk.current_layer = layer.id
    at = np.array([[431_000.0, 2_549_000.0]])
    before = session.workspace.data(layer.id).sample(at)
    handlers_data.edit_style(window.desk)
    options = session.workspace.layer(layer.id).options
    assert TerrainStyle.of(options) == TerrainStyle(TerrainLook.GROUND, 1.0, 10.0)
    assert session.workspace.data(layer.id).sample(at) == pytest.approx(before + 2.5)
    qtbot.waitUntil(lambda: all(v.painter.style.contours == 10.0 for v in scene.visuals.values()), timeout=10_000)
    session.undo()
    assert session.workspace.data(layer.id).sample(at) == pytest.approx(before)
