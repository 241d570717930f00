"""Files from servers kept on the disk: one file each, with what the server said of it in front."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import orjson

from cimdesk.base.paths import cache_dir

MOST_BYTES = 2 << 30
UNSAID = 3600.0
"""Seconds that a file counts as fresh when the server says nothing."""
_TIDY_EVERY = 256
_MAX_AGE = re.compile(r"max-age=(\d+)")


@dataclass(frozen=True)
class CachedFile:
    """What was kept of one address."""

    data: bytes
    etag: str
    modified: str
    expires: float

    @property
    def is_fresh(self) -> bool:
        """Whether the server need not be asked again."""
        return time.time() < self.expires


class TileCache:
    """Keeps files by address; a broken or lost one is simply not there.

    Parameters
    ----------
    folder : Path or None
        None is the application's own.
    most : int
        Bytes to keep; what was not used for longest goes first.
    """

    def __init__(self, folder: Path | None = None, most: int = MOST_BYTES) -> None:
        self.folder = folder or cache_dir() / "tiles"
        self.most = most
        self._lock = threading.Lock()
        self._writes = 0

    def get(self, address: str) -> CachedFile | None:
        """Return what is kept of an address."""
        path = self._path(address)
        try:
            head, _, data = path.read_bytes().partition(b"\n")
            said: Any = orjson.loads(head)
            if said["address"] != address or said["size"] != len(data):
                return None
            os.utime(path)
            return CachedFile(data, str(said["etag"]), str(said["modified"]), float(said["expires"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, address: str, data: bytes, headers: dict[str, str]) -> None:
        """Keep a file, unless the server forbids it or the disk is full."""
        said = {name.lower(): value for name, value in headers.items()}
        if "no-store" in said.get("cache-control", "").lower():
            return
        head = {
            "address": address,
            "size": len(data),
            "etag": said.get("etag", ""),
            "modified": said.get("last-modified", ""),
            "expires": _expiry(said),
        }
        path = self._path(address)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(orjson.dumps(head) + b"\n" + data)
            os.replace(file.name, path)
        except OSError:
            return
        with self._lock:
            self._writes += 1
            is_due = self._writes % _TIDY_EVERY == 1
        if is_due:
            self.tidy()

    def confirm(self, address: str, headers: dict[str, str]) -> None:
        """Count a file as fresh again: the server says that it did not change."""
        kept = self.get(address)
        if kept is not None:
            known = {"ETag": kept.etag, "Last-Modified": kept.modified}
            self.put(address, kept.data, {**known, **headers})

    def tidy(self) -> None:
        """Delete what was not used for longest until the rest fits."""
        found = []
        for path in self.folder.glob("*/*"):
            try:
                state = path.stat()
            except OSError:
                continue
            found.append((state.st_mtime, state.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.most:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _path(self, address: str) -> Path:
        name = hashlib.sha256(address.encode()).hexdigest()
        return self.folder / name[:2] / name


def _expiry(headers: dict[str, str]) -> float:
    now = time.time()
    control = headers.get("cache-control", "").lower()
    if "no-cache" in control:
        return now
    if age := _MAX_AGE.search(control):
        return now + float(age[1])
    if "expires" in headers:
        try:
            return parsedate_to_datetime(headers["expires"]).timestamp()
        except (TypeError, ValueError):
            return now
    return now + UNSAID
