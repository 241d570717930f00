"""Whole files from servers, brought onto the disk under the rules of those that are read in parts."""

from __future__ import annotations

import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from cimdesk import __version__
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import Progress
from cimdesk.base.reasons import plain_reason
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.services.http_ranges import RangeServer, plain_address
from cimdesk.services.tile_http import Limits, PrivateError, not_asked

MOST_BYTES = 4 << 30
"""Larger files are not fetched whole."""
FREE_BYTES = 1 << 30
"""Room that is left on the disk."""
PATIENCE = Limits(timeout=15.0, longest=60.0, tries=4, pause=0.5)
"""``longest`` is how long `SLOWEST` bytes may take."""
SLOWEST = 1 << 16
CHUNK = 1 << 18
TELL_EVERY = 0.1
"""Seconds between two words on how far it is."""
_AGAIN = (408, 416, 429)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)$")
_CONVERT = "Convert it to COPC, for example with untwine, or download it and open the file."


@dataclass(frozen=True)
class FileState:
    """What tells a state of a file from others.

    Attributes
    ----------
    size : int
        In bytes; -1 where the server does not say.
    mark : str
        What the server calls it; empty where it calls it nothing.
    fetched : float
        When it came [POSIX s]; 0 while it is not whole.
    """

    size: int = -1
    mark: str = ""
    fetched: float = 0.0

    def is_same(self, other: FileState) -> bool:
        """Return whether two states are known to be the same."""
        return self.size == other.size and self.mark == other.mark and self.mark != ""


