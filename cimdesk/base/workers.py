"""Work in a process of its own: it may crash, hang or run out of memory without taking the program along.

The child is ``python -m MODULE``. It gets its task as JSON on standard input and answers with lines of JSON: any number of
``{"fraction": ..., "text": ...}`` and one ``{"result": ...}`` or ``{"refusal": ...}`` at the end.
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
from collections.abc import Callable
from typing import IO, Any

from cimdesk.base.jobs import CancelToken, Progress

ASKED_EVERY = 0.05
"""How often a waiting parent looks whether the person still wants the result [s]."""
TOLD_EVERY = 0.05
"""How often a child tells its progress at most [s]."""
LAST_WORDS = 2000
"""Of a child that died, kept for the log [bytes]."""
MEMORY_SHARE = 0.75
"""Of the computer's memory, that a child may take."""

log = logging.getLogger(__name__)


class WorkerDiedError(Exception):
    """The child ended without an answer.

    Attributes
    ----------
    status : int
        Its exit status; negative for the signal that ended it.
    place : str
        What it was doing, as it last said.
    last_words : str
        The end of what it wrote to standard error.
    """

    def __init__(self, status: int, place: str, last_words: str = "") -> None:
        self.status, self.place, self.last_words = status, place, last_words
        super().__init__(f"status {status} at {place or 'the start'}")


class WorkerSilentError(Exception):
    """The child did not say anything for too long and was ended; ``place`` is what it was doing."""

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(f"silent at {place or 'the start'}")


class WorkerRefusedError(Exception):
    """The child could not do its task and says why: ``reason`` is a JSON-able value."""

    def __init__(self, reason: Any) -> None:
        self.reason = reason
        super().__init__(str(reason))


def run_worker(module: str, task: Any, progress: Progress, cancel: CancelToken, silence: float, says_what: bool = False) -> Any:
    """Run ``python -m module`` on a task and return its result.

    Parameters
    ----------
    module : str
        Calls `serve` when it is run.
    task : JSON-able
    progress, cancel
        Told and asked while waiting.
    silence : float
        Seconds without a word after which the child is taken to hang.
    says_what : bool
        Whether what the child says it is doing is meant for people, and told with the progress.

    Raises
    ------
    WorkerDiedError, WorkerSilentError, WorkerRefusedError
    Cancelled
        The child is gone by then.
    """

    def told(fraction: float | None, text: str = "") -> None:
        progress(fraction, text if says_what else "")

    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    with tempfile.TemporaryFile() as complaints, subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, creationflags=flags,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            _hand_over(child.stdin, task)
            return _answer(child, child.stdout, told, cancel, silence)
        except WorkerDiedError as error:
            complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - LAST_WORDS))
            error.last_words = complaints.read().decode("utf-8", "replace").strip()
            log.warning("%s ended with %s: %s", module, error, error.last_words)
            raise
        finally:
            if child.poll() is None:
                child.kill()


def _hand_over(line: IO[bytes], task: Any) -> None:
    try:
        line.write(json.dumps(task).encode())
        line.close()
    except OSError:
        return  # it has ended already, which its silence tells


def _answer(child: subprocess.Popen[bytes], line: IO[bytes], progress: Progress, cancel: CancelToken, silence: float) -> Any:
    said: queue.Queue[bytes] = queue.Queue()
    listener = threading.Thread(target=_listen, args=(line, said), daemon=True, name="worker-listener")
    listener.start()
    place, heard = "", time.monotonic()
    while True:
        cancel.raise_if_cancelled()
        try:
            word = said.get(timeout=ASKED_EVERY)
        except queue.Empty:
            if time.monotonic() - heard > silence:
                raise WorkerSilentError(place) from None
            continue
        if not word:
            raise WorkerDiedError(child.wait(), place)
        heard = time.monotonic()
        found = json.loads(word)
        if "result" in found:
            return found["result"]
        if "refusal" in found:
            raise WorkerRefusedError(found["refusal"])
        place = str(found.get("text", ""))
        progress(found.get("fraction"), place)


def _listen(line: IO[bytes], said: queue.Queue[bytes]) -> None:
    try:
        for word in line:
            said.put(word)
    except (OSError, ValueError):
        pass  # the parent has closed the line
    said.put(b"")


class RefusalError(Exception):
    """Raised by a child's work to refuse its task; ``reason`` is a JSON-able value."""

    def __init__(self, reason: Any) -> None:
        self.reason = reason
        super().__init__(str(reason))


def serve(work: Callable[[Any, Callable[[float | None, str], None]], Any]) -> None:
    """Be the child: read the task, do ``work(task, tell)`` and answer.

    What libraries print goes nowhere, so that it cannot be taken for an answer.
    """
    limit_memory()
    task = json.loads(sys.stdin.buffer.read())
    line = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    last = 0.0

    def say(word: dict[str, Any]) -> None:
        line.write(json.dumps(word).encode() + b"\n")
        line.flush()

    def tell(fraction: float | None, text: str = "", at_once: bool = False) -> None:
        nonlocal last
        now = time.monotonic()
        if at_once or now - last > TOLD_EVERY:
            last = now
            say({"fraction": fraction, "text": text})

    try:
        word = {"result": work(task, tell)}
    except RefusalError as refusal:
        word = {"refusal": refusal.reason}
    say(word)
    line.close()
    # Native libraries sometimes fall over while they are taken down; there is nothing left to do.
    os._exit(0)


def limit_memory() -> None:
    """Let a task that asks for too much memory fail alone, before the computer starts to swap."""
    try:
        import resource

        limit = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, ValueError, OSError):
        return  # not on Windows; some systems allow no limit
