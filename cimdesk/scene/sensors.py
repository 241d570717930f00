"""Sensors as pins of constant size: shape by quantity, colour and mark by status, gathered into counts where they crowd."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int, UInt8
from cimdesk.model.appearance import color_layer
from cimdesk.model.layers import Layer
from cimdesk.model.sensors import STATUS_PALETTE, Sensors, Status
from cimdesk.model.style import StyleMode, hex_color
from cimdesk.scene.pins import cluster_picture, pin_picture, pin_size, shape_of
from cimdesk.scene.sprites import Atlas, Sprites
from cimdesk.scene.visual import Context, View, Visual

MAX_SINGLE = 2000
"""More pins than this in the picture are gathered into counts."""
CLUSTER_PX = 56
SEVERITY = np.array([0, 2, 4, 6, 1, 5, 3])
"""Rank of each `Status` code: a cluster shows its worst."""


class SensorsVisual(Visual):
    """Draws sensors."""

    label_rank = 0
    label_below = True

    def __init__(self, context: Context, layer: Layer, sensors: Sensors) -> None:
        super().__init__(context, layer)
        self.sensors = sensors
        quantity = sensors.features.columns.get("quantity")
        self._shapes = [shape_of(str(q)) for q in quantity] if quantity is not None else ["circle"] * len(sensors.features)
        local = context.to_local(sensors.positions).astype(np.float64)
        ground = context.ground(np.nan_to_num(local))
        local[:, 2] = np.where(np.isfinite(local[:, 2]), np.maximum(local[:, 2], ground), ground)
        self._points: Float = local
        self._placed: Bool = np.asarray(np.isfinite(local).all(axis=1))
        self.atlas = Atlas()
        self.sprites = Sprites(self.atlas)
        self.sprites.actor.SetLayerNumber(1)
        self.actors = [self.sprites.actor]
        self._status: UInt8 = np.zeros(len(sensors.features), dtype=np.uint8)
        self._colors: list[str] = []
        self._heads: Float = np.zeros((0, 3))
        self._boxes: Float = np.zeros((0, 4))
        self._head_rows: Int = np.zeros(0, dtype=np.int64)
        if self._placed.any():
            self.extent = np.array([local[self._placed].min(axis=0), local[self._placed].max(axis=0)])
        self.sync(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        self.atlas.clear()
        self.set_time(self.context.time)

    def set_time(self, time: float) -> bool:
        status = self.sensors.status_at(time)
        colors = color_layer(self.context.workspace, self.layer, time).colors
        names = [hex_color(color) for color in colors]
        changed = not np.array_equal(status, self._status) or names != self._colors
        self._status, self._colors = status, names
        return changed and self.layer.visible

    def prepare(self, view: View) -> None:
        self._heads, self._boxes = np.zeros((0, 3)), np.zeros((0, 4))
        if not self.layer.visible or self.layer.opacity <= 0.0 or not self._placed.any():
            self.sprites.place([], np.zeros((0, 2)), view.height)
            return
        if self.atlas.is_full:
            self.atlas.clear()
        screen = view.project(np.nan_to_num(self._points))
        margin = 60.0
        inside: Bool = self._placed & (screen[:, 2] > view.near)
        shown = self.in_sight()
        if shown is not None:
            inside &= shown
        inside &= (screen[:, 0] > -margin) & (screen[:, 0] < view.width + margin)
        inside &= (screen[:, 1] > -margin) & (screen[:, 1] < view.height + 2 * margin)
        rows = np.flatnonzero(inside)
        if len(rows) > MAX_SINGLE:
            self._place_clusters(rows, screen, view)
        else:
            self._place_pins(rows, screen, view)
        self.sprites.actor.GetProperty().SetOpacity(self.layer.opacity)

    def _place_pins(self, rows: Int, screen: Float, view: View) -> None:
        is_alarm = self._status[rows] // int(Status.ALARM) == 1
        rows = rows[np.lexsort((-screen[rows, 2], is_alarm))]
        size = self.layer.style.size * view.pixel_scale
        halo = self.context.look.halo
        keys: list[Hashable] = []
        for row in rows:
            shape, status, color = self._shapes[row], int(self._status[row]), self._colors[row]
            key = (shape, status, color, size, halo)
            self.atlas.need(key, lambda key=key: pin_picture(*key))  # type: ignore[misc]
            keys.append(key)
        sizes = np.array([self.atlas.size(key) for key in keys], dtype=np.float64).reshape(-1, 2)
        corners = np.column_stack([screen[rows, 0] - sizes[:, 0] / 2, screen[rows, 1] - sizes[:, 1]])
        self.sprites.place(keys, corners, view.height)
        # The foot is thin: a label may come near it.
        self._boxes = np.column_stack([corners + 1.0, corners + sizes - [1.0, 5.0 * view.pixel_scale]])
        heads = np.array([pin_size(int(self._status[row]), size) for row in rows], dtype=np.float64)
        self._heads = np.column_stack([screen[rows, 0], corners[:, 1] + heads / 2 + 3, heads / 2 + 3])
        self._head_rows = rows

    def _place_clusters(self, rows: Int, screen: Float, view: View) -> None:
        cell = CLUSTER_PX * view.pixel_scale
        columns = int(view.width // cell) + 3
        code = (screen[rows, 1] // cell).astype(np.int64) * columns + (screen[rows, 0] // cell).astype(np.int64)
        unique, group, counts = np.unique(code, return_inverse=True, return_counts=True)
        centre = [np.bincount(group, weights=screen[rows, k]) / counts for k in (0, 1)]
        worst = np.zeros(len(unique), dtype=np.int64)
        np.maximum.at(worst, group, SEVERITY[self._status[rows]])
        status = np.argsort(SEVERITY)[worst]
        size, halo = 13.0 * view.pixel_scale, self.context.look.halo
        keys: list[Hashable] = []
        for count, code_of_status in zip(counts, status, strict=True):
            color = STATUS_PALETTE[code_of_status][1] if self.layer.style.mode is StyleMode.STATUS else self.layer.style.color
            key = (_short(int(count)), color, size, halo)
            self.atlas.need(key, lambda key=key: cluster_picture(*key))  # type: ignore[misc]
            keys.append(key)
        sizes = np.array([self.atlas.size(key) for key in keys], dtype=np.float64).reshape(-1, 2)
        corners = np.column_stack(centre) - sizes / 2
        self.sprites.place(keys, corners, view.height)
        self._boxes = np.column_stack([corners, corners + sizes])

    def pick_symbol(self, x: float, y: float) -> int | None:
        if not len(self._heads):
            return None
        near = np.hypot(self._heads[:, 0] - x, self._heads[:, 1] - y) <= self._heads[:, 2]
        hits = np.flatnonzero(near)
        # The last drawn lies on top.
        return int(self._head_rows[hits[-1]]) if len(hits) else None

    def obstacles(self) -> Float:
        return self._boxes

    def anchors(self) -> Float:
        return self._points

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        rows = rows[self._placed[rows]]
        if not len(rows):
            return None
        angle = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
        ring = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(24)]) * 6.0
        points = (self._points[rows][:, None, :] + ring[None] + [0.0, 0.0, 0.4]).reshape(-1, 3).astype(np.float32)
        step = np.arange(24)
        segments = np.concatenate([np.column_stack([step, (step + 1) % 24]) + 24 * k for k in range(len(rows))])
        return points, segments


def _short(count: int) -> str:
    """Return a count in at most four signs, so that one picture serves many clusters."""
    if count < 100:
        return str(count)
    if count < 1000:
        return f"{count // 10 * 10}+"
    return f"{count // 1000}k+"
