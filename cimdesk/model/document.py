"""The persisted document as records: what an edit changes, what the project file stores, what undo restores.

Everything a person decides (layers, styles, bookmarks, scenarios, stages, notes) is a small JSON-able record in a named
table. Big data (meshes, grids, series) is not here: a layer record only says where its source is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

TABLES = ("project", "layer", "bookmark", "scenario", "result", "stage_event", "note", "measure")
"""Tables of the document. ``project`` has the single record ``settings`` (title, crs, origin, language of reports)."""


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One record before and after an edit; None where it does not exist."""

    table: str
    key: str
    before: Record | None
    after: Record | None

    def reversed(self) -> RecordChange:
        """Return the change that takes this one back."""
        return RecordChange(self.table, self.key, self.after, self.before)


@dataclass(frozen=True)
class Changes:
    """What an edit touched, so that a visual or a table refreshes just that.

    Attributes
    ----------
    records : tuple of RecordChange
        Records of the document, in the order they changed.
    data : frozenset of str
        Layers whose loaded data appeared, changed or went away.
    """

    records: tuple[RecordChange, ...] = ()
    data: frozenset[str] = frozenset()

    def touches(self, table: str) -> bool:
        """Whether any record of ``table`` changed."""
        return any(change.table == table for change in self.records)

    def keys(self, table: str) -> set[str]:
        """Return the keys of the changed records of one table."""
        return {change.key for change in self.records if change.table == table}


class Document:
    """Tables of records, in insertion order. Changed only through `apply`."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Record]] = {name: {} for name in TABLES}

    def get(self, table: str, key: str) -> Record | None:
        """Return one record, or None."""
        return self._tables[table].get(key)

    def records(self, table: str) -> Mapping[str, Record]:
        """Return the records of a table by key. Do not change them."""
        return self._tables[table]

    def __iter__(self) -> Iterator[tuple[str, str, Record]]:
        for table, records in self._tables.items():
            for key, record in records.items():
                yield table, key, record

    def put(self, table: str, key: str, record: Record) -> RecordChange:
        """Return the change that sets a record; nothing happens until it is applied."""
        return RecordChange(table, key, self.get(table, key), record)

    def update(self, table: str, key: str, **fields: Any) -> RecordChange:
        """Return the change that sets some fields of an existing record."""
        before = self._tables[table][key]
        return RecordChange(table, key, before, {**before, **fields})

    def remove(self, table: str, key: str) -> RecordChange:
        """Return the change that removes a record."""
        return RecordChange(table, key, self._tables[table][key], None)

    def check(self, changes: Iterable[RecordChange]) -> None:
        """Raise ValueError unless the records that ``changes`` start from are the present ones."""
        expected: dict[tuple[str, str], Record | None] = {}
        for change in changes:
            place = (change.table, change.key)
            present = expected[place] if place in expected else self.get(*place)
            if present != change.before:
                raise ValueError(f"{change.table} {change.key} is not what the edit expects")
            expected[place] = change.after

    def apply(self, changes: Iterable[RecordChange]) -> None:
        """Make the changes. The records they start from must be the present ones.

        Raises
        ------
        ValueError
            If a record is not what the change says it was; nothing is changed then.
        """
        changes = tuple(changes)
        self.check(changes)
        for change in changes:
            if change.after is None:
                self._tables[change.table].pop(change.key, None)
            else:
                self._tables[change.table][change.key] = change.after
