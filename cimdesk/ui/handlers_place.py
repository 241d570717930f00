"""What placing a model does: it is shown where it is put, and an edit is made when it is to stay there."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.commands import model_places
from cimdesk.model.city import CityModel
from cimdesk.model.placement import Placement
from cimdesk.model.workspace import Workspace, bounds_of
from cimdesk.ui.desk import Desk
from cimdesk.ui.place_card import PlaceCard
from cimdesk.ui.place_tool import Placing

SMOOTH = 400_000
"""Triangles up to which a model itself is shown in every place; of larger ones only the box until they are placed."""


def place_model(desk: Desk) -> None:
    """Put the model of the current layer somewhere by hand."""
    layer, view = desk.layer, desk.view
    if layer is None or view is None or view.scene is None:
        return
    workspace = desk.session.workspace
    start = desk.attempt(model_places.placement_of, workspace, layer.id)
    city = workspace.data(layer.id)
    if start is None or not isinstance(city, CityModel):
        return
    triangles = sum(len(mesh.triangles) for mesh in city.meshes.values())
    is_shown = {"elsewhere": False}

    def moved(placement: Placement) -> None:
        if triangles <= SMOOTH and workspace.document.get("layer", layer.id) is not None:
            is_shown["elsewhere"] = True
            model_places.shown_at(workspace, layer.id, city, placement)

    def left() -> None:
        if is_shown["elsewhere"] and workspace.document.get("layer", layer.id) is not None:
            is_shown["elsewhere"] = False
            model_places.shown_at(workspace, layer.id, city, None)

    def done(placement: Placement) -> None:
        is_shown["elsewhere"] = False
        if desk.attempt(model_places.place_model, desk.session, layer.id, placement, city) is not None:
            desk.message.emit(tr("{name} is placed. Undo takes it back.").format(name=layer.name))
        view.set_tool("pick")

    box = own_box(city, Placement.of(layer.options))
    name = layer.name
    view.take(
        lambda canvas: Placing(canvas, start, box, moved, done),
        lambda parent, tool, give_up: PlaceCard(
            parent, tool, name, lambda x, y: model_places.ground_height(workspace, x, y), give_up, left
        ),
    )


def offer(desk: Desk, known: Collection[str]) -> None:
    """Begin to place a model that has just been added far from everything else: it does not say where it is."""
    workspace = desk.session.workspace
    fresh = [layer.id for layer in workspace.layers() if layer.id not in known]
    if len(fresh) != 1 or not _is_anywhere(workspace, fresh[0]):
        return
    others = [layer.id for layer in workspace.layers() if layer.id in known and not _is_anywhere(workspace, layer.id)]
    boxes = [box for key in others if np.isfinite(box := layer_bounds(workspace, key)[:, :2]).all()]
    mine = layer_bounds(workspace, fresh[0])[:, :2]
    if not boxes or not np.isfinite(mine).all():
        return
    gaps = [np.maximum(np.maximum(box[0] - mine[1], mine[0] - box[1]), 0.0) for box in boxes]
    if min(float(np.linalg.norm(gap)) for gap in gaps) > model_places.FAR:
        desk.select_layer(fresh[0])
        place_model(desk)


def _is_anywhere(workspace: Workspace, layer_id: str) -> bool:
    """Return whether a layer is a model that nobody has put somewhere yet."""
    return model_places.can_be_placed(workspace, layer_id) and Placement.of(workspace.layer(layer_id).options) is None


def layer_bounds(workspace: Workspace, layer_id: str) -> np.ndarray:
    """Return the (2, 3) bounds of a layer's data; NaN while there is none."""
    data = workspace.data(layer_id)
    return np.full((2, 3), np.nan) if data is None else bounds_of(data)


def own_box(city: CityModel, placement: Placement | None) -> np.ndarray:
    """Return the (2, 3) box of a model in its own coordinates."""
    if placement is None:
        return np.asarray(city.bounds)
    boxes = [placement.undo(mesh.world_vertices()) for mesh in city.meshes.values() if len(mesh.vertices)]
    points = np.concatenate(boxes)
    return np.array([points.min(axis=0), points.max(axis=0)])
