"""Measures as records, results that can be run again, and what-ifs from files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.app.cli import main
from cimdesk.base.errors import DataError, UsageError
from cimdesk.commands import measures, projects
from cimdesk.commands.flood import run_file, run_job
from cimdesk.commands.flood_kept import kept_scenario
from cimdesk.commands.flood_whatif import plan, whatif_file, whatif_job
from cimdesk.formats.flood_result import read_result
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_statement import rain_depth
from cimdesk.model.measures import KINDS, Measure, measures_of
from cimdesk.model.terrain import Terrain

CELL, ROWS, COLUMNS = 5.0, 60, 90
WALL = '[[measure]]\nkind = "wall"\nname = "Quay"\nline = [[220.0, 110.0], [220.0, 190.0]]\nheight = 1.5\n'


@pytest.fixture(scope="module")
def storm(tmp_path_factory):
    """A flood of a small valley, run from a scenario file."""
    folder = tmp_path_factory.mktemp("storm")
    rows, columns = np.indices((ROWS, COLUMNS))
    ground = (20.0 - 0.01 * CELL * columns + 0.002 * (rows - ROWS / 2.0) ** 2).astype(np.float32)
    write_geotiff(folder / "ground.tif", ground, None, grid=Terrain(ground, 0.0, ROWS * CELL, CELL, CELL))
    (folder / "storm.toml").write_text(
        '[scenario]\nname = "storm"\nterrain = "ground.tif"\nduration = "30min"\noutput_every = "2min"\n'
        "[[rain]]\nrate_mm_h = 80.0\nduration = '15min'\n[[boundary]]\nedge = 'east'\nkind = 'free'\n",
        encoding="utf-8",
    )
    run_file(folder / "storm.toml", folder / "storm.flood")
    return folder


@pytest.fixture
def session(tmp_path):
    session = projects.create(tmp_path / "city.gpkg")
    yield session
    session.close()


def test_a_measure_comes_back_from_its_record_as_it_was():
    measure = Measure("breach", "Dike", ((1.0, 2.0),), ((0.0, 2.0), (2.0, 2.0)), {"width": 20.0}, (), False, "me", 5.0, "test")
    assert Measure.from_record(measure.to_record()) == measure


def test_spoilt_records_are_no_measures(session):
    document = session.workspace.document
    document.apply([document.put("measure", "a", {"kind": "dragon"}), document.put("measure", "b", {"kind": "wall", "line": "x"})])
    document.apply([document.put("measure", "c", {"kind": "wall", "line": [[0, 1, 2]]})])
    assert set(measures_of(document)) == {"b"}


def test_measures_survive_saving_and_undo(session, tmp_path):
    key = measures.draw(session, "wall", ((0.0, 0.0), (10.0, 0.0)), {"height": 2.0}, why="to see")
    measures.change(session, key, name="Quay")
    measures.set_enabled(session, [key], False)
    session.close()
    again = projects.open_project(tmp_path / "city.gpkg")
    (wall,) = measures.measures(again).values()
    assert (wall.name, wall.enabled, wall.why, wall.numbers["height"]) == ("Quay", False, "to see", 2.0)
    again.undo()
    assert measures.measures(again)[key].enabled
    again.close()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unblock"])
def test_every_kind_can_be_drawn_and_put_on_a_grid(session, storm, kind):
    from cimdesk.commands.flood_whatif import with_measures

    key = measures.draw(session, kind, ((150.0, 150.0), (200.0, 160.0)), {"bottom": 10.0} if kind == "breach" else {})
    measure = measures.measures(session)[key]
    changed = with_measures(kept_scenario(storm / "storm.flood"), measures.as_inputs([measure]), "changed")
    before = kept_scenario(storm / "storm.flood")
    is_changed = not np.array_equal(changed.terrain.elevations, before.terrain.elevations)
    assert is_changed or changed.beds or changed.devices or kind == "opening"


def test_too_few_points_are_refused(session):
    with pytest.raises(UsageError, match="more points"):
        measures.draw(session, "wall", ((0.0, 0.0),), {})
    with pytest.raises(UsageError, match="first"):
        measures.unblock(session, [])


def test_two_measures_never_have_one_name(session):
    for _ in range(3):
        measures.draw(session, "storage", ((0.0, 0.0),), {})
    assert len({measure.name for measure in measures.measures(session).values()}) == 3


def test_a_result_keeps_its_scenario_to_the_last_bit(storm):
    from cimdesk.commands.flood import inputs_hash
    from cimdesk.commands.flood_scenario import load_scenario

    assert inputs_hash(kept_scenario(storm / "storm.flood")) == inputs_hash(load_scenario(storm / "storm.toml"))


def test_a_result_without_its_scenario_says_what_to_do(storm, tmp_path):
    (tmp_path / "alone.flood").write_bytes((storm / "storm.flood").read_bytes())
    (tmp_path / "wall.toml").write_text(WALL, encoding="utf-8")
    with pytest.raises(DataError, match="how it was made"):
        whatif_file(tmp_path / "alone.flood", tmp_path / "wall.toml", tmp_path / "out.flood")


def test_no_measure_and_one_off_the_grid_are_refused(storm):
    parent = read_result(storm / "storm.flood")
    with pytest.raises(UsageError, match="switched on"):
        plan(parent, [])
    with pytest.raises(UsageError, match="off the grid"):
        plan(parent, [Measure("wall", "Far", ((1e6, 1e6), (1e6 + 10.0, 1e6)))])


def test_a_short_run_is_made_again_as_a_whole(storm):
    parent = read_result(storm / "storm.flood")
    wall = Measure("wall", "Quay", ((220.0, 110.0), (220.0, 190.0)))
    assert plan(parent, [wall]).window is None
    assert plan(parent, [wall], whole=False).window is not None


def test_a_file_of_measures_is_run_from_the_command_line(storm, tmp_path, capsys):
    (tmp_path / "wall.toml").write_text(WALL, encoding="utf-8")
    out = tmp_path / "wall.flood"
    code = main(
        ["flood", "whatif", str(storm / "storm.flood"), "--measures", str(tmp_path / "wall.toml"), "-o", str(out), "--json"]
    )
    assert code == 0
    data = json.loads(capsys.readouterr().out)
    assert data["depth_difference"]["max_increase_m"] > 0.05
    assert data["exposure_difference"] is None
    assert abs(data["mass_error"]) < 1e-6
    assert read_result(out).name == "storm + Quay"
    assert kept_scenario(out).metadata["measures"] == ["Quay"]


def test_gauges_in_a_window_and_beyond_it_keep_the_times_of_the_whole(storm, tmp_path, monkeypatch):
    monkeypatch.setattr("cimdesk.commands.flood_whatif.MARGIN", 40.0)
    text = (storm / "storm.toml").read_text(encoding="utf-8")
    gauges = "".join(f"[[gauge]]\nname = '{name}'\nat = [{x}, 150.0]\n" for name, x in (("near", 210.0), ("far", 3.0)))
    gauges += "[[gauge]]\nname = 'across'\nat = [[180.0, 120.0], [180.0, 180.0]]\n"
    (storm / "gauged.toml").write_text(text + gauges, encoding="utf-8")
    run_file(storm / "gauged.toml", tmp_path / "gauged.flood")
    sill = WALL.replace("110.0", "146.0").replace("190.0", "154.0").replace("1.5", "0.1")
    (tmp_path / "wall.toml").write_text(sill, encoding="utf-8")
    before = read_result(tmp_path / "gauged.flood")
    whatif_file(tmp_path / "gauged.flood", tmp_path / "wall.toml", tmp_path / "wall.flood", whole=False)
    after = read_result(tmp_path / "wall.flood")
    for old, new in zip(before.gauges, after.gauges, strict=True):
        np.testing.assert_array_equal(new.times, old.times)
    rise = {new.gauge.name: new.depths[-1] - old.depths[-1] for old, new in zip(before.gauges, after.gauges, strict=True)}
    assert rise["near"] > 0.002  # dammed up a little
    assert after.statistics["window"][0] > 5.0, "the far one lies beyond"
    assert rise["far"] == 0.0
    bed = [series.levels - series.depths for series in (before.gauges[0], after.gauges[0])]
    np.testing.assert_allclose(*bed, atol=1e-9)
    assert not np.array_equal(before.lines[0].discharges, after.lines[0].discharges)
    assert rain_depth(after) == pytest.approx(rain_depth(before))


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no measure"), ("[[measure]]\nkind = 'moat'\n", "not one of"), ("x = 1\n", "no such field"), ("[[", "not valid TOML")],
)
def test_bad_files_of_measures_are_refused_in_one_message(storm, tmp_path, text, said):
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        whatif_file(storm / "storm.flood", tmp_path / "bad.toml", tmp_path / "out.flood")
    assert not (tmp_path / "out.flood").exists()


def test_a_run_with_measures_is_a_layer_a_result_and_a_scenario(session, storm):
    session.run(run_job(session, kept_scenario(storm / "storm.flood")))
    parent = next(layer.id for layer in session.workspace.layers())
    key = measures.draw(session, "wall", ((220.0, 110.0), (220.0, 190.0)), {"height": 1.5}, name="Quay")
    off = measures.draw(session, "wall", ((300.0, 110.0), (300.0, 190.0)), {})
    measures.set_enabled(session, [off], False)
    session.run(whatif_job(session, parent, whole=False))
    layer = next(layer for layer in session.workspace.layers() if layer.id != parent)
    result = session.workspace.data(layer.id)
    assert isinstance(result, FloodResult)
    assert layer.name == "storm + Quay"
    assert result.statistics["parent"] == "storm"
    (scenario,) = session.workspace.document.records("scenario").values()
    assert scenario["measures"] == [key]
    assert scenario["window"] == result.statistics["window"]
    session.run(whatif_job(session, parent, [off], whole=False))
    assert len(session.workspace.document.records("scenario")) == 2


def test_the_same_measures_meet_another_storm_as_one_scenario(session, storm):
    from cimdesk.commands.flood_whatif import storm_with_measures

    with pytest.raises(UsageError, match="switched on"):
        storm_with_measures(session, kept_scenario(storm / "storm.flood"), "100 years")
    key = measures.draw(session, "wall", ((220.0, 110.0), (220.0, 190.0)), {"height": 1.5}, name="Quay")
    name, made = storm_with_measures(session, lambda: kept_scenario(storm / "storm.flood"), "100 years")
    assert name == made().name == "100 years + Quay"
    (scenario,) = session.workspace.document.records("scenario").values()
    assert (scenario["storm"], scenario["measures"]) == ("100 years", [key])
