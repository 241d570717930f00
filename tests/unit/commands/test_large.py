"""Large sources: tiled behind a progress bar when they are added in a window, one step to undo."""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import pytest

from cimdesk.base.crs import Crs
from cimdesk.base.errors import Cancelled, DataError
from cimdesk.base.jobs import CancelToken, SynchronousRunner
from cimdesk.base.workers import RefusalError
from cimdesk.commands import cards, extruding, large, layers, projects, sources, tiling_child
from cimdesk.model.layers import LayerKind
from cimdesk.model.tileset import TiledCity
from cimdesk.services.tiling import footprints
from cimdesk.services.tiling.scatter import problem_of
from tests import samples
from tests.unit.formats.footprint_files import osm
from tests.unit.services.tiling.sequences import scattered, write_sequence
from tests.unit.services.tiling.test_outlines import houses


def tiled_here(path, out, how, plan, progress, cancel):
    cancel.raise_if_cancelled()
    try:
        answer = tiling_child.work({"path": str(path), "out": str(out), "how": how, "plan": plan}, progress)
    except RefusalError as refusal:
        raise tiling_child.error_of(refusal.reason) from None
    return [problem_of(record) for record in answer["problems"]]


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
    # In this process: the start of another one takes longer than tiling these.
    monkeypatch.setattr(large, "tile_apart", tiled_here)
    monkeypatch.setattr(large, "TILE_FROM", 10_000)
    monkeypatch.setattr(large, "SMALL_FILE", 1_000)
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
    assert cards.card_of(session.workspace, layer).source == "Tiled from town.city.jsonl"
    data = session.workspace.data(layer.id)
    assert isinstance(data, TiledCity)
    assert data.tiles is not None
    assert len(data.whole().features) == 40
    assert any(text == "Tiling: Building tiles" for _, text in session.runner.told)
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
    assert not large.is_large(path)
    assert not large.is_large(tmp_path)


def test_cancelling_adds_nothing(tmp_path, session):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        sources.open_job(session, [path]).work(lambda fraction, text="": None, token)
    assert session.workspace.layers() == []


def add(session, path, crs=""):
    known = {layer.id for layer in session.workspace.layers()}
    session.run(sources.open_job(session, [path], crs))
    return next(layer for layer in session.workspace.layers() if layer.id not in known)


def count(session, layer):
    return len(session.workspace.data(layer.id).whole().features)


def again(session):
    """Close a project and open it anew."""
    path = session.path
    session.close()
    opened = projects.open_project(path, WindowRunner())
    job = sources.load_job(opened)
    if job is not None:
        opened.run(job)
    return opened


def test_a_project_opened_again_finds_its_tiles_also_when_the_file_is_gone(tmp_path, session):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    add(session, path)
    path.unlink()
    opened = again(session)
    (layer,) = opened.workspace.layers()
    assert count(opened, layer) == 40
    assert not opened.workspace.problems(layer.id)
    opened.close()


def test_a_file_that_changed_is_told_and_tiled_again_when_its_layer_is_reloaded(tmp_path, session):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    add(session, path)
    write_sequence(path, scattered(45, seed=9))
    opened = again(session)
    (layer,) = opened.workspace.layers()
    assert [problem.code for problem in opened.workspace.problems(layer.id)] == ["tiles-outdated"]
    assert count(opened, layer) == 40
    sources.reload(opened, layer.id)
    assert count(opened, layer) == 45
    assert not opened.workspace.problems(layer.id)
    assert opened.workspace.data(layer.id).tiles is not None
    opened.close()


def test_tiles_that_are_gone_are_made_again_on_request(tmp_path, session):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    layer = add(session, path)
    shutil.rmtree(tmp_path / layer.source)
    opened = again(session)
    assert "the tiles are gone; town.city.jsonl" in opened.workspace.unavailable(layer.id)
    sources.reload(opened, layer.id)
    assert not opened.workspace.unavailable(layer.id)
    assert count(opened, layer) == 40
    opened.close()


def test_adding_a_changed_file_refreshes_the_layer_that_showed_it_before(tmp_path, session):
    path = write_sequence(tmp_path / "town.city.jsonl", scattered(40))
    first = add(session, path)
    write_sequence(path, scattered(45, seed=9))
    second = add(session, path)
    assert first.source == second.source
    assert (count(session, first), count(session, second)) == (45, 45)


def test_a_file_that_cannot_be_tiled_is_refused_in_one_message(tmp_path, session, monkeypatch):
    monkeypatch.setattr(large, "TILE_FROM", 100)
    path = tmp_path / "town.city.json"
    path.write_text('{"type": "CityJSON", "version": "2.0", "CityObjects": {' + " " * 2000)
    with pytest.raises(DataError) as caught:
        session.run(sources.open_job(session, [path]))
    assert caught.value.path == path
    assert caught.value.remedy
    assert session.workspace.layers() == []
    assert not list(tmp_path.glob("plan_tiles/town*"))


