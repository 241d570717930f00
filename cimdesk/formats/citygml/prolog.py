"""The beginning of an XML file as bytes: what stands before its root, and the root's start tag."""

from __future__ import annotations

import re
from typing import Any

HEAD_BYTES = 65_536
"""In which the root has to start."""
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_ROOT = re.compile(rb"<((?:[\w.-]+:)?[A-Za-z][\w.-]*)(?=[\s/>])")
_REST_OF_TAG = re.compile(rb"""(?:[^"'<>]|"[^"<]*"|'[^'<]*')*>""")
_ENCODING = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([\w.-]+)["']""")
_LIKE_ASCII = re.compile(rb"utf-?8|us-ascii|iso-8859-\d+|windows-125\d", re.IGNORECASE)
"""Encodings in which no part of a longer character looks like markup."""


def prolog_of(head: bytes) -> bytes:
    """Return what stands before and in the root's start tag, comments removed, in an ASCII-like encoding."""
    if _is_wide(head):
        head = head.replace(b"\x00", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    return _COMMENT.sub(b"", head).removeprefix(b"\xef\xbb\xbf").lstrip()


def root_of(prolog: bytes) -> tuple[bytes, bytes]:
    """Return what stands before the root's start tag, and the rest; all of it and nothing when the root does not start."""
    found = _ROOT.search(prolog)
    return (prolog[: found.start()], prolog[found.start() :]) if found else (prolog, b"")


def root_tags(head: bytes) -> tuple[bytes, bytes] | None:
    """Return everything up to the end of the root's start tag, and the end tag that belongs to it.

    None when the root does not start in ``head`` or is empty, or when the file is in an encoding or has a document type that
    forbids taking its bytes apart.
    """
    encoding = _ENCODING.search(head)
    if _is_wide(head) or (encoding and not _LIKE_ASCII.fullmatch(encoding[1])):
        return None
    found = _ROOT.search(_masked(head))
    if not found or b"<!DOCTYPE" in head[: found.start()]:
        return None
    rest = _REST_OF_TAG.match(head, found.end())
    if not rest or rest[0].endswith(b"/>"):
        return None
    return head[: rest.end()], b"</" + found[1] + b">"


def _is_wide(head: bytes) -> bool:
    return head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in head[:4]


def _masked(head: bytes) -> bytes:
    """Return ``head`` with blanks for comments."""
    return _COMMENT.sub(lambda found: b" " * len(found[0]), head)


class Declaring:
    """A file whose root element declares a few prefixes more."""

    def __init__(self, file: Any, declared: dict[str, str]) -> None:
        self._file = file
        self._start: bytes = file.read(HEAD_BYTES)
        if found := _ROOT.search(_masked(self._start)):
            written = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in declared.items()).encode()
            self._start = self._start[: found.end()] + written + self._start[found.end() :]

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        if not self._start:
            return bytes(self._file.read(size))
        cut = len(self._start) if size < 0 else size
        part, self._start = self._start[:cut], self._start[cut:]
        return part + bytes(self._file.read()) if size < 0 else part
