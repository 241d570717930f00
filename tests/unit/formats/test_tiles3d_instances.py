"""Instances: i3dm tiles and EXT_mesh_gpu_instancing, each instance a feature in its place."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.formats import gltf_instances
from cimdesk.formats.i3dm import octahedral
from tests.unit.formats.tile_files import cmpt, square_glb, tile, write_tileset
from tests.unit.formats.tile_instances import FLAT, f4, gpu, i3dm
from tests.unit.formats.tile_reading import city_of, codes, mesh_of, read

PLACES = [[0, 0, 0], [100, 0, 0], [0, 200, 50]]


def opened(tmp_path, data, root=None, **files):
    result = read(write_tileset(tmp_path, root or tile("a.i3dm"), {"a.i3dm": data, **files}))
    assert not codes(result)
    return result


def boxes(result):
    """Return the (N, 2, 3) boxes of the features."""
    mesh, count = mesh_of(result), len(city_of(result).features)
    world = mesh.world_vertices()
    return np.array([
        [(c := world[mesh.triangles[mesh.feature_index == k].ravel()]).min(axis=0), c.max(axis=0)] for k in range(count)
    ])  # fmt: skip


MODEL = square_glb(points=FLAT, matrix=None)


def test_every_instance_stands_in_its_place_with_its_attributes(tmp_path):
    data = i3dm(MODEL, POSITION=f4(PLACES), table={"name": ["oak", "elm", "ash"]})
    result = opened(tmp_path, data)
    assert boxes(result)[:, 0].tolist() == [[-5, 0, -5], [95, 0, -5], [-5, 200, 45]]
    assert boxes(result)[:, 1].tolist() == [[5, 0, 5], [105, 0, 5], [5, 200, 55]]
    assert city_of(result).features.columns["name"].tolist() == ["oak", "elm", "ash"]
    assert (result.objects["instances"], result.objects["triangles"]) == (3, 6)


def test_instances_share_a_feature_by_their_batch_identifier(tmp_path):
    data = i3dm(MODEL, POSITION=f4(PLACES), BATCH_ID=np.array([1, 0, 1], np.uint8), table={"kind": ["bench", "lamp"]})
    result = opened(tmp_path, data)
    assert city_of(result).features.columns["kind"].tolist() == ["bench", "lamp"]
    assert np.bincount(mesh_of(result).feature_index).tolist() == [2, 4]


def test_scales_multiply_and_axes_turn(tmp_path):
    up, right = f4([[0, 0, 1]] * 3), f4([[0, 1, 0]] * 3)
    data = i3dm(
        square_glb(points=np.add(FLAT, (5, 5, 0), dtype=np.float32), matrix=[1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1]),
        POSITION=f4(PLACES), NORMAL_UP=up, NORMAL_RIGHT=right,
        SCALE=f4([1, 2, 1]), SCALE_NON_UNIFORM=f4([[1, 1, 1], [3, 1, 1], [1, 1, 1]]),
    )  # fmt: skip
    found = boxes(opened(tmp_path, data))
    # Right is y and up is z, so what was x lies along y, and what was y along z; the second is 6 times 10 m by 2 times 10 m.
    assert found[0].tolist() == [[0, 0, 0], [0, 10, 10]]
    assert found[1].tolist() == [[100, 0, 0], [100, 60, 20]]


def test_packed_axes_are_those_they_stand_for():
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(200, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    flat = vectors / np.abs(vectors).sum(axis=1, keepdims=True)
    folded = np.where(flat[:, 2:] < 0, (1 - np.abs(flat[:, [1, 0]])) * np.where(flat[:, :2] >= 0, 1, -1), flat[:, :2])
    packed = np.round((folded + 1) / 2 * 65535).astype(np.uint16)
    assert octahedral(packed) == pytest.approx(vectors, abs=1e-4)


def test_quantised_positions_fill_their_volume(tmp_path):
    packed = np.array([[0, 0, 0], [65535, 0, 0], [0, 65535, 32768]], dtype="<u2")
    data = i3dm(MODEL, POSITION_QUANTIZED=packed, QUANTIZED_VOLUME_OFFSET=[10, 0, 0], QUANTIZED_VOLUME_SCALE=[100, 200, 50])
    assert boxes(opened(tmp_path, data)).mean(axis=1) == pytest.approx(np.array([[10, 0, 0], [110, 0, 0], [10, 200, 25]]), abs=1e-3)


def test_instances_stand_upright_on_the_globe(tmp_path):
    place = Crs.epsg(4979).transform(Crs.epsg(4978), np.array([[113.3, 23.1, 20.0]]))[0]
    tall = np.array([[-1, -1, 0], [1, -1, 0], [0, 1, 0], [0, 0, 30]], dtype=np.float32)
    glb = square_glb(points=tall, triangles=np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]], np.uint16))
    data = i3dm(glb, count=1, POSITION=f4([[0, 0, 0]]), RTC_CENTER=place.tolist(), EAST_NORTH_UP=True)
    box = {"boundingVolume": {"region": [1.9, 0.4, 1.98, 0.41, 0, 100]}}
    result = opened(tmp_path, data, {**tile("a.i3dm"), **box})
    (low, high) = boxes(result)[0]
    assert (low[2], high[2]) == (pytest.approx(20.0, abs=0.01), pytest.approx(50.0, abs=0.01))
    wanted = Crs.epsg(4979).transform(result.sources[0].crs, np.array([[113.3, 23.1, 20.0]]))[0]
    assert (low + high)[:2] / 2 == pytest.approx(wanted[:2], abs=0.05)


def test_a_model_may_be_a_file_of_its_own(tmp_path):
    result = opened(tmp_path, i3dm(uri="models/m.glb", POSITION=f4(PLACES)), **{"models/m.glb": MODEL})
    assert result.objects["triangles"] == 6


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (i3dm(MODEL), "no-positions"),
        (i3dm(MODEL, POSITION=f4(PLACES[:1])), "bad-instance-table"),
        (i3dm(MODEL, count=-4), "bad-instance-count"),
        (i3dm(uri="../../m.glb", POSITION=f4(PLACES)), "unsafe-uri"),
        (i3dm(uri="gone.glb", POSITION=f4(PLACES)), "missing-content"),
    ],
)
def test_broken_instances_are_told_and_the_rest_is_there(tmp_path, data, code):
    root = tile(error=5, children=[tile("a.i3dm"), tile("b.glb")])
    result = read(write_tileset(tmp_path, root, {"a.i3dm": data, "b.glb": square_glb()}))
    assert codes(result) == [code]
    assert result.objects["triangles"] == 2


def test_instances_in_composites_keep_apart(tmp_path):
    one = i3dm(MODEL, POSITION=f4(PLACES))
    result = read(write_tileset(tmp_path, tile("a.cmpt"), {"a.cmpt": cmpt(one, cmpt(one, square_glb_tile()))}))
    assert len(set(city_of(result).features.ids)) == 7


def square_glb_tile():
    from tests.unit.formats.tile_files import b3dm

    return b3dm(square_glb())


def test_instances_of_gltf_are_moved_turned_and_scaled(tmp_path):
    quarter = np.sqrt(0.5)
    glb = gpu(
        TRANSLATION=f4([[0, 0, 0], [100, 0, 0]]), ROTATION=f4([[0, 0, 0, 1], [quarter, 0, 0, quarter]]),
        SCALE=f4([[2, 1, 1], [1, 1, 1]]),
    )  # fmt: skip
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}, gltfUpAxis="Z"))
    assert boxes(result) == pytest.approx(np.array([[[-10, -5, 0], [10, 5, 0]], [[95, 0, -5], [105, 0, 5]]]), abs=1e-5)
    assert result.objects["instances"] == 2


def test_instances_of_gltf_have_the_rows_of_their_table(tmp_path):
    glb = gpu(
        {"featureCount": 2, "attribute": 0, "propertyTable": 0},
        TRANSLATION=f4(PLACES),
        _FEATURE_ID_0=np.array([1, 0, 1], np.uint16),
    )
    heights = glb.view(np.array([3, 7], "<f4").tobytes())
    glb.document["extensions"] = {
        "EXT_structural_metadata": {
            "schema": {"classes": {"tree": {"properties": {"h": {"type": "SCALAR", "componentType": "FLOAT32"}}}}},
            "propertyTables": [{"class": "tree", "count": 2, "properties": {"h": {"values": heights}}}],
        }
    }
    result = read(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}))
    columns = city_of(result).features.columns
    assert (columns["h"].tolist(), columns["type"].tolist()) == ([3, 7], ["tree", "tree"])
    assert np.bincount(mesh_of(result).feature_index).tolist() == [2, 4]


def test_crowds_beyond_what_can_be_drawn_are_boxes_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(gltf_instances, "MAX_TRIANGLES", 5)
    result = read(write_tileset(tmp_path, tile("a.i3dm"), {"a.i3dm": i3dm(MODEL, POSITION=f4(PLACES))}))
    assert codes(result) == ["many-instances"]
    assert result.objects["triangles"] == 3 * 12
    assert boxes(result)[1].tolist() == [[95, 0, -5], [105, 0, 5]]


def test_more_instances_than_can_be_drawn_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(gltf_instances, "MAX_INSTANCES", 2)
    result = read(write_tileset(tmp_path, tile("a.i3dm"), {"a.i3dm": i3dm(MODEL, POSITION=f4(PLACES))}))
    assert codes(result) == ["too-many-instances"]
    assert (result.objects["instances"], result.objects["triangles"]) == (3, 4)
