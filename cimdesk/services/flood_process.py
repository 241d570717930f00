"""The flood solver in a process of its own: told what to do in lines, heard in lines, ended at once when nobody wants it.

The child is ``python -m CHILD``. The first line it gets is its task, later ones are orders: ``pause``, ``resume``, ``leave``. It
answers with lines of JSON: any number of ``{"status": ...}`` and one ``{"answer": ...}`` at the end. Everything large goes
through the folder of the run (`cimdesk.formats.flood_run`). A child whose parent is gone keeps what it has and ends.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cimdesk.base import errors
from cimdesk.base.errors import Cancelled, CimdeskError, ServiceError
from cimdesk.base.jobs import CancelToken
from cimdesk.base.workers import WorkerDiedError

CHILD = "cimdesk.commands.flood_child"
"""Module that the child runs."""
ASKED_EVERY = 0.02
"""How often a waiting parent looks whether the person still wants the result [s]."""
LAST_WORDS = 2000
"""Of a child that died, kept for the log [bytes]."""
LEAVING_SECONDS = 20.0
"""How long a child may take to write its checkpoint when it is told to leave."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunStatus:
    """Where a run is.

    Attributes
    ----------
    time, duration : float
        Simulated so far, and in all [s].
    steps : int
    steps_per_s : float
        Of late.
    mass_error : float
        Water missing, as a share of the most there was.
    seconds_left : float
        Of waiting, as far as can be told; NaN at first.
    is_paused : bool
    frames : int
        Kept so far.
    is_ready : bool
        Whether steps are being taken; before, the solver starts.
    """

    time: float = 0.0
    duration: float = 1.0
    steps: int = 0
    steps_per_s: float = 0.0
    mass_error: float = 0.0
    seconds_left: float = float("nan")
    is_paused: bool = False
    frames: int = 0
    is_ready: bool = False


@dataclass
class RunControl:
    """What can be done with a run at work, from any thread.

    Attributes
    ----------
    status : RunStatus
    is_leaving : bool
        Whether the run was told to keep what it has, for another day, and end.
    """

    status: RunStatus = field(default_factory=RunStatus)
    is_leaving: bool = False
    _orders: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    def pause(self) -> None:
        """Hold the run between two steps and write a checkpoint."""
        self._orders.put("pause")

    def resume(self) -> None:
        """Let a held run go on."""
        self._orders.put("resume")

    def leave(self) -> None:
        """Write a checkpoint and end; the run can be continued later."""
        self.is_leaving = True
        self._orders.put("leave")

    def orders(self) -> list[str]:
        """Return the orders given since this was last asked."""
        found = []
        while not self._orders.empty():
            found.append(self._orders.get())
        return found


class FloodProcess:
    """A child that is started and waits for its task; a context manager that leaves none behind."""

    def __init__(self) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._child = subprocess.Popen(
            [sys.executable, "-m", CHILD],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        self._said: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True, name="flood-listener").start()

    def __enter__(self) -> FloodProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can take a task."""
        return self._child.poll() is None

    def end(self) -> None:
        """End it at once."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        for line in (self._child.stdin, self._child.stdout):
            if line is not None:
                try:
                    line.close()
                except OSError:
                    continue  # what was still to be said is of no use to anybody
        self._complaints.close()

    def carry_out(
        self, task: Mapping[str, Any], told: Callable[[RunStatus], None], cancel: CancelToken, control: RunControl
    ) -> Mapping[str, Any]:
        """Hand over a task and return the answer.

        Parameters
        ----------
        task : mapping
            ``folder``, ``threads``, ``resume``, ``live``, ``checkpoint_every``.
        told : callable
            Called with each status, in this thread.
        cancel : CancelToken
        control : RunControl

        Raises
        ------
        Cancelled
        WorkerDiedError
            If the child ended without an answer.
        CimdeskError
            What the child refused with.
        """
        self._say(json.dumps(dict(task)))
        leave_by = float("inf")
        while True:
            if cancel.cancelled and not control.is_leaving:
                raise Cancelled
            for order in control.orders():
                self._say(json.dumps(order))
                leave_by = time.monotonic() + LEAVING_SECONDS if order == "leave" else leave_by
            if time.monotonic() > leave_by:
                raise Cancelled
            try:
                word = self._said.get(timeout=ASKED_EVERY)
            except queue.Empty:
                continue
            if not word:
                raise self._died()
            found = json.loads(word)
            if "status" in found:
                control.status = RunStatus(**found["status"])
                told(control.status)
            elif "error" in found:
                raise error_from(found["error"])
            else:
                answer: Mapping[str, Any] = found["answer"]
                return answer

    def _say(self, text: str) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(text.encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            return  # it has ended, which its silence tells

    def _died(self) -> WorkerDiedError:
        status = self._child.wait()
        self._complaints.seek(max(0, self._complaints.seek(0, os.SEEK_END) - LAST_WORDS))
        words = self._complaints.read().decode("utf-8", "replace").strip()
        if words:
            log.warning("the flood solver ended with %s: %s", status, words)
        return WorkerDiedError(status, "", words)

    def _listen(self) -> None:
        assert self._child.stdout is not None
        try:
            for word in self._child.stdout:
                self._said.put(word)
        except (OSError, ValueError):
            pass  # the line was closed
        self._said.put(b"")


def error_record(error: CimdeskError) -> dict[str, Any]:
    """Return an error as JSON can say it."""
    values = {key: value if isinstance(value, str | int | float) else str(value) for key, value in error.values.items()}
    return {
        "kind": type(error).__name__, "message": error.template, "path": None if error.path is None else str(error.path),
        "where": error.where, "remedy": error.remedy_template, "values": values,
    }  # fmt: skip


def error_from(record: Mapping[str, Any]) -> CimdeskError:
    """Return the error of a record."""
    if record["kind"] == "Cancelled":
        return Cancelled()
    kinds: dict[str, Any] = {kind.__name__: kind for kind in CimdeskError.__subclasses__() if kind.__module__ == errors.__name__}
    named = {"path": record["path"], "where": record["where"], "remedy": record["remedy"], **record["values"]}
    if record["kind"] == "DataError":
        return errors.DataError(named.pop("path"), record["message"], **named)
    found = kinds.get(record["kind"], ServiceError)(record["message"], **named)
    assert isinstance(found, CimdeskError)
    return found


class Spare:
    """At most one child that has started already and waits, so that the next run begins at once."""

    def __init__(self) -> None:
        self._child: FloodProcess | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start one, unless there is."""
        with self._lock:
            if self._child is None or not self._child.is_alive:
                self._child = FloodProcess()

    def take(self) -> FloodProcess:
        """Return the one that waits, or a new one; the caller ends it."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None and child.is_alive:
            return child
        if child is not None:
            child.end()
        return FloodProcess()

    def dismiss(self) -> None:
        """End the one that waits."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()


SPARE = Spare()
