"""Large files on servers, read in parts by range requests: the parts are kept in memory and on the disk, as those of tiles are."""

from __future__ import annotations

import http.client
import re
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from cimdesk import __version__
from cimdesk.base.errors import Cancelled, Problem, ServiceError, Severity
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.services.tile_cache import TileCache
from cimdesk.services.tile_http import Limits, PrivateError, TilesetServer, not_asked

PATIENCE = Limits(timeout=8.0, longest=30.0, tries=2, pause=0.25)
SILENT_FOR = 15.0
"""Seconds for which a server that failed a few times running is not asked at all."""
FAILURES = 3
BLOCK = 1 << 16
"""Bytes of the parts that files are kept in."""
MOST_ASKED = 4 << 20
"""Bytes asked for in one request."""
HELD = 48 << 20
"""Bytes of one file held in memory."""
MAX_PROBLEMS = 20
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)$")


@dataclass
class RangeServer(TilesetServer):
    """Files of one server, asked for by several threads that may each lose interest.

    Attributes
    ----------
    token : threading.local
        Holds what tells the calling thread that nobody wants any more what it asks for.
    """

    limits: Limits = field(default_factory=lambda: PATIENCE)
    token: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        self._settle()
        self._failures = 0
        self.is_unwanted = self._is_unwanted

    @contextmanager
    def heeding(self, is_unwanted: Callable[[], bool]) -> Iterator[None]:
        """Let what the calling thread asks for meanwhile be given up as soon as ``is_unwanted`` says so."""
        before = getattr(self.token, "is_unwanted", None)
        self.token.is_unwanted = is_unwanted
        try:
            yield
        finally:
            self.token.is_unwanted = before

    def fetch(self, address: str, limit: int, cancel: CancelToken) -> bytes:
        """Return the bytes of a file, from the disk while it is fresh; raises BrokenPart and Cancelled."""
        if not self._may_ask(address):
            raise _unsafe(address)
        with self._noted(), self.heeding(lambda: cancel.cancelled):
            data = self._fetch(address, limit)
        self._failures = 0
        return data

    def part(self, address: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        """Return some bytes of a file by a range request; raises BrokenPart and Cancelled."""
        name = f"{address}#bytes={offset}+{length}"
        kept = self.cache.get(name)
        if kept is not None and kept.is_fresh:
            return kept.data
        try:
            with self.heeding(lambda: cancel.cancelled):
                part = self.range_of(address, offset, length)
        except BrokenPart as broken:
            if kept is not None and broken.code == "unreachable":
                return kept.data
            raise
        self.cache.put(name, part.data, part.headers)
        return part.data

    def range_of(self, address: str, offset: int, length: int) -> Part:
        """Return some bytes of a file as the server has them now; raises BrokenPart and Cancelled."""
        if not self._may_ask(address):
            raise _unsafe(address)
        reason = "offline"
        with self._noted():
            for attempt in range(self.limits.tries if time.monotonic() >= self._dead_until else 0):
                time.sleep(self.limits.pause * attempt)
                self._stop_if_unwanted()
                try:
                    part = self._range_once(address, offset, length)
                except urllib.error.HTTPError as error:
                    with error:
                        reason = f"HTTP {error.code}"
                        if 300 <= error.code < 400:
                            raise _unsafe(address) from error
                        if 400 <= error.code < 500 and error.code != 429:
                            break
                except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
                    if isinstance(getattr(error, "reason", None), PrivateError):
                        raise _unsafe(address) from error
                    reason = str(getattr(error, "reason", error))[:120]
                else:
                    self._failures = 0
                    return part
            raise BrokenPart("unreachable", "“{uri}” cannot be fetched: {reason}", uri=plain_address(address), reason=reason)

    def _range_once(self, address: str, offset: int, length: int) -> Part:
        headers = {
            "User-Agent": f"cimdesk/{__version__}",
            "Range": f"bytes={offset}-{offset + length - 1}",
            "Accept-Encoding": "identity",
        }
        with self._opener().open(urllib.request.Request(address, headers=headers), timeout=self.limits.timeout) as response:
            said = dict(response.headers.items())
            place = _RANGE.match(str(response.headers.get("Content-Range") or ""))
            if response.status != 206 or place is None:
                raise BrokenPart("no-ranges", "The server gives whole files only, no parts of them.")
            first, last, total = (int(text) for text in place.groups())
            wanted = min(length, total - offset)
            if first != offset or last - first + 1 != wanted:
                raise BrokenPart("no-ranges", "The server gives other parts of files than those asked for.")
            data = self._whole_body(response, wanted)
            if len(data) < wanted:
                raise OSError("cut off")
            return Part(data, total, str(response.headers.get("ETag") or response.headers.get("Last-Modified") or ""), said)

    def _whole_body(self, response: Any, length: int) -> bytes:
        deadline = time.monotonic() + self.limits.longest
        data = bytearray()
        while len(data) < length and (chunk := response.read1(min(1 << 16, length - len(data)))):
            data += chunk
            if time.monotonic() > deadline:
                raise OSError("too slow")
            self._stop_if_unwanted()
        return bytes(data)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Leave a server alone for a while that fails again and again, so that nobody waits for it."""
        try:
            yield
        except BrokenPart as broken:
            if broken.code == "cancelled":
                raise Cancelled from broken
            if broken.code == "unreachable":
                self._failures += 1
                if self._failures >= FAILURES:
                    self._dead_until = max(self._dead_until, time.monotonic() + SILENT_FOR)
            raise

    def _is_unwanted(self) -> bool:
        is_unwanted = getattr(self.token, "is_unwanted", None)
        return is_unwanted is not None and bool(is_unwanted())


@dataclass(frozen=True)
class Part:
    """Some bytes of a file, its size, and what tells this state of it from others."""

    data: bytes
    total: int
    state: str
    headers: dict[str, str]


class RemoteFile:
    """A file on a server, read in blocks; a `RemoteParts`.

    Attributes
    ----------
    server : RangeServer
    address : str
    name : str
        Of the file.
    size : int
        In bytes.
    asked : int
        Requests so far.
    """

    def __init__(self, address: str, cache: TileCache | None = None) -> None:
        self.server = RangeServer(address, cache or TileCache())
        self.address = address
        self.name = unquote(urlsplit(address).path.rsplit("/", 1)[-1]) or address
        self.asked = 0
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._problems: list[Problem] = []
        self._state = ""
        self.size = self._opened()

    def _opened(self) -> int:
        """Ask for the first block and return the size of the file: what the disk has may be of another state of it."""
        try:
            part = self.server.range_of(self.address, 0, BLOCK)
        except BrokenPart as broken:
            known = self.server.cache.get(f"{self.address}#blocks") if broken.code == "unreachable" else None
            if known is None or not known.data.partition(b" ")[0].isdigit():
                raise ServiceError(broken.template, remedy=broken.remedy, **broken.values) from broken
            # Without the server, what was looked at before can be seen again.
            size, _, state = known.data.partition(b" ")
            self._state = state.decode()
            return int(size)
        self.asked += 1
        self._state = f"{part.total} {part.state}"
        self.server.cache.put(f"{self.address}#blocks", f"{part.total} {self._state}".encode(), part.headers)
        self._keep(0, part)
        return part.total

    @property
    def mark(self) -> str:
        """What the server calls this state of the file; empty where it calls it nothing."""
        return self._state.partition(" ")[2]

    def read_at(self, offset: int, size: int) -> bytes:
        """Return some bytes, fewer where the file ends.

        Raises
        ------
        ServiceError
            If they cannot be had.
        Cancelled
            If they are no longer wanted.
        """
        end = min(offset + size, self.size)
        if end <= offset:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        found = {k: data for k in range(first, last + 1) if (data := self._known(k)) is not None}
        for start, stop in _gaps(first, last, found):
            found.update(self._brought(start, stop))
        whole = b"".join(found[k] for k in range(first, last + 1))
        return whole[offset - first * BLOCK : end - first * BLOCK]

    @contextmanager
    def heeding(self, cancel: CancelToken) -> Iterator[None]:
        """Let what the calling thread reads meanwhile be given up with ``cancel``."""
        with self.server.heeding(lambda: cancel.cancelled):
            yield

    def problems(self) -> tuple[Problem, ...]:
        """Return what could not be read so far."""
        with self._lock:
            return tuple(self._problems)

    def _known(self, block: int) -> bytes | None:
        with self._lock:
            if block in self._blocks:
                self._blocks.move_to_end(block)
                return self._blocks[block]
        kept = self.server.cache.get(self._name_of(block))
        if kept is None or len(kept.data) != min(BLOCK, self.size - block * BLOCK):
            return None
        if not kept.is_fresh and self._state.endswith(" "):
            # The server says nothing that would tell another state of the file.
            return None
        self._hold(block, kept.data)
        return kept.data

    def _brought(self, start: int, stop: int) -> dict[int, bytes]:
        """Return the blocks from ``start`` to before ``stop``, asked for at once."""
        try:
            part = self.server.range_of(self.address, start * BLOCK, min(stop * BLOCK, self.size) - start * BLOCK)
            if f"{part.total} {part.state}" != self._state:
                raise BrokenPart("changed-file", "“{uri}” has changed on the server since it was opened.", uri=self.name)
        except BrokenPart as broken:
            with self._lock:
                if len(self._problems) < MAX_PROBLEMS and broken.message not in {each.message for each in self._problems}:
                    self._problems.append(broken.problem(Severity.WARNING, self.name))
            raise ServiceError(broken.template, remedy=broken.remedy, **broken.values) from broken
        self.asked += 1
        return self._keep(start, part)

    def _keep(self, start: int, part: Part) -> dict[int, bytes]:
        blocks = {start + k // BLOCK: part.data[k : k + BLOCK] for k in range(0, len(part.data), BLOCK)}
        for block, data in blocks.items():
            self.server.cache.put(self._name_of(block), data, part.headers)
            self._hold(block, data)
        return blocks

    def _hold(self, block: int, data: bytes) -> None:
        with self._lock:
            self._blocks[block] = data
            while len(self._blocks) * BLOCK > HELD:
                self._blocks.popitem(last=False)

    def _name_of(self, block: int) -> str:
        """Return the name of a block in the cache: blocks of another state of the file have other ones."""
        return f"{self.address}#{self._state}#{block}"


def _gaps(first: int, last: int, found: dict[int, bytes]) -> Iterator[tuple[int, int]]:
    """Yield runs of blocks that are not there yet, none longer than a request may be."""
    block = first
    while block <= last:
        if block in found:
            block += 1
            continue
        stop = block
        while stop <= last and stop not in found and (stop - block) * BLOCK < MOST_ASKED:
            stop += 1
        yield block, stop
        block = stop


def _unsafe(address: str) -> BrokenPart:
    return not_asked(plain_address(address))


def plain_address(address: str) -> str:
    """Return an address without what may be a key."""
    return address.split("?", 1)[0][-120:]
