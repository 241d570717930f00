"""What the actions on selections and on what is in sight do."""

from __future__ import annotations

from cimdesk.base.i18n import tr
from cimdesk.commands import selecting
from cimdesk.ui.desk import Desk


def filter_layer(desk: Desk) -> None:
    """Choose which features of the current layer are drawn and listed."""
    layer = desk.layer
    if layer is not None:
        expression = desk.ask.form("style", desk, layer=layer, page="filter")
        if isinstance(expression, str):
            desk.attempt(selecting.set_filter, desk.session, layer.id, expression)


def clear_filter(desk: Desk) -> None:
    """Draw and list all features of the current layer again."""
    if desk.layer is not None:
        selecting.set_filter(desk.session, desk.layer.id, "")


def by_expression(desk: Desk) -> None:
    """Select the features of the current layer for which an expression is true."""
    layer = desk.layer
    choice = desk.ask.form("select", desk, layer=layer) if layer is not None else None
    if layer is not None and choice is not None:
        count = desk.attempt(selecting.select_by_expression, desk.session, layer.id, *choice)
        if count is not None:
            desk.message.emit(tr("{count} features hold.").format(count=f"{count:,}"))


def invert(desk: Desk) -> None:
    """Select what is not selected, in the layers of the selection, or in the current one."""
    layers = {ref.layer for ref in desk.session.selection.refs} or {desk.current_layer}
    desk.attempt(selecting.invert, desk.session, sorted(layer for layer in layers if layer))


def hide(desk: Desk) -> None:
    """Draw the selected features no longer."""
    count = len(desk.session.selection.refs)
    selecting.hide_selection(desk.session)
    desk.message.emit(tr("{count} features hidden. “Show all features” brings them back.").format(count=f"{count:,}"))


def isolate(desk: Desk) -> None:
    """Draw the selected features alone in their layers."""
    selecting.isolate_selection(desk.session)
    desk.message.emit(tr("Only the selected features are shown. “Show all features” brings the others back."))


def show_all(desk: Desk) -> None:
    """Draw again what was hidden."""
    selecting.show_all_features(desk.session)
