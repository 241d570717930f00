"""How long until the window is there, beside importing the drawing libraries first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.gui]

SHOWN = """
import sys, time
begun = time.perf_counter()
{eager}
from cimdesk.app.main import make_application
application = make_application("light", "en")
from cimdesk.ui.window import MainWindow
window = MainWindow()
window.show()
while not window._painted:
    application.processEvents()
print(time.perf_counter() - begun)
window.release()
"""


def _seconds(eager: str = "") -> float:
    """Return the best of three starts; the first warms the disk."""
    runs = []
    for _ in range(3):
        code = SHOWN.format(eager=eager)
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}, timeout=120
        )
        runs.append(float(out.stdout.split()[-1]))
    return min(runs)


def test_the_window_is_visible_long_before_the_drawing_libraries_would_be(record_property):
    lazy = _seconds()
    eager = _seconds("import vtkmodules.all, pyvista, rasterio, pyproj, scipy.ndimage, numba")
    record_property("window_s", lazy)
    record_property("eager_s", eager)
    print(f"window visible after {lazy:.2f} s; with everything imported first after {eager:.2f} s")
    assert lazy * 2.0 < eager
    assert lazy < 1.5  # the aim is 0.5 s on a machine of its own; shared ones are up to three times slower
