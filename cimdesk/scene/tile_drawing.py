"""Actors of streamed tiles: made from decoded blocks, uploaded out of sight, shown, and given back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int32
from cimdesk.model.tileset import TileBlock
from cimdesk.scene.cells import CellIndex, TriangleIndex
from cimdesk.scene.geometry import actor_of, hide_transparent_texels, poly_data, pull_to_eye, set_point_array, set_pull
from cimdesk.scene.look import unit_rgb
from cimdesk.scene.shading import hook_vertices, light_flat_faces, set_aside, set_row_scale
from cimdesk.scene.tile_colors import TileColors
from cimdesk.scene.tiles import EDGE_METRES_PER_PIXEL, MOVING_METRES_PER_PIXEL
from cimdesk.scene.visual import Context, View

STILL_EDGES, MOVING_EDGES = (EDGE_METRES_PER_PIXEL, 4, 12_000), (MOVING_METRES_PER_PIXEL, 1, 6_000)
"""Metres a pixel where edges end, tiles whose edges are made in one frame, and lines after which no more tiles get theirs."""


@dataclass(eq=False)
class DrawnTile:
    """A tile with what draws it; its edges are made when they are first near enough to be seen.

    Attributes
    ----------
    is_new : bool
        Whether no frame has uploaded it yet.
    """

    block: TileBlock
    actor: Any
    low: Float
    high: Float
    box: tuple[list[float], list[float]]
    shift: Float
    index: CellIndex
    edges: Any = None
    is_new: bool = True


class TileDrawing:
    """The tiles of one layer that have actors.

    Attributes
    ----------
    tiles : dict of int to DrawnTile
    shown : frozenset of int
        Rows that are drawn.
    ready : set of int
        Rows that can be shown without anything to upload.
    nearest_first : list of VTK props
        Opaque actors that are drawn, by their distance from the eye.
    joined, left : list of VTK props
        What is new, and what is no longer drawn, since somebody emptied the lists.
    """

    def __init__(self, context: Context, colors: TileColors) -> None:
        self.context = context
        self.colors = colors
        self.tiles: dict[int, DrawnTile] = {}
        self.shown: frozenset[int] = frozenset()
        self.ready: set[int] = set()
        self.joined: list[Any] = []
        self.left: list[Any] = []
        self.kept_edges: Callable[[TileBlock], Int32] = lambda block: block.edges
        self._new: list[int] = []
        self.nearest_first: list[Any] = []
        self._hides = False
        self._opacity = 1.0

    def __iter__(self) -> Iterator[DrawnTile]:
        return iter(self.tiles.values())

    def shown_tiles(self) -> Iterator[DrawnTile]:
        """Return the tiles that are drawn."""
        return (self.tiles[row] for row in self.shown)

    def add(self, block: TileBlock) -> None:
        """Make the actor of a tile; the next frame uploads it out of sight."""
        shift = block.origin - self.context.origin
        points = block.points + shift.astype(np.float32)
        triangles, is_behind = _seen_from_front(block)
        data = poly_data(points, triangles)
        set_point_array(data, self.colors.coordinates(block), "tcoords")
        actor = actor_of(data)
        actor.SetTexture(self.colors.texture.texture)
        surface = actor.GetProperty()
        surface.SetInterpolationToFlat()
        surface.SetBackfaceCulling(is_behind is not None)
        surface.SetAmbient(0.42)
        surface.SetDiffuse(0.78)
        light_flat_faces(actor)
        hook_vertices(actor)
        set_row_scale(actor, self.colors.row_scale)
        set_aside(actor, True)
        if self._hides:
            hide_transparent_texels(actor)
        extent = points if len(points) or block.cloud is None else block.cloud.xyz + shift.astype(np.float32)
        low, high = extent.min(axis=0).astype(np.float64), extent.max(axis=0).astype(np.float64)
        owner = block.owner if is_behind is None else np.concatenate([block.owner, block.owner[is_behind]])
        tile = DrawnTile(
            block, actor, low, high, (low.tolist(), high.tolist()), shift, TriangleIndex(data, owner, points, triangles)
        )
        self._set_opacity(tile)
        self.tiles[block.row] = tile
        self._new.append(block.row)
        self.joined.append(actor)

    def settle(self) -> bool:
        """Count what the last frame uploaded as ready; return whether there was any."""
        was_new, self._new = self._new, []
        for row in was_new:
            if row in self.tiles:
                tile = self.tiles[row]
                tile.is_new = False
                tile.actor.SetVisibility(False)
                set_aside(tile.actor, False)
                self.ready.add(row)
        return bool(was_new)

    def drop(self, rows: Iterable[int]) -> None:
        """Give back the actors of tiles."""
        for row in rows:
            tile = self.tiles.pop(row)
            self.ready.discard(row)
            self.left += [actor for actor in (tile.actor, tile.edges) if actor is not None]
        self.shown = self.shown.intersection(self.tiles)

    def clear(self) -> None:
        """Let go of everything."""
        self.tiles.clear()
        self.ready.clear()
        self._new.clear()
        self.shown = frozenset()

    def show(self, shown: frozenset[int]) -> bool:
        """Draw these tiles only; return whether that is a change."""
        for row in self.shown - shown:
            self.tiles[row].actor.SetVisibility(False)
            if self.tiles[row].edges is not None:
                self.tiles[row].edges.SetVisibility(False)
        for row in shown:
            self.tiles[row].actor.SetVisibility(True)
        has_changed = shown != self.shown
        self.shown = shown
        return has_changed

    def show_edges(self, view: View) -> bool:
        """Draw the edges of tiles near enough, some more in each frame; return whether others are still to be made."""
        limit, most, lines = MOVING_EDGES if view.is_moving else STILL_EDGES
        reach = (limit / (view.slope * view.pixel_scale)) ** 2
        away = self._by_distance(view)
        self.nearest_first = [tile.actor for tile in away] if self._opacity >= 1.0 else []
        made = 0
        for tile, square in away.items():
            near = square < reach and lines > 0
            lines -= len(tile.block.edges)
            if near and tile.edges is None and made < most and len(tile.block.edges):
                made += 1
                self._make_edges(tile)
            if tile.edges is not None:
                tile.edges.SetVisibility(near)
                if near:
                    tile.edges.GetProperty().SetLineWidth(self.context.look.edge_width * view.pixel_scale)
                    set_pull(tile.edges, 0.0015, view.near, view.far)
        return made == most

    def _by_distance(self, view: View) -> dict[DrawnTile, float]:
        """Return the tiles that are drawn with the squares of their distances from the eye [m2], nearest first."""
        eye: list[float] = view.eye.tolist()

        def square(tile: DrawnTile) -> float:
            low, high = tile.box
            steps = (max(a - e, e - b, 0.0) for e, a, b in zip(eye, low, high, strict=True))
            return float(sum(step * step for step in steps))

        squares = {tile: square(tile) for tile in self.shown_tiles()}
        return dict(sorted(squares.items(), key=lambda item: item[1]))

    def set_opacity(self, opacity: float) -> None:
        """Draw all tiles this opaque, and their edges as the theme has them."""
        self._opacity = opacity
        for tile in self:
            self._set_opacity(tile)

    def follow_texture(self) -> None:
        """Use the texture that has taken the place of a smaller one."""
        for tile in self:
            tile.actor.SetTexture(self.colors.texture.texture)
            set_row_scale(tile.actor, self.colors.row_scale)

    def hide_clear(self) -> None:
        """Let features with a clear texel disappear, from now on."""
        if not self._hides:
            self._hides = True
            for tile in self:
                hide_transparent_texels(tile.actor)

    def forget_edges(self) -> None:
        """Make the edges anew where they are seen: other features are in sight than before."""
        for tile in self:
            if tile.edges is not None:
                self.left.append(tile.edges)
                tile.edges = None

    def _make_edges(self, tile: DrawnTile) -> None:
        points = tile.block.edge_points + tile.shift.astype(np.float32)
        tile.edges = actor_of(poly_data(points, lines=self.kept_edges(tile.block)))
        tile.edges.GetProperty().LightingOff()
        tile.edges.PickableOff()
        pull_to_eye(tile.edges)
        self._set_opacity(tile)
        self.joined.append(tile.edges)

    def _set_opacity(self, tile: DrawnTile) -> None:
        opacity = self._opacity
        tile.actor.GetProperty().SetOpacity(opacity)
        (tile.actor.ForceTranslucentOn if opacity < 1.0 else tile.actor.ForceOpaqueOn)()
        if tile.edges is not None:
            tile.edges.GetProperty().SetColor(*unit_rgb(self.context.look.edge))
            tile.edges.GetProperty().SetOpacity(opacity)


def _seen_from_front(block: TileBlock) -> tuple[Int32, Any]:
    """Return the triangles to draw when those seen from behind are left out, and which ones were added reversed for that.

    None for the second where both sides are drawn as well: that is cheaper when few features have a proper outside.
    """
    if block.is_outward is None or block.is_outward.mean() < 0.5:
        return block.triangles, None
    is_behind = ~block.is_outward
    if not is_behind.any():
        return block.triangles, is_behind
    return np.concatenate([block.triangles, block.triangles[is_behind][:, ::-1]]), is_behind
