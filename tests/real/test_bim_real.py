"""Real IFC and BCF files against facts found with other tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.commands.checking import check
from cimdesk.formats.ifc import READER
from cimdesk.formats.registry import ReadOptions, read_head, reader_for
from cimdesk.model.city import CityModel
from cimdesk.model.features import VectorLayer

pytestmark = pytest.mark.real

# Of the classes a fact lists only the most frequent ones; where it lists them all they add up to its products.
WITHOUT_SHAPES = {"SpatialStructure-6-1.ifc"}
"""Their products have no representation."""


@pytest.fixture(scope="session")
def ifc_facts(facts) -> dict[str, dict]:
    return {key: fact for key, fact in facts.items() if key.startswith("bim/") and key.lower().endswith(".ifc")}


@pytest.fixture(scope="session")
def results(real_data: Path, ifc_facts) -> dict:
    """Every model, read."""
    return {key: READER.read(real_data / key, ReadOptions()) for key in ifc_facts}


def of(results: dict, part: str):
    return next(result for key, result in results.items() if part in key)


def cities(result) -> list[CityModel]:
    return [source.data for source in result.sources if isinstance(source.data, CityModel)]


def test_every_file_is_claimed(real_data, ifc_facts):
    assert len(ifc_facts) == 22
    for key in ifc_facts:
        path = real_data / key
        assert READER.claim(path, read_head(path)) > 0.9, key
        assert reader_for(path) is READER, key


def test_classes_entities_and_schemas_agree_with_the_facts(ifc_facts, results):
    for key, fact in ifc_facts.items():
        if "error" in fact:
            continue
        result = results[key]
        assert result.version == fact["schema"], key
        assert sum(result.objects.values()) == fact["products"], key
        for name, count in fact["top_products"].items():
            assert result.objects[name] == count, (key, name)
        assert cities(result)[0].metadata["entities"] == fact["entities"], key


def test_schemas_the_other_tool_refuses_are_read_and_reported(ifc_facts, results):
    refused = [key for key, fact in ifc_facts.items() if fact.get("expect") == "report"]
    assert len(refused) == 16
    for key in refused:
        assert "nearest-schema" in {problem.code for problem in results[key].problems}, key
        assert results[key].version == "IFC4X3_RC3", key


def test_every_model_but_an_empty_one_can_be_seen(results):
    for key, result in results.items():
        boxes = [data.bounds if isinstance(data, CityModel) else data.shapes.bounds for data in (s.data for s in result.sources)]
        assert any(np.isfinite(box).all() for box in boxes) == (Path(key).name not in WITHOUT_SHAPES), key


def test_every_triangle_is_finite_and_belongs_to_a_feature(results):
    for key, result in results.items():
        for city in cities(result):
            for mesh in city.meshes.values():
                assert np.isfinite(mesh.vertices).all(), key
                assert mesh.triangles.max() < len(mesh.vertices), key
                assert mesh.feature_index.max() < len(city.features), key
                assert len(mesh.colors) == len(mesh.triangles), key


def test_the_same_ground_in_two_references_lies_in_one_place(results):
    first, second = (of(results, f"Georeferencing-Tin-12d-{k}") for k in (1, 2))
    assert first.crs == second.crs == "EPSG:7856+5711"
    assert first.extent == pytest.approx(second.extent, abs=1e-3)
    # Their own words: Condamine, in zone 56 of MGA 2020.
    assert first.extent[0, :2] == pytest.approx([256305.4, 7011526.2], abs=0.1)


def test_invisible_triangles_of_a_terrain_are_left_out(results):
    # The same terrain with and without the far corners that close it.
    assert of(results, "/Tin-1.ifc").extent == pytest.approx(of(results, "Earthworks-01").extent, abs=0.01)


def test_finnish_roads_lie_in_finland(results):
    for part in ("DrainageSystem-2", "SpatialStructure-4", "MCON-1.ifc"):
        result = of(results, part)
        assert result.crs == "EPSG:3878+3900", part
        box = np.array([[24_525_000, 6_876_000], [24_526_000, 6_878_000]])
        assert ((result.extent[:, :2] > box[0]) & (result.extent[:, :2] < box[1])).all(), part


def test_alignments_without_bodies_are_lines(results):
    for part in ("MCON-1.ifc", "TOI-M14334", "TOI-Y3", "LinearPlacement-1"):
        assert any(isinstance(source.data, VectorLayer) for source in of(results, part).sources), part


def test_storeys_stand_on_each_other(results):
    city = cities(of(results, "LargeBuilding"))[0]
    storeys = city.features.columns["storey"]
    low, _ = city.meshes["4"].heights(len(city.features))
    walls = city.features.columns["type"] == "IfcWallStandardCase"
    heights = [np.nanmedian(low[walls & (storeys == name)]) for name in ("Level 1", "Level 2")]
    assert heights[1] - heights[0] == pytest.approx(4.0, abs=0.3)


def test_spaces_are_a_layer_of_their_own_and_hidden_at_first(results):
    built, spaces = of(results, "LargeBuilding").sources
    assert (built.visible, spaces.visible) == (True, False)
    assert set(spaces.data.features.columns["type"]) == {"IfcSpace"}
    assert len(spaces.data.features) == 8


def test_clicking_a_pipe_tells_what_it_is(results):
    features = cities(of(results, "DrainageSystem-1-2"))[0].features
    pipe = next(features.row(row) for row in range(len(features)) if features.columns["type"][row] == "IfcPipeSegment")
    assert len([value for value in pipe.values() if value is not None]) >= 3


def test_review_files_are_counted_like_the_facts(real_data, facts):
    names = [key for key in facts if key.endswith(".bcf")]
    assert len(names) == 28
    for key in names:
        report = check(real_data / key)
        assert report["format"] == "BCF", key
        assert report["version"] == facts[key]["version"], key
        for what in ("topics", "comments", "viewpoints"):
            assert report["objects"][what] == facts[key][what], (key, what)
