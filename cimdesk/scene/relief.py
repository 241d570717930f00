"""An elevation grid as few triangles: square chunks, each as coarse as its ground allows, with skirts that close the seams."""

from __future__ import annotations

from functools import cache

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int
from cimdesk.model.terrain import Terrain

MAX_SIDE = 1025
"""Grid lines looked at along the longer side; finer grids are thinned first."""
CHUNK = 32
STRIDES = (32, 16, 8, 4, 2, 1)
MAX_TRIANGLES = 160_000


def relief(terrain: Terrain, origin: Float) -> tuple[Float32, Int, Float32]:
    """Return the surface as local points (P, 3) float32, triangles (T, 3) and texture coordinates (P, 2) float32.

    Cells without data are holes; along the outer edge a skirt goes down to the plane that the terrain stands on.
    """
    rows, columns = _lines(terrain.shape[0]), _lines(terrain.shape[1])
    z = terrain.elevations[np.ix_(rows, columns)].astype(np.float64) - origin[2]
    x, y = _spread(terrain.column_centres()[columns], terrain.cell_x), _spread(terrain.row_centres()[rows], -terrain.cell_y)
    u, v = (columns + 0.5) / terrain.shape[1], 1.0 - (rows + 0.5) / terrain.shape[0]
    base = base_height(z[np.isfinite(z)]) if np.isfinite(z).any() else 0.0
    tolerance = 0.06 + float(max(np.ptp(x), np.ptp(y))) / 30_000.0
    chunks = _chunks(len(rows), len(columns))
    strides = _strides(z, chunks, tolerance)
    points, triangles, coordinates = [], [], []
    start = 0
    for (r0, r1, c0, c1), stride in zip(chunks, strides, strict=True):
        r, c = _every(r0, r1, stride), _every(c0, c1, stride)
        rim = (r0 == 0, r1 == len(rows) - 1, c0 == 0, c1 == len(columns) - 1)
        block = np.stack([*np.meshgrid(x[c] - origin[0], y[r] - origin[1]), z[np.ix_(r, c)]], axis=-1)
        texture = np.stack(np.meshgrid(u[c], v[r]), axis=-1)
        p, t, q = _with_skirt(block, texture, rim, base, 6.0 * tolerance)
        points.append(p)
        triangles.append(t + start)
        coordinates.append(q)
        start += len(p)
    return np.concatenate(points), np.concatenate(triangles), np.concatenate(coordinates)


def base_height(heights: Float32 | Float) -> float:
    """Return the height of the plane that a terrain with these heights stands on."""
    low, high = float(np.min(heights)), float(np.max(heights))
    return low - 0.02 * (high - low) - 0.5


def _lines(count: int) -> Int:
    return np.unique(np.linspace(0, count - 1, min(count, MAX_SIDE)).round().astype(np.int64))


def _spread(centres: Float, cell: float) -> Float:
    """Return the centres with the outer ones moved to the edge of their cells, which belong to the terrain too."""
    out = centres.copy()
    out[0] -= cell / 2.0
    out[-1] += cell / 2.0
    return out


def _chunks(rows: int, columns: int) -> list[tuple[int, int, int, int]]:
    def spans(count: int) -> list[tuple[int, int]]:
        return [(a, min(a + CHUNK, count - 1)) for a in range(0, max(count - 1, 1), CHUNK)]

    return [(r0, r1, c0, c1) for r0, r1 in spans(rows) for c0, c1 in spans(columns)]


def _strides(z: Float, chunks: list[tuple[int, int, int, int]], tolerance: float) -> list[int]:
    """Return the coarsest stride of each chunk whose error stays within the tolerance, or one that keeps the total affordable."""
    errors = np.array([[_error(z[r0 : r1 + 1, c0 : c1 + 1], stride) for stride in STRIDES] for r0, r1, c0, c1 in chunks])
    cost = np.array([2.0 * (CHUNK / stride + 2) ** 2 for stride in STRIDES])
    while True:
        choice = np.argmax(errors <= tolerance, axis=1)
        if cost[choice].sum() <= MAX_TRIANGLES or tolerance > 1e4:
            return [STRIDES[k] for k in choice]
        tolerance *= 1.5


def _error(z: Float, stride: int) -> float:
    """Return the greatest height error of keeping every ``stride``-th line of a chunk; next to holes only all lines will do."""
    if stride == 1:
        return 0.0
    if not np.isfinite(z).all():
        return np.inf
    r, c = _every(0, z.shape[0] - 1, stride), _every(0, z.shape[1] - 1, stride)
    back = _weights(z.shape[0], stride) @ z[np.ix_(r, c)] @ _weights(z.shape[1], stride).T
    return float(np.abs(back - z).max())


@cache
def _weights(count: int, stride: int) -> Float:
    """Return (count, kept) weights that interpolate all lines from the kept ones."""
    kept = _every(0, count - 1, stride)
    return np.column_stack([np.interp(np.arange(count), kept, unit) for unit in np.eye(len(kept))])


def _every(first: int, last: int, stride: int) -> Int:
    return np.unique(np.append(np.arange(first, last + 1, stride), last))


def _with_skirt(
    block: Float, texture: Float, rim: tuple[bool, bool, bool, bool], base: float, drop: float
) -> tuple[Float32, Int, Float32]:
    """Return points, triangles and texture coordinates of a chunk; its four sides hang down, to the base at the terrain's rim."""
    rows, columns = block.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    valid = np.isfinite(block[..., 2]).ravel()
    points, coordinates = block.reshape(-1, 3), texture.reshape(-1, 2)
    points[~valid, 2] = base
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    parts = [np.stack([a, d, c], axis=-1).reshape(-1, 3), np.stack([a, c, b], axis=-1).reshape(-1, 3)]
    feet, foot_coordinates, start = [], [], len(points)
    for side, is_rim in zip((number[0, ::-1], number[-1], number[:, 0], number[::-1, -1]), rim, strict=True):
        foot = points[side].copy()
        foot[:, 2] = base if is_rim else foot[:, 2] - drop
        low = start + np.arange(len(side))
        parts.append(np.column_stack([side[:-1], low[:-1], low[1:]]))
        parts.append(np.column_stack([side[:-1], low[1:], side[1:]]))
        feet.append(foot)
        foot_coordinates.append(coordinates[side])
        valid = np.concatenate([valid, valid[side]])
        start += len(side)
    triangles = np.concatenate(parts)
    triangles = triangles[valid[triangles].all(axis=1)]
    return (
        np.concatenate([points, *feet]).astype(np.float32),
        triangles,
        np.concatenate([coordinates, *foot_coordinates]).astype(np.float32),
    )
