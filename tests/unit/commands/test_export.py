"""Layers written to files: the suffix names the format, whatever its case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands import sources
from cimdesk.commands.export import ExportOptions, export_layer
from cimdesk.commands.session import Session
from cimdesk.model.flood import FloodResult
from cimdesk.model.terrain import Terrain
from tests import samples
from tests.unit.project.cities import add_layer, vector_layer


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session()
    sources.import_files(session, [samples.city_json(tmp_path / "city.json"), samples.terrain_asc(tmp_path / "ground.asc")])
    add_layer(session, "points", vector_layer(3))
    return session


def dry_flood() -> FloodResult:
    grid = np.zeros((2, 2), dtype=np.float32)
    frames, none = np.zeros((1, 2, 2), dtype=np.float32), np.zeros(1)
    terrain = Terrain(grid, 0.0, 20.0, 10.0, 10.0)
    return FloodResult("dry", terrain, grid > 0, 0.0, none, frames, grid, grid, grid, grid, (), none, none)


@pytest.mark.parametrize(
    ("layer", "name", "start"),
    [
        ("points", "out.GeoJSON", b"{"),
        ("points", "out.CSV", b"\xef\xbb\xbf"),
        ("points", "out.GPKG", b"SQLite format 3"),
        ("city", "out.GLB", b"glTF"),
        ("city", "out.JSON", b"{"),
        ("ground", "out.ASC", b"ncols"),
        ("ground", "out.TIF", b"II*\0"),
    ],
)
def test_a_suffix_in_capitals_means_the_same_format(session: Session, tmp_path: Path, layer: str, name: str, start: bytes):
    assert export_layer(session, layer, tmp_path / name) > 0
    assert (tmp_path / name).read_bytes().startswith(start)


def test_only_the_wanted_features_are_written(session: Session, tmp_path: Path):
    assert export_layer(session, "points", tmp_path / "some.csv", ExportOptions(["p0", "p2"])) == 2
    assert "p1" not in (tmp_path / "some.csv").read_text(encoding="utf-8-sig")


def test_identifiers_that_are_not_there_are_named_and_no_file_is_written(session: Session, tmp_path: Path):
    with pytest.raises(UsageError, match="nope"):
        export_layer(session, "points", tmp_path / "some.csv", ExportOptions(["nope"]))
    assert not (tmp_path / "some.csv").exists()


def test_a_format_the_kind_cannot_have_is_refused_with_those_it_can(session: Session, tmp_path: Path):
    with pytest.raises(UsageError, match=r"\.tif, \.asc"):
        export_layer(session, "ground", tmp_path / "ground.csv")
    assert not (tmp_path / "ground.csv").exists()


@pytest.mark.parametrize("name", ["flood.tif", "flood.csv", "flood"])
def test_a_kind_without_a_format_is_refused(session: Session, tmp_path: Path, name: str):
    session.workspace.apply((), {"points": dry_flood()})
    with pytest.raises(UsageError, match="cannot be exported"):
        export_layer(session, "points", tmp_path / name)
