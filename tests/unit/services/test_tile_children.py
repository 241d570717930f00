"""Tiles decoded in processes of their own: the same as in a thread, whatever happens to the process, and none left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from cimdesk.base.i18n import set_language
from cimdesk.base.processes import is_running
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.services import tile_apart, tile_children
from cimdesk.services.tile_apart import DecodingApart
from cimdesk.services.tile_children import TileChildren
from cimdesk.services.tile_store import TileStore
from cimdesk.services.tile_wire import receive, send
from tests.unit.formats.tile_files import Glb, b3dm, square_glb, tile, write_tileset
from tests.unit.formats.tile_reading import whole_stream

COUNT = 40


@pytest.fixture
def children(monkeypatch):
    monkeypatch.setattr(tile_apart, "ENOUGH", 0)
    monkeypatch.setattr(tile_children, "PAUSE", 0.0)
    found = TileChildren(1)
    yield found
    found.end()


@pytest.fixture
def stream(tmp_path):
    """Forty tiles: most are squares with attributes, some are missing, broken, or say what cannot be read."""
    files = {}
    for k in range(COUNT):
        table = {"height": [k + 0.5, 2.0], "use": ["school" if k % 3 else "hall", None], "storeys": [k, 3]}
        files[f"t{k}.b3dm"] = b3dm(square_glb(batch_ids=[0, 0, 1, 1]), 2, table)
    files["t3.b3dm"] = b"nothing of the kind"
    files["t4.b3dm"] = files["t4.b3dm"][:-30]
    files["t5.b3dm"] = b3dm(square_glb(), 1, {"height": {"byteOffset": 9999, "componentType": "FLOAT", "type": "SCALAR"}})
    del files["t6.b3dm"]
    root = tile(None, 100.0, [tile(f"t{k}.b3dm") for k in range(COUNT)])
    return whole_stream(write_tileset(tmp_path, root, files))


def rows_of(stream):
    return [row for row in range(len(stream.tileset.parent)) if not stream.tileset.is_empty[row]]


def started(children, seconds=30.0):
    """Start a child and return its number."""
    children.warm(is_urgent=True)
    end = time.monotonic() + seconds
    while not children.pids:
        assert time.monotonic() < end
        time.sleep(0.01)
    return children.pids[0]


def ended(pid, seconds=20.0):
    end = time.monotonic() + seconds
    while is_running(pid, started="?"):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def plain(value):
    """Return a value as what can be compared to the last bit."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tolist() if value.dtype == object else value.tobytes()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value


def test_a_tile_is_the_same_to_the_last_bit_as_decoded_in_a_thread(children, stream):
    apart = DecodingApart(stream, lambda: True, children)
    started(children)
    for row in rows_of(stream):
        here, there = stream.decode(row), apart(row)
        assert plain(there) == plain(here)
        assert list(there.columns) == list(here.columns)
        if there.block is not None:
            assert all(array.flags.writeable and array.flags.aligned for array in (there.block.points, there.block.triangles))
    assert {problem.code for row in rows_of(stream) for problem in apart(row).problems} >= {"missing-content", "unknown-content"}
    assert len(children.pids) == 1


def test_problems_speak_the_language_of_the_window(children, stream):
    apart = DecodingApart(stream, lambda: True, children)
    started(children)
    try:
        set_language("zh_CN")
        row = next(row for row in rows_of(stream) if stream.tileset.contents[row] == ("t5.b3dm",))
        assert apart(row).problems
        assert apart(row).problems == stream.decode(row).problems
    finally:
        set_language("en")
    assert apart(row).problems == stream.decode(row).problems


