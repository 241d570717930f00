"""Tables of outlines are tiled stretch by stretch: nothing is lost where two meet, and a stopped run goes on between them."""

from __future__ import annotations

import time

import numpy as np
import pyogrio
import pytest
import shapely

from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.tiling import tile_files
from cimdesk.formats import geojson_rows, json_parts
from cimdesk.formats.extrusion import Extrusion
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.services.tiling import footprints
from cimdesk.services.tiling.states import states_of
from tests.unit.formats.footprint_files import geoparquet, osm

COUNT = 57


def houses(path, count=COUNT, crs="EPSG:4547", ids=None, layer="houses", append=False):
    """Write so many houses of 10 m by 8 m in rows of ten, 30 m apart; the height of house k is 3 + k m."""
    k = np.arange(count)
    east, north = 430_000.0 + 30.0 * (k % 10), 2_550_000.0 + 30.0 * (k // 10)
    shapes = shapely.to_wkb(shapely.box(east, north, east + 10.0, north + 8.0))
    names = np.array([f"h{i:03d}" for i in k] if ids is None else ids, dtype=object)
    options = {"layer": layer, "append": append} if path.suffix == ".gpkg" else {}
    pyogrio.raw.write(path, shapes, [names, 3.0 + k], ["id", "height"], geometry_type="Polygon", crs=crs, **options)
    return path


def tiled(folder):
    return READER.read(folder, ReadOptions(max_error=0.0)).sources[0].data.city


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(footprints, "ROWS", 10)
    monkeypatch.setattr("cimdesk.services.tiling.inputs.ROWS", 10)
    monkeypatch.setattr(footprints, "AT_ONCE", 4)


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".shp", ".geojson", ".parquet"])
def test_every_outline_is_there_once_with_its_height(tmp_path, short, suffix):
    if suffix == ".parquet":
        path, wanted = geoparquet(tmp_path / "a.parquet"), {"a": 12.0, "b": 15.0, "court": 30.0}
    else:
        path, wanted = houses(tmp_path / f"a{suffix}"), {f"h{k:03d}": 3.0 + k for k in range(COUNT)}
    result = tile_files([path], tmp_path / "out", workers=1)
    assert result.features == len(wanted)
    city = tiled(tmp_path / "out")
    heights = dict(zip(city.features.ids.tolist(), city.features.columns["measuredHeight"].tolist(), strict=True))
    assert heights == pytest.approx(wanted, abs=0.01)
    assert set(city.features.columns["type"].tolist()) == {"Building"}


def test_names_that_repeat_give_way_to_numbers(tmp_path, short):
    path = houses(tmp_path / "a.gpkg", ids=["same"] * COUNT)
    assert tile_files([path], tmp_path / "out", workers=1).features == COUNT
    assert len(set(tiled(tmp_path / "out").features.ids)) == COUNT


def test_one_table_of_several_and_how_it_is_raised_can_be_chosen(tmp_path, short):
    path = houses(tmp_path / "a.gpkg")
    houses(path, 12, layer="sheds", append=True)
    result = tile_files([path], tmp_path / "out", workers=1, part="sheds", extrusion=Extrusion("height", unit=0.1))
    assert result.features == 12
    heights = tiled(tmp_path / "out").features.columns["measuredHeight"]
    assert sorted(heights.tolist()) == pytest.approx([0.3 + 0.1 * k for k in range(12)], abs=0.01)


def test_areas_of_openstreetmap_that_are_no_buildings_are_left_out(tmp_path):
    path = osm(tmp_path / "a.osm")
    result = tile_files([path], tmp_path / "out", workers=1)
    assert any(problem.code == "not-buildings" for problem in result.problems)
    assert all(value for value in tiled(tmp_path / "out").features.columns["building"].tolist())


def test_a_stopped_run_does_no_stretch_twice(tmp_path, short, monkeypatch):
    from cimdesk.services.tiling import scatter

    path = houses(tmp_path / "a.fgb")
    done, token = [], CancelToken()
    real = scatter.pieces_of

    def counted(task, *rest):
        done.append(task.number)
        if len(done) == 3:
            token.cancel()
        return real(task, *rest)

    monkeypatch.setattr(scatter, "pieces_of", counted)
    with pytest.raises(Cancelled):
        tile_files([path], tmp_path / "out", workers=1, cancel=token)
    assert not (tmp_path / "out").exists()
    noted = (tmp_path / ".out.tiling" / "scatter.jsonl").read_bytes().count(b"\n")
    before = len(done)
    result = tile_files([path], tmp_path / "out", workers=1)
    assert result.resumed
    assert result.features == COUNT
    assert len(done) - before == 6 - noted
    assert noted >= 1


