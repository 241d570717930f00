"""Picture layers in the scene: draped over terrain, or on flat ground where there is none."""

from __future__ import annotations

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import Layer
from cimdesk.model.terrain import Terrain
from cimdesk.model.workspace import LayerData, bounds_of
from cimdesk.scene.picture_ground import PictureGround, Place
from cimdesk.scene.pictures import Member, Pictures
from cimdesk.scene.visual import Context, View, Visual

GENEROUS = 1.25
"""Radius of the ground in half diagonals of what is shown, as for the plain ground."""


class ImageryVisual(Visual):
    """Draws one picture layer together with the others: the first of them carries the flat ground."""

    def __init__(self, context: Context, layer: Layer, imagery: Imagery) -> None:
        super().__init__(context, layer)
        self.imagery = imagery
        self.pictures = shared_pictures(context)
        self.ground: PictureGround | None = None
        self._known: object = None
        self._others: Float = np.full((2, 3), np.nan)
        self._has_terrain = False
        self.is_waiting = True
        self._look_around()
        self.sync(layer)

    def sync(self, layer: Layer) -> None:
        super().sync(layer)
        shown = layer.visible and layer.opacity > 0.0
        member = Member(self.imagery, layer.order, layer.opacity) if shown else None
        self.pictures.show(layer.id, member, self.context.look.name)
        self._drape()
        self._known = None

    def follows(self, data: LayerData) -> bool:
        return data is self.imagery

    def prepare(self, view: View) -> None:
        self._look_around()
        if not self._leads() or self._has_terrain:
            self._put_away()
            self.is_waiting = self.pictures.is_busy and self.layer.visible
            return
        if self.ground is None:
            self.ground = PictureGround(self.pictures)
        self.ground.lay(self._place(), self.context.look)
        self.ground.prepare(view, self.context.xray)
        self._hand_over()
        self.is_waiting, self.is_pending = self.ground.is_waiting, self.ground.is_pending

    def stop(self) -> None:
        self.pictures.show(self.layer.id, None, self.context.look.name)
        if not self.pictures.members:
            self.pictures.stop()
        self._drape()

    def release(self) -> None:
        self.stop()
        if self.ground is not None:
            self.ground.clear()
        super().release()

    def _drape(self) -> None:
        """Give terrain the pictures, as long as there are any to be seen."""
        self.context.drape = self.pictures if self.pictures.members else None

    def _leads(self) -> bool:
        """Return whether this is the first of the visible picture layers."""
        return next(iter(self.pictures.members), "") == self.layer.id

    def _put_away(self) -> None:
        self.is_pending = False
        if self.ground is not None:
            self.ground.clear()
            self._hand_over()
            self.ground = None

    def _hand_over(self) -> None:
        assert self.ground is not None
        gone = self.ground.leaving
        self.joining += self.ground.joining
        self.leaving += gone
        self.actors += self.ground.joining
        if gone:
            self.actors = [actor for actor in self.actors if actor not in gone]
        self.ground.joining, self.ground.leaving = [], []

    def _look_around(self) -> None:
        """Find what else there is: pictures frame the view only where they are alone, and lie on terrain where there is one."""
        workspace = self.context.workspace
        layers = [(layer, workspace.data(layer.id)) for layer in workspace.layers()]
        key = (tuple((layer.id, layer.visible, id(data)) for layer, data in layers), self.context.origin.tobytes())
        if key == self._known:
            return
        self._known = key
        others = [(layer, data) for layer, data in layers if data is not None and not isinstance(data, Imagery)]
        self._has_terrain = any(isinstance(data, Terrain) and layer.visible for layer, data in others)
        boxes = [box for box in (bounds_of(data)[:, :2] for _, data in others if data is not None) if np.isfinite(box).all()]
        self._others = np.full((2, 2), np.nan)
        if boxes:
            self._others = np.array([np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)])
        self.extent = np.full((2, 3), np.nan)
        if not boxes and np.isfinite(self.imagery.bounds[:, :2]).all():
            self.extent = np.nan_to_num(self.imagery.bounds) - self.context.origin
            self.extent[:, 2] = 0.0

    def _place(self) -> Place:
        box = self._others if np.isfinite(self._others).all() else self.imagery.bounds[:, :2]
        box = np.where(np.isfinite(box), box, 0.0) - self.context.origin[:2]
        centre = box.mean(axis=0)
        radius = GENEROUS * float(np.linalg.norm(box[1] - box[0])) / 2.0 + 50.0
        height = float(self.context.ground(np.array([[centre[0], centre[1], 0.0]]))[0])
        x, y = self.context.origin[:2]
        return Place((float(centre[0]), float(centre[1])), radius, height, (float(x), float(y)))


def shared_pictures(context: Context) -> Pictures:
    """Return the pictures of a scene; the first picture layer makes them."""
    if context.pictures is None:
        context.pictures = Pictures(context.wake)
    return context.pictures