def test_outlines_too_many_to_be_held_are_added_as_buildings(tmp_path, session, monkeypatch):
    monkeypatch.setattr(large, "OUTLINES_HELD", 50)
    path = houses(tmp_path / "town.gpkg")
    (found,) = sources.preview([path], tiles=True)
    assert found.is_usable
    assert (found.result.crs, dict(found.result.objects)) == ("EPSG:4547", {"houses": 57})
    assert "heights are in “height”" in found.large
    assert "tiled once" in found.large
    layer = add(session, path)
    assert (layer.name, layer.kind, layer.options[large.TILED_FROM]) == ("town", LayerKind.TILES, str(path))
    columns = session.workspace.data(layer.id).whole().features.columns
    assert sorted(columns["measuredHeight"].tolist()) == pytest.approx([3.0 + k for k in range(57)], abs=0.01)
    assert sources.preview([path])[0].result.sources, "without a window it is read"


def test_other_tables_of_such_a_file_are_added_as_they_are(tmp_path, session, monkeypatch):
    monkeypatch.setattr(large, "OUTLINES_HELD", 50)
    path = houses(tmp_path / "town.gpkg")
    houses(path, 12, layer="sheds", append=True)
    session.run(sources.open_job(session, [path]))
    found = {layer.name: layer for layer in session.workspace.layers()}
    assert {name: layer.kind for name, layer in found.items()} == {"houses": LayerKind.TILES, "sheds": LayerKind.VECTOR}
    assert count(session, found["houses"]) == 57
    opened = again(session)
    assert len(opened.workspace.features(found["sheds"].id)) == 12
    assert count(opened, found["houses"]) == 57
    opened.close()


def test_a_large_file_of_openstreetmap_is_added_as_its_buildings(tmp_path, session, monkeypatch):
    path = osm(tmp_path / "town.osm")
    assert not large.is_large(path)
    monkeypatch.setattr(large, "SMALL_FILE", 100)
    monkeypatch.setattr(large, "OSM_FROM", 100)
    monkeypatch.setattr(footprints, "OSM_FROM", 100)
    (found,) = sources.preview([path], tiles=True)
    assert (found.result.format, found.result.crs) == ("OpenStreetMap", "EPSG:4326")
    assert found.large.startswith("Its buildings are added")
    layer = add(session, path)
    assert (layer.name, layer.kind) == ("town", LayerKind.TILES)
    features = session.workspace.data(layer.id).whole().features
    assert sorted(features.ids) == ["way/1", "way/2"]
    assert features.columns["name"][list(features.ids).index("way/1")] == "Tower"


def test_outlines_without_heights_are_held(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "OUTLINES_HELD", 50)
    monkeypatch.setattr(large, "SMALL_FILE", 1_000)
    path = houses(tmp_path / "town.gpkg")
    assert large.is_large(path)
    monkeypatch.setattr(large, "height_among", lambda columns: "")
    assert not large.is_large(path)


def test_many_outlines_are_extruded_into_tiles_on_the_terrain(tmp_path, session, monkeypatch):
    layer = add(session, houses(tmp_path / "town.gpkg"))
    ground = add(session, samples.terrain_asc(tmp_path / "ground.asc"), "EPSG:4547")
    outlines = session.workspace.data(layer.id)
    terrain = session.workspace.data(ground.id)
    monkeypatch.setattr(large, "OUTLINES_FROM", 50)
    session.run(extruding.extrude_job(session, layer.id, extruding.Extrusion("height", unit=2.0)))
    (made,) = (each for each in session.workspace.layers() if each.kind is LayerKind.TILES)
    assert made.name == f"{layer.name} as buildings"
    city = session.workspace.data(made.id).whole()
    rows = city.features.rows_of(outlines.features.ids.tolist())
    assert city.features.columns["measuredHeight"][rows] == pytest.approx(2.0 * outlines.features.columns["height"], abs=0.01)
    assert not session.workspace.layer(layer.id).visible
    session.undo()
    assert made.id not in {each.id for each in session.workspace.layers()}
    assert session.workspace.layer(layer.id).visible
    # Moved under the houses, so that each has ground below it.
    moved = np.array([430_000.0, 2_550_000.0])
    monkeypatch.setattr(terrain.__class__, "sample", lambda self, xyz: 10.0 + 0.1 * (xyz[:, 0] - moved[0]))
    session.run(extruding.extrude_job(session, layer.id, extruding.Extrusion("height"), on_ground=True))
    (made,) = (each for each in session.workspace.layers() if each.kind is LayerKind.TILES)
    city = session.workspace.data(made.id).whole()
    rows = city.features.rows_of(outlines.features.ids.tolist())
    wanted = 10.0 + 3.0 * (np.arange(57) % 10)
    assert city.features.columns["ground_height"][rows] == pytest.approx(wanted, abs=1e-6)
    assert city.bounds[0, 2] == pytest.approx(10.0, abs=0.01)
    assert not list(tmp_path.rglob("*.ground.npz"))


