"""Models that do not say where they are, put in their place by hand or by numbers; undoable, and kept with the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from cimdesk.base.crs import LocalFrame
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands.ground import at_height, ground_of
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.city import CityModel
from cimdesk.model.document import Changes
from cimdesk.model.layers import Layer
from cimdesk.model.placement import PLACEMENT, Placement, replaced
from cimdesk.model.terrain import height_offset
from cimdesk.model.workspace import LayerData, Workspace
from cimdesk.services.raised_tiles import raised_city

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".ifc", ".ifczip", ".ifcxml")
"""Files of models that may be drawn anywhere."""
FAR = 20_000.0
"""Metres from the origin of a project beyond which a model that is its only layer takes the origin with it."""


def can_be_placed(workspace: Workspace, layer_id: str) -> bool:
    """Return whether a layer is a model that a person may put somewhere."""
    layer = workspace.document.get("layer", layer_id)
    if layer is None or not isinstance(workspace.data(layer_id), CityModel):
        return False
    return PurePath(workspace.layer(layer_id).source.split("?", 1)[0]).suffix.lower() in SUFFIXES


def placement_of(workspace: Workspace, layer_id: str) -> Placement:
    """Return where a model is now: as somebody has put it, else as its own coordinates have it.

    Raises
    ------
    UsageError
        If the layer is no such model.
    """
    layer, city = _model(workspace, layer_id)
    return Placement.of(layer.options) or Placement.as_it_is(city)


def standing_at(workspace: Workspace, placement: Placement, east: float, north: float, height: float | None = None) -> Placement:
    """Return a placement at another point; without a height, on the terrain, else as high as it is."""
    if height is None:
        height = ground_height(workspace, east, north)
    return replace(placement, at=(east, north, placement.at[2] if height is None else height))


def ground_height(workspace: Workspace, east: float, north: float) -> float | None:
    """Return the height of the terrain at a point; None where there is none."""
    import numpy as np

    terrain = ground_of(workspace)
    height = float("nan") if terrain is None else float(terrain.at_hand.sample(np.array([[east, north]]))[0])
    return height if np.isfinite(height) else None


def place_model(session: Session, layer_id: str, placement: Placement, before: CityModel | None = None) -> Changes:
    """Put a model somewhere, with all layers of the same file: storeys and spaces stay in their building.

    Parameters
    ----------
    session : Session
    layer_id : str
    placement : Placement
    before : CityModel or None
        The layer's data as it was when moving it began, where it has been shown elsewhere since.

    Raises
    ------
    UsageError
        If the layer is no such model, or the placement cannot be.
    """
    workspace = session.workspace
    layer, city = _model(workspace, layer_id)
    if not placement.is_sound:
        raise UsageError("A model cannot be put there: its place, turn or scale is out of range.", remedy="Give other numbers.")
    city = before or city
    together = {layer_id: city, **_companions(workspace, layer)}
    records = [
        workspace.document.update("layer", key, options={**workspace.layer(key).options, PLACEMENT: placement.record()})
        for key in together
    ]
    if all(record.after == record.before for record in records):
        return Changes()
    data: dict[str, LayerData] = {key: _moved(each, workspace.layer(key), placement) for key, each in together.items()}
    moved = data[layer_id]
    assert isinstance(moved, CityModel)
    frame = workspace.frame
    others = [each for each in workspace.layers() if each.id not in together]
    if frame is not None and not others and max(abs(a - b) for a, b in zip(placement.at[:2], frame.origin[:2], strict=True)) > FAR:
        fresh = LocalFrame.around(frame.crs, moved.bounds.mean(axis=0))
        settings = {**workspace.settings, "origin": list(fresh.origin)}
        records.append(workspace.document.put("project", "settings", settings))
    return session.do(Edit(tr("Place {name}").format(name=layer.name), tuple(records), data, dict(together)))


def shown_at(workspace: Workspace, layer_id: str, city: CityModel, placement: Placement | None) -> None:
    """Show a model elsewhere for now, without any edit; ``city`` is its data as the record has it, None shows that again."""
    data = city if placement is None else _moved(city, workspace.layer(layer_id), placement)
    workspace.apply((), {layer_id: data})


def as_kept(data: LayerData, options: Mapping[str, Any]) -> LayerData:
    """Return freshly loaded data where a person has put it, and as high."""
    placement = Placement.of(options)
    if placement is not None and isinstance(data, CityModel):
        data = replaced(data, None, placement)
    return at_height(data, options)


def _companions(workspace: Workspace, layer: Layer) -> dict[str, CityModel]:
    """Return the other layers of the same file that can be put somewhere, with their data."""
    found = {}
    for each in workspace.layers():
        data = workspace.data(each.id)
        if each.id != layer.id and each.source == layer.source and isinstance(data, CityModel):
            found[each.id] = data
    return found


def _moved(city: CityModel, layer: Layer, placement: Placement) -> CityModel:
    """Return a model in another place, as much higher than that as its layer says."""
    lift = height_offset(layer.options)
    own = raised_city(city, -lift) if lift else city
    moved = replaced(own, Placement.of(layer.options), placement)
    return raised_city(moved, lift) if lift else moved


def _model(workspace: Workspace, layer_id: str) -> tuple[Layer, CityModel]:
    layer, data = workspace.layer(layer_id), workspace.data(layer_id)
    if not isinstance(data, CityModel) or not can_be_placed(workspace, layer_id):
        raise UsageError(
            "{name} is no model that can be put somewhere by hand.",
            name=layer.name,
            remedy="Choose a layer of a glTF, OBJ, PLY, STL or IFC file.",
        )
    return layer, data