def test_progress_rises_while_a_whole_file_is_read(tmp_path, monkeypatch):
    from cimdesk.services.tiling import executors, scatter, telling
    from tests.unit.services.tiling.sequences import scattered, write_sequence

    monkeypatch.setattr(executors, "ASK_EVERY", 0.01)
    monkeypatch.setattr(telling, "TOLD_EVERY", 0.0)
    path = houses(tmp_path / "a.geojson")
    real = scatter.pieces_of

    def slow(task, head, crs, extrusion, findings, part, told):
        for fraction in (0.2, 0.5, 0.8):
            told(fraction)
            time.sleep(0.15)
        return real(task, head, crs, extrusion, findings, part, told)

    monkeypatch.setattr(scatter, "pieces_of", slow)
    said = []
    tile_files([path], tmp_path / "out", workers=1, progress=lambda fraction, text="": said.append(fraction))
    assert said == sorted(said)
    assert len({round(fraction, 2) for fraction in said if 0.0 < fraction < 0.55}) >= 3
    sequence = write_sequence(tmp_path / "b.city.jsonl", scattered(5))
    tile_files([sequence], tmp_path / "other", workers=1, progress=lambda fraction, text="": said.append(fraction))
    assert said[-1] == 1.0


def heights_of(city):
    return dict(zip(city.features.ids.tolist(), city.features.columns["measuredHeight"].tolist(), strict=True))


def test_large_geojson_in_stretches_has_every_outline_once(tmp_path, short, monkeypatch):
    path = houses(tmp_path / "a.geojson", ids=[f"name {k % 2}" for k in range(COUNT)])
    tile_files([path], tmp_path / "whole", workers=1)
    monkeypatch.setattr(geojson_rows, "SCAN_FROM", 100)
    monkeypatch.setattr(json_parts, "EVERY", 10)
    monkeypatch.setattr(geojson_rows, "SAMPLE", 10)
    result = tile_files([path], tmp_path / "out", workers=1)
    assert (result.features, result.problems) == (COUNT, [])
    assert heights_of(tiled(tmp_path / "out")) == pytest.approx({str(k): 3.0 + k for k in range(COUNT)}, abs=0.01)
    assert heights_of(tiled(tmp_path / "whole")).keys() == heights_of(tiled(tmp_path / "out")).keys()


def test_large_openstreetmap_area_by_area_says_what_it_says_at_once(tmp_path, monkeypatch):
    path = osm(tmp_path / "a.osm")
    tile_files([path], tmp_path / "whole", workers=1)
    monkeypatch.setattr(footprints, "OSM_FROM", 100)
    monkeypatch.setattr(footprints, "OSM_AT_ONCE", 1)
    result = tile_files([path], tmp_path / "out", workers=1)
    assert result.features == 2
    whole, here = tiled(tmp_path / "whole"), tiled(tmp_path / "out")
    assert heights_of(here) == pytest.approx(heights_of(whole), abs=0.01)
    rows = here.features.rows_of(whole.features.ids)
    assert list(here.features.columns["name"][rows]) == list(whole.features.columns["name"])
    assert list(here.features.columns["building:levels"][rows]) == list(whole.features.columns["building:levels"])
    assert np.allclose(here.bounds, whole.bounds, atol=0.01)


def test_openstreetmap_that_is_cut_off_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(footprints, "OSM_FROM", 100)
    path = osm(tmp_path / "a.osm")
    path.write_text(path.read_text()[:900])
    with pytest.raises(DataError) as caught:
        tile_files([path], tmp_path / "out", workers=1)
    assert caught.value.remedy


def test_a_table_without_outlines_is_refused(tmp_path):
    path = tmp_path / "roads.fgb"
    lines = shapely.to_wkb(np.array([shapely.LineString([(0, 0), (9, 9)])]))
    pyogrio.raw.write(path, lines, [np.array(["a"], dtype=object)], ["name"], geometry_type="LineString", crs="EPSG:4547")
    with pytest.raises(DataError):
        tile_files([path], tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_a_table_beside_a_shapefile_that_changed_makes_another_state(tmp_path):
    path = tmp_path / "houses.shp"
    path.write_bytes(b"shapes")
    (tmp_path / "houses.dbf").write_bytes(b"old")
    before = states_of(path)
    (tmp_path / "houses.dbf").write_bytes(b"another")
    assert states_of(path) != before
    assert len(before) == 2
