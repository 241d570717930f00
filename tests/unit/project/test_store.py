"""The project file keeps every record exactly, opens in other software, and tells damage apart from data."""

from __future__ import annotations

import math
import sqlite3

import numpy as np
import pyogrio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.errors import EditError, ProjectError
from cimdesk.model.document import TABLES, RecordChange
from cimdesk.project.journal import verify, write_csv
from cimdesk.project.store import ProjectStore


def event(feature: str = "a", date: float = 1.7e9, stage: str = "operation", **more) -> dict:
    record = {"layer": "pipes", "feature": feature, "stage": stage, "date": date, "who": "李", "why": "", "recorded": 1.7e9 + 0.001}
    return {**record, **more}


def put(table: str, key: str, record: dict | None, before: dict | None = None) -> RecordChange:
    return RecordChange(table, key, before, record)


@pytest.fixture
def store(tmp_path):
    opened = ProjectStore.create(tmp_path / "city.gpkg")
    yield opened
    opened.close()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["name", "text", "camera", "time", "layers", "place", "x", "status", "statistics", "created", "title", "more", "key"]
)
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["bookmark", "scenario", "result", "note"]), KEYS, st.dictionaries(FIELDS, JSON, max_size=6))
def test_any_record_comes_back_exactly(store, table, key, record):
    present = store.load().get(table, key)
    store.commit("edit", "e", "me", [put(table, key, record, present)])
    back = store.load().get(table, key)
    assert back == record
    assert {name: type(value) for name, value in back.items() if isinstance(value, bool)} == {
        name: bool for name, value in record.items() if isinstance(value, bool)
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(-1e11, 1e11), st.tuples(*[st.floats(-1e8, 1e8)] * 3))
def test_times_and_places_lose_no_bit(store, date, place):
    present = store.load().get("stage_event", "e")
    record = event(date=date, place=list(place))
    store.commit("edit", "e", "me", [put("stage_event", "e", record, present)])
    assert store.load().get("stage_event", "e") == record


def test_a_reopened_project_has_every_table_in_insertion_order(store):
    records = [put("layer", name, {"name": name, "kind": "terrain", "source": "t.tif"}) for name in ("z", "a", "m")]
    store.commit("edit", "three layers", "me", records)
    store.commit("edit", "rename", "me", [put("layer", "z", {"name": "Z", "kind": "terrain", "source": "t.tif"}, records[0].after)])
    store.close()
    again = ProjectStore.open(store.path)
    assert list(again.load().records("layer")) == ["z", "a", "m"]
    assert again.load().get("layer", "z")["name"] == "Z"
    again.close()
    store.close = lambda: None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, b"bytes", "\ud800", 2**70, {1: 2}, object()])
def test_a_value_that_no_file_could_hold_is_refused_and_nothing_is_written(store, value):
    with pytest.raises(EditError):
        store.commit("edit", "e", "me", [put("note", "n", {"deep": [{"x": value}]})])
    assert store.last_number == 0
    assert store.load().get("note", "n") is None


def test_the_journal_tells_who_did_what_and_its_chain_holds(store):
    store.commit("edit", "增加", "me", [put("note", "n", {"text": "1"})])
    store.commit("undo", "增加", "you", [put("note", "n", None, {"text": "1"})], merge="m")
    first, second = store.journal()
    assert (first.number, first.kind, first.label, first.who, first.merge) == (1, "edit", "增加", "me", "")
    assert second.records == (put("note", "n", None, {"text": "1"}),)
    assert verify(store.journal()) == store.verify() == {"events": 2, "intact": True, "first_bad": None}


@pytest.mark.parametrize(
    ("sql", "first_bad"),
    [
        ("UPDATE journal SET who = 'someone else' WHERE number = 2", 2),
        ("UPDATE journal SET records = replace(records, '\"2\"', '\"7\"') WHERE number = 3", 3),
        ("UPDATE journal SET time = time - 86400 WHERE number = 1", 1),
        ("DELETE FROM journal WHERE number = 2", 2),
        ("DELETE FROM journal WHERE number = 5", 5),
    ],
)
def test_tampering_with_the_journal_shows_at_the_entry(store, sql, first_bad):
    for k in range(5):
        store.commit("edit", f"e{k}", "me", [put("note", "n", {"text": str(k)}, {"text": str(k - 1)} if k else None)])
    store.close()
    with sqlite3.connect(store.path) as tampered:
        tampered.execute(sql)
    tampered.close()
    again = ProjectStore.open(store.path)
    assert again.verify()["intact"] is False
    assert again.verify()["first_bad"] == first_bad
    again.close()


