"""Streamed points in the window: the style panel offers what each point says, and what is chosen is kept with its limits."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.commands import sources, tiled
from cimdesk.model.style import Style, StyleMode
from cimdesk.model.tile_point_columns import POINT_HEIGHT
from cimdesk.ui.style_panel import open_panel
from tests.gui.windows import open_window
from tests.scene.test_streamed_point_columns import halves, survey, town_of

pytestmark = pytest.mark.gui


@pytest.fixture
def surveyed(qtbot, tmp_path, monkeypatch):
    """A window on a tileset of points, all tiles of which have come."""
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)
    window = open_window(qtbot)
    session = window.desk.session
    near = survey(
        2.0, Classification=halves, Intensity=lambda x, y: x * 10, more=lambda x, y: {"line": [f"L{int(v) % 3}" for v in y]}
    )
    session.run(sources.open_job(session, [town_of(tmp_path, a=near)]))
    qtbot.waitUntil(lambda: len(session.workspace.layers()) == 1, timeout=10_000)
    (layer,) = session.workspace.layers()
    qtbot.waitUntil(lambda: len(session.workspace.features(layer.id)) == 3, timeout=20_000)
    return window, layer


def offered(panel):
    return [panel.colors.attribute.itemData(k) for k in range(panel.colors.attribute.count())]


def test_the_panel_offers_the_columns_of_points_and_previews_them(qtbot, surveyed):
    window, layer = surveyed
    panel = open_panel(window, window.desk, layer)
    panel.choose(mode=StyleMode.CATEGORIES)
    assert offered(panel)[:4] == ["Classification", "Intensity", "line", POINT_HEIGHT]
    panel.colors.attribute.setCurrentIndex(offered(panel).index("Classification"))
    assert [(swatch.label, swatch.count) for swatch in panel.colors.swatches.swatches()][:2] == [("Ground", -1), ("Building", -1)]
    qtbot.waitUntil(lambda: window.desk.session.workspace.layer(layer.id).style.attribute == "Classification")
    panel.choose(mode=StyleMode.CONTINUOUS)
    assert offered(panel)[:3] == ["Classification", "Intensity", POINT_HEIGHT]
    panel.colors.attribute.setCurrentIndex(offered(panel).index("Intensity"))
    assert panel.colors.histogram.isVisibleTo(panel)
    panel.cancel()
    assert window.desk.session.workspace.layer(layer.id).style.to_record() == Style().to_record()


def test_what_is_applied_is_kept_with_its_limits(qtbot, surveyed):
    window, layer = surveyed
    panel = open_panel(window, window.desk, layer)
    panel.choose(mode=StyleMode.CONTINUOUS, attribute="Intensity", clip=(0.0, 100.0))
    panel.apply()
    style = window.desk.session.workspace.layer(layer.id).style
    assert (style.low, style.high) == (0.0, 980.0)
    panel = open_panel(window, window.desk, window.desk.session.workspace.layer(layer.id))
    panel.choose(mode=StyleMode.GRADUATED, attribute="Intensity", low=np.nan, high=np.nan)
    panel.apply()
    assert len(window.desk.session.workspace.layer(layer.id).style.breaks) == 4


def test_a_class_takes_another_colour_and_the_others_keep_theirs(surveyed):
    window, layer = surveyed
    panel = open_panel(window, window.desk, layer)
    panel.choose(mode=StyleMode.CATEGORIES, attribute="Classification")
    before = panel.colors.swatches.swatches()
    panel.colors.swatches.recolored.emit("category:6", "#123456")
    after = panel.colors.swatches.swatches()
    assert [swatch.color for swatch in after][:2] == [before[0].color, "#123456"]
    panel.colors.swatches.recolored.emit("other", "#654321")
    assert panel.colors.swatches.swatches()[1].color == "#123456"
    panel.apply()
    style = window.desk.session.workspace.layer(layer.id).style
    assert (style.categories["6"], style.other) == ("#123456", "#654321")


def test_rules_and_filters_are_for_features(surveyed):
    window, layer = surveyed
    panel = open_panel(window, window.desk, layer)
    panel.choose(mode=StyleMode.RULES)
    assert "Intensity" not in panel.table().columns
    panel.choose(mode=StyleMode.STAGE)
    panel.choose(mode=StyleMode.SINGLE)
    panel.cancel()
