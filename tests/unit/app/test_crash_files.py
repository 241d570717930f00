"""Crash files: one for each program that runs, swept up after those that ended well."""

from __future__ import annotations

import faulthandler
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cimdesk.app.main import start_log


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path))
    before, was_on = list(logging.getLogger().handlers), faulthandler.is_enabled()
    yield tmp_path / "log"
    faulthandler.disable()
    if was_on:
        faulthandler.enable(sys.__stderr__)
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_a_second_window_leaves_the_crash_file_of_the_first_alone(logs: Path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    logs.mkdir()
    running, gone, told = (logs / f"crash-{pid}.txt" for pid in (os.getppid(), ended.pid, 2**22 + 9))
    running.touch()
    gone.touch()
    told.write_text("Fatal Python error: Segmentation fault", encoding="utf-8")
    start_log().close()
    assert running.exists()
    assert told.exists()
    assert not gone.exists()
