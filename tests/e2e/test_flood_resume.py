"""The command line of floods when something dies: the whole program, or the solver alone."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.test_cli_bad_input import finished, left_in, one_message, run, start, storm

pytestmark = pytest.mark.e2e


def solver_of(pid: int) -> int:
    """Return the child of a command that simulates."""
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            if "flood_child" in Path(f"/proc/{child}/cmdline").read_text():
                return child
    raise LookupError


def wait_for(file: Path, process) -> None:
    until = time.monotonic() + 60.0
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_killed_command_is_gone_on_with_and_comes_to_the_same(tmp_path: Path):
    scenario = storm(tmp_path, cells=60, hours=6)
    command = ("flood", "run", scenario, "--threads", 1, "--json")
    _, out, _ = run(*command, "-o", tmp_path / "whole.flood")
    whole = json.loads(out)
    process = start(*command, "-o", tmp_path / "storm.flood", "--checkpoint", "0.2s")
    wait_for(tmp_path / "storm.flood.part" / "checkpoint", process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(1.0)  # the solver sees that its parent is gone, keeps what it has, and ends
    status, out, errors = run(*command, "-o", tmp_path / "storm.flood", "--resume")
    assert status == 0, errors
    again = json.loads(out)
    varying = {"seconds", "cell_updates_per_s", "result"}
    assert {k: v for k, v in again.items() if k not in varying} == {k: v for k, v in whole.items() if k not in varying}
    assert not [name for name in left_in(tmp_path) if name.endswith(".part")]


def test_a_killed_solver_leaves_a_result_marked_incomplete(tmp_path: Path):
    scenario = storm(tmp_path, cells=60, hours=480)
    process = start("flood", "run", scenario, "-o", tmp_path / "storm.flood", "--json")
    log = tmp_path / "storm.flood.part" / "frames"
    wait_for(log, process)
    while log.stat().st_size < 12_000:
        time.sleep(0.05)
    os.kill(solver_of(process.pid), signal.SIGKILL)
    status, out, _ = finished(process)
    figures = json.loads(out)
    assert status == 1
    assert figures["incomplete"] is True
    assert 0.0 < figures["simulated_s"] < 480 * 3600
    assert len(figures["problems"]) == 1
    assert (tmp_path / "storm.flood").is_file()


def test_going_on_with_nothing_or_with_another_scenario_is_one_message(tmp_path: Path):
    scenario = storm(tmp_path, cells=60, hours=240)
    status, _, errors = run("flood", "run", scenario, "-o", tmp_path / "a.flood", "--resume")
    assert (status, "no run to go on from" in one_message(errors)) == (3, True)
    process = start("flood", "run", scenario, "-o", tmp_path / "a.flood", "--checkpoint", "0.2s")
    wait_for(tmp_path / "a.flood.part" / "checkpoint", process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    scenario.write_text(scenario.read_text().replace('"240h"', '"230h"'))
    status, _, errors = run("flood", "run", scenario, "-o", tmp_path / "a.flood", "--resume")
    assert (status, "scenario has changed" in one_message(errors)) == (3, True)
    status, _, errors = run("flood", "run", scenario, "-o", tmp_path / "b.flood", "--checkpoint", "often")
    assert (status, "is no time" in one_message(errors)) == (2, True)
