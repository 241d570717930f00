"""Models put in their place: the same shape turned and scaled about its foot, undone, kept, and by the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimdesk.app.cli import main
from cimdesk.base.errors import UsageError
from cimdesk.commands import ground, model_places, projects, sources
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.formats.raster import write_geotiff
from cimdesk.model.document import RecordChange
from cimdesk.model.placement import PLACEMENT, Placement, replaced
from cimdesk.model.terrain import Terrain

# An L of 4 by 2 by 3 m whose foot lies at 10, 20, 5.
OBJ = "o house\nv 8 19 5\nv 12 19 5\nv 12 21 5\nv 8 21 5\nv 8 19 8\nf 1 2 3\nf 1 3 4\nf 1 2 5\n"


@pytest.fixture
def model(tmp_path):
    (tmp_path / "house.obj").write_text(OBJ)
    session = Session()
    (layer,) = sources.import_files(session, [tmp_path / "house.obj"], "local")
    return session, layer.id


def world(session, layer_id):
    (mesh,) = session.workspace.data(layer_id).meshes.values()
    return mesh.world_vertices()


def test_a_model_stands_with_its_foot_where_it_is_put(model):
    session, layer = model
    start = model_places.placement_of(session.workspace, layer)
    assert start.at == start.pivot == (10.0, 20.0, 5.0)
    model_places.place_model(session, layer, replace(start, at=(431_205.0, 2_558_410.0, 12.0)))
    bounds = session.workspace.data(layer).bounds
    assert bounds == pytest.approx(np.array([[431_203, 2_558_409, 12], [431_207, 2_558_411, 15]]))
    session.undo()
    assert session.workspace.data(layer).bounds[0] == pytest.approx([8, 19, 5])
    session.redo()
    assert session.workspace.data(layer).bounds[0] == pytest.approx([431_203, 2_558_409, 12])


def test_turns_are_clockwise_and_scales_keep_the_foot(model):
    session, layer = model
    start = model_places.placement_of(session.workspace, layer)
    before = world(session, layer)
    model_places.place_model(session, layer, replace(start, turn=90.0, scale=10.0))
    after = world(session, layer)
    # The corner that lay to the south-west lies to the north-west after a quarter turn clockwise.
    assert before[0] == pytest.approx([8, 19, 5])
    assert after[0] == pytest.approx([10 - 10, 20 + 20, 5], abs=1e-4)
    assert after[4, 2] == pytest.approx(35.0, abs=1e-4)


def test_placing_again_begins_from_the_model_itself(model):
    session, layer = model
    for turn, scale, height in ((30.0, 7.0, 3.0), (200.0, 0.001, 90.0), (0.0, 1.0, 5.0)):
        here = model_places.placement_of(session.workspace, layer)
        model_places.place_model(session, layer, replace(here, at=(*here.at[:2], height), turn=turn, scale=scale))
    assert world(session, layer)[[0, 4]] == pytest.approx(np.array([[8, 19, 5], [8, 19, 8]]), abs=1e-3)


def test_a_height_offset_is_not_scaled_with_the_model(model):
    session, layer = model
    ground.set_height(session, layer, 100.0)
    here = model_places.placement_of(session.workspace, layer)
    model_places.place_model(session, layer, replace(here, at=(0.0, 0.0, 0.0), pivot=(10.0, 20.0, 5.0), scale=2.0))
    assert session.workspace.data(layer).bounds[:, 2] == pytest.approx([100.0, 106.0])


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.floats(-1e6, 1e6)] * 3), st.floats(-720, 720), st.floats(1e-3, 1e3))
def test_undo_of_a_placement_gives_the_model_back(at, turn, scale):
    placement = Placement(at, turn, scale, (3.0, -4.0, 5.0))
    points = np.array([[0.0, 0.0, 0.0], [10.0, -5.0, 2.0], [3.0, -4.0, 5.0]])
    assert placement.undo(placement.apply(points)) == pytest.approx(points, abs=1e-4)
    assert Placement.of({PLACEMENT: json.loads(json.dumps(placement.record()))}) == placement


@pytest.mark.parametrize("said", [
    None, 3, {}, {"at": [1, 2], "pivot": [0, 0, 0]}, {"at": [1, 2, "x"], "pivot": [0, 0, 0]},
    {"at": [1, 2, 3], "pivot": [0, 0, 0], "scale": 0}, {"at": [1, 2, 3], "pivot": [0, 0, 0], "scale": float("nan")},
    {"at": [1, 2, 1e300], "pivot": [0, 0, 0]}, {"at": [1, 2, True], "pivot": [0, 0, 0]},
])  # fmt: skip
def test_options_that_say_nothing_usable_leave_the_model_where_it_is(said):
    assert Placement.of({PLACEMENT: said}) is None


def test_it_is_found_again_in_the_project(tmp_path):
    (tmp_path / "house.obj").write_text(OBJ)
    path = tmp_path / "p.gpkg"
    session = projects.create(path, "p")
    (layer,) = sources.import_files(session, [tmp_path / "house.obj"], "local")
    start = model_places.placement_of(session.workspace, layer.id)
    model_places.place_model(session, layer.id, replace(start, at=(100.0, 200.0, 7.0), turn=90.0, scale=2.0))
    wanted = session.workspace.data(layer.id).bounds
    session.close()
    again = projects.open_project(path)
    again.run(sources.load_job(again))
    assert again.workspace.data(layer.id).bounds == pytest.approx(wanted, abs=1e-4)
    again.close()


def test_what_cannot_be_put_somewhere_is_refused(tmp_path, model):
    session, layer = model
    start = model_places.placement_of(session.workspace, layer)
    with pytest.raises(UsageError, match="out of range"):
        model_places.place_model(session, layer, replace(start, scale=float("inf")))
    flat = write_geotiff(tmp_path / "flat.tif", Terrain(np.full((9, 9), 3.0, np.float32), 0.0, 900.0, 100.0, 100.0), None)
    (terrain,) = sources.import_files(session, [flat], "local")
    with pytest.raises(UsageError, match="by hand"):
        model_places.placement_of(session.workspace, terrain.id)
    assert not model_places.can_be_placed(session.workspace, terrain.id)
    here = model_places.standing_at(session.workspace, start, 450.0, 450.0)
    assert here.at == (450.0, 450.0, 3.0)


def test_the_only_model_of_a_project_takes_its_origin_along(model):
    session, layer = model
    start = model_places.placement_of(session.workspace, layer)
    model_places.place_model(session, layer, replace(start, at=(431_205.0, 2_558_410.0, 0.0)))
    assert np.abs(np.array(session.workspace.frame.origin[:2]) - [431_205.0, 2_558_410.0]).max() < 5_000.0
    session.undo()
    assert np.abs(session.workspace.frame.origin[:2]).max() < 5_000.0


def test_import_puts_models_at_a_place(tmp_path, capsys):
    (tmp_path / "house.obj").write_text(OBJ)
    project = tmp_path / "p.gpkg"
    asked = ["import", str(project), str(tmp_path / "house.obj"), "--crs", "EPSG:4547"]
    assert main([*asked, "--at", "431205,2558410,12", "--turn", "90", "--scale", "2", "--json"]) in (0, 1)
    (row,) = json.loads(capsys.readouterr().out)["layers"]
    session = projects.open_project(project)
    session.run(sources.load_job(session))
    bounds = session.workspace.data(row["id"]).bounds
    assert bounds == pytest.approx(np.array([[431_203, 2_558_406, 12], [431_207, 2_558_414, 18]]), abs=0.01)
    session.close()
    assert main([*asked, "--at", "here"]) == 2
    assert "E,N" in capsys.readouterr().err


def test_layers_of_one_file_move_together(model):
    session, layer = model
    workspace = session.workspace
    record = {**workspace.document.get("layer", layer), "name": "spaces"}
    upper = replaced(workspace.data(layer), None, Placement((0.0, 0.0, 4.0)))
    session.do(Edit("spaces", (RecordChange("layer", "spaces", None, record),), {"spaces": upper}, {}))
    model_places.place_model(session, layer, replace(model_places.placement_of(workspace, layer), at=(500.0, 0.0, 0.0), turn=90.0))
    lower, higher = (workspace.data(key).bounds for key in (layer, "spaces"))
    assert higher - lower == pytest.approx(np.array([[0.0, 0.0, 4.0]] * 2), abs=1e-4)
    assert PLACEMENT in workspace.layer("spaces").options
    session.undo()
    assert workspace.data("spaces").bounds[0, 2] == pytest.approx(9.0)
    assert PLACEMENT not in workspace.layer("spaces").options
