"""Scenarios computed on coarse cells that know the ground within them: the coarse grid made, and refused what it cannot carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cimdesk.base.arrays import Float, Float32
from cimdesk.base.errors import DataError
from cimdesk.model.flood import FloodScenario
from cimdesk.model.flood_inputs import LineBoundary, Subgrid
from cimdesk.model.terrain import Terrain

MOST_SHOWN = 16_000_000
"""Results of more fine cells than this are given on the coarse ones, unless the fine ones are asked for."""
_WHERE = "solver.subgrid"
_FULL = "Leave subgrid out, or simulate a window at full detail."


def whole_cells(grid: Terrain, factor: int, path: Path | None) -> Terrain:
    """Return a grid cut, in the east and south, to whole coarse cells of ``factor`` by ``factor``.

    Raises
    ------
    DataError
        If there are fewer than three of them across.
    """
    rows, columns = (count // factor * factor for count in grid.shape)
    if min(rows, columns) < 3 * factor:
        raise DataError(path, "the terrain has fewer than three coarse cells across.", where=_WHERE, remedy="Use a smaller factor.")
    return replace(grid, elevations=np.ascontiguousarray(grid.elevations[:rows, :columns]), source=None)


def with_subgrid(scenario: FloodScenario, factor: int, is_downscaled: bool | None, path: Path | None = None) -> FloodScenario:
    """Return a scenario on whole cells (`whole_cells`) that is computed on coarse ones.

    Parameters
    ----------
    scenario : FloodScenario
    factor : int
        Cells along a coarse one.
    is_downscaled : bool or None
        Whether the result is on the fine cells; None for as long as they are not too many.
    path : Path or None
        For messages.

    Raises
    ------
    DataError
        If something in the scenario needs full detail.
    """
    if scenario.beds:
        raise DataError(path, "gates and breaches cannot be simulated on coarse cells.", where=_WHERE, remedy=_FULL)
    if any(isinstance(device, LineBoundary) for device in scenario.devices):
        raise DataError(path, "a boundary along a line cannot be simulated on coarse cells.", where=_WHERE, remedy=_FULL)
    if scenario.engine != "inertial":
        raise DataError(
            path, "only the inertial engine computes on coarse cells.", where=_WHERE, remedy="Choose the inertial engine."
        )
    grid = scenario.terrain
    mean = coarse_ground(grid, scenario.is_blocked, factor)
    coarse = Terrain(mean, grid.west, grid.north, grid.cell_x * factor, grid.cell_y * factor)
    shown = grid.elevations.size <= MOST_SHOWN if is_downscaled is None else is_downscaled
    return replace(scenario, subgrid=Subgrid(factor, coarse, ~np.isfinite(mean), shown))


def coarse_ground(grid: Terrain, is_blocked: np.ndarray, factor: int) -> Float32:
    """Return (r, c) float32 mean height of the open ground in each coarse cell [m]; NaN where there is none."""
    rows, columns = grid.shape[0] // factor, grid.shape[1] // factor
    is_open = np.isfinite(grid.elevations) & ~is_blocked
    parts = (rows, factor, columns, factor)
    counts = is_open.reshape(parts).sum(axis=(1, 3))
    sums: Float = np.where(is_open, grid.elevations, 0.0).reshape(parts).sum(axis=(1, 3), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Float32 = (sums / counts).astype(np.float32)
    return mean
