"""What a report says of floods: the run's facts, what is cut off, damage, two runs compared, a run against marks."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.i18n import LANGUAGES
from cimdesk.commands.flood_calibration import set_marks
from cimdesk.commands.flood_compare import set_comparison
from cimdesk.commands.reports import build_content
from cimdesk.commands.session import Session
from cimdesk.model.flood_statement import is_screening, run_facts, run_statement
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.report.document import ReportContent, render_html, render_pdf
from tests.unit.commands.exposure_town import boxes, with_layers
from tests.unit.commands.test_flood_exposure import DRY, STATS, roads, run_of, water


@pytest.fixture
def session(tmp_path) -> Session:
    session = Session()
    city = boxes(np.array([42.0, 24.0, 100.0]), np.array([24.0, 24.0, 100.0]), 8.0, ["residential", "school", "office"])
    with_layers(
        session.workspace,
        [
            (Layer("city", "Buildings", LayerKind.BUILDINGS, ""), city),
            (Layer("roads", "Roads", LayerKind.VECTOR, ""), roads([(0.0, 30.0), (120.0, 30.0)])),
            (Layer("b", "With wall", LayerKind.FLOOD, ""), run_of(DRY, water(20, 20, 40, 40, 0.5))),
            (Layer("a", "Today", LayerKind.FLOOD, "", visible=False), run_of(DRY, water(20, 20, 60, 40, 0.8))),
        ],
    )
    (tmp_path / "marks.csv").write_text("name,x,y,level\nbridge,30,30,0.4\n", encoding="utf-8")
    set_comparison(session, "b", "a", "difference")
    set_marks(session, "b", tmp_path / "marks.csv")
    return session


def words(content: ReportContent) -> str:
    return render_html(content)


def test_a_report_compares_and_calibrates_and_states_every_run(session):
    content = build_content(session, "en", ())
    titles = [section.title for section in content.sections]
    assert "With wall compared with Today" in titles
    assert any("against marks and gauges" in title for title in titles)
    text = words(content)
    for word in (
        "CFL number",
        "0.60",
        "3.0e-08",
        "screening",
        "Without a dry way out",
        "JRC Asia",
        "bridge",
        "+0.10",
        "unverified",
    ):
        assert word in text
    floods = [section for section in content.sections if section.title.startswith("Flood:")]
    assert all(dict(section.facts)["Mass error"] == "3.0e-08" for section in floods)
    calibration = next(section for section in content.sections if "against marks" in section.title)
    assert "bias +0.10 m" in calibration.paragraphs[0]
    assert calibration.charts[0].svg.count("<circle") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_of_compared_floods_is_typeset(session, language):
    pdf, pages = render_pdf(build_content(session, language, ()))
    assert pdf.startswith(b"%PDF")
    assert pages >= 2


def test_small_changes_of_people_are_not_told(session):
    comparison = next(s for s in build_content(session, "en", ()).sections if "compared with" in s.title)
    people = next(row for row in comparison.tables[0].rows if row[0] == "People")
    # One house with ten people is in the water of one run only.
    assert people == ("People", "30", "20", "-10")


def test_a_run_states_what_it_knows_and_says_what_it_does_not():
    run = run_of(DRY)
    assert run_statement(run) == "inertial engine, 2.00 m cells, CFL 0.60, mass error 3e-08, rain 55.6 mm, screening"
    assert is_screening(run)
    object.__setattr__(run, "statistics", {})
    assert run_statement(run) == "engine not stated, 2.00 m cells, mass error not stated, rain not stated, screening"
    assert dict(run_facts(run))["Mass error"] == "not stated"
    object.__setattr__(run, "statistics", {**STATS, "engine": "dynamic", "rain_m3": 0.0})
    assert not is_screening(run)
    assert "rain none" in run_statement(run)
