"""Cards of datasets: what they tell by themselves, what people say, the grade, and places that are surveyed twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cimdesk.base.errors import UsageError
from cimdesk.base.i18n import using_language
from cimdesk.commands import cards, projects, sources
from cimdesk.commands.checking import check
from cimdesk.commands.session import Session
from cimdesk.model.cim import CimCard, Currency, grade
from tests import samples
from tests.unit.formats import footprint_files as files

NOW = 1_780_000_000.0
FULL = CimCard(2, "base", "survey office", "2026-01", "CC BY 4.0", "0.5 m", "1 km²")


def block(path: Path, lod: str, shift: int = 0, **metadata: object) -> Path:
    """Write one box of 40 m at a level of detail, ``shift`` metres to the east."""
    corners = [[430_000 + shift + x, 2_550_000 + y, z] for z in (0, 12) for x, y in ((0, 0), (40, 0), (40, 40), (0, 40))]
    walls = [[[k, (k + 1) % 4, (k + 1) % 4 + 4, k + 4]] for k in range(4)]
    solid = {"type": "Solid", "lod": lod, "boundaries": [[[[3, 2, 1, 0]], [[4, 5, 6, 7]], *walls]]}
    about = {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4547", **metadata}
    document = {
        "type": "CityJSON",
        "version": "2.0",
        "metadata": about,
        "transform": {"scale": [1, 1, 1], "translate": [0, 0, 0]},
        "CityObjects": {path.stem: {"type": "Building", "geometry": [solid]}},
        "vertices": corners,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.mark.parametrize(("lod", "level"), [("0", 1), ("1.2", 2), ("2.2", 3), ("3", 4)])
def test_the_level_of_detail_speaks_for_the_cim_level(session: Session, tmp_path: Path, lod: str, level: int):
    (layer,) = sources.import_files(session, [block(tmp_path / "a.city.json", lod)])
    assert cards.card_of(session.workspace, layer).level == level


def test_a_file_tells_its_date_source_and_place(session: Session, tmp_path: Path):
    path = block(tmp_path / "a.city.json", "2", referenceDate="2021-03-04", pointOfContact={"contactName": "Survey office"})
    (layer,) = sources.import_files(session, [path])
    card = cards.card_of(session.workspace, layer)
    assert (card.source, card.date, card.category) == ("Survey office", "2021-03-04", "base")
    assert card.coverage.startswith("0.04 × 0.04 km")


def test_networks_sensors_and_terrain_have_categories_of_their_own(session: Session, tmp_path: Path):
    paths = [
        samples.drainage_inp(tmp_path / "d.inp"),
        samples.sensors_csv(tmp_path / "s.csv"),
        samples.terrain_asc(tmp_path / "t.asc"),
    ]
    found = {str(layer.kind): cards.card_of(session.workspace, layer) for layer in sources.import_files(session, paths)}
    assert {kind: card.category for kind, card in found.items()} == {
        "network": "resources",
        "sensors": "sensing",
        "terrain": "base",
    }
    assert {kind: card.level for kind, card in found.items()} == {"network": 4, "sensors": 0, "terrain": 1}
    assert found["terrain"].accuracy.startswith("cells of")


def test_what_a_person_says_is_kept_in_the_project_and_can_be_undone(tmp_path: Path):
    session = projects.create(tmp_path / "town.gpkg", "town")
    (layer,) = sources.import_files(session, [block(tmp_path / "a.city.json", "2")])
    derived = cards.card_of(session.workspace, layer)
    cards.set_card(session, layer.id, replace(derived, level=5, licence="CC BY 4.0", date="2024-06"))
    session.close()
    again = projects.open_project(tmp_path / "town.gpkg")
    card = cards.card_of(again.workspace, again.workspace.layer(layer.id))
    assert (card.level, card.licence, card.date) == (5, "CC BY 4.0", "2024-06")
    again.undo()
    assert not again.workspace.layer(layer.id).options.get("card")
    again.close()


def test_a_card_that_says_what_the_data_says_is_no_edit(session: Session, tmp_path: Path):
    (layer,) = sources.import_files(session, [block(tmp_path / "a.city.json", "2")])
    before = len(session.history.done)
    cards.set_card(session, layer.id, cards.card_of(session.workspace, layer))
    assert len(session.history.done) == before


@pytest.mark.parametrize(
    ("field", "value", "said"), [("level", 8, "CIM level 8"), ("category", "gossip", "gossip"), ("date", "soon", "no date")]
)
def test_a_card_takes_only_what_there_is(session: Session, tmp_path: Path, field: str, value: object, said: str):
    (layer,) = sources.import_files(session, [block(tmp_path / "a.city.json", "2")])
    with pytest.raises(UsageError, match=said):
        cards.set_card(session, layer.id, replace(FULL, **{field: value}))


def test_a_full_and_fresh_card_is_graded_best_and_an_empty_one_worst():
    best = grade(FULL, NOW, NOW - 86400.0, (2.0, 5.0), share_drawn=1.0)
    assert (best.letter, best.completeness, best.currency, best.missing) == ("A", 1.0, Currency.CURRENT, ())
    worst = grade(CimCard(), NOW, None, (2.0, 5.0))
    assert (worst.letter, worst.currency) == ("D", Currency.UNKNOWN)
    assert set(worst.missing) == {"level", "category", "source", "date", "licence", "accuracy", "coverage"}


def test_age_makes_data_outdated_and_missing_geometry_costs_a_grade():
    year = 365.25 * 86400
    limits = (2.0, 5.0)
    found = [grade(FULL, NOW, NOW - years * year, limits).currency for years in (1, 4, 9)]
    assert found == [Currency.CURRENT, Currency.AGEING, Currency.OUTDATED]
    assert grade(FULL, NOW, NOW, limits, share_drawn=0.2).letter > "A"
    assert grade(FULL, NOW, NOW, limits, errors=3).completeness < 1.0


def test_the_reasons_are_said_in_both_languages():
    found = grade(replace(FULL, licence=""), NOW, NOW - 9 * 365.25 * 86400, (2.0, 5.0), share_drawn=0.5, errors=2)
    english = cards.reasons(found)
    assert english[0] == "Not filled in: Licence"
    assert "9.0 years" in english[1]
    with using_language("zh_CN"):
        assert cards.reasons(found)[0] == "未填写：许可"
        assert cards.level_name(2) == "CIM2 框架模型"


def test_a_second_survey_of_the_same_place_is_told_with_its_share(session: Session, tmp_path: Path):
    (first,) = sources.import_files(session, [block(tmp_path / "a.city.json", "1")])
    (second,) = sources.import_files(session, [block(tmp_path / "b.city.json", "2")])
    (problem,) = [p for p in session.workspace.problems(second.id) if p.code == "surveyed-already"]
    assert problem.message == f"Already surveyed here: 100% of it lies on {first.name}, which is of the same category."
    (third,) = sources.import_files(session, [block(tmp_path / "c.city.json", "2", shift=5000)])
    assert not [p for p in session.workspace.problems(third.id) if p.code == "surveyed-already"]


def test_a_second_survey_is_told_before_anything_is_added(session: Session, tmp_path: Path):
    first, second = block(tmp_path / "a.city.json", "1"), block(tmp_path / "b.city.json", "2")
    far = block(tmp_path / "c.city.json", "2", shift=5000)
    assert not any(preview.surveyed for preview in sources.preview([second], beside=sources.Beside.of(session)))
    (layer,) = sources.import_files(session, [first])
    near, away = sources.preview([second, far], beside=sources.Beside.of(session))
    assert [problem.code for problem in near.surveyed] == ["surveyed-already"]
    assert layer.name in near.surveyed[0].message
    assert away.surveyed == ()
    assert [kept.id for kept in session.workspace.layers()] == [layer.id]


def test_buildings_on_a_terrain_or_outlines_of_another_kind_are_no_second_survey(session: Session, tmp_path: Path):
    sources.import_files(session, [samples.terrain_asc(tmp_path / "t.asc"), files.flatgeobuf(tmp_path / "blocks.fgb")])
    (town,) = sources.import_files(session, [block(tmp_path / "a.city.json", "2")])
    assert not [p for p in session.workspace.problems(town.id) if p.code == "surveyed-already"]
    (again,) = sources.import_files(session, [files.geoparquet(tmp_path / "same.parquet")])
    assert [p.values["name"] for p in session.workspace.problems(again.id) if p.code == "surveyed-already"] == ["blocks"]


def test_check_tells_the_card_of_a_file_and_of_a_project(tmp_path: Path):
    path = block(tmp_path / "a.city.json", "2", referenceDate="2021-03-04")
    card = check(path)["layers"][0]["card"]
    assert (card["level"], card["category"], card["date"]) == (3, "base", "2021-03-04")
    session = projects.create(tmp_path / "town.gpkg", "town")
    (layer,) = sources.import_files(session, [path])
    cards.set_card(session, layer.id, replace(cards.card_of(session.workspace, layer), licence="CC0"))
    session.close()
    (row,) = check(tmp_path / "town.gpkg")["layers"]
    assert row["card"] == {"licence": "CC0"}
