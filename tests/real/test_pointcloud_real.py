"""Real point clouds: counts, boxes, systems and every point beside laspy; tiles of points; all of them drawn and picked."""

from __future__ import annotations

import json
import shutil

import laspy
import numpy as np
import pytest
from scipy.spatial import cKDTree

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.commands import sources
from cimdesk.commands.session import Session
from cimdesk.formats import registry
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.layers import LayerKind
from cimdesk.model.points import PointCloud

pytestmark = pytest.mark.real

CLOUDS = (
    "1_4_w_evlr.las", "autzen_geo_proj.las", "autzen_trim.laz", "extra.laz", "file_with_both_wkt_and_geotiff_vlrs.las", "plane.laz",
    "simple.copc.laz", "simple.las", "simple.laz", "simple1_4.las", "simple_with_page.copc.laz", "vegetation_1_3.las",
)  # fmt: skip
PNTS = (
    "Batched", "ConstantRGBA", "Draco", "DracoBatched", "DracoPartial", "Normals", "NormalsOctEncoded", "PositionsOnly",
    "Quantized", "RGB", "RGB565", "RGBA", "WithPerPointProperties",
)  # fmt: skip


@pytest.fixture(params=CLOUDS)
def name(request):
    return request.param


def everything(cloud):
    blocks = [cloud.nodes.read(row) for row in np.flatnonzero(cloud.tree.counts).tolist()]
    return np.concatenate([block.world() for block in blocks]), blocks


def test_facts_agree(real_data, facts, name):
    result = registry.read(real_data / "pointcloud" / "laspy" / name, ReadOptions())
    known = facts[f"pointcloud/laspy/{name}"]
    assert result.objects == {"points": known["points"]}
    assert result.version == known["version"]
    assert result.extent[0] == pytest.approx(known["mins"], abs=2e-3)
    assert result.extent[1] == pytest.approx(known["maxs"], abs=2e-3)
    assert (result.crs is None) is (known["crs"] is None)
    assert result.problems == ()


def test_every_point_is_that_of_laspy(real_data, name):
    path = real_data / "pointcloud" / "laspy" / name
    theirs = laspy.read(path)
    ours, blocks = everything(registry.read(path, ReadOptions()).sources[0].data)
    step = float(np.max(theirs.header.scales))
    assert len(ours) == len(theirs)
    for one, other in ((ours, theirs.xyz), (theirs.xyz, ours)):
        # Local coordinates are float32 around the middle of a node: a millimetre within 16 km.
        assert cKDTree(np.asarray(other)).query(np.asarray(one))[0].max() <= max(step, 2e-3)
    for dimension in ("intensity", "classification", "gps_time", "point_source_id"):
        mine = np.concatenate([block.columns[dimension] for block in blocks])
        assert np.sort(mine) == pytest.approx(np.sort(np.asarray(theirs[dimension])))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("autzen_geo_proj.las", "EPSG:2994"),
        ("1_4_w_evlr.las", "EPSG:2903"),
        ("simple.copc.laz", "EPSG:2991+6360"),
        ("file_with_both_wkt_and_geotiff_vlrs.las", "EPSG:6880"),
        ("simple1_4.las", "EPSG:4326"),
    ],
)
def test_the_reference_system_is_a_registered_one(real_data, name, code):
    assert registry.read(real_data / "pointcloud" / "laspy" / name, ReadOptions()).crs == code


def test_a_cloud_in_feet_lies_in_metres(real_data):
    session = Session()
    (layer,) = sources.import_files(session, [real_data / "pointcloud" / "laspy" / "autzen_trim.laz"])
    cloud = session.workspace.data(layer.id)
    assert layer.kind is LayerKind.POINTS
    assert session.workspace.frame.crs == Crs("EPSG:32610")
    low, high = cloud.bounds
    assert high[0] - low[0] == pytest.approx((637179.22 - 636001.76) * 0.3048, rel=0.02)
    assert [low[2], high[2]] == pytest.approx([406.26 * 0.3048, 520.51 * 0.3048], abs=0.02)
    assert cloud.dimensions["height"].high < 520 * 0.3048


def test_pages_of_a_hierarchy_are_all_read(real_data):
    folder = real_data / "pointcloud" / "laspy"
    one, paged = (
        registry.read(folder / each, ReadOptions()).sources[0].data for each in ("simple.copc.laz", "simple_with_page.copc.laz")
    )
    assert (one.tree.keys == paged.tree.keys).all()
    assert one.tree.counts.sum() == paged.tree.counts.sum() == 1065


