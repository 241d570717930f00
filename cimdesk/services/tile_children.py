"""Processes that decode tiles: started when they are worth it, lent to one tile after the other, replaced when they end."""

from __future__ import annotations

import atexit
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from cimdesk.base.i18n import current_language
from cimdesk.formats.tiles3d_decode import DecodedTile, TileTask
from cimdesk.formats.tiles3d_paths import BrokenPart, TilePlace
from cimdesk.services.tile_child import tile_of
from cimdesk.services.tile_fetched import Fetched, asked, missing_of
from cimdesk.services.tile_wire import receive, send

CHILD = "cimdesk.services.tile_child"
MOST_CHILDREN = max(1, min(2, (os.cpu_count() or 1) // 2))
SILENCE = 120.0
"""Seconds without an answer after which a child is taken to hang."""
START_SECONDS = 30.0
PAUSE = 5.0
"""Seconds until the next child is tried after one that ended badly."""
CALM, CALM_WITHIN = 0.25, 3.0
"""Seconds without a tile before a child is started, which costs a core as much as twenty tiles, and after which it is anyway."""
_PIPE_BYTES, _SET_PIPE_BYTES = 1 << 20, 1031
log = logging.getLogger(__name__)


class ChildEndedError(Exception):
    """A child ended, or was ended, before it answered."""


class TileChild:
    """One process; used by one thread at a time."""

    def __init__(self) -> None:
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        self._process = subprocess.Popen(
            [sys.executable, "-m", CHILD],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, creationflags=flags,
        )  # fmt: skip
        self._said: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        self._is_gone = False
        _widen(self._process.stdout)
        threading.Thread(target=self._listen, daemon=True, name="tile-listener").start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """What it ended with; negative for a signal, None while it runs."""
        return self._process.poll()

    @property
    def is_alive(self) -> bool:
        """Whether it can take a task."""
        return not self._is_gone and self._process.poll() is None

    def is_ready(self, seconds: float) -> bool:
        """Wait until it has started; return whether it has."""
        try:
            return bool(self._answer(seconds)[0] == "ready")
        except ChildEndedError:
            return False

    def decode(self, task: TileTask, fetched: Mapping[str, Fetched], place: TilePlace) -> DecodedTile | None:
        """Return a tile; None when that fails in a way only an error can tell.

        Parameters
        ----------
        task : TileTask
        fetched : mapping of str to Fetched
            Its contents.
        place : TilePlace
            Asked for everything else.

        Raises
        ------
        ChildEndedError
        """
        self._tell(task, dict(fetched), current_language())
        while True:
            kind, *rest = answer = self._answer(SILENCE)
            if kind == "ask":
                self._tell(*_answer_for(place, rest[0]))
            else:
                return tile_of(answer) if kind == "tile" else None

    def end(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _tell(self, *parts: Any) -> None:
        assert self._process.stdin is not None
        try:
            send(self._process.stdin, *parts)
        except (OSError, ValueError) as error:
            raise ChildEndedError from error

    def _answer(self, seconds: float) -> list[Any]:
        try:
            answer = self._said.get(timeout=seconds)
        except queue.Empty:
            self.end()
            raise ChildEndedError from None
        if answer is None:
            raise ChildEndedError
        return answer

    def _listen(self) -> None:
        line = self._process.stdout
        assert line is not None
        try:
            while True:
                self._said.put(receive(line))
        except (EOFError, OSError, ValueError):
            return  # it has ended
        finally:
            self._is_gone = True
            self._said.put(None)
            self._process.wait()
            for end in (line, self._process.stdin):
                _close(end)


class TileChildren:
    """The children of a program, shared by its tilesets: a child knows nothing but the tile it is at.

    Parameters
    ----------
    most : int
        Children at once.
    """

    def __init__(self, most: int = MOST_CHILDREN) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._came_back = threading.Condition(self._lock)
        self._free: list[TileChild] = []
        self._hired: set[TileChild] = set()
        self._starting = 0
        self._not_before = 0.0
        self._last_asked = 0.0
        self._is_urgent = False
        self._is_over = False

    @property
    def pids(self) -> list[int]:
        """Numbers of those that run."""
        with self._lock:
            return [child.pid for child in (*self._free, *self._hired) if child.is_alive]

    def warm(self, is_urgent: bool) -> None:
        """Start another child, beside the calling thread, if there may be one more and none has just ended badly.

        Parameters
        ----------
        is_urgent : bool
            At once; else as soon as no tiles are asked for, or the wait becomes too long.
        """
        with self._lock:
            self._last_asked, self._is_urgent = time.monotonic(), is_urgent
            self._free = [child for child in self._free if child.is_alive]
            count = len(self._free) + len(self._hired) + self._starting
            if self._is_over or count >= self._most or time.monotonic() < self._not_before:
                return
            self._starting += 1
        threading.Thread(target=self._start, daemon=True, name="tile-children").start()

    def hire(self, seconds: float) -> TileChild | None:
        """Return a child that is free within so many seconds; None when there is none, or none has started."""
        with self._lock:
            self._came_back.wait_for(lambda: self._free or not self._hired, seconds)
            if not self._free:
                return None
            child = self._free.pop()
            self._hired.add(child)
            return child

    def give_back(self, child: TileChild, is_idle: bool) -> None:
        """Let others have a child; one that is not idle, for it ended or waits for an answer that nobody gives, is ended."""
        if not is_idle:
            child.end()
        with self._lock:
            self._hired.discard(child)
            if is_idle and not self._is_over:
                self._free.append(child)
            elif not self._is_over:
                log.warning("a process that decoded tiles ended with %s", child.status)
                self._not_before = time.monotonic() + PAUSE
            self._came_back.notify_all()

    def end(self) -> None:
        """End all children, and start no more."""
        with self._lock:
            self._is_over = True
            children = (*self._free, *self._hired)
            self._free = []
        for child in children:
            child.end()

    def _wait_for_calm(self) -> None:
        end = time.monotonic() + CALM_WITHIN
        while not self._is_urgent and time.monotonic() < min(end, self._last_asked + CALM):
            time.sleep(0.02)

    def _start(self) -> None:
        self._wait_for_calm()
        child: TileChild | None = None
        try:
            child = TileChild()
            is_ready = child.is_ready(START_SECONDS)
        except OSError as error:
            log.warning("no process for tiles: %s", error)
            is_ready = False
        with self._lock:
            self._starting -= 1
            if child is not None and is_ready and not self._is_over:
                self._free.append(child)
                self._came_back.notify()
                return
            self._not_before = time.monotonic() + PAUSE
        if child is not None:
            child.end()


SHARED = TileChildren()
"""Those of this program."""
atexit.register(SHARED.end)


def _answer_for(place: TilePlace, question: tuple[Any, ...]) -> tuple[bool, Any]:
    """Return an answer for a child: whether there is one, and what it is."""
    try:
        return True, asked(place, *question)
    except BrokenPart as broken:
        return False, missing_of(broken)


def _widen(line: Any) -> None:
    """Let a pipe hold a whole tile, where the system allows that: both ends then wait less often."""
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(line.fileno(), _SET_PIPE_BYTES, _PIPE_BYTES)
        except OSError:
            return


def _close(line: Any) -> None:
    try:
        line.close()
    except OSError:
        return  # what was still to be said is of no use to anybody
