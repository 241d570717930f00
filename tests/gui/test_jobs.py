"""Jobs beside the window: results on the GUI thread, cancel, latest wins, expected failures as cards."""

from __future__ import annotations

import threading
import time

import pytest

from cimdesk.base.errors import UsageError
from cimdesk.base.jobs import JobSpec
from cimdesk.ui.jobs import ThreadRunner

pytestmark = pytest.mark.gui


@pytest.fixture
def runner(qapp):
    made = ThreadRunner()
    yield made
    made.close()


def _until(cancel):
    while not cancel.cancelled:
        time.sleep(0.005)
    cancel.raise_if_cancelled()


def test_work_is_done_elsewhere_and_the_result_arrives_on_the_gui_thread(qtbot, runner):
    seen = []

    def work(progress, cancel):
        return threading.current_thread()

    runner.start(JobSpec("one", work, lambda worker: seen.append((worker, threading.current_thread()))))
    qtbot.waitUntil(lambda: bool(seen))
    worker, receiver = seen[0]
    assert receiver is threading.main_thread()
    assert worker is not receiver


def test_a_thread_keeps_its_state_from_job_to_job(qtbot, runner):
    """PROJ contexts are kept per thread; a thread state made anew for each job would leave them dangling."""
    local, found = threading.local(), []

    def work(progress, cancel):
        local.count = getattr(local, "count", 0) + 1
        return threading.get_ident(), local.count

    for _ in range(12):
        runner.start(JobSpec("count", work, found.append))
        qtbot.waitUntil(lambda: not runner.jobs)
    most = max(count for _, count in found)
    assert most >= 12 // len({ident for ident, _ in found})


def test_cancelling_stops_the_work_within_a_second(qtbot, runner):
    runner.start(JobSpec("long", lambda progress, cancel: _until(cancel), lambda _: pytest.fail("a cancelled job has no result")))
    begun = time.monotonic()
    runner.cancel(runner.jobs[0])
    qtbot.waitUntil(lambda: not runner.jobs, timeout=1000)
    assert time.monotonic() - begun < 1.0


def test_the_latest_of_the_same_key_wins(qtbot, runner):
    results = []

    def work(number):
        def run(progress, cancel):
            if number < 3:
                _until(cancel)
            return number

        return run

    for number in (1, 2, 3):
        runner.start(JobSpec(f"{number}", work(number), results.append, key="same"))
    qtbot.waitUntil(lambda: not runner.jobs, timeout=3000)
    assert results == [3]


def test_an_expected_failure_is_told_once_and_cancelling_is_none(qtbot, runner):
    errors = []
    runner.failed.connect(errors.append)

    def fail(progress, cancel):
        raise UsageError("no such thing.")

    runner.start(JobSpec("bad", fail))
    runner.start(JobSpec("long", lambda progress, cancel: _until(cancel)))
    runner.cancel(runner.jobs[-1])
    qtbot.waitUntil(lambda: not runner.jobs, timeout=2000)
    assert [type(error) for error in errors] == [UsageError]


def test_progress_reaches_the_window_at_most_twenty_times_a_second(qtbot, runner):
    changes = []
    runner.changed.connect(lambda: changes.append(time.monotonic()))

    def work(progress, cancel):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            progress(0.5, "working")

    runner.start(JobSpec("chatty", work))
    qtbot.waitUntil(lambda: not runner.jobs, timeout=5000)
    assert len(changes) <= 20 * 0.5 + 5
