"""Edits and undo: every change to the document is an Edit, applied and taken back as one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cimdesk.base.signals import Signal
from cimdesk.model.document import Changes, RecordChange
from cimdesk.model.workspace import LayerData, Workspace


@dataclass(frozen=True)
class Edit:
    """One undoable step.

    Attributes
    ----------
    label : str
        What the person did, for the undo menu and the audit trail, already in their language.
    records : tuple of RecordChange
    data : mapping of layer id to LayerData
        Data that appears with the edit and goes away when it is taken back.
    removed_data : mapping of layer id to LayerData
        Data that goes away with the edit and comes back when it is taken back; of a layer in ``data`` too, what it replaces.
    merge : str
        Consecutive edits with the same non-empty word are one undo step (a dragged slider).
    """

    label: str
    records: tuple[RecordChange, ...]
    data: Mapping[str, LayerData] = field(default_factory=dict)
    removed_data: Mapping[str, LayerData] = field(default_factory=dict)
    merge: str = ""

    def apply(self, workspace: Workspace) -> Changes:
        """Do it; return what it touched."""
        data: dict[str, LayerData | None] = {**dict.fromkeys(self.removed_data), **self.data}
        return workspace.apply(self.records, data)

    def revert(self, workspace: Workspace) -> Changes:
        """Take it back exactly; return what that touched."""
        data: dict[str, LayerData | None] = {**dict.fromkeys(self.data), **self.removed_data}
        return workspace.apply(tuple(change.reversed() for change in reversed(self.records)), data)

    def keeping_data(self, workspace: Workspace, reverting: bool) -> Edit:
        """Return the edit that also carries the loaded data of layers about to go away, so that they come back with it.

        Parameters
        ----------
        reverting : bool
            Whether the edit is about to be taken back rather than applied.
        """
        gone = [c.key for c in self.records if c.table == "layer" and (c.before if reverting else c.after) is None]
        loaded = {key: data for key in gone if (data := workspace.data(key)) is not None}
        if not loaded:
            return self
        return (
            replace(self, data={**self.data, **loaded})
            if reverting
            else replace(self, removed_data={**self.removed_data, **loaded})
        )

    def merged_with(self, later: Edit) -> Edit:
        """Return the one step that does both."""
        first: dict[tuple[str, str], RecordChange] = {}
        for change in (*self.records, *later.records):
            place = (change.table, change.key)
            known = first.get(place)
            first[place] = change if known is None else RecordChange(change.table, change.key, known.before, change.after)
        return Edit(
            later.label,
            tuple(first.values()),
            {**self.data, **later.data},
            {**later.removed_data, **self.removed_data},
            later.merge,
        )


class History:
    """Steps done and undone.

    Attributes
    ----------
    changed : Signal of History
        Emitted when what can be undone or redone, or whether that is saved, changes.
    """

    def __init__(self) -> None:
        self.changed: Signal[History] = Signal()
        self.done: list[Edit] = []
        self.undone: list[Edit] = []
        self._bottom = Edit("", ())
        self._clean: Edit | None = self._bottom

    @property
    def is_clean(self) -> bool:
        """Whether the state is the one last marked clean, be it by undoing back to it."""
        return self._clean is self._top

    def mark_clean(self) -> None:
        """Take the present state as the saved one."""
        self._clean = self._top
        self.changed.emit(self)

    @property
    def undo_label(self) -> str:
        """Label of the step that undo takes back; empty when there is none."""
        return self.done[-1].label if self.done else ""

    @property
    def redo_label(self) -> str:
        """Label of the step that redo does again; empty when there is none."""
        return self.undone[-1].label if self.undone else ""

    def push(self, edit: Edit) -> None:
        """Remember an applied edit; what was undone before can no longer be redone."""
        if edit.merge and self.done and self.done[-1].merge == edit.merge and not self.undone:
            self.done[-1] = self.done[-1].merged_with(edit)
        else:
            self.done.append(edit)
        self.undone.clear()
        self.changed.emit(self)

    def step_back(self) -> Edit:
        """Move the last step to the undone ones and return it."""
        edit = self.done.pop()
        self.undone.append(edit)
        self.changed.emit(self)
        return edit

    def step_forward(self) -> Edit:
        """Move the last undone step back to the done ones and return it."""
        edit = self.undone.pop()
        self.done.append(edit)
        self.changed.emit(self)
        return edit

    def exchange(self, edit: Edit, other: Edit) -> None:
        """Put ``other``, which does the same and carries more data, in the place of the next step back or forward."""
        for steps in (self.done, self.undone):
            if steps and steps[-1] is edit:
                steps[-1] = other
        if self._clean is edit:
            self._clean = other

    def rewrite(self, change: Callable[[Edit], Edit]) -> None:
        """Put ``change(edit)`` in the place of every step, such as after the project's folder has changed."""
        new = {id(edit): change(edit) for edit in (*self.done, *self.undone)}
        if self._clean is not None:
            self._clean = new.get(id(self._clean), self._clean)
        self.done, self.undone = ([new[id(edit)] for edit in steps] for steps in (self.done, self.undone))

    def restore(self, done: list[Edit], undone: list[Edit], clean: Edit | Literal["bottom"] | None = "bottom") -> None:
        """Take over the steps kept with a project.

        Parameters
        ----------
        done, undone : list of Edit
        clean : Edit, ``bottom`` or None
            The step whose state was last saved; the state before all of ``done``; or none of these.
        """
        self.done, self.undone = list(done), list(undone)
        self._clean = self._bottom if clean == "bottom" else clean
        self.changed.emit(self)

    @property
    def _top(self) -> Edit:
        return self.done[-1] if self.done else self._bottom
