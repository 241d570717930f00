"""Reference cycles are looked for from the event loop alone, where no widget is in use.

Python looks for them in whatever thread makes many objects, in the midst of anything. What it then finds of widgets goes at once,
or at the next line that the window's thread runs: perhaps one that Qt called while it walks over all widgets, as for a new style
sheet, which ends the program.
"""

from __future__ import annotations

import gc
import time

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 500
SHARE = 0.01
"""Of the time that looking through everything may take."""


class CycleCollector(QObject):
    """Takes over from Python's automatic search for reference cycles while the window's event loop runs."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._whole_again = 0.0
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()
        gc.disable()

    def stop(self) -> None:
        """Leave it to Python again."""
        self._timer.stop()
        gc.enable()

    def _look(self) -> None:
        """Look through the oldest generation that is due by Python's own thresholds."""
        due = [count > threshold for count, threshold in zip(gc.get_count(), gc.get_threshold(), strict=True)]
        started = time.perf_counter()
        if due[2] and started >= self._whole_again:
            gc.collect()
            done = time.perf_counter()
            self._whole_again = done + (done - started) / SHARE
        elif due[1] or due[2]:
            gc.collect(1)
        elif due[0]:
            gc.collect(0)
