"""The audit trail: every acknowledged step, chained by hashes so that later tampering shows."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TextIO, TypeAlias, TypedDict

import orjson

from cimdesk.base.errors import EditError
from cimdesk.base.units import format_utc
from cimdesk.model.document import RecordChange

JournalKind: TypeAlias = Literal["edit", "undo", "redo"]

GENESIS = "0" * 64
"""What stands for the hash before the first entry."""

CSV_HEADER = ("number", "time", "kind", "who", "label", "changes", "tables", "hash")


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


class Verdict(TypedDict):
    """What `verify` found: number of entries, whether the chain holds, and the number of the first bad entry."""

    events: int
    intact: bool
    first_bad: int | None


def encode_records(records: Sequence[RecordChange]) -> str:
    """Return the JSON text of a step's records, in its one canonical form.

    Raises
    ------
    EditError
        If a value cannot be kept: NaN or infinite numbers, bytes, broken text.
    """
    rows = [(change.table, change.key, change.before, change.after) for change in records]
    try:
        encoded = orjson.dumps(rows)
    except TypeError as error:
        raise EditError("The edit holds a value that a project cannot keep: {reason}.", reason=str(error)) from error
    # JSON writes NaN as null, silently; only when what was written differs from what was meant is a closer look worth it.
    if orjson.loads(encoded) != [list(row) for row in rows]:
        _require_finite(rows)
    return encoded.decode()


def decode_records(text: str) -> tuple[RecordChange, ...]:
    """Return the records of a step's JSON text; raises ValueError when it is none."""
    rows = orjson.loads(text)
    if not isinstance(rows, list):
        raise ValueError("records are not a list")
    out = []
    for row in rows:
        table, key, before, after = row
        if not (isinstance(table, str) and isinstance(key, str)) or not all(
            v is None or isinstance(v, dict) for v in (before, after)
        ):
            raise ValueError("a record is not table, key, before and after")
        out.append(RecordChange(table, key, before, after))
    return tuple(out)


def chained_hash(previous: str, number: int, kind: str, label: str, who: str, time: float, merge: str, records: str) -> str:
    """Return the SHA-256 of an entry whose records are the canonical JSON text ``records``."""
    digest = hashlib.sha256(previous.encode())
    digest.update(orjson.dumps([number, kind, label, who, time, merge]))
    digest.update(records.encode())
    return digest.hexdigest()


def verify(journal: Iterable[JournalEntry]) -> Verdict:
    """Check that no entry was changed, removed from the middle, or put in later.

    Returns
    -------
    Verdict
        ``events``, ``intact`` and ``first_bad`` (None when intact).
    """
    previous, events, first_bad = GENESIS, 0, None
    for entry in journal:
        events += 1
        records = encode_records(entry.records)
        made = chained_hash(previous, events, entry.kind, entry.label, entry.who, entry.time, entry.merge, records)
        if first_bad is None and (entry.number != events or made != entry.hash):
            first_bad = events
        previous = entry.hash
    return {"events": events, "intact": first_bad is None, "first_bad": first_bad}


def write_csv(journal: Iterable[JournalEntry], file: TextIO) -> int:
    """Write the trail as CSV, one row an entry, times in UTC; return the number of entries."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    count = 0
    for entry in journal:
        tables = " ".join(dict.fromkeys(change.table for change in entry.records))
        time = format_utc(entry.time)
        # A cell that begins with one of these is run as a formula by spreadsheets.
        who, label = (f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text for text in (entry.who, entry.label))
        writer.writerow((entry.number, time, entry.kind, who, label, len(entry.records), tables, entry.hash))
        count += 1
    return count


def _require_finite(value: Any) -> None:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, float) and (item != item or item in (float("inf"), float("-inf"))):
            raise EditError("The edit holds a number that is not finite; a project cannot keep it.")
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            stack.extend(item)
