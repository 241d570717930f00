"""Layers as datasets in the window: exported, their card read and changed, their outlines raised into buildings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QLabel

from cimdesk.commands import sources
from cimdesk.commands.cards import card_of
from cimdesk.model.city import CityModel
from cimdesk.model.selection import AssetRef
from cimdesk.ui.card_dialog import CardDialog
from cimdesk.ui.export_dialog import ExportDialog
from cimdesk.ui.extrude_dialog import TERRAIN, ExtrudeDialog
from cimdesk.ui.handlers_project import open_paths
from cimdesk.ui.preview_dialog import PreviewDialog
from tests.gui.windows import layer_named, open_sample, open_window, wait_for_jobs
from tests.unit.formats import footprint_files as files
from tests.unit.formats.cityjson_meaning import meaning

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    window.desk.select_layer(layer_named(window, "buildings"))
    return window


def chosen(qtbot, window, suffix):
    """Return the answer of the export form with a format chosen."""

    def answer(desk, layer):
        dialog = ExportDialog(desk, layer, window)
        qtbot.addWidget(dialog)
        dialog.format.setCurrentIndex(dialog.format.findData(suffix))
        return dialog.choice()

    return answer


def test_the_selection_is_exported_in_the_chosen_format(qtbot, window, tmp_path):
    session, layer = window.desk.session, window.desk.layer
    first = str(session.workspace.features(layer.id).ids[0])
    session.selection.set([AssetRef(layer.id, first)])
    window.desk.ask.answers |= {"export": chosen(qtbot, window, ".city.json"), "save_path": tmp_path / "some.city.json"}
    said: list[str] = []
    window.desk.message.connect(said.append)
    window.actions_.trigger("layer.export")
    wait_for_jobs(qtbot, window)
    qtbot.waitUntil(lambda: any("some.city.json" in text for text in said), timeout=10_000)
    assert first in meaning(tmp_path / "some.city.json")["objects"]
    assert not window.desk.ask.errors


def test_all_of_a_layer_is_exported_as_a_tileset(qtbot, window, tmp_path):
    window.desk.session.selection.set([])
    window.desk.ask.answers |= {"export": chosen(qtbot, window, ""), "save_path": tmp_path / "tiles"}
    window.actions_.trigger("layer.export")
    wait_for_jobs(qtbot, window)
    assert (tmp_path / "tiles" / "tileset.json").is_file()
    assert not window.desk.ask.errors


def test_the_source_is_not_written_over_and_the_window_says_why(qtbot, window, tmp_path):
    source = tmp_path / "city.city.json"
    window.desk.ask.answers |= {"export": chosen(qtbot, window, ".city.json"), "save_path": source}
    before = source.read_bytes()
    window.actions_.trigger("layer.export")
    wait_for_jobs(qtbot, window)
    assert "read from" in str(window.desk.ask.errors[0])
    assert source.read_bytes() == before


def test_the_card_of_the_chosen_layer_stands_in_the_inspector_and_is_changed_by_its_form(qtbot, window):
    inspector = window.inspector
    window.desk.session.selection.set([])
    qtbot.waitUntil(lambda: inspector.card.isVisibleTo(inspector), timeout=5_000)
    assert inspector.title.text() == window.desk.layer.name

    def answer(desk, layer):
        dialog = CardDialog(desk, layer, window)
        qtbot.addWidget(dialog)
        dialog.date.setText("yesterday")
        assert not dialog.accept_button.isEnabled()
        dialog.date.setText("2025-11")
        assert dialog.accept_button.isEnabled()
        dialog.licence.setText("CC BY 4.0")
        dialog.level.setCurrentIndex(dialog.level.findData(4))
        return dialog.card()

    window.desk.ask.answers["card"] = answer
    window.actions_.trigger("layer.card")
    card = card_of(window.desk.session.workspace, window.desk.layer)
    assert (card.level, card.date, card.licence) == (4, "2025-11", "CC BY 4.0")
    qtbot.waitUntil(lambda: any(value.text() == "CC BY 4.0" for _, value in inspector.card._rows), timeout=5_000)
    window.actions_.trigger("edit.undo")
    assert card_of(window.desk.session.workspace, window.desk.layer).licence == ""
    ref = AssetRef(window.desk.layer.id, str(window.desk.session.workspace.features(window.desk.layer.id).ids[0]))
    window.desk.session.selection.set([ref])
    qtbot.waitUntil(lambda: not inspector.card.isVisibleTo(inspector), timeout=5_000)


def test_a_place_that_was_surveyed_already_is_told_before_its_file_is_added(qtbot, window, tmp_path):
    shown: list[str] = []

    def look(title, desk, **values):
        dialog = PreviewDialog(desk, values["previews"], window)
        qtbot.addWidget(dialog)
        shown.extend(label.text() for label in dialog.findChildren(QLabel))
        values["done"](None)

    window.desk.ask.form = look
    open_paths(window.desk, [tmp_path / "city.city.json"])
    qtbot.waitUntil(lambda: bool(shown), timeout=20_000)
    assert any("Already surveyed here: 100%" in text for text in shown)
    assert len(window.desk.session.workspace.layers()) == 1


def test_outlines_become_buildings_through_the_form(qtbot, window, tmp_path):
    session = window.desk.session
    session.run(sources.open_job(session, [files.flatgeobuf(tmp_path / "blocks.fgb")]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 2, timeout=20_000)
    window.desk.select_layer(layer_named(window, "vector"))

    def answer(desk, layer):
        dialog = ExtrudeDialog(desk, layer, window)
        qtbot.addWidget(dialog)
        assert dialog.height_from.currentData() == "height"
        assert dialog.base.findData(TERRAIN) < 0
        dialog.default.setValue(9.0)
        choice = dialog.choice()
        return replace(choice, extrusion=replace(choice.extrusion, storey=3.5))

    window.desk.ask.answers["extrude"] = answer
    window.actions_.trigger("layer.extrude")
    wait_for_jobs(qtbot, window)
    made = next(layer for layer in session.workspace.layers() if layer.options.get("extrude"))
    city = session.workspace.data(made.id)
    assert isinstance(city, CityModel)
    assert city.bounds[1, 2] == 30.0
    assert not window.desk.ask.errors


def test_a_layer_without_outlines_says_so(qtbot, window):
    window.desk.ask.answers["extrude"] = lambda desk, layer: None
    window.actions_.trigger("layer.extrude")
    assert "extrude" not in window.desk.ask.asked
