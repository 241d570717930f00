"""Two programs never write one project: the second one reads, and says who has it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from cimdesk.base.errors import ProjectError
from cimdesk.model.document import RecordChange
from cimdesk.project import lock
from cimdesk.project.lock import Lock, holder, lock_path
from cimdesk.project.store import ProjectStore

NOTE = [RecordChange("note", "n", None, {"text": "1"})]


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "city.gpkg"
    ProjectStore.create(path).close()
    return path


def foreign(path, **fields):
    now = time.time()
    info = {"owner": "wang", "host": "elsewhere", "pid": 1, "started": "", "opened": now, "time": now, "token": "t", **fields}
    lock_path(path).write_text(json.dumps(info), encoding="utf-8")


def test_the_second_opener_reads_and_learns_who_writes(project):
    first = ProjectStore.open(project)
    second = ProjectStore.open(project)
    assert not first.read_only
    assert second.read_only
    assert second.locked_by.pid == os.getpid()
    with pytest.raises(ProjectError, match=f"process {os.getpid()}"):
        second.commit("edit", "e", "me", NOTE)
    first.commit("edit", "e", "me", NOTE)
    assert second.load().get("note", "n") == {"text": "1"}
    first.close()
    second.close()


def test_a_second_process_reads_while_the_first_writes(project):
    first = ProjectStore.open(project)
    first.commit("edit", "e", "me", NOTE)
    code = (
        "import sys; from pathlib import Path; from cimdesk.project.store import ProjectStore; "
        "s = ProjectStore.open(Path(sys.argv[1])); "
        "print(s.read_only, s.locked_by.pid, s.load().get('note', 'n')['text']); s.close()"
    )
    out = subprocess.run([sys.executable, "-c", code, str(project)], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["True", str(os.getpid()), "1"]
    first.close()
    assert holder(project) is None


def test_closing_gives_the_project_free(project):
    ProjectStore.open(project).close()
    again = ProjectStore.open(project)
    assert not again.read_only
    again.close()
    assert not lock_path(project).exists()


def test_a_lock_of_another_host_counts_while_it_beats(project):
    foreign(project)
    store = ProjectStore.open(project)
    assert (store.read_only, store.locked_by.owner, store.locked_by.host) == (True, "wang", "elsewhere")
    store.close()
    assert lock_path(project).exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"time": time.time() - 3600},
        {"time": time.time() + 86400},
        {"time": float("nan")},
        {"host": socket.gethostname(), "pid": 2**22 + 7},
        {"host": socket.gethostname(), "pid": -1},
        {"host": socket.gethostname(), "pid": os.getpid(), "started": "12"},
    ],
)
def test_a_lock_left_behind_is_taken_over(project, fields):
    foreign(project, **fields)
    store = ProjectStore.open(project)
    assert not store.read_only
    store.close()


@pytest.mark.parametrize("text", ["", "garbage", "{}", "[1]", '{"owner": 1e999}', "[" * 100000])
def test_a_broken_lock_is_taken_over(project, text):
    lock_path(project).write_text(text, encoding="utf-8")
    store = ProjectStore.open(project)
    assert not store.read_only
    store.close()


def test_the_heartbeat_goes_on_and_ends_with_closing(project, monkeypatch):
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.02)
    store = ProjectStore.open(project)
    first = holder(project).time
    deadline = time.time() + 5
    while holder(project).time == first and time.time() < deadline:
        time.sleep(0.01)
    assert holder(project).time > first
    store.close()
    assert not lock_path(project).exists()


def test_who_was_overtaken_can_no_longer_write(project, monkeypatch):
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.02)
    store = ProjectStore.open(project)
    foreign(project)
    deadline = time.time() + 5
    while not store._lock.lost and time.time() < deadline:
        time.sleep(0.01)
    with pytest.raises(ProjectError, match="reading only"):
        store.commit("edit", "e", "me", NOTE)
    store.close()
    assert lock_path(project).exists()


def test_of_many_at_once_one_gets_the_lock(project):
    import threading

    got = []
    threads = [threading.Thread(target=lambda: got.append(Lock.acquire(project))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [one for one in got if one is not None]
    assert len(held) == 1
    held[0].release()


@pytest.mark.skipif(os.name == "nt", reason="rights are kept otherwise there")
def test_project_and_lock_can_be_read_by_whom_new_files_can_be_read_by(tmp_path):
    before = os.umask(0o027)
    try:
        store = ProjectStore.create(tmp_path / "shared.gpkg")
    finally:
        os.umask(before)
    modes = [place.stat().st_mode & 0o777 for place in (store.path, lock_path(store.path))]
    store.close()
    assert modes == [0o640, 0o640]


@pytest.mark.skipif(os.name == "nt", reason="rights are kept otherwise there")
def test_a_project_that_is_replaced_keeps_its_rights(project, tmp_path):
    project.chmod(0o664)
    store = ProjectStore.create(tmp_path / "other.gpkg")
    store.copy_to(project)
    store.close()
    assert project.stat().st_mode & 0o777 == 0o664


def test_one_gets_the_lock_where_the_file_system_knows_no_links(project, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    first, second = ProjectStore.open(project), ProjectStore.open(project)
    assert (first.read_only, second.read_only) == (False, True)
    second.close()
    first.close()
    assert [place.name for place in project.parent.iterdir()] == [project.name]
