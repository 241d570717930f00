"""Excerpts of CityJSON keep everything that is written, whichever of the two forms they are read from and written in."""

from __future__ import annotations

import json

import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.cityjson import Excerpt, copy_excerpt
from tests.unit.formats.cityjson_meaning import meaning

WALL = [[0, 1, 2, 3], [4, 5, 6, 7]]
DOCUMENT = {
    "type": "CityJSON",
    "version": "2.0",
    "transform": {"scale": [0.001, 0.001, 0.001], "translate": [430_000.0, 2_550_000.0, 0.0]},
    "metadata": {"title": "Old town", "geographicalExtent": [0, 0, 0, 9, 9, 9], "pointOfContact": {"contactName": "city"}},
    "extensions": {"Noise": {"url": "https://example.org/noise.json", "version": "1.0"}},
    "+season": {"name": "spring"},
    "appearance": {
        "default-theme-material": "day",
        "materials": [{"name": "unused"}, {"name": "brick", "diffuseColor": [0.7, 0.3, 0.2]}],
        "textures": [{"type": "JPG", "image": "a.jpg"}, {"type": "PNG", "image": "b.png"}],
        "vertices-texture": [[0, 0], [0, 1], [1, 1], [1, 0], [0.5, 0.5]],
    },
    "geometry-templates": {
        "templates": [{"type": "MultiSurface", "lod": "2", "boundaries": [[[0, 1, 2]]], "material": {"day": {"value": 1}}}],
        "vertices-templates": [[0, 0, 0], [1, 0, 0], [0, 1, 0.5]],
    },
    "CityObjects": {
        "house": {
            "type": "Building",
            "attributes": {"year": 1999, "rooms": [{"area": 5, "tags": ["a", None]}], "nothing": None},
            "address": [{"Country": "CN", "location": {"type": "MultiPoint", "boundaries": [0]}}],
            "children": ["part"],
            "geometry": [
                {
                    "type": "MultiSurface",
                    "lod": "2.2",
                    "boundaries": [WALL, [[0, 1, 5]]],
                    "semantics": {"surfaces": [{"type": "WallSurface", "colour": "red"}, {"type": "+Facade"}], "values": [1, None]},
                    "material": {"day": {"values": [1, None]}, "night": {"value": 1}},
                    "texture": {"photo": {"values": [[[1, 4, 1, 2, 3], [None]], [[None]]]}},
                }
            ],
        },
        "part": {
            "type": "BuildingPart",
            "parents": ["house"],
            "geometry": [{"type": "Solid", "lod": "1", "boundaries": [[[[8, 9, 10]]]]}],
        },
        "tree": {
            "type": "SolitaryVegetationObject",
            "geometry": [
                {
                    "type": "GeometryInstance",
                    "template": 0,
                    "boundaries": [11],
                    "transformationMatrix": [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1],
                }
            ],
        },
        "group": {"type": "CityObjectGroup", "children": ["house", "tree"], "children_roles": ["home", "shade"]},
        "potato": {"type": "+Potato", "+mass": 3, "attributes": {"+noise": {"value": 50}}},
    },
    "vertices": [[k * 1000, k % 3 * 1000, k * 100] for k in range(12)],
}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "town.city.json"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    return path


def without_extent(found: dict) -> dict:
    found["header"]["metadata"].pop("geographicalExtent", None)
    return found


def test_a_whole_file_is_copied_to_the_last_byte(source, tmp_path):
    assert copy_excerpt(source, tmp_path / "copy.json", Excerpt(), as_sequence=False) is None
    assert (tmp_path / "copy.json").read_bytes() == source.read_bytes()


def test_an_object_becomes_a_sequence_and_comes_back_the_same(source, tmp_path):
    lines, back = tmp_path / "town.city.jsonl", tmp_path / "back.city.json"
    assert copy_excerpt(source, lines, Excerpt(), as_sequence=True) == 5
    assert meaning(lines) == meaning(source)
    assert copy_excerpt(lines, back, Excerpt(), as_sequence=False) == 5
    assert meaning(back) == meaning(source)


def test_all_objects_chosen_by_hand_keep_all_they_mean(source, tmp_path):
    everything = Excerpt(set(DOCUMENT["CityObjects"]))
    for name, as_sequence in (("a.json", False), ("a.jsonl", True)):
        assert copy_excerpt(source, tmp_path / name, everything, as_sequence) == 5
        assert without_extent(meaning(tmp_path / name)) == without_extent(meaning(source))


def test_a_chosen_building_comes_with_its_parts_and_without_its_group(source, tmp_path):
    out = tmp_path / "house.json"
    assert copy_excerpt(source, out, Excerpt({"house"}), as_sequence=False) == 2
    found, whole = meaning(out), meaning(source)
    assert found["objects"] == {name: whole["objects"][name] for name in ("house", "part")}
    written = json.loads(out.read_text())
    assert [m["name"] for m in written["appearance"]["materials"]] == ["brick"]
    assert [t["image"] for t in written["appearance"]["textures"]] == ["b.png"]
    assert len(written["vertices"]) == 11
    assert written["metadata"]["geographicalExtent"] == [430000.0, 2550000.0, 0.0, 430010.0, 2550002.0, 1.0]


def test_a_chosen_part_comes_with_its_building(source, tmp_path):
    assert copy_excerpt(source, tmp_path / "part.json", Excerpt({"part"}), as_sequence=False) == 2


