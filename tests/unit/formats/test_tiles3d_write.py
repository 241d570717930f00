"""Written tilesets: what goes in comes out again, placed to the millimetre and with every attribute."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats import tiles3d_write
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.formats.tiles3d_grid import TileFrame, TileGrid, morton
from cimdesk.formats.tiles3d_subtree import from_morton, read_subtree
from cimdesk.formats.tiles3d_write import SUBTREE_LEVELS, write_subtrees
from tests.unit.formats.tileset_towns import town, write_town

FINEST = ReadOptions(max_error=0.0)
GUANGZHOU = Crs.epsg(4547)


def read_back(folder):
    result = READER.read(folder, FINEST)
    assert not result.problems
    return result


def boxes_of(city):
    """Return the (2, 3) world bounds of each feature by its id."""
    mesh = city.meshes["tiles"]
    points = mesh.world_vertices()[mesh.triangles]
    return {
        str(key): np.array([points[mesh.feature_index == row].min(axis=(0, 1)), points[mesh.feature_index == row].max(axis=(0, 1))])
        for row, key in enumerate(city.features.ids)
    }


@pytest.mark.parametrize("crs", [GUANGZHOU, Crs.epsg(32649), Crs.epsg(7415), None], ids=str)
def test_a_written_city_comes_back_in_its_own_system_to_the_millimetre(tmp_path, crs):
    corners, table = town(60, at=(85_000.0, 447_000.0) if crs == Crs.epsg(7415) else (431_205.0, 2_558_410.0))
    write_town(tmp_path, corners, table, crs)
    result = read_back(tmp_path)
    assert result.crs == (None if crs is None else crs.definition)
    found = boxes_of(result.sources[0].data.city)
    assert set(found) == set(table.ids)
    for row, key in enumerate(table.ids):
        wanted = np.array([corners[row].min(axis=0), corners[row].max(axis=0)])
        assert np.abs(found[str(key)] - wanted).max() < 0.001


def test_every_attribute_comes_back_with_its_name_type_and_gaps(tmp_path):
    corners, table = town(200)
    write_town(tmp_path, corners, table, GUANGZHOU)
    found = read_back(tmp_path).sources[0].data.city.features
    assert set(found.ids) == set(table.ids)
    for row, key in enumerate(table.ids):
        got = found.row(found.row_of(str(key)))
        for name, value in table.row(row).items():
            assert got[name] == value, (key, name)
    for name, values in table.columns.items():
        assert found.columns[name].dtype.kind == values.dtype.kind, name


def test_morton_codes_and_their_inverse():
    rng = np.random.default_rng(3)
    places = rng.integers(0, 2**12, (500, 2))
    assert np.array_equal(from_morton(morton(places[:, 0], places[:, 1]), 2), places)


def test_subtrees_say_exactly_which_tiles_there_are(tmp_path):
    rng = np.random.default_rng(5)
    tiles = {(8, int(x), int(y)) for x, y in rng.integers(0, 256, (40, 2))} | {(3, 1, 2), (7, 0, 0)}
    levels = write_subtrees(tmp_path, dict.fromkeys(tiles, (0.0, 0.0, 1.0, 1.0, 0.0, 9.0)))
    assert levels == 9
    found, existing = set(), set()
    waiting = [(0, 0, 0)]
    while waiting:
        level, x, y = waiting.pop()
        data = (tmp_path / "subtrees" / str(level) / str(x) / f"{y}.subtree").read_bytes()
        tree = read_subtree(data, SUBTREE_LEVELS, 4, lambda uri: b"")
        at = 0
        for depth in range(SUBTREE_LEVELS):
            codes = from_morton(np.arange(4**depth), 2) + np.array([x, y]) * 2**depth
            for k, (a, b) in enumerate(codes.tolist()):
                existing |= {(level + depth, a, b)} if tree.tiles[at + k] else set()
                found |= {(level + depth, a, b)} if tree.contents[0][at + k] else set()
            at += 4**depth
        below = from_morton(np.flatnonzero(tree.children), 2) + np.array([x, y]) * 2**SUBTREE_LEVELS
        waiting += [(level + SUBTREE_LEVELS, a, b) for a, b in below.tolist()]
    assert found == tiles
    assert existing == {(lv - up, x >> up, y >> up) for lv, x, y in tiles for up in range(lv + 1)}


def test_cells_of_any_part_of_a_city_agree_and_make_one_quadtree():
    near, other = np.array([431_205.0, 2_563_410.0, 0.0]), np.array([439_999.0, 2_560_000.0, 0.0])
    cells = TileGrid.cells(GUANGZHOU, near, 1000.0)
    assert cells == TileGrid.cells(GUANGZHOU, other, 1000.0)
    points = np.array([near, other])
    found = cells.tiles_of(points, 0)
    grid, levels, corner = cells.around(found.min(axis=0), found.max(axis=0))
    inside = grid.tiles_of(points, levels)
    assert np.array_equal(inside, found - corner)
    assert (inside >= 0).all()
    assert (inside < 2**levels).all()
    assert cells.size(0) == pytest.approx(1000.0, rel=0.01)
    assert TileGrid.from_record(json.loads(json.dumps(grid.to_record()))) == grid


def test_the_matrix_of_a_content_stands_it_upright_where_it_belongs():
    place = np.array([431_205.0, 2_558_410.0, 12.0])
    frame = TileFrame.at(GUANGZHOU, place)
    matrix = np.array(frame.node_matrix).reshape(4, 4).T
    y_up_to_z_up = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    # A point ten metres above the origin, in glTF's axes.
    top = y_up_to_z_up @ matrix @ np.array([0.0, 10.0, 0.0, 1.0])
    wanted = GUANGZHOU.transform(Crs.epsg(4978), place[None, :] + [[0.0, 0.0, 10.0]])[0]
    assert np.abs(top[:3] - wanted).max() < 1e-6
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)


def test_contents_are_glb_with_buffers_aligned_as_property_tables_need_it(tmp_path):
    corners, table = town(20)
    write_town(tmp_path, corners, table, GUANGZHOU, level=1)
    for path in tmp_path.rglob("*.glb"):
        data = path.read_bytes()
        _, version, length = struct.unpack_from("<4sII", data)
        assert (version, length) == (2, len(data))
        document = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
        assert all(view["byteOffset"] % 8 == 0 and view["byteLength"] for view in document["bufferViews"])


def test_subtrees_are_the_same_however_many_are_put_together_at_a_time(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    places = {(7, int(x), int(y)) for x, y in rng.integers(0, 128, (300, 2))} | {(5, 1, 1), (0, 0, 0)}
    tiles = {place: tuple(rng.uniform(0.0, 1.0, 6).tolist()) for place in sorted(places)}
    for folder, at_once in (("whole", 1_000), ("parts", 7)):
        monkeypatch.setattr(tiles3d_write, "AT_ONCE", at_once)
        write_subtrees(tmp_path / folder, tiles)
    files = sorted(path.relative_to(tmp_path / "whole") for path in tmp_path.glob("whole/**/*.subtree"))
    assert len(files) > 100
    for file in files:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()
