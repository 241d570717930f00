"""Measures drawn by mouse and keys in the view, listed, changed and taken away."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from cimdesk.commands import measures
from cimdesk.model.selection import AssetRef
from tests.gui.windows import layer_named, open_sample, open_window, wait_for_jobs

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "terrain", "drainage")
    window.view.scene.complete(5.0)
    window.view.request_render()
    before = window.view.renders
    qtbot.waitUntil(lambda: window.view.renders > before, timeout=20_000)
    return window


def click(window, qtbot, x: float, y: float, double: bool = False) -> None:
    """Click at a share of the view's width and height."""
    at = QPoint(round(x * window.view.width()), round(y * window.view.height()))
    QTest.mouseMove(window.view, at)
    (QTest.mouseDClick if double else QTest.mouseClick)(window.view, Qt.MouseButton.LeftButton, pos=at)


def drawn(window):
    return list(measures.measures(window.desk.session).values())


def test_a_wall_is_drawn_by_clicks_and_ended_by_enter(window, qtbot):
    window.actions_.trigger("measure.wall")
    click(window, qtbot, 0.4, 0.5)
    click(window, qtbot, 0.5, 0.55)
    click(window, qtbot, 0.6, 0.5)
    window.view._card.fields["height"].setValue(2.4)
    QTest.keyClick(window.view, Qt.Key.Key_Return)
    (wall,) = drawn(window)
    assert wall.kind == "wall"
    assert len(wall.line) == 3
    assert wall.numbers["height"] == pytest.approx(2.4)
    assert wall.who
    assert wall.time > 0
    assert window.view.tool == "pick"
    assert window.bottom.tab == "measures"
    before = window.view.renders
    qtbot.waitUntil(lambda: window.view.renders > before or window.view.scene.measures.actors[0].GetVisibility(), timeout=20_000)


def test_a_double_click_ends_a_line_and_backspace_takes_a_point_back(window, qtbot):
    window.actions_.trigger("measure.gate")
    click(window, qtbot, 0.4, 0.5)
    click(window, qtbot, 0.45, 0.6)
    QTest.keyClick(window.view, Qt.Key.Key_Backspace)
    click(window, qtbot, 0.6, 0.5)
    at = QPoint(round(0.6 * window.view.width()), round(0.5 * window.view.height()))
    QTest.mouseDClick(window.view, Qt.MouseButton.LeftButton, pos=at)
    (gate,) = drawn(window)
    assert len(gate.line) == 2
    assert not window.desk.session.selection.refs


def test_escape_gives_up(window, qtbot):
    window.actions_.trigger("measure.wall")
    click(window, qtbot, 0.4, 0.5)
    window.actions_.trigger("select.clear")
    assert window.view.pointer.drawing is None
    assert window.view._card is None
    assert drawn(window) == []
    click(window, qtbot, 0.5, 0.5)
    assert drawn(window) == []


def test_enter_with_too_few_points_goes_on(window, qtbot):
    window.actions_.trigger("measure.wall")
    click(window, qtbot, 0.4, 0.5)
    QTest.keyClick(window.view, Qt.Key.Key_Return)
    assert drawn(window) == []
    assert window.view.pointer.drawing is not None
    assert not window.view._card.done.isEnabled()


def test_two_clicks_make_a_pump_and_one_a_storage(window, qtbot):
    window.actions_.trigger("measure.pump")
    click(window, qtbot, 0.4, 0.5)
    click(window, qtbot, 0.6, 0.5)
    window.actions_.trigger("measure.storage")
    click(window, qtbot, 0.5, 0.6)
    pump, storage = drawn(window)
    assert (pump.kind, len(pump.line), len(pump.to)) == ("pump", 1, 1)
    assert (storage.kind, len(storage.line)) == ("storage", 1)


def test_plus_makes_a_wall_higher_while_it_is_drawn(window, qtbot):
    window.actions_.trigger("measure.wall")
    click(window, qtbot, 0.4, 0.5)
    QTest.keyClick(window.view, Qt.Key.Key_Plus)
    assert window.view.pointer.drawing.size > 1.5
    assert window.view._card.fields["height"].value() == pytest.approx(window.view.pointer.drawing.size, abs=0.01)


