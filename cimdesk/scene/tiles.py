"""City meshes: spatial tiles of about 2,400 buildings, coloured through one texel per feature and kind of surface."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int, Int32, UInt8
from cimdesk.model.appearance import color_layer
from cimdesk.model.city import CityModel
from cimdesk.model.layers import Layer
from cimdesk.model.mesh import Surface, TriangleMesh
from cimdesk.model.style import NEUTRAL, Coloring, rgba
from cimdesk.scene.cells import CellIndex, meets_box
from cimdesk.scene.geometry import (
    actor_of,
    hide_lines_by_texels,
    hide_transparent_texels,
    poly_data,
    pull_to_eye,
    set_point_array,
    set_pull,
    sharp_edges,
)
from cimdesk.scene.highlight import MOST_OUTLINED, marked_pair
from cimdesk.scene.look import Look, unit_rgb
from cimdesk.scene.source_look import SourceLook, source_look
from cimdesk.scene.textures import FeatureTexture
from cimdesk.scene.visual import Context, Hit, View, Visual

FEATURES_PER_TILE = 2400
XRAY_OPACITY = 0.22
EDGE_METRES_PER_PIXEL = 0.9
MOVING_METRES_PER_PIXEL = 0.15
LIGHTER = (np.arange(256) + (255 - np.arange(256)) // 3).astype(np.uint8)
"""Roof component of each wall component."""
"""Edges are drawn where a pixel is smaller than this; farther away they would only make the picture darker."""


@dataclass
class Tile:
    """One batch of features; ``covered`` are those of its faces that pictures are drawn instead of, None for none."""

    actor: Any
    covered: Any
    edges: Any
    low: Float
    high: Float
    index: CellIndex

    @property
    def faces(self) -> list[Any]:
        """Actors of faces."""
        return [self.actor] if self.covered is None else [self.actor, self.covered]


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
        self._hides = False
        self._entry = self._entries()
        self._waiting = _tile_rows(self.mesh, self.count)
        self.is_pending = bool(self._waiting)
        if len(self.mesh.triangles):
            used = self.mesh.vertices[self.mesh.triangles.ravel()]
            self.extent = np.array([used.min(axis=0), used.max(axis=0)], dtype=np.float64)
        self.sync(layer)

    def advance(self, deadline: float) -> list[Any]:
        joined: list[Any] = []
        while self._waiting:
            rows = self._waiting.pop()
            tile = self._tile(rows, self._entry[rows])
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

    def _entries(self) -> Int:
        """Return (T,) texels: two per feature (walls, roofs), or one per material where the source gives colours."""
        roof = self.mesh.surface == Surface.ROOF
        entry: Int = self.mesh.feature_index.astype(np.int64) * 2 + roof
        return entry if self._source is None else self._source.entries(entry, 2 * self.count)

    def _tile(self, rows: Int, entry: Int) -> Tile:
        triangles = self.mesh.triangles[rows]
        # A vertex is shared within a feature's surfaces of one kind only: it carries that texel.
        code = triangles.astype(np.int64) + entry[:, None] * np.int64(len(self.mesh.vertices))
        unique, compact = np.unique(code.ravel(), return_inverse=True)
        points = self.mesh.vertices[unique % len(self.mesh.vertices)]
        cells = compact.reshape(-1, 3).astype(np.int32)
        data = poly_data(points, cells)
        entries = unique // len(self.mesh.vertices)
        owner = self.mesh.feature_index[rows]
        low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
        edges = self._edge_actor(rows, points, cells, owner, entries)
        coordinates = self.texture.coordinates(entries)
        index = CellIndex(data, owner)
        is_covered = None if self._source is None else self._source.is_covered(rows)
        if is_covered is None or not is_covered.any():
            return Tile(self._face_actor(data, coordinates), None, edges, low, high, index)
        plain = self._face_actor(poly_data(points, cells[~is_covered]), coordinates)
        return Tile(plain, self._face_actor(poly_data(points, cells[is_covered]), coordinates), edges, low, high, index)

    def _face_actor(self, data: Any, coordinates: Float32) -> Any:
        set_point_array(data, coordinates, "tcoords")
        actor = actor_of(data)
        actor.SetTexture(self.texture.texture)
        actor.GetProperty().SetInterpolationToFlat()
        if self._hides:
            hide_transparent_texels(actor)
        return actor

    def _edge_actor(self, rows: Int, points: Float32, cells: Int32, owner: Int32, entries: Int) -> Any:
        if len(self.mesh.edges):
            used = np.zeros(len(self.mesh.vertices), dtype=bool)
            used[self.mesh.triangles[rows].ravel()] = True
            edges = self.mesh.edges[used[self.mesh.edges[:, 0]] & used[self.mesh.edges[:, 1]]]
            kept, compact = np.unique(edges.ravel(), return_inverse=True)
            data = poly_data(self.mesh.vertices[kept], lines=compact.reshape(-1, 2))
            owner_of = np.zeros(len(self.mesh.vertices), dtype=np.int64)
            owner_of[self.mesh.triangles[rows].ravel()] = np.repeat(owner, 3)
            entries = 2 * owner_of[kept]
        else:
            data = poly_data(points, lines=sharp_edges(points, cells, owner))
        set_point_array(data, self.texture.coordinates(entries), "tcoords")
        actor = actor_of(data)
        actor.SetTexture(self.texture.texture)
        hide_lines_by_texels(actor)
        actor.GetProperty().LightingOff()
        actor.PickableOff()
        pull_to_eye(actor)
        return actor

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
        if hides and not self._hides:
            for tile in self.tiles:
                for actor in tile.faces:
                    hide_transparent_texels(actor)
            self._hides = True

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


def _tile_rows(mesh: TriangleMesh, count: int) -> list[Int]:
    """Return the triangle rows of each tile: features split by alternate medians of their centres."""
    if not len(mesh.triangles):
        return []
    first = np.full(count, -1, dtype=np.int64)
    first[mesh.feature_index[::-1]] = np.arange(len(mesh.triangles))[::-1]
    present = np.flatnonzero(first >= 0)
    centres = mesh.vertices[mesh.triangles[first[present], 0], :2]
    tile_of = np.zeros(count, dtype=np.int64)
    pieces = [np.arange(len(present))]
    done: list[Int] = []
    while pieces:
        piece = pieces.pop()
        if len(piece) <= FEATURES_PER_TILE:
            done.append(piece)
            continue
        axis = int(np.argmax(np.ptp(centres[piece], axis=0)))
        order = piece[np.argsort(centres[piece, axis], kind="stable")]
        pieces += [order[: len(order) // 2], order[len(order) // 2 :]]
    for number, piece in enumerate(done):
        tile_of[present[piece]] = number
    tile = tile_of[mesh.feature_index]
    order = np.argsort(tile, kind="stable")
    return np.split(order, np.cumsum(np.bincount(tile, minlength=len(done)))[:-1])
