"""The inertial engine beside another model, landlab's OverlandFlow, in a town: no further from it than one grid is from the next.

Needs the Python with landlab that ``CIMDESK_PEERS`` names, or that is in ``venv`` of the folder that it names.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cimdesk.analysis.flood.inundation import run_inundation

from .channels import scenario

SIZE, DURATION, MANNING = 192.0, 60.0, 0.04
SCRIPT = Path(__file__).parents[1] / "benchmarks" / "peers" / "flood_engines.py"


def town_at(dx: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ground with raised houses and the depth of a flood with a swell that runs through the streets, for cells of ``dx``."""
    cells = round(SIZE / dx)
    at = (np.arange(cells) + 0.5) * dx
    x, y = at, at[:, np.newaxis]
    ground = 0.3 * np.sin(x / 26.0) * np.sin(y / 34.0) + np.zeros((cells, cells))
    houses = ((x // 16) % 2 == 1) & ((y // 16) % 2 == 1)
    level = 1.0 + 0.3 * np.exp(-(((x - 150.0) / 30.0) ** 2)) + np.zeros_like(ground)
    ground = np.where(houses, ground + 6.0, ground)
    return ground.astype(np.float32), np.maximum(level - ground, 0.0)


def ours(dx: float) -> np.ndarray:
    ground, depth = town_at(dx)
    flood = scenario(ground, dx, DURATION, manning_n=MANNING, initial_level=ground + depth, precision="float64")
    return np.asarray(run_inundation(flood).depths[-1], dtype=np.float64)


def coarser(depths: np.ndarray) -> np.ndarray:
    rows, columns = depths.shape
    return depths.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))


def theirs(dx: float, folder: Path) -> np.ndarray:
    where = Path(os.environ.get("CIMDESK_PEERS", ""))
    python = where / "venv" / "bin" / "python" if where.is_dir() else where
    if "CIMDESK_PEERS" not in os.environ or not python.is_file():
        pytest.skip("CIMDESK_PEERS names no Python with landlab")
    ground, depth = town_at(dx)
    np.savez(folder / "case.npz", ground=ground, depth=depth, dx=dx, manning=MANNING, duration=DURATION)
    command = [str(python), str(SCRIPT), "depths", str(folder / "case.npz"), str(folder / "depths.npy")]
    subprocess.run(command, check=True, capture_output=True, timeout=500)
    return np.asarray(np.load(folder / "depths.npy"), dtype=np.float64)


def test_another_engine_is_no_further_away_than_the_next_grid(tmp_path: Path):
    other = theirs(2.0, tmp_path)
    coarse, medium, fine = (ours(dx) for dx in (4.0, 2.0, 1.0))
    wet = np.maximum(medium, other) > 0.01
    between_engines = np.abs(medium - other)[wet].mean()
    between_grids = max(np.abs(coarser(fine) - medium)[wet].mean(), np.abs(coarser(medium) - coarse)[coarser(medium) > 0.01].mean())
    start = town_at(2.0)[1].sum(dtype=np.float64)
    kept = medium.sum() / start - 1.0, other.sum() / start - 1.0
    print(
        f"\ninertial and landlab differ by {100 * between_engines:.2f} cm on average, grids by {100 * between_grids:.2f} cm", end=""
    )
    print(f" of {100 * medium[wet].mean():.0f} cm; their water changed by {kept[0]:.1e} and {kept[1]:.1e}")
    assert abs(kept[0]) <= 1e-6
    assert between_engines <= between_grids
