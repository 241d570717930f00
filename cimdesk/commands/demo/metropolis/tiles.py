"""The tileset of the metropolis: units of the quadtree built in processes of their own, and the blocks above them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int, starts_of_runs
from cimdesk.base.crs import Crs
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.commands.demo.metropolis.buildings import STOREY, USES, Buildings, boxes, make_buildings, prisms, shapes
from cimdesk.commands.demo.metropolis.region import CELL, CELLS, CORNER, CRS, DISTRICT_NAMES, SIDE, make_region
from cimdesk.formats.glb_write import TileMesh, write_glb
from cimdesk.formats.metadata_write import MetadataClass, TableSummary
from cimdesk.formats.tiles3d_grid import Extent, TileFrame, TileGrid, flat_places
from cimdesk.formats.tiles3d_stated import StatedBodies, bodies_record
from cimdesk.formats.tiles3d_write import Place, TilesetWriter
from cimdesk.services.tiling.executors import Hired

UNIT_LEVEL = 3
"""Quadtree level of what one process builds at a time: squares of 11 km."""
LEAF = 400
"""Buildings up to which a tile shows all of them with their roofs."""
PRISMS = 1_800
"""Buildings up to which a coarser tile has a box for each."""
BLOCKS, TALLEST = 24, 60
"""Above them, cells along the side of a tile with one building each for all in it, and how many stand besides."""
ERROR_SHARE = 94.0
"""Side of a tile over its geometric error: blocks lie within a quarter of their cell of what they stand for."""
DEEPEST = 10
HIGHEST = 1_300.0


def write_tiles(folder: Path, seed: int, buildings: int, progress: Progress, cancel: CancelToken, workers: int = 0) -> int:
    """Write the tileset into a folder; return the number of tiles.

    Raises
    ------
    Cancelled
    """
    grid = metropolis_grid()
    units = [(x, y) for y in range(2**UNIT_LEVEL) for x in range(2**UNIT_LEVEL)]
    tiles: dict[Place, Extent] = {}
    below: dict[tuple[int, int], Blocks] = {}
    for done, (unit, written, blocks) in enumerate(_built(folder, seed, buildings, units, cancel, workers)):
        tiles |= written
        below[unit] = blocks
        progress((done + 1) / len(units), tr("Buildings"))
    writer, metadata = TilesetWriter(folder, grid), metropolis_class(seed, buildings)
    for level in range(UNIT_LEVEL - 1, -1, -1):
        above: dict[tuple[int, int], list[Blocks]] = {}
        for (x, y), blocks in sorted(below.items()):
            above.setdefault((x // 2, y // 2), []).append(blocks)
        below = {}
        for (x, y), parts in above.items():
            below[x, y] = merged(joined(parts), grid.size(level) / BLOCKS)
            extent = _write_blocks(writer, metadata, level, x, y, below[x, y])
            if extent:
                tiles[level, x, y] = extent
    feature_error = grid.size(0) / ERROR_SHARE / 2**UNIT_LEVEL
    writer.finish(tiles, grid.size(0) / ERROR_SHARE, (-10.0, HIGHEST), {"featureError": feature_error / 8.0})
    return len(tiles)


def metropolis_grid() -> TileGrid:
    """Return the quadtree over the region."""
    corner = np.array(CORNER)
    low, high = np.append(corner, 0.0), np.append(corner + SIDE, 0.0)
    return TileGrid.over(Crs(CRS), np.array([low, high]))


def _built(
    folder: Path, seed: int, buildings: int, units: list[tuple[int, int]], cancel: CancelToken, workers: int
) -> Iterator[tuple[tuple[int, int], dict[Place, Extent], Blocks]]:
    """Give each unit as it is built."""
    with Hired(workers or max(os.cpu_count() or 1, 1)) as executor:
        yield from executor.run(build_unit, ((str(folder), seed, buildings, unit) for unit in units), cancel)


def build_unit(
    folder: str, seed: int, buildings: int, unit: tuple[int, int]
) -> tuple[tuple[int, int], dict[Place, Extent], Blocks]:
    """Write the tiles of one unit; return the unit, its tiles, and its buildings as blocks for the tiles above."""
    grid = metropolis_grid()
    made = _buildings_in(grid, seed, buildings, unit)
    work = _Unit(TilesetWriter(Path(folder), grid), made, metropolis_class(seed, buildings))
    if len(made):
        work.build(UNIT_LEVEL, *unit, np.arange(len(made)))
    return unit, work.tiles, merged(work.blocks, grid.size(UNIT_LEVEL) / BLOCKS)


@lru_cache(maxsize=1)
def metropolis_class(seed: int, buildings: int) -> MetadataClass:
    """Return the class of all buildings: the same in every tile, whatever happens to stand there."""
    region = make_region(seed, buildings)
    some = make_buildings(region, (CELLS // 2, CELLS // 2 + 4), (CELLS // 2, CELLS // 2 + 4)).table()
    summary = TableSummary()
    summary.add(len(some), some.columns)
    names = {"use": USES, "district": DISTRICT_NAMES}
    for column, values in names.items():
        summary.columns[column].names = dict.fromkeys(values)
    return MetadataClass(summary, "building")


def _buildings_in(grid: TileGrid, seed: int, buildings: int, unit: tuple[int, int]) -> Buildings:
    region = make_region(seed, buildings)
    west, south, east, north = grid.tile_box(UNIT_LEVEL, *unit)
    corners = np.array([[lon, lat, 0.0] for lon in (west, (west + east) / 2, east) for lat in (south, (south + north) / 2, north)])
    corners[:, :2] = np.degrees(corners[:, :2])
    world = Crs.epsg(4979).transform(Crs(CRS), corners)[:, :2] - np.array(CORNER)
    low = np.clip(np.floor(world.min(axis=0) / CELL).astype(int) - 1, 0, CELLS)
    high = np.clip(np.ceil(world.max(axis=0) / CELL).astype(int) + 1, 0, CELLS)
    found = make_buildings(region, (int(low[0]), int(high[0])), (int(low[1]), int(high[1])))
    mine = (grid.cells_of(_plan(found), UNIT_LEVEL) == unit).all(axis=1)
    return found.take(mine)


def _plan(found: Buildings) -> Float:
    return flat_places(Crs(CRS), np.column_stack([found.middle, np.zeros(len(found))]))


class _Unit:
    """The tiles of one unit."""

    def __init__(self, writer: TilesetWriter, made: Buildings, metadata: MetadataClass) -> None:
        self.writer = writer
        self.made = made
        self.metadata = metadata
        self.plan = _plan(made)
        self.blocks = blocks_of(made)
        self.tiles: dict[Place, Extent] = {}

    def build(self, level: int, x: int, y: int, rows: Int) -> None:
        """Write the tile at a place with all below it; the buildings ``rows`` stand in it."""
        if len(rows) <= LEAF or level >= DEEPEST:
            mine = self.made.take(rows)
            self._write(level, x, y, mine, shapes(mine))
            return
        cells = self.writer.grid.cells_of(self.plan[rows], level + 1) - [2 * x, 2 * y]
        quarter = np.clip(cells[:, 0], 0, 1) + 2 * np.clip(cells[:, 1], 0, 1)
        for k in range(4):
            inside = rows[quarter == k]
            if len(inside):
                self.build(level + 1, 2 * x + k % 2, 2 * y + k // 2, inside)
        some, shown = self.made.take(rows), None
        if len(rows) > PRISMS:
            some, shown = chosen(some, self.writer.grid.size(level) / BLOCKS)
        self._write(level, x, y, some, prisms(some if shown is None else shown), boxes(some), shown is not None)

    def _write(
        self,
        level: int,
        x: int,
        y: int,
        some: Buildings,
        shape: tuple[Float, Int, Int],
        around: tuple[Float, Float] | None = None,
        has_others: bool = False,
    ) -> None:
        """Write a tile that shows some buildings in a ``shape``: what it tells of them says so, and whether others are in it."""
        points, triangles, owner = shape
        frame, extent = self.writer.grid.frame_around(points)
        mesh = TileMesh(frame.to_local(points), triangles, owner)
        extras = None if around is None else _said(around, frame if has_others else None)
        self.writer.write_content(level, x, y, write_glb(mesh, frame.node_matrix, some.table(), self.metadata, extras))
        self.tiles[level, x, y] = extent


# --- fewer buildings, and blocks -----------------------------------------------------------------------------------------


def chosen(some: Buildings, cell: float) -> tuple[Buildings, Buildings]:
    """Return the tallest buildings and one of the others for each cell [m]; and these as wide as all those they stand for."""
    is_tall = np.zeros(len(some), dtype=bool)
    is_tall[np.argsort(-some.height, kind="stable")[:TALLEST]] = True
    rows = np.flatnonzero(~is_tall)
    square = np.floor(some.middle[rows] / cell).astype(np.int64)
    square -= square.min(axis=0)
    _, number = np.unique(square[:, 0] * (int(square[:, 1].max()) + 1) + square[:, 1], return_inverse=True)
    area = some.size[rows, 0] * some.size[rows, 1]
    # Any of them, but always the same one.
    order = np.lexsort((lots(some)[rows], number))
    first = starts_of_runs(number[order])
    kept = order[first]
    wider = np.sqrt(1.15 * np.bincount(number, area) / area[kept])
    some_of = some.take(np.concatenate([np.flatnonzero(is_tall), rows[kept]]))
    size = some_of.size.copy()
    size[TALLEST:] = np.minimum(size[TALLEST:] * wider[:, None], 0.86 * cell)
    return some_of, replace(some_of, size=size)


def lots(some: Buildings) -> Int:
    """Return a number for each building, below 65537, that has nothing to do with what it is."""
    return np.asarray((some.cell * 7919 + some.number * 104729) % 65537)


@dataclass(frozen=True)
class Blocks:
    """What stands for many buildings.

    Attributes
    ----------
    rows : (N, 5) float64
        Middle, lowest ground, top, and area on the ground.
    mains : Buildings
        One of those that each stands for: its attributes are the block's.
    score : (N,) float64
        Of that one; the highest stays when blocks are merged.
    """

    rows: Float
    mains: Buildings
    score: Float

    def __len__(self) -> int:
        return len(self.rows)


def blocks_of(made: Buildings) -> Blocks:
    """Return each building as a block."""
    area = made.size[:, 0] * made.size[:, 1]
    rows = np.column_stack([made.middle, made.foot, made.foot + made.height + STOREY / 4.0, area])
    # A lot in proportion to the volume, so that a map by an attribute has about the same colours from afar; the largest
    # building of a square kilometre is a tower nearly everywhere.
    return Blocks(rows, made, np.log((lots(made) + 0.5) / 65537.0) / (area * made.height))


def joined(parts: list[Blocks]) -> Blocks:
    """Return the blocks of several parts."""
    columns = {name: np.concatenate([getattr(part.mains, name) for part in parts]) for name in parts[0].mains.__dict__}
    return Blocks(np.concatenate([part.rows for part in parts]), Buildings(**columns), np.concatenate([p.score for p in parts]))


def merged(blocks: Blocks, cell: float) -> Blocks:
    """Return one block for each cell [m] that has any: as much area, in their middle, as high as they are on average by area."""
    if not len(blocks):
        return blocks
    rows = blocks.rows
    square = np.floor(rows[:, :2] / cell).astype(np.int64)
    square -= square.min(axis=0)
    _, number = np.unique(square[:, 0] * (int(square[:, 1].max()) + 1) + square[:, 1], return_inverse=True)
    area = np.bincount(number, rows[:, 4])
    mean = [np.bincount(number, rows[:, k] * rows[:, 4]) / area for k in (0, 1, 3)]
    low = np.full(len(area), np.inf)
    np.minimum.at(low, number, rows[:, 2])
    order = np.lexsort((-blocks.score, number))
    best = order[starts_of_runs(number[order])]
    return Blocks(np.column_stack([mean[0], mean[1], low, mean[2], area]), blocks.mains.take(best), blocks.score[best])


def _write_blocks(writer: TilesetWriter, metadata: MetadataClass, level: int, x: int, y: int, blocks: Blocks) -> Extent | None:
    if not len(blocks):
        return None
    cell = writer.grid.size(level) / BLOCKS
    # Buildings have yards: what stands for many is wider than their ground plans together.
    side = np.minimum(np.sqrt(blocks.rows[:, 4] * 1.8), 0.94 * cell)
    points, triangles, owner = prisms(_as_buildings(blocks.rows, side))
    frame, extent = writer.grid.frame_around(points)
    mesh = TileMesh(frame.to_local(points), triangles, owner)
    extras = _said(boxes(blocks.mains), frame)
    writer.write_content(level, x, y, write_glb(mesh, frame.node_matrix, blocks.mains.table(), metadata, extras))
    return extent


def _said(around: tuple[Float, Float], frame: TileFrame | None) -> dict[str, Any]:
    """Return what a content says of the boxes around its buildings; with a frame, where they stand as well."""
    low, high = around
    tops = np.column_stack([(low[:, :2] + high[:, :2]) / 2.0, high[:, 2]])
    return bodies_record(StatedBodies(high - low, None if frame is None else frame.to_tileset(tops)))


def _as_buildings(blocks: Float, side: Float) -> Buildings:
    none = np.zeros(len(blocks), dtype=np.int64)
    size = np.column_stack([side, side])
    height = np.maximum(blocks[:, 3] - blocks[:, 2], 1.0)
    return Buildings(
        none, none, blocks[:, :2], size, np.zeros(len(blocks)), blocks[:, 2], height, none, none, none, none, none, none
    )
