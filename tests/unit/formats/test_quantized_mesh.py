"""Quantized-mesh terrain: tiles, extensions, pyramids in folders and on a server, broken ones."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.commands.tiled import read_source
from cimdesk.formats import registry
from cimdesk.formats.quantized_mesh import BrokenTileError, decode_tile, oct_decoded, rasterized, tile_grid
from cimdesk.formats.quantized_pyramid import TileLayer
from cimdesk.formats.raster import reproject_terrain
from cimdesk.formats.registry import ReadOptions


def zigzag(values):
    steps = np.diff(values, prepend=0)
    return ((steps << 1) ^ (steps >> 63)).astype("<u2").tobytes()


def tile_bytes(height, side=9, extensions=b""):
    """A regular mesh whose height is a function of places in 0..1."""
    u, v = (
        a.ravel() for a in np.meshgrid(np.linspace(0, 32767, side).astype(np.int64), np.linspace(0, 32767, side).astype(np.int64))
    )
    z = height(u / 32767, v / 32767)
    low, high = float(z.min()), float(max(z.max(), z.min() + 1e-3))
    h = np.round((z - low) / (high - low) * 32767).astype(np.int64)
    number = np.arange(side * side).reshape(side, side)
    a, b, c, d = number[:-1, :-1].ravel(), number[:-1, 1:].ravel(), number[1:, 1:].ravel(), number[1:, :-1].ravel()
    order = np.stack([a, b, c, a, c, d], axis=1).ravel()
    # Indices rise by at most one at first use only in the order of use, so the vertices are put into that order.
    seen, first = np.unique(order, return_index=True)
    rank = np.empty(side * side, dtype=np.int64)
    by_use = seen[np.argsort(first)]
    rank[by_use] = np.arange(len(by_use))
    codes, highest = [], 0
    for index in rank[order]:
        codes.append(highest - index)
        highest += index == highest
    u, v, h = u[by_use], v[by_use], h[by_use]
    head = struct.pack("<3d2f4d3d", 0, 0, 0, low, high, 0, 0, 0, 0, 0, 0, 0)
    body = struct.pack("<I", len(u)) + zigzag(u) + zigzag(v) + zigzag(h)
    body += b"\0" * (-(len(head) + len(body)) % 2)
    body += struct.pack("<I", len(codes) // 3) + np.array(codes, dtype="<u2").tobytes() + struct.pack("<4I", 0, 0, 0, 0)
    return head + body + extensions


def extension(kind, body):
    return struct.pack("<BI", kind, len(body)) + body


def slope(u, v):
    return 100.0 + 50.0 * u + 20.0 * v


def pyramid(folder: Path, level=9, column=759, row=335, columns=2, packed=True, **said):
    """Write a layer of one row of tiles whose heights follow the longitude."""
    width = 180.0 / 2**level
    for x in range(column, column + columns):
        file = folder / str(level) / str(x) / f"{row}.terrain"
        file.parent.mkdir(parents=True)
        data = tile_bytes(lambda u, v, x=x: 1000.0 + 300.0 * ((x + u) * width - 180.0 - 86.0) + 10 * v)
        file.write_bytes(gzip.compress(data) if packed else data)
    description = {
        "format": "quantized-mesh-1.0",
        "tilejson": "2.1.0",
        "version": "1.0",
        "tiles": ["{z}/{x}/{y}.terrain?v={version}"],
    }
    (folder / "layer.json").write_text(json.dumps({**description, **said}))
    return folder


def test_a_tile_gives_back_its_heights_everywhere():
    tile = decode_tile(tile_bytes(slope))
    assert (tile.low, tile.high) == pytest.approx((100.0, 170.0))
    assert tile.is_whole
    grid = tile_grid(tile)
    share = np.linspace(0, 1, len(grid))
    np.testing.assert_allclose(grid, slope(*np.meshgrid(share, share[::-1])), atol=0.01)


def test_extensions_are_read_and_unknown_ones_passed_over():
    normals = np.tile(np.array([[128, 128]], dtype=np.uint8), (81, 1))
    water = np.zeros((256, 256), dtype=np.uint8)
    water[:, :128] = 255
    said = json.dumps({"available": [[{"startX": 0}]]}).encode()
    extra = extension(99, b"xyz") + extension(1, normals.tobytes()) + extension(2, water.tobytes())
    tile = decode_tile(tile_bytes(slope, extensions=extra + extension(4, struct.pack("<I", len(said)) + said)))
    assert tile.normals is not None
    np.testing.assert_allclose(np.linalg.norm(tile.normals, axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(tile.water, water)
    assert tile.metadata == {"available": [[{"startX": 0}]]}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255))
def test_octahedral_codes_are_unit_vectors(x, y):
    found = oct_decoded(np.array([[x, y]], dtype=np.uint8))
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 700), st.integers(0, 255))
def test_damaged_tiles_are_refused_or_read_but_never_break_the_reader(at, value):
    data = bytearray(tile_bytes(slope))
    data[at % len(data)] = value
    for bad in (bytes(data), bytes(data[: at + 1])):
        grid = None
        with contextlib.suppress(BrokenTileError):
            grid = tile_grid(decode_tile(bad))
        assert grid is None or grid.shape[0] == grid.shape[1] <= 257


def test_a_triangle_without_area_covers_nothing():
    points = np.array([[0.0, 0.0], [4.0, 4.0], [8.0, 8.0], [2.0, 0.0]])
    assert np.isnan(rasterized(points, np.ones(4), np.array([[0, 1, 2], [0, 0, 3]]), 9)).all()


def test_triangles_are_filled_with_their_plane():
    points = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    grid = rasterized(points, np.array([0.0, 10.0, 20.0]), np.array([[0, 1, 2]]), 11)
    assert grid[0, 0] == 0.0
    assert grid[3, 4] == pytest.approx(4.0 + 6.0)
    assert np.isnan(grid[9, 9])


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_of_tiles_is_a_terrain_above_the_ellipsoid(tmp_path, packed):
    result = registry.read(pyramid(tmp_path / "layer", packed=packed))
    terrain = result.sources[0].data
    width = 180 / 512
    np.testing.assert_allclose(terrain.bounds[:, 0], [759 * width - 180, 761 * width - 180])
    assert terrain.vertical == "WGS 84 ellipsoid"
    xy = np.array([[87.0, 27.9], [87.19, 28.0]])
    v = (xy[:, 1] + 90) / width - 335
    np.testing.assert_allclose(terrain.sample(xy), 1000 + 300 * (xy[:, 0] - 86) + 10 * v, atol=0.1)
    moved = reproject_terrain(terrain, Crs.epsg(4326), Crs.epsg(32645))
    there = Crs.epsg(4326).transform(Crs.epsg(32645), np.column_stack([xy, np.zeros(2)]))
    np.testing.assert_allclose(moved.sample(there), terrain.sample(xy), atol=0.2)
    assert moved.raised(-30.0).sample(there) == pytest.approx(moved.sample(there) - 30.0)


def test_missing_finer_tiles_are_answered_by_coarser_ones(tmp_path):
    folder = pyramid(tmp_path / "layer", columns=1)
    fine = folder / "10" / "1518" / "670.terrain"
    fine.parent.mkdir(parents=True)
    fine.write_bytes(tile_bytes(lambda u, v: 5000.0 + 0 * u))
    source = registry.read(folder).sources[0].data.source
    # The finest level has one tile, and beside it the coarse one goes on.
    assert source.deepest == 10
    inside = source.meshes.finest((10, 1518, 670))
    beside = source.meshes.finest((10, 1519, 671))
    assert inside[0] == (10, 1518, 670)
    assert beside[0] == (9, 759, 335)


def test_rows_counted_from_the_north_and_mercator_tiles_lie_where_they_should():
    said = {"format": "quantized-mesh-1.0", "tiles": ["{z}/{x}/{y}.terrain"], "scheme": "slippyMap", "projection": "EPSG:3857"}
    layer = TileLayer.parse(said)
    assert layer.uri((3, 2, 1), layer.templates[0]) == "3/2/6.terrain"
    west, south, east, north = layer.rectangle((1, 0, 1))
    assert (west, south, east) == pytest.approx((-180.0, 0.0, 0.0))
    assert north == pytest.approx(85.0511, abs=1e-3)
    x, y = layer.address(np.array([[-90.0, 45.0]]), 1)
    assert 0 < x[0] < 1 < y[0] < 2


def test_a_description_without_tiles_is_refused_in_one_message(tmp_path):
    (tmp_path / "layer.json").write_text(json.dumps({"format": "quantized-mesh-1.0", "tiles": ["{z}/{x}/{y}.terrain"]}))
    with pytest.raises(DataError, match="holds no elevations"):
        registry.read(tmp_path / "layer.json")


def test_tiles_of_the_whole_globe_ask_for_a_part(tmp_path):
    folder = tmp_path / "globe"
    for x in range(2):
        file = folder / "0" / str(x) / "0.terrain"
        file.parent.mkdir(parents=True)
        file.write_bytes(tile_bytes(slope))
    (folder / "layer.json").write_text(json.dumps({"format": "quantized-mesh-1.0", "tiles": ["{z}/{x}/{y}.terrain"]}))
    with pytest.raises(DataError, match="only a part of the globe"):
        registry.read(folder)
    result = registry.read(folder, ReadOptions(extra={"window": [10.0, 40.0, 12.0, 41.0]}))
    np.testing.assert_allclose(result.extent[:, :2], [[10.0, 40.0], [12.0, 41.0]])


@pytest.fixture
def server(tmp_path):
    folder = pyramid(tmp_path / "layer", bounds=[86.9, 27.8, 87.4, 28.1], maxzoom=9)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/layer.json"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_a_served_layer_is_a_terrain(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path / "home"))
    terrain = read_source(Path(server), ReadOptions(), streams=True).sources[0].data
    np.testing.assert_allclose(terrain.bounds[:, :2], [[86.9, 27.8], [87.4, 28.1]])
    assert terrain.sample(np.array([[87.0, 27.9]]))[0] == pytest.approx(1300.0 + 10 * ((27.9 + 90) * 512 / 180 - 335), abs=0.2)


def test_a_tile_whose_triangles_all_cover_everything_is_refused():
    points = np.array([[0.0, 0.0], [256.0, 0.0], [0.0, 256.0]])
    with pytest.raises(BrokenTileError):
        rasterized(points, np.zeros(3), np.tile([0, 1, 2], (5000, 1)), 257)
