"""Terrain and outlines onto the computational grid: resampling that keeps volumes, and buildings as closed cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int, Int32
from cimdesk.base.compiled import njit
from cimdesk.model.features import Shapes
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.terrain import Terrain

SQUARE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class BlockedCells:
    """Cells inside buildings.

    Attributes
    ----------
    index : (R, C) int32
        Row of the building that covers a cell's centre, -1 where there is none.
    """

    index: Int32

    @property
    def is_blocked(self) -> Bool:
        """(R, C) bool: whether a building covers the cell."""
        return self.index >= 0


def block_cells(terrain: Terrain, mesh: TriangleMesh) -> BlockedCells:
    """Return which cells of ``terrain`` the buildings of a mesh cover, by their ground faces, else by all faces seen from above."""
    triangles = mesh.triangles
    owners = mesh.feature_index
    ground = mesh.surface == Surface.GROUND
    if ground.any():
        has_ground = np.zeros(int(owners.max()) + 1, dtype=bool)
        has_ground[owners[ground]] = True
        keep = ground | ~has_ground[owners]
        triangles, owners = triangles[keep], owners[keep]
    index = np.full(terrain.shape, -1, dtype=np.int32)
    grid = _to_grid(terrain, mesh.world_vertices()[:, :2])
    _fill_triangles(index, grid, np.ascontiguousarray(triangles, dtype=np.int32), np.ascontiguousarray(owners, dtype=np.int32))
    return BlockedCells(index)


def cover_cells(terrain: Terrain, shapes: Shapes) -> BlockedCells:
    """Return which cells of ``terrain`` polygons cover; holes are left out."""
    index = np.full(terrain.shape, -1, dtype=np.int32)
    grid = _to_grid(terrain, shapes.coordinates[:, :2])
    order = np.argsort(shapes.feature_of_ring, kind="stable").astype(np.int64)
    _fill_polygons(index, grid, shapes.ring_offsets.astype(np.int64), shapes.feature_of_ring.astype(np.int64), order)
    return BlockedCells(index)


def _to_grid(terrain: Terrain, xy: Float) -> Float:
    """Return (N, 2) column and row numbers of world points; whole numbers are cell centres."""
    return np.column_stack([(xy[:, 0] - terrain.west) / terrain.cell_x - 0.5, (terrain.north - xy[:, 1]) / terrain.cell_y - 0.5])


@njit(nogil=True, cache=True)
def _fill_triangles(index, grid, triangles, owners):  # type: ignore[no-untyped-def]
    """Mark the cells whose centre lies in a triangle; one on an edge belongs to it."""
    rows, columns = index.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = grid[a, 0], grid[a, 1], grid[b, 0], grid[b, 1], grid[c, 0], grid[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not abs(area) > 1e-12:
            continue
        first_row, last_row = max(int(np.ceil(min(ay, by, cy))), 0), min(int(np.floor(max(ay, by, cy))), rows - 1)
        first_column, last_column = max(int(np.ceil(min(ax, bx, cx))), 0), min(int(np.floor(max(ax, bx, cx))), columns - 1)
        for i in range(first_row, last_row + 1):
            for j in range(first_column, last_column + 1):
                u = ((bx - ax) * (i - ay) - (by - ay) * (j - ax)) / area
                v = ((j - ax) * (cy - ay) - (i - ay) * (cx - ax)) / area
                if u >= 0.0 and v >= 0.0 and u + v <= 1.0:
                    index[i, j] = owners[t]


@njit(nogil=True, cache=True)
def _fill_polygons(index, grid, offsets, owners, order):  # type: ignore[no-untyped-def]
    """Mark the cells whose centre lies in a polygon, row by row between crossings (even-odd over all rings of a feature)."""
    rows, columns = index.shape
    crossings = np.empty(grid.shape[0] + 1)
    first = 0
    while first < order.shape[0]:
        owner = owners[order[first]]
        last = first
        low, high = np.inf, -np.inf
        while last < order.shape[0] and owners[order[last]] == owner:
            for p in range(offsets[order[last]], offsets[order[last] + 1]):
                low, high = min(low, grid[p, 1]), max(high, grid[p, 1])
            last += 1
        for i in range(max(int(np.ceil(max(low, 0.0))), 0), min(int(np.floor(min(high, rows - 1.0))), rows - 1) + 1):
            count = 0
            for r in range(first, last):
                start, end = offsets[order[r]], offsets[order[r] + 1]
                for p in range(start, end):
                    q = p + 1 if p + 1 < end else start
                    y0, y1 = grid[p, 1], grid[q, 1]
                    if (y0 <= i) != (y1 <= i):
                        crossings[count] = grid[p, 0] + (i - y0) * (grid[q, 0] - grid[p, 0]) / (y1 - y0)
                        count += 1
            found = np.sort(crossings[:count])
            for k in range(0, count - 1, 2):
                for j in range(
                    max(int(np.ceil(max(found[k], 0.0))), 0), min(int(np.floor(min(found[k + 1], columns - 1.0))), columns - 1) + 1
                ):
                    index[i, j] = owner
        first = last


def resample(terrain: Terrain, cell: float) -> Terrain:
    """Return the terrain with square cells of another size.

    Larger cells take the area-weighted mean of what they cover, so the volume under the ground is kept; a cell that has data
    on less than half its area has none. Smaller cells are interpolated.
    """
    is_square = abs(terrain.cell_x - terrain.cell_y) <= SQUARE_TOLERANCE * terrain.cell_x
    if is_square and abs(cell - terrain.cell_x) <= SQUARE_TOLERANCE * cell:
        return terrain
    rows = max(1, int((terrain.shape[0] * terrain.cell_y) / cell + SQUARE_TOLERANCE))
    columns = max(1, int((terrain.shape[1] * terrain.cell_x) / cell + SQUARE_TOLERANCE))
    if cell < min(terrain.cell_x, terrain.cell_y):
        return _interpolated(terrain, cell, rows, columns)
    down = _overlaps(terrain.shape[0], terrain.cell_y, rows, cell)
    across = _overlaps(terrain.shape[1], terrain.cell_x, columns, cell)
    valid = np.isfinite(terrain.elevations)
    area = down @ valid.astype(np.float64) @ across.T
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (down @ np.where(valid, terrain.elevations, 0.0).astype(np.float64) @ across.T) / area
    values: Float32 = np.where(area >= 0.5 * cell * cell, mean, np.nan).astype(np.float32)
    return Terrain(values, terrain.west, terrain.north, cell, cell)


def _interpolated(terrain: Terrain, cell: float, rows: int, columns: int) -> Terrain:
    empty = Terrain(np.zeros((rows, columns), dtype=np.float32), terrain.west, terrain.north, cell, cell)
    x, y = np.meshgrid(empty.column_centres(), empty.row_centres())
    heights = terrain.sample(np.column_stack([x.ravel(), y.ravel()]))
    return replace(empty, elevations=heights.reshape(rows, columns).astype(np.float32))


def _overlaps(old_count: int, old_cell: float, new_count: int, new_cell: float) -> Any:
    """Return the sparse (new, old) lengths [m] by which new cells of one axis cover old ones."""
    from scipy.sparse import csr_array

    edges = np.unique(np.concatenate([np.arange(old_count + 1) * old_cell, np.arange(new_count + 1) * new_cell]))
    middles = 0.5 * (edges[1:] + edges[:-1])
    new: Int = np.floor(middles / new_cell).astype(np.int64)
    old: Int = np.floor(middles / old_cell).astype(np.int64)
    inside = (new < new_count) & (old < old_count)
    return csr_array((np.diff(edges)[inside], (new[inside], old[inside])), shape=(new_count, old_count))
