"""Thousands of selected buildings are told by their colour: at once, over every style, and gone again with the selection."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.scene import streaming, tiles
from tests.scene import cities
from tests.scene.stage import Stage

pytestmark = pytest.mark.render


def blocks(count, parents=None):
    side = int(np.ceil(np.sqrt(count)))
    x, y = (v.ravel()[:count].astype(float) * 30 for v in np.meshgrid(np.arange(side), np.arange(side)))
    mesh = cities.boxes(x, y, *np.full((2, count), 20.0), np.full(count, 15.0), np.zeros(count), np.zeros(count))
    parents = np.full(count, -1, np.int32) if parents is None else parents
    return CityModel(FeatureTable(as_strings(range(count))), parents, {"1": mesh})


@pytest.fixture
def few(monkeypatch):
    """Outline no more than ten."""
    monkeypatch.setattr(tiles.CityVisual, "most_outlined", 10)
    monkeypatch.setattr(streaming.StreamedVisual, "most_outlined", 10)


@pytest.fixture
def stage(few):
    stage = Stage(cities.workspace_of(("buildings", LayerKind.BUILDINGS, blocks(100))))
    stage.scene.prepare()
    stage.scene.camera.set_view(0.0, 89.0, 700.0, (cities.ORIGIN[0] + 135.0, cities.ORIGIN[1] + 135.0, 0.0))
    yield stage
    stage.close()


def refs(names):
    return frozenset(AssetRef("buildings", str(name)) for name in names)


def colour_of(stage, picture, row):
    x, y = stage.pixel((cities.ORIGIN[0] + row % 10 * 30.0, cities.ORIGIN[1] + row // 10 * 30.0, 15.0))
    return picture[y, x].astype(int)


def test_many_selected_buildings_have_the_colour_of_the_selection_and_no_outline(stage):
    before = stage.draw()
    stage.scene.set_selection(refs(range(50)))
    picture = stage.draw()
    (visual,) = stage.scene.visuals.values()
    assert not stage.scene.marking.selected.actors[0].GetVisibility()
    assert np.abs(colour_of(stage, picture, 22) - colour_of(stage, before, 22)).max() > 40
    assert np.abs(colour_of(stage, picture, 77) - colour_of(stage, before, 77)).max() <= 2
    stage.scene.set_selection(frozenset())
    assert np.array_equal(stage.draw(), before)
    assert len(visual._marked_rows) == 0


def test_fewer_are_outlined_again(stage):
    stage.scene.set_selection(refs(range(50)))
    stage.draw()
    stage.scene.set_selection(refs(range(5)))
    stage.draw()
    (visual,) = stage.scene.visuals.values()
    assert len(visual._marked_rows) == 0
    assert stage.scene.marking.selected.actors[2].GetVisibility()


def test_another_style_and_another_theme_keep_the_selection_in_sight(stage):
    stage.scene.set_selection(refs(range(50)))
    stage.draw()
    (visual,) = stage.scene.visuals.values()
    visual.paint(np.tile(np.array([0, 200, 0, 255], dtype=np.uint8), (100, 1)))
    picture = stage.draw()
    green = colour_of(stage, picture, 77)
    assert green[1] > green[0] + 40
    marked = colour_of(stage, picture, 22)
    assert np.abs(marked - green).max() > 40


def test_what_is_hidden_stays_hidden_when_it_is_selected(stage):
    (visual,) = stage.scene.visuals.values()
    colors = np.full((100, 4), 255, dtype=np.uint8)
    colors[:50, 3] = 0
    visual.paint(colors)
    before = stage.draw()
    visual._marked_rows = np.arange(50)
    visual.paint(colors)
    assert np.array_equal(stage.draw(), before)


def test_parts_are_marked_with_what_they_belong_to(few):
    parents = np.full(100, -1, np.int32)
    parents[60:80] = np.arange(20)
    stage = Stage(cities.workspace_of(("buildings", LayerKind.BUILDINGS, blocks(100, parents))))
    stage.draw()
    stage.scene.set_selection(refs(range(20)))
    stage.draw()
    (visual,) = stage.scene.visuals.values()
    assert visual._marked_rows.tolist() == [*range(20), *range(60, 80)]
    stage.close()
