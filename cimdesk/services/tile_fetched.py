"""The files of a tile while it is decoded: those brought beforehand, and a way to ask for others."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cimdesk.formats.tiles3d_decode import TileTask
from cimdesk.formats.tiles3d_paths import CONTENT_BYTES, BrokenPart, TilePlace

Missing = dict[str, Any]
"""What a `BrokenPart` knows."""
ASKED = ("knows_files", "reference", "base_of", "exists", "read")
"""What may be asked of a place."""


@dataclass(frozen=True)
class Fetched:
    """A content that was read: its bytes, or why there are none; ``base`` is what references in it are relative to."""

    data: bytes | Missing
    base: str

    def __reduce__(self) -> tuple[Any, ...]:
        # Beside the pickle: copying a large file into it would hold up the window.
        return _restored, (pickle.PickleBuffer(self.data) if isinstance(self.data, bytes) else self.data, self.base)


@dataclass(frozen=True)
class FetchedPlace:
    """A `TilePlace` some of whose files are here.

    Attributes
    ----------
    fetched : mapping of str to Fetched
        By reference.
    ask : callable
        Takes one of `ASKED` and its arguments, for everything else.
    """

    fetched: Mapping[str, Fetched]
    ask: Callable[..., Any]

    @property
    def knows_files(self) -> bool:
        """Whether `exists` tells at once what is there."""
        return bool(self.ask("knows_files"))

    def reference(self, uri: object, base: str = "") -> str:
        """Return what names ``uri`` when it stands in a file in ``base``; raises BrokenPart when it may not be read."""
        return str(self.ask("reference", uri, base))

    def base_of(self, reference: str) -> str:
        """Return what references in a referenced file are relative to."""
        known = self.fetched.get(reference)
        return str(self.ask("base_of", reference)) if known is None else known.base

    def exists(self, reference: str) -> bool:
        """Return whether a file is there, as far as that is known."""
        return bool(self.ask("exists", reference))

    def read(self, reference: str, limit: int) -> bytes:
        """Return the bytes of a file, unpacked; raises BrokenPart."""
        known = self.fetched.get(reference)
        if known is None or limit != CONTENT_BYTES:
            data: bytes = self.ask("read", reference, limit)
            return data
        if isinstance(known.data, dict):
            raise broken_of(known.data)
        return known.data


def _restored(data: Any, base: str) -> Fetched:
    return Fetched(data if isinstance(data, dict) else bytes(data), base)


def fetch(task: TileTask, place: TilePlace) -> dict[str, Fetched]:
    """Read the contents of a tile."""
    return {reference: _fetched(reference, place) for reference in task.contents}


def _fetched(reference: str, place: TilePlace) -> Fetched:
    try:
        data: bytes | Missing = place.read(reference, CONTENT_BYTES)
    except BrokenPart as broken:
        data = missing_of(broken)
    return Fetched(data, place.base_of(reference))


def asked(place: TilePlace, name: str, *values: Any) -> Any:
    """Return what a place says; raises BrokenPart.

    Parameters
    ----------
    place : TilePlace
    name : str
        One of `ASKED`.
    values
        Its arguments.
    """
    assert name in ASKED
    found = getattr(place, name)
    return found(*values) if callable(found) else found


def missing_of(broken: BrokenPart) -> Missing:
    """Return an error as what can be sent."""
    return dict(vars(broken))


def broken_of(missing: Missing) -> BrokenPart:
    """Return the error that `missing_of` was given."""
    broken = BrokenPart(missing["code"], missing["template"])
    vars(broken).update(missing)
    return broken
