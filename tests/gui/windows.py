"""A window on a small project, with prepared answers instead of dialogs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cimdesk.ui.desk import Desk
from cimdesk.ui.settings import WindowSettings
from cimdesk.ui.window import MainWindow
from tests import samples


class FakeAsker:
    """Gives the answers a test has prepared; cancels everything else. Errors are kept, not shown."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.errors: list[Exception] = []

    def files(self, title: str) -> list[Path]:
        return self._answer("files", [])

    def folder(self, title: str) -> Path | None:
        return self._answer("folder")

    def save_path(self, title: str, suffix: str, name: str) -> Path | None:
        return self._answer("save_path")

    def text(self, title: str, label: str, value: str = "") -> str | None:
        return self._answer("text")

    def choice(self, title: str, label: str, options: Sequence[str]) -> int | None:
        return self._answer("choice")

    def confirm(self, title: str, text: str, yes: str) -> bool:
        return self._answer("confirm", False)

    def form(self, name: str, desk: Desk, **values: Any) -> Any:
        answer = self._answer(name)
        if name == "preview":
            values["done"](answer)
            return None
        return answer(desk, **values) if callable(answer) else answer

    def show_error(self, error: Exception) -> None:
        self.errors.append(error)

    def _answer(self, name: str, default: Any = None) -> Any:
        self.asked.append(name)
        return self.answers.get(name, default)


def open_window(qtbot, width: int = 1280, height: int = 720, all_panels: bool = True) -> MainWindow:
    """Return a shown window that is closed when the test ends."""
    from cimdesk.app.main import make_application

    make_application("light", "en")
    # What an earlier test hid stays hidden for whoever starts next, as for a person.
    if all_panels:
        WindowSettings().put(show_left=True, show_right=True, show_bottom=True)
    window = MainWindow(FakeAsker())
    window.resize(width, height)
    qtbot.addWidget(window, before_close_func=lambda w: w.release())
    with qtbot.waitExposed(window):
        window.show()
    return window


def wait_for_jobs(qtbot, window: MainWindow, timeout: int = 60_000) -> None:
    """Wait until no job is left."""
    qtbot.waitUntil(lambda: not window.desk.runner.jobs, timeout=timeout)


def open_sample(qtbot, window: MainWindow, folder: Path, *kinds: str) -> None:
    """Add small files of each kind through the "Open" action: ``city``, ``drainage``, ``sensors``, ``terrain``."""
    makers: dict[str, Callable[[], Path]] = {
        "city": lambda: samples.city_json(folder / "city.city.json"),
        "drainage": lambda: samples.drainage_inp(folder / "drainage.inp"),
        "sensors": lambda: samples.sensors_csv(folder / "gauges.csv"),
        "terrain": lambda: samples.terrain_asc(folder / "terrain.asc"),
    }
    paths = [makers[kind]() for kind in kinds or makers]
    asker = window.desk.ask
    assert isinstance(asker, FakeAsker)
    asker.answers["files"] = paths
    asker.answers["preview"] = (paths, "EPSG:4547")
    window.actions_.trigger("project.open")
    qtbot.waitUntil(lambda: bool(window.desk.session.workspace.layers()) and not window.desk.runner.jobs, timeout=60_000)
    assert not asker.errors, asker.errors
    qtbot.waitUntil(lambda: window.view.renders > 0, timeout=60_000)


def layer_named(window: MainWindow, kind: str) -> str:
    """Return the id of the first layer of a kind."""
    return next(layer.id for layer in window.desk.session.workspace.layers() if layer.kind.value == kind)
