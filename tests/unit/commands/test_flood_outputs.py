"""Maps of a flood and its files: what is written is what is read."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.jobs import Cancelled, CancelToken
from cimdesk.commands.flood_outputs import ExportWish, buildings_touched, export_file, export_result
from cimdesk.formats.flood_result import read_result, write_result
from cimdesk.formats.flood_warp import reproject_flood
from cimdesk.formats.registry import read
from cimdesk.model.flood import FloodResult, Gauge, GaugeSeries
from cimdesk.model.flood_flow import FlowFrames, packed_flow
from cimdesk.model.flood_inputs import LineGauge, LineSeries
from cimdesk.model.flood_maps import KEYS, available, classes_of, colors_of, from_frames, span_text, value_at, values_of
from cimdesk.model.terrain import Terrain

CRS = Crs.epsg(4547)
SHAPE = (12, 16)


def flood(name: str = "Übung 城") -> FloodResult:
    random = np.random.default_rng(4)
    ground = random.uniform(0.0, 2.0, SHAPE).astype(np.float32)
    blocked = np.zeros(SHAPE, dtype=bool)
    blocked[4:7, 5:8] = True
    depths = np.stack([np.zeros(SHAPE), *np.sort(random.uniform(0.0, 1.5, (3, *SHAPE)), axis=0)]).astype(np.float32)
    depths[:, blocked] = 0.0
    depths[:, :2] = 0.0
    depths = np.round(depths, 3)
    deepest = depths.max(axis=0)
    speed = (0.8 * deepest).astype(np.float32)
    times = np.array([0.0, 600.0, 1200.0, 3600.0])
    line = LineSeries(
        LineGauge("weir", np.zeros((0, 3), np.int64), np.zeros((0, 3), np.int64)), times, np.array([0.0, 1.0, 2.0, 0.5])
    )
    gauge = GaugeSeries(Gauge("G1", 433_010.0, 2_558_000.0), times, np.array([0.0, 0.2, 0.3, 0.1]), np.array([1.0, 1.2, 1.3, 1.1]))
    return FloodResult(
        name, Terrain(ground, 433_000.0, 2_558_020.0, 2.0, 2.0), blocked, 1.7e9, times, depths, deepest, speed, deepest * speed,
        np.where(deepest > 0.05, 600.0, np.nan).astype(np.float32), (gauge,), depths.sum(axis=(1, 2), dtype=float) * 4.0,
        (depths > 0.03).sum(axis=(1, 2)) * 4.0, statistics={"engine": "inertial", "froude_warning": False}, lines=(line,),
        envelopes={"peak_time": np.full(SHAPE, 3600.0, np.float32)},
    )  # fmt: skip


def exported(result: FloodResult, path: Path, *what: str, **fields: object) -> dict:
    return export_result(result, CRS, ExportWish(path, what, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".nc", ""])
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    result = flood()
    path = tmp_path / f"depth{suffix}"
    assert exported(result, path, *(() if suffix else ("depth",)))["frames"] == 4
    source = read(path).sources[0]
    again = source.data
    assert isinstance(again, FloodResult)
    np.testing.assert_allclose(np.asarray(again.depths), result.depths, atol=6e-4)
    np.testing.assert_allclose(again.terrain.elevations, result.terrain.elevations)
    assert (again.terrain.west, again.terrain.north, again.terrain.cell_x) == (433_000.0, 2_558_020.0, 2.0)
    assert source.crs == CRS
    np.testing.assert_allclose(again.volume, result.volume, rtol=1e-3)
    if suffix:
        assert again.start_time == 1.7e9
        np.testing.assert_allclose(np.nan_to_num(again.max_speed), np.where(result.max_depth > 0.03, result.max_speed, 0.0))
        assert set(available(again)) == set(KEYS)


def test_zarr_is_packed_and_named_after_cf(tmp_path: Path) -> None:
    import zarr

    exported(flood(), tmp_path / "a.zarr")
    exported(flood(), tmp_path / "a.zarr")  # an earlier store is replaced
    store = zarr.open_group(tmp_path / "a.zarr", mode="r")
    depth = store["water_depth"]
    assert depth.dtype == np.int16
    assert depth.attrs["scale_factor"] == 0.001
    assert depth.attrs["_ARRAY_DIMENSIONS"] == ["time", "y", "x"]
    assert store["time"].attrs["units"].startswith("seconds since")
    assert "spatial_ref" in store["crs"].attrs
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(DataError, match="something else"):
        exported(flood(), tmp_path / "b.zarr")


@pytest.mark.parametrize("kind", ["tif", "cog"])
def test_rasters_hold_the_values(kind: str, tmp_path: Path) -> None:
    import rasterio

    result = flood()
    exported(result, tmp_path / "h.tif", "max_depth", kind=kind)
    with rasterio.open(tmp_path / "h.tif") as file:
        np.testing.assert_array_equal(file.read(1), values_of(result, "max_depth"))
        assert file.crs.to_epsg() == 4547
    written = exported(result, tmp_path / "maps", "hazard_aidr", "hazard_uk", kind=kind)
    assert [Path(name).name for name in written["files"]] == ["hazard_aidr.tif", "hazard_uk.tif"]
    with rasterio.open(tmp_path / "maps" / "hazard_aidr.tif") as file:
        assert file.dtypes == ("uint8",)
        assert file.nodata == 0


def test_outlines_cover_each_class(tmp_path: Path) -> None:
    import pyogrio
    import shapely

    result = flood()
    exported(result, tmp_path / "e.gpkg", "max_depth", "hazard_uk")
    assert {name for name, _ in pyogrio.list_layers(tmp_path / "e.gpkg")} == {"max_depth", "hazard_uk"}
    meta, _, geometry, fields = pyogrio.raw.read(tmp_path / "e.gpkg", layer="max_depth")
    columns = dict(zip(meta["fields"], fields, strict=True))
    areas = shapely.area(shapely.from_wkb(geometry))
    np.testing.assert_allclose(areas, columns["area_m2"])
    codes = classes_of(result, "max_depth").codes(values_of(result, "max_depth"))
    assert areas.sum() == pytest.approx(np.count_nonzero(codes) * 4.0)


def test_hydrographs_are_a_table(tmp_path: Path) -> None:
    result = flood()
    exported(result, tmp_path / "s.csv", points=(("P", 433_001.0, 2_558_001.0),))
    with (tmp_path / "s.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["G1 level_m"]) for row in rows] == [1.0, 1.2, 1.3, 1.1]
    assert [float(row["weir discharge_m3_s"]) for row in rows] == [0.0, 1.0, 2.0, 0.5]
    assert float(rows[-1]["P depth_m"]) == pytest.approx(float(result.depths[3, 9, 0]), abs=1e-6)
    exported(result, tmp_path / "t.csv", "summary")
    with (tmp_path / "t.csv").open(encoding="utf-8-sig") as file:
        assert (
            [float(row["buildings_touched"]) for row in csv.DictReader(file)] == buildings_touched(result).tolist() == [0, 1, 1, 1]
        )


def test_one_time_can_be_chosen(tmp_path: Path) -> None:
    written = exported(flood(), tmp_path / "one.tif", "depth", times=(1200.0,))
    assert written["frames"] == 1
    assert (tmp_path / "one.tif").is_file()


@pytest.mark.parametrize(
    "wish",
    [ExportWish(Path("a.xyz")), ExportWish(Path("a.tif"), ("nope",)), ExportWish(Path("a.csv"), ("max_depth",)),
     ExportWish(Path("a.nc"), (), "", (7200.0,)), ExportWish(Path("a.tif"), (), "docx")],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_written(wish: ExportWish, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        export_result(flood(), CRS, replace(wish, path=tmp_path / wish.path))
    assert not list(tmp_path.iterdir())


def test_a_cancelled_export_leaves_nothing(tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    for name in ("a.nc", "a.zarr"):
        with pytest.raises(Cancelled):
            export_result(flood(), CRS, ExportWish(tmp_path / name), cancel=cancel)
    assert not list(tmp_path.iterdir())


def test_a_file_without_a_flood_is_refused(tmp_path: Path) -> None:
    write_result(tmp_path / "r.flood", flood(), CRS)
    assert export_file(tmp_path / "r.flood", ExportWish(tmp_path / "r.nc"))["format"] == "nc"
    with pytest.raises(DataError, match="no folder"):
        export_file(tmp_path / "r.flood", ExportWish(tmp_path / "nowhere" / "r.nc"))


def test_envelopes_are_kept_in_the_file(tmp_path: Path) -> None:
    write_result(tmp_path / "r.flood", flood(), CRS)
    np.testing.assert_array_equal(read_result(tmp_path / "r.flood").envelopes["peak_time"], flood().envelopes["peak_time"])


def test_every_map_has_values_classes_and_colours() -> None:
    result = flood()
    for key in available(result):
        values, classes = values_of(result, key), classes_of(result, key)
        assert np.isnan(values[result.max_depth <= 0.03]).all()
        assert len(classes.lows) == len(classes.colors) == len(classes.labels)
        assert (classes.codes(values)[np.isnan(values)] == 0).all()
        assert colors_of(result, key).shape == (*SHAPE, 4)
        wet = result.max_depth > 0.15
        assert (classes.codes(values)[wet & (np.nan_to_num(values) > 0)] > 0).all(), key


def test_hazards_need_speeds() -> None:
    unknown = replace(flood(), max_speed=np.full(SHAPE, np.nan, np.float32), max_depth_speed=np.full(SHAPE, np.nan, np.float32))
    assert "hazard_uk" not in available(unknown)
    assert "hazard_cn" in available(unknown)


def test_uk_hazard_of_a_place() -> None:
    result = flood()
    row, column = np.unravel_index(int(result.max_depth.argmax()), SHAPE)
    x, y = 433_000.0 + 2.0 * column + 1.0, 2_558_020.0 - 2.0 * row - 1.0
    d, v = float(result.max_depth[row, column]), float(result.max_speed[row, column])
    assert value_at(result, "hazard_uk", x, y) == pytest.approx(d * v + 0.5 * d + 1.0, rel=1e-5)
    assert np.isnan(value_at(result, "max_depth", 0.0, 0.0))


def test_times_are_told_by_frames_where_nothing_better_is_known() -> None:
    result = flood()
    told = from_frames(result)
    deep = result.depths[1] > 0.10
    assert (told["arrival_0.10"][deep] == 600.0).all()
    assert (told["duration_0.10"] <= 3600.0).all()
    always = result.depths[1] > 0.30
    assert (told["duration_0.30"][always] == 3300.0).all()


@pytest.mark.parametrize(
    ("seconds", "text"), [(90.0, "1.5 min"), (600.0, "10 min"), (5400.0, "1.5 h"), (3600.0, "1 h"), (2e5, "2.3 d")]
)
def test_spans_are_said_short(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_a_flood_keeps_its_water_in_another_system() -> None:
    result = flood()
    smooth = np.tile(np.linspace(0.2, 1.0, SHAPE[1]), (SHAPE[0], 1)).astype(np.float32)
    result = replace(result, depths=np.stack([smooth] * 4), max_depth=smooth, is_blocked=np.zeros(SHAPE, dtype=bool))
    moved = reproject_flood(result, CRS, Crs.epsg(32649))
    area = moved.terrain.cell_x * moved.terrain.cell_y
    assert moved.max_depth.sum(dtype=float) * area == pytest.approx(smooth.sum(dtype=float) * 4.0, rel=0.03)
    assert moved.terrain.west != result.terrain.west
    back = Crs.epsg(32649).transform(CRS, np.array([[moved.gauges[0].gauge.x, moved.gauges[0].gauge.y, 0.0]]))[0]
    np.testing.assert_allclose(back[:2], [433_010.0, 2_558_000.0], atol=1e-3)


def flowing() -> FloodResult:
    """Return a flood with velocities of blocks of 4 m, others in every frame."""
    result, u = flood(), np.arange(48.0).reshape(6, 8) / 20.0
    flow = FlowFrames((433_000.0, 2_558_020.0, 4.0, 4.0), (6, 8), tuple(packed_flow(k * u, -u) for k in range(4)))
    return replace(result, flow=flow)


def test_velocities_are_written_and_read_again(tmp_path: Path) -> None:
    result = flowing()
    exported(result, tmp_path / "a.nc")
    again = read(tmp_path / "a.nc").sources[0].data
    assert isinstance(again, FloodResult)
    assert again.flow is not None
    assert result.flow is not None
    assert (again.flow.grid, again.flow.shape) == (result.flow.grid, result.flow.shape)
    for k in range(4):
        np.testing.assert_allclose(again.flow.frame(k), result.flow.frame(k), atol=1e-6)


def test_velocities_in_zarr_are_named_after_cf(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    result = flowing()
    exported(result, tmp_path / "a.zarr", "depth", "velocity", times=(600.0, 1200.0))
    store = zarr.open_group(tmp_path / "a.zarr", mode="r")
    made = store["water_x_velocity"]
    assert made.attrs["standard_name"] == "sea_water_x_velocity"
    assert result.flow is not None
    np.testing.assert_allclose(made[1] * made.attrs["scale_factor"], result.flow.frame(2)[0], atol=1e-6)
    assert store["x_flow"][0] == 433_002.0


def test_velocities_that_are_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        exported(flood(), tmp_path / "a.nc", "velocity")


def test_velocities_turn_with_their_grid() -> None:
    u = np.full((6, 8), 1.0)
    flow = FlowFrames((433_000.0, 2_558_020.0, 4.0, 4.0), (6, 8), (packed_flow(u, 0.0 * u),) * 4)
    moved = reproject_flood(replace(flood(), flow=flow), CRS, Crs.epsg(32649))
    assert moved.flow is not None
    middle = CRS.transform(Crs.epsg(32649), np.array([[433_016.0, 2_558_008.0, 0.0], [433_017.0, 2_558_008.0, 0.0]]))[:, :2]
    wanted = middle[1] - middle[0]
    np.testing.assert_allclose(moved.flow.at_points(1, middle[:1])[0], wanted / np.hypot(*wanted), atol=4e-3)
