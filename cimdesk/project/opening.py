"""Opening project files that may be anything: every doubt becomes one readable error, and the file stays as it is."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

from cimdesk.base.collector import collector_paused
from cimdesk.base.errors import ProjectError
from cimdesk.model.document import Document, Record, RecordChange
from cimdesk.model.layers import Layer
from cimdesk.model.lifecycle import Stage
from cimdesk.project.files import sidecars
from cimdesk.project.migrations import migrate, migrate_file
from cimdesk.project.rows import RowError, TableSpec, from_row
from cimdesk.project.schema import APPLICATION_ID, SCHEMA_MAJOR, SPECS

BUSY_MILLISECONDS = 5000
"""How long to wait while other software holds the file for a moment."""

_STAGE_CODES = frozenset(stage.code for stage in Stage)
_SQLITE_HEAD = b"SQLite format 3\0"


def damaged(path: Path, reason: object) -> ProjectError:
    """Return the error for a project whose content cannot be what cimdesk wrote."""
    return ProjectError(
        "The project file is damaged: {reason}.",
        path=path,
        remedy="The file was left as it is. Open a copy or an earlier version of it.",
        reason=reason,
    )


def check_header(path: Path) -> None:
    """Raise `ProjectError` unless the first bytes of a file are those of a GeoPackage."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
            size = file.seek(0, 2)
    except FileNotFoundError as error:
        raise ProjectError("There is no such project.", path=path, remedy="Check the name, or look where it was moved.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProjectError(
            "The project cannot be read: {reason}.", path=path, remedy="Check its permissions.", reason=reason
        ) from error
    if len(head) < 100 or head[:16] != _SQLITE_HEAD:
        raise ProjectError(
            "This is no cimdesk project.", path=path, remedy="Open a project file (.gpkg), or add this one as a layer."
        )
    if int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise ProjectError(
            "This database is no GeoPackage.", path=path, remedy="Open a project file (.gpkg), or add this one as a layer."
        )
    if _is_cut(path, head, size):
        raise damaged(path, "its end is missing")


def _is_cut(path: Path, head: bytes, size: int) -> bool:
    # SQLite file format, 1.3: page size at 16, change counter at 24, page count at 28 (valid while 92 equals the counter).
    page = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big")
    is_valid = head[24:28] == head[92:96]
    return is_valid and (65536 if page == 1 else page) * pages > size and not any(place.exists() for place in sidecars(path))


def connect(path: Path, writable: bool) -> sqlite3.Connection:
    """Return a checked connection to a project of the present schema.

    An older project is replaced by its migrated copy when ``writable``, else migrated in memory.

    Raises
    ------
    ProjectError
        If it is no project, damaged, or made by a newer version.
    """
    try:
        connection = _connect(path, writable)
        try:
            version = _checked_version(path, connection)
            if version == SCHEMA_MAJOR:
                return connection
            if not writable:
                memory = sqlite3.connect(":memory:", isolation_level=None)
                connection.backup(memory)
                migrate(memory, version)
                connection.close()
                return memory
        except BaseException:
            connection.close()
            raise
        connection.close()
        migrate_file(path, version)
        return _connect(path, writable)
    except (sqlite3.Error, OSError, ValueError, MemoryError) as error:
        raise damaged(path, error) from error


def load_document(path: Path, connection: sqlite3.Connection) -> Document:
    """Return the document that a project holds.

    Raises
    ------
    ProjectError
        If any record is not what a cimdesk would have written.
    """
    document = Document()
    try:
        connection.execute("BEGIN")
        try:
            with collector_paused():
                for spec in SPECS:
                    document.apply(_records_of(spec, connection))
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    except (sqlite3.Error, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise damaged(path, error) from error
    return document


def _connect(path: Path, writable: bool) -> sqlite3.Connection:
    address = path.as_uri() + ("?mode=rw" if writable else "?mode=ro")
    connection = sqlite3.connect(address, uri=True, isolation_level=None)
    try:
        _prepare(connection)
    except sqlite3.OperationalError:
        connection.close()
        if writable:
            raise
        # Nothing can be read from a log left by a killed program before it is taken in, which needs writing; and in a folder
        # that cannot be written, a file marked for logging opens as unchanging only.
        was_left = any(place.exists() for place in sidecars(path))
        address = path.as_uri() + ("?mode=rw" if was_left else "?mode=ro&immutable=1")
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        _prepare(connection)
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _checked_version(path: Path, connection: sqlite3.Connection) -> int:
    found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise damaged(path, str(found[0]).replace("\n", " ") if found else "no answer")
    if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'cimdesk_meta'").fetchone() != (1,):
        raise ProjectError("This GeoPackage is no cimdesk project.", path=path, remedy="Add it to a project as a layer.")
    row = connection.execute("SELECT value FROM cimdesk_meta WHERE name = 'schema'").fetchone()
    major = str(row[0]).partition(".")[0] if row else ""
    if not (major.isascii() and major.isdigit() and len(major) < 6):
        raise damaged(path, "its schema number is missing")
    if int(major) > SCHEMA_MAJOR:
        raise ProjectError(
            "The project was made by a newer version (schema {found}; this version reads up to {known}).",
            path=path,
            remedy="Open it with a newer cimdesk. It was left as it is.",
            found=row[0],
            known=SCHEMA_MAJOR,
        )
    return int(major)


def _records_of(spec: TableSpec, connection: sqlite3.Connection) -> list[RecordChange]:
    check = _CHECKS.get(spec.table)
    changes = []
    for row in connection.execute(f"SELECT {', '.join(spec.column_names)} FROM {spec.name} ORDER BY fid"):
        key, record = from_row(spec, row)
        if check is not None:
            try:
                check(key, record)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise RowError(f"{spec.name} {key}: {error}") from error
        changes.append(RecordChange(spec.table, key, None, record))
    return changes


def _check_settings(key: str, record: Record) -> None:
    origin: Any = record.get("origin", [0.0, 0.0, 0.0])
    if len(origin) != 3 or not all(isinstance(v, int | float) and math.isfinite(v) for v in origin):
        raise ValueError("the origin is no place")
    if not isinstance(record.get("crs", ""), str | None):
        raise ValueError("the reference system is no text")
    time = record.get("time")
    if time is not None and not (isinstance(time, int | float) and math.isfinite(time)):
        raise ValueError("the moment shown is no number")


def _check_layer(key: str, record: Record) -> None:
    Layer.from_record(key, record)


def _check_event(_key: str, record: Record) -> None:
    if record["stage"] not in _STAGE_CODES:
        raise ValueError(f"there is no stage {record['stage']!r}")
    if not (isinstance(record["date"], int | float) and isinstance(record["recorded"], int | float)):
        raise ValueError("a date is no number")
    for field in ("layer", "feature", "who", "why"):
        _ = record[field]


_CHECKS = {"project": _check_settings, "layer": _check_layer, "stage_event": _check_event}
