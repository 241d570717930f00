"""What the actions on layers, networks and sensors do."""

from __future__ import annotations

import numpy as np

from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands import ground, layers, points
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Sensors, Status
from cimdesk.model.terrain import ON_GROUND, height_offset
from cimdesk.model.visibility import shown_rows
from cimdesk.model.workspace import bounds_of
from cimdesk.ui.desk import Desk
from cimdesk.ui.handlers_select import choose
from cimdesk.ui.needs import is_pipe

MOST_RAISED = 12_000.0
"""Metres by which a layer can be raised."""


def select_all(desk: Desk) -> None:
    """Select every feature of the current layer that is in sight."""
    layer, workspace = desk.layer, desk.session.workspace
    table = workspace.features(desk.current_layer)
    if table is not None and layer is not None:
        shown = shown_rows(workspace, layer)
        choose(desk, layer.id, np.ones(len(table), dtype=bool) if shown is None else shown)


def zoom_to_layer(desk: Desk) -> None:
    """Show all of the current layer."""
    view, layer = desk.view, desk.layer
    data = desk.session.workspace.data(desk.current_layer)
    if view is None or view.scene is None or layer is None or data is None:
        return
    box = bounds_of(data)
    if not np.isfinite(box[:, :2]).all():
        return
    box = np.where(np.isfinite(box), box, 0.0)
    size = float(np.linalg.norm(box[1] - box[0]))
    record = view.scene.camera.to_record()
    record |= {"target": box.mean(axis=0).tolist(), "distance": max(size * 1.2, 50.0)}
    view.scene.camera.from_record(record)


def show_table(desk: Desk) -> None:
    """Show the attribute table."""
    _tab(desk, "table")


def show_alarms(desk: Desk) -> None:
    """Show the list of alarms."""
    _tab(desk, "alarms")


def show_charts(desk: Desk) -> None:
    """Show the readings."""
    _tab(desk, "charts")


def show_messages(desk: Desk) -> None:
    """Show what was found wrong."""
    _tab(desk, "messages")


def _tab(desk: Desk, name: str) -> None:
    if desk.shell:
        desk.shell.panels.show_tab(name)


def edit_style(desk: Desk) -> None:
    """Choose what colours the current layer."""
    layer = desk.layer
    if layer is not None and layer.kind is LayerKind.POINTS:
        look = desk.ask.form("points", desk, layer=layer)
        if look is not None:
            points.set_point_style(desk.session, layer.id, look.style, look.hidden_classes)
    elif layer is not None and layer.kind is LayerKind.TERRAIN:
        choice = desk.ask.form("terrain", desk, layer=layer)
        if choice is not None:
            ground.set_terrain(desk.session, layer.id, choice.style, choice.offset)
    elif layer is not None and layer.kind is LayerKind.IMAGERY:
        desk.message.emit(tr("Pictures are shown as they are; the slider in the layer's menu fades them."))
    elif layer is not None:
        style = desk.ask.form("style", desk, layer=layer)
        if style is not None:
            layers.set_style(desk.session, layer.id, style)


def sit_on_ground(desk: Desk) -> None:
    """Set the buildings of the current layer down on the terrain, or give them back their own heights."""
    layer = desk.layer
    if layer is not None:
        desk.attempt(ground.set_on_ground, desk.session, layer.id, not sits_on_ground(desk))


def change_height(desk: Desk) -> None:
    """Ask by how many metres to raise the buildings of the current layer against the heights of their source."""
    layer = desk.layer
    if layer is None:
        return
    said = desk.ask.text(tr("Height offset…"), tr("Metres added to the heights of {name}").format(name=layer.name),
                         f"{height_offset(layer.options):g}")  # fmt: skip
    if said is None:
        return
    try:
        offset = float(said.replace(",", "."))
    except ValueError:
        offset = float("nan")
    if not abs(offset) <= MOST_RAISED:
        desk.show_error(UsageError("“{text}” is no height in metres.", text=said[:40]))
        return
    desk.attempt(ground.set_height, desk.session, layer.id, offset)


def sits_on_ground(desk: Desk) -> bool:
    """Whether the buildings of the current layer are set down on the terrain."""
    layer = desk.layer
    return layer is not None and bool(layer.options.get(ON_GROUND))


def rename_layer(desk: Desk) -> None:
    """Edit the name in the layer tree."""
    if desk.shell:
        desk.shell.layers.rename_current()


def show_all(desk: Desk) -> None:
    """Make every layer visible."""
    hidden = [layer.id for layer in desk.session.workspace.layers() if not layer.visible]
    if hidden:
        layers.set_visible(desk.session, hidden, True)


def reload_layer(desk: Desk) -> None:
    """Read the file of the current layer again."""
    from cimdesk.commands import sources

    layer = desk.layer
    if layer is not None:
        sources.reload(desk.session, layer.id)


def remove_layer(desk: Desk) -> None:
    """Take the current layer out; undo brings it back."""
    layer = desk.layer
    if layer is not None:
        layers.remove(desk.session, [layer.id])
        desk.select_layer("")
        desk.message.emit(tr("Removed {name}. Undo brings it back.").format(name=layer.name))


def trace_upstream(desk: Desk) -> None:
    """Select what drains to the selected pipe."""
    _trace(desk, "up")


def trace_downstream(desk: Desk) -> None:
    """Select where the selected pipe drains to."""
    _trace(desk, "down")


def trace_connected(desk: Desk) -> None:
    """Select what is connected to the selected pipe."""
    _trace(desk, "connected")


def isolate(desk: Desk) -> None:
    """Select the part that shutting valves cuts off round the selected pipe, and those valves."""
    _trace(desk, "isolate")


def _trace(desk: Desk, direction: str) -> None:
    from cimdesk.commands import trace

    start = next((ref for ref in sorted(desk.session.selection.refs) if is_pipe(desk, ref.layer)), None)
    if start is not None:
        found = trace.select_trace(desk.session, start, direction)
        if direction == "isolate":
            valves, customers = len(found.valves) + len(found.node_valves), len(found.customers)
            desk.message.emit(
                tr("{valves} valves to close, {customers} customers without").format(valves=valves, customers=customers)
            )


def alarms(desk: Desk) -> list[tuple[AssetRef, Status]]:
    """Return every sensor in attention, warning or alarm at the clock, the worst first."""
    session = desk.session
    found: list[tuple[AssetRef, Status]] = []
    for layer in session.workspace.layers():
        data = session.workspace.data(layer.id)
        if isinstance(data, Sensors):
            status = data.status_at(session.clock.time)
            raised = np.flatnonzero((status >= Status.ATTENTION) & (status <= Status.ALARM))
            found += [(AssetRef(layer.id, str(data.features.ids[row])), Status(int(status[row]))) for row in raised]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def next_alarm(desk: Desk) -> None:
    """Select the next sensor in alarm and show it."""
    raised = [ref for ref, status in alarms(desk) if status >= Status.WARNING]
    if not raised:
        desk.message.emit(tr("No sensor is in alarm now."))
        return
    selected = desk.session.selection.refs
    at = next((k for k, ref in enumerate(raised) if ref in selected), -1)
    ref = raised[(at + 1) % len(raised)]
    desk.select([ref])
    if desk.view and desk.view.scene:
        desk.view.scene.fit(frozenset({ref}))