def test_a_chosen_group_comes_with_its_members(source, tmp_path):
    out = tmp_path / "group.jsonl"
    assert copy_excerpt(source, out, Excerpt({"group"}), as_sequence=True) == 4
    assert len(out.read_text().splitlines()) == 2
    assert meaning(out)["objects"]["group"]["children_roles"] == ["home", "shade"]


def test_roles_follow_the_members_that_are_kept(source, tmp_path):
    document = json.loads(source.read_text())
    document["CityObjects"]["group"]["children"].append("gone")
    document["CityObjects"]["group"]["children_roles"].append("ghost")
    source.write_text(json.dumps(document))
    copy_excerpt(source, tmp_path / "g.json", Excerpt({"group"}), as_sequence=False)
    assert json.loads((tmp_path / "g.json").read_text())["CityObjects"]["group"]["children_roles"] == ["home", "shade"]


def test_attributes_are_added_to_those_there_are(source, tmp_path):
    out = tmp_path / "stages.json"
    copy_excerpt(
        source, out, Excerpt(attributes={"house": {"stage": "operation"}, "tree": {"stage": "removed"}}), as_sequence=False
    )
    found, whole = meaning(out), meaning(source)
    assert found["objects"]["house"]["attributes"] == {**DOCUMENT["CityObjects"]["house"]["attributes"], "stage": "operation"}
    assert found["objects"]["tree"].pop("attributes") == {"stage": "removed"}
    found["objects"]["house"]["attributes"].pop("stage")
    assert found["objects"] == whole["objects"]


def test_a_raised_object_takes_its_vertices_along_and_leaves_its_neighbours(source, tmp_path):
    out = tmp_path / "raised.json"
    copy_excerpt(source, out, Excerpt(lifts={"part": 2.5}), as_sequence=False)
    found, whole = meaning(out)["objects"], meaning(source)["objects"]
    (before,), (after,) = whole["part"]["geometry"][0]["boundaries"][0], found["part"]["geometry"][0]["boundaries"][0]
    assert [[round(z - 2.5, 3) for _, _, z in ring] for ring in after] == [[z for _, _, z in ring] for ring in before]
    assert found["house"] == whole["house"]


def test_a_file_without_a_system_gets_the_one_chosen_by_hand(tmp_path):
    path = tmp_path / "bare.json"
    path.write_text('{"type":"CityJSON","version":"2.0","CityObjects":{"a":{"type":"Building"}},"vertices":[]}')
    copy_excerpt(path, tmp_path / "out.json", Excerpt(crs=Crs.epsg(4547)), as_sequence=False)
    assert meaning(tmp_path / "out.json")["header"]["metadata"]["referenceSystem"].endswith("/4547")


def test_an_old_file_is_made_fit_for_a_sequence(tmp_path):
    path = tmp_path / "old.json"
    document = {
        "type": "CityJSON",
        "version": "1.0",
        "metadata": {"referenceSystem": "urn:ogc:def:crs:EPSG::7415"},
        "CityObjects": {
            "a": {"type": "Building", "geometry": [{"type": "MultiSurface", "lod": 2, "boundaries": [[[0, 1, 2]]]}]},
            "g": {"type": "CityObjectGroup", "members": ["a"]},
        },
        "vertices": [[1000.5, 2000.25, 3.125], [1001.5, 2000.25, 3.125], [1000.5, 2001.25, 4.0]],
    }
    path.write_text(json.dumps(document))
    assert copy_excerpt(path, tmp_path / "new.jsonl", Excerpt(), as_sequence=True) == 2
    found = meaning(tmp_path / "new.jsonl", 3)
    assert found["header"]["version"] == "1.1"
    assert found["header"]["metadata"]["referenceSystem"].endswith("/EPSG/0/7415")
    assert found["objects"]["g"]["children"] == ["a"]
    assert found["objects"]["a"]["parents"] == ["g"]
    assert found["objects"]["a"]["geometry"][0]["boundaries"] == [[document["vertices"]]]


def test_references_to_nothing_are_left_out_and_the_rest_is_kept(source, tmp_path):
    document = json.loads(source.read_text())
    geometry = document["CityObjects"]["house"]["geometry"]
    geometry[0]["material"]["day"]["values"] = [99, 1]
    geometry.append({"type": "MultiSurface", "lod": "1", "boundaries": [[[0, 1, 999]]]})
    source.write_text(json.dumps(document))
    copy_excerpt(source, tmp_path / "out.json", Excerpt({"house"}), as_sequence=False)
    (kept,) = json.loads((tmp_path / "out.json").read_text())["CityObjects"]["house"]["geometry"]
    assert kept["material"]["day"]["values"] == [None, 0]


def test_a_bad_line_of_a_sequence_costs_only_itself(source, tmp_path):
    lines = tmp_path / "town.city.jsonl"
    copy_excerpt(source, lines, Excerpt(), as_sequence=True)
    with lines.open("a") as file:
        file.write('{"type":"CityJSONFeature","CityObjects":{"x":\n')
    assert copy_excerpt(lines, tmp_path / "all.json", Excerpt(), as_sequence=False) == 5


def test_a_refused_source_and_a_cancelled_run_leave_the_old_file(source, tmp_path):
    out = tmp_path / "out.json"
    out.write_text("before")
    broken = tmp_path / "broken.json"
    broken.write_text('{"type": "CityJSON", "CityObjects": {')
    with pytest.raises(DataError, match=r"broken\.json"):
        copy_excerpt(broken, out, Excerpt({"a"}), as_sequence=False)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        copy_excerpt(source, out, Excerpt({"house"}), as_sequence=False, cancel=cancel)
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.json", "out.json", "town.city.json"]