@dataclass
class PartOnDisk:
    """A file that is being fetched.

    Attributes
    ----------
    path : Path
    name : str
        Of the file when it is whole.
    state : FileState
        In which it was begun.
    note : callable
        Called with the state in which it is begun anew, so that another time it can go on.
    """

    path: Path
    name: str
    state: FileState
    note: Callable[[FileState], None]

    @property
    def size(self) -> int:
        """Bytes that are there."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def begin(self, state: FileState, size: int) -> None:
        """Make sure that there is room for what is missing to a file, and keep no more than ``size`` bytes of it.

        Raises
        ------
        BrokenPart
            If it is too large to be fetched.
        DataError
            If it is too large for the disk.
        """
        if state.size > MOST_BYTES:
            raise too_large(self.name)
        needed = max(state.size - size, 0) + FREE_BYTES
        if needed > shutil.disk_usage(self.path.parent).free:
            room = f"{needed / 2**30:.1f}"
            raise DataError(self.name, "it needs {size} GB of room on disk to be fetched.", remedy="Make room.", size=room)
        self.state = state
        try:
            if not size:
                self.path.unlink(missing_ok=True)
            self.note(state)
        except OSError as error:
            raise not_kept(self.name, error) from error

    def opened(self, size: int) -> BinaryIO:
        """Return the file open behind its first ``size`` bytes; raises DataError where the disk does not let it."""
        try:
            file = self.path.open("r+b" if size else "wb")
            file.seek(size)
        except OSError as error:
            raise not_kept(self.name, error) from error
        return file

    def add(self, file: BinaryIO, chunk: bytes) -> None:
        """Write some bytes; raises DataError where the disk does not take them."""
        try:
            file.write(chunk)
        except OSError as error:
            raise not_kept(self.name, error) from error


@dataclass
class FileServer(RangeServer):
    """Gives whole files."""

    limits: Limits = field(default_factory=lambda: PATIENCE)

    def state_of(self, address: str) -> FileState:
        """Return the present state of a file as the head of an answer tells; raises BrokenPart and Cancelled."""
        with self._noted():
            try:
                with self._answer(address, {}) as response:
                    return _state_of(response)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _unreachable(address, _reason(error, address)) from error

    def bring(self, address: str, part: PartOnDisk, starts: bytes, progress: Progress) -> FileState:
        """Add to a file on the disk what it lacks.

        Parameters
        ----------
        address : str
        part : PartOnDisk
        starts : bytes
            How such files begin.
        progress : callable

        Raises
        ------
        BrokenPart
            If it does not come, is another kind of file, or may not be asked for.
        DataError
            If the disk has no room.
        Cancelled
        """
        reason, failures = "", 0
        with self._noted():
            while failures < self.limits.tries:
                time.sleep(self.limits.pause * failures)
                self._stop_if_unwanted()
                had = part.size
                try:
                    return self._brought(address, part, starts, progress)
                except (OSError, http.client.HTTPException, ValueError) as error:
                    reason = _reason(error, address)
                    if getattr(error, "code", 0) == 416:
                        part.path.unlink(missing_ok=True)
                # What brought something was not in vain.
                failures = 1 if part.size > had + SLOWEST else failures + 1
            raise _unreachable(address, reason)

    def _brought(self, address: str, part: PartOnDisk, starts: bytes, progress: Progress) -> FileState:
        had = part.size if part.state.mark else 0
        if had and had == part.state.size:
            return replace(part.state, fetched=time.time())
        if had > part.state.size >= 0:
            part.path.unlink()
            had = 0
        with self._answer(address, {"Range": f"bytes={had}-"} if had else {}) as response:
            state = _state_of(response)
            if response.status == 206:
                place = _RANGE.match(str(response.headers.get("Content-Range") or ""))
                if place is None or int(place[1]) != had or not state.is_same(part.state):
                    part.path.unlink(missing_ok=True)
                    raise OSError("another state of the file")
            else:
                had = 0
            part.begin(state, had)
            with part.opened(had) as file:
                done = self._copied(response, part, file, had, starts, progress)
        if 0 <= state.size != done:
            raise OSError("cut off")
        return FileState(done, state.mark, time.time())

    def _copied(self, response: Any, part: PartOnDisk, file: BinaryIO, had: int, starts: bytes, progress: Progress) -> int:
        """Write what comes, and return how many bytes there are then."""
        size = part.state.size
        done, slow, since, told = had, SLOWEST, time.monotonic(), 0.0
        while chunk := response.read1(CHUNK):
            if done == 0 and not chunk.startswith(starts[: len(chunk)]):
                template, kind = "“{uri}” is no such file: it does not begin with {starts}.", starts.decode("ascii", "replace")
                raise BrokenPart("other-file", template, "Check the address.", uri=part.name, starts=kind)
            part.add(file, chunk)
            done += len(chunk)
            if done > MOST_BYTES:
                raise too_large(part.name)
            slow -= len(chunk)
            now = time.monotonic()
            if now - since > self.limits.longest:
                if slow > 0:
                    raise OSError("too slow")
                slow, since = SLOWEST, now
            self._stop_if_unwanted()
            if now - told > TELL_EVERY or done == size:
                told = now
                progress(done / size if size > 0 else None, _so_far(done, size))
        return done

    @contextmanager
    def _answer(self, address: str, more: dict[str, str]) -> Iterator[Any]:
        if not self._may_ask(address):
            raise not_asked(plain_address(address))
        headers = {"User-Agent": f"cimdesk/{__version__}", "Accept-Encoding": "identity", **more}
        with self._opener().open(urllib.request.Request(address, headers=headers), timeout=self.limits.timeout) as response:
            if (response.headers.get("Content-Encoding") or "identity").lower() != "identity":
                template = "The server packs “{uri}” in a way that was not asked for."
                raise BrokenPart("packed", template, "Download the file and open it.", uri=plain_address(address))
            yield response


def too_large(name: str) -> BrokenPart:
    """Return the refusal of a file that is too large."""
    return BrokenPart("too-large", "“{uri}” is larger than {limit} MB.", _CONVERT, uri=name, limit=MOST_BYTES >> 20)


def not_kept(name: str, error: OSError) -> DataError:
    """Return what is said of a file that the disk does not take."""
    reason = plain_reason(error.strerror or error)
    return DataError(name, "it cannot be kept on the disk ({reason}).", remedy="Make room.", reason=reason)


def _reason(error: Exception, address: str) -> str:
    """Return why something did not come; raises BrokenPart where asking again is of no use."""
    if isinstance(error, urllib.error.HTTPError):
        with error:
            if 300 <= error.code < 400:
                raise not_asked(plain_address(address)) from error
            if 400 <= error.code < 500 and error.code not in _AGAIN:
                raise _unreachable(address, f"HTTP {error.code}") from error
            return f"HTTP {error.code}"
    if isinstance(getattr(error, "reason", None), PrivateError):
        raise not_asked(plain_address(address)) from error
    return str(getattr(error, "reason", error))[:120]


def _unreachable(address: str, reason: str) -> BrokenPart:
    return BrokenPart("unreachable", "“{uri}” cannot be fetched: {reason}", uri=plain_address(address), reason=reason)


def _state_of(response: Any) -> FileState:
    place = _RANGE.match(str(response.headers.get("Content-Range") or ""))
    said = str(response.headers.get("Content-Length") or "")
    size = int(place[2]) if place is not None else int(said) if said.isdigit() else -1
    return FileState(size, str(response.headers.get("ETag") or response.headers.get("Last-Modified") or ""))


def _so_far(done: int, size: int) -> str:
    return f"{done / 1e6:,.0f} MB" if size < 0 else f"{done / 1e6:,.0f} / {size / 1e6:,.0f} MB"
