"""Point clouds by their address: only those with an octree, and nodes that do not come are asked for again later."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, DataError, ServiceError
from cimdesk.formats.registry import ReadOptions
from cimdesk.services import point_store
from cimdesk.services.http_ranges import RangeServer
from cimdesk.services.point_server import ServedNodes, is_cloud_address, open_cloud
from cimdesk.services.point_store import Placement, PointStore
from cimdesk.services.tile_cache import TileCache
from tests.unit.formats.las_files import town, write_las
from tests.unit.services.test_point_store import Nodes, waited

pytestmark = pytest.mark.usefixtures("little_patience")


@pytest.fixture
def server(part_server):
    return part_server


class Failing(Nodes):
    """Nodes whose server is away until it is back."""

    is_away = True

    def read(self, row):
        if self.is_away:
            raise ServiceError("“{uri}” cannot be fetched: {reason}", uri="a.copc.laz", reason="offline")
        return super().read(row)


def served(nodes, tmp_path):
    server = RangeServer("http://127.0.0.1:1/a.copc.laz", TileCache(tmp_path))
    return PointStore(ServedNodes(nodes, SimpleNamespace(server=server)), Placement.between(None, None))


def test_a_node_that_did_not_come_is_told_and_asked_for_again_later(tmp_path, monkeypatch):
    monkeypatch.setattr(point_store, "RETRY_AFTER", 0.05)
    nodes = Failing()
    store = served(nodes, tmp_path)
    store.want(store, {0: 1.0}, ())
    waited(store)
    assert store.is_lost(0)
    assert [problem.code for problem in store.problems()] == ["broken-node"]
    nodes.is_away = False
    time.sleep(0.06)
    assert not store.is_lost(0)
    store.want(store, {0: 1.0}, ())
    waited(store)
    assert store.block(0) is not None
    assert store.problems() == ()


def test_a_node_that_nobody_wants_any_more_is_given_up_and_not_lost(tmp_path):
    class Asking(Nodes):
        def read(self, row):
            self.gate.wait(5.0)
            if store.nodes.file.server.is_unwanted():
                raise Cancelled
            return super().read(row)

    nodes = Asking()
    store = served(nodes, tmp_path)
    nodes.gate.clear()
    store.want(store, {2: 1.0}, ())
    time.sleep(0.05)
    store.want(store, {}, ())
    nodes.gate.set()
    waited(store)
    assert store.block(2) is None
    assert not store.is_lost(2)


def test_clouds_without_an_octree_and_other_files_are_refused_with_what_to_do(server, tmp_path):
    server.files["/a.laz"] = write_las(tmp_path / "a.laz", *town(500)).read_bytes()
    server.files["/b.laz"] = b"<html>"
    server.files["/c.laz"] = server.files["/a.laz"][:200]
    for name, said in (("/a.laz", "no octree"), ("/b.laz", "does not begin with LASF"), ("/c.laz", "ends in its header")):
        with pytest.raises(DataError, match=said) as caught:
            open_cloud(server.url(name), ReadOptions(), TileCache(tmp_path / "cache"))
        assert caught.value.remedy


def test_addresses_of_clouds_are_told_from_others():
    assert is_cloud_address("https://example.org/x/a.copc.laz?key=1")
    assert not is_cloud_address("https://example.org/laz/tileset.json")
    assert np.all([is_cloud_address(f"http://a/b.{suffix}") for suffix in ("las", "LAZ")])
