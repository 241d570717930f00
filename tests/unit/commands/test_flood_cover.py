"""Roughness and soils by class: rasters of codes with and without a palette, polygons, tables that lack something."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.commands.flood_scenario import load_scenario
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.terrain import Terrain

HEAD = '[scenario]\nterrain = "ground.tif"\nduration = "5min"\n[surface]\n'


def cover(
    path: Path, codes: np.ndarray, cell: float = 10.0, palette: bool = True, crs: str = "EPSG:4547", at=(431000.0, 2558100.0)
) -> Path:
    """Write codes as one band of bytes, as land cover comes: with a palette."""
    with rasterio.open(
        path, "w", driver="GTiff", width=codes.shape[1], height=codes.shape[0], count=1, dtype="uint8", crs=crs, nodata=0,
        transform=from_origin(*at, cell, cell),
    ) as file:  # fmt: skip
        file.write(codes.astype(np.uint8), 1)
        if palette:
            file.write_colormap(1, {10: (0, 100, 0, 255), 50: (250, 0, 0, 255), 80: (0, 100, 200, 255)})
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ground = Terrain(np.full((20, 20), 5.0, dtype=np.float32), 431000.0, 2558100.0, 5.0, 5.0)
    write_geotiff(tmp_path / "ground.tif", ground.elevations, Crs.epsg(4547), grid=ground)
    codes = np.full((10, 10), 50)
    codes[:, :4], codes[:2, 8:] = 10, 80
    cover(tmp_path / "cover.tif", codes)
    (tmp_path / "n.csv").write_text("code,manning,name\n10,0.12,trees\n50,0.02,streets\n80,0.025,water\n")
    return tmp_path


def loaded(folder: Path, surface: str):
    (folder / "s.toml").write_text(HEAD + surface, encoding="utf-8")
    return load_scenario(folder / "s.toml")


@pytest.mark.parametrize("palette", [True, False])
def test_land_cover_gives_each_cell_the_roughness_of_its_class(folder: Path, palette: bool):
    if not palette:
        cover(folder / "cover.tif", np.where(np.arange(10) < 4, 10, 50) * np.ones((10, 1)), palette=False)
    manning = loaded(folder, 'manning = { source = "cover.tif", table = "n.csv" }').manning_n
    assert manning.dtype == np.float32
    assert manning[10, 3] == np.float32(0.12)
    assert manning[10, 12] == np.float32(0.02)
    assert manning[1, 18] == (np.float32(0.025) if palette else np.float32(0.02))


def test_land_cover_in_another_system_lies_where_it_should(folder: Path):
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(4547, 4326, always_xy=True)
    west, north = to_degrees.transform(430950.0, 2558150.0)
    middle, _ = to_degrees.transform(431050.0, 2558150.0)
    cell = (middle - west) / 20.0
    codes = np.where(np.arange(60) < 20, 10, 50) * np.ones((60, 1))
    cover(folder / "cover.tif", codes, cell, crs="EPSG:4326", at=(west, north))
    manning = loaded(folder, 'manning = { source = "cover.tif", table = "n.csv" }').manning_n
    assert (manning[:, 8] == np.float32(0.12)).all()
    assert (manning[:, 12] == np.float32(0.02)).all()


def test_a_class_without_a_row_is_named(folder: Path):
    (folder / "n.csv").write_text("class,manning\n10,0.12\n50,0.02\n")
    with pytest.raises(DataError, match="land cover '80' is not in the table"):
        loaded(folder, 'manning = { source = "cover.tif", table = "n.csv" }')
    manning = loaded(folder, 'manning = { source = "cover.tif", table = "n.csv", default = 0.05 }').manning_n
    assert manning[1, 18] == np.float32(0.05)


def test_ground_without_a_class_takes_the_default(folder: Path):
    codes = np.full((10, 10), 50)
    codes[5:] = 0
    cover(folder / "cover.tif", codes)
    manning = loaded(folder, 'manning = { source = "cover.tif", table = "n.csv", default = 0.06 }').manning_n
    assert manning[15, 5] == np.float32(0.06)


def test_polygons_name_their_class_in_a_column(folder: Path):
    (folder / "use.geojson").write_text(
        '{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::4547"}},"features":['
        '{"type":"Feature","properties":{"use":"park"},"geometry":{"type":"Polygon","coordinates":'
        "[[[431000,2558000],[431050,2558000],[431050,2558100],[431000,2558100],[431000,2558000]]]}}]}"
    )
    (folder / "n.csv").write_text("class,manning\npark,0.08\n")
    manning = loaded(folder, 'manning = { source = "use.geojson", table = "n.csv", column = "use", default = 0.03 }').manning_n
    assert manning[5, 3] == np.float32(0.08)
    assert manning[5, 15] == np.float32(0.03)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("class,manning\n10,rough\n", "'rough' is no Manning value"),
        ("class,manning\n10,-1\n", "is no Manning value"),
        ("class,manning\n10,0.1\n10,0.2\n", "comes twice"),
        ("class,manning\n", "no rows"),
        ("class,n\n10,0.1\n", "no column manning"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(folder: Path, table: str, words: str):
    (folder / "n.csv").write_text(table)
    with pytest.raises(DataError, match=words):
        loaded(folder, 'manning = { source = "cover.tif", table = "n.csv" }')


def test_land_cover_that_lies_elsewhere_is_refused(folder: Path):
    cover(folder / "cover.tif", np.full((10, 10), 50), at=(500000.0, 2558100.0))
    with pytest.raises(DataError, match="does not cover the terrain"):
        loaded(folder, 'manning = { source = "cover.tif", table = "n.csv" }')


def test_soils_come_from_a_raster_with_a_palette_too(folder: Path):
    (folder / "soils.csv").write_text("class,initial_mm_h,final_mm_h,decay_per_h\n10,80,10,2\n50,1,0.5,2\n80,0,0,2\n")
    soil = loaded(folder, 'infiltration = { model = "horton", table = "soils.csv", source = "cover.tif" }').soil
    assert soil.classes[10, 3] == 0
    assert soil.classes[10, 12] == 1
    assert soil.classes[1, 18] == 2


def test_a_factor_that_makes_no_sense_is_refused(folder: Path):
    for text, words in (
        ("{ factor = 1 }", "from 2 to 100"),
        ("{ factor = 2.5 }", "whole number"),
        ("{ factor = 8 }", "three coarse"),
    ):
        with pytest.raises(DataError, match=words):
            loaded(folder, f"[solver]\nsubgrid = {text}\n")


def test_a_scenario_on_coarse_cells_is_cut_to_whole_ones(folder: Path):
    ready = loaded(folder, "[solver]\nsubgrid = { factor = 6 }\n")
    assert ready.terrain.shape == (18, 18)
    assert ready.subgrid.terrain.shape == (3, 3)
    assert ready.subgrid.terrain.cell_x == 30.0
    assert ready.subgrid.is_downscaled
    assert not loaded(folder, '[solver]\nsubgrid = { factor = 6, result = "coarse" }\n').subgrid.is_downscaled


def test_what_needs_full_detail_is_refused_on_coarse_cells(folder: Path):
    gate = '[[measure]]\nkind = "gate"\nline = [[431020.0, 2558050.0], [431060.0, 2558050.0]]\nheight = 1.0\nopen_at = "2min"\n'
    with pytest.raises(DataError, match="gates and breaches"):
        loaded(folder, "[solver]\nsubgrid = { factor = 5 }\n" + gate)
    (folder / "s.toml").write_text(HEAD.replace("[surface]", 'engine = "dynamic"\n[solver]\nsubgrid = { factor = 5 }'))
    with pytest.raises(DataError, match="inertial"):
        load_scenario(folder / "s.toml")
