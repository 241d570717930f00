"""Layers as people change them: show, fade, order, style, rename, remove. Each is one undoable edit."""

from __future__ import annotations

from cimdesk.base.i18n import tr
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.document import Changes
from cimdesk.model.layers import group_of
from cimdesk.model.style import Style
from cimdesk.model.water import CLEAN, MUDDY, OPTION


def set_visible(session: Session, layer_ids: list[str], visible: bool) -> Changes:
    """Show or hide layers; guests at once, without an edit."""
    workspace = session.workspace
    document = workspace.document
    for key in (key for key in layer_ids if workspace.is_guest(key)):
        workspace.show_guest(workspace.layer(key).but(visible=visible), workspace.data(key))
    layer_ids = [key for key in layer_ids if not workspace.is_guest(key)]
    if not layer_ids:
        return Changes()
    label = tr("Show {name}") if visible else tr("Hide {name}")
    records = tuple(document.update("layer", key, visible=visible) for key in layer_ids)
    return session.do(Edit(label.format(name=_names(session, layer_ids)), records))


def set_opacity(session: Session, layer_id: str, opacity: float) -> Changes:
    """Fade a layer, 0..1; a dragged slider is one undo step."""
    record = session.workspace.document.update("layer", layer_id, opacity=min(max(opacity, 0.0), 1.0))
    label = tr("Opacity of {name}").format(name=_names(session, [layer_id]))
    return session.do(Edit(label, (record,), merge=f"opacity:{layer_id}"))


def set_style(session: Session, layer_id: str, style: Style) -> Changes:
    """Draw a layer in another style."""
    record = session.workspace.document.update("layer", layer_id, style=style.to_record())
    return session.do(Edit(tr("Style of {name}").format(name=_names(session, [layer_id])), (record,)))


def set_muddy(session: Session, layer_ids: list[str], muddy: bool) -> Changes:
    """Show the water of flood layers muddy, or clean."""
    document = session.workspace.document
    records = []
    for key in layer_ids:
        options = {**session.workspace.layer(key).options, OPTION: MUDDY if muddy else CLEAN}
        records.append(document.update("layer", key, options=options))
    label = tr("Muddy water of {name}") if muddy else tr("Clean water of {name}")
    return session.do(Edit(label.format(name=_names(session, layer_ids)), tuple(records)))


def set_look(session: Session, layer_id: str, style: Style, expression: str | None = None) -> Changes:
    """Draw a layer in another style and, where one is given, through another filter, as one step."""
    fields: dict[str, object] = {"style": style.to_record()}
    if expression is not None:
        fields["filter"] = expression.strip()
    record = session.workspace.document.update("layer", layer_id, **fields)
    if record.after == record.before:
        return Changes()
    return session.do(Edit(tr("Style of {name}").format(name=_names(session, [layer_id])), (record,)))


def rename(session: Session, layer_id: str, name: str) -> Changes:
    """Give a layer another name."""
    record = session.workspace.document.update("layer", layer_id, name=name)
    return session.do(Edit(tr("Rename {name}").format(name=_names(session, [layer_id])), (record,)))


def move(session: Session, layer_id: str, before: str | None) -> Changes:
    """Put a layer in front of another of its group, or last when ``before`` is None; nothing is done where it lies there."""
    layers = session.workspace.layers()
    moved = session.workspace.layer(layer_id)
    group = group_of(moved.kind)
    others = [layer for layer in layers if group_of(layer.kind) == group and layer.id != layer_id]
    at = next((k for k, layer in enumerate(others) if layer.id == before), len(others))
    others.insert(at, moved)
    document = session.workspace.document
    if [layer.id for layer in others] == [layer.id for layer in layers if group_of(layer.kind) == group]:
        return Changes()
    records = tuple(document.update("layer", layer.id, order=float(k)) for k, layer in enumerate(others) if layer.order != float(k))
    return session.do(Edit(tr("Move {name}").format(name=moved.name), records))


def remove(session: Session, layer_ids: list[str]) -> Changes:
    """Take layers out of the project; their files stay where they are, and undo brings them back."""
    workspace = session.workspace
    records = tuple(workspace.document.remove("layer", key) for key in layer_ids)
    gone = {key: data for key in layer_ids if (data := workspace.data(key)) is not None}
    label = tr("Remove {name}").format(name=_names(session, layer_ids))
    session.selection.set(ref for ref in session.selection.refs if ref.layer not in layer_ids)
    return session.do(Edit(label, records, removed_data=gone))


def _names(session: Session, layer_ids: list[str]) -> str:
    names = [session.workspace.layer(key).name for key in layer_ids]
    return names[0] if len(names) == 1 else tr("{count} layers").format(count=len(names))
