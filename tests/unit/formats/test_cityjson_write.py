"""What is written reads back as the same city, and a failed write leaves the old file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.cityjson import READER, write_cityjson, write_cityjsonseq
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable
from cimdesk.model.mesh import TriangleMesh
from tests.unit.formats.cityjson_cities import CUBE, FACES, building, city, read, semantics, solid

WRITERS = [(write_cityjson, "b.city.json", "CityJSON"), (write_cityjsonseq, "b.city.jsonl", "CityJSONSeq")]
CITY = city(
    {
        "house": building(
            solid("1"), solid("2.2", semantics=semantics()), attributes={"use": "shop", "year": 1999}, children=["part"]
        ),
        "part": {
            "type": "BuildingPart",
            "parents": ["house"],
            "geometry": [{"type": "MultiSurface", "lod": "2.2", "boundaries": FACES[:3], "material": {"": {"value": 0}}}],
            "attributes": {"area": 2.5, "rooms": [{"area": 5, "name": "Küche"}], "广州": "珠江"},
        },
        "group": {"type": "CityObjectGroup", "children": ["house"], "attributes": {"year": None}},
        "empty": {"type": "+Potato", "attributes": {"+mass": {"value": 3}}},
    },
    metadata={"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4547", "title": "Old town"},
    appearance={"materials": [{"name": "glass", "diffuseColor": [1, 0.2, 0], "transparency": 0.4}]},
    **{"+season": "spring"},
)


def soup(mesh: TriangleMesh, ids) -> list[tuple]:
    """Return triangles as comparable values: owner, surface, colour, world corners to the millimetre."""
    corners = np.round(mesh.world_vertices()[mesh.triangles], 3)
    # The first corner of a triangle is free; its turn is not.
    first = [min(range(3), key=lambda k, t=t: tuple(t[k])) for t in corners]
    turned = [np.roll(t, -k, axis=0).ravel().tolist() for t, k in zip(corners, first, strict=True)]
    colors = [None] * len(turned) if mesh.colors is None else [tuple(color) for color in mesh.colors.tolist()]
    owners = [ids[k] for k in mesh.feature_index]
    return sorted(zip(owners, mesh.surface.tolist(), colors, turned, strict=True), key=repr)


def assert_same(before: CityModel, after: CityModel) -> None:
    """Two cities hold the same objects, attributes, hierarchy and triangles, in any order."""
    assert sorted(before.features.ids) == sorted(after.features.ids)
    assert set(before.features.columns) == set(after.features.columns)
    for name in before.features.ids.tolist():
        one, other = before.features.row_of(name), after.features.row_of(name)
        assert before.features.row(one) == after.features.row(other)
        parents = [None if m.parents[row] < 0 else m.features.ids[m.parents[row]] for m, row in ((before, one), (after, other))]
        assert parents[0] == parents[1]
    assert before.lods == after.lods
    for lod in before.lods:
        assert soup(before.meshes[lod], before.features.ids) == soup(after.meshes[lod], after.features.ids)


@pytest.mark.parametrize(("write", "name", "kind"), WRITERS)
def test_a_city_reads_back_as_it_was(tmp_path, write, name, kind):
    before = read(tmp_path, CITY).sources[0].data
    assert write(tmp_path / name, before, Crs.epsg(4547)) == 4
    result = READER.read(tmp_path / name, ReadOptions())
    assert (result.format, result.version, result.crs) == (kind, "2.0", "EPSG:4547")
    assert not result.problems
    after = result.sources[0].data
    assert_same(before, after)
    assert after.metadata["title"] == "Old town"
    assert after.metadata["+season"] == "spring"


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_city_reads_back_as_it_was(tmp_path, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    count = data.draw(st.integers(1, 6))
    values = st.one_of(st.none(), st.integers(-(2**40), 2**40), st.floats(-1e9, 1e9), st.booleans(), st.text(max_size=8))
    texts = st.text(min_size=1, max_size=6).filter(
        lambda t: t not in ("type", "group", "address", "other attributes") and "." not in t
    )
    rows = [data.draw(st.dictionaries(texts, values, max_size=3)) for _ in range(count)]
    table = FeatureTable.from_rows([f"o{k}" for k in range(count)], [{"type": "Building", **row} for row in rows])
    # A column nobody has a value in is no column in the file; text that looks like JSON is JSON there.
    names = [
        n
        for n, v in table.columns.items()
        if v.dtype != object or any(x is not None and x[:1] not in "{[" for x in v if x is not None)
    ]
    table = FeatureTable(table.ids, {n: table.columns[n] for n in names if not _is_blank(table.columns[n])})
    triangles = rng.permutation(30)[:27].reshape(-1, 3).astype(np.int32)
    points = (rng.permutation(90).reshape(30, 3) * np.array([1.0, 1.7, 0.3])).astype(np.float32)
    mesh = TriangleMesh(
        points,
        triangles,
        rng.integers(0, count, 9).astype(np.int32),
        rng.integers(0, 6, 9).astype(np.uint8),
        np.array([420_000.0, 2_560_000.0, 0.0]),
    )
    parents = np.array([-1, *(int(rng.integers(-1, k)) for k in range(1, count))], dtype=np.int32)
    before = CityModel(table, parents, {"2": mesh})
    for write, name, _ in WRITERS:
        write(tmp_path / name, before, None)
        after = READER.read(tmp_path / name, ReadOptions()).sources[0].data
        assert soup(before.meshes["2"], table.ids) == soup(after.meshes["2"], after.features.ids)
        for key in table.ids.tolist():
            one, other = table.row(table.row_of(key)), after.features.row(after.features.row_of(key))
            assert one == {column: other.get(column) for column in one}


def _is_blank(values) -> bool:
    return values.dtype == object and all(v is None for v in values)


def test_closed_surfaces_are_written_as_solids(tmp_path):
    before = read(tmp_path, CITY).sources[0].data
    write_cityjson(tmp_path / "b.city.json", before, None)
    written = json.loads((tmp_path / "b.city.json").read_text())
    assert [g["type"] for g in written["CityObjects"]["house"]["geometry"]] == ["Solid", "Solid"]
    assert [g["type"] for g in written["CityObjects"]["part"]["geometry"]] == ["MultiSurface"]
    assert written["CityObjects"]["house"]["children"] == ["part"]
    assert written["CityObjects"]["house"]["parents"] == ["group"]
    assert written["CityObjects"]["house"]["attributes"] == {"use": "shop", "year": 1999}
    assert written["CityObjects"]["part"]["attributes"]["rooms"] == [{"area": 5, "name": "Küche"}]
    assert len(written["vertices"]) == len(CUBE)


@pytest.mark.parametrize(("write", "name", "kind"), WRITERS)
def test_a_selection_is_written_with_its_parts_and_only_its_vertices(tmp_path, write, name, kind):
    moved = [[x + 9000, y, z] for x, y, z in CUBE]
    content = json.loads(json.dumps(CITY)) | {"vertices": CUBE + moved}
    content["CityObjects"]["far"] = building({"type": "MultiSurface", "lod": "1", "boundaries": [[[8, 9, 10]]]})
    before = read(tmp_path, content).sources[0].data
    assert write(tmp_path / name, before, None, ids=["house", "nobody"]) == 2
    result = READER.read(tmp_path / name, ReadOptions())
    assert result.sources[0].data.features.ids.tolist() == ["house", "part"]
    assert result.extent[1].tolist() == [420_001.0, 2_560_001.0, 6.0]


def test_a_city_without_geometry_or_objects_is_written(tmp_path):
    nothing = CityModel(FeatureTable.empty(), np.zeros(0, dtype=np.int32))
    for write, name, _ in WRITERS:
        assert write(tmp_path / name, nothing, None) == 0
        assert not READER.read(tmp_path / name, ReadOptions()).sources


def test_degrees_are_written_finely_enough(tmp_path):
    content = city() | {"vertices": [[x / 1e7 + 113.3, y / 1e7 + 23.1, z / 1000] for x, y, z in CUBE]}
    del content["transform"]
    before = read(tmp_path, content).sources[0].data
    write_cityjson(tmp_path / "b.city.json", before, Crs.epsg(4490))
    after = READER.read(tmp_path / "b.city.json", ReadOptions()).sources[0].data
    assert after.bounds == pytest.approx(before.bounds, abs=2e-8)


def test_compound_systems_are_written_as_both_parts(tmp_path):
    before = read(tmp_path, CITY).sources[0].data
    write_cityjson(tmp_path / "b.city.json", before, Crs.epsg(25832, 7837))
    assert READER.read(tmp_path / "b.city.json", ReadOptions()).crs == "EPSG:25832+7837"


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    before = read(tmp_path, CITY).sources[0].data
    target = tmp_path / "b.city.json"
    target.write_text("precious")
    broken = CityModel(before.features, before.parents, before.meshes, {"+odd": object()})
    with pytest.raises(TypeError):
        write_cityjson(target, broken, None)
    assert target.read_text() == "precious"
    with pytest.raises(DataError, match="cannot be written"):
        write_cityjson(tmp_path / "no" / "folder.city.json", before, None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.city.json", "b.city.json"]
