"""Blocks: what stands for buildings from afar. A block is the box around what lies in one cell of a grid, with the attributes of
its main building.

Which building that is, a score decides, and the highest of those that are merged wins. In the cells of the units, as large as a
plot, the score is the volume: the main building is the largest. If that went on, a block of a square kilometre would always have
the attributes of its tallest tower, and a map by height would be of one colour. So above the units a lot decides, in which the
buildings of plots take part in proportion to the volume there (Efraimidis and Spirakis 2006, Inf. Process. Lett. 97, 181-185).
The colours of the blocks then have about the shares of what they stand for. The lot of a building follows from its identifier:
whoever merges, in whatever order, finds the same one.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, starts_of_runs
from cimdesk.model.features import FeatureTable
from cimdesk.services.tiling.shapes import FLAT, Bodies
from cimdesk.services.tiling.spill import Town, joined_tables, packed_table, unpacked_table

SPARSE = 0.25
"""Share of its box that a surface must fill to be drawn as a block."""
_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(dict[str, Any])


@dataclass(frozen=True)
class Blocks:
    """Boxes in world coordinates.

    Attributes
    ----------
    boxes : (K, 8) float64
        Low, high, area in plan [m2], and error [m].
    score : (K,) float64
        Of the main building, against those of others.
    main : (K,) int64
        Number of the main building: an item of a town, or a row of `Mains`.
    """

    boxes: Float
    score: Float
    main: Int

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Mains:
    """Main buildings of blocks, as they really are.

    Attributes
    ----------
    table : FeatureTable
    tops, sizes : (M, 3) float64
        Middle of the upper side of the box around each, in world coordinates, and the size of that box [m].
    """

    table: FeatureTable
    tops: Float
    sizes: Float

    def take(self, rows: Int) -> Mains:
        """Return some of them."""
        return Mains(self.table.take(rows), self.tops[rows], self.sizes[rows])


def blocks_of_items(bodies: Bodies, items: Int, origin: Float) -> Blocks:
    """Return the blocks of those of the ``items`` of a town that show from afar."""
    some = bodies.take(items)
    size = some.high - some.low
    with np.errstate(invalid="ignore", divide="ignore"):
        fill = some.area / (size[:, 0] * size[:, 1])
        shows = np.isfinite(size[:, 0]) & (~some.is_flat | (fill > SPARSE))
    high = some.high.copy()
    high[:, 2] = np.maximum(some.top, some.low[:, 2])
    low = some.low.copy()
    low[some.is_flat, 2] = high[some.is_flat, 2]
    boxes = np.column_stack([low + origin, high + origin, np.maximum(some.area, 1e-3), some.error])[shows]
    return Blocks(boxes, _volumes(boxes), items[shows])


def merged_blocks(blocks: Blocks, cell: float) -> Blocks:
    """Return blocks with those merged whose middles lie in one cell [m]; heights are means by area.

    A block that is mostly gaps is drawn narrower, so that a village does not look like a slab.
    """
    boxes = blocks.boxes
    if not len(boxes):
        return blocks
    squares = np.floor((boxes[:, :2] + boxes[:, 3:5]) / (2.0 * cell)).astype(np.int64)
    is_flat = boxes[:, 5] - boxes[:, 2] < FLAT
    keys = ((squares[:, 0] - squares[:, 0].min()) * (int(np.ptp(squares[:, 1])) + 1) + squares[:, 1] - squares[:, 1].min()) * 2
    _, number = np.unique(keys + is_flat, return_inverse=True)
    order = np.argsort(number, kind="stable")
    starts = starts_of_runs(number[order])
    if len(starts) == len(boxes):
        return blocks
    ordered = boxes[order]
    counts = np.diff(np.append(starts, len(ordered)))
    merged = np.where((counts == 1)[:, None], ordered[starts], _around(ordered, starts, counts))
    best = order[_highest(blocks.score[order], starts, counts)]
    return Blocks(merged, blocks.score[best], blocks.main[best])


def drawn_boxes(blocks: Blocks) -> Float:
    """Return (K, 6) boxes to draw for blocks: no larger in plan than twice what they hold."""
    boxes = blocks.boxes
    size = np.maximum(boxes[:, 3:5] - boxes[:, :2], 1e-3)
    share = np.sqrt(np.clip(2.0 * boxes[:, 6] / (size[:, 0] * size[:, 1]), 0.05, 1.0))
    middle = (boxes[:, :2] + boxes[:, 3:5]) / 2.0
    half = size * share[:, None] / 2.0
    return np.column_stack([middle - half, boxes[:, 2], middle + half, boxes[:, 5]])


def with_mains(blocks: Blocks, town: Town, bodies: Bodies) -> tuple[Blocks, Mains]:
    """Return blocks whose main buildings are items of a town with the records of these, each feature once."""
    rows, first, number = np.unique(town.item_feature[blocks.main], return_index=True, return_inverse=True)
    low, high = bodies.low[blocks.main[first]], bodies.high[blocks.main[first]]
    tops = np.column_stack([(low[:, :2] + high[:, :2]) / 2.0, high[:, 2]]) + town.origin
    return Blocks(blocks.boxes, blocks.score, number.ravel()), Mains(town.features.take(rows), tops, high - low)


def needed(blocks: Blocks, mains: Mains) -> tuple[Blocks, Mains]:
    """Return blocks with the records of their own main buildings alone."""
    rows, number = np.unique(blocks.main, return_inverse=True)
    return Blocks(blocks.boxes, blocks.score, number.ravel()), mains.take(rows)


def by_lot(blocks: Blocks, ids: Sequence[str]) -> Blocks:
    """Return blocks whose scores are lots, drawn in proportion to their volumes; ``ids`` are those of their main buildings."""
    lots = np.array([zlib.crc32(key.encode("utf-8", errors="replace")) for key in ids], dtype=np.float64)
    return Blocks(blocks.boxes, np.log((lots + 0.5) / 2.0**32) / _volumes(blocks.boxes), blocks.main)


def write_blocks(path: Path, blocks: Blocks, mains: Mains) -> None:
    """Keep blocks for the level above."""
    path.write_bytes(_ENCODE.encode({
        **packed_table(mains.table),
        "tops": mains.tops.astype("<f8").tobytes(),
        "sizes": mains.sizes.astype("<f8").tobytes(),
        "boxes": blocks.boxes.astype("<f8").tobytes(),
        "score": blocks.score.astype("<f8").tobytes(),
        "main": blocks.main.astype("<i4").tobytes(),
    }))  # fmt: skip


def read_blocks(paths: Sequence[Path]) -> tuple[Blocks, Mains]:
    """Return what several files keep as one."""
    entries = [_DECODE.decode(path.read_bytes()) for path in paths]
    tables = [unpacked_table(entry) for entry in entries]
    names = dict.fromkeys(name for table in tables for name in table.columns)
    table = joined_tables(tables, names)
    # A road that was cut by place comes from several units, and is one feature.
    known: dict[str, int] = {}
    first = np.array([known.setdefault(key, row) for row, key in enumerate(table.ids.tolist())], dtype=np.int64)
    starts = np.cumsum([0, *(len(table) for table in tables)])
    main = np.concatenate([np.frombuffer(each["main"], "<i4") + start for each, start in zip(entries, starts[:-1], strict=True)])
    blocks = Blocks(_joined(entries, "boxes").reshape(-1, 8), _joined(entries, "score"), first[main])
    return blocks, Mains(table, _joined(entries, "tops").reshape(-1, 3), _joined(entries, "sizes").reshape(-1, 3))


def _joined(entries: Sequence[dict[str, Any]], name: str) -> Float:
    return np.concatenate([np.frombuffer(entry[name], "<f8") for entry in entries])


def _volumes(boxes: Float) -> Float:
    """Return (K,) volumes of what boxes stand for [m3]; surfaces count as if they were half a metre thick."""
    volumes: Float = boxes[:, 6] * np.maximum(boxes[:, 5] - boxes[:, 2], FLAT)
    return volumes


def _around(ordered: Float, starts: Int, counts: Int) -> Float:
    """Return the blocks around groups of blocks that lie one after the other."""
    area = np.add.reduceat(ordered[:, 6], starts)
    low = np.minimum.reduceat(ordered[:, :3], starts, axis=0)
    high = np.maximum.reduceat(ordered[:, 3:6], starts, axis=0)
    top = np.add.reduceat(ordered[:, 5] * ordered[:, 6], starts) / area
    bottom = np.add.reduceat(ordered[:, 2] * ordered[:, 6], starts) / area
    spread = np.add.reduceat(ordered[:, 6] * (ordered[:, 5] - np.repeat(top, counts)) ** 2, starts) / area
    error = np.sqrt(spread + np.add.reduceat(ordered[:, 6] * ordered[:, 7] ** 2, starts) / area)
    flat = (top - bottom) < FLAT
    low[:, 2] = np.where(flat, top, np.minimum(low[:, 2], top))
    high[:, 2] = top
    return np.column_stack([low, high, area, error])


def _highest(score: AnyArray, starts: Int, counts: Int) -> Int:
    """Return the place of the highest score in each group; the first of equal ones."""
    is_best = score == np.repeat(np.maximum.reduceat(score, starts), counts)
    places = np.flatnonzero(is_best)
    found: Int = places[np.searchsorted(places, starts)]
    return found
