"""The search for cycles comes back on, whatever happens."""

from __future__ import annotations

import gc

import pytest

from cimdesk.base.collector import collector_paused


def fail_while_paused() -> None:
    with collector_paused():
        raise ValueError("on" if gc.isenabled() else "paused")


def test_the_collector_comes_back_after_an_error():
    with pytest.raises(ValueError, match="paused"):
        fail_while_paused()
    assert gc.isenabled()


def test_pausing_twice_resumes_only_at_the_end():
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
