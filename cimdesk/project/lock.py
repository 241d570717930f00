"""Who has a project open for writing: a small file beside it with owner, host, process and a heartbeat."""

from __future__ import annotations

import contextlib
import getpass
import json
import math
import os
import socket
import tempfile
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

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
            return not _is_running(self.pid, self.started)
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
        info = LockInfo(
            getpass.getuser(), socket.gethostname(), os.getpid(), _started(os.getpid()), now, now, uuid.uuid4().hex
        )  # fmt: skip
        place = lock_path(path)
        prepared = _written_beside(place, info)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(prepared, place)
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
    handle, name = tempfile.mkstemp(prefix=place.name + ".", dir=place.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(info), file)
    return Path(name)


def _is_running(pid: int, started: str) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    except OSError:
        # Windows says so for a number that no process has.
        return False
    return not started or _started(pid) in ("", started)


def _started(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # proc(5): the name may hold spaces and brackets; start time is field 22, counted after the last bracket. Z is a zombie.
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[:1] == ["Z"] else fields[19] if len(fields) > 19 else ""
