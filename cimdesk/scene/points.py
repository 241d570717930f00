"""Point clouds: nodes that add to each other come with the view, within a budget of points; colours are made anew on demand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Float, Float32, Int
from cimdesk.model.layers import Layer
from cimdesk.model.point_style import HIDDEN_CLASSES, color_points, shown_points
from cimdesk.model.points import PointBlock, PointChoice, PointCloud, PointSource, locate, point_id, select_nodes
from cimdesk.model.workspace import LayerData
from cimdesk.scene.geometry import actor_of, cell_of_points, poly_data, set_point_array
from cimdesk.scene.visual import Context, Hit, View, Visual

STILL_PIXELS, MOVING_PIXELS = 1.5, 3.0
"""Distances between points on the screen that are close enough."""
BUDGETS = {"moving": 80_000, "still": 400_000, "export": 2_500_000}
"""Points of all clouds together when the processor draws them: about 0.9 us each."""
CARD_FACTOR = 8
"""A graphics card draws at least so many times as many."""
STILL_UPLOAD, MOVING_UPLOAD = (0.040, 24), (0.004, 3)
"""Seconds and nodes uploaded in one frame."""
LARGEST_POINT = 7.0
"""Points grow to this where only few of them can be drawn, so that surfaces stay closed [px]."""
MARK_PX = 9.0
_PER_ROW = 1 << 32
"""Rows of points as the scene counts them: the row of the node times this, and the place in the node."""


def point_budget(quality: str, has_graphics_card: bool) -> int:
    """Return the points that all clouds together may draw."""
    return BUDGETS[quality] * (CARD_FACTOR if has_graphics_card and quality != "export" else 1)


@dataclass
class DrawnNode:
    """A node with what draws it."""

    block: PointBlock
    actor: Any
    data: Any
    shift: Float32
    shown: Bool | None


class PointsVisual(Visual):
    """Draws a point cloud."""

    def __init__(self, context: Context, layer: Layer, cloud: PointCloud) -> None:
        super().__init__(context, layer)
        assert cloud.points is not None
        self.cloud = cloud
        self.source: PointSource = cloud.points
        self.nodes: dict[int, DrawnNode] = {}
        self.choice = PointChoice({}, STILL_PIXELS)
        self.extent = cloud.bounds - context.origin
        self._eye: Float = np.zeros(3)
        self._slope = 1e-3
        self._size_px = 2.0
        self._is_moving = False
        self._look = _look_of(layer)
        self.is_waiting = True
        self.source.arrived.connect(self._on_arrived)
        self.sync(layer)

    def follows(self, data: LayerData) -> bool:
        return isinstance(data, PointCloud) and data.points is self.source

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        look = _look_of(layer)
        if look != self._look:
            self._look = look
            for node in self.nodes.values():
                self._paint(node)
        for node in self.nodes.values():
            node.actor.GetProperty().SetOpacity(layer.opacity)
        self._show()

    def stop(self) -> None:
        self.source.arrived.disconnect(self._on_arrived)
        self.source.forget(self)

    def release(self) -> None:
        self.stop()
        self.nodes.clear()
        super().release()

    # --- nodes in and out -----------------------------------------------------------------------------------------------

    def prepare(self, view: View) -> None:
        self._eye, self._slope, self._is_moving = view.eye, view.slope, view.is_moving
        if not self._is_visible():
            self.is_waiting = self.is_pending = False
            return
        self._drop_evicted()
        enough = (MOVING_PIXELS if view.is_moving else STILL_PIXELS) * view.pixel_scale
        budget = self.context.point_budget(view.is_moving)
        self.choice = select_nodes(self.source.tree, view.sight(self.context.origin, enough), budget)
        counts = self.source.tree.counts
        chosen = {row: px for row, px in self.choice.pixels.items() if counts[row] and not self.source.is_lost(row)}
        wishes = {row: px for row, px in chosen.items() if self.source.block(row) is None}
        self.source.want(self, wishes, frozenset(chosen))
        self.is_pending = any(row not in self.nodes and row not in wishes for row in chosen)
        self.is_waiting = bool(wishes) and not self.source.is_full
        self._size_px = float(
            np.clip(self.choice.finest, self.layer.style.size * view.pixel_scale, LARGEST_POINT * view.pixel_scale)
        )
        self._show()

    def advance(self, deadline: float) -> list[Any]:
        seconds, most = MOVING_UPLOAD if self._is_moving else STILL_UPLOAD
        deadline = min(deadline, perf_counter() + seconds)
        joined: list[Any] = []
        for row in self.choice.pixels:
            block = None if row in self.nodes else self.source.block(row)
            if block is None:
                continue
            self.nodes[row] = self._uploaded(block)
            joined.append(self.nodes[row].actor)
            if len(joined) >= most or perf_counter() > deadline:
                break
        self.actors += joined
        return joined

    def _uploaded(self, block: PointBlock) -> DrawnNode:
        shift = (block.origin - self.context.origin).astype(np.float32)
        data = poly_data(block.xyz + shift)
        actor = actor_of(data)
        actor.GetMapper().ScalarVisibilityOn()
        actor.GetProperty().LightingOff()
        actor.GetProperty().SetOpacity(self.layer.opacity)
        actor.SetVisibility(False)
        node = DrawnNode(block, actor, data, shift, None)
        self._paint(node)
        return node

    def _paint(self, node: DrawnNode) -> None:
        """Give the points of a node their colours, and leave out those of hidden classes."""
        hidden, block = self._hidden(), node.block
        set_point_array(node.data, color_points(self.layer.style, self.cloud, block), "scalars")
        shown = shown_points(block, hidden)
        is_placed = np.isfinite(block.xyz).all(axis=1)
        if not is_placed.all():
            shown = np.asarray(is_placed if shown is None else shown & is_placed)
        node.shown = shown
        rows = np.arange(len(block), dtype=np.int32) if shown is None else np.flatnonzero(shown).astype(np.int32)
        node.data.SetVerts(cell_of_points(rows))
        node.data.Modified()

    def _drop_evicted(self) -> None:
        for row in [row for row, node in self.nodes.items() if self.source.block(row) is not node.block]:
            gone = self.nodes.pop(row).actor
            self.leaving.append(gone)
            self.actors = [actor for actor in self.actors if actor is not gone]

    def _show(self) -> None:
        is_visible = self._is_visible()
        for row, node in self.nodes.items():
            is_shown = is_visible and row in self.choice.pixels
            node.actor.SetVisibility(is_shown)
            if is_shown:
                node.actor.GetProperty().SetPointSize(self._size_px)

    def _is_visible(self) -> bool:
        return self.layer.visible and self.layer.opacity > 0.0

    def _hidden(self) -> tuple[int, ...]:
        return tuple(self.layer.options.get(HIDDEN_CLASSES) or ())

    def _on_arrived(self, _: None) -> None:
        self.context.wake()

    # --- points ---------------------------------------------------------------------------------------------------------

    def pick(self, point: Float, tolerance: float) -> Hit | None:
        # A point is drawn as a square: what was hit may be half its size away from its middle.
        away = float(np.linalg.norm(point - self._eye)) * self._slope
        reach = max(tolerance, 0.75 * self._size_px * away)
        low, high = self.source.tree.low - self.context.origin - reach, self.source.tree.high - self.context.origin + reach
        best: Hit | None = None
        for row in self.choice.pixels:
            node = self.nodes.get(row)
            if node is None or (point < low[row]).any() or (point > high[row]).any():
                continue
            steps = node.block.xyz - (point - node.shift).astype(np.float32)
            squares = np.einsum("ij,ij->i", steps, steps)
            squares[~(squares <= reach * reach)] = np.inf
            if node.shown is not None:
                squares[~node.shown] = np.inf
            index = int(np.argmin(squares))
            distance = float(np.sqrt(squares[index]))
            if distance <= reach and (best is None or distance < best.distance):
                best = Hit(row * _PER_ROW + index, distance)
        return best

    def feature_id(self, row: int) -> str:
        return point_id(self.source.tree, row // _PER_ROW, row % _PER_ROW)

    def rows_of(self, features: Iterable[str]) -> Int:
        places = [locate(self.source.tree, feature) for feature in features]
        return np.array([row * _PER_ROW + index for row, index in filter(None, places)], dtype=np.int64)

    def outline(self, rows: Int) -> tuple[Float32, Int] | None:
        """Return a cross at each point, as large as it is drawn now."""
        points = [point for row in rows.tolist() if (point := self._local(row)) is not None]
        if not points:
            return None
        ends: list[Float] = []
        for point in points:
            arm = MARK_PX * self._slope * max(float(np.linalg.norm(point - self._eye)), 0.5)
            ends += [point + sign * arm * axis for axis in np.eye(3) for sign in (-1.0, 1.0)]
        return np.array(ends, dtype=np.float32), np.arange(len(ends), dtype=np.int64).reshape(-1, 2)

    def _local(self, row: int) -> Float | None:
        node = self.nodes.get(row // _PER_ROW)
        index = row % _PER_ROW
        if node is None or index >= len(node.block):
            return None
        return np.asarray(node.block.xyz[index] + node.shift, dtype=np.float64)


def _look_of(layer: Layer) -> tuple[Any, ...]:
    return (layer.style, tuple(layer.options.get(HIDDEN_CLASSES) or ()))
