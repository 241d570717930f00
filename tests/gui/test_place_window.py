"""A model put somewhere by clicks, keys and numbers: seen where it is put, kept as one step, given back on Esc."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from cimdesk.commands import sources
from cimdesk.model.placement import PLACEMENT
from cimdesk.ui import handlers_project
from tests.gui.windows import layer_named, open_sample, open_window, wait_for_jobs

pytestmark = pytest.mark.gui
OBJ = "o house\nv 0 0 0\nv 40 0 0\nv 40 20 0\nv 0 20 0\nv 0 0 30\nf 1 2 3\nf 1 3 4\nf 1 2 5\n"


@pytest.fixture
def window(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "terrain")
    (tmp_path / "house.obj").write_text(OBJ)
    session = window.desk.session
    session.run(sources.open_job(session, [tmp_path / "house.obj"], "local"))
    wait_for_jobs(qtbot, window)
    window.desk.select_layer(house(window).id)
    window.view.scene.complete(5.0)
    window.view.request_render()
    before = window.view.renders
    qtbot.waitUntil(lambda: window.view.renders > before, timeout=20_000)
    return window


def house(window):
    return window.desk.session.workspace.layer(layer_named(window, "buildings"))


def click(window, x: float, y: float) -> None:
    at = QPoint(round(x * window.view.width()), round(y * window.view.height()))
    QTest.mouseMove(window.view, at)
    QTest.mouseClick(window.view, Qt.MouseButton.LeftButton, pos=at)


def bounds(window):
    return window.desk.session.workspace.data(house(window).id).bounds


def test_a_click_puts_the_model_there_and_enter_keeps_it(window, qtbot):
    session = window.desk.session
    window.actions_.trigger("layer.place")
    card = window.view._card
    assert not card.done.isEnabled()
    click(window, 0.5, 0.6)
    assert card.done.isEnabled()
    tool = window.view.pointer.drawing
    east, north, height = tool.placement.at
    assert bounds(window)[0] == pytest.approx([east - 20, north - 10, height], abs=0.01)
    assert card.fields["east"].value() == pytest.approx(east, abs=0.01)
    QTest.keyClick(window.view, Qt.Key.Key_E)
    QTest.keyClick(window.view, Qt.Key.Key_R)
    assert card.fields["turn"].value() == pytest.approx(5.0)
    card.fields["scale"].setValue(2.0)
    assert np.ptp(bounds(window)[:, 2]) == pytest.approx(60.0, abs=0.01)
    QTest.keyClick(window.view, Qt.Key.Key_Return)
    assert window.view.tool == "pick"
    assert window.view._card is None
    said = house(window).options[PLACEMENT]
    assert (said["turn"], said["scale"]) == (5.0, 2.0)
    assert said["at"][2] == pytest.approx(height + 0.5)
    assert bounds(window)[0, 2] == pytest.approx(height + 0.5, abs=0.01)
    session.undo()
    assert bounds(window) == pytest.approx(np.array([[0, 0, 0], [40, 20, 30]]), abs=1e-3)


def test_escape_gives_the_model_back(window, qtbot):
    window.actions_.trigger("layer.place")
    click(window, 0.5, 0.6)
    assert abs(bounds(window)[0, 0]) > 1.0
    window.actions_.trigger("select.clear")
    assert window.view._card is None
    assert bounds(window) == pytest.approx(np.array([[0, 0, 0], [40, 20, 30]]), abs=1e-3)
    assert PLACEMENT not in house(window).options


def test_numbers_alone_place_it_and_it_goes_to_the_ground(window, qtbot):
    low = window.desk.session.workspace.data(layer_named(window, "terrain"))
    window.actions_.trigger("layer.place")
    card = window.view._card
    (west, south, _), (east, north, _) = low.bounds.tolist()
    card.fields["east"].setValue((west + east) / 2.0)
    card.fields["north"].setValue((south + north) / 2.0)
    assert card.to_ground.isEnabled()
    card.to_ground.click()
    ground = float(low.sample(np.array([[(west + east) / 2.0, (south + north) / 2.0]]))[0])
    assert bounds(window)[0, 2] == pytest.approx(ground, abs=0.01)
    card.done.click()
    assert house(window).options[PLACEMENT]["at"][2] == pytest.approx(ground, abs=0.01)


def test_only_models_can_be_placed(window):
    assert window.actions_["layer.place"].isEnabled()
    window.desk.select_layer(layer_named(window, "terrain"))
    assert not window.actions_["layer.place"].isEnabled()


def test_a_model_far_from_everything_is_placed_at_once(window, qtbot, tmp_path):
    (tmp_path / "far.obj").write_text(OBJ.replace("v 0 0 30", "v 0 0 31"))
    assert window.view._card is None
    handlers_project.add_files(window.desk, [tmp_path / "far.obj"], "local")
    wait_for_jobs(qtbot, window)
    assert window.view._card is not None
    assert window.desk.layer.name == "far"
    window.actions_.trigger("select.clear")
    assert window.view._card is None


def test_a_folder_is_offered_as_its_files(window, qtbot, tmp_path):
    (tmp_path / "models").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "models" / f"{name}.obj").write_text(OBJ)
    told = []

    def answer(desk, folder, found):
        told.append((folder.name, [each.path.name for each in found]))
        return [each.path for each in found][:2]

    window.desk.ask.answers["folder"] = answer
    window.desk.ask.answers["preview"] = ([tmp_path / "models" / "a.obj", tmp_path / "models" / "b.obj"], "local")
    handlers_project.open_paths(window.desk, [tmp_path / "models"])
    wait_for_jobs(qtbot, window)
    qtbot.waitUntil(lambda: len(window.desk.session.workspace.layers()) == 4, timeout=20_000)
    assert told == [("models", ["a.obj", "b.obj", "c.obj"])]
    assert {layer.name for layer in window.desk.session.workspace.layers()} >= {"a", "b"}


def test_the_form_of_a_folder_counts_what_is_ticked(window, tmp_path):
    from cimdesk.commands.folders import Found
    from cimdesk.ui.folder_dialog import FolderDialog

    few = [Found(tmp_path / f"{k}.laz", "", "LAS", 2_500_000) for k in range(3)]
    form = FolderDialog(window.desk, tmp_path, few)
    assert form.list.item(0).text() == "0.laz  ·  LAS  ·  2.5 MB"
    assert form.chosen() == [each.path for each in few]
    form.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert len(form.chosen()) == 2
    many = [Found(tmp_path / f"{k}.gml", "udx/bldg", "CityGML", 10**9) for k in range(200)]
    form = FolderDialog(window.desk, tmp_path, many)
    assert form.list.count() == 1
    assert form.list.item(0).text() == "udx/bldg  ·  CityGML  ·  200 files  ·  200 GB"
    assert form.chosen() == []
    assert not form.accept_button.isEnabled()
    form.list.item(0).setCheckState(Qt.CheckState.Checked)
    assert len(form.chosen()) == 200
