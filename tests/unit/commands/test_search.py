"""Search: what is found, in which order, in features that came later too, and what numbers mean as coordinates."""

from __future__ import annotations

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.commands.search import SearchIndex, coordinates_of
from cimdesk.commands.session import Session
from cimdesk.model.features import FeatureTable, as_strings, column_of

TABLE = FeatureTable(
    as_strings(["B1", "B12", "B2", "X1"]),
    {
        "name": column_of(["Liede Tower", "猎德大厦", None, "Old Liede Bridge"]),
        "address": column_of(["12 Huacheng Avenue", "花城大道12号", "Linjiang", None]),
        "note": column_of(["b2 beside", None, None, "plain"]),
    },
)


def found(text, table=TABLE):
    index = SearchIndex()
    index.update({"city": table})
    return [hit.feature for hit in index.find(text)]


def test_the_exact_identifier_comes_first_then_those_that_begin_with_it():
    assert found("b1") == ["B1", "B12"]
    assert found("B2")[0] == "B2"
    assert found("b2") == ["B2", "B1"]


def test_chinese_is_found_anywhere_in_a_text():
    assert found("猎德") == ["B12"]
    assert found("大道12") == ["B12"]


def test_beginnings_come_before_words_inside():
    assert found("liede") == ["B1", "X1"]
    assert found("bridge") == ["X1"]


def test_nothing_and_blanks_find_nothing():
    assert found("") == found("   ") == found("zzz") == []
    assert found("\n") == []


def test_a_text_never_matches_across_two_values():
    table = FeatureTable(as_strings(["a", "b"]), {"name": column_of(["one", "two"])})
    assert found("onetwo", table) == found("e t", table) == []


def test_a_table_that_grew_is_continued():
    ids = np.array(as_strings(["a", "b", "c", "d"]))
    names = column_of(["first", "second", "third", "second again"])
    index = SearchIndex()
    index.update({"t": FeatureTable(ids[:2], {"name": names[:2]})})
    assert [hit.feature for hit in index.find("second")] == ["b"]
    before = index.layers["t"].parts[0]
    index.update({"t": FeatureTable(ids, {"name": names})})
    assert index.layers["t"].parts[0] is before
    assert [hit.feature for hit in index.find("second")] == ["b", "d"]
    index.update({"t": FeatureTable(as_strings(["z"]), {"name": column_of(["second life"])})})
    assert [hit.feature for hit in index.find("second")] == ["z"]
    index.update({})
    assert index.find("second") == []


def test_two_numbers_inside_the_project_are_easting_and_northing(monkeypatch):
    session = Session()
    box = np.array([[431000.0, 2558000.0, 0.0], [433000.0, 2560000.0, 100.0]])
    monkeypatch.setattr(session.workspace, "bounds", lambda: box)
    assert coordinates_of(session, "431205.2, 2558410.8") == (431205.2, 2558410.8)
    assert coordinates_of(session, "N 2558410 E 431205") == (431205.0, 2558410.0)
    assert coordinates_of(session, "X=431205 Y=2558410") == (431205.0, 2558410.0)
    assert coordinates_of(session, "431205，2558410") == (431205.0, 2558410.0)
    assert coordinates_of(session, "12 Huacheng Avenue") is None
    assert coordinates_of(session, "5 7") is None


def test_degrees_are_taken_to_the_project_in_either_order(monkeypatch):
    session = Session()
    place = Crs("EPSG:4326").transform(Crs("EPSG:4547"), np.array([[113.33, 23.11, 0.0]]))[0]
    monkeypatch.setattr(session.workspace, "bounds", lambda: np.array([place - 1000.0, place + 1000.0]))

    class Frame:
        crs = Crs("EPSG:4547")

    monkeypatch.setattr(type(session.workspace), "frame", property(lambda self: Frame()))
    for text in ("113.33, 23.11", "23.11 113.33", "23.11°N, 113.33°E"):
        assert np.allclose(coordinates_of(session, text), place[:2], atol=0.01)
