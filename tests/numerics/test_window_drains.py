"""A window whose drains run again as a whole: manholes beyond it take what they took, and clearing an inlet is felt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cimdesk.analysis.flood.window import Window
from cimdesk.commands.flood import simulate
from cimdesk.commands.flood_nested import run_nested
from cimdesk.commands.flood_subgrid import with_subgrid
from cimdesk.commands.flood_whatif import plan, with_measures
from cimdesk.commands.measures import as_inputs
from cimdesk.model.flood import FloodScenario, Series
from cimdesk.model.measures import Measure

from .channels import scenario
from .sewers import drains, needs_swmm, swmm_text

pytestmark = needs_swmm
STREET = [("A", 21.0, 41.0, 8.0, 2.0), ("B", 81.0, 41.0, 7.9, 2.1), ("C", 141.0, 41.0, 7.8, 2.2), ("D", 201.0, 41.0, 7.7, 2.3)]
UNBLOCK = Measure("unblock", "Clear C", ((141.0, 41.0),), nodes=("C",))


def street(folder: Path) -> FloodScenario:
    """A street with a gully every 60 m, one of which is blocked, under a cloudburst."""
    text = swmm_text(
        STREET, [("O", 261.0, 41.0, 7.0, 0.0)],
        [("1", "A", "B", 60.0, 0.5), ("2", "B", "C", 60.0, 0.5), ("3", "C", "D", 60.0, 0.5), ("4", "D", "O", 60.0, 0.5)],
    )  # fmt: skip
    network = drains(folder, text, clogged=((1.0, ("C",)),))
    columns, rows = np.meshgrid(np.arange(120), np.arange(40))
    ground = 10.0 + 0.004 * np.abs(rows - 20.0) - 0.1 * np.exp(-(((columns - 70.0) / 12.0) ** 2))
    return scenario(
        ground, 2.0, 900.0, output_every=60.0, precision="float64", drainage=network,
        rain=Series(np.array([0.0, 600.0]), np.array([120.0 / 3.6e6, 0.0])),
    )  # fmt: skip


def in_window(base: FloodScenario, parent, measures, is_live: bool):
    changed = with_measures(base, as_inputs(measures), "cleared")
    return run_nested(changed, base, parent, Window(0, 40, 40, 105), lambda s, _, p: simulate(s, 1, p), is_live)


def test_drains_of_a_window_run_as_a_whole(tmp_path):
    base = street(tmp_path)
    parent = simulate(base, 1)
    whole = simulate(with_measures(base, as_inputs([UNBLOCK]), "cleared"), 1)
    live = in_window(base, parent, [UNBLOCK], True)
    assert live.result.statistics["drains"] == "run"
    assert abs(live.result.statistics["drainage"]["mass_error"]) < 1e-9
    true = np.asarray(whole.depths[-1]) - np.asarray(parent.depths[-1])
    found = np.asarray(live.result.depths[-1]) - np.asarray(live.baseline.depths[-1])
    assert true.min() < -0.02
    assert found.min() == pytest.approx(true.min(), abs=0.005)
    assert np.sqrt(((found - true)[:, 45:100] ** 2).mean()) < 0.003
    # The manhole downstream stands higher by what now comes in.
    d = list(whole.drainage.ids).index("D")
    assert live.result.drainage.depths[-1, d] == pytest.approx(whole.drainage.depths[-1, d], abs=0.05)


def test_a_measure_that_unblocks_has_the_drains_run_again(tmp_path):
    parent = simulate(street(tmp_path), 1)
    wall = Measure("wall", "Wall", ((100.0, 30.0), (100.0, 50.0)), numbers={"height": 1.0})
    assert plan(parent, [UNBLOCK]).live_drains
    assert not plan(parent, [wall]).live_drains
    assert plan(parent, [wall], live_drains=True).live_drains


def test_drains_meet_the_ground_of_the_fine_cells_in_a_run_on_coarse_ones(tmp_path):
    base = street(tmp_path)
    fine, coarse = simulate(base, 1), simulate(with_subgrid(base, 4, True), 1)
    taken, same = (run.statistics["drainage"]["inflow_m3"] for run in (coarse, fine))
    assert taken == pytest.approx(same, rel=0.15)
    assert abs(coarse.statistics["mass_error"]) < 1e-12
    assert abs(coarse.statistics["drainage"]["mass_error"]) < 1e-9


def test_a_window_of_a_coarse_run_has_full_detail(tmp_path):
    base = with_subgrid(replace(street(tmp_path), drainage=None), 4, True)
    parent = simulate(base, 1)
    wall = Measure("wall", "Wall", ((140.0, 10.0), (140.0, 70.0)), numbers={"height": 0.5})
    nested = run_nested(
        with_measures(base, as_inputs([wall]), "wall"), base, parent, Window(0, 40, 40, 105), lambda s, _, p: simulate(s, 1, p)
    )
    assert nested.result.statistics["cell"] == 2.0
    assert nested.result.max_depth.shape == base.terrain.shape
    assert nested.result.statistics["nesting_error_m"] > 0.0


def test_a_window_in_a_result_on_coarse_cells_is_a_part_of_its_own(tmp_path):
    base = with_subgrid(replace(street(tmp_path), drainage=None), 4, False)
    parent = simulate(base, 1)
    assert parent.terrain.shape == (10, 30)
    wall = Measure("wall", "Wall", ((120.0, 2.0), (120.0, 78.0)), numbers={"height": 0.5})
    nested = run_nested(
        with_measures(base, as_inputs([wall]), "wall"), base, parent, Window(0, 10, 9, 19), lambda s, _, p: simulate(s, 1, p)
    )
    result, baseline = nested.result, nested.baseline
    assert nested.is_baseline_needed
    assert result.terrain.cell_x == baseline.terrain.cell_x == 2.0
    assert result.max_depth.shape == baseline.max_depth.shape == (40, 29 * 4)
    assert result.terrain.west == 0.0
    # What the fine cells hold outside the window is what the coarse ones held.
    held = float(np.asarray(parent.depths[-1])[:, :9].sum()) * 64.0
    assert float(np.asarray(result.depths[-1])[:, : 9 * 4].sum()) * 4.0 == pytest.approx(held, rel=0.02)
    rise = result.max_depth - baseline.max_depth
    assert rise.max() > 0.01
    # As a wall in a run at full detail from the start.
    fine = replace(base, subgrid=None)
    true = simulate(with_measures(fine, as_inputs([wall]), "w"), 1).max_depth - simulate(fine, 1).max_depth
    assert rise.max() == pytest.approx(true.max(), rel=0.35)