@pytest.mark.parametrize("name", ["simple.copc.laz", "autzen_trim.laz", "simple.las"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_cut_off_copies_say_so_and_keep_what_they_have(real_data, tmp_path, name, share):
    data = (real_data / "pointcloud" / "laspy" / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * share)])
    try:
        result = registry.read(path, ReadOptions())
    except DataError as error:
        assert error.remedy  # noqa: PT017 - refusing is one of two right answers
        return
    assert result.problems
    cloud = result.sources[0].data
    assert cloud.count > 0
    for row in np.flatnonzero(cloud.tree.counts).tolist():
        try:
            assert len(cloud.nodes.read(row)) == cloud.tree.counts[row]
        except DataError:
            continue


# --- tiles of points ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PNTS)
def test_tiles_of_points_become_a_layer(real_data, facts, kind):
    path = real_data / "3dtiles" / "cesium-native" / "PointCloud" / f"pointCloud{kind}.pnts"
    result = registry.read(path, ReadOptions())
    (source,) = result.sources
    assert isinstance(source.data, PointCloud)
    assert source.kind is LayerKind.POINTS
    assert source.data.count == facts[f"3dtiles/cesium-native/PointCloud/pointCloud{kind}.pnts"]["points"] == 8
    assert result.problems == ()


def test_every_packing_of_the_same_points_gives_the_same(real_data):
    folder = real_data / "3dtiles" / "cesium-native" / "PointCloud"

    def read(kind):
        points, blocks = everything(registry.read(folder / f"pointCloud{kind}.pnts", ReadOptions()).sources[0].data)
        return points[np.lexsort(np.round(points, 2).T)], blocks[0].columns

    plain, _ = read("RGB")
    assert read("Quantized")[0] == pytest.approx(plain, abs=1e-2)
    assert np.abs(read("RGB565")[1]["color"].astype(int) - read("RGB")[1]["color"]).max() <= 8
    normals, octahedral = read("Normals")[1], read("NormalsOctEncoded")[1]
    for axis in ("normal_x", "normal_y", "normal_z"):
        assert octahedral[axis] == pytest.approx(normals[axis], abs=0.03)
    assert read("Draco")[0] == pytest.approx(read("DracoPartial")[0], abs=1e-2)
    batched = read("Batched")[1]
    assert batched["name"].tolist() == [f"section{k}" for k in batched["batch_id"].tolist()]
    assert (batched["id"] == batched["batch_id"]).all()


def test_points_of_gltf_have_the_properties_of_their_schema(real_data):
    folder = real_data / "3dtiles" / "samples" / "glTF" / "EXT_structural_metadata" / "PropertyAttributesPointCloud"
    result = registry.read(folder / "tileset.json", ReadOptions())
    (source,) = result.sources
    count = sum(
        json.loads((folder / f"PropertyAttributesPointCloud{each}.gltf").read_text())["accessors"][0]["count"]
        for each in ("House", "Tree")
    )
    assert source.data.count == count
    _, blocks = everything(source.data)
    assert {"intensity", "classification", "color"} <= set(blocks[0].columns)


# --- pictures -------------------------------------------------------------------------------------------------------------


@pytest.mark.render
@pytest.mark.parametrize("name", ["autzen_trim.laz", "simple.copc.laz", "1_4_w_evlr.las"])
def test_a_cloud_is_drawn_and_a_point_picked(real_data, name):
    from tests.scene.stage import Stage

    session = Session()
    (layer,) = sources.import_files(session, [real_data / "pointcloud" / "laspy" / name])
    stage = Stage(session.workspace)
    try:
        assert stage.scene.complete(20.0)
        stage.window.Render()
        picked = {pick.ref for x in range(0, 640, 3) for y in range(0, 360, 3) if (pick := stage.scene.pick(x, y)) and pick.ref}
        assert picked
        cloud = session.workspace.data(layer.id)
        for ref in sorted(picked)[:5]:
            assert cloud.attributes(ref.feature)["classification"] in (1, 2)
    finally:
        stage.close()


def test_a_project_finds_its_cloud_again(real_data, tmp_path):
    from cimdesk.app.cli import main

    copy = tmp_path / "cloud.copc.laz"
    shutil.copy(real_data / "pointcloud" / "laspy" / "simple.copc.laz", copy)
    project = tmp_path / "p.gpkg"
    assert main(["import", str(project), str(copy)]) == 0
    picture = tmp_path / "p.png"
    assert main(["snapshot", str(project), "-o", str(picture), "--size", "320x180"]) == 0
    assert picture.stat().st_size > 2000