def test_files_that_a_content_refers_to_are_asked_of_the_window(children, tmp_path):
    model = Glb().mesh()
    model.write()
    binary = bytes(model.binary)
    glb = Glb().mesh()
    glb.write()
    glb.document["buffers"] = [{"byteLength": len(binary), "uri": "more.bin"}]
    files = {"a.gltf": json.dumps(glb.document).encode(), "more.bin": binary, "b.gltf": json.dumps(glb.document).encode()}
    stream = whole_stream(write_tileset(tmp_path, tile(None, 100.0, [tile("a.gltf"), tile("b.gltf")]), files))
    asked = []
    place = stream.place

    class Noting:
        knows_files = True

        def reference(self, uri, base=""):
            return place.reference(uri, base)

        def base_of(self, reference):
            return place.base_of(reference)

        def exists(self, reference):
            return place.exists(reference)

        def read(self, reference, limit):
            asked.append(reference)
            return place.read(reference, limit)

    first, second = rows_of(stream)
    expected = plain(stream.decode(first))
    stream.place = Noting()
    apart = DecodingApart(stream, lambda: True, children)
    pid = started(children)
    assert plain(apart(first)) == expected
    assert asked == ["a.gltf", "more.bin"]
    (tmp_path / "more.bin").unlink()
    assert apart(second).problems == stream.decode(second).problems
    assert apart(second).problems[0].code == "missing-content"
    assert children.pids == [pid]


def test_a_child_that_is_killed_costs_one_tile_its_time(children, stream):
    apart = DecodingApart(stream, lambda: True, children)
    rows = rows_of(stream)
    first = started(children)
    os.kill(first, getattr(signal, "SIGKILL", signal.SIGTERM))
    assert plain(apart(rows[0])) == plain(stream.decode(rows[0]))
    second = started(children)
    assert second != first
    assert plain(apart(rows[1])) == plain(stream.decode(rows[1]))
    assert children.pids == [second]


def test_a_store_brings_everything_while_its_children_are_killed_again_and_again(children, stream):
    store = TileStore(stream, workers=2)
    store.is_gentle = True
    store.decode = DecodingApart(stream, lambda: store.is_gentle, children)
    started(children)
    is_over = threading.Event()

    def kill():
        while not is_over.wait(0.03):
            for pid in children.pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    killer = threading.Thread(target=kill)
    killer.start()
    rows = rows_of(stream)
    try:
        store.want(store, dict.fromkeys(rows, 1.0), ())
        assert store.wait(60)
    finally:
        is_over.set()
        killer.join()
    whole = [row for row in rows if stream.decode(row).block is not None]
    assert [row for row in rows if store.block(row) is not None] == whole
    table = store.features.table()
    assert len(table) == len(set(table.ids)) == sum(len(stream.decode(row).ids) for row in whole)
    for row in whole:
        assert table.ids[store.block(row).features].tolist() == stream.decode(row).ids.tolist()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="the system cannot hold a process")
def test_a_child_that_hangs_is_ended_and_the_tile_still_comes(children, stream, monkeypatch):
    monkeypatch.setattr(tile_children, "SILENCE", 0.3)
    pid = started(children)
    os.kill(pid, signal.SIGSTOP)
    apart = DecodingApart(stream, lambda: True, children)
    row = rows_of(stream)[0]
    assert plain(apart(row)) == plain(stream.decode(row))
    assert ended(pid)


def test_what_is_given_up_while_it_is_fetched_is_asked_for_again_later(children, stream):
    place, row = stream.place, rows_of(stream)[0]
    is_given_up = True

    class Giving:
        knows_files = True
        reference, base_of, exists = place.reference, place.base_of, place.exists

        def read(self, reference, limit):
            if is_given_up:
                raise BrokenPart("cancelled", "No longer wanted.")
            return place.read(reference, limit)

    stream.place = Giving()
    store = TileStore(stream, workers=1)
    store.decode = DecodingApart(stream, lambda: True, children)
    pid = started(children)
    store.want(store, {row: 1.0}, ())
    assert store.wait(20)
    assert store.block(row) is None
    assert not store.is_lost(row)
    is_given_up = False
    store.want(store, {row: 1.0}, ())
    assert store.wait(20)
    assert store.block(row) is not None
    assert children.pids == [pid]


def test_an_error_of_a_reader_is_told_as_if_there_were_no_child(children, stream):
    apart = DecodingApart(stream, lambda: True, children)
    pid = started(children)
    task = stream.task

    def bad(row):
        return dataclasses.replace(task(row), transform=np.eye(3))

    row = rows_of(stream)[0]
    stream.task = bad
    with pytest.raises(IndexError) as here:
        stream.decode(row)
    with pytest.raises(IndexError) as there:
        apart(row)
    assert str(there.value) == str(here.value)
    stream.task = task
    assert plain(apart(row)) == plain(stream.decode(row))
    assert children.pids == [pid]


