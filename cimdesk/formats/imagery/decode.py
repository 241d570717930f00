"""Bytes of one tile -> pixels: PNG, JPEG, WebP and the other picture formats of tiles, within a size that is believable."""

from __future__ import annotations

import io

import numpy as np

from cimdesk.base.arrays import UInt8

MAX_SIDE = 4096
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF")
_KINDS = (
    (b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
)  # fmt: skip


class BadTileError(Exception):
    """A tile is no picture; the text says why."""


def kind_of(data: bytes) -> str:
    """Return what the first bytes of a tile say it is: png, jpeg, webp, avif, gif, tiff, gzip, text or empty for unknown."""
    for magic, kind in _KINDS:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:12] in (b"ftypavif", b"ftypavis", b"ftypmif1"):
        return "avif"
    if data[:2] == b"\x1f\x8b":
        return "gzip"
    return "text" if data.lstrip()[:1] in (b"<", b"{", b"[") else ""


def decoded(data: bytes) -> UInt8:
    """Return the (h, w, 4) uint8 pixels of a tile.

    Raises
    ------
    BadTileError
        If it is no whole picture of a believable size.
    """
    from PIL import Image

    kind = kind_of(data)
    if kind in ("avif", "text"):
        raise BadTileError(kind)
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if not (0 < image.width <= MAX_SIDE and 0 < image.height <= MAX_SIDE):
                raise BadTileError(f"{image.width} x {image.height}")
            return np.asarray(image.convert("RGBA"))
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError, IndexError, KeyError) as error:
        raise BadTileError(str(error).replace("<", "").split(" 0x")[0][:80] or kind) from error
