"""What an action needs before it can be done, and why it cannot be done now."""

from __future__ import annotations

from enum import Flag, auto

from cimdesk.base.i18n import tr
from cimdesk.commands.ground import can_be_set_down
from cimdesk.commands.model_places import can_be_placed
from cimdesk.model.city import CityModel
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_areas import is_flood_map
from cimdesk.model.flood_comparison import flowing
from cimdesk.model.layers import LayerKind
from cimdesk.ui.desk import Desk


class Need(Flag):
    """Conditions an action asks for."""

    NOTHING = 0
    OPEN = auto()
    LAYER = auto()
    FEATURES = auto()
    SELECTION = auto()
    PIPE = auto()
    TERRAIN = auto()
    SENSORS = auto()
    FLOOD = auto()
    TIME = auto()
    UNDO = auto()
    REDO = auto()
    IDLE = auto()
    FILE = auto()
    BUILDINGS = auto()
    FLOODING = auto()
    UNFINISHED = auto()
    MODEL = auto()
    VELOCITIES = auto()
    FLOW = auto()


def reason(need: Need) -> str:
    """Return why an action is disabled when just this need is not met."""
    return {
        Need.OPEN: tr("needs an open project"),
        Need.LAYER: tr("needs a layer chosen in the layer tree"),
        Need.FEATURES: tr("needs a layer with attributes"),
        Need.SELECTION: tr("needs a selection"),
        Need.PIPE: tr("needs a selected pipe or node"),
        Need.TERRAIN: tr("needs a terrain"),
        Need.SENSORS: tr("needs sensors"),
        Need.FLOOD: tr("needs a flood result"),
        Need.TIME: tr("needs data with times"),
        Need.UNDO: tr("nothing to undo"),
        Need.REDO: tr("nothing to redo"),
        Need.IDLE: tr("a flood is being computed"),
        Need.FILE: tr("needs a saved project file"),
        Need.FLOODING: tr("no flood is being computed"),
        Need.UNFINISHED: tr("no run of this project was broken off"),
        Need.BUILDINGS: tr("needs a layer of buildings"),
        Need.VELOCITIES: tr("needs a flood with velocities: run it again, or open a result that has them"),
        Need.FLOW: tr("maps of the whole run have the flow of no moment: show the depth at the clock"),
        Need.MODEL: tr("needs a layer of a glTF, OBJ, PLY, STL or IFC file"),
    }[need]


def available(desk: Desk) -> Need:
    """Return every need that is met now."""
    session = desk.session
    workspace = session.workspace
    kinds = {layer.kind for layer in workspace.layers() if workspace.data(layer.id) is not None}
    met = Need.NOTHING
    refs = session.selection.refs
    first, last = session.clock.range
    floods = flood_results(desk)
    checks = (
        (Need.OPEN, desk.is_open),
        (Need.LAYER, desk.layer is not None),
        (Need.FEATURES, bool(desk.current_layer) and workspace.features(desk.current_layer) is not None),
        (Need.SELECTION, bool(refs)),
        (Need.PIPE, any(is_pipe(desk, ref.layer) for ref in refs)),
        (Need.TERRAIN, LayerKind.TERRAIN in kinds),
        (Need.SENSORS, LayerKind.SENSORS in kinds),
        (Need.FLOOD, bool(floods)),
        (Need.VELOCITIES, not floods or any(result.flow is not None for _, _, result in floods)),
        (Need.FLOW, not floods or _shows_moment(desk)),
        (Need.TIME, last > first),
        (Need.UNDO, bool(session.history.done)),
        (Need.REDO, bool(session.history.undone)),
        (Need.IDLE, not desk.runner.is_running("flood")),
        (Need.FLOODING, desk.floods.current is not None),
        (Need.UNFINISHED, bool(desk.floods.unfinished)),
        (Need.FILE, session.store is not None),
        (Need.MODEL, can_be_placed(workspace, desk.current_layer)),
        (Need.BUILDINGS, can_be_set_down(workspace.data(desk.current_layer))),
    )
    for need, is_met in checks:
        if is_met:
            met |= need
    return met


def is_pipe(desk: Desk, layer_id: str) -> bool:
    """Whether features of this layer are links or nodes of a network."""
    workspace = desk.session.workspace
    return workspace.document.get("layer", layer_id) is not None and workspace.layer(layer_id).kind is LayerKind.NETWORK


def flood_results(desk: Desk) -> list[tuple[str, str, FloodResult]]:
    """Return (layer id, name, result) of every flood that is loaded, in the order of the layer tree."""
    workspace = desk.session.workspace
    found = []
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, FloodResult):
            found.append((layer.id, layer.name, data))
    return found


def _shows_moment(desk: Desk) -> bool:
    """Return whether a flood with velocities is drawn at the clock, or none has any."""
    workspace = desk.session.workspace
    floods = [(key, result) for key, _, result in flood_results(desk) if result.flow is not None]
    return not floods or any(flowing(workspace, workspace.layer(key), result) for key, result in floods)


def flood_maps(desk: Desk) -> list[tuple[str, str, CityModel]]:
    """Return (layer id, name, areas) of every map of flood depths that is loaded, in the order of the layer tree."""
    workspace = desk.session.workspace
    found = []
    for layer in workspace.layers():
        data = workspace.data(layer.id)
        if isinstance(data, CityModel) and is_flood_map(data):
            found.append((layer.id, layer.name, data))
    return found
