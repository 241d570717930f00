"""Colours of points of streamed tiles: their own, those of their features, or of what is known of each; a little in each frame."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int, UInt8
from cimdesk.model.layers import Layer
from cimdesk.model.point_painter import painter_of
from cimdesk.model.style import Style
from cimdesk.model.tile_point_columns import values_of
from cimdesk.model.tile_point_style import MODES, steady_style
from cimdesk.model.tile_points import PointValues, TilePoints
from cimdesk.model.tileset import TileBlock, TileSource
from cimdesk.scene.geometry import cell_of_points, set_point_array
from cimdesk.scene.look import unit_rgb
from cimdesk.scene.point_thinning import thinned
from cimdesk.scene.tile_colors import PALETTE, TileColors
from cimdesk.scene.visual import Context

AT_ONCE = 200_000
"""Points coloured before somebody else may have a turn."""
SECONDS = 0.025
"""Spent in one frame on points that are drawn and have other colours now."""


@dataclass
class DrawnPoints:
    """The points of a tile with what draws them; ``rows`` are their features in the layer's table."""

    block: TileBlock
    cloud: TilePoints
    actor: Any
    data: Any
    shift: Float32
    rows: Int
    low: Float
    high: Float
    sample: Float32
    shown: Bool | None = None
    step: int = 1
    cells: dict[int, Any] = field(default_factory=dict)

    def leave_out(self, shown: Bool | None) -> None:
        """Draw these points only, (N,); None for all."""
        is_same = shown is self.shown or (shown is not None and self.shown is not None and np.array_equal(shown, self.shown))
        if is_same and self.cells:
            return
        self.shown = shown
        self.cells.clear()
        self._show()

    def draw_every(self, step: int) -> None:
        """Let one point stand for so many."""
        if step != self.step:
            self.step = step
            self._show()

    def _show(self) -> None:
        if self.step not in self.cells:
            count = len(self.cloud)
            rows = np.arange(count, dtype=np.int32) if self.shown is None else np.flatnonzero(self.shown).astype(np.int32)
            self.cells = {step: cells for step, cells in self.cells.items() if step == 1}
            self.cells[self.step] = cell_of_points(thinned(rows, self.step))
        self.data.SetVerts(self.cells[self.step])
        self.data.Modified()


class PointPainting:
    """Colours the points of one layer.

    Attributes
    ----------
    marked : (M,) int64
        Rows of features that are selected.
    """

    def __init__(self, context: Context, colors: TileColors, source: TileSource) -> None:
        self.marked: Int = np.zeros(0, dtype=np.int64)
        self._context = context
        self._colors = colors
        self._columns = source.point_columns
        self._asked = self._style = Style()
        self._behind: dict[int, Iterator[None]] = {}

    @property
    def attribute(self) -> str:
        """The column that decides the colours."""
        return self._style.attribute

    def styled(self, layer: Layer) -> Layer:
        """Follow the style of a layer from now on; return the layer with the limits that its points gave."""
        self._asked = layer.style
        self._style = steady_style(layer.style, self._columns)
        return layer if self._style is layer.style else layer.but(style=self._style)

    def is_news(self) -> bool:
        """Return whether the first points with the column that decides have come, so that limits are known from now on."""
        before = self._style
        if before is self._asked:
            self._style = steady_style(self._asked, self._columns)
        return self._style is not before

    def is_behind(self, shown: frozenset[int]) -> bool:
        """Return whether tiles that are drawn still have colours of before."""
        return not shown.isdisjoint(self._behind)

    def fall_behind(self, tiles: Iterable[DrawnPoints]) -> None:
        """Colour these tiles anew when there is time for it."""
        self._behind.update({tile.block.row: self._painted(tile) for tile in tiles})

    def catch_up(self, shown: Collection[int]) -> None:
        """Colour tiles that are drawn, for as long as a frame may take."""
        deadline = perf_counter() + SECONDS
        for row in sorted(self._behind.keys() & set(shown)):
            for _ in self._behind[row]:
                if perf_counter() > deadline:
                    return
            del self._behind[row]
            if perf_counter() > deadline:
                return

    def paint(self, tile: DrawnPoints) -> None:
        """Give the points of a tile their colours now."""
        self._behind.pop(tile.block.row, None)
        for _ in self._painted(tile):
            pass

    def drop(self, rows: Iterable[int]) -> None:
        """Forget tiles that are gone."""
        for row in rows:
            self._behind.pop(row, None)

    def _painted(self, tile: DrawnPoints) -> Iterator[None]:
        """Give the points of a tile their colours, bit by bit, and leave out those of features out of sight."""
        texels = self._texels(tile)
        is_shown = texels[:, 3] > 0
        tile.leave_out(None if is_shown.all() else np.broadcast_to(is_shown, len(tile.cloud)).copy())
        is_marked = np.isin(tile.rows, self.marked) if len(self.marked) else None
        values = self._values(tile)
        if values is not None:
            paint = painter_of(self._style, values)
            colors: AnyArray = np.empty((len(tile.cloud), 3), dtype=np.uint8)
            for start in range(0, len(colors), AT_ONCE):
                colors[start : start + AT_ONCE] = paint(start, start + AT_ONCE)
                yield
        elif self._colors.shows_source and tile.cloud.colors is not None:
            colors = tile.cloud.colors
        else:
            colors, is_marked = np.broadcast_to(texels[:, :3], (len(tile.cloud), 3)), None
        if is_marked is not None and is_marked.any():
            accent = np.array([round(255 * part) for part in unit_rgb(self._context.look.accent)], dtype=np.uint8)
            colors = np.where(is_marked[:, None], accent, colors)
        set_point_array(tile.data, np.ascontiguousarray(colors), "scalars")
        tile.data.Modified()

    def _values(self, tile: DrawnPoints) -> PointValues | None:
        """Return what decides the colour of each point of a tile; None where features do."""
        name = self._style.attribute
        if self._style.mode not in MODES or name not in self._columns:
            return None
        return values_of(tile.cloud, tile.block.origin, name)

    def _texels(self, tile: DrawnPoints) -> UInt8:
        """Return the texel of the feature of each point, (N, 4), or one (1, 4) for all of the same feature."""
        rows = tile.rows[:1] if len(tile.cloud.names) == 1 else tile.rows
        texels: UInt8 = self._colors.texture.texels[PALETTE + 2 * rows]
        return texels
