"""Scenario files, runs as jobs and on the command line, results on disk and exposure of a project."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import flood, projects
from cimdesk.commands.flood_tables import design_storm, storm_cities
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files
from cimdesk.formats import flood_result
from cimdesk.formats.raster_write import write_ascii_grid, write_geotiff
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain
from tests.samples import EAST, NORTH, city_json

SCENARIO = """[scenario]
name = "Cloudburst"
terrain = "ground.tif"
cell = 2.0
duration = "10min"
output_every = "2min"
start = "2026-06-07T12:00:00+08:00"
[surface]
manning = 0.03
buildings = { source = "city.city.json", treatment = "block" }
infiltration = { model = "constant", rate_mm_h = 2.0 }
[[gauge]]
name = "square"
at = [431040.0, 2558020.0]
[[rain]]
rate_mm_h = 120.0
duration = "8min"
[[inflow]]
at = [431005.0, 2558030.0]
radius = 3.0
discharge = "pump.csv"
[[boundary]]
edge = "all"
kind = "closed"
"""


def ground() -> Terrain:
    y, x = np.mgrid[:50, :90]
    return Terrain((0.01 * np.abs(x - 45) + 0.005 * y).astype(np.float32), EAST - 10.0, NORTH + 40.0, 1.0, 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from cimdesk.base.crs import Crs

    write_geotiff(tmp_path / "ground.tif", ground(), Crs.epsg(4547))
    city_json(tmp_path / "city.city.json")
    (tmp_path / "pump.csv").write_text("time,discharge_m3_s\n0,0\n120,0.2\n600,0.2\n", encoding="utf-8")
    (tmp_path / "storm.toml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path


def changed(folder: Path, old: str, new: str) -> Path:
    file = folder / "changed.toml"
    assert old in SCENARIO
    file.write_text(SCENARIO.replace(old, new), encoding="utf-8")
    return file


def test_a_scenario_file_becomes_a_checked_scenario(folder: Path):
    scenario = flood.load_scenario(folder / "storm.toml")
    assert scenario.terrain.shape == (25, 45)
    # Three boxes of 10 m, 2 m cells.
    assert scenario.is_blocked.sum() == 75
    assert scenario.rain is not None
    assert scenario.rain.values[0] == pytest.approx(120e-3 / 3600)
    assert scenario.infiltration == pytest.approx(2e-3 / 3600)
    assert scenario.inflows[0].discharge.values[-1] == 0.2
    assert scenario.start_time == 1780804800.0
    assert scenario.metadata["crs"] == "EPSG:4547"


def test_a_run_gives_the_figures_of_the_command_line(folder: Path):
    figures = flood.run_file(folder / "storm.toml", folder / "out.flood", threads=2)
    json.dumps(figures)
    assert {"cells", "steps", "seconds", "cell_updates_per_s", "mass_error", "max_depth_m", "wet_area_m2", "gauges"} <= set(figures)
    assert abs(figures["mass_error"]) < 1e-6
    gauge = figures["gauges"][0]
    assert gauge["name"] == "square"
    assert gauge["max_level_m"] == pytest.approx(max(gauge["level_m"]))
    expected = 120e-3 / 3600 * 480 * 50 * 90
    assert figures["rain_m3"] == pytest.approx(expected, rel=1e-5)


def test_the_dynamic_engine_runs_with_water_entering_and_falling_off_at_edges(folder: Path):
    file = changed(folder, 'duration = "10min"', 'duration = "2min"\nengine = "dynamic"')
    text = file.read_text(encoding="utf-8")
    for edge, rest in (("north", 'kind = "discharge"\ndischarge = 2.0'), ("south", 'kind = "critical"')):
        text += f'\n[[boundary]]\nedge = "{edge}"\n{rest}\n'
    file.write_text(text, encoding="utf-8")
    figures = flood.run_file(file, folder / "dynamic.flood", threads=1)
    assert figures["engine"] == "dynamic"
    assert figures["inflow_m3"] > 200.0
    assert figures["outflow_m3"] > 0.0
    assert abs(figures["mass_error"]) < 1e-6


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('terrain = "ground.tif"', 'terrain = "missing.tif"', "scenario.terrain"),
        ('terrain = "ground.tif"', "", "scenario.terrain"),
        ("cell = 2.0", "cell = -1", "scenario.cell"),
        ("cell = 2.0", "cel = 2.0", "scenario.cel"),
        ("cell = 2.0", "cell = 200.0", "scenario.cell"),
        ('duration = "10min"', 'duration = "soon"', "scenario.duration"),
        ('duration = "10min"', 'duration = "10min"\nengine = "magic"', "scenario.engine"),
        ('duration = "10min"', 'duration = "10min"\nextent = [0, 0, 10, 10]', "scenario.extent"),
        ("manning = 0.03", 'manning = "rough"', "surface.manning"),
        ('treatment = "block"', 'treatment = "burn"', "surface.buildings.treatment"),
        ('model = "constant"', 'model = "horton"', "surface.infiltration.initial_mm_h"),
        ('model = "constant"', 'model = "sponge"', "surface.infiltration.model"),
        ("at = [431040.0, 2558020.0]", "at = [431040.0]", "gauge[1].at"),
        ("rate_mm_h = 120.0\nduration", "speed = 4\nduration", "rain[1]"),
        ("rate_mm_h = 120.0\nduration", 'design = { city = "guangzhou" }\nduration', "rain[1].design.return_period"),
        ('discharge = "pump.csv"', "", "inflow[1].discharge"),
        ('kind = "closed"', 'kind = "waterfall"', "boundary[1].kind"),
        ('kind = "closed"', 'kind = "discharge"', "boundary[1].discharge"),
        ('kind = "closed"', 'kind = "level"', "boundary[1].level"),
        ("[[boundary]]", "[drainage]\nnetwork = 1\n[[boundary]]", "drainage.network"),
        ("[[boundary]]", "[[measure]]\nkind = 1\n[[boundary]]", "measure[1].kind"),
    ],
)
def test_every_fault_is_told_with_its_field_before_the_run(folder: Path, old: str, new: str, where: str):
    with pytest.raises(DataError) as caught:
        flood.load_scenario(changed(folder, old, new))
    assert caught.value.where == where
    assert "changed.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("at = [431040.0, 2558020.0]", "at = [0.0, 0.0]", "gauge 'square'"),
        ("at = [431040.0, 2558020.0]", "at = [431005.0, 2558005.0]", "gauge 'square'"),
        ("at = [431005.0, 2558030.0]\nradius = 3.0", "at = [431005.0, 2558005.0]", "inflow 1"),
        ("rate_mm_h = 120.0", 'design = { city = "atlantis", return_period = 5 }', "atlantis"),
        ("rate_mm_h = 120.0", 'design = { city = "guangzhou", return_period = 7 }', "7"),
        ("[scenario]", "[scenario", "TOML"),
    ],
)
def test_what_cannot_run_is_refused(folder: Path, old: str, new: str, part: str):
    text = new if "design" not in new else new + "\n#"
    with pytest.raises((DataError, UsageError), match=part):
        flood.load_scenario(changed(folder, old + ("\nduration" if "design" in new else ""), text))


@pytest.mark.parametrize(
    "text",
    [
        "time,level\n0,1\n10,2\n",
        "time,discharge_m3_s\n10,1\n0,2\n",
        "time,discharge_m3_s\n0,-1\n5,1\n",
        "time,discharge_m3_s\n0,x\n",
        "\n",
    ],
)
def test_broken_series_are_refused_by_name(folder: Path, text: str):
    (folder / "pump.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"pump\.csv"):
        flood.load_scenario(folder / "storm.toml")


def test_dated_series_start_the_clock(folder: Path):
    (folder / "pump.csv").write_text("time,discharge_l_s\n2026-06-07 12:00:00,0\n2026-06-07 12:10:00,300\n", encoding="utf-8")
    scenario = flood.load_scenario(changed(folder, 'start = "2026-06-07T12:00:00+08:00"\n', ""))
    assert scenario.start_time == 1780804800.0
    assert scenario.inflows[0].discharge.times.tolist() == [0.0, 600.0]
    assert scenario.inflows[0].discharge.values.tolist() == pytest.approx([0.0, 0.3])


def test_lines_polygons_zones_and_raised_houses(folder: Path):
    (folder / "zone.csv").write_text("x,y\n431000,2557990\n431060,2557990\n431060,2558040\n431000,2558040\n", encoding="utf-8")
    text = SCENARIO.replace("manning = 0.03", 'manning = { default = 0.05, source = "zone.csv", value = 0.02 }')
    text = text.replace('treatment = "block"', 'treatment = "raise", height = 2.0')
    text = text.replace("at = [431005.0, 2558030.0]\nradius = 3.0", "at = [[431000.0, 2558030.0], [431020.0, 2558030.0]]")
    (folder / "zones.toml").write_text(text, encoding="utf-8")
    scenario = flood.load_scenario(folder / "zones.toml")
    assert np.unique(np.asarray(scenario.manning_n)).tolist() == pytest.approx([0.02, 0.05])
    assert not scenario.is_blocked.any()
    assert float(scenario.terrain.elevations.max()) > 2.0
    assert len(scenario.inflows[0].points) == 10


def test_a_missing_folder_for_the_result_is_told_before_the_run(folder: Path):
    with pytest.raises(DataError, match="no folder"):
        flood.run_file(folder / "storm.toml", folder / "nowhere" / "out.flood")


def test_design_storms_come_from_the_table():
    assert 50.0 in storm_cities()["guangzhou"][1]
    storm = design_storm("guangzhou", 50)
    # 120 minutes of 3623.399 / (126.274 ** 0.598) L/s/ha.
    assert np.sum(storm.values[:-1] * 300.0) == pytest.approx(3623.399 / 126.274**0.598 * 1e-7 * 7200.0)


@pytest.fixture
def session(folder: Path):
    session = projects.create(folder / "district.gpkg")
    import_files(session, [folder / "ground.tif", folder / "city.city.json"])
    yield session
    session.close()


def layer_of(session: Session, kind: LayerKind) -> str:
    return next(layer.id for layer in session.workspace.layers() if layer.kind is kind)


def run(session: Session) -> str:
    form = flood.FloodForm(
        "Cloudburst", layer_of(session, LayerKind.TERRAIN), design_storm("guangzhou", 100), layer_of(session, LayerKind.BUILDINGS),
        cell=2.0, duration=3600.0, output_every=600.0, edges="closed", start_time=1_780_000_000.0,
    )  # fmt: skip
    session.run(flood.run_job(session, flood.scenario_from_session(session, form)))
    return layer_of(session, LayerKind.FLOOD)


def test_a_run_becomes_a_layer_that_undo_takes_away_and_reopening_brings_back(session: Session, folder: Path):
    key = run(session)
    result = session.workspace.data(key)
    assert isinstance(result, FloodResult)
    record = session.workspace.document.get("result", key)
    assert record is not None
    assert record["layer"] == key
    assert (folder / session.workspace.layer(key).source).is_file()
    assert session.clock.range[0] <= 1_780_000_000.0
    session.undo()
    assert session.workspace.data(key) is None
    session.redo()
    assert session.workspace.data(key) is result


def test_exposure_counts_buildings_people_and_facilities(session: Session):
    result = session.workspace.data(run(session))
    assert isinstance(result, FloodResult)
    found = flood.exposure_of(session, result)
    json.dumps(found)
    assert sum(sum(counts) for counts in found["buildings_by_depth"].values()) == found["buildings_total"] == 3
    # Closed basin: 100 mm of rain or more run to the middle and stand around the houses there.
    assert sum(found["buildings"].values()) >= 1
    assert found["people"] > 0
    assert found["people"] <= 20 + 21 + 22
    assert found["people"] + found["people_by_depth"]["Passable"] == 63
    assert all(asset["depth_m"] >= 0.15 for asset in found["assets"])
    dry = flood.exposure_of(session, result, time=result.start_time)
    assert sum(dry["buildings"].values()) == 0


def test_a_result_file_gives_back_what_was_written(session: Session, folder: Path):
    result = session.workspace.data(run(session))
    assert isinstance(result, FloodResult)
    again = flood_result.read_result(folder / "district_results" / "Cloudburst.flood")
    np.testing.assert_array_equal(again.max_depth, result.max_depth)
    np.testing.assert_array_equal(again.arrival, result.arrival)
    assert again.statistics == result.statistics
    assert again.rain is not None
    for k in range(len(result.times)):
        np.testing.assert_array_equal(again.depths[k], result.depths[k])
    assert np.abs(np.asarray(again.depths)[-1] - result.depth_at(result.start_time + 3600.0)).max() < 0.001
    assert again.depths[2:4].shape == (2, *result.terrain.shape)
    assert again.depths[-1, 3, 4] == again.depths[len(again.times) - 1][3, 4]
    files = flood_result.export_geotiffs(again, folder / "tif")
    assert len(files) == 4 + len(again.times)


def test_a_damaged_result_is_refused_at_every_length(session: Session, folder: Path):
    run(session)
    file = folder / "district_results" / "Cloudburst.flood"
    whole = file.read_bytes()
    broken = folder / "broken.flood"
    rng = np.random.default_rng(3)
    for size in rng.integers(1, len(whole) - 1, 25).tolist():
        broken.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"broken\.flood"):
            flood_result.read_result(broken)
    for _ in range(40):
        mutated = bytearray(whole)
        mutated[int(rng.integers(0, len(whole)))] ^= 0xFF
        broken.write_bytes(bytes(mutated))
        try:
            flood_result.read_result(broken)
        except DataError:
            continue


def test_a_cancelled_run_leaves_nothing_behind(session: Session, folder: Path):
    from cimdesk.base.errors import Cancelled

    form = flood.FloodForm("Never", layer_of(session, LayerKind.TERRAIN), design_storm("guangzhou", 5), cell=1.0)
    job = flood.run_job(session, flood.scenario_from_session(session, form))
    cancel = CancelToken()

    def progress(fraction: float | None, text: str = "") -> None:
        if fraction and fraction > 0.02:
            cancel.cancel()

    with pytest.raises(Cancelled):
        job.work(progress, cancel)
    assert not (folder / "district_results").exists()


def test_an_ascii_grid_and_csv_rings_make_a_scenario_without_any_reference_system(tmp_path: Path):
    write_ascii_grid(tmp_path / "g.asc", ground())
    houses = tmp_path / "houses"
    houses.mkdir()
    for k in range(2):
        x, y = EAST + 20 * k, NORTH + 10
        (houses / f"h{k}.csv").write_text(f"{x},{y}\n{x + 8},{y}\n{x + 8},{y + 8}\n{x},{y + 8}\n", encoding="utf-8")
    (tmp_path / "s.toml").write_text(
        '[scenario]\nterrain = "g.asc"\nduration = 60\n[surface]\nbuildings = "houses"\n[[rain]]\nrate_mm_h = 60\n',
        encoding="utf-8",
    )
    scenario = flood.load_scenario(tmp_path / "s.toml")
    assert scenario.name == "s"
    assert scenario.is_blocked.sum() == 128
    assert scenario.output_every == 60.0


def test_fast_water_is_told_with_the_engine_that_suits_it(session: Session):
    told: list = []

    def note(item: tuple) -> None:
        told.append(item)

    session.messages.connect(note)
    result = session.workspace.data(run(session))
    assert not told, "slow water needs no word"
    fast = replace(result, name="Steep", statistics={**result.statistics, "froude_warning": True, "froude_high_fraction": 0.4})
    file = session.base_dir / session.workspace.layer(layer_of(session, LayerKind.FLOOD)).source
    key = flood.attach(session, fast, file)
    assert [layer for layer, _ in told] == [key]
    assert "40%" in told[0][1].message
    assert "dynamic" in told[0][1].message


def test_the_form_chooses_the_engine(session: Session):
    form = flood.FloodForm("Breach", layer_of(session, LayerKind.TERRAIN), None, cell=4.0, engine="dynamic")
    assert flood.scenario_from_session(session, form).engine == "dynamic"
