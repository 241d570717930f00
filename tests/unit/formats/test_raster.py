"""Elevation rasters: every twist of a grid, and every way a file can be damaged."""

from __future__ import annotations

import warnings
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine, from_origin

from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.raster import READER, reproject_terrain, write_ascii_grid, write_geotiff
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.model.terrain import Terrain
from tests.refusals import read_or_refused

# rasterio 1.4 multiplies affine 3 transforms the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

ASCII = "ncols 3\nnrows 2\nxllcorner 100\nyllcorner 200\ncellsize 10\nNODATA_value -9999\n1 2 3\n4 -9999 6\n"
MUTATIONS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def hill(rows: int = 64, columns: int = 80, cell: float = 2.0) -> Terrain:
    y, x = np.mgrid[0:rows, 0:columns]
    z = 20 * np.exp(-((x - columns / 2) ** 2 + (y - rows / 3) ** 2) / 200.0)
    return Terrain(z.astype(np.float32), 431_000.0, 2_558_000.0, cell, cell)


def write_raw(path: Path, values: np.ndarray, transform: Affine, **profile) -> Path:
    values = values if values.ndim == 3 else values[None]
    scales = {name: profile.pop(name) for name in ("scales", "offsets") if name in profile}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", width=values.shape[2], height=values.shape[1], count=len(values), dtype=values.dtype,
            transform=transform, **profile,
        ) as file:  # fmt: skip
            file.write(values)
            for name, value in scales.items():
                setattr(file, name, value)
    return path


def read(path: Path, **extra) -> ReadResult:
    return READER.read(path, ReadOptions(extra=extra))


def terrain_of(result: ReadResult) -> Terrain:
    return result.sources[0].data


def codes(result: ReadResult) -> set[str]:
    return {problem.code for problem in result.problems}


def test_a_geotiff_written_is_read_back_the_same(tmp_path: Path):
    terrain = hill()
    terrain.elevations[3, 4] = np.nan
    result = read(write_geotiff(tmp_path / "hill.tif", terrain, Crs.epsg(4547)))
    np.testing.assert_array_equal(terrain_of(result).elevations, terrain.elevations)
    np.testing.assert_allclose(terrain_of(result).bounds, terrain.bounds)
    assert result.crs == "EPSG:4547"
    assert dict(result.objects) == {"bands": 1, "width": 80, "height": 64}
    assert not result.problems


def test_a_written_geotiff_is_tiled_with_overviews(tmp_path: Path):
    path = write_geotiff(tmp_path / "large.tif", hill(700, 1300), None)
    with rasterio.open(path) as file:
        assert file.profile["tiled"]
        assert file.overviews(1) == [2, 4]


def test_an_ascii_grid_written_is_read_back_the_same(tmp_path: Path):
    terrain = hill()
    terrain.elevations[3, 4] = np.nan
    result = read(write_ascii_grid(tmp_path / "hill.asc", terrain))
    np.testing.assert_allclose(terrain_of(result).elevations, terrain.elevations, atol=6e-4)
    np.testing.assert_allclose(terrain_of(result).bounds[:, :2], terrain.bounds[:, :2])


def test_a_failed_write_leaves_the_earlier_file_alone(tmp_path: Path):
    path = tmp_path / "hill.asc"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(DataError, match="square"):
        write_ascii_grid(path, Terrain(np.zeros((2, 2), np.float32), 0, 0, 1.0, 2.0))
    with pytest.raises(DataError, match="cannot be written"):
        write_geotiff(tmp_path / "no" / "such" / "folder.tif", hill(), None)
    assert path.read_text(encoding="utf-8") == "precious"
    assert [p.name for p in tmp_path.iterdir()] == ["hill.asc"]


def test_an_ascii_grid_places_its_cells_and_knows_no_data(tmp_path: Path):
    (tmp_path / "small.asc").write_text(ASCII, encoding="utf-8")
    result = read(tmp_path / "small.asc")
    terrain = terrain_of(result)
    np.testing.assert_array_equal(terrain.elevations, [[1, 2, 3], [4, np.nan, 6]])
    np.testing.assert_allclose(terrain.bounds, [[100, 200, 1], [130, 220, 6]])
    assert result.crs is None
    assert codes(result) == {"no-crs"}


def test_a_projection_beside_an_ascii_grid_is_used(tmp_path: Path):
    (tmp_path / "small.asc").write_text(ASCII, encoding="utf-8")
    (tmp_path / "small.prj").write_text(Crs.epsg(4547).pyproj.to_wkt("WKT1_ESRI"), encoding="utf-8")
    assert read(tmp_path / "small.asc").crs == "EPSG:4547"


