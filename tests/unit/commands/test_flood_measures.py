"""Measures, soils and rain of scenario files: put on the grid, run, and refused with one message when they make no sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import flood
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.flood_inputs import Culvert, GaugedRain, LineBoundary, Pump, RadarRain, Storage
from cimdesk.model.terrain import Terrain

EAST, NORTH = 431000.0, 2558000.0
BASE = """[scenario]
name = "Works"
terrain = "ground.tif"
duration = "20min"
output_every = "5min"
precision = "float64"
[[boundary]]
edge = "all"
kind = "closed"
"""
LEVEL = "[initial]\nlevel = 1.0\n"
RAIN = "[[rain]]\nrate_mm_h = 60\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with ground of two level basins parted by a dike 3 m high at column 30 of 60, two metres a cell."""
    z = np.zeros((40, 60), np.float32)
    z[:, 29:32] = 3.0
    write_geotiff(tmp_path / "ground.tif", Terrain(z, EAST, NORTH + 80.0, 2.0, 2.0), Crs.epsg(4547))
    low = np.where(np.arange(60) < 29, 1.0, -1.0) * np.ones((40, 1))
    write_geotiff(tmp_path / "level.tif", Terrain(low.astype(np.float32), EAST, NORTH + 80.0, 2.0, 2.0), Crs.epsg(4547))
    for name, rate in (("a", 36), ("b", 72)):
        (tmp_path / f"{name}.csv").write_text(f"time,rain_mm_h\n0,{rate}\n600,0\n", encoding="utf-8")
    (tmp_path / "soils.csv").write_text(
        "class,conductivity_mm_h,suction_mm,deficit\nclay,0.5,300,0.1\nsand,50,60,0.3\n", encoding="utf-8"
    )
    return tmp_path


def load(folder: Path, text: str, base: str = BASE):
    file = folder / "works.toml"
    file.write_text(base + text, encoding="utf-8")
    return flood.load_scenario(file)


def run(folder: Path, text: str):
    return flood.simulate(load(folder, text), 1)


def at(x: float, y: float) -> str:
    return f"[{EAST + x}, {NORTH + y}]"


def measure(kind: str, rest: str) -> str:
    return f'[[measure]]\nkind = "{kind}"\n{rest}\n'


def test_a_wall_keeps_the_water_on_its_side(folder: Path):
    dry = LEVEL.replace("1.0", '"level.tif"') + measure("wall", f"line = [{at(30, -1)}, {at(30, 81)}]\nheight = 2.0")
    result = run(folder, dry.replace('level = "level.tif"', "depth = 0.0") + f"[[inflow]]\nat = {at(5, 40)}\ndischarge = 0.2\n")
    assert result.depths[-1][:, :14].max() > 0.05
    assert result.depths[-1][:, 16:].max() == 0.0
    assert result.terrain.elevations[20, 15] == pytest.approx(2.0)


def test_a_gate_in_the_dike_lets_water_through_when_it_opens(folder: Path):
    wall = measure("opening", f"line = [{at(56, 40)}, {at(66, 40)}]\nwidth = 8.0\nlevel = 0.0")
    gate = measure("gate", f'line = [{at(61, 33)}, {at(61, 47)}]\nheight = 3.0\nopen_at = "10min"\nopen_over = "30s"')
    result = run(folder, '[initial]\nlevel = "level.tif"\n' + wall + gate)
    right = result.depths[:, :, 32:].sum(axis=(1, 2)) * 4.0
    assert right[2] == 0.0
    assert right[-1] > 100.0
    assert abs(result.statistics["mass_error"]) <= 1e-12


def test_a_breach_wears_the_dike_down(folder: Path):
    text = f'at = {at(61, 40)}\nwidth = 20.0\nbottom = 0.2\nstart = "5min"\nover = "5min"'
    result = run(folder, '[initial]\nlevel = "level.tif"\n' + measure("breach", text))
    right = result.depths[:, :, 32:].sum(axis=(1, 2)) * 4.0
    assert right[1] == 0.0
    assert right[-1] > 200.0
    line = f"line = [{at(61, 0)}, {at(61, 80)}]\nacross = 10.0"
    along = run(folder, '[initial]\nlevel = "level.tif"\n' + measure("breach", text + "\n" + line))
    assert along.depths[-1][:, 32:].sum() * 4.0 > 200.0
    assert abs(along.statistics["mass_error"]) <= 1e-12


def test_devices_find_their_cells(folder: Path):
    scenario = load(
        folder,
        LEVEL
        + measure("pump", f"from = {at(10, 40)}\nto = {at(100, 40)}\ncapacity_m3_s = 0.3\nstart_level = 0.5\nstop_level = 0.2")
        + measure("culvert", f"from = {at(55, 40)}\nto = {at(67, 40)}\ndiameter = 1.0")
        + measure("storage", f"at = {at(20, 20)}\ncapacity_m3 = 500\nwidth = 4.0")
        + f'[[boundary]]\nline = [{at(110, 5)}, {at(110, 75)}]\nkind = "level"\nlevel = 0.3\n'
        + f'[[gauge]]\nname = "across"\nat = [{at(100, 5)}, {at(100, 75)}]\n',
    )
    pump, culvert, storage, line = scenario.devices
    assert isinstance(pump, Pump)
    assert pump.cells.tolist() == [[20, 5], [20, 50]]
    assert isinstance(culvert, Culvert)
    assert culvert.length == pytest.approx(12.0)
    assert isinstance(storage, Storage)
    assert storage.sill == pytest.approx(0.05)
    assert isinstance(line, LineBoundary)
    assert len(line.cells) == 36
    result = flood.simulate(scenario, 1)
    assert abs(result.statistics["mass_error"]) <= 1e-12
    told = flood.summary(result)
    assert told["lines"][0]["name"] == "across"
    assert told["lines"][0]["max_discharge_m3_s"] > 0.0


