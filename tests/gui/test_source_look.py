"""A layer as its source has it, in one colour, and back, chosen in the style panel."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from cimdesk.model.style import NEUTRAL, StyleMode
from cimdesk.ui import handlers_project
from cimdesk.ui.style_dialog import PLAIN, SOURCE
from cimdesk.ui.style_panel import open_panel
from tests.gui.windows import layer_named, open_sample, open_window, wait_for_jobs

pytestmark = pytest.mark.gui

CORNERS = [[0, 0, 0], [20, 0, 0], [20, 20, 0], [0, 20, 0]]


@pytest.fixture
def pictured(tmp_path):
    """A city of one square with a picture."""
    Image.new("RGB", (16, 16), (200, 40, 40)).save(tmp_path / "roof.png")
    shape = {"type": "MultiSurface", "lod": "2", "boundaries": [[[0, 1, 2, 3]]], "texture": {"": {"values": [[[0, 0, 1, 2, 3]]]}}}
    city = {
        "type": "CityJSON",
        "version": "1.1",
        "CityObjects": {"a": {"type": "LandUse", "geometry": [shape]}},
        "vertices": CORNERS,
        "transform": {"scale": [1, 1, 1], "translate": [431000, 2558000, 5]},
        "appearance": {"textures": [{"type": "PNG", "image": "roof.png"}], "vertices-texture": [[0, 0], [1, 0], [1, 1], [0, 1]]},
    }
    path = tmp_path / "square.city.json"
    path.write_text(json.dumps(city))
    return path


def test_one_colour_and_back_to_what_the_source_has(qtbot, pictured):
    window = open_window(qtbot)
    handlers_project.add_files(window.desk, [pictured], "EPSG:4547")
    wait_for_jobs(qtbot, window)
    (layer,) = window.desk.session.workspace.layers()
    assert layer.style.shows_source
    panel = open_panel(window, window.desk, layer)
    mode = panel.colors.mode
    assert mode.currentData() == SOURCE
    assert not panel.colors.swatches.swatches()
    mode.setCurrentIndex(mode.findData(str(StyleMode.SINGLE)))
    assert (panel.style_.mode, panel.style_.color) == (StyleMode.SINGLE, PLAIN)
    assert mode.currentData() == str(StyleMode.SINGLE)
    mode.setCurrentIndex(mode.findData(SOURCE))
    assert (panel.style_.mode, panel.style_.color) == (StyleMode.SINGLE, NEUTRAL)
    mode.setCurrentIndex(mode.findData(str(StyleMode.CATEGORIES)))
    assert panel.style_.attribute == "type"


def test_a_layer_without_colours_of_its_own_does_not_offer_them(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    wait_for_jobs(qtbot, window)
    layer = window.desk.session.workspace.layer(layer_named(window, "buildings"))
    panel = open_panel(window, window.desk, layer)
    assert panel.colors.mode.findData(SOURCE) < 0
