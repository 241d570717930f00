"""Small worlds with known answers: channels, basins and towns, three cells wide or square."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.model.flood import FloodScenario, Series
from cimdesk.model.terrain import Terrain


def constant(value: float) -> Series:
    return Series(np.zeros(1), np.array([value]))


def channel(bed: np.ndarray, dx: float, duration: float, **fields: Any) -> FloodScenario:
    """Return a channel from west to east, three cells wide, with this bed at its cell centres."""
    ground = np.tile(bed.astype(np.float32), (3, 1))
    return scenario(ground, dx, duration, **fields)


def scenario(ground: np.ndarray, dx: float, duration: float, **fields: Any) -> FloodScenario:
    terrain = Terrain(ground.astype(np.float32), 0.0, ground.shape[0] * dx, dx, dx)
    fields.setdefault("manning_n", 0.03)
    fields.setdefault("is_blocked", np.zeros(ground.shape, dtype=bool))
    fields.setdefault("output_every", duration)
    return FloodScenario("test", terrain, duration=duration, **fields)


def town(cells: int, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return undulating ground and which cells are houses, some narrow, some touching."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:cells, :cells]
    ground = 0.004 * x + 0.5 * np.sin(x / 13.0) * np.sin(y / 17.0) + rng.normal(0.0, 0.02, x.shape)
    houses = ((x // 5) % 3 == 0) & ((y // 4) % 3 == 0) & (rng.random(x.shape) > 0.1)
    return ground.astype(np.float32), houses
