"""Undo and redo as a stack of named steps, with merging and a clean mark."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cimdesk.commands.history import Edit, History
from cimdesk.model.document import RecordChange
from cimdesk.model.workspace import Workspace


def note(text: str | None, before: str | None, merge: str = "", key: str = "n") -> Edit:
    records = [None if value is None else {"text": value} for value in (before, text)]
    return Edit(f"write {text}", (RecordChange("note", key, records[0], records[1]),), merge=merge)


def test_an_edit_reverted_restores_the_exact_records():
    workspace = Workspace()
    edit = note("a", None)
    edit.apply(workspace)
    changes = edit.revert(workspace)
    assert workspace.document.get("note", "n") is None
    assert changes.keys("note") == {"n"}


def test_merging_keeps_the_first_before_and_the_last_after():
    merged = note("a", None, "m").merged_with(note("b", "a", "m"))
    assert merged.records == (RecordChange("note", "n", None, {"text": "b"}),)
    assert merged.label == "write b"


def test_edits_with_the_same_merge_word_are_one_step():
    history = History()
    history.push(note("a", None, "drag"))
    history.push(note("b", "a", "drag"))
    history.push(note("c", "b"))
    assert [edit.label for edit in history.done] == ["write b", "write c"]


def test_an_edit_after_undo_never_merges_and_ends_redo():
    history = History()
    history.push(note("a", None, "drag"))
    history.push(note("b", "a"))
    history.step_back()
    history.push(note("c", "a", "drag"))
    assert [edit.label for edit in history.done] == ["write a", "write c"]
    assert not history.undone


def test_labels_name_what_undo_and_redo_would_do():
    history = History()
    assert (history.undo_label, history.redo_label) == ("", "")
    history.push(note("a", None))
    assert history.undo_label == "write a"
    history.step_back()
    assert (history.undo_label, history.redo_label) == ("", "write a")


def test_undoing_back_to_the_saved_state_is_clean_again():
    history = History()
    assert history.is_clean
    history.push(note("a", None))
    history.mark_clean()
    history.push(note("b", "a"))
    assert not history.is_clean
    history.step_back()
    assert history.is_clean
    history.step_back()
    assert not history.is_clean
    history.step_forward()
    assert history.is_clean


def test_merging_into_the_saved_step_is_not_clean():
    history = History()
    history.push(note("a", None, "drag"))
    history.mark_clean()
    history.push(note("b", "a", "drag"))
    assert not history.is_clean


def test_a_saved_state_that_was_edited_away_never_comes_back():
    history = History()
    history.push(note("a", None))
    history.mark_clean()
    history.step_back()
    history.push(note("b", None))
    assert not history.is_clean
    history.step_back()
    assert not history.is_clean


def test_observers_hear_of_every_step():
    history = History()
    heard = []
    history.changed.connect(lambda h: heard.append((len(h.done), len(h.undone))))
    history.push(note("a", None))
    history.step_back()
    history.step_forward()
    history.mark_clean()
    assert heard == [(1, 0), (0, 1), (1, 0), (1, 0)]


@given(st.lists(st.sampled_from(["edit", "drag", "undo", "redo"]), max_size=40))
def test_any_mixture_of_steps_can_be_undone_to_the_beginning_and_redone(actions):
    workspace, history = Workspace(), History()
    for number, action in enumerate(actions):
        if action == "undo" and history.done:
            history.done[-1].revert(workspace)
            history.step_back()
        elif action == "redo" and history.undone:
            history.undone[-1].apply(workspace)
            history.step_forward()
        elif action in ("edit", "drag"):
            present = workspace.document.get("note", "n")
            edit = note(str(number), present and present["text"], "drag" if action == "drag" else "")
            edit.apply(workspace)
            history.push(edit)
    reached = dict(workspace.document.records("note"))
    steps = len(history.done)
    for _ in range(steps):
        history.done[-1].revert(workspace)
        history.step_back()
    assert not workspace.document.records("note")
    for _ in range(steps):
        history.undone[-1].apply(workspace)
        history.step_forward()
    assert workspace.document.records("note") == reached
