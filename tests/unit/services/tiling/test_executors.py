"""Who does the work: processes that are killed, and a cluster."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cimdesk.base.errors import ServiceError
from cimdesk.commands.tiling import tile_files
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.services.tiling import executors
from tests.unit.services.tiling.sequences import scattered, write_sequence


def ids_in(folder):
    return set(READER.read(folder, ReadOptions(max_error=0.0)).sources[0].data.city.features.ids)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_a_killed_run_goes_on_and_an_interrupted_one_says_130(tmp_path):
    # Long lines, so that there are several stretches of the usual size.
    lines = scattered(300)
    for line in lines:
        next(iter(line["CityObjects"].values()))["attributes"]["remark"] = "x" * 60_000
    path = write_sequence(tmp_path / "a.city.jsonl", lines)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "cimdesk", "tile", str(path), str(out), "--workers", "1", "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    book = tmp_path / ".out.tiling" / "scatter.jsonl"
    until = time.monotonic() + 60
    while not (book.exists() and book.stat().st_size) and time.monotonic() < until and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode in (130, 0)
    if running.returncode == 130:
        assert not out.exists()
        # What a kill in the middle of a note leaves behind.
        with book.open("ab") as file:
            file.write(b'{"task": 3, "fil')
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["features"] == 300
    assert answer["resumed"] is (running.returncode == 130)
    assert {"tiles", "features", "triangles", "seconds"} <= set(answer)
    assert ids_in(out) == {f"house-{k:05d}" for k in range(300)}


def test_a_scheduler_that_is_not_there_is_said_so(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "ANSWER_IN", 0.5)
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(3))
    with pytest.raises(ServiceError, match="does not answer"):
        tile_files([path], tmp_path / "out", scheduler="tcp://127.0.0.1:9")


@pytest.fixture
def cluster(tmp_path):
    """Start a scheduler and two workers as processes of their own on loopback; yield the address."""
    pytest.importorskip("distributed")
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__DASHBOARD__STATUS__TASK_STREAM_LENGTH": "10"}
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "env": environment, "cwd": tmp_path}
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], **options
    )
    processes = [scheduler]
    try:
        address = ""
        for line in scheduler.stderr:
            if found := re.search(r"Scheduler at:\s+(tcp://127\.0\.0\.1:\d+)", line):
                address = found[1]
                break
        assert address
        for _ in range(2):
            worker = [
                sys.executable,
                "-m",
                "distributed.cli.dask_worker",
                address,
                "--nthreads",
                "1",
                "--no-dashboard",
                "--no-nanny",
            ]
            processes.append(subprocess.Popen(worker, **{**options, "stderr": subprocess.DEVNULL}))
        yield address
    finally:
        for process in reversed(processes):
            # A worker would first wait for its scheduler.
            process.kill()
            process.wait(timeout=20)
            if process.stderr:
                process.stderr.close()


@pytest.mark.slow
def test_a_cluster_of_two_workers_makes_the_same_tileset(tmp_path, cluster):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(200))
    tile_files([path], tmp_path / "here", workers=1)
    result = tile_files([path], tmp_path / "there", scheduler=cluster)
    assert result.features == 200
    files = sorted(each.relative_to(tmp_path / "here") for each in (tmp_path / "here").rglob("*") if each.is_file())
    assert all((tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes() for name in files)


PARENT = """
import sys, time
from pathlib import Path
from cimdesk.base.jobs import CancelToken
from cimdesk.services.tiling.executors import PoolExecutor
from tests.unit.services.tiling.sleeping import sleep_long

if __name__ == "__main__":
    tasks = [(str(Path(sys.argv[1]) / str(k)),) for k in range(2)]
    list(PoolExecutor(2).run(sleep_long, tasks, CancelToken()))
"""


def is_there(pid):
    """Return whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    root = Path(__file__).resolve().parents[4]
    parent = subprocess.Popen([sys.executable, str(program), str(tmp_path)], env={**os.environ, "PYTHONPATH": str(root)})
    notes = [tmp_path / "0", tmp_path / "1"]
    try:
        until = time.monotonic() + 60
        while not all(note.exists() and note.read_text() for note in notes) and time.monotonic() < until:
            time.sleep(0.05)
        workers = [int(note.read_text()) for note in notes]
        assert len(set(workers)) == 2
        assert all(is_there(pid) for pid in workers)
    finally:
        parent.kill()
        parent.wait(timeout=20)
    until = time.monotonic() + 10
    while any(is_there(pid) for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    left = [pid for pid in workers if is_there(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
