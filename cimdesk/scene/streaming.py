"""Streamed tilesets: tiles come and go with the view, a few uploads a frame, coloured through one texture per layer."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int
from cimdesk.model.layers import Layer
from cimdesk.model.tile_choice import TileChoice
from cimdesk.model.tileset import TileBlock, TiledCity, TileSource
from cimdesk.model.workspace import LayerData
from cimdesk.scene.highlight import MOST_OUTLINED
from cimdesk.scene.streamed_points import NOTED, StreamedPoints
from cimdesk.scene.tile_colors import TileColors
from cimdesk.scene.tile_drawing import DrawnTile, TileDrawing
from cimdesk.scene.tile_painting import TilePainting
from cimdesk.scene.tile_shapes import TileShapes
from cimdesk.scene.tile_wishes import TileWishes
from cimdesk.scene.tiles import XRAY_OPACITY
from cimdesk.scene.visual import Context, Hit, View, Visual

STILL_BUDGET, MOVING_BUDGET = (0.040, 24, 400_000), (0.004, 3, 16_000)
"""Seconds, tiles and triangles given to the graphics in one frame: while the camera moves no frame may take noticeably longer."""


class StreamedVisual(Visual):
    """Draws a tileset that is not held whole."""

    label_rank = 2
    most_outlined = MOST_OUTLINED

    def __init__(self, context: Context, layer: Layer, source: TileSource) -> None:
        super().__init__(context, layer)
        self.source = source
        self.drawing = TileDrawing(context, TileColors())
        self.points = StreamedPoints(
            context, self.drawing.colors, source, lambda row: float(self.wishes.tileset.geometric_error[row])
        )
        self.painting = TilePainting(context, source, layer, self.drawing)
        self.colors = self.drawing.colors
        self.wishes = TileWishes(context, source)
        self.shapes = TileShapes(source, self.drawing, self.points)
        self.extent = self.wishes.extent
        self.is_waiting = True
        self._is_moving = False
        source.arrived.connect(self._on_arrived)
        self.sync(layer)

    @property
    def tiles(self) -> dict[int, DrawnTile]:
        """The tiles that have actors, by row."""
        return self.drawing.tiles

    @property
    def shown(self) -> frozenset[int]:
        """Rows of the tiles that are drawn."""
        return self.drawing.shown

    @property
    def choice(self) -> TileChoice:
        """What the last view needs."""
        return self.wishes.choice

    def follows(self, data: LayerData) -> bool:
        return isinstance(data, TiledCity) and data.tiles is self.source

    def fits(self, layer: Layer) -> bool:
        return self.painting.fits(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        self.drawing.set_opacity(self._opacity())
        self._show()
        self.recolor()

    def set_time(self, time: float) -> bool:
        if self.style_moves(time):
            self.recolor()
            return True
        return False

    def recolor(self) -> None:
        """Colour every feature for the style, the theme and the moment."""
        self.painting.follow(self.points.styled(self.layer))
        self.points.paint(self._opacity(), self.painting.marked_rows)

    def mark(self, features: AbstractSet[str], rows: Int) -> bool:
        is_news = self.painting.mark(features, rows)
        if is_news:
            self.recolor()
        return is_news is not None

    def stop(self) -> None:
        self.source.arrived.disconnect(self._on_arrived)
        self.source.forget(self.wishes)

    def release(self) -> None:
        self.stop()
        self.drawing.clear()
        super().release()

    # --- tiles in and out -----------------------------------------------------------------------------------------------

    def advance(self, deadline: float) -> list[Any]:
        seconds, most, triangles = MOVING_BUDGET if self._is_moving else STILL_BUDGET
        deadline = min(deadline, perf_counter() + seconds)
        if self.drawing.settle():
            self.is_pending = True
        for block in self.wishes.there():
            if block.row in self.tiles:
                continue
            self._add(block)
            triangles -= len(block.triangles)
            most -= 1
            if most <= 0 or triangles <= 0 or perf_counter() > deadline:
                break
        self.colors.flush()
        joined, self.drawing.joined = self.drawing.joined, []
        self.actors += joined
        return joined

    def prepare(self, view: View) -> None:
        if not self.layer.visible or self.layer.opacity <= 0.0:
            self.is_waiting = self.is_pending = False
            self.nearest_first = []
            return
        self._is_moving = view.is_moving
        self._drop_evicted()
        known = self.wishes.tileset
        self.wishes.follow(view, self.drawing.ready)
        if self.wishes.tileset is not known:
            self.extent = self.wishes.extent
        self._show()
        self.points.prepare(view)
        has_more_edges = self.drawing.show_edges(view)
        self.nearest_first = self.drawing.nearest_first
        self._exchange()
        self.is_pending = bool(self.wishes.coming) or has_more_edges or self.points.is_behind
        self.is_waiting = self.wishes.is_waiting

    def _drop_evicted(self) -> None:
        gone = [row for row, tile in self.tiles.items() if self.source.block(row) is not tile.block]
        self.drawing.drop(gone)
        self.drawing.left += self.points.drop(gone)
        self._exchange()

    def _exchange(self) -> None:
        """Tell the scene what joined and left."""
        gone = set(self.drawing.left)
        self.leaving += self.drawing.left
        self.joining += self.drawing.joined
        if gone or self.drawing.joined:
            self.actors = [actor for actor in self.actors if actor not in gone] + self.drawing.joined
        self.drawing.left, self.drawing.joined = [], []

    def _add(self, block: TileBlock) -> None:
        self.wishes.note(block)
        self.shapes.note(block, block.origin - self.context.origin)
        self.painting.add(block)
        self.drawing.add(block)
        self.drawing.joined += self.points.add(block)

    def _show(self) -> None:
        is_visible = self.layer.visible and self._opacity() > 0.0
        shown = frozenset(self.choice.shown).intersection(self.drawing.ready) if is_visible else frozenset()
        if self.drawing.show(shown):
            self.is_redrawn = True
            self.points.show(shown)

    def _opacity(self) -> float:
        return self.layer.opacity * (XRAY_OPACITY if self.context.xray else 1.0)

    def _on_arrived(self, _: None) -> None:
        self.context.wake()

    # --- features -------------------------------------------------------------------------------------------------------

    def in_sight(self) -> Bool | None:
        return self.painting.in_sight()

    def rows_in_sight(self, rows: Int) -> Int:
        return np.concatenate([super().rows_in_sight(rows[rows < NOTED]), rows[rows >= NOTED]])

    def pick(self, point: Float, tolerance: float) -> Hit | None:
        return self.shapes.nearest(point, tolerance, self.in_sight())

    def pick_through(self, start: Float, end: Float) -> Hit | None:
        if self._opacity() >= 1.0 or self.context.xray:
            return None
        return self.shapes.first_on(start, end, self.in_sight())

    def anchors(self) -> Float:
        table = self.context.workspace.features(self.layer.id)
        return self.shapes.anchors(0 if table is None else len(table))

    def feature_id(self, row: int) -> str:
        return self.points.noted.name_of(row) or self.source.feature_id(row)

    def rows_of(self, features: Iterable[str]) -> Int:
        names = list(features)
        return np.concatenate([self.source.rows_of(names), self.points.noted.rows_of(names)])

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        return self.shapes.outline(rows)

    def bounds(self, rows: Int) -> Float | None:
        shape = self.shapes.bounds(rows)
        return shape if shape is not None else self.shapes.around(rows)
