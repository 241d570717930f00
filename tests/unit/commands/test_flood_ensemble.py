"""Ensembles: members, what is kept, cancelling, maps; on processes of this computer and on a Dask cluster."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, DataError, ServiceError, UsageError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.flood_ensemble import Ensemble, chance_outlines, checked, run_ensemble
from cimdesk.commands.flood_member import changed, simulate_member
from cimdesk.formats.flood_result import read_result
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.formats.registry import read
from cimdesk.formats.scenario import read_scenario
from cimdesk.model.appearance import default_style
from cimdesk.model.flood_chance import CHANCE
from cimdesk.model.layers import LayerKind
from cimdesk.model.terrain import Terrain

PERIODS = (2.0, 20.0, 100.0)


@pytest.fixture
def valley(tmp_path):
    """Write a small valley and a scenario with a design storm; return the scenario file."""
    y, x = np.mgrid[0:24, 0:30].astype(np.float32)
    ground = (0.3 * np.abs(x - 15) + 0.02 * y).astype(np.float32)
    write_geotiff(tmp_path / "ground.tif", ground, None, grid=Terrain(ground, 1000.0, 2048.0, 2.0, 2.0))
    (tmp_path / "storm.toml").write_text(
        '[scenario]\nname = "valley"\nterrain = "ground.tif"\nduration = "20min"\noutput_every = "10min"\n'
        '[[rain]]\ndesign = { city = "guangzhou", return_period = 5, duration = "20min" }\n',
        encoding="utf-8",
    )
    (tmp_path / "wall.toml").write_text(
        '[[measure]]\nkind = "wall"\nline = [[1010.0, 2020.0], [1050.0, 2020.0]]\nheight = 2.0\n', encoding="utf-8"
    )
    return tmp_path / "storm.toml"


def task_of(valley, period=5.0, measures=None):
    return {
        "scenario": str(valley), "return_period": period, "city": "", "storm_duration": 1200.0, "measures": measures,
        "set": "as-is", "out": str(valley.parent / "one.flood"),
    }  # fmt: skip


def test_a_member_has_its_own_storm_and_measures(valley):
    asked = changed(read_scenario(valley), task_of(valley, 50.0, str(valley.parent / "wall.toml")))
    assert asked.rain[0].return_period == 50.0
    assert [measure.kind for measure in asked.measures] == ["wall"]
    other = changed(read_scenario(valley), {**task_of(valley, 50.0), "city": "beijing"})
    assert (other.rain[0].city, other.rain[0].return_period, other.rain[0].duration) == ("beijing", 50.0, 1200.0)


def test_a_member_that_is_there_is_kept_until_its_input_changes(valley):
    assert not simulate_member(task_of(valley))["kept"]
    again = simulate_member(task_of(valley))
    assert again["kept"]
    assert again["max_depth_m"] > 0.0
    assert not simulate_member(task_of(valley, 50.0))["kept"]
    (valley.parent / "one.flood").write_bytes(b"PK broken")
    assert not simulate_member(task_of(valley, 50.0))["kept"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"return_periods": ()}, "Return periods"),
        ({"return_periods": (0.5, 2.0)}, "Return periods"),
        ({"thresholds": (0.0,)}, "above"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_run(valley, fields, said):
    with pytest.raises(UsageError, match=said):
        checked(Ensemble(**{"scenario": valley, "return_periods": PERIODS, "folder": valley.parent / "out", **fields}))


def test_rain_that_is_no_design_storm_needs_a_city(valley):
    valley.write_text(valley.read_text(encoding="utf-8").split("[[rain]]")[0] + "[[rain]]\nrate_mm_h = 20.0\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no design storm"):
        checked(Ensemble(valley, PERIODS, valley.parent / "out"))
    assert checked(Ensemble(valley, PERIODS, valley.parent / "out", city="guangzhou")).return_periods == PERIODS


def test_outlines_of_chances_are_a_layer_with_a_legend():
    chance = np.array([[0.5, 0.1], [0.02, np.nan]], dtype=np.float32)
    layer = chance_outlines(chance, Terrain(np.zeros((2, 2), np.float32), 0.0, 4.0, 2.0, 2.0))
    assert sorted(layer.features.columns[CHANCE]) == ["10 – 20 %", "2 – 5 %", "50 – 100 %"]
    style = default_style(LayerKind.VECTOR, layer)
    assert style.attribute == CHANCE
    assert style.categories["50 – 100 %"] == "#0b3a70"


def check_results(valley, data, sets):
    folder = valley.parent / "out"
    assert [(m["set"], m["return_period"]) for m in data["members"]] == [(s, p) for s in sorted(sets) for p in PERIODS]
    json.dumps(data)
    deepest = [read_result(folder / f"as-is-{p:g}y.flood").max_depth.max() for p in PERIODS]
    assert deepest == sorted(deepest)
    assert deepest[0] < deepest[-1]
    (source,) = read(folder / "as-is-chance-0.15m.tif").sources
    chance = source.data.elevations
    assert 0.0 <= np.nanmin(chance) <= np.nanmax(chance) <= 0.5
    assert (folder / "as-is-chance.gpkg").exists()


@pytest.mark.slow
def test_an_ensemble_on_this_computer_goes_on_where_it_stopped(valley):
    ensemble = Ensemble(valley, PERIODS, valley.parent / "out")
    told = []
    data = run_ensemble(ensemble, 2, progress=lambda fraction, text="": told.append((fraction, text)))
    check_results(valley, data, {"as-is"})
    assert not any(member["kept"] for member in data["members"])
    assert all(0.0 <= fraction <= 1.0 for fraction, _ in told)
    (valley.parent / "out" / "as-is-20y.flood").unlink()
    again = run_ensemble(Ensemble(valley, (20.0, 100.0), valley.parent / "out"), 2)
    assert [member["kept"] for member in again["members"]] == [False, True]


def test_every_set_of_measures_has_a_member_for_every_storm(valley):
    tasks = Ensemble(valley, PERIODS, valley.parent / "out", (valley.parent / "wall.toml",)).tasks()
    assert [(task["set"], task["return_period"]) for task in tasks[:2]] == [("as-is", 100.0), ("wall", 100.0)]
    assert len({task["out"] for task in tasks}) == 6


@pytest.mark.slow
def test_cancelling_ends_the_runs_and_keeps_what_is_finished(valley):
    token = CancelToken()
    threading.Timer(0.5, token.cancel).start()
    with pytest.raises(Cancelled):
        run_ensemble(Ensemble(valley, PERIODS, valley.parent / "out"), 1, cancel=token)
    assert not list((valley.parent / "out").glob("*.gpkg"))


@pytest.mark.slow
def test_a_member_that_cannot_be_run_is_one_message(valley):
    (valley.parent / "ground.tif").unlink()
    with pytest.raises(DataError, match=r"ground\.tif"):
        run_ensemble(Ensemble(valley, PERIODS, valley.parent / "out"), 2)


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    pytest.importorskip("distributed")
    from cimdesk.commands import flood_ensemble
    from cimdesk.commands.flood_ensemble import _on_cluster

    monkeypatch.setattr(flood_ensemble, "CONNECTING", 0.5)
    with pytest.raises(ServiceError, match="does not answer"), _on_cluster("tcp://127.0.0.1:9"):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_of_two_workers_gives_the_same(valley):
    distributed = pytest.importorskip("distributed")
    ensemble = Ensemble(valley, PERIODS, valley.parent / "out")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        data = run_ensemble(ensemble, scheduler=cluster.scheduler_address)
        check_results(valley, data, {"as-is"})
        assert all(member["kept"] for member in run_ensemble(ensemble, scheduler=cluster.scheduler_address)["members"])
    here = simulate_member({**task_of(valley, 20.0), "out": str(valley.parent / "here.flood")})
    there = next(member for member in data["members"] if member["return_period"] == 20.0)
    assert here["max_depth_m"] == there["max_depth_m"]
