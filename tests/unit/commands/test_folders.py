"""Folders of many files: what can be opened in them, datasets that are folders, and what is left alone."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from cimdesk.app.cli import main
from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import folders
from cimdesk.formats.raster import write_geotiff
from cimdesk.model.terrain import Terrain
from tests.unit.formats.las_files import town, write_las
from tests.unit.formats.tile_files import square_glb, tile, write_tileset

GML = '<?xml version="1.0"?><core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0"></core:CityModel>'
POINTS = {"type": "FeatureCollection", "features": []}


@pytest.fixture
def udx(tmp_path):
    """A folder as surveys deliver them: city models by theme, code lists beside, a tileset, points, and things that are none."""
    for theme, count in (("bldg", 3), ("tran", 1)):
        (tmp_path / "udx" / theme).mkdir(parents=True)
        for k in range(count):
            (tmp_path / "udx" / theme / f"5339{k}.gml").write_text(GML)
    (tmp_path / "codelists").mkdir()
    (tmp_path / "codelists" / "Building_class.xml").write_text(GML)
    (tmp_path / "tiles").mkdir()
    write_tileset(tmp_path / "tiles", tile("a.glb"), {"a.glb": square_glb()})
    write_las(tmp_path / "survey.laz", *town(50))
    (tmp_path / "readme.txt").write_text("Nothing to open here, only words about the survey.")
    (tmp_path / ".hidden.gml").write_text(GML)
    (tmp_path / "empty.gml").write_text("")
    return tmp_path


def test_what_can_be_opened_is_told_by_sub_folder_and_format(udx):
    found = folders.grouped(folders.files_in(udx))
    told = [(group.place, group.format, len(group.files)) for group in found]
    assert told == [("", "3D Tiles", 1), ("", "LAS", 1), (os.path.join("udx", "bldg"), "CityGML", 3),
                    (os.path.join("udx", "tran"), "CityGML", 1)]  # fmt: skip
    assert found[2].size == 3 * len(GML)
    assert [each.path.name for each in found[2].files] == ["53390.gml", "53391.gml", "53392.gml"]


def test_folders_that_are_datasets_are_not_taken_apart(udx, tmp_path):
    assert folders.is_plain_folder(udx / "udx")
    assert not folders.is_plain_folder(udx / "tiles")
    assert not folders.is_plain_folder(udx / "survey.laz")
    assert not folders.is_plain_folder(udx / "nowhere")
    (tmp_path / "dem").mkdir()
    write_geotiff(tmp_path / "dem" / "a.tif", Terrain(np.ones((4, 4), np.float32), 0.0, 40.0, 10.0, 10.0), None)
    assert not folders.is_plain_folder(tmp_path / "dem")


def test_links_are_not_followed(udx, tmp_path):
    (udx / "loop").symlink_to(udx)
    (udx / "linked.gml").symlink_to(udx / "udx" / "bldg" / "53390.gml")
    assert len(folders.files_in(udx)) == 6


def test_nothing_and_far_too_much_are_refused_with_what_to_do(tmp_path, monkeypatch, udx):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.txt").write_text("words")
    with pytest.raises(DataError, match="nothing in the folder") as caught:
        folders.files_in(tmp_path / "none")
    assert caught.value.remedy
    monkeypatch.setattr(folders, "MOST_FILES", 2)
    with pytest.raises(DataError, match="more than 2 files"):
        folders.files_in(udx)


def test_looking_through_can_be_cancelled(tmp_path):
    for k in range(40):
        (tmp_path / f"{k}.gml").write_text(GML)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        folders.files_in(tmp_path, cancel=cancel)


def test_import_takes_the_files_of_a_folder(tmp_path, capsys):
    (tmp_path / "survey").mkdir()
    for k in range(2):
        write_las(tmp_path / "survey" / f"part{k}.laz", *town(60, seed=k))
    assert main(["import", str(tmp_path / "p.gpkg"), str(tmp_path / "survey"), "--json"]) in (0, 1)
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["layers"]] == ["part0", "part1"]
