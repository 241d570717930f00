"""The document changes only by changes that start from what is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.document import TABLES, Changes, Document, RecordChange


def test_preparing_a_change_changes_nothing():
    document = Document()
    change = document.put("note", "n", {"text": "a"})
    assert document.get("note", "n") is None
    document.apply([change])
    assert document.get("note", "n") == {"text": "a"}


def test_updating_keeps_the_other_fields():
    document = Document()
    document.apply([document.put("note", "n", {"text": "a", "status": "open"})])
    document.apply([document.update("note", "n", text="b")])
    assert document.get("note", "n") == {"text": "b", "status": "open"}


def test_a_change_that_expects_something_else_is_refused_with_all_its_companions():
    document = Document()
    with pytest.raises(ValueError, match="note n"):
        document.apply([document.put("note", "m", {"text": "fine"}), RecordChange("note", "n", {"text": "never"}, None)])
    assert not document.records("note")


def test_checking_changes_nothing():
    document = Document()
    document.check([document.put("note", "n", {"text": "a"})])
    assert not list(document)


def test_one_record_can_change_several_times_in_one_go():
    document = Document()
    first, second = {"text": "1"}, {"text": "2"}
    document.apply([RecordChange("note", "n", None, first), RecordChange("note", "n", first, second)])
    assert document.get("note", "n") == second
    document.apply([RecordChange("note", "n", second, None), RecordChange("note", "n", None, first)])
    assert document.get("note", "n") == first


def test_what_is_missing_cannot_be_updated_or_removed():
    document = Document()
    for act in (lambda: document.update("note", "n", text=""), lambda: document.remove("note", "n")):
        with pytest.raises(KeyError):
            act()


def test_changes_tell_what_they_touched():
    changes = Changes((RecordChange("note", "n", None, {}), RecordChange("layer", "l", {}, None)))
    assert changes.touches("note")
    assert not changes.touches("bookmark")
    assert changes.keys("layer") == {"l"}


@given(st.lists(st.tuples(st.sampled_from(TABLES), st.sampled_from("abc"), st.none() | st.integers(0, 5)), max_size=20))
def test_reversing_every_change_leads_back_to_the_beginning(wishes):
    document, made = Document(), []
    for table, key, value in wishes:
        change = document.put(table, key, None if value is None else {"value": value})
        document.apply([change])
        made.append(change)
    document.apply([change.reversed() for change in reversed(made)])
    assert not list(document)
