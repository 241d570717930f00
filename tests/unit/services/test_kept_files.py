"""Whole files from servers: fetched once, gone on with after a break, never larger than told, and only from where they may come."""

from __future__ import annotations

import os
import threading
import time

import orjson
import pytest

from cimdesk.base.errors import Cancelled, DataError, ServiceError
from cimdesk.base.jobs import CancelToken
from cimdesk.services import kept_files, whole_files
from cimdesk.services.kept_files import fetch_file, is_kept, kept_file, kept_state
from cimdesk.services.tile_http import Limits
from cimdesk.services.whole_files import FileState
from tests.unit.services.tile_server import TileServer

DATA = b"LASF" + os.urandom(900_000)
NAME = "/survey/town%20centre.laz"
PLACE = "/survey/town centre.laz"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_files, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(whole_files, "PATIENCE", Limits(timeout=0.8, longest=2.0, tries=2, pause=0.02))
    return tmp_path


@pytest.fixture(params=["parts", "whole"])
def any_server(request, part_server):
    if request.param == "parts":
        yield serving(part_server)
        return
    made = TileServer()
    yield serving(made)
    made.close()


@pytest.fixture
def server(part_server):
    return serving(part_server)


def serving(server, data=DATA, mark='"one"'):
    server.files[NAME] = data
    server.headers[NAME] = {"ETag": mark} if mark else {}
    return server


def fetched(server, cancel=None, told=None, name=NAME):
    return fetch_file(server.url(name), b"LASF", told or (lambda *_: None), cancel or CancelToken())


def test_a_file_is_fetched_once_and_keeps_its_name(any_server):
    path = fetched(any_server)
    assert path.read_bytes() == DATA
    assert path.name == "town centre.laz"
    before = any_server.asked[NAME]
    assert fetched(any_server) == path
    # The second time the server is asked for the state of the file alone.
    assert any_server.asked[NAME] == before + 1
    assert kept_file(any_server.url(NAME)) == path
    assert {each.name for each in path.parent.iterdir()} == {path.name, "state.json"}


def test_a_state_that_is_known_already_is_not_asked_for(server):
    path = fetched(server)
    state = kept_state(server.url(NAME))
    before = server.asked[NAME]
    assert fetch_file(server.url(NAME), b"LASF", lambda *_: None, CancelToken(), state) == path
    assert server.asked[NAME] == before
    assert is_kept(server.url(NAME), state)
    assert not is_kept(server.url(NAME), FileState(state.size, '"two"'))


def test_a_file_that_has_changed_is_fetched_again(any_server):
    fetched(any_server)
    other = b"LASF" + os.urandom(1000)
    serving(any_server, other, '"two"')
    assert fetched(any_server).read_bytes() == other


def test_a_file_without_any_mark_is_trusted_for_an_hour(server, monkeypatch):
    serving(server, DATA, "")
    path = fetched(server)
    same = b"LASF" + bytes(len(DATA) - 4)
    serving(server, same, "")
    assert fetched(server).read_bytes() == DATA
    monkeypatch.setattr(kept_files, "FRESH_FOR", 0.0)
    assert fetched(server).read_bytes() == same
    assert path.exists()


def test_what_is_kept_serves_while_the_server_is_away(server):
    path = fetched(server)
    for manner in ("drop", 503, 404):
        server.manners[NAME] = manner
        assert fetched(server) == path


def test_progress_grows_to_the_end_and_tells_megabytes(any_server):
    told = []
    fetched(any_server, told=lambda fraction, text="": told.append((fraction, text)))
    parts = [fraction for fraction, _ in told]
    assert parts == sorted(parts)
    assert len(parts) < 20
    assert parts[-1] == 1.0
    assert told[-1][1] == "1 / 1 MB"


def test_a_fetch_that_broke_off_goes_on_where_it_was(server):
    server.manners[NAME] = ["truncate", ""]
    assert fetched(server).read_bytes() == DATA
    ranges = [headers.get("Range") for path, headers in server.seen]
    assert ranges[0] is None
    assert 0 < int(ranges[1].removeprefix("bytes=").rstrip("-")) <= len(DATA) // 2


def test_a_server_without_parts_begins_anew_after_a_break():
    made = serving(TileServer())
    made.manners[NAME] = ["truncate", ""]
    assert fetched(made).read_bytes() == DATA
    made.close()


def test_a_fetch_that_was_cancelled_goes_on_the_next_time(server):
    server.manners[NAME] = "slow"
    cancel = CancelToken()
    threading.Timer(0.5, cancel.cancel).start()
    start = time.perf_counter()
    with pytest.raises(Cancelled):
        fetched(server, cancel)
    assert time.perf_counter() - start < 2.0
    assert kept_file(server.url(NAME)) is None
    server.manners[NAME] = ""
    assert fetched(server).read_bytes() == DATA
    assert int(server.seen[-1][1]["Range"].removeprefix("bytes=").rstrip("-")) > 0


def test_a_file_that_changed_while_it_was_fetched_is_fetched_anew(server):
    server.manners[NAME] = "truncate"
    with pytest.raises(ServiceError):
        fetched(server)
    server.manners[NAME] = ""
    other = b"LASF" + os.urandom(len(DATA) - 4)
    serving(server, other, '"two"')
    assert fetched(server).read_bytes() == other


def test_a_part_that_is_whole_already_is_not_asked_for_again(server):
    path = fetched(server)
    path.replace(path.with_name(path.name + ".part"))
    before = server.asked[NAME]
    assert fetched(server).read_bytes() == DATA
    assert server.asked[NAME] == before


