"""What every test shares: the real data folder, a home of its own, and failing on leaked threads and VTK errors."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("CIMDESK_REAL_DATA", ROOT.parent / "shared" / "data"))

# The same examples on every run; CIMDESK_HYPOTHESIS=explore looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("CIMDESK_HYPOTHESIS", "same"))

os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
os.environ.setdefault("LP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real files nobody here wrote; tests that need it are skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}; set CIMDESK_REAL_DATA")
    return REAL_DATA


@pytest.fixture(scope="session")
def facts(real_data: Path) -> dict:
    """Facts about the real files, found with independent tools."""
    return json.loads((real_data / "facts.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory):
    """Keep recent files, settings and logs of the person who runs the tests out of the way."""
    os.environ["CIMDESK_HOME"] = str(tmp_path_factory.mktemp("home"))


@pytest.fixture(autouse=True)
def _english():
    """Start every test in English."""
    yield
    from cimdesk.base.i18n import current_language, set_language

    if current_language() != "en":
        set_language("en")


@pytest.fixture(autouse=True)
def _cycles_from_the_event_loop(request: pytest.FixtureRequest):
    """Look for reference cycles where the program does, when a test has widgets."""
    if "qtbot" not in request.fixturenames:
        yield
        return
    from cimdesk.ui.cycles import CycleCollector

    collector = CycleCollector(request.getfixturevalue("qapp"))
    yield
    collector.stop()
    collector.deleteLater()


@pytest.fixture(autouse=True)
def _no_leaked_threads():
    """A test that leaves a thread running fails."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.is_alive() and not t.daemon]
    for thread in left:
        thread.join(2.0)
    left = [t.name for t in left if t.is_alive()]
    assert not left, f"threads left running: {left}"


@pytest.fixture(autouse=True)
def _no_vtk_errors(monkeypatch: pytest.MonkeyPatch):
    """A VTK error or warning during a test fails it; VTK itself only prints."""
    if "vtkmodules.vtkCommonCore" not in sys.modules:
        yield
        return
    from vtkmodules.vtkCommonCore import vtkOutputWindow, vtkStringOutputWindow

    window = vtkStringOutputWindow()
    previous = vtkOutputWindow.GetInstance()
    vtkOutputWindow.SetInstance(window)
    yield
    vtkOutputWindow.SetInstance(previous)
    text = window.GetOutput() or ""
    assert "ERR|" not in text, text
    assert "ERROR" not in text, text
