"""Notes: text pinned to a place or to an asset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands.anchors import anchors, has_feature
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.document import Record
from cimdesk.model.selection import AssetRef

OPEN = "open"
CLOSED = "closed"


def notes(session: Session, asset: AssetRef | None = None) -> list[tuple[str, Record]]:
    """Return key and record of every note, or of those pinned to one asset, oldest first."""
    found = session.workspace.document.records("note").items()
    return [(k, r) for k, r in found if asset is None or (r.get("layer"), r.get("feature")) == (asset.layer, asset.feature)]


def add(session: Session, text: str, place: Sequence[float] | None = None, asset: AssetRef | None = None) -> str:
    """Pin a note and return its key.

    Parameters
    ----------
    session : Session
    text : str
    place : 3 floats, optional
        World coordinates; of the asset when not given.
    asset : AssetRef, optional
        What the note is about.

    Raises
    ------
    UsageError
        If the text is empty.
    """
    text = _required(text)
    document = session.workspace.document
    taken = document.records("note")
    key = next(name for k in range(1, len(taken) + 2) if (name := f"note-{k}") not in taken)
    record: dict[str, Any] = {"text": text, "author": session.author, "time": round(time.time(), 3), "status": OPEN}
    if asset is not None:
        record.update(layer=asset.layer, feature=asset.feature)
        place = _place_of(session, asset) if place is None else place
    if place is not None:
        record["place"] = [float(value) for value in place]
    session.do(Edit(tr("Add note"), (document.put("note", key, record),)))
    return key


def edit(session: Session, key: str, text: str) -> None:
    """Write a note anew."""
    _require(session, key)
    session.do(Edit(tr("Edit note"), (session.workspace.document.update("note", key, text=_required(text)),)))


def set_status(session: Session, key: str, status: str) -> None:
    """Open or close a note."""
    if status not in (OPEN, CLOSED):
        raise UsageError("{status} is no status of a note; there are open and closed.", status=status)
    _require(session, key)
    label = tr("Close note") if status == CLOSED else tr("Reopen note")
    session.do(Edit(label, (session.workspace.document.update("note", key, status=status),)))


def remove(session: Session, key: str) -> None:
    """Take a note away."""
    _require(session, key)
    session.do(Edit(tr("Remove note"), (session.workspace.document.remove("note", key),)))


def _require(session: Session, key: str) -> None:
    if session.workspace.document.get("note", key) is None:
        raise UsageError("There is no note {name}.", name=key)


def _required(text: str) -> str:
    if not text.strip():
        raise UsageError("A note needs a text.")
    return text.strip()


def _place_of(session: Session, asset: AssetRef) -> list[float] | None:
    data = session.workspace.data(asset.layer)
    if data is None or not has_feature(data, asset.feature):
        return None
    point = anchors(data, [asset.feature])[0].tolist()
    return point if point[0] == point[0] else None
