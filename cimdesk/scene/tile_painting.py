"""What colours the features of streamed tiles: style, moment and selection, for those known and those that still come."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from cimdesk.base.arrays import Bool, Int
from cimdesk.model.appearance import color_layer
from cimdesk.model.layers import Layer
from cimdesk.model.tileset import TileBlock, TileSource
from cimdesk.scene.streamed_points import NOTED
from cimdesk.scene.tile_drawing import TileDrawing
from cimdesk.scene.tile_style import ArrivingStyle
from cimdesk.scene.visual import Context


class TilePainting:
    """Writes the texels of one layer.

    Attributes
    ----------
    colors : TileColors
    arriving : ArrivingStyle
    marked_rows : (M,) int64
        Selected features that are marked by their colour.
    """

    def __init__(self, context: Context, source: TileSource, layer: Layer, drawing: TileDrawing) -> None:
        self.colors = drawing.colors
        self.marked_rows: Int = np.zeros(0, dtype=np.int64)
        self._marked: AbstractSet[str] = frozenset()
        self._context = context
        self._source = source
        self._drawing = drawing
        self.arriving = ArrivingStyle(context, source, layer)
        drawing.kept_edges = self.arriving.edges
        self.colors.shows_source = wants_source(layer)

    def fits(self, layer: Layer) -> bool:
        """Return whether a changed record can be shown with the texels that are in use."""
        return not self.colors.has_source or wants_source(layer) == self.colors.shows_source

    def follow(self, layer: Layer) -> None:
        """Write the texels of every feature for the style, the theme and the moment."""
        colors, drawing, context = self.colors, self._drawing, self._context
        if not colors.has_source:
            colors.shows_source = wants_source(layer)
        if self.arriving.follow(layer, context.workspace.features(layer.id)):
            drawing.forget_edges()
        coloring = color_layer(context.workspace, self.arriving.in_classes(layer), context.time)
        if colors.make_room(len(coloring)):
            drawing.follow_texture()
        colors.paint(coloring, context.look)
        if colors.has_clear:
            drawing.hide_clear()
        self._paint_fresh(np.arange(len(coloring), min(self._source.feature_count, colors.room)))
        if len(self.marked_rows):
            colors.mark(self.marked_rows, context.look)
        colors.flush()

    def add(self, block: TileBlock) -> None:
        """Colour the features of a tile that came since the last edit."""
        if self.colors.make_room(int(block.features.max(initial=-1)) + 1):
            self._drawing.follow_texture()
        self._paint_fresh(block.features[block.features >= self.colors.painted])

    def mark(self, features: AbstractSet[str], rows: Int) -> bool | None:
        """Mark these features from now on; return whether that is a change, None when it cannot be shown."""
        if features and self.colors.has_source:
            return None
        if features is self._marked or not (features or self._marked):
            return False
        self._marked, self.marked_rows = features, rows[rows < NOTED]
        return True

    def in_sight(self) -> Bool | None:
        """Return (N,) whether each feature seen so far is drawn; None when all are."""
        return self.arriving.in_sight()

    def _paint_fresh(self, rows: Int) -> None:
        """Colour features that came since the last edit as the layer's style, filter and hidden features have it."""
        if not len(rows):
            return
        self.colors.paint_rows(rows, self.arriving.coloring(rows), self._context.look)
        if self.colors.has_clear:
            self._drawing.hide_clear()
        if self._marked:
            is_marked = np.array([self._source.feature_id(row) in self._marked for row in rows.tolist()], dtype=bool)
            marked = rows[is_marked]
            if len(marked) and self.colors.mark(marked, self._context.look):
                self.marked_rows = np.union1d(self.marked_rows, marked)


def wants_source(layer: Layer) -> bool:
    """Return whether a layer shows the colours that the source gives."""
    # The texels of source colours are shared by features, so that none of them can be hidden alone.
    return layer.style.shows_source and not layer.shows_part
