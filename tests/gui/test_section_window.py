"""The section tool in the window: a drawn line gives a chart that follows the clock and can be saved."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.ui.section_window import SectionWindow
from tests.gui.windows import open_window
from tests.unit.commands.test_flood_section import START, town

pytestmark = pytest.mark.gui


def test_a_drawn_line_gives_a_section_that_follows_the_clock_and_is_saved(qtbot, tmp_path):
    window = open_window(qtbot)
    desk = window.desk
    workspace = town()
    records = [(layer, workspace.data(layer.id)) for layer in workspace.layers()]
    from cimdesk.commands.history import Edit

    document = desk.session.workspace.document
    for layer, data in records:
        desk.session.do(Edit("add", (document.put("layer", layer.id, layer.to_record()),), {layer.id: data}))
    desk.trigger("city.section")
    (section,) = window.findChildren(SectionWindow)
    assert desk.view.tool == "measure"
    assert not section.csv.isEnabled()
    desk.view.measured.emit([(0.0, 20.0, 0.0)])
    desk.view.measured.emit([(0.0, 20.0, 0.0), (100.0, 20.0, 0.0)])
    assert section.csv.isEnabled()
    desk.session.clock.set_time(START + 600.0)
    assert np.nanmax(section.chart.section.level_at(desk.session.clock.time)) == pytest.approx(2.0, abs=1e-4)
    desk.ask.answers["save_path"] = tmp_path / "cut.png"
    section.save_png()
    assert (tmp_path / "cut.png").stat().st_size > 3000
    desk.ask.answers["save_path"] = tmp_path / "cut.csv"
    section.save_csv()
    assert (tmp_path / "cut.csv").read_text(encoding="utf-8").startswith("along_m")
    section.close()
    assert desk.view.tool == "pick"
