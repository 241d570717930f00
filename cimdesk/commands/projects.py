"""Projects as people handle them: new, open, untitled, save a state, save under another name, recent ones."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cimdesk.base.collector import collector_paused
from cimdesk.base.errors import Problem, ProjectError, Severity, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import JobRunner
from cimdesk.base.paths import user_data_dir
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.document import Changes, Record, RecordChange
from cimdesk.project.files import replacing, sidecars
from cimdesk.project.lock import holder
from cimdesk.project.store import ProjectStore, RestorePoint
from cimdesk.project.trail import BASELINE, RELOCATION, Step, move_between, relocated, trail_of

RECENT_KEPT = 20
SUFFIX = ".gpkg"


@dataclass(frozen=True)
class Recent:
    """A project opened before.

    Attributes
    ----------
    path : Path
    title : str
    opened : float
        [POSIX s].
    is_missing : bool
        Whether the file is no longer there.
    """

    path: Path
    title: str
    opened: float
    is_missing: bool


@dataclass(frozen=True)
class Leftover:
    """An untitled project that was never saved under a name.

    Attributes
    ----------
    path : Path
    time : float
        Last change [POSIX s].
    changes : int
        Steps in it.
    problem : str
        Why it cannot be opened; empty when it can.
    """

    path: Path
    time: float
    changes: int
    problem: str = ""


def is_project(path: Path) -> bool:
    """Whether a path is a cimdesk project file, not just any GeoPackage."""
    if path.suffix.lower() != ".gpkg" or not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'cimdesk_meta'").fetchone()
    except sqlite3.Error:
        return False
    return found is not None


def with_suffix(path: Path) -> Path:
    """Return a path whose name ends like a project's."""
    path = Path(path)
    return path if path.suffix.lower() == SUFFIX else path.with_name(path.name + SUFFIX)


def create(path: Path, title: str = "", runner: JobRunner | None = None) -> Session:
    """Make a new project file and open it.

    Raises
    ------
    ProjectError
        If there is a file already, or it cannot be written.
    """
    path = with_suffix(path)
    session = Session(ProjectStore.create(path), runner)
    settings = session.workspace.document.put("project", "settings", {"title": title or path.stem})
    session.do(Edit(tr("New project"), (settings,), merge=BASELINE))
    session.history.restore([], [])
    save(session)
    return session


def open_project(path: Path, runner: JobRunner | None = None, read_only: bool = False) -> Session:
    """Open a project with what could be undone and redone when it was closed; its layers have no data yet.

    Layers whose source is missing are marked unavailable and stay in the project. What is wrong with the project itself is
    under the empty layer id in the workspace's problems.

    Raises
    ------
    ProjectError
        If it is missing, no project, damaged, or made by a newer version; the file is as before.
    """
    store = ProjectStore.open(path, read_only)
    session = Session(store, runner)
    try:
        with collector_paused():
            session.adopt(store.load())
    except ProjectError:
        session.close()
        raise
    try:
        with collector_paused():
            _restore_history(session, store)
    except ProjectError as error:
        # Without its journal the city is still all there; only undo is not.
        problem = Problem(Severity.ERROR, "journal-damaged", "journal", "{text}", {"text": error.localized()})
        session.workspace.set_problems("", (problem,))
    _mark_missing_sources(session)
    return session


def scratch(runner: JobRunner | None = None) -> Session:
    """Open a new untitled project; it is kept like any other, so that nothing is lost before it has a name."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (f"untitled-{stamp}-{os.getpid()}{'' if k == 0 else f'-{k}'}{SUFFIX}" for k in range(1000))
    path = next(place for name in names if not (place := _untitled_dir() / name).exists())
    session = Session(ProjectStore.create(path), runner)
    session.is_scratch = True
    return session


def recoverable() -> list[Leftover]:
    """Return the untitled projects left by programs that ended, newest first."""
    found = []
    for path in _untitled_dir().glob(f"*{SUFFIX}"):
        if path.name.startswith(".") or holder(path) is not None:
            continue
        newest = _last_change(path)
        try:
            store = ProjectStore.open(path)
        except ProjectError as error:
            # Another window that looks through them may just have taken one away.
            if path.exists():
                found.append(Leftover(path, newest, 0, error.message))
            continue
        changes = store.last_number
        store.close()
        if changes:
            found.append(Leftover(path, newest, changes))
        else:
            path.unlink(missing_ok=True)
    return sorted(found, key=lambda leftover: -leftover.time)


def recover(leftover: Leftover, runner: JobRunner | None = None) -> Session:
    """Open an untitled project again; it stays untitled until it is saved under a name."""
    session = open_project(leftover.path, runner)
    session.is_scratch = True
    return session


def discard(leftover: Leftover) -> None:
    """Throw an untitled project away."""
    if leftover.path.parent != _untitled_dir():
        raise UsageError("Only untitled projects are thrown away; {path} has a name.", path=leftover.path)
    for place in (leftover.path, *sidecars(leftover.path)):
        place.unlink(missing_ok=True)


def save(session: Session, name: str = "") -> RestorePoint:
    """Keep the present state as a restore point and take away the star. Every edit is on disk already.

    Raises
    ------
    ProjectError
        If it cannot be written.
    """
    point = _store_of(session).add_restore_point(name, session.author)
    session.history.mark_clean()
    return point


def save_as(session: Session, path: Path) -> None:
    """Go on under another name; the file left behind stays as it is, an untitled one goes away.

    Raises
    ------
    ProjectError
        If it cannot be written, or the target is open elsewhere; the session then goes on with the old file.
    """
    store, path = _store_of(session), with_suffix(path).absolute()
    if path == store.path.absolute():
        save(session)
        return
    move = move_between(store.path.parent.absolute(), path.parent)
    records = [] if move == "." else _relocations(session, move)
    store.copy_to(path, tr("Save as {name}").format(name=path.name), session.author, records, RELOCATION + move)
    session.store = ProjectStore.open(path)
    session.workspace.apply(tuple(records))
    if move != ".":
        _relocate_history(session, move)
    was_scratch, session.is_scratch = session.is_scratch, False
    store.close()
    if was_scratch:
        store.path.unlink(missing_ok=True)
    save(session)


def restore_points(session: Session) -> list[RestorePoint]:
    """Return the saved states, oldest first."""
    return _store_of(session).restore_points()


def return_to(session: Session, point: RestorePoint) -> Changes:
    """Bring every record back to what it was at a restore point, as one undoable edit."""
    document = session.workspace.document
    then: dict[tuple[str, str], Record | None] = {}
    for entry in _store_of(session).journal()[point.number :]:
        move = entry.merge.removeprefix(RELOCATION) if entry.merge.startswith(RELOCATION) else ""
        if move:
            then = {place: relocated(RecordChange(*place, None, record), move).after for place, record in then.items()}
            continue
        for change in entry.records:
            then.setdefault((change.table, change.key), change.before)
    records = [RecordChange(*place, document.get(*place), record) for place, record in then.items()]
    label = tr("Return to {name}").format(name=point.name or tr("the saved state"))
    return session.do(Edit(label, tuple(change for change in records if change.before != change.after)))


def recent() -> list[Recent]:
    """Return the projects opened before, the last one first."""
    try:
        rows = json.loads(_recent_file().read_text(encoding="utf-8"))
        found = [(Path(str(row["path"])), str(row["title"]), float(row["opened"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        # What cannot be read is only a convenience; it starts anew.
        return []
    return [Recent(path, title, opened, not path.is_file()) for path, title, opened in found]


def remember(session: Session) -> None:
    """Put the session's project first among the recent ones; untitled ones are left out."""
    if session.path is None or session.is_scratch:
        return
    path = session.path.absolute()
    entry = Recent(path, str(session.workspace.settings.get("title") or path.stem), time.time(), False)
    _write_recent([entry, *(other for other in recent() if other.path != path)][:RECENT_KEPT])


