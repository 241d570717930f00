"""Whole files of servers on this disk: fetched once, kept for the next time, and gone on with where a fetch broke off."""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from cimdesk.base.errors import ServiceError
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.base.paths import cache_dir
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.services.whole_files import FileServer, FileState, PartOnDisk, not_kept

KEPT_BYTES = 20 << 30
"""Kept on the disk; the longest unused files go first."""
FRESH_FOR = 3600.0
"""Seconds that a file is taken to be the same whose server gives nothing to tell that by."""
_STATE = "state.json"
_locks: dict[str, threading.Lock] = {}
_guard = threading.Lock()


def kept_file(address: str) -> Path | None:
    """Return the file of an address as it was fetched last; None where it is not whole on this disk."""
    file = _place_of(address)
    state = _known_state(file.parent)
    is_whole = state is not None and state.fetched > 0.0 and file.is_file() and file.stat().st_size == state.size
    return file if is_whole else None


def kept_state(address: str) -> FileState | None:
    """Return the state in which the file of an address is whole on this disk; None where it is not."""
    file = kept_file(address)
    return None if file is None else _known_state(file.parent)


def is_kept(address: str, state: FileState) -> bool:
    """Return whether the file of an address is whole on this disk, in this state of it."""
    known = kept_state(address)
    return known is not None and _is_alike(known, state)


def fetch_file(address: str, starts: bytes, progress: Progress, cancel: CancelToken, state: FileState | None = None) -> Path:
    """Return a file of a server on this disk: as it is kept, if it is still the same, else fetched now.

    A fetch that was cancelled or broke off goes on where it was, if the server gives parts of files. While the server does not
    answer, what is kept serves.

    Parameters
    ----------
    address : str
    starts : bytes
        How such files begin; what begins otherwise is not fetched.
    progress : callable
    cancel : CancelToken
    state : FileState or None
        The present state of the file where it is known; else the server is asked.

    Raises
    ------
    ServiceError
        If it does not come, is too large to be fetched, or may not be asked for.
    DataError
        If the disk has no room for it.
    Cancelled
    """
    server = FileServer(address)
    file = _place_of(address)
    folder = file.parent
    try:
        with _alone(address), server.heeding(lambda: cancel.cancelled):
            if kept_file(address) is not None and _is_current(server, address, folder, state):
                (folder / _STATE).touch()
                return file
            folder.mkdir(parents=True, exist_ok=True)
            known = _known_state(folder) or FileState()
            part = PartOnDisk(file.with_name(f"{file.name}.part"), file.name, known, lambda begun: _keep_state(folder, begun))
            found = server.bring(address, part, starts, progress)
            part.path.replace(file)
            _keep_state(folder, found)
    except BrokenPart as broken:
        raise ServiceError(broken.template, remedy=broken.remedy, **broken.values) from broken
    except OSError as error:
        raise not_kept(file.name, error) from error
    # Another process may tidy at the same time.
    with suppress(OSError):
        _tidy(folder)
    return file


def _is_current(server: FileServer, address: str, folder: Path, state: FileState | None) -> bool:
    """Return whether the file that is kept is the one that the server has now; true while it does not answer."""
    known = _known_state(folder) or FileState()
    if state is None:
        try:
            state = server.state_of(address)
        except BrokenPart as broken:
            if broken.code == "unreachable":
                return True
            raise
    return _is_alike(known, state)


def _is_alike(known: FileState, state: FileState) -> bool:
    if not state.mark and not known.mark and state.size == known.size:
        return time.time() - known.fetched < FRESH_FOR
    return known.is_same(state)


@contextmanager
def _alone(address: str) -> Iterator[None]:
    """Let one thread at a time fetch an address."""
    with _guard:
        lock = _locks.setdefault(address, threading.Lock())
    with lock:
        yield


def _place_of(address: str) -> Path:
    """Return where the file of an address is kept, under a name that every system takes."""
    name = re.sub(r"[^\w.\-() ]", "_", unquote(urlsplit(address).path.rsplit("/", 1)[-1]))[-80:].strip(". ")
    return cache_dir() / "files" / hashlib.sha256(address.encode()).hexdigest()[:24] / (name or "file")


def _known_state(folder: Path) -> FileState | None:
    try:
        said: Any = orjson.loads((folder / _STATE).read_bytes())
        return FileState(int(said["size"]), str(said["mark"]), float(said["fetched"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep_state(folder: Path, state: FileState) -> None:
    (folder / _STATE).write_bytes(orjson.dumps(asdict(state)))


def _tidy(current: Path) -> None:
    """Delete the files that were not used for longest until the rest fits."""
    found = []
    for folder in current.parent.iterdir():
        sizes = [file.stat().st_size for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
        used = (folder / _STATE).stat().st_mtime if (folder / _STATE).is_file() else 0.0
        found.append((used, sum(sizes), folder))
    total = sum(size for _, size, _ in found)
    for _, size, folder in sorted(found):
        if total <= KEPT_BYTES:
            return
        if folder != current:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
