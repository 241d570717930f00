"""The octree of a cloud that has none: built in one pass over the points, on disk for a large one, with memory that stays flat.

Each point goes to the coarsest level where the small cell around it is still free, so every level is an even thinning of the
cloud and the levels add to each other. Which cells are taken is remembered in one bit each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, UInt8
from cimdesk.model.points import PointTree

BITS = 30
GRID_BITS = 7
"""A node is thinned to one point in each of 128 cells along each side."""
LEAF_POINTS = 30_000
"""Points that the last level should have in a node on average, in a cloud that fills its square."""
MOST_IN_NODE = 200_000
"""A node with more of them is split further."""
DEEPEST = 18
SPLIT_LEVELS = 3
PENDING_BYTES = 64 << 20
SLICE_POINTS = 1_000_000
_FIRST_BITS = 17
_MOST_BITS = 28


@dataclass(frozen=True)
class Cube:
    """The cube of the root.

    Attributes
    ----------
    low : (3,) float64
    side : float
    """

    low: Float
    side: float

    @staticmethod
    def around(low: Float, high: Float) -> Cube:
        """Return the smallest cube that holds a box; one of a millimetre for a single point."""
        return Cube(np.asarray(low, dtype=np.float64), max(float(np.max(high - low)), 1e-3))

    def cells(self, world: Float) -> AnyArray:
        """Return (N, 3) uint32 places of points in the cube; what lies outside goes to its sides."""
        scaled = (world - self.low) * (2.0**BITS / self.side)
        return np.clip(scaled, 0.0, 2.0**BITS - 1.0).astype(np.uint32)


class Sink(Protocol):
    """Where the records of the nodes go."""

    def append(self, key: int, records: AnyArray) -> None: ...
    def slices(self, key: int) -> Iterator[AnyArray]:
        """Yield the records of a node, some at a time."""
        ...

    def discard(self, key: int) -> None: ...
    def rename(self, key: int, new: int) -> None: ...


class MemorySink:
    """Keeps the records of a small cloud in memory."""

    def __init__(self) -> None:
        self.parts: dict[int, list[AnyArray]] = {}

    def append(self, key: int, records: AnyArray) -> None:
        """Add records to a node."""
        self.parts.setdefault(key, []).append(records)

    def slices(self, key: int) -> Iterator[AnyArray]:
        """Yield the records of a node, some at a time."""
        yield from self.parts[key]

    def discard(self, key: int) -> None:
        """Forget a node."""
        del self.parts[key]

    def rename(self, key: int, new: int) -> None:
        """Give the records of a node to another, which has none."""
        self.parts[new] = self.parts.pop(key)


@dataclass
class _Tally:
    """What is known of a node while the tree grows."""

    count: int
    low: AnyArray
    high: AnyArray


@dataclass
class TreeBuilder:
    """Distributes points over nodes.

    Attributes
    ----------
    cube : Cube
    scale, offset : (3,) float64
        World coordinates are ``(X, Y, Z) * scale + offset`` of the records' integers.
    sink : Sink
    expected : int
        Points to come, about.
    """

    cube: Cube
    scale: Float
    offset: Float
    sink: Sink
    expected: int
    _nodes: dict[int, _Tally] = field(default_factory=dict)
    _grids: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        depth = max(0, int(np.ceil(np.log2(max(self.expected / LEAF_POINTS, 1.0)) / 2.0)))
        self._top = _Levels(0, min(depth, DEEPEST))

    @property
    def count(self) -> int:
        """Points taken in so far."""
        return sum(tally.count for tally in self._nodes.values())

    def add(self, records: AnyArray) -> None:
        """Take in (N,) records with integer fields ``X``, ``Y``, ``Z``."""
        self._distribute(records, self._top)

    def finish(self) -> PointTree:
        """Split nodes that became too large, and return the tree with the rows of its nodes in order of `keys`."""
        while large := [key for key, tally in self._nodes.items() if tally.count > MOST_IN_NODE and _level(key) < DEEPEST]:
            for key in large:
                self._split(key)
        return self._tree()

    @property
    def keys(self) -> list[int]:
        """Packed keys of the rows of the tree."""
        return sorted(_with_ancestors(self._nodes))

    def _split(self, key: int) -> None:
        level = _level(key)
        whole = self._nodes.pop(key)
        levels = _Levels(level, min(level + SPLIT_LEVELS, DEEPEST), whole.count, self._grids.get(key, GRID_BITS))
        # Points that fill space rather than lie on surfaces leave too many in a node: it is then thinned with larger cells.
        self._grids[key] = max(levels.grid_bits - 1, 0)
        for records in self.sink.slices(key):
            self._distribute(records, levels, apart=key)
        self.sink.discard(key)
        if (apart := self._nodes.pop(_APART | key, None)) is not None:
            self._nodes[key] = apart
            self.sink.rename(_APART | key, key)

    def _distribute(self, records: AnyArray, levels: _Levels, apart: int | None = None) -> None:
        from cimdesk.formats.pointcloud_kernels import assign_nodes

        raw = coordinates(records)
        cells = self.cube.cells(raw * self.scale + self.offset)
        keys = np.empty(len(records), dtype=np.int64)
        assign_nodes(cells, BITS, levels.grid_bits, levels.first, levels.last, levels.starts, levels.masks, levels.table, keys)
        if apart is not None:
            # While a node is split, what stays in it is put beside what is still to be read.
            keys[keys == apart] |= _APART
        order = np.argsort(keys, kind="stable")
        keys, records, raw = keys[order], records[order], raw[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, dtype=np.int64)
        if not len(starts):
            return
        low, high = np.minimum.reduceat(raw, starts), np.maximum.reduceat(raw, starts)
        ends = np.append(starts[1:], len(keys))
        for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            key = int(keys[start])
            self.sink.append(key, records[start:end])
            known = self._nodes.get(key)
            if known is None:
                self._nodes[key] = _Tally(end - start, low[k], high[k])
            else:
                known.count += end - start
                known.low, known.high = np.minimum(known.low, low[k]), np.maximum(known.high, high[k])

    def _tree(self) -> PointTree:
        packed = self.keys
        row_of = {key: row for row, key in enumerate(packed)}
        parent = np.array([row_of[_above(key)] if _level(key) else -1 for key in packed], dtype=np.int32)
        counts = np.zeros(len(packed), dtype=np.int64)
        low, high = np.full((len(packed), 3), np.inf), np.full((len(packed), 3), -np.inf)
        for key, tally in self._nodes.items():
            row = row_of[key]
            ends = np.array([tally.low, tally.high]) * self.scale + self.offset
            counts[row], low[row], high[row] = tally.count, ends.min(axis=0), ends.max(axis=0)
        keys = unpack(np.array(packed, dtype=np.int64))
        return tree_of(keys, parent, counts, low, high, self.cube.side / 2.0**GRID_BITS)


def coordinates(records: AnyArray) -> AnyArray:
    """Return (N, 3) int32 coordinates of records, which begin with them."""
    head = np.ascontiguousarray(records).view(np.uint8).reshape(len(records), -1)[:, :12]
    return np.ascontiguousarray(head).view("<i4")


def tree_of(keys: AnyArray, parent: AnyArray, counts: Int, low: Float, high: Float, spacing: float) -> PointTree:
    """Return the tree of nodes whose boxes hold their own points only; ``spacing`` is that of the root.

    Parameters
    ----------
    keys : (N, 4) int32
        Sorted by level.
    parent : (N,) int32
    counts : (N,) int64
    low, high : (N, 3) float64
        Infinite, upside down, for nodes without points.
    spacing : float
        Distance between points of the root [m]; half of it on each further level.
    """
    depth = keys[:, 0]
    for level in range(int(depth.max(initial=0)), 0, -1):
        rows = np.flatnonzero(depth == level)
        np.minimum.at(low, parent[rows], low[rows])
        np.maximum.at(high, parent[rows], high[rows])
    return PointTree(keys.astype(np.int32), parent.astype(np.int32), counts, low, high, spacing / 2.0 ** depth.astype(np.float64))


_APART = 1 << 62


class _Levels:
    """The levels that one pass distributes over, with a bit for every thinning cell of all but the last."""

    def __init__(self, first: int, last: int, points: int | None = None, grid_bits: int = GRID_BITS) -> None:
        self.first, self.last, self.grid_bits = first, last, grid_bits
        sizes = []
        for step in range(last - first):
            # On a surface four times as many cells are taken on each further level; a cell needs room not to meet others.
            bits = min(_FIRST_BITS + 2 + 2 * step, _MOST_BITS)
            if points is not None:
                bits = min(bits, max(int(np.ceil(np.log2(points))) + 3, 12))
            sizes.append(1 << bits)
        self.starts = np.cumsum([0, *sizes[:-1]]).astype(np.uint64) if sizes else np.zeros(0, dtype=np.uint64)
        self.masks = np.array(sizes, dtype=np.uint64) - np.uint64(1) if sizes else np.zeros(0, dtype=np.uint64)
        self.table: UInt8 = np.zeros(max(sum(sizes) // 8, 1), dtype=np.uint8)


def unpack(keys: Int) -> AnyArray:
    """Return (N, 4) int32 level, x, y, z of packed keys (N,) int64: five and three times nineteen binary digits."""
    mask = (1 << 19) - 1
    return np.column_stack([keys >> 57 & 31, keys >> 38 & mask, keys >> 19 & mask, keys & mask]).astype(np.int32)


def _level(key: int) -> int:
    return key >> 57 & 31


def _above(key: int) -> int:
    mask = (1 << 19) - 1
    level, x, y, z = key >> 57, key >> 38 & mask, key >> 19 & mask, key & mask
    return (level - 1) << 57 | x >> 1 << 38 | y >> 1 << 19 | z >> 1


def _with_ancestors(nodes: dict[int, Any]) -> set[int]:
    found = set(nodes)
    for each in nodes:
        key = each
        while _level(key) and (key := _above(key)) not in found:
            found.add(key)
    return found
