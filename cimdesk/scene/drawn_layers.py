"""The layers that are drawn: their visuals made, kept in step with records and data, and given back. No camera, no selection."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.selection import AssetRef, names_by_layer
from cimdesk.scene.canvas import Canvas
from cimdesk.scene.ground import Ground
from cimdesk.scene.kinds import new_visual
from cimdesk.scene.visual import Context, View, Visual

ON_THE_GROUND = (LayerKind.VECTOR, LayerKind.SENSORS)


class DrawnLayers:
    """The visuals of a scene.

    Attributes
    ----------
    visuals : dict of str to Visual
        By layer.
    stale : set of str
        Layers to build or refresh before the next frame.
    only : tuple of str or None
        Draw only these layers, whatever their visibility; None follows the records.
    placed : callable
        Called before the first visual is built: the place of the world may not be known yet.
    rebuilt : callable
        Called when a visual was built.
    """

    def __init__(self, context: Context, canvas: Canvas, ground: Ground) -> None:
        self.context = context
        self.canvas = canvas
        self.ground = ground
        self.visuals: dict[str, Visual] = {}
        self.stale: set[str] = set()
        self.only: tuple[str, ...] | None = None
        self.placed: Callable[[], None] = lambda: None
        self.rebuilt: Callable[[], None] = lambda: None
        self._data: dict[str, object] = {}

    def layers(self) -> list[Layer]:
        """Return the layers as they are drawn: with the visibility that `only` asks for."""
        layers = self.context.workspace.layers()
        return layers if self.only is None else [layer.but(visible=layer.id in self.only) for layer in layers]

    def mark_all(self) -> None:
        """Sync every layer of the workspace before the next frame."""
        self.stale.update(layer.id for layer in self.context.workspace.layers())

    def lay_again(self) -> None:
        """Make anew what lies on the ground: the ground may have moved, or be drawn otherwise."""
        self.ground.follow(self.layers())
        for key in [key for key, visual in self.visuals.items() if visual.layer.kind in ON_THE_GROUND]:
            self.drop(key)
            self.stale.add(key)

    def sync(self, deadline: float) -> bool:
        """Build or refresh what is stale until the deadline; return whether something is left."""
        layers = {layer.id: layer for layer in self.layers()}
        for key in [key for key in (*self.visuals, *self.stale) if key not in layers]:
            self.drop(key)
        if self.stale:
            self.ground.notice(list(layers.values()))
        # The ground comes first: other visuals stand on it.
        for key in sorted(self.stale, key=lambda k: (self.context.workspace.layer(k).kind not in ("terrain", "flood"), k)):
            self._refresh(layers[key])
            self.stale.discard(key)
            if perf_counter() > deadline:
                break
        more = False
        for visual in self.visuals.values():
            for actor in visual.advance(deadline):
                self.canvas.renderer.AddActor(actor)
            more |= visual.is_pending
        return more or bool(self.stale)

    def prepare(self, view: View) -> tuple[bool, bool]:
        """Let every visual follow the camera; return whether one is still building, and whether one is drawn otherwise."""
        is_building = is_redrawn = False
        last: list[Any] = []
        for visual in self.visuals.values():
            visual.prepare(view)
            for actor in visual.joining:
                self.canvas.renderer.AddActor(actor)
            for actor in visual.leaving:
                self.canvas.renderer.RemoveActor(actor)
            visual.joining.clear()
            visual.leaving.clear()
            is_redrawn |= visual.is_redrawn
            visual.is_redrawn = False
            is_building |= visual.is_pending
            last += visual.nearest_first
        # Ground and sky fill what is left.
        self.canvas.draw_last([*last, *self.ground.actors] if last else [])
        return is_building, is_redrawn

    def is_whole(self) -> bool:
        """Return whether everything that the last view needs is there."""
        visible = (visual for visual in self.visuals.values() if visual.layer.visible)
        return not self.stale and not any(visual.is_waiting or visual.is_pending for visual in visible)

    def drop(self, key: str) -> None:
        """Give back the visual of a layer."""
        self.stale.discard(key)
        self._data.pop(key, None)
        visual = self.visuals.pop(key, None)
        if visual is not None:
            for actor in visual.actors:
                self.canvas.renderer.RemoveActor(actor)
            visual.release()
            self.ground.follow(self.layers())

    def drop_all(self) -> None:
        """Give back all of them, to be built anew."""
        for key in list(self.visuals):
            self.drop(key)
        self.mark_all()

    def bounds(self, kinds: tuple[LayerKind, ...] = tuple(LayerKind)) -> Float:
        """Return (2, 3) local bounds of what is visible of these kinds; NaN when nothing is."""
        shown = [visual for visual in self.visuals.values() if visual.layer.visible and visual.layer.kind in kinds]
        boxes = [visual.extent for visual in shown if np.isfinite(visual.extent).all()]
        if not boxes:
            return np.full((2, 3), np.nan)
        return np.array([np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)])

    def bounds_of(self, refs: frozenset[AssetRef]) -> list[Float]:
        """Return local bounds (2, 3) of assets, one for each layer that has any."""
        boxes = [self.visuals[layer].bounds(rows) for layer, rows in self._rows_by_layer(refs).items() if len(rows)]
        return [box for box in boxes if box is not None]

    def count_visible(self, kind: LayerKind) -> int:
        """Return how many layers of a kind are visible."""
        return sum(visual.layer.kind is kind and visual.layer.visible for visual in self.visuals.values())

    def _rows_by_layer(self, refs: frozenset[AssetRef]) -> dict[str, Int]:
        names = names_by_layer(refs)
        return {layer: self.visuals[layer].rows_of(features) for layer, features in names.items() if layer in self.visuals}

    def _refresh(self, layer: Layer) -> None:
        data = self.context.workspace.data(layer.id)
        visual = self.visuals.get(layer.id)
        if visual is not None and self._data.get(layer.id) is not data and data is not None and visual.follows(data):
            self._data[layer.id] = data
            if self.ground.terrain is None:
                self.ground.follow(self.layers())
        if visual is not None and self._data.get(layer.id) is data and visual.fits(layer):
            visual.sync(layer)
            return
        self.drop(layer.id)
        if data is None:
            return
        if not self.visuals:
            self.placed()
        self.ground.follow(self.layers())
        visual = new_visual(self.context, layer, data)
        self.visuals[layer.id] = visual
        self._data[layer.id] = data
        self.rebuilt()
        for actor in visual.actors:
            self.canvas.renderer.AddActor(actor)
        self._raise_water()

    def _raise_water(self) -> None:
        """Draw water after what lies on the ground: what is see-through is blended in the order of drawing."""
        for visual in self.visuals.values():
            if visual.layer.kind is LayerKind.FLOOD:
                for actor in visual.actors:
                    self.canvas.renderer.RemoveActor(actor)
                    self.canvas.renderer.AddActor(actor)
