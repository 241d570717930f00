"""What tells files as they are now from earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BESIDE = (".dbf", ".prj", ".cpg", ".shx")
"""Files beside a shapefile that say what it means."""


def states_of(path: Path) -> list[list[Any]]:
    """Return path, size and time of a file, and of what belongs to it where it is a shapefile."""
    beside = [path.with_suffix(suffix) for suffix in BESIDE] if path.suffix.lower() == ".shp" else []
    files = [path, *(each for each in beside if each.is_file())]
    return [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
