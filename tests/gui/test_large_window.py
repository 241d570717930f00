"""Large files in the window: tiled behind a progress bar beside it, cancelled and gone on with, and streamed from then on."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from cimdesk.commands import large, projects, tiled
from cimdesk.commands.extruding import Extrusion
from cimdesk.model.layers import LayerKind
from cimdesk.ui.extrude_dialog import ExtrudeChoice
from cimdesk.ui.preview_dialog import PreviewDialog
from tests.gui.windows import open_window, wait_for_jobs
from tests.unit.services.tiling.sequences import scattered, write_sequence
from tests.unit.services.tiling.test_outlines import houses

pytestmark = pytest.mark.gui
COUNT = 300


@pytest.fixture
def window(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "TILE_FROM", 10_000)
    monkeypatch.setattr(large, "SMALL_FILE", 1_000)
    monkeypatch.setattr(tiled, "WHOLE_TILES", 0)
    opened = open_window(qtbot)
    opened.desk.bind(projects.create(tmp_path / "plan.gpkg", "plan", opened.desk.runner))
    return opened


def long_sequence(path, count=COUNT):
    """Write houses with remarks so long that the file has several stretches."""
    lines = scattered(count)
    for line in lines:
        next(iter(line["CityObjects"].values()))["attributes"]["remark"] = "x" * 60_000
    return write_sequence(path, lines)


def drop(window, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    where, plain = QPointF(300, 300), Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(where, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, plain))


def accepted(window, paths, crs=""):
    """Let the preview be accepted as a person would; return what it said."""
    seen = []

    def look(desk, previews, done):
        dialog = PreviewDialog(desk, previews)
        seen.append(previews)
        done(dialog.answer())

    real = window.desk.ask.form
    window.desk.ask.form = lambda name, desk, **values: look(desk, **values) if name == "preview" else real(name, desk, **values)
    return seen


def count(session, layer):
    return len(session.workspace.data(layer.id).whole().features)


def only_tiles(window):
    (layer,) = (layer for layer in window.desk.session.workspace.layers() if layer.kind is LayerKind.TILES)
    return layer


def test_a_large_file_dropped_is_tiled_behind_a_moving_bar_and_streamed(qtbot, tmp_path, window):
    path = long_sequence(tmp_path / "town.city.jsonl")
    seen, shown = accepted(window, [path]), []
    bar = window.status
    window.desk.runner.changed.connect(lambda: shown.append((bar.job_bar.isVisible(), bar.job_bar.value(), bar.job_text.text())))
    drop(window, path)
    qtbot.waitUntil(lambda: bool(window.desk.session.workspace.layers()) and not window.desk.runner.jobs, timeout=120_000)
    assert not window.desk.ask.errors
    ((preview,),) = seen
    assert preview.large
    assert preview.result.sources == ()
    values = [value for visible, value, text in shown if visible and "Opening" in text]
    assert len(set(values)) >= 3, "the bar moves"
    assert any("Tiling: Building tiles" in text for _, _, text in shown)
    assert not bar.job_bar.isVisible()
    layer = only_tiles(window)
    assert layer.options[large.TILED_FROM] == str(path)
    session, scene = window.desk.session, window.view.scene
    assert count(session, layer) == COUNT
    place = np.random.default_rng(2).random((COUNT, 2))[7] * 5000.0 + [430_005.0, 2_556_007.0]
    scene.camera.set_view(0.0, 89.0, 300.0, (*place, 5.0))
    window.view.request_render()
    qtbot.waitUntil(lambda: "house-00007" in session.workspace.features(layer.id).ids, timeout=30_000)
    (visual,) = scene.visuals.values()
    row = session.workspace.features(layer.id).row_of("house-00007")
    qtbot.waitUntil(lambda: visual.choice.complete and not window.view.surface.pending, timeout=30_000)
    x, y, _ = scene.places.screen_of(visual.anchors()[[row]] + scene.context.origin)[0]
    pick = scene.pick(float(x), float(y))
    assert pick is not None
    assert pick.ref.feature == "house-00007"
    assert session.workspace.features(layer.id).columns["name"][row] == "House 7"
    window.actions_.trigger("edit.undo")
    assert session.workspace.layers() == []
    window.actions_.trigger("edit.redo")
    assert only_tiles(window).id == layer.id


def test_cancelling_leaves_nothing_and_opening_again_goes_on(qtbot, tmp_path, window):
    path = long_sequence(tmp_path / "town.city.jsonl")
    accepted(window, [path])
    book = "plan_tiles/.town-*.tiling/scatter.jsonl"
    drop(window, path)
    qtbot.waitUntil(lambda: any(each.stat().st_size for each in tmp_path.glob(book)), timeout=60_000)
    qtbot.mouseClick(window.status.job_cancel, Qt.MouseButton.LeftButton)
    wait_for_jobs(qtbot, window)
    assert window.desk.session.workspace.layers() == []
    assert not window.desk.ask.errors
    assert not list(tmp_path.glob("plan_tiles/town*"))
    (kept,) = tmp_path.glob(book)
    noted = kept.read_bytes().splitlines()
    first = kept.parent / "spill" / "0000000.town"
    made = first.stat().st_mtime_ns
    assert noted
    seen = []
    window.desk.runner.changed.connect(lambda: seen.append(first.stat().st_mtime_ns if first.exists() else made))
    drop(window, path)
    qtbot.waitUntil(lambda: bool(window.desk.session.workspace.layers()) and not window.desk.runner.jobs, timeout=120_000)
    assert set(seen) == {made}, "what was sorted is not sorted again"
    assert not list(tmp_path.glob("plan_tiles/.*"))
    assert count(window.desk.session, only_tiles(window)) == COUNT


def test_a_project_opened_again_shows_the_tiles_and_tells_that_their_file_changed(qtbot, tmp_path, window):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    accepted(window, [path])
    drop(window, path)
    qtbot.waitUntil(lambda: bool(window.desk.session.workspace.layers()) and not window.desk.runner.jobs, timeout=60_000)
    window.actions_.trigger("project.save")
    write_sequence(path, scattered(50, seed=4))
    window.actions_.trigger("project.close")
    from cimdesk.ui.handlers_project import open_project

    open_project(window.desk, tmp_path / "plan.gpkg")
    wait_for_jobs(qtbot, window)
    session, layer = window.desk.session, only_tiles(window)
    assert "tiles-outdated" in {problem.code for problem in session.workspace.problems(layer.id)}
    assert count(session, layer) == 40
    window.desk.select_layer(layer.id)
    window.actions_.trigger("layer.reload")
    wait_for_jobs(qtbot, window)
    assert count(session, layer) == 50
    assert not session.workspace.problems(layer.id)
    path.unlink()
    window.actions_.trigger("layer.reload")
    wait_for_jobs(qtbot, window)
    assert count(session, layer) == 50
    assert not window.desk.ask.errors


def test_many_outlines_are_extruded_into_a_streamed_layer(qtbot, tmp_path, window, monkeypatch):
    monkeypatch.setattr(large, "OUTLINES_FROM", 50)
    path = houses(tmp_path / "blocks.gpkg")
    accepted(window, [path])
    drop(window, path)
    qtbot.waitUntil(lambda: bool(window.desk.session.workspace.layers()) and not window.desk.runner.jobs, timeout=60_000)
    (outlines,) = window.desk.session.workspace.layers()
    assert outlines.kind is LayerKind.VECTOR
    window.desk.select_layer(outlines.id)
    window.desk.ask.answers["extrude"] = ExtrudeChoice(Extrusion("height"), False)
    window.actions_.trigger("layer.extrude")
    qtbot.waitUntil(lambda: len(window.desk.session.workspace.layers()) == 2 and not window.desk.runner.jobs, timeout=60_000)
    layer = only_tiles(window)
    assert layer.name == f"{outlines.name} as buildings"
    assert count(window.desk.session, layer) == 57
    assert not window.desk.ask.errors
