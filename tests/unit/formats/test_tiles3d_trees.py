"""3D Tiles: implicit tiling, tilesets in tilesets, and places on the globe."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats.tiles3d import utm_for
from cimdesk.formats.tiles3d_subtree import from_morton
from cimdesk.formats.tiles3d_volumes import geocentric
from tests.unit.formats.tile_files import (
    square_glb,
    subtree,
    tile,
    write_tileset,
)
from tests.unit.formats.tile_reading import codes, implicit, mesh_of, read


def test_implicit_quadtrees_open_the_tiles_their_subtrees_name(tmp_path):
    # The root and its children 1 (x=1, y=0) and 2 (x=0, y=1) exist; only the children have content.
    data = subtree([1, 0, 1, 1, 0], [0, 0, 1, 1, 0], 0)
    files = {"s/0_0_0.subtree": data, "c/1_1_0.glb": square_glb(), "c/1_0_1.glb": square_glb()}
    result = read(write_tileset(tmp_path, implicit(), files))
    tileset = result.sources[0].data.tileset
    assert tileset.contents == ((), ("c/1_1_0.glb",), ("c/1_0_1.glb",))
    assert tileset.parent.tolist() == [-1, 0, 0]
    assert tileset.geometric_error.tolist() == [8.0, 4.0, 4.0]
    assert tileset.centres[1].tolist() == [7.5, 2.5, 0.0]
    assert tileset.centres[2].tolist() == [2.5, 7.5, 0.0]
    assert not result.problems


def test_child_subtrees_continue_where_their_parent_ends(tmp_path):
    files = {
        "s/0_0_0.subtree": subtree(1, 0, [k == 9 for k in range(16)]),
        # Morton 9 of four levels is x = 1, y = 2.
        "s/2_1_2.subtree": subtree(1, [1, 0, 0, 0, 0], 0),
        "c/2_1_2.glb": square_glb(),
    }
    result = read(write_tileset(tmp_path, implicit(available=4), files))
    tileset = result.sources[0].data.tileset
    assert result.objects["tiles"] == 10
    row = tileset.contents.index(("c/2_1_2.glb",))
    assert tileset.geometric_error[row] == 2.0
    # Its parent is the tile (0, 1) of level 1.
    assert tileset.centres[tileset.parent[row]].tolist() == [2.5, 7.5, 0.0]


def test_octrees_divide_heights_too(tmp_path):
    root = implicit("OCTREE", 2, 2)
    root["content"]["uri"] = "c/{level}_{x}_{y}_{z}.glb"
    root["implicitTiling"]["subtrees"]["uri"] = "s/{level}_{x}_{y}_{z}.subtree"
    flags = [1] + [k == 5 for k in range(8)]
    files = {"s/0_0_0_0.subtree": subtree(flags, [0, *flags[1:]], 0), "c/1_1_0_1.glb": square_glb()}
    tileset = read(write_tileset(tmp_path, root, files)).sources[0].data.tileset
    assert tileset.centres[1].tolist() == [7.5, 2.5, 0.5]


def test_subtrees_may_be_json_with_buffers_of_their_own(tmp_path):
    document = {
        "buffers": [{"uri": "bits.bin", "byteLength": 1}], "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 1}],
        "tileAvailability": {"constant": 1}, "contentAvailability": [{"bitstream": 0}], "childSubtreeAvailability": {"constant": 0},
    }  # fmt: skip
    root = implicit()
    root["implicitTiling"]["subtrees"]["uri"] = "s/{level}_{x}_{y}.json"
    files = {"s/0_0_0.json": json.dumps(document).encode(), "s/bits.bin": b"\x01", "c/0_0_0.glb": square_glb()}
    result = read(write_tileset(tmp_path, root, files))
    assert (result.objects["tiles"], result.objects["contents"]) == (5, 1)


def test_morton_codes_interleave_x_lowest():
    assert from_morton(np.arange(5), 2).tolist() == [[0, 0], [1, 0], [0, 1], [1, 1], [2, 0]]
    assert from_morton(np.array([1, 2, 4, 8]), 3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 0, 0]]


# -- external tilesets, places on the globe -------------------------------------------------------


def test_external_tilesets_hang_below_their_tile_with_its_transform(tmp_path):
    shift = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 100, 0, 0, 1]
    (tmp_path / "sub").mkdir()
    write_tileset(tmp_path / "sub", tile("a.glb"), {"a.glb": square_glb()}, name="inner.json")
    result = read(write_tileset(tmp_path, tile("sub/inner.json", 10, transform=shift)))
    assert mesh_of(result).bounds[0, 0] == 100
    assert result.sources[0].data.tileset.contents == ((), ("sub/a.glb",))


def test_tilesets_that_contain_each_other_end(tmp_path):
    write_tileset(tmp_path, tile("tileset.json", 5, [tile("a.glb")]), {"a.glb": square_glb()}, name="b.json")
    result = read(write_tileset(tmp_path, tile("b.json", 10)))
    assert codes(result) == ["tileset-cycle"]
    assert result.objects["triangles"] == 2


def test_geocentric_tiles_are_placed_in_utm_with_their_height(tmp_path):
    longitude, latitude, height = np.radians(113.3), np.radians(23.1), 12.0
    place = geocentric(np.array([longitude]), np.array([latitude]), height)[0]
    east = np.array([-np.sin(longitude), np.cos(longitude), 0])
    up = np.array([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    frame = np.column_stack([np.append(east, 0), np.append(np.cross(up, east), 0), np.append(up, 0), np.append(place, 1)])
    root = tile("a.glb", transform=frame.T.ravel().tolist())
    result = read(write_tileset(tmp_path, root, {"a.glb": square_glb()}))
    crs = result.sources[0].crs
    assert crs.definition == "EPSG:32649"
    expected = Crs.epsg(4979).transform(crs, np.array([[113.3, 23.1, height]]))[0]
    corner = mesh_of(result).world_vertices()[0]
    assert corner == pytest.approx(expected, abs=1e-3)
    # A side of the square is 10 m, but for the scale of the projection.
    side = mesh_of(result).world_vertices()[1] - corner
    assert np.linalg.norm(side) == pytest.approx(10, rel=5e-4)
    assert result.sources[0].data.tileset.crs == crs.definition


def test_utm_zones_by_place():
    assert utm_for(geocentric(np.radians([-75.6]), np.radians([40.0]), 0.0)[0]).definition == "EPSG:32618"
    assert utm_for(geocentric(np.radians([151.2]), np.radians([-33.9]), 0.0)[0]).definition == "EPSG:32756"
