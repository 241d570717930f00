"""Streamed tilesets: tiles come and go with the view, a few uploads a frame, coloured through one texture per layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int, UInt8
from cimdesk.model.appearance import color_layer
from cimdesk.model.layers import Layer
from cimdesk.model.style import NEUTRAL, StyleMode, rgba
from cimdesk.model.tileset import TileBlock, TileChoice, TiledCity, TileSource, TileView, select_tiles
from cimdesk.model.workspace import LayerData
from cimdesk.scene.cells import CellIndex
from cimdesk.scene.geometry import actor_of, hide_transparent_texels, poly_data, pull_to_eye, set_point_array, set_pull, sharp_edges
from cimdesk.scene.look import unit_rgb
from cimdesk.scene.textures import WIDTH, FeatureTexture
from cimdesk.scene.tiles import EDGE_METRES_PER_PIXEL, MOVING_METRES_PER_PIXEL, XRAY_OPACITY, shaded_pair
from cimdesk.scene.visual import Context, Hit, View, Visual

STILL_PIXELS, MOVING_PIXELS = 4.0, 16.0
"""Errors on the screen that are good enough."""
STILL_BUDGET, MOVING_BUDGET = (0.040, 24), (0.004, 3)
"""Seconds and tiles uploaded in one frame: while the camera moves no frame may take noticeably longer than the others."""
PALETTE = 4096
"""Entries of the texture for colours that the source gives."""
FIRST_ROWS = 256
COARSER, COARSEST = 1.5, 64.0
EDGES_A_FRAME = 4


@dataclass
class DrawnTile:
    """A tile with what draws it; its edges are made when they are first near enough to be seen."""

    block: TileBlock
    actor: Any
    tcoords: Float32
    array: Any
    low: Float
    high: Float
    box: tuple[list[float], list[float]]
    shift: Float
    index: CellIndex
    edges: Any = None


class StreamedVisual(Visual):
    """Draws a tileset that is not held whole."""

    label_rank = 2

    def __init__(self, context: Context, layer: Layer, source: TileSource) -> None:
        super().__init__(context, layer)
        self.source = source
        self.tiles: dict[int, DrawnTile] = {}
        self.shown: frozenset[int] = frozenset()
        self.texture = FeatureTexture(FIRST_ROWS * WIDTH)
        self.choice = TileChoice((), {}, frozenset(), False)
        self._known = source.tileset
        self.extent = self._known.bounds - context.origin
        self._palette: dict[int, int] = {}
        self._anchors: Float = np.full((0, 3), np.nan)
        self._painted = 0
        self._hides = False
        self._is_moving = False
        self._coarser = 1.0
        self._eye: Float | None = None
        self._shows_source = self._wants_source(layer)
        self.is_waiting = True
        source.arrived.connect(self._on_arrived)
        self.sync(layer)

    def follows(self, data: LayerData) -> bool:
        return isinstance(data, TiledCity) and data.tiles is self.source

    def fits(self, layer: Layer) -> bool:
        return not self._palette or self._wants_source(layer) == self._shows_source

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        if not self._palette:
            self._shows_source = self._wants_source(layer)
        for tile in self.tiles.values():
            self._style(tile)
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
        self.tiles.clear()
        super().release()

    # --- tiles in and out -----------------------------------------------------------------------------------------------

    def advance(self, deadline: float) -> list[Any]:
        seconds, most = MOVING_BUDGET if self._is_moving else STILL_BUDGET
        deadline = min(deadline, perf_counter() + seconds)
        joined: list[Any] = []
        for row in self._there_to_upload():
            block = self.source.block(row)
            if block is None:
                continue
            tile = self._uploaded(block)
            self._style(tile)
            self.tiles[row] = tile
            joined.append(tile.actor)
            if len(joined) >= most or perf_counter() > deadline:
                break
        if joined:
            self.texture.flush()
        self.actors += joined
        return joined

    def prepare(self, view: View) -> None:
        if not self.layer.visible or self.layer.opacity <= 0.0:
            self.is_waiting = self.is_pending = False
            return
        self._is_moving = view.is_moving
        self._ease(view)
        self._drop_evicted()
        allowed = (MOVING_PIXELS if view.is_moving else STILL_PIXELS) * view.pixel_scale * self._coarser
        tileset = self.source.tileset
        if tileset is not self._known:
            self._known = tileset
            self.extent = tileset.bounds - self.context.origin
        lost = _Lost(self.source)
        self.choice = select_tiles(tileset, tile_view(view, self.context.origin, allowed), self.tiles, lost)
        wishes = {row: px for row, px in self.choice.wanted.items() if self.source.block(row) is None}
        if self._coarser >= COARSEST and self.source.is_full:
            wishes = {}
        coming = [row for row in self.choice.wanted if row not in wishes]
        self.source.want(self, wishes, self.choice.kept.union(coming))
        self.is_pending = bool(coming)
        self.is_waiting = bool(wishes) and not self.choice.complete
        self._show()
        self._show_edges(view)

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
        for row in [row for row, tile in self.tiles.items() if self.source.block(row) is not tile.block]:
            tile = self.tiles.pop(row)
            gone = [actor for actor in (tile.actor, tile.edges) if actor is not None]
            self.leaving += gone
            self.actors = [actor for actor in self.actors if actor not in gone]

    def _uploaded(self, block: TileBlock) -> DrawnTile:
        shift = block.origin - self.context.origin
        points = block.points + shift.astype(np.float32)
        data = poly_data(points, block.triangles)
        self._make_room(block)
        tcoords = self.texture.coordinates(self._entries(block))
        array = set_point_array(data, tcoords, "tcoords")
        actor = actor_of(data)
        actor.SetTexture(self.texture.texture)
        actor.GetProperty().SetInterpolationToFlat()
        actor.SetVisibility(False)
        low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
        self._anchors[block.features] = block.anchors + shift
        fresh = block.features[block.features >= self._painted]
        if len(fresh):
            self._write(fresh, np.tile(np.array(rgba(self.layer.style.color), dtype=np.uint8), (len(fresh), 1)))
        return DrawnTile(
            block, actor, tcoords, array, low, high, (low.tolist(), high.tolist()), shift, CellIndex(data, block.owner)
        )

    def _entries(self, block: TileBlock) -> Int:
        """Return (P,) texels: two per feature (walls, roofs), or one per colour where the source gives colours."""
        entry: Int = PALETTE + block.features[block.point_owner] * 2 + block.is_roof
        colored = block.point_color != 0
        if self._shows_source and colored.any():
            for color in np.unique(block.point_color[colored]).tolist():
                if color not in self._palette and len(self._palette) < PALETTE:
                    self._palette[color] = len(self._palette)
                    self.texture.write(np.array([color], dtype=np.uint32).view(np.uint8).reshape(1, 4), self._palette[color])
                if color in self._palette:
                    entry = np.where(block.point_color == color, self._palette[color], entry)
        return entry

    def _make_room(self, block: TileBlock) -> None:
        """Let the texture and the anchors have a place for every feature of a tile."""
        count = int(block.features.max(initial=-1)) + 1
        while PALETTE + 2 * count > len(self.texture.texels):
            self.texture = self.texture.doubled()
            self.texture.flush()
            for tile in self.tiles.values():
                tile.tcoords[:, 1] /= 2.0
                tile.array.Modified()
                tile.actor.SetTexture(self.texture.texture)
        if count > len(self._anchors):
            grown = np.full((max(count, 2 * len(self._anchors), 4096), 3), np.nan)
            grown[: len(self._anchors)] = self._anchors
            self._anchors = grown

    def _show(self) -> None:
        shown = frozenset(self.choice.shown) if self._is_visible() else frozenset()
        for row in self.shown - shown:
            if row in self.tiles:
                self.tiles[row].actor.SetVisibility(False)
                if self.tiles[row].edges is not None:
                    self.tiles[row].edges.SetVisibility(False)
        for row in shown:
            self.tiles[row].actor.SetVisibility(True)
        self.is_redrawn = self.is_redrawn or shown != self.shown
        self.shown = shown

    def _show_edges(self, view: View) -> None:
        limit = MOVING_METRES_PER_PIXEL if view.is_moving else EDGE_METRES_PER_PIXEL
        made = 0
        reach = (limit / (view.slope * view.pixel_scale)) ** 2
        eye = view.eye.tolist()
        for row in self.shown:
            tile = self.tiles[row]
            away = (max(low - e, e - high, 0.0) for e, low, high in zip(eye, *tile.box, strict=True))
            near = sum(step * step for step in away) < reach
            if near and tile.edges is None and made < EDGES_A_FRAME and len(tile.block.edges):
                made += 1
                self._make_edges(tile)
            if tile.edges is not None:
                tile.edges.SetVisibility(near)
                if near:
                    tile.edges.GetProperty().SetLineWidth(self.context.look.edge_width * view.pixel_scale)
                    set_pull(tile.edges, 0.0015, view.near, view.far)
        self.is_pending = self.is_pending or made == EDGES_A_FRAME

    def _make_edges(self, tile: DrawnTile) -> None:
        points = tile.block.edge_points + tile.shift.astype(np.float32)
        tile.edges = actor_of(poly_data(points, lines=tile.block.edges))
        tile.edges.GetProperty().LightingOff()
        tile.edges.PickableOff()
        pull_to_eye(tile.edges)
        self._style(tile)
        self.joining.append(tile.edges)
        self.actors.append(tile.edges)

    # --- colours --------------------------------------------------------------------------------------------------------

    def recolor(self) -> None:
        """Write the texels of every feature for the style, the theme and the moment."""
        colors = color_layer(self.context.workspace, self.layer, self.context.time).colors
        room = (len(self.texture.texels) - PALETTE) // 2
        self._painted = min(len(colors), room)
        self._write_all(colors[: self._painted])
        rest = np.arange(self._painted, min(self.source.feature_count, room))
        if len(rest):
            self._write(rest, np.tile(np.array(rgba(self.layer.style.color), dtype=np.uint8), (len(rest), 1)))
        self.texture.flush()
        if not self._hides and self._painted and int(colors[: self._painted, 3].min()) == 0:
            self._hides = True
            for tile in self.tiles.values():
                hide_transparent_texels(tile.actor)

    def _write_all(self, colors: UInt8) -> None:
        walls, roofs = shaded_pair(colors, self.context.look)
        self.texture.write(walls, PALETTE, 2)
        self.texture.write(roofs, PALETTE + 1, 2)

    def _write(self, rows: Int, colors: UInt8) -> None:
        walls, roofs = shaded_pair(colors, self.context.look)
        self.texture.texels[PALETTE + 2 * rows] = walls
        self.texture.texels[PALETTE + 2 * rows + 1] = roofs

    def _style(self, tile: DrawnTile) -> None:
        look, opacity = self.context.look, self._opacity()
        surface = tile.actor.GetProperty()
        surface.SetAmbient(0.42)
        surface.SetDiffuse(0.78)
        surface.SetOpacity(opacity)
        (tile.actor.ForceTranslucentOn if opacity < 1.0 else tile.actor.ForceOpaqueOn)()
        if tile.edges is not None:
            tile.edges.GetProperty().SetColor(*unit_rgb(look.edge))
            tile.edges.GetProperty().SetOpacity(opacity)
        if self._hides and tile.block.row not in self.tiles:
            hide_transparent_texels(tile.actor)

    def _opacity(self) -> float:
        return self.layer.opacity * (XRAY_OPACITY if self.context.xray else 1.0)

    def _is_visible(self) -> bool:
        return self.layer.visible and self._opacity() > 0.0

    @staticmethod
    def _wants_source(layer: Layer) -> bool:
        return layer.style.mode is StyleMode.SINGLE and layer.style.color == NEUTRAL

    # --- features -------------------------------------------------------------------------------------------------------

    def pick(self, point: Float, tolerance: float) -> Hit | None:
        best: Hit | None = None
        for row in self.shown:
            tile = self.tiles[row]
            if (point < tile.low - tolerance).any() or (point > tile.high + tolerance).any():
                continue
            hit = tile.index.nearest(point, tolerance)
            if hit is not None and (best is None or hit.distance < best.distance):
                best = Hit(int(tile.block.features[hit.row]), hit.distance)
        return best

    def anchors(self) -> Float:
        table = self.context.workspace.features(self.layer.id)
        count = 0 if table is None else len(table)
        known = self._anchors[:count]
        return known if len(known) == count else np.concatenate([known, np.full((count - len(known), 3), np.nan)])

    def feature_id(self, row: int) -> str:
        return self.source.feature_id(row)

    def rows_of(self, features: Iterable[str]) -> Int:
        return self.source.rows_of(list(features))

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        points: list[Float32] = []
        lines: list[Int] = []
        start = 0
        for row in self.shown:
            tile = self.tiles[row]
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
