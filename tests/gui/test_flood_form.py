"""The form of a flood: coarse cells and land cover are offered where they can be, and reach the scenario."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from cimdesk.commands.flood_scenario import scenario_from_session
from cimdesk.commands.sources import import_files
from cimdesk.formats.hydrograph_files import read_hydrographs
from cimdesk.ui import hydrograph_reading
from cimdesk.ui.flood_dialog import FloodDialog
from tests.gui.windows import open_sample, open_window
from tests.unit.formats.test_hydrograph_files import unsteady

pytestmark = pytest.mark.gui


def ask_for_a_file(row) -> None:
    row.what.setCurrentIndex(row.what.count() - 1)
    row.what.activated.emit(row.what.currentIndex())


def dialog_of(qtbot, window) -> FloodDialog:
    dialog = FloodDialog(window.desk, window)
    qtbot.addWidget(dialog)
    return dialog


def test_coarse_cells_are_offered_for_the_inertial_engine_alone(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "terrain")
    dialog = dialog_of(qtbot, window)
    assert dialog.form().subgrid == 0
    dialog.cell.setValue(2.0)
    dialog.subgrid.setCurrentIndex(dialog.subgrid.findData(5))
    assert dialog.subgrid.currentText() == "computed on 10 m"
    assert "coarse ones" in dialog.note.text()
    form = dialog.form()
    assert form.subgrid == 5
    scenario = scenario_from_session(window.desk.session, form)
    assert scenario.subgrid.factor == 5
    assert scenario.subgrid.terrain.cell_x == 10.0
    assert not any(size % 5 for size in scenario.terrain.shape)
    dialog.engine.setCurrentIndex(dialog.engine.findData("dynamic"))
    assert dialog.form().subgrid == 0
    assert not dialog.subgrid.isEnabled()


def test_land_cover_of_the_project_gives_the_roughness(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "terrain")
    assert dialog_of(qtbot, window).cover.count() == 1
    session = window.desk.session
    terrain = next(session.workspace.data(layer.id) for layer in session.workspace.layers() if layer.kind.value == "terrain")
    (west, south, _), (east, north, _) = terrain.bounds.tolist()
    codes = np.full((20, 20), 50, dtype=np.uint8)
    codes[:, :10] = 10
    with rasterio.open(
        tmp_path / "cover.tif", "w", driver="GTiff", width=20, height=20, count=1, dtype="uint8", photometric="palette",
        crs=session.workspace.frame.crs.definition, transform=from_origin(west, north, (east - west) / 20, (north - south) / 20),
    ) as file:  # fmt: skip
        file.write(codes, 1)
        file.write_colormap(1, {10: (0, 100, 0, 255), 50: (250, 0, 0, 255)})
    import_files(session, [tmp_path / "cover.tif"])
    dialog = dialog_of(qtbot, window)
    assert dialog.cover.count() == 2
    dialog.cover.setCurrentIndex(1)
    dialog.grab().save(str(tmp_path / "form.png"))
    scenario = scenario_from_session(session, dialog.form())
    rows, columns = scenario.terrain.shape
    assert scenario.manning_n[rows // 2, columns // 4] == np.float32(0.10)
    assert scenario.manning_n[rows // 2, columns * 3 // 4] == np.float32(0.02)


def test_a_graphics_processor_is_offered_where_one_is_for_what_it_computes(qtbot, tmp_path, monkeypatch):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "terrain")
    monkeypatch.setattr("cimdesk.ui.flood_dialog.gpu_offer", lambda: ("", "there is no NVIDIA driver on this computer."))
    without = dialog_of(qtbot, window)
    assert not without.device.isEnabled()
    assert "no NVIDIA driver" in without.device.toolTip()
    assert without.form().device == "cpu"
    monkeypatch.setattr("cimdesk.ui.flood_dialog.gpu_offer", lambda: ("NVIDIA H100", ""))
    dialog = dialog_of(qtbot, window)
    assert dialog.form().device == "cpu"
    dialog.device.setCurrentIndex(dialog.device.findData("gpu"))
    assert "H100" in dialog.device.currentText()
    assert dialog.form().device == "gpu"
    dialog.engine.setCurrentIndex(dialog.engine.findData("dynamic"))
    assert dialog.form().device == "gpu"
    dialog.engine.setCurrentIndex(dialog.engine.findData("inertial"))
    dialog.subgrid.setCurrentIndex(1)
    assert dialog.form().device == "cpu"
    assert not dialog.device.isEnabled()


def test_a_hydrograph_of_a_file_drives_the_flood_where_it_is_asked_to(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "terrain")
    terrain = next(
        window.desk.session.workspace.data(layer.id)
        for layer in window.desk.session.workspace.layers()
        if layer.kind.value == "terrain"
    )
    (west, south, _), (east, north, _) = terrain.bounds.tolist()
    window.inspector.place = ((west + east) / 2.0, (south + north) / 2.0)
    window.desk.ask.answers["files"] = [unsteady(tmp_path)]
    dialog = dialog_of(qtbot, window)
    driving = dialog.driving
    assert dialog.form().hydrographs == ()
    row = driving.rows[0]
    ask_for_a_file(row)
    assert not dialog.accept_button.isEnabled()
    qtbot.waitUntil(lambda: not driving.reading.is_reading)
    assert dialog.accept_button.isEnabled()
    assert row.what.currentText().startswith("Upstream Inflow, discharge up to")
    assert [row.where.itemData(k) for k in range(row.where.count())] == ["clicked", "north", "east", "south", "west"]
    assert len(driving.rows) == 2
    window.desk.ask.answers["files"] = []
    ask_for_a_file(row)
    assert row.what.currentText().startswith("Upstream Inflow"), "who asks for no file after all keeps what he had"
    second = driving.rows[1]
    second.choose(next(one for _, one in driving.series if one.quantity == "level"))
    second.what.activated.emit(second.what.currentIndex())
    second.where.setCurrentIndex(second.where.findData("east"))
    flow, level = dialog.form().hydrographs
    assert flow[1:] == ("", window.inspector.place)
    assert level[1] == "east"
    dialog.buildings.setCurrentIndex(dialog.buildings.findData(""))
    scenario = scenario_from_session(window.desk.session, dialog.form())
    np.testing.assert_allclose(scenario.inflows[0].points, [window.inspector.place])
    assert [edge.kind for edge in scenario.boundaries] == ["free", "level", "free", "free"]


def test_a_file_without_hydrographs_is_told_and_nothing_is_chosen(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "terrain")
    (tmp_path / "a.u01").write_text("Flow Title=none\n")
    window.desk.ask.answers["files"] = [tmp_path / "a.u01"]
    dialog = dialog_of(qtbot, window)
    dialog.show()
    row, reading = dialog.driving.rows[0], dialog.driving.reading
    ask_for_a_file(row)
    qtbot.waitUntil(lambda: not reading.is_reading)
    assert row.entry() is None
    assert "feet or metres" in reading.words.text()
    assert reading.words.text().startswith("a.u01: ")
    assert reading.words.isVisible()
    assert not reading.bar.isVisible()
    assert not window.desk.ask.errors


def test_a_large_file_of_hydrographs_does_not_hold_up_the_form(qtbot, tmp_path, monkeypatch):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "terrain")
    window.desk.ask.answers["files"] = [unsteady(tmp_path)]
    go_on, asked_to_stop = threading.Event(), threading.Event()

    def slow(path, progress, cancel):
        assert threading.current_thread() is not threading.main_thread()
        progress(0.4)
        while not go_on.wait(0.01):
            if cancel.cancelled:
                asked_to_stop.set()
                cancel.raise_if_cancelled()
        return read_hydrographs(path)

    monkeypatch.setattr(hydrograph_reading, "of_file", slow)
    dialog = dialog_of(qtbot, window)
    dialog.show()
    row, reading = dialog.driving.rows[0], dialog.driving.reading
    ask_for_a_file(row)
    qtbot.waitUntil(lambda: reading.bar.value() == 400)
    assert reading.words.text().startswith("Reading ")
    assert row.what.currentText() == "none"
    dialog.hours.setValue(7.0)
    assert dialog.form().duration == 7.0 * 3600.0
    reading.stop_button.click()
    qtbot.waitUntil(asked_to_stop.is_set)
    assert not reading.isVisible()
    assert row.entry() is None
    asked_to_stop.clear()
    ask_for_a_file(row)
    qtbot.waitUntil(lambda: reading.bar.value() == 400)
    dialog.reject()
    qtbot.waitUntil(asked_to_stop.is_set)
    qtbot.waitUntil(lambda: not window.desk.runner.jobs)
    dialog.show()
    go_on.set()
    ask_for_a_file(row)
    qtbot.waitUntil(lambda: row.entry() is not None)
    assert not reading.isVisible()
    assert not window.desk.ask.errors
