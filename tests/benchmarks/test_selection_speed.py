"""How long a large selection takes to show, beside outlines of every feature in the same run."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cimdesk.model.city import CityModel
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.layers import LayerKind
from cimdesk.model.selection import AssetRef
from cimdesk.scene.tile_colors import PALETTE, TileColors
from tests.scene import cities
from tests.scene.stage import Stage

pytestmark = [pytest.mark.benchmark, pytest.mark.render, pytest.mark.timeout(900)]
COUNT = 100_000
OUTLINED = 10_000


def stage_of(count):
    side = int(np.ceil(np.sqrt(count)))
    x, y = (v.ravel()[:count].astype(float) * 30 for v in np.meshgrid(np.arange(side), np.arange(side)))
    mesh = cities.boxes(x, y, *np.full((2, count), 15.0), np.full(count, 12.0), np.zeros(count), np.zeros(count))
    city = CityModel(FeatureTable(as_strings(range(count))), np.full(count, -1, np.int32), {"1": mesh})
    stage = Stage(cities.workspace_of(("buildings", LayerKind.BUILDINGS, city)), size=(320, 180), quality="moving")
    stage.draw()
    return stage


def shown_after(stage, count):
    """Return the seconds that the window's thread takes to get a selection ready, and the longest frame."""
    refs = frozenset(AssetRef("buildings", str(k)) for k in range(count))
    stage.scene.set_selection(frozenset())
    stage.scene.prepare()
    frames = []
    begun = time.process_time()
    stage.scene.set_selection(refs)
    while stage.scene.marking.is_stale:
        start = time.process_time()
        stage.scene.prepare()
        frames.append(time.process_time() - start)
    return time.process_time() - begun, max(frames)


def test_a_hundred_thousand_selected_buildings_show_at_once(monkeypatch):
    stage = stage_of(COUNT)
    marked, longest = np.min([shown_after(stage, COUNT) for _ in range(5)], axis=0)
    again = min(_prepared(stage) for _ in range(5))
    monkeypatch.setattr("cimdesk.scene.tiles.CityVisual.most_outlined", None)
    outlined = min(shown_after(stage, OUTLINED)[0] for _ in range(2))
    monkeypatch.undo()
    few = min(shown_after(stage, 3_000)[0] for _ in range(3))
    stage.close()
    print(
        f"\n{COUNT:,} selected: {marked * 1e3:.0f} ms in frames of at most {longest * 1e3:.0f} ms, later frames"
        f" {again * 1e3:.1f} ms; outlines of {OUTLINED:,}"
        f" {outlined * 1e3:.0f} ms, of 3,000 {few * 1e3:.0f} ms"
    )
    assert marked * OUTLINED < outlined * COUNT / 4
    assert longest < 0.1


def _prepared(stage):
    begun = time.process_time()
    stage.scene.prepare()
    return time.process_time() - begun


def test_a_million_features_are_marked_and_recoloured_within_a_frame():
    from cimdesk.model.style import Coloring
    from cimdesk.scene.look import look_of

    count = 1_000_000
    look = look_of("light")
    colors = TileColors()
    colors.make_room(count)
    coloring = Coloring(np.arange(count) % 7, np.random.default_rng(0).integers(0, 255, (7, 4), dtype=np.uint8) | np.uint8(1))
    rows = np.arange(count)
    painted, marked = [], []
    for _ in range(7):
        begun = time.process_time()
        colors.paint(coloring, look)
        painted.append(time.process_time() - begun)
        begun = time.process_time()
        colors.mark(rows, look)
        marked.append(time.process_time() - begun)
    assert (colors.texture.texels[PALETTE : PALETTE + 2 * count : 2] == colors.texture.texels[PALETTE]).all()
    print(f"\n{count:,} features: recoloured {min(painted) * 1e3:.1f} ms, marked {min(marked) * 1e3:.1f} ms")
    assert min(painted) < 0.02
    assert min(marked) < 0.05
