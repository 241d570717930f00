"""Every real tileset and tile against facts found with other tools."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.registry import ReadOptions, read_head
from cimdesk.formats.tiles3d import READER
from cimdesk.model.tileset import TiledCity

pytestmark = pytest.mark.real
FINEST = ReadOptions(max_error=0.0)


@pytest.fixture(scope="module")
def tilesets(real_data, facts):
    """Every tileset file that facts know: name -> (fact, result)."""
    found = {}
    for name, fact in facts.items():
        if name.startswith("3dtiles/") and "tiles_explicit" in fact:
            found[name] = (fact, READER.read(real_data / name, FINEST))
    assert len(found) > 140
    return found


def test_every_tileset_is_claimed_and_nothing_else_of_json(real_data, facts):
    for name, fact in facts.items():
        if not name.startswith("3dtiles/") or name.endswith("invalidJson.json"):
            continue
        path = real_data / name
        claim = READER.claim(path, read_head(path))
        if "tiles_explicit" in fact:
            assert claim > 0.5, name
        elif name.endswith((".json", ".gltf", ".glb", ".md", ".subtree", ".bin")):
            assert claim == 0.0, name


def test_trees_and_versions_are_those_of_the_files(tilesets):
    for name, (fact, result) in tilesets.items():
        version = fact["version"]
        assert result.version == (None if version is None else str(version)), name
        for tiled in (source.data for source in result.sources if isinstance(source.data, TiledCity)):
            metadata = tiled.tileset.metadata
            assert metadata["explicit_tiles"] == fact["tiles_explicit"], name
            assert metadata["implicit_roots"] == fact["implicit_roots"], name
        if not fact["implicit_roots"] and ".json" not in fact["content_ext"]:
            assert result.objects["tiles"] == fact["tiles_explicit"], name


def test_missing_contents_are_counted_and_named(tilesets):
    for name, (fact, result) in tilesets.items():
        if ".json" in fact["content_ext"] or fact["implicit_roots"]:
            continue
        assert result.objects.get("missing", 0) == fact["missing_count"], name
        told = [problem for problem in result.problems if problem.code == "missing-content"]
        assert len(told) == fact["missing_count"], name


def test_implicit_contents_are_those_the_subtrees_name(tilesets):
    compared = 0
    for name, (fact, result) in tilesets.items():
        for root in fact.get("implicit", ()):
            if isinstance(root, dict) and root.get("subtree_files"):
                there = result.objects["contents"] - result.objects.get("missing", 0)
                assert [there] == root["content_files_on_disk"], name
                compared += 1
    assert compared >= 3


def test_triangles_points_and_instances_of_single_tiles(real_data, facts):
    compared, refused = 0, []
    for name, fact in facts.items():
        if not name.startswith("3dtiles/") or not name.endswith((".b3dm", ".pnts", ".i3dm", ".cmpt")):
            continue
        path = real_data / name
        if READER.claim(path, read_head(path)) == 0.0:
            continue
        wanted = {"triangles": "triangles_in_meshes", "points": "points", "instances": "instances"}
        try:
            result = READER.read(path, FINEST)
        except DataError:
            refused.append(name)
            continue
        for key, said in wanted.items():
            if said in fact:
                assert result.objects.get(key, 0) == fact[said], name
                compared += 1
    assert compared > 100
    assert all(facts[name].get("length_matches") is False for name in refused), refused


def test_only_files_the_official_validator_complains_of_have_errors(tilesets):
    for name, (fact, result) in tilesets.items():
        errors = [problem.code for problem in result.problems if problem.severity == "error" and problem.code != "missing-content"]
        known_bad = (
            fact.get("official_validator")
            or "Error" in name
            or "Cycle" in name
            or "EmptyTile" in name
            or "InvalidGlb" in name
            or "InvalidFeatureTable" in name
            or "ObsoleteGltf" in name
        )
        assert not errors or known_bad, (name, errors)


def test_heights_and_places_of_buildings_are_those_of_their_batch_table(tilesets):
    _, result = tilesets["3dtiles/cesium-native/Tileset/tileset.json"]
    city, crs = result.sources[0].data.city, result.sources[0].crs
    assert crs.definition == "EPSG:32618"
    mesh, columns = city.meshes["tiles"], city.features.columns
    world = mesh.world_vertices()
    for row in range(len(city.features)):
        corners = world[mesh.triangles[mesh.feature_index == row].ravel()]
        assert np.ptp(corners[:, 2]) == pytest.approx(columns["Height"][row], abs=0.01)
        longitude, latitude, _ = crs.transform(Crs.epsg(4979), corners.mean(axis=0)[None, :])[0]
        assert np.radians(longitude) == pytest.approx(columns["Longitude"][row], abs=3e-6)
        assert np.radians(latitude) == pytest.approx(columns["Latitude"][row], abs=3e-6)


def test_delaware_opens_whole_with_a_feature_for_every_building(tilesets):
    _, result = tilesets["3dtiles/pg2b3dm/delaware/cesium/tileset.json"]
    tiled = result.sources[0].data
    assert not result.problems
    assert (result.objects["contents"], result.objects["triangles"]) == (59, 440818)
    city = tiled.city
    assert len(set(city.features.ids)) == len(city.features) == 22532
    assert set(np.unique(city.meshes["tiles"].feature_index)) == set(range(len(city.features)))
    west, south, east, north = -1.31972, 0.68202, -1.31659, 0.68473
    place = np.radians(result.sources[0].crs.transform(Crs.epsg(4979), city.bounds)[:, :2])
    assert (place[0] > [west, south]).all()
    assert (place[1] < [east, north]).all()
    # Buildings are metres apart in float32: neighbours of a wall stay apart by less than a millimetre of rounding.
    assert np.abs(city.meshes["tiles"].vertices).max() < 10_000


def test_draco_tiles_equal_their_plain_twins_within_quantisation(real_data):
    folder = real_data / "3dtiles/cesium-native/BatchTables"
    plain, packed = (
        READER.read(folder / name, FINEST).sources[0].data.city
        for name in ("batchedWithStringAndNestedJson.b3dm", "batchedWithBatchTable-draco.b3dm")
    )
    assert packed.features.columns["info"].tolist() == plain.features.columns["info"].tolist()
    assert packed.bounds == pytest.approx(plain.bounds, abs=0.5)
    assert np.bincount(packed.meshes["tiles"].feature_index).tolist() == [12] * 10


def test_attributes_of_gltf_samples_are_those_of_their_descriptions(tilesets):
    def columns(name):
        _, result = tilesets[f"3dtiles/samples/glTF/EXT_structural_metadata/{name}/tileset.json"]
        return result.sources[0].data.city.features.columns

    two = columns("MultipleFeatureIdsAndProperties")
    assert two["example_STRING"].tolist() == ["Rain 🌧", "Thunder ⛈", "Sun ☀", "Snow 🌨"]
    assert columns("MultipleClasses")["example_INT64"].tolist() == [1234567, 2345678, 3456789, 4567890]
    many = columns("ComplexTypes")
    assert many["example_variable_length_ARRAY_STRING"][1] == '["One", "Two"]'
    assert many["example_fixed_length_ARRAY_ENUM"][0] == '["ExampleEnumValueA", "ExampleEnumValueB"]'
    assert many["example_variable_length_ARRAY_normalized_UINT8"][0] == "[0.0, 1.0]"
