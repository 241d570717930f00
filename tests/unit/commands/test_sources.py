"""Files become layers in one undoable step; what a project refers to is found again, or marked when it is gone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import sources
from cimdesk.commands.export import export_layer
from cimdesk.commands.session import Session
from cimdesk.model.layers import LayerKind
from tests import samples


@pytest.fixture
def session() -> Session:
    return Session()


def test_importing_a_city_adds_a_layer_in_the_files_system(session: Session, tmp_path: Path):
    layers = sources.import_files(session, [samples.city_json(tmp_path / "city.json")])
    assert [layer.kind for layer in layers] == [LayerKind.BUILDINGS]
    assert session.workspace.frame.crs.code == "EPSG:4547"
    assert len(session.workspace.features(layers[0].id)) == 3


def test_import_is_one_undo_step_and_redo_brings_the_data_back(session: Session, tmp_path: Path):
    files = [samples.city_json(tmp_path / "city.json"), samples.drainage_inp(tmp_path / "drainage.inp")]
    sources.import_files(session, files, "EPSG:4547")
    assert len(session.workspace.layers()) == 2
    session.undo()
    assert session.workspace.layers() == []
    assert session.workspace.data("city") is None
    session.redo()
    assert all(session.workspace.data(layer.id) is not None for layer in session.workspace.layers())


def test_coordinates_without_a_system_are_taken_as_they_are_and_reported(session: Session, tmp_path: Path):
    (layer,) = sources.import_files(session, [samples.city_json(tmp_path / "city.json", crs=None)])
    assert [problem.code for problem in session.workspace.problems(layer.id)] == ["no-crs"]
    assert session.workspace.bounds()[0, 0] == pytest.approx(samples.EAST)


def test_a_given_system_is_kept_with_the_layer(session: Session, tmp_path: Path):
    (layer,) = sources.import_files(session, [samples.drainage_inp(tmp_path / "d.inp")], "EPSG:4547")
    assert layer.crs == "EPSG:4547"
    assert session.workspace.problems(layer.id) == ()


def test_a_later_layer_of_another_system_lies_where_it_belongs(session: Session, tmp_path: Path):
    sources.import_files(session, [samples.city_json(tmp_path / "city.json")])
    corner = Crs.epsg(4547).transform(Crs.epsg(4490), np.array([[samples.EAST, samples.NORTH, 0.0]]))[0]
    text = (
        f"sensor,time,value,quantity,unit,lon,lat\nG1,2026-06-07T12:00:00+08:00,1.0,water_level,m,{corner[0]:.9f},{corner[1]:.9f}\n"
    )
    (tmp_path / "gauges.csv").write_text(text)
    (layer,) = sources.import_files(session, [tmp_path / "gauges.csv"], "EPSG:4490")
    position = session.workspace.data(layer.id).positions[0, :2]
    np.testing.assert_allclose(position, [samples.EAST, samples.NORTH], atol=0.01)


def test_one_bad_file_adds_nothing(session: Session, tmp_path: Path):
    (tmp_path / "bad.city.json").write_text('{"type": "CityJSON", "version": "2.0", "CityObj')
    with pytest.raises(DataError, match=r"bad\.city\.json"):
        sources.import_files(session, [samples.city_json(tmp_path / "city.json"), tmp_path / "bad.city.json"])
    assert session.workspace.layers() == []


def test_a_nonsense_system_is_refused(session: Session, tmp_path: Path):
    with pytest.raises(UsageError, match="EPSG:0"):
        sources.import_files(session, [samples.city_json(tmp_path / "city.json")], "EPSG:0")


def test_a_source_that_went_away_stays_in_the_project_marked_unavailable(session: Session, tmp_path: Path):
    path = samples.city_json(tmp_path / "city.json")
    (layer,) = sources.import_files(session, [path])
    path.rename(tmp_path / "moved.json")
    sources.reload(session, layer.id)
    assert "city.json" in session.workspace.unavailable(layer.id)
    assert [a.id for a in session.workspace.layers()] == [layer.id]
    (tmp_path / "moved.json").rename(path)
    sources.reload(session, layer.id)
    assert session.workspace.unavailable(layer.id) == ""
    assert session.workspace.data(layer.id) is not None


def test_preview_tells_of_good_and_bad_files_and_changes_nothing(session: Session, tmp_path: Path):
    good, bad = samples.city_json(tmp_path / "city.json"), tmp_path / "bad.xyz"
    bad.write_bytes(b"\x00\x01\x02")
    found = sources.preview([good, bad])
    assert found[0].error is None
    assert found[0].result.objects == {"Building": 3}
    assert found[1].result is None
    assert "bad.xyz" in str(found[1].error)


def test_two_files_of_one_name_become_two_layers(session: Session, tmp_path: Path):
    (tmp_path / "other").mkdir()
    files = [samples.city_json(tmp_path / "city.json"), samples.city_json(tmp_path / "other" / "city.json")]
    sources.import_files(session, files)
    assert len({layer.id for layer in session.workspace.layers()}) == 2


def metres_as_degrees(path: Path) -> Path:
    path.write_text("id,lon,lat\n1,500000,2500000\n", encoding="utf-8")
    return path


def test_metres_said_to_be_degrees_are_refused_as_the_first_layer(session: Session, tmp_path: Path):
    with pytest.raises(DataError, match=r"cannot be those of EPSG:4490") as caught:
        sources.import_files(session, [metres_as_degrees(tmp_path / "points.csv")], "EPSG:4490")
    assert caught.value.path.name == "points.csv"
    assert session.workspace.layers() == []


def test_metres_said_to_be_degrees_are_reported_in_a_later_layer(session: Session, tmp_path: Path):
    sources.import_files(session, [samples.city_json(tmp_path / "city.json")])
    (layer,) = sources.import_files(session, [metres_as_degrees(tmp_path / "points.csv")], "EPSG:4490")
    assert "outside-crs" in [problem.code for problem in session.workspace.problems(layer.id)]


def test_files_read_at_the_same_time_end_up_in_one_system(session: Session, tmp_path: Path):
    (tmp_path / "points.csv").write_text("id,lon,lat\n1,114.0,23.1\n", encoding="utf-8")
    jobs = [
        sources.open_job(session, [samples.city_json(tmp_path / "city.json")]),
        sources.open_job(session, [tmp_path / "points.csv"], "EPSG:4326"),
    ]
    read = [job.work(lambda *_: None, CancelToken()) for job in jobs]
    for job, loaded in zip(jobs, read, strict=True):
        job.done(loaded)
    expected = Crs.epsg(4326).transform(Crs.epsg(4547), np.array([[114.0, 23.1, 0.0]]))[0, :2]
    points = session.workspace.data("points").shapes.coordinates[0, :2]
    np.testing.assert_allclose(points, expected, atol=0.01)


def test_one_place_that_cannot_be_expressed_does_not_lose_the_layer(session: Session, tmp_path: Path):
    sources.import_files(session, [samples.city_json(tmp_path / "city.json")])
    (tmp_path / "points.csv").write_text("id,lon,lat\n1,113.3,23.1\n2,113.4,23.2\n3,400000,2500000\n", encoding="utf-8")
    (layer,) = sources.import_files(session, [tmp_path / "points.csv"], "EPSG:4490")
    assert "outside-crs" not in [problem.code for problem in session.workspace.problems(layer.id)]
    assert np.isfinite(session.workspace.data(layer.id).shapes.bounds[:, :2]).all()


def test_a_file_with_a_system_in_a_project_without_one_is_told(tmp_path: Path):
    session = Session()
    first = tmp_path / "local.city.json"
    record = json.loads(samples.city_json(tmp_path / "city.city.json").read_text(encoding="utf-8"))
    record["metadata"].pop("referenceSystem")
    first.write_text(json.dumps(record), encoding="utf-8")
    sources.import_files(session, [first])
    sources.import_files(session, [tmp_path / "city.city.json"])
    told = [session.workspace.problems(layer.id)[0].code for layer in session.workspace.layers()]
    assert sorted(told) == ["crs-unused", "no-crs"]


def test_exports_of_a_layer_know_its_system_where_the_project_has_none(tmp_path: Path):
    import pyogrio

    session = Session()
    first = tmp_path / "local.city.json"
    record = json.loads(samples.city_json(tmp_path / "city.city.json").read_text(encoding="utf-8"))
    system = record["metadata"].pop("referenceSystem")
    first.write_text(json.dumps(record), encoding="utf-8")
    (local,) = sources.import_files(session, [first])
    (known,) = sources.import_files(session, [tmp_path / "city.city.json"])
    for layer, expected in ((local, None), (known, system.rpartition("/")[2])):
        export_layer(session, layer.id, tmp_path / f"{layer.id}.gpkg")
        told = pyogrio.read_info(tmp_path / f"{layer.id}.gpkg")["crs"]
        assert (told or "").endswith(expected or "")
        assert bool(told) == (expected is not None)
    export_layer(session, known.id, tmp_path / "out.geojson")
    west, south, east, north = pyogrio.read_info(tmp_path / "out.geojson", force_total_bounds=True)["total_bounds"]
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
