"""A terrain drawn in chunks that follow the view, and the metric grid that stands for it in the X-ray view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int
from cimdesk.model.elevation import ElevationSource, Rectangle
from cimdesk.model.grid_source import GridSource
from cimdesk.model.layers import Layer
from cimdesk.model.terrain import Terrain, TerrainLook, TerrainStyle
from cimdesk.scene.geometry import actor_of, poly_data, pull_to_eye, set_pull
from cimdesk.scene.look import unit_rgb
from cimdesk.scene.relief import base_height
from cimdesk.scene.terrain_chunks import Chunk, ChunkBlock, Drape, build_chunk, upload_chunk
from cimdesk.scene.terrain_paint import GroundPainter, HeightScale
from cimdesk.scene.terrain_store import ChunkStore
from cimdesk.scene.terrain_tree import Chooser, ChunkChoice, ChunkTree, Key, KnownChunk
from cimdesk.scene.visual import Context, View, Visual

STILL_PIXELS, MOVING_PIXELS = 4.0, 16.0
"""Errors on the screen that are good enough."""
STILL_BUDGET, MOVING_BUDGET = (0.040, 24), (0.004, 3)
"""Seconds and chunks uploaded in one frame."""
TEXEL_SHARE = 2.0
"""Error that a texel counts for, in its own size: ground is sharp when a texel is two pixels wide at most."""
MEMORY = 224 << 20
"""Bytes that chunks may take."""
COARSER, COARSEST = 1.4, 32.0
DRAPED_CELL = 0.2
"""Spacing to which ground is refined under pictures [m], whatever its elevations have."""
XRAY_OPACITY = 0.55
GRID_PULL = 0.002
GRID_STEPS = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)


@dataclass
class _Resident:
    """A chunk that can be drawn."""

    chunk: Chunk
    known: KnownChunk
    painter: GroundPainter
    frame: int = 0


class TerrainVisual(Visual):
    """Draws a terrain of any size."""

    def __init__(self, context: Context, layer: Layer, terrain: Terrain) -> None:
        super().__init__(context, layer)
        self.terrain = terrain
        self.source: ElevationSource = terrain.source if terrain.source is not None else GridSource(terrain)
        self.scale = HeightScale.of(terrain)
        low, high = terrain.bounds
        self.base = base_height(np.array([low[2], high[2]])) if np.isfinite([low[2], high[2]]).all() else 0.0
        self._bounds: Rectangle = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        self.tree = ChunkTree.over(self._bounds, self.source.cell)
        self.extent = np.nan_to_num(np.array([[low[0], low[1], self.base], high])) - context.origin
        self.chunks: dict[Key, _Resident] = {}
        self.empty: set[Key] = set()
        self.choice = ChunkChoice()
        self.store = ChunkStore(self._build, context.wake)
        self._shown: frozenset[Key] = frozenset()
        self._drape: Drape | None = None
        self._is_moving = False
        self._frame = 0
        self._coarser = 1.0
        self._exaggeration = 1.0
        self.painter = self._new_painter()
        grid_points, segments = grid_lines(terrain, context.origin)
        self.grid = actor_of(poly_data(grid_points, lines=segments))
        self.grid.GetProperty().LightingOff()
        pull_to_eye(self.grid)
        self.actors = [self.grid]
        self.is_waiting = not self.source.is_quick
        self.sync(layer)
        self.choice.wanted = dict.fromkeys(self.tree.roots(), np.inf)
        if self.source.is_quick:
            self.actors += self.advance(np.inf)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        self._exaggeration = TerrainStyle.of(layer.options).exaggeration
        for each in self.chunks.values():
            self._style(each.chunk)
        self._show()
        shown = self._is_visible()
        self.grid.SetVisibility(shown and self.context.xray)
        self.grid.GetProperty().SetColor(*unit_rgb(self.context.look.dim))
        self.grid.GetProperty().SetOpacity(0.35)
        self._repaint()

    def stop(self) -> None:
        self.store.close()
        for each in self.chunks.values():
            each.chunk.is_in_use = False
        self._follow_drape(None)

    def release(self) -> None:
        self.stop()
        self.chunks.clear()
        super().release()

    # --- chunks in and out ----------------------------------------------------------------------------------------------

    def advance(self, deadline: float) -> list[Any]:
        seconds, most = MOVING_BUDGET if self._is_moving else STILL_BUDGET
        deadline = min(deadline, perf_counter() + seconds)
        joined: list[Any] = []
        for key, block in self._coming(deadline):
            if block is None:
                self.empty.add(key)
                continue
            if len(joined) >= most or (joined and perf_counter() > deadline):
                self.store.put_back(key, block)
                continue
            joined.append(self._add(key, block).actor)
        self._freshen(deadline)
        self.actors += joined
        return joined

    def _coming(self, deadline: float) -> list[tuple[Key, ChunkBlock | None]]:
        """Return the blocks that came; elevations in memory are read here and now, as long as there is time."""
        if not self.source.is_quick:
            done = self.store.take()
            wanted = self.choice.wanted
            return sorted(((k, b) for k, b in done.items() if k not in self.chunks), key=lambda item: -wanted.get(item[0], 0.0))
        found: list[tuple[Key, ChunkBlock | None]] = []
        for key in sorted(self.choice.wanted, key=lambda k: -self.choice.wanted[k]):
            if key not in self.chunks and key not in self.empty:
                found.append((key, self._build(key)))
            if perf_counter() > deadline:
                break
        return found

    def _build(self, key: Key) -> ChunkBlock | None:
        return build_chunk(self.source, self.tree.rectangle(key), self.painter)

    def _add(self, key: Key, block: ChunkBlock) -> Chunk:
        west, south, east, north = block.bounds
        # A neighbour may be a few levels coarser; its error is that of a parent.
        skirt = 4.0 * block.error + 0.03 * max(east - west, north - south)
        chunk = upload_chunk(block, self.context.origin, self.base, self.tree.rim(key), skirt)
        chunk.wake = self.context.wake
        texel = max(east - west, north - south) / (block.texels.shape[0] - 2)
        error = max(block.error, TEXEL_SHARE * texel)
        low = (float(chunk.low[0]), float(chunk.low[1]), block.low - float(self.context.origin[2]))
        high = (float(chunk.high[0]), float(chunk.high[1]), block.high - float(self.context.origin[2]))
        resident = _Resident(chunk, KnownChunk(low, high, error), self.painter, self._frame)
        self.chunks[key] = resident
        chunk.actor.SetVisibility(False)
        self._style(chunk)
        if self._drape is not None:
            self.store.run(partial(chunk.request, self._drape))
        return chunk

    def _freshen(self, deadline: float) -> None:
        """Recolour what has the look of before, and upload pictures that came, as long as there is time."""
        for key in (*self._shown, *(key for key in self.chunks if key not in self._shown)):
            each = self.chunks[key]
            if each.painter is not self.painter:
                each.chunk.repaint(self.painter)
                each.painter = self.painter
            if each.chunk.is_changed:
                each.chunk.upload()
                if perf_counter() > deadline:
                    break

    def prepare(self, view: View) -> None:
        if self.context.xray:
            set_pull(self.grid, GRID_PULL, view.near, view.far)
        if not self._is_visible():
            self.is_waiting = self.is_pending = False
            return
        self._is_moving = view.is_moving
        self._frame += 1
        self._follow_drape(self.context.drape)
        self._repaint()
        allowed = (MOVING_PIXELS if view.is_moving else STILL_PIXELS) * view.pixel_scale * self._coarser
        low, high = self._stretched(self.extent[0, 2]), self._stretched(self.extent[1, 2])
        chooser = Chooser(self.tree, view, self.context.origin, allowed, self._known, self.empty)
        self.choice = chooser.choose(low, high)
        for key in self.choice.used:
            self.chunks[key].frame = self._frame
        self._make_room()
        wanted = {key: pixels for key, pixels in self.choice.wanted.items() if not self.store.is_lost(key)}
        self.choice.wanted = wanted
        is_stale = any(each.chunk.is_changed or each.painter is not self.painter for each in self.chunks.values())
        if self.source.is_quick:
            self.is_pending = bool(wanted) or is_stale
        else:
            self.store.want(wanted)
            self.is_waiting = bool(wanted) and self.store.is_busy
            self.is_pending = is_stale or (bool(wanted) and not self.is_waiting)
        self._show()

    def _known(self, key: Key) -> KnownChunk | None:
        each = self.chunks.get(key)
        if each is None or self._exaggeration == 1.0:
            return None if each is None else each.known
        low, high = each.known.low, each.known.high
        return replace(each.known, low=(*low[:2], self._stretched(low[2])), high=(*high[:2], self._stretched(high[2])))

    def _stretched(self, height: float) -> float:
        base = self.base - float(self.context.origin[2])
        return float(base + (height - base) * self._exaggeration)

    def _make_room(self) -> None:
        """Let go of what was longest out of use; where what is in use does not fit, ask for coarser chunks."""
        used = sum(each.chunk.block.size for each in self.chunks.values())
        if used <= MEMORY:
            self._coarser = max(1.0, self._coarser / COARSER) if used < 0.5 * MEMORY else self._coarser
            return
        for key in sorted(self.chunks, key=lambda k: self.chunks[k].frame):
            each = self.chunks[key]
            if used <= 0.9 * MEMORY or each.frame >= self._frame:
                break
            used -= each.chunk.block.size
            self._drop(key)
        if used > MEMORY:
            self._coarser = min(self._coarser * COARSER, COARSEST)

    def _drop(self, key: Key) -> None:
        chunk = self.chunks.pop(key).chunk
        chunk.is_in_use = False
        self.leaving.append(chunk.actor)
        self.actors = [actor for actor in self.actors if actor is not chunk.actor]

    def _show(self) -> None:
        shown = frozenset(self.choice.shown) if self._is_visible() else frozenset()
        for key in self._shown - shown:
            if key in self.chunks:
                self.chunks[key].chunk.actor.SetVisibility(False)
        for key in shown:
            self.chunks[key].chunk.actor.SetVisibility(True)
        self._shown = shown

    # --- looks ----------------------------------------------------------------------------------------------------------

    def _new_painter(self) -> GroundPainter:
        style = TerrainStyle.of(self.layer.options)
        by_height = style.look is TerrainLook.HEIGHTS or (style.look is TerrainLook.AUTO and not self.context.carries_city)
        return GroundPainter(self.scale, self.context.look, by_height, style)

    def _repaint(self) -> None:
        painter = self._new_painter()
        if painter != self.painter:
            self.painter = painter
            self.is_pending = True

    def _style(self, chunk: Chunk) -> None:
        opacity = self.layer.opacity * (XRAY_OPACITY if self.context.xray else 1.0)
        chunk.actor.GetProperty().SetOpacity(opacity)
        (chunk.actor.ForceTranslucentOn if opacity < 1.0 else chunk.actor.ForceOpaqueOn)()
        if chunk.block.has_holes:
            chunk.actor.GetShaderProperty().GetFragmentCustomUniforms().SetUniformf("holeCut", 0.5 * opacity)
        chunk.actor.SetScale(1.0, 1.0, self._exaggeration)
        chunk.actor.SetPosition(0.0, 0.0, self._stretched(0.0))

    def _is_visible(self) -> bool:
        return self.layer.visible and self.layer.opacity > 0.0

    def _follow_drape(self, drape: Drape | None) -> None:
        if drape is self._drape:
            return
        if self._drape is not None:
            self._drape.changed.disconnect(self._on_pictures)
        self._drape = drape
        cell = self.source.cell if drape is None else min(self.source.cell, DRAPED_CELL)
        self.tree = ChunkTree.over(self._bounds, cell)
        if drape is not None:
            drape.changed.connect(self._on_pictures)
            self._on_pictures(None)
        else:
            for each in self.chunks.values():
                each.chunk.set_picture(None)

    def _on_pictures(self, _: None) -> None:
        if self._drape is not None:
            for each in self.chunks.values():
                self.store.run(partial(each.chunk.request, self._drape))
        self.context.wake()


def grid_lines(terrain: Terrain, origin: Float) -> tuple[Float32, Int]:
    """Return local points and segments of a metric grid on the surface: the depth cue of the X-ray view."""
    (west, south, _), (east, north, _) = terrain.bounds
    spacing = next((s for s in GRID_STEPS if (east - west) / s <= 30), GRID_STEPS[-1])
    xs, ys = (
        np.arange(np.ceil(west / spacing), east / spacing) * spacing,
        np.arange(np.ceil(south / spacing), north / spacing) * spacing,
    )
    steps = 96
    lines = [np.column_stack([np.full(steps, x), np.linspace(south, north, steps)]) for x in xs]
    lines += [np.column_stack([np.linspace(west, east, steps), np.full(steps, y)]) for y in ys]
    if not lines:
        return np.zeros((0, 3), dtype=np.float32), np.zeros((0, 2), dtype=np.int64)
    xy = np.concatenate(lines)
    z = replace(terrain, source=None).sample(xy)
    first = np.arange(len(xy) - 1)
    known = np.isfinite(z)
    first = first[((first + 1) % steps != 0) & known[:-1] & known[1:]]
    points = np.column_stack([xy, np.where(known, z, 0.0)]) - origin
    return points.astype(np.float32), np.column_stack([first, first + 1])
