"""Forms of floods in the window: the drains of a run, ensembles, how flow is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cimdesk.commands.flood_outputs import show_map
from cimdesk.commands.history import Edit
from cimdesk.commands.sources import import_files
from cimdesk.model.document import RecordChange
from cimdesk.model.flood_chance import CHANCE
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.ui.ensemble_dialog import EnsembleDialog
from cimdesk.ui.flood_dialog import FloodDialog
from cimdesk.ui.flood_page import FloodPage
from cimdesk.ui.style_panel import StylePanel
from tests.gui.windows import open_sample, open_window
from tests.scene.test_flood_flow import river
from tests.unit.commands.test_flood_drainage import NETWORK
from tests.unit.commands.test_flood_ensemble import valley

__all__ = ["valley"]
pytestmark = pytest.mark.gui


def opened(qtbot, folder: Path, *names: str):
    window = open_window(qtbot)
    if names:
        open_sample(qtbot, window, folder, *names)
    return window


def form(qtbot, kind, window):
    dialog = kind(window.desk, window)
    qtbot.addWidget(dialog)
    return dialog


def test_the_drains_of_a_flood_are_chosen_among_networks_of_swmm(qtbot, tmp_path):
    window = opened(qtbot, tmp_path, "city", "terrain")
    (tmp_path / "drains.inp").write_text(NETWORK, encoding="utf-8")
    import_files(window.desk.session, [tmp_path / "drains.inp"])
    dialog = form(qtbot, FloodDialog, window)
    assert dialog.drains.itemText(0) == "none"
    (first,) = (key for key in (dialog.drains.itemData(k) for k in range(dialog.drains.count())) if key)
    assert dialog.form().drainage == first, "streets without their drains flood deeper than they do"
    dialog.drains.setCurrentIndex(0)
    assert dialog.form().drainage == ""
    assert "no pipes" in dialog.note.text()
    layer = next(layer for layer in window.desk.session.workspace.layers() if layer.kind is LayerKind.NETWORK)
    dialog.drains.setCurrentIndex(dialog.drains.findData(layer.id))
    assert dialog.form().drainage == layer.id
    assert "SWMM" in dialog.note.text()


def test_an_ensemble_is_asked_for_and_its_map_is_a_layer(qtbot, valley):
    window = opened(qtbot, valley.parent)
    window.desk.ask.answers["files"] = [valley]
    dialog = form(qtbot, EnsembleDialog, window)
    assert not dialog.accept_button.isEnabled()
    dialog._choose_scenario()
    dialog.years.setText("5, 20")
    assert dialog.accept_button.isEnabled()
    assert (dialog.table.rowCount(), dialog.table.columnCount()) == (1, 2)
    assert dialog.note.text().startswith("2 runs")
    dialog.years.setText("five")
    assert not dialog.accept_button.isEnabled()
    assert "five" in dialog.note.text()
    dialog.years.setText("5, 20")
    dialog.threshold.setCurrentIndex(0)
    window.desk.ask.answers["ensemble"] = dialog.wish()
    window.actions_.trigger("flood.ensemble")
    assert window.desk.runner.jobs[0].spec.title == "Ensemble of storm"
    qtbot.waitUntil(lambda: not window.desk.runner.jobs, timeout=120_000)
    assert not window.desk.ask.errors
    (layer,) = [layer for layer in window.desk.session.workspace.layers() if layer.name.startswith("Annual chance")]
    assert CHANCE in window.desk.session.workspace.features(layer.id).columns
    again = form(qtbot, EnsembleDialog, window)
    again._choose_scenario()
    again.years.setText("5, 20, 50")
    assert [again.table.item(0, k).text() for k in range(3)] == ["there", "there", "·"]


def test_an_ensemble_is_cancelled_like_any_job(qtbot, valley):
    window = opened(qtbot, valley.parent)
    window.desk.ask.answers["files"] = [valley]
    dialog = form(qtbot, EnsembleDialog, window)
    dialog._choose_scenario()
    window.desk.ask.answers["ensemble"] = dialog.wish()
    window.actions_.trigger("flood.ensemble")
    window.desk.runner.cancel(window.desk.runner.jobs[0])
    qtbot.waitUntil(lambda: not window.desk.runner.jobs, timeout=60_000)
    assert not window.desk.ask.errors
    assert not [layer for layer in window.desk.session.workspace.layers() if layer.name.startswith("Annual chance")]


def test_arrows_are_switched_by_the_menu_and_undone(qtbot, tmp_path):
    window = opened(qtbot, tmp_path, "city", "terrain")
    workspace = window.desk.session.workspace
    key = _with_flood(window)
    window.actions_.trigger("flood.arrows")
    assert workspace.layer(key).style.flow == "arrows"
    window.actions_.trigger("flood.streaks")
    assert workspace.layer(key).style.flow == "streaks"
    window.actions_.trigger("flood.streaks")
    assert workspace.layer(key).style.flow == ""
    window.desk.session.undo()
    assert workspace.layer(key).style.flow == "streaks"


def test_arrows_are_not_offered_where_nothing_can_flow_and_say_why(qtbot, tmp_path):
    window = opened(qtbot, tmp_path, "city", "terrain")
    key = _with_flood(window)
    assert window.actions_["flood.arrows"].isEnabled()
    show_map(window.desk.session, key, "max_depth")
    window.actions_.refresh()
    assert not window.actions_["flood.arrows"].isEnabled()
    assert "whole run" in window.actions_["flood.arrows"].toolTip()
    workspace = window.desk.session.workspace
    workspace.apply((), {key: replace(workspace.data(key), flow=None)})
    window.actions_.refresh()
    assert window.actions_.why_not("flood.streaks").startswith("needs a flood with velocities")


def test_the_cells_of_a_raster_are_asked_for_where_a_flood_has_fine_ground(qtbot, tmp_path):
    window = opened(qtbot, tmp_path, "city", "terrain")
    key = _with_flood(window)
    workspace, ask = window.desk.session.workspace, window.desk.ask
    ask.answers["choice"] = 2  # GeoTIFF
    window.actions_.trigger("flood.export")
    assert ask.asked.count("choice") == 2
    coarse = replace(workspace.data(key), statistics={"subgrid": {"is_downscaled": False, "fine_cell": 2.0, "factor": 4}})
    workspace.apply((), {key: coarse})
    ask.asked.clear()
    window.actions_.trigger("flood.export")
    assert ask.asked.count("choice") == 3
    assert not ask.errors


def test_the_style_panel_shows_flow_and_what_its_colours_mean(qtbot, tmp_path):
    window = opened(qtbot, tmp_path, "city", "terrain")
    workspace = window.desk.session.workspace
    key = _with_flood(window)
    panel = StylePanel(window.desk, workspace.layer(key), window)
    page = panel.colors
    assert isinstance(page, FloodPage)
    assert page.flow.isEnabled()
    assert not page.flow_swatches.isVisibleTo(page)
    page.flow.setCurrentIndex(page.flow.findData("arrows"))
    assert page.flow_swatches.isVisibleTo(page)
    page.shown.setCurrentIndex(page.shown.findData("max_depth"))
    assert not page.flow.isEnabled()
    page.shown.setCurrentIndex(0)
    panel.apply()
    assert workspace.layer(key).style.flow == "arrows"


def _with_flood(window) -> str:
    """Add a flood that flows to the east everywhere; return its layer."""
    layer = Layer("flood", "River", LayerKind.FLOOD, "river.flood")
    change = RecordChange("layer", "flood", None, layer.to_record())
    window.desk.session.do(Edit("River", (change,), {"flood": river()}))
    return "flood"
