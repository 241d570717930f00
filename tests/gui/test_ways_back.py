"""Returning to a restore point, reading a layer again, schedules and closing notes, as a person does them."""

from __future__ import annotations

import pytest

from cimdesk.commands import notes
from cimdesk.model.selection import AssetRef
from tests.gui.windows import layer_named, open_sample, open_window, wait_for_jobs

pytestmark = pytest.mark.gui


def layer_names(window) -> list[str]:
    return [layer.name for layer in window.desk.session.workspace.layers()]


def test_a_saved_state_can_be_returned_to_and_left_again(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path)
    desk = window.desk
    desk.ask.answers = {"save_path": tmp_path / "plan.gpkg"}
    window.actions_.trigger("project.save")
    names = layer_names(window)
    desk.select_layer(layer_named(window, "network"))
    window.actions_.trigger("layer.remove")
    assert layer_names(window) != names
    desk.ask.answers = {"choice": 0}
    window.actions_.trigger("project.return_to")
    wait_for_jobs(qtbot, window)
    assert layer_names(window) == names
    window.actions_.trigger("edit.undo")
    assert layer_names(window) != names
    assert not desk.ask.errors


def test_a_project_never_saved_says_that_there_is_nothing_to_return_to(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path)
    with qtbot.waitSignal(window.desk.message) as said:
        window.actions_.trigger("project.return_to")
    assert "no restore point" in said.args[0]
    assert "choice" not in window.desk.ask.asked


def test_a_layer_is_read_again_after_its_file_changed(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path)
    desk, layer = window.desk, layer_named(window, "network")
    before = desk.session.workspace.data(layer)
    desk.select_layer(layer)
    window.actions_.trigger("layer.reload")
    wait_for_jobs(qtbot, window)
    assert desk.session.workspace.data(layer) is not None
    assert desk.session.workspace.data(layer) is not before


def test_a_schedule_marks_stages_in_one_step_and_lists_what_it_refuses(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path)
    desk, layer = window.desk, layer_named(window, "network")
    table = tmp_path / "works.csv"
    table.write_text(
        "id,stage,date,who,why\n"
        f"{layer}:C2,planning,2026-01-01,Li,renewal\n"
        "no-such-pipe,planning,2026-01-01,Li,\n"
    )  # fmt: skip
    desk.ask.answers = {"files": [table]}
    with qtbot.waitSignal(desk.message) as said:
        window.actions_.trigger("stage.schedule")
    assert "1 stages marked, 1 rows refused" in said.args[0]
    assert any("no-such-pipe" in problem.message for _, problem in desk.problems)
    assert len(desk.session.workspace.stages.history(AssetRef(layer, "C2"))) == 1
    window.actions_.trigger("edit.undo")
    assert not desk.session.workspace.stages.history(AssetRef(layer, "C2"))


def test_a_note_is_closed_and_opened_again(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path)
    desk, asset = window.desk, AssetRef(layer_named(window, "network"), "C2")
    key = notes.add(desk.session, "Check the lid", asset=asset)
    desk.select([asset])
    for status in (notes.CLOSED, notes.OPEN):
        window.actions_.trigger("review.close_note")
        assert desk.session.workspace.document.get("note", key)["status"] == status
    window.actions_.trigger("review.close_note")
    qtbot.waitUntil(lambda: "✓" in window.inspector.notes.text())
