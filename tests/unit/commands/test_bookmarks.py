"""Bookmarks and notes are named, ordered, undoable, and still there when the project is opened again."""

from __future__ import annotations

import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands import bookmarks, notes, projects
from cimdesk.commands.history import Edit
from cimdesk.model.selection import AssetRef
from tests.unit.project.cities import city

CAMERA = {"position": [1.0, 2.0, 3.0], "target": [0.0, 0.0, 0.0]}


def names(session) -> list[str]:
    return [record["name"] for _, record in bookmarks.bookmarks(session)]


def test_a_bookmark_keeps_its_view(tmp_path):
    session = city(tmp_path / "city.gpkg")
    key = bookmarks.add(session, "珠江", CAMERA, time=1.7e9, layers={"pipes": {"visible": True}}, section=[1, 2])
    session.close()
    session = projects.open_project(tmp_path / "city.gpkg")
    found, record = bookmarks.find(session, "珠江")
    assert found == key
    assert record == {
        "name": "珠江", "camera": CAMERA, "order": 0.0, "time": 1.7e9, "layers": {"pipes": {"visible": True}}, "section": [1, 2],
    }  # fmt: skip
    session.close()


def test_bookmarks_have_different_names_and_their_own_order():
    session = city()
    first = bookmarks.add(session, "View", CAMERA)
    second = bookmarks.add(session, "View", CAMERA)
    bookmarks.add(session, "", CAMERA)
    assert names(session) == ["View", "View 2", "View 3"]
    bookmarks.move(session, second, first)
    assert names(session) == ["View 2", "View", "View 3"]
    bookmarks.move(session, second, None)
    assert names(session) == ["View", "View 3", "View 2"]
    session.undo()
    assert names(session) == ["View 2", "View", "View 3"]


def test_renaming_updating_and_removing_are_undoable():
    session = city()
    key = bookmarks.add(session, "A", CAMERA, time=5.0)
    bookmarks.rename(session, key, "B")
    bookmarks.update(session, key, {"position": [9.0]})
    assert bookmarks.find(session, "B")[1] == {"name": "B", "order": 0.0, "camera": {"position": [9.0]}}
    bookmarks.remove(session, key)
    for _ in range(3):
        session.undo()
    assert bookmarks.find(session, "A")[1]["time"] == 5.0


def test_a_bookmark_that_is_not_there_is_named_with_those_that_are():
    session = city()
    bookmarks.add(session, "River", CAMERA)
    with pytest.raises(UsageError, match="River"):
        bookmarks.find(session, "Sea")
    for act in (bookmarks.remove, lambda s, k: bookmarks.update(s, k, CAMERA)):
        with pytest.raises(UsageError):
            act(session, "none")


def test_a_note_about_an_asset_is_pinned_where_the_asset_is():
    session = city()
    asset = AssetRef("pipes", "p3")
    notes.add(session, " leaks ", asset=asset)
    notes.add(session, "elsewhere", place=(1, 2, 3))
    ((_, record),) = notes.notes(session, asset)
    assert (record["text"], record["place"], record["status"]) == ("leaks", [431030.0, 2558000.0, 0.0], "open")
    assert len(notes.notes(session)) == 2


def test_notes_are_edited_closed_and_removed_as_undoable_steps():
    session = city()
    key = notes.add(session, "a")
    notes.edit(session, key, "b")
    notes.set_status(session, key, notes.CLOSED)
    notes.remove(session, key)
    assert not notes.notes(session)
    for expected in (("b", "closed"), ("b", "open"), ("a", "open")):
        session.undo()
        record = notes.notes(session)[0][1]
        assert (record["text"], record["status"]) == expected


@pytest.mark.parametrize(
    "act",
    [
        lambda s: notes.add(s, "  "),
        lambda s: notes.edit(s, "none", "x"),
        lambda s: notes.remove(s, "none"),
        lambda s: notes.set_status(s, "none", "open"),
        lambda s: notes.set_status(s, "none", "maybe"),
    ],
)
def test_notes_that_make_no_sense_are_refused(act):
    with pytest.raises(UsageError):
        act(city())


def test_a_row_without_a_camera_is_no_bookmark():
    session = city()
    change = session.workspace.document.put("bookmark", "row-1", {"name": "from another program"})
    session.do(Edit("Add", (change,)))
    key = bookmarks.add(session, "View", CAMERA)
    assert [found for found, _ in bookmarks.bookmarks(session)] == [key]
