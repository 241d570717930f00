"""What a tile store holds: decoded tiles within a fixed amount of memory, and which ones cannot be had. No threads, no locks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Collection, Iterable

from cimdesk.base.errors import Problem, Severity
from cimdesk.model.tileset import TileBlock

MAX_PROBLEMS = 500


class TileMemory:
    """Decoded tiles, the one longest out of sight first.

    Attributes
    ----------
    memory : int
        Bytes allowed.
    used : int
        Bytes taken.
    blocks : OrderedDict of int to TileBlock
        By row.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.used = 0
        self.blocks: OrderedDict[int, TileBlock] = OrderedDict()

    def touch(self, rows: Iterable[int]) -> None:
        """Take note that tiles are in sight."""
        for row in rows:
            if row in self.blocks:
                self.blocks.move_to_end(row)

    def make_room(self, size: int, kept: Collection[int]) -> bool:
        """Let go of what was longest out of sight, but not of ``kept``, until ``size`` bytes fit; return whether they do."""
        if self.used + size <= self.memory:
            return True
        for row in [row for row in self.blocks if row not in kept]:
            self.used -= self.blocks.pop(row).size
            if self.used + size <= self.memory:
                return True
        return False

    def keep(self, block: TileBlock, kept: Collection[int]) -> bool:
        """Take a tile if it fits; return whether it does."""
        if not self.make_room(block.size, kept):
            return False
        self.blocks[block.row] = block
        self.used += block.size
        return True


class Losses:
    """Tiles that cannot be had, for good or for now, and what is wrong with them.

    Attributes
    ----------
    problems : list of Problem
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._until: dict[int, float] = {}

    def __contains__(self, row: int) -> bool:
        until = self._until.get(row)
        return until is not None and time.monotonic() < until

    def note(self, row: int, until: float, problems: tuple[Problem, ...]) -> None:
        """Take note that a tile did not come; it is not asked for again before ``until`` [s, monotonic]."""
        is_news = row not in self._until
        self._until[row] = until
        if is_news:
            self.add(problems or (Problem(Severity.WARNING, "empty-tile", str(row), "The tile holds nothing that can be drawn."),))

    def found(self, row: int, problems: tuple[Problem, ...]) -> None:
        """Take note that a tile came, with what is wrong in it."""
        self._until.pop(row, None)
        self.add(problems)

    def add(self, problems: tuple[Problem, ...]) -> None:
        """List problems, as long as they are not too many."""
        self.problems += problems[: MAX_PROBLEMS - len(self.problems)]
