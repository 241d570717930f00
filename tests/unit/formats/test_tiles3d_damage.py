"""Mutated and truncated tiles, subtrees and tilesets: problems or one DataError, never anything else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.errors import DataError
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.model.tileset import TiledCity
from tests.unit.formats.tile_files import Glb, b3dm, cmpt, square_glb, subtree, tile, write_tileset
from tests.unit.formats.tile_instances import gpu, i3dm
from tests.unit.formats.tile_reading import TREE, implicit
from tests.unit.formats.tile_textures import with_ids, with_values


def rich_glb():
    """A GLB with a property table, a material and feature identifiers."""
    glb = Glb()
    heights, names, offsets = (
        glb.view(np.array([1, 2], "<f4").tobytes()), glb.view(b"abcd"), glb.view(np.array([0, 2, 4], "<u4").tobytes()),
    )  # fmt: skip
    properties = {"height": {"values": heights}, "name": {"values": names, "stringOffsets": offsets}}
    kinds = {"height": {"type": "SCALAR", "componentType": "FLOAT32"}, "name": {"type": "STRING"}}
    glb.document["extensions"] = {
        "EXT_structural_metadata": {
            "schema": {"classes": {"b": {"properties": kinds}}},
            "propertyTables": [{"class": "b", "count": 2, "properties": properties}],
        }
    }
    glb.document["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}]
    features = {"EXT_mesh_features": {"featureIds": [{"featureCount": 2, "attribute": 0, "propertyTable": 0}]}}
    return glb.mesh(extensions=features, material=0, _FEATURE_ID_0=np.array([1, 1, 0, 0], dtype=np.uint16)).write()


TABLE = {"name": ["a", "b"], "h": {"byteOffset": 0, "componentType": "FLOAT", "type": "SCALAR"}}
BATCHED = b3dm(square_glb([0, 0, 1, 1]), 2, TABLE, b"\0" * 8)
HIERARCHY = {"classes": [{"name": "w", "length": 2, "instances": {"a": [1, 2]}}], "instancesLength": 2, "classIds": [0, 0],
             "parentIds": [1, 1]}  # fmt: skip
CROWD = i3dm(square_glb(), POSITION=np.float32([[0, 0, 0], [9, 0, 0], [0, 9, 0]]), SCALE=np.float32([1, 2, 3]),
             NORMAL_UP=np.float32([[0, 1, 0]] * 3),
             NORMAL_RIGHT=np.float32([[1, 0, 0]] * 3), table={"n": ["a", "b", "c"]})  # fmt: skip
CONTENTS = {
    "glb": rich_glb(), "b3dm": BATCHED, "cmpt": cmpt(BATCHED, b3dm(square_glb())), "i3dm": CROWD,
    "crowd.glb": gpu(TRANSLATION=np.float32([[0, 0, 0], [9, 0, 0]]), SCALE=np.float32([[1, 1, 1], [2, 2, 2]])).write(),
    "picture.glb": with_ids(np.kron([[0, 0], [1, 2]], np.ones((4, 4), int))).write(),
    "values.glb": with_values([[[9, 8, 7, 255]]], {"h": {"type": "SCALAR", "componentType": "UINT8"}}, {"h": {"index": 0}}).write(),
    "parents.b3dm": b3dm(square_glb([0, 0, 1, 1]), 2, {"HIERARCHY": HIERARCHY}),
}  # fmt: skip


def survive(path):
    try:
        result = READER.read(path, ReadOptions(max_error=0.0))
    except DataError as error:
        if not error.remedy:
            raise
        return
    assert all(problem.message for problem in result.problems)
    for source in result.sources:
        if not isinstance(source.data, TiledCity):
            continue
        city = source.data.city
        mesh = city.meshes["tiles"]
        assert mesh.triangles.max() < len(mesh.vertices)
        assert mesh.feature_index.max() < len(city.features)
        assert np.isfinite(mesh.vertices).all()
        assert len(set(city.features.ids)) == len(city.features)
        assert all(len(column) == len(city.features) for column in city.features.columns.values())


def mutated(data, edits):
    data = bytearray(data)
    for at, piece in edits:
        data[at % len(data)] = piece
    return bytes(data)


EDITS = st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), min_size=1, max_size=8)
RELAXED = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("kind", CONTENTS)
def test_contents_cut_anywhere_load_or_are_told(tmp_path, kind):
    path = write_tileset(tmp_path, tile(f"a.{kind}"))
    for end in range(0, len(CONTENTS[kind]), 11):
        (tmp_path / f"a.{kind}").write_bytes(CONTENTS[kind][:end])
        survive(path)


@pytest.mark.parametrize("kind", CONTENTS)
@RELAXED
@given(edits=EDITS)
def test_mutated_contents_load_or_are_told(tmp_path, kind, edits):
    survive(write_tileset(tmp_path, tile(f"a.{kind}"), {f"a.{kind}": mutated(CONTENTS[kind], edits)}))


@RELAXED
@given(edits=EDITS)
def test_mutated_subtrees_load_or_are_told(tmp_path, edits):
    data = mutated(subtree([1, 0, 1, 1, 0], [0, 0, 1, 1, 0], [k == 3 for k in range(16)]), edits)
    survive(write_tileset(tmp_path, implicit(available=4), {"s/0_0_0.subtree": data, "c/1_1_0.glb": square_glb()}))


@RELAXED
@given(edits=EDITS)
def test_mutated_tilesets_load_or_are_refused(tmp_path, edits):
    path = write_tileset(tmp_path, TREE, {"a.glb": square_glb()})
    path.write_bytes(mutated(path.read_bytes(), edits))
    survive(path)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@RELAXED
@given(data=st.data(), junk=JUNK)
def test_values_of_the_wrong_type_load_or_are_refused(tmp_path, data, junk):
    document = {"asset": {"version": "1.1"}, "geometricError": 10, "root": {**TREE, **data.draw(st.sampled_from([{}, implicit()]))}}
    spots = [(document, key) for key in document] + [(document["root"], key) for key in document["root"]]
    spots += [(document["root"]["children"][0], key) for key in document["root"]["children"][0]]
    holder, key = data.draw(st.sampled_from(spots))
    kept = holder[key]
    holder[key] = junk
    try:
        text = json.dumps(document)
    finally:
        holder[key] = kept
    path = write_tileset(tmp_path, TREE, {"a.glb": square_glb(), "s/0_0_0.subtree": subtree(1, 1, 0)})
    path.write_text(text)
    survive(path)


@RELAXED
@given(data=st.data(), junk=JUNK)
def test_gltf_values_of_the_wrong_type_load_or_are_told(tmp_path, data, junk):
    glb = Glb().mesh(_BATCHID=np.zeros(4, dtype=np.float32), material=0)
    document = glb.document
    document["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}]
    primitive = document["meshes"][0]["primitives"][0]
    holders = [
        document,
        document["bufferViews"][0],
        document["accessors"][0],
        document["accessors"][1],
        document["nodes"][0],
        primitive,
    ]
    holders += [document["meshes"][0], document["scenes"][0], document["materials"][0], primitive["attributes"]]
    holder = data.draw(st.sampled_from(holders))
    holder[data.draw(st.sampled_from(sorted(holder)))] = junk
    survive(write_tileset(tmp_path, tile("a.glb"), {"a.glb": glb.write()}))
