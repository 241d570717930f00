"""Results of other models: what is read is what was written; what is broken is refused in one message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import Cancelled, CancelToken
from cimdesk.formats.flood_in import READER
from cimdesk.formats.flood_in.names import BED, DEPTH, LEVEL, SPEED, U, V, quantity_of
from cimdesk.formats.flood_in.tiff_stack import claim_folder, time_of
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.formats.registry import ReadOptions, read, read_head
from cimdesk.model.flood import FloodResult
from cimdesk.model.terrain import Terrain
from tests.unit.formats.flood_in import meshes

WRITERS: dict[str, Callable[[Path], Path]] = {
    "big.slf": meshes.write_selafin,
    "wide.slf": lambda path: meshes.write_selafin(path, "<", wide=True),
    "a.sww": meshes.write_sww,
    "a_map.nc": meshes.write_ugrid,
    "mesh.2dm": lambda path: (
        meshes.write_2dm(path) and meshes.write_dat_text(path.with_name("mesh_depth.dat")).with_name("mesh.2dm")
    ),
    "bin.2dm": lambda path: meshes.write_2dm(path) and meshes.write_dat_binary(path.with_name("bin_h.dat")).with_name("bin.2dm"),
}


def flood_of(path: Path, **extra: object) -> FloodResult:
    result = read(path, ReadOptions(extra={"cell": 2.5, **extra}))
    data = result.sources[0].data
    assert isinstance(data, FloodResult)
    return data


@pytest.mark.parametrize("name", WRITERS)
def test_times_volumes_and_ground_are_those_written(name: str, tmp_path: Path) -> None:
    path = WRITERS[name](tmp_path / name)
    assert READER.claim(path, read_head(path)) >= 0.9
    flood = flood_of(path)
    np.testing.assert_allclose(flood.times, meshes.TIMES, rtol=1e-6)
    np.testing.assert_allclose(flood.volume, [meshes.volume(k) for k in range(3)], rtol=2e-6)
    assert flood.terrain.cell_x == 2.5
    assert flood.terrain.shape == (16, 16)
    if name != "a_map.nc":  # whose ground is one height a face
        np.testing.assert_allclose(flood.terrain.elevations, np.tile(0.01 * (np.arange(16) * 2.5 + 1.25), (16, 1)), atol=1e-5)
    assert flood.max_depth.max() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", ["big.slf", "a.sww"])
def test_speed_is_read(name: str, tmp_path: Path) -> None:
    flood = flood_of(WRITERS[name](tmp_path / name))
    assert np.nanmax(flood.max_speed) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("name", ["big.slf", "a.sww"])
def test_velocities_are_read(name: str, tmp_path: Path) -> None:
    flood = flood_of(WRITERS[name](tmp_path / name))
    assert flood.flow is not None
    assert len(flood.flow) == len(flood.times)
    wet = np.asarray(flood.depths[2]) > 0.05
    u, v = flood.flow.frame(2)
    np.testing.assert_allclose(u[wet], 0.3, atol=2e-3)
    np.testing.assert_allclose(v[wet], 0.4, atol=2e-3)


def test_vectors_named_by_one_letter_are_velocities(tmp_path: Path) -> None:
    meshes.write_2dm(tmp_path / "m.2dm")
    meshes.write_dat_text(tmp_path / "m_d.dat")
    meshes.write_vector_dat(tmp_path / "m_V.dat")
    flood = flood_of(tmp_path / "m.2dm")
    assert flood.flow is not None
    wet = np.asarray(flood.depths[2]) > 0.05
    np.testing.assert_allclose(flood.flow.frame(2)[:, wet].T, [[0.3, 0.4]] * int(wet.sum()), atol=2e-3)
    assert np.nanmax(flood.max_speed) == pytest.approx(0.5, rel=1e-5)


def test_a_vector_of_discharges_is_no_velocity(tmp_path: Path) -> None:
    meshes.write_2dm(tmp_path / "m.2dm")
    meshes.write_dat_text(tmp_path / "m_d.dat")
    meshes.write_vector_dat(tmp_path / "m_q.dat", "Unit Discharge")
    assert flood_of(tmp_path / "m.2dm").flow is None


def test_velocities_of_two_files_are_one(tmp_path: Path) -> None:
    meshes.write_2dm(tmp_path / "m.2dm")
    for name in ("Water_Depth_m", "Vel_X_m_p_s", "Vel_Y_m_p_s"):
        meshes.write_dat_text(tmp_path / f"m_{name}.dat", name)
    flood = flood_of(tmp_path / "m.2dm")
    assert flood.flow is not None
    east, north = flood.flow.frame(2)
    np.testing.assert_array_equal(east, north)
    assert east.max() == pytest.approx(np.asarray(flood.depths[2]).max(), rel=0.02)


def test_speeds_beside_depths_of_a_folder_are_read(tmp_path: Path) -> None:
    grid = Terrain(np.zeros((6, 8), np.float32), 100.0, 200.0, 2.0, 2.0)
    for minutes in (0, 10, 30):
        for name, value in (("depth", 1.0), ("vel_x", 0.3), ("vel_y", -0.4)):
            write_geotiff(tmp_path / f"{name}_{minutes}min.tif", np.full(grid.shape, value, np.float32), None, grid)
    flood = flood_of(tmp_path)
    assert flood.flow is not None
    assert len(flood.flow) == 3
    np.testing.assert_allclose(flood.flow.frame(1)[1], -0.4, atol=1e-3)
    assert np.nanmax(flood.max_depth_speed) == pytest.approx(0.5)


def test_what_tells_no_speed_has_none(tmp_path: Path) -> None:
    assert np.isnan(flood_of(WRITERS["a_map.nc"](tmp_path / "a_map.nc")).max_speed).all()


def test_dates_zones_and_corners_are_read(tmp_path: Path) -> None:
    telemac = flood_of(meshes.write_selafin(tmp_path / "a.slf", date=(2021, 7, 14, 12, 0, 0)))
    assert telemac.start_time == 1626264000.0
    assert telemac.terrain.west == 400_000.0
    result = read(meshes.write_sww(tmp_path / "a.sww"))
    assert result.sources[0].crs == Crs.epsg(32756)
    assert result.sources[0].data.terrain.west == 300_000.0  # type: ignore[union-attr]
    assert flood_of(meshes.write_ugrid(tmp_path / "m.nc")).start_time == 1593583200.0


def test_a_maximum_written_as_a_time_is_none(tmp_path: Path) -> None:
    meshes.write_2dm(tmp_path / "m.2dm")
    meshes.write_dat_binary(tmp_path / "m.dat", with_maximum=True)
    np.testing.assert_allclose(flood_of(tmp_path / "m.2dm").times, meshes.TIMES, rtol=1e-6)


def test_values_are_opened_with_the_mesh_beside_them(tmp_path: Path) -> None:
    meshes.write_2dm(tmp_path / "m.2dm")
    values = meshes.write_dat_text(tmp_path / "result.dat", flags=True)
    assert flood_of(values).volume[-1] == pytest.approx(meshes.volume(2), rel=2e-6)
    (tmp_path / "m.2dm").unlink()
    with pytest.raises(DataError, match="no 2dm mesh"):
        read(values)


def test_values_of_another_mesh_are_refused_alone_and_left_out_beside_it(tmp_path: Path) -> None:
    meshes.write_2dm(tmp_path / "m.2dm")
    wrong = tmp_path / "m_depth.dat"
    wrong.write_text('DATASET\nBEGSCL\nND 3\nNAME "Depth"\nTS 0 0\n1\n2\n3\nENDDS\n')
    with pytest.raises(DataError, match="3 values"):
        read(wrong)
    result = read(tmp_path / "m.2dm")
    assert [problem.code for problem in result.problems] == ["values-left-out", "no-water"]


def test_a_cut_selafin_gives_the_times_before(tmp_path: Path) -> None:
    path = meshes.write_selafin(tmp_path / "a.slf")
    path.write_bytes(path.read_bytes()[:-100])
    result = read(path)
    assert result.objects["times"] == 2
    assert "cut-short" in [problem.code for problem in result.problems]


def test_reading_can_be_cancelled(tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        read(meshes.write_sww(tmp_path / "a.sww"), ReadOptions(cancel=cancel))


@pytest.mark.parametrize("name", WRITERS)
def test_damage_is_read_or_refused_in_one_message(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    whole = {file: file.read_bytes() for file in sorted(tmp_path.iterdir())}
    random = np.random.default_rng(sum(name.encode()))
    refused: list[DataError] = []
    for _ in range(30):
        for file, content in whole.items():
            damaged = bytearray(content)
            for at in random.integers(0, len(damaged), random.integers(0, 5)):
                damaged[at] = random.integers(0, 256)
            file.write_bytes(damaged[: random.integers(len(damaged) // 8, len(damaged))] if random.random() < 0.3 else damaged)
        with np.errstate(all="ignore"):
            try:
                READER.read(tmp_path / name, ReadOptions(extra={"cell": 2.5}))
            except DataError as error:
                refused.append(error)
    assert all(str(tmp_path) in str(error) and error.remedy for error in refused)
    assert len(refused) < 30


def test_a_folder_of_times_is_one_flood(tmp_path: Path) -> None:
    folder = tmp_path / "flood depth"
    folder.mkdir()
    grid = Terrain(np.zeros((6, 8), np.float32), 100.0, 200.0, 2.0, 2.0)
    for minutes in (0, 10, 100):
        write_geotiff(folder / f"depth_{minutes}min.tif", np.full(grid.shape, minutes / 100, np.float32), Crs.epsg(32632), grid)
    write_geotiff(folder / "ground.tif", np.full(grid.shape, 7.0, np.float32), Crs.epsg(32632), grid)
    assert claim_folder(folder) > 0.5
    flood = flood_of(folder)
    assert flood.times.tolist() == [0.0, 600.0, 6000.0]
    np.testing.assert_allclose(flood.volume, [0.0, 0.1 * 48 * 4, 48 * 4], rtol=1e-6)
    assert (flood.terrain.elevations == 7.0).all()


def test_a_raster_of_another_place_is_left_out(tmp_path: Path) -> None:
    grid = Terrain(np.zeros((6, 8), np.float32), 100.0, 200.0, 2.0, 2.0)
    for minutes in (0, 10, 30):
        write_geotiff(tmp_path / f"depth_{minutes}min.tif", grid.elevations, None, grid)
    other = Terrain(np.zeros((3, 3), np.float32), 0.0, 0.0, 2.0, 2.0)
    write_geotiff(tmp_path / "depth_20min.tif", other.elevations, None, other)
    (tmp_path / "depth_25min.tif").write_bytes(b"II*\0")
    result = READER.read(tmp_path, ReadOptions())
    assert result.objects["times"] == 3
    assert [problem.where for problem in result.problems if problem.code == "other-place"] == ["depth_20min.tif", "depth_25min.tif"]


def test_a_folder_of_elevations_is_none(tmp_path: Path) -> None:
    for k in range(2):
        grid = Terrain(np.zeros((6, 8), np.float32), 100.0 * k, 200.0, 2.0, 2.0)
        write_geotiff(tmp_path / f"dem_{k}.tif", grid.elevations, None, grid)
    assert claim_folder(tmp_path) == 0.0


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("depth_000300s", 300.0), ("h 1.5h", 5400.0), ("wse_20210714_1200", 1626264000.0), ("depth_2021-07-14T12-00", 1626264000.0),
     ("flood12", 12.0)],
)  # fmt: skip
def test_times_are_told_by_names(name: str, seconds: float) -> None:
    told = time_of(name)
    assert told is not None
    assert told[0] == seconds


@pytest.mark.parametrize(
    ("name", "quantity"),
    [("HAUTEUR D'EAU", DEPTH), ("WATER DEPTH", DEPTH), ("mesh2d_waterdepth", DEPTH), ("FREE SURFACE", LEVEL), ("FOND", BED),
     ("SURFACE LIBRE", LEVEL), ("mesh2d_s1", LEVEL), ("BOTTOM", BED), ("mesh2d_flowelem_bl", BED), ("VITESSE U", U),
     ("VELOCITY V", V), ("mesh2d_ucmag", SPEED), ("Vel_Mag_m_p_s", SPEED), ("Vel_X_m_p_s", U),
     ("Water_Elev_m", ""), ("Water_Depth_m", DEPTH), ("BOTTOM FRICTION", ""), ("SALINITY", "")],
)  # fmt: skip
def test_names_tell_what_a_variable_is(name: str, quantity: str) -> None:
    assert quantity_of(name) == quantity
