"""Files read in parts from a real server: one request for what lies together, kept on the disk, and refusals in one message."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, ServiceError
from cimdesk.base.jobs import CancelToken
from cimdesk.services.http_ranges import BLOCK, RemoteFile
from cimdesk.services.tile_cache import TileCache

pytestmark = pytest.mark.usefixtures("little_patience")
DATA = np.random.default_rng(3).integers(0, 256, 5 * BLOCK + 777, dtype=np.uint8).tobytes()
PATH = "/big.bin"


@pytest.fixture
def server(part_server):
    part_server.files[PATH] = DATA
    part_server.headers[PATH] = {"ETag": '"one"'}
    return part_server


@pytest.fixture
def cache(tmp_path):
    return TileCache(tmp_path / "cache")


def test_parts_are_those_of_the_file_and_the_end_is_short(server, cache):
    file = RemoteFile(server.url(PATH), cache)
    assert file.size == len(DATA)
    assert file.read_at(10, 20) == DATA[10:30]
    assert file.read_at(BLOCK - 5, 3 * BLOCK) == DATA[BLOCK - 5 : 4 * BLOCK - 5]
    assert file.read_at(len(DATA) - 4, 100) == DATA[-4:]
    assert file.read_at(len(DATA), 10) == b""


def test_what_lies_together_is_asked_for_once_and_known_parts_never_again(server, cache):
    file = RemoteFile(server.url(PATH), cache)
    before = server.asked[PATH]
    file.read_at(BLOCK, 3 * BLOCK)
    file.read_at(2 * BLOCK, 100)
    assert server.asked[PATH] == before + 1
    again = RemoteFile(server.url(PATH), cache)
    again.read_at(0, 4 * BLOCK)
    assert server.asked[PATH] == before + 2


def test_what_was_seen_can_be_seen_without_the_server(server, cache):
    RemoteFile(server.url(PATH), cache).read_at(0, 2 * BLOCK)
    server.manners[PATH] = 503
    file = RemoteFile(server.url(PATH), cache)
    assert file.read_at(0, 2 * BLOCK) == DATA[: 2 * BLOCK]
    with pytest.raises(ServiceError):
        file.read_at(3 * BLOCK, 10)
    assert [problem.code for problem in file.problems()] == ["unreachable"]


@pytest.mark.parametrize("manner", ["drop", "truncate", 500])
def test_a_server_that_fails_once_is_asked_again(server, cache, manner):
    file = RemoteFile(server.url(PATH), cache)
    server.manners[PATH] = [manner, ""]
    assert file.read_at(BLOCK, 50) == DATA[BLOCK : BLOCK + 50]


@pytest.mark.parametrize(("manner", "said"), [
    (404, "HTTP 404"), (500, "HTTP 500"), ("drop", "cannot be fetched"), ("truncate", "cut off"), ("whole", "whole files only"),
    ("other-part", "other parts"), ("to:http://10.1.2.3/x", "may not be asked"), ("to:file:///etc/passwd", "may not be asked"),
])  # fmt: skip
def test_servers_that_do_not_give_parts_are_refused_with_the_reason(server, cache, manner, said):
    server.manners[PATH] = manner
    with pytest.raises(ServiceError, match=said) as caught:
        RemoteFile(server.url(PATH), cache)
    assert caught.value.remedy


def test_a_file_that_changes_is_not_mixed_with_what_it_was(server, cache):
    file = RemoteFile(server.url(PATH), cache)
    server.headers[PATH] = {"ETag": '"two"'}
    with pytest.raises(ServiceError, match="has changed"):
        file.read_at(2 * BLOCK, 10)
    server.files[PATH] = bytes(len(DATA))
    assert RemoteFile(server.url(PATH), cache).read_at(0, 10) == bytes(10)


def test_a_dead_host_is_found_out_soon_and_left_alone_for_a_while(server, cache):
    file = RemoteFile(server.url(PATH), cache)
    server.manners[PATH] = "drop"
    for _ in range(3):
        with pytest.raises(ServiceError):
            file.read_at(2 * BLOCK, 10)
    asked, start = server.asked[PATH], time.perf_counter()
    with pytest.raises(ServiceError):
        file.read_at(3 * BLOCK, 10)
    assert server.asked[PATH] == asked
    assert time.perf_counter() - start < 0.2


def test_a_slow_answer_is_given_up_when_nobody_wants_it(server, cache):
    file = RemoteFile(server.url(PATH), cache)
    server.manners[PATH] = "slow"
    cancel = CancelToken()
    threading.Timer(0.15, cancel.cancel).start()
    start = time.perf_counter()
    with pytest.raises(Cancelled), file.heeding(cancel):
        file.read_at(BLOCK, 4 * BLOCK)
    assert time.perf_counter() - start < 1.2


def test_addresses_that_are_none_are_refused(cache):
    for address in ("ftp://example.org/a.tif", "http:///a.tif", "http://user:word@example.org/a.tif"):
        with pytest.raises(ServiceError):
            RemoteFile(address, cache)
