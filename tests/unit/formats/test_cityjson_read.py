"""CityJSON into a city model: every geometry type, semantics, materials, attributes and hierarchy."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.cityjson import READER, SEQUENCE_READER
from cimdesk.formats.registry import read_head
from cimdesk.model.mesh import Surface
from tests.unit.formats.cityjson_cities import CUBE, FACES, building, city, codes, lines, read, semantics, solid


def areas_by_surface(mesh) -> dict[Surface, float]:
    """Return the total area of each kind of surface [m2]."""
    a, b, c = mesh.vertices[mesh.triangles].astype(np.float64).transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0
    return {Surface(code): float(area[mesh.surface == code].sum()) for code in np.unique(mesh.surface).tolist()}


def signed_volume(mesh) -> float:
    """Return the volume the triangles enclose, positive when they face outwards [m3]."""
    a, b, c = mesh.vertices[mesh.triangles].astype(np.float64).transpose(1, 0, 2)
    return float((np.cross(a, b) * c).sum() / 6.0)


def test_a_cube_has_its_place_volume_surfaces_and_outline(tmp_path):
    result = read(tmp_path, city(metadata={"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4547"}))
    mesh = result.sources[0].data.meshes["2"]
    assert (result.format, result.version, result.crs) == ("CityJSON", "2.0", "EPSG:4547")
    assert dict(result.objects) == {"Building": 1}
    assert result.extent.tolist() == [[420_000.0, 2_560_000.0, 5.0], [420_001.0, 2_560_001.0, 6.0]]
    assert mesh.bounds == pytest.approx(result.extent, abs=1e-6)
    assert signed_volume(mesh) == pytest.approx(1.0)
    assert areas_by_surface(mesh) == pytest.approx({Surface.GROUND: 1.0, Surface.ROOF: 1.0, Surface.WALL: 4.0})
    assert len(mesh.edges) == 12
    assert not result.problems


@pytest.mark.parametrize(
    ("kind", "boundaries", "volume"),
    [
        ("MultiSurface", FACES, 1.0),
        ("CompositeSurface", FACES, 1.0),
        ("Solid", [FACES], 1.0),
        ("MultiSolid", [[FACES], [[[[corner + 8 for corner in ring] for ring in face] for face in FACES]]], 2.0),
        ("CompositeSolid", [[FACES]], 1.0),
    ],
)
def test_every_type_of_surface_geometry_is_read(tmp_path, kind, boundaries, volume):
    content = city({"a": building({"type": kind, "lod": "2", "boundaries": boundaries})}, vertices=CUBE + CUBE)
    result = read(tmp_path, content)
    assert signed_volume(result.sources[0].data.meshes["2"]) == pytest.approx(volume)
    assert not result.problems


def test_a_cavity_is_taken_from_the_volume(tmp_path):
    inner = [[[corner + 8 for corner in reversed(ring)] for ring in face] for face in FACES]
    small = [[300 + v * 4 // 10 for v in vertex] for vertex in CUBE]
    content = city({"a": building({"type": "Solid", "lod": "2", "boundaries": [FACES, inner]})}, vertices=CUBE + small)
    mesh = read(tmp_path, content).sources[0].data.meshes["2"]
    assert signed_volume(mesh) == pytest.approx(1.0 - 0.4**3, rel=1e-5)


def test_an_object_given_as_solid_and_as_surfaces_is_drawn_once_with_its_semantics(tmp_path):
    turned = [[[*ring[1:], ring[0]] for ring in face] for face in FACES]
    surfaces = {"type": "MultiSurface", "lod": "2", "boundaries": turned, "semantics": semantics() | {"values": [0, 1, 2, 2, 2, 2]}}
    for shapes in ([surfaces, solid()], [solid(), surfaces]):
        mesh = read(tmp_path, city({"a": building(*shapes), "b": building(solid())})).sources[0].data.meshes["2"]
        assert np.bincount(mesh.feature_index).tolist() == [12, 12]
        assert np.bincount(mesh.surface[mesh.feature_index == 0]).tolist() == [0, 2, 8, 2]


def test_surfaces_back_to_back_are_both_kept(tmp_path):
    back = [[ring[::-1] for ring in face] for face in FACES]
    shape = {"type": "MultiSurface", "lod": "2", "boundaries": FACES + back}
    mesh = read(tmp_path, city({"a": building(shape)})).sources[0].data.meshes["2"]
    assert len(mesh.triangles) == 24


def test_points_and_lines_are_counted_and_reported(tmp_path):
    shapes = [
        {"type": "MultiPoint", "lod": "1", "boundaries": [0, 1]},
        {"type": "MultiLineString", "lod": "1", "boundaries": [[0, 1, 2]]},
    ]
    result = read(tmp_path, city({"a": building(*shapes)}))
    data = result.sources[0].data
    assert (data.metadata["points"], data.metadata["lines"]) == (2, 1)
    assert codes(result) == {"not-drawn"}
    assert not data.meshes


def test_every_level_of_detail_is_a_mesh_of_its_own(tmp_path):
    result = read(tmp_path, city({"a": building(solid("1.2"), solid("2.2"), solid(1), {**solid(), "lod": 2.1})}))
    data = result.sources[0].data
    assert data.lods == ["1", "1.2", "2.1", "2.2"]
    assert {len(mesh.triangles) for mesh in data.meshes.values()} == {12}
    assert {len(mesh.edges) for mesh in data.meshes.values()} == {12}


def test_plain_coordinates_need_no_transform(tmp_path):
    content = city()
    del content["transform"]
    content |= {"version": "1.0", "vertices": [[10.0 + x / 1000, 20.0 + y / 1000, z / 1000] for x, y, z in CUBE]}
    result = read(tmp_path, content)
    assert result.extent.tolist() == [[10.0, 20.0, 0.0], [11.0, 21.0, 1.0]]
    assert result.version == "1.0"
    assert not result.problems


def test_templates_are_placed_turned_and_scaled(tmp_path):
    matrix = [2, 0, 0, 10, 0, 2, 0, 20, 0, 0, 3, 0, 0, 0, 0, 1]
    tree = {"type": "GeometryInstance", "template": 0, "boundaries": [6], "transformationMatrix": matrix}
    templates = {
        "templates": [{"type": "MultiSurface", "lod": "3", "boundaries": FACES}],
        "vertices-templates": [[x / 1000, y / 1000, z / 1000] for x, y, z in CUBE],
    }
    objects = {f"tree-{k}": {"type": "SolitaryVegetationObject", "geometry": [tree]} for k in range(3)}
    result = read(tmp_path, city(objects, **{"geometry-templates": templates}))
    mesh = result.sources[0].data.meshes["3"]
    assert mesh.bounds == pytest.approx(np.array([[420_011, 2_560_021, 6.0], [420_013, 2_560_023, 9.0]]))
    assert np.bincount(mesh.feature_index).tolist() == [12, 12, 12]
    assert len(mesh.edges) == 36
    assert result.extent[1].tolist() == pytest.approx([420_013, 2_560_023, 9.0])


def test_instances_of_nothing_are_problems(tmp_path):
    bad = [
        {"type": "GeometryInstance", "template": 0, "boundaries": [0], "transformationMatrix": [1] * 16},
        {"type": "GeometryInstance", "template": 0, "boundaries": [99]},
    ]
    assert codes(read(tmp_path, city({"a": building(*bad)}))) == {"bad-instance", "vertex-out-of-range"}


@pytest.mark.parametrize(
    ("material", "colors"),
    [
        ({"": {"value": 1}}, [(0, 0, 255, 128)] * 6),
        ({"": {"values": [[0, 1, None, 0, 0, 0]]}}, [(255, 0, 0, 255), (0, 0, 255, 128), (255,) * 4, *[(255, 0, 0, 255)] * 3]),
        ({"other": {"value": 0}, "best": {"value": 1}}, [(0, 0, 255, 128)] * 6),
    ],
    ids=["whole", "per-surface", "default-theme"],
)
def test_materials_become_colours(tmp_path, material, colors):
    materials = [{"name": "red", "diffuseColor": [1, 0, 0]}, {"name": "glass", "diffuseColor": [0, 0, 1], "transparency": 0.5}]
    appearance = {"materials": materials, "default-theme-material": "best"}
    mesh = read(tmp_path, city({"a": building(solid(material=material))}, appearance=appearance)).sources[0].data.meshes["2"]
    assert mesh.colors[::2].tolist() == [list(color) for color in colors]


def test_a_picture_outside_the_folder_is_noted_and_costs_nothing(tmp_path):
    appearance = {"textures": [{"type": "JPG", "image": "../../wall.jpg"}], "vertices-texture": [[0.0, 1.0]]}
    shape = solid(texture={"": {"values": [[[[0, 0, 0, 0, 0]]] * 6]}})
    result = read(tmp_path, city({"a": building(shape)}, appearance=appearance))
    assert result.sources[0].data.metadata["textures"] == 1
    assert result.sources[0].data.metadata["textured_geometries"] == 1
    assert [problem.code for problem in result.problems] == ["picture-outside"]
    assert "../../wall.jpg" in result.problems[0].message
    assert len(result.sources[0].data.meshes["2"].triangles) == 12


def test_semantics_with_gaps_are_used_as_far_as_they_go(tmp_path):
    gaps = semantics() | {"values": [[0, None, 7]]}
    nothing = semantics() | {"values": [None]}
    result = read(tmp_path, city({"a": building(solid("1", semantics=gaps), solid("2", semantics=nothing))}))
    data = result.sources[0].data
    assert np.bincount(data.meshes["1"].surface).tolist() == [10, 2]
    assert not data.meshes["2"].surface.any()
    assert codes(result) == {"semantics"}


def test_attributes_become_columns_with_their_types(tmp_path):
    attributes = {"use": "office", "year": 1999, "height": 12.5, "heated": True, "rooms": [{"area": 5}], "type": "own", "人口": 12}
    result = read(tmp_path, city({"a": building(attributes=attributes), "b": building(attributes={"year": 2001, "use": None})}))
    table = result.sources[0].data.features
    assert table.row(0) == {
        "type": "Building", "use": "office", "year": 1999, "height": 12.5, "heated": "true", "rooms": '[{"area": 5}]',
        "attributes.type": "own", "人口": 12.0,
    }  # fmt: skip
    assert table.columns["year"].dtype == np.int64
    assert table.row(1)["use"] is None


def test_either_side_of_a_relation_is_enough(tmp_path):
    objects = {
        "a": {"type": "Building", "children": ["b"]},
        "b": {"type": "BuildingPart"},
        "c": {"type": "BuildingPart", "parents": ["a"]},
        "d": {"type": "BuildingInstallation", "parents": ["b"]},
        "lost": {"type": "BuildingPart", "parents": ["gone"], "children": ["never"]},
        "g": {"type": "CityObjectGroup", "members": ["a"]},
    }
    result = read(tmp_path, city(objects))
    data = result.sources[0].data
    assert data.parents.tolist() == [-1, 0, 0, 1, -1, -1]
    assert data.features.columns["group"].tolist() == ["g", None, None, None, None, None]
    assert [problem.code for problem in result.problems] == ["missing-object", "missing-object"]
    assert data.root_of(3) == 0


def test_objects_that_are_parts_of_themselves_are_set_apart(tmp_path):
    objects = {"a": {"type": "X", "parents": ["b"]}, "b": {"type": "X", "parents": ["a"]}, "c": {"type": "X", "parents": ["c"]}}
    result = read(tmp_path, city(objects))
    assert result.sources[0].data.parents.tolist() == [-1, -1, -1]
    assert codes(result) == {"circular-parents"}


def test_extensions_are_kept(tmp_path):
    extension = {
        "extensions": {"Potato": {"url": "https://example.com/potato.ext.json", "version": "1.0"}},
        "+season": {"name": "spring"},
    }
    result = read(tmp_path, city({"p": {"type": "+Potato", "attributes": {"+weight": {"value": 3, "uom": "kg"}}}}, **extension))
    data = result.sources[0].data
    assert dict(result.objects) == {"+Potato": 1}
    assert data.metadata["+season"] == {"name": "spring"}
    assert "Potato" in data.metadata["extensions"]
    assert json.loads(data.features.columns["+weight"][0]) == {"value": 3, "uom": "kg"}


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("https://www.opengis.net/def/crs/EPSG/0/7415", "EPSG:7415"),
        ("http://www.opengis.net/def/crs/EPSG/6.12/3068", "EPSG:3068"),
        ("urn:ogc:def:crs:EPSG::28992", "EPSG:28992"),
        ("urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::5783", "EPSG:25832+5783"),
        ("EPSG:4547", "EPSG:4547"),
        (4547, "EPSG:4547"),
        (None, None),
    ],
)
def test_every_form_of_reference_system_is_understood(tmp_path, system, code):
    result = read(tmp_path, city(metadata={"referenceSystem": system}))
    assert result.crs == code
    assert not result.problems


def test_an_unknown_reference_system_is_reported(tmp_path):
    result = read(tmp_path, city(metadata={"referenceSystem": "the usual one"}))
    assert result.crs is None
    assert codes(result) == {"unknown-crs"}


def test_the_outline_leaves_out_edges_inside_a_plane(tmp_path):
    triangles = [[[ring[0], ring[k], ring[k + 1]]] for (ring,) in FACES for k in (1, 2)]
    mesh = (
        read(tmp_path, city({"a": building({"type": "MultiSurface", "lod": "2", "boundaries": triangles})}))
        .sources[0]
        .data.meshes["2"]
    )
    assert len(mesh.edges) == 12


class TestSequences:
    """CityJSON lines."""

    header = city({}, vertices=[])

    @staticmethod
    def feature(name: str, shift: int = 0) -> dict:
        moved = [[x + shift, y, z] for x, y, z in CUBE]
        return {"type": "CityJSONFeature", "id": name, "CityObjects": {name: building(solid())}, "vertices": moved}

    def test_features_use_their_own_vertices(self, tmp_path):
        result = read(tmp_path, lines(self.header, self.feature("a"), self.feature("b", 5000)), "a.city.jsonl")
        data = result.sources[0].data
        assert result.format == "CityJSONSeq"
        assert dict(result.objects) == {"Building": 2}
        assert result.extent[1].tolist() == [420_006.0, 2_560_001.0, 6.0]
        assert signed_volume(data.meshes["2"]) == pytest.approx(2.0)
        assert not result.problems

    def test_bad_lines_cost_only_themselves(self, tmp_path):
        text = lines(self.header, self.feature("a"), '{"type": "CityJSONFeature", "id', "", "rubbish", [1], self.feature("b"))
        result = read(tmp_path, text, "a.city.jsonl")
        assert dict(result.objects) == {"Building": 2}
        assert [problem.where.split(",")[0] for problem in result.problems] == ["line 3", "line 5", "line 6"]

    def test_a_missing_header_is_reported_and_the_rest_read(self, tmp_path):
        result = read(tmp_path, lines(self.feature("a"), self.feature("b")), "a.jsonl")
        assert dict(result.objects) == {"Building": 2}
        assert codes(result) == {"no-header"}
        assert result.version is None

    def test_ids_that_come_again_are_kept_under_another_name(self, tmp_path):
        result = read(tmp_path, lines(self.header, self.feature("a"), self.feature("a"), self.feature("a")))
        assert result.sources[0].data.features.ids.tolist() == ["a", "a~2", "a~3"]
        assert [problem.where for problem in result.problems] == ["line 3", "line 4"]

    def test_materials_may_be_given_per_feature(self, tmp_path):
        painted = self.feature("b") | {"appearance": {"materials": [{"name": "blue", "diffuseColor": [0, 0, 1]}]}}
        painted["CityObjects"]["b"]["geometry"][0]["material"] = {"": {"value": 0}}
        header = self.header | {"appearance": {"materials": [{"name": "red", "diffuseColor": [1, 0, 0]}]}}
        plain = self.feature("a")
        plain["CityObjects"]["a"]["geometry"][0]["material"] = {"": {"value": 0}}
        mesh = read(tmp_path, lines(header, plain, painted)).sources[0].data.meshes["2"]
        assert mesh.colors[mesh.feature_index == 0][0].tolist() == [255, 0, 0, 255]
        assert mesh.colors[mesh.feature_index == 1][0].tolist() == [0, 0, 255, 255]

    def test_the_content_decides_and_not_the_suffix(self, tmp_path):
        assert read(tmp_path, lines(self.header, self.feature("a")), "a.city.json").format == "CityJSONSeq"
        assert read(tmp_path, json.dumps(city(), indent=1), "b.city.jsonl").format == "CityJSON"
        assert read(tmp_path, json.dumps(city()), "c.city.jsonl").format == "CityJSON"

    def test_each_reader_claims_its_own(self, tmp_path):
        for name, text, mine, other in (
            ("a.city.json", json.dumps(city(), indent=2), READER, SEQUENCE_READER),
            ("b.json", json.dumps(city()), READER, SEQUENCE_READER),
            ("c.city.jsonl", lines(self.header, self.feature("a")), SEQUENCE_READER, READER),
            ("d.jsonl", lines(self.feature("a")), SEQUENCE_READER, READER),
        ):
            path = tmp_path / name
            path.write_text(text)
            assert mine.claim(path, read_head(path)) > max(0.5, other.claim(path, read_head(path))), name


def test_json_that_speaks_of_cityjson_only_at_its_end_is_claimed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"vertices": CUBE * 1000, "CityObjects": {}, "type": "CityJSON"}))
    assert READER.claim(path, read_head(path)) > 0.5


@pytest.mark.parametrize(
    "text", ['{"type": "FeatureCollection", "features": []}', '{"asset": {"version": "1.1"}, "root": {}}', "[1, 2]", "a,b\n1,2\n"]
)
def test_other_files_are_left_to_others(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    assert READER.claim(path, read_head(path)) == 0.0
    assert SEQUENCE_READER.claim(path, read_head(path)) == 0.0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
def test_other_encodings_are_read(tmp_path, encoding):
    content = city({"房子": building(solid(), attributes={"用途": "居住建筑", "名称": "广州图书馆"})})
    result = read(tmp_path, json.dumps(content, ensure_ascii=False).encode(encoding))
    assert result.sources[0].data.features.row(0)["用途"] == "居住建筑"
    assert codes(result) == (set() if encoding == "utf-8-sig" else {"encoding"})


def test_latin_1_is_read_with_a_problem(tmp_path):
    result = read(tmp_path, json.dumps(city({"a": building(attributes={"name": "Gebäude"})}), ensure_ascii=False).encode("latin-1"))
    assert result.sources[0].data.features.row(0)["name"] == "Gebäude"
    assert codes(result) == {"encoding"}


def test_gzipped_files_are_unpacked(tmp_path):
    assert dict(read(tmp_path, gzip.compress(json.dumps(city()).encode()), "a.city.json.gz").objects) == {"Building": 1}


def test_a_gzip_bomb_is_refused(tmp_path):
    with pytest.raises(DataError, match="unpacks to more"):
        read(tmp_path, gzip.compress(b" " * 80_000_000), "a.city.json.gz")
