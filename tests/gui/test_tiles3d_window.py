"""Instances of a tileset in the window: a click on one tells what it is, and what its tile and tileset say."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.commands import sources
from tests.gui.windows import open_window
from tests.unit.formats.tile_files import square_glb, tile, write_tileset
from tests.unit.formats.tile_instances import i3dm

pytestmark = pytest.mark.gui
SCHEMA = {"classes": {"part": {"properties": {"district": {"type": "STRING"}, "author": {"type": "STRING"}}}}}
PLACES = [(x, y, 0) for x in (0, 60) for y in (0, 60)]


@pytest.fixture
def window(qtbot, tmp_path):
    roof = np.array([[-20, -20, 9], [20, -20, 9], [20, 20, 9], [-20, 20, 9]], dtype=np.float32)
    model = square_glb(points=roof)
    data = i3dm(model, count=4, POSITION=np.float32(PLACES), table={"use": ["shop", "school", "home", "office"]})
    root = tile("a.i3dm", refine="ADD", metadata={"class": "part", "properties": {"district": "Haizhu"}})
    path = write_tileset(tmp_path, root, {"a.i3dm": data})
    about = {"class": "part", "properties": {"author": "Survey"}}
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": SCHEMA, "metadata": about}))
    window = open_window(qtbot)
    session = window.desk.session
    session.run(sources.open_job(session, [path]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=20_000)
    qtbot.waitUntil(lambda: bool(window.view.scene.visuals) and not window.view.surface.pending, timeout=20_000)
    return window


@pytest.mark.parametrize(("place", "use"), [((0.0, 0.0), "shop"), ((60.0, 60.0), "office")])
def test_a_click_on_an_instance_shows_its_attributes_and_those_of_its_tile(qtbot, window, place, use):
    scene, session = window.view.scene, window.desk.session
    scene.camera.set_view(0.0, 89.0, 80.0, (*place, 9.0))
    qtbot.waitUntil(lambda: not window.view.surface.pending, timeout=20_000)
    width, height = scene.canvas.size
    pick = scene.pick(width / 2, height / 2)
    session.selection.set([pick.ref])
    inspector = window.inspector
    qtbot.waitUntil(lambda: inspector.attributes.isVisibleTo(inspector), timeout=5_000)
    texts = {label.text().replace("\u200b", ""): value.text() for label, value in inspector.attributes._rows if label.text()}
    assert (texts["use"], texts["tile.district"], texts["Tileset: author"]) == (use, "Haizhu", "Survey")
