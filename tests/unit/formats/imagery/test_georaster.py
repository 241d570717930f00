"""Georeferenced pictures: colours, palettes, more than 8 bits, mosaics, damaged files; and what is no picture."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.transform import Affine, from_origin

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats import registry
from cimdesk.formats.tiff_head import looks_like_picture
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain

UTM = Crs.epsg(32632)


def write(path, values, transform=None, **profile):
    values = np.asarray(values)
    transform = transform or from_origin(1000.0, 2000.0 + values.shape[1], 1.0, 1.0)
    profile = {"driver": "GTiff", "crs": "EPSG:32632", "dtype": values.dtype, **profile}
    count, height, width = values.shape
    with rasterio.open(path, "w", count=count, height=height, width=width, transform=transform, **profile) as file:
        file.write(values)
    return path


def rgb(height=40, width=60):
    return np.random.default_rng(4).integers(0, 256, (3, height, width), dtype=np.uint8)


def opened(path) -> Imagery:
    result = registry.read(path)
    assert result.sources[0].kind is LayerKind.IMAGERY
    return result.sources[0].data


def test_every_pixel_of_a_picture_is_shown(tmp_path):
    values = rgb()
    imagery = opened(write(tmp_path / "a.tif", values, photometric="RGB"))
    found = imagery.picture(imagery.bounds[:, :2], 60, 40).pixels
    assert np.array_equal(np.moveaxis(found[..., :3], -1, 0), values)
    assert found[..., 3].min() == 255


def test_what_lies_outside_is_transparent(tmp_path):
    imagery = opened(write(tmp_path / "a.tif", rgb(), photometric="RGB"))
    found = imagery.picture(np.array([[0.0, 2000.0], [1030.0, 2040.0]]), 103, 4).pixels
    assert not found[:, :99].any()
    assert found[:, 101:, 3].min() == 255


def test_palettes_become_their_colours(tmp_path):
    values = np.array([[[0, 1], [2, 1]]], dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=16, width=16, dtype="uint8", photometric="palette", crs="EPSG:32632",
        transform=from_origin(0, 16, 1, 1),
    ) as file:  # fmt: skip
        file.write(values)
        file.write_colormap(1, {0: (255, 0, 0, 255), 1: (0, 255, 0, 255), 2: (0, 0, 255, 255)})
    imagery = opened(path)
    found = imagery.picture(imagery.bounds[:, :2], 16, 16).pixels
    assert found[4, 4].tolist() == [255, 0, 0, 255]
    assert found[4, 12].tolist() == [0, 255, 0, 255]
    assert found[12, 4].tolist() == [0, 0, 255, 255]


def test_sixteen_bits_are_stretched_to_what_there_is(tmp_path):
    values = np.linspace(2000, 3000, 64 * 64).reshape(1, 64, 64).astype(np.uint16).repeat(3, axis=0)
    imagery = opened(write(tmp_path / "a.tif", values, photometric="RGB"))
    found = imagery.picture(imagery.bounds[:, :2], 64, 64).pixels
    assert found[0, 0, 0] <= 3
    assert found[-1, -1, 0] >= 252
    assert abs(int(found[32, 0, 0]) - 128) < 5


def test_opacity_and_no_data_are_kept(tmp_path):
    values = np.full((4, 16, 16), 200, dtype=np.uint8)
    values[3] = 255
    values[3, :, :8] = 0
    path = write(tmp_path / "a.tif", values, photometric="RGB", alpha="yes")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    imagery = opened(path)
    found = imagery.picture(imagery.bounds[:, :2], 16, 16).pixels
    assert not found[:, :8, 3].any()
    assert found[:, 9:, 3].min() == 255


def test_rotated_pictures_lie_as_they_say(tmp_path):
    values = np.zeros((3, 40, 40), dtype=np.uint8)
    values[0, :20] = 255  # the upper half is red
    transform = Affine.translation(1000, 2000) * Affine.rotation(90) * Affine.scale(1, -1)
    imagery = opened(write(tmp_path / "a.tif", values, transform, photometric="RGB"))
    box = imagery.bounds[:, :2]
    found = imagery.picture(box, 40, 40).pixels
    # Turned a quarter to the left, what was above is now in the west.
    assert found[20, 5, 0] == 255
    assert found[20, 35, 0] == 0


def test_overviews_are_used_for_far_views(tmp_path):
    path = write(
        tmp_path / "a.tif", np.zeros((3, 512, 512), dtype=np.uint8), photometric="RGB", tiled=True, blockxsize=128, blockysize=128
    )
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4, 8], Resampling.average)
    with rasterio.open(path, "r+", OVERVIEW_LEVEL=1) as file:
        assert file.width == 128
    imagery = opened(path)
    assert imagery.picture(imagery.bounds[:, :2], 32, 32).pixels.shape == (32, 32, 4)


def test_a_folder_of_pictures_is_one_mosaic(tmp_path):
    folder = tmp_path / "ortho"
    folder.mkdir()
    for k in range(3):
        values = np.full((3, 20, 20), 60 * (k + 1), dtype=np.uint8)
        write(folder / f"{k}.tif", values, from_origin(1000.0 + 20 * k, 2020.0, 1.0, 1.0), photometric="RGB")
    imagery = opened(folder)
    found = imagery.picture(np.array([[1000.0, 2000.0], [1060.0, 2020.0]]), 60, 20).pixels
    assert [int(found[10, x, 0]) for x in (5, 25, 45)] == [60, 120, 180]
    assert found[..., 3].min() == 255


def test_the_part_of_a_damaged_picture_that_can_be_read_is_shown(tmp_path):
    path = write(tmp_path / "a.tif", rgb(256, 256), photometric="RGB", tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    content = bytearray(path.read_bytes())
    content[-6000:-3000] = bytes(3000)
    path.write_bytes(content)
    result = registry.read(path)
    assert [problem.code for problem in result.problems] == ["unreadable-part"]
    imagery = result.sources[0].data
    found = imagery.picture(imagery.bounds[:, :2], 256, 256).pixels
    assert 0.5 < (found[..., 3] > 0).mean() < 1.0
    assert imagery.source.problems()


def test_pictures_without_a_place_are_refused(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError):
        registry.read(tmp_path / "a.png")


def test_a_world_file_gives_a_png_its_place(tmp_path):
    from PIL import Image

    Image.fromarray(np.full((8, 8, 3), 77, dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("2\n0\n0\n-2\n1001\n2015\n")
    imagery = opened(tmp_path / "a.png")
    assert imagery.bounds[:, :2].ravel().tolist() == [1000.0, 2000.0, 1016.0, 2016.0]


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
def test_grids_of_values_stay_terrain(tmp_path, dtype):
    path = write(tmp_path / "a.tif", np.ones((1, 8, 8), dtype=dtype))
    assert not looks_like_picture(path)
    assert isinstance(registry.read(path).sources[0].data, Terrain)
