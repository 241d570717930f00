"""Ensembles asked for in the window: what runs, which layers come of it, and drawn measures as a set of their own."""

from __future__ import annotations

import pytest

from cimdesk.base.errors import UsageError
from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.commands import measures
from cimdesk.commands.flood_ensemble import Ensemble
from cimdesk.commands.flood_ensemble_job import DRAWN, EnsembleWish, _table, ensemble_job
from cimdesk.commands.session import Session
from cimdesk.formats.scenario_measures import read_measures
from cimdesk.model.appearance import legend_cards
from cimdesk.model.flood_chance import CHANCE
from cimdesk.model.measures import KINDS, Measure
from tests.unit.commands.test_flood_ensemble import valley

__all__ = ["valley"]


def ran(session: Session, wish: EnsembleWish) -> list[str]:
    told: list[str] = []
    job = ensemble_job(session, wish, told.append)
    job.done(job.work(no_progress, CancelToken()))
    return told


def test_every_set_of_measures_becomes_a_layer_of_annual_chances(valley):
    session = Session()
    measures.draw(session, "wall", ((1010.0, 2020.0), (1050.0, 2020.0)), {"height": 2.0})
    ensemble = Ensemble(valley, (2.0, 20.0), valley.parent / "runs")
    wish = EnsembleWish(ensemble, with_drawn=True, workers=2, shown=0.15)
    assert wish.runs == 4
    told = ran(session, wish)
    layers = session.workspace.layers()
    assert sorted(layer.name for layer in layers) == [
        "Annual chance of 0.15 m, as it is",
        "Annual chance of 0.15 m, drawn measures",
    ]
    assert all(CHANCE in session.workspace.features(layer.id).columns for layer in layers)
    assert {entry.label for card in legend_cards(session.workspace, 0.0) for entry in card.entries} <= {
        "1 – 2 %", "2 – 5 %", "5 – 10 %", "10 – 20 %", "20 – 50 %", "50 – 100 %",
    }  # fmt: skip
    assert legend_cards(session.workspace, 0.0)
    assert "4 runs, 0 of them kept" in told[0]
    assert "4 runs, 4 of them kept" in ran(session, wish)[0]


def test_a_depth_that_is_shown_is_mapped_though_nobody_asked_for_it(valley):
    session = Session()
    ran(session, EnsembleWish(Ensemble(valley, (5.0,), valley.parent / "runs"), shown=0.07))
    assert [layer.name for layer in session.workspace.layers()] == ["Annual chance of 0.07 m, as it is"]


def test_drawn_measures_without_any_are_refused_before_anything_runs(valley):
    with pytest.raises(UsageError):
        ensemble_job(Session(), EnsembleWish(Ensemble(valley, (5.0,), valley.parent / "runs"), with_drawn=True))
    assert not (valley.parent / "runs" / f"{DRAWN}.toml").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawn_measure_is_the_same_in_a_file(kind, tmp_path):
    numbers = {quantity.field: quantity.start for quantity in KINDS[kind].quantities}
    if kind == "breach":
        numbers["bottom"] = 2.5
    line, to = ((1.5, 2.5), (30.25, 4.0)), ((8.0, 9.0),) if kind in ("pump", "culvert") else ()
    drawn = Measure(kind, "Wall “城”", line, to, numbers, ("A", 'B"1') if kind == "unblock" else ())
    path = tmp_path / "drawn.toml"
    path.write_text(_table(drawn), encoding="utf-8")
    (again,) = read_measures(path)
    assert (again.kind, again.name) == (kind, drawn.name)
    if kind == "unblock":
        assert again.nodes == drawn.nodes
        return
    assert again.line == (line if KINDS[kind].shape == "line" and kind != "breach" else line[:1])
    assert again.to == to
    assert again.numbers == pytest.approx(numbers)
