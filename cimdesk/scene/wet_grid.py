"""The grid of quads that water is drawn on: only round the cells that are ever wet."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int
from cimdesk.model.terrain import Terrain


def wet_grid(terrain: Terrain, origin: Float, rows: Int, columns: Int, bed: AnyArray, wet: Bool) -> tuple[Float32, Int, Float32]:
    """Return the grid over every sampled cell that is wet or beside a wet one.

    Parameters
    ----------
    terrain : Terrain
    origin : (3,) float64
        World place of the local origin.
    rows : (r,) int, columns : (c,) int
        Cells of the terrain that are corners of the grid.
    bed : (r, c) float
        Their local heights [m].
    wet : (r, c) bool

    Returns
    -------
    (r c, 3) float32, (T, 3) int, (r c, 2) float32
        Local points at the bed, triangles, and texture coordinates over the whole terrain.
    """
    x = terrain.column_centres()[columns] - origin[0]
    y = terrain.row_centres()[rows] - origin[1]
    points = np.stack([*np.meshgrid(x, y), bed], axis=-1).reshape(-1, 3).astype(np.float32)
    u, v = (columns + 0.5) / terrain.shape[1], 1.0 - (rows + 0.5) / terrain.shape[0]
    coordinates = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2).astype(np.float32)
    near = np.pad(wet, 1)
    near = np.max([near[r : r + wet.shape[0], c : c + wet.shape[1]] for r in range(3) for c in range(3)], axis=0).astype(bool)
    used = near[:-1, :-1] | near[:-1, 1:] | near[1:, :-1] | near[1:, 1:]
    number = np.arange(points.shape[0]).reshape(len(rows), len(columns))
    a, b, c, d = number[:-1, :-1][used], number[:-1, 1:][used], number[1:, 1:][used], number[1:, :-1][used]
    return points, np.concatenate([np.column_stack([a, d, c]), np.column_stack([a, c, b])]), coordinates
