"""Footprints in, buildings out, and the cards of both, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cimdesk.app.cli import main
from tests.unit.formats import footprint_files as files
from tests.unit.formats.cityjson_meaning import meaning


def told(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "town.gpkg"
    source = files.geoparquet(tmp_path / "blocks.parquet")
    main(["import", str(path), str(source), "--extrude", "--height", "height", "--default-height", "5", "--json"])
    rows = told(capsys)["layers"]
    assert [(row["name"], row["kind"], row["features"]) for row in rows] == [
        ("blocks", "vector", 3),
        ("blocks as buildings", "buildings", 3),
    ]
    return path


def test_chosen_buildings_are_exported_with_their_stages(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    marking = ["--to", "operation", "--date", "2024-05-01", "--by", "Li", "--why", "built"]
    assert main(["stage", str(project), "blocks-as-buildings:a", *marking]) == 0
    capsys.readouterr()
    out = tmp_path / "some.city.json"
    assert main(["export", str(project), "blocks as", str(out), "--ids", "a", "court", "--stages", "--json"]) == 0
    assert told(capsys)["features"] == 2
    objects = meaning(out)["objects"]
    assert set(objects) == {"a", "court"}
    assert objects["a"]["attributes"]["lifecycle_stage"] == "operation"
    assert "lifecycle_stage" not in objects["court"]["attributes"]


def test_a_file_that_is_added_tells_its_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["import", str(tmp_path / "p.gpkg"), str(files.flatgeobuf(tmp_path / "blocks.fgb")), "--extrude", "--json"])
    cards = {row["name"]: row["card"] for row in told(capsys)["layers"]}
    assert (cards["blocks"]["cim_level"], cards["blocks as buildings"]["cim_level"]) == (1, 2)
    assert {card["grade"] for card in cards.values()} <= set("ABCD")


def test_files_without_outlines_cannot_be_extruded(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from tests import samples

    city = samples.city_json(tmp_path / "city.city.json")
    assert main(["import", str(tmp_path / "p.gpkg"), str(city), "--extrude"]) == 2
    assert "no layer" in capsys.readouterr().err.lower()


def test_help_of_export_names_every_format(capsys: pytest.CaptureFixture[str]):
    from cimdesk.commands.export import CITY_SUFFIXES, TERRAIN_SUFFIXES, VECTOR_SUFFIXES

    with pytest.raises(SystemExit):
        main(["export", "--help"])
    said = capsys.readouterr().out
    assert [suffix for suffix in (*CITY_SUFFIXES, *VECTOR_SUFFIXES, *TERRAIN_SUFFIXES) if suffix not in said] == []
