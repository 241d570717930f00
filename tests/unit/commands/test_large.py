"""Large city models: tiled behind a progress bar when they are added in a window, one step to undo."""

from __future__ import annotations

import pytest

from cimdesk.base.errors import Cancelled
from cimdesk.base.jobs import CancelToken, SynchronousRunner
from cimdesk.commands import large, projects, sources
from cimdesk.model.layers import LayerKind
from cimdesk.model.tileset import TiledCity
from tests.unit.services.tiling.sequences import scattered, write_sequence


class WindowRunner:
    """Runs jobs like a window would, one after the other."""

    def __init__(self):
        self.told = []

    def start(self, job):
        result = job.work(lambda fraction, text="": self.told.append((fraction, text)), CancelToken())
        if job.done is not None:
            job.done(result)


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "TILE_FROM", 10_000)
    opened = projects.create(tmp_path / "plan.gpkg", title="plan", runner=WindowRunner())
    yield opened
    opened.close()


def test_a_large_city_becomes_a_streamed_tileset_that_names_its_source(tmp_path, session):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    session.run(sources.open_job(session, [path]))
    (layer,) = session.workspace.layers()
    assert (layer.name, layer.kind) == ("town", LayerKind.TILES)
    assert layer.options[large.TILED_FROM] == str(path)
    assert layer.source.startswith("plan_tiles/town-")
    data = session.workspace.data(layer.id)
    assert isinstance(data, TiledCity)
    assert data.tiles is not None
    assert len(data.whole().features) == 40
    assert any(text == "Tiling town.city.jsonl" for _, text in session.runner.told)
    assert session.workspace.frame.crs.definition == "EPSG:4547"


def test_adding_it_is_one_step_and_adding_it_again_makes_no_new_tiles(tmp_path, session):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    session.run(sources.open_job(session, [path]))
    (layer,) = session.workspace.layers()
    session.undo()
    assert session.workspace.layers() == []
    made = tmp_path / layer.source / "tileset.json"
    before = made.stat().st_mtime_ns
    session.runner.told.clear()
    session.run(sources.open_job(session, [path]))
    assert made.stat().st_mtime_ns == before
    assert not any(text.startswith("Tiling") for _, text in session.runner.told)
    write_sequence(path, scattered(50, seed=8))
    session.undo()
    session.run(sources.open_job(session, [path]))
    (layer,) = session.workspace.layers()
    assert len(session.workspace.data(layer.id).whole().features) == 50


def test_small_files_and_the_command_line_read_them_whole(tmp_path, session, monkeypatch):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    session.runner = SynchronousRunner()
    session.run(sources.open_job(session, [path]))
    assert [layer.kind for layer in session.workspace.layers()] == [LayerKind.BUILDINGS]
    monkeypatch.setattr(large, "TILE_FROM", 10**9)
    assert not large.is_large_city(path)
    assert not large.is_large_city(tmp_path)


def test_cancelling_adds_nothing(tmp_path, session):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        sources.open_job(session, [path]).work(lambda fraction, text="": None, token)
    assert session.workspace.layers() == []
