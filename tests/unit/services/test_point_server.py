"""Point clouds by their address: only those with an octree, and nodes that do not come are asked for again later."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, DataError, ServiceError
from cimdesk.base.jobs import CancelToken
from cimdesk.formats import pointcloud, registry
from cimdesk.formats.registry import ReadOptions
from cimdesk.services import kept_files, point_store, whole_files
from cimdesk.services.http_ranges import RangeServer
from cimdesk.services.point_server import ServedNodes, glance_at_cloud, is_cloud_address, open_cloud
from cimdesk.services.point_store import Placement, PointStore
from cimdesk.services.tile_cache import TileCache
from cimdesk.services.tile_http import Limits
from tests.unit.formats.las_files import town, write_las
from tests.unit.services.test_point_store import Nodes, waited

pytestmark = pytest.mark.usefixtures("little_patience")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_files, "cache_dir", lambda: tmp_path / "home")
    monkeypatch.setattr(whole_files, "PATIENCE", Limits(timeout=0.8, longest=2.0, tries=2, pause=0.02))


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


def test_other_files_are_refused_with_what_to_do(server, tmp_path):
    server.files["/b.laz"] = b"<html>"
    server.files["/c.laz"] = write_las(tmp_path / "a.laz", *town(500)).read_bytes()[:200]
    for name, said in (("/b.laz", "does not begin with LASF"), ("/c.laz", "ends in its header")):
        with pytest.raises(DataError, match=said) as caught:
            open_cloud(server.url(name), ReadOptions(), TileCache(tmp_path / "cache"))
        assert caught.value.remedy
        assert server.asked[name] <= 2


@pytest.fixture(params=["parts", "whole"])
def any_server(request, part_server):
    part_server.gives_parts = request.param == "parts"
    return part_server


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_a_cloud_without_an_octree_is_fetched_whole_and_opened_as_one_from_the_disk(any_server, tmp_path, suffix):
    file = write_las(tmp_path / f"a{suffix}", *town(5000))
    any_server.files[f"/a{suffix}"] = file.read_bytes()
    any_server.headers[f"/a{suffix}"] = {"ETag": '"a"'}
    told = []
    options = ReadOptions(progress=lambda fraction, text="": told.append(fraction))
    result = open_cloud(any_server.url(f"/a{suffix}"), options, TileCache(tmp_path / "cache"))
    local = registry.read(file)
    assert (result.format, result.version, result.crs, dict(result.objects)) == (
        local.format, local.version, local.crs, dict(local.objects),
    )  # fmt: skip
    assert result.sources[0].name == local.sources[0].name == "a"
    assert np.allclose(result.extent, local.extent)
    assert told == sorted(told)
    assert 0.9 <= told[-1] <= 1.0
    again = open_cloud(any_server.url(f"/a{suffix}"), ReadOptions(), TileCache(tmp_path / "cache"))
    assert dict(again.objects) == dict(result.objects)
    whole = [headers for path, headers in any_server.seen if "Range" not in headers]
    # Where no parts are given, each opening looks at the head of an answer first.
    assert len(whole) == (1 if any_server.gives_parts else 3)


def test_a_large_cloud_is_glanced_at_when_somebody_looks_and_read_else(server, tmp_path, monkeypatch):
    monkeypatch.setattr(pointcloud, "IN_MEMORY", 1000)
    server.files["/a.laz"] = write_las(tmp_path / "a.laz", *town(5000)).read_bytes()
    cache = TileCache(tmp_path / "cache")
    assert open_cloud(server.url("/a.laz"), ReadOptions(), cache).sources[0].data.is_glance
    whole = open_cloud(server.url("/a.laz"), ReadOptions(), cache, streams=False).sources[0].data
    assert not whole.is_glance
    assert whole.count == 5000
    # Prepared now: there is nothing to glance at any more.
    assert not open_cloud(server.url("/a.laz"), ReadOptions(), cache).sources[0].data.is_glance


def test_a_look_at_a_cloud_fetches_its_header_alone(server, tmp_path):
    server.files["/a.laz"] = write_las(tmp_path / "a.laz", *town(50_000)).read_bytes()
    cache = TileCache(tmp_path / "cache")
    seen = glance_at_cloud(server.url("/a.laz"), ReadOptions(), cache)
    assert dict(seen.objects) == {"points": 50_000}
    assert seen.sources == ()
    assert (seen.format, seen.crs) == ("LAZ", "EPSG:4547")
    assert [problem.code for problem in seen.problems] == ["whole-file"]
    assert all("Range" in headers for _, headers in server.seen)
    open_cloud(server.url("/a.laz"), ReadOptions(), cache)
    assert glance_at_cloud(server.url("/a.laz"), ReadOptions(), cache) is None


def test_a_look_at_a_cloud_of_a_server_without_parts_tells_its_size(any_server, tmp_path):
    any_server.gives_parts = False
    any_server.files["/a.laz"] = write_las(tmp_path / "a.laz", *town(50_000)).read_bytes()
    seen = glance_at_cloud(any_server.url("/a.laz"), ReadOptions(), TileCache(tmp_path / "cache"))
    assert dict(seen.objects) == {}
    assert int(seen.problems[0].values["size"]) == round(len(any_server.files["/a.laz"]) / 1e6)


def test_what_is_too_large_is_told_before_it_is_fetched(any_server, tmp_path, monkeypatch):
    monkeypatch.setattr(whole_files, "MOST_BYTES", 10_000)
    any_server.files["/a.laz"] = write_las(tmp_path / "a.laz", *town(50_000)).read_bytes()
    for look in (glance_at_cloud, open_cloud):
        with pytest.raises(ServiceError, match="larger than") as caught:
            look(any_server.url("/a.laz"), ReadOptions(), TileCache(tmp_path / "cache"))
        assert "COPC" in caught.value.remedy


def test_a_cloud_that_was_fetched_opens_without_its_server(any_server, tmp_path):
    any_server.files["/a.laz"] = write_las(tmp_path / "a.laz", *town(500)).read_bytes()
    any_server.headers["/a.laz"] = {"ETag": '"a"'}
    open_cloud(any_server.url("/a.laz"), ReadOptions(), TileCache(tmp_path / "cache"))
    any_server.manners["/a.laz"] = "drop"
    for cache in ("cache", "another"):
        assert dict(open_cloud(any_server.url("/a.laz"), ReadOptions(), TileCache(tmp_path / cache)).objects) == {"points": 500}


def test_a_fetch_is_given_up_when_it_is_cancelled(any_server, tmp_path):
    any_server.files["/a.laz"] = write_las(tmp_path / "a.laz", *town(50_000)).read_bytes()
    cancel = CancelToken()

    def told(fraction, text=""):
        cancel.cancel()

    with pytest.raises(Cancelled):
        open_cloud(any_server.url("/a.laz"), ReadOptions(cancel=cancel, progress=told), TileCache(tmp_path / "cache"))


@pytest.mark.parametrize("target", ["http://10.0.0.1/a.laz", "file:///etc/passwd"])
def test_redirects_of_clouds_to_places_of_their_own_are_refused(any_server, tmp_path, target):
    any_server.manners["/a.laz"] = f"to:{target}"
    with pytest.raises(ServiceError, match="may not be asked for"):
        open_cloud(any_server.url("/a.laz"), ReadOptions(), TileCache(tmp_path / "cache"))


def test_addresses_of_clouds_are_told_from_others():
    assert is_cloud_address("https://example.org/x/a.copc.laz?key=1")
    assert not is_cloud_address("https://example.org/laz/tileset.json")
    assert np.all([is_cloud_address(f"http://a/b.{suffix}") for suffix in ("las", "LAZ")])
