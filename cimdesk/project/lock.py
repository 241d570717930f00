"""Who has a project open for writing: a small file beside it with owner, host, process and a heartbeat."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from cimdesk.base.files import new_file_beside
from cimdesk.base.processes import is_running, started_mark, user_name

BEAT_SECONDS = 30.0
"""How often a holder shows that it is alive."""
STALE_SECONDS = 300.0
"""How long a holder on another computer may be silent before its lock counts as left behind."""


@dataclass(frozen=True)
class LockInfo:
    """Who holds a project.

    Attributes
    ----------
    owner, host : str
    pid : int
    started : str
        What tells this process from a later one with the same number; empty where the system does not say.
    opened, time : float
        When it was opened and last heard of [POSIX s].
    token : str
        Differs for every opening.
    """

    owner: str
    host: str
    pid: int
    started: str
    opened: float
    time: float
    token: str

    @property
    def is_stale(self) -> bool:
        """Whether the holder is gone: its process has ended, or it is on another host and long silent."""
        if self.host == socket.gethostname():
            return not is_running(self.pid, self.started)
        return not abs(time.time() - self.time) < STALE_SECONDS


def lock_path(path: Path) -> Path:
    """Return where the lock of a project file lies."""
    return path.with_name(path.name + ".lock")


def holder(path: Path) -> LockInfo | None:
    """Return who holds a project; None when nobody does or what is left of a lock cannot be read or is stale."""
    try:
        fields = json.loads(lock_path(path).read_text(encoding="utf-8"))
        info = LockInfo(
            str(fields["owner"]), str(fields["host"]), int(fields["pid"]), str(fields["started"]),
            float(fields["opened"]), float(fields["time"]), str(fields["token"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return None if info.is_stale or not math.isfinite(info.opened) else info


class Lock:
    """A held lock; its heartbeat runs until `release`.

    Attributes
    ----------
    info : LockInfo
    lost : bool
        Whether somebody else took the project over.
    """

    def __init__(self, path: Path, info: LockInfo) -> None:
        self.info = info
        self.lost = False
        self._path = lock_path(path)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lock of {path.name}", daemon=True)
        self._thread.start()

    @staticmethod
    def acquire(path: Path) -> Lock | None:
        """Take the lock of a project; None when somebody living holds it.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        now = time.time()
        mark = started_mark(os.getpid())
        info = LockInfo(user_name(), socket.gethostname(), os.getpid(), mark, now, now, uuid.uuid4().hex)
        place = lock_path(path)
        prepared = _written_beside(place, info)
        try:
            if _is_made_alone(prepared, place):
                return Lock(path, info)
            if holder(path) is not None:
                return None
            # Left behind: take it over. Of two that do so at once the one whose token stays has it.
            prepared.replace(place)
        finally:
            prepared.unlink(missing_ok=True)
        present = holder(path)
        return Lock(path, info) if present is not None and present.token == info.token else None

    def release(self) -> None:
        """Let go and stop the heartbeat."""
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            if not self.lost and self._is_ours():
                self._path.unlink()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            if not self._is_ours():
                self.lost = True
                return
            # A full disk must not end the heartbeat; the next one tries again.
            with contextlib.suppress(OSError):
                fresh = LockInfo(**{**asdict(self.info), "time": time.time()})
                _written_beside(self._path, fresh).replace(self._path)

    def _is_ours(self) -> bool:
        try:
            return str(json.loads(self._path.read_text(encoding="utf-8"))["token"]) == self.info.token
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError):
            return True


def _written_beside(place: Path, info: LockInfo) -> Path:
    prepared = new_file_beside(place)
    prepared.write_text(json.dumps(asdict(info)), encoding="utf-8")
    return prepared


def _is_made_alone(prepared: Path, place: Path) -> bool:
    """Give ``prepared`` its name unless the name is taken; whether that went well, for one of many who try at once."""
    try:
        os.link(prepared, place)
    except FileExistsError:
        return False
    except OSError:
        # File systems of memory cards and some network drives know no links; they make a new file for one only, too.
        try:
            with place.open("x", encoding="utf-8") as file:
                file.write(prepared.read_text(encoding="utf-8"))
        except FileExistsError:
            return False
    return True
