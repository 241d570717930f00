"""Outlines as buildings in a project: undoable, on the terrain, read again from their file, and in the way of floods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands import projects, sources
from cimdesk.commands.extruding import Extrusion, extrude_layer
from cimdesk.commands.session import Session
from cimdesk.model.city import CityModel
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain
from tests import samples
from tests.unit.formats import footprint_files as files


@pytest.fixture
def session() -> Session:
    return Session()


def add(session: Session, path: Path) -> str:
    return sources.import_files(session, [path])[0].id


def test_outlines_become_a_layer_of_buildings_that_undo_takes_away(session: Session, tmp_path: Path):
    key = extrude_layer(session, add(session, files.flatgeobuf(tmp_path / "blocks.fgb")), Extrusion())
    layer = session.workspace.layer(key)
    assert layer.kind is LayerKind.BUILDINGS
    assert isinstance(session.workspace.data(key), CityModel)
    session.undo()
    assert key not in session.workspace.document.records("layer")
    session.redo()
    assert session.workspace.data(key) is not None


def test_a_project_opened_again_has_the_same_buildings(tmp_path: Path):
    path = tmp_path / "town.gpkg"
    session = projects.create(path, "town")
    key = extrude_layer(session, add(session, files.geoparquet(tmp_path / "blocks.parquet")), Extrusion(default=4.0, storey=3.5))
    before = session.workspace.data(key)
    session.close()
    again = projects.open_project(path)
    again.run(sources.load_job(again))
    after = again.workspace.data(key)
    assert np.allclose(after.bounds, before.bounds)
    assert after.features.ids.tolist() == before.features.ids.tolist()
    assert again.workspace.layer(key).kind is LayerKind.BUILDINGS
    again.close()


def test_degrees_become_metres_and_stay_upright(session: Session, tmp_path: Path):
    found = sources.import_files(session, [files.osm(tmp_path / "town.osm")])
    areas = next(layer.id for layer in found if layer.part.startswith("multipolygons"))
    key = extrude_layer(session, areas, Extrusion())
    city = session.workspace.data(key)
    (west, south, low), (east, north, high) = city.bounds
    assert (low, high) == (0.0, 24.0)
    assert east - west == pytest.approx(133, abs=5)
    assert north - south == pytest.approx(23, abs=3)


def test_buildings_stand_on_the_terrain_when_asked_to(session: Session, tmp_path: Path):
    key = add(session, files.flatgeobuf(tmp_path / "blocks.fgb"))
    with pytest.raises(UsageError, match="no terrain"):
        extrude_layer(session, key, Extrusion(), on_ground=True)
    grid = np.full((20, 20), 7.5, dtype=np.float32)
    terrain = Terrain(grid, files.EAST - 50, files.NORTH + 150, 10.0, 10.0)
    ground = add(session, samples.terrain_asc(tmp_path / "ground.asc"))
    session.workspace.apply((), {ground: terrain})
    city = session.workspace.data(extrude_layer(session, key, Extrusion(), on_ground=True))
    low, _ = city.finest.heights(3)
    assert np.allclose(low, 7.5)


def test_what_cannot_be_raised_is_refused_with_a_reason(session: Session, tmp_path: Path):
    key = add(session, samples.city_json(tmp_path / "city.json"))
    with pytest.raises(UsageError, match="no outlines"):
        extrude_layer(session, key, Extrusion())
    key = add(session, files.flatgeobuf(tmp_path / "blocks.fgb"))
    with pytest.raises(UsageError, match="height, num_floors"):
        extrude_layer(session, key, Extrusion("hoehe"))


def test_water_does_not_run_through_them(session: Session, tmp_path: Path):
    from cimdesk.analysis.flood.footprints import block_cells

    city = session.workspace.data(extrude_layer(session, add(session, files.flatgeobuf(tmp_path / "b.fgb")), Extrusion()))
    terrain = Terrain(np.zeros((120, 120), dtype=np.float32), files.EAST - 10, files.NORTH + 100, 1.0, 1.0)
    blocked = block_cells(terrain, city.finest).is_blocked
    assert blocked.sum() == 200 + 600 + 1200
