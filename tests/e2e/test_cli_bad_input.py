"""The command line in a process of its own: bad input, Ctrl+C, a stop from outside and a full disk end in one message each."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests import samples

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 60.0


def start(*arguments: object, file_bytes: int | None = None, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start a command; no file it writes may grow beyond ``file_bytes``, as on a full disk."""

    def limit() -> None:
        # A shell that runs the tests in the background has the interrupt ignored; a command started by hand has not.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    command = [sys.executable, "-m", "cimdesk", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=cwd, preexec_fn=limit
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, errors = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert "Traceback" not in errors, errors
    assert "Exception" not in errors, errors
    return process.returncode, out, errors


def run(*arguments: object, file_bytes: int | None = None) -> tuple[int, str, str]:
    return finished(start(*arguments, file_bytes=file_bytes))


def one_message(errors: str) -> str:
    lines = errors.strip().splitlines()
    assert len(lines) == 1, errors
    assert lines[0].startswith("cimdesk: "), errors
    return lines[0]


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def storm(folder: Path, cells: int, hours: float, field: str = "rain_mm_h") -> Path:
    """Write a terrain and a scenario of rain on it; return the scenario."""
    ground = 10.0 + np.add.outer(np.sin(np.arange(cells) / 9), np.cos(np.arange(cells) / 7))
    head = f"ncols {cells}\nnrows {cells}\nxllcorner 431000\nyllcorner 2558000\ncellsize 2\nNODATA_value -9999\n"
    body = "\n".join(" ".join(f"{value:.2f}" for value in row) for row in ground)
    (folder / "ground.asc").write_text(head + body + "\n")
    (folder / "rain.csv").write_text(f"time,{field}\n0,80\n{int(hours * 3600)},80\n")
    scenario = folder / "scenario.toml"
    scenario.write_text(
        f'[scenario]\nname = "storm"\nterrain = "ground.asc"\ncell = 2.0\nduration = "{hours}h"\noutput_every = "5min"\n'
        '[[rain]]\nhyetograph = "rain.csv"\n'
    )
    return scenario


BAD = {
    "empty.city.json": b"",
    "cut.city.json": b'{"type": "CityJSON", "version": "2.0", "CityObjects": {"a": {"type": "Buil',
    "picture.tif": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "words.shp": b"only words\n" * 30,
    "no_nodes.inp": b"[PIPES]\nP1 A B 10 100 100 0 Open\n",
    "nested.json": b"[" * 100_000,
    "broken.gpkg": b"SQLite format 3\0" + bytes(2000),
    "entity.kml": b'<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY a SYSTEM "file:///etc/passwd">]><kml>&a;</kml>',
    "huge.asc": b"ncols 200000\nnrows 200000\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2 3\n",
    "cut.b3dm": b"b3dm\1\0\0\0\xff\xff\xff\xff" + bytes(16),
}


def test_check_of_bad_files_says_for_each_why_it_cannot_be_used(tmp_path: Path):
    for name, content in BAD.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.city.json")
    names = [*BAD, "pipe.city.json", "absent.json"]
    status, out, _ = run("check", *(tmp_path / name for name in names), "--json")
    assert status == 3
    reports = json.loads(out)["files"]
    assert [Path(report["path"]).name for report in reports] == names
    for report in reports:
        assert not report["readable"], report
        assert len(report["problems"]) == 1, report
        assert len(report["problems"][0]["message"]) > 20, report
    assert left_in(tmp_path) == {*BAD, "pipe.city.json"}


