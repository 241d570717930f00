"""Files made beside others and brought to the disk for certain."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def new_file_beside(path: Path) -> Path:
    """Make an empty file in the folder of ``path``, hidden, with its suffix and with the rights that new files have there.

    Raises
    ------
    OSError
        If the folder is missing or may not be written.
    """
    place = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:12]}{path.suffix}")
    # Not by tempfile: its files are closed to everybody else, and so would be what is shared under the final name.
    os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return place


def sync_file(path: Path) -> None:
    """Return when a file is safe on disk."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are safe on disk; systems that cannot sync folders do it by themselves."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
