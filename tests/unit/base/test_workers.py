"""Processes of their own, which may do anything."""

from __future__ import annotations

import threading
import time

import pytest

from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.base.workers import WorkerDiedError, WorkerRefusedError, WorkerSilentError, run_worker

MODULE = "tests.unit.base.worker_child"


def run(what: str, cancel: CancelToken | None = None, silence: float = 30.0, progress=no_progress, **more):
    return run_worker(MODULE, {"what": what, **more}, progress, cancel or CancelToken(), silence)


def test_a_child_answers_and_tells_its_progress():
    told = []
    assert run("answer", numbers=[1, 2, 3], progress=lambda fraction, text="": told.append(fraction)) == {"sum": 6}
    assert told == [0.5]


def test_a_child_refuses_with_a_reason():
    with pytest.raises(WorkerRefusedError) as caught:
        run("refuse")
    assert caught.value.reason == {"code": "no"}


def test_a_crash_of_the_child_is_an_error_of_ours(caplog):
    with pytest.raises(WorkerDiedError) as caught:
        run("crash")
    assert caught.value.place == "half"
    assert "last words" in caught.value.last_words
    caplog.clear()


def test_a_bug_in_the_child_is_an_error_with_its_traceback(caplog):
    with pytest.raises(WorkerDiedError) as caught:
        run("bug")
    assert "a mistake" in caught.value.last_words
    caplog.clear()


def test_what_libraries_print_is_not_taken_for_an_answer():
    assert run("talk") == "heard"


def test_a_child_that_hangs_is_ended():
    started = time.monotonic()
    with pytest.raises(WorkerSilentError) as caught:
        run("hang", silence=1.0)
    assert caught.value.place == "half"
    assert time.monotonic() - started < 20.0


def test_cancelling_ends_the_child_within_a_second():
    cancel = CancelToken()
    timer = threading.Timer(1.5, cancel.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run("hang", cancel)
    timer.join()
    assert time.monotonic() - started < 3.0
