"""Stages, which may follow which, and the stage book that answers for whole layers at once."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.base.i18n import load_catalogue
from cimdesk.base.paths import resource_dir
from cimdesk.model.document import Changes, Document, RecordChange
from cimdesk.model.features import as_strings
from cimdesk.model.lifecycle import ALLOWED, STAGE_PALETTE, Stage, StageBook, StageEvent
from cimdesk.model.selection import AssetRef


def event(key: str, feature: str, stage: Stage, date: float, recorded: float = 0.0, layer: str = "l") -> StageEvent:
    return StageEvent(key, AssetRef(layer, feature), stage, date, "w", "y", recorded)


def adding(*events: StageEvent) -> Changes:
    return Changes(tuple(RecordChange("stage_event", e.key, None, e.to_record()) for e in events))


def removing(*events: StageEvent) -> Changes:
    return Changes(tuple(RecordChange("stage_event", e.key, e.to_record(), None) for e in events))


def test_every_stage_has_a_word_a_colour_and_rules():
    assert len(STAGE_PALETTE) == len(Stage) == len(ALLOWED)
    for stage in Stage:
        assert Stage.from_code(stage.code) is stage


def test_stages_are_read_as_people_write_them():
    assert Stage.from_code(" Out-of-Service ") is Stage.OUT_OF_SERVICE
    with pytest.raises(ValueError, match="planning"):
        Stage.from_code("nonsense")


def test_no_stage_follows_itself_and_removed_is_the_end():
    assert all(stage not in ALLOWED[stage] for stage in Stage)
    assert not ALLOWED[Stage.REMOVED]


def test_every_stage_can_be_reached_and_can_end():
    reached, front = {Stage.PLANNING}, [Stage.PLANNING]
    while front:
        front = [later for stage in front for later in ALLOWED[stage] if later not in reached]
        reached.update(front)
    assert reached == set(Stage) - {Stage.UNKNOWN}


def test_an_event_becomes_a_record_and_back():
    made = event("k", "f", Stage.HANDOVER, 12.5, 13.5)
    assert StageEvent.from_record("k", made.to_record()) == made


def test_the_stage_at_a_moment_is_the_last_one_entered_by_then():
    book = StageBook()
    book.apply(adding(event("b", "f", Stage.OPERATION, 20.0), event("a", "f", Stage.CONSTRUCTION, 10.0)))
    stages = [book.stage_at(AssetRef("l", "f"), time) for time in (9.9, 10.0, 19.9, 20.0)]
    assert stages == [Stage.UNKNOWN, Stage.CONSTRUCTION, Stage.CONSTRUCTION, Stage.OPERATION]
    assert book.dated_stages(AssetRef("l", "f")) == ((10.0, Stage.CONSTRUCTION), (20.0, Stage.OPERATION))
    assert book.stage_at(AssetRef("l", "other"), 99.0) is Stage.UNKNOWN
    assert book.stage_at(AssetRef("other", "f"), 99.0) is Stage.UNKNOWN


def test_of_two_events_of_one_moment_the_later_recorded_counts():
    book = StageBook()
    book.apply(adding(event("b", "f", Stage.OPERATION, 10.0, 2.0), event("a", "f", Stage.HANDOVER, 10.0, 1.0)))
    assert book.stage_at(AssetRef("l", "f"), 10.0) is Stage.OPERATION


def test_the_time_range_shrinks_when_the_extreme_event_goes():
    book = StageBook()
    assert book.time_range is None
    first, last = event("a", "f", Stage.PLANNING, 5.0), event("b", "g", Stage.PLANNING, 9.0, layer="m")
    book.apply(adding(first, last))
    assert book.time_range == (5.0, 9.0)
    book.apply(removing(last))
    assert book.time_range == (5.0, 5.0)
    book.apply(removing(first))
    assert book.time_range is None
    assert list(book.assets("l")) == []


def test_rebuilding_from_a_document_equals_following_its_edits():
    document = Document()
    changes = adding(event("a", "f", Stage.PLANNING, 5.0), event("b", "g", Stage.DESIGN, 6.0))
    document.apply(changes.records)
    followed, rebuilt = StageBook(), StageBook()
    followed.apply(changes)
    rebuilt.rebuild(document)
    for feature in "fg":
        assert followed.history(AssetRef("l", feature)) == rebuilt.history(AssetRef("l", feature))


def test_codes_of_a_layer_nobody_marked_are_unknown():
    assert StageBook().codes("l", as_strings(["a", "b"]), 0.0).tolist() == [0, 0]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove"]), st.integers(0, 7), st.sampled_from(list(Stage)), st.integers(0, 9), st.integers(0, 9)
    ),
    max_size=40,
)


@given(STEPS)
def test_codes_of_a_whole_layer_agree_with_one_asset_at_a_time(steps):
    book, present = StageBook(), {}
    ids = as_strings(f"f{k}" for k in range(10))
    for number, (what, feature, stage, date, time) in enumerate(steps):
        if what == "add":
            made = event(f"k{number}", f"f{feature}", stage, float(date))
            present[made.key] = made
            book.apply(adding(made))
        elif present:
            book.apply(removing(present.pop(next(iter(present)))))
        codes = book.codes("l", ids, float(time))
        assert codes.dtype == np.uint8
        assert codes.tolist() == [int(book.stage_at(AssetRef("l", feature), float(time))) for feature in ids]
        other = as_strings([f"f{feature}", "nobody"])
        assert book.codes("l", other, float(time)).tolist() == [int(book.stage_at(AssetRef("l", f"f{feature}"), float(time))), 0]


def test_the_crosswalk_has_every_stage_once_with_its_names():
    table = tomllib.loads((resource_dir() / "standards" / "lifecycle.toml").read_text(encoding="utf-8"))
    chinese = load_catalogue("zh_CN")
    assert sorted(row["code"] for row in table["stage"]) == sorted(stage.code for stage in Stage)
    columns = {*table["verified"], *table["unverified"]}
    assert columns == set(table["sources"])
    for row in table["stage"]:
        label = STAGE_PALETTE[Stage.from_code(row["code"])][0]
        assert row["en"] == label
        assert row["zh_CN"] == chinese[label]
        assert columns <= set(row)