def test_the_trail_as_csv_has_a_row_an_entry_and_no_formulas(store, tmp_path):
    store.commit("edit", "=cmd()", "me", [put("note", "n", {"text": "a"})])
    with (tmp_path / "trail.csv").open("w", encoding="utf-8") as file:
        assert write_csv(store.journal(), file) == 1
    header, row = (tmp_path / "trail.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("number,time,kind")
    assert "'=cmd()" in row


def test_gdal_reads_every_table_with_its_geometry_and_reference_system(store):
    store.commit(
        "edit", "e", "me",
        [
            put("project", "settings", {"title": "t", "crs": "EPSG:4547", "origin": [431000.0, 2558000.0, 0.0]}),
            put("stage_event", "1", event("a", 1.6e9, "construction", place=[431000.0, 2558000.5, 3.0])),
            put("stage_event", "2", event("a", 1.7e9, "operation", place=[431000.0, 2558000.5, 3.0])),
            put("stage_event", "3", event("a", 9e9, "removed", place=[431000.0, 2558000.5, 3.0])),
            put("note", "n", {"text": "沙面", "place": [1.0, 2.0, 3.0]}),
        ],
    )  # fmt: skip
    names = {name for name, _ in pyogrio.list_layers(store.path)}
    assert names >= {"layer", "bookmark", "scenario", "result", "asset_stage_history", "asset_stage", "note", "journal"}
    assert pyogrio.read_info(store.path, layer="asset_stage")["crs"] == "EPSG:4547"
    meta, _, geometry, values = pyogrio.raw.read(store.path, layer="asset_stage")
    today = dict(zip(meta["fields"], values, strict=True))
    assert list(today["stage"]) == ["operation"]
    assert np.frombuffer(geometry[0][-24:], dtype="<f8").tolist() == [431000.0, 2558000.5, 3.0]
    assert pyogrio.raw.read(store.path, layer="note")[3][1][0] == "沙面"
    assert len(pyogrio.raw.read(store.path, layer="asset_stage_history")[3][0]) == 3


def test_geometries_follow_the_reference_system_of_the_project(store):
    note = put("note", "n", {"text": "x", "place": [1.0, 2.0, 3.0]})
    store.commit("edit", "e", "me", [note])
    store.commit("edit", "crs", "me", [put("project", "settings", {"crs": "EPSG:25832+7837"})])
    assert pyogrio.read_info(store.path, layer="note")["crs"] == "EPSG:25832"
    assert store.load().get("note", "n") == note.after


def test_the_file_is_a_geopackage_1_3_by_its_marks(store):
    head = store.path.read_bytes()[:72]
    assert head[68:72] == b"GPKG"
    assert int.from_bytes(head[60:64], "big") == 10300
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_looking_at_a_project_changes_no_byte_of_it(store):
    store.commit("edit", "e", "me", [put("note", "n", {"text": "1"})])
    store.close()
    before = store.path.read_bytes()
    again = ProjectStore.open(store.path)
    again.load()
    again.close()
    assert store.path.read_bytes() == before
    assert [p.name for p in store.path.parent.iterdir()] == ["city.gpkg"]


def test_columns_of_other_software_survive_an_edit(store):
    store.commit("edit", "e", "me", [put("note", "n", {"text": "1"})])
    store.close()
    with sqlite3.connect(store.path) as other:
        other.execute("ALTER TABLE note ADD COLUMN colour TEXT")
        other.execute("UPDATE note SET colour = 'red'")
    other.close()
    again = ProjectStore.open(store.path)
    again.commit("edit", "e", "me", [put("note", "n", {"text": "2"}, {"text": "1"})])
    again.close()
    with sqlite3.connect(store.path) as other:
        assert other.execute("SELECT text, colour FROM note").fetchone() == ("2", "red")
    other.close()


def test_a_second_program_that_edits_meanwhile_is_noticed(store):
    with sqlite3.connect(store.path) as other:
        other.execute("INSERT INTO journal VALUES (1, 'edit', 'x', 'y', 0.0, '', '[]', 'h')")
    other.close()
    with pytest.raises(ProjectError, match="Another program"):
        store.commit("edit", "e", "me", [put("note", "n", {"text": "1"})])


def test_every_table_of_the_document_has_a_place(store):
    records = {
        "project": ("settings", {"title": "x"}),
        "layer": ("l", {"name": "l", "kind": "vector", "source": "a"}),
        "stage_event": ("e", event()),
    }
    for table in TABLES:
        key, record = records.get(table, ("k", {"anything": [1, {"deep": None}]}))
        store.commit("edit", table, "me", [put(table, key, record)])
    assert {table for table, _, _ in store.load()} == set(TABLES)


def test_creating_over_a_file_is_refused(store):
    with pytest.raises(ProjectError, match="already"):
        ProjectStore.create(store.path)


def test_restore_points_are_kept_with_their_moment(store):
    store.commit("edit", "e", "me", [put("note", "n", {"text": "1"})])
    made = store.add_restore_point("方案一", "me")
    (point,) = store.restore_points()
    assert (point.name, point.number, point.who) == ("方案一", 1, "me")
    assert point.time == pytest.approx(made.time, abs=2e-3)
