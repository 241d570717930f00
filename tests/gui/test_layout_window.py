"""The window gives its room to what there is, keeps its cards apart, and can be worked by keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit

from cimdesk.base.i18n import LANGUAGES
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.ui.forms import FormDialog
from cimdesk.ui.style_panel import open_panel
from cimdesk.ui.theme import THEMES, current_theme
from tests.gui.windows import open_sample, open_window
from tests.unit.commands.exposure_town import boxes, with_layers
from tests.unit.commands.test_flood_exposure import DRY, run_of, water

pytestmark = pytest.mark.gui

LONG = "Hundred-year storm with the river at the bank and the Liede pumping station out of order"


@pytest.fixture
def flooded(qtbot):
    """A small window on two floods with long names, the first compared with the second."""
    window = open_window(qtbot, 1280, 720)
    city = boxes(np.array([42.0]), np.array([24.0]), 8.0, ["residential"])
    layers = [
        (Layer("city", "Buildings", LayerKind.BUILDINGS, ""), city),
        (Layer("a", LONG, LayerKind.FLOOD, ""), run_of(DRY, water(20, 20, 60, 40, 0.8))),
        (Layer("b", f"Barrier: {LONG}", LayerKind.FLOOD, "", visible=False), run_of(DRY, water(20, 20, 40, 40, 0.5))),
    ]
    with_layers(window.desk.session.workspace, layers)
    window.desk.compare_with("b")
    yield window
    window.desk.set_language("en")
    window.set_theme("light")


def test_a_timeline_without_times_gives_its_room_to_the_view(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    window.panels.show_tab("timeline")
    qtbot.waitUntil(lambda: window.bottom.is_folded)
    qtbot.waitUntil(lambda: window.bottom.height() < 100)
    folded = window.view.height()
    assert window.bottom.hint.isVisible()
    window.panels.show_tab("table")
    assert not window.bottom.is_folded
    qtbot.waitUntil(lambda: window.view.height() < folded - 50)
    window.panels.show_tab("timeline")
    qtbot.waitUntil(lambda: window.view.height() == folded)
    window.set_theme("projector")
    qtbot.waitUntil(lambda: window.bottom.height() == window.bottom.maximumHeight())
    window.set_theme("light")


def test_readings_bring_the_timeline_back(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    window.panels.show_tab("timeline")
    qtbot.waitUntil(lambda: window.bottom.is_folded)
    open_sample(qtbot, window, tmp_path, "sensors")
    qtbot.waitUntil(lambda: not window.bottom.is_folded)
    qtbot.waitUntil(lambda: window.bottom.height() > 100)
    assert window.bottom.timeline.isVisible()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_scenario_card_keeps_clear_of_the_compass(qtbot, flooded, theme, language):
    window = flooded
    window.set_theme(theme)
    window.desk.set_language(language)
    window.overlays.refresh()
    card, compass = window.overlays.scenario, window.overlays.compass
    assert card.shown.isVisible()
    assert card.geometry().right() < compass.geometry().left()
    assert card.shown.toolTip().startswith("Hundred-year")
    assert card.sizeHint().width() <= card.width()


def test_numbers_and_their_headings_stand_alike(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    model = window.bottom.table.model
    role = Qt.ItemDataRole.TextAlignmentRole
    found = {column: model.headerData(column, Qt.Orientation.Horizontal, role) for column in range(model.columnCount())}
    assert found == {column: model.index(0, column).data(role) for column in found}
    assert len({int(alignment) for alignment in found.values()}) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_search_says_what_it_is_for_where_there_is_room(qtbot, language):
    window = open_window(qtbot, 1600, 900)
    window.desk.set_language(language)
    assert window.menus.search.text() != "Ctrl+K"
    window.menus.fit(600)
    assert window.menus.search.text() == "Ctrl+K"
    assert window.menus.search.toolTip()
    window.desk.set_language("en")


def test_every_button_without_words_says_what_it_does(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path)
    silent = [
        button
        for button in window.findChildren(QAbstractButton)
        if button.isVisible() and not (button.text() or button.toolTip() or button.accessibleName())
    ]
    assert silent == []


def test_what_has_the_keyboard_is_framed(qtbot, flooded):
    window = flooded
    chip = window.overlays.scenario.shown
    before = chip.grab().toImage()
    window.activateWindow()
    chip.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(chip.hasFocus)
    after = chip.grab().toImage()
    edge = QPoint(chip.width() // 2, 0)
    assert before.pixelColor(edge) != after.pixelColor(edge)


def test_tab_goes_round_the_panels(qtbot, flooded):
    window = flooded
    window.activateWindow()
    window.layers.tree.setFocus()
    qtbot.waitUntil(window.layers.tree.hasFocus)
    seen = set()
    for _ in range(60):
        QTest.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
        seen.add(window.focusWidget())
    for part in (window.view, window.inspector, window.bottom, window.overlays.scenario):
        assert any(part is widget or part.isAncestorOf(widget) for widget in seen), part


def press_space(window):
    """Press the space bar as a person does: shortcuts are asked first."""
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Space)


def test_the_space_bar_plays_over_the_view_and_presses_the_button_that_has_the_keyboard(qtbot, flooded):
    window = flooded
    window.desk.session.clock.set_range(0.0, 3600.0)
    window.activateWindow()
    window.view.setFocus()
    qtbot.waitUntil(window.view.hasFocus)
    press_space(window)
    assert window.desk.player.playing
    window.desk.player.pause()
    window.panels.show_tab("table")
    button = window.bottom.table.figures_button
    before = button.isChecked()
    button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(button.hasFocus)
    press_space(window)
    assert button.isChecked() is not before
    assert not window.desk.player.playing
    button.setChecked(before)


def test_layers_are_shown_and_found_by_keyboard(qtbot, flooded, monkeypatch):
    window = flooded
    workspace = window.desk.session.workspace
    window.desk.select_layer("city")
    tree = window.layers.tree
    window.activateWindow()
    tree.setFocus()
    qtbot.waitUntil(tree.hasFocus)
    press_space(window)
    assert not workspace.layer("city").visible
    press_space(window)
    assert workspace.layer("city").visible
    assert not window.desk.player.playing
    done: list[str] = []
    monkeypatch.setattr(window.desk, "trigger", done.append)
    QTest.keyClick(tree, Qt.Key.Key_Return)
    window.panels.show_tab("table")
    window.bottom.table.view.selectRow(0)
    QTest.keyClick(window.bottom.table.view, Qt.Key.Key_Return)
    assert done == ["layer.zoom", "view.fit_selection"]


def test_only_the_city_is_left_while_it_is_presented(qtbot, flooded):
    window = flooded
    sheet = open_panel(window, window.desk, window.desk.session.workspace.layer("city"))
    window.set_presenting(True)
    assert not sheet.isVisible()
    window.set_presenting(False)
    assert sheet.isVisible()
    sheet.cancel()


@pytest.mark.parametrize("rows", [3, 80])
def test_a_form_is_as_high_as_its_rows_but_never_higher_than_the_screen(qtbot, rows):
    dialog = FormDialog("A form", "Add")
    qtbot.addWidget(dialog)
    fields = [QLineEdit() for _ in range(rows)]
    for k, field in enumerate(fields):
        dialog.row(f"Row {k}", field)
    dialog.show()
    screen = dialog.screen().availableGeometry()
    assert dialog.height() <= screen.height()
    assert dialog.accept_button.isVisible()
    if rows == 3:
        assert dialog.height() < 30 * current_theme().px("font_px")
    before, last = fields[-2:]
    before.setFocus()
    QTest.keyClick(before, Qt.Key.Key_Tab)
    qtbot.waitUntil(lambda: dialog.rect().contains(last.mapTo(dialog, last.rect().center())))
