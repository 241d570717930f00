"""Large CityJSON objects are tiled stretch by stretch, and say the same as when they are read whole."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.commands.tiling import tile_files
from cimdesk.formats import json_parts
from cimdesk.formats.cityjson import stretches
from cimdesk.formats.cityjson.stretches import large_object
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.services.tiling import inputs
from tests.unit.services.tiling.sequences import header, scattered


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(json_parts, "EVERY", 7)
    monkeypatch.setattr(stretches, "EVERY", 7)
    monkeypatch.setattr(stretches, "OBJECT_TEXT", 9_000)
    monkeypatch.setattr(stretches, "VERTEX_TEXT", 700)


def city(count, **more):
    """Return one CityJSON object of so many houses."""
    objects, vertices = {}, []
    for line in scattered(count):
        item = deepcopy(line["CityObjects"])
        for each in item.values():
            start = len(vertices)
            (solid,) = each["geometry"]
            solid["boundaries"] = [
                [[[v + start for v in ring] for ring in face] for face in shell] for shell in solid["boundaries"]
            ]
        objects |= item
        vertices += line["vertices"]
    return {**header(), "CityObjects": objects, "vertices": vertices, **more}


def write(path, document):
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def both(tmp_path, path, monkeypatch):
    """Return what is tiled of a file at once, and stretch by stretch, with the results."""
    at_once = tile_files([path], tmp_path / "whole", workers=1)
    monkeypatch.setattr(inputs, "OBJECT_FROM", 100)
    result = tile_files([path], tmp_path / "out", workers=1)
    found = [READER.read(tmp_path / name, ReadOptions(max_error=0.0)).sources[0].data.city for name in ("whole", "out")]
    return (*found, at_once, result)


def same(one, other):
    assert sorted(one.features.ids) == sorted(other.features.ids)
    rows = other.features.rows_of(one.features.ids)
    assert set(one.features.columns) == set(other.features.columns)
    for name, values in one.features.columns.items():
        if name == "tile":
            continue  # parts without their building are put where they lie themselves
        got = other.features.columns[name][rows]
        assert np.array_equal(got, values, equal_nan=True) if values.dtype.kind == "f" else list(got) == list(values), name
    assert np.allclose(one.bounds, other.bounds, atol=0.001)
    assert len(one.meshes["tiles"].triangles) == len(other.meshes["tiles"].triangles)


def test_stretches_make_what_the_whole_file_makes(tmp_path, monkeypatch):
    path = write(tmp_path / "a.city.json", city(60))
    whole, here, at_once, result = both(tmp_path, path, monkeypatch)
    same(whole, here)
    assert (result.features, result.triangles, result.problems) == (60, at_once.triangles, [])
    assert len(large_object(path).stretches()) > 3


def test_parts_far_from_their_building_keep_its_name(tmp_path, monkeypatch):
    document = city(40)
    objects = document["CityObjects"]
    for key in list(objects)[:5]:
        objects[f"{key}-part"] = {**objects[key], "type": "BuildingPart", "parents": [key]}
        objects[key] = {"type": "Building", "attributes": objects[key]["attributes"], "children": [f"{key}-part"]}
    whole, here, _, result = both(tmp_path, write(tmp_path / "a.city.json", document), monkeypatch)
    same(whole, here)
    assert result.problems == []


def test_templates_and_materials_are_known_in_every_stretch(tmp_path, monkeypatch):
    document = city(30)
    face = [[[0, 1, 2, 3]], [[4, 7, 6, 5]], [[0, 4, 5, 1]], [[1, 5, 6, 2]], [[2, 6, 7, 3]], [[3, 7, 4, 0]]]
    corners = [[x, y, z] for z in (0, 3) for x, y in ((0, 0), (2, 0), (2, 2), (0, 2))]
    document["geometry-templates"] = {
        "templates": [{"type": "MultiSurface", "lod": "2", "boundaries": face}], "vertices-templates": corners,
    }  # fmt: skip
    document["appearance"] = {"materials": [{"name": "red", "diffuseColor": [1, 0, 0]}]}
    matrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    for k in range(20):
        instance = {"type": "GeometryInstance", "template": 0, "boundaries": [10 * k], "transformationMatrix": matrix}
        document["CityObjects"][f"tree-{k}"] = {"type": "SolitaryVegetationObject", "geometry": [instance]}
    for item in list(document["CityObjects"].values())[:30]:
        item["geometry"][0]["material"] = {"theme": {"value": 0}}
    whole, here, _, result = both(tmp_path, write(tmp_path / "a.city.json", document), monkeypatch)
    same(whole, here)
    assert result.problems == []
    colors = here.meshes["tiles"].colors
    assert colors is not None
    assert (colors[:, 0] > colors[:, 1] + 100).any()


def test_a_bad_object_costs_itself_and_a_bad_vertex_its_surfaces(tmp_path, monkeypatch):
    document = city(30)
    keys = list(document["CityObjects"])
    document["CityObjects"][keys[12]]["geometry"] = "nonsense"
    document["CityObjects"][keys[20]]["geometry"][0]["boundaries"][0][0] = [[1, 2, 999_999]]
    document["vertices"][5] = ["x", 1, 2]
    whole, here, at_once, result = both(tmp_path, write(tmp_path / "a.city.json", document), monkeypatch)
    assert sorted(here.features.ids) == sorted(whole.features.ids)
    assert result.triangles == at_once.triangles
    assert {problem.code for problem in result.problems} == {problem.code for problem in at_once.problems}


def test_a_file_that_is_cut_off_is_refused_as_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "OBJECT_FROM", 100)
    path = write(tmp_path / "a.city.json", city(10))
    path.write_bytes(path.read_bytes()[:-200])
    assert large_object(path) is None
    with pytest.raises(DataError) as caught:
        tile_files([path], tmp_path / "out", workers=1)
    assert caught.value.remedy


def test_laying_down_vertices_can_be_cancelled(tmp_path):
    path = write(tmp_path / "a.city.json", city(10))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        large_object(path).prepare(tmp_path, "x", Findings(), no_progress, token)
    assert not (tmp_path / "x.vertices").exists()


def test_numbers_that_json_does_not_have_cost_as_much_as_ever(tmp_path, monkeypatch):
    document = city(30)
    document["vertices"][15] = [float("nan"), 1, 2]
    document["CityObjects"]["house-00020"]["attributes"]["storeys"] = float("inf")
    whole, here, at_once, result = both(tmp_path, write(tmp_path / "a.city.json", document), monkeypatch)
    assert sorted(here.features.ids) == sorted(whole.features.ids)
    assert result.triangles == at_once.triangles
    assert np.allclose(here.bounds, whole.bounds, atol=0.001)
    assert {problem.code for problem in result.problems} == {problem.code for problem in at_once.problems}


def test_another_file_tiled_to_the_same_place_has_its_own_materials(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "OBJECT_FROM", 100)
    for name, color in (("a", [1, 0, 0]), ("b", [0, 0, 1])):
        document = city(10, appearance={"materials": [{"name": "paint", "diffuseColor": color}]})
        for item in document["CityObjects"].values():
            item["geometry"][0]["material"] = {"theme": {"value": 0}}
        tile_files([write(tmp_path / f"{name}.city.json", document)], tmp_path / "out", workers=1)
    colors = READER.read(tmp_path / "out", ReadOptions(max_error=0.0)).sources[0].data.city.meshes["tiles"].colors
    assert (colors[:, 2] > colors[:, 0] + 100).all()


def test_pictures_are_kept_until_the_file_is_very_large(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "OBJECT_FROM", 100)
    picture = {"type": "PNG", "image": "none.png"}
    path = write(tmp_path / "a.city.json", city(10, appearance={"textures": [picture], "vertices-texture": [[0, 0]]}))
    assert inputs.survey(path, Findings()).large is None
    monkeypatch.setattr(inputs, "PICTURED_FROM", 100)
    assert inputs.survey(path, Findings()).large is not None
    result = tile_files([path], tmp_path / "out", workers=1)
    assert [problem.code for problem in result.problems] == ["no-pictures"]