@pytest.mark.parametrize("name", ["cut.city.json", "huge.asc", "broken.gpkg"])
def test_import_of_a_bad_file_leaves_no_project(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(BAD[name])
    status, _, errors = run("import", tmp_path / "new.gpkg", tmp_path / name)
    assert status == 3
    assert name in one_message(errors)
    assert left_in(tmp_path) == {name}


def test_usable_file_with_a_problem_ends_with_status_1(tmp_path: Path):
    path = samples.city_json(tmp_path / "a.city.json")
    path.write_bytes(path.read_bytes().replace(b"[[4, 5, 6, 7]]", b"[[4, 5, 6, 777]]"))
    status, out, _ = run("check", path, "--json")
    report = json.loads(out)
    assert (status, report["readable"]) == (1, True)
    assert report["problems"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("snapshot", "bad.city.json", "-o", "out.png"),
        ("report", "bad.city.json", "-o", "out.pdf"),
        ("export", "bad.city.json", "x", "out.geojson"),
        ("flood", "run", "bad.city.json", "-o", "out.gpkg"),
        ("flood", "exposure", "bad.city.json", "bad.city.json"),
        ("trace", "bad.city.json", "--from", "x", "--direction", "down"),
        ("sensors", "status", "bad.city.json"),
        ("log", "bad.city.json"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_no_command_stumbles_over_a_bad_file(arguments: tuple[str, ...], tmp_path: Path):
    (tmp_path / "bad.city.json").write_bytes(BAD["cut.city.json"])
    status, _, errors = finished(start(*arguments, cwd=tmp_path))
    assert status == 3, errors
    assert "bad.city.json" in one_message(errors)
    assert left_in(tmp_path) == {"bad.city.json"}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [1.5, 4.0])
def test_flood_run_that_is_stopped_leaves_no_result(sent: signal.Signals, after: float, tmp_path: Path):
    scenario = storm(tmp_path, cells=500, hours=48)
    before = left_in(tmp_path)
    process = start("flood", "run", scenario, "-o", tmp_path / "result.tif")
    time.sleep(after)
    assert process.poll() is None, process.communicate()
    process.send_signal(sent)
    status, _, errors = finished(process)
    assert status == 130
    assert one_message(errors) == "cimdesk: Cancelled."
    assert left_in(tmp_path) == before


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_import_that_is_stopped_leaves_no_project(sent: signal.Signals, tmp_path: Path):
    path = samples.city_json(tmp_path / "large.city.json", buildings=40_000)
    process = start("import", tmp_path / "new.gpkg", path, path, path)
    until = time.monotonic() + 20
    while not (tmp_path / "new.gpkg").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.poll() is None, process.communicate()
    process.send_signal(sent)
    status, _, errors = finished(process)
    assert status == 130
    assert one_message(errors) == "cimdesk: Cancelled."
    assert left_in(tmp_path) == {"large.city.json"}


STOPPED = """
from cimdesk.app import cli

def loaded(*arguments):
    exec("raise KeyboardInterrupt")

cli.STEP = loaded
raise SystemExit(cli.main(["check", "nothing.json"]))
"""


@pytest.mark.parametrize("step", ["_parser", "_set_language"])
def test_a_stop_while_modules_are_loaded_ends_like_any_other(step: str, tmp_path: Path):
    (tmp_path / "stopped.py").write_text(STOPPED.replace("STEP", step))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-m", "stopped"], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (ended.returncode, ended.stderr.strip()) == (130, "cimdesk: Cancelled.")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    files = [samples.city_json(folder / "buildings.city.json", buildings=400), samples.terrain_asc(folder / "ground.asc")]
    status, _, errors = run("import", folder / "city.gpkg", *files, "--crs", "EPSG:4547")
    assert status in (0, 1), errors
    return folder / "city.gpkg"


@pytest.mark.parametrize("name", ["out.city.json", "out.geojson", "out.gpkg", "out.csv", "out.glb"])
def test_export_to_a_full_disk_is_one_message_and_no_file(name: str, project: Path, tmp_path: Path):
    status, _, errors = run("export", project, "buildings", tmp_path / name, file_bytes=4096)
    assert status == 3, errors
    assert name in one_message(errors)
    assert left_in(tmp_path) == set()


def test_export_to_a_full_disk_keeps_the_earlier_file(project: Path, tmp_path: Path):
    (tmp_path / "out.csv").write_text("earlier")
    status, _, _ = run("export", project, "buildings", tmp_path / "out.csv", file_bytes=4096)
    assert status == 3
    assert (tmp_path / "out.csv").read_text() == "earlier"


@pytest.mark.render
@pytest.mark.parametrize("arguments", [("snapshot", "-o", "out.png"), ("report", "-o", "out.pdf"), ("report", "-o", "out.html")])
def test_figures_and_reports_on_a_full_disk_are_one_message_and_no_file(
    arguments: tuple[str, str, str], project: Path, tmp_path: Path
):
    command, option, name = arguments
    status, _, errors = run(command, project, option, tmp_path / name, file_bytes=4096)
    assert status == 3, errors
    assert name in one_message(errors) or "disk is full" in errors
    assert left_in(tmp_path) == set()


def test_import_on_a_full_disk_is_one_message_and_no_project(tmp_path: Path):
    path = samples.city_json(tmp_path / "a.city.json")
    status, _, errors = run("import", tmp_path / "new.gpkg", path, file_bytes=30_000)
    assert status == 3, errors
    assert "new.gpkg" in one_message(errors)
    assert left_in(tmp_path) == {"a.city.json"}


def test_flood_result_on_a_full_disk_is_one_message_and_no_file(tmp_path: Path):
    scenario = storm(tmp_path, cells=60, hours=0.2)
    before = left_in(tmp_path)
    status, _, errors = run("flood", "run", scenario, "-o", tmp_path / "result.tif", file_bytes=4096)
    assert status == 3, errors
    assert "result" in one_message(errors) or "disk is full" in errors
    assert left_in(tmp_path) == before