def test_heights_of_the_ground_outlive_a_cancelled_run_but_not_for_ever(tmp_path, session, monkeypatch):
    layer = add(session, houses(tmp_path / "town.gpkg"))
    terrain = session.workspace.data(add(session, samples.terrain_asc(tmp_path / "ground.asc"), "EPSG:4547").id)
    monkeypatch.setattr(large, "OUTLINES_FROM", 50)
    monkeypatch.setattr(terrain.__class__, "sample", lambda self, xyz: np.full(len(xyz), 7.0))
    folder = tmp_path / "plan_tiles"
    folder.mkdir(exist_ok=True)
    for name, days in (("old", 30), ("young", 1)):
        left = folder / f"{name}.ground.npz"
        left.write_bytes(b"")
        os.utime(left, (time.time() - 86400 * days,) * 2)
    token = CancelToken()
    token.cancel()
    job = extruding.extrude_job(session, layer.id, extruding.Extrusion("height"), on_ground=True)
    with pytest.raises(Cancelled):
        job.work(lambda fraction, text="": None, token)
    (kept,) = (path.name for path in folder.glob("town-*.ground.npz"))
    assert {path.name for path in folder.glob("*.ground.npz")} == {kept, "young.ground.npz"}
    session.run(job)
    assert {path.name for path in folder.glob("*.ground.npz")} == {"young.ground.npz"}
    assert len([each for each in session.workspace.layers() if each.kind is LayerKind.TILES]) == 1


def test_outlines_that_were_removed_meanwhile_still_become_buildings(tmp_path, session, monkeypatch):
    layer = add(session, houses(tmp_path / "town.gpkg"))
    monkeypatch.setattr(large, "OUTLINES_FROM", 50)
    job = extruding.extrude_job(session, layer.id, extruding.Extrusion("height"))
    tiles = job.work(lambda fraction, text="": None, CancelToken())
    layers.remove(session, [layer.id])
    job.done(tiles)
    assert [each.kind for each in session.workspace.layers()] == [LayerKind.TILES]
    session.undo()
    assert session.workspace.layers() == []


def test_models_are_tiled_only_where_they_say_or_are_told_where_they_lie(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "MODELS_FROM", 50)
    monkeypatch.setattr(large, "SMALL_FILE", 50)
    path = tmp_path / "tower.obj"
    path.write_text("v 0 0 0\nv 9 0 0\nv 0 9 0\nv 0 0 30\nf 1 2 3\nf 1 2 4\nf 2 3 4\nf 3 1 4\n")
    assert not large.is_large(path)
    assert large.is_large(path, Crs.epsg(4547))
    ifc = tmp_path / "a.ifc"
    head = "ISO-10303-21;HEADER;FILE_SCHEMA(('IFC4'));ENDSEC;DATA;\n"
    ifc.write_text(head + "#1=IFCWALL();")
    assert not large.is_large(ifc)
    ifc.write_text(head + "#1=IFCMAPCONVERSION(#2,#3,0.,0.,0.,$,$,$);")
    assert large.is_large(ifc)


def test_a_large_model_with_a_place_is_tiled(tmp_path, session, monkeypatch):
    monkeypatch.setattr(large, "MODELS_FROM", 50)
    monkeypatch.setattr(large, "SMALL_FILE", 50)
    path = tmp_path / "tower.obj"
    corners = [(430_000, 2_550_000, 0), (430_009, 2_550_000, 0), (430_000, 2_550_009, 0), (430_000, 2_550_000, 30)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners]
    path.write_text("\n".join([*lines, "f 1 3 2", "f 1 2 4", "f 2 3 4", "f 3 1 4", ""]))
    layer = add(session, path, "EPSG:4547")
    assert layer.kind is LayerKind.TILES
    assert np.allclose(session.workspace.data(layer.id).whole().bounds, [corners[0], (430_009, 2_550_009, 30)], atol=0.01)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_where_the_project_may_not_write_the_tiles_go_to_the_cache(tmp_path, session):
    (tmp_path).chmod(0o500)
    assert tmp_path not in large.tiles_folder(session).parents
    tmp_path.chmod(0o700)


def test_what_a_project_says_of_tiles_may_be_nonsense():
    assert large.How.of({large.TILED_HOW: 5}) == large.How()
    assert large.How.of({large.TILED_HOW: {"part": "a", "other": 1}}) == large.How(part="a")
