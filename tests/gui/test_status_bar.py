"""What the status bar says while there is little room: the most important, whole."""

from __future__ import annotations

import threading

import pytest

from cimdesk.base.jobs import JobSpec
from tests.gui.windows import open_sample, open_window

pytestmark = pytest.mark.gui

TITLE = "Simulating 50-year storm, with drains"


@pytest.fixture
def busy(qtbot, tmp_path):
    """The status bar of a window on a city, while a job is half way."""
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    end = threading.Event()

    def work(progress, cancel):
        progress(0.5, "Filling the streets")
        while not end.wait(0.01):
            cancel.raise_if_cancelled()

    window.desk.runner.start(JobSpec(TITLE, work, lambda _: None, key="half"))
    qtbot.waitUntil(lambda: any(job.fraction == 0.5 for job in window.desk.runner.jobs), timeout=10_000)
    bar = window.status
    bar.setParent(None)
    qtbot.addWidget(bar)
    bar.show()
    bar.show_position((431238.7, 2558328.1, 12.51))
    yield bar
    end.set()


@pytest.mark.parametrize("width", [1600, 1000, 800, 640, 520])
def test_no_word_is_cut_and_the_job_is_told_at_any_width(qtbot, busy, width):
    busy.resize(width, 30)
    qtbot.wait(20)
    assert busy.width() == width
    for label in (busy.position, busy.system, busy.selection, busy.job_text, busy.message, busy.saved):
        assert not label.isVisible() or label.width() >= label.needed(label.text())
    assert "50%" in busy.job_text.text()
    assert busy.job_cancel.isVisible()


def test_what_matters_least_gives_way_first(qtbot, busy):
    seen = []
    for width in range(1600, 400, -20):
        busy.resize(width, 30)
        qtbot.wait(1)
        here = (busy.job_bar.isVisible(), busy.saved.isVisible(), "Filling" in busy.job_text.text(), busy.position.isVisible())
        if not seen or seen[-1] != here:
            seen.append(here)
    assert seen[0] == (True, True, True, True)
    counts = [sum(here) for here in seen]
    assert counts == sorted(counts, reverse=True)
    assert seen[1][2] is False, "what the job is doing goes before anything else"


def test_a_message_that_is_too_long_ends_in_dots(qtbot, busy):
    busy.resize(700, 30)
    busy.say("word " * 80)
    qtbot.wait(20)
    assert busy.width() == 700
    assert busy.message.width() < busy.message.needed(busy.message.text())
    assert busy.message.geometry().right() <= 700
