"""Real CityGML files against facts found with another tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.commands.source_stages import stages_in
from cimdesk.formats.citygml import READER
from cimdesk.formats.registry import ReadOptions, read_head
from cimdesk.model.layers import LayerKind
from cimdesk.model.lifecycle import Stage
from cimdesk.model.mesh import Surface

pytestmark = pytest.mark.real

# Reference systems as codes. CH1903 stands for the Swiss map projection in one file, and for nothing that fits in the other.
SYSTEMS = {"urn:adv:crs:ETRS89_UTM32*DE_DHHN92_NH": "EPSG:25832+5783", "urn:adv:crs:DE_DHDN_3GK4*DE_DHHN92_NH": "EPSG:31468+5783"}
SWISS = {"njam/zurich-lod2-citygml1.xml": "EPSG:21781", "njam/sig3d-genericattributes-citygml2.xml": None}
# Their surfaces are patches, which the facts do not count as polygons.
IN_PATCHES = ("Road_over_Bridge", "citygml3_roads")
NOT_OBJECTS = {"polygons", "ParameterizedTexture", "X3DMaterial"}


@pytest.fixture(scope="session")
def citygml_facts(facts) -> dict[str, dict]:
    """Facts by path under ``citygml/``."""
    return {key.removeprefix("citygml/"): fact for key, fact in facts.items() if "citygml_version" in fact}


@pytest.fixture(scope="session")
def results(real_data: Path, citygml_facts) -> dict:
    """Every file, read."""
    return {key: READER.read(real_data / "citygml" / key, ReadOptions()) for key in citygml_facts}


def of(results: dict, part: str):
    return next(result for key, result in results.items() if part in key)


def test_every_file_is_claimed(real_data, citygml_facts):
    assert len(citygml_facts) > 20
    for key in citygml_facts:
        path = real_data / "citygml" / key
        assert READER.claim(path, read_head(path)) > 0.9, key


def test_versions_and_counts_agree_with_the_facts(citygml_facts, results):
    for key, fact in citygml_facts.items():
        result = results[key]
        assert result.version == fact["citygml_version"], key
        for name, count in {**fact["counts"], **fact["member_types"]}.items():
            assert name in NOT_OBJECTS or result.objects.get(name) == count, (key, name)


def test_every_polygon_and_texture_is_counted(citygml_facts, results):
    for key, fact in citygml_facts.items():
        metadata = results[key].sources[0].data.metadata
        if not any(part in key for part in IN_PATCHES):
            assert metadata["polygons"] == fact["counts"]["polygons"], key
        assert metadata.get("textures", 0) == fact["counts"].get("ParameterizedTexture", 0), key


def test_reference_systems_agree_with_the_facts(citygml_facts, results):
    for key, fact in citygml_facts.items():
        named = fact["srs"][0] if fact["srs"] else None
        wanted = (
            SWISS[key] if key in SWISS else SYSTEMS.get(named) or (Crs.parse(named).code if named and named[0] != "#" else None)
        )
        assert results[key].crs == wanted, key


def test_every_triangle_is_finite_and_belongs_to_a_feature(results):
    for key, result in results.items():
        city = result.sources[0].data
        assert sum(len(mesh.triangles) for mesh in city.meshes.values()) > 0, key
        for mesh in city.meshes.values():
            assert np.isfinite(mesh.vertices).all(), key
            assert (mesh.feature_index < len(city.features)).all(), key
            corners = mesh.world_vertices()[mesh.triangles]
            tolerance = 1e-4 * (1.0 + np.ptp(result.extent, axis=0))
            assert (corners >= result.extent[0] - tolerance).all(), key
            assert (corners <= result.extent[1] + tolerance).all(), key


def test_japanese_files_lie_in_japan_longitude_first(results):
    for key, result in results.items():
        if "plateau" in key:
            assert ((result.extent[:, 0] > 138) & (result.extent[:, 0] < 140)).all(), key
            assert ((result.extent[:, 1] > 34) & (result.extent[:, 1] < 36)).all(), key


def test_flood_areas_have_their_depth_rank_and_surfaces(results):
    city = of(results, "_fld_").sources[0].data
    assert city.features.columns["type"].tolist() == ["WaterBody"] * 3
    assert city.features.columns["floodingRiskAttribute.rankOrg"].tolist() == ["1", "2", "1"]
    assert city.features.columns["floodingRiskAttribute.scale"].tolist() == ["L1"] * 3
    assert len(np.unique(city.meshes["1"].feature_index)) == 3


def test_flood_areas_are_a_flood_layer_with_classes_of_depth(results):
    for part, classes in (("_fld_", ["< 0.5 m", "0.5 – 3 m", "< 0.5 m"]), ("_tnm_", ["< 0.5 m", "0.5 – 3 m", "3 – 5 m"])):
        (source,) = of(results, part).sources
        assert source.kind is LayerKind.FLOOD
        assert source.data.features.columns["depthClass"].tolist() == classes
    kinds = {key: {source.kind for source in result.sources} for key, result in results.items()}
    assert sum(LayerKind.FLOOD in found for found in kinds.values()) == 2


def test_versions_are_a_history_of_stages(results):
    stages = stages_in(of(results, "historicalSuccession").sources[0].data)
    first = [(each.stage, each.date[:4], each.why) for each in stages if each.feature == "BU_69381AL49_2000-01-01"]
    assert first == [
        (Stage.OPERATION, "2000", "creationDate"),
        (Stage.REMOVED, "2015", "terminationDate; replace BU_69381AL49_2015-01-01"),
    ]
    assert {each.feature for each in stages} == set(of(results, "historicalSuccession").sources[0].data.features.ids)


def test_closed_solids_hold_the_volume_of_their_building(results):
    mesh = of(results, "lod2_buildings_v3").sources[0].data.meshes["2"]
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(float) for k in range(3))
    volumes = np.bincount(mesh.feature_index, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0)
    assert (volumes > 0).all()
    assert set(mesh.surface.tolist()) == {Surface.GROUND, Surface.WALL, Surface.ROOF}


def test_versions_of_buildings_are_kept(results):
    city = of(results, "historicalSuccession").sources[0].data
    assert [version["kind"] for version in city.metadata["versions"]] == ["Version", "Version", "VersionTransition"]
    rows = [city.features.row(city.features.row_of(f"BU_69381AL49_{year}-01-01")) for year in (2000, 2015)]
    assert [row["version"] for row in rows] == ["v1.0", "v2.0"]
    assert rows[0]["terminationDate"] == rows[1]["creationDate"] == "2015-01-01T00:00:00"


def test_sensors_said_of_one_roof_are_kept(results):
    row = of(results, "SensorConnection_V1").sources[0].data.features
    texts = [str(value) for column in row.columns.values() for value in column]
    assert any("datastreamID" in text or "sensorConnection" in text for text in [*row.columns, *texts])


def test_addresses_read_as_one_line(results):
    features = of(results, "lod3_building_v2").sources[0].data.features
    assert features.columns["address"][0] == "Teststreet 3, 12345, Testtown, Testland"


def test_no_real_file_has_errors(results):
    for key, result in results.items():
        assert not [problem for problem in result.problems if problem.severity == "error"], key
