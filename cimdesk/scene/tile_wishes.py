"""Which tiles a view shows and asks for: as fine as can be drawn in time, and as memory holds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.tile_choice import TileChoice, select_tiles
from cimdesk.model.tileset import TileBlock, TileSource
from cimdesk.scene.streamed_points import POINTS_PER_TRIANGLE
from cimdesk.scene.visual import Context, View

STILL_PIXELS, MOVING_PIXELS = 4.0, 9.0
"""Errors on the screen that are good enough."""
STILL_TRIANGLES, MOVING_TRIANGLES = 150_000, 80_000
"""Drawn at most where the tileset has something coarser: what one processor draws in a tenth, or a twentieth, of a second."""
COARSER, COARSEST = 1.5, 64.0


class TileWishes:
    """What one view of a tileset needs.

    Attributes
    ----------
    choice : TileChoice
    coming : list of int
        Rows that are there and wait for the graphics.
    is_waiting : bool
        Whether something wanted is still on its way.
    """

    def __init__(self, context: Context, source: TileSource) -> None:
        self.choice = TileChoice((), {}, frozenset(), False)
        self.coming: list[int] = []
        self.is_waiting = True
        self.tileset = source.tileset
        self._context = context
        self._source = source
        self._triangles: dict[int, int] = {}
        self._coarser = 1.0
        self._eye: Float | None = None

    @property
    def extent(self) -> Float:
        """(2, 3) local bounds of what is known to be there."""
        return self.tileset.bounds - self._context.origin

    def note(self, block: TileBlock) -> None:
        """Take note of what a tile costs to draw."""
        cloud = 0 if block.cloud is None else len(block.cloud) // POINTS_PER_TRIANGLE
        self._triangles[block.row] = len(block.triangles) + cloud

    def follow(self, view: View, ready: set[int]) -> None:
        """Choose for this view, and ask for what is missing."""
        source = self._source
        source.is_gentle = view.is_moving
        self._ease(view)
        self.tileset = source.tileset
        self.choice = self._chosen(view, ready)
        wishes = {row: px for row, px in self.choice.wanted.items() if source.block(row) is None}
        if self._coarser >= COARSEST and source.is_full:
            wishes = {}
        self.coming = [row for row in self.choice.wanted if row not in wishes]
        source.want(self, wishes, self.choice.kept.union(self.coming))
        self.is_waiting = bool(wishes) and not self.choice.complete

    def there(self) -> list[TileBlock]:
        """Return the tiles that are there and wait for the graphics, most wanted first."""
        wanted = self.choice.wanted
        blocks = (self._source.block(row) for row in sorted(wanted, key=lambda row: -wanted[row]))
        return [block for block in blocks if block is not None]

    def _chosen(self, view: View, ready: set[int]) -> TileChoice:
        pixels, triangles = (MOVING_PIXELS, MOVING_TRIANGLES) if view.is_moving else (STILL_PIXELS, STILL_TRIANGLES)
        return select_tiles(
            self.tileset,
            view.sight(self._context.origin, pixels * view.pixel_scale * self._coarser),
            ready,
            _Lost(self._source),
            triangles=self._triangles,
            most_triangles=triangles,
            start=self.choice.coarser,
        )

    def _ease(self, view: View) -> None:
        """Ask for coarser tiles while the memory does not hold those wanted, and for finer ones again when the eye has moved."""
        if self._source.is_full:
            self._coarser = min(self._coarser * COARSER, COARSEST)
            self._eye = view.eye
        elif self._coarser > 1.0 and self._eye is not None:
            moved = float(np.linalg.norm(view.eye - self._eye)) > 0.05 * max(float(view.eye[2]), 50.0)
            self._coarser = max(self._coarser / COARSER, 1.0) if moved else self._coarser
            self._eye = view.eye if moved else self._eye


class _Lost:
    """The rows that cannot be had, asked one by one."""

    def __init__(self, source: TileSource) -> None:
        self._source = source

    def __contains__(self, row: object) -> bool:
        return isinstance(row, int) and self._source.is_lost(row)

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0
