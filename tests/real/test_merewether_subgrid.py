"""Merewether on coarse cells with the ground of 2 m in them, beside coarse cells without it: which is nearer to the fine run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.commands.flood import simulate
from cimdesk.commands.flood_scenario import load_scenario
from cimdesk.model.flood import FloodResult, FloodScenario

from .test_merewether import case_of, observed, write_scenario

pytestmark = pytest.mark.real
FINE = 2.0


def loaded(case: Path, folder: Path, cell: float, factor: int = 0, has_gauges: bool = True) -> FloodScenario:
    file = write_scenario(case, folder, cell)
    text = file.read_text(encoding="utf-8")
    text = text if has_gauges else text[: text.index("[[gauge]]")]
    file.write_text(text.replace("[surface]", f"[solver]\nsubgrid = {{ factor = {factor} }}\n[surface]") if factor else text)
    return load_scenario(file)


def plain_shown(scenario: FloodScenario, result: FloodResult, fine: FloodScenario, factor: int) -> np.ndarray:
    """Return the level of plain coarse cells over the fine ground below them."""
    rows, columns = fine.terrain.shape
    whole = np.ones((factor, factor))
    levels = np.kron(result.max_depth + scenario.terrain.elevations, whole)[:rows, :columns]
    wet = np.kron(result.max_depth, whole)[:rows, :columns] > 0.01
    return np.where(wet & ~fine.is_blocked, np.maximum(np.nan_to_num(levels - fine.terrain.elevations), 0.0), 0.0)


@pytest.mark.parametrize(("factor", "most"), [(2, 0.020), (4, 0.040)])
def test_coarse_cells_that_know_the_ground_are_twice_as_near(real_data: Path, tmp_path: Path, factor: int, most: float):
    case = case_of(real_data)
    fine = simulate(loaded(case, tmp_path, FINE), 2)
    ready = loaded(case, tmp_path, FINE, factor)
    coarse = simulate(ready, 2)
    plain = loaded(case, tmp_path, FINE * factor, has_gauges=False)
    rows, columns = coarse.max_depth.shape
    true = fine.max_depth[:rows, :columns]
    shown = plain_shown(plain, simulate(plain, 2), ready, factor)
    open_ground = ~ready.is_blocked
    with_tables, without = (np.sqrt(((other - true)[open_ground] ** 2).mean()) for other in (coarse.max_depth, shown))
    same = [((other > 0.1) & (true > 0.1)).sum() / ((other > 0.1) | (true > 0.1)).sum() for other in (coarse.max_depth, shown)]
    print(
        f"\n{FINE * factor:g} m: RMSE {with_tables:.3f} m, without tables {without:.3f} m; wet alike {same[0]:.2f}, {same[1]:.2f}"
    )
    assert abs(coarse.statistics["mass_error"]) < 1e-6
    assert with_tables < most
    assert with_tables < 0.6 * without
    assert same[0] > same[1]


def test_the_marks_are_as_near_as_on_fine_cells(real_data: Path, tmp_path: Path):
    case = case_of(real_data)
    result = simulate(loaded(case, tmp_path, FINE, 4), 2)
    errors = [series.levels[-1] - point["observed"] for series, point in zip(result.gauges, observed(case), strict=True)]
    print(f"\nminus observed: {np.round(errors, 2)}")
    assert np.abs(errors).mean() < 0.20
