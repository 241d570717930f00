"""A dam break in a flume that strikes a column (experiment of Yeh and Petroff, University of Washington): the force on the column.

The column stands in the water as blocked cells; the force is that of the water pressure on its front less that on its back.
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
CELL, LENGTH, WIDTH, DAM = 0.01, 1.6, 0.61, 0.4
COLUMN = (0.9, 1.02, 0.25, 0.37)
DENSITY, GRAVITY, GATE = 1000.0, 9.81, 0.1


def forces(engine: str = "dynamic", manning_n: float = 0.01) -> np.ndarray:
    """Return (N, 2) seconds since the dam went and newtons."""
    columns, rows = round(LENGTH / CELL), round(WIDTH / CELL)
    x = (np.arange(columns) + 0.5) * CELL
    y = (WIDTH - (np.arange(rows) + 0.5) * CELL)[:, np.newaxis]
    is_column = (x > COLUMN[0]) & (x < COLUMN[1]) & (y > COLUMN[2]) & (y < COLUMN[3])
    ground = np.zeros((rows, columns), dtype=np.float32)
    level = np.broadcast_to(np.where(x < DAM, 0.3, 0.01), ground.shape)
    terrain = Terrain(ground, 0.0, WIDTH, CELL, CELL)
    flume = FloodScenario("flume", terrain, manning_n, is_column, 3.0, 3.0, initial_level=level, engine=engine)
    run = Run(flume, 1, CancelToken())
    at, across = np.nonzero(is_column)
    before, behind = across.min() - 1, across.max() + 1
    sides = slice(at.min(), at.max() + 1)
    told = []
    with run:
        for time in np.arange(0.0, 3.0, 0.02):
            run.advance(time)
            depth = run.state.inside(run.state.h).astype(np.float64)
            push = 0.5 * DENSITY * GRAVITY * (depth[sides, before] ** 2 - depth[sides, behind] ** 2).sum() * CELL
            told.append((time, push))
    run.frame()
    assert abs(run.ledger.mass_error) <= 1e-6
    return np.array(told)


def test_the_force_on_a_column_is_that_of_the_experiment(real_data: Path):
    file = real_data / "flood" / "anuga" / "for_exp.txt"
    if not file.is_file():
        pytest.skip(f"no experiment at {file}")
    measured = np.array([[float(value) for value in line.split()] for line in file.read_text().splitlines() if line.strip()])
    computed = forces()
    # The gate took a tenth of a second to be out of the way.
    computed[:, 0] += GATE
    starts = np.arange(0.3, 2.7, 0.3)
    means = np.array([
        [series[(series[:, 0] >= start) & (series[:, 0] < start + 0.3), 1].mean() for start in starts]
        for series in (measured, computed)
    ])  # fmt: skip
    print()
    for start, felt, told in zip(starts, *means, strict=True):
        print(f"{start:.1f} to {start + 0.3:.1f} s: measured {felt:6.2f} N, computed {told:6.2f} N")
    onward = [0.3 * part[:3].sum() for part in means]
    correlation = np.corrcoef(means)[0, 1]
    print(f"blow of the first wave: measured {onward[0]:.2f} N s, computed {onward[1]:.2f} N s; correlation {correlation:.2f}")
    assert onward[1] == pytest.approx(onward[0], rel=0.15)
    assert correlation >= 0.9
