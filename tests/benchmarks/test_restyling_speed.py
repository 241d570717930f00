"""A million features of a streamed layer coloured by an attribute for the first time, made ready before or not."""

from __future__ import annotations

import time
from threading import Thread

import numpy as np
import pytest

from cimdesk.commands import layers, tiled
from cimdesk.model.classes import Method
from cimdesk.model.limits import ready_tables
from cimdesk.model.style import Style, StyleMode
from tests.scene.stage import Stage
from tests.scene.test_streaming import drawn, look, opened
from tests.scene.tile_towns import write_town

pytestmark = [pytest.mark.benchmark, pytest.mark.render, pytest.mark.timeout(900)]

COUNT = 1_000_000
STYLES = [
    Style(StyleMode.CATEGORIES, "#cccccc", "use"),
    Style(StyleMode.GRADUATED, "#cccccc", "height"),
    Style(StyleMode.GRADUATED, "#cccccc", "area", method=Method.NATURAL, classes=7),
    Style(StyleMode.CONTINUOUS, "#cccccc", "year"),
]


def city(folder, monkeypatch):
    """Return a session and a stage on a town, whose layer has met a million features since."""
    monkeypatch.setattr(tiled, "WHOLE_TILES", 1)
    session = opened(write_town(folder, levels=2, tile=200.0, count=6))
    stage = Stage(session.workspace, size=(320, 180))
    look(stage, 0.0, 89.0, 300.0, (100.0, 100.0, 0.0))
    assert stage.scene.complete(60.0)
    rng = np.random.default_rng(1)
    columns = {
        "use": np.array(["office", "flats", "shop", "school", "hospital"], dtype=object)[rng.integers(0, 5, COUNT)],
        "height": rng.gamma(3.0, 8.0, COUNT), "area": rng.lognormal(5.0, 1.0, COUNT), "year": rng.integers(1900, 2026, COUNT),
    }  # fmt: skip
    ids = np.array([f"b{k}" for k in range(COUNT)], dtype=object)
    for start in range(0, COUNT, 5_000):
        part = slice(start, start + 5_000)
        drawn(stage).source.features.add(ids[part], {name: values[part] for name, values in columns.items()})
    tiled.publish(session)
    stage.scene.complete(60.0)
    stage.window.Render()
    return session, stage


def restyled(session, stage):
    """Return the seconds of the window's thread from each style's edit to the texels of everything."""
    (layer,) = session.workspace.layers()
    taken = []
    for style in STYLES:
        begun = time.thread_time()
        layers.set_style(session, layer.id, style)
        stage.scene.prepare()
        taken.append(time.thread_time() - begun)
        stage.window.Render()
    return np.array(taken)


def test_a_million_features_by_an_attribute_never_styled_by(tmp_path, monkeypatch):
    session, stage = city(tmp_path / "plain", monkeypatch)
    plain = restyled(session, stage)
    stage.close()
    session, stage = city(tmp_path / "ready", monkeypatch)
    (layer,) = session.workspace.layers()
    made = Thread(target=ready_tables, args=([session.workspace.features(layer.id)],))
    begun = time.perf_counter()
    made.start()
    made.join()
    beside = time.perf_counter() - begun
    first, again = restyled(session, stage), restyled(session, stage)
    stage.close()
    shown = [" ".join(f"{value * 1e3:.1f}" for value in values) for values in (first, again, plain)]
    print(f"\ncategory, classes, natural, ramp: first time {shown[0]} ms, again {shown[1]} ms; at once {shown[2]} ms")
    print(f"columns ready after {beside:.2f} s beside the window")
    assert (first < plain / 2.0).all()
    assert np.median(first) <= 0.01
