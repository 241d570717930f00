"""Instances, textures and metadata of the published samples: what their descriptions say."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.commands.checking import check
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER

pytestmark = pytest.mark.real


@pytest.fixture
def city(real_data):
    def opened(name, max_error=0.0):
        result = READER.read(real_data / "3dtiles" / name, ReadOptions(max_error=max_error))
        assert not [problem for problem in result.problems if problem.severity == "error"], name
        return result.sources[0].data.city

    return opened


def test_trees_stand_upright_on_the_ground_with_their_attributes(city):
    for max_error, height, low in ((0.0, 16.57, -0.06), (30.0, 25.01, -2.5)):
        trees = city("samples/1.0/TilesetWithTreeBillboards/tileset.json", max_error)
        columns = trees.features.columns
        assert len(trees.features) == 25
        assert columns["Height"].tolist() == [20] * 25
        assert columns["measured_height"] == pytest.approx(np.full(25, height), abs=0.02)
        # Places on the globe in float32 are up to half a metre off.
        assert columns["ground_elevation"] == pytest.approx(np.full(25, low), abs=0.5)
    near = city("samples/1.0/TilesetWithTreeBillboards/tileset.json").meshes["tiles"]
    assert len(np.unique(near.colors, axis=0)) > 3


def test_cards_of_trees_are_cut_to_their_leaves(city):
    trees = city("samples/1.0/TilesetWithTreeBillboards/tileset.json", 30.0).meshes["tiles"]
    a, b, c = trees.world_vertices()[trees.triangles].transpose(1, 0, 2)
    covered = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    assert 0.15 < covered / (25 * 16.0 * 25.0) < 0.7
    green = trees.colors[:, 1].astype(int) - np.maximum(trees.colors[:, 0], trees.colors[:, 2])
    assert (green >= 0).mean() > 0.5


@pytest.mark.parametrize("name", ["InstancedWithBatchTable/instancedWithBatchTable", "InstancedWithBatchIds/instancedWithBatchIds"])
def test_instances_of_boxes_stand_upright_twenty_metres_high(city, name):
    boxes = city(f"cesium-native/i3dm/{name}.i3dm")
    columns = boxes.features.columns
    assert len(boxes.features) == 25
    assert columns["measured_height"] == pytest.approx(columns["Height"], abs=0.1)


def test_turned_instances_keep_their_size(city):
    boxes = city("cesium-native/i3dm/InstancedOrientation/instancedOrientation.i3dm")
    mesh = boxes.meshes["tiles"]
    world = mesh.world_vertices()
    for k in range(25):
        corners = np.unique(world[mesh.triangles[mesh.feature_index == k].ravel()].round(3), axis=0)
        reach = np.linalg.norm(corners - corners.mean(axis=0), axis=1)
        assert reach == pytest.approx(np.full(len(reach), 10 * np.sqrt(3)), rel=0.02)


def test_gpu_instances_have_the_row_their_identifier_names(city):
    boxes = city("samples/glTF/GpuInstancesMetadata/tileset.json")
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert boxes.features.columns["example_STRING"].tolist() == names
    # They grow and rise along the line; the first instance has the last row.
    sizes = boxes.features.columns["measured_height"]
    assert sizes.argmin() == 9
    assert np.bincount(boxes.meshes["tiles"].feature_index).tolist() == [12] * 10


def test_parts_of_a_house_are_told_apart_by_a_texture(city):
    house = city("samples/glTF/EXT_structural_metadata/FeatureIdTextureAndPropertyTable/tileset.json")
    columns = house.features.columns
    assert set(columns["component"].tolist()) == {"Wall", "Door", "Roof", "Window"}
    mesh = house.meshes["tiles"]
    a, b, c = mesh.world_vertices()[mesh.triangles].transpose(1, 0, 2)
    sizes = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    share = dict(zip(columns["component"].tolist(), np.bincount(mesh.feature_index, weights=sizes), strict=True))
    assert sum(share.values()) == pytest.approx(1.0, abs=1e-6)
    assert share["Wall"] > share["Roof"] > share["Door"] > share["Window"]


def test_values_in_a_texture_become_attributes(city):
    columns = city("samples/glTF/EXT_structural_metadata/SimplePropertyTexture/tileset.json").features.columns
    assert columns["insideTemperature"].min() >= 0
    assert columns["insulation"].max() <= 1.0
    assert len(np.unique(columns["insideTemperature"])) > 1


def test_houses_and_trees_know_their_district_group_and_content(real_data, city):
    name = "samples/1.1/MetadataGranularities/tileset.json"
    columns = city(name).features.columns
    rows = dict(zip(columns["tile"].tolist(), range(len(columns["tile"])), strict=True))
    house = rows["house-4-2.glb"]
    assert columns["tile.district"][house] == "Old City"
    assert columns["tile.population"][house] == 15
    assert columns["content.vertices"][house] == 468
    assert columns["group.priority"][house] == 1
    assert columns["group.priority"][rows["tree-lime-2-0.glb"]] == 2
    tileset = READER.read(real_data / "3dtiles" / name, ReadOptions()).sources[0].data.tileset
    assert tileset.metadata["metadata"] == {"author": "Cesium", "date": "2022-03-21", "tileCount": 4}


def test_folders_are_checked_like_their_tileset_files(real_data):
    folder = real_data / "3dtiles/samples/1.1/MetadataGranularities"
    of_folder, of_file = check(folder), check(folder / "tileset.json")
    assert of_folder["objects"] == of_file["objects"]
    assert of_folder["readable"]
