"""Members of a CityGML file one after the other, each taken apart and dropped before the next is read."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

from cimdesk.base.errors import DataError
from cimdesk.formats.citygml.batches import UncutError, documents
from cimdesk.formats.citygml.names import GML, LOCAL_NAMES, MEMBERS
from cimdesk.formats.citygml.prolog import HEAD_BYTES, Declaring
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions

SCAN_BYTES = 262_144
SEAM_BYTES = 512
WORDS = (b"surfaceData", b"href")
TOLD_EVERY = 64
_MODULES = {
    "core": "", "bldg": "building/", "brid": "bridge/", "tun": "tunnel/", "tran": "transportation/", "trans": "transportation/",
    "veg": "vegetation/", "wtr": "waterbody/", "luse": "landuse/", "dem": "relief/", "frn": "cityfurniture/",
    "gen": "generics/", "grp": "cityobjectgroup/", "app": "appearance/", "tex": "texturedsurface/", "con": "construction/",
    "vers": "versioning/", "dyn": "dynamizer/", "pcl": "pointcloud/",
}  # fmt: skip
_OTHERS = {
    "xlink": "http://www.w3.org/1999/xlink",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xAL": "urn:oasis:names:tc:ciq:xsdschema:xAL:2.0",
    "uro": "https://www.geospatial.jp/iur/uro/2.0",
    "urf": "https://www.geospatial.jp/iur/urf/2.0",
}
_VERSION = re.compile(r"citygml(?:/[a-z]+)*/(\d)[./](\d)")
_SYSTEM = re.compile(rb"""srsName\s*=\s*["']([^"'<>]{1,400})["']""")
_FLAT = re.compile(rb"""srsDimension\s*=\s*["']2""")
_TELLING = re.compile(rb"s(?:rs[ND]|urfaceD)")
"""Beginnings of srsName, srsDimension and surfaceData, looked for at once, because nearly all blocks have none of them."""
_GML = re.compile(rb"opengis\.net/gml(?:/3\.2)?")
_UNDECLARED = re.compile(r"Namespace prefix (\S+) (?:for \S+ )?on ")


_PARSING: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
    "remove_blank_text": True,
}


class UndeclaredError(Exception):
    """Prefixes without a namespace turned up; the file has to be read again with them declared."""

    def __init__(self, prefixes: set[str]) -> None:
        self.prefixes = prefixes
        super().__init__(", ".join(sorted(prefixes)))


@dataclass
class Contents:
    """What occurs in a file.

    Attributes
    ----------
    systems : set of str
        Reference systems named.
    gml : set of bytes
        Namespaces of GML.
    words : dict of bytes to bool
        Whether each of them occurs.
    is_plain : bool
        The bytes are in an encoding in which they can be searched.
    has_flat : bool
        Some coordinates have two numbers.
    """

    systems: set[str] = field(default_factory=set)
    gml: set[bytes] = field(default_factory=set)
    words: dict[bytes, bool] = field(default_factory=lambda: dict.fromkeys(WORDS, False))
    is_plain: bool = True
    has_flat: bool = False

    def add(self, block: bytes) -> None:
        """Look over some more bytes."""
        self.words[b"href"] = self.words[b"href"] or b"href" in block
        self.is_plain = self.is_plain and b"\x00" not in block[:4]
        if _TELLING.search(block):
            self._look_closer(block)
        if not self.gml:
            self.gml.update(_GML.findall(block))

    def _look_closer(self, block: bytes) -> None:
        self.words[b"surfaceData"] = self.words[b"surfaceData"] or b"surfaceData" in block
        self.has_flat = self.has_flat or (b"srsDimension" in block and _FLAT.search(block) is not None)
        if len(self.systems) < 2 and b"srsName" in block:
            self.systems.update(name.decode("utf-8", "replace") for name in set(_SYSTEM.findall(block)))

    def has(self, word: bytes) -> bool:
        """Return whether one of `WORDS` occurs, or may."""
        return self.words[word] or not self.is_plain


