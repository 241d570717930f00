"""Exposure at the clock, two floods in one picture, and a run against marks, through the window's actions."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.formats.flood_result import write_result
from cimdesk.model.appearance import LegendCard
from cimdesk.model.flood_comparison import against_of
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.style import LegendEntry
from cimdesk.scene.flood_compare import DifferenceVisual, SwipeVisual
from cimdesk.ui.calibration_dialog import CalibrationDialog
from tests.gui.windows import open_window
from tests.unit.commands.exposure_town import boxes, with_layers
from tests.unit.commands.test_flood_exposure import DRY, roads, run_of, water

pytestmark = pytest.mark.gui

LARGE, SMALL = water(20, 20, 60, 40, 0.8), water(20, 20, 40, 40, 0.5)


@pytest.fixture
def window(qtbot, tmp_path):
    """A window on two floods, three houses and a street."""
    window = open_window(qtbot)
    workspace = window.desk.session.workspace
    city = boxes(np.array([42.0, 24.0, 100.0]), np.array([24.0, 24.0, 100.0]), 8.0, ["residential", "school", "office"])
    write_result(tmp_path / "run.flood", run_of(DRY, LARGE))
    layers = [
        (Layer("city", "Buildings", LayerKind.BUILDINGS, ""), city),
        (Layer("roads", "Roads", LayerKind.VECTOR, ""), roads([(0.0, 30.0), (120.0, 30.0)])),
        (Layer("wall", "With wall", LayerKind.FLOOD, ""), run_of(DRY, SMALL)),
        (Layer("today", "Storm", LayerKind.FLOOD, "", visible=False), run_of(DRY, LARGE)),
    ]
    with_layers(workspace, layers)
    window.desk.session.clock.set_time(1600.0)
    window.bottom.show_tab("exposure")
    qtbot.waitUntil(lambda: window.bottom.exposure.data is not None and not window.desk.runner.jobs, timeout=60_000)
    qtbot.waitUntil(lambda: window.view.renders > 0, timeout=60_000)
    return window


def test_the_table_follows_the_clock_and_says_what_run_it_is(qtbot, window):
    panel = window.bottom.exposure
    assert panel.data["people"] == 20.0
    for word in ("inertial", "CFL 0.60", "screening", "With wall"):
        assert word in panel.note.text()
    window.desk.session.clock.set_time(1000.0)
    qtbot.waitUntil(lambda: panel.data["people"] == 0.0, timeout=10_000)
    panel.at_clock.click()
    qtbot.waitUntil(lambda: panel.data["people"] == 20.0, timeout=10_000)
    assert "Greatest depth" in panel.note.text()


def test_rows_select_what_they_count(qtbot, window):
    panel = window.bottom.exposure
    labels = [panel.table.item(k, 0).text() for k in range(panel.table.rowCount())]
    row = labels.index("Buildings: school")
    panel.table.itemClicked.emit(panel.table.item(row, 0))
    assert {str(ref.feature) for ref in window.desk.session.selection.refs} == {"B1"}


def test_the_passable_depth_is_edited_in_the_panel(qtbot, window):
    panel = window.bottom.exposure
    assert panel.data["isolation"]["flooded_m"] > 0.0
    panel.passable.setValue(0.6)
    qtbot.waitUntil(lambda: panel.data["isolation"]["flooded_m"] == 0.0, timeout=10_000)


def test_the_difference_is_drawn_listed_and_undone(qtbot, window):
    window.actions_.trigger("flood.difference")
    desk = window.desk
    assert against_of(desk.session.workspace.layer("wall").options).layer == "today"
    qtbot.waitUntil(lambda: isinstance(window.view.scene.visuals.get("wall"), DifferenceVisual), timeout=20_000)
    panel = window.bottom.exposure
    qtbot.waitUntil(lambda: panel.compared_data is not None, timeout=60_000)
    labels = {panel.table.item(k, 0).text(): panel.table.item(k, 3).text() for k in range(panel.table.rowCount())}
    assert labels["Buildings: residential"] == "-1"
    qtbot.waitUntil(lambda: any("With wall minus Storm" in card.title for card in window.overlays.legend.cards), timeout=10_000)
    window.actions_.trigger("edit.undo")
    assert against_of(desk.session.workspace.layer("wall").options) is None
    qtbot.waitUntil(lambda: not isinstance(window.view.scene.visuals.get("wall"), DifferenceVisual), timeout=20_000)


def test_the_swipe_moves_and_is_kept(qtbot, window):
    window.actions_.trigger("flood.swipe")
    qtbot.waitUntil(lambda: isinstance(window.view.scene.visuals.get("wall"), SwipeVisual), timeout=20_000)
    handle = window.overlays.swipe
    qtbot.waitUntil(handle.isVisible, timeout=10_000)
    handle.move_to(0.25)
    assert window.view.scene.visuals["wall"].at == 0.25
    options = window.desk.session.workspace
    qtbot.waitUntil(lambda: against_of(options.layer("wall").options).at == 0.25, timeout=10_000)
    assert window.overlays.scenario.compared.text().startswith("Storm")
    window.actions_.trigger("flood.swipe")
    qtbot.waitUntil(lambda: not handle.isVisible(), timeout=10_000)


def test_the_selection_becomes_the_way_out(qtbot, window):
    from cimdesk.model.selection import AssetRef

    window.desk.select([AssetRef("roads", "R0")])
    window.actions_.trigger("flood.exits")
    assert len(window.desk.session.workspace.settings["exits"]) == 1
    window.actions_.trigger("select.clear")
    window.actions_.trigger("flood.exits")
    assert "exits" not in window.desk.session.workspace.settings


def test_exposure_is_written_as_a_table(qtbot, window, tmp_path):
    window.desk.ask.answers["save_path"] = tmp_path / "exposure.csv"
    window.bottom.exposure.csv.click()
    text = (tmp_path / "exposure.csv").read_text(encoding="utf-8-sig")
    assert "screening" in text
    assert "buildings,school" in text


def test_a_run_is_held_against_marks(qtbot, window, tmp_path):
    (tmp_path / "marks.csv").write_text("name,x,y,level,source\nA,30,30,0.4,survey\nB,110,110,1.0,\n", encoding="utf-8")
    shown = []
    window.desk.ask.answers["files"] = [tmp_path / "marks.csv"]
    window.desk.ask.answers["calibration"] = lambda desk, **values: shown.append(CalibrationDialog(desk, values["found"]))
    window.actions_.trigger("flood.calibrate")
    assert not window.desk.ask.errors
    dialog = shown[0]
    assert dialog.table.item(0, 3).text() == "+0.10"
    assert dialog.table.item(1, 2).text() == "dry in the run"
    assert "bias +0.10 m" in dialog.note.text()
    window.desk.ask.answers["save_path"] = tmp_path / "out.csv"
    dialog.csv.click()
    assert "screening" in (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert dialog.grab().width() > 400
    dialog.deleteLater()


@pytest.mark.parametrize("at", [0.05, 0.5, 0.95])
def test_the_names_of_a_swipe_keep_clear_of_compass_card_and_legend(qtbot, window, at):
    window.desk.trigger("flood.swipe")
    overlays = window.overlays
    qtbot.waitUntil(lambda: overlays.swipe.is_on, timeout=10_000)
    overlays.swipe.at = at
    entries = tuple(LegendEntry(f"class {k}", "#123456") for k in range(8))
    overlays.legend.set_cards([LegendCard(f"block {k}", entries, f"{k}", "fill") for k in range(4)])
    overlays.place()
    for name in overlays.swipe.names:
        for card in (overlays.compass, overlays.scenario, overlays.legend):
            assert not name.geometry().intersects(card.geometry())
