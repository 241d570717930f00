"""Basemaps and pictures nobody here made, against what other programs say of them."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from pmtiles.reader import MmapSource, Reader
from pmtiles.tile import zxy_to_tileid
from rasterio.warp import Resampling, reproject

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.checking import check
from cimdesk.formats import registry
from cimdesk.formats.imagery.decode import decoded
from cimdesk.formats.imagery.grids import Tile, web_mercator
from cimdesk.formats.imagery.mvt import vector_parts
from cimdesk.formats.imagery.pmtiles_file import LocalParts, PmtilesFile, unpacked

pytestmark = pytest.mark.real

FIRENZE = "basemap/protomaps(vector)ODbL_firenze.pmtiles"
WHITNEY = "basemap/usgs-mt-whitney-8-15-webp-512.pmtiles"
UTM_32, UTM_11 = Crs.epsg(32632), Crs.epsg(32611)


def imagery(path):
    return registry.read(path).sources[0].data


@pytest.mark.parametrize("name", ["plain_1", "plain_2"])
def test_mbtiles_have_as_many_tiles_and_zooms_as_sqlite_says(real_data, facts, name):
    fact = facts[f"basemap/mbtiles/{name}.mbtiles"]
    report = check(real_data / f"basemap/mbtiles/{name}.mbtiles")
    assert report["format"] == "MBTiles"
    assert report["objects"]["tiles"] == fact["tiles"]
    assert report["objects"]["levels"] == fact["zoom"][1] - fact["zoom"][0] + 1
    assert report["crs"] == "EPSG:3857"
    west, south, east, north = (float(v) for v in fact["metadata"]["bounds"].split(","))
    placed = Crs.epsg(3857).transform(
        Crs.epsg(4326), np.array(report["extent"], dtype=object).reshape(2, 3)[:, :2].astype(float) @ np.eye(2, 3)
    )
    assert placed[:, :2].ravel() == pytest.approx([west, south, east, north], abs=1e-6)


def test_every_mbtile_shows_the_pixels_that_sqlite_has(real_data):
    path = real_data / "basemap/mbtiles/plain_1.mbtiles"
    data = imagery(path)
    levels = web_mercator(0, 4)
    with sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True) as base:
        rows = base.execute("SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles WHERE zoom_level < 4").fetchall()
    base.close()
    for zoom, column, row, blob in rows:
        box = levels[zoom].box(column, 2**zoom - 1 - row)
        seen = data.picture(box, 256, 256).pixels
        assert np.abs(seen[2:-2, 2:-2].astype(int) - decoded(blob)[2:-2, 2:-2]).max() <= 1, (zoom, column, row)
    assert len(rows) == 77


def test_a_corrupt_database_is_refused_with_its_reason(real_data, facts):
    name = "basemap/mbtiles/corrupt.mbtiles"
    with pytest.raises(DataError, match=facts[name]["error"]):
        registry.read(real_data / name)


@pytest.mark.parametrize("name", [FIRENZE, WHITNEY])
def test_pmtiles_give_the_bytes_that_the_package_of_their_makers_gives(real_data, name):
    with (real_data / name).open("rb") as file:
        theirs = Reader(MmapSource(file))
        header = theirs.header()
        ours = PmtilesFile(real_data / name, LocalParts(real_data / name))
        assert ours.count == header["addressed_tiles_count"]
        assert ours.zooms == (header["min_zoom"], header["max_zoom"])
        found = 0
        for k, level in enumerate(web_mercator(*ours.zooms)):
            c0, c1, r0, r1 = level.range_of(ours.bounds)
            for column in range(c0, c1 + 1):
                for row in range(r0, r1 + 1):
                    data = theirs.get(ours.zooms[0] + k, column, row)
                    if data is not None:
                        found += 1
                        assert ours.read(Tile(k, column, row), CancelToken()) == unpacked(data, 1 << 25)
        assert found == header["addressed_tiles_count"]
        assert zxy_to_tileid(14, 8704, 5972) > 0


def test_the_map_of_florence_has_water_green_and_streets_where_they_are(real_data):
    data = imagery(real_data / FIRENZE).in_system(UTM_32)
    places = {"Arno": (11.24873, 43.76983), "garden": (11.26248, 43.76549), "Duomo": (11.2560, 43.7732)}
    seen = {}
    for name, (lon, lat) in places.items():
        at = Crs.epsg(4326).transform(UTM_32, np.array([[lon, lat, 0.0]]))[0, :2]
        seen[name] = np.median(data.picture(np.array([at - 20.0, at + 20.0]), 64, 64).pixels[..., :3].reshape(-1, 3), axis=0)
    assert seen["Arno"][2] > seen["Arno"][0] + 20  # blue
    assert seen["garden"][1] > seen["garden"][2] + 10  # green
    assert np.ptp(seen["Duomo"]) < 25  # a building
    assert not data.source.problems()
    assert "OpenStreetMap" in data.source.attribution


def test_buildings_of_florence_are_those_of_the_tile(real_data):
    file = PmtilesFile(real_data / FIRENZE, LocalParts(real_data / FIRENZE))
    parts = {part.name: part for part in vector_parts(file.read(Tile(14, 8704, 5971), CancelToken()))}
    assert {"water", "buildings", "places", "landuse", "roads", "transit", "pois", "earth"} <= set(parts)
    assert (parts["buildings"].kinds == 3).all()
    assert "Cattedrale di Santa Maria del Fiore" in parts["buildings"].column("name")


def test_the_topographic_map_lies_where_rasterio_puts_it(real_data):
    """A part of the map, through rasterio's own warp and through ours."""
    data = imagery(real_data / WHITNEY)
    west, north, pixel, side = -13_168_500.0, 4_380_800.0, 4.777314267823516, 512
    box = np.array([[west, north - side * pixel], [west + side * pixel, north]])
    flat = data.picture(box, side, side).pixels
    there = Crs.epsg(3857).transform(UTM_11, np.append(box.mean(axis=0), 0.0)[None, :])[0, :2]
    target = np.array([there - 700.0, there + 700.0])
    ours = data.in_system(UTM_11).picture(target, 350, 350).pixels
    theirs = np.zeros((3, 350, 350), dtype=np.uint8)
    from rasterio.transform import from_origin

    reproject(
        np.ascontiguousarray(np.moveaxis(flat[..., :3], -1, 0)), theirs,
        src_transform=from_origin(west, north, pixel, pixel), src_crs="EPSG:3857",
        dst_transform=from_origin(target[0, 0], target[1, 1], 4.0, 4.0), dst_crs="EPSG:32611", resampling=Resampling.bilinear,
    )  # fmt: skip
    away = np.abs(np.moveaxis(theirs, 0, -1).astype(int) - ours[..., :3])
    shifted = np.abs(np.moveaxis(theirs, 0, -1).astype(int)[:, 1:] - ours[:, :-1, :3])
    assert away.mean() < 9.0
    assert away.mean() < 0.6 * shifted.mean()


def test_a_damaged_picture_shows_what_is_left_of_it(real_data, facts):
    fact = facts["terrain/rasterio/corrupt.tif"]
    result = registry.read(real_data / "terrain/rasterio/corrupt.tif")
    assert result.objects["bands"] == fact["bands"]
    assert [problem.code for problem in result.problems] == ["unreadable-part"]
    data = result.sources[0].data
    seen = data.picture(data.bounds[:, :2], 1024, 1024).pixels
    assert 0.05 < (seen[..., 3] > 0).mean() < 1.0
