"""Tilesets in one file: ``.3tz`` and zip archives, read in place with the same rules as folders."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cimdesk.base.errors import DataError
from cimdesk.formats.tiles3d_paths import BrokenPart, folder_of, inner_path, unpacked

MAX_MEMBERS = 5_000_000
MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class TilesetArchive:
    """The files of an archive by their names; nothing is unpacked to the disk.

    Attributes
    ----------
    archive : zipfile.ZipFile
        Stays open as long as the tileset is used.
    members : mapping of str to zipfile.ZipInfo
    """

    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]
    knows_files = True

    @staticmethod
    def open(path: Path) -> TilesetArchive:
        """Open an archive; raises DataError when it is none."""
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            raise DataError(
                path, "the archive cannot be read ({reason}).", reason=error, remedy="Copy or download it again."
            ) from error
        found = archive.infolist()
        if len(found) > MAX_MEMBERS:
            archive.close()
            raise DataError(path, "the archive holds more than {count} files.", count=MAX_MEMBERS, remedy="Use a folder.")
        return TilesetArchive(archive, {info.filename: info for info in found if not info.is_dir()})

    def top(self) -> str | None:
        """Return the tileset file: the one at the top, else the only one in a folder."""
        if "tileset.json" in self.members:
            return "tileset.json"
        found = [name for name in self.members if PurePosixPath(name).name == "tileset.json" and name.count("/") <= 2]
        least = min((name.count("/") for name in found), default=0)
        found = [name for name in found if name.count("/") == least]
        return found[0] if len(found) == 1 else None

    def reference(self, uri: object, base: str = "") -> str:
        """Return the name of a member; raises BrokenPart for what leads outside."""
        return inner_path(uri, base)

    def base_of(self, reference: str) -> str:
        """Return the folder of a member."""
        return folder_of(reference)

    def exists(self, reference: str) -> bool:
        """Return whether there is such a member."""
        return reference in self.members

    def read(self, reference: str, limit: int) -> bytes:
        """Return the bytes of a member, unpacked; never more than ``limit``, whatever its header says."""
        info = self.members.get(reference)
        if info is None:
            raise BrokenPart("missing-content", "“{uri}” is not there.", uri=reference[:120])
        try:
            with self.archive.open(info) as file:
                data = file.read(limit + 1)
            if data[:2] == b"\x1f\x8b":
                data = unpacked(data, limit)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
            raise BrokenPart(
                "unreadable-content", "“{uri}” cannot be read: {reason}", uri=reference[:120], reason=str(error)
            ) from error
        if len(data) > limit:
            raise BrokenPart("too-large", "“{uri}” is larger than {limit} MB.", uri=reference[:120], limit=limit >> 20)
        return data


def is_archive_name(path: Path) -> bool:
    """Return whether a file is called as archives of tiles are."""
    return path.suffix.lower() in (".3tz", ".zip")


def holds_tileset(path: Path) -> bool:
    """Return whether a zip archive has a tileset in it."""
    try:
        archive = TilesetArchive.open(path)
    except DataError:
        return False
    with archive.archive:
        return archive.top() is not None
