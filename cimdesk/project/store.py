"""The project file: one GeoPackage holding the document's records and the journal of every edit."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cimdesk.base.collector import collector_paused
from cimdesk.base.errors import CimdeskError, ProjectError
from cimdesk.base.units import format_time
from cimdesk.model.document import Document, RecordChange
from cimdesk.project import opening
from cimdesk.project.files import copy_database, replacing
from cimdesk.project.journal import (
    GENESIS,
    JournalEntry,
    JournalKind,
    Verdict,
    chained_hash,
    decode_records,
    encode_records,
    verify,
)
from cimdesk.project.lock import Lock, LockInfo, holder
from cimdesk.project.rows import blob_point, iso_of, point_blob, to_row
from cimdesk.project.schema import SPEC_OF, create_tables, set_meta, set_reference_system

__all__ = ["JournalEntry", "JournalKind", "JournalStep", "LockInfo", "ProjectStore", "RestorePoint"]


@dataclass(frozen=True)
class RestorePoint:
    """A state of the project that a person saved under a name.

    Attributes
    ----------
    name, who : str
    number : int
        The last journal entry that is part of it.
    time : float
        [POSIX s].
    """

    name: str
    number: int
    who: str
    time: float


@dataclass(frozen=True)
class JournalStep:
    """A journal entry without its records, for going through long trails quickly; ``size`` is that of its records [bytes]."""

    number: int
    kind: JournalKind
    label: str
    merge: str
    size: int


class ProjectStore:
    """An open project file.

    Attributes
    ----------
    path : Path
    read_only : bool
        Whether `commit` is refused.
    locked_by : LockInfo or None
        Who has it open for writing, when that is why it is read-only.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: Lock | None, locked_by: LockInfo | None = None) -> None:
        self.path = path
        self.read_only = lock is None
        self.locked_by = locked_by
        self._connection = connection
        self._lock = lock
        self._is_logging = False
        self._number, self._hash = self._head()

    @staticmethod
    def create(path: Path) -> ProjectStore:
        """Make a new project file and open it.

        Raises
        ------
        ProjectError
            If there is a file already, or it cannot be written.
        """
        path = Path(path).absolute()
        if path.exists():
            raise ProjectError("There is a file with this name already.", path=path, remedy="Choose another name, or open it.")
        with (
            _writing(path),
            replacing(path) as temporary,
            contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as made,
        ):
            made.execute("BEGIN IMMEDIATE")
            create_tables(made)
            made.execute("COMMIT")
        return ProjectStore.open(path)

    @staticmethod
    def open(path: Path, read_only: bool = False) -> ProjectStore:
        """Open an existing project file; read-only when somebody else has it open or it cannot be written.

        An older file is migrated first; the original is kept beside it.

        Raises
        ------
        ProjectError
            If it is missing, no project, damaged, or made by a newer version.
        """
        path = Path(path).absolute()
        opening.check_header(path)
        lock = None
        if not read_only and os.access(path, os.W_OK):
            with contextlib.suppress(OSError):
                lock = Lock.acquire(path)
        try:
            connection = opening.connect(path, writable=lock is not None)
            try:
                store = ProjectStore(path, connection, lock, None if lock or read_only else holder(path))
            except sqlite3.Error as error:
                connection.close()
                raise opening.damaged(path, error) from error
        except CimdeskError:
            if lock is not None:
                lock.release()
            raise
        return store

    def load(self) -> Document:
        """Return the document as last committed.

        Raises
        ------
        ProjectError
            If a record is damaged.
        """
        return opening.load_document(self.path, self._connection)

    def commit(self, kind: JournalKind, label: str, who: str, records: Sequence[RecordChange], merge: str = "") -> None:
        """Write one step in one transaction; it is safe on disk when this returns.

        Raises
        ------
        ProjectError
            If it cannot be written; the file is then as before.
        EditError
            If a value cannot be kept.
        """
        with self._transaction() as connection, collector_paused():
            self._require_unchanged(connection)
            head = _append(connection, (self._number, self._hash), kind, label, who, records, merge)
        self._number, self._hash = head

    def journal(self) -> list[JournalEntry]:
        """Return every entry, oldest first."""
        return list(self._entries("", ()))

    def entries(self, numbers: Iterable[int]) -> dict[int, JournalEntry]:
        """Return some entries by number."""
        return {number: entry for number in numbers for entry in self._entries("WHERE number = ?", (number,))}

    def steps(self) -> list[JournalStep]:
        """Return every entry without its records, oldest first."""
        with self._reading() as connection:
            rows = connection.execute("SELECT number, kind, label, merge, length(records) FROM journal ORDER BY number").fetchall()
        return [JournalStep(*row) for row in rows]

    @property
    def last_number(self) -> int:
        """Number of the last journal entry; zero in a new project."""
        return self._number

    def verify(self) -> Verdict:
        """Check the hash chain, and that the end of the trail is the one written last."""
        verdict = verify(self.journal())
        with self._reading() as connection:
            head = connection.execute("SELECT value FROM cimdesk_meta WHERE name = 'head'").fetchone()
        if verdict["intact"] and head is not None and head[0] != f"{self._number}:{self._hash}":
            return {"events": verdict["events"], "intact": False, "first_bad": verdict["events"] + 1}
        return verdict

    def add_restore_point(self, name: str, who: str) -> RestorePoint:
        """Keep the present state under a name."""
        point = RestorePoint(name, self._number, who, round(time.time(), 3))
        with self._transaction() as connection:
            row = (point.name, point.number, point.who, iso_of(point.time))
            connection.execute("INSERT INTO restore_point (name, number, who, time) VALUES (?, ?, ?, ?)", row)
        return point

    def restore_points(self) -> list[RestorePoint]:
        """Return the named states, oldest first."""
        with self._reading() as connection:
            sql = "SELECT name, number, who, (julianday(time) - 2440587.5) * 86400.0 FROM restore_point ORDER BY fid"
            rows = connection.execute(sql).fetchall()
        return [RestorePoint(*row) for row in rows]

    def copy_to(self, path: Path, label: str = "", who: str = "", records: Sequence[RecordChange] = (), merge: str = "") -> None:
        """Write a copy of the whole project as it is now, replacing what is there only when the copy is complete.

        Parameters
        ----------
        path : Path
        label, who, records, merge
            A last step that only the copy has; none when ``records`` is empty.

        Raises
        ------
        ProjectError
            If it cannot be written, or somebody has the target open.
        """
        path = Path(path).absolute()
        if (other := holder(path)) is not None:
            raise _held_error(path, other)
        with _writing(path), replacing(path) as temporary:
            copy_database(self._connection, temporary)
            if records:
                with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as copy:
                    copy.execute("BEGIN IMMEDIATE")
                    _append(copy, (self._number, self._hash), "edit", label, who, records, merge)
                    copy.execute("COMMIT")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction on the file: all of it or nothing."""
        if self._lock is None or self._lock.lost:
            if self.locked_by is not None:
                raise _held_error(self.path, self.locked_by)
            raise ProjectError(
                "The project is open for reading only.", path=self.path, remedy="Save it under another name to edit it."
            )
        connection = self._connection
        with _writing(self.path):
            self._begin_logging()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                # After a failed COMMIT, and after an error SQLite has not rolled back by itself.
                if connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except (sqlite3.Error, ValueError) as error:
            raise opening.damaged(self.path, error) from error

    def close(self) -> None:
        """Close the file and let others open it; it is then one plain file with nothing beside it."""
        if self._is_logging:
            # Refused while a reader is on it; the log is then taken in by whoever opens the file next.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA busy_timeout = 0")
                self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def _begin_logging(self) -> None:
        """Go over to write-ahead logging with the first edit, so that a file only looked at stays byte for byte the same."""
        if not self._is_logging:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._is_logging = True

    def _head(self) -> tuple[int, str]:
        row = self._connection.execute("SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1").fetchone()
        return (0, GENESIS) if row is None else (int(row[0]), str(row[1]))

    def _require_unchanged(self, connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1").fetchone()
        if (row or (0, GENESIS)) != (self._number, self._hash):
            raise ProjectError("Another program has edited the project meanwhile.", path=self.path, remedy="Open it again.")

    def _entries(self, where: str, values: tuple[int, ...]) -> Iterator[JournalEntry]:
        sql = f"SELECT number, kind, label, who, time, records, merge, hash FROM journal {where} ORDER BY number"
        with self._reading() as connection:
            for number, kind, label, who, when, records, merge, made in connection.execute(sql, values):
                yield JournalEntry(number, kind, label, who, when, decode_records(records), merge, made)


def _append(
    connection: sqlite3.Connection,
    head: tuple[int, str],
    kind: JournalKind,
    label: str,
    who: str,
    records: Sequence[RecordChange],
    merge: str,
) -> tuple[int, str]:
    """Write a step after the entry ``head`` within the caller's transaction; return its number and hash."""
    text = encode_records(records)
    number, now = head[0] + 1, time.time()
    made = chained_hash(head[1], number, kind, label, who, now, merge, text)
    _write_records(connection, records)
    connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (number, kind, label, who, now, merge, text, made))
    set_meta(connection, "head", f"{number}:{made}")
    return number, made


