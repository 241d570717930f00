"""Views in a GeoPackage: SQL that runs when somebody looks at the file, and that may never come to an end."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

MAGIC = b"SQLite format 3\0"
SECONDS = 2.0
"""How long all views of a file together may take to be walked."""
_STEPS = 20_000


def endless_views(path: Path, head: bytes, seconds: float = SECONDS) -> set[str]:
    """Return the views of an SQLite file that are not walked to their end in time.

    Parameters
    ----------
    path : Path
    head : bytes
        First bytes of the file; files that are not SQLite have no views.
    seconds : float
        Time for each view [s].
    """
    if not head.startswith(MAGIC):
        return set()
    try:
        # immutable: no journal is made beside the file, and none is waited for
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as base:
            names = [str(row[0]) for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
            return {name for name in names if not _ends(base, name, seconds)}
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # of a damaged file even the message can be; GDAL tells what is wrong
        return set()


def _ends(base: sqlite3.Connection, view: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    base.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    quoted = view.replace('"', '""')
    try:
        base.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()
    except sqlite3.OperationalError as error:
        return "interrupted" not in str(error)
    finally:
        base.set_progress_handler(None, 0)
    return True
