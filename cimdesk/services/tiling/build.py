"""Second pass: the tiles of one unit, from the finest up; and the blocks above the units, from those below them.

Runs in any process. What is written depends on the spill files alone, so a unit may be built twice without harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, starts_of_runs
from cimdesk.base.collector import collector_paused
from cimdesk.base.jobs import Progress
from cimdesk.formats.glb_write import TileMesh, write_glb
from cimdesk.formats.metadata_write import MetadataClass, TableSummary
from cimdesk.formats.tiles3d_grid import Extent, TileGrid
from cimdesk.formats.tiles3d_stated import StatedBodies, bodies_record
from cimdesk.formats.tiles3d_write import TilesetWriter
from cimdesk.model.features import FeatureTable
from cimdesk.services.tiling.blocks import (
    Blocks,
    Mains,
    blocks_of_items,
    by_lot,
    drawn_boxes,
    merged_blocks,
    needed,
    read_blocks,
    with_mains,
    write_blocks,
)
from cimdesk.services.tiling.shapes import Bodies, Prisms, boxes_mesh, measure, prisms_of
from cimdesk.services.tiling.spill import Town, merged_towns, read_segments
from cimdesk.services.tiling.telling import Told

LEAF_TRIANGLES = 30_000
LEAF_FEATURES = 1_000
"""What a tile of full detail may hold, unless it is as small as tiles get."""
DEEPEST = 6
"""Levels below a unit at most: 32 m."""
PRISMS = 4_000
"""Features up to which a coarse tile has a prism for each."""
CELLS = 64
"""Cells along the side of a tile of blocks."""
SUMMARY_FILE = "summary.json"
READ, MEASURED = 0.2, 0.3
"""How far a unit is when it has been read, and measured."""


@dataclass(frozen=True)
class BuildSetup:
    """What all units share; plain values.

    Attributes
    ----------
    spill, out, blocks : str
        Folders of spill files, of the tileset, and of what units leave for the levels above.
    grid : dict
        Record of the quadtree.
    level : int
        Of the units.
    """

    spill: str
    out: str
    blocks: str
    grid: dict[str, Any]
    level: int


@dataclass
class _Work:
    """One unit being built."""

    writer: TilesetWriter
    metadata: MetadataClass
    town: Town
    bodies: Bodies
    cells: Float
    told: Progress
    prisms: Prisms | None = None
    tiles: list[list[float]] = field(default_factory=list)
    errors: list[list[float]] = field(default_factory=list)
    coarse: list[int] = field(default_factory=list)
    written: int = 0


def build_unit(setup: BuildSetup, unit: tuple[int, int], places: list[tuple[str, int, int]]) -> dict[str, Any]:
    """Write the tiles of one unit; return what was written, as plain values.

    Parameters
    ----------
    setup : BuildSetup
    unit : tuple of two int
        Column and row at the units' level.
    places : list of (file, offset, size)
        Of its segments.
    """
    with collector_paused():
        grid = TileGrid.from_record(setup.grid)
        summary, metadata = _class_of((Path(setup.blocks) / SUMMARY_FILE).read_bytes())
        told = Told(setup.blocks, unit_name(unit))
        town = merged_towns(_segments(setup, places, told), summary)
        told(READ)
        bodies = measure(town)
        told(MEASURED)
        work = _Work(TilesetWriter(Path(setup.out), grid), metadata, town, bodies, town.plan, told)
        _build(work, setup.level, unit[0], unit[1], np.arange(len(town.item_feature)), 0)
        if setup.level:
            _leave(setup, unit, work)
    return {
        "unit": list(unit),
        "tiles": work.tiles,
        "errors": work.errors,
        "coarse": work.coarse,
    }


def unit_name(unit: tuple[int, ...]) -> str:
    """Return the name of a unit among the files of the pass."""
    return f"{unit[0]}_{unit[1]}"


def _segments(setup: BuildSetup, places: Sequence[tuple[str, int, int]], told: Progress) -> list[Town]:
    towns: list[Town] = []
    for place in places:
        towns += read_segments(Path(setup.spill), [place])
        told(READ * len(towns) / len(places))
    return towns


def merge_blocks(setup: BuildSetup, level: int, x: int, y: int) -> dict[str, Any]:
    """Write the tile of blocks above four others, from what they left; return what was written."""
    grid = TileGrid.from_record(setup.grid)
    _, metadata = _class_of((Path(setup.blocks) / SUMMARY_FILE).read_bytes())
    paths = [_blocks_path(setup.blocks, level + 1, 2 * x + i, 2 * y + j) for j in (0, 1) for i in (0, 1)]
    blocks, mains = read_blocks([path for path in paths if path.exists()])
    blocks, mains = needed(merged_blocks(blocks, _cell(grid, level)), mains)
    extent = _write_blocks(TilesetWriter(Path(setup.out), grid), metadata, level, x, y, blocks, mains)
    if level:
        above = merged_blocks(blocks, _cell(grid, level - 1))
        write_blocks(_blocks_path(setup.blocks, level, x, y), *needed(above, mains))
    return {"tile": [level, x, y, *extent] if extent else None, "error": _block_error(blocks, grid, level)}


def _leave(setup: BuildSetup, unit: tuple[int, int], work: _Work) -> None:
    """Keep what the level above needs of a unit: the blocks of its plots, as far as they can be merged without the neighbours'."""
    grid, town = work.writer.grid, work.town
    items = np.arange(len(town.item_feature))
    blocks = merged_blocks(blocks_of_items(work.bodies, items, town.origin), _cell(grid, setup.level))
    blocks = by_lot(blocks, town.features.ids[town.item_feature[blocks.main]].tolist())
    above = merged_blocks(blocks, _cell(grid, setup.level - 1))
    write_blocks(_blocks_path(setup.blocks, setup.level, *unit), *with_mains(above, town, work.bodies))


