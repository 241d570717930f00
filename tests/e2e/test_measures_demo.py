"""The demo storm, a wall drawn by mouse across the way into the underpass, and the water that it changes. Pictures to be looked at
are written where ``CIMDESK_SCREENSHOTS`` says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from cimdesk.commands import measures
from cimdesk.commands.flood import run_job
from cimdesk.commands.flood_scenario import load_scenario
from cimdesk.commands.flood_whatif import difference
from cimdesk.model.flood import FloodResult
from cimdesk.ui.handlers_project import open_project
from tests.gui.windows import open_window, wait_for_jobs

pytestmark = [pytest.mark.e2e, pytest.mark.gui, pytest.mark.slow, pytest.mark.timeout(1200)]

SIZE = (1280, 720)
NEAR = "extent = [430850.0, 2558100.0, 431500.0, 2558640.0]"
NORTH_RAMP = ((431_120.0, 2_558_410.0), (431_165.0, 2_558_412.0), (431_200.0, 2_558_440.0), (431_215.0, 2_558_440.0))
"""Across the street that runs into the underpass from the north."""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    from cimdesk.commands.demo import generate

    given = os.environ.get("CIMDESK_SCREENSHOT_PROJECT")
    return Path(given) if given else generate(tmp_path_factory.mktemp("demo"), "small", 7).project


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    wanted = os.environ.get("CIMDESK_SCREENSHOTS")
    made = Path(wanted) if wanted else tmp_path_factory.mktemp("pictures")
    made.mkdir(parents=True, exist_ok=True)
    return made


def storm_near_the_underpass(data: Path) -> Path:
    """Write the demo storm on a part of the city."""
    text = (data / "storm-50.toml").read_text(encoding="utf-8")
    text = text.replace("cell = 4.0", f"cell = 4.0\n{NEAR}")
    file = data / "near.toml"
    file.write_text(text[: text.index("[[boundary]]")] + '[[boundary]]\nedge = "all"\nkind = "free"\n', encoding="utf-8")
    return file


def picture(qtbot, window, file: Path) -> None:
    """Save the window once the view is still."""
    window.view.request_render()
    qtbot.wait(1500)
    assert window.grab().save(str(file))


def click_at(window, world: tuple[float, float]) -> None:
    """Click on the ground at a place of the world."""
    scene = window.view.scene
    (at,) = window.view.to_logical(np.array([[*world, scene.places.ground_at(*world)]]))
    QTest.mouseMove(window.view, at.toPoint())
    QTest.mouseClick(window.view, Qt.MouseButton.LeftButton, pos=at.toPoint())


def test_a_wall_drawn_at_the_underpass_changes_the_demo_storm(qtbot, project, folder):
    window = open_window(qtbot, *SIZE)
    desk = window.desk
    open_project(desk, project)
    wait_for_jobs(qtbot, window, 240_000)
    session = desk.session
    session.run(run_job(session, load_scenario(storm_near_the_underpass(session.base_dir / "data"))))
    wait_for_jobs(qtbot, window, 600_000)
    assert not desk.ask.errors, desk.ask.errors
    parent = next(layer.id for layer in session.workspace.layers() if layer.kind.value == "flood")
    before = session.workspace.data(parent)
    assert isinstance(before, FloodResult)
    scene = window.view.scene
    target = (431_172.0, 2_558_405.0, scene.places.ground_at(431_172.0, 2_558_405.0))
    scene.camera.from_record({"target": list(target), "azimuth": 200.0, "elevation": 52.0, "distance": 210.0})
    session.clock.set_time(before.start_time + 7200.0)
    qtbot.wait(3000)
    picture(qtbot, window, folder / "underpass-1-before.png")
    window.actions_.trigger("measure.wall")
    for corner in NORTH_RAMP:
        click_at(window, corner)
    QTest.mouseMove(window.view, QPoint(window.view.width() // 2, window.view.height() // 3))
    picture(qtbot, window, folder / "underpass-2-drawing.png")
    QTest.keyClick(window.view, Qt.Key.Key_Return)
    (wall,) = measures.measures(session).values()
    assert np.allclose(wall.line, NORTH_RAMP, atol=6.0)
    window.actions_.trigger("measure.run")
    qtbot.waitUntil(lambda: len(session.workspace.document.records("result")) == 2, timeout=600_000)
    wait_for_jobs(qtbot, window, 600_000)
    assert not desk.ask.errors, desk.ask.errors
    again = next(layer for layer in session.workspace.layers() if layer.kind.value == "flood" and layer.id != parent)
    after = session.workspace.data(again.id)
    changed = difference(before, after)
    assert changed["largest_fall_m"] > 0.15
    assert changed["largest_rise_m"] > 0.3
    assert abs(after.statistics["mass_error"]) < 1e-6
    picture(qtbot, window, folder / "underpass-3-difference.png")
    window.set_theme("projector")
    picture(qtbot, window, folder / "underpass-4-projector.png")
    window.resize(1920, 1080)
    window.set_theme("light")
    picture(qtbot, window, folder / "underpass-5-large.png")
