"""What the actions on a layer as a dataset do: export it, show its card, raise its outlines into buildings."""

from __future__ import annotations

from cimdesk.base.i18n import tr
from cimdesk.ui.desk import Desk


def export_layer(desk: Desk) -> None:
    """Ask for a format and a file, and write the current layer there beside the window."""
    from cimdesk.commands.export import FORMAT_NAMES, export_job, formats_for

    layer = desk.layer
    if layer is None:
        return
    if not formats_for(desk.session.workspace.data(layer.id)):
        desk.message.emit(tr("A layer of this kind cannot be exported."))
        return
    choice = desk.ask.form("export", desk, layer=layer)
    if choice is None:
        return
    title = tr("Export as {format}").format(format=tr(FORMAT_NAMES[choice.suffix]))
    path = desk.ask.save_path(title, choice.suffix, _file_name(layer.name))
    if path is None:
        return
    if choice.suffix and not path.name.lower().endswith(choice.suffix):
        path = path.with_name(path.name.removesuffix(".city") + choice.suffix) if not path.suffix else path

    def done(count: int) -> None:
        desk.message.emit(tr("{name} written: {count} features").format(name=path.name, count=f"{count:,}"))

    job = desk.attempt(export_job, desk.session, layer.id, path, choice.options, done)
    if job is not None:
        desk.run(job)


def show_card(desk: Desk) -> None:
    """Show the card of the current layer and keep what is changed on it."""
    from cimdesk.commands.cards import set_card

    layer = desk.layer
    card = desk.ask.form("card", desk, layer=layer) if layer is not None else None
    if layer is not None and card is not None:
        desk.attempt(set_card, desk.session, layer.id, card)


def extrude(desk: Desk) -> None:
    """Ask how the outlines of the current layer become buildings, and add them as a layer."""
    from cimdesk.commands.extruding import can_be_extruded, extrude_job

    layer = desk.layer
    if layer is None:
        return
    if not can_be_extruded(desk.session.workspace.data(layer.id)):
        desk.message.emit(tr("{name} has no outlines that could become buildings.").format(name=layer.name))
        return
    choice = desk.ask.form("extrude", desk, layer=layer)
    if choice is None:
        return
    job = desk.attempt(extrude_job, desk.session, layer.id, choice.extrusion, choice.on_ground)
    if job is not None:
        desk.run(job)


def _file_name(name: str) -> str:
    return "".join("_" if sign in '\\/:*?"<>|' else sign for sign in name).strip() or tr("city")