def test_a_small_tileset_starts_no_process(stream):
    children = TileChildren(1)
    apart = DecodingApart(stream, lambda: True, children)
    for row in rows_of(stream)[: tile_apart.ENOUGH]:
        apart(row)
    assert children.hire(0.0) is None
    assert not children.pids
    assert not any(thread.name == "tile-children" for thread in threading.enumerate())


def test_a_child_is_started_when_no_tiles_are_asked_for_or_pictures_wait(monkeypatch):
    monkeypatch.setattr(tile_children, "CALM_WITHIN", 60.0)
    children = TileChildren(1)
    try:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            children.warm(is_urgent=False)
            assert not children.pids
            time.sleep(0.02)
        begun = time.monotonic()
        started(children)
        assert time.monotonic() - begun < 30.0
    finally:
        children.end()
    children = TileChildren(1)
    try:
        children.warm(is_urgent=False)
        end = time.monotonic() + 30.0
        while not children.pids:
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        children.end()


def test_tiles_are_decoded_here_until_a_child_has_started(children, stream, monkeypatch):
    monkeypatch.setattr(tile_children, "CHILD", "cimdesk.no_such_module")
    apart = DecodingApart(stream, lambda: True, children)
    row = rows_of(stream)[0]
    for _ in range(3):
        assert plain(apart(row)) == plain(stream.decode(row))
    assert not children.pids


def test_what_is_read_whole_without_a_view_needs_no_process(children, stream):
    store = TileStore(stream)
    store.decode = DecodingApart(stream, lambda: store.is_gentle, children)
    assert len(store.whole().features)
    time.sleep(2 * tile_children.CALM)
    assert not children.pids


def test_no_more_children_are_started_than_allowed(stream):
    children = TileChildren(1)
    try:
        pid = started(children)
        for _ in range(5):
            children.warm(is_urgent=True)
        time.sleep(0.1)
        assert children.pids == [pid]
        child = children.hire(0.0)
        assert child is not None
        assert children.hire(0.05) is None
        children.give_back(child, is_idle=True)
        assert children.hire(0.0) is child
    finally:
        children.end()
    assert ended(pid)
    children.warm(is_urgent=True)
    assert not children.pids


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no way to end a process without a word")
def test_a_window_that_is_killed_leaves_no_process_behind():
    text = (
        "import sys, time\n"
        "from cimdesk.services.tile_children import TileChildren\n"
        "children = TileChildren(1)\n"
        "children.warm(is_urgent=True)\n"
        "while not children.pids: time.sleep(0.01)\n"
        "print(children.pids[0], flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as window:
        pid = int(window.stdout.readline())
        assert is_running(pid)
        window.kill()
    assert ended(pid)


def test_a_child_without_tasks_ends_by_itself():
    text = "import cimdesk.services.tile_child as child; child.IDLE = 0.1; child.main()"
    with subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert receive(child.stdout) == ["ready"]
        assert child.wait(20) == 0


def test_messages_keep_arrays_as_they_are():
    rng = np.random.default_rng(1)
    arrays = [
        rng.uniform(size=(7, 3)).astype(np.float32), np.zeros((0, 3)), np.asfortranarray(rng.uniform(size=(4, 5))),
        rng.integers(0, 9, 11)[::2], np.array(["a", None, "城"], dtype=object), rng.uniform(size=9) > 0.5,
    ]  # fmt: skip
    line = io.BytesIO()
    send(line, {"a": arrays[:2]}, *arrays[2:], "end")
    line.seek(0)
    first, *rest, end = receive(line)
    assert end == "end"
    for sent, got in zip(arrays, [*first["a"], *rest], strict=True):
        assert plain(np.ascontiguousarray(got)) == plain(np.ascontiguousarray(sent))
        assert got.flags.writeable
    with pytest.raises(EOFError):
        receive(line)
