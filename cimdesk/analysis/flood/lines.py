"""Lines on the grid: the cells they pass through, and the faces they follow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.model.terrain import Terrain

_SAMPLES = 8
"""Points along a line in each cell's width."""


def cells_along(grid: Terrain, line: Float) -> tuple[AnyArray, Float]:
    """Return the cells a line passes through, in order, and how far along it each is met.

    Parameters
    ----------
    grid : Terrain
        Square cells.
    line : (P, 2) float64

    Returns
    -------
    (N, 2) int
        Rows and columns, without those beyond the grid; each once. No water passes between two of them that follow each other.
    (N,) float64
        [m]
    """
    xy, along = _sampled(line, grid.cell_x / _SAMPLES)
    columns = np.floor((xy[:, 0] - grid.west) / grid.cell_x).astype(int)
    rows = np.floor((grid.north - xy[:, 1]) / grid.cell_y).astype(int)
    inside = (rows >= 0) & (rows < grid.shape[0]) & (columns >= 0) & (columns < grid.shape[1])
    keys = (rows * grid.shape[1] + columns)[inside]
    _, first = np.unique(keys, return_index=True)
    first.sort()
    cells = np.column_stack([rows[inside][first], columns[inside][first]])
    return cells, along[inside][first]


def faces_along(grid: Terrain, line: Float) -> tuple[AnyArray, AnyArray]:
    """Return the faces nearest to a line, as a path of cell edges, signed so that flow to the right of its direction is positive.

    Returns
    -------
    (N, 3) int, (M, 3) int
        Row, column and sign of western and of northern faces; only those between two cells of the grid.
    """
    xy, _ = _sampled(line, grid.cell_x / _SAMPLES)
    corners = np.column_stack([
        np.rint((grid.north - xy[:, 1]) / grid.cell_y), np.rint((xy[:, 0] - grid.west) / grid.cell_x),
    ]).astype(int)  # fmt: skip
    west: list[tuple[int, int, int]] = []
    north: list[tuple[int, int, int]] = []
    rows, columns = grid.shape
    for (r0, c0), (r1, c1) in pairwise(corners.tolist()):
        # First along the row of corners, then up or down: a step of both is two edges.
        while c0 != c1:
            step = 1 if c1 > c0 else -1
            at = min(c0, c0 + step)
            if 0 < r0 < rows and 0 <= at < columns:
                north.append((r0, at, step))
            c0 += step
        while r0 != r1:
            step = 1 if r1 > r0 else -1
            at = min(r0, r0 + step)
            if 0 <= at < rows and 0 < c0 < columns:
                west.append((at, c0, -step))
            r0 += step
    return _net(west), _net(north)


def _net(faces: list[tuple[int, int, int]]) -> AnyArray:
    """Return each face once; one that the path goes forth and back along is none."""
    signs: dict[tuple[int, int], int] = {}
    for row, column, sign in faces:
        signs[row, column] = signs.get((row, column), 0) + sign
    kept = [(row, column, sign) for (row, column), sign in signs.items() if sign]
    return np.array(kept, dtype=np.int64).reshape(-1, 3)


def _sampled(line: Float, spacing: float) -> tuple[Float, Float]:
    """Return points along a line no further apart than ``spacing``, and their distances from its start."""
    parts, distances, gone = [], [], 0.0
    for a, b in pairwise(np.asarray(line, dtype=np.float64)):
        length = float(np.hypot(*(b - a)))
        share = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / spacing)) + 1))
        parts.append(a + (b - a) * share[:, np.newaxis])
        distances.append(gone + share * length)
        gone += length
    return np.concatenate(parts), np.concatenate(distances)
