"""The metropolis: a plausible region, the same for a seed, every building once in the finest tiles, and a project over it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.commands import projects
from cimdesk.commands.demo.metropolis import tiles
from cimdesk.commands.demo.metropolis.buildings import boxes, make_buildings, prisms, shapes
from cimdesk.commands.demo.metropolis.project import write_metropolis
from cimdesk.commands.demo.metropolis.region import BUILDINGS, CELL, CELLS, SIDE, make_region, river
from cimdesk.formats.facing import outward_features
from cimdesk.model.layers import LayerKind
from tests.unit.formats.tile_reading import whole_stream

FEW = 6_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("metropolis")
    write_metropolis(path, "demo.gpkg", 7, no_progress, CancelToken(), FEW, 1).close()
    return path


def test_a_million_buildings_stand_on_7400_km2_and_none_in_the_river_or_on_steep_hills():
    region = make_region(7)
    assert region.counts.sum() == BUILDINGS
    assert pytest.approx(7.4e9, rel=0.01) == SIDE**2
    middle, _ = river(np.array([SIDE / 2]))
    assert region.counts[int(middle[0] // CELL), CELLS // 2] == 0
    assert 0.3 < (region.counts == 0).mean() < 0.7
    centre = region.counts[205:230, 205:230].sum() / 25.0
    assert centre > 1_000.0 > 100.0 > region.counts[:40, :40].sum() / 64.0


def test_a_cell_has_the_same_buildings_whatever_is_made_with_it():
    region = make_region(7)
    alone, among = make_buildings(region, (215, 216), (220, 221)), make_buildings(region, (210, 220), (215, 225))
    picked = among.take(among.cell == 220 * CELLS + 215)
    for name, values in alone.__dict__.items():
        assert np.array_equal(values, getattr(picked, name)), name
    assert len(alone) == region.counts[220, 215]


def test_shapes_are_skins_that_face_outwards():
    found = make_buildings(make_region(7), (212, 218), (212, 218))
    for points, triangles, owner in (shapes(found), prisms(found)):
        local = (points - points.mean(axis=0)).astype(np.float32)
        assert outward_features(local, triangles, owner, len(found)).all()
        assert np.array_equal(np.unique(owner), np.arange(len(found)))


def test_boxes_are_those_around_the_shapes():
    found = make_buildings(make_region(7), (212, 218), (212, 218))
    assert set(found.kind.tolist()) == {0, 1, 2}
    points, triangles, owner = shapes(found)
    corners = points[triangles]
    for k, (low, high) in enumerate(zip(*boxes(found), strict=True)):
        mine = corners[owner == k].reshape(-1, 3)
        assert np.allclose([mine.min(axis=0), mine.max(axis=0)], [low, high])


def test_every_building_is_once_in_the_finest_tiles_with_its_attributes(folder):
    stream = whole_stream(folder / "data/city/tileset.json")
    starts, _ = stream.tileset.children
    seen: list[str] = []
    for row in np.flatnonzero((starts[1:] == starts[:-1]) & ~stream.tileset.is_empty).tolist():
        tile = stream.decode(row)
        assert not tile.problems
        seen += tile.ids.tolist()
        assert {"use", "storeys", "height", "year", "people", "district"} <= set(tile.columns)
    assert len(seen) == len(set(seen)) == FEW


def test_a_tile_says_the_same_of_a_building_from_afar_as_from_near(folder):
    stream = whole_stream(folder / "data/city/tileset.json")
    starts, _ = stream.tileset.children
    is_finest = starts[1:] == starts[:-1]
    said = {True: {}, False: {}}
    for row in np.flatnonzero(~stream.tileset.is_empty).tolist():
        tile = stream.decode(row)
        assert len(set(tile.ids)) == len(tile.ids)
        tops = tile.block.anchors + tile.block.origin
        columns = [
            values for column, values in tile.columns.items() if column not in ("tile", "measured_height", "ground_elevation")
        ]
        for k, key in enumerate(tile.ids.tolist()):
            measures = [tile.columns["measured_height"][k], tile.columns["ground_elevation"][k]]
            said[bool(is_finest[row])].setdefault(key, []).append(([values[k] for values in columns], measures, tops[k]))
    assert set(said[False]) < set(said[True])
    for key, seen in said[False].items():
        ((attributes, measures, top),) = said[True][key]
        for again, measured, there in seen:
            assert again == attributes
            assert measured == pytest.approx(measures, abs=0.02)
            assert np.linalg.norm((there - top)[:2]) < 30.0


def test_the_same_seed_gives_the_same_files(folder, tmp_path):
    tiles.build_unit(str(tmp_path), 7, FEW, (4, 4))
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.glb"))
    assert made
    for path in made:
        known = hashlib.sha256((folder / "data/city" / path).read_bytes()).digest()
        assert known == hashlib.sha256((tmp_path / path).read_bytes()).digest()


def test_the_project_has_the_city_the_ground_and_views(folder):
    session = projects.open_project(folder / "demo.gpkg")
    kinds = {layer.kind for layer in session.workspace.layers()}
    assert {LayerKind.TILES, LayerKind.TERRAIN} <= kinds
    assert session.workspace.settings["demo"]["buildings"] == FEW
    assert len(session.workspace.document.records("bookmark")) == 4
    session.close()


def test_it_can_be_given_up(tmp_path):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        write_metropolis(tmp_path, "demo.gpkg", 7, no_progress, cancel, FEW, 1)
