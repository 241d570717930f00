"""Nodes for the view: they come in threads, best first, within the memory, in metres of the project's system."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.model.points import Dimension, PointBlock, PointCloud, PointTree
from cimdesk.services.point_store import Placement, PointStore, placed

UTM = Crs.epsg(32650)


class Nodes:
    """A root with children side by side; remembers what was read."""

    def __init__(self, children=4, broken=(), low=(0.0, 0.0, 0.0), side=100.0):
        count = children + 1
        keys = np.array([[0, 0, 0, 0], *([1, k, 0, 0] for k in range(children))], dtype=np.int32)
        low, side = np.tile(low, (count, 1)), np.full((count, 1), side)
        self.tree = PointTree(
            keys, np.array([-1] + [0] * children, dtype=np.int32), np.full(count, 50), low, low + side, side[:, 0] / 128
        )
        self.read_rows: list[int] = []
        self.broken = broken
        self.gate = threading.Event()
        self.gate.set()

    def read(self, row):
        self.gate.wait(5.0)
        self.read_rows.append(row)
        if row in self.broken:
            raise DataError("a.laz", "the points of a node cannot be unpacked ({reason}).", where="1-0-0-0", reason="test")
        xyz = np.zeros((50, 3), dtype=np.float32)
        xyz[:, 2] = 10.0
        return PointBlock(row, self.tree.low[row] + 1.0, xyz, {})


def waited(store, seconds=5.0):
    deadline = time.monotonic() + seconds
    while store.is_busy and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not store.is_busy


def store_of(nodes, own=None, target=None, **options):
    return PointStore(nodes, Placement.between(own, target), **options)


def test_what_is_wanted_most_comes_first():
    nodes = Nodes()
    store = store_of(nodes, workers=1)
    nodes.gate.clear()
    store.want(store, {3: 1.0, 1: 9.0, 2: 5.0}, {})
    nodes.gate.set()
    waited(store)
    assert nodes.read_rows == [1, 2, 3]


def test_a_broken_node_is_lost_and_told_once():
    nodes = Nodes(broken=(2,))
    store = store_of(nodes)
    for _ in range(3):
        store.want(store, {0: 3.0, 2: 2.0}, {})
        waited(store)
    assert store.is_lost(2)
    assert store.block(0) is not None
    assert nodes.read_rows.count(2) == 1
    assert [problem.code for problem in store.problems()] == ["broken-node"]


def test_the_memory_holds_and_the_same_view_is_not_tried_again():
    nodes = Nodes(children=8)
    store = store_of(nodes)
    store.memory = 4 * nodes.read(0).size
    wishes = {row: 9.0 - row for row in range(9)}
    store.want(store, wishes, wishes)
    waited(store)
    tried = len(nodes.read_rows)
    assert store.used <= store.memory
    assert store.is_full
    store.want(store, {row: 1.0 for row in wishes if store.block(row) is None}, wishes)
    waited(store)
    assert len(nodes.read_rows) == tried


def test_what_is_out_of_sight_makes_room():
    nodes = Nodes(children=8)
    store = store_of(nodes)
    store.memory = 3 * nodes.read(0).size
    store.want(store, {0: 3.0, 1: 2.0, 2: 1.0}, {0, 1, 2})
    waited(store)
    store.want(store, {5: 1.0}, {0, 5})
    waited(store)
    assert store.block(0) is not None
    assert store.block(5) is not None


def test_a_client_that_left_is_not_served():
    nodes = Nodes()
    store = store_of(nodes, workers=1)
    nodes.gate.clear()
    store.want(store, {1: 1.0}, {})
    store.want(nodes, {2: 1.0, 3: 0.5}, {})
    store.forget(nodes)
    nodes.gate.set()
    waited(store)
    assert 3 not in nodes.read_rows


@pytest.mark.parametrize(
    ("own", "factor"), [(Crs.epsg(2994), 0.3048), (Crs.epsg(2991, 6360), 1200 / 3937), (UTM, 1.0), (None, 1.0)]
)
def test_heights_come_out_in_metres(own, factor):
    store = store_of(Nodes(), own)
    assert store.read(0).world()[0, 2] == pytest.approx(11.0 * factor)
    assert store.tree.high[0, 2] == pytest.approx(100.0 * factor)


def test_points_and_boxes_are_in_the_projects_system():
    nodes = Nodes(low=(117.0, 30.0, 0.0), side=0.01)
    store = store_of(nodes, Crs.epsg(4326), UTM)
    east, north, _ = Crs.epsg(4326).transform(UTM, np.array([[117.0, 30.0, 0.0]]))[0]
    assert store.tree.low[0, :2] == pytest.approx([east, north], abs=20.0)
    assert 900 < store.tree.high[0, 0] - store.tree.low[0, 0] < 1200
    assert store.tree.spacing[0] == pytest.approx(1000 / 128, rel=0.15)


def test_places_that_cannot_be_are_nowhere_and_the_others_keep_their_numbers():
    nodes = Nodes(low=(117.0, 30.0, 0.0), side=0.01)
    plain = nodes.read

    def read(row):
        block = plain(row)
        block.xyz[7] = (0.0, 1e4, 0.0)
        return block

    nodes.read = read
    block = store_of(nodes, Crs.epsg(4326), UTM).read(0)
    assert not np.isfinite(block.xyz[7]).all()
    assert np.isfinite(np.delete(block.xyz, 7, axis=0)).all()
    assert len(block) == 50


def test_a_placed_cloud_tells_heights_in_metres():
    cloud = PointCloud(Nodes(), 250, {"height": Dimension("height", 0.0, 100.0)})
    assert placed(cloud, Crs.epsg(2994), None).dimensions["height"].high == pytest.approx(30.48)
