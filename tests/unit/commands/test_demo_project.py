"""The demo city as files and as a project: deterministic, readable by our own readers, complete."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from cimdesk.base.errors import Cancelled, UsageError
from cimdesk.base.jobs import CancelToken, no_progress
from cimdesk.base.units import parse_time
from cimdesk.commands import layers, projects, sources
from cimdesk.commands.demo import generate, generate_job
from cimdesk.commands.demo.generate import write_files
from cimdesk.formats import registry
from cimdesk.model.layers import LayerKind
from cimdesk.model.lifecycle import Stage
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Sensors, Status

TEXTS = ("*.json", "*.inp", "*.csv", "*.toml")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def session(demo):
    opened = projects.open_project(demo.project)
    job = sources.load_job(opened)
    assert job is not None
    opened.run(job)
    yield opened
    opened.close()


def test_summary_counts_what_was_written(demo):
    assert 700 <= demo.buildings <= 1000
    assert demo.sensors == 29
    assert demo.links > 1000
    assert demo.project.is_file()


def test_the_same_seed_writes_the_same_bytes(demo, tmp_path):
    write_files(tmp_path, "small", 7, no_progress, CancelToken())
    for pattern in TEXTS:
        for path in tmp_path.glob(pattern):
            other = demo.project.parent / "data" / path.name
            assert _digest(path) == _digest(other), path.name


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_data_file_reads_without_a_problem(demo):
    for path in demo.files:
        if path.suffix in (".toml",) or path.name in ("stations.csv", "tide.csv", "storm-50_rain.csv"):
            continue
        result = registry.read(path)
        assert not result.problems, (path.name, [p.message for p in result.problems[:3]])
        assert result.crs in ("EPSG:4547", None)


def test_cityjson_indices_are_valid_and_used(demo):
    document = json.loads((demo.project.parent / "data" / "city.city.json").read_bytes())
    used = set()
    for item in document["CityObjects"].values():
        for shell in item["geometry"][0]["boundaries"]:
            for face in shell:
                for ring in face:
                    assert len(ring) >= 3
                    used.update(ring)
    assert used == set(range(len(document["vertices"])))


def test_project_has_its_layers_named_and_loaded(session):
    layers = {layer.name: layer for layer in session.workspace.layers()}
    for name in ("Buildings 建筑", "Bridges 桥梁", "Trees 树木", "Terrain 地形", "Drainage 排水", "Water 给水", "Streets 道路"):
        assert name in layers
        assert session.workspace.data(layers[name].id) is not None
    assert layers["Gauges 监测站"].kind is LayerKind.SENSORS
    assert all(layers[name].kind is LayerKind.NETWORK for name in ("Gas 燃气", "Power 电力", "Telecom 通信"))
    assert not layers["Plots 地块"].visible
    assert session.workspace.settings["crs"] == "EPSG:4547"


def test_gauges_turn_red_in_the_storm_and_one_is_stale(session):
    gauges = next(session.workspace.data(x.id) for x in session.workspace.layers() if x.name == "Gauges 监测站")
    assert isinstance(gauges, Sensors)
    before = gauges.status_at(parse_time("2026-06-07T10:50:00+08:00"))
    during = gauges.status_at(parse_time("2026-06-07T12:40:00+08:00"))
    assert Status.ALARM not in before
    names = list(gauges.features.columns["name"])
    assert during[names.index("Liede Avenue underpass")] == Status.ALARM
    assert (during == Status.STALE).sum() == 1
    assert np.isfinite(gauges.positions[:, :2]).all()


def test_works_and_mains_have_their_stage_histories(session):
    stages, layers = session.workspace.stages, {x.name: x for x in session.workspace.layers()}
    now = parse_time("2026-06-07")
    works = layers["Works 工程"].id
    found = {stages.stage_at(asset, now) for asset in stages.assets(works)}
    assert {Stage.CONSTRUCTION, Stage.DESIGN} <= found
    water = session.workspace.data(layers["Water 给水"].id)
    assert isinstance(water, UtilityNetwork)
    histories = [stages.history(AssetRef(layers["Water 给水"].id, str(key))) for key in water.links.ids]
    assert any(len(history) >= 3 and history[-1].stage is Stage.CONSTRUCTION for history in histories)


def test_project_starts_with_bookmarks_and_a_scenario(session):
    document = session.workspace.document
    assert len(document.records("bookmark")) == 5
    assert document.records("scenario")["storm-50"]["source"] == "data/storm-50.toml"


def test_scenario_loads_with_its_gauges_on_open_ground(demo):
    from cimdesk.commands.flood_scenario import load_scenario

    scenario = load_scenario(demo.project.parent / "data" / "storm-50.toml")
    assert scenario.rain is not None
    assert len(scenario.gauges) == 13
    assert scenario.is_blocked.mean() > 0.1


def test_unknown_size_is_refused(tmp_path):
    with pytest.raises(UsageError, match="galaxy"):
        generate(tmp_path, "galaxy")


def test_cancelling_stops_the_work(tmp_path):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        generate_job(tmp_path).work(no_progress, cancel)
    assert not list(tmp_path.glob("*.gpkg"))


def test_a_demo_that_is_there_keeps_what_people_edited(demo):
    session = projects.open_project(demo.project)
    layers.rename(session, "city", "My buildings")
    session.close()
    again = generate(demo.project.parent)
    assert (again.buildings, again.links, again.sensors) == (demo.buildings, demo.links, demo.sensors)
    session = projects.open_project(demo.project, read_only=True)
    assert session.workspace.layer("city").name == "My buildings"
    session.close()


def test_another_demo_is_not_written_over_one_that_is_there(demo):
    with pytest.raises(UsageError, match=r"demo\.gpkg"):
        generate(demo.project.parent, seed=8)


def test_a_fresh_demo_replaces_the_old_one_and_leaves_other_files(demo):
    note = demo.project.parent / "my notes.txt"
    note.write_text("keep me", encoding="utf-8")
    again = generate(demo.project.parent, fresh=True)
    assert again.buildings == demo.buildings
    assert note.read_text(encoding="utf-8") == "keep me"


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_with_other_data_is_left_alone(tmp_path, fresh):
    mine = tmp_path / "data" / "survey.csv"
    mine.parent.mkdir()
    mine.write_text("id\n1\n")
    with pytest.raises(UsageError, match="other data"):
        generate(tmp_path, fresh=fresh)
    assert mine.read_text() == "id\n1\n"


def test_a_project_of_the_demos_name_that_is_no_demo_is_left_alone(tmp_path):
    projects.create(tmp_path / "demo.gpkg", "Mine").close()
    with pytest.raises(UsageError, match="other data"):
        generate(tmp_path, fresh=True)
    assert (tmp_path / "demo.gpkg").exists()


def test_a_file_is_no_folder_for_the_demo(tmp_path):
    (tmp_path / "city.gpkg").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file"):
        generate(tmp_path / "city.gpkg")


def test_a_demo_whose_writing_was_cut_off_is_written_again(tmp_path):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        generate(tmp_path, cancel=token)
    assert generate(tmp_path).project.is_file()
