"""A point cloud in the window: it appears by itself, a click tells what a point is, a form changes how it looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt

from cimdesk.commands import points as points_commands
from cimdesk.commands import sources
from cimdesk.formats import pointcloud
from cimdesk.model.appearance import legend_cards
from cimdesk.model.style import StyleMode
from cimdesk.ui import handlers_data
from cimdesk.ui.point_dialog import PointDialog
from tests.gui.windows import open_window, wait_for_jobs
from tests.unit.formats.las_files import town, write_las
from tests.unit.services.tile_server import PartServer

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path):
    points, classes = town(60_000)
    path = write_las(tmp_path / "town.laz", points, classes, intensity=np.full(len(points), 700, dtype=np.uint16))
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [path]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=20_000)
    scene = window.view.scene
    qtbot.waitUntil(lambda: bool(scene.visuals) and not window.view.surface.pending, timeout=20_000)
    (visual,) = scene.visuals.values()
    qtbot.waitUntil(lambda: bool(visual.nodes) and not visual.is_waiting, timeout=20_000)
    return window


def test_a_click_on_a_point_shows_its_attributes(qtbot, window):
    scene, session = window.view.scene, window.desk.session
    scene.camera.set_view(0.0, 89.0, 60.0, (430_050.0, 2_550_050.0, 12.0))
    (visual,) = scene.visuals.values()
    qtbot.waitUntil(lambda: not visual.is_waiting and not window.view.surface.pending, timeout=20_000)
    width, height = scene.canvas.size
    picks = [scene.pick(width / 2 + dx, height / 2 + dy) for dx in range(-40, 41, 8) for dy in range(-40, 41, 8)]
    pick = next(pick for pick in picks if pick is not None and pick.ref is not None)
    session.selection.set([pick.ref])
    inspector = window.inspector
    qtbot.waitUntil(lambda: inspector.attributes.isVisibleTo(inspector), timeout=5_000)
    texts = {label.text().replace("\u200b", ""): value.text() for label, value in inspector.attributes._rows if label.text()}
    assert texts["Intensity"] == "700"
    assert texts["Class"] in ("Building (6)", "Ground (2)")
    assert texts["Source"] == "town.laz"
    assert abs(pick.world[0] - 430_050.0) < 60.0


def test_the_form_colours_by_class_and_hides_one(qtbot, window):
    session = window.desk.session
    (layer,) = session.workspace.layers()

    def answer(desk, layer):
        dialog = PointDialog(desk, layer, window)
        qtbot.addWidget(dialog)
        dialog.mode.setCurrentIndex(dialog.mode.findData(str(StyleMode.GRADUATED)))
        assert [dialog.attribute.itemData(k) for k in range(dialog.attribute.count())] == ["height"]
        item = next(dialog.classes.item(k) for k in range(2) if dialog.classes.item(k).text() == "Building")
        item.setCheckState(Qt.CheckState.Unchecked)
        return dialog.look_chosen()

    window.desk.ask.answers["points"] = answer
    window.desk.current_layer = layer.id
    handlers_data.edit_style(window.desk)
    changed = session.workspace.layer(layer.id)
    assert changed.style.mode is StyleMode.GRADUATED
    assert changed.options["hidden_classes"] == [6]
    (visual,) = window.view.scene.visuals.values()
    qtbot.waitUntil(lambda: all(node.shown is not None for node in visual.nodes.values()), timeout=5_000)
    node = next(iter(visual.nodes.values()))
    assert (node.block.columns["classification"][node.shown] == 2).all()


def test_the_form_colours_by_any_column_of_few_values(qtbot, tmp_path):
    points, classes = town(5_000)
    lines = (np.arange(len(points)) % 3 + 10).astype(np.uint16)
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [write_las(tmp_path / "town.laz", points, classes, point_source_id=lines)]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=20_000)
    (layer,) = session.workspace.layers()
    dialog = PointDialog(window.desk, layer, window)
    qtbot.addWidget(dialog)
    dialog.mode.setCurrentIndex(dialog.mode.findData("category"))
    assert [dialog.column.itemText(k) for k in range(dialog.column.count())] == ["Flight line"]
    look = dialog.look_chosen()
    assert (look.style.mode, look.style.attribute) == (StyleMode.CATEGORIES, "point_source_id")
    points_commands.set_point_style(session, layer.id, look.style)
    (card,) = legend_cards(session.workspace, 0.0)
    assert {entry.label for entry in card.entries} == {"10", "11", "12"}
    assert card.title.endswith("Flight line")
    (visual,) = window.view.scene.visuals.values()
    qtbot.waitUntil(lambda: bool(visual.nodes), timeout=20_000)
    again = PointDialog(window.desk, session.workspace.layer(layer.id), window)
    qtbot.addWidget(again)
    assert again.mode.currentData() == "category"
    assert again.look_chosen().style.attribute == "point_source_id"


def test_a_large_cloud_shows_at_a_glance_and_is_then_prepared(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(pointcloud, "IN_MEMORY", 100_000)
    path = write_las(tmp_path / "town.laz", *town(220_000))
    window = open_window(qtbot)
    session = window.desk.session
    counts: list[tuple[bool, int]] = []
    session.workspace.changed.connect(lambda _: counts.extend(_seen(session)))
    session.run(sources.open_job(session, [path]))
    qtbot.waitUntil(lambda: any(not is_glance for is_glance, _ in counts), timeout=30_000)
    wait_for_jobs(qtbot, window)
    assert counts[0] == (True, 4_000)
    assert counts[-1] == (False, 220_000)
    (layer,) = session.workspace.layers()
    assert session.workspace.data(layer.id).count == 220_000
    qtbot.waitUntil(lambda: bool(next(iter(window.view.scene.visuals.values())).nodes), timeout=20_000)
    assert not window.desk.ask.errors


def test_a_large_cloud_at_an_address_is_fetched_shown_at_a_glance_and_then_prepared(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pointcloud, "IN_MEMORY", 100_000)
    server = PartServer()
    server.files["/town.laz"] = write_las(tmp_path / "town.laz", *town(220_000)).read_bytes()
    server.headers["/town.laz"] = {"ETag": '"a"'}
    window = open_window(qtbot)
    session = window.desk.session
    counts: list[tuple[bool, int]] = []
    session.workspace.changed.connect(lambda _: counts.extend(_seen(session)))
    session.run(sources.open_job(session, [Path(server.url("/town.laz"))]))
    qtbot.waitUntil(lambda: any(not is_glance for is_glance, _ in counts), timeout=30_000)
    wait_for_jobs(qtbot, window)
    server.close()
    assert counts[0] == (True, 4_000)
    assert counts[-1] == (False, 220_000)
    (layer,) = session.workspace.layers()
    assert layer.source == server.url("/town.laz")
    assert sum("Range" not in headers for _, headers in server.seen) == 1
    assert not window.desk.ask.errors


def _seen(session):
    clouds = [session.workspace.data(layer.id) for layer in session.workspace.layers()]
    return [(cloud.is_glance, int(cloud.tree.counts.sum())) for cloud in clouds if cloud is not None]
