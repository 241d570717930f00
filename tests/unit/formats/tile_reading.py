"""Tilesets that several tests open, and how they look at what was read."""

from __future__ import annotations

from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER, place_of
from cimdesk.formats.tiles3d_stream import TileStream
from tests.unit.formats.tile_files import (
    tile,
)

TREE = tile("root.glb", 100, [tile("a.glb", 10, [tile("a0.glb"), tile("a1.glb")]), tile("b.glb")])


def read(path, max_error=0.0):
    return READER.read(path, ReadOptions(max_error=max_error))


def city_of(result):
    (source,) = result.sources
    return source.data.city


def mesh_of(result):
    return city_of(result).meshes["tiles"]


def codes(result):
    return [problem.code for problem in result.problems]


def implicit(scheme="QUADTREE", levels=2, available=2):
    tiling = {
        "subdivisionScheme": scheme,
        "subtreeLevels": levels,
        "availableLevels": available,
        "subtrees": {"uri": "s/{level}_{x}_{y}.subtree"},
    }
    return {**tile("c/{level}_{x}_{y}.glb", 8.0, refine="ADD"), "implicitTiling": tiling}


def whole_stream(path):
    """Open a tileset as a window does, and read its tree to the end."""
    place, name, _ = place_of(path)
    stream = TileStream(place, name)
    while stream.tileset.stubs:
        stream.expand(min(stream.tileset.stubs))
    return stream
