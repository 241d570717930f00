"""Checking tilesets: a folder, an archive and an address tell the same; a large one on a server is sampled."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from cimdesk.app.cli import main
from cimdesk.commands import tiled
from cimdesk.commands.checking import check
from tests.unit.formats.tile_files import square_glb, tile, write_tileset
from tests.unit.services.tile_server import TileServer

ROOT = tile("a.glb", 50.0, [tile("b.glb"), tile("gone.glb")], refine="ADD")
FILES = {"a.glb": square_glb(), "b.glb": square_glb()}


@pytest.fixture
def server():
    made = TileServer()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def serve(server, folder):
    for path in folder.rglob("*"):
        if path.is_file():
            server.files[f"/city/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return server.url("/city/tileset.json")


def test_folder_file_archive_and_address_tell_the_same(tmp_path, server):
    folder = tmp_path / "city"
    folder.mkdir()
    path = write_tileset(folder, ROOT, FILES)
    archive = tmp_path / "city.3tz"
    with zipfile.ZipFile(archive, "w") as out:
        for each in folder.iterdir():
            out.write(each, each.name)
    reports = [check(place) for place in (path, folder, archive, Path(serve(server, folder)))]
    for report in reports:
        assert report["readable"]
        assert (report["format"], report["version"]) == ("3D Tiles", "1.1")
        assert {key: report["objects"][key] for key in ("tiles", "contents", "features", "triangles")} == {
            "tiles": 3, "contents": 3, "features": 2, "triangles": 4,
        }  # fmt: skip
        assert [problem["code"] for problem in report["problems"]] == ["missing-content"]
    assert reports[-1]["path"].startswith("http://")


def test_of_a_large_tileset_on_a_server_the_top_is_looked_at(tmp_path, server, monkeypatch):
    monkeypatch.setattr(tiled, "CHECKED_FILES", 4)
    monkeypatch.setattr(tiled, "CHECKED_TILES", 2)
    files = {f"{k}.glb": square_glb() for k in range(9)}
    path = write_tileset(tmp_path, tile(error=9, children=[tile(name) for name in files], refine="ADD"), files)
    report = check(Path(serve(server, path.parent)))
    assert report["readable"]
    assert (report["objects"]["contents"], report["objects"]["features"]) == (9, 2)
    assert [problem["code"] for problem in report["problems"]] == ["sampled"]
    assert sum(count for name, count in server.asked.items() if name.endswith(".glb")) == 2


def test_an_address_without_a_tileset_is_refused_with_the_reason(server):
    server.files["/x.json"] = b"[1, 2]"
    report = check(Path(server.url("/x.json")))
    assert not report["readable"]
    assert report["problems"][0]["message"]


def test_the_command_line_says_when_nobody_answers(capsys):
    assert main(["check", "http://127.0.0.1:9/tileset.json", "--json"]) == 4
    report = json.loads(capsys.readouterr().out)
    assert report["problems"][0]["code"] == "unreachable"