def test_a_part_that_is_too_long_is_begun_anew(server):
    path = fetched(server)
    path.with_name(path.name + ".part").write_bytes(DATA + b"more")
    path.unlink()
    assert fetched(server).read_bytes() == DATA


@pytest.mark.parametrize(("manner", "said"), [("drop", "cannot be fetched"), (404, "HTTP 404"), (500, "HTTP 500")])
def test_servers_that_fail_are_told_with_what_to_do(server, manner, said):
    server.manners[NAME] = manner
    with pytest.raises(ServiceError, match=said) as caught:
        fetched(server)
    assert caught.value.remedy
    assert server.asked[NAME] <= 2


def test_a_server_that_comes_to_itself_is_asked_again(server):
    server.manners[NAME] = [503, ""]
    assert fetched(server).read_bytes() == DATA


def test_what_is_too_large_is_not_fetched_and_the_limit_is_told(any_server, monkeypatch):
    monkeypatch.setattr(whole_files, "MOST_BYTES", 1 << 19)
    with pytest.raises(ServiceError, match="larger than 0 MB") as caught:
        fetched(any_server)
    assert "COPC" in str(caught.value)
    assert not list(kept_files._place_of(any_server.url(NAME)).parent.glob("*.laz*"))


def test_a_disk_without_room_is_told_before_anything_comes(server, monkeypatch):
    monkeypatch.setattr(whole_files, "FREE_BYTES", 1 << 60)
    with pytest.raises(DataError, match="GB of room on disk") as caught:
        fetched(server)
    assert "town centre.laz" in str(caught.value)


def test_another_kind_of_file_is_given_up_at_its_first_bytes(any_server):
    any_server.files[NAME] = b"<html>" + bytes(500_000)
    with pytest.raises(ServiceError, match="does not begin with LASF"):
        fetched(any_server)
    with pytest.raises(ServiceError, match="does not begin with LASF"):
        fetched(any_server)


def test_what_is_packed_is_refused_with_one_message(server):
    server.manners[NAME] = "gzip"
    server.gives_parts = False
    with pytest.raises(ServiceError, match="not asked for"):
        fetched(server)


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:1/a.laz", "http://10.0.0.1/a.laz", "file:///etc/passwd", "ftp://example.org/a.laz"]
)
def test_redirects_to_places_of_their_own_are_not_followed(server, target):
    server.manners[NAME] = f"to:{target}"
    with pytest.raises(ServiceError, match="may not be asked for"):
        fetched(server)


def test_redirects_within_the_server_are_followed(server):
    server.files["/other.laz"] = DATA
    server.manners[NAME] = f"to:{server.url('/other.laz')}"
    assert fetched(server).read_bytes() == DATA


@pytest.mark.parametrize("address", ["ftp://example.org/a.laz", "http://user:word@example.org/a.laz", "file:///a.laz"])
def test_addresses_that_are_no_plain_http_are_refused(address):
    with pytest.raises(ServiceError):
        fetch_file(address, b"LASF", lambda *_: None, CancelToken())


def test_a_trickle_is_given_up(server, monkeypatch):
    monkeypatch.setattr(whole_files, "PATIENCE", Limits(timeout=0.8, longest=0.3, tries=1, pause=0.0))
    monkeypatch.setattr(whole_files, "SLOWEST", 1 << 30)
    server.manners[NAME] = "slow"
    with pytest.raises(ServiceError, match="too slow"):
        fetched(server)


def test_two_at_once_fetch_it_once(server):
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetched(server))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert found[0].read_bytes() == DATA
    assert sum(1 for _, headers in server.seen) == 4


def test_the_longest_unused_files_leave_the_disk(server, monkeypatch):
    monkeypatch.setattr(kept_files, "KEPT_BYTES", int(2.5 * len(DATA)))
    paths = []
    for k in range(4):
        name = f"/{k}.laz"
        server.files[name], server.headers[name] = DATA, {"ETag": '"a"'}
        paths.append(fetched(server, name=name))
        os.utime(paths[-1].parent / "state.json", (k, k))
    assert [path.exists() for path in paths] == [False, False, True, True]


def test_a_broken_note_of_what_is_there_does_no_harm(server):
    path = fetched(server)
    for note in (b"", b"{}", b"[1]", orjson.dumps({"size": "x", "mark": 1, "fetched": None})):
        (path.parent / "state.json").write_bytes(note)
        assert kept_file(server.url(NAME)) is None
        assert fetched(server).read_bytes() == DATA


def test_names_of_files_cannot_leave_their_folder(server, home):
    for name in ("/..%2F..%2Fa.laz", "/%2e%2e/b.laz", "/con%00.laz", "/" + "x" * 300 + ".laz", "/树.laz"):
        place = kept_files._place_of(server.url(name))
        assert place.parent.parent == home / "files"
        assert len(place.name) <= 80


def test_a_disk_that_takes_nothing_is_told(server, home):
    (home / "files").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be kept on the disk") as caught:
        fetched(server)
    assert "town centre.laz" in str(caught.value)


def test_a_file_that_cannot_be_written_is_no_fault_of_the_server(server):
    place = kept_files._place_of(server.url(NAME))
    place.with_name(place.name + ".part").mkdir(parents=True)
    with pytest.raises(DataError, match="cannot be kept on the disk"):
        fetched(server)
    assert server.asked[NAME] == 1
