"""Large GeoJSON is read stretch by stretch, and says the same as when it is read whole."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.formats import geojson_rows, json_parts, vector
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.vector_gdal import Stretch


@pytest.fixture(autouse=True)
def _small_stretches(monkeypatch):
    monkeypatch.setattr(geojson_rows, "SCAN_FROM", 100)
    monkeypatch.setattr(geojson_rows, "SAMPLE", 10)
    monkeypatch.setattr(json_parts, "EVERY", 10)


def features(count, name="id", **more):
    def ring(k):
        x = 113.0 + 0.001 * k
        return [[[x, 23.0], [x + 0.0005, 23.0], [x + 0.0005, 23.0004], [x, 23.0]]]

    return [
        {
            "type": "Feature",
            "properties": {name: f"b{k}", "height": 3.0 + k % 5, "remark": 'a "]},{[" b', **more},
            "geometry": {"type": "Polygon", "coordinates": ring(k)},
        }
        for k in range(count)
    ]


def write(path, rows, **head):
    path.write_text(json.dumps({"type": "FeatureCollection", **head, "features": rows}, ensure_ascii=False), encoding="utf-8")
    return path


def read_in_stretches(path, step=20):
    (table,) = vector.row_tables(path)
    assert table.jumps
    ids = vector.row_names(path, table.name)
    found = [
        vector.read_rows(path, table.name, Stretch(start, min(start + step, table.rows), ids))
        for start in range(0, table.rows, step)
    ]
    return table, found


@pytest.mark.parametrize("name", ["id", "other"])
def test_stretches_say_what_the_whole_file_says(tmp_path, name, monkeypatch):
    path = write(tmp_path / "a.geojson", features(57, name, 高="十"), name="plots")
    table, found = read_in_stretches(path)
    assert (table.name, table.rows, table.format) == ("plots", 57, "GeoJSON")
    assert table.crs.definition == "EPSG:4326"
    assert {"height", "remark", "高"} <= set(table.columns)
    assert table.may_have_areas
    monkeypatch.setattr(geojson_rows, "SCAN_FROM", 10**9)
    (whole,) = vector.READER.read(path, ReadOptions()).sources
    ids = [key for layers, _, _ in found for key in layers[0].features.ids]
    assert ids == list(whole.data.features.ids)
    assert ids[0] == ("b0" if name == "id" else "0")
    heights = np.concatenate([layers[0].features.columns["height"] for layers, _, _ in found])
    np.testing.assert_array_equal(heights, whole.data.features.columns["height"])
    points = np.concatenate([layers[0].shapes.coordinates for layers, _, _ in found])
    np.testing.assert_array_equal(points, whole.data.shapes.coordinates)
    assert {crs.definition for _, crs, _ in found} == {whole.crs.definition}
    assert not any(problems for _, _, problems in found)


def test_numbers_that_features_have_stay_theirs(tmp_path):
    rows = features(30, "name")
    for k, row in enumerate(rows):
        row["id"] = 1000 + k
    _, found = read_in_stretches(write(tmp_path / "a.geojson", rows))
    assert [key for layers, _, _ in found for key in layers[0].features.ids] == [str(1000 + k) for k in range(30)]


def test_the_system_may_stand_behind_the_features(tmp_path):
    system = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}
    rows = features(20)
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": rows, "crs": system}))
    table, found = read_in_stretches(path)
    assert table.crs.code == "EPSG:4547"
    assert found[0][1].code == "EPSG:4547"
    other = write(tmp_path / "b.geojson", rows, crs=None)
    assert vector.row_tables(other)[0].crs is None


def test_lines_of_features_are_read_in_stretches_too(tmp_path):
    path = tmp_path / "a.geojsonl"
    path.write_text("\n".join(json.dumps(row) for row in features(25)) + "\n\n")
    _, found = read_in_stretches(path)
    assert [key for layers, _, _ in found for key in layers[0].features.ids] == [f"b{k}" for k in range(25)]


def test_a_file_that_ends_too_early_keeps_what_is_there_and_says_so(tmp_path):
    path = write(tmp_path / "a.geojson", features(25))
    path.write_bytes(path.read_bytes()[:-40])
    table, found = read_in_stretches(path)
    assert table.rows == 24
    assert sum(len(layers[0].features) for layers, _, _ in found) == 24
    assert [problem.code for _, _, problems in found for problem in problems] == ["cut-off"]


def test_a_name_that_comes_again_elsewhere_names_nothing(tmp_path):
    rows = features(30, "code")
    rows[25]["properties"]["code"] = "b3"
    path = write(tmp_path / "a.geojson", rows)
    assert vector.row_names(path, "a") == ""
