"""What a store holds: blocks within a fixed amount of memory, and which ones cannot be had. No threads, no locks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Collection, Iterable
from itertools import chain, islice
from typing import Generic, Protocol, TypeVar

from cimdesk.base.errors import Problem, Severity

MAX_PROBLEMS = 500


class Block(Protocol):
    """A part of something larger: its row there, and its size in memory [bytes]."""

    @property
    def row(self) -> int: ...
    @property
    def size(self) -> int: ...


B = TypeVar("B", bound=Block)


class BlockMemory(Generic[B]):
    """Blocks, the one longest out of sight first.

    Attributes
    ----------
    memory : int
        Bytes allowed.
    used : int
        Bytes taken.
    blocks : OrderedDict of int to Block
        By row.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.used = 0
        self.blocks: OrderedDict[int, B] = OrderedDict()

    def touch(self, rows: Iterable[int]) -> None:
        """Take note that blocks are in sight."""
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

    def keep(self, block: B, kept: Collection[int]) -> bool:
        """Take a block if it fits; return whether it does."""
        if not self.make_room(block.size, kept):
            return False
        self.blocks[block.row] = block
        self.used += block.size
        return True


class Losses:
    """Blocks that cannot be had, for good or for now, and what is wrong with those that came."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        self._problems: dict[int, tuple[Problem, ...]] = {}

    def __contains__(self, row: int) -> bool:
        until = self._until.get(row)
        return until is not None and time.monotonic() < until

    def note(self, row: int, until: float, problems: tuple[Problem, ...]) -> None:
        """Take note that a block did not come; it is not asked for again before ``until`` [s, monotonic]."""
        self._until[row] = until
        nothing = Problem(Severity.WARNING, "empty-tile", str(row), "The tile holds nothing that can be drawn.")
        self._list(row, problems or (nothing,))

    def found(self, row: int, problems: tuple[Problem, ...]) -> None:
        """Take note that a block came, with what is wrong in it."""
        self._until.pop(row, None)
        self._problems.pop(row, None)
        self._list(row, problems)

    def problems(self) -> tuple[Problem, ...]:
        """Return what is missing or broken, as long as it is not too much."""
        return tuple(islice(chain.from_iterable(self._problems.values()), MAX_PROBLEMS))

    def _list(self, row: int, problems: tuple[Problem, ...]) -> None:
        if problems and len(self._problems) < MAX_PROBLEMS:
            self._problems[row] = problems
