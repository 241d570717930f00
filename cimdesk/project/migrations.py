"""Older project files brought up to date, one numbered step at a time, always in a copy."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cimdesk.base.files import sync_file
from cimdesk.model.document import TABLES
from cimdesk.project.files import copy_database, replacing
from cimdesk.project.journal import GENESIS, chained_hash, decode_records, encode_records
from cimdesk.project.rows import to_row
from cimdesk.project.schema import (
    SCHEMA_MAJOR,
    SCHEMA_MINOR,
    SPEC_OF,
    UNDEFINED_SRS,
    create_own_tables,
    create_table,
    set_meta,
    set_reference_system,
)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the open database from ``version`` to the present one in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for number in range(version, SCHEMA_MAJOR):
        MIGRATIONS[number](connection)
    connection.execute("COMMIT")


def migrate_file(path: Path, version: int) -> Path:
    """Replace an older project by its migrated copy; return where the untouched original is kept.

    Raises
    ------
    OSError, sqlite3.Error, ValueError
        If it cannot be done; the file is then as before.
    """
    kept = _free_name(path, version)
    with replacing(path) as temporary:
        migrate_copy(path, temporary, version)
        # The original gets its second name before the first one goes over to the new file.
        try:
            os.link(path, kept)
        except OSError:
            shutil.copy2(path, kept)
            sync_file(kept)
    return kept


def migrate_copy(path: Path, target: Path, version: int) -> None:
    """Write the migrated form of ``path`` to ``target``."""
    with closing(sqlite3.connect(path.absolute().as_uri() + "?mode=rw", uri=True, isolation_level=None)) as source:
        copy_database(source, target)
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        migrate(connection, version)


def _free_name(path: Path, version: int) -> Path:
    names = (f"{path.stem}.schema{version}{'' if k == 0 else f'-{k}'}{path.suffix}" for k in range(1000))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


def _from_0_to_1(connection: sqlite3.Connection) -> None:
    """Schema 0 kept every record as JSON in one table, and a journal without hashes."""
    records = connection.execute("SELECT table_name, key, json FROM record ORDER BY fid").fetchall()
    steps = connection.execute("SELECT number, kind, label, who, time, records FROM journal ORDER BY number").fetchall()
    created = connection.execute("SELECT value FROM cimdesk_meta WHERE name = 'created'").fetchone()
    for table in ("record", "journal", "cimdesk_meta"):
        connection.execute(f"DELETE FROM gpkg_contents WHERE table_name = '{table}'")
        connection.execute(f"DROP TABLE {table}")
    create_own_tables(connection)
    if created is not None:
        set_meta(connection, "created", str(created[0]))
    srs_id = UNDEFINED_SRS
    by_place = {(str(table), str(key)): _object(json) for table, key, json in records}
    if crs := by_place.get(("project", "settings"), {}).get("crs"):
        srs_id = set_reference_system(connection, str(crs))
    for (table, key), record in by_place.items():
        if table not in TABLES:
            raise ValueError(f"there is no table {table}")
        spec = SPEC_OF[table]
        marks = ", ".join("?" * len(spec.column_names))
        sql = f"INSERT INTO {spec.name} ({', '.join(spec.column_names)}) VALUES ({marks})"
        connection.execute(sql, to_row(spec, key, record, srs_id))
    previous = GENESIS
    for number, (_, kind, label, who, time, text) in enumerate(steps, start=1):
        canonical = encode_records(decode_records(text))
        previous = chained_hash(previous, number, kind, label, who, float(time), "", canonical)
        row = (number, kind, label, who, float(time), "", canonical, previous)
        connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    if steps:
        set_meta(connection, "head", f"{len(steps)}:{previous}")


def _from_1_to_2(connection: sqlite3.Connection) -> None:
    """Schema 1 had no flood measures."""
    name = SPEC_OF["measure"].name
    if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = ?", (name,)).fetchone() == (0,):
        system = connection.execute("SELECT srs_id FROM gpkg_geometry_columns LIMIT 1").fetchone()
        create_table(connection, SPEC_OF["measure"], int(system[0]) if system else UNDEFINED_SRS)
    set_meta(connection, "schema", f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}")


def _object(text: str) -> dict[str, object]:
    import orjson

    found = orjson.loads(text)
    if not isinstance(found, dict):
        raise ValueError("a record is no object")
    return found


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {0: _from_0_to_1, 1: _from_1_to_2}
"""What brings each older schema to the next."""
