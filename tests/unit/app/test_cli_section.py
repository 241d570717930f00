"""Sections from the command line: figures for scripts, a table, and one line for what makes no sense."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cimdesk.app.cli import main
from cimdesk.formats.flood_result import write_result
from tests.unit.commands.test_flood_outputs import CRS, flood


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return write_result(tmp_path / "a.flood", flood("Übung"), CRS)


def test_a_section_of_a_result_tells_ground_and_water_along_the_line(result, capsys):
    line = ["433001,2558001", "433031,2558001"]
    assert main(["flood", "section", str(result), "--line", *line, "--at", "20min", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["length_m"] == pytest.approx(30.0)
    assert told["flood"] == "Übung"
    row = flood().depths[2][9]
    depths = np.array([np.nan if d is None else d for d in told["depth_m"]])
    columns = np.clip((np.array(told["x"]) - 433_000.0) // 2.0, 0, 15).astype(int)
    np.testing.assert_allclose(depths, np.where(row[columns] > 0.01, row[columns], 0.0), atol=1e-3)
    assert told["max_depth_m"] == pytest.approx(float(depths.max()), abs=1e-4)
    assert told["buildings"] == told["pipes"] == told["files"] == []


def test_the_fullest_moment_is_taken_where_none_is_said_and_a_table_is_written(result, tmp_path, capsys):
    out = tmp_path / "s.csv"
    assert main(["flood", "section", str(result), "--line", "433001,2558001", "433031,2558010", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    fullest = int(np.argmax(flood().volume))
    assert told["time"].startswith(np.datetime_as_string(np.datetime64(int(1.7e9 + flood().times[fullest]), "s"))[:19])
    assert told["files"] == [str(out)]
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(told["along_m"]) + 1


@pytest.mark.parametrize("line", [["1,2"], ["1,2", "three"], ["1,2", "1,2"]])
def test_a_line_that_is_none_is_refused(result, line, capsys):
    assert main(["flood", "section", str(result), "--line", *line]) in (2, 3)
    assert "Traceback" not in capsys.readouterr().err
