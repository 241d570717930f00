"""Written tilesets for tests: a town of boxes as contents of a quadtree."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.formats.glb_write import TileMesh, write_glb
from cimdesk.formats.metadata_write import MetadataClass, TableSummary
from cimdesk.formats.tiles3d_grid import TileFrame, TileGrid
from cimdesk.formats.tiles3d_write import TilesetWriter
from cimdesk.model.features import FeatureTable, as_strings

UNIT = np.array([[i, j, k] for k in (0, 1) for j in (0, 1) for i in (0, 1)], dtype=float)
_SIDES = np.array([[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6]])
TRIANGLES = np.concatenate([_SIDES[:, [0, 1, 2]], _SIDES[:, [0, 2, 3]]])


def town(count: int, seed: int = 1, at: tuple[float, float] = (431_205.0, 2_558_410.0)) -> tuple[np.ndarray, FeatureTable]:
    """Return (N, 8, 3) world corners of boxes and a table with every kind of column."""
    rng = np.random.default_rng(seed)
    low = np.column_stack([rng.random((count, 2)) * 3000.0 + at, np.full(count, 5.0)])
    corners = low[:, None] + UNIT[None] * rng.uniform(5.0, 40.0, (count, 1, 3))
    rows = np.arange(count)
    table = FeatureTable(
        as_strings(f"b{k}" for k in rows),
        {
            "type": as_strings(["Building"] * count),
            "高度": rng.random(count),
            "storeys": rng.integers(-3, 90, count),
            "far": rng.integers(0, 2**40, count),
            "note": _objects([None if k % 3 else f"说明 {k}" for k in rows]),
            "word": _objects(["" if k % 4 else f"word {k}" for k in rows]),
            "sparse": np.where(rng.random(count) < 0.5, np.nan, 1.5),
            "heated": rng.random(count) < 0.5,
            "use": _objects([None if k % 5 == 0 else ("home", "office", "")[k % 3] for k in rows]),
        },
    )
    return corners, table


def _objects(values: list) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def write_town(folder: Path, corners: np.ndarray, table: FeatureTable, crs: Crs | None, level: int = 4) -> TileGrid:
    """Write a tileset with all boxes at one level."""
    summary = TableSummary()
    summary.add(len(table), table.columns)
    metadata = MetadataClass(summary)
    flat = corners.reshape(-1, 3)
    grid = TileGrid.over(crs, np.array([flat.min(axis=0), flat.max(axis=0)]))
    writer = TilesetWriter(folder, grid)
    cells = grid.tiles_of(corners.mean(axis=1), level)
    tiles = {}
    for x, y in np.unique(cells, axis=0).tolist():
        rows = np.flatnonzero((cells == [x, y]).all(axis=1))
        points = corners[rows].reshape(-1, 3)
        frame = TileFrame.at(crs, points.mean(axis=0))
        triangles = (TRIANGLES[None] + 8 * np.arange(len(rows))[:, None, None]).reshape(-1, 3)
        mesh = TileMesh(frame.to_local(points), triangles, np.repeat(np.arange(len(rows)), len(TRIANGLES)))
        writer.write_content(level, x, y, write_glb(mesh, frame.node_matrix, table.take(rows), metadata))
        tiles[level, x, y] = grid.extent(np.array([points.min(axis=0), points.max(axis=0)]))
    heights = (float(flat[:, 2].min()), float(flat[:, 2].max()))
    writer.finish(tiles, 100.0, heights, {"features": len(table)})
    return grid
