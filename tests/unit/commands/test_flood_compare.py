"""Two floods compared: known differences, other grids, other times, exposure and what the comparison says of itself."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.analysis.flood_difference import figures_of
from cimdesk.app.cli import main
from cimdesk.base.errors import UsageError
from cimdesk.commands.flood_compare import compare, compare_files, compare_runs, depth_difference, set_comparison
from cimdesk.commands.session import Session
from cimdesk.formats.flood_result import write_result
from cimdesk.model.flood_comparison import AGAINST
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.regridding import OntoGrid
from cimdesk.model.terrain import Terrain
from tests.unit.commands.exposure_town import boxes, with_layers
from tests.unit.commands.test_flood_exposure import DRY, STATS, run_of, water

SMALL = water(20, 20, 40, 40, 0.5)
LARGE = water(20, 20, 60, 40, 0.8)


def test_the_difference_of_a_run_with_itself_is_nothing():
    run = run_of(DRY, SMALL)
    found = compare_runs(None, run, run)
    figures = found["depth_difference"]
    assert {figures[key] for key in ("max_increase_m", "max_decrease_m", "wetter_m2", "drier_m2", "volume_m3", "rms_m")} == {0.0}
    assert found["notes"] == []
    assert found["exposure_difference"] is None


def test_known_water_gives_known_figures():
    figures = depth_difference(compare(run_of(DRY, SMALL), run_of(DRY, LARGE)))
    assert figures["sign"] == "B - A"
    assert figures["max_increase_m"] == pytest.approx(0.8)
    assert figures["max_decrease_m"] == 0.0
    assert figures["wetter_m2"] == pytest.approx(800.0)
    assert figures["newly_wet_m2"] == pytest.approx(400.0)
    assert figures["volume_m3"] == pytest.approx(400 * 0.3 + 400 * 0.8)
    back = depth_difference(compare(run_of(DRY, LARGE), run_of(DRY, SMALL)))
    assert back["max_decrease_m"] == pytest.approx(-0.8)
    assert back["no_longer_wet_m2"] == pytest.approx(400.0)
    assert back["volume_m3"] == pytest.approx(-figures["volume_m3"])


def test_a_moment_is_counted_from_the_start_of_each_run():
    a, b = run_of(DRY, SMALL), replace(run_of(DRY, SMALL), start_time=9e8)
    found = compare(a, b)
    assert depth_difference(found, 300.0)["rms_m"] == pytest.approx(0.0)
    assert any("start" in note for note in found.notes)


def test_other_output_times_are_aligned_and_said():
    a = run_of(DRY, SMALL, SMALL)
    b = replace(run_of(DRY, SMALL, SMALL), times=np.array([0.0, 300.0, 900.0]))
    found = compare(a, b)
    figures = depth_difference(found, 450.0)
    # A is at 3/4 of its first step, B in the middle of its second, which is full.
    assert figures["max_increase_m"] == pytest.approx(0.5 * 0.25)
    assert figures["time_s"] == [0.0, 600.0]
    assert len(found.notes) == 1
    assert "0.25 h" in found.notes[0]


def coarse(result, factor: int):
    """Return the run on cells ``factor`` times as large, exactly averaged."""
    depths = result.depths
    frames, rows, columns = depths.shape
    small = depths.reshape(frames, rows // factor, factor, columns // factor, factor).mean(axis=(2, 4)).astype(np.float32)
    t = result.terrain
    grid = Terrain(np.zeros(small.shape[1:], dtype=np.float32), t.west, t.north, t.cell_x * factor, t.cell_y * factor)
    nothing = np.zeros(grid.shape, dtype=np.float32)
    return replace(
        result, terrain=grid, depths=small, max_depth=small.max(axis=0), is_blocked=np.zeros(grid.shape, dtype=bool),
        max_speed=nothing, max_depth_speed=nothing, arrival=nothing,
    )  # fmt: skip


def test_other_grids_are_resampled_both_ways_and_said():
    fine = run_of(DRY, SMALL)
    large = coarse(fine, 5)
    onto_coarse = compare(large, fine)
    assert depth_difference(onto_coarse)["rms_m"] == pytest.approx(0.0, abs=1e-6)
    assert "2 m" in onto_coarse.notes[0]
    assert "10 m" in onto_coarse.notes[0]
    onto_fine = compare(fine, large)
    assert depth_difference(onto_fine)["volume_m3"] == pytest.approx(0.0, abs=1e-3)


def test_what_one_run_does_not_cover_is_left_out():
    a = run_of(DRY, LARGE)
    grid = Terrain(np.zeros((60, 20), dtype=np.float32), 0.0, 120.0, 2.0, 2.0)
    b = replace(a, terrain=grid, depths=a.depths[:, :, :20], max_depth=a.max_depth[:, :20], is_blocked=a.is_blocked[:, :20])
    figures = depth_difference(compare(a, b))
    assert figures["compared_m2"] == pytest.approx(40.0 * 120.0)
    assert figures["rms_m"] == 0.0


def test_floods_of_different_places_are_refused():
    a = run_of(DRY)
    far = replace(a, terrain=replace(a.terrain, west=5000.0))
    with pytest.raises(UsageError, match="overlap"):
        compare(a, far)


def test_walls_do_not_thin_the_water_when_cells_become_larger():
    source = Terrain(np.zeros((4, 4), dtype=np.float32), 0.0, 4.0, 1.0, 1.0)
    target = Terrain(np.zeros((2, 2), dtype=np.float32), 0.0, 4.0, 2.0, 2.0)
    blocked = np.zeros((4, 4), dtype=bool)
    blocked[0, 0] = True
    depth = np.where(blocked, 0.0, 0.6).astype(np.float32)
    assert OntoGrid(source, target, blocked)(depth).ravel().tolist() == pytest.approx([0.6] * 4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(2, 6), st.floats(0.0, 3.0))
def test_resampling_a_level_pool_keeps_its_depth(factor, side, depth):
    fine = Terrain(np.zeros((side * factor, side * factor), dtype=np.float32), 0.0, float(side * factor), 1.0, 1.0)
    large = Terrain(np.zeros((side, side), dtype=np.float32), 0.0, float(side * factor), float(factor), float(factor))
    values = np.full(fine.shape, depth, dtype=np.float32)
    assert np.allclose(OntoGrid(fine, large)(values), depth, atol=1e-5)
    assert np.allclose(OntoGrid(large, fine)(np.full(large.shape, depth, dtype=np.float32)), depth, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_turning_the_comparison_round_turns_the_sign(seed):
    rng = np.random.default_rng(seed)
    a, b = (np.maximum(rng.normal(0.1, 0.3, (12, 9)), 0.0).astype(np.float32) for _ in range(2))
    there, back = figures_of(a, b, 4.0), figures_of(b, a, 4.0)
    assert there.volume == pytest.approx(-back.volume, abs=1e-9)
    assert (there.wetter, there.newly_wet) == (back.drier, back.no_longer_wet)
    assert there.largest_rise == pytest.approx(-back.largest_fall)
    assert there.rms == pytest.approx(back.rms)


@pytest.fixture
def session() -> Session:
    session = Session()
    city = boxes(np.array([42.0, 100.0]), np.array([24.0, 100.0]), 10.0, ["residential", "school"])
    with_layers(
        session.workspace,
        [
            (Layer("city", "Buildings", LayerKind.BUILDINGS, ""), city),
            (Layer("a", "Today", LayerKind.FLOOD, ""), run_of(DRY, LARGE)),
            (Layer("b", "With wall", LayerKind.FLOOD, ""), run_of(DRY, SMALL)),
        ],
    )
    return session


def test_exposure_of_both_and_its_difference(session):
    data = compare_runs(session, session.workspace.data("a"), session.workspace.data("b"))
    found = data["exposure_difference"]
    assert found["buildings"]["residential"] == {"a": 1, "b": 0, "difference": -1}
    assert found["people"] == {"a": 10.0, "b": 0.0, "difference": -10.0}
    assert found["damage"]["difference"] < 0.0
    json.dumps(data)


def test_a_layer_drawn_against_another_is_an_edit(session):
    set_comparison(session, "b", "a", "swipe", 0.3)
    assert session.workspace.layer("b").options[AGAINST] == {"layer": "a", "mode": "swipe", "at": 0.3}
    set_comparison(session, "b", "")
    assert AGAINST not in session.workspace.layer("b").options
    session.undo()
    assert session.workspace.layer("b").options[AGAINST]["mode"] == "swipe"
    with pytest.raises(UsageError):
        set_comparison(session, "b", "a", "blink")
    with pytest.raises(UsageError):
        set_comparison(session, "b", "city")


def test_files_are_compared_with_what_each_run_states(tmp_path):
    a, b = write_result(tmp_path / "a.flood", run_of(DRY, SMALL)), write_result(tmp_path / "b.flood", run_of(DRY, LARGE))
    data = compare_files(a, b, out=tmp_path / "difference.tif")
    assert data["a"]["facts"]["CFL number"] == "0.60"
    assert "screening" in data["b"]["statement"]
    assert data["a"]["facts"]["Mass error"] == f"{STATS['mass_error']:.1e}"
    assert (tmp_path / "difference.tif").stat().st_size > 0


def test_the_command_line_compares(tmp_path, capsys):
    a, b = write_result(tmp_path / "a.flood", run_of(DRY, SMALL)), write_result(tmp_path / "b.flood", run_of(DRY, LARGE))
    assert main(["flood", "compare", str(a), str(b), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["depth_difference"]["max_increase_m"] == pytest.approx(0.8, abs=1e-3)
    assert data["exposure_difference"] is None
    assert main(["flood", "compare", str(a), str(b)]) == 0
    assert "wetter 800 m2" in capsys.readouterr().out
    assert main(["flood", "compare", str(a), str(tmp_path / "missing.flood")]) == 3
