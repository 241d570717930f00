"""A run against marks and gauges: known errors, places the run leaves dry, series, and broken tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.analysis.agreement import agreement
from cimdesk.app.cli import main
from cimdesk.base.errors import DataError, UsageError
from cimdesk.commands.flood_calibration import (
    MARKS,
    calibrate,
    calibration_data,
    calibration_of,
    set_marks,
    write_calibration_csv,
)
from cimdesk.commands.session import Session
from cimdesk.formats.flood_marks import read_marks
from cimdesk.formats.flood_result import write_result
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.sensors import Observations, Sensors
from tests.unit.commands.exposure_town import with_layers
from tests.unit.commands.test_flood_exposure import DRY, run_of, water

POOL = water(20, 20, 60, 40, 0.8)


def marks(tmp_path, text: str):
    path = tmp_path / "marks.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_agreement_of_known_pairs():
    found = agreement(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.1, 2.1, 2.8, 9.0]))
    assert found.count == 3
    assert found.bias == pytest.approx(0.0, abs=1e-12)
    assert found.mean_error == pytest.approx(0.4 / 3)
    assert found.rmse == pytest.approx(np.sqrt(0.06 / 3))
    assert found.largest == pytest.approx(0.2)
    assert found.nse == pytest.approx(1.0 - 0.06 / 2.0)


def test_a_perfect_model_has_an_efficiency_of_one_and_the_mean_one_of_nought():
    seen = np.array([0.2, 0.9, 0.4, 0.7])
    assert agreement(seen, seen).nse == pytest.approx(1.0)
    assert agreement(seen, np.full(4, seen.mean())).nse == pytest.approx(0.0)
    assert np.isnan(agreement(np.full(3, 0.5), np.array([0.4, 0.5, 0.6])).nse)
    assert agreement(np.zeros(0), np.zeros(0)).count == 0


def test_marks_of_level_and_depth_meet_the_greatest_water(tmp_path):
    path = marks(tmp_path, "name,x,y,level,depth,source\nA,30,30,0.7,,survey\nB,50,30,,0.9,photo\nC,100,100,0.5,,\nD,900,1,1,,\n")
    found = calibrate(run_of(DRY, POOL, DRY), path)
    assert [row.name for row in found.rows] == ["A", "B", "C", "D"]
    errors = [row.error for row in found.rows]
    assert errors[:2] == pytest.approx([0.1, -0.1])
    assert np.isnan(errors[2:]).all()
    assert [row.note for row in found.rows] == ["", "", "dry in the run", "outside the run"]
    assert found.missed == 2
    assert found.peaks.count == 2
    assert found.peaks.bias == pytest.approx(0.0, abs=1e-7)


def test_a_mark_on_a_wall_takes_the_water_beside_it(tmp_path):
    blocked = np.zeros((60, 60), dtype=bool)
    blocked[45, 15] = True
    depth = POOL.copy()
    depth[45, 15] = 0.0
    found = calibrate(run_of(DRY, depth, blocked=blocked), marks(tmp_path, "name,x,y,depth\nwall,31,29,0.8\n"))
    assert found.rows[0].modelled == pytest.approx(0.8)


def test_readings_with_times_are_a_series(tmp_path):
    rows = "".join(f"G,30,30,{0.8 * t / 600.0 + 0.05},{t}\n" for t in (0, 150, 300, 450, 600))
    found = calibrate(run_of(DRY, POOL), marks(tmp_path, "name,x,y,depth,time\n" + rows))
    assert len(found.rows) == 1
    fit = found.rows[0].fit
    assert fit is not None
    assert fit.count == 5
    assert fit.bias == pytest.approx(-0.05)
    assert fit.rmse == pytest.approx(0.05)
    assert 0.9 < fit.nse < 1.0


def test_water_gauges_of_the_project_are_compared_too(tmp_path):
    session = Session()
    table = {
        "name": as_strings(["Pool", "Rain", "Manhole"]),
        "quantity": as_strings(["water_depth", "rainfall", "water_depth"]),
        "unit": as_strings(["m", "mm", "m"]),
    }
    times = 1000.0 + np.array([0.0, 300.0, 600.0])
    readings = Observations.from_rows(3, np.repeat([0, 1, 2], 3), np.tile(times, 3), np.tile([0.0, 0.4, 0.8], 3))
    gauges = Sensors(
        FeatureTable(as_strings(["g1", "g2", "g3"]), table),
        np.array([[30.0, 30.0, 0.0], [30.0, 30.0, 0.0], [30.0, 30.0, -3.0]]),
        np.full((3, 3), np.nan),
        np.full(3, np.inf),
        readings,
    )
    layers = [(Layer("s", "Gauges", LayerKind.SENSORS, ""), gauges), (Layer("f", "Storm", LayerKind.FLOOD, ""), run_of(DRY, POOL))]
    with_layers(session.workspace, layers)
    found = calibration_of(session, "f")
    assert [row.name for row in found.rows] == ["Pool"]
    assert found.rows[0].fit.nse == pytest.approx(1.0)
    path = marks(tmp_path, "name,x,y,level\nA,30,30,0.7\n")
    set_marks(session, "f", path)
    assert len(calibration_of(session, "f").rows) == 2
    session.undo()
    assert MARKS not in session.workspace.layer("f").options


def test_nothing_to_compare_with_is_told():
    with pytest.raises(UsageError, match="nothing"):
        calibrate(run_of(DRY), None)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "header"),
        ("name,x,y,level\n", "header"),
        ("name,x,level\nA,1,2\n", "column y"),
        ("name,x,y\nA,1,2\n", "neither"),
        ("name,x,y,level\nA,1,b,2\nB,1,2,\n", "no row"),
    ],
)
def test_broken_tables_are_one_message(tmp_path, text, part):
    with pytest.raises(DataError, match=part):
        read_marks(marks(tmp_path, text))
    with pytest.raises(DataError):
        read_marks(tmp_path / "missing.csv")


def test_bad_rows_are_listed_and_the_rest_is_used(tmp_path):
    found, problems = read_marks(marks(tmp_path, "id;x;y;stage\n1;10;20;3,5\n2;10;20;3.5\n\n3;nan;2;1\n"))
    assert [mark.name for mark in found] == ["2"]
    assert [problem.where for problem in problems] == ["marks.csv, line 2", "marks.csv, line 5"]


def test_a_level_under_another_name_is_asked_for(tmp_path):
    path = marks(tmp_path, "x, y, ID, stage (ARR Report Final)\n30, 30, 4, 0.75\n")
    with pytest.raises(DataError, match="neither"):
        read_marks(path)
    assert read_marks(path, "stage (ARR Report Final)")[0][0].level == 0.75
    with pytest.raises(DataError, match="no column"):
        read_marks(path, "height")


def test_the_table_and_the_json_say_what_run_it_is(tmp_path):
    found = calibrate(run_of(DRY, POOL), marks(tmp_path, "name,x,y,level\nA,30,30,0.7\nC,100,100,0.5\n"))
    assert write_calibration_csv(tmp_path / "out.csv", found) == 2
    text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert "screening" in text.splitlines()[1]
    assert "bias +0.10 m" in text.splitlines()[2]
    assert "A,30.000,30.000,level,0.700,0.800,0.100" in text
    data = calibration_data(found)
    assert data["marks"][1]["modelled_m"] is None
    assert data["peaks"]["count"] == 1
    json.dumps(data, allow_nan=False)


def test_the_command_line_calibrates(tmp_path, capsys):
    run = write_result(tmp_path / "run.flood", run_of(DRY, POOL))
    path = marks(tmp_path, "name,x,y,level\nA,30,30,0.7\nbad,1\n")
    assert main(["flood", "calibrate", str(run), str(path), "--json", "--csv", str(tmp_path / "o.csv")]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["peaks"]["bias_m"] == pytest.approx(0.1, abs=1e-3)
    assert (tmp_path / "o.csv").exists()