def test_scale_and_offset_are_honoured(tmp_path: Path):
    raw = np.array([[0, 100], [200, -32768]], np.int16)
    path = write_raw(tmp_path / "scaled.tif", raw, from_origin(0, 10, 5, 5), nodata=-32768, scales=(0.1,), offsets=(-5.0,))
    np.testing.assert_allclose(terrain_of(read(path)).elevations, [[-5, 5], [15, np.nan]], rtol=1e-6)


def test_infinite_cells_are_no_data(tmp_path: Path):
    path = write_raw(tmp_path / "inf.tif", np.array([[1.0, np.inf], [np.nan, 2.0]], np.float32), from_origin(0, 10, 5, 5))
    np.testing.assert_array_equal(terrain_of(read(path)).elevations, [[1, np.nan], [np.nan, 2]])


def test_the_first_of_several_bands_is_the_elevation(tmp_path: Path):
    path = write_raw(tmp_path / "two.tif", np.stack([np.full((4, 4), 7.0), np.full((4, 4), 9.0)]), from_origin(0, 10, 5, 5))
    result = read(path)
    assert "several-bands" in codes(result)
    assert terrain_of(result).elevations[0, 0] == 7.0
    assert terrain_of(read(path, band=2)).elevations[0, 0] == 9.0
    with pytest.raises(DataError, match="no band 3"):
        read(path, band=3)


def test_a_raster_with_south_on_top_is_turned_over(tmp_path: Path):
    values = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    path = write_raw(tmp_path / "south_up.tif", values, Affine(5, 0, 100, 0, 5, 200))
    terrain = terrain_of(read(path))
    np.testing.assert_array_equal(terrain.elevations, [[3, 4], [1, 2]])
    assert (terrain.west, terrain.north) == (100, 210)


def test_a_rotated_raster_is_straightened(tmp_path: Path):
    size = 60
    transform = Affine.translation(431_000, 2_558_000) @ Affine.rotation(30) @ Affine.scale(2, -2)
    column, row = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    x, y = transform.a * column + transform.b * row + transform.c, transform.d * column + transform.e * row + transform.f
    path = write_raw(tmp_path / "slanted.tif", (0.1 * (x - 431_000) + 0.2 * (y - 2_558_000)).astype(np.float32), transform)
    result = read(path)
    assert "straightened" in codes(result)
    centre = np.array(transform @ (size / 2, size / 2))
    expected = 0.1 * (centre[0] - 431_000) + 0.2 * (centre[1] - 2_558_000)
    assert terrain_of(result).sample(centre[None, :])[0] == pytest.approx(expected, abs=0.05)


def test_a_raster_turned_by_a_right_angle_is_straightened(tmp_path: Path):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    path = write_raw(tmp_path / "turned.tif", values, Affine(0, 2, 100, 2, 0, 200))
    terrain = terrain_of(read(path))
    assert terrain.shape == (4, 3)
    np.testing.assert_allclose(terrain.sample(np.array([[103.0, 203.0], [103.0, 205.0]])), [5.0, 6.0], atol=0.01)


def test_a_position_that_makes_no_sense_is_refused(tmp_path: Path):
    path = write_raw(tmp_path / "needle.tif", np.ones((8, 8), np.float32), Affine(1e-300, 1e6, 0, 1e-9, -1, 0))
    with pytest.raises(DataError, match="make no sense"):
        read(path)


def test_control_points_place_a_raster(tmp_path: Path):
    corners = [(0, 0, 1000, 2000), (0, 40, 1080, 2000), (40, 0, 1000, 1920), (40, 40, 1080, 1920)]
    points = [GroundControlPoint(row, column, x, y) for row, column, x, y in corners]
    values = np.broadcast_to(np.arange(40, dtype=np.float32), (40, 40)).copy()
    path = write_raw(tmp_path / "points.tif", values, Affine.identity(), gcps=points, crs="EPSG:4547")
    result = read(path)
    assert result.crs == "EPSG:4547"
    np.testing.assert_allclose(terrain_of(result).bounds[:, :2], [[1000, 1920], [1080, 2000]], atol=3)
    assert terrain_of(result).sample(np.array([[1041.0, 1960.0]]))[0] == pytest.approx(20.0, abs=0.6)


def test_a_raster_without_a_place_says_so(tmp_path: Path):
    result = read(write_raw(tmp_path / "bare.tif", np.ones((3, 3), np.float32), Affine.identity()))
    assert {"no-georeference", "no-crs"} <= codes(result)


