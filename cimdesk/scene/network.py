"""Utility networks: true-diameter tubes near, lines far, shafts at manholes; seen through the ground in the X-ray view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int, UInt8
from cimdesk.model.appearance import NODE_PREFIX, color_layer
from cimdesk.model.layers import Layer
from cimdesk.model.network import Utility, UtilityNetwork
from cimdesk.model.style import rgba
from cimdesk.model.visibility import shown_nodes
from cimdesk.scene.cells import CellIndex
from cimdesk.scene.geometry import (
    actor_of,
    clear_on_top,
    draw_on_top,
    hide_lines_by_texels,
    hide_transparent_texels,
    poly_data,
    set_point_array,
)
from cimdesk.scene.look import unit_rgb
from cimdesk.scene.textures import FeatureTexture
from cimdesk.scene.visual import Context, Hit, View, Visual

SIDES = 8
DEFAULT_DEPTH = 1.5
"""Metres below ground of pipes whose elevation is unknown."""
DEFAULT_DIAMETER = 0.2
MAX_TUBES = 60_000
"""Segments drawn as tubes; larger networks are lines alone."""
TUBE_PX = 1.2
"""Tubes are drawn where a typical pipe is wider than this."""


class NetworkVisual(Visual):
    """Draws a utility network."""

    def __init__(self, context: Context, layer: Layer, network: UtilityNetwork) -> None:
        super().__init__(context, layer)
        self.network = network
        self.links, self.count = len(network.links), len(network.links) + len(network.nodes)
        self.nodes = _buried(context, network.positions)
        self._points, self._offsets = polylines(context, network, self.nodes)
        self._owner = np.repeat(np.arange(self.links), np.diff(self._offsets))
        self.diameters = np.where(np.isfinite(network.diameters) & (network.diameters > 0), network.diameters, DEFAULT_DIAMETER)
        self.texture = FeatureTexture(self.count)
        self._segments, self._segment_owner = segments_of(self._offsets)
        line_data = poly_data(self._points.astype(np.float32), lines=self._segments)
        set_point_array(line_data, self.texture.coordinates(self._owner), "tcoords")
        self.rim, self.lines = actor_of(line_data), actor_of(line_data)
        self.rim.SetTexture(self.texture.texture)
        hide_lines_by_texels(self.rim)
        self.lines.SetTexture(self.texture.texture)
        self.tubes = self._tube_actor() if len(self._segments) <= MAX_TUBES else None
        self.shafts = self._shaft_actor()
        self.actors = [actor for actor in (self.rim, self.lines, self.tubes, self.shafts) if actor is not None]
        for actor in self.actors[1:]:
            hide_transparent_texels(actor)
        self._index = CellIndex(line_data, self._segment_owner)
        self._on_top = False
        if len(self._points):
            self.extent = np.array([self._points.min(axis=0), self._points.max(axis=0)])
            self._typical = float(np.median(self.diameters))
        self.sync(layer)

    def _tube_actor(self) -> Any:
        points, normals, triangles, owner = tubes(self._points, self._offsets, self.diameters / 2.0)
        data = poly_data(points, triangles)
        set_point_array(data, normals, "normals")
        set_point_array(data, self.texture.coordinates(owner), "tcoords")
        actor = actor_of(data)
        actor.SetTexture(self.texture.texture)
        return actor

    def _shaft_actor(self) -> Any:
        placed = np.flatnonzero(np.isfinite(self.nodes).all(axis=1))
        foot = self.nodes[placed]
        radius = np.full(len(placed), 0.45)
        if self.network.utility is Utility.DRAINAGE:
            rim = np.maximum(self.context.ground(foot), foot[:, 2] + 0.4)
        else:
            rim, foot = foot[:, 2] + 0.35, foot - [0.0, 0.0, 0.35]
        ends = np.stack([foot, np.column_stack([foot[:, :2], rim])], axis=1).reshape(-1, 3)
        points, normals, triangles, owner = tubes(ends, np.arange(0, 2 * len(placed) + 1, 2), radius)
        data = poly_data(points, triangles)
        set_point_array(data, normals, "normals")
        set_point_array(data, self.texture.coordinates(self.links + placed[owner]), "tcoords")
        actor = actor_of(data)
        actor.SetTexture(self.texture.texture)
        return actor

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        look = self.context.look
        if self.context.xray != self._on_top:
            self._on_top = self.context.xray
            for actor in self.actors:
                (draw_on_top if self._on_top else clear_on_top)(actor)
        for actor in self.actors:
            (actor.ForceTranslucentOn if layer.opacity < 1.0 else actor.ForceOpaqueOn)()
            surface = actor.GetProperty()
            surface.SetAmbient(0.5)
            surface.SetDiffuse(0.65)
            surface.SetOpacity(layer.opacity)
        self.lines.GetProperty().LightingOff()
        rim = self.rim.GetProperty()
        rim.LightingOff()
        rim.SetColor(*unit_rgb(look.text if look.name != "dark" else look.dim))
        self._recolor()

    def set_time(self, time: float) -> bool:
        if self.style_moves(time):
            self._recolor()
            return True
        return False

    def _recolor(self) -> None:
        on_dark = self.context.look.name == "dark"
        colors = color_layer(self.context.workspace, self.layer, self.context.time).colors
        self.texture.write(readable(colors, on_dark))
        node: UInt8 = np.tile(np.array(rgba(self.layer.style.color), dtype=np.uint8), (len(self.network.nodes), 1))
        node = readable(node, on_dark)
        node[:, :3] = node[:, :3] // 4 * 3
        shown = shown_nodes(self.layer, self.network)
        if shown is not None:
            node[~shown, 3] = 0
        self.texture.write(node, self.links)
        self.texture.flush()

    def prepare(self, view: View) -> None:
        shown = self.layer.visible and self.layer.opacity > 0.0 and (self.context.xray or not self.context.is_covered)
        for actor in self.actors:
            actor.SetVisibility(shown)
        if not len(self._points) or not shown:
            return
        nearest = np.clip(view.eye, self.extent[0], self.extent[1])
        metres = view.metres_per_pixel(nearest)
        near = self._typical / max(metres, 1e-9) > TUBE_PX
        if self.tubes is not None:
            self.tubes.SetVisibility(near)
        self.shafts.SetVisibility(0.9 / max(metres, 1e-9) > 1.5)
        width = self.layer.style.size * view.pixel_scale * (0.6 if near else 1.0)
        self.lines.GetProperty().SetLineWidth(max(width, 1.0))
        self.rim.GetProperty().SetLineWidth(max(width, 1.0) + 2.0 * view.pixel_scale)
        self.rim.SetVisibility(self.context.xray and not near)

    def pick(self, point: Float, tolerance: float) -> Hit | None:
        widest = float(self.diameters.max(initial=0.0)) / 2.0
        hit = self._index.nearest(point, tolerance + widest, self.in_sight())
        if hit is not None:
            hit = Hit(hit.row, max(0.0, hit.distance - float(self.diameters[hit.row]) / 2.0))
        gap = np.linalg.norm(np.nan_to_num(self.nodes[:, :2], nan=1e12) - point[:2], axis=1)
        nodes = shown_nodes(self.layer, self.network)
        if nodes is not None:
            gap = np.where(nodes, gap, np.inf)
        if len(gap) and gap.min() <= 0.6 + 0.3 * tolerance:
            return Hit(self.links + int(np.argmin(gap)), 0.0)
        return hit

    @property
    def is_on_top(self) -> bool:
        return self._on_top

    def anchors(self) -> Float:
        middle = np.full((self.links, 3), np.nan)
        counts = np.diff(self._offsets)
        has = counts >= 2
        half = self._offsets[:-1][has] + (counts[has] - 1) // 2
        middle[has] = (self._points[half] + self._points[half + 1]) / 2.0
        return middle

    def rows_in_sight(self, rows: Int) -> Int:
        links, nodes = self.in_sight(), shown_nodes(self.layer, self.network)
        return rows if links is None or nodes is None else rows[np.concatenate([links, nodes])[rows]]

    def feature_id(self, row: int) -> str:
        if row >= self.links:
            return NODE_PREFIX + str(self.network.nodes.ids[row - self.links])
        return str(self.network.links.ids[row])

    def rows_of(self, features: Iterable[str]) -> Int:
        names = list(features)
        nodes = [name.removeprefix(NODE_PREFIX) for name in names if name.startswith(NODE_PREFIX)]
        rows = [self.network.links.rows_of(names), self.links + self.network.nodes.rows_of(nodes)]
        return np.concatenate(rows)

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        chosen = np.isin(self._segment_owner, rows[rows < self.links])
        parts = [(self._points.astype(np.float32), self._segments[chosen].astype(np.int64))]
        nodes = rows[rows >= self.links] - self.links
        nodes = nodes[np.isfinite(self.nodes[nodes]).all(axis=1)]
        if len(nodes):
            angle = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
            ring = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(16)])
            points = (self.nodes[nodes][:, None, :] + ring[None]).reshape(-1, 3).astype(np.float32)
            step = np.arange(16)
            loop = np.column_stack([step, (step + 1) % 16])
            parts.append((points, np.concatenate([loop + 16 * k for k in range(len(nodes))])))
        starts = np.cumsum([0, *(len(points) for points, _ in parts[:-1])])
        segments = np.concatenate([lines + start for (_, lines), start in zip(parts, starts, strict=True)])
        return (np.concatenate([points for points, _ in parts]), segments) if len(segments) else None


def _buried(context: Context, world: Float) -> Float:
    """Return local points; those without a height lie `DEFAULT_DEPTH` below the ground."""
    local = np.asarray(world, dtype=np.float64) - context.origin
    lacks = ~np.isfinite(local[:, 2]) & np.isfinite(local[:, :2]).all(axis=1)
    if lacks.any():
        local[lacks, 2] = context.ground(local[lacks]) - DEFAULT_DEPTH
    return local


def polylines(context: Context, network: UtilityNetwork, nodes: Float) -> tuple[Float, Int]:
    """Return the points of every link, bends included, and (L + 1,) offsets; links without a placed end have none."""
    assert network.bend_offsets is not None
    bends = _buried(context, network.bend_points)
    start, end = nodes[network.start], nodes[network.end]
    placed: Bool = np.asarray(np.isfinite(start + end).all(axis=1))
    inner = np.diff(network.bend_offsets)
    counts = np.where(placed, inner + 2, 0)
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    points = np.zeros((int(offsets[-1]), 3))
    points[offsets[:-1][placed]] = start[placed]
    points[offsets[1:][placed] - 1] = end[placed]
    owner = np.repeat(np.arange(len(counts)), inner)
    within = np.arange(len(owner)) - np.repeat(network.bend_offsets[:-1], inner)
    kept = placed[owner]
    points[offsets[owner[kept]] + 1 + within[kept]] = bends[kept]
    return points, offsets


def segments_of(offsets: Int) -> tuple[Int, Int]:
    """Return (S, 2) point rows of the segments of ragged polylines and (S,) the polyline of each."""
    counts = np.maximum(np.diff(offsets) - 1, 0)
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + offsets[owner]
    return np.column_stack([first, first + 1]), owner


def tubes(points: Float, offsets: Int, radii: Float) -> tuple[Float32, Float32, Int, Int]:
    """Return closed tubes along ragged polylines, joined at bends, wound outward.

    Parameters
    ----------
    points : (P, 3) float64
    offsets : (L + 1,) int64
    radii : (L,) float64

    Returns
    -------
    points, normals : (Q, 3) float32
    triangles : (T, 3) int64
    owner : (Q,) int64
        Polyline of each point.
    """
    line = np.repeat(np.arange(len(radii)), np.diff(offsets))
    segments, _ = segments_of(offsets)
    if not len(segments):
        empty = np.zeros((0, 3), dtype=np.float32)
        return empty, empty, np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=np.int64)
    along = points[segments[:, 1]] - points[segments[:, 0]]
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    tangent = np.zeros_like(points)
    np.add.at(tangent, segments[:, 0], along)
    np.add.at(tangent, segments[:, 1], along)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    # At a bend the ring lies in the bisecting plane and is stretched so that both sides keep their width.
    at_start = np.zeros_like(points)
    at_start[segments[:, 1]] = along
    at_start[segments[:, 0]] = along
    stretch = 1.0 / np.clip(np.abs(np.einsum("ij,ij->i", tangent, at_start)), 0.5, 1.0)
    vertical: Bool = np.abs(tangent[:, 2]) > 0.95
    up = np.where(vertical[:, None], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    side = np.cross(tangent, up)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    top = np.cross(side, tangent)
    angle = 2.0 * np.pi * np.arange(SIDES) / SIDES
    normal = np.cos(angle)[None, :, None] * (side * stretch[:, None])[:, None, :] + np.sin(angle)[None, :, None] * top[:, None, :]
    ring = points[:, None, :] + normal * radii[line][:, None, None]
    walls = _wall_triangles(segments)
    caps_at = np.concatenate([offsets[:-1][np.diff(offsets) > 0], offsets[1:][np.diff(offsets) > 0] - 1])
    is_end = np.arange(len(caps_at)) >= len(caps_at) // 2
    outward = tangent[caps_at] * np.where(is_end, 1.0, -1.0)[:, None]
    base = len(points) * SIDES + np.arange(len(caps_at))[:, None] * SIDES
    fan = np.array([[0, k, k + 1] for k in range(1, SIDES - 1)])
    caps = np.where(is_end[:, None, None], fan[None, :, ::-1], fan[None]) + base[:, :, None]
    return (
        np.concatenate([ring.reshape(-1, 3), ring[caps_at].reshape(-1, 3)]).astype(np.float32),
        np.concatenate([normal.reshape(-1, 3), np.repeat(outward, SIDES, axis=0)]).astype(np.float32),
        np.concatenate([walls, caps.reshape(-1, 3)]),
        np.concatenate([np.repeat(line, SIDES), np.repeat(line[caps_at], SIDES)]),
    )


def _wall_triangles(segments: Int) -> Int:
    corner = np.arange(SIDES)
    after = (corner + 1) % SIDES
    a, b = segments[:, :1] * SIDES, segments[:, 1:] * SIDES
    first = np.stack([a + corner, b + after, a + after], axis=-1)
    second = np.stack([a + corner, b + corner, b + after], axis=-1)
    return np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])


def readable(colors: UInt8, on_dark: bool) -> UInt8:
    """Return the colours with the darkest ones lifted where the ground is dark too: black pipes stay visible."""
    if not on_dark:
        return colors.copy()
    out = colors.copy()
    brightness = out[:, :3].astype(np.int64) @ np.array([299, 587, 114]) // 1000
    dark = brightness < 70
    out[dark, :3] = 70 + out[dark, :3] // 2
    return out
