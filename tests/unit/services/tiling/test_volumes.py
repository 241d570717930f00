"""Volumes that written tiles state: each holds its contents and all below it, however far these stick out of the tile's cell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.commands.tiling import tile_files
from cimdesk.formats.gltf_metadata import PropertyTables
from cimdesk.formats.metadata_schema import Schema
from cimdesk.formats.tiles3d_grid import GEODETIC, TileGrid
from cimdesk.formats.tiles3d_subtree import from_morton, read_subtree
from cimdesk.formats.tiles3d_write import SUBTREE_LEVELS
from cimdesk.services.tiling import build
from tests.unit.formats.tile_reading import whole_stream
from tests.unit.services.tiling.sequences import house, write_sequence


@pytest.fixture(params=["https://www.opengis.net/def/crs/EPSG/0/4547", None], ids=["projected", "plain metres"])
def tiled(request, tmp_path, monkeypatch):
    """A tileset of long sheds, most of which lie across several tiles."""
    monkeypatch.setattr(build, "LEAF_FEATURES", 8)
    monkeypatch.setattr(build, "PRISMS", 30)
    places = np.random.default_rng(4).random((150, 2)) * 3000.0
    lines = [house(k, float(x), float(y), wide=150.0, deep=90.0) for k, (x, y) in enumerate(places)]
    source = write_sequence(tmp_path / "sheds.city.jsonl", lines, request.param)
    tile_files([source], tmp_path / "out")
    return tmp_path / "out"


def stated(folder):
    """Return the numbers that every tile of a tileset states of its volume, by level, column and row."""
    document = json.loads((folder / "tileset.json").read_text())
    schema = Schema.of(document, lambda uri: b"")
    found, waiting = {}, [(0, 0, 0)]
    while waiting:
        level, x, y = waiting.pop()
        data = (folder / "subtrees" / str(level) / str(x) / f"{y}.subtree").read_bytes()
        tree = read_subtree(data, SUBTREE_LEVELS, 4, lambda uri: b"")
        (rows,) = PropertyTables(tree.document, tree.view, schema).stated(tree.document["tileMetadata"], "TILE_").values()
        codes, at = np.flatnonzero(tree.tiles), 0
        assert len(rows) == len(codes)
        for depth in range(SUBTREE_LEVELS):
            own = (codes >= at) & (codes < at + 4**depth)
            for (a, b), values in zip(from_morton(codes[own] - at, 2) + np.array([x, y]) * 2**depth, rows[own], strict=True):
                found[level + depth, int(a), int(b)] = values
            at += 4**depth
        below = from_morton(np.flatnonzero(tree.children), 2) + np.array([x, y]) * 2**SUBTREE_LEVELS
        waiting += [(level + SUBTREE_LEVELS, int(a), int(b)) for a, b in below]
    return document, found


def limits(values):
    """Return the lowest and highest corner of a region or an upright box, as (2, 3)."""
    if len(values) == 6:
        west, south, east, north, low, high = values
        return np.array([[west, south, low], [east, north, high]])
    half = np.abs(values[3:].reshape(3, 3)).sum(axis=0)
    return np.array([values[:3] - half, values[:3] + half])


def cell(document, place):
    """Return the share of the root's volume that a tile would have, in plan, as (2, 2)."""
    level, x, y = place
    volume = document["root"]["boundingVolume"]
    low, high = limits(np.array(volume.get("region") or volume["box"]))[:, :2]
    corner = low + (high - low) / 2**level * [x, y]
    return np.array([corner, corner + (high - low) / 2**level])


def test_every_tile_states_a_volume_around_its_contents(tiled):
    document, found = stated(tiled)
    stream = whole_stream(tiled / "tileset.json")
    outside = 0
    for row in np.flatnonzero(~stream.tileset.is_empty).tolist():
        (reference,) = stream.tileset.contents[row]
        tile = tuple(int(part) for part in reference.removesuffix(".glb").split("/")[1:])
        block = stream.decode(row).block
        points = block.points.astype(np.float64) + block.origin
        if stream.crs is not None:
            points = stream.crs.transform(GEODETIC, points)
            points[:, :2] = np.radians(points[:, :2])
        low, high = limits(found[tile])
        assert (points >= low).all(), tile
        assert (points <= high).all(), tile
        corner, opposite = cell(document, tile)
        outside += bool(((points[:, :2] < corner) | (points[:, :2] > opposite)).any())
        width = (high - low) / np.maximum(np.ptp(points, axis=0), 1e-12)
        assert (width[:2] < 1.2).all() or len(points) < 100, "no wider than needed"
    assert outside > 5, "some contents must stick out, or this shows nothing"


def test_a_volume_holds_those_of_the_tiles_below(tiled):
    _, found = stated(tiled)
    assert len(found) > 20
    for level, x, y in found:
        if level:
            low, high = limits(found[level, x, y])
            lower, higher = limits(found[level - 1, x >> 1, y >> 1])
            assert (lower <= low + 1e-12).all()
            assert (higher >= high - 1e-12).all()


def test_the_reader_takes_the_stated_volume_not_the_cell(tiled):
    _, found = stated(tiled)
    stream = whole_stream(tiled / "tileset.json")
    for row in np.flatnonzero(~stream.tileset.is_empty).tolist():
        (reference,) = stream.tileset.contents[row]
        tile = tuple(int(part) for part in reference.removesuffix(".glb").split("/")[1:])
        low, high = limits(found[tile])
        middle = (low + high) / 2.0
        if stream.crs is not None:
            middle[:2] = np.degrees(middle[:2])
            middle = GEODETIC.transform(stream.crs, middle[None])[0]
        assert np.abs(stream.tileset.centres[row] - middle)[:2].max() < 1.0
        block = stream.decode(row).block
        points = block.points.astype(np.float64) + block.origin
        assert np.linalg.norm(points - stream.tileset.centres[row], axis=1).max() <= stream.tileset.radii[row] + 0.1


def test_features_have_no_columns_of_volumes(tiled):
    stream = whole_stream(tiled / "tileset.json")
    row = int(np.flatnonzero(~stream.tileset.is_empty)[0])
    assert not [column for column in stream.decode(row).columns if "volume" in column]


def test_an_extent_holds_every_place_in_its_box():
    crs = Crs.epsg(4547)
    box = np.array([[380_000.0, 2_500_000.0, -5.0], [500_000.0, 2_620_000.0, 300.0]])
    west, south, east, north, low, high = TileGrid.over(crs, box).extent(box)
    places = box[0] + np.random.default_rng(1).random((20_000, 3)) * (box[1] - box[0])
    places[:8000, 0] = np.repeat(box[:, 0], 4000)
    places[8000:16_000, 1] = np.repeat(box[:, 1], 4000)
    found = crs.transform(GEODETIC, places)
    found[:, :2] = np.radians(found[:, :2])
    assert (found >= [west, south, low]).all()
    assert (found <= [east, north, high]).all()