def _write_records(connection: sqlite3.Connection, records: Sequence[RecordChange]) -> None:
    final: dict[tuple[str, str], RecordChange] = {(change.table, change.key): change for change in records}
    put: defaultdict[str, list[RecordChange]] = defaultdict(list)
    gone: defaultdict[str, list[tuple[str]]] = defaultdict(list)
    for change in final.values():
        if change.after is None:
            gone[change.table].append((change.key,))
        else:
            put[change.table].append(change)
    for table, keys in gone.items():
        connection.executemany(f"DELETE FROM {SPEC_OF[table].name} WHERE key = ?", keys)
    _follow_reference_system(connection, [change for change in records if change.table == "project" and change.key == "settings"])
    srs_id = connection.execute("SELECT srs_id FROM gpkg_geometry_columns WHERE table_name = 'note'").fetchone()[0]
    for table, changes in put.items():
        _upsert(connection, table, changes, int(srs_id))
    touched = [(SPEC_OF[table].name,) for table in {*gone, *put}]
    connection.executemany(
        "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE table_name = ?", touched
    )


def _upsert(connection: sqlite3.Connection, table: str, changes: Sequence[RecordChange], srs_id: int) -> None:
    spec = SPEC_OF[table]
    names = spec.column_names
    # Columns of a newer cimdesk or of other software keep their values: only ours are set.
    update = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    marks = ", ".join("?" * len(names))
    sql = f"INSERT INTO {spec.name} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT (key) DO UPDATE SET {update}"
    rows: Iterator[tuple[Any, ...]] = (to_row(spec, change.key, change.after or {}, srs_id) for change in changes)
    connection.executemany(sql, rows)


