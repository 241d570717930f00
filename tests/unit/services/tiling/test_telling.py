"""Progress and cancelling inside tasks: nobody waits for a large unit without knowing how far it is."""

from __future__ import annotations

import threading
import time

import pytest

from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken
from cimdesk.commands.tiling import tile_files
from cimdesk.services.tiling import build, executors, run, telling
from cimdesk.services.tiling.telling import Share, Told, asked_to_stop
from tests.unit.services.tiling.sequences import scattered, write_sequence


@pytest.fixture
def _slow_tiles(monkeypatch):
    """Let one unit have many tiles, each of which takes a while."""
    monkeypatch.setattr(build, "LEAF_FEATURES", 4)
    monkeypatch.setattr(telling, "TOLD_EVERY", 0.01)
    monkeypatch.setattr(executors, "ASK_EVERY", 0.01)
    writer = build._write

    def slow(*parts):
        time.sleep(0.02)
        writer(*parts)

    monkeypatch.setattr(build, "_write", slow)


@pytest.mark.usefixtures("_slow_tiles")
def test_progress_moves_while_the_only_unit_is_built(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(120, across=900.0))
    seen = []
    tile_files([path], tmp_path / "out", workers=1, progress=lambda fraction, text="": seen.append(fraction))
    inside = {fraction for fraction in seen if run.SCATTER_SHARE < fraction < run.BUILD_SHARE}
    assert len(inside) > 5
    assert seen == sorted(seen)


@pytest.mark.usefixtures("_slow_tiles")
def test_cancelling_is_obeyed_inside_a_unit_and_the_next_run_goes_on(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(400, across=900.0))
    token = CancelToken()
    asked = []

    def stop(fraction, text=""):
        if fraction > run.SCATTER_SHARE + 0.1 and not asked:
            asked.append(time.monotonic())
            token.cancel()

    with pytest.raises(Cancelled):
        tile_files([path], tmp_path / "out", workers=1, progress=stop, cancel=token)
    # All tiles of the unit would take another three seconds.
    assert time.monotonic() - asked[0] < 1.0
    result = tile_files([path], tmp_path / "out", workers=1)
    assert (result.resumed, result.features) == (True, 400)


def test_progress_moves_while_what_is_seen_from_afar_is_joined(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(60, across=20_000.0))
    seen = []
    tile_files([path], tmp_path / "out", workers=1, progress=lambda fraction, text="": seen.append((fraction, text)))
    joined = {fraction for fraction, text in seen if text == "Building tiles seen from afar"}
    assert len(joined) > 3
    assert max(joined) == pytest.approx(run.MERGE_SHARE)


def test_a_task_that_nobody_waits_for_any_more_stops_in_any_process(tmp_path, monkeypatch):
    monkeypatch.setattr(telling, "TOLD_EVERY", 0.0)
    told = Told(str(tmp_path), "a")
    told(0.25)
    with pytest.raises(KeyboardInterrupt), asked_to_stop(tmp_path):
        raise KeyboardInterrupt
    with pytest.raises(Cancelled):
        told(0.5)
    with asked_to_stop(tmp_path):
        told(0.75)
    told(1.0)


def test_only_what_moved_is_told_unless_silence_would_be_taken_for_a_hang(tmp_path, monkeypatch):
    monkeypatch.setattr(telling, "TOLD_EVERY", 0.0)
    seen = []
    share = Share(lambda fraction, text="": seen.append(fraction), "", 0.5, 1.0, 4.0, str(tmp_path))
    share.watch("a", 2.0)
    told = Told(str(tmp_path), "a")
    told(0.5)
    share.tell()
    share.tell()
    told(0.25)
    share.tell()
    share.add("a", 2.0)
    share.tell()
    assert seen == [0.625, 0.75]
    patient = Share(lambda fraction, text="": seen.append(fraction), "", 0.0, 1.0, 4.0, str(tmp_path), says_all=True)
    patient.tell()
    patient.tell()
    assert seen[2:] == [0.0, 0.0]


class Slow:
    """A cluster whose only task comes after a while."""

    def __init__(self):
        self.cancelled = []

    def nthreads(self):
        return {"a": 1}

    loop = None

    def submit(self, work, *task, pure):
        return object()

    def cancel(self, futures):
        self.cancelled += futures


def test_cancelling_does_not_wait_for_a_task_of_a_cluster():
    class Never:
        def __init__(self, loop):
            pass

        def add(self, future):
            pass

        def has_ready(self):
            return False

        def __next__(self):
            raise AssertionError("it waits")

    executor = object.__new__(executors.DaskExecutor)
    executor._client, executor._as_completed = Slow(), Never
    token, asked = CancelToken(), []
    threading.Timer(0.3, token.cancel).start()
    with pytest.raises(Cancelled):
        list(executor.run(print, [(1,), (2,)], token, lambda: asked.append(1)))
    assert asked
    assert len(executor._client.cancelled) == 2
