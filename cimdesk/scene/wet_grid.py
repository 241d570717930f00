"""The grid of quads that water is drawn on: only round the cells that are ever wet."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int, Int32
from cimdesk.model.terrain import Terrain


def wet_grid(terrain: Terrain, origin: Float, rows: Int, columns: Int, bed: AnyArray, wet: Bool) -> tuple[Float32, Int32, Float32]:
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
    (r c, 3) float32, (T, 3) int32, (r c, 2) float32
        Local points at the bed, triangles, and texture coordinates over the whole terrain.
    """
    x = terrain.column_centres()[columns] - origin[0]
    y = terrain.row_centres()[rows] - origin[1]
    points = np.empty((len(rows), len(columns), 3), dtype=np.float32)
    points[..., 0], points[..., 1], points[..., 2] = x, y[:, np.newaxis], bed
    u, v = (columns + 0.5) / terrain.shape[1], 1.0 - (rows + 0.5) / terrain.shape[0]
    coordinates = np.empty((len(rows), len(columns), 2), dtype=np.float32)
    coordinates[..., 0], coordinates[..., 1] = u, v[:, np.newaxis]
    # A quad is used where it, or one within a cell of it, has a wet corner: four nodes along each side count.
    padded = np.pad(wet, 1)
    along = padded[:-3] | padded[1:-2] | padded[2:-1] | padded[3:]
    used = along[:, :-3] | along[:, 1:-2] | along[:, 2:-1] | along[:, 3:]
    a = np.flatnonzero(np.pad(used, ((0, 1), (0, 1)))).astype(np.int32)
    across = np.int32(len(columns))
    triangles = np.empty((2, len(a), 3), dtype=np.int32)
    triangles[:, :, 0] = a
    triangles[0, :, 1], triangles[0, :, 2] = a + across, a + across + 1
    triangles[1, :, 1], triangles[1, :, 2] = a + across + 1, a + 1
    return points.reshape(-1, 3), triangles.reshape(-1, 3), coordinates.reshape(-1, 2)
