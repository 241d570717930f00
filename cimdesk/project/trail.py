"""Undo steps from the journal: what could be undone and redone when the project was closed, or its program ended."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cimdesk.model.document import Record, RecordChange
from cimdesk.project.journal import JournalEntry
from cimdesk.project.store import JournalStep, ProjectStore

STEPS_KEPT = 200
"""How many undo steps come back with a project."""
BYTES_KEPT = 64_000_000
"""No more than this much of the journal is read for them."""

RELOCATION = "relocation:"
"""Merge word of the entry that a save under another name leaves, followed by where the old folder is from the new one."""

BASELINE = "baseline"
"""Merge word of the entry a new project begins with; undo stops there."""

_PATH_FIELDS = {"layer": ("source",), "scenario": ("source", "path"), "result": ("source", "path")}


@dataclass(frozen=True)
class Step:
    """One undo step: the journal entries that make it, merged ones together.

    Attributes
    ----------
    entries : tuple of JournalEntry
    is_reversed : bool
        Whether the records are those of taking it back (all that is left of a step from before the part that was read).
    moves : tuple of str
        Folders its relative paths have moved by since.
    """

    entries: tuple[JournalEntry, ...]
    is_reversed: bool
    moves: tuple[str, ...]

    @property
    def records(self) -> tuple[RecordChange, ...]:
        """Records of doing the step, with paths relative to where the project lies now."""
        records = [change for entry in self.entries for change in entry.records]
        if self.is_reversed:
            records = [change.reversed() for change in reversed(records)]
        for move in self.moves:
            records = [relocated(change, move) for change in records]
        return tuple(records)


@dataclass(frozen=True)
class Trail:
    """Steps done and undone, oldest first, and which of them was saved.

    Attributes
    ----------
    done, undone : tuple of Step
        The next one to undo or redo is last.
    clean : int or None
        How many of ``done`` belong to the last saved state; None when it is none of these.
    """

    done: tuple[Step, ...]
    undone: tuple[Step, ...]
    clean: int | None


@dataclass
class _Pending:
    """A step while going through the journal: numbers only."""

    numbers: list[int]
    merge: str
    size: int
    is_reversed: bool = False


def trail_of(store: ProjectStore) -> Trail:
    """Return the undo steps of a project; raises `ProjectError` when the journal is damaged."""
    steps = store.steps()
    points = store.restore_points()
    saved = points[-1].number if points else 0
    done, undone, clean = _replay(steps, saved)
    kept_done, kept_undone = _newest(done), _newest(undone)
    dropped = len(done) - len(kept_done)
    entries = store.entries(number for pending in (*kept_done, *kept_undone) for number in pending.numbers)
    moves = [(step.number, step.merge.removeprefix(RELOCATION)) for step in steps if step.merge.startswith(RELOCATION)]

    def full(pending: _Pending) -> Step:
        later = tuple(move for number, move in moves if number > pending.numbers[-1])
        return Step(tuple(entries[number] for number in pending.numbers), pending.is_reversed, later)

    is_there = clean is not None and clean >= dropped
    return Trail(
        tuple(map(full, kept_done)), tuple(map(full, kept_undone)), clean - dropped if is_there and clean is not None else None
    )


def relocated(change: RecordChange, move: str) -> RecordChange:
    """Return a change whose relative paths are as seen from another folder; ``move`` is the old folder seen from it."""
    fields = _PATH_FIELDS.get(change.table)
    if fields is None:
        return change
    return replace(change, before=_moved(change.before, fields, move), after=_moved(change.after, fields, move))


def move_between(old: Path, new: Path) -> str:
    """Return where folder ``old`` is, seen from folder ``new``; absolute where there is no way."""
    try:
        return Path(os.path.relpath(old, new)).as_posix()
    except ValueError:
        return old.absolute().as_posix()


def _moved(record: Record | None, fields: Sequence[str], move: str) -> Record | None:
    if record is None:
        return None
    changed = {name: _moved_path(value, move) for name in fields if isinstance(value := record.get(name), str) and value}
    return {**record, **changed}


def _moved_path(source: str, move: str) -> str:
    if "://" in source or os.path.isabs(source):
        return source
    return posixpath.normpath(posixpath.join(move, source.replace(os.sep, "/")))


def _replay(steps: Sequence[JournalStep], saved: int) -> tuple[list[_Pending], list[_Pending], int | None]:
    """Go through the journal as the history went; return done, undone, and how many of done were there when saved."""
    done: list[_Pending] = []
    undone: list[_Pending] = []
    clean: int | None = 0
    for step in steps:
        if step.merge.startswith(RELOCATION):
            # Not a step, but what is saved right after it is the state before and after it alike.
            clean = len(done) if step.number <= saved else clean
            continue
        if step.merge == BASELINE:
            done.clear()
        elif step.kind == "undo":
            # What is taken back may have been done before a migration that shortened the trail.
            undone.append(done.pop() if done else _Pending([step.number], step.merge, step.size, is_reversed=True))
        elif step.kind == "redo":
            done.append(undone.pop() if undone else _Pending([step.number], step.merge, step.size))
        elif step.merge and done and done[-1].merge == step.merge and not undone:
            if clean == len(done):
                clean = None
            done[-1].numbers.append(step.number)
            done[-1].size += step.size
        else:
            if clean is not None and clean > len(done):
                clean = None
            undone.clear()
            done.append(_Pending([step.number], step.merge, step.size))
        if step.number <= saved:
            clean = len(done)
    return done, undone, clean


def _newest(steps: Sequence[_Pending]) -> list[_Pending]:
    kept: list[_Pending] = []
    total = 0
    for pending in reversed(steps[-STEPS_KEPT:]):
        total += pending.size
        if kept and total > BYTES_KEPT:
            break
        kept.append(pending)
    return kept[::-1]
