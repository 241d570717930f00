"""What the actions on selections and on what is in sight do."""

from __future__ import annotations

from cimdesk.base.arrays import Bool
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands import selecting
from cimdesk.model.selection import AssetRef
from cimdesk.ui.desk import Desk

AT_ONCE = 30_000
"""Selections up to this large are made on the spot, larger ones in a job."""


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
    if layer is None or choice is None:
        return
    session, layer_id, (expression, how) = desk.session, layer.id, choice
    rows = desk.attempt(selecting.rows_of_expression, session, layer_id, expression)
    if rows is None:
        return
    choose(desk, layer_id, rows, how)
    desk.message.emit(tr("{count} features hold.").format(count=f"{int(rows.sum()):,}"))


def choose(desk: Desk, layer_id: str, rows: Bool, how: str = "replace") -> None:
    """Select the features of a layer whose row is true; many thousands are gathered beside the window."""
    session = desk.session

    def work(progress: Progress, cancel: CancelToken) -> frozenset[AssetRef]:
        return selecting.refs_where(session, layer_id, rows)

    def done(found: frozenset[AssetRef]) -> None:
        selecting.combine(session, found, how)

    if int(rows.sum()) <= AT_ONCE:
        done(selecting.refs_where(session, layer_id, rows))
    else:
        desk.run(JobSpec(tr("Selecting"), work, done, key="select-rows"))


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