@dataclass
class Document:
    """One CityGML file being read.

    Attributes
    ----------
    path : Path
    options : ReadOptions
    findings : Findings
    declared : dict of prefix to namespace
        Namespaces that the file forgets to declare.
    root : element or None
        The outermost element, once a member came.
    """

    path: Path
    options: ReadOptions
    findings: Findings
    declared: dict[str, str] = field(default_factory=dict)
    root: Any = None

    def members(self, again: bool = False) -> Iterator[Any]:
        """Yield the member elements of the file in order; each is emptied when the next is asked for.

        Damage ends the file there: it becomes a problem that names the line, and what came before stays.

        Parameters
        ----------
        again : bool
            The file was read before: say nothing of progress and damage.

        Raises
        ------
        DataError
            If the file has a document type declaration, cannot be opened, or is damaged before the first member ends.
        UndeclaredError
            If prefixes turn up that are not declared.
        """
        count = 0
        try:
            for member in self._cut(again):
                count += 1
                yield member
            return
        except (UncutError, EOFError, zlib.error, gzip.BadGzipFile):
            pass
        # Whatever is wrong, the stream tells it exactly; and it takes files that cannot be cut.
        yield from self._streamed(again, count)

    def _cut(self, again: bool) -> Iterator[Any]:
        """Yield the members of a file that can be cut into small documents."""
        from lxml import etree

        self.root = None
        with self._opened() as (file, raw):
            size = max(self.path.stat().st_size, 1)
            for root in documents(file, etree.XMLParser(**_PARSING)):
                if self.root is None:
                    self._enter(root)
                members = [child for child in root if LOCAL_NAMES[child.tag] in MEMBERS]
                if len(members) < len(root):
                    self.root.extend([child for child in root if LOCAL_NAMES[child.tag] not in MEMBERS])
                yield from members
                self._tell(again, raw.tell() / size)

    def _streamed(self, again: bool, skipped: int) -> Iterator[Any]:
        """Yield the members of any file after the first ``skipped``, and report damage."""
        from lxml import etree

        self.root = None
        count = 0
        with self._opened() as (file, raw):
            size = max(self.path.stat().st_size, 1)
            events = etree.iterparse(file, events=("end",), tag=[f"{{*}}{name}" for name in MEMBERS], **_PARSING)
            try:
                for _, member in events:
                    root = member.getparent()
                    if root is None or root.getparent() is not None:
                        continue
                    if self.root is None:
                        self._enter(root)
                    if count >= skipped:
                        yield member
                    member.clear()
                    before = member.getprevious()
                    if before is not None and LOCAL_NAMES[before.tag] in MEMBERS:
                        root.remove(before)
                    count += 1
                    if count % TOLD_EVERY == 0:
                        self._check_prefixes(events.error_log)
                        self._tell(again or count < skipped, raw.tell() / size)
                if self.root is None and events.root is not None:
                    self._enter(events.root)
            except etree.XMLSyntaxError as error:
                self._check_prefixes(events.error_log)
                if not again:
                    self._damaged(f"line {error.lineno}", str(error.msg or error), max(count, skipped))
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                if not again:
                    self._damaged("gzip", str(error), max(count, skipped))

    def _tell(self, again: bool, done: float) -> None:
        self.options.cancel.raise_if_cancelled()
        if not again:
            self.options.progress(0.9 * min(1.0, done))

    def head(self) -> bytes:
        """Return the first bytes, unpacked.

        Raises
        ------
        DataError
            If the file cannot be opened.
        """
        head = b""
        with self._opened() as (file, _):
            try:
                head = file.read(HEAD_BYTES)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self._damaged("gzip", str(error), 0)
        return head

    def contents(self) -> Contents:
        """Return what a look over the bytes tells about the file, so that what it does not have need not be looked for."""
        found = Contents()
        tail = b""
        with self._opened() as (file, _):
            try:
                while block := file.read(SCAN_BYTES):
                    found.add(tail + block[:SEAM_BYTES])
                    found.add(block)
                    tail = block[-SEAM_BYTES:]
            except (EOFError, zlib.error, gzip.BadGzipFile):
                return found
        return found

    @property
    def version(self) -> str | None:
        """Version of CityGML as the namespaces say; None where they do not."""
        if self.root is None:
            return None
        spaces = [self.root.tag, *map(str, self.root.nsmap.values())]
        return next((f"{found[1]}.{found[2]}" for space in spaces if (found := _VERSION.search(space))), None)

    def declare(self, prefixes: set[str]) -> None:
        """Declare prefixes from now on by what they are usually bound to."""
        found = _VERSION.search(self.head().decode("latin-1"))
        version = f"{found[1]}.{found[2]}" if found else "2.0"
        for prefix in sorted(prefixes):
            if prefix == "gml":
                uri = GML[version.startswith("3")]
            elif prefix in _MODULES:
                uri = f"http://www.opengis.net/citygml/{_MODULES[prefix]}{version}"
            else:
                uri = _OTHERS.get(prefix, f"urn:undeclared:{prefix}")
            self.declared[prefix] = uri
            self.findings.add(
                "undeclared-prefix", prefix, "Prefix {prefix} is not declared; it is taken for {uri}.", prefix=prefix, uri=uri
            )

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, IO[bytes]]]:
        try:
            raw = self.path.open("rb")
        except OSError as error:
            raise DataError(self.path, "the file cannot be opened ({reason}).", reason=error.strerror or "") from error
        with raw:
            is_packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file: Any = gzip.GzipFile(fileobj=raw) if is_packed else raw
            yield (Declaring(file, self.declared) if self.declared else file), raw

    def _enter(self, root: Any) -> None:
        info = root.getroottree().docinfo
        if info.internalDTD is not None or info.doctype:
            refuse_doctype(self.path)
        self.root = root

    def _check_prefixes(self, log: Any) -> None:
        if not len(log):
            return
        prefixes = {found[1] for entry in log if (found := _UNDECLARED.match(entry.message))} - set(self.declared)
        if prefixes:
            raise UndeclaredError(prefixes)

    def _damaged(self, where: str, reason: str, count: int) -> None:
        if not count:
            raise DataError(
                self.path, "the file is damaged: {reason}.", where=where, remedy="Download or export it again.", reason=reason
            )
        text = "The file is damaged here; what comes before is read ({count} members): {reason}."
        self.findings.error("damaged", where, text, count=count, reason=reason)


def refuse_doctype(path: Path) -> NoReturn:
    """Raise the error for files with a document type declaration."""
    raise DataError(
        path,
        "the file has a document type declaration (DOCTYPE), which CityGML does not use and which can do harm.",
        remedy="Remove it, or export the file again.",
    )
