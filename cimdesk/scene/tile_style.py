"""Style, filter and hidden features of a streamed tileset: what arrives later looks as if it had been there from the start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cimdesk.base.arrays import Bool, Int, Int32
from cimdesk.model.appearance import color_table
from cimdesk.model.coloring import settled
from cimdesk.model.features import FeatureTable
from cimdesk.model.layers import Layer
from cimdesk.model.style import Coloring, Style, StyleMode
from cimdesk.model.tileset import TileBlock, TileSource
from cimdesk.model.visibility import shown_of
from cimdesk.scene.visual import Context

MOST_KEPT = 8
"""Styles whose limits are kept for those who go from one to the other and back."""


class ArrivingStyle:
    """Colours features that no edit has seen yet.

    Class limits, the ends of ramps and the colours of categories are those of the features known at the last edit, so that
    what is on the screen keeps its colour while more comes.
    """

    def __init__(self, context: Context, source: TileSource, layer: Layer) -> None:
        self._context = context
        self._source = source
        self._layer = layer
        self._table = FeatureTable.empty()
        self._shown: Bool | None = None
        self._found: list[tuple[FeatureTable, Style, Style]] = []

    def follow(self, layer: Layer, known: FeatureTable | None) -> bool:
        """Use a layer's record from now on; return whether other features than before may be in sight."""
        before, self._layer = self._layer, layer
        if known is not None and len(known):
            self._layer = layer.but(style=self._settled(layer.style, known))
        self._table, self._shown = FeatureTable.empty(), None
        is_same = before.hidden is layer.hidden and before.only is layer.only and before.filter == layer.filter
        return not (is_same and before.style.rules == layer.style.rules)

    def in_classes(self, layer: Layer) -> Layer:
        """Return the layer with the class limits that were found for it."""
        breaks = self._layer.style.breaks
        is_open = layer.style.mode is StyleMode.GRADUATED and not layer.style.breaks and bool(breaks)
        return layer.but(style=replace(layer.style, breaks=breaks)) if is_open else layer

    def _settled(self, style: Style, known: FeatureTable) -> Style:
        """Return the style with what it finds in the data; looking for it in a million rows takes longer than colouring them."""
        self._found = [each for each in self._found if each[0] is known][:MOST_KEPT]
        for _, before, found in self._found:
            if before == style:
                return found
        found = settled(style, known)
        self._found.insert(0, (known, style, found))
        return found

    def coloring(self, rows: Int) -> Coloring:
        """Return the colours of features by their rows, clear for those out of sight."""
        if self._layer.style.mode is StyleMode.DEPTH:
            # Water is looked up for the features of the tables, which these are not among yet.
            return Coloring.uniform(len(rows), self._layer.style.color).hiding(self._sight_of(rows))
        table = self._source.city().features.take(rows)
        return color_table(self._context.workspace, self._layer, table, self._context.time).hiding(shown_of(self._layer, table))

    def _sight_of(self, rows: Int) -> Bool | None:
        shown = self.in_sight()
        return None if shown is None else shown[rows]

    def in_sight(self) -> Bool | None:
        """Return (N,) whether each feature seen so far is drawn; None when all are."""
        if not self._layer.shows_part:
            return None
        if self._shown is None or len(self._table) != self._source.feature_count:
            self._table = self._source.city().features
            self._shown = shown_of(self._layer, self._table)
        return self._shown

    def edges(self, block: TileBlock) -> Int32:
        """Return the edges (E, 2) of a tile's features that are drawn."""
        shown = self.in_sight()
        if shown is None or shown[block.features].all() or not len(block.edges):
            return block.edges
        owner = _owners(block)
        return block.edges[shown[block.features][owner[block.edges[:, 0]]]]


def _owners(block: TileBlock) -> Int:
    """Return (Q,) the owner of each edge point, which lies where a point of the mesh lies."""
    row = np.dtype((np.void, 12))
    points = np.ascontiguousarray(block.points, dtype=np.float32).view(row).ravel()
    order = np.argsort(points)
    wanted = np.ascontiguousarray(block.edge_points, dtype=np.float32).view(row).ravel()
    place = np.minimum(np.searchsorted(points, wanted, sorter=order), len(points) - 1)
    return block.point_owner[order[place]].astype(np.int64)
