"""Volumes that the eye must be in for tiles to be shown."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.model.sight import Sight
from cimdesk.model.tile_choice import select_tiles
from tests.unit.formats.tile_files import square_glb, tile, write_tileset

ROOM = {"box": [5, 5, 10, 20, 0, 0, 0, 20, 0, 0, 0, 10]}
BALL = {"sphere": [5, 5, 0, 30]}


def tileset_with(tmp_path, volume, refine="ADD", **root):
    children = [tile("in.glb", viewerRequestVolume=volume)] + ([tile("b.glb")] if refine == "ADD" else [])
    files = {name: square_glb() for name in ("a.glb", "b.glb", "in.glb")}
    path = write_tileset(tmp_path, tile("a.glb", 50.0, children, refine=refine, **root), files)
    return READER.read(path, ReadOptions(max_error=0.0)).sources[0].data.tileset


def shown(tileset, eye):
    view = Sight(np.array(eye, dtype=float), np.zeros((0, 4)), 0.001, 4.0)
    rows = select_tiles(tileset, view, range(len(tileset.parent))).shown
    return sorted(name for row in rows for name in tileset.contents[row])


@pytest.mark.parametrize(("volume", "inside", "outside"), [(ROOM, (24, 5, 1), (26, 5, 1)), (BALL, (30, 5, 5), (30, 25, 5))])
def test_tiles_are_shown_to_eyes_inside_only(tmp_path, volume, inside, outside):
    tileset = tileset_with(tmp_path, volume)
    assert shown(tileset, inside) == ["a.glb", "b.glb", "in.glb"]
    assert shown(tileset, outside) == ["a.glb", "b.glb"]


def test_a_tile_stays_while_all_that_would_replace_it_is_closed(tmp_path):
    tileset = tileset_with(tmp_path, ROOM, refine="REPLACE")
    assert shown(tileset, (5, 5, 5)) == ["in.glb"]
    assert shown(tileset, (500, 5, 5)) == ["a.glb"]


def test_volumes_turn_and_move_with_their_tile(tmp_path):
    quarter = [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 1000, 0, 0, 1]
    long = {"box": [0, 0, 0, 50, 0, 0, 0, 5, 0, 0, 0, 5]}
    tileset = tileset_with(tmp_path, long, transform=quarter)
    assert shown(tileset, (1000, 40, 0)) == ["a.glb", "b.glb", "in.glb"]
    assert shown(tileset, (1040, 0, 0)) == ["a.glb", "b.glb"]


def test_volumes_on_the_globe_come_into_the_system_of_the_map(tmp_path):
    region = {"region": [*np.radians([113.3, 23.1, 113.31, 23.11]).tolist(), 0.0, 100.0]}
    tileset = tileset_with(tmp_path, region, boundingVolume=region)
    crs = Crs.parse(tileset.crs)
    inside, outside, above = crs_points(crs, [(113.3001, 23.1005, 50), (113.3101, 23.105, 50), (113.305, 23.105, 130)])
    assert "in.glb" in shown(tileset, inside)
    assert "in.glb" not in shown(tileset, outside)
    assert "in.glb" not in shown(tileset, above)


def crs_points(crs, places):
    return Crs.epsg(4979).transform(crs, np.array(places, dtype=float))


@pytest.mark.parametrize("volume", [{}, {"box": [1]}, 5])
def test_broken_volumes_are_told_and_close_nothing(tmp_path, volume):
    path = write_tileset(tmp_path, tile("a.glb", viewerRequestVolume=volume), {"a.glb": square_glb()})
    result = READER.read(path, ReadOptions(max_error=0.0))
    assert [problem.code for problem in result.problems] == ["bad-volume"]
    assert result.sources[0].data.tileset.requests is None
