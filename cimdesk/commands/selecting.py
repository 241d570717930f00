"""Select by expression, turn a selection round, hide and isolate it, and filter layers: what is in sight, each step undoable."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cimdesk.base.arrays import Bool
from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.document import Changes, RecordChange
from cimdesk.model.evaluation import matching
from cimdesk.model.families import styled_features
from cimdesk.model.features import FeatureTable
from cimdesk.model.selection import AssetRef
from cimdesk.model.visibility import shown_rows


def rows_of_expression(session: Session, layer_id: str, expression: str) -> Bool:
    """Return (N,) bool of the features of a layer in sight for which an expression is true.

    Raises
    ------
    ExpressionError
        Where the expression cannot be understood.
    UsageError
        If the layer has no attributes.
    """
    hit = matching(expression, _table(session, layer_id))
    shown = shown_rows(session.workspace, session.workspace.layer(layer_id))
    return hit if shown is None else hit & shown


def select_by_expression(session: Session, layer_id: str, expression: str, how: str = "replace") -> int:
    """Select the features for which an expression is true; return how many they are.

    Parameters
    ----------
    how : str
        ``replace`` the selection, ``add`` to it, ``remove`` from it, or keep ``within`` it what holds.
    """
    found = refs_where(session, layer_id, rows_of_expression(session, layer_id, expression))
    combine(session, found, how)
    return len(found)


def combine(session: Session, found: frozenset[AssetRef], how: str) -> None:
    """Make features the selection, or add them to it, take them out, or keep only those of it that are among them."""
    before = session.selection.refs
    combined = {"replace": found, "add": before | found, "remove": before - found, "within": before & found}
    if how not in combined:
        raise UsageError("A selection can be made by {known}, not by {how}.", known=", ".join(combined), how=how)
    session.selection.set(combined[how])


def refs_where(session: Session, layer_id: str, rows: Bool) -> frozenset[AssetRef]:
    """Return the features of a layer whose row is true."""
    ids = _table(session, layer_id).ids
    return frozenset(AssetRef(layer_id, key) for key in ids[rows].tolist())


def invert(session: Session, layer_ids: Iterable[str]) -> None:
    """Select what is in sight and not selected, in these layers."""
    chosen: set[AssetRef] = set()
    for layer_id in layer_ids:
        table = _table(session, layer_id)
        shown = shown_rows(session.workspace, session.workspace.layer(layer_id))
        wanted = np.ones(len(table), dtype=bool) if shown is None else shown.copy()
        wanted[table.rows_of(session.selection.of_layer(layer_id))] = False
        chosen |= refs_where(session, layer_id, wanted)
    session.selection.set(chosen)


def hide_selection(session: Session) -> Changes:
    """Draw the selected features no longer; they are no longer selected either."""
    document, records = session.workspace.document, []
    for layer_id, features in _by_layer(session).items():
        layer = session.workspace.layer(layer_id)
        hidden = list(dict.fromkeys([*layer.hidden, *sorted(features)]))
        records.append(document.update("layer", layer_id, hidden=hidden))
    if not records:
        return Changes()
    count = len(session.selection.refs)
    session.selection.clear()
    return session.do(Edit(tr("Hide {count} features").format(count=f"{count:,}"), tuple(records)))


def isolate_selection(session: Session) -> Changes:
    """Draw the selected features alone in their layers; other layers stay as they are."""
    document, chosen = session.workspace.document, _by_layer(session)
    records = [document.update("layer", key, only=sorted(features), hidden=[]) for key, features in chosen.items()]
    if not records:
        return Changes()
    count = len(session.selection.refs)
    return session.do(Edit(tr("Isolate {count} features").format(count=f"{count:,}"), tuple(records)))


def show_all_features(session: Session, layer_ids: Iterable[str] | None = None) -> Changes:
    """Draw again what was hidden or left out by hand, in these layers or everywhere; filters stay."""
    records: list[RecordChange] = []
    for layer in session.workspace.layers():
        if (layer_ids is None or layer.id in layer_ids) and (layer.hidden or layer.only is not None):
            records.append(session.workspace.document.update("layer", layer.id, hidden=[], only=None))
    return session.do(Edit(tr("Show all features"), tuple(records))) if records else Changes()


def set_filter(session: Session, layer_id: str, expression: str) -> Changes:
    """Draw and list only the features for which an expression is true; an empty one takes the filter away.

    Raises
    ------
    ExpressionError
        Where the expression cannot be understood; nothing changes then.
    """
    expression = expression.strip()
    if expression:
        matching(expression, _table(session, layer_id).take(np.arange(min(2, len(_table(session, layer_id))))))
    record = session.workspace.document.update("layer", layer_id, filter=expression)
    if record.before is not None and record.before.get("filter", "") == expression:
        return Changes()
    name = session.workspace.layer(layer_id).name
    label = tr("Filter {name}") if expression else tr("Show all of {name}")
    return session.do(Edit(label.format(name=name), (record,)))


def _by_layer(session: Session) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for ref in session.selection.refs:
        found.setdefault(ref.layer, set()).add(ref.feature)
    return found


def _table(session: Session, layer_id: str) -> FeatureTable:
    table = styled_features(session.workspace, layer_id)
    if table is None:
        raise UsageError("Layer {name} has no attributes.", name=layer_id)
    return table