def test_a_picture_is_not_passed_off_as_a_terrain(tmp_path: Path):
    result = read(write_raw(tmp_path / "photo.tif", np.ones((3, 8, 8), np.uint8), from_origin(0, 8, 1, 1)))
    assert {"several-bands", "looks-like-picture"} <= codes(result)


def test_a_large_raster_is_thinned_by_a_stated_factor(tmp_path: Path):
    terrain = hill(400, 600)
    path = write_geotiff(tmp_path / "large.tif", terrain, Crs.epsg(4547))
    result = read(path, max_cells=20_000)
    thinned = terrain_of(result)
    problem = next(p for p in result.problems if p.code == "thinned")
    assert problem.values == {"cells": 240_000, "factor": 4}
    assert thinned.shape == (100, 150)
    np.testing.assert_allclose(thinned.bounds[:, :2], terrain.bounds[:, :2])
    inside = np.array([[431_600.0, 2_557_700.0], [431_602.0, 2_557_732.0]])
    np.testing.assert_allclose(thinned.sample(inside), terrain.sample(inside), atol=0.5)
    assert dict(result.objects) == {"bands": 1, "width": 600, "height": 400}, "the file is what it is"


def test_a_part_of_a_raster_can_be_read(tmp_path: Path):
    terrain = hill()
    path = write_geotiff(tmp_path / "hill.tif", terrain, None)
    window = [431_020.0, 2_557_900.0, 431_060.0, 2_557_960.0]
    part = terrain_of(read(path, window=window))
    np.testing.assert_allclose(part.bounds[:, :2].ravel(), window)
    np.testing.assert_array_equal(part.elevations, terrain.part(*window).elevations)
    with pytest.raises(DataError, match="outside"):
        read(path, window=[0, 0, 1, 1])
    with pytest.raises(DataError, match="no rectangle"):
        read(path, window=["a", "b"])


def test_reading_can_be_cancelled(tmp_path: Path):
    path = write_geotiff(tmp_path / "hill.tif", hill(), None)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        READER.read(path, ReadOptions(cancel=cancel))


def test_a_raster_of_nothing_but_no_data_is_refused(tmp_path: Path):
    path = write_raw(tmp_path / "void.tif", np.full((4, 4), -9999.0, np.float32), from_origin(0, 4, 1, 1), nodata=-9999.0)
    with pytest.raises(DataError, match="no cell"):
        read(path)


