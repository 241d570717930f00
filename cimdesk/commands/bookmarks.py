"""Bookmarks: views kept with the project; in order, they are the slides of a presentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import tr
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.document import Record


def bookmarks(session: Session) -> list[tuple[str, Record]]:
    """Return key and record of every bookmark, in order; rows that other software added without name or camera are none."""
    records = session.workspace.document.records("bookmark").items()
    usable = [(key, r) for key, r in records if isinstance(r.get("name"), str) and isinstance(r.get("camera"), Mapping)]
    return sorted(usable, key=lambda item: float(item[1].get("order", 0.0)))


def add(session: Session, name: str, camera: Mapping[str, Any], time: float | None = None, **view: Any) -> str:
    """Keep a view and return its key.

    Parameters
    ----------
    session : Session
    name : str
        A name that is taken gets a number.
    camera : mapping
        Plain numbers and lists, as the scene gives and takes them.
    time : float, optional
        Moment of the clock [POSIX s].
    **view
        Whatever else belongs to the view: ``layers`` {id: {"visible", "opacity"}}, ``section``, ``scenario``.
    """
    document = session.workspace.document
    present = bookmarks(session)
    name = _free_name(name.strip() or tr("View"), {str(record["name"]) for _, record in present})
    taken = document.records("bookmark")
    key = next(text for k in range(1, len(taken) + 2) if (text := f"view-{k}") not in taken)
    order = float(present[-1][1].get("order", 0.0)) + 1.0 if present else 0.0
    record = {"name": name, "camera": dict(camera), "order": order, **view, **({} if time is None else {"time": float(time)})}
    session.do(Edit(tr("Add bookmark {name}").format(name=name), (document.put("bookmark", key, record),)))
    return key


def rename(session: Session, key: str, name: str) -> None:
    """Give a bookmark another name."""
    others = {str(record["name"]) for other, record in bookmarks(session) if other != key}
    name = _free_name(name.strip() or tr("View"), others)
    record = session.workspace.document.update("bookmark", key, name=name)
    session.do(Edit(tr("Rename bookmark {name}").format(name=name), (record,)))


def update(session: Session, key: str, camera: Mapping[str, Any], time: float | None = None, **view: Any) -> None:
    """Replace the view of a bookmark, keeping its name and place in the order."""
    document = session.workspace.document
    before = _record(session, key)
    kept = {field: before[field] for field in ("name", "order") if field in before}
    after = {**kept, "camera": dict(camera), **view, **({} if time is None else {"time": float(time)})}
    session.do(Edit(tr("Update bookmark {name}").format(name=before["name"]), (document.put("bookmark", key, after),)))


def move(session: Session, key: str, before: str | None) -> None:
    """Put a bookmark in front of another, or last when ``before`` is None."""
    document = session.workspace.document
    keys = [other for other, _ in bookmarks(session) if other != key]
    keys.insert(keys.index(before) if before in keys else len(keys), key)
    records = tuple(document.update("bookmark", other, order=float(k)) for k, other in enumerate(keys))
    changed = tuple(change for change in records if change.before != change.after)
    if changed:
        session.do(Edit(tr("Move bookmark {name}").format(name=_record(session, key)["name"]), changed))


def remove(session: Session, key: str) -> None:
    """Take a bookmark away."""
    name = _record(session, key)["name"]
    session.do(Edit(tr("Remove bookmark {name}").format(name=name), (session.workspace.document.remove("bookmark", key),)))


def find(session: Session, name: str) -> tuple[str, Record]:
    """Return key and record of the bookmark with a name or key.

    Raises
    ------
    UsageError
        If there is none.
    """
    present = bookmarks(session)
    for key, record in present:
        if name in (key, record["name"]):
            return key, record
    names = ", ".join(str(record["name"]) for _, record in present) or "–"
    raise UsageError("There is no bookmark {name}; there are {names}.", name=name, names=names)


def _record(session: Session, key: str) -> Record:
    record = session.workspace.document.get("bookmark", key)
    if record is None:
        raise UsageError("There is no bookmark {name}.", name=key)
    return record


def _free_name(name: str, taken: set[str]) -> str:
    return next(text for k in range(1, len(taken) + 2) if (text := name if k == 1 else f"{name} {k}") not in taken)
