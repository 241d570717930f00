"""Whatever a file holds, opening it works or ends in one readable error, and the file stays as it is."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from cimdesk.base.errors import CimdeskError, ProjectError
from cimdesk.commands import projects
from cimdesk.project.schema import SCHEMA_MAJOR
from tests.unit.project.cities import city


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("sample") / "city.gpkg"
    session = city(path)
    refs = projects.save(session)
    assert refs.number
    session.undo()
    session.close()
    return path.read_bytes()


def try_to_open(path: Path) -> str:
    """Open, use, undo, redo and close a project; return the error, empty when there is none."""
    content = path.read_bytes()
    refusal: ProjectError | None = None
    try:
        session = projects.open_project(path)
    except ProjectError as error:
        refusal = error
    if refusal is not None:
        assert path.read_bytes() == content, "a refused file was changed"
        assert str(path) in str(refusal)
        assert refusal.remedy
        assert refusal.message
        assert [p.name for p in path.parent.iterdir()] == [path.name], "something was left beside it"
        return str(refusal)
    try:
        session.workspace.layers()
        _ = session.workspace.frame, session.workspace.bounds()
        if session.history.done:
            session.undo()
            session.redo()
        session.store.journal()
    except CimdeskError:
        pass
    finally:
        session.close()
    return ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no cimdesk project"),
        (b"PK\x03\x04 a zip", "no cimdesk project"),
        (b"SQLite format 3\0" + b"\0" * 84, "no GeoPackage"),
        (b"\0" * 5000, "no cimdesk project"),
    ],
)
def test_what_is_no_project_is_named_so(tmp_path, content, said):
    path = tmp_path / "x.gpkg"
    path.write_bytes(content)
    assert said in try_to_open(path)


def test_a_missing_file_and_a_folder_are_named_so(tmp_path):
    with pytest.raises(ProjectError, match="no such project"):
        projects.open_project(tmp_path / "none.gpkg")
    with pytest.raises(ProjectError, match="cannot be read"):
        projects.open_project(tmp_path)


def test_a_geopackage_of_other_software_is_offered_as_a_layer(tmp_path):
    path = tmp_path / "roads.gpkg"
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA application_id = {0x47504B47}")
        other.execute("CREATE TABLE roads (fid INTEGER PRIMARY KEY)")
    other.close()
    assert "as a layer" in try_to_open(path)


def test_a_file_cut_anywhere_is_refused_and_left_alone(tmp_path, sample):
    for k in range(40):
        path = tmp_path / str(k) / "city.gpkg"
        path.parent.mkdir()
        path.write_bytes(sample[: len(sample) * k // 40])
        assert try_to_open(path)


def mutate(sample: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    content = bytearray(sample)
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        at = chance.randrange(len(content)) if chance.random() < 0.7 else chance.randrange(200)
        if chance.random() < 0.2:
            length = chance.randrange(1, 400)
            content[at : at + length] = chance.randbytes(min(length, len(content) - at))
        else:
            content[at] = chance.randrange(256)
    return bytes(content)


@pytest.mark.parametrize("block", range(5))
def test_random_damage_never_ends_in_anything_but_a_readable_error(tmp_path, sample, block):
    folder = tmp_path / "one"
    for seed in range(block * 60, block * 60 + 60):
        folder.mkdir()
        path = folder / "city.gpkg"
        path.write_bytes(mutate(sample, seed))
        try_to_open(path)
        shutil.rmtree(folder)


@pytest.mark.slow
def test_much_random_damage_never_ends_in_anything_but_a_readable_error(tmp_path, sample):
    for seed in range(1000, 4000):
        folder = tmp_path / "one"
        folder.mkdir()
        path = folder / "city.gpkg"
        path.write_bytes(mutate(sample, seed))
        try_to_open(path)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE layer SET kind = 'nonsense'",
        "UPDATE layer SET style = '[7]'",
        "UPDATE layer SET style = '{broken'",
        "UPDATE layer SET style = 7",
        "UPDATE layer SET name = NULL",
        "UPDATE layer SET opacity = 9e999",
        "UPDATE layer SET opacity = 'much'",
        "UPDATE layer SET visible = 3",
        "UPDATE layer SET key = x'ff00'",
        "UPDATE layer SET name = CAST(x'fffe' AS TEXT)",
        "UPDATE layer SET more = '[1]'",
        "UPDATE layer SET options = '" + "[" * 3000 + "]" * 3000 + "'",
        "UPDATE project SET origin = '[1, 2]'",
        "UPDATE project SET origin = '[1, 2, 1e999]'",
        "UPDATE project SET origin = '{\"x\": 1}'",
        "INSERT INTO asset_stage_history (key, layer, feature, stage) VALUES ('e', 'l', 'f', 'nonsense')",
        "INSERT INTO asset_stage_history (key, layer, feature, stage, date, who, why, recorded) "
        "VALUES ('e', 'l', 'f', 'operation', 'yesterday', '', '', '2026-01-01T00:00:00Z')",
        'UPDATE project SET more = \'{"time": "noon"}\'',
        "INSERT INTO note (key, geom) VALUES ('n', x'4750')",
        "INSERT INTO note (key, geom) VALUES ('n', 'text')",
        "DROP TABLE layer",
        "DROP TABLE journal",
        "DROP TABLE gpkg_contents; DROP TABLE note",
        "ALTER TABLE layer DROP COLUMN source",
        "UPDATE cimdesk_meta SET value = 'one' WHERE name = 'schema'",
        "DELETE FROM cimdesk_meta",
        "DROP TABLE cimdesk_meta",
    ],
)
def test_garbage_in_a_record_is_told_with_file_and_remedy(tmp_path, sample, sql):
    path = tmp_path / "city.gpkg"
    path.write_bytes(sample)
    with sqlite3.connect(path) as other:
        other.execute("INSERT OR IGNORE INTO project (key, title) VALUES ('settings', 't')")
        for statement in sql.split("; "):
            other.execute(statement)
    other.close()
    assert try_to_open(path)


def test_a_damaged_journal_costs_undo_but_not_the_city(tmp_path, sample):
    path = tmp_path / "city.gpkg"
    path.write_bytes(sample)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE journal SET records = '[oops'")
    other.close()
    session = projects.open_project(path)
    assert [layer.id for layer in session.workspace.layers()] == ["pipes"]
    assert not session.history.done
    assert [problem.code for problem in session.workspace.problems("")] == ["journal-damaged"]
    session.close()


def test_a_newer_project_is_refused_politely(tmp_path, sample):
    path = tmp_path / "city.gpkg"
    path.write_bytes(sample)
    with sqlite3.connect(path) as other:
        other.execute(f"UPDATE cimdesk_meta SET value = '{SCHEMA_MAJOR + 1}.0' WHERE name = 'schema'")
    other.close()
    assert "newer" in try_to_open(path)


def test_a_project_of_a_newer_minor_version_opens(tmp_path, sample):
    path = tmp_path / "city.gpkg"
    path.write_bytes(sample)
    with sqlite3.connect(path) as other:
        other.execute(f"UPDATE cimdesk_meta SET value = '{SCHEMA_MAJOR}.7' WHERE name = 'schema'")
        other.execute("ALTER TABLE layer ADD COLUMN shadow TEXT")
    other.close()
    assert try_to_open(path) == ""
