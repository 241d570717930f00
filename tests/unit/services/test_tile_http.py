"""Tilesets from a real server that delays, drops, cuts, redirects and refuses: what can come comes, the rest is told."""

from __future__ import annotations

import gzip
import json
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import DataError, ServiceError
from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files
from cimdesk.commands.tiled import address_of
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.model.sight import Sight
from cimdesk.model.tile_choice import select_tiles
from cimdesk.services.tile_cache import TileCache
from cimdesk.services.tile_http import Limits, TilesetServer
from cimdesk.services.tile_store import TileStore
from tests.unit.formats.tile_files import SQUARE, square_glb, tile
from tests.unit.services.tile_server import TileServer

QUICK = Limits(timeout=1.0, longest=2.0, tries=3, pause=0.02)
LIMIT = 1 << 20


@pytest.fixture
def server():
    made = TileServer()
    made.files["/city/tileset.json"] = json.dumps(
        {"asset": {"version": "1.1"}, "geometricError": 9, "root": tile("a.glb")}
    ).encode()
    made.files["/city/a.glb"] = square_glb()
    yield made
    made.close()


@pytest.fixture
def opened(server, tmp_path):
    return TilesetServer(server.url("/city/tileset.json"), TileCache(tmp_path / "cache"), QUICK)


def test_files_are_found_beside_the_tileset_and_kept_on_the_disk(server, opened):
    reference = opened.reference("a.glb", opened.name)
    assert opened.read(reference, LIMIT) == server.files["/city/a.glb"]
    assert opened.read(reference, LIMIT) == server.files["/city/a.glb"]
    assert server.asked["/city/a.glb"] == 1


@pytest.mark.parametrize("trouble", ["drop", "truncate", 500, 503])
def test_passing_trouble_is_got_over(server, opened, trouble):
    server.manners["/city/a.glb"] = [trouble, trouble, ""]
    assert opened.read(opened.reference("a.glb"), LIMIT) == server.files["/city/a.glb"]
    assert server.asked["/city/a.glb"] == 3


@pytest.mark.parametrize("trouble", ["drop", "truncate", 500])
def test_lasting_trouble_ends_after_a_few_tries(server, opened, trouble):
    server.manners["/city/a.glb"] = trouble
    with pytest.raises(BrokenPart) as caught:
        opened.read(opened.reference("a.glb"), LIMIT)
    assert caught.value.code == "unreachable"
    assert server.asked["/city/a.glb"] == 3


def test_what_is_not_there_is_asked_for_once(server, opened):
    with pytest.raises(BrokenPart) as caught:
        opened.read(opened.reference("gone.glb"), LIMIT)
    assert caught.value.code == "missing-content"
    assert server.asked["/city/gone.glb"] == 1


def test_packed_answers_and_packed_files_are_unpacked(server, opened):
    server.manners["/city/a.glb"] = "gzip"
    server.files["/city/b.glb"] = gzip.compress(b"tile" * 100)
    assert opened.read(opened.reference("a.glb"), LIMIT) == server.files["/city/a.glb"]
    assert opened.read(opened.reference("b.glb"), LIMIT) == b"tile" * 100


def test_what_is_too_large_is_refused_packed_or_not(server, opened):
    for manner in ("", "gzip"):
        server.files["/city/big.glb"] = b"\0" * (LIMIT + 1)
        server.manners["/city/big.glb"] = manner
        with pytest.raises(BrokenPart) as caught:
            opened.read(opened.reference("big.glb"), LIMIT)
        assert caught.value.code == "too-large"


def test_a_server_that_dawdles_is_left_in_time(server, opened):
    server.manners["/city/a.glb"] = "slow"
    quick = TilesetServer(opened.address, opened.cache, Limits(timeout=1.0, longest=0.2, tries=1))
    begun = time.monotonic()
    with pytest.raises(BrokenPart) as caught:
        quick.read(quick.reference("a.glb"), LIMIT)
    assert caught.value.code == "unreachable"
    assert time.monotonic() - begun < 1.5


