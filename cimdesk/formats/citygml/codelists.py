"""Code lists that lie beside a CityGML file: what its codes mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES = 32_000_000
MAX_LISTS = 2_000
_PLAIN = re.compile(r"(?:\.\./){0,4}(?:[\w\- .]+/){0,4}[\w\- .]+\.xml")


@dataclass
class Codelists:
    """Looks codes up in dictionaries of GML that a file refers to by relative paths.

    Addresses, absolute paths and files larger than `MAX_BYTES` are not opened.
    """

    path: Path
    _lists: dict[str, dict[str, str]] = field(default_factory=dict)

    def text(self, space: str, code: str) -> str | None:
        """Return what ``code`` means in the list ``space``; None when the list is not there or does not have it."""
        known = self._lists.get(space)
        if known is None:
            if len(self._lists) >= MAX_LISTS:
                return None
            known = self._lists[space] = self._load(space)
        return known.get(code)

    def _load(self, space: str) -> dict[str, str]:
        if not _PLAIN.fullmatch(space):
            return {}
        file = self.path.parent / space
        try:
            if not file.is_file() or file.is_symlink() or file.stat().st_size > MAX_BYTES:
                return {}
            return _entries(file)
        except OSError:
            return {}


def _entries(file: Path) -> dict[str, str]:
    """Return code and meaning of every entry of a ``gml:Dictionary``; nothing of any other file."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True)
    try:
        root = etree.parse(str(file), parser).getroot()
    except etree.XMLSyntaxError:
        return {}
    if not root.tag.endswith("Dictionary"):
        return {}
    entries = {}
    for definition in root.iter("{*}Definition"):
        name = description = ""
        for child in definition:
            if child.tag.endswith("}name"):
                name = (child.text or "").strip()
            elif child.tag.endswith("}description"):
                description = (child.text or "").strip()
        if name and description:
            entries[name] = description
    return entries
