"""Streamed tilesets higher or lower than they say: drawn there, set on the ground, undone, and found again when loaded."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands import ground, sources, tiled
from cimdesk.formats.raster import write_geotiff
from cimdesk.model.terrain import Terrain
from tests.scene.test_streaming import opened, wait_for
from tests.scene.tile_towns import write_town

pytestmark = pytest.mark.render


@pytest.fixture(autouse=True)
def streams_early(monkeypatch):
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return write_town(tmp_path_factory.mktemp("town"), levels=2, tile=200.0, count=4)


def layer_of(session):
    return next(layer for layer in session.workspace.layers() if layer.kind.name == "TILES")


def floor_of(session):
    """Lowest height of what is in memory."""
    mesh = session.workspace.data(layer_of(session).id).tiles.city().meshes["tiles"]
    return float(mesh.world_vertices()[:, 2].min())


def test_a_raised_tileset_is_drawn_higher_and_undone(town, stage_of):
    session = opened(town)
    stage = stage_of(session.workspace)
    wait_for(stage)
    layer = layer_of(session)
    before, bounds = floor_of(session), session.workspace.data(layer.id).bounds
    ground.set_height(session, layer.id, 25.5)
    assert floor_of(session) == pytest.approx(before + 25.5, abs=1e-3)
    assert session.workspace.data(layer.id).bounds[:, 2] == pytest.approx(bounds[:, 2] + 25.5)
    wait_for(stage)
    (visual,) = stage.scene.visuals.values()
    drawn = [tile.low[2] + stage.scene.context.origin[2] for tile in visual.drawing.shown_tiles()]
    assert min(drawn) == pytest.approx(before + 25.5, abs=0.01)
    ground.set_height(session, layer.id, -4.0)
    assert floor_of(session) == pytest.approx(before - 4.0, abs=1e-3)
    session.undo()
    session.undo()
    assert floor_of(session) == pytest.approx(before, abs=1e-3)
    assert "height_offset" not in session.workspace.layer(layer.id).options


def test_a_tileset_is_set_on_the_ground_as_one(tmp_path, town, stage_of):
    session = opened(town)
    stage = stage_of(session.workspace)
    wait_for(stage)
    layer = layer_of(session)
    with pytest.raises(UsageError, match="no terrain"):
        ground.set_on_ground(session, layer.id, True)
    flat = Terrain(np.full((100, 100), 42.0, dtype=np.float32), -500.0, 1500.0, 20.0, 20.0)
    session.run(sources.open_job(session, [write_geotiff(tmp_path / "flat.tif", flat, None)], "local"))
    ground.set_on_ground(session, layer.id, True)
    assert floor_of(session) == pytest.approx(42.0, abs=0.05)
    assert session.workspace.layer(layer.id).options["height_offset"] == pytest.approx(42.0, abs=0.05)
    ground.set_on_ground(session, layer.id, False)
    assert floor_of(session) == pytest.approx(0.0, abs=0.05)


def test_its_height_is_kept_with_the_project(town, stage_of):
    session = opened(town)
    layer = layer_of(session)
    ground.set_height(session, layer.id, 12.0)
    session.workspace.apply((), {layer.id: None})
    session.run(sources.load_job(session, [layer.id]))
    stage = stage_of(session.workspace)
    wait_for(stage)
    assert floor_of(session) == pytest.approx(12.0, abs=0.05)
    # Read whole, as on the command line, it is as high.
    data = session.workspace.data(layer.id)
    assert data.whole().bounds[0, 2] == pytest.approx(12.0, abs=0.05)


def test_a_tileset_nobody_has_looked_at_cannot_be_set_down(tmp_path, town):
    session = opened(town)
    flat = Terrain(np.full((100, 100), 42.0, dtype=np.float32), -500.0, 1500.0, 20.0, 20.0)
    session.run(sources.open_job(session, [write_geotiff(tmp_path / "flat.tif", flat, None)], "local"))
    with pytest.raises(UsageError, match="loaded yet"):
        ground.set_on_ground(session, layer_of(session).id, True)