def test_a_fetch_that_nobody_wants_any_more_is_given_up(server, opened):
    server.manners["/city/a.glb"] = "slow"
    begun = time.monotonic()
    opened.is_unwanted = lambda: time.monotonic() - begun > 0.2
    with pytest.raises(BrokenPart) as caught:
        opened.read(opened.reference("a.glb"), LIMIT)
    assert caught.value.code == "cancelled"
    assert time.monotonic() - begun < 1.0


def test_an_old_file_is_confirmed_rather_than_fetched_again(server, opened):
    server.headers["/city/a.glb"] = {"ETag": '"1"', "Cache-Control": "no-cache"}
    for _ in range(3):
        assert opened.read(opened.reference("a.glb"), LIMIT) == server.files["/city/a.glb"]
    asked = [headers.get("If-None-Match") for path, headers in server.seen if path == "/city/a.glb"]
    assert asked == [None, '"1"', '"1"']


def test_what_was_kept_serves_while_the_server_is_away(server, opened):
    server.headers["/city/a.glb"] = {"ETag": '"1"', "Cache-Control": "no-cache"}
    data = opened.read(opened.reference("a.glb"), LIMIT)
    server.manners["/city/a.glb"] = "drop"
    assert opened.read(opened.reference("a.glb"), LIMIT) == data


def test_a_server_may_forbid_keeping(server, opened):
    server.headers["/city/a.glb"] = {"Cache-Control": "no-store"}
    for _ in range(2):
        opened.read(opened.reference("a.glb"), LIMIT)
    assert server.asked["/city/a.glb"] == 2


def test_the_disk_cache_stays_within_its_size(tmp_path):
    cache = TileCache(tmp_path, most=10_000)
    for k in range(40):
        cache.put(f"http://example.org/{k}", b"x" * 1000, {})
    cache.tidy()
    assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= 10_000


def test_a_damaged_file_of_the_cache_is_fetched_again(server, opened, tmp_path):
    opened.read(opened.reference("a.glb"), LIMIT)
    for path in (tmp_path / "cache").glob("*/*"):
        path.write_bytes(path.read_bytes()[:-3])
    assert opened.read(opened.reference("a.glb"), LIMIT) == server.files["/city/a.glb"]
    assert server.asked["/city/a.glb"] == 2


def test_redirects_on_the_same_server_are_followed(server, opened):
    server.manners["/city/a.glb"] = "to:/other/a.glb"
    server.files["/other/a.glb"] = b"moved"
    assert opened.read(opened.reference("a.glb"), LIMIT) == b"moved"


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.2/x", "http://169.254.169.254/meta", "http://[::1]/x"]
)
def test_redirects_to_files_and_other_private_places_are_refused(server, opened, target):
    server.manners["/city/a.glb"] = f"to:{target}"
    with pytest.raises(BrokenPart) as caught:
        opened.read(opened.reference("a.glb"), LIMIT)
    assert caught.value.code == "unsafe-uri"
    assert server.asked["/city/a.glb"] == 1


def test_endless_redirects_end(server, opened):
    server.manners["/city/a.glb"] = "to:/city/a.glb"
    with pytest.raises(BrokenPart):
        opened.read(opened.reference("a.glb"), LIMIT)
    assert server.asked["/city/a.glb"] <= 20


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "http://127.0.0.1:1/x.glb",
        "http://192.168.0.1/x",
        "http://localhost/x",
        "data:,x",
        "//10.0.0.1/x",
        "http://u:p@example.org/x",
    ],
)
def test_references_to_private_places_and_other_schemes_are_refused(opened, uri):
    with pytest.raises(BrokenPart) as caught:
        opened.reference(uri, opened.name)
    assert caught.value.code == "unsafe-uri"


def test_references_to_other_public_servers_are_allowed(opened):
    assert opened.reference("https://tiles.example.org/a.glb", opened.name) == "https://tiles.example.org/a.glb"


