"""Older projects are brought up to date in a copy; the original stays."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from cimdesk.base.errors import ProjectError
from cimdesk.commands import projects
from cimdesk.commands.history import Edit
from cimdesk.project import files
from cimdesk.project.schema import SCHEMA_MAJOR, create_tables

LAYER = {"name": "水管", "kind": "vector", "source": "a.geojson", "visible": True, "style": {"mode": "single"}, "later": [1]}
EVENT = {"layer": "l", "feature": "f", "stage": "operation", "date": 1.7e9, "who": "w", "why": "y", "recorded": 1.7e9}


def schema_0(path, records=None, steps=None):
    """A project as schema 0 kept it: records as JSON in one table, a journal without hashes."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    create_tables(connection)
    for table in (
        "project",
        "layer",
        "bookmark",
        "scenario",
        "result",
        "asset_stage_history",
        "note",
        "measure",
        "journal",
        "cimdesk_meta",
    ):
        connection.execute(f"DELETE FROM gpkg_contents WHERE table_name = '{table}'")
    connection.execute("DROP VIEW asset_stage")
    for table in ("project", "layer", "bookmark", "scenario", "result", "asset_stage_history", "note", "measure"):
        connection.execute(f"DROP TABLE {table}")
    for table in ("journal", "cimdesk_meta", "restore_point"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DELETE FROM gpkg_geometry_columns")
    connection.execute("DELETE FROM gpkg_contents")
    connection.execute("CREATE TABLE cimdesk_meta (name TEXT PRIMARY KEY, value TEXT)")
    connection.execute("INSERT INTO cimdesk_meta VALUES ('schema', '0.1'), ('created', '2024-05-01T00:00:00Z')")
    connection.execute("CREATE TABLE record (fid INTEGER PRIMARY KEY, table_name TEXT, key TEXT, json TEXT)")
    connection.execute(
        "CREATE TABLE journal (number INTEGER PRIMARY KEY, kind TEXT, label TEXT, who TEXT, time DOUBLE, records TEXT)"
    )
    if records is None:
        records = [
            ("project", "settings", {"crs": "EPSG:4547", "origin": [0.0, 0.0, 0.0]}),
            ("layer", "l", LAYER),
            ("stage_event", "e", EVENT),
        ]
        steps = [("edit", "Add", [["layer", "l", None, LAYER]]), ("edit", "Mark", [["stage_event", "e", None, EVENT]])]
    for table, key, record in records:
        connection.execute("INSERT INTO record (table_name, key, json) VALUES (?, ?, ?)", (table, key, json.dumps(record)))
    for kind, label, changes in steps or []:
        row = (kind, label, "old", 1.6e9, json.dumps(changes))
        connection.execute("INSERT INTO journal (kind, label, who, time, records) VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("COMMIT")
    connection.close()


def test_an_older_project_opens_with_all_it_had_and_its_undo(tmp_path):
    path = tmp_path / "old.gpkg"
    schema_0(path)
    original = path.read_bytes()
    session = projects.open_project(path)
    assert session.workspace.document.get("layer", "l") == LAYER
    assert session.workspace.document.get("stage_event", "e") == EVENT
    assert session.store.verify() == {"events": 2, "intact": True, "first_bad": None}
    assert session.history.undo_label == "Mark"
    session.undo()
    assert session.workspace.document.get("stage_event", "e") is None
    session.close()
    assert (tmp_path / "old.schema0.gpkg").read_bytes() == original
    again = projects.open_project(path)
    assert again.history.redo_label == "Mark"
    again.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.gpkg", "old.schema0.gpkg"]


def test_an_older_project_opened_for_reading_is_migrated_in_memory_only(tmp_path):
    path = tmp_path / "old.gpkg"
    schema_0(path)
    original = path.read_bytes()
    session = projects.open_project(path, read_only=True)
    assert session.workspace.document.get("layer", "l") == LAYER
    session.close()
    assert path.read_bytes() == original
    assert [p.name for p in tmp_path.iterdir()] == ["old.gpkg"]


def test_an_older_project_with_garbage_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "old.gpkg"
    schema_0(path, [("no_such_table", "x", {})])
    original = path.read_bytes()
    with pytest.raises(ProjectError, match="no table"):
        projects.open_project(path)
    assert path.read_bytes() == original
    assert [p.name for p in tmp_path.iterdir() if p.name != "old.schema0.gpkg"] == ["old.gpkg"]


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_migration_that_cannot_be_finished_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "old.gpkg"
    schema_0(path)
    original = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(ProjectError, match="disk is full"):
        projects.open_project(path)
    monkeypatch.undo()
    assert path.read_bytes() == original
    session = projects.open_project(path)
    assert session.workspace.document.get("layer", "l") == LAYER
    session.close()


def test_a_project_from_before_flood_measures_gets_their_table(tmp_path):
    path = tmp_path / "city.gpkg"
    session = projects.create(path)
    session.do(Edit("Note", (session.workspace.document.put("note", "n", {"text": "kept"}),)))
    session.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE measure")
        connection.execute("DELETE FROM gpkg_geometry_columns WHERE table_name = 'measure'")
        connection.execute("DELETE FROM gpkg_contents WHERE table_name = 'measure'")
        connection.execute("UPDATE cimdesk_meta SET value = '1.0' WHERE name = 'schema'")
    session = projects.open_project(path)
    session.do(Edit("Wall", (session.workspace.document.put("measure", "m", {"name": "Wall", "line": [[0.0, 1.0]]}),)))
    session.close()
    session = projects.open_project(path)
    assert session.workspace.document.get("note", "n") == {"text": "kept"}
    assert session.workspace.document.get("measure", "m") == {"name": "Wall", "line": [[0.0, 1.0]]}
    session.close()
    assert (tmp_path / "city.schema1.gpkg").exists()


def test_there_is_a_migration_from_every_older_schema():
    from cimdesk.project.migrations import MIGRATIONS

    assert sorted(MIGRATIONS) == list(range(SCHEMA_MAJOR))
