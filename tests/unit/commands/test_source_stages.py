"""Stages that a source tells: condition, validity and versions."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.commands.session import Session
from cimdesk.commands.source_stages import stages_in, take_stages, tells_changes
from cimdesk.commands.sources import import_files
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable
from cimdesk.model.lifecycle import Stage
from cimdesk.model.selection import AssetRef

VERSIONED = """<?xml version="1.0" encoding="UTF-8"?>
<CityModel xmlns="http://www.opengis.net/citygml/3.0" xmlns:bldg="http://www.opengis.net/citygml/building/3.0"
 xmlns:con="http://www.opengis.net/citygml/construction/3.0" xmlns:gml="http://www.opengis.net/gml/3.2">
<cityObjectMember><bldg:Building gml:id="old"><creationDate>2000-01-01T00:00:00</creationDate>
<terminationDate>2015-06-01T00:00:00</terminationDate>{shape}</bldg:Building></cityObjectMember>
<cityObjectMember><bldg:Building gml:id="new"><validFrom>2015-06-01T00:00:00</validFrom>
<con:conditionOfConstruction>underConstruction</con:conditionOfConstruction>{shape}
<bldg:buildingPart><bldg:BuildingPart gml:id="part">{shape}</bldg:BuildingPart></bldg:buildingPart>
</bldg:Building></cityObjectMember>
</CityModel>"""
RING = "<gml:LinearRing><gml:posList>0 0 0 9 0 0 9 9 0 0 0 0</gml:posList></gml:LinearRing>"
POLYGON = f"<gml:Polygon><gml:exterior>{RING}</gml:exterior></gml:Polygon>"
SURFACE = f"<gml:MultiSurface><gml:surfaceMember>{POLYGON}</gml:surfaceMember></gml:MultiSurface>"
SHAPE = f"<lod1MultiSurface>{SURFACE}</lod1MultiSurface>"


def city(rows: list[dict], parents: list[int] | None = None, **metadata) -> CityModel:
    table = FeatureTable.from_rows([f"b{k}" for k in range(len(rows))], rows)
    return CityModel(table, np.array(parents or [-1] * len(rows), dtype=np.int32), {}, metadata)


def told(model: CityModel) -> list[tuple[str, Stage, str]]:
    return [(each.feature, each.stage, each.date[:10]) for each in stages_in(model)]


@pytest.mark.parametrize(
    ("condition", "stage"),
    [
        ("projected", Stage.PLANNING), ("underConstruction", Stage.CONSTRUCTION), ("functional", Stage.OPERATION),
        ("declined", Stage.OUT_OF_SERVICE), ("ruin", Stage.ABANDONED), ("demolished", Stage.REMOVED),
    ],
)  # fmt: skip
def test_every_condition_has_its_stage(condition, stage):
    assert told(city([{"condition_of_construction": condition, "validFrom": "2020-03-01"}])) == [("b0", stage, "2020-03-01")]


def test_what_ended_was_there_and_is_gone():
    model = city([{"validFrom": "1990-01-01", "validTo": "2010-01-01"}])
    assert told(model) == [("b0", Stage.OPERATION, "1990-01-01"), ("b0", Stage.REMOVED, "2010-01-01")]


def test_the_year_of_construction_counts_before_the_day_of_the_data_set():
    assert told(city([{"creationDate": "2024-03-19", "yearOfConstruction": 1987}])) == [("b0", Stage.OPERATION, "1987-01-01")]


def test_in_a_file_of_versions_the_day_of_the_data_set_counts():
    model = city([{"creationDate": "2000-01-01", "terminationDate": "2015-01-01", "yearOfConstruction": 1987}])
    assert told(model)[0] == ("b0", Stage.OPERATION, "2000-01-01")


def test_parts_follow_what_they_are_part_of():
    model = city([{"validFrom": "2001-01-01"}, {"type": "BuildingPart"}], [-1, 0])
    assert told(model)[1] == ("b1", Stage.OPERATION, "2001-01-01")


def test_transitions_say_why():
    change = {"kind": "VersionTransition", "transaction.2.type": "replace", "transaction.2.oldFeature": "b0",
              "transaction.2.newFeature": "b1"}  # fmt: skip
    model = city([{"creationDate": "2000-01-01", "terminationDate": "2015-01-01"}], versions=[change])
    assert stages_in(model)[1].why == "terminationDate; replace b1"


def test_dates_that_are_none_tell_nothing():
    assert told(city([{"validFrom": "soon", "creationDate": "2020-13-45"}])) == []
    assert not tells_changes(city([{"creationDate": "2020-01-01"}]))


@pytest.fixture
def session(tmp_path):
    path = tmp_path / "versions.gml"
    path.write_text(VERSIONED.replace("{shape}", SHAPE), encoding="utf-8")
    session = Session()
    import_files(session, [path])
    yield session
    session.close()


def test_a_file_of_versions_brings_its_history_along(session):
    (layer,) = session.workspace.layers()
    stages = session.workspace.stages

    def stage(feature: str, time: float) -> Stage:
        return stages.stage_at(AssetRef(layer.id, feature), time)

    in_2010, in_2020 = 1_262_304_000.0, 1_577_836_800.0
    assert (stage("old", in_2010), stage("old", in_2020)) == (Stage.OPERATION, Stage.REMOVED)
    assert (stage("new", in_2010), stage("new", in_2020)) == (Stage.UNKNOWN, Stage.CONSTRUCTION)
    assert stage("part", in_2020) == Stage.CONSTRUCTION


def test_taking_the_stages_again_changes_nothing(session):
    (layer,) = session.workspace.layers()
    before = len(session.workspace.document.records("stage_event"))
    outcome = take_stages(session, layer.id)
    assert outcome.changed == ()
    assert len(outcome.refused) == 4
    assert len(session.workspace.document.records("stage_event")) == before == 4
