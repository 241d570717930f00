"""Columns of large layers are made ready when the window has been still, and given up when it closes."""

from __future__ import annotations

import pytest

from cimdesk.commands import sources
from cimdesk.model import limits
from cimdesk.ui import ready_columns
from tests import samples
from tests.gui.windows import open_window

pytestmark = pytest.mark.gui


def test_what_styles_ask_of_a_large_layer_is_found_while_nobody_waits(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(ready_columns, "LARGE", 1)
    window = open_window(qtbot)
    session = window.desk.session
    sources.import_files(session, [samples.city_json(tmp_path / "city.city.json")])
    (layer, *_) = session.workspace.layers()
    ready = window.findChild(ready_columns.ReadyColumns)
    qtbot.waitUntil(lambda: not ready.is_busy, timeout=10_000)
    columns = session.workspace.features(layer.id).columns
    numbers = [values for values in columns.values() if values.dtype.kind in "fiu"]
    assert numbers
    assert all(limits._recall(values, ("ready",)) for values in numbers)
    window.release()
    assert not ready.is_busy


def test_small_layers_are_left_alone(qtbot, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(ready_columns, "ready_tables", lambda *arguments: asked.append(arguments))
    window = open_window(qtbot)
    sources.import_files(window.desk.session, [samples.city_json(tmp_path / "city.city.json")])
    ready = window.findChild(ready_columns.ReadyColumns)
    qtbot.waitUntil(lambda: not ready.is_busy, timeout=10_000)
    assert not asked
