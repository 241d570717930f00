"""A tileset read bit by bit: nothing before it is asked for, the same in the end as read at once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.formats.tiles3d_decode import block_of
from cimdesk.formats.tiles3d_paths import TilesetFolder
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.formats.tiles3d_volumes import geocentric
from cimdesk.model.mesh import Surface, TriangleMesh
from tests.unit.formats.tile_files import SQUARE, b3dm, square_glb, subtree, tile, write_tileset


class Noting(TilesetFolder):
    """A folder that keeps in mind what was read."""

    def read(self, reference, limit):
        READ.append(reference)
        return super().read(reference, limit)


READ: list[str] = []


def streamed(path):
    READ.clear()
    return TileStream(Noting(path.resolve().parent), path.name)


def whole(stream):
    while stream.tileset.stubs:
        stream.expand(min(stream.tileset.stubs))
    return stream.tileset


def content_above(tileset, row):
    """The content of the nearest tile above that has one."""
    row = int(tileset.parent[row])
    while row >= 0 and not tileset.contents[row]:
        row = int(tileset.parent[row])
    return tileset.contents[row] if row >= 0 else None


def implicit(tmp_path, levels=2, available=4):
    root = tile("c/{level}_{x}_{y}.glb", 64.0, implicitTiling={
        "subdivisionScheme": "QUADTREE", "subtreeLevels": levels, "availableLevels": available,
        "subtrees": {"uri": "s/{level}_{x}_{y}.subtree"},
    })  # fmt: skip
    files = {"s/0_0_0.subtree": subtree(1, 1, [k % 3 == 0 for k in range(16)])}
    for k in range(16):
        x, y = (k & 1) | (k >> 1 & 2), (k >> 1 & 1) | (k >> 2 & 2)
        if k % 3 == 0:
            files[f"s/2_{x}_{y}.subtree"] = subtree(1, [0, 1, 0, 1, 1], 0)
    for level in range(4):
        for x in range(2**level):
            for y in range(2**level):
                files[f"c/{level}_{x}_{y}.glb"] = square_glb()
    return write_tileset(tmp_path, root, files)


def test_opening_reads_the_tileset_file_alone(tmp_path):
    (tmp_path / "inner.json").write_text(json.dumps({"asset": {"version": "1.1"}, "geometricError": 5, "root": tile("b.glb")}))
    path = write_tileset(tmp_path, tile(error=50, children=[tile("a.glb"), tile("inner.json", 20.0)]), {"a.glb": square_glb()})
    stream = streamed(path)
    assert READ == ["tileset.json"]
    (row,) = stream.tileset.stubs
    assert stream.files_below(row)[0][0] == "inner.json"
    stream.expand(row)
    assert READ == ["tileset.json", "inner.json"]
    assert ("b.glb",) in stream.tileset.contents


def test_subtrees_are_read_one_by_one_and_give_the_same_tiles_in_the_end(tmp_path):
    path = implicit(tmp_path)
    stream = streamed(path)
    assert READ == ["tileset.json"]
    stream.expand(0)
    assert READ == ["tileset.json", "s/0_0_0.subtree"]
    assert len(stream.tileset.stubs) == 6
    tileset = whole(stream)
    known = READER.read(path, ReadOptions(max_error=0.0)).sources[0].data.tileset
    mine = {c: k for k, c in enumerate(tileset.contents) if c}
    theirs = {c: k for k, c in enumerate(known.contents) if c}
    assert sorted(mine) == sorted(theirs)
    for content, row in mine.items():
        other = theirs[content]
        assert tileset.centres[row] == pytest.approx(known.centres[other])
        assert tileset.geometric_error[row] == known.geometric_error[other]
        assert content_above(tileset, row) == content_above(known, other)
    assert (tileset.parent < np.arange(len(tileset.parent))).all()


def test_rows_stay_when_the_tree_grows(tmp_path):
    stream = streamed(implicit(tmp_path))
    stream.expand(0)
    before = stream.tileset
    after = whole(stream)
    count = len(before.parent)
    assert after.contents[:count] == before.contents
    assert np.array_equal(after.parent[:count], before.parent)
    assert np.array_equal(after.centres[:count], before.centres)


def test_a_broken_subtree_is_told_and_ends_there(tmp_path):
    path = implicit(tmp_path)
    (tmp_path / "s/2_0_0.subtree").write_bytes(b"subt" + b"\0" * 10)
    stream = streamed(path)
    whole(stream)
    assert [problem.code for problem in stream.findings.problems()] == ["bad-subtree"]


def test_circles_of_tilesets_end(tmp_path):
    path = write_tileset(tmp_path, tile("tileset.json", 50.0))
    stream = streamed(path)
    whole(stream)
    assert [problem.code for problem in stream.findings.problems()] == ["tileset-cycle"]


def test_tiles_of_the_globe_come_in_the_system_asked_for(tmp_path):
    lon, lat = np.radians(114.06), np.radians(22.54)
    region = [lon - 1e-5, lat - 1e-5, lon + 1e-5, lat + 1e-5, 0.0, 40.0]
    place = geocentric(np.array([lon]), np.array([lat]), 10.0)[0]
    shift = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, *place, 1]
    node = {"boundingVolume": {"region": region}, "geometricError": 0, "content": {"uri": "a.b3dm"}, "transform": shift}
    stream = streamed(write_tileset(tmp_path, node, {"a.b3dm": b3dm(square_glb(points=SQUARE / 10))}))
    assert stream.crs == Crs.epsg(32650)
    target = Crs.epsg(4547)
    tileset = stream.aim(stream.crs, target)
    wanted = Crs.epsg(4978).transform(target, place[None])[0]
    assert tileset.bounds.mean(axis=0)[:2] == pytest.approx(wanted[:2], abs=1.0)
    assert tileset.heights[0] == pytest.approx(20.0, abs=0.5)
    block = stream.decode(0).block
    assert block.points[0] + block.origin == pytest.approx(wanted, abs=0.01)


def test_regions_reach_as_far_on_the_map_as_they_do_on_the_globe(tmp_path):
    lon, lat = np.radians(114.06), np.radians(22.54)
    region = [lon - 2e-4, lat - 1e-4, lon + 2e-4, lat + 1e-4, 0.0, 40.0]
    node = {"boundingVolume": {"region": region}, "geometricError": 0, "content": {"uri": "a.b3dm"}}
    stream = streamed(write_tileset(tmp_path, node, {"a.b3dm": b3dm(square_glb())}))
    for target in (stream.crs, Crs.epsg(4547)):
        tileset = stream.aim(stream.crs, target)
        corners = [geocentric(np.array([x]), np.array([y]), 20.0)[0] for x in region[::2][:2] for y in region[1:4:2]]
        away = np.abs(Crs.epsg(4978).transform(target, np.array(corners)) - tileset.centres[0]).max(axis=0)
        assert (tileset.halves[0, :2] >= away[:2] - 0.01).all()
        assert tileset.halves[0, :2] == pytest.approx(away[:2], rel=0.05)


def test_no_tileset_at_all_is_one_message(tmp_path):
    (tmp_path / "tileset.json").write_text("[]")
    with pytest.raises(DataError):
        streamed(tmp_path / "tileset.json")


def test_a_block_shares_vertices_within_a_feature_and_kind_of_surface_only():
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 5]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 1, 2]], np.int32)
    kinds = np.array([Surface.ROOF, Surface.ROOF, Surface.WALL, Surface.ROOF], np.uint8)
    mesh = TriangleMesh(
        points, triangles, np.array([0, 0, 0, 1], np.int32), kinds,
        np.array([10.0, 0.0, 0.0]), np.array([[0, 1], [2, 3]], np.int32),
        np.array([[255, 255, 255, 255], [255, 255, 255, 255], [9, 8, 7, 255], [9, 8, 7, 255]], np.uint8),
    )  # fmt: skip
    block = block_of(3, mesh, 2)
    assert len(block.points) == 4 + 3 + 3
    assert np.array_equal(block.points[block.triangles], points[triangles])
    assert block.point_owner[block.triangles].tolist() == [[0] * 3, [0] * 3, [0] * 3, [1] * 3]
    assert block.is_roof[block.triangles].tolist() == [[True] * 3, [True] * 3, [False] * 3, [True] * 3]
    colors = block.point_color[block.triangles][:, 0].astype(np.uint32).view(np.uint8).reshape(-1, 4)
    assert colors.tolist() == [[0] * 4, [0] * 4, [9, 8, 7, 255], [9, 8, 7, 255]]
    assert np.array_equal(block.edge_points[block.edges], points[mesh.edges])
    assert block.anchors[0].tolist() == pytest.approx([5 / 9, 4 / 9, 5.0])
