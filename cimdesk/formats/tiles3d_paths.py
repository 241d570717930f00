"""Files a tileset refers to: found under its own folder only, read with a limit, unpacked when gzipped."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote

from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.i18n import tr

JSON_BYTES = 256 << 20
SUBTREE_BYTES = 64 << 20
CONTENT_BYTES = 512 << 20
MOST_PACKED, ALWAYS_UNPACKED = 100, 16 << 20
"""How many times its size a packed file may become, beyond so many bytes: tiles pack to a third, bombs to a thousandth."""
MISSING = "Copy the whole tileset again, with everything that its files refer to."
DAMAGED = "Copy, download or export it again."
LARGE = "Cut the tileset into smaller tiles."
UNKNOWN = "Convert it to glTF 2.0 or 3D Tiles 1.1."
OUTSIDE = "Put the file into the folder of the tileset and refer to it by a relative path."
AWAY = "Check the address and the connection, then load the layer again."
REMEDIES = {
    "missing-content": MISSING, "unsafe-uri": OUTSIDE, "bad-uri": OUTSIDE, "too-large": LARGE, "too-many-tiles": LARGE,
    "deep-composite": UNKNOWN, "unknown-content": UNKNOWN, "gltf-extension": UNKNOWN, "texture-kind": UNKNOWN,
    "texture-size": "Export it with smaller textures.", "unreachable": AWAY, "changed-file": "Load the layer again.",
    "no-ranges": "Download the file and open it.", "cancelled": "", "old-gltf": "", "nested-archive": "",
}  # fmt: skip
"""What to do about a part, by its code; of any other code it is damaged. Where it is empty, the message says it."""
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")


class BrokenPart(Exception):  # noqa: N818 - control flow between the parsers of parts, never shown as it is
    """A part of a tileset cannot be used; its message is a template for a `Problem`.

    Attributes
    ----------
    code, template : str
    remedy : str
        Template of what to do about it; by the code where none is given.
    values : dict
    """

    def __init__(self, code: str, template: str, remedy: str = "", **values: Any) -> None:
        super().__init__(template)
        self.code = code
        self.template = template
        self.remedy = remedy or REMEDIES.get(code, DAMAGED)
        self.values = values

    @property
    def message(self) -> str:
        """The message in the current language."""
        return tr(self.template).format(**self.values)

    def problem(self, severity: Severity, where: str = "") -> Problem:
        """Return what is listed with the layer."""
        return Problem(severity, self.code, where, self.template, self.values, self.remedy)


class TilePlace(Protocol):
    """Where the files of a tileset are: a folder, an archive, a server.

    Attributes
    ----------
    knows_files : bool
        Whether `exists` tells at once what is there; a server is asked for each file only when it is needed.
    """

    @property
    def knows_files(self) -> bool: ...

    def reference(self, uri: object, base: str = "") -> str:
        """Return what names ``uri`` when it stands in a file in ``base``; raises BrokenPart when it may not be read."""
        ...

    def base_of(self, reference: str) -> str:
        """Return what references in a referenced file are relative to."""
        ...

    def exists(self, reference: str) -> bool:
        """Return whether a file is there, as far as that is known."""
        ...

    def read(self, reference: str, limit: int) -> bytes:
        """Return the bytes of a file, unpacked; raises BrokenPart."""
        ...


def is_json(reference: str) -> bool:
    """Return whether a reference names a JSON file: a tileset rather than a content."""
    return reference.split("?", 1)[0].lower().endswith(".json")


@dataclass(frozen=True)
class TilesetFolder:
    """The folder of a tileset; nothing outside it is read, whatever the tileset says.

    Attributes
    ----------
    root : Path
        Resolved folder of the tileset that was opened.
    """

    root: Path
    knows_files = True

    @staticmethod
    def of(path: Path) -> TilesetFolder:
        """Return the folder of a tileset file."""
        return TilesetFolder(path.resolve().parent)

    def reference(self, uri: object, base: str = "") -> str:
        """Return the path of ``uri``, relative to the root, when it is named in a file in folder ``base`` (relative too).

        Raises
        ------
        BrokenPart
            If it is no text, has a scheme, is absolute, or leads outside the root.
        """
        return inner_path(uri, base)

    def base_of(self, reference: str) -> str:
        """Return the folder of a referenced file."""
        return folder_of(reference)

    def exists(self, reference: str) -> bool:
        """Return whether a referenced file is there and inside the root, links followed."""
        try:
            real = (self.root / reference).resolve()
            return real.is_relative_to(self.root) and real.is_file()
        except (OSError, RuntimeError, ValueError):
            return False

    def read(self, reference: str, limit: int) -> bytes:
        """Return the bytes of a referenced file.

        Raises
        ------
        BrokenPart
            If it is missing, unreadable, outside the root, or larger than ``limit`` bytes.
        """
        if not self.exists(reference):
            raise BrokenPart("missing-content", "“{uri}” is not there.", uri=reference[:120])
        try:
            return read_limited(self.root / reference, limit)
        except DataError as error:
            uri, remedy = reference[:120], error.remedy_template
            raise BrokenPart(
                "unreadable-content", "“{uri}” cannot be read: {reason}", remedy, uri=uri, reason=error.message
            ) from error


def inner_path(uri: object, base: str) -> str:
    """Return the path of ``uri`` from the top folder, when it stands in a file in folder ``base``; nothing outside is named.

    Raises
    ------
    BrokenPart
        If it is no text, has a scheme, is absolute, or leads outside.
    """
    if not isinstance(uri, str) or not uri.strip():
        raise BrokenPart("bad-uri", "A reference to a file is not text.")
    plain = unquote(uri.split("#", 1)[0].split("?", 1)[0])
    unsafe = BrokenPart("unsafe-uri", "“{uri}” does not lie in the folder of the tileset; it is not read.", uri=uri[:80])
    if _SCHEME.match(plain) or plain.startswith("/") or "\\" in plain or "\0" in plain:
        raise unsafe
    parts: list[str] = []
    for part in f"{base}/{plain}".split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            raise unsafe
    return "/".join(parts)


def folder_of(reference: str) -> str:
    """Return the folder part of a relative path; empty at the top."""
    base = str(PurePosixPath(reference).parent)
    return "" if base == "." else base


def unpacked_limit(packed: int, limit: int) -> int:
    """Return how many bytes may come out of ``packed`` ones."""
    return min(limit, max(ALWAYS_UNPACKED, MOST_PACKED * packed))


def unpacked(data: bytes, limit: int) -> bytes:
    """Return what is gzipped, up to one byte more than ``limit``; raises zlib.error or EOFError when it is damaged."""
    out = bytearray()
    while data[:2] == b"\x1f\x8b" and len(out) <= limit:
        unpacker = zlib.decompressobj(31)
        out += unpacker.decompress(data, limit + 1 - len(out))
        if not unpacker.eof and len(out) <= limit:
            raise EOFError("the compressed data end too soon")
        data = unpacker.unused_data
    return bytes(out)


def read_limited(path: Path, limit: int) -> bytes:
    """Return the bytes of a file, unpacked when gzipped.

    Raises
    ------
    DataError
        If it cannot be read or is larger than ``limit`` bytes.
    """
    if not path.is_file():  # opening a pipe would wait for ever
        raise DataError(path, "there is no such file.", remedy="Check the name, or locate the file again.")
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            is_larger = size > limit
            # Reading takes as much memory as it is asked for, whatever there is.
            data = file.read(2 if is_larger else size + 1)
        if data[:2] == b"\x1f\x8b" and not is_larger:
            limit = unpacked_limit(size, limit)
            data = unpacked(data, limit)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(path, "the file cannot be read ({reason}).", reason=reason, remedy="Copy or download it again.") from error
    if is_larger or len(data) > limit:
        raise DataError(
            path, "the file is larger than {limit} MB.", limit=limit >> 20, remedy="Cut the tileset into smaller tiles."
        )
    return data
