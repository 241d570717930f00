"""Floods driven by hydrographs of other models: where and when their water enters, from scenario files and from the form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.commands import flood
from cimdesk.commands.flood_series import driven, on_run
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.flood import EdgeBoundary
from cimdesk.model.hydrographs import DISCHARGE, LEVEL, Hydrograph
from cimdesk.model.terrain import Terrain
from tests.unit.formats.test_hydrograph_files import plan, unsteady

TOWN = """[scenario]
name = "Town"
terrain = "ground.tif"
duration = "20min"
output_every = "5min"
precision = "float64"
"""
CFS = 0.3048**3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a level ground around the boundary of a plan, and that plan."""
    ground = Terrain(np.zeros((30, 30), np.float32), -50.0, 150.0, 5.0, 5.0)
    write_geotiff(tmp_path / "ground.tif", ground, Crs.epsg(32616))
    plan(tmp_path / "Town.p01.hdf")
    return tmp_path


def load(folder: Path, text: str):
    (folder / "town.toml").write_text(TOWN + text, encoding="utf-8")
    return flood.load_scenario(folder / "town.toml")


def test_a_boundary_of_a_plan_is_an_inflow_where_its_line_is(folder: Path):
    scenario = load(folder, '[[inflow]]\ndischarge = { source = "Town.p01.hdf", series = "Upstream" }\n')
    (inflow,) = scenario.inflows
    np.testing.assert_allclose(inflow.points, [[20.0, 100.0]])
    np.testing.assert_allclose(inflow.discharge.times, [0.0, 43200.0])
    np.testing.assert_allclose(inflow.discharge.values, np.array([100.0, 900.0]) * CFS)
    assert scenario.start_time == 919339200.0
    result = flood.simulate(scenario, 1)
    entered = CFS * (100.0 + (100.0 + 800.0 / 36.0)) / 2.0 * 1200.0
    assert result.volume[-1] == pytest.approx(entered, rel=1e-3)


def test_a_series_may_begin_with_the_run_and_enter_elsewhere(folder: Path):
    text = '[[inflow]]\nat = [0.0, 50.0]\ndischarge = { source = "Town.p01.hdf", series = "Upstream", at_start = true }\n'
    dated = TOWN.replace("duration", 'start = "2030-01-01T00:00:00Z"\nduration', 1)
    (folder / "town.toml").write_text(dated + text, encoding="utf-8")
    (inflow,) = flood.load_scenario(folder / "town.toml").inflows
    assert inflow.discharge.times[0] == 0.0
    np.testing.assert_allclose(inflow.points, [[0.0, 50.0]])


def test_levels_and_discharges_of_a_flow_file_hold_along_edges(folder: Path):
    unsteady(folder)
    (folder / "Town.prj").write_text("SI Units\n")
    scenario = load(
        folder,
        '[[boundary]]\nedge = "west"\nkind = "discharge"\ndischarge = { source = "Town.u01", at_start = true }\n'
        '[[boundary]]\nedge = "east"\nkind = "level"\nlevel = { source = "Town.u01" }\n',
    )
    west, east = scenario.boundaries
    assert west.discharge.values[0] == pytest.approx(500.0)
    np.testing.assert_allclose(east.level.values, [930.0, 931.5, 932.0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('discharge = { source = "gone.hdf" }', "no file 'gone.hdf'"),
        ('discharge = { source = "Town.p01.hdf" }', "several of its series"),
        ('discharge = { source = "Town.p01.hdf", series = "Downstream" }', "does not say where the water of 'Downstream'"),
        ('discharge = { source = "Town.p01.hdf", serie = "Upstream" }', "no such field"),
        ('discharge = { source = "Town.p01.hdf", series = "Upstream", reverse = 1 }', "true or false"),
        ('discharge = { source = "ground.tif" }', "neither discharges nor levels"),
    ],
)
def test_what_cannot_drive_a_flood_is_refused_before_the_run(folder: Path, text: str, said: str):
    with pytest.raises(DataError, match=said):
        load(folder, f"[[inflow]]\n{text}\n")


def test_a_hydrograph_of_other_years_begins_with_the_run():
    series = Hydrograph("a", DISCHARGE, np.array([1000.0, 2000.0]), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(on_run(series, 1500.0, 600.0).times, [-500.0, 500.0])
    np.testing.assert_array_equal(on_run(series, 9e8, 600.0).times, [0.0, 1000.0])
    undated = Hydrograph("a", DISCHARGE, np.array([10.0, 20.0]), np.array([1.0, 2.0]), is_dated=False)
    np.testing.assert_array_equal(on_run(undated, 9e8, 600.0).times, [0.0, 10.0])


def test_edges_take_what_drives_them_and_keep_the_rest():
    flow = Hydrograph("q", DISCHARGE, np.array([0.0, 60.0]), np.array([1.0, 2.0]), False)
    level = Hydrograph("h", LEVEL, np.array([0.0, 60.0]), np.array([3.0, 4.0]), False)
    edges = tuple(EdgeBoundary(edge, "free", 0.002) for edge in ("north", "east", "south", "west"))
    inflows, kinds = driven([(flow, "", (5.0, 6.0)), (level, "east", None), (flow, "west", None)], edges, 0.0, 600.0)
    assert [edge.kind for edge in kinds] == ["free", "level", "free", "discharge"]
    assert kinds[1].level is not None
    assert kinds[3].discharge is not None
    (inflow,) = inflows
    np.testing.assert_array_equal(inflow.points, [[5.0, 6.0]])


def test_a_discharge_that_goes_the_other_way_takes_no_water_out_of_a_run_of_the_form():
    one = Hydrograph("line", DISCHARGE, np.arange(3.0), np.array([0.01, -5.0, -8.0]))
    with pytest.raises(DataError, match="other way") as caught:
        driven([(one, "", (0.0, 0.0))], [], 0.0, 10.0)
    assert "level" in caught.value.remedy
    noisy = Hydrograph("line", DISCHARGE, np.arange(3.0), np.array([-0.01, 5.0, 8.0]))
    (inflow,), _ = driven([(noisy, "", (0.0, 0.0))], [], 0.0, 10.0)
    assert inflow.discharge.values.tolist() == [0.0, 5.0, 8.0]
    back = Hydrograph("tide", LEVEL, np.arange(2.0), np.array([-1.0, 2.0]))
    _, (edge,) = driven([(back, "west", None)], [EdgeBoundary("west", "closed", 0.001)], 0.0, 10.0)
    assert edge.level.values.tolist() == [-1.0, 2.0]


def test_two_series_at_one_edge_are_refused_for_only_one_would_be_heard():
    one = Hydrograph("river", DISCHARGE, np.arange(2.0), np.array([1.0, 2.0]))
    with pytest.raises(DataError, match="two series"):
        driven([(one, "west", None), (one, "west", None)], [EdgeBoundary("west", "closed", 0.001)], 0.0, 10.0)
