"""Which chunks of a terrain a view needs: a quadtree over its rectangle, refined by the size of errors on the screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.elevation import Rectangle
from cimdesk.scene.terrain_chunks import QUADS
from cimdesk.scene.visual import View

Key: TypeAlias = tuple[int, int, int]
"""Level from 0 at the top, row from the north, column from the west."""
MAX_ROOTS = 64
SHRINKING = 0.5
"""Error of a chunk that is not there yet, as a share of its parent's."""


@dataclass(frozen=True)
class ChunkTree:
    """The quadtree.

    Attributes
    ----------
    bounds : Rectangle
    rows, columns : int
        Chunks of level 0, about square.
    depth : int
        Finest level.
    """

    bounds: Rectangle
    rows: int
    columns: int
    depth: int

    @staticmethod
    def over(bounds: Rectangle, cell: float) -> ChunkTree:
        """Return the tree whose finest chunks have quads of about ``cell``."""
        west, south, east, north = bounds
        width, height = max(east - west, 1e-9), max(north - south, 1e-9)
        columns = int(np.clip(round(width / height), 1, MAX_ROOTS))
        rows = int(np.clip(round(height / width), 1, MAX_ROOTS))
        side = max(width / columns, height / rows)
        depth = int(np.ceil(np.log2(max(side / (QUADS * max(cell, 1e-9)), 1.0)) - 0.01))
        return ChunkTree(bounds, rows, columns, max(depth, 0))

    def roots(self) -> list[Key]:
        """Return the chunks of level 0."""
        return [(0, row, column) for row in range(self.rows) for column in range(self.columns)]

    def children(self, key: Key) -> tuple[Key, Key, Key, Key]:
        """Return the four chunks that a chunk is divided into."""
        level, row, column = key[0] + 1, 2 * key[1], 2 * key[2]
        return (level, row, column), (level, row, column + 1), (level, row + 1, column), (level, row + 1, column + 1)

    def rectangle(self, key: Key) -> Rectangle:
        """Return the bounds of a chunk."""
        west, south, east, north = self.bounds
        level, row, column = key
        width, height = (east - west) / (self.columns << level), (north - south) / (self.rows << level)
        return west + column * width, north - (row + 1) * height, west + (column + 1) * width, north - row * height

    def rim(self, key: Key) -> tuple[bool, bool, bool, bool]:
        """Return which sides are the terrain's: northern, southern, western, eastern."""
        level, row, column = key
        return row == 0, row == (self.rows << level) - 1, column == 0, column == (self.columns << level) - 1


@dataclass(frozen=True)
class KnownChunk:
    """What choosing needs of a chunk that is there.

    Attributes
    ----------
    low, high : tuple of 3 floats
        Local corners of its box.
    error : float
        By how much it falls short of the elevations, and of the pixels, that there are [m].
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    error: float


@dataclass
class ChunkChoice:
    """What to draw now and what to get.

    Attributes
    ----------
    shown : list of Key
    wanted : dict of Key to float
        Chunks that are not there, with their errors on the screen [px].
    used : set of Key
        Chunks that are there and must stay.
    """

    shown: list[Key] = field(default_factory=list)
    wanted: dict[Key, float] = field(default_factory=dict)
    used: set[Key] = field(default_factory=set)


class Chooser:
    """One walk through the tree for one view.

    A chunk gives way to its children when all of them in view are there, never before: there are no holes, and under a
    camera that stands still the picture only gets finer.
    """

    def __init__(
        self,
        tree: ChunkTree,
        view: View,
        origin: Float,
        allowed: float,
        known: Callable[[Key], KnownChunk | None],
        empty: Container[Key],
    ) -> None:
        self.tree = tree
        self.allowed = allowed
        self.choice = ChunkChoice()
        self._known = known
        self._empty = empty
        self._slope = view.slope
        self._eye: tuple[float, float, float] = tuple(view.eye.tolist())
        m = view.matrix
        planes = np.array([m[3] + m[0], m[3] - m[0], m[3] + m[1], m[3] - m[1]])
        self._planes: list[list[float]] = planes.tolist()
        self._origin: tuple[float, float] = (float(origin[0]), float(origin[1]))

    def choose(self, low: float, high: float) -> ChunkChoice:
        """Return the choice; ``low`` and ``high`` are the local heights of all there is."""
        for key in self.tree.roots():
            self._visit(key, low, high, np.inf)
        return self.choice

    def _visit(self, key: Key, low: float, high: float, error: float) -> bool:
        """Add what covers a chunk's part of the view; return whether it is covered."""
        if key in self._empty:
            return True
        chunk = self._known(key)
        if chunk is not None:
            lower, upper = chunk.low, chunk.high
        else:
            west, south, east, north = self.tree.rectangle(key)
            lower = (west - self._origin[0], south - self._origin[1], low)
            upper = (east - self._origin[0], north - self._origin[1], high)
        if not self._is_seen(lower, upper):
            return True
        distance = self._distance(lower, upper)
        if chunk is None:
            self.choice.wanted[key] = min(error, 1e9) * SHRINKING / (distance * self._slope)
            return False
        self.choice.used.add(key)
        if key[0] < self.tree.depth and chunk.error > self.allowed * distance * self._slope:
            mark = len(self.choice.shown)
            covered = [self._visit(child, lower[2], upper[2], chunk.error) for child in self.tree.children(key)]
            if all(covered):
                return True
            del self.choice.shown[mark:]
        self.choice.shown.append(key)
        return True

    def _is_seen(self, low: tuple[float, float, float], high: tuple[float, float, float]) -> bool:
        for a, b, c, d in self._planes:
            nearest = a * (high[0] if a > 0 else low[0]) + b * (high[1] if b > 0 else low[1]) + c * (high[2] if c > 0 else low[2])
            if nearest + d < 0.0:
                return False
        return True

    def _distance(self, low: tuple[float, float, float], high: tuple[float, float, float]) -> float:
        total = 0.0
        for e, a, b in zip(self._eye, low, high, strict=True):
            away = a - e if e < a else (e - b if e > b else 0.0)
            total += away * away
        return max(math.sqrt(total), 1.0)
