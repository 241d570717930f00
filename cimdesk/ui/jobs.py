"""Long work beside the window: a thread pool that carries out jobs, with progress, cancel and results on the GUI thread.

The threads are Python's, not Qt's: a pooled Qt thread gets a new Python thread state for every job, and libraries that keep
something per thread (PROJ contexts in pyproj) then use what was freed with the old one, and crash.
"""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from cimdesk.base.errors import Cancelled, CimdeskError
from cimdesk.base.jobs import CancelToken, JobSpec

T = TypeVar("T")
log = logging.getLogger(__name__)
PROGRESS_INTERVAL = 0.05
"""Least time between two progress reports that reach the window [s]."""


@dataclass(eq=False)
class RunningJob:
    """A job at work, as the status bar shows it."""

    spec: JobSpec[Any]
    cancel: CancelToken = field(default_factory=CancelToken)
    fraction: float | None = None
    text: str = ""


class _Work:
    """One job in the pool; everything it says goes through queued signals of the runner."""

    def __init__(self, job: RunningJob, runner: ThreadRunner) -> None:
        self._job = job
        self._runner = runner
        self._last = 0.0

    def __call__(self) -> None:
        job, runner = self._job, self._runner
        try:
            job.cancel.raise_if_cancelled()
            result = job.spec.work(self._progress, job.cancel)
        except Exception as error:  # noqa: BLE001 - whatever happens in a job is shown to the person by the GUI thread
            runner._failed.emit(job, error)
        else:
            runner._finished.emit(job, result)

    def _progress(self, fraction: float | None, text: str = "") -> None:
        now = time.monotonic()
        if now - self._last >= PROGRESS_INTERVAL or fraction == 1.0:
            self._last = now
            self._runner._progressed.emit(self._job, fraction, text)


class ThreadRunner(QObject):
    """Carries out jobs in a thread pool.

    Attributes
    ----------
    changed : Signal
        A job began, told its progress, or ended.
    failed : Signal of Exception
        A job failed (not emitted for cancelled ones); shown as an error card.
    """

    changed = Signal()
    failed = Signal(object)
    _progressed = Signal(object, object, str)
    _finished = Signal(object, object)
    _failed = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs: list[RunningJob] = []
        self._pool = ThreadPoolExecutor(max_workers=max(3, min(8, os.cpu_count() or 2)), thread_name_prefix="job")
        self._futures: set[Future[None]] = set()
        queued = Qt.ConnectionType.QueuedConnection
        self._progressed.connect(self._on_progress, queued)
        self._finished.connect(self._on_finished, queued)
        self._failed.connect(self._on_failed, queued)

    def start(self, job: JobSpec[T]) -> None:
        """Put a job to work; a running one with the same key is cancelled and its result dropped."""
        running = self._add(job)
        future = self._pool.submit(_Work(running, self))
        self._futures = {known for known in self._futures if not known.done()} | {future}

    def _add(self, job: JobSpec[Any]) -> RunningJob:
        if job.key:
            for running in self.jobs:
                if running.spec.key == job.key:
                    running.cancel.cancel()
        running = RunningJob(job)
        self.jobs.append(running)
        self.changed.emit()
        return running

    def cancel(self, job: RunningJob) -> None:
        """Ask one job to stop."""
        job.cancel.cancel()
        self.changed.emit()

    def close(self, timeout: float = 3.0) -> None:
        """Ask every job to stop, wait a moment, and take no more; used when the window closes."""
        for job in self.jobs:
            job.cancel.cancel()
        wait(self._futures, timeout)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def is_running(self, key: str) -> bool:
        """Whether a job with this key is at work."""
        return any(job.spec.key == key and not job.cancel.cancelled for job in self.jobs)

    @Slot(object, object, str)
    def _on_progress(self, job: RunningJob, fraction: float | None, text: str) -> None:
        job.fraction, job.text = fraction, text or job.text
        self.changed.emit()

    @Slot(object, object)
    def _on_finished(self, job: RunningJob, result: object) -> None:
        self._end(job)
        if job.cancel.cancelled or job.spec.done is None:
            return
        try:
            job.spec.done(result)
        except CimdeskError as error:
            self.failed.emit(error)

    @Slot(object, object)
    def _on_failed(self, job: RunningJob, error: Exception) -> None:
        self._end(job)
        if isinstance(error, Cancelled) or job.cancel.cancelled:
            return
        if not isinstance(error, CimdeskError):
            log.error("job %s failed", job.spec.title, exc_info=error)
        self.failed.emit(error)

    def _end(self, job: RunningJob) -> None:
        if job in self.jobs:
            self.jobs.remove(job)
        self.changed.emit()
