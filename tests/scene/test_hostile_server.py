"""A view of a tileset from a server that does everything wrong at once: it completes, says what is missing, and stays small."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest

from cimdesk.commands import sources, tiled
from cimdesk.commands.session import Session
from cimdesk.scene.view import read_pixels
from cimdesk.services import tile_http
from cimdesk.services.tile_http import Limits
from tests.scene.in_window import InWindow
from tests.unit.formats.tile_files import square_glb, tile
from tests.unit.services.tile_server import TileServer

pytestmark = pytest.mark.render
QUICK = Limits(timeout=1.0, longest=2.0, tries=3, pause=0.02)
MEMORY = 24 << 20


class Endless(TileServer):
    """Answers /deep/N.json and /wide/N.json with a tileset that refers to others like it, for ever."""

    def _answer(self, request):
        path = request.path.split("?")[0]
        kind, _, name = path.strip("/").partition("/")
        if kind in ("deep", "wide") and name.endswith(".json"):
            number = int(name.split(".")[0])
            below = [f"{number + 1}.json"] if kind == "deep" else [f"{number * 20 + k + 1}.json" for k in range(20)]
            self.files[path] = json.dumps(document([tile(each, 50.0) for each in below])).encode()
        super()._answer(request)


class Impatient(tile_http.TilesetServer):
    """Gives up sooner, so that the test does not take minutes."""

    def __init__(self, address):
        super().__init__(address, limits=QUICK)


def document(children, **root):
    top = {**tile(None, 500.0, children, "REPLACE"), **root}
    return {"asset": {"version": "1.1"}, "geometricError": 1000, "root": top}


@pytest.fixture
def server():
    made = Endless()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def in_private(monkeypatch, tmp_path):
    monkeypatch.setattr("cimdesk.services.tile_cache.cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(tiled, "TilesetServer", Impatient)


def viewed(server, stage_of, seconds=30.0):
    """Open the tileset, draw until nothing more comes, and return the codes of what is wrong, the picture and the store."""
    session = Session(runner=InWindow())
    session.run(sources.open_job(session, [Path(server.url("/city/tileset.json"))]))
    (layer,) = session.workspace.layers()
    store = session.workspace.data(layer.id).tiles
    store.memory = MEMORY
    stage = stage_of(session.workspace)
    begun = time.monotonic()
    assert stage.scene.complete(seconds)
    assert time.monotonic() - begun < seconds
    stage.window.Render()
    assert store.used <= MEMORY
    return {problem.code for problem in store.problems()}, read_pixels(stage.window), store


def add(server, name, data, manner=""):
    server.files[f"/city/{name}"] = data
    if manner:
        server.manners[f"/city/{name}"] = manner


def placed(x, y):
    points = np.array([[0, 0, 0], [90, 0, 0], [90, 90, 0], [0, 90, 0]], dtype=np.float32) + np.array([x, y, 0])
    return square_glb([0] * 4, points=points.astype(np.float32))


def test_everything_wrong_at_once_leaves_the_good_tiles_and_a_list(server, stage_of):
    other = TileServer()
    other.files["/x.glb"] = square_glb()
    bomb = gzip.compress(bytes(300 << 20), 1)
    lying = placed(0, 0)[:8] + (1 << 31).to_bytes(4, "little") + placed(0, 0)[12:]
    broken = {"geometricError": 0, "boundingVolume": {"box": [None] * 12}, "content": {"uri": "nan.glb"}}
    parts = {
        "good.glb": "", "zipped.glb": "gzip", "dropped.glb": ["drop", "drop", ""], "cut.glb": ["truncate", ""],
        "slow.glb": "slow", "gone.glb": 404, "ill.glb": 500, "nan.glb": "", "private.glb": f"to:{other.url('/x.glb')}",
        "file.glb": "to:file:///etc/passwd", "turn.glb": f"to:{server.url('/city/turn.glb')}", "always-cut.glb": "truncate",
    }  # fmt: skip
    for k, (name, manner) in enumerate(parts.items()):
        add(server, name, placed(100.0 * (k % 4), 100.0 * (k // 4)), manner)
    add(server, "lying.glb", lying)
    add(server, "bomb.glb", bomb)
    add(server, "packed-bomb.glb", bytes(300 << 20), "gzip")
    add(server, "cycle.json", json.dumps(document([tile("cycle.json", 50.0), tile("tileset.json", 50.0)])).encode())
    children = [tile(name) for name in parts if name != "nan.glb"] + [broken]
    children += [
        tile("lying.glb"),
        tile("bomb.glb"),
        tile("packed-bomb.glb"),
        tile("cycle.json", 80.0),
        tile("http://dead.invalid/t.glb"),
    ]
    children += [tile("../../../../etc/passwd"), tile("ftp://127.0.0.1/a.glb")]
    add(server, "tileset.json", json.dumps(document(children)).encode())
    try:
        codes, picture, store = viewed(server, stage_of)
    finally:
        other.close()
    assert not other.asked
    assert {"missing-content", "unreachable", "unsafe-uri", "too-large", "tileset-cycle", "short-glb", "bad-volume"} <= codes
    seen = [store.tileset.contents[row][0] for row in range(len(store.tileset.parent)) if store.block(row) is not None]
    names = {each.rsplit("/", 1)[-1] for each in seen}
    assert {"good.glb", "zipped.glb", "dropped.glb", "cut.glb", "nan.glb"} <= names
    assert names.isdisjoint(
        {"gone.glb", "ill.glb", "private.glb", "file.glb", "turn.glb", "always-cut.glb", "lying.glb", "bomb.glb", "packed-bomb.glb"}
    )
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 3


def test_tilesets_that_refer_to_others_for_ever_end(server, stage_of):
    add(server, "good.glb", square_glb())
    add(server, "tileset.json", json.dumps(document([tile("good.glb"), tile("../deep/0.json", 80.0)])).encode())
    codes, _, store = viewed(server, stage_of)
    assert "tileset-cycle" in codes
    assert sum(server.asked[path] for path in server.asked if path.startswith("/deep")) <= 40
    assert len(store.tileset.parent) < 200


def test_tilesets_that_branch_for_ever_are_followed_only_as_far_as_the_picture_needs(server, stage_of):
    add(server, "good.glb", square_glb())
    add(server, "tileset.json", json.dumps(document([tile("good.glb"), tile("../wide/0.json", 80.0)])).encode())
    session = Session(runner=InWindow())
    session.run(sources.open_job(session, [Path(server.url("/city/tileset.json"))]))
    stage = stage_of(session.workspace)
    stage.scene.complete(4.0)
    (visual,) = stage.scene.visuals.values()
    assert len(visual.source.tileset.parent) < 30_000
    frames = []
    for _ in range(5):
        begun = time.perf_counter()
        stage.scene.prepare()
        frames.append(time.perf_counter() - begun)
    assert np.median(frames) < 0.25
