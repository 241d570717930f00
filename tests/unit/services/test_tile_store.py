"""Tiles brought by threads: nearest first, given up when unwanted, within the memory allowed, lost ones told once."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from cimdesk.base.errors import Problem, Severity
from cimdesk.formats.findings import Findings
from cimdesk.formats.tiles3d_decode import DecodedTile, block_of
from cimdesk.model.features import as_strings
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.tileset import Tileset
from cimdesk.services.tile_store import TileStore


def mesh_of(triangles=10):
    points = np.random.default_rng(1).uniform(0, 10, (3 * triangles, 3)).astype(np.float32)
    rows = np.arange(3 * triangles, dtype=np.int32).reshape(-1, 3)
    return TriangleMesh(points, rows, np.arange(triangles, dtype=np.int32) % 2, np.full(triangles, 2, np.uint8))


class FakeStream:
    """Thirty tiles under an empty root; some are slow, some broken."""

    def __init__(self, count=30, triangles=10, gate=None):
        n = count + 1
        self.tileset = Tileset(
            np.array([-1] + [0] * count, np.int32), np.zeros(n), np.full(n, True), np.zeros((n, 3)), np.ones(n),
            ((), *((f"t{k}",) for k in range(count))), np.tile(np.eye(4), (n, 1, 1)), "1.1", "",
        )  # fmt: skip
        self.place = SimpleNamespace(read=lambda reference, limit: b"")
        self.findings = Findings()
        self.decoded = []
        self.triangles = triangles
        self.gate = gate
        self.broken = {}

    def files_below(self, row):
        return []

    def expand(self, row):
        raise AssertionError

    def decode(self, row):
        self.decoded.append(row)
        if self.gate is not None:
            self.gate.wait(5)
        if row in self.broken:
            if isinstance(self.broken[row], Exception):
                raise self.broken[row]
            return DecodedTile(None, as_strings(()), {}, (Problem(Severity.ERROR, self.broken[row], f"t{row}", "gone"),))
        ids = as_strings([f"{row}#0", "shared"])
        return DecodedTile(block_of(row, mesh_of(self.triangles), 2), ids, {"height": np.array([float(row), 1.0])}, ())


def test_wanted_tiles_come_most_urgent_first():
    gate = threading.Event()
    stream = FakeStream(gate=gate)
    store = TileStore(stream, workers=1)
    store.want(store, {row: float(row % 7) + row / 100 for row in range(1, 31)}, ())
    time.sleep(0.05)
    gate.set()
    assert store.wait(5)
    urgency = [row % 7 + row / 100 for row in stream.decoded]
    assert urgency == sorted(urgency, reverse=True)
    assert all(store.block(row) is not None for row in range(1, 31))


def test_what_is_no_longer_wanted_is_not_begun():
    gate = threading.Event()
    stream = FakeStream(gate=gate)
    store = TileStore(stream, workers=1)
    store.want(store, dict.fromkeys(range(1, 31), 1.0), ())
    time.sleep(0.05)
    store.want(store, {7: 1.0}, ())
    gate.set()
    assert store.wait(5)
    assert len(stream.decoded) == 2
    assert store.block(7) is not None


def test_two_views_have_wishes_of_their_own():
    store = TileStore(FakeStream())
    other = object()
    store.want(store, {1: 1.0}, ())
    store.want(other, {2: 1.0}, ())
    assert store.wait(5)
    assert store.block(1) is not None
    assert store.block(2) is not None


def test_the_memory_allowed_is_never_exceeded_and_what_is_kept_stays():
    stream = FakeStream(triangles=200)
    size = block_of(1, mesh_of(200), 2).size
    store = TileStore(stream, memory=5 * size + 10)
    most = 0
    for row in range(1, 31):
        store.want(store, {row: 1.0}, {1, 2})
        assert store.wait(5)
        held = sum(block.size for block in store._held.blocks.values())
        assert held == store.used
        most = max(most, held)
    assert 4 * size <= most <= store.memory
    assert store.block(1) is not None
    assert store.block(2) is not None
    assert store.block(30) is not None
    assert store.block(4) is None


def test_where_what_is_in_sight_fills_the_memory_the_store_says_so_and_rests():
    stream = FakeStream(triangles=200)
    store = TileStore(stream, memory=3 * block_of(1, mesh_of(200), 2).size)
    store.want(store, dict.fromkeys(range(1, 31), 1.0), range(1, 31))
    assert store.wait(5)
    assert store.is_full
    assert store.used <= store.memory
    assert not store.is_busy
    assert len(stream.decoded) <= 6


@pytest.mark.parametrize("how", ["missing-content", ValueError("boom")])
def test_a_broken_tile_is_told_once_and_not_asked_for_again(how):
    stream = FakeStream()
    stream.broken[3] = how
    store = TileStore(stream)
    for _ in range(3):
        store.want(store, {3: 1.0, 4: 0.5}, ())
        assert store.wait(5)
    assert store.is_lost(3)
    assert stream.decoded.count(3) == 1
    assert len(store.problems()) == 1
    assert store.block(4) is not None


def test_a_tile_that_did_not_come_for_now_is_asked_for_again_later(monkeypatch):
    monkeypatch.setattr("cimdesk.services.tile_store.RETRY_AFTER", 0.05)
    stream = FakeStream()
    stream.broken[3] = "unreachable"
    store = TileStore(stream)
    store.want(store, {3: 1.0}, ())
    assert store.wait(5)
    assert store.is_lost(3)
    del stream.broken[3]
    time.sleep(0.06)
    store.want(store, {3: 1.0}, ())
    assert store.wait(5)
    assert store.block(3) is not None


def test_features_have_one_row_however_many_tiles_show_them():
    store = TileStore(FakeStream())
    store.want(store, {1: 2.0, 2: 1.0}, ())
    assert store.wait(5)
    city = store.city()
    assert sorted(city.features.ids.tolist()) == ["1#0", "2#0", "shared"]
    shared = store.rows_of(["shared"])[0]
    assert store.block(1).features[1] == store.block(2).features[1] == shared
    assert city.features.columns["height"][shared] == 1.0
    assert len(city.meshes["tiles"].triangles) == 20


def test_an_idle_store_has_no_threads():
    store = TileStore(FakeStream())
    store.want(store, dict.fromkeys(range(1, 31), 1.0), ())
    assert store.wait(5)
    deadline = time.monotonic() + 2
    while store._threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert store._threads == 0
