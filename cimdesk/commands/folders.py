"""Folders of many files, such as the parts of a city or a survey: what in them can be opened, told by sub-folder and format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cimdesk.base.errors import CimdeskError, DataError
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.formats import registry

MOST_FILES, MOST_LOOKED_AT, DEEPEST = 5_000, 50_000, 12
SURE = 0.5
"""How sure a reader must be of a file that nobody has chosen by itself."""
ASIDE = frozenset({"codelists", "schemas", "schema", "metadata", "specification", "appearance", "textures", "__macosx"})
"""Folders that belong to models and hold none, by the names they mostly have."""


@dataclass(frozen=True)
class Found:
    """Something in a folder that can be opened.

    Attributes
    ----------
    path : Path
        A file, or a folder that is one dataset.
    place : str
        Sub-folder it lies in, relative to the folder looked through; empty for the folder itself.
    format : str
        Of the reader that claims it.
    size : int
        In bytes; of a folder 0.
    """

    path: Path
    place: str
    format: str
    size: int


@dataclass(frozen=True)
class Group:
    """The files of one format in one sub-folder."""

    place: str
    format: str
    files: tuple[Found, ...]

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(each.size for each in self.files)


def is_plain_folder(path: Path) -> bool:
    """Return whether a path is a folder that is no dataset by itself."""
    try:
        return path.is_dir() and _claim(path) == ""
    except OSError:
        return False


def files_in(folder: Path, progress: Progress = no_progress, cancel: CancelToken | None = None) -> list[Found]:
    """Return everything in a folder and below that can be opened, by sub-folder and name; links are not followed.

    Raises
    ------
    DataError
        If there is nothing, or far more than anybody would open.
    Cancelled
    """
    found: list[Found] = []
    looked = 0
    for root, folders, names in os.walk(folder):
        place = os.path.relpath(root, folder)
        place = "" if place == "." else place
        keep = []
        for name in sorted(folders):
            path = Path(root, name)
            if name.startswith(".") or name.lower() in ASIDE or path.is_symlink():
                continue
            if claimed := _claim(path):
                found.append(Found(path, place, claimed, 0))
            elif place.count(os.sep) < DEEPEST:
                keep.append(name)
        folders[:] = keep
        for name in sorted(names):
            looked += 1
            if looked % 16 == 0 and cancel is not None:
                cancel.raise_if_cancelled()
                progress(None, place or folder.name)
            path = Path(root, name)
            if not name.startswith(".") and not path.is_symlink() and (claimed := _claim(path)):
                found.append(Found(path, place, claimed, path.stat().st_size))
        if len(found) > MOST_FILES or looked > MOST_LOOKED_AT:
            raise DataError(
                folder,
                "there are more than {count} files in it.",
                remedy="Open one of its sub-folders.",
                count=MOST_FILES if len(found) > MOST_FILES else MOST_LOOKED_AT,
            )
    if not found:
        raise DataError(folder, "nothing in the folder can be opened.", remedy="Choose another folder.")
    return found


def grouped(found: Sequence[Found]) -> list[Group]:
    """Return files by sub-folder and format, in the order of the sub-folders."""
    groups: dict[tuple[str, str], list[Found]] = {}
    for each in found:
        groups.setdefault((each.place, each.format), []).append(each)
    return [Group(place, kind, tuple(files)) for (place, kind), files in sorted(groups.items())]


def expanded(paths: Sequence[Path]) -> list[Path]:
    """Return paths with the files of plain folders instead of these."""
    out: list[Path] = []
    for path in paths:
        out += [each.path for each in files_in(path)] if is_plain_folder(path) else [path]
    return out


def _claim(path: Path) -> str:
    """Return the name of the reader that claims a file or folder; empty when none is sure enough."""
    try:
        head = registry.read_head(path)
    except CimdeskError:
        return ""
    claims = [(reader.claim(path, head), reader.name) for reader in registry.readers()]
    best, name = max(claims, default=(0.0, ""))
    return name if best >= SURE else ""
