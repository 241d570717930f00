"""Real COPC and GeoTIFF files opened by address: the same points and cells as from the disk."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.formats import registry
from cimdesk.formats.registry import ReadOptions
from cimdesk.services.point_server import open_cloud
from cimdesk.services.raster_server import open_raster
from cimdesk.services.tile_cache import TileCache
from tests.unit.services.tile_server import PartServer

pytestmark = pytest.mark.real


@pytest.fixture
def server():
    made = PartServer()
    yield made
    made.close()


@pytest.mark.parametrize("name", ["simple.copc.laz", "simple_with_page.copc.laz"])
def test_points_of_a_served_copc_are_those_of_the_file(server, tmp_path, real_data, name):
    path = real_data / "pointcloud" / "laspy" / name
    server.files["/" + name] = path.read_bytes()
    found = open_cloud(server.url("/" + name), ReadOptions(), TileCache(tmp_path))
    local = registry.read(path)
    assert (found.objects, found.crs, found.format) == (local.objects, local.crs, local.format)
    here, there = local.sources[0].data, found.sources[0].data
    for row in range(len(here.tree.counts)):
        assert np.array_equal(here.nodes.read(row).world(), there.nodes.read(row).world())


@pytest.mark.parametrize("name", ["cog.tif", "cog_int16.tif", "cog_nodata_nan.tif", "cog_scale_epsg4326.tif", "nocog.tif"])
def test_cells_of_a_served_geotiff_are_those_of_the_file(server, tmp_path, real_data, name):
    path = real_data / "terrain" / "cog" / name
    server.files["/" + name] = path.read_bytes()
    found = open_raster(server.url("/" + name), ReadOptions(), TileCache(tmp_path))
    local = registry.read(path)
    assert (found.objects, found.crs) == (local.objects, local.crs)
    here, there = local.sources[0].data.elevations, found.sources[0].data.elevations
    assert np.array_equal(here, there, equal_nan=True)
