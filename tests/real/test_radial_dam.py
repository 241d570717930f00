"""A round dam that goes at once (radius 50 m, 10 m of water, onto dry ground or 1 m): against a fine radial solution.

The reference is that of the ANUGA validation suite: profiles along the radius after two seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import Run
from cimdesk.base.jobs import CancelToken
from cimdesk.model.flood import FloodScenario
from cimdesk.model.terrain import Terrain

pytestmark = pytest.mark.real
HALF, RADIUS, INSIDE, AFTER = 100.0, 50.0, 10.0, 2.0


def errors(profile: np.ndarray, outside: float, cells: int) -> tuple[float, float]:
    """Return the relative L1 errors of depth and of unit discharge over all cells of the square."""
    dx = 2.0 * HALF / cells
    # Depths of cells that the dam crosses are means over them.
    at = (np.arange(cells * 8) + 0.5) * dx / 8 - HALF
    inside = np.hypot(at[:, np.newaxis], at) < RADIUS
    share = inside.reshape(cells, 8, cells, 8).mean(axis=(1, 3))
    depth = outside + (INSIDE - outside) * share
    ground = np.zeros((cells, cells), dtype=np.float32)
    terrain = Terrain(ground, -HALF, HALF, dx, dx)
    dam = FloodScenario(
        "dam", terrain, 0.0, np.zeros(ground.shape, dtype=bool), AFTER, AFTER, initial_level=depth, precision="float64",
        engine="dynamic",
    )  # fmt: skip
    run = Run(dam, 1, CancelToken())
    run.frame()
    with run:
        run.advance(AFTER)
    run.frame()
    assert abs(run.ledger.mass_error) <= 1e-12
    centres = (np.arange(cells) + 0.5) * dx - HALF
    radius = np.hypot(centres[:, np.newaxis], centres)
    known = radius < HALF
    h = np.interp(radius, profile[:, 0], profile[:, 1])
    q = np.interp(radius, profile[:, 0], np.hypot(profile[:, 2], profile[:, 3]))
    computed = run.state.inside(run.state.h)
    flow = np.hypot(*run.engine.cell_discharges())
    return (
        float(np.abs(computed - h)[known].sum() / h[known].sum()),
        float(np.abs(flow - q)[known].sum() / q[known].sum()),
    )


@pytest.mark.parametrize(("ground", "outside"), [("dry", 0.0), ("wet", 1.0)])
def test_water_leaves_a_round_dam_as_the_fine_solution_says(real_data: Path, ground: str, outside: float):
    file = real_data / "flood" / "anuga_radial_dry_wet" / f"radial_dam_break_{ground}" / "Ver_numerical_2.000000.csv"
    if not file.is_file():
        pytest.skip(f"no reference at {file}")
    profile = np.loadtxt(file, delimiter=",")
    found = {cells: errors(profile, outside, cells) for cells in (50, 100, 200)}
    order = np.log2(found[50][0] / found[200][0]) / 2.0
    told = ", ".join(f"{cells} cells: depth {100 * h:.2f} %, discharge {100 * q:.2f} %" for cells, (h, q) in found.items())
    print(f"\nround dam, {ground}: {told}; order {order:.2f}")
    assert found[200][0] <= 0.02
    assert found[200][1] <= 0.05
    assert order >= 0.9
