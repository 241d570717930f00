"""BCF 2.0, 2.1 and 3.0: what review topics a file holds. Topics are counted and named here; they have no shape of their own."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions, ReadResult

MAX_PART = 64 * 2**20
"""Largest markup that is unpacked [bytes]."""
MAX_PARTS = 20_000
SHOWN_TITLES = 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, NotImplementedError, RuntimeError, ValueError)


@dataclass
class Topics:
    """What a file holds.

    Attributes
    ----------
    titles : list of str
        One per topic.
    comments, viewpoints : int
    """

    titles: list[str] = field(default_factory=list)
    comments: int = 0
    viewpoints: int = 0


class BcfReader:
    """Tells what review topics a BCF file holds."""

    name = "BCF"
    suffixes = (".bcf", ".bcfzip")

    def claim(self, path: Path, head: bytes) -> float:
        """Claim packed files that are called so."""
        return 0.9 if head[:2] == b"PK" and path.suffix.lower() in self.suffixes else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Count topics, comments and viewpoints; raises `DataError` when it is no BCF."""
        findings = Findings()
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()[:MAX_PARTS]
                version = _version(archive, names)
                topics = Topics()
                for name in names:
                    options.cancel.raise_if_cancelled()
                    lower = name.lower()
                    if lower.endswith("markup.bcf"):
                        _read_markup(archive, name, topics, findings)
                    elif lower.endswith(".bcfv"):
                        topics.viewpoints += 1
        except _BROKEN as error:
            raise DataError(
                path,
                "this is no BCF file, or it is damaged ({reason}).",
                remedy="Export it again from the program that manages the issues.",
                reason=error,
            ) from error
        text = "A BCF file holds review topics and no model: {titles}. Topics are listed by check and not shown in the scene yet."
        findings.info("topics", "", text, titles="; ".join(topics.titles[:SHOWN_TITLES]) or "–")
        counts = {"topics": len(topics.titles), "comments": topics.comments, "viewpoints": topics.viewpoints}
        return ReadResult("BCF", version, None, counts, None, (), findings.problems())


READER = BcfReader()


def _version(archive: zipfile.ZipFile, names: list[str]) -> str | None:
    name = next((name for name in names if name.lower() == "bcf.version"), None)
    if name is None:
        raise ValueError("bcf.version")
    root = _root(archive, name)
    found = root.get("VersionId")
    return None if found is None else str(found)


def _read_markup(archive: zipfile.ZipFile, name: str, topics: Topics, findings: Findings) -> None:
    if archive.getinfo(name).file_size > MAX_PART:
        findings.error("too-large", name, "{name} is larger than a BCF part may be; it is left out.", name=name)
        return
    try:
        root = _root(archive, name)
    except ValueError as error:
        findings.error("damaged", name, "{name} cannot be read ({reason}).", name=name, reason=error)
        return
    topic = next(root.iter("{*}Topic"), None)
    title = "" if topic is None else str(topic.findtext("{*}Title") or "").strip()
    topics.titles.append(title or name.partition("/")[0])
    topics.comments += sum(1 for comment in root.iter("{*}Comment") if comment.get("Guid"))


def _root(archive: zipfile.ZipFile, name: str) -> Any:
    """Return the outermost element of a part; raises ValueError when it is no XML."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    with archive.open(name) as part:
        data = part.read(MAX_PART + 1)
    try:
        return etree.parse(io.BytesIO(data[:MAX_PART]), parser).getroot()
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from error