def test_a_damaged_block_costs_only_itself(tmp_path: Path):
    path = write_raw(
        tmp_path / "tiles.tif", np.random.default_rng(1).normal(size=(512, 512)).astype(np.float32), from_origin(0, 512, 1, 1),
        tiled=True, blockxsize=256, blockysize=256, compress="deflate",
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    with rasterio.open(path) as file:
        offset = int(file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    data[offset : offset + 200] = bytes(200)
    path.write_bytes(bytes(data))
    result = read(path)
    problem = next(p for p in result.problems if p.code == "damaged-blocks")
    assert problem.values == {"count": 1}
    z = terrain_of(result).elevations
    assert np.isnan(z[256:, 256:]).all()
    assert np.isfinite(z[:256]).all()
    assert np.isfinite(z[256:, :256]).all()


class TestZip:
    def test_the_only_raster_of_a_zip_is_read_with_its_projection(self, tmp_path: Path):
        with zipfile.ZipFile(tmp_path / "small.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data/small.asc", ASCII)
            archive.writestr("data/small.prj", Crs.epsg(4547).pyproj.to_wkt("WKT1_ESRI"))
            archive.writestr("readme.txt", "hello")
        result = read(tmp_path / "small.zip")
        assert terrain_of(result).shape == (2, 3)
        assert result.crs == "EPSG:4547"

    def test_a_zip_of_two_rasters_is_refused(self, tmp_path: Path):
        with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
            archive.writestr("a.asc", ASCII)
            archive.writestr("b.asc", ASCII)
        with pytest.raises(DataError, match="2 rasters"):
            read(tmp_path / "two.zip")

    def test_a_zip_that_would_fill_the_memory_is_refused(self, tmp_path: Path):
        with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_BZIP2) as archive:
            archive.writestr("bomb.asc", b"ncols 1\n" + b" " * 30_000_000)
        with pytest.raises(DataError, match="not believable"):
            read(tmp_path / "bomb.zip")

    def test_a_name_that_climbs_out_of_the_zip_writes_nothing(self, tmp_path: Path):
        inside = tmp_path / "inside"
        inside.mkdir()
        with zipfile.ZipFile(inside / "evil.zip", "w") as archive:
            archive.writestr("../evil.asc", ASCII)
        assert terrain_of(read(inside / "evil.zip")).shape == (2, 3)
        assert not (tmp_path / "evil.asc").exists()


class TestReproject:
    def test_there_and_back_keeps_the_hill(self):
        terrain = hill(120, 160)
        there = reproject_terrain(terrain, Crs.epsg(4547), Crs.epsg(4490))
        assert abs(there.west) < 180
        back = reproject_terrain(there, Crs.epsg(4490), Crs.epsg(4547), cell=2.0)
        points = np.array([[431_160.0, 2_557_920.0], [431_100.0, 2_557_860.0], [431_200.0, 2_557_800.0]])
        np.testing.assert_allclose(back.sample(points), terrain.sample(points), atol=0.15)

    def test_the_same_system_is_the_same_terrain(self):
        terrain = hill()
        assert reproject_terrain(terrain, Crs.epsg(4547), Crs.epsg(4547)) is terrain

    def test_a_vertical_datum_does_not_stand_in_the_way(self):
        terrain = Terrain(np.ones((20, 20), np.float32), 85_000.0, 447_000.0, 5.0, 5.0)
        there = reproject_terrain(terrain, Crs.parse("EPSG:7415"), Crs.epsg(28992))
        np.testing.assert_allclose(np.nanmax(there.elevations), 1.0)


class TestClaims:
    @pytest.mark.parametrize(
        ("name", "head", "least"),
        [
            ("a.tif", b"II*\0", 0.9),
            ("a.bin", b"MM\0+", 0.9),
            ("a.txt", b"ncols 3", 0.9),
            ("a.asc", b"whatever", 0.5),
            ("a.terrain", b"x", 0.9),
        ],
    )
    def test_rasters_are_claimed_by_their_first_bytes(self, name: str, head: bytes, least: float):
        assert READER.claim(Path(name), head) >= least

    @pytest.mark.parametrize(
        ("name", "head"),
        [
            ("a.json", b'{"type":"CityJSON"}'),
            ("tileset.json", b'{"asset":{"version":"1.1"},"root":{}}'),
            ("a.csv", b"x,y"),
            ("folder", b""),
        ],
    )
    def test_other_files_are_left_to_others(self, name: str, head: bytes):
        assert READER.claim(Path(name), head) == 0.0


class TestTerrainTiles:
    def test_a_tile_set_description_is_refused_politely(self, tmp_path: Path):
        path = tmp_path / "layer.json"
        path.write_text('{"tilejson": "2.1.0", "format": "quantized-mesh-1.0", "tiles": []}', encoding="utf-8")
        assert READER.claim(path, path.read_bytes()) > 0.5
        with pytest.raises(DataError, match="GeoTIFF"):
            read(path)

    @given(st.binary(max_size=300))
    @MUTATIONS
    def test_no_bytes_at_all_break_the_tile_reader(self, tmp_path: Path, data: bytes):
        path = tmp_path / "tile.terrain"
        path.write_bytes(data)
        read_or_refused(read, path)


@pytest.fixture(scope="module")
def good_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_geotiff(folder / "hill.tif", hill(), Crs.epsg(4547))
    write_ascii_grid(folder / "hill.asc", hill(12, 12))
    with zipfile.ZipFile(folder / "hill.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "hill.asc", "hill.asc")
    return folder


@pytest.mark.parametrize("suffix", [".tif", ".asc", ".zip"])
@given(part=st.floats(0.0, 1.0, exclude_max=True))
@MUTATIONS
def test_a_truncated_raster_is_read_in_part_or_refused(tmp_path: Path, good_files: Path, suffix: str, part: float):
    good = (good_files / f"hill{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(good[: 1 + int(part * (len(good) - 1))])
    read_or_refuse(path)


@pytest.mark.parametrize("suffix", [".tif", ".asc", ".zip"])
@given(flips=st.lists(st.tuples(st.integers(0, 3999), st.integers(0, 255)), min_size=1, max_size=8))
@MUTATIONS
def test_flipped_bytes_never_escape_as_anything_but_a_refusal(
    tmp_path: Path, good_files: Path, suffix: str, flips: list[tuple[int, int]]
):
    bad = bytearray((good_files / f"hill{suffix}").read_bytes())
    for place, value in flips:
        bad[place % len(bad)] = value
    path = tmp_path / f"flipped{suffix}"
    path.write_bytes(bytes(bad))
    read_or_refuse(path)


def read_or_refuse(path: Path) -> None:
    read_or_refused(partial(read, max_cells=1_000_000), path)
