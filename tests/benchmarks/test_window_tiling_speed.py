"""How long the window stands still while a large file is looked at, tiled beside it and added as a streamed layer.

The limit is of the time that the thread of the window had the processor apart from drawing, as for floods.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QTimer

from cimdesk.commands import large, projects
from cimdesk.ui.handlers_project import preview_paths
from tests.benchmarks.test_window_flood_speed import Drawing
from tests.gui.windows import open_window
from tests.unit.services.tiling.test_outlines import houses

pytestmark = [pytest.mark.benchmark, pytest.mark.gui]
COUNT = 60_000


def test_the_window_answers_while_a_large_file_is_tiled(qtbot, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LP_NUM_THREADS", "1")
    monkeypatch.setattr(large, "OUTLINES_HELD", COUNT)
    monkeypatch.setattr(large, "SMALL_FILE", 1_000_000)
    path = houses(tmp_path / "town.fgb", COUNT)
    window = open_window(qtbot)
    window.desk.bind(projects.create(tmp_path / "plan.gpkg", "plan", window.desk.runner))
    qtbot.waitUntil(lambda: window.view.renders > 0, timeout=60_000)
    surface: Any = window.view.surface
    drawing = surface._window = Drawing(surface._window)
    beats: list[tuple[float, float, float, float]] = []
    timer = QTimer(interval=4)
    timer.timeout.connect(lambda: beats.append((time.perf_counter(), time.thread_time(), drawing.clock, drawing.processor)))
    qtbot.wait(500)
    timer.start()
    began = time.perf_counter()
    window.desk.ask.answers["preview"] = ([path], "")
    preview_paths(window.desk, [path])
    qtbot.waitUntil(lambda: bool(window.desk.session.workspace.layers()) and not window.desk.runner.jobs, timeout=300_000)
    took = time.perf_counter() - began
    timer.stop()
    clock, processor, drawn, drawn_processor = np.diff(np.array(beats), axis=0).T
    apart = float((processor - drawn_processor).max())
    still, whole = float((clock - drawn).max()) * 1000.0, float(clock.max()) * 1000.0
    with capsys.disabled():
        print(
            f"\n{COUNT:,} outlines tiled in {took:.1f} s: the window stands {apart * 1000:.0f} ms at most of the processor apart "
            f"from drawing ({still:.0f} ms by the clock), {whole:.0f} ms with it; {len(beats) / took:.0f} beats a second"
        )
    assert apart <= 0.100
