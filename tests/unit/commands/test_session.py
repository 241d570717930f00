"""A session writes each step before it makes it, and a step that cannot be written does not happen."""

from __future__ import annotations

import pytest

from cimdesk.base.errors import EditError, ProjectError
from cimdesk.base.jobs import JobSpec
from cimdesk.commands import layers, notes, projects
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.document import RecordChange
from tests.unit.project.cities import add_layer, city, vector_layer


def test_nothing_to_undo_or_redo_is_said():
    session = Session()
    with pytest.raises(EditError, match="nothing to undo"):
        session.undo()
    with pytest.raises(EditError, match="nothing to redo"):
        session.redo()


def test_a_step_that_cannot_be_written_does_not_happen(tmp_path, monkeypatch):
    session = city(tmp_path / "city.gpkg")

    def fail(*_args, **_more):
        raise ProjectError("disk full")

    monkeypatch.setattr(session.store, "commit", fail)
    before = [list(session.workspace.document), list(session.history.done), list(session.history.undone)]
    for act in (lambda: notes.add(session, "x"), session.undo):
        with pytest.raises(ProjectError):
            act()
    assert [list(session.workspace.document), list(session.history.done), list(session.history.undone)] == before
    monkeypatch.undo()
    session.close()


def test_an_edit_that_expects_other_records_is_not_written(tmp_path):
    session = city(tmp_path / "city.gpkg")
    number = session.store.last_number
    with pytest.raises(ValueError, match="not what the edit expects"):
        session.do(Edit("wrong", (RecordChange("note", "n", {"text": "never was"}, None),)))
    assert session.store.last_number == number
    session.close()


def test_an_observer_that_fails_does_not_cost_the_undo_step(tmp_path):
    session = city(tmp_path / "city.gpkg")

    def broken(_changes):
        raise RuntimeError("bug in a panel")

    session.workspace.changed.connect(broken)
    with pytest.raises(RuntimeError):
        notes.add(session, "x")
    session.workspace.changed.disconnect(broken)
    assert session.history.undo_label == "Add note"
    session.undo()
    assert not notes.notes(session)
    session.close()


def test_undoing_an_added_layer_takes_its_data_and_redo_brings_it_back():
    session = Session()
    data = vector_layer(3)
    add_layer(session, "pipes", data)
    session.undo()
    assert session.workspace.data("pipes") is None
    session.redo()
    assert session.workspace.data("pipes") is data


def test_data_loaded_after_reopening_survives_undo_and_redo_of_its_layer(tmp_path):
    city(tmp_path / "city.gpkg").close()
    session = projects.open_project(tmp_path / "city.gpkg")
    data = vector_layer(4)
    session.workspace.apply((), {"pipes": data})
    session.undo()
    session.undo()
    assert session.workspace.data("pipes") is None
    session.redo()
    assert session.workspace.data("pipes") is data
    session.close()


def test_a_removed_layer_comes_back_with_its_data_on_undo():
    session = city()
    data = session.workspace.data("pipes")
    layers.remove(session, ["pipes"])
    assert session.workspace.data("pipes") is None
    session.undo()
    assert session.workspace.data("pipes") is data


def test_a_dragged_slider_is_one_undo_step_also_after_reopening(tmp_path):
    session = city(tmp_path / "city.gpkg")
    for value in (0.9, 0.8, 0.7, 0.6):
        layers.set_opacity(session, "pipes", value)
    session.close()
    session = projects.open_project(tmp_path / "city.gpkg")
    assert session.workspace.layer("pipes").opacity == 0.6
    session.undo()
    assert session.workspace.layer("pipes").opacity == 1.0
    session.close()


def test_a_job_hands_its_result_back():
    session = Session()
    results = []
    session.run(JobSpec("count", lambda progress, cancel: 7, results.append))
    assert results == [7]


def test_a_project_opens_at_the_moment_it_keeps(tmp_path):
    from cimdesk.base.units import parse_time
    from cimdesk.commands import sources
    from cimdesk.commands.history import Edit
    from tests import samples

    session = Session()
    moment = parse_time("2026-06-07T12:40")
    session.do(Edit("keep the moment", (session.workspace.document.put("project", "settings", {"time": moment}),)))
    sources.import_files(session, [samples.sensors_csv(tmp_path / "gauges.csv")], "EPSG:4547")
    assert session.clock.time == moment
    session.clock.set_time(moment + 60.0)
    sources.import_files(session, [samples.city_json(tmp_path / "city.json")])
    assert session.clock.time == moment + 60.0
