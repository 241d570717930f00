"""Hierarchies of batch tables: features of several classes that share the properties of what they are part of."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.formats.tile_files import b3dm, square_glb, tile, write_tileset
from tests.unit.formats.tile_reading import city_of, codes, read

# Two walls and a roof of a house, and a tree; the house stands in a block, the block in a zone. Features are the first four.
CLASSES = [
    {"name": "Wall", "length": 2, "instances": {"color": ["blue", "pink"], "height": [3, 4]}},
    {"name": "Roof", "length": 1, "instances": {"color": ["red"]}},
    {"name": "Tree", "length": 1, "instances": {"kind": ["oak"]}},
    {"name": "House", "length": 1, "instances": {"owner": ["Chen"], "height": [9], "kind": ["detached"]}},
    {"name": "Block", "length": 1, "instances": {"block": ["B7"], "owner": ["town"]}},
    {"name": "Zone", "length": 1, "instances": {"zone": ["R2"], "density": [0.4]}},
]
HIERARCHY = {
    "classes": CLASSES, "instancesLength": 7, "classIds": [0, 0, 1, 2, 3, 4, 5],
    "parentCounts": [1, 1, 1, 2, 1, 1, 1], "parentIds": [4, 4, 4, 5, 6, 5, 6, 6],
}  # fmt: skip


def rows_of(tmp_path, hierarchy, binary=b"", count=4, **table):
    data = b3dm(square_glb(list(range(4))), count, {"extensions": {"3DTILES_batch_table_hierarchy": hierarchy}, **table}, binary)
    result = read(write_tileset(tmp_path, tile("a.b3dm"), {"a.b3dm": data}))
    table = city_of(result).features
    return [{k: v for k, v in table.row(row).items() if v is not None} for row in range(len(table))], codes(result)


def test_features_have_the_properties_of_what_they_are_part_of(tmp_path):
    rows, problems = rows_of(tmp_path, HIERARCHY, name=["w1", "w2", "r", "t"])
    assert not problems
    wall = {
        "type": "Wall",
        "color": "pink",
        "height": 4,
        "owner": "Chen",
        "block": "B7",
        "zone": "R2",
        "density": 0.4,
        "name": "w2",
    }
    assert wall.items() <= rows[1].items()
    assert {"type": "Roof", "height": 9, "kind": "detached"}.items() <= rows[2].items()
    assert {"type": "Tree", "kind": "oak", "owner": "town", "zone": "R2"}.items() <= rows[3].items()
    assert "color" not in rows[3]


def test_parents_may_stand_in_the_binary_body(tmp_path):
    binary = np.array([0, 0, 1, 2, 3, 4, 5, 0], "<u2").tobytes() + np.array([4, 4, 4, 5, 5, 6, 6], "<u2").tobytes()
    hierarchy = {
        "classes": CLASSES, "instancesLength": 7,
        "classIds": {"byteOffset": 0, "componentType": "UNSIGNED_SHORT"}, "parentIds": {"byteOffset": 16},
    }  # fmt: skip
    rows, problems = rows_of(tmp_path, hierarchy, binary)
    assert not problems
    assert {"type": "Wall", "color": "blue", "owner": "Chen", "zone": "R2"}.items() <= rows[0].items()


@pytest.mark.parametrize(
    "change",
    [
        {"classIds": [0, 0, 1, 2, 3, 4, 9]}, {"classIds": [0]}, {"parentIds": [4, 4]}, {"parentIds": [4, 4, 4, 5, 6, 5, 6, 99]},
        {"instancesLength": 2}, {"instancesLength": 10**12}, {"classes": 5}, {"parentCounts": [-1] * 7},
        {"parentCounts": [10**9] * 7},
        {"classes": [{**CLASSES[0], "length": 1}, *CLASSES[1:]]},
    ],
)  # fmt: skip
def test_hierarchies_that_do_not_fit_are_told_and_the_rest_is_read(tmp_path, change):
    rows, problems = rows_of(tmp_path, {**HIERARCHY, **change}, name=["w1", "w2", "r", "t"])
    assert problems == ["bad-batch-table"]
    assert rows[0]["name"] == "w1"


def test_circles_among_parents_end(tmp_path):
    rows, problems = rows_of(tmp_path, {**HIERARCHY, "parentCounts": [1] * 7, "parentIds": [1, 0, 4, 5, 6, 4, 5]})
    assert not problems
    assert rows[0]["color"] == "blue"
