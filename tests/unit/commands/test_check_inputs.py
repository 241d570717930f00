"""Checking scenarios, folders without data and files that are not what their name says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cimdesk.base.errors import DataError
from cimdesk.commands import folders
from cimdesk.commands.checking import check
from cimdesk.formats.pointcloud import PointCloudReader
from cimdesk.formats.registry import ReadOptions

SCENARIO = '[scenario]\nterrain = "ground.asc"\nduration = "1h"\n[[gauge]]\nname = "a"\nat = [1.0, 2.0]\n'
MEASURES = '[[measure]]\nkind = "unblock"\nnodes = ["a"]\n'


@pytest.fixture
def scenario(tmp_path: Path):
    def written(text: str) -> Path:
        (tmp_path / "ground.asc").write_text("ncols 1\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n1\n")
        path = tmp_path / "storm.toml"
        path.write_text(text)
        return path

    return written


def _only(report):
    assert not report["readable"]
    (problem,) = report["problems"]
    return problem


def test_a_scenario_is_checked_by_what_it_asks_for(scenario):
    report = check(scenario(SCENARIO))
    assert report["readable"]
    assert report["format"] == "cimdesk scenario"
    assert report["objects"]["gauges"] == 1


def test_a_file_of_measures_is_checked(scenario):
    report = check(scenario(MEASURES))
    assert (report["format"], report["objects"]) == ("cimdesk measures", {"measures": 1})


@pytest.mark.parametrize(
    ("right", "wrong"), [("duration", "duratoin"), ("terrain", "terain"), ("name", "nmae"), ("gauge", "guage")]
)
def test_a_misspelt_field_is_named_with_the_one_that_was_meant(scenario, right, wrong):
    text = SCENARIO.replace("[scenario]\n", '[scenario]\noutput_every = "5min"\n')
    problem = _only(check(scenario(text.replace(right, wrong, 1))))
    assert problem["where"].split(".")[-1] == wrong or problem["where"].startswith(wrong)
    assert problem["message"] == f"there is no such field. Write '{right}' instead."


def test_a_field_that_is_missing_is_said_to_be_missing(scenario):
    problem = _only(check(scenario('[scenario]\nterrain = "ground.asc"\n')))
    assert (problem["where"], problem["message"]) == ("scenario.duration", "the field is missing.")


@pytest.mark.parametrize("files", [[], ["notes.md", "x.bin"]])
def test_a_folder_without_data_is_told_as_the_window_tells_it(tmp_path, files):
    for name in files:
        (tmp_path / name).write_bytes(b"nothing of use")
    with pytest.raises(DataError) as refused:
        folders.files_in(tmp_path)
    assert _only(check(tmp_path))["message"] == f"{refused.value.message} {refused.value.remedy}"


def test_a_letter_named_gml_is_told_by_its_name_alone(tmp_path):
    path = tmp_path / "letter.gml"
    path.write_text("Dear all,\n")
    assert "vsisubfile" not in _only(check(path))["message"]


def test_a_glance_and_a_reading_of_noise_named_laz_tell_the_same(tmp_path):
    path = tmp_path / "noise.laz"
    path.write_bytes(bytes(range(1, 251)) * 4)
    told = []
    for read in (PointCloudReader().read, PointCloudReader().glance):
        with pytest.raises(DataError) as refused:
            read(path, ReadOptions())
        told.append(refused.value.message)
    assert told == ["this is no LAS file: it does not begin with LASF."] * 2
