"""Files that are not here but can be read in parts: what readers ask of them, whoever brings the bytes."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from cimdesk.base.errors import Problem
from cimdesk.base.jobs import CancelToken


class RemoteParts(Protocol):
    """A file read in parts, from any thread.

    Attributes
    ----------
    name : str
        Of the file, as people know it.
    size : int
        In bytes.
    """

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...

    def read_at(self, offset: int, size: int) -> bytes:
        """Return some bytes, fewer where the file ends; raises ServiceError when they cannot be had and Cancelled."""
        ...

    def heeding(self, cancel: CancelToken) -> AbstractContextManager[None]:
        """Let what the calling thread reads meanwhile be given up with ``cancel``."""
        ...

    def problems(self) -> tuple[Problem, ...]:
        """Return what could not be read so far."""
        ...


@dataclass
class PartsStream(io.RawIOBase):
    """A remote file as a stream, for parsers that read from the front."""

    parts: RemoteParts
    at: int = 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def tell(self) -> int:
        """Return the place in the file."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the file and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.parts.size}[whence]
        self.at = max(0, start + offset)
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes and return how many there were."""
        data = self.parts.read_at(self.at, len(buffer))
        buffer[: len(data)] = data
        self.at += len(data)
        return len(data)
