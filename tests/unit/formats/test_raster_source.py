"""Rasters larger than memory: windows, levels, damaged blocks, other systems, mosaics, pyramids."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.formats import raster_large, registry
from cimdesk.formats.raster_large import overview_of
from cimdesk.formats.raster_pyramid import with_pyramid
from cimdesk.formats.raster_source import MosaicSource, RasterFile
from cimdesk.model.grid_source import GridSource
from cimdesk.model.terrain import Terrain

UTM = Crs.epsg(32649)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path / "home"))


def plane(rows, columns, cell=5.0, west=400_000.0, north=2_600_000.0):
    """A tilted plane: averages and interpolation must give it back exactly."""
    east, south = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    return Terrain((0.2 * east * cell - 0.1 * south * cell + 100).astype(np.float32), west, north, cell, cell)


def height(terrain, x, y):
    return 0.2 * (x - terrain.west) - 0.1 * (terrain.north - y) + 100


def write(path, terrain, **options):
    rows, columns = terrain.shape
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:32649", "nodata": -9999.0, "tiled": True}
    profile |= {"blockxsize": 128, "blockysize": 128, "compress": "deflate"} | options
    place = from_origin(terrain.west, terrain.north, terrain.cell_x, terrain.cell_y)
    with rasterio.open(path, "w", width=columns, height=rows, transform=place, **profile) as file:
        file.write(np.where(np.isfinite(terrain.elevations), terrain.elevations, -9999.0).astype(np.float32), 1)
    return path


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1500), st.floats(0, 1000), st.floats(50, 500), st.integers(3, 40))
def test_any_window_of_a_plane_is_that_plane(tmp_path_factory, left, top, extent, count):
    folder = tmp_path_factory.mktemp("plane")
    terrain = plane(300, 401)
    source = RasterFile(write(folder / "a.tif", terrain), 1, "GTiff", UTM)
    west, north = terrain.west + left, terrain.north - top
    area = (west, north - extent, west + extent, north)
    step = extent / count
    x, y = np.meshgrid(west + (np.arange(count) + 0.5) * step, north - (np.arange(count) + 0.5) * step)
    for found in (source.read(area, count, count), GridSource(terrain).read(area, count, count)):
        inner = np.isfinite(found) & (x < terrain.west + 1950) & (y > terrain.north - 1450) & (x > terrain.west + 30)
        inner &= y < terrain.north - 30
        np.testing.assert_allclose(found[inner], height(terrain, x, y)[inner], atol=0.02)
        outside = (x > terrain.west + 2010) | (y < terrain.north - 1505)
        assert not np.isfinite(found[outside]).any()


def test_points_are_answered_as_from_memory(tmp_path):
    terrain = plane(700, 600)
    source = RasterFile(write(tmp_path / "a.tif", terrain), 1, "GTiff", UTM)
    rng = np.random.default_rng(2)
    xy = np.column_stack(
        [rng.uniform(terrain.west + 5, terrain.west + 2990, 500), rng.uniform(terrain.north - 3490, terrain.north - 5, 500)]
    )
    np.testing.assert_allclose(source.sample(xy), terrain.sample(xy), atol=1e-2)
    assert np.isnan(source.sample(np.array([[0.0, 0.0], [np.nan, 1.0]]))).all()


def test_a_large_raster_is_an_overview_with_a_source(tmp_path, monkeypatch):
    monkeypatch.setattr(raster_large, "LARGE", 100_000)
    monkeypatch.setattr("cimdesk.formats.raster.LARGE", 100_000)
    monkeypatch.setattr(raster_large, "OVERVIEW_SIDE", 64)
    terrain = plane(500, 700)
    result = registry.read(write(tmp_path / "a.tif", terrain))
    large = result.sources[0].data
    assert max(large.shape) == 64
    assert large.finest_cell == 5.0
    np.testing.assert_allclose(large.bounds[:, :2], terrain.bounds[:, :2])
    assert {"large"} == {problem.code for problem in result.problems}
    part = large.part(400_500.0, 2_598_000.0, 400_700.0, 2_598_300.0)
    assert part.shape == (60, 40)
    np.testing.assert_allclose(part.elevations, terrain.part(400_500.0, 2_598_000.0, 400_700.0, 2_598_300.0).elevations, atol=1e-3)
    coarse = large.part(400_500.0, 2_598_000.0, 400_700.0, 2_598_300.0, 20.0)
    assert (coarse.shape, coarse.cell_x) == ((15, 10), 20.0)
    raised = large.raised(7.5)
    at = np.array([[401_000.0, 2_599_000.0]])
    assert raised.sample(at) == pytest.approx(large.sample(at) + 7.5)


def test_a_large_raster_moves_into_another_system_without_being_read_whole(tmp_path):
    from cimdesk.formats.raster import reproject_terrain

    terrain = plane(400, 400)
    source = RasterFile(write(tmp_path / "a.tif", terrain), 1, "GTiff", UTM)
    target = Crs.epsg(4547)
    moved = reproject_terrain(overview_of(source), UTM, target)
    world = np.array([[401_000.0, 2_599_000.0, 0.0]])
    there = UTM.transform(target, world)
    assert moved.source is not None
    assert moved.sample(there) == pytest.approx(height(terrain, 401_000.0, 2_599_000.0), abs=0.2)


def test_rasters_of_a_folder_are_one_terrain(tmp_path):
    whole = plane(200, 300)
    folder = tmp_path / "tiles"
    folder.mkdir()
    for k, (a, b) in enumerate([(0, 150), (150, 300)]):
        part = Terrain(whole.elevations[:, a:b].copy(), whole.west + a * 5.0, whole.north, 5.0, 5.0)
        write(folder / f"{k}.tif", part)
    (folder / "broken.tif").write_bytes(b"II*\0" + b"\0" * 50)
    result = registry.read(folder)
    terrain = result.sources[0].data
    assert result.objects == {"files": 2}
    assert [problem.code for problem in result.problems] == ["broken-part"]
    np.testing.assert_allclose(terrain.bounds[:, :2], whole.bounds[:, :2])
    # Across the seam too.
    xy = np.column_stack([np.linspace(400_010.0, 401_490.0, 80), np.full(80, 2_599_500.0)])
    np.testing.assert_allclose(terrain.sample(xy), height(whole, xy[:, 0], xy[:, 1]), atol=0.6)


def test_a_folder_of_broken_rasters_is_refused(tmp_path):
    (tmp_path / "x.tif").write_bytes(b"II*\0" + b"\0" * 50)
    with pytest.raises(DataError, match="none of the 1 rasters"):
        registry.read(tmp_path)


def test_a_pyramid_is_made_once_and_answers_like_the_file(tmp_path):
    terrain = plane(1100, 1301)
    path = write(tmp_path / "a.tif", terrain)
    base = RasterFile(path, 1, "GTiff", UTM)
    told = []
    source = with_pyramid(base, [path], 1, UTM, 2, lambda fraction, text="": told.append(fraction), CancelToken())
    assert told
    again = []
    with_pyramid(base, [path], 1, UTM, 2, lambda fraction, text="": again.append(fraction), CancelToken())
    assert not again
    (west, south, _), (east, north, _) = terrain.bounds
    found = source.read((west, south, east, north), 55, 65)
    step_x, step_y = (east - west) / 65, (north - south) / 55
    x, y = np.meshgrid(west + (np.arange(65) + 0.5) * step_x, north - (np.arange(55) + 0.5) * step_y)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, :-1], height(terrain, x, y)[:, :-1], atol=0.1)
    # The last coarse cells reach beyond the file: what is beyond counts as high as the edge.
    np.testing.assert_allclose(found, height(terrain, x, y), atol=0.5)


def test_cancelling_a_pyramid_leaves_nothing_behind(tmp_path):
    path = write(tmp_path / "a.tif", plane(1100, 1100))
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        with_pyramid(RasterFile(path, 1, "GTiff", UTM), [path], 1, UTM, 2, no_progress, cancel)
    assert not list((tmp_path / "home" / "cache" / "terrain").iterdir())


def test_damaged_blocks_are_holes_and_the_rest_is_there(tmp_path):
    terrain = plane(512, 512)
    path = write(tmp_path / "a.tif", terrain)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = b"\xff" * 3000
    path.write_bytes(data)
    (west, south, _), (east, north, _) = terrain.bounds
    found = RasterFile(path, 1, "GTiff", UTM).read((west, south, east, north), 512, 512)
    assert 0.3 < np.isfinite(found).mean() < 1.0
    known = np.isfinite(found)
    np.testing.assert_allclose(found[known], terrain.elevations[known], atol=1e-2)


def test_several_threads_read_the_same_file(tmp_path):
    terrain = plane(512, 512)
    source = RasterFile(write(tmp_path / "a.tif", terrain), 1, "GTiff", UTM)
    west, north = terrain.west, terrain.north
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(20):
            x, y = west + rng.uniform(200, 2000), north - rng.uniform(200, 2000)
            found = source.read((x, y - 100, x + 100, y), 20, 20)
            if abs(float(found.mean()) - height(terrain, x + 50, y - 50)) > 0.05:
                wrong.append((x, y))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_where_parts_of_a_mosaic_overlap_the_first_counts(tmp_path):
    low, high = plane(50, 50), plane(50, 50)
    high = Terrain(high.elevations + 50, high.west + 100, high.north, 5.0, 5.0)
    mosaic = MosaicSource(tuple(RasterFile(write(tmp_path / f"{k}.tif", t), 1, "GTiff", UTM) for k, t in enumerate((low, high))))
    found = mosaic.sample(np.array([[low.west + 150.0, low.north - 100.0]]))
    assert found == pytest.approx(height(low, low.west + 150.0, low.north - 100.0), abs=0.01)


def test_a_flood_takes_the_finest_cells_of_the_part_it_needs(tmp_path):
    from cimdesk.commands.flood_scenario import grid_of

    terrain = plane(600, 800)
    large = overview_of(RasterFile(write(tmp_path / "a.tif", terrain), 1, "GTiff", UTM), 50)
    extent = (400_500.0, 2_598_000.0, 400_700.0, 2_598_300.0)
    fine = grid_of(large, None, extent, None)
    assert (fine.shape, fine.cell_x) == ((60, 40), 5.0)
    np.testing.assert_allclose(fine.elevations, grid_of(terrain, None, extent, None).elevations, atol=1e-3)
    assert grid_of(large, 20.0, None, None).shape == (150, 200)
    with pytest.raises(DataError, match="too many"):
        grid_of(large, 0.01, None, None)
