"""Tiling in a process of its own: what is wrong comes back as it was said, and a killed one is gone on with."""

from __future__ import annotations

import threading
import time

import pytest

from cimdesk.base.errors import Cancelled, DataError, ServiceError
from cimdesk.base.jobs import CancelToken
from cimdesk.commands import tiling_child
from cimdesk.commands.tiling_child import tile_apart
from cimdesk.formats.tiles3d_stated import stated_plan
from tests.unit.services.tiling.sequences import scattered, write_sequence


def test_problems_and_progress_come_back_and_what_is_there_stays(tmp_path):
    path = write_sequence(tmp_path / "a.city.jsonl", [*scattered(30), '{"type": "CityJSONFeature", "id": "bad"'])
    said = []
    problems = tile_apart(path, tmp_path / "out", {}, "first", lambda f, text="": said.append((f, text)), CancelToken())
    assert any("line" in problem.where or problem.where for problem in problems)
    assert "Building tiles" in {text for _, text in said}
    assert stated_plan(tmp_path / "out") == "first"
    before = (tmp_path / "out" / "tileset.json").stat().st_mtime_ns
    assert tile_apart(path, tmp_path / "out", {}, "first", lambda f, text="": None, CancelToken()) == []
    assert (tmp_path / "out" / "tileset.json").stat().st_mtime_ns == before


def test_a_refusal_keeps_its_file_its_words_and_its_remedy(tmp_path):
    path = tmp_path / "a.city.jsonl"
    path.write_text("{}\n")
    with pytest.raises(DataError) as caught:
        tile_apart(path, tmp_path / "out", {}, "x", lambda f, text="": None, CancelToken())
    assert caught.value.path == path
    assert caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_cancelled_one_leaves_no_process_and_no_tileset(tmp_path):
    lines = scattered(300)
    for line in lines:
        next(iter(line["CityObjects"].values()))["attributes"]["remark"] = "x" * 60_000
    path = write_sequence(tmp_path / "a.city.jsonl", lines)
    token = CancelToken()
    book = tmp_path / ".out.tiling" / "scatter.jsonl"

    def stop():
        until = time.monotonic() + 60
        while not (book.exists() and book.stat().st_size) and time.monotonic() < until:
            time.sleep(0.005)
        token.cancel()

    threading.Thread(target=stop).start()
    with pytest.raises(Cancelled):
        tile_apart(path, tmp_path / "out", {}, "x", lambda f, text="": None, token)
    assert not (tmp_path / "out").exists()
    noted = book.read_bytes().count(b"\n")
    assert noted >= 1
    assert tile_apart(path, tmp_path / "out", {}, "x", lambda f, text="": None, CancelToken()) == []
    assert stated_plan(tmp_path / "out") == "x"
    assert not list(tmp_path.glob(".out*"))


def test_one_that_dies_without_a_word_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tiling_child, "CHILD", "cimdesk.no_such_module")
    with pytest.raises(ServiceError, match="ended without a word"):
        tile_apart(tmp_path / "a", tmp_path / "out", {}, "x", lambda f, text="": None, CancelToken())


def test_one_that_hangs_is_ended_and_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tiling_child, "SILENCE", 0.01)
    path = write_sequence(tmp_path / "a.city.jsonl", scattered(3))
    with pytest.raises(ServiceError, match="said nothing for") as caught:
        tile_apart(path, tmp_path / "out", {}, "x", lambda f, text="": None, CancelToken())
    assert "goes on where it was" in caught.value.remedy
