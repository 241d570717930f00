"""How long until the window is there, has its panels and its first picture, beside importing the drawing libraries first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import city_json

pytestmark = [pytest.mark.benchmark, pytest.mark.gui]

SHOWN = """
import sys, time
begun = time.perf_counter()
{eager}
from pathlib import Path
from cimdesk.app.main import make_application, open_given
application = make_application("light", "en")
from cimdesk.ui.window import MainWindow
window = MainWindow(at_once=False)
window.filled.connect(lambda: open_given(window.desk, [Path({city!r})]))
window.show()
seen = []
for there in (
    lambda: window._painted,
    lambda: window.is_filled,
    lambda: window.view.renders > 0,
):
    while not there():
        application.processEvents()
    seen.append(time.perf_counter() - begun)
print(*seen)
window.release()
"""


def _seconds(city: Path, eager: str = "") -> tuple[float, float, float]:
    """Return when the window, its panels and its first picture were there: the best of three starts.

    The first start warms the disk and writes the bytecode, as a user's first start does.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    runs = []
    for _ in range(3):
        code = SHOWN.format(eager=eager, city=str(city))
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=120)
        visible, filled, drawn = (float(word) for word in out.stdout.split()[-3:])
        runs.append((visible, filled, drawn))
    return min(runs, key=lambda run: run[2])


def test_the_window_is_visible_long_before_the_drawing_libraries_would_be(tmp_path, record_property):
    city = city_json(tmp_path / "city.city.json")
    visible, filled, drawn = _seconds(city)
    eager, _, _ = _seconds(city, "import vtkmodules.all, pyvista, rasterio, pyproj, scipy.ndimage, numba")
    record_property("window_s", visible)
    record_property("panels_s", filled)
    record_property("picture_s", drawn)
    record_property("eager_s", eager)
    print(
        f"window after {visible:.2f} s, panels {filled:.2f} s, picture {drawn:.2f} s; with everything imported first {eager:.2f} s"
    )
    assert visible * 4.0 < eager
    # The aims are 0.5 s and 1.5 s on a machine of its own; shared ones are up to three times slower.
    assert visible < 1.5
    assert drawn < 4.5
