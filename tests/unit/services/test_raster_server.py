"""GeoTIFFs opened where they lie: the same cells as from the disk, few requests, and a server that misbehaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.shutil import copy as raster_copy
from rasterio.transform import from_origin

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, ServiceError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files, preview
from cimdesk.formats import raster_large, registry, remote_raster
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.layers import LayerKind
from cimdesk.services.raster_server import open_raster
from cimdesk.services.tile_cache import TileCache

pytestmark = pytest.mark.usefixtures("little_patience")
SIDE = 1500


@pytest.fixture
def server(part_server):
    return part_server


@pytest.fixture
def cache(tmp_path):
    return TileCache(tmp_path / "cache")


def hills(side=SIDE):
    y, x = np.mgrid[0:side, 0:side]
    return (100.0 + 20.0 * np.sin(x / 90.0) + 30.0 * np.cos(y / 130.0)).astype(np.float32)


def write_cog(path, bands, crs="EPSG:32650", mask=None, colors=None, **options):
    bands = bands[None] if bands.ndim == 2 else bands
    plain = path.with_suffix(".plain.tif")
    profile = {"driver": "GTiff", "width": bands.shape[2], "height": bands.shape[1], "count": len(bands), "dtype": bands.dtype}
    profile |= {"crs": crs, "transform": from_origin(500_000, 2_560_000, 2, 2), "tiled": True}
    profile |= {"blockxsize": 128, "blockysize": 128}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(plain, "w", **profile) as file:
        file.write(bands)
        if colors:
            file.colorinterp = colors
        if mask is not None:
            file.write_mask(mask)
    raster_copy(plain, path, driver="COG", blocksize=128, **options)
    return path


@pytest.fixture
def terrain(tmp_path):
    return write_cog(tmp_path / "hills.tif", hills(), compress="deflate", predictor="yes")


def served(server, path):
    server.files["/" + path.name] = path.read_bytes()
    return server.url("/" + path.name)


def large(monkeypatch):
    """Let rasters of this size count as large, here as there."""
    monkeypatch.setattr(raster_large, "LARGE", 500_000)
    monkeypatch.setattr(raster_large, "OVERVIEW_SIDE", 300)
    monkeypatch.setattr("cimdesk.formats.raster.LARGE", 500_000)


def test_a_small_terrain_has_the_cells_that_it_has_on_the_disk(server, cache, terrain):
    found = open_raster(served(server, terrain), ReadOptions(), cache)
    local = registry.read(terrain)
    assert (found.format, found.crs, found.objects) == (local.format, local.crs, local.objects)
    assert np.array_equal(found.sources[0].data.elevations, local.sources[0].data.elevations)


def test_a_large_terrain_is_looked_at_with_few_requests_and_has_every_cell(server, cache, terrain, monkeypatch):
    large(monkeypatch)
    found = open_raster(served(server, terrain), ReadOptions(), cache).sources[0]
    local = registry.read(terrain).sources[0]
    assert sum(server.asked.values()) <= 6
    assert np.allclose(found.data.elevations, local.data.elevations, atol=1e-3)
    area = (501_000.0, 2_558_000.0, 501_400.0, 2_558_400.0)
    assert np.array_equal(found.data.source.read(area, 200, 200), local.data.source.read(area, 200, 200))
    xy = np.array([[501_111.0, 2_558_222.0], [502_000.5, 2_559_000.5], [0.0, 0.0]])
    assert found.data.sample(xy) == pytest.approx(local.data.sample(xy), nan_ok=True)


def test_it_is_seen_in_the_system_of_the_project(server, cache, terrain, monkeypatch):
    large(monkeypatch)
    found = open_raster(served(server, terrain), ReadOptions(), cache).sources[0]
    local = registry.read(terrain).sources[0]
    target = Crs.epsg(4547)
    here, there = local.data.source.aimed(local.crs, target), found.data.source.aimed(found.crs, target).raised(0.0)
    assert there.bounds[:, :2] == pytest.approx(here.bounds[:, :2], abs=1.0)
    assert there.cell == pytest.approx(here.cell, rel=0.01)
    west, south = here.bounds[0, :2] + 500.0
    area = (west, south, west + 400.0, south + 400.0)
    # Both interpolate, one of them twice.
    assert np.nanmax(np.abs(there.read(area, 100, 100) - here.read(area, 100, 100))) < 0.1


def test_a_terrain_whose_server_goes_away_is_told_and_comes_back(server, cache, tmp_path, monkeypatch):
    large(monkeypatch)
    rough = hills() + np.random.default_rng(2).normal(size=(SIDE, SIDE)).astype(np.float32)
    address = served(server, write_cog(tmp_path / "hills.tif", rough, compress="deflate"))
    source = open_raster(address, ReadOptions(), cache).sources[0].data.source
    area = (501_000.0, 2_558_000.0, 501_400.0, 2_558_400.0)
    server.manners["/hills.tif"] = 503
    with pytest.raises(ServiceError):
        source.read(area, 200, 200)
    assert [problem.code for problem in source.problems()] == ["unreachable"]
    server.manners.clear()
    assert np.isfinite(source.read(area, 200, 200)).all()


def test_a_terrain_far_away_is_not_asked_for_between_two_frames(server, cache, terrain, monkeypatch):
    large(monkeypatch)
    data = open_raster(served(server, terrain), ReadOptions(), cache).sources[0].data
    server.manners["/hills.tif"] = "drop"
    assert np.isfinite(data.at_hand.sample(np.array([[501_111.0, 2_558_222.0]]))).all()
    local = registry.read(terrain).sources[0].data
    assert local.at_hand is local


def look(imagery, box, side=256, cancel=None):
    return imagery.source.picture(np.array(box), imagery.crs, side, side, "light", cancel or CancelToken())


@pytest.mark.parametrize("kind", ["jpeg", "alpha", "palette", "mask"])
def test_pictures_look_as_they_do_from_the_disk(server, cache, tmp_path, kind):
    y, x = np.mgrid[0:1000, 0:1000]
    colors = np.stack([x // 4, y // 4, (x + y) // 8]).astype(np.uint8)
    seen = ((x - 500) ** 2 + (y - 500) ** 2 < 400**2).astype(np.uint8) * 255
    path = tmp_path / f"{kind}.tif"
    if kind == "alpha":
        kinds = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        write_cog(path, np.concatenate([colors, seen[None]]), colors=kinds, compress="deflate")
    elif kind == "palette":
        profile = {"driver": "GTiff", "width": 1000, "height": 1000, "count": 1, "dtype": "uint8", "crs": "EPSG:32650",
                   "transform": from_origin(500_000, 2_560_000, 2, 2), "photometric": "palette", "compress": "lzw"}  # fmt: skip
        with rasterio.open(path, "w", **profile) as file:
            file.write((x // 100).astype(np.uint8), 1)
            file.write_colormap(1, {k: (25 * k, 255 - 25 * k, 90, 255) for k in range(10)})
            file.build_overviews([2, 4], Resampling.nearest)
    else:
        write_cog(path, colors, mask=seen if kind == "mask" else None, compress="jpeg" if kind == "jpeg" else "deflate")
    found = open_raster(served(server, path), ReadOptions(), cache).sources[0]
    local = registry.read(path).sources[0]
    assert found.kind is LayerKind.IMAGERY
    for box in ([[500_200, 2_558_500], [501_700, 2_559_800]], [[500_900.0, 2_559_000.0], [501_100.0, 2_559_200.0]]):
        here, there = look(local.data, box).pixels, look(found.data, box).pixels
        assert (here[..., 3] == there[..., 3]).mean() > 0.995
        both = (here[..., 3] > 0) & (there[..., 3] > 0)
        assert np.abs(here[both].astype(int) - there[both]).mean() < 2.0


def test_a_picture_whose_server_goes_away_has_gaps_that_are_asked_for_again(server, cache, tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (3, 1500, 1500), dtype=np.uint8)
    address = served(server, write_cog(tmp_path / "p.tif", noise, compress="deflate"))
    imagery = open_raster(address, ReadOptions(), cache).sources[0].data
    server.manners["/p.tif"] = "drop"
    box = [[500_900.0, 2_558_800.0], [501_100.0, 2_559_000.0]]
    assert look(imagery, box).missing == 1
    assert imagery.source.problems()
    server.manners.clear()
    imagery.source.frames[0].remote.parts.server._dead_until = 0.0
    assert look(imagery, box).missing == 0


def test_files_that_would_have_to_be_fetched_whole_are_refused(server, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_raster, "MOST_WHOLE", 100_000)
    path = tmp_path / "plain.tif"
    with rasterio.open(path, "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype="float32", crs="EPSG:32650",
                       transform=from_origin(500_000, 2_560_000, 2, 2)) as file:  # fmt: skip
        file.write(hills(), 1)
    with pytest.raises(DataError, match="no coarser copies") as caught:
        open_raster(served(server, path), ReadOptions(), cache)
    assert "Cloud Optimized" in caught.value.remedy
    assert sum(server.asked.values()) <= 2


def test_what_is_no_tiff_or_a_broken_one_is_refused(server, cache, terrain):
    server.files["/a.tif"] = b"<html>log in</html>" * 10
    with pytest.raises(DataError, match="no TIFF"):
        open_raster(server.url("/a.tif"), ReadOptions(), cache)
    data = bytearray(terrain.read_bytes())
    generator = np.random.default_rng(5)
    for trial in range(60):
        damaged = bytearray(data[: int(generator.integers(1, len(data)))] if trial % 3 == 0 else data)
        for at in generator.integers(0, min(2000, len(damaged)), 8):
            damaged[at] = int(generator.integers(0, 256))
        name = f"/b{trial}.tif"
        server.files[name] = bytes(damaged)
        try:
            result = open_raster(server.url(name), ReadOptions(), cache)
        except (DataError, ServiceError):
            continue
        assert result.sources


def test_a_terrain_by_its_address_becomes_a_layer_and_loads_again(server, tmp_path, terrain, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    large(monkeypatch)
    address = served(server, terrain)
    session = Session()
    (layer,) = import_files(session, [Path(address)])
    assert layer.kind is LayerKind.TERRAIN
    assert layer.source == address
    (shown,) = preview([Path(address)])
    assert shown.error is None
