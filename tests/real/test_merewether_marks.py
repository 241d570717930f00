"""The five surveyed marks of Merewether, 2007, held against a run as a person would: a table of marks, bias, RMSE."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cimdesk.app.cli import main
from cimdesk.commands.flood import run_file
from cimdesk.commands.flood_calibration import calibrate
from cimdesk.formats.flood_result import read_result
from tests.real.test_merewether import case_of, observed, write_scenario

pytestmark = pytest.mark.real


def test_the_marks_of_merewether_agree_with_the_run(real_data: Path, tmp_path: Path, capsys):
    case = case_of(real_data)
    run_file(write_scenario(case, tmp_path, 2.0), tmp_path / "run.flood")
    marks = tmp_path / "marks.csv"
    rows = [f"{point['id']:.0f},{point['x']},{point['y']},{point['observed']},ARR Project 15" for point in observed(case)]
    marks.write_text("name,x,y,level,source\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = calibrate(read_result(tmp_path / "run.flood"), marks)
    assert found.peaks.count == 5
    assert found.missed == 0
    # Peaks, not the steady level: what the street reached is what a mark shows.
    assert found.peaks.mean_error < 0.25
    assert found.peaks.rmse < 0.3
    # Levels of 18 to 24 m on a steep street: the fall alone gives a high efficiency, so this only tells that nothing is mixed up.
    assert found.peaks.nse > 0.95
    spread = np.array([row.error for row in found.rows])
    assert found.peaks.bias == pytest.approx(spread.mean())
    # The table of the case itself, with the level under its own name, says the same.
    own = case / "Observations" / "ObservationPoints.csv"
    assert (
        main(["flood", "calibrate", str(tmp_path / "run.flood"), str(own), "--column", "stage (ARR Report Final)", "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["peaks"]["rmse_m"] == pytest.approx(found.peaks.rmse, abs=1e-6)
    print(f"\nbias {found.peaks.bias:+.3f} m, mean error {found.peaks.mean_error:.3f} m, RMSE {found.peaks.rmse:.3f} m")