def test_selected_manholes_are_unblocked(window, qtbot):
    network = layer_named(window, "network")
    nodes = window.desk.session.workspace.data(network).nodes.ids
    window.desk.select([AssetRef(network, f"node:{nodes[0]}")])
    window.actions_.trigger("measure.unblock")
    (found,) = drawn(window)
    assert found.nodes == (str(nodes[0]),)


def test_the_list_switches_renames_and_removes_and_undo_brings_back(window, qtbot):
    session = window.desk.session
    measures.draw(session, "wall", ((0.0, 0.0), (10.0, 0.0)), {})
    measures.draw(session, "gate", ((0.0, 5.0), (10.0, 5.0)), {})
    panel = window.bottom.measures
    qtbot.waitUntil(lambda: panel.tree.topLevelItemCount() == 2)
    panel.tree.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    assert not drawn(window)[0].enabled
    qtbot.waitUntil(lambda: not panel._later.isActive())
    panel.tree.topLevelItem(1).setText(0, "River gate")
    assert drawn(window)[1].name == "River gate"
    qtbot.waitUntil(lambda: not panel._later.isActive())
    window.desk.ask.answers["text"] = "3,5"
    panel.change_size("measure-1")
    assert drawn(window)[0].numbers["height"] == pytest.approx(3.5)
    qtbot.waitUntil(lambda: not panel._later.isActive())
    panel.tree.topLevelItem(0).setSelected(True)
    assert window.view.scene.measures.selected == "measure-1"
    panel.remove_chosen()
    assert len(drawn(window)) == 1
    session.undo()
    assert [measure.name for measure in drawn(window)] == ["River gate", "Wall"] or len(drawn(window)) == 2


def test_a_drawn_wall_changes_the_water(window, qtbot):
    from cimdesk.commands.flood_scenario import FloodForm, scenario_from_session
    from cimdesk.model.flood import FloodResult, Series

    desk = window.desk
    rain = Series(np.array([0.0, 900.0]), np.array([80.0 / 3.6e6, 0.0]))
    form = FloodForm("storm", layer_named(window, "terrain"), rain, duration=1800.0, output_every=300.0)
    desk.ask.answers["flood"] = lambda *_args, **_named: lambda: scenario_from_session(desk.session, form)
    window.actions_.trigger("flood.run")
    wait_for_jobs(qtbot, window)
    assert not desk.ask.errors, desk.ask.errors
    storm = layer_named(window, "flood")
    window.actions_.trigger("measure.wall")
    click(window, qtbot, 0.42, 0.5)
    click(window, qtbot, 0.58, 0.5)
    QTest.keyClick(window.view, Qt.Key.Key_Return)
    window.actions_.trigger("measure.run")
    wait_for_jobs(qtbot, window)
    assert not desk.ask.errors, desk.ask.errors
    floods = [layer for layer in desk.session.workspace.layers() if layer.kind.value == "flood"]
    assert len(floods) == 2
    again = next(layer for layer in floods if layer.id != storm)
    assert again.name == "storm + Wall"
    before, after = desk.session.workspace.data(storm), desk.session.workspace.data(again.id)
    assert isinstance(after, FloodResult)
    assert (after.terrain.elevations > before.terrain.elevations + 0.5).any()
    assert desk.compared_flood == storm
    (scenario,) = desk.session.workspace.document.records("scenario").values()
    assert scenario["measures"] == ["measure-1"]
    assert scenario["parent"] == storm


def test_a_window_closes_while_a_wall_is_being_drawn(window, qtbot):
    window.actions_.trigger("measure.wall")
    click(window, qtbot, 0.4, 0.5)
    click(window, qtbot, 0.5, 0.5)
    window.close()
    qtbot.wait(100)
    assert drawn(window) == []


def test_another_project_puts_the_drawing_away(window, qtbot):
    window.actions_.trigger("measure.wall")
    click(window, qtbot, 0.4, 0.5)
    window.actions_.trigger("project.close")
    qtbot.waitUntil(lambda: window.view.pointer.drawing is None, timeout=10_000)
    assert window.view._card is None
