"""A file cut after ends of members into small documents, which are parsed in two thirds of the time that a stream takes.

What is parsed stays in the processor's cache until it has been read, and is dropped all at once. Each document begins with the
start tag of the file's root. When all of them are well-formed then so is the file, and every cut lies between two children of
its root; a file that cannot be cut like this shows itself by a document that is not, and is read as a stream instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from cimdesk.formats.citygml.names import MEMBERS
from cimdesk.formats.citygml.prolog import HEAD_BYTES, root_tags

BATCH_BYTES = 65_536
"""Of one document, more or less: its elements take eight times as much, and larger ones leave the cache."""
LARGEST = 16_000_000
"""Bytes without the end of a member from which on a stream takes less memory."""
SEAM_BYTES = 256
_END = re.compile(rb"</(?:[\w.-]+:)?(?:" + "|".join(sorted(MEMBERS)).encode() + rb")\s*>")


class UncutError(Exception):
    """The file cannot be cut into documents, or is damaged."""


def documents(file: Any, parser: Any) -> Iterator[Any]:
    """Yield the roots of documents: one without content, then some members in each.

    Parameters
    ----------
    file : binary file
    parser : lxml parser

    Raises
    ------
    UncutError
        If one is not well-formed; all that came before is what a stream would give.
    """
    head: bytes = file.read(HEAD_BYTES)
    tags = root_tags(head)
    if tags is None:
        raise UncutError
    start, end = tags
    yield _parsed(start + end, parser)
    for part, is_last in _parts(file, head[len(start) :]):
        yield _parsed(start + part if is_last else start + part + end, parser)


def _parsed(text: bytes, parser: Any) -> Any:
    from lxml import etree

    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise UncutError from error


def _parts(file: Any, first: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield what follows the root's start tag in parts that end with a member, and whether it is the last, which need not."""
    rest = bytearray()
    seen, usual = 0, b""
    for block in chain([first], iter(lambda: file.read(BATCH_BYTES), b"")):
        rest += block
        cut, usual = _last_end(rest, seen, usual)
        if cut:
            yield bytes(rest[:cut]), False
            del rest[:cut]
        if len(rest) > LARGEST:
            raise UncutError
        seen = max(0, len(rest) - SEAM_BYTES)
    yield bytes(rest), True


def _last_end(text: bytearray, start: int, usual: bytes) -> tuple[int, bytes]:
    """Return where the last member after ``start`` ends, and its end tag; 0 and the ``usual`` tag when none does."""
    at = text.rfind(usual, start) if usual else -1
    if at >= 0:
        return at + len(usual), usual
    cut = 0
    for found in _END.finditer(text, start):
        cut, usual = found.end(), found[0]
    return cut, usual
