"""Files replaced as a whole: what is there is the old one or the new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cimdesk.base.files import new_file_beside, sync_file, sync_folder

SIDECARS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database that is in use or was left in a hurry."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well its file takes the place of ``path``.

    Raises
    ------
    OSError
        If it cannot be written or put in place; ``path`` is then as before.
    """
    temporary = new_file_beside(path)
    try:
        yield temporary
        # Where nothing was there are no rights to keep, and some file systems have none at all.
        with contextlib.suppress(OSError):
            shutil.copymode(path, temporary)
        sync_file(temporary)
        settle(path)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        for leftover in (temporary, *sidecars(temporary)):
            leftover.unlink(missing_ok=True)


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """Copy a whole open database, with everything committed so far, into a new file."""
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        source.backup(copy)
        # The copy takes over the WAL mark; a file at rest has none and opens from read-only media too.
        copy.execute("PRAGMA journal_mode = DELETE")


def settle(path: Path) -> None:
    """Take in what was left beside a database that is about to be replaced, so that it is never applied to the new one."""
    if not any(place.exists() for place in sidecars(path)):
        return
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    for place in sidecars(path):
        place.unlink(missing_ok=True)


def sidecars(path: Path) -> list[Path]:
    """Return the paths of the files SQLite may keep beside ``path``."""
    return [path.with_name(path.name + ending) for ending in SIDECARS]
