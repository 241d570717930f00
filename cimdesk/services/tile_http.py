"""Tilesets on a server: fetched over http(s) within limits of size, time and place, and kept on the disk."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from cimdesk import __version__
from cimdesk.base.errors import ServiceError
from cimdesk.formats.tiles3d_paths import JSON_BYTES, BrokenPart, unpacked_limit
from cimdesk.services.tile_cache import CachedFile, TileCache

TIMEOUT = 10.0
"""Seconds without a byte."""
LONGEST = 60.0
"""Seconds for one file."""
TRIES = 3
PAUSE = 0.25
MAX_REDIRECTS = 5
CHUNK = 1 << 16
GONE = "Check the address and its key, or ask those who run the server."
_GONE = (400, 401, 403, 404, 405, 406, 410, 451)


def not_asked(uri: str) -> BrokenPart:
    """Return what is said of an address that a tileset may not lead to."""
    template = "“{uri}” may not be asked for by this tileset; it is not read."
    return BrokenPart("unsafe-uri", template, "Ask those who publish the tileset to correct what it refers to.", uri=uri)


@dataclass(frozen=True)
class Limits:
    """How patient a server is asked.

    Attributes
    ----------
    timeout, longest : float
        Seconds without a byte, and for one file in all.
    tries : int
    pause : float
        Seconds before the second try; each further one waits three times as long.
    """

    timeout: float = TIMEOUT
    longest: float = LONGEST
    tries: int = TRIES
    pause: float = PAUSE


class _Passing(Exception):  # noqa: N818 - a failure that another try may get over
    pass


@dataclass
class TilesetServer:
    """The files of a tileset by their addresses.

    Other public servers may be referred to. Private addresses (this machine, the local network) are asked only when the
    tileset itself came from the same one; no scheme but http and https is ever followed.

    Attributes
    ----------
    address : str
        Of the tileset file, after redirects.
    cache : TileCache
    limits : Limits
    is_unwanted : callable
        Asked while bytes come; true gives the fetch up.
    """

    address: str
    cache: TileCache = field(default_factory=TileCache)
    limits: Limits = field(default_factory=Limits)
    is_unwanted: Callable[[], bool] = field(default=lambda: False)
    knows_files = False

    def __post_init__(self) -> None:
        self._settle()
        try:
            self._fetch(self.address, JSON_BYTES)
        except BrokenPart as broken:
            raise ServiceError(broken.template, remedy=broken.remedy, **broken.values) from broken

    def _settle(self) -> None:
        """Take note of where the server is, without asking it."""
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ServiceError("{address} is no http address.", address=self.address[:120])
        self._home = (parts.hostname.lower(), parts.port)
        self._dead_until = 0.0

    @property
    def name(self) -> str:
        """Reference of the tileset file itself."""
        return self.address

    def reference(self, uri: object, base: str = "") -> str:
        """Return the address of ``uri`` in a file whose address is ``base``; raises BrokenPart for what may not be asked."""
        if not isinstance(uri, str) or not uri.strip():
            raise BrokenPart("bad-uri", "A reference to a file is not text.")
        address = urldefrag(urljoin(base or self.address, uri.strip()))[0]
        if not self._may_ask(address):
            raise not_asked(uri[:80])
        query = urlsplit(self.address).query
        if query and "?" not in address and urlsplit(address).netloc == urlsplit(self.address).netloc:
            # Keys that the person gave with the tileset are for its files too.
            address = f"{address}?{query}"
        return address

    def base_of(self, reference: str) -> str:
        """Return the address that references in a file are relative to: its own."""
        return reference

    def exists(self, reference: str) -> bool:
        """Return true: a server is asked only for what is needed."""
        return True

    def read(self, reference: str, limit: int) -> bytes:
        """Return the bytes of a file, from the disk while it is fresh; raises BrokenPart."""
        return self._fetch(reference, limit)

    def _may_ask(self, address: str) -> bool:
        try:
            parts = urlsplit(address)
            place = ((parts.hostname or "").lower(), parts.port)
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not place[0] or parts.username or "\\" in unquote(parts.path):
            return False
        return place == self._home or not _is_private_name(place[0])

    def _fetch(self, address: str, limit: int) -> bytes:
        kept = self.cache.get(address)
        if kept is not None and kept.is_fresh and len(kept.data) <= limit:
            return kept.data
        try:
            return self._tried(address, limit, kept)
        except BrokenPart as broken:
            if kept is not None and broken.code == "unreachable":
                # What was there yesterday is better than nothing while the server is away.
                return kept.data
            raise

    def _tried(self, address: str, limit: int, kept: CachedFile | None) -> bytes:
        reason = ""
        if time.monotonic() < self._dead_until:
            raise BrokenPart("unreachable", "“{uri}” cannot be fetched: {reason}", uri=_short(address), reason="offline")
        pause = self.limits.pause
        for attempt in range(self.limits.tries):
            if attempt:
                time.sleep(pause)
                pause *= 3.0
            self._stop_if_unwanted()
            try:
                return self._once(address, limit, kept)
            except _Passing as passing:
                reason = str(passing)
        raise BrokenPart("unreachable", "“{uri}” cannot be fetched: {reason}", uri=_short(address), reason=reason)

    def _once(self, address: str, limit: int, kept: CachedFile | None) -> bytes:
        request = urllib.request.Request(address, headers=_headers(kept))
        try:
            with self._opener().open(request, timeout=self.limits.timeout) as response:
                data = self._body(response, limit)
                if address == self.address:
                    self.address = response.geturl()
                self.cache.put(address, data, dict(response.headers.items()))
                return data
        except urllib.error.HTTPError as error:
            with error:
                return self._answered(error, address, kept)
        except BrokenPart:
            raise
        except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
            if isinstance(error, urllib.error.URLError) and isinstance(error.reason, PrivateError):
                raise not_asked(_short(address)) from error
            if isinstance(getattr(error, "reason", error), socket.gaierror | ConnectionRefusedError):
                # Nobody is there: the other tiles need not find that out one by one.
                self._dead_until = time.monotonic() + 2.0
            raise _Passing(str(getattr(error, "reason", error))[:120]) from error

    def _answered(self, error: urllib.error.HTTPError, address: str, kept: CachedFile | None) -> bytes:
        if error.code == 304 and kept is not None:
            self.cache.confirm(address, dict(error.headers.items()))
            return kept.data
        if error.code in _GONE:
            raise BrokenPart(
                "missing-content", "“{uri}” is not there (HTTP {status}).", GONE, uri=_short(address), status=error.code
            )
        if 300 <= error.code < 400:
            raise not_asked(_short(address)) from error
        raise _Passing(f"HTTP {error.code}") from error

    def _body(self, response: Any, limit: int) -> bytes:
        said = response.headers.get("Content-Length")
        if said is not None and said.isdigit() and int(said) > limit:
            raise BrokenPart("too-large", "“{uri}” is larger than {limit} MB.", uri=_short(response.geturl()), limit=limit >> 20)
        deadline = time.monotonic() + self.limits.longest
        is_packed = (response.headers.get("Content-Encoding") or "").lower() == "gzip"
        data = bytearray()
        got = 0
        unpacker = zlib.decompressobj(31)
        while chunk := response.read1(CHUNK):
            got += len(chunk)
            most = unpacked_limit(got, limit) if is_packed else limit
            data += unpacker.decompress(chunk, most + 1 - len(data)) if is_packed else chunk
            if len(data) > most or unpacker.unconsumed_tail:
                raise BrokenPart(
                    "too-large", "“{uri}” is larger than {limit} MB.", uri=_short(response.geturl()), limit=limit >> 20
                )
            self._stop_if_unwanted()
            if time.monotonic() > deadline:
                raise _Passing("too slow")
        if (said is not None and said.isdigit() and got < int(said)) or (is_packed and not unpacker.eof):
            raise _Passing("cut off")
        return _unpacked(bytes(data), limit)

    def _stop_if_unwanted(self) -> None:
        if self.is_unwanted():
            raise BrokenPart("cancelled", "No longer wanted.")

    def _opener(self) -> urllib.request.OpenerDirector:
        is_home_private = _is_private_name(self._home[0])
        proxies = {} if is_home_private else urllib.request.getproxies()
        home = self._home[0] if is_home_private else None
        handlers: list[Any] = [urllib.request.ProxyHandler(proxies), _Redirects(self._may_ask)]
        if not proxies:
            # Whatever a name stands for, what answers must be public, unless the tileset itself came from there.
            handlers += [_guarded(http.client.HTTPConnection, home), _guarded(http.client.HTTPSConnection, home)]
        return urllib.request.build_opener(*handlers)


class PrivateError(OSError):
    """What answered is in the local network and may not be asked."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS

    def __init__(self, may_ask: Callable[[str], bool]) -> None:
        self._may_ask = may_ask

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        return super().redirect_request(req, fp, code, msg, headers, newurl) if self._may_ask(newurl) else None


