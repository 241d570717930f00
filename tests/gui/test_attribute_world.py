"""Styling, filtering, selecting, the table and the search through the actions of the window."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from cimdesk.model.classes import Method
from cimdesk.model.features import FeatureTable, as_strings, column_of
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Rule, Style, StyleMode
from cimdesk.ui.feature_model import FeatureModel
from cimdesk.ui.style_panel import StylePanel, ask
from tests.gui.windows import layer_named, open_sample, open_window, wait_for_jobs

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "drainage", "sensors")
    wait_for_jobs(qtbot, window)
    # The real panel instead of a prepared answer.
    window.desk.ask.answers["style"] = lambda desk, **values: ask(window, desk, **values)
    return window


def city(window):
    key = layer_named(window, "buildings")
    window.desk.select_layer(key)
    return key


def panel_of(window, action="layer.style") -> StylePanel:
    window.actions_.trigger(action)
    (panel,) = window.findChildren(StylePanel)
    return panel


def style_of(window, key) -> Style:
    return window.desk.session.workspace.layer(key).style


def choose_mode(panel, mode):
    panel.colors.mode.setCurrentIndex(panel.colors.mode.findData(str(mode)))


def number_column(window, key) -> str:
    table = window.desk.session.workspace.features(key)
    return next(name for name, values in table.columns.items() if values.dtype.kind in "fi")


def test_what_is_chosen_is_shown_at_once_kept_by_apply_and_undone_as_one_step(qtbot, window):
    key = city(window)
    before = style_of(window, key)
    steps = len(window.desk.session.history.done)
    panel = panel_of(window)
    choose_mode(panel, StyleMode.GRADUATED)
    panel.colors.attribute.setCurrentIndex(panel.colors.attribute.findData(number_column(window, key)))
    qtbot.waitUntil(lambda: style_of(window, key).mode is StyleMode.GRADUATED)
    assert len(window.desk.session.history.done) == steps
    panel.colors.method.setCurrentIndex(panel.colors.method.findData(str(Method.EQUAL)))
    panel.colors.classes.setValue(3)
    assert len(panel.colors.histogram.limits) <= 2
    panel.apply_button.click()
    kept = style_of(window, key)
    assert kept.mode is StyleMode.GRADUATED
    assert kept.breaks
    assert len(window.desk.session.history.done) == steps + 1
    window.actions_.trigger("edit.undo")
    assert style_of(window, key) == before


def test_cancel_and_escape_bring_back_what_was_there(qtbot, window):
    key = city(window)
    before = style_of(window, key)
    for leave in (lambda panel: panel.cancel_button.click(), lambda panel: qtbot.keyClick(panel, Qt.Key.Key_Escape)):
        panel = panel_of(window)
        choose_mode(panel, StyleMode.CATEGORIES)
        qtbot.waitUntil(lambda: style_of(window, key).mode is StyleMode.CATEGORIES)
        leave(panel)
        assert style_of(window, key) == before
        assert not window.findChildren(StylePanel)
    assert window.desk.session.workspace.document.get("layer", key)["style"]["mode"] != "categories"


def test_opening_another_project_or_removing_the_layer_closes_the_panel(qtbot, window):
    city(window)
    panel_of(window)
    window.actions_.trigger("layer.remove")
    assert not window.findChildren(StylePanel)


def test_a_colour_that_is_clicked_is_the_category_s_from_then_on(qtbot, window):
    key = city(window)
    panel = panel_of(window)
    choose_mode(panel, StyleMode.CATEGORIES)
    panel.colors.attribute.setCurrentIndex(panel.colors.attribute.findData("type"))
    first = panel.colors.swatches.swatches()[0]
    panel.colors.swatches.recolored.emit(first.key, "#010203")
    panel.apply_button.click()
    assert style_of(window, key).categories[first.key.removeprefix("category:")] == "#010203"
    assert style_of(window, key).other


def test_a_dragged_limit_makes_the_classes_a_person_s(qtbot, window):
    key = city(window)
    panel = panel_of(window)
    choose_mode(panel, StyleMode.GRADUATED)
    panel.colors.attribute.setCurrentIndex(panel.colors.attribute.findData(number_column(window, key)))
    panel.colors.histogram.limits_changed.emit((1.0, 2.5))
    assert panel.style_.method is Method.MANUAL
    panel.apply_button.click()
    assert style_of(window, key).breaks == (1.0, 2.5)


def test_rules_colour_and_hide_and_a_wrong_one_says_so(qtbot, window):
    key = city(window)
    name = number_column(window, key)
    panel = panel_of(window)
    choose_mode(panel, StyleMode.RULES)
    panel.colors.rules.add.click()
    row = panel.colors.rules._rows[0]
    row.condition.set_text(f'"{name}" >')
    assert "end" in row.condition.state.text()
    row.condition.set_text(f'"{name}" > -1e9')
    row.eye.click()
    panel.apply_button.click()
    rules = style_of(window, key).rules
    assert [(rule.condition, rule.visible) for rule in rules] == [(f'"{name}" > -1e9', False)]


def test_a_filter_leaves_its_features_in_the_view_and_the_table_and_is_undone(qtbot, window):
    key = city(window)
    window.actions_.trigger("layer.table")
    total = len(window.desk.session.workspace.features(key))
    name = number_column(window, key)
    middle = float(np.nanmedian(window.desk.session.workspace.features(key).columns[name]))
    panel = panel_of(window, "layer.filter")
    panel.filter.edit.set_text(f'"{name}" >= {middle}')
    panel.apply_button.click()
    expected = int((window.desk.session.workspace.features(key).columns[name] >= middle).sum())
    assert window.bottom.table.model.rowCount() == expected < total
    visual = window.view.scene.visuals[key]
    window.view.scene.prepare()
    assert int(visual.in_sight().sum()) == expected
    window.actions_.trigger("select.all")
    assert len(window.desk.session.selection.refs) == expected
    window.actions_.trigger("edit.undo")
    assert window.bottom.table.model.rowCount() == total
    window.actions_.trigger("edit.redo")
    window.actions_.trigger("layer.clear_filter")
    assert window.bottom.table.model.rowCount() == total


def test_a_filter_that_cannot_be_understood_cannot_be_applied(qtbot, window):
    key = city(window)
    panel = panel_of(window, "layer.filter")
    panel.filter.edit.set_text("nothing >")
    panel.apply_button.click()
    assert panel.isVisible()
    panel.cancel()
    assert window.desk.session.workspace.layer(key).filter == ""


def test_select_by_expression_invert_hide_isolate_and_show_all(qtbot, window):
    key = city(window)
    table = window.desk.session.workspace.features(key)
    first = str(table.ids[0])
    window.desk.ask.answers["select"] = (f"id = '{first}'", "replace")
    window.actions_.trigger("select.expression")
    assert window.desk.session.selection.refs == {AssetRef(key, first)}
    window.actions_.trigger("select.hide")
    assert window.desk.session.workspace.layer(key).hidden == [first]
    assert not window.desk.session.selection.refs
    window.desk.ask.answers["select"] = (f"id = '{first}'", "replace")
    window.actions_.trigger("select.expression")
    assert not window.desk.session.selection.refs
    window.actions_.trigger("select.show_all")
    window.actions_.trigger("select.expression")
    window.actions_.trigger("select.isolate")
    assert window.desk.session.workspace.layer(key).only == [first]
    window.actions_.trigger("edit.undo")
    assert window.desk.session.workspace.layer(key).only is None
    window.actions_.trigger("select.invert")
    assert len(window.desk.session.selection.refs) == len(table) - 1


def test_the_table_chooses_columns_copies_and_saves_what_it_shows(qtbot, window, tmp_path):
    key = city(window)
    window.actions_.trigger("layer.table")
    panel = window.bottom.table
    name = number_column(window, key)
    panel.columns.choose([name])
    assert panel.model.columnCount() == 2
    panel.copy()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0] == f"id\t{name}"
    assert len(lines) == panel.model.rowCount() + 1
    window.desk.ask.answers["save_path"] = tmp_path / "table.csv"
    panel.export()
    wait_for_jobs(qtbot, window)
    with (tmp_path / "table.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", name]
    assert [row[0] for row in rows[1:]] == [panel.model.feature_of(k) for k in range(panel.model.rowCount())]
    panel.columns.choose([])
    assert panel.model.columnCount() > 2


def test_figures_are_of_the_selection_where_there_is_one(qtbot, window):
    key = city(window)
    window.actions_.trigger("layer.table")
    panel = window.bottom.table
    panel.figures_button.setChecked(True)
    table = window.desk.session.workspace.features(key)
    qtbot.waitUntil(lambda: bool(panel.figures.panel.lines))
    if len(table) > 2:
        window.desk.session.selection.set(AssetRef(key, str(k)) for k in table.ids[:2])
        qtbot.waitUntil(lambda: "2" in panel.figures.panel.scope)


def test_the_search_finds_flies_and_selects(qtbot, window):
    key = city(window)
    target = str(window.desk.session.workspace.features(key).ids[0])
    window.actions_.trigger("city.find")
    wait_for_jobs(qtbot, window)
    assert window.palette_.isVisible()
    window.palette_.input.setText(target)
    window.palette_.fill()
    assert window.palette_.entries[0].detail.endswith(window.desk.session.workspace.layer(key).name)
    window.palette_.accept()
    assert window.desk.session.selection.refs == {AssetRef(key, target)}


def test_coordinates_in_the_search_move_the_camera(qtbot, window):
    box = window.desk.session.workspace.bounds()
    east, north = (float(v) for v in box[:, :2].mean(axis=0))
    window.actions_.trigger("city.find")
    window.palette_.input.setText(f"{east:.1f}, {north:.1f}")
    window.palette_.fill()
    window.palette_.accept()
    target = window.view.scene.camera.to_record()["target"]
    assert target[:2] == pytest.approx([east, north], abs=0.1)


def test_every_mode_of_every_layer_is_previewed_without_harm(qtbot, window):
    for layer in window.desk.session.workspace.layers():
        window.desk.select_layer(layer.id)
        panel = panel_of(window)
        for k in range(panel.colors.mode.count()):
            panel.colors.mode.setCurrentIndex(k)
            qtbot.wait(90)
            window.view.scene.prepare()
        panel.cancel()
        assert style_of(window, layer.id) == layer.style


def test_rules_survive_the_record():
    style = Style(StyleMode.RULES, rules=(Rule("a > 1", "#111111", "big"), Rule("", "#222222", visible=False)))
    assert Style.from_record(style.to_record()) == Style(
        StyleMode.RULES, categories={}, rules=(Rule("a > 1", "#111111", "big"), Rule("", "#222222", visible=False))
    )


def test_a_scattered_selection_of_many_thousand_rows_is_marked_without_a_stall():
    count = 200_000
    table = FeatureTable(
        as_strings(range(count)), {"x": np.arange(count) * 1.0, "t": column_of([f"t{k % 7}" for k in range(count)])}
    )
    model = FeatureModel()
    model.set_table(table)
    model.mark(np.arange(0, count, 2))
    assert model.data(model.index(0, 0), Qt.ItemDataRole.BackgroundRole) is not None
    assert model.data(model.index(1, 0), Qt.ItemDataRole.BackgroundRole) is None


def test_what_was_added_first_has_named_columns_and_is_chosen_for_the_next_command(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    wait_for_jobs(qtbot, window)
    assert window.desk.current_layer == layer_named(window, "buildings")
    assert window.actions_["layer.style"].isEnabled()
    model = window.findChild(FeatureModel)
    assert model.data_of is window.desk.session.workspace.data(model.layer)
