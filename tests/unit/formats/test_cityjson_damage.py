"""Bad CityJSON ends in one clear message or in problems beside the good part; never in anything else."""

from __future__ import annotations

import copy
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.errors import DataError
from cimdesk.formats.registry import ReadResult
from tests.unit.formats.cityjson_cities import CUBE, FACES, building, city, codes, lines, read, semantics, solid

FULL = city(
    {
        "房子": building(
            solid("1"),
            solid("2.2", semantics=semantics(), material={"": {"values": [[0] * 6]}}),
            attributes={"y": 1},
            children=["b"],
        ),
        "b": {
            "type": "BuildingPart",
            "parents": ["房子"],
            "geometry": [
                {"type": "MultiSurface", "lod": 1, "boundaries": FACES},
                {"type": "MultiPoint", "lod": "0", "boundaries": [0]},
            ],
        },
        "tree": building({"type": "GeometryInstance", "template": 0, "boundaries": [0], "transformationMatrix": [1.0] * 16}),
    },
    metadata={"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4547"},
    appearance={"materials": [{"name": "red", "diffuseColor": [1, 0, 0]}]},
    **{
        "geometry-templates": {"templates": [{"type": "MultiSurface", "lod": "2", "boundaries": FACES}], "vertices-templates": CUBE}
    },
)
FEATURE = {"type": "CityJSONFeature", "id": "a", "CityObjects": FULL["CityObjects"], "vertices": CUBE}
TEXT = json.dumps(FULL, ensure_ascii=False).encode()
SEQUENCE = lines(city({}, vertices=[]), FEATURE, FEATURE).encode()
slow_folder = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_or_refuse(folder, content: bytes, name: str = "a.city.json") -> ReadResult | DataError:
    """Read within five seconds, or get the one error there may be."""
    start = time.perf_counter()
    try:
        outcome = read(folder, content, name)
    except DataError as error:
        outcome = error
    assert time.perf_counter() - start < 5.0
    if isinstance(outcome, DataError):
        assert outcome.message
        assert outcome.path
        return outcome
    assert all(problem.message for problem in outcome.problems)
    for source in outcome.sources:
        for mesh in source.data.meshes.values():
            assert not len(mesh.triangles) or mesh.triangles.max() < len(mesh.vertices)
            assert not len(mesh.triangles) or mesh.feature_index.max() < len(source.data.features)
    return outcome


@slow_folder
@given(st.integers(0, len(TEXT) - 1))
def test_a_file_cut_anywhere_is_refused_with_place_and_remedy(tmp_path, size):
    error = read_or_refuse(tmp_path, TEXT[:size])
    assert isinstance(error, DataError)
    assert error.remedy
    assert size == 0 or f"byte {size}" in error.where or "byte" in error.where


@slow_folder
@given(st.integers(0, len(SEQUENCE) - 1))
def test_a_sequence_cut_anywhere_keeps_its_whole_lines(tmp_path, size):
    outcome = read_or_refuse(tmp_path, SEQUENCE[:size], "a.city.jsonl")
    if isinstance(outcome, ReadResult):
        assert len(outcome.sources) <= SEQUENCE[:size].count(b"\n") + 1


