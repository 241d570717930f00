"""Flood hazard maps made ready for counting who and what lies in which class of depth."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float32
from cimdesk.base.errors import UsageError
from cimdesk.commands.flood_tables import DepthTable
from cimdesk.model.city import CityModel
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_areas import FROM, classes_of, is_flood_map
from cimdesk.model.terrain import Terrain

FINEST, COARSEST = 0.25, 10.0
"""Cells in which areas are laid over buildings [m]."""
MOST_CELLS = 4_000_000
WET = 1e-3
"""Depth that stands for the shallowest class, which begins at zero [m]."""


def depth_ranks(areas: CityModel) -> DepthTable:
    """Return the classes of a hazard map as a table; below its first limit there is no water."""
    classes = classes_of(areas)
    lows = sorted({max(each.low, WET) for each in classes})
    labels = ["No water", *(next(each.label for each in classes if max(each.low, WET) == low) for low in lows)]
    return DepthTable("Depth ranks of the map", tuple(lows), tuple(labels), "")


def as_grid(areas: CityModel) -> FloodResult:
    """Return a hazard map as a grid whose depths are the lower limits of its classes; where areas overlap the deeper one counts.

    Raises
    ------
    UsageError
        If it has no classes or no surfaces.
    """
    from cimdesk.analysis.flood.footprints import block_cells

    if not is_flood_map(areas):
        raise UsageError("exposure needs a flood result or a map of flood depths.")
    low, high = areas.bounds
    if not np.isfinite(low[:2]).all():
        raise UsageError("the map of flood depths has no surfaces.")
    size = np.maximum(high[:2] - low[:2], 1.0)
    cell = float(np.clip(np.sqrt(size[0] * size[1] / MOST_CELLS), FINEST, COARSEST))
    columns, rows = (int(np.ceil(length / cell)) + 8 for length in size)
    # A rim of dry cells, so that what stands beside the water is on the grid and dry.
    grid = Terrain(np.zeros((rows, columns), dtype=np.float32), float(low[0]) - 4 * cell, float(high[1]) + 4 * cell, cell, cell)
    depth: Float32 = np.zeros(grid.shape, dtype=np.float32)
    starts = np.asarray(areas.features.columns[FROM], dtype=np.float64)
    mesh = areas.finest
    for start in np.unique(starts[np.isfinite(starts)]):
        covered = block_cells(grid, mesh.of_features(starts == start)).index >= 0
        depth[covered] = max(float(start), WET)
    dry = np.zeros(grid.shape, dtype=bool)
    nothing = np.zeros(grid.shape, dtype=np.float32)
    area = np.array([float((depth > 0).sum()) * cell * cell])
    return FloodResult(
        "", grid, dry, 0.0, np.zeros(1), depth[None], depth, nothing, nothing, np.full(grid.shape, np.nan, dtype=np.float32), (),
        np.zeros(1), area,
    )  # fmt: skip
