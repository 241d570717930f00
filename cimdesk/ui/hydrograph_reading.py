"""Line of a form that reads a file of hydrographs beside the window: how far it is, a way to stop it, and what was wrong."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget
from shiboken6 import isValid

from cimdesk.base.errors import Cancelled, CimdeskError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands.flood_series import of_file
from cimdesk.model.hydrographs import Hydrograph
from cimdesk.ui.jobs import ThreadRunner
from cimdesk.ui.theme import current_theme, icon_pixmap

KEY = "hydrographs"
STEPS = 1000
_Found = list[Hydrograph] | CimdeskError


class HydrographReading(QWidget):
    """Reads one file at a time; another one takes the place of the first.

    Parameters
    ----------
    runner : ThreadRunner

    Attributes
    ----------
    found : Signal of (Path, list of Hydrograph)
        A file was read.
    changed : Signal
        Reading began or ended.
    """

    found = Signal(object, object)
    changed = Signal()

    def __init__(self, runner: ThreadRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._spec: JobSpec[_Found] | None = None
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.stop_button = QPushButton(tr("Cancel"))
        self.stop_button.setObjectName("link")
        self.stop_button.setAutoDefault(False)
        self.stop_button.clicked.connect(self.stop)
        beside = QHBoxLayout()
        beside.addWidget(self.bar, 1)
        beside.addWidget(self.stop_button)
        self._sign = QLabel()
        said = QHBoxLayout()
        said.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        said.addWidget(self.words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(said)
        column.addLayout(beside)
        runner.changed.connect(self._on_jobs)
        self._show("")

    @property
    def is_reading(self) -> bool:
        """Whether a file is being read."""
        return self._spec is not None

    def read(self, path: Path) -> None:
        """Begin to read a file."""

        def work(progress: Progress, cancel: CancelToken) -> _Found:
            try:
                return of_file(path, progress, cancel)
            except Cancelled:
                raise
            except CimdeskError as error:
                return error  # told in the form, not by a card above it

        def done(result: _Found) -> None:
            if isValid(self):
                self._on_done(path, result)

        text = tr("Reading {name}").format(name=path.name)
        self._spec = JobSpec(text, work, done, KEY)
        self._show(text)
        self._runner.start(self._spec)
        self.changed.emit()

    @Slot()
    def stop(self) -> None:
        """Give up what is being read."""
        spec, self._spec = self._spec, None
        for job in list(self._runner.jobs):
            if job.spec is spec:
                self._runner.cancel(job)
        self._show("")
        self.changed.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        # Whoever closes the form does not wait for the file.
        if self.is_reading and not event.spontaneous():
            self.stop()
        super().hideEvent(event)

    @Slot()
    def _on_jobs(self) -> None:
        if self._spec is None:
            return
        job = next((job for job in self._runner.jobs if job.spec is self._spec), None)
        if job is None:
            self._spec = None
            self._show("")
            self.changed.emit()
        else:
            self.bar.setRange(0, 0 if job.fraction is None else STEPS)
            self.bar.setValue(round(STEPS * (job.fraction or 0.0)))

    def _on_done(self, path: Path, result: _Found) -> None:
        if isinstance(result, CimdeskError):
            self._show(result.localized().replace(str(path), path.name), is_wrong=True)
        else:
            self.found.emit(path, result)

    def _show(self, words: str, is_wrong: bool = False) -> None:
        """Show what is read, or what was wrong; nothing without words."""
        self.words.setText(words)
        self._sign.setVisible(is_wrong)
        if is_wrong:
            theme = current_theme()
            color, size = theme.ink("warning").name(), theme.px("icon_px")
            self._sign.setPixmap(icon_pixmap("ui.warning", color, size, self.devicePixelRatioF()))
        self.bar.setVisible(self.is_reading)
        self.stop_button.setVisible(self.is_reading)
        if self.is_reading:
            self.bar.setRange(0, 0)
        self.setVisible(bool(words))
