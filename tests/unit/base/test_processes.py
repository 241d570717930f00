"""Who is at the computer, and which programs run."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys

import pytest

from cimdesk.base.processes import is_running, started_mark, user_name


def test_this_program_runs_and_one_that_has_ended_does_not():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_running(os.getpid())
    assert is_running(os.getpid(), started_mark(os.getpid()))
    assert not is_running(ended.pid)


@pytest.mark.parametrize("pid", [0, -1, 2**40])
def test_a_number_that_is_none_is_no_process(pid: int):
    assert not is_running(pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there the system says when a process began")
def test_a_later_process_of_the_same_number_is_another():
    assert not is_running(os.getpid(), "12")


def test_who_has_no_name_in_the_system_can_work_all_the_same(monkeypatch: pytest.MonkeyPatch):
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert user_name().startswith("user")
