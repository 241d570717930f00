"""How long the window stands still while a flood runs beside it and its water is shown as it comes.

A beat of the event loop every few milliseconds tells. Drawing by a processor instead of a graphics card is counted by itself. The
limit is of the time that the thread of the window had the processor, so that other work on the machine does not count.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QTimer

from cimdesk.commands.flood_preview import GUEST
from tests.gui.test_flood_runs import hills, opened, order, stopped

pytestmark = [pytest.mark.benchmark, pytest.mark.gui]
WATCHED = 8.0


class Drawing:
    """Stands for the render window of a viewport and adds up what drawing takes."""

    def __init__(self, window: Any) -> None:
        self.window = window
        self.clock = self.processor = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.window, name)

    def Render(self) -> None:
        clock, processor = time.perf_counter(), time.thread_time()
        self.window.Render()
        self.clock += time.perf_counter() - clock
        self.processor += time.thread_time() - processor


@pytest.mark.parametrize("cells", [400, 1000])
def test_the_window_answers_while_a_flood_runs(qtbot, tmp_path, monkeypatch, capsys, cells):
    monkeypatch.setenv("LP_NUM_THREADS", "1")
    window = opened(qtbot, tmp_path)
    surface: Any = window.view.surface
    drawing = surface._window = Drawing(surface._window)
    beats: list[tuple[float, float, float, float]] = []
    timer = QTimer(interval=4)

    def beat() -> None:
        beats.append((time.perf_counter(), time.thread_time(), drawing.clock, drawing.processor))

    timer.timeout.connect(beat)
    timer.start()
    order(window, hills("Storm", 48 * 3600.0, cells))
    qtbot.waitUntil(lambda: window.desk.session.workspace.data(GUEST) is not None, timeout=60_000)
    shown = time.perf_counter()
    qtbot.waitUntil(lambda: time.perf_counter() - shown > WATCHED, timeout=60_000)
    timer.stop()
    frames = len(window.desk.session.workspace.data(GUEST).times)
    stopped(qtbot, window)
    clock, processor, drawn, drawn_processor = np.diff(np.array(beats), axis=0).T
    apart = float((processor - drawn_processor).max())
    still, whole, picture = (float(span.max()) * 1000.0 for span in (clock - drawn, clock, drawn))
    with capsys.disabled():
        print(
            f"\n{cells} x {cells} cells, {frames} frames: the window stands {apart * 1000:.0f} ms at most of the processor apart "
            f"from drawing ({still:.0f} ms by the clock), {whole:.0f} ms with it; one picture {picture:.0f} ms"
        )
    assert frames > 1
    assert apart <= 0.100