def _guarded(kind: type[http.client.HTTPConnection], home: str | None) -> Any:
    """Return the handler whose connections reach public addresses only, and ``home``."""

    class Guarded(kind):  # type: ignore[valid-type,misc]
        def connect(self) -> None:
            super().connect()
            peer = self.sock.getpeername()[0]
            if self.host.lower() != home and not ipaddress.ip_address(peer.split("%")[0]).is_global:
                self.close()
                raise PrivateError(peer)

    if kind is http.client.HTTPSConnection:

        class Https(urllib.request.HTTPSHandler):
            def https_open(self, req: Any) -> Any:
                return self.do_open(Guarded, req)

        return Https()

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: Any) -> Any:
            return self.do_open(Guarded, req)

    return Http()


def _is_private_name(host: str) -> bool:
    """Return whether a host is said to be this machine or in the local network; names are checked when they answer."""
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".home.arpa"))


def _headers(kept: CachedFile | None) -> dict[str, str]:
    found = {"User-Agent": f"cimdesk/{__version__}", "Accept-Encoding": "gzip", "Accept": "*/*"}
    if kept is not None and kept.etag:
        found["If-None-Match"] = kept.etag
    elif kept is not None and kept.modified:
        found["If-Modified-Since"] = kept.modified
    return found


def _unpacked(data: bytes, limit: int) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    limit = unpacked_limit(len(data), limit)
    unpacker = zlib.decompressobj(31)
    out = unpacker.decompress(data, limit + 1)
    if len(out) > limit:
        raise BrokenPart("too-large", "“{uri}” is larger than {limit} MB.", uri="gzip", limit=limit >> 20)
    return out


def _short(address: str) -> str:
    """Return an address without what may be a key."""
    return address.split("?", 1)[0][-120:]
