"""Marking stages: legal ones in one undoable edit, the others refused with their reason."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.i18n import set_language
from cimdesk.base.units import parse_time
from cimdesk.commands import lifecycle, projects
from cimdesk.commands.anchors import anchors
from cimdesk.commands.session import Session
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.lifecycle import ALLOWED, Stage
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.selection import AssetRef
from tests.unit.project.cities import add_layer, city, vector_layer

DAY = 86400.0
START = parse_time("2026-01-01")


def ref(feature: str, layer: str = "pipes") -> AssetRef:
    return AssetRef(layer, feature)


def mark(session, feature, stage, day=0.0, **more):
    return lifecycle.mark(session, [ref(feature)], stage, START + day * DAY, "李工", "test", **more)


def reason(session, feature, stage, day=0.0) -> str:
    outcome = mark(session, feature, stage, day)
    assert outcome.changes is None
    ((_, text),) = outcome.refused
    return text


def test_marking_records_who_when_and_why():
    session = city()
    outcome = mark(session, "p1", Stage.CONSTRUCTION)
    assert outcome.changed == (ref("p1"),)
    (event,) = session.workspace.stages.history(ref("p1"))
    assert (event.stage, event.date, event.who, event.why) == (Stage.CONSTRUCTION, START, "李工", "test")
    assert event.recorded == pytest.approx(time.time(), abs=60)
    assert session.history.undo_label == "Mark p1 as Construction"


def test_an_event_carries_the_place_of_its_asset():
    session = city()
    mark(session, "p2", Stage.OPERATION)
    (record,) = session.workspace.document.records("stage_event").values()
    assert record["place"] == [431020.0, 2558000.0, 0.0]


def test_undo_restores_the_exact_earlier_history():
    session = city()
    mark(session, "p1", Stage.OPERATION)
    before = session.workspace.stages.history(ref("p1"))
    mark(session, "p1", Stage.MAINTENANCE, 5)
    session.undo()
    assert session.workspace.stages.history(ref("p1")) == before
    session.redo()
    assert [event.stage for event in session.workspace.stages.history(ref("p1"))] == [Stage.OPERATION, Stage.MAINTENANCE]


def test_legal_and_illegal_ones_are_sorted_out_in_one_edit():
    session = city()
    mark(session, "p1", Stage.REMOVED)
    refs = [ref("p0"), ref("p1"), ref("p0"), ref("nowhere"), ref("x", "no-layer"), ref("p2")]
    outcome = lifecycle.mark(session, refs, Stage.OPERATION, START + DAY, "me", "")
    assert outcome.changed == (ref("p0"), ref("p2"))
    assert [r for r, _ in outcome.refused] == [ref("p1"), ref("p0"), ref("nowhere"), ref("x", "no-layer")]
    texts = [text for _, text in outcome.refused]
    for text, said in zip(texts, ["nothing can follow", "named twice", "no such asset", "no layer"], strict=True):
        assert said in text
    session.undo()
    assert not session.workspace.stages.history(ref("p0"))


def test_marking_again_what_is_marked_already_is_refused_and_changes_nothing():
    session = city()
    mark(session, "p1", Stage.OPERATION)
    assert "since 2026-01-01" in reason(session, "p1", Stage.OPERATION, 3)
    assert len(session.workspace.stages.history(ref("p1"))) == 1


def test_an_illegal_step_names_what_could_follow():
    session = city()
    mark(session, "p1", Stage.PLANNING)
    text = reason(session, "p1", Stage.OPERATION, 3)
    assert "Operation cannot follow Planning" in text
    assert "Design" in text


def test_a_forgotten_step_can_be_recorded_later_where_it_fits():
    session = city()
    mark(session, "p1", Stage.PERMIT, 0)
    mark(session, "p1", Stage.CONSTRUCTION, 20)
    mark(session, "p1", Stage.ACCEPTANCE, 40)
    assert "cannot come before Acceptance, which is recorded for 2026-02-10" in reason(session, "p1", Stage.ABANDONED, 30)
    assert mark(session, "p1", Stage.PERMIT, 25).changed == ()
    assert mark(session, "p1", Stage.DESIGN, -10).changed == (ref("p1"),)
    assert [e.stage for e in session.workspace.stages.history(ref("p1"))] == [
        Stage.DESIGN, Stage.PERMIT, Stage.CONSTRUCTION, Stage.ACCEPTANCE,
    ]  # fmt: skip


def test_stages_of_one_day_follow_each_other_in_the_order_they_were_marked():
    session = city()
    for stage in (Stage.CONSTRUCTION, Stage.ACCEPTANCE, Stage.HANDOVER, Stage.OPERATION):
        assert mark(session, "p1", stage).changes
    assert session.workspace.stages.stage_at(ref("p1"), START) is Stage.OPERATION


def test_nothing_can_become_unknown():
    assert reason(city(), "p1", Stage.UNKNOWN)


def test_assets_of_a_layer_that_is_not_loaded_cannot_be_marked():
    session = city()
    session.workspace.mark_unavailable("pipes", "gone")
    assert "not loaded" in reason(session, "p1", Stage.OPERATION)


@pytest.mark.parametrize("date", [float("nan"), float("inf"), 1e300])
def test_a_date_that_is_none_is_refused(date):
    with pytest.raises(UsageError):
        lifecycle.mark(city(), [ref("p1")], Stage.OPERATION, date, "me", "")


def test_nodes_and_links_of_a_network_are_assets():
    session = city()
    outcome = lifecycle.mark(
        session, [ref("L1", "water"), ref("node:N1", "water"), ref("N1", "water")], Stage.OPERATION, START, "", ""
    )
    assert outcome.changed == (ref("L1", "water"), ref("node:N1", "water"))


def test_reasons_are_in_the_language_in_use():
    session = city()
    mark(session, "p1", Stage.REMOVED)
    set_language("zh_CN")
    assert "拆除" in reason(session, "p1", Stage.OPERATION, 3)


@given(st.lists(st.tuples(st.sampled_from(list(Stage)), st.integers(0, 30)), max_size=12))
def test_whatever_is_marked_every_history_stays_a_legal_chain(wishes):
    session = city(count=1)
    for stage, day in wishes:
        mark(session, "p0", stage, day)
    chain = [Stage.UNKNOWN, *(event.stage for event in session.workspace.stages.history(ref("p0")))]
    assert all(later in ALLOWED[earlier] for earlier, later in pairwise(chain))


def test_marks_are_in_the_file_when_it_is_opened_again(tmp_path):
    session = city(tmp_path / "city.gpkg")
    mark(session, "p1", Stage.OPERATION)
    mark(session, "p1", Stage.OUT_OF_SERVICE, 9, key="event-7")
    expected = session.workspace.stages.history(ref("p1"))
    session.close()
    session = projects.open_project(tmp_path / "city.gpkg")
    assert session.workspace.stages.history(ref("p1")) == expected
    assert expected[1].key == "event-7"
    assert session.clock.range == (START, START + 9 * DAY)
    session.close()


# --- names -------------------------------------------------------------------------------------------------------------


def test_a_bare_identifier_is_enough_where_only_one_layer_has_it():
    session = city()
    assert lifecycle.resolve_ids(session, ["p1", "pipes:p2", "L0", "N0", "water:node:N1", "node:N2"]) == [
        ref("p1"), ref("p2"), ref("L0", "water"), ref("node:N0", "water"), ref("node:N1", "water"), ref("node:N2", "water"),
    ]  # fmt: skip


def test_an_identifier_of_several_layers_is_asked_back():
    session = city()
    add_layer(session, "more", vector_layer(3))
    with pytest.raises(UsageError, match="pipes:p1, more:p1"):
        lifecycle.resolve_ids(session, ["p1"])


@pytest.mark.parametrize("text", ["nothing", "pipes:nothing", "", "nolayer:p1"])
def test_an_identifier_that_is_none_is_named(text):
    with pytest.raises(UsageError, match="no asset"):
        lifecycle.resolve_ids(city(), [text])


def test_a_slip_of_the_pen_gets_a_hint():
    with pytest.raises(UsageError, match="Did you mean p1"):
        lifecycle.resolve_ids(city(), ["p1x"])


# --- schedules ---------------------------------------------------------------------------------------------------------


def schedule(*rows: str) -> list[dict[str, str]]:
    return [dict(zip(("id", "stage", "date", "who", "why"), row.split(","), strict=False)) for row in rows]


def test_a_schedule_is_one_step_and_may_name_an_asset_often_in_any_order():
    session = city()
    outcome = lifecycle.import_schedule(
        session,
        schedule(
            "p1,operation,2026-09-01,li,", "p1,construction,2026-01-01,li,dig", "p1,acceptance,2026-06-01", "p1,handover,2026-06-02"
        ),
    )
    assert len(outcome.changed) == 4
    assert outcome.refused == ()
    stages = [event.stage for event in session.workspace.stages.history(ref("p1"))]
    assert stages == [Stage.CONSTRUCTION, Stage.ACCEPTANCE, Stage.HANDOVER, Stage.OPERATION]
    session.undo()
    assert not session.workspace.stages.history(ref("p1"))


def test_rows_of_a_schedule_that_cannot_be_taken_are_listed_with_number_and_reason():
    session = city()
    rows = [
        "p1,operation,2026-01-01",
        "p2,nonsense,2026-01-01",
        "p3,operation,soon",
        "zz,operation,2026-01-01",
        "p1,planning,2027-01-01",
    ]
    outcome = lifecycle.import_schedule(session, schedule(*rows))
    assert [refusal.row for refusal in outcome.refused] == [2, 3, 4, 5]
    for refusal, said in zip(outcome.refused, ["no stage", "no ISO date", "no asset", "cannot follow"], strict=True):
        assert said in refusal.reason


def test_a_schedule_of_only_bad_rows_changes_nothing():
    session = city()
    steps = len(session.history.done)
    assert lifecycle.import_schedule(session, schedule("zz,operation,2026-01-01")).changes is None
    assert len(session.history.done) == steps


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_schedule_file_is_read_with_chinese_columns_and_encodings(tmp_path, encoding):
    path = tmp_path / "works.csv"
    path.write_text("编号,阶段,日期,原因\np1,施工,2026-01-01,管道更新\n\n", encoding=encoding)
    rows = lifecycle.read_schedule(path)
    assert rows == [{"id": "p1", "stage": "施工", "date": "2026-01-01", "who": "", "why": "管道更新"}]
    set_language("zh_CN")
    session = city()
    assert len(lifecycle.import_schedule(session, rows).changed) == 1


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"id,stage\n"])
def test_a_file_that_is_no_schedule_is_refused_with_what_is_missing(tmp_path, content):
    path = tmp_path / "works.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no column"):
        lifecycle.read_schedule(path)
    with pytest.raises(DataError, match="cannot be read"):
        lifecycle.read_schedule(tmp_path / "none.csv")


# --- places and speed --------------------------------------------------------------------------------------------------


def test_a_building_without_its_own_shape_is_where_its_parts_are():
    vertices = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 0], [60, 60, 0], [66, 60, 0], [60, 66, 3]], np.float32)
    mesh = TriangleMesh(vertices, np.array([[0, 1, 2], [3, 4, 5]], np.int32), np.array([1, 2], np.int32), np.zeros(2, np.uint8),
                        np.array([1000.0, 2000.0, 0.0]))  # fmt: skip
    features = FeatureTable(as_strings(["house", "part", "shed", "empty"]))
    model = CityModel(features, np.array([-1, 0, -1, -1], np.int32), {"2": mesh})
    points = anchors(model, ["house", "part", "shed", "empty"])
    assert points[:3].tolist() == [[1002.0, 2002.0, 0.0], [1002.0, 2002.0, 0.0], [1062.0, 2062.0, 1.0]]
    assert np.isnan(points[3, :2]).all()


def test_a_link_is_at_its_middle_even_without_heights():
    session = city()
    assert anchors(session.workspace.data("water"), ["L1", "node:N2"]).tolist() == [[150.0, 0.0, 0.0], [200.0, 0.0, 0.0]]


def test_twenty_thousand_assets_are_marked_in_one_step():
    session = Session()
    add_layer(session, "pipes", vector_layer(20_000))
    refs = [ref(f"p{k}") for k in range(20_000)]
    outcome = lifecycle.mark(session, refs, Stage.OPERATION, START, "me", "")
    assert len(outcome.changed) == 20_000
    ids = session.workspace.features("pipes").ids
    assert (session.workspace.stages.codes("pipes", ids, START) == Stage.OPERATION).all()
    session.undo()
    assert (session.workspace.stages.codes("pipes", ids, START) == Stage.UNKNOWN).all()


def test_only_the_first_unknown_assets_of_a_schedule_get_a_hint():
    rows = [{"id": "p1x", "stage": "design", "date": "2026-01-01"}] * (lifecycle.HINTS + 5)
    outcome = lifecycle.import_schedule(city(), rows)
    assert sum("Did you mean" in refusal.reason for refusal in outcome.refused) == lifecycle.HINTS


def test_a_placeholder_date_in_a_schedule_is_refused():
    outcome = lifecycle.import_schedule(city(), [{"id": "p1", "stage": "design", "date": "0001-01-01 00:00:00"}])
    assert "0001-01-01" in outcome.refused[0].reason