def test_a_public_name_that_stands_for_this_machine_is_refused_when_it_answers(server, opened, monkeypatch):
    real = socket.getaddrinfo

    def lying(host, *arguments, **more):
        return real("127.0.0.1" if host == "tiles.example.org" else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    with pytest.raises(BrokenPart) as caught:
        opened.read(f"http://tiles.example.org:{server.port}/city/a.glb", LIMIT)
    assert caught.value.code == "unsafe-uri"
    assert server.asked["/city/a.glb"] == 0


def test_keys_in_the_address_go_to_the_same_server_only(server, tmp_path):
    opened = TilesetServer(server.url("/city/tileset.json?key=7"), TileCache(tmp_path), QUICK)
    assert opened.reference("a.glb", opened.name).endswith("/city/a.glb?key=7")
    assert "key" not in opened.reference("https://tiles.example.org/a.glb", opened.name)


def test_a_dead_address_is_one_message(tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}/tileset.json"
        with pytest.raises(ServiceError) as caught:
            TilesetServer(address, TileCache(tmp_path), QUICK)
    assert "tileset.json" in caught.value.message


def test_paths_that_are_addresses_are_told_apart(tmp_path):
    assert address_of(Path("https://example.org/t/tileset.json")) == "https://example.org/t/tileset.json"
    assert address_of("http://example.org/a?b=c") == "http://example.org/a?b=c"
    assert address_of(tmp_path) is None
    assert address_of(Path("http.json")) is None


def test_a_view_over_a_bad_line_completes_and_tells_what_is_missing(server, tmp_path):
    children = []
    for k in range(12):
        shift = np.array([k * 10, 0, 0], np.float32)
        server.files[f"/city/t{k}.glb"] = square_glb(points=SQUARE + shift)
        children.append(tile(f"t{k}.glb"))
    troubles = ["drop", "truncate", 500, "gzip", [500, ""], ["truncate", ""], "slow", "to:/moved.glb", 404, "to:file:///etc/passwd"]
    server.manners |= {f"/city/t{k}.glb": trouble for k, trouble in enumerate(troubles)}
    server.files["/moved.glb"] = square_glb()
    root = tile(error=50, children=children, refine="REPLACE")
    server.files["/city/tileset.json"] = json.dumps({"asset": {"version": "1.1"}, "geometricError": 99, "root": root}).encode()
    place = TilesetServer(server.url("/city/tileset.json"), TileCache(tmp_path), Limits(1.0, 5.0, 3, 0.02))
    store = TileStore(TileStream(place, place.name), workers=6)
    view = Sight(np.zeros(3), np.zeros((0, 4)), 1e-3, 4.0)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        ready = [row for row in range(13) if store.block(row) is not None]
        lost = [row for row in range(13) if store.is_lost(row)]
        choice = select_tiles(store.tileset, view, ready, lost)
        if not choice.wanted:
            break
        store.want(store, choice.wanted, choice.kept)
        store.wait(10)
    shown = sorted(store.tileset.contents[row][0].rsplit("/", 1)[1] for row in choice.shown)
    assert shown == sorted(f"t{k}.glb" for k in (3, 4, 5, 6, 7, 10, 11))
    told = {problem.where.rsplit("/", 1)[1] for problem in store.problems()}
    assert told == {f"t{k}.glb" for k in (0, 1, 2, 8, 9)}


@pytest.mark.parametrize("streams", [False, True])
def test_an_address_becomes_a_layer_that_remembers_it(server, tmp_path, monkeypatch, streams):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path))

    class InWindow:
        def start(self, job):
            job.done(job.work(no_progress, CancelToken()))

    session = Session(runner=InWindow() if streams else None)
    (layer,) = import_files(session, [Path(server.url("/city/tileset.json"))])
    assert layer.source == server.url("/city/tileset.json")
    assert layer.name == "city"
    assert (session.workspace.data(layer.id).tiles is not None) == streams
    assert len(session.workspace.data(layer.id).whole().features) == 1
    assert session.workspace.data(layer.id).whole().bounds[1, :2].tolist() == [10.0, 10.0]


def test_an_address_that_gives_no_tileset_is_one_message(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CIMDESK_HOME", str(tmp_path))
    server.files["/page.json"] = b"<html>"
    with pytest.raises(DataError):
        import_files(Session(), [Path(server.url("/page.json"))])
    with pytest.raises(ServiceError):
        import_files(Session(), [Path(server.url("/nothing.json"))])
