"""A disk that fails at the n-th write or sync leaves the old state or the new one, and one readable error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cimdesk.base.errors import ProjectError
from cimdesk.commands import notes, projects
from tests.unit.project.cities import city

resource = pytest.importorskip("resource")

WORKER = """
import ctypes, json, sys
from pathlib import Path
from cimdesk.base.errors import ProjectError
from cimdesk.commands import layers, notes, projects
what, path, first, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
disk = ctypes.CDLL(None)
disk.arm_failure.argtypes = [ctypes.c_long]
disk.calls_left.restype = ctypes.c_long
import shutil
for n in range(first, last):
    folder = path.parent / f"{what}-{n}"
    shutil.copytree(path.parent / "origin", folder)
    target = folder / "city.gpkg"
    session = projects.open_project(target)
    disk.arm_failure(n)
    said = ""
    try:
        if what == "edit":
            notes.add(session, "big " + "x" * 20000)
        elif what == "second-edit":
            disk.arm_failure(0)
            notes.add(session, "first")
            disk.arm_failure(n)
            notes.add(session, "big " + "x" * 20000)
        elif what == "undo":
            session.undo()
        elif what == "save":
            projects.save(session, "point")
        elif what == "save-as":
            projects.save_as(session, folder / "other.gpkg")
    except ProjectError as error:
        said = str(error)
    left = disk.calls_left()
    disk.arm_failure(0)
    after = sorted(record["text"][:5] for _, record in notes.notes(session))
    usable = ""
    try:
        if not session.read_only:
            notes.add(session, "after")
    except ProjectError as error:
        usable = str(error)
    session.close()
    print(json.dumps({"n": n, "said": said, "failed": left < 0, "after": after, "usable": usable}), flush=True)
    if left > 0:
        break
"""


@pytest.fixture(scope="module")
def failing_disk(tmp_path_factory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and Linux")
    library = tmp_path_factory.mktemp("disk") / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@pytest.mark.parametrize("what", ["edit", "second-edit", "undo", "save", "save-as"])
def test_a_disk_that_fails_at_any_point_leaves_the_old_or_the_new_state(tmp_path, failing_disk, what):
    (tmp_path / "origin").mkdir()
    session = city(tmp_path / "origin" / "city.gpkg")
    notes.add(session, "before")
    session.close()
    environment = {**os.environ, "LD_PRELOAD": str(failing_disk)}
    arguments = [sys.executable, "-c", WORKER, what, str(tmp_path / "x"), "1", "200"]
    ran = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    results = [json.loads(line) for line in ran.stdout.splitlines()]
    assert not results[-1]["failed"], "it never got through"
    assert len(results) > 3
    for result in results:
        folder = tmp_path / f"{what}-{result['n']}"
        assert bool(result["said"]) == result["failed"] or what == "save-as", result
        assert not result["usable"], result
        for name in ("city.gpkg", "other.gpkg"):
            path = folder / name
            if not path.exists():
                assert name == "other.gpkg"
                continue
            again = projects.open_project(path)
            texts = sorted(record["text"][:5] for _, record in notes.notes(again))
            expected = {tuple(sorted([*result["after"], "after"])), tuple(result["after"]), ("befor",), ("after", "befor")}
            assert tuple(texts) in expected, (result, name, texts)
            assert again.store.verify()["intact"]
            again.close()
        shutil.rmtree(folder)
    print(f"{what}: {len(results) - 1} points of failure")


def test_a_disk_that_is_full_refuses_the_edit_and_takes_it_when_there_is_room(tmp_path):
    import signal

    session = city(tmp_path / "city.gpkg")
    notes.add(session, "fits")
    present = {r["text"] for _, r in notes.notes(session)}
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, old_limit[1]))
        with pytest.raises(ProjectError, match="cannot be written") as refused:
            notes.add(session, "y" * 400_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert refused.value.remedy
    assert {r["text"] for _, r in notes.notes(session)} == present
    notes.add(session, "y" * 400_000)
    session.close()
    session = projects.open_project(tmp_path / "city.gpkg")
    assert len(notes.notes(session)) == 2
    assert session.store.verify()["intact"]
    session.close()
