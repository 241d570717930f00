"""City meshes: spatial tiles of about 2,400 buildings, coloured through one texel per feature and kind of surface."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int, UInt8
from cimdesk.model.appearance import color_layer
from cimdesk.model.city import CityModel
from cimdesk.model.layers import Layer
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.style import NEUTRAL, Coloring, rgba
from cimdesk.scene.cells import meets_box
from cimdesk.scene.city_tiles import Tile, TileMaker, tile_rows
from cimdesk.scene.geometry import (
    hide_transparent_texels,
    set_pull,
    sharp_edges,
)
from cimdesk.scene.highlight import MOST_OUTLINED, marked_pair
from cimdesk.scene.look import Look, unit_rgb
from cimdesk.scene.source_look import SourceLook, source_look
from cimdesk.scene.textures import FeatureTexture
from cimdesk.scene.visual import Context, Hit, View, Visual

XRAY_OPACITY = 0.22
EDGE_METRES_PER_PIXEL = 0.9
MOVING_METRES_PER_PIXEL = 0.15
"""Edges are drawn where a pixel is smaller than this; farther away they would only make the picture darker."""
LIGHTER = (np.arange(256) + (255 - np.arange(256)) // 3).astype(np.uint8)
"""Roof component of each wall component."""


class CityVisual(Visual):
    """Draws a city model."""

    label_rank = 2
    most_outlined = MOST_OUTLINED

    def __init__(self, context: Context, layer: Layer, city: CityModel) -> None:
        super().__init__(context, layer)
        self._marked: AbstractSet[str] = frozenset()
        self._marked_rows: Int = np.zeros(0, dtype=np.int64)
        self.city = city
        self.mesh = _local_mesh(city.finest, context.origin)
        self.count = len(city.features)
        self._source = source_look(self.mesh, context.wake) if layer.style.shows_source else None
        self.texture = FeatureTexture(2 * self.count + (0 if self._source is None else len(self._source.colors.colors)))
        self.tiles: list[Tile] = []
        self._maker = TileMaker(self.mesh, self.count, self.texture, self._source)
        self._waiting = tile_rows(self.mesh, self.count)
        self.is_pending = bool(self._waiting)
        if len(self.mesh.triangles):
            used = self.mesh.vertices[self.mesh.triangles.ravel()]
            self.extent = np.array([used.min(axis=0), used.max(axis=0)], dtype=np.float64)
        self.sync(layer)

    def advance(self, deadline: float) -> list[Any]:
        joined: list[Any] = []
        while self._waiting:
            tile = self._maker.tile(self._waiting.pop())
            self._style(tile)
            self.tiles.append(tile)
            joined += [*tile.faces, tile.edges]
            if perf_counter() > deadline:
                break
        pictures = None if self._source is None or self._waiting else self._source.advance(*self._seen())
        if pictures is not None:
            joined.append(pictures)
            self.recolor()
        self.is_pending = bool(self._waiting) or pictures is not None
        self.actors += joined
        return joined

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        for tile in self.tiles:
            self._style(tile)
        if self._source is not None:
            self._source.style(*self._seen())
        self.recolor()

    def _seen(self) -> tuple[bool, float]:
        """Return whether anything is drawn, and how opaque."""
        opacity = self._opacity()
        return self.layer.visible and opacity > 0.0, opacity

    def _style(self, tile: Tile) -> None:
        look, (is_seen, opacity) = self.context.look, self._seen()
        tile.edges.SetVisibility(False)
        for actor in tile.faces:
            actor.SetVisibility(is_seen and (actor is tile.actor or self._source is None or self._source.shows_covered))
            surface = actor.GetProperty()
            surface.SetAmbient(0.42)
            surface.SetDiffuse(0.78)
            surface.SetOpacity(opacity)
            (actor.ForceTranslucentOn if opacity < 1.0 else actor.ForceOpaqueOn)()
        lines = tile.edges.GetProperty()
        lines.SetColor(*unit_rgb(look.edge))
        lines.SetOpacity(opacity)

    def _opacity(self) -> float:
        return self.layer.opacity * (XRAY_OPACITY if self.context.xray else 1.0)

    def fits(self, layer: Layer) -> bool:
        has_own = self.mesh.colors is not None or self.mesh.pictures is not None
        return not has_own or layer.style.shows_source == (self._source is not None)

    def set_time(self, time: float) -> bool:
        if self.style_moves(time):
            self.recolor()
            return True
        return False

    def recolor(self) -> None:
        """Write the texels of every feature for the style, the theme and the moment."""
        self.show_coloring(color_layer(self.context.workspace, self.layer, self.context.time))

    def paint(self, colors: UInt8) -> None:
        """Show these (N, 4) colours; alpha 0 hides a feature."""
        self.show_coloring(Coloring(np.arange(len(colors)), colors))

    def show_coloring(self, coloring: Coloring) -> None:
        """Show each feature in the palette's colour of its code: the palette is shaded, not the features."""
        walls, roofs = shaded_pair(coloring.palette, self.context.look)
        self.texture.write_pairs(walls, roofs, coloring.codes)
        if len(self._marked_rows):
            self.texture.tint_pairs(*marked_pair(self.context.look.accent), self._marked_rows)
        hides = len(coloring) > 0 and int(coloring.palette[:, 3].min()) == 0
        if self._source is not None:
            hides |= self._show_source(self._source, np.take(coloring.palette[:, 3], coloring.codes) == 0)
        self.texture.flush()
        if hides and not self._maker.hides:
            for tile in self.tiles:
                for actor in tile.faces:
                    hide_transparent_texels(actor)
            self._maker.hides = True

    def _show_source(self, source: SourceLook, is_hidden: Bool) -> bool:
        """Write the texels of the source's colours; return whether some of them are clear."""
        is_marked = np.zeros(self.count, dtype=bool)
        is_marked[self._marked_rows] = True
        texels = source.texels(self.context.look, is_hidden, is_marked)
        self.texture.write(texels, 2 * self.count)
        for tile in self.tiles:
            if tile.covered is not None:
                tile.covered.SetVisibility(source.shows_covered and self._seen()[0])
        return source.shows_covered and bool((texels[:, 3] == 0).any())

    def mark(self, features: AbstractSet[str], rows: Int) -> bool:
        if features is self._marked or not (features or self._marked):
            return True
        self._marked = features
        is_marked = np.zeros(self.count, dtype=bool)
        is_marked[rows] = True
        # Parts belong to what is marked.
        parents = self.city.parents
        is_marked |= (parents >= 0) & is_marked[parents]
        self._marked_rows = np.flatnonzero(is_marked)
        self.recolor()
        return True

    def prepare(self, view: View) -> None:
        shown = self.layer.visible and self.layer.opacity > 0.0
        if self._source is not None and shown:
            self._source.start()
            self.is_waiting = self._source.is_waiting
        for tile in self.tiles:
            nearest = np.clip(view.eye, tile.low, tile.high)
            limit = MOVING_METRES_PER_PIXEL if view.is_moving else EDGE_METRES_PER_PIXEL
            near = shown and view.metres_per_pixel(nearest) * view.pixel_scale < limit
            tile.edges.SetVisibility(near)
            if near:
                tile.edges.GetProperty().SetLineWidth(self.context.look.edge_width * view.pixel_scale)
                set_pull(tile.edges, 0.0015, view.near, view.far)

    def pick(self, point: Float, tolerance: float) -> Hit | None:
        best: Hit | None = None
        shown = self.in_sight()
        for tile in self.tiles:
            if (point < tile.low - tolerance).any() or (point > tile.high + tolerance).any():
                continue
            hit = tile.index.nearest(point, tolerance, shown)
            if hit is not None and (best is None or hit.distance < best.distance):
                best = hit
        return best

    def pick_through(self, start: Float, end: Float) -> Hit | None:
        if self._opacity() >= 1.0 or self.context.xray:
            return None
        shown = self.in_sight()
        hits = [tile.index.first_on(start, end, shown) for tile in self.tiles if meets_box(start, end, tile.low, tile.high)]
        return min((hit for hit in hits if hit is not None), key=lambda hit: hit.distance, default=None)

    def anchors(self) -> Float:
        corners = self.mesh.vertices[self.mesh.triangles.ravel()]
        owner = np.repeat(self.mesh.feature_index, 3)
        counts = np.bincount(owner, minlength=self.count).astype(np.float64)
        counts[counts == 0] = np.nan
        mean = [np.bincount(owner, weights=corners[:, k], minlength=self.count) / counts for k in (0, 1)]
        top = np.full(self.count, -np.inf)
        np.maximum.at(top, owner, corners[:, 2])
        return np.column_stack([*mean, np.where(np.isfinite(top), top, np.nan)])

    def stop(self) -> None:
        if self._source is not None:
            self._source.stop()

    def release(self) -> None:
        self.stop()
        super().release()

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        wanted = np.zeros(self.count, dtype=bool)
        wanted[rows] = True
        wanted[np.isin(self.city.parents, rows)] = True
        part = self.mesh.of_features(wanted)
        if not len(part.triangles):
            return None
        kept, compact = np.unique(part.triangles.ravel(), return_inverse=True)
        points = self.mesh.vertices[kept]
        return points, sharp_edges(points, compact.reshape(-1, 3).astype(np.int32), part.feature_index).astype(np.int64)


def shaded_pair(colors: UInt8, look: Look) -> tuple[UInt8, UInt8]:
    """Return (N, 4) wall and roof colours: roofs a shade lighter; neutral ones as the theme paints them."""
    walls: UInt8 = np.ascontiguousarray(colors).copy()
    roofs = LIGHTER[walls]
    roofs[:, 3] = walls[:, 3]
    packed = walls.view(np.uint32).ravel()
    is_neutral = packed == np.array(rgba(NEUTRAL), dtype=np.uint8).view(np.uint32)[0]
    packed[is_neutral] = np.array(rgba(look.wall), dtype=np.uint8).view(np.uint32)[0]
    roofs.view(np.uint32).ravel()[is_neutral] = np.array(rgba(look.roof), dtype=np.uint8).view(np.uint32)[0]
    return walls, roofs


def _local_mesh(mesh: TriangleMesh, origin: Float) -> TriangleMesh:
    return mesh if np.array_equal(mesh.origin, origin) else mesh.moved_to(origin)