@lru_cache(maxsize=2)
def _class_of(data: bytes) -> tuple[TableSummary, MetadataClass]:
    summary = TableSummary.from_record(msgspec.json.decode(data))
    return summary, MetadataClass(summary)


def _build(work: _Work, level: int, x: int, y: int, items: Int, depth: int) -> None:
    """Write the tile at a place with all below it; ``items`` lie in it."""
    town = work.town
    is_mine = np.zeros(len(town.item_feature), dtype=bool)
    is_mine[items] = True
    mine = np.flatnonzero(is_mine[town.owner])
    is_leaf = (len(mine) <= LEAF_TRIANGLES and len(items) <= LEAF_FEATURES) or depth >= DEEPEST
    if is_leaf:
        table, number = _features(town, items)
        _write(work, level, x, y, town.points, town.triangles[mine], number[town.owner[mine]], table, _colors(town, mine))
        work.written += len(items)
        work.told(MEASURED + (1.0 - MEASURED) * work.written / len(town.item_feature))
        return
    cells = work.writer.grid.cells_of(work.cells[items], level + 1) - [2 * x, 2 * y]
    quarter = np.clip(cells[:, 0], 0, 1) + 2 * np.clip(cells[:, 1], 0, 1)
    for k in range(4):
        inside = items[quarter == k]
        if len(inside):
            _build(work, level + 1, 2 * x + k % 2, 2 * y + k // 2, inside, depth + 1)
    if len(items) <= PRISMS:
        _write_prisms(work, level, x, y, items, is_mine)
    else:
        blocks = merged_blocks(blocks_of_items(work.bodies, items, town.origin), _cell(work.writer.grid, level))
        extent = _write_blocks(work.writer, work.metadata, level, x, y, *with_mains(blocks, town, work.bodies))
        if extent:
            work.tiles.append([level, x, y, *extent])
        work.coarse.append(level)
        work.errors.append([level, _block_error(blocks, work.writer.grid, level)])


def _write_prisms(work: _Work, level: int, x: int, y: int, items: Int, is_mine: AnyArray) -> None:
    if work.prisms is None:
        work.prisms = prisms_of(work.town, work.bodies)
    prisms = work.prisms
    mine = np.flatnonzero(is_mine[prisms.owner])
    table, number = _features(work.town, items)
    sizes = _sizes(work.bodies, items, number[items])
    _write(work, level, x, y, prisms.points, prisms.triangles[mine], number[prisms.owner[mine]], table, None, sizes)
    work.errors.append([level, _typical(work.bodies.error[items], work.bodies.area[items])])


def _sizes(bodies: Bodies, items: Int, rows: Int) -> Float:
    """Return (F, 3) sizes of the boxes around the F features of ``items``, by their ``rows``; 0 for those without triangles."""
    order = np.argsort(rows, kind="stable")
    starts = starts_of_runs(rows[order])
    low, high = bodies.low[items[order]], bodies.high[items[order]]
    sizes: Float = np.nan_to_num(np.fmax.reduceat(high, starts, axis=0) - np.fmin.reduceat(low, starts, axis=0))
    return sizes


def _features(town: Town, items: Int) -> tuple[FeatureTable, Int]:
    """Return the table of the features of some items, and (I,) the row of each item's feature in it."""
    rows, local = np.unique(town.item_feature[items], return_inverse=True)
    number = np.zeros(len(town.item_feature), dtype=np.int64)
    number[items] = local.ravel()
    whole = len(rows) == len(town.features)
    return town.features if whole else town.features.take(rows), number


def _write(
    work: _Work,
    level: int,
    x: int,
    y: int,
    points: AnyArray,
    triangles: AnyArray,
    owner: Int,
    table: FeatureTable,
    colors: AnyArray | None,
    sizes: Float | None = None,
) -> None:
    from cimdesk.services.tiling.kernels import part

    used, triangles = part(points, triangles)
    world = used.astype(np.float64) + work.town.origin
    frame, extent = work.writer.grid.frame_around(world if len(world) else work.town.origin[None])
    mesh = TileMesh(frame.to_local(world), triangles, owner, colors)
    # Prisms are less high than what they stand for.
    extras = None if sizes is None else bodies_record(StatedBodies(sizes))
    work.writer.write_content(level, x, y, write_glb(mesh, frame.node_matrix, table, work.metadata, extras))
    work.tiles.append([level, x, y, *extent])


def _write_blocks(
    writer: TilesetWriter, metadata: MetadataClass, level: int, x: int, y: int, blocks: Blocks, mains: Mains
) -> Extent | None:
    """Write the tile of some blocks, each with the attributes of its main building; return where they are, None without any."""
    if not len(blocks):
        return None
    points, triangles, number = boxes_mesh(drawn_boxes(blocks))
    frame, extent = writer.grid.frame_around(points)
    mesh = TileMesh(frame.to_local(points), triangles, blocks.main[number])
    # A block is not where its main building stands, and not as high: whoever looks for that one is told.
    extras = bodies_record(StatedBodies(mains.sizes, frame.to_tileset(mains.tops)))
    writer.write_content(level, x, y, write_glb(mesh, frame.node_matrix, mains.table, metadata, extras))
    return extent


def _block_error(blocks: Blocks, grid: TileGrid, level: int) -> float:
    """Return how far blocks lie from what they stand for: half a cell, or the spread of heights in them."""
    return max(_cell(grid, level) / 2.0, _typical(blocks.boxes[:, 7], blocks.boxes[:, 6]) if len(blocks) else 0.0)


def _typical(errors: Float, weights: Float) -> float:
    """Return the root of the mean square, by area [m]."""
    total = float(weights.sum())
    return float(np.sqrt((errors**2 * weights).sum() / total)) if total > 0.0 else 0.0


def _cell(grid: TileGrid, level: int) -> float:
    return grid.size(level) / CELLS


def _blocks_path(folder: str, level: int, x: int, y: int) -> Path:
    return Path(folder) / f"{level}_{x}_{y}.blocks"


def _colors(town: Town, mine: Int) -> AnyArray | None:
    return None if town.colors is None else town.colors[mine]
