"""The command line does what its page promises: keys of the JSON, exit statuses, one message for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cimdesk.app.cli import main
from cimdesk.app.sessions import meant
from tests import samples

pytestmark = pytest.mark.e2e


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict, str]:
    """Run one command with --json; return its status, its document and its standard error."""
    try:
        status = main([str(argument) for argument in arguments] + ["--json"])
    except SystemExit as stop:
        status = int(stop.code or 0)
    captured = capsys.readouterr()
    return status, json.loads(captured.out) if captured.out else {}, captured.err


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "city.gpkg"
    files = [
        samples.city_json(tmp_path / "buildings.city.json"),
        samples.drainage_inp(tmp_path / "drainage.inp"),
        samples.sensors_csv(tmp_path / "gauges.csv"),
        samples.terrain_asc(tmp_path / "ground.asc"),
    ]
    status, document, errors = run(capsys, "import", path, *files, "--crs", "EPSG:4547")
    assert status == 0, (document, errors)
    return path


def test_check_reports_what_a_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    status, report, _ = run(capsys, "check", samples.city_json(tmp_path / "a.city.json"))
    assert status == 0
    assert report["objects"] == {"Building": 3}
    assert (report["format"], report["version"], report["crs"], report["readable"]) == ("CityJSON", "2.0", "EPSG:4547", True)
    assert report["extent"] == pytest.approx([samples.EAST, samples.NORTH, 0, samples.EAST + 50, samples.NORTH + 10, 12])


def test_check_of_several_files_refuses_the_bad_one_and_reads_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    good, bad = samples.city_json(tmp_path / "a.city.json"), tmp_path / "b.city.json"
    bad.write_bytes(good.read_bytes()[:200])
    status, document, _ = run(capsys, "check", good, bad)
    assert status == 3
    assert [report["readable"] for report in document["files"]] == [True, False]
    assert document["files"][1]["problems"][0]["severity"] == "error"


def test_import_lists_its_layers(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    status, document, _ = run(capsys, "import", project, samples.city_json(tmp_path / "more.city.json", buildings=5))
    assert status == 0
    assert [(row["kind"], row["features"]) for row in document["layers"]] == [("buildings", 5)]


def test_import_of_a_missing_file_says_so_and_makes_no_half_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    status, document, errors = run(capsys, "import", tmp_path / "new.gpkg", tmp_path / "absent.json")
    assert (status, document) == (3, {})
    assert "absent.json" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "new.gpkg").exists()


@pytest.mark.parametrize("name", ["out.city.json", "out.city.jsonl", "out.geojson", "out.gpkg", "out.csv", "out.glb"])
def test_export_writes_every_building(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str):
    status, document, errors = run(capsys, "export", project, "buildings", tmp_path / name)
    assert status == 0, errors
    assert document["features"] == 3
    status, report, _ = run(capsys, "check", tmp_path / name)
    assert report["readable"]


def test_export_to_a_wrong_format_names_the_choices(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    status, _, errors = run(capsys, "export", project, "ground", tmp_path / "out.glb")
    assert status == 2
    assert ".tif" in errors


def test_trace_downstream_reaches_the_outfall(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for source in (project, tmp_path / "drainage.inp"):
        status, found, errors = run(capsys, "trace", source, "--from", "M2", "--direction", "down")
        assert status == 0, errors
        assert set(found["nodes"]) == {"M2", "M3", "O1"}
        assert set(found["links"]) == {"C2", "C3"}
        assert found["length_m"] == pytest.approx(100.0)


def test_trace_from_nowhere_is_bad_usage(project: Path, capsys: pytest.CaptureFixture[str]):
    status, _, errors = run(capsys, "trace", project, "--from", "nowhere", "--direction", "up")
    assert status == 2
    assert "nowhere" in errors


def test_stage_marks_legal_changes_and_refuses_others_with_the_reason(project: Path, capsys: pytest.CaptureFixture[str]):
    common = ("--by", "Planning bureau", "--why", "doc 26-118")
    status, document, errors = run(capsys, "stage", project, "b0", "b1", "--to", "planning", "--date", "2026-01-05", *common)
    assert status == 0, errors
    assert len(document["changed"]) == 2
    status, document, _ = run(capsys, "stage", project, "b0", "b2", "--to", "operation", "--date", "2026-02-05", *common)
    assert status == 1
    assert [row["id"].split(":")[-1] for row in document["refused"]] == ["b0"]
    assert document["refused"][0]["reason"]


def test_stage_lists_an_unknown_asset_with_the_refused_and_marks_the_rest(project: Path, capsys: pytest.CaptureFixture[str]):
    marked = ("--to", "planning", "--date", "2026-01-05", "--by", "Planning bureau", "--why", "doc 26-118")
    status, document, errors = run(capsys, "stage", project, "b1", "nowhere", *marked)
    assert status == 1, errors
    assert [name.split(":")[-1] for name in document["changed"]] == ["b1"]
    assert [row["id"] for row in document["refused"]] == ["nowhere"]
    status, _, errors = run(capsys, "stage", project, "nowhere", *marked)
    assert status == 2
    assert "nowhere" in errors


def test_log_tells_every_step_and_verifies_its_chain(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run(capsys, "stage", project, "b0", "--to", "planning", "--date", "2026-01-05", "--by", "A", "--why", "B")
    status, document, _ = run(capsys, "log", project, "--verify", "--csv", tmp_path / "log.csv")
    assert status == 0
    assert document["intact"] is True
    assert document["first_bad"] is None
    assert document["events"] >= 2
    assert len((tmp_path / "log.csv").read_text(encoding="utf-8-sig").splitlines()) == document["events"] + 1


def test_sensor_status_counts_every_sensor(project: Path, capsys: pytest.CaptureFixture[str]):
    status, document, _ = run(capsys, "sensors", "status", project, "--at", "2026-06-07T12:50")
    assert status == 0
    assert sum(document["counts"].values()) == 2
    status, document, _ = run(capsys, "sensors", "status", project, "--at", "2026-06-09T12:50")
    assert document["counts"]["stale"] == 2


def test_an_alarm_is_told_with_its_unit(project: Path, capsys: pytest.CaptureFixture[str]):
    _, document, _ = run(capsys, "sensors", "status", project, "--at", "2026-06-07T12:50")
    assert document["time"] == "2026-06-07T04:50:00Z"
    assert all(alarm["unit"] for alarm in document["alarms"])


@pytest.mark.render
def test_snapshot_writes_a_picture_of_the_asked_size(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "view.png"
    status, document, errors = run(capsys, "snapshot", project, "-o", out, "--size", "640x360")
    assert status == 0, errors
    with Image.open(out) as picture:
        assert (document["width"], document["height"]) == picture.size == (640, 360)
        assert len(picture.convert("RGB").getcolors(640 * 360)) > 200


@pytest.mark.render
def test_report_is_written_in_both_languages(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for language in ("en", "zh_CN"):
        status, document, errors = run(capsys, "report", project, "-o", tmp_path / f"{language}.pdf", "--lang", language)
        assert status == 0, errors
        assert document["pages"] >= 1
        assert (tmp_path / f"{language}.pdf").read_bytes().startswith(b"%PDF-")
    status, _, errors = run(capsys, "report", project, "-o", tmp_path / "report.html")
    assert status == 0, errors
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_flood_run_writes_its_result_and_the_numbers_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    samples.terrain_asc(tmp_path / "ground.asc")
    (tmp_path / "rain.csv").write_text("time,rain_mm_h\n0,60\n1800,0\n")
    scenario = tmp_path / "storm.toml"
    scenario.write_text(
        '[scenario]\nname = "storm"\nterrain = "ground.asc"\ncell = 5.0\nduration = "1h"\noutput_every = "10min"\n'
        '[surface]\nmanning = 0.03\n[[rain]]\nhyetograph = "rain.csv"\n'
        f'[[gauge]]\nname = "hollow"\nat = [{samples.EAST + 40}, {samples.NORTH + 5}]\n'
    )
    status, document, errors = run(capsys, "flood", "run", scenario, "-o", tmp_path / "storm.flood")
    assert status == 0, errors
    promised = {"cells", "steps", "seconds", "cell_updates_per_s", "mass_error", "max_depth_m", "wet_area_m2", "gauges"}
    assert promised <= set(document)
    assert abs(document["mass_error"]) < 1e-6
    assert document["gauges"][0]["max_depth_m"] > 0.1
    assert (tmp_path / "storm.flood").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("snapshot", "x.gpkg"),
        ("snapshot", "x.gpkg", "-o", "y.png", "--size", "0x9"),
        ("stage", "x.gpkg", "b0", "--to", "flying"),
        ("stage", "x.gpkg", "b0", "--to", "planning", "--date", "8/6/2026", "--by", "A", "--why", "B"),
        ("sensors", "status", "x.gpkg", "--at", "noon"),
        ("chek", "x.gpkg"),
        ("snapshot", "x.gpkg", "-o", "y.png", "--time", "noon"),
        ("snapshot", "x.gpkg", "-o", "y.jpg"),
    ],
)
def test_bad_usage_ends_with_status_two(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    assert run(capsys, *arguments)[0] == 2


def test_the_window_opens_on_what_is_given_with_options_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened = []
    monkeypatch.setattr("cimdesk.app.main.run_window", lambda paths, theme, language: opened.append((paths, theme, language)) or 0)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    project = tmp_path / "city.gpkg"
    assert main(["--lang", "zh_CN", "--theme", "dark", str(project)]) == 0
    assert main([]) == 0
    assert opened == [([project], "dark", "zh_CN"), ([], None, None)]


def test_a_project_is_told_from_data(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    status, document, _ = run(capsys, "check", project)
    assert status == 0
    assert document["format"] == "cimdesk project"
    assert document["objects"]["layers"] == len(document["layers"]) > 0
    status, _, errors = run(capsys, "import", tmp_path / "other.gpkg", project)
    assert status == 3
    assert "is a cimdesk project" in errors
    assert not (tmp_path / "other.gpkg").exists()


def test_names_may_be_written_short_and_in_any_case_while_only_one_fits():
    names = {"city": "Buildings", "b2": "Bridges", "drainage": "Drainage 排水"}
    assert meant("city", names) == meant("buildings", names) == meant("BUILD", names) == "city"
    assert meant("Drainage", names) == "drainage"
    assert meant("B", names) is None
    assert meant("roads", names) is None


def test_output_that_nobody_reads_to_its_end_is_no_error(tmp_path: Path):
    command = [sys.executable, "-m", "cimdesk", "check", *["nothing.json"] * 40]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert errors == b""


def test_a_file_that_is_no_project_is_refused_with_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    fake = tmp_path / "fake.gpkg"
    fake.write_bytes(b"SQLite format 3\x00" + b"\xff" * 500)
    for arguments in (("report", fake, "-o", tmp_path / "r.pdf"), ("log", fake), ("sensors", "status", fake)):
        status, _, errors = run(capsys, *arguments)
        assert status == 3
        assert "fake.gpkg" in errors
        assert "Traceback" not in errors
