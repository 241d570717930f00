"""Rasters of a run on coarse cells at the resolution of its fine ground: as the run itself shows them, whatever the strips."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import rasterio

from cimdesk.app.cli import main
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.jobs import Cancelled, CancelToken
from cimdesk.commands import flood_fine_export
from cimdesk.commands.flood import run_file
from cimdesk.commands.flood_kept import kept_scenario
from cimdesk.commands.flood_outputs import ExportWish, export_file
from cimdesk.formats import flood_records
from cimdesk.formats.flood_result import read_result
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.flood_maps import KEYS, values_of
from cimdesk.model.terrain import Terrain

ROWS, COLUMNS, FACTOR = 120, 160, 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with one storm in a bumpy valley, its result on coarse cells and on fine ones."""
    folder = tmp_path_factory.mktemp("coarse")
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].astype(float)
    z = 10.0 - 0.01 * x + 0.0008 * (y - 60.0) ** 2 + 0.4 * np.sin(x / 3.0) * np.cos(y / 4.0)
    z[40:44, 30:34] = np.nan
    write_geotiff(folder / "ground.tif", Terrain(z.astype(np.float32), 431000.0, 2558000.0, 2.0, 2.0), Crs.epsg(4547))
    (folder / "houses.csv").write_text("x,y\n431100,2557900\n431120,2557900\n431120,2557880\n431100,2557880\n")
    for shown in ("coarse", "fine"):
        (folder / f"{shown}.toml").write_text(
            '[scenario]\nname = "storm"\nterrain = "ground.tif"\nduration = "40min"\noutput_every = "10min"\n'
            f'[solver]\nsubgrid = {{ factor = {FACTOR}, result = "{shown}" }}\n[surface]\nbuildings = "houses.csv"\n'
            "[[rain]]\nrate_mm_h = 90\nduration = '20min'\n"
        )
        run_file(folder / f"{shown}.toml", folder / f"{shown}.flood")
    return folder


def band(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == 4547
        assert file.transform[:6] == (2.0, 0.0, 431000.0, 0.0, -2.0, 2558000.0)
        return file.read(1)


@pytest.mark.parametrize("strip", [1, 3 * FACTOR * COLUMNS, 10**9])
def test_maps_are_those_of_the_same_run_shown_on_fine_cells(folder, tmp_path, monkeypatch, strip):
    monkeypatch.setattr(flood_fine_export, "STRIP_CELLS", strip)
    fine = read_result(folder / "fine.flood")
    export_file(folder / "coarse.flood", ExportWish(tmp_path / "maps", ("all",), "tif", is_fine=True))
    for key in KEYS:
        wanted = values_of(fine, key)
        found = band(tmp_path / "maps" / f"{key.replace('.', '_')}.tif").astype(np.float32)
        if key.startswith("hazard") and found.min() == 0 and not np.isnan(found).any():
            wanted = np.nan_to_num(wanted)
        # Depths at the edge of being wet, and of a class, may fall to either side.
        differs = ~np.isclose(found, wanted, atol=2e-3, equal_nan=True)
        assert differs.mean() < 2e-3, key
    frame = band(tmp_path / "maps" / "depth_0001200s.tif")
    shown = fine.depths[2]
    open_cells = np.isfinite(frame)
    np.testing.assert_array_equal(open_cells, np.isfinite(fine.terrain.elevations) & ~fine.is_blocked)
    # Frames are kept in steps of a millimetre of water over the coarse cell.
    assert np.abs(frame - shown)[open_cells & (shown > 0.05)].max() < 0.05
    assert np.abs(frame - shown)[open_cells].mean() < 2e-3


def test_all_water_of_a_coarse_cell_stands_on_its_fine_ground(folder, tmp_path):
    coarse = read_result(folder / "coarse.flood")
    export_file(folder / "coarse.flood", ExportWish(tmp_path / "deep.tif", ("depth",), times=(1200.0, 2400.0), is_fine=True))
    depth = np.nan_to_num(band(tmp_path / "deep" / "depth_0001200s.tif"))
    held = np.asarray(coarse.depths[2])
    parts = depth.reshape(held.shape[0], FACTOR, held.shape[1], FACTOR).mean(axis=(1, 3))
    np.testing.assert_allclose(parts.sum(), held.sum(), rtol=5e-3)
    assert np.isnan(band(tmp_path / "deep" / "ground.tif")[41, 31])


def test_the_command_writes_a_cloud_optimised_raster(folder, tmp_path, capsys):
    out = tmp_path / "deep.tif"
    code = main(["flood", "export", str(folder / "coarse.flood"), "-o", str(out), "--format", "cog", "--fine", "--json"])
    assert code == 0
    assert json.loads(capsys.readouterr().out)["files"] == [str(out)]
    with rasterio.open(out) as file:
        assert file.shape == (ROWS, COLUMNS)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert [path.name for path in tmp_path.iterdir()] == ["deep.tif"]


def test_what_cannot_be_fine_is_refused_before_anything_is_written(folder, tmp_path):
    with pytest.raises(UsageError, match="fine ones already"):
        export_file(folder / "fine.flood", ExportWish(tmp_path / "a.tif", is_fine=True))
    with pytest.raises(UsageError, match="only GeoTIFF and COG"):
        export_file(folder / "coarse.flood", ExportWish(tmp_path / "a.nc", is_fine=True))
    (tmp_path / "alone.flood").write_bytes((folder / "coarse.flood").read_bytes())
    with pytest.raises(DataError, match="how it was made"):
        export_file(tmp_path / "alone.flood", ExportWish(tmp_path / "a.tif", is_fine=True))
    (tmp_path / "alone.scenario").write_bytes((folder / "coarse.scenario").read_bytes()[:-2000])
    with pytest.raises(DataError, match="damaged"):
        export_file(tmp_path / "alone.flood", ExportWish(tmp_path / "a.tif", is_fine=True))
    assert not (tmp_path / "a.tif").exists()


def test_a_cancelled_export_leaves_nothing_and_what_was_there(folder, tmp_path):
    (tmp_path / "a.tif").write_bytes(b"before")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        export_file(folder / "coarse.flood", ExportWish(tmp_path / "a.tif", is_fine=True), cancel=cancel)
    assert (tmp_path / "a.tif").read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_grids_of_a_scenario_can_stay_in_its_file(folder, monkeypatch):
    monkeypatch.setattr(flood_records, "LARGE", 1000)
    mapped, whole = kept_scenario(folder / "coarse.flood", mapped=True), kept_scenario(folder / "coarse.flood")
    assert isinstance(mapped.terrain.elevations, np.memmap)
    np.testing.assert_array_equal(mapped.terrain.elevations, whole.terrain.elevations)
    np.testing.assert_array_equal(mapped.is_blocked, whole.is_blocked)


def test_memory_grows_with_the_strip_and_not_with_the_ground(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(flood_records, "LARGE", 1000)
    peaks = []
    for strip in (FACTOR * COLUMNS, 10**9):
        monkeypatch.setattr(flood_fine_export, "STRIP_CELLS", strip)
        result = read_result(folder / "coarse.flood")
        scenario = flood_fine_export.fine_scenario(result, folder / "coarse.flood")
        grids = [flood_fine_export.FineGrid(tmp_path / f"{strip}.tif", "max_depth")]
        tracemalloc.start()
        flood_fine_export.write_fine(grids, result, scenario, None, False, lambda *_: None, CancelToken())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 0.3 * peaks[1]
