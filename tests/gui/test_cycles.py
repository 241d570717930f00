"""Widgets that nobody holds any more go away in the event loop, not in the midst of what Qt does with all widgets."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget

pytestmark = pytest.mark.gui

STYLED = """
import gc, sys, threading
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from cimdesk.ui.cycles import CycleCollector

def make_objects():
    kept = [[] for _ in range(300_000)]

class Busy(QWidget):
    def changeEvent(self, event):
        if in_thread:
            thread = threading.Thread(target=make_objects)
            thread.start()
            thread.join()
        else:
            make_objects()

class Forgotten(QWidget):
    def __init__(self):
        super().__init__()
        self.itself = self
        self.buttons = [QPushButton(self) for _ in range(50)]

in_thread, collected = sys.argv[1] == "thread", sys.argv[2] == "collected"
application = QApplication([])
collector = CycleCollector(application) if collected else None
for turn in range(4):
    before = Busy()
    before.show()
    for _ in range(40):
        Forgotten()
    after = Busy()
    after.show()
    application.setStyleSheet(f"QWidget {{ color: rgb({turn}, 0, 0); }}")
    application.processEvents()
"""


@pytest.mark.parametrize("where", ["here", "thread"])
def test_a_new_style_sheet_finds_all_widgets_it_began_with(where: str, tmp_path: Path):
    script = tmp_path / "styled.py"
    script.write_text(STYLED)
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "QT_QPA_PLATFORM": "offscreen"}
    ended = [
        subprocess.run([sys.executable, script, where, how], env=environment, capture_output=True, timeout=120).returncode
        for how in ("collected", "by itself")
    ]
    assert ended[0] == 0
    assert ended[1] < 0, "Python's own search no longer ends the program: is the collector needed still?"


def test_cycles_are_found_while_the_event_loop_runs(qtbot):
    class Held(QWidget):
        def __init__(self) -> None:
            super().__init__()
            self.itself = self

    assert not gc.isenabled()
    gone = weakref.ref(Held())
    kept = [[] for _ in range(gc.get_threshold()[0] * 2)]
    assert gone() is not None
    qtbot.waitUntil(lambda: gone() is None, timeout=20_000)
    assert kept
