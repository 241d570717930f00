"""Real elevation files against facts found with independent tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from cimdesk.base.errors import DataError
from cimdesk.formats.quantized_mesh import decode_tile, tile_grid
from cimdesk.formats.raster import READER
from cimdesk.formats.raster_source import RasterFile
from cimdesk.formats.registry import ReadOptions, read_head
from cimdesk.formats.tiles3d_paths import read_limited

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")]


def terrain_facts(facts: dict, parser: str) -> dict[str, dict]:
    return {name: fact for name, fact in facts.items() if name.startswith("terrain/") and fact.get("parser") == parser}


def test_every_raster_agrees_with_its_facts(real_data: Path, facts: dict):
    found = terrain_facts(facts, "rasterio")
    assert len(found) >= 12
    for name, fact in found.items():
        path = real_data / name
        assert READER.claim(path, read_head(path)) >= 0.6, name
        result = READER.read(path, ReadOptions())
        assert result.objects["bands"] == fact["bands"], name
        assert result.crs == (None if fact["crs"] == "None" else fact["crs"]), name
        np.testing.assert_allclose(result.extent[:, :2].ravel(), fact["bounds"], rtol=1e-12, err_msg=name)
        if "valid" in fact and np.isfinite(fact["min"]):
            z = result.sources[0].data.elevations
            assert np.isfinite(z).sum() == fact["valid"], name
            if "scale" not in name:
                assert (float(z.min() if np.isfinite(z).all() else np.nanmin(z))) == pytest.approx(fact["min"], rel=1e-6), name
                assert float(np.nanmax(z)) == pytest.approx(fact["max"], rel=1e-6), name
                assert float(np.nanmean(z, dtype=np.float64)) == pytest.approx(fact["mean"], abs=2e-4), name


def test_a_raster_with_scale_and_offset_gives_physical_values(real_data: Path, facts: dict):
    name = "terrain/cog/cog_scale_epsg4326.tif"
    z = READER.read(real_data / name, ReadOptions()).sources[0].data.elevations
    assert float(np.nanmin(z)) == pytest.approx(1000.0 - 620.0 * 1e-4, abs=1e-3)
    assert float(np.nanmax(z)) == pytest.approx(1000.0 + 13413.0 * 1e-4, abs=1e-3)


def test_a_corrupt_raster_is_read_in_part_and_says_so(real_data: Path):
    result = READER.read(real_data / "terrain/rasterio/corrupt.tif", ReadOptions())
    assert "damaged-blocks" in {problem.code for problem in result.problems}
    assert np.isnan(result.sources[0].data.elevations).sum() == 512 * 512


def test_every_quantized_mesh_tile_has_the_counts_of_its_facts(real_data: Path, facts: dict):
    found = {name: fact for name, fact in terrain_facts(facts, "struct").items() if name.endswith(".terrain")}
    assert len(found) == 11
    for name, fact in found.items():
        result = READER.read(real_data / name, ReadOptions())
        assert dict(result.objects) == {"vertices": fact["vertices"], "triangles": fact["triangles"]}, name
        tile = decode_tile(read_limited(real_data / name, 1 << 28))
        assert (tile.low, tile.high) == pytest.approx((fact["min_h"], fact["max_h"]), abs=0.06), name
        assert tile.is_whole, name
        grid = tile_grid(tile)
        assert np.isfinite(grid).mean() > 0.99, name
        assert tile.low - 0.01 <= float(np.nanmin(grid)) <= float(np.nanmax(grid)) <= tile.high + 0.01, name


def test_extensions_of_real_tiles_are_there(real_data: Path):
    folder = real_data / "terrain/quantized-mesh/CesiumTerrainTileJson"
    tiles = {path.name: decode_tile(read_limited(path, 1 << 28)) for path in folder.glob("*.terrain")}
    assert {name for name, tile in tiles.items() if tile.normals is not None} >= {"tile.octvertexnormals.terrain"}
    assert tiles["tile.watermask.terrain"].water.shape == (256, 256)
    assert "available" in tiles["tile.metadataavailability.terrain"].metadata


def test_mount_everest_stands_where_it_should(real_data: Path):
    """Of 27.988 N, 86.925 E: 8,849 m above the sea and 29 m less above the ellipsoid; a tile of level 9 smooths it."""
    folder = real_data / "terrain/quantized-mesh/CesiumTerrainTileJson/9_759_335"
    terrain = READER.read(folder, ReadOptions()).sources[0].data
    x, y = np.meshgrid(np.linspace(86.90, 86.95, 60), np.linspace(27.96, 28.01, 60))
    heights = terrain.sample(np.column_stack([x.ravel(), y.ravel()]))
    assert 8500.0 < float(heights.max()) < 8850.0


def test_descriptions_of_terrain_tiles_without_tiles_are_refused_in_one_message(real_data: Path):
    for path in sorted((real_data / "terrain/quantized-mesh").rglob("*.json")):
        assert READER.claim(path, read_head(path)) > 0.5, path.name
        if path.parent.name != "9_759_335":
            with pytest.raises(DataError, match="holds no elevations"):
                READER.read(path, ReadOptions())


def test_every_terrain_can_be_read_in_windows_as_it_is_whole(real_data: Path, facts: dict):
    """The reader of large rasters on files small enough to hold: the same heights, cell by cell."""
    for name in terrain_facts(facts, "rasterio"):
        whole = READER.read(real_data / name, ReadOptions()).sources[0].data
        (west, south, _), (east, north, _) = whole.bounds.tolist()
        with rasterio.open(real_data / name) as file:
            source = RasterFile(real_data / name, 1, file.driver, None)
        found = source.read((west, south, east, north), *whole.shape)
        known = np.isfinite(found) & np.isfinite(whole.elevations)
        assert known.mean() > 0.999 * np.isfinite(whole.elevations).mean(), name
        np.testing.assert_allclose(found[known], whole.elevations[known], rtol=1e-5, atol=1e-3, err_msg=name)


def test_the_merewether_terrain_is_read_from_its_zip(real_data: Path):
    path = real_data / "flood/anuga/merewether/topography1.zip"
    assert READER.claim(path, read_head(path)) > 0.5
    result = READER.read(path, ReadOptions())
    terrain = result.sources[0].data
    assert terrain.shape == (416, 321)
    assert 16.0 < float(np.nanmin(terrain.elevations)) < float(np.nanmax(terrain.elevations)) < 52.0
