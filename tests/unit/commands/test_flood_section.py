"""Sections: known ground, water, buildings and pipes along a line."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands.flood_section import caption, section_along, write_csv
from cimdesk.model.city import CityModel
from cimdesk.model.document import RecordChange
from cimdesk.model.drainage import DrainageSeries
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.flood import FloodResult
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.network import Utility, UtilityNetwork
from cimdesk.model.terrain import Terrain
from cimdesk.model.workspace import Workspace
from tests.scene.cities import boxes

START = 1_000_000.0


def trough() -> FloodResult:
    """Return a 100 m wide trough with ground |x - 50| / 10, filled to 1 m then 2 m, west at 0 and north at 40."""
    terrain = Terrain(np.tile(np.abs(np.arange(50) * 2.0 - 49.0) / 10.0, (20, 1)).astype(np.float32), 0.0, 40.0, 2.0, 2.0)
    low, high = (np.maximum(level - terrain.elevations, 0.0).astype(np.float32) for level in (1.0, 2.0))
    drains = DrainageSeries(
        as_strings(["N1"]), np.array([[50.0, 20.0]]), np.array([-2.0]), np.array([0.1]), np.array([0.0, 600.0]),
        np.array([[1.0], [3.0]], np.float32), np.array([[0.0], [-0.2]], np.float32),
    )  # fmt: skip
    none = np.zeros_like(low)
    return FloodResult(
        "storm", terrain, np.zeros(low.shape, bool), START, np.array([0.0, 600.0]), np.stack([low, high]), high, none, none, none,
        (), np.zeros(2), np.zeros(2), None, {"engine": "inertial", "mass_error": 2e-9}, drains,
    )  # fmt: skip


def town() -> Workspace:
    mesh = boxes(np.array([80.0]), np.array([20.0]), np.array([10.0]), np.array([10.0]), np.array([12.0]), np.zeros(1), np.zeros(1))
    mesh = replace(mesh, origin=np.zeros(3))
    city = CityModel(FeatureTable(as_strings(["house"])), np.full(1, -1, np.int32), {"1": mesh})
    network = UtilityNetwork(
        Utility.DRAINAGE, FeatureTable(as_strings(["N1", "N2"])), FeatureTable(as_strings(["P1"])), np.zeros(2, np.uint8),
        np.zeros(1, np.uint8), np.array([[50.0, 20.0, -2.0], [60.0, 0.0, -4.0]]), np.array([0], np.int32), np.array([1], np.int32),
        np.array([0.8]), np.array([22.4]),
    )  # fmt: skip
    parts = (("flood", LayerKind.FLOOD, trough()), ("city", LayerKind.BUILDINGS, city), ("drains", LayerKind.NETWORK, network))
    workspace = Workspace()
    workspace.apply(
        tuple(RecordChange("layer", key, None, Layer(key, key, kind, "x").to_record()) for key, kind, _ in parts),
        {key: data for key, _, data in parts},
    )
    return workspace


def test_the_level_is_flat_and_ends_where_the_ground_rises_above_it():
    section = section_along(town(), np.array([[0.0, 20.0], [100.0, 20.0]]))
    level = section.level_at(START + 600.0)
    wet = np.isfinite(level)
    assert np.allclose(level[wet], 2.0, atol=1e-5)
    assert section.along[wet].min() == pytest.approx(30.0, abs=2.0)
    assert section.along[wet].max() == pytest.approx(70.0, abs=2.0)
    assert np.nanmax(section.level_at(START)) == pytest.approx(1.0, abs=1e-5)
    assert np.nanmax(section.deepest) == pytest.approx(2.0, abs=1e-5)
    assert section.depth_at(START + 600.0).max() == pytest.approx(2.0 - 0.1, abs=0.1)


def test_before_the_storm_a_section_is_dry():
    section = section_along(town(), np.array([[0.0, 20.0], [100.0, 20.0]]))
    assert not np.isfinite(section.level_at(START - 1.0)).any()


def test_a_building_is_cut_where_the_line_goes_through_it():
    section = section_along(town(), np.array([[0.0, 20.0], [60.0, 20.0], [100.0, 20.0]]))
    (house,) = section.buildings
    assert (house.name, house.foot, house.top) == ("house", pytest.approx(0.0), pytest.approx(12.0))
    assert house.end - house.start == pytest.approx(10.0)
    assert (house.start + house.end) / 2 == pytest.approx(80.0)


def test_a_pipe_is_crossed_at_its_height_and_nodes_beside_the_line_are_told():
    section = section_along(town(), np.array([[0.0, 10.0], [100.0, 10.0]]))
    (pipe,) = section.pipes
    assert (pipe.name, pipe.along, pipe.axis, pipe.diameter) == ("P1", pytest.approx(55.0), pytest.approx(-3.0), 0.8)
    nodes = [p for p in section_along(town(), np.array([[0.0, 20.5], [100.0, 20.5]])).pipes if np.isfinite(p.rim)]
    assert [p.name for p in nodes] == ["N1"]


def test_a_node_shows_its_water_at_the_clock():
    section = section_along(town(), np.array([[0.0, 20.0], [100.0, 20.0]]))
    node = next(p for p in section.pipes if np.isfinite(p.rim))
    assert section.node_level(node, START) == pytest.approx(-1.0)
    assert section.node_level(node, START + 600.0) == pytest.approx(1.0)


def test_the_tables_hold_what_is_drawn(tmp_path):
    section = section_along(town(), np.array([[0.0, 20.0], [100.0, 20.0]]))
    files = write_csv(section, tmp_path / "cut.csv", START + 600.0)
    assert [file.name for file in files] == ["cut.csv", "cut-crossings.csv"]
    rows = list(csv.DictReader(files[0].read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(section.along)
    assert max(float(row["water_level_m"]) for row in rows if row["water_level_m"]) == pytest.approx(2.0)
    rows = csv.DictReader(files[1].read_text(encoding="utf-8").splitlines())
    assert {row["what"] for row in rows} == {"building", "pipe", "node"}


def test_a_figure_states_engine_cell_and_mass_error():
    text = caption(section_along(town(), np.array([[0.0, 20.0], [100.0, 20.0]])), START)
    assert "inertial" in text
    assert "2 m" in text
    assert "2e-09" in text


@pytest.mark.parametrize("line", [[[5.0, 5.0]], [[5.0, 5.0], [5.0, 5.0]]])
def test_a_line_without_length_is_refused(line):
    with pytest.raises(UsageError):
        section_along(town(), np.array(line))


def test_a_line_beside_everything_is_dry_and_unknown():
    section = section_along(town(), np.array([[5000.0, 5000.0], [5100.0, 5000.0]]))
    assert not np.isfinite(section.deepest).any()
    assert not section.buildings
    assert not section.pipes
