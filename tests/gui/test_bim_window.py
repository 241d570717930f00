"""A building model and a hazard map dropped on the window: shown, picked, counted."""

from __future__ import annotations

import pytest

from cimdesk.commands import sources
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.ui import handlers_plan
from cimdesk.ui.layer_panel import swatch_colors
from cimdesk.ui.needs import Need, available, flood_maps
from tests.gui.windows import open_window, wait_for_jobs
from tests.unit.commands.test_flood_areas import HEAD, house, water
from tests.unit.formats.ifc.models import write_wall

pytestmark = pytest.mark.gui


def test_a_wall_can_be_clicked_in_the_window(qtbot, tmp_path):
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [write_wall(tmp_path / "wall.ifc")]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=60_000)
    (layer,) = session.workspace.layers()
    session.selection.set([AssetRef(layer.id, "0YvctVUKr0kugbFTf53O9W")])
    inspector = window.inspector
    qtbot.waitUntil(lambda: inspector.attributes.isVisibleTo(inspector), timeout=5_000)
    texts = {label.text().replace("\u200b", ""): value.text() for label, value in inspector.attributes._rows if label.text()}
    assert texts["storey"] == "First floor"
    assert "REI 90" in texts.values()


def test_a_hazard_map_is_a_flood_layer_with_its_exposure(qtbot, tmp_path):
    areas, houses = tmp_path / "fld.gml", tmp_path / "bldg.gml"
    areas.write_text(HEAD + water("a", 0.0, 40.0, 1) + water("b", 40.0, 40.0, 3) + "</core:CityModel>", encoding="utf-8")
    houses.write_text(HEAD + house("h", 55.0) + "</core:CityModel>", encoding="utf-8")
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [areas, houses]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 2, timeout=20_000)
    layer = next(layer for layer in session.workspace.layers() if layer.kind is LayerKind.FLOOD)
    assert layer.opacity < 1.0
    assert swatch_colors(layer)[0] == "#f7f5a9"
    assert [key for key, _, _ in flood_maps(window.desk)] == [layer.id]
    # What only a simulated flood has is not offered.
    assert not available(window.desk) & Need.FLOOD
    panel = window.bottom.exposure
    window.bottom.show_tab("exposure")
    panel.refresh()
    wait_for_jobs(qtbot, window)
    qtbot.waitUntil(lambda: panel.table.rowCount() > 0, timeout=20_000)
    assert panel.table.item(0, 1).text() == "1"


def test_stages_from_the_data_say_when_there_are_none(qtbot, tmp_path):
    window = open_window(qtbot)
    houses = tmp_path / "bldg.gml"
    houses.write_text(HEAD + house("h", 55.0) + "</core:CityModel>", encoding="utf-8")
    session = window.desk.session
    session.run(sources.open_job(session, [houses]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=20_000)
    window.desk.current_layer = session.workspace.layers()[0].id
    said = []
    window.desk.message.connect(said.append)
    handlers_plan.take_stages(window.desk)
    assert said[-1] == "The file of this layer tells no stages."
