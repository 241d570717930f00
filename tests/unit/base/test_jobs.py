"""Jobs run to their end, hand over their result, and stop when asked."""

from __future__ import annotations

import pytest

from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken, JobSpec, SynchronousRunner, no_progress


def test_the_result_reaches_the_one_who_waits_for_it():
    results, told = [], []
    runner = SynchronousRunner(lambda fraction, text="": told.append((fraction, text)))

    def work(progress, cancel):
        progress(0.5, "half")
        return 42

    runner.start(JobSpec("count", work, results.append))
    assert results == [42]
    assert told == [(0.5, "half")]


def test_a_cancelled_job_hands_over_nothing():
    token, results = CancelToken(), []
    token.cancel()
    job = JobSpec("count", lambda progress, cancel: cancel.raise_if_cancelled(), results.append)
    with pytest.raises(Cancelled):
        SynchronousRunner(cancel=token).start(job)
    assert results == []


def test_a_token_stays_cancelled():
    token = CancelToken()
    token.raise_if_cancelled()
    assert not token.cancelled
    token.cancel()
    token.cancel()
    assert token.cancelled


def test_progress_may_be_told_to_nobody():
    assert no_progress(None) is None


def test_an_error_of_the_work_reaches_the_caller():
    def work(progress, cancel):
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        SynchronousRunner().start(JobSpec("x", work))