@slow_folder
@given(st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes_are_refused_or_reported(tmp_path, flips):
    for whole, name in ((TEXT, "a.city.json"), (SEQUENCE, "a.city.jsonl")):
        data = bytearray(whole)
        for place, value in flips:
            data[place % len(data)] = value
        read_or_refuse(tmp_path, bytes(data), name)


def places(value, path=()):
    """Yield the path of every value inside JSON."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


PLACES = [path for path in places(FULL) if path]
STRANGE = [
    None,
    True,
    -1,
    3,
    99,
    2**40,
    -(2**70),
    10**400,
    1.5,
    1e300,
    "",
    "x",
    [],
    [[]],
    [[[[[[0]]]]]],
    {},
    {"type": 1},
    [None],
    ["a"],
    [1e308] * 3,
]


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(STRANGE)), min_size=1, max_size=3), st.booleans())
def test_strange_values_anywhere_are_refused_or_reported(tmp_path, changes, in_sequence):
    content = copy.deepcopy(FULL)
    for path, value in changes:
        at = content
        for key in path[:-1]:
            try:
                at = at[key]
            except (KeyError, IndexError, TypeError):
                at = None
        if isinstance(at, dict) or (isinstance(at, list) and isinstance(path[-1], int) and path[-1] < len(at)):
            at[path[-1]] = value
    if in_sequence:
        feature = {**FEATURE, **{key: content[key] for key in ("CityObjects", "vertices", "appearance") if key in content}}
        text = lines({**content, "CityObjects": {}, "vertices": []}, feature)
        read_or_refuse(tmp_path, text.encode(), "a.city.jsonl")
    else:
        read_or_refuse(tmp_path, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"{}", "no CityObjects"),
        (b"[]", "no CityObjects"),
        (b"3", "no CityObjects"),
        (b'{"type": "FeatureCollection"}', "no CityObjects"),
        (b'{"type": "CityJSON", "CityObjects": []}', "not a JSON object"),
        (b"[" * 100_000, "no CityObjects|nested too deeply"),
        (b'{"type": "CityJSON", "CityObjects": ' + b'{"a":' * 100_000, "nested too deeply"),
        (b'{"type": "CityJSON" "version"', "not valid JSON"),
        (TEXT + b"}", "not valid JSON"),
        (b"\x00\xff" * 50, "not valid|no CityObjects"),
        (b"\x1f\x8b\x08\x00rubbish", "gzip archive is damaged"),
    ],
    ids=[
        "empty",
        "blank",
        "no-objects",
        "list",
        "number",
        "geojson",
        "objects-list",
        "deep-list",
        "deep",
        "malformed",
        "tail",
        "binary",
        "gzip",
    ],
)
def test_hopeless_files_are_refused_in_one_message(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, content)
    assert caught.value.remedy
    assert "a.city.json" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    from cimdesk.formats.cityjson import READER
    from cimdesk.formats.registry import ReadOptions

    with pytest.raises(DataError, match="no such file"):
        READER.read(tmp_path / "gone.city.json", ReadOptions())


@pytest.mark.parametrize("index", [8, 99, -1, 2**61])
def test_a_vertex_that_is_not_there_costs_its_surface_only(tmp_path, index):
    faces = [*FACES[:5], [[3, 0, 4, index]]]
    result = read(tmp_path, city({"a": building({"type": "Solid", "lod": "2", "boundaries": [faces]})}))
    assert codes(result) == {"vertex-out-of-range"}
    assert len(result.sources[0].data.meshes["2"].triangles) == 10


@pytest.mark.parametrize("boundaries", [None, 5, "x", [[0, 1, 2]], [[[["a"]]]], [[[[0, 1.5, 2]]]], [[[[0, 2**80, 2]]]]])
def test_bad_boundaries_cost_their_geometry_only(tmp_path, boundaries):
    bad = {"type": "Solid", "lod": "2", "boundaries": boundaries}
    result = read(tmp_path, city({"a": building(bad), "b": building(solid())}))
    assert codes(result) == {"bad-geometry"}
    assert len(result.sources[0].data.meshes["2"].triangles) == 12
    assert dict(result.objects) == {"Building": 2}


def test_a_bad_object_costs_only_its_bad_parts(tmp_path):
    objects = {"a": {"type": "Building", "geometry": 5, "attributes": {"use": "shop"}}, "b": 7, "c": building(solid())}
    result = read(tmp_path, city(objects))
    table = result.sources[0].data.features
    assert table.columns["type"].tolist() == ["Building", "", "Building"]
    assert table.columns["use"].tolist() == ["shop", None, None]
    assert [problem.where for problem in result.problems] == ["a", "b"]


def test_not_a_number_is_reported_and_its_surfaces_left_out(tmp_path):
    text = json.dumps(city(vertices=[[0, 0, float("nan")], *CUBE[1:]]))
    result = read(tmp_path, text)
    assert codes(result) == {"not-a-number", "bad-vertices", "bad-coordinate"}
    assert len(result.sources[0].data.meshes["2"].triangles) == 6


@pytest.mark.parametrize("huge", [1e15, 1e300, -(10**30), 10**400], ids=["far", "float", "integer", "beyond"])
def test_impossible_coordinates_are_left_out(tmp_path, huge):
    result = read(tmp_path, city(vertices=[[huge, 0, 0], *CUBE[1:]]))
    assert "bad-coordinate" in codes(result)
    assert result.extent[1][0] == 420_001.0
    assert len(result.sources[0].data.meshes["2"].triangles) == 6


@pytest.mark.parametrize("version", ["0.9", "3.0", "", None, 2])
def test_other_versions_are_read_with_a_problem(tmp_path, version):
    result = read(tmp_path, city() | {"version": version})
    assert codes(result) == {"unknown-version"}
    assert len(result.sources[0].data.meshes["2"].triangles) == 12


def test_an_id_that_comes_twice_in_one_object_is_reported(tmp_path):
    text = json.dumps(city({"a": building(solid()), "z": building()})).replace('"z"', '"a"')
    result = read(tmp_path, text)
    assert [(problem.code, problem.where) for problem in result.problems] == [("duplicate-id", "a")]


def test_rings_without_area_are_reported_per_object(tmp_path):
    surfaces = [*FACES, [[0, 1]], [[0, 0, 0]], [[]], []]
    result = read(tmp_path, city({"a": building({"type": "MultiSurface", "lod": "2", "boundaries": surfaces})}))
    assert [(problem.code, problem.values["count"]) for problem in result.problems] == [("degenerate-surface", 4)]


def test_thousands_of_faults_stay_readable(tmp_path):
    bad = building({"type": "Solid", "lod": "2", "boundaries": [[[[0, 1, 99]]]]})
    result = read_or_refuse(tmp_path, json.dumps(city({f"a{k}": bad for k in range(5_000)})).encode())
    assert len(result.problems) < 200
    assert dict(result.objects) == {"Building": 5_000}


def test_thousands_of_attribute_names_do_not_fill_the_memory(tmp_path):
    objects = {f"a{k}": {"type": "Building", "attributes": {f"n{k}": k}} for k in range(8_000)}
    result = read_or_refuse(tmp_path, json.dumps(city(objects)).encode())
    assert codes(result) == {"too-many-attributes"}
    assert json.loads(result.sources[0].data.features.columns["other attributes"][7_999]) == {"n7999": 7_999}
