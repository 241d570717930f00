"""Session: the open project and everything that works on it. The window, the command line and scripts all hold one."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from cimdesk.base.errors import EditError, Problem
from cimdesk.base.jobs import JobRunner, JobSpec, SynchronousRunner
from cimdesk.base.processes import user_name
from cimdesk.base.signals import Signal
from cimdesk.commands.history import Edit, History
from cimdesk.model.clock import Clock
from cimdesk.model.document import Changes, Document
from cimdesk.model.flood import FloodResult
from cimdesk.model.selection import Selection
from cimdesk.model.sensors import Sensors
from cimdesk.model.workspace import Workspace
from cimdesk.project.store import JournalKind, ProjectStore

T = TypeVar("T")


class Session:
    """One open project.

    Attributes
    ----------
    workspace : Workspace
    history : History
    clock : Clock
        The one clock.
    selection : Selection
        The one selection.
    runner : JobRunner
        Carries out jobs; the window puts its thread pool here.
    store : ProjectStore or None
        Where edits are committed; None for a throw-away session that only shows files.
    author : str
        Who edits, for histories.
    messages : Signal of (str, Problem)
        Problems found while loading, with the layer id.
    is_scratch : bool
        Whether this is an untitled project, kept until it gets a name.
    """

    def __init__(self, store: ProjectStore | None = None, runner: JobRunner | None = None) -> None:
        self.workspace = Workspace()
        self.history = History()
        self.clock = Clock()
        self.selection = Selection()
        self.runner: JobRunner = runner or SynchronousRunner()
        self.store = store
        self.is_scratch = False
        self.author = user_name()
        self.messages: Signal[tuple[str, Problem]] = Signal()
        self.workspace.changed.connect(self._follow_changes)

    @property
    def path(self) -> Path | None:
        """The project file; None for a throw-away session."""
        return self.store.path if self.store else None

    @property
    def read_only(self) -> bool:
        """Whether edits are refused, because somebody else has the project open or its file cannot be written."""
        return self.store is not None and self.store.read_only

    @property
    def is_dirty(self) -> bool:
        """Whether there are edits since the last named save. They are safe on disk all the same."""
        return not self.history.is_clean

    @property
    def base_dir(self) -> Path:
        """Folder that relative sources are relative to."""
        return self.path.parent if self.path else Path.cwd()

    def do(self, edit: Edit) -> Changes:
        """Commit an edit and apply it; it can then be undone.

        Raises
        ------
        ProjectError
            If it cannot be written; nothing has changed then.
        """
        return self._commit("edit", edit)

    def undo(self) -> Changes:
        """Take back the last edit.

        Raises
        ------
        EditError
            If there is nothing to undo.
        """
        if not self.history.done:
            raise EditError("There is nothing to undo.")
        return self._commit("undo", self.history.done[-1])

    def redo(self) -> Changes:
        """Do the last undone edit again.

        Raises
        ------
        EditError
            If there is nothing to redo.
        """
        if not self.history.undone:
            raise EditError("There is nothing to redo.")
        return self._commit("redo", self.history.undone[-1])

    def run(self, job: JobSpec[T]) -> None:
        """Hand a job to the runner."""
        self.runner.start(job)

    def adopt(self, document: Document) -> None:
        """Take over a document as it was loaded; layer data comes later."""
        self.workspace.document = document
        self.workspace.stages.rebuild(document)
        self._widen_clock()

    def close(self) -> None:
        """Close the project file; an untitled project without any edit goes away."""
        if self.store is not None:
            store, self.store = self.store, None
            store.close()
            if self.is_scratch and not store.last_number:
                store.path.unlink(missing_ok=True)

    def _commit(self, kind: JournalKind, edit: Edit) -> Changes:
        """Write a step, then make it. Only after both checks can nothing but the disk refuse it."""
        reverting = kind == "undo"
        records = tuple(change.reversed() for change in reversed(edit.records)) if reverting else edit.records
        self.workspace.document.check(records)
        if self.store is not None:
            self.store.commit(kind, edit.label, self.author, records, merge=edit.merge)
        full = edit.keeping_data(self.workspace, reverting)
        try:
            return full.revert(self.workspace) if reverting else full.apply(self.workspace)
        finally:
            # Whatever an observer does wrong, the step is done and can be undone.
            if kind == "edit":
                self.history.push(full)
            else:
                self.history.exchange(edit, full)
                self.history.step_back() if reverting else self.history.step_forward()

    def _follow_changes(self, changes: Changes) -> None:
        if changes.data or changes.touches("stage_event"):
            self._widen_clock()

    def _widen_clock(self) -> None:
        """Let the clock cover what has times: floods and readings first, lifecycle dates when there is nothing else."""
        ranges = []
        for layer in self.workspace.layers():
            data = self.workspace.data(layer.id)
            if isinstance(data, Sensors) and data.observations.time_range:
                ranges.append(data.observations.time_range)
            elif isinstance(data, FloodResult):
                ranges.append((data.start_time, data.start_time + float(data.times[-1])))
        if not ranges and self.workspace.stages.time_range:
            ranges.append(self.workspace.stages.time_range)
        if not ranges:
            return
        is_first = self.clock.range[0] == self.clock.range[1]
        self.clock.set_range(min(r[0] for r in ranges), max(r[1] for r in ranges))
        if is_first and (time := self.workspace.settings.get("time")) is not None:
            self.clock.set_time(float(time))
