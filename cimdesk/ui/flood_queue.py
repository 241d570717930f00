"""Floods that run beside the window, one after the other; the water of the one at work is shown as it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import JobSpec

if TYPE_CHECKING:
    from cimdesk.commands.flood_apart import ApartRun
    from cimdesk.commands.flood_preview import Preview
    from cimdesk.commands.session import Session
    from cimdesk.ui.jobs import ThreadRunner

LOOK_MS, LONGEST_MS = 400, 5000
"""How often the water is looked at, when it is drawn at once and when drawing takes long."""
DRAWN_MS = 50
SPARED = 4.0
"""How much longer the window is left alone than it takes to draw the water."""

MakeJob = Callable[["ApartRun"], JobSpec[Any]]


class Owner(Protocol):
    """What the queue needs of the desk."""

    session: Session
    runner: ThreadRunner
    message: Any
    session_changed: Any
    availability_changed: Any

    def run(self, job: JobSpec[Any]) -> None: ...


@dataclass(eq=False)
class Ordered:
    """A flood that was asked for.

    Attributes
    ----------
    title : str
    make : callable
        Run -> job.
    run : ApartRun
    """

    title: str
    make: MakeJob
    run: ApartRun


class FloodQueue(QObject):
    """The floods asked for in this window.

    Attributes
    ----------
    changed : Signal
    current : Ordered or None
        At work.
    waiting : list of Ordered
        In the order in which they will run.
    unfinished : list of str
        Names of the runs of the project that were broken off and can go on.
    """

    changed = Signal()

    def __init__(self, desk: Owner, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self.current: Ordered | None = None
        self.waiting: list[Ordered] = []
        self.unfinished: list[str] = []
        self._job: JobSpec[Any] | None = None
        self._session: Session | None = None
        self._preview: Preview | None = None
        self._was_paused = False
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._looked = 0.0
        self._drawn = QTimer(self, singleShot=True, interval=DRAWN_MS)
        self._drawn.timeout.connect(self._spare_the_window)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._settle)
        desk.runner.changed.connect(self._follow)
        desk.session_changed.connect(self._bind)

    @property
    def is_paused(self) -> bool:
        """Whether the flood at work is held."""
        return self.current is not None and self.current.run.control.status.is_paused

    def add(self, title: str, make: MakeJob) -> None:
        """Run a flood now, or after those that were asked for before."""
        from cimdesk.commands.flood_preview import shown_run

        self.waiting.append(Ordered(title, make, shown_run()))
        if self.current is not None:
            self._desk.message.emit(tr("{name} runs when those before it are done.").format(name=title))
        self._next()

    def remove(self, ordered: Ordered) -> None:
        """Forget one that waits."""
        if ordered in self.waiting:
            self.waiting.remove(ordered)
            self.changed.emit()

    def move(self, ordered: Ordered, by: int) -> None:
        """Let one that waits run earlier (negative) or later."""
        if ordered in self.waiting:
            at = self.waiting.index(ordered)
            self.waiting.insert(min(max(at + by, 0), len(self.waiting) - 1), self.waiting.pop(at))
            self.changed.emit()

    def toggle_pause(self) -> None:
        """Hold the flood at work, or let it go on."""
        if self.current is not None:
            control = self.current.run.control
            control.resume() if control.status.is_paused else control.pause()

    def leave(self) -> None:
        """Have the flood at work keep what it has and end, to be continued another day; forget those that wait."""
        self.waiting.clear()
        if self.current is not None:
            self.current.run.control.leave()

    def look_for_unfinished(self) -> None:
        """See which runs of the project were broken off."""
        from cimdesk.commands.flood import unfinished_runs

        found = unfinished_runs(self._desk.session) if self._desk.session.path else []
        self.unfinished = [str(run.begun.get("name", "")) for run in found]
        self._desk.availability_changed.emit()

    def _next(self) -> None:
        from cimdesk.commands.flood_preview import Preview
        from cimdesk.scene.flood_ready import are_kernels_ready

        if self.current is None and self.waiting:
            self.current = self.waiting.pop(0)
            self._session = self._desk.session
            self._job = self.current.make(self.current.run)
            self._preview = Preview(self._desk.session)
            are_kernels_ready()
            self._timer.start()
            self._desk.run(self._job)
        self.changed.emit()

    def _follow(self) -> None:
        if self.current is not None and not any(job.spec is self._job for job in self._desk.runner.jobs):
            self._soon.start()

    def _settle(self) -> None:
        """After a job has ended and its layer is there: take the preview away, go on with the next."""
        if self.current is None or any(job.spec is self._job for job in self._desk.runner.jobs):
            return
        self._timer.stop()
        if self._preview is not None:
            self._preview.end()
        self.current = self._job = self._preview = None
        self.look_for_unfinished()
        self._next()

    def _look(self) -> None:
        if self.current is not None and self._preview is not None:
            if self._preview.look(self.current.run):
                self._looked = perf_counter()
                self._drawn.start()
            if self.is_paused != self._was_paused:
                self._was_paused = self.is_paused
                self.changed.emit()

    def _spare_the_window(self) -> None:
        """Look less often where drawing takes long: most of the time is the person's."""
        took = (perf_counter() - self._looked) * 1000.0 - DRAWN_MS
        self._timer.setInterval(max(LOOK_MS, min(round(took * SPARED), LONGEST_MS)))

    def _bind(self, session: Session) -> None:
        if self._session is not None and self._session is not session:
            self._timer.stop()
            self.leave()
        self.look_for_unfinished()
        if self.unfinished:
            text = tr("{name} was broken off: Flood, Continue run goes on with it.")
            self._desk.message.emit(text.format(name=self.unfinished[0]))