def _follow_reference_system(connection: sqlite3.Connection, changes: Sequence[RecordChange]) -> None:
    if not changes:
        return
    before, after = ((record or {}).get("crs") or "" for record in (changes[0].before, changes[-1].after))
    if before == after:
        return
    srs_id = set_reference_system(connection, str(after))
    for spec in SPEC_OF.values():
        if spec.place:
            rows = connection.execute(f"SELECT fid, geom FROM {spec.name} WHERE geom IS NOT NULL").fetchall()
            moved = [(point_blob(blob_point(blob), srs_id), fid) for fid, blob in rows]
            connection.executemany(f"UPDATE {spec.name} SET geom = ? WHERE fid = ?", moved)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell failures of disk and database as one readable error."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise ProjectError(
            "The project cannot be written: {reason}.",
            path=path,
            remedy="Nothing was changed. Check free space and permissions of the folder, then try again.",
            reason=error.strerror if isinstance(error, OSError) and error.strerror else str(error),
        ) from error


def _held_error(path: Path, info: LockInfo) -> ProjectError:
    return ProjectError(
        "The project is open for writing by {owner} on {host} (process {pid}) since {time}.",
        path=path,
        remedy="Close it there and open it again here, or save it under another name.",
        owner=info.owner,
        host=info.host,
        pid=info.pid,
        time=format_time(info.opened),
    )
