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

BATCH_BYTES = 98_304
"""Of one document, more or less: its elements take eight times as much, and larger ones leave the cache."""
LARGEST = 16_000_000
"""Bytes without the end of a member from which on a stream takes less memory."""
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
        yield _parsed(b"".join([start, *part, b"" if is_last else end]), parser)


def _parsed(text: bytes, parser: Any) -> Any:
    from lxml import etree

    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise UncutError from error


def _parts(file: Any, first: bytes) -> Iterator[tuple[list[memoryview], bool]]:
    """Yield what follows the root's start tag in parts that end with a member, and whether it is the last, which need not."""
    waiting: list[memoryview] = []
    size, usual = 0, b""
    for block in chain([first], iter(lambda: file.read(BATCH_BYTES), b"")):
        # An end tag that is spread over two blocks is no loss: the next one does as well.
        cut, usual = _last_end(block, usual)
        view = memoryview(block)
        if cut:
            yield [*waiting, view[:cut]], False
            waiting, size = [], 0
        waiting.append(view[cut:])
        size += len(block) - cut
        if size > LARGEST:
            raise UncutError
    yield waiting, True


def _last_end(block: bytes, usual: bytes) -> tuple[int, bytes]:
    """Return where the last member in a block ends, and its end tag; 0 and the ``usual`` tag when none does."""
    at = block.rfind(usual) if usual else -1
    if at >= 0:
        return at + len(usual), usual
    cut = 0
    for found in _END.finditer(block):
        cut, usual = found.end(), found[0]
    return cut, usual
