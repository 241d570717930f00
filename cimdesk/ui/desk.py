"""Desk: what every panel and handler shares - the session, the job runner, settings, the clock's player and the window itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from cimdesk.base.errors import CimdeskError, Problem
from cimdesk.base.i18n import set_language
from cimdesk.base.jobs import JobSpec
from cimdesk.base.signals import Signal as ModelSignal
from cimdesk.commands import projects
from cimdesk.commands.session import Session
from cimdesk.model.layers import Layer
from cimdesk.model.selection import AssetRef
from cimdesk.ui.flood_queue import FloodQueue
from cimdesk.ui.jobs import ThreadRunner
from cimdesk.ui.player import Player
from cimdesk.ui.settings import WindowSettings

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from cimdesk.scene.scene import Scene
    from cimdesk.ui.draw_tool import Canvas, Tool, ToolCard

T = TypeVar("T")
U = TypeVar("U", bound="Tool")


class SmallPictures(Protocol):
    """What takes small pictures of the view [px]."""

    def thumbnail(self, width: int, height: int) -> bytes: ...
    def seen_from(self, camera: dict[str, Any], width: int, height: int) -> QImage: ...


class PanelControl(Protocol):
    """What handlers ask of the panels ``left``, ``right`` and ``bottom``."""

    def toggle(self, name: str) -> None: ...
    def is_shown(self, name: str) -> bool: ...
    def show_tab(self, name: str) -> None: ...


class LayerNames(Protocol):
    """What handlers ask of the list of layers."""

    def rename_current(self) -> None: ...


class ViewControl(Protocol):
    """What handlers ask of the viewport."""

    scene: Scene | None
    tool: str
    navigation: str

    @property
    def pictures(self) -> SmallPictures: ...

    def set_tool(self, tool: str) -> None: ...
    def take(self, make: Callable[[Canvas], U], card: Callable[[QWidget, U, Callable[[], object]], ToolCard]) -> U: ...
    def request_render(self) -> None: ...


class Shell(Protocol):
    """What handlers ask of the window."""

    @property
    def view(self) -> ViewControl: ...
    @property
    def panels(self) -> PanelControl: ...
    @property
    def layers(self) -> LayerNames: ...
    @property
    def presenting(self) -> bool: ...
    def set_theme(self, name: str) -> None: ...
    def show_palette(self, search: bool = False) -> None: ...
    def set_presenting(self, on: bool) -> None: ...
    def toggle_full_screen(self) -> None: ...
    def close(self) -> bool: ...


class Asker(Protocol):
    """Questions to the person; real dialogs in the window, prepared answers in tests. None means cancelled."""

    def files(self, title: str) -> list[Path]: ...
    def folder(self, title: str) -> Path | None: ...
    def save_path(self, title: str, suffix: str, name: str) -> Path | None: ...
    def text(self, title: str, label: str, value: str = "") -> str | None: ...
    def confirm(self, title: str, text: str, yes: str) -> bool: ...
    def choice(self, title: str, label: str, options: Sequence[str]) -> int | None: ...
    def form(self, name: str, desk: Desk, **values: Any) -> Any: ...
    def show_error(self, error: Exception) -> None: ...


class Desk(QObject):
    """The state of the window, without its widgets.

    Attributes
    ----------
    session_changed : Signal of Session
        Another project was opened; panels bind to it.
    layer_selected : Signal of str
        The layer that layer commands act on; empty for none.
    availability_changed : Signal
        What can be done may have changed: actions ask again what they need.
    message : Signal of str
        A short line for the status bar.
    """

    session_changed = Signal(object)
    layer_selected = Signal(str)
    availability_changed = Signal()
    message = Signal(str)
    problems_changed = Signal()
    comparison_changed = Signal()

    def __init__(self, asker: Asker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = WindowSettings()
        self.runner = ThreadRunner(self)
        self.player = Player(self)
        self.ask = asker
        self.shell: Shell | None = None
        self.trigger: Callable[[str], None] = lambda _name: None
        self.current_layer = ""
        self.current_bookmark = ""
        self.compared_flood = ""
        self.problems: list[tuple[str, Problem]] = []
        self.session = Session(runner=self.runner)
        self.runner.failed.connect(self.show_error)
        self._jobs: list[tuple[int, bool]] = []
        self.runner.changed.connect(self._on_jobs)
        self.floods = FloodQueue(self, self)
        self.floods.changed.connect(self.availability_changed)
        self._links = Links()
        self.bind(self.session)

    def _on_jobs(self) -> None:
        """Say that other things can be done now when jobs came or went; how far they are changes nothing."""
        now = [(id(job), job.cancel.cancelled) for job in self.runner.jobs]
        if now != self._jobs:
            self._jobs = now
            self.availability_changed.emit()

    @property
    def is_open(self) -> bool:
        """Whether a project or any layer is open; otherwise the start page shows."""
        return self.session.store is not None or bool(self.session.workspace.document.records("layer"))

    @property
    def project_path(self) -> Path | None:
        """The project file the person knows of; None for a project that was never saved."""
        return None if self.session.is_scratch else self.session.path

    @property
    def is_loading(self) -> bool:
        """Whether the layers of a project that was just opened are still on their way."""
        return self.runner.is_running("load-layers")

    @property
    def layer(self) -> Layer | None:
        """The layer that layer commands act on."""
        if self.session.workspace.document.get("layer", self.current_layer) is None:
            return None
        return self.session.workspace.layer(self.current_layer)

    @property
    def view(self) -> ViewControl | None:
        """The viewport, once there is a window."""
        return self.shell.view if self.shell is not None else None

    def bind(self, session: Session) -> None:
        """Make ``session`` the one that everything shows; the former one is closed."""
        former, self.session = self.session, session
        self._links.clear()
        self.problems = []
        self.current_layer = self.current_bookmark = self.compared_flood = ""
        self._links.add(session.workspace.changed, self._announce)
        self._links.add(session.history.changed, self._announce)
        self._links.add(session.selection.changed, self._announce)
        self._links.add(session.clock.range_changed, self._announce)
        self._links.add(session.messages, self._keep_problem)
        self.player.bind(session.clock)
        self.session_changed.emit(session)
        self.problems_changed.emit()
        self.availability_changed.emit()
        if former is not session:
            former.close()
        projects.remember(session)

    def select_layer(self, layer_id: str) -> None:
        """Make a layer the one that layer commands act on."""
        if layer_id != self.current_layer:
            self.current_layer = layer_id
            self.layer_selected.emit(layer_id)
            self.availability_changed.emit()

    def run(self, job: JobSpec[T]) -> None:
        """Start a job."""
        self.session.run(job)

    def attempt(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T | None:
        """Call ``function``; an expected failure becomes an error card and None."""
        try:
            return function(*arguments, **named)
        except CimdeskError as error:
            self.show_error(error)
            return None

    def show_error(self, error: Exception) -> None:
        """Show one card: what happened, where, what to do."""
        self.ask.show_error(error)

    def select(self, refs: Sequence[AssetRef]) -> None:
        """Select assets and make their layer the current one."""
        self.session.selection.set(refs)
        if refs:
            self.select_layer(refs[0].layer)

    def compare_with(self, layer_id: str) -> None:
        """Compare the shown flood with another; with the dry city for an empty id."""
        self.compared_flood = layer_id
        self.comparison_changed.emit()

    def go_to_bookmark(self, key: str) -> None:
        """Show a bookmark: its camera, and its time where it has one."""
        record = self.session.workspace.document.get("bookmark", key)
        if record is None or self.view is None or self.view.scene is None:
            return
        self.current_bookmark = key
        self.view.scene.camera.from_record(dict(record["camera"]))
        self.view.scene.set_xray(bool(record.get("xray", False)))
        if record.get("time") is not None:
            self.session.clock.set_time(float(record["time"]))
        self.message.emit(str(record["name"]))
        self.availability_changed.emit()

    def set_language(self, language: str) -> None:
        """Use another language now and at the next start."""
        self.settings.put(language=language)
        set_language(language)

    def _announce(self, _value: object) -> None:
        self.availability_changed.emit()

    def _keep_problem(self, item: tuple[str, Problem]) -> None:
        if any(item[1] == told and self._same_file(item[0], layer) for layer, told in self.problems):
            return
        self.problems.append(item)
        self.problems_changed.emit()

    def _same_file(self, one: str, other: str) -> bool:
        """Return whether two layers, such as the bodies and the axes of one model, were read from one file."""
        document = self.session.workspace.document
        records = [document.get("layer", layer) for layer in (one, other)]
        sources = [record["source"] for record in records if record is not None and record.get("source")]
        return one != other and len(sources) == 2 and sources[0] == sources[1]


class Links:
    """Observers of a session that are let go together when another session is bound."""

    def __init__(self) -> None:
        self._links: list[tuple[ModelSignal[Any], Callable[[Any], object]]] = []

    def add(self, signal: ModelSignal[Any], observer: Callable[[Any], object]) -> None:
        """Connect a bound method to a signal of the model."""
        signal.connect(observer)
        self._links.append((signal, observer))

    def clear(self) -> None:
        """Disconnect everything."""
        for signal, observer in self._links:
            signal.disconnect(observer)
        self._links.clear()
