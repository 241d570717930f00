"""Streamed tilesets: tiles come and go with the view, a few uploads a frame, coloured through one texture per layer."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int
from cimdesk.model.appearance import color_layer
from cimdesk.model.layers import Layer
from cimdesk.model.style import NEUTRAL, StyleMode
from cimdesk.model.tile_choice import TileChoice, TileView, select_tiles
from cimdesk.model.tileset import TileBlock, TiledCity, TileSource
from cimdesk.model.workspace import LayerData
from cimdesk.scene.cells import meets_box
from cimdesk.scene.geometry import sharp_edges
from cimdesk.scene.highlight import MOST_OUTLINED
from cimdesk.scene.streamed_points import NOTED, POINTS_PER_TRIANGLE, StreamedPoints
from cimdesk.scene.tile_colors import TileColors
from cimdesk.scene.tile_drawing import DrawnTile, TileDrawing
from cimdesk.scene.tile_style import ArrivingStyle
from cimdesk.scene.tiles import XRAY_OPACITY
from cimdesk.scene.visual import Context, Hit, View, Visual

STILL_PIXELS, MOVING_PIXELS = 4.0, 9.0
"""Errors on the screen that are good enough."""
STILL_BUDGET, MOVING_BUDGET = (0.040, 24, 400_000), (0.004, 3, 16_000)
"""Seconds, tiles and triangles given to the graphics in one frame: while the camera moves no frame may take noticeably longer."""
STILL_TRIANGLES, MOVING_TRIANGLES = 150_000, 80_000
"""Drawn at most where the tileset has something coarser: what one processor draws in a tenth, or a twentieth, of a second."""
COARSER, COARSEST = 1.5, 64.0


class StreamedVisual(Visual):
    """Draws a tileset that is not held whole."""

    label_rank = 2
    most_outlined = MOST_OUTLINED

    def __init__(self, context: Context, layer: Layer, source: TileSource) -> None:
        super().__init__(context, layer)
        self._marked: AbstractSet[str] = frozenset()
        self._marked_rows: Int = np.zeros(0, dtype=np.int64)
        self.source = source
        self.colors = TileColors()
        self.drawing = TileDrawing(context, self.colors)
        self.points = StreamedPoints(context, self.colors, lambda row: float(self._known.geometric_error[row]))
        self.arriving = ArrivingStyle(context, source, layer)
        self.drawing.kept_edges = self.arriving.edges
        self.choice = TileChoice((), {}, frozenset(), False)
        self._known = source.tileset
        self.extent = self._known.bounds - context.origin
        self._anchors: Float = np.full((0, 3), np.nan)
        self._triangles: dict[int, int] = {}
        self._is_moving = False
        self._coarser = 1.0
        self._eye: Float | None = None
        self.colors.shows_source = self._wants_source(layer)
        self.is_waiting = True
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

    def follows(self, data: LayerData) -> bool:
        return isinstance(data, TiledCity) and data.tiles is self.source

    def fits(self, layer: Layer) -> bool:
        return not self.colors.has_source or self._wants_source(layer) == self.colors.shows_source

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        if not self.colors.has_source:
            self.colors.shows_source = self._wants_source(layer)
        self.drawing.set_opacity(self._opacity())
        self._show()
        self.recolor()

    def set_time(self, time: float) -> bool:
        if self.style_moves(time):
            self.recolor()
            return True
        return False

    def stop(self) -> None:
        self.source.arrived.disconnect(self._on_arrived)
        self.source.forget(self)

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
        for row in self._there_to_upload():
            block = self.source.block(row)
            if block is None:
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
            return
        self._is_moving = self.source.is_gentle = view.is_moving
        self._ease(view)
        self._drop_evicted()
        tileset = self.source.tileset
        if tileset is not self._known:
            self._known = tileset
            self.extent = tileset.bounds - self.context.origin
        self.choice = self._choose(view)
        wishes = {row: px for row, px in self.choice.wanted.items() if self.source.block(row) is None}
        if self._coarser >= COARSEST and self.source.is_full:
            wishes = {}
        coming = [row for row in self.choice.wanted if row not in wishes]
        self.source.want(self, wishes, self.choice.kept.union(coming))
        self._show()
        self.points.prepare(view)
        has_more_edges = self.drawing.show_edges(view)
        self._exchange()
        self.is_pending = bool(coming) or has_more_edges
        self.is_waiting = bool(wishes) and not self.choice.complete

    def _choose(self, view: View) -> TileChoice:
        pixels, triangles = (MOVING_PIXELS, MOVING_TRIANGLES) if view.is_moving else (STILL_PIXELS, STILL_TRIANGLES)
        seen = tile_view(view, self.context.origin, pixels * view.pixel_scale * self._coarser)
        return select_tiles(
            self._known,
            seen,
            self.drawing.ready,
            _Lost(self.source),
            triangles=self._triangles,
            most_triangles=triangles,
            start=self.choice.coarser,
        )

    def _ease(self, view: View) -> None:
        """Ask for coarser tiles while the memory does not hold those wanted, and for finer ones again when the eye has moved."""
        if self.source.is_full:
            self._coarser = min(self._coarser * COARSER, COARSEST)
            self._eye = view.eye
        elif self._coarser > 1.0 and self._eye is not None:
            moved = float(np.linalg.norm(view.eye - self._eye)) > 0.05 * max(float(view.eye[2]), 50.0)
            self._coarser = max(self._coarser / COARSER, 1.0) if moved else self._coarser
            self._eye = view.eye if moved else self._eye

    def _there_to_upload(self) -> list[int]:
        wanted = self.choice.wanted
        ready = [row for row in wanted if row not in self.tiles and self.source.block(row) is not None]
        return sorted(ready, key=lambda row: -wanted[row])

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
        count = int(block.features.max(initial=-1)) + 1
        if self.colors.make_room(count):
            self.drawing.follow_texture()
        if count > len(self._anchors):
            grown = np.full((max(count, 2 * len(self._anchors), 4096), 3), np.nan)
            grown[: len(self._anchors)] = self._anchors
            self._anchors = grown
        self._anchors[block.features] = block.anchors + (block.origin - self.context.origin)
        self._triangles[block.row] = len(block.triangles) + (len(block.cloud) // POINTS_PER_TRIANGLE if block.cloud else 0)
        self._paint_fresh(block.features[block.features >= self.colors.painted])
        self.drawing.add(block)
        self.drawing.joined += self.points.add(block)

    def _show(self) -> None:
        is_visible = self.layer.visible and self._opacity() > 0.0
        shown = frozenset(self.choice.shown).intersection(self.drawing.ready) if is_visible else frozenset()
        if self.drawing.show(shown):
            self.is_redrawn = True
            self.points.show(shown)

    # --- colours --------------------------------------------------------------------------------------------------------

    def recolor(self) -> None:
        """Write the texels of every feature for the style, the theme and the moment."""
        coloring = color_layer(self.context.workspace, self.layer, self.context.time)
        if self.arriving.follow(self.layer, self.context.workspace.features(self.layer.id)):
            self.drawing.forget_edges()
        if self.colors.make_room(len(coloring)):
            self.drawing.follow_texture()
        self.colors.paint(coloring, self.context.look)
        if self.colors.has_clear:
            self.drawing.hide_clear()
        self._paint_fresh(np.arange(len(coloring), min(self.source.feature_count, self.colors.room)))
        if len(self._marked_rows):
            self.colors.mark(self._marked_rows, self.context.look)
        self.colors.flush()
        self.points.paint(self._opacity(), self._marked_rows)

    def _paint_fresh(self, rows: Int) -> None:
        """Colour features that came since the last edit as the layer's style, filter and hidden features have it."""
        if len(rows):
            self.colors.paint_rows(rows, self.arriving.coloring(rows), self.context.look)
            if self.colors.has_clear:
                self.drawing.hide_clear()
            if self._marked:
                marked = np.array([self.source.feature_id(row) in self._marked for row in rows.tolist()], dtype=bool)
                self._mark_more(rows[marked])

    def _mark_more(self, rows: Int) -> None:
        """Mark features that are selected and have just come."""
        if len(rows) and self.colors.mark(rows, self.context.look):
            self._marked_rows = np.union1d(self._marked_rows, rows)

    def mark(self, features: AbstractSet[str], rows: Int) -> bool:
        if features and self.colors.has_source:
            return False
        if features is self._marked or not (features or self._marked):
            return True
        self._marked, self._marked_rows = features, rows[rows < NOTED]
        self.recolor()
        return True

    def in_sight(self) -> Bool | None:
        return self.arriving.in_sight()

    def _opacity(self) -> float:
        return self.layer.opacity * (XRAY_OPACITY if self.context.xray else 1.0)

    @staticmethod
    def _wants_source(layer: Layer) -> bool:
        # The texels of source colours are shared by features, so that none of them can be hidden alone.
        return layer.style.mode is StyleMode.SINGLE and layer.style.color == NEUTRAL and not layer.shows_part

    # --- features -------------------------------------------------------------------------------------------------------

    def pick(self, point: Float, tolerance: float) -> Hit | None:
        best: Hit | None = None
        shown = self.in_sight()
        for tile in self.drawing.shown_tiles():
            if (point < tile.low - tolerance).any() or (point > tile.high + tolerance).any():
                continue
            hit = tile.index.nearest(point, tolerance, None if shown is None else shown[tile.block.features])
            if hit is not None and (best is None or hit.distance < best.distance):
                best = Hit(int(tile.block.features[hit.row]), hit.distance)
        found = self.points.nearest(point, tolerance)
        if found is None or (best is not None and best.distance <= found.distance):
            return best
        return Hit(self.points.row_for(found, self.source.notes), found.distance)

    def pick_through(self, start: Float, end: Float) -> Hit | None:
        if self._opacity() >= 1.0 or self.context.xray:
            return None
        best: Hit | None = None
        shown = self.in_sight()
        for tile in self.drawing.shown_tiles():
            if meets_box(start, end, tile.low, tile.high):
                hit = tile.index.first_on(start, end, None if shown is None else shown[tile.block.features])
                if hit is not None and (best is None or hit.distance < best.distance):
                    best = Hit(int(tile.block.features[hit.row]), hit.distance)
        return best

    def anchors(self) -> Float:
        table = self.context.workspace.features(self.layer.id)
        count = 0 if table is None else len(table)
        known = self._anchors[:count]
        return known if len(known) == count else np.concatenate([known, np.full((count - len(known), 3), np.nan)])

    def feature_id(self, row: int) -> str:
        return self.points.noted.name_of(row) or self.source.feature_id(row)

    def rows_of(self, features: Iterable[str]) -> Int:
        names = list(features)
        return np.concatenate([self.source.rows_of(names), self.points.noted.rows_of(names)])

    def rows_in_sight(self, rows: Int) -> Int:
        return np.concatenate([super().rows_in_sight(rows[rows < NOTED]), rows[rows >= NOTED]])

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        points: list[Float32] = []
        lines: list[Int] = []
        start = 0
        for tile in self.drawing.shown_tiles():
            is_wanted: Bool = np.isin(tile.block.features, rows)
            if not is_wanted.any():
                continue
            mine = is_wanted[tile.block.owner]
            kept, compact = np.unique(tile.block.triangles[mine].ravel(), return_inverse=True)
            part = tile.block.points[kept] + tile.shift.astype(np.float32)
            edges = sharp_edges(part, compact.reshape(-1, 3).astype(np.int32), tile.block.owner[mine])
            points.append(part)
            lines.append(edges.astype(np.int64) + start)
            start += len(part)
        for cloud, arms in self.points.outline(rows):
            points.append(cloud)
            lines.append(arms + start)
            start += len(cloud)
        return (np.concatenate(points), np.concatenate(lines)) if points else None

    def bounds(self, rows: Int) -> Float | None:
        shape = super().bounds(rows)
        if shape is not None:
            return shape
        known = self._anchors[rows[rows < len(self._anchors)]]
        known = known[np.isfinite(known).all(axis=1)]
        return np.array([known.min(axis=0) - 20.0, known.max(axis=0)]) if len(known) else None

    def _on_arrived(self, _: None) -> None:
        self.context.wake()


class _Lost:
    """The rows that cannot be had, asked one by one."""

    def __init__(self, source: TileSource) -> None:
        self._source = source

    def __contains__(self, row: object) -> bool:
        return isinstance(row, int) and self._source.is_lost(row)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def tile_view(view: View, origin: Float, max_pixels: float) -> TileView:
    """Return what the choice of tiles needs of a view in coordinates local to ``origin``."""
    m = view.matrix
    planes = np.array([m[3] + m[0], m[3] - m[0], m[3] + m[1], m[3] - m[1]])
    planes /= np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    planes[:, 3] -= planes[:, :3] @ origin
    return TileView(view.eye + origin, planes, view.slope, max_pixels)