def forget(path: Path) -> None:
    """Take a project out of the recent ones; its file stays."""
    _write_recent([other for other in recent() if other.path != path])


def _restore_history(session: Session, store: ProjectStore) -> None:
    trail = trail_of(store)
    done, undone = ([_edit_of(step) for step in steps] for steps in (trail.done, trail.undone))
    if not _leads_here(session, done, undone):
        # Other software changed the tables since; taking back old steps would overwrite that.
        done, undone = [], []
    clean: Edit | Literal["bottom"] | None = None
    if trail.clean is not None and trail.clean <= len(done):
        clean = done[trail.clean - 1] if trail.clean else "bottom"
    session.history.restore(done, undone, clean)


def _edit_of(step: Step) -> Edit:
    last = step.entries[-1]
    if len(step.entries) == 1:
        return Edit(last.label, step.records, merge=last.merge)
    merged: dict[tuple[str, str], RecordChange] = {}
    for change in step.records:
        known = merged.get((change.table, change.key))
        merged[change.table, change.key] = RecordChange(
            change.table, change.key, change.before if known is None else known.before, change.after
        )
    return Edit(last.label, tuple(merged.values()), merge=last.merge)


def _leads_here(session: Session, done: list[Edit], undone: list[Edit]) -> bool:
    """Whether taking back the last step and doing the next again both start from the present records."""
    document = session.workspace.document
    try:
        if done:
            document.check([change.reversed() for change in done[-1].records])
        if undone:
            document.check(undone[-1].records)
    except ValueError:
        return False
    return True


def _mark_missing_sources(session: Session) -> None:
    for layer in session.workspace.layers():
        path = session.base_dir / layer.source
        if layer.source and "://" not in layer.source and not path.exists():
            from cimdesk.commands.large import missing_tiles

            gone = missing_tiles(layer, path)
            why = tr("{path} is not there.").format(path=layer.source) if gone is None else gone.localized()
            session.workspace.mark_unavailable(layer.id, why)


def _relocations(session: Session, move: str) -> list[RecordChange]:
    changes = []
    for table, key, record in session.workspace.document:
        moved = relocated(RecordChange(table, key, record, record), move)
        if moved.after != record:
            changes.append(RecordChange(table, key, record, moved.after))
    return changes


def _relocate_history(session: Session, move: str) -> None:
    session.history.rewrite(lambda edit: replace(edit, records=tuple(relocated(change, move) for change in edit.records)))


def _store_of(session: Session) -> ProjectStore:
    if session.store is None:
        raise UsageError("Nothing is open that could be saved; make or open a project first.")
    return session.store


def _last_change(path: Path) -> float:
    """Return when a project was last written to [POSIX s]; 0 when it is gone by now."""
    newest = 0.0
    for place in (path, *sidecars(path)):
        with contextlib.suppress(OSError):
            newest = max(newest, place.stat().st_mtime)
    return newest


def _untitled_dir() -> Path:
    folder = user_data_dir() / "untitled"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _recent_file() -> Path:
    return user_data_dir() / "recent.json"


def _write_recent(entries: list[Recent]) -> None:
    rows = [{"path": str(entry.path), "title": entry.title, "opened": entry.opened} for entry in entries]
    # A list of recent files is not worth an error.
    with contextlib.suppress(OSError), replacing(_recent_file()) as temporary:
        temporary.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
