"""The project file: one GeoPackage holding the document's records and the journal of every edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cimdesk.model.document import Document, RecordChange

JournalKind: TypeAlias = Literal["edit", "undo", "redo"]


@dataclass(frozen=True)
class JournalEntry:
    """One acknowledged step of the audit trail.

    Attributes
    ----------
    number : int
        From 1, without gaps.
    kind : ``edit``, ``undo`` or ``redo``
    label, who : str
    time : float
        When it was committed [POSIX s].
    records : tuple of RecordChange
    merge : str
        Merge word of the edit.
    hash : str
        SHA-256 over the previous entry's hash and this entry.
    """

    number: int
    kind: JournalKind
    label: str
    who: str
    time: float
    records: tuple[RecordChange, ...]
    merge: str
    hash: str


class ProjectStore:
    """An open project file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: Path) -> ProjectStore:
        """Make a new project file."""
        raise NotImplementedError

    @staticmethod
    def open(path: Path) -> ProjectStore:
        """Open an existing project file."""
        raise NotImplementedError

    def load(self) -> Document:
        """Return the document as last committed."""
        raise NotImplementedError

    def commit(self, kind: JournalKind, label: str, who: str, records: Sequence[RecordChange], merge: str = "") -> None:
        """Write one step in one transaction; it is safe on disk when this returns."""
        raise NotImplementedError

    def journal(self) -> list[JournalEntry]:
        """Return every entry, oldest first."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError
