"""The main flows, driven through the actions of a real window by their ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.units import parse_time
from cimdesk.commands.flood_scenario import FloodForm, scenario_from_session
from cimdesk.model.flood import FloodResult, Series
from cimdesk.model.lifecycle import Stage
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Sensors, Status
from cimdesk.ui.report_dialog import write_report
from cimdesk.ui.snapshot_dialog import write_snapshot
from tests.gui.windows import layer_named, open_sample, open_window, wait_for_jobs

pytestmark = [pytest.mark.e2e, pytest.mark.gui]


def test_a_city_is_opened_seen_and_picked(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    session = window.desk.session
    buildings = layer_named(window, "buildings")
    assert len(session.workspace.features(buildings)) == 3
    window.actions_.trigger("view.top")
    window.actions_.trigger("view.fit")
    renders = window.view.renders
    qtbot.waitUntil(lambda: window.view.renders > renders)
    qtbot.wait(300)
    scene = window.view.scene
    middle = np.array([[431_005.0, 2_558_005.0, 6.0]])
    x, y, _ = scene.places.screen_of(middle)[0]
    pick = scene.pick(float(x), float(y))
    assert pick is not None
    assert pick.ref == AssetRef(buildings, "b0")


def test_sensors_laid_over_the_city_raise_their_alarm_with_the_clock(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "sensors")
    session = window.desk.session
    layer = layer_named(window, "sensors")
    sensors = session.workspace.data(layer)
    assert isinstance(sensors, Sensors)
    first, last = session.clock.range
    assert last - first == pytest.approx(55 * 60)
    window.actions_.trigger("time.end")
    assert session.clock.time == last
    window.actions_.trigger("sensors.chart")
    session.selection.set([AssetRef(layer, str(sensors.features.ids[0]))])
    window.bottom.charts.gather()
    assert [len(curve.times) for curve in window.bottom.charts.curves] == [12]
    assert int(sensors.status_at(last)[0]) in set(Status)


def test_a_flood_is_run_beside_the_window_and_undone(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "terrain")
    desk = window.desk

    def scenario(desk):
        rain = Series(np.array([0.0, 600.0]), np.array([80.0 / 3.6e6, 0.0]))
        form = FloodForm("Cloudburst", layer_named(window, "terrain"), rain, layer_named(window, "buildings"), 5.0, 900.0, 300.0)
        return lambda: scenario_from_session(desk.session, form)

    desk.ask.answers["flood"] = scenario
    window.actions_.trigger("flood.run")
    assert desk.runner.is_running("flood")
    assert window.actions_["flood.pause"].isEnabled()
    qtbot.waitUntil(lambda: not desk.runner.jobs and desk.floods.current is None, timeout=240_000)
    assert not desk.ask.errors, desk.ask.errors
    flood = layer_named(window, "flood")
    result = desk.session.workspace.data(flood)
    assert isinstance(result, FloodResult)
    assert float(result.max_depth.max()) > 0.05
    window.actions_.trigger("flood.peak")
    window.actions_.trigger("flood.exposure")
    wait_for_jobs(qtbot, window)
    qtbot.waitUntil(lambda: "Cloudburst" in window.bottom.exposure.note.text())
    window.actions_.trigger("edit.undo")
    assert all(layer.kind.value != "flood" for layer in desk.session.workspace.layers())
    window.actions_.trigger("edit.redo")
    assert desk.session.workspace.data(layer_named(window, "flood")) is result


def test_a_stage_is_marked_undone_and_done_again(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "drainage")
    desk = window.desk
    network = layer_named(window, "network")
    date = parse_time("2026-03-14")
    desk.ask.answers["stage"] = (Stage.OPERATION, date, "lining accepted")
    desk.select([AssetRef(network, "C1"), AssetRef(network, "C2")])
    window.actions_.trigger("stage.mark")
    book = desk.session.workspace.stages
    assert book.stage_at(AssetRef(network, "C1"), date + 1) is Stage.OPERATION
    window.inspector.refresh()
    assert "operation" in window.actions_["edit.undo"].text().lower() or "Undo: " in window.actions_["edit.undo"].text()
    window.actions_.trigger("edit.undo")
    assert book.history(AssetRef(network, "C1")) == ()
    window.actions_.trigger("edit.redo")
    assert book.history(AssetRef(network, "C2"))[0].why == "lining accepted"


def test_tracing_downstream_selects_the_way_to_the_outfall(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "drainage")
    network = layer_named(window, "network")
    window.desk.select([AssetRef(network, "C2")])
    window.actions_.trigger("trace.downstream")
    assert {"C2", "C3"} <= {ref.feature for ref in window.desk.session.selection.refs if not ref.feature.startswith("node:")}


def test_isolating_tells_the_valves_and_customers(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "drainage")
    network = layer_named(window, "network")
    window.desk.select([AssetRef(network, "C2")])
    window.actions_.trigger("trace.isolate")
    assert "0 valves to close" in window.status.message.text()
    assert AssetRef(network, "C2") in window.desk.session.selection.refs


def test_a_snapshot_and_a_report_are_written(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "drainage")
    desk = window.desk
    desk.ask.answers["text"] = "Overview"
    window.actions_.trigger("view.add_bookmark")
    bookmark = next(iter(desk.session.workspace.document.records("bookmark")))
    picture, report = tmp_path / "view.png", tmp_path / "report.html"
    desk.ask.answers["snapshot"] = lambda desk: write_snapshot(desk, picture, (640, 360), desk.view.scene.camera.to_record())
    desk.ask.answers["report"] = lambda desk: write_report(desk, report, "zh_CN", [bookmark])
    window.actions_.trigger("review.snapshot")
    window.actions_.trigger("review.report")
    wait_for_jobs(qtbot, window)
    assert not desk.ask.errors, desk.ask.errors
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = report.read_text(encoding="utf-8")
    assert "Overview" in text
    assert "图" in text


def test_a_saved_project_is_opened_again_with_everything(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    desk = window.desk
    path = tmp_path / "quarter.gpkg"
    desk.ask.answers["save_path"] = path
    window.actions_.trigger("project.save")
    assert desk.session.path == path
    window.actions_.trigger("project.close")
    assert not desk.is_open
    desk.ask.answers["files"] = [Path(path)]
    window.actions_.trigger("project.open")
    qtbot.waitUntil(lambda: desk.session.workspace.data(layer_named(window, "buildings")) is not None, timeout=30_000)
    wait_for_jobs(qtbot, window)
    assert not desk.ask.errors, desk.ask.errors


def test_a_broken_file_becomes_one_card_and_changes_nothing(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    before = len(window.desk.session.workspace.layers())
    broken = tmp_path / "broken.city.json"
    broken.write_text('{"type": "CityJSON", "version": "2.0", "CityObj', encoding="utf-8")
    window.desk.ask.answers["files"] = [broken]
    window.desk.ask.answers["preview"] = ([broken], "")
    window.actions_.trigger("project.open")
    qtbot.waitUntil(lambda: bool(window.desk.ask.errors), timeout=20_000)
    assert len(window.desk.session.workspace.layers()) == before
