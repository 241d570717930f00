"""Floods that run beside the window: seen while they come, held, ordered, left and continued, through the actions."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from cimdesk.commands.flood_preview import GUEST
from cimdesk.model.flood import FloodResult, FloodScenario, Series
from cimdesk.model.live_flood import LIVE
from cimdesk.model.terrain import Terrain
from tests.gui.windows import open_sample, open_window
from tests.unit.commands.test_flood_apart import child_of_this_process

pytestmark = pytest.mark.gui
LONG = 3600.0 * 48


def hills(name: str, duration: float, cells: int = 200) -> FloodScenario:
    """Return rain on hills where the sample city is."""
    y, x = np.mgrid[:cells, :cells]
    ground = Terrain((6.0 + np.sin(x / 19) + np.cos(y / 17)).astype(np.float32), 431_000.0, 2_558_400.0, 2.0, 2.0)
    rain = Series(np.array([0.0, duration]), np.array([3e-5, 0.0]))
    blocked = np.zeros(ground.shape, dtype=bool)
    return FloodScenario(name, ground, 0.03, blocked, duration, 300.0, start_time=1_780_000_000.0, rain=rain)


def opened(qtbot, folder: Path):
    window = open_window(qtbot)
    open_sample(qtbot, window, folder, "city", "terrain")
    return window


def order(window, scenario: FloodScenario) -> None:
    window.desk.ask.answers["flood"] = scenario
    window.actions_.trigger("flood.run")


def guest(window) -> FloodResult | None:
    return window.desk.session.workspace.data(GUEST)


def ended(qtbot, window) -> None:
    qtbot.waitUntil(lambda: window.desk.floods.current is None and not window.desk.runner.jobs, timeout=120_000)


def stopped(qtbot, window) -> None:
    """Cancel what runs, so that no test waits for it."""
    window.desk.floods.waiting.clear()
    for job in list(window.desk.runner.jobs):
        window.desk.runner.cancel(job)
    ended(qtbot, window)


def test_the_water_of_a_run_is_seen_while_it_comes_and_the_clock_follows(qtbot, tmp_path):
    window = opened(qtbot, tmp_path)
    session, clock = window.desk.session, window.desk.session.clock
    edits = len(session.history.done)
    order(window, hills("Storm", LONG))
    qtbot.waitUntil(lambda: guest(window) is not None and len(guest(window).times) > 3, timeout=60_000)
    first = guest(window)
    assert first.statistics[LIVE]
    qtbot.waitUntil(lambda: len(guest(window).times) > len(first.times) + 2, timeout=30_000)
    now = guest(window)
    assert now.depths[-1].max() > 0.0
    assert clock.time == pytest.approx(now.start_time + now.times[-1], abs=1.0)
    assert GUEST in window.view.scene.visuals
    np.testing.assert_array_equal(now.depths[1], first.depths[1])
    assert len(session.history.done) == edits, "nothing is edited by looking"
    clock.set_time(now.start_time + 300.0)
    count = len(guest(window).times)
    qtbot.waitUntil(lambda: len(guest(window).times) > count, timeout=30_000)
    assert clock.time == now.start_time + 300.0, "a clock that was moved stays"
    assert "left" in window.status.floods.words.text()
    stopped(qtbot, window)
    assert guest(window) is None
    assert not window.status.floods.isVisible()


def test_a_run_is_held_and_goes_on(qtbot, tmp_path):
    window = opened(qtbot, tmp_path)
    order(window, hills("Storm", LONG))
    qtbot.waitUntil(lambda: guest(window) is not None, timeout=60_000)
    window.actions_.trigger("flood.pause")
    qtbot.waitUntil(lambda: window.desk.floods.is_paused, timeout=30_000)
    steps = window.desk.floods.current.run.control.status.steps
    qtbot.wait(600)
    assert window.desk.floods.current.run.control.status.steps == steps
    window.status.floods.refresh()
    assert window.status.floods.pause.text() == "continue"
    window.actions_.trigger("flood.pause")
    qtbot.waitUntil(lambda: window.desk.floods.current.run.control.status.steps > steps, timeout=30_000)
    stopped(qtbot, window)


def test_floods_wait_for_each_other_in_an_order_that_can_be_changed(qtbot, tmp_path):
    window = opened(qtbot, tmp_path)
    floods = window.desk.floods
    for name, duration in (("A", LONG), ("B", 600.0), ("C", 600.0), ("D", 600.0)):
        order(window, hills(name, duration, 60))
    assert [one.title for one in floods.waiting] == ["B", "C", "D"]
    floods.move(floods.waiting[2], -1)
    floods.remove(floods.waiting[0])
    assert [one.title for one in floods.waiting] == ["D", "C"]
    window.status.floods._fill()
    assert [action.text() for action in window.status.floods.queue.menu().actions()] == ["1  D", "2  C"]
    window.desk.runner.cancel(window.desk.runner.jobs[-1])
    ended(qtbot, window)
    names = [layer.name for layer in window.desk.session.workspace.layers() if layer.kind.value == "flood"]
    assert sorted(names) == ["C", "D"]
    records = window.desk.session.workspace.document.records("result")
    assert [record["name"] for record in sorted(records.values(), key=lambda r: r["created"])] == ["D", "C"]


def test_a_killed_solver_is_one_card_and_the_run_can_be_continued(qtbot, tmp_path):
    window = opened(qtbot, tmp_path)
    desk = window.desk
    order(window, hills("Storm", 3600.0 * 3, 150))
    qtbot.waitUntil(lambda: guest(window) is not None, timeout=60_000)
    window.actions_.trigger("flood.pause")
    qtbot.waitUntil(lambda: desk.floods.is_paused and len(guest(window).times) > 1, timeout=30_000)
    window.actions_.trigger("flood.pause")
    count = desk.floods.current.run.control.status.frames
    qtbot.waitUntil(lambda: desk.floods.current.run.control.status.frames > max(count, 2), timeout=30_000)
    os.kill(child_of_this_process(), signal.SIGKILL)
    ended(qtbot, window)
    assert len(desk.ask.errors) == 1
    assert "is kept" in desk.ask.errors[0].localized()
    floods = [layer for layer in desk.session.workspace.layers() if layer.kind.value == "flood"]
    assert len(floods) == 1
    assert "until" in floods[0].name
    assert desk.floods.unfinished == ["Storm"]
    assert window.actions_["flood.continue"].isEnabled()
    window.actions_.trigger("flood.continue")
    ended(qtbot, window)
    names = [layer.name for layer in desk.session.workspace.layers() if layer.kind.value == "flood"]
    assert "Storm" in names
    assert not window.actions_["flood.continue"].isEnabled()


def test_a_run_that_is_left_by_closing_the_window_is_offered_again(qtbot, tmp_path):
    window = opened(qtbot, tmp_path)
    path = tmp_path / "kept.gpkg"
    window.desk.ask.answers["save_path"] = path
    window.actions_.trigger("project.save_as")
    order(window, hills("Storm", LONG))
    qtbot.waitUntil(lambda: guest(window) is not None, timeout=60_000)
    window.close()
    again = open_window(qtbot)
    from cimdesk.ui.handlers_project import open_project

    qtbot.waitUntil(lambda: list((tmp_path / "kept_results").glob("*.part/checkpoint")) != [], timeout=20_000)
    open_project(again.desk, path)
    assert again.desk.floods.unfinished == ["Storm"]
    again.actions_.trigger("flood.continue")
    qtbot.waitUntil(lambda: guest(again) is not None, timeout=60_000)
    stopped(qtbot, again)


def test_a_scenario_file_is_run_from_the_window(qtbot, tmp_path):
    window = opened(qtbot, tmp_path)
    ground = "\n".join(" ".join(["1.0"] * 20) for _ in range(20))
    head = "ncols 20\nnrows 20\nxllcorner 431000\nyllcorner 2558000\ncellsize 2\n"
    (tmp_path / "g.asc").write_text(head + ground + "\n", encoding="utf-8")
    text = '[scenario]\nterrain = "g.asc"\nduration = 60\n[[rain]]\nrate_mm_h = 60\n'
    (tmp_path / "cloudburst.toml").write_text(text, encoding="utf-8")
    window.desk.ask.answers["files"] = [tmp_path / "cloudburst.toml"]
    window.actions_.trigger("flood.scenario")
    ended(qtbot, window)
    assert not window.desk.ask.errors, window.desk.ask.errors
    assert [layer.name for layer in window.desk.session.workspace.layers() if layer.kind.value == "flood"] == ["cloudburst"]
    (tmp_path / "broken.toml").write_text(text.replace("g.asc", "absent.asc"), encoding="utf-8")
    from cimdesk.ui.handlers_project import open_paths

    open_paths(window.desk, [tmp_path / "broken.toml"])
    ended(qtbot, window)
    assert "absent.asc" in window.desk.ask.errors[0].localized()
