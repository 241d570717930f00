"""S2 cells against Google's own geometry (its Python port), and volumes of tiles made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats.s2_cells import angles_on, cell_of_token, cells_of_ids
from cimdesk.formats.tiles3d_volumes import geocentric, implicit_sphere, read_volume
from tests.unit.formats.tile_files import square_glb, subtree, tile, write_tileset
from tests.unit.formats.tile_reading import codes, implicit, read

CELLS = json.loads((Path(__file__).parent / "data" / "s2_cells.json").read_text())
"""Made with the s2sphere package: token, face, level, and the corners as (latitude, longitude) [degrees]."""


@pytest.mark.parametrize(("token", "face", "level", "corners"), CELLS)
def test_cells_have_the_corners_of_the_reference(token, face, level, corners):
    cell = cell_of_token(token)
    assert (cell.face, cell.level) == (face, level)
    longitudes, latitudes = (np.degrees(each) for each in angles_on(cell, 1))
    found = sorted(zip(latitudes.round(7).tolist(), longitudes.round(7).tolist(), strict=True))
    assert found == [pytest.approx(each, abs=2e-7) for each in sorted((round(a, 7), round(b, 7)) for a, b in corners)]


def test_many_cells_at_once_are_those_one_by_one():
    ids = np.array([int(token.ljust(16, "0"), 16) for token, *_ in CELLS], dtype=np.uint64)
    for row, (token, *_) in zip(np.column_stack(cells_of_ids(ids)).tolist(), CELLS, strict=True):
        cell = cell_of_token(token)
        assert row == [cell.face, cell.i, cell.j, cell.level]


@pytest.mark.parametrize("token", ["", "0", "x", "8", "e", "f1", "89c6c7" + "0" * 12, None, 5, "-1", "2"])
def test_tokens_that_name_no_cell_are_refused(token):
    assert cell_of_token(token) is None


def cell_volume(token, low=0.0, high=100.0):
    return {"extensions": {"3DTILES_bounding_volume_S2": {"token": token, "minimumHeight": low, "maximumHeight": high}}}


@pytest.mark.parametrize(("token", "face", "level", "corners"), CELLS)
def test_spheres_of_cells_hold_their_corners(token, face, level, corners):
    found = read_volume(cell_volume(token), np.eye(4))
    assert found.is_geocentric
    centre, radius = found.volume[:2]
    angles = np.radians(corners)
    for height in (0.0, 100.0):
        places = geocentric(angles[:, 1], angles[:, 0], height)
        assert (np.linalg.norm(places - centre, axis=1) <= radius + 1e-3).all()


def test_children_fill_their_cell_and_divide_its_heights():
    whole = cell_of_token("89c6c7")
    longitudes, latitudes = angles_on(whole, 2)
    middle = geocentric(longitudes, latitudes, 0.0)
    for x in (0, 1):
        for y in (0, 1):
            centre, radius = implicit_sphere(cell_volume("89c6c7"), 1, (x, y), np.eye(4))[:2]
            corners = middle.reshape(3, 3, 3)[x : x + 2, y : y + 2].reshape(-1, 3)
            assert (np.linalg.norm(corners - centre, axis=1) <= radius + 1e-3).all()
    low, high = (implicit_sphere(cell_volume("89c6c7", 0, 1e5), 1, (0, 0, z), np.eye(4))[0] for z in (0, 1))
    assert np.linalg.norm(high) - np.linalg.norm(low) == pytest.approx(5e4, rel=0.02)


def declared(path):
    path.write_text(json.dumps({**json.loads(path.read_text()), "extensionsUsed": ["3DTILES_bounding_volume_S2"]}))
    return path


def test_a_tileset_of_cells_lies_where_they_do(tmp_path):
    root = {**implicit(), "boundingVolume": cell_volume("89c6c7", 0, 20)}
    files = {"s/0_0_0.subtree": subtree(1, 1, 0), "c/0_0_0.glb": square_glb()}
    files |= {f"c/1_{x}_{y}.glb": square_glb() for x in (0, 1) for y in (0, 1)}
    result = read(declared(write_tileset(tmp_path, root, files)))
    assert not codes(result)
    assert result.crs == "EPSG:32618"
    tileset = result.sources[0].data.tileset
    place = Crs.parse(tileset.crs).transform(Crs.epsg(4979), tileset.centres[:1])[0]
    assert place[:2] == pytest.approx((-75.2012, 39.9641), abs=2e-3)
    assert (np.linalg.norm(tileset.centres[1:] - tileset.centres[0], axis=1) < tileset.radii[0]).all()


def test_a_broken_cell_is_told(tmp_path):
    path = write_tileset(tmp_path, {**tile("a.glb"), "boundingVolume": cell_volume("zz")}, {"a.glb": square_glb()})
    assert codes(read(declared(path))) == ["bad-volume"]
