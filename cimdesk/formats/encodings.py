"""Text of unknown encoding: UTF-8, UTF-16, the Chinese GB18030 family, or Latin-1 when nothing else fits."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def detect_encoding(pieces: Iterable[bytes]) -> str:
    """Return the codec that reads every piece: ``utf-8``, else ``gb18030``, else ``latin-1``.

    A piece may end in the middle of a character, as fixed-width fields do.
    """
    pieces = list(pieces)
    for codec in ("utf-8", "gb18030"):
        if all(_decodes(piece, codec) for piece in pieces):
            return codec
    return "latin-1"


def decode_text(data: bytes) -> tuple[str, str]:
    """Return the text of a whole file and the codec it was read with."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return data.decode(codec, errors="replace"), codec
    codec = detect_encoding([data])
    return data.decode(codec, errors="replace"), codec


def _decodes(data: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(data)
    except UnicodeDecodeError:
        return False
    return True
