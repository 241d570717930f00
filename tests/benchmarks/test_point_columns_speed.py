"""New colours of a million streamed points: what the window is held up for, beside colouring them as a table in one go."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cimdesk.commands import layers, tiled
from cimdesk.model.coloring import color_features
from cimdesk.model.features import FeatureTable
from cimdesk.model.style import Style, StyleMode
from cimdesk.scene.geometry import poly_data, set_point_array
from tests.scene.stage import Stage
from tests.scene.test_streamed_point_columns import halves, survey, town_of
from tests.scene.test_streamed_points import seen_from_above, visual_of
from tests.scene.test_streaming import opened

pytestmark = [pytest.mark.benchmark, pytest.mark.render]
STYLES = (
    Style(StyleMode.CATEGORIES, attribute="Classification"),
    Style(StyleMode.GRADUATED, attribute="Deviation"),
    Style(StyleMode.CONTINUOUS, attribute="Intensity"),
)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)
    dense = survey(0.1, Classification=halves, Intensity=lambda x, y: x * 7 + y, Deviation=lambda x, y: np.sin(x) * y)
    session = opened(town_of(tmp_path, top=dense))
    stage = Stage(session.workspace)
    stage.session = session
    seen_from_above(stage)
    yield stage
    stage.close()


def turns(stage, style):
    """Return the seconds of the window's thread that each turn takes until all points have their new colours."""
    (layer,) = stage.session.workspace.layers()
    layers.set_style(stage.session, layer.id, style)
    taken, is_behind = [], True
    while is_behind:
        start = time.process_time()
        stage.scene.prepare()
        taken.append(time.process_time() - start)
        is_behind = visual_of(stage).points.is_behind
    return taken


def in_one_go(tile, style):
    """Return the seconds that colouring the points as a table takes, and showing that."""
    values = tile.cloud.columns[style.attribute].copy()
    ids = np.empty(len(values), dtype=object)
    start = time.process_time()
    colors = color_features(style, FeatureTable(ids, {style.attribute: values})).colors
    set_point_array(poly_data(tile.cloud.xyz), np.ascontiguousarray(colors[:, :3]), "scalars")
    return time.process_time() - start


def test_new_colours_of_a_million_points_hold_up_the_window_for_a_moment_at_most(stage):
    tile = visual_of(stage).points._tiles[0]
    assert len(tile.cloud) == 1_000_000
    for style in STYLES:
        taken, naive = turns(stage, style), in_one_go(tile, style)
        print(
            f"{style.mode}: {1e3 * max(taken):.0f} ms at most, {1e3 * sum(taken):.0f} ms in {len(taken)} turns, "
            f"as a table {1e3 * naive:.0f} ms; {tile.cloud.size / len(tile.cloud):.0f} bytes a point"
        )
        assert max(taken) < 0.1
