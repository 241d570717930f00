"""A program killed at any instant while editing loses no acknowledged edit and leaves a sound file."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pyogrio
import pytest

from cimdesk.commands import notes, projects

EDITOR = """
import sys
from pathlib import Path
from cimdesk.commands import notes, projects
session = projects.open_project(Path(sys.argv[1]))
number = len(notes.notes(session))
print("ready", flush=True)
while True:
    number += 1
    key = notes.add(session, f"note {number} " + "x" * (number * 37 % 3000), place=(431000.0 + number, 2558000.0, 1.0))
    print(f"add {key} {session.store.last_number}", flush=True)
    if number % 5 == 0:
        session.undo()
        print(f"undo {key} {session.store.last_number}", flush=True)
        session.redo()
        print(f"redo {key} {session.store.last_number}", flush=True)
    if number % 7 == 0:
        projects.save(session, f"point {number}")
        print(f"save {number} {session.store.last_number}", flush=True)
"""


def edit_until_killed(path: Path, seconds: float) -> list[list[str]]:
    """Let another process edit and kill it after ``seconds``; return what it acknowledged."""
    editor = subprocess.Popen([sys.executable, "-c", EDITOR, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert editor.stdout is not None
    assert editor.stderr is not None
    assert editor.stdout.readline() == b"ready\n", editor.stderr.read().decode()
    time.sleep(seconds)
    os.kill(editor.pid, signal.SIGKILL)
    out, _ = editor.communicate()
    assert editor.returncode == -signal.SIGKILL
    whole_lines = out.decode().rpartition("\n")[0]
    return [line.split() for line in whole_lines.splitlines()]


def check_file(path: Path, acknowledged: list[list[str]]) -> int:
    """Check that everything acknowledged is there and all is sound; return the number of journal entries."""
    reader = projects.open_project(path, read_only=True)
    assert reader.store.verify()["intact"]
    reader.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    # Whoever opens the file for writing takes in what the killed program left; reading only, GDAL could not.
    assert {"note", "journal"} <= {name for name, _ in pyogrio.list_layers(path)}
    session = projects.open_project(path)
    assert not session.read_only, "the lock of the killed program was not recognised as left behind"
    assert session.store.verify()["intact"]
    last = max((int(line[2]) for line in acknowledged), default=0)
    # At most the one gesture that was not acknowledged yet may be there besides.
    assert not acknowledged or last <= session.store.last_number <= last + 1
    state = {}
    for what, key, _ in acknowledged:
        if what != "save":
            state[key] = what
    present = session.workspace.document.records("note")
    pending = list(state)[-1:]
    for key, what in state.items():
        assert (key in present) == (what != "undo") or key in pending, (key, what)
    saved = [line[1] for line in acknowledged if line[0] == "save"]
    assert {f"point {number}" for number in saved} <= {point.name for point in projects.restore_points(session)}
    # Work goes on where the killed program was.
    notes.add(session, "after the kill")
    assert len(session.history.done) > 1 or not acknowledged
    session.undo()
    session.redo()
    number = session.store.last_number
    session.close()
    assert pyogrio.read_info(path, layer="journal")["features"] == number
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return number


def run(folder: Path, times: int, seed: int) -> int:
    chance = random.Random(seed)
    path = folder / "city.gpkg"
    total = 0
    for k in range(times):
        if k % 25 == 0:
            path.unlink(missing_ok=True)
            projects.create(path).close()
        acknowledged = edit_until_killed(path, chance.uniform(0.0, 0.12))
        total += len(acknowledged)
        check_file(path, acknowledged)
    print(f"{times} kills, {total} acknowledged edits, none lost")
    return total


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kills_at_random_instants_lose_no_acknowledged_edit(tmp_path):
    assert run(tmp_path, 8, seed=1) > 8


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_two_hundred_kills_at_random_instants_lose_no_acknowledged_edit(tmp_path):
    assert run(tmp_path, 200, seed=2) > 200
