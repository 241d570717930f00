"""Long work: progress, cancelling, and the description of a job that any runner can carry out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cimdesk.base.errors import Cancelled

T = TypeVar("T")


class Progress(Protocol):
    """Told how far the work is: a fraction in 0..1 (None when unknown) and what is going on."""

    def __call__(self, fraction: float | None, text: str = "") -> None: ...


class CancelToken:
    """Asked by long functions whether the person still wants the result. Safe across threads."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the work should stop."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` when the work should stop."""
        if self._event.is_set():
            raise Cancelled


def no_progress(fraction: float | None, text: str = "") -> None:
    """Progress that tells nobody."""


@dataclass(frozen=True)
class JobSpec(Generic[T]):
    """Work to be done away from the window.

    Attributes
    ----------
    title : str
        What the person sees in the job strip.
    work : callable
        ``work(progress, cancel) -> result``; sees frozen inputs only, never edits the workspace.
    done : callable or None
        Called with the result on the thread that owns the workspace; this is where edits are made.
    key : str
        Jobs with the same non-empty key replace each other: the latest wins.
    """

    title: str
    work: Callable[[Progress, CancelToken], T]
    done: Callable[[T], object] | None = None
    key: str = ""


class JobRunner(Protocol):
    """Carries out jobs: in a thread pool under the window, at once on the command line."""

    def start(self, job: JobSpec[T]) -> None:
        """Run ``job`` and hand its result to ``job.done``, now or later."""
        ...


class SynchronousRunner:
    """Runs each job to its end before returning; for the command line, scripts and tests."""

    def __init__(self, progress: Progress = no_progress, cancel: CancelToken | None = None) -> None:
        self.progress = progress
        self.cancel = cancel or CancelToken()

    def start(self, job: JobSpec[T]) -> None:
        """Run ``job`` now; errors and `Cancelled` reach the caller."""
        result = job.work(self.progress, self.cancel)
        if job.done is not None:
            job.done(result)
