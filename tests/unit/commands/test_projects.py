"""Projects as people handle them: nothing is lost between opening, saving, moving and coming back."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.errors import ProjectError, UsageError
from cimdesk.base.paths import user_data_dir
from cimdesk.commands import layers, notes, projects
from cimdesk.commands.session import Session
from cimdesk.project import files, trail
from tests.unit.project.cities import add_layer, city, vector_layer


def contents(session: Session) -> list:
    return sorted(((table, key, dict(record)) for table, key, record in session.workspace.document), key=lambda row: row[:2])


def steps(session: Session) -> tuple:
    def readable(edits):
        return [(edit.label, sorted(edit.records, key=lambda change: (change.table, change.key))) for edit in edits]

    return readable(session.history.done), readable(session.history.undone), session.is_dirty


@pytest.fixture(autouse=True)
def _no_leftovers():
    yield
    shutil.rmtree(user_data_dir() / "untitled", ignore_errors=True)
    (user_data_dir() / "recent.json").unlink(missing_ok=True)


def test_a_new_project_has_its_title_and_nothing_to_undo(tmp_path):
    session = projects.create(tmp_path / "海珠", "海珠区")
    assert session.path == tmp_path / "海珠.gpkg"
    assert session.workspace.settings["title"] == "海珠区"
    assert not session.history.done
    assert not session.is_dirty
    session.close()
    again = projects.open_project(tmp_path / "海珠.gpkg")
    assert not again.history.done
    assert not again.is_dirty
    again.close()


def test_a_project_that_exists_is_not_overwritten_by_a_new_one(tmp_path):
    projects.create(tmp_path / "a.gpkg").close()
    with pytest.raises(ProjectError, match="already"):
        projects.create(tmp_path / "a.gpkg")


def test_undo_and_redo_go_on_after_reopening(tmp_path):
    session = city(tmp_path / "city.gpkg")
    notes.add(session, "first")
    notes.add(session, "second")
    session.undo()
    expected = steps(session)
    session.close()
    session = projects.open_project(tmp_path / "city.gpkg")
    assert steps(session) == expected
    session.redo()
    assert [record["text"] for _, record in notes.notes(session)] == ["first", "second"]
    for _ in range(4):
        session.undo()
    assert not session.workspace.layers()
    session.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["note", "drag", "drag2", "undo", "undo", "redo", "save", "reopen", "remove"]), max_size=30))
def test_reopening_at_any_moment_changes_nothing_a_person_could_notice(tmp_path_factory, actions):
    path = tmp_path_factory.mktemp("any") / "city.gpkg"
    session = city(path)
    for number, action in enumerate(actions):
        present = notes.notes(session)
        if action == "note":
            notes.add(session, f"note {number}")
        elif action.startswith("drag") and session.workspace.document.get("layer", "pipes"):
            layers.set_opacity(session, "pipes", number / 40 + (0.01 if action == "drag2" else 0.0))
        elif action == "undo" and session.history.done:
            session.undo()
        elif action == "redo" and session.history.undone:
            session.redo()
        elif action == "save":
            projects.save(session)
        elif action == "remove" and present:
            notes.remove(session, present[0][0])
        elif action == "reopen":
            before = contents(session), steps(session)
            session.close()
            session = projects.open_project(path)
            assert (contents(session), steps(session)) == before
    assert session.store.verify()["intact"]
    while session.history.done:
        session.undo()
    assert [table for table, _, _ in session.workspace.document] == ["project"]
    session.close()


def test_only_the_last_steps_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(trail, "STEPS_KEPT", 5)
    session = projects.create(tmp_path / "a.gpkg")
    for k in range(9):
        notes.add(session, f"note {k}")
    session.close()
    session = projects.open_project(tmp_path / "a.gpkg")
    assert len(session.history.done) == 5
    assert session.is_dirty
    for _ in range(5):
        session.undo()
    assert len(notes.notes(session)) == 4
    assert session.is_dirty
    session.close()


def test_saving_takes_the_star_away_until_the_next_edit(tmp_path):
    session = city(tmp_path / "city.gpkg")
    assert session.is_dirty
    projects.save(session, "方案一")
    assert not session.is_dirty
    notes.add(session, "x")
    assert session.is_dirty
    session.undo()
    assert not session.is_dirty
    assert [point.name for point in projects.restore_points(session)] == ["", "方案一"]
    session.close()


def test_returning_to_a_saved_state_is_one_undoable_step(tmp_path):
    session = city(tmp_path / "city.gpkg")
    notes.add(session, "kept")
    point = projects.save(session, "A")
    then = contents(session)
    notes.add(session, "later")
    layers.rename(session, "pipes", "Rohre")
    layers.remove(session, ["water"])
    session.undo()
    layers.remove(session, ["water"])
    after = contents(session)
    projects.return_to(session, point)
    assert contents(session) == then
    session.undo()
    assert contents(session) == after
    session.close()


def test_a_session_without_a_file_says_so_when_saved():
    with pytest.raises(UsageError):
        projects.save(Session())


def test_an_edit_made_elsewhere_in_the_tables_is_kept_and_old_undo_steps_are_dropped(tmp_path):
    import sqlite3

    session = city(tmp_path / "city.gpkg")
    key = notes.add(session, "as written")
    session.close()
    with sqlite3.connect(tmp_path / "city.gpkg") as other:
        other.execute("UPDATE note SET text = 'changed in another GIS'")
    other.close()
    session = projects.open_project(tmp_path / "city.gpkg")
    assert session.workspace.document.get("note", key)["text"] == "changed in another GIS"
    assert not session.history.done
    session.close()


# --- sources -----------------------------------------------------------------------------------------------------------


def test_a_missing_source_stays_in_the_project_marked_unavailable(tmp_path):
    session = projects.create(tmp_path / "city.gpkg")
    (tmp_path / "there.geojson").write_text("{}", encoding="utf-8")
    add_layer(session, "there", vector_layer(1))
    add_layer(session, "gone", vector_layer(1))
    add_layer(session, "service", vector_layer(1), "https://example.org/tiles")
    session.close()
    session = projects.open_project(tmp_path / "city.gpkg")
    assert [session.workspace.unavailable(key) != "" for key in ("there", "gone", "service")] == [False, True, False]
    assert "gone.geojson" in session.workspace.unavailable("gone")
    notes.add(session, "still editable")
    session.close()
    session = projects.open_project(tmp_path / "city.gpkg")
    assert session.workspace.document.get("layer", "gone")["source"] == "gone.geojson"
    session.close()


@pytest.mark.parametrize("reopen", [False, True])
def test_saving_elsewhere_keeps_sources_valid_and_undo_working(tmp_path, reopen):
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "deep").mkdir(parents=True)
    session = projects.create(tmp_path / "a" / "one.gpkg")
    add_layer(session, "pipes", vector_layer(2), "data/pipes.geojson")
    add_layer(session, "gone", vector_layer(2), "../other/gone.geojson")
    add_layer(session, "fixed", vector_layer(2), str(tmp_path / "fixed.geojson"))
    add_layer(session, "service", vector_layer(2), "https://example.org/x")
    layers.set_visible(session, ["pipes"], False)
    layers.remove(session, ["gone"])
    layers.rename(session, "pipes", "Rohre")
    session.undo()
    original = (tmp_path / "a" / "one.gpkg").read_bytes()
    target = tmp_path / "b" / "deep" / "two.gpkg"
    projects.save_as(session, target)
    assert session.path == target
    assert not session.is_dirty
    if reopen:
        session.close()
        session = projects.open_project(target)
        assert not session.is_dirty
    session.redo()
    assert session.workspace.layer("pipes").name == "Rohre"
    for _ in range(2):
        session.undo()
    sources = {layer.id: layer.source for layer in session.workspace.layers()}
    assert sources == {
        "pipes": "../../a/data/pipes.geojson",
        "gone": "../../other/gone.geojson",
        "fixed": str(tmp_path / "fixed.geojson"),
        "service": "https://example.org/x",
    }
    while session.history.done:
        session.undo()
    assert not session.workspace.layers()
    assert session.store.verify()["intact"]
    session.close()
    assert len(original)
    back = projects.open_project(tmp_path / "a" / "one.gpkg")
    assert back.workspace.layer("pipes").source == "data/pipes.geojson"
    back.close()


def test_saving_over_another_project_replaces_it_and_over_itself_only_saves(tmp_path):
    projects.create(tmp_path / "two.gpkg", "two").close()
    session = city(tmp_path / "one.gpkg")
    projects.save_as(session, tmp_path / "two.gpkg")
    projects.save_as(session, tmp_path / "two.gpkg")
    assert session.workspace.settings["title"] == "one"
    session.close()


def test_saving_over_a_project_that_is_open_elsewhere_is_refused(tmp_path):
    other = projects.create(tmp_path / "two.gpkg")
    session = city(tmp_path / "one.gpkg")
    with pytest.raises(ProjectError, match="open for writing"):
        projects.save_as(session, tmp_path / "two.gpkg")
    notes.add(session, "goes on")
    assert session.path == tmp_path / "one.gpkg"
    session.close()
    other.close()


@pytest.mark.parametrize(("step", "nth"), [("replace", 1), ("fsync", 1), ("fsync", 2)])
def test_a_save_elsewhere_that_fails_leaves_both_files_as_they_were(tmp_path, monkeypatch, step, nth):
    projects.create(tmp_path / "two.gpkg", "two").close()
    old = (tmp_path / "two.gpkg").read_bytes()
    session = city(tmp_path / "one.gpkg")
    calls = []
    real = getattr(os, step)

    def fail(*args):
        calls.append(args)
        if len(calls) >= nth:
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(ProjectError, match="disk is full"):
        projects.save_as(session, tmp_path / "two.gpkg")
    monkeypatch.undo()
    assert session.path == tmp_path / "one.gpkg"
    notes.add(session, "goes on")
    session.close()
    if nth == 1:
        assert (tmp_path / "two.gpkg").read_bytes() == old
    else:
        # The folder could not be synced after the file was in place: it is the whole new one.
        whole = projects.open_project(tmp_path / "two.gpkg")
        assert whole.workspace.settings["title"] == "one"
        whole.close()
    assert {p.name for p in tmp_path.iterdir()} == {"one.gpkg", "two.gpkg"}


# --- untitled and recent -----------------------------------------------------------------------------------------------


def test_an_untitled_project_without_edits_leaves_nothing():
    projects.scratch().close()
    assert projects.recoverable() == []
    assert list((user_data_dir() / "untitled").iterdir()) == []


def test_an_untitled_project_left_behind_can_be_recovered_with_its_undo():
    session = projects.scratch()
    notes.add(session, "one")
    notes.add(session, "two")
    assert projects.recoverable() == [], "one that is open is not left behind"
    session.close()
    (leftover,) = projects.recoverable()
    assert leftover.changes == 2
    assert leftover.time == pytest.approx(time.time(), abs=60)
    again = projects.recover(leftover)
    again.undo()
    assert again.is_scratch
    again.close()


def test_an_untitled_project_saved_under_a_name_is_no_longer_untitled(tmp_path):
    session = projects.scratch()
    notes.add(session, "one")
    projects.save_as(session, tmp_path / "named.gpkg")
    assert not session.is_scratch
    assert projects.recoverable() == []
    session.close()
    again = projects.open_project(tmp_path / "named.gpkg")
    assert len(notes.notes(again)) == 1
    again.close()


def test_discarding_takes_only_untitled_projects(tmp_path):
    session = projects.scratch()
    notes.add(session, "one")
    session.close()
    (leftover,) = projects.recoverable()
    projects.discard(leftover)
    assert projects.recoverable() == []
    with pytest.raises(UsageError):
        projects.discard(projects.Leftover(tmp_path / "mine.gpkg", 0.0, 1))


def test_a_damaged_leftover_is_listed_with_what_is_wrong():
    session = projects.scratch()
    notes.add(session, "one")
    path = session.path
    session.close()
    path.write_bytes(b"garbage")
    (leftover,) = projects.recoverable()
    assert leftover.problem


def test_recent_projects_come_last_first_with_a_missing_mark(tmp_path):
    for name in ("a", "b", "a"):
        path = tmp_path / f"{name}.gpkg"
        session = projects.open_project(path) if path.exists() else projects.create(path, name.upper())
        projects.remember(session)
        session.close()
    (tmp_path / "b.gpkg").unlink()
    assert [(r.title, r.is_missing) for r in projects.recent()] == [("A", False), ("B", True)]
    projects.forget(tmp_path / "b.gpkg")
    assert [r.title for r in projects.recent()] == ["A"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"path": 1}]', json.dumps([{"path": "a", "title": "b", "opened": "x"}])])
def test_a_broken_list_of_recent_projects_starts_anew(text):
    (user_data_dir() / "recent.json").write_text(text, encoding="utf-8")
    assert projects.recent() == []


def test_a_leftover_that_another_window_takes_away_meanwhile_is_none(monkeypatch):
    session = projects.scratch()
    notes.add(session, "kept")
    session.close()

    def gone(path, *_):
        path.unlink()
        raise ProjectError("There is no such project.", path=path)

    monkeypatch.setattr(projects.ProjectStore, "open", gone)
    assert projects.recoverable() == []
