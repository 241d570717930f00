"""Opening a tileset of 100 tiles and 10,000 buildings to one mesh with a row per building."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from tests.unit.formats.tile_files import Glb, tile, write_tileset

pytestmark = pytest.mark.benchmark
CUBE = np.array([[x, y, z] for x in (0, 10) for y in (0, 10) for z in (0, 20)], dtype=np.float32)
SIDES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
FACES = np.array([[side[0], *side[k : k + 2]] for side in SIDES for k in (1, 2)])


def city_block(east, north, count=100):
    """A GLB of a hundred boxes, each a feature."""
    rows = np.arange(count)
    shifts = np.column_stack([rows % 10 * 20 + east, rows // 10 * 20 + north, np.zeros(count)]).astype(np.float32)
    points = (CUBE[None] + shifts[:, None]).reshape(-1, 3)
    faces = (FACES[None] + 8 * rows[:, None, None]).reshape(-1, 3).astype(np.uint16)
    return Glb().mesh(points=points, triangles=faces, _BATCHID=np.repeat(rows, 8).astype(np.float32)).write()


@pytest.fixture(scope="module")
def tileset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    files = {f"t/{k}.glb": city_block(k % 10 * 200, k // 10 * 200) for k in range(100)}
    return write_tileset(folder, tile(error=50, children=[tile(name) for name in files]), files)


def test_opening_ten_thousand_buildings(benchmark, tileset):
    result = benchmark(READER.read, tileset, ReadOptions())
    assert result.objects["features"] == 10_000