def test_gauges_soils_and_rasters_come_from_their_files(folder: Path):
    gauge = '[[rain.gauge]]\nat = {}\nhyetograph = "{}.csv"\n'
    gauges = '[[rain]]\nmethod = "idw"\n' + gauge.format(at(20, 40), "a") + gauge.format(at(100, 40), "b")
    scenario = load(folder, gauges)
    assert isinstance(scenario.rain_field, GaugedRain)
    assert scenario.rain_field.rate(0)[20, 10] < scenario.rain_field.rate(0)[20, 50]
    for k in range(2):
        rates = Terrain(np.full((4, 6), 36.0 * (k + 1), np.float32), EAST, NORTH + 80.0, 20.0, 20.0)
        (folder / "radar").mkdir(exist_ok=True)
        write_geotiff(folder / "radar" / f"{k}.tif", rates, Crs.epsg(4547))
    radar = load(folder, '[[rain]]\nrasters = "radar"\nstep = "5min"\n')
    assert isinstance(radar.rain_field, RadarRain)
    result = flood.simulate(radar, 1)
    assert result.statistics["rain_m3"] == pytest.approx((0.003 + 0.006) * 40 * 60 * 4.0, rel=1e-6)
    codes = Terrain(np.array([[0.0, 1.0]], np.float32), EAST, NORTH + 80.0, 60.0, 80.0)
    write_geotiff(folder / "classes.tif", codes, Crs.epsg(4547))
    (folder / "soils.csv").write_text("class,conductivity_mm_h,suction_mm,deficit\n0,0,0,0\n1,90,0,0\n", encoding="utf-8")
    soil = '[surface]\ninfiltration = { model = "green-ampt", table = "soils.csv", source = "classes.tif" }\n'
    dried = flood.simulate(load(folder, soil + RAIN), 1)
    assert dried.depths[-1][:, 35:].max() == pytest.approx(0.0, abs=1e-4)
    assert dried.depths[-1][:, 5].max() > 0.015


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (measure("wall", f"line = [{at(5, 5)}]\nheight = 1"), "measure[1].line"),
        (measure("wall", f"line = [{at(5, 5)}, {at(9, 9)}]"), "measure[1].height"),
        (measure("wall", f"line = [{at(5, 5)}, {at(9, 9)}]\nheight = -1"), "measure[1].height"),
        (measure("wall", f"line = [{at(5, 5)}, {at(25, 25)}, {at(25, 5)}, {at(5, 25)}]\nheight = 1"), "measure[1]"),
        (measure("wall", f"line = [{at(-90, 5)}, {at(-80, 5)}]\nheight = 1"), "measure[1]"),
        (measure("pump", f"from = {at(-5, 5)}\ncapacity_m3_s = 1"), "measure[1]"),
        (measure("pump", f"from = {at(5, 5)}\ncapacity_m3_s = 1\nstart_level = 1\nstop_level = 2"), "measure[1].stop_level"),
        (measure("culvert", f"from = {at(5, 5)}\nto = {at(5.5, 5.5)}\ndiameter = 1"), "measure[1]"),
        (measure("culvert", f"from = {at(5, 5)}\nto = {at(25, 5)}\nwidth = 1"), "measure[1].diameter"),
        (measure("breach", f"at = {at(20, 40)}\nwidth = 10\nbottom = 4"), "measure[1]"),
        (measure("gate", f'line = [{at(5, 5)}, {at(9, 9)}]\nheight = 1\nopen_at = "5min"\nclose_at = "5min"'), "measure[1]"),
        (
            measure("gate", f'name = "G"\nline = [{at(5, 5)}, {at(30, 5)}]\nheight = 1\nopen_at = "1min"')
            + measure("gate", f'name = "H"\nline = [{at(15, 1)}, {at(15, 15)}]\nheight = 1\nopen_at = "2min"'),
            "measure[2]",
        ),
        ('[surface]\ninfiltration = { model = "green-ampt", table = "soils.csv" }\n', "surface.infiltration.source"),
        (
            '[surface]\ninfiltration = { model = "horton", initial_mm_h = 1, final_mm_h = 9, decay_per_h = 1 }\n',
            "surface.infiltration.final_mm_h",
        ),
        ("[[rain]]\n[[rain.gauge]]\nat = [1.0, 2.0]\n", "rain[1].gauge[1].hyetograph"),
        ('[[rain]]\nrasters = "none"\n', "rain[1].rasters"),
        (f'[[gauge]]\nname = "far"\nat = [{at(-50, 5)}, {at(-60, 5)}]\n', ""),
        (f'[[boundary]]\nline = [{at(5, 5)}, {at(9, 5)}]\nkind = "discharge"\ndischarge = 1\n', "boundary[2].kind"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_the_run(folder: Path, text: str, where: str):
    with pytest.raises(DataError) as caught:
        load(folder, text)
    assert caught.value.where == where


def test_rain_that_is_negative_or_elsewhere_is_refused(folder: Path):
    for west, value in ((EAST, -1.0), (EAST + 9000.0, 5.0)):
        raster = Terrain(np.full((4, 6), value, np.float32), west, NORTH + 80.0, 20.0, 20.0)
        write_geotiff(folder / "rain.tif", raster, Crs.epsg(4547))
        with pytest.raises(DataError):
            load(folder, '[[rain]]\nrasters = "rain.tif"\n')


def test_a_cancelled_run_with_structures_stops(folder: Path):
    from cimdesk.base.errors import Cancelled

    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        flood.simulate(load(folder, LEVEL + measure("storage", f"at = {at(20, 20)}\ncapacity_m3 = 500")), 1, cancel=cancel)
