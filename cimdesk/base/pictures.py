"""Pictures in files: how large they are, and their pixels in the size that is wanted; hostile ones are refused by their head."""

from __future__ import annotations

import io
import struct
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import UInt8

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""What Pillow is allowed to take a picture for."""
_PLUGINS = ("Png", "Jpeg", "WebP", "Tiff", "Bmp", "Gif")
MAX_PIXELS = 64_000_000
"""Pixels that one picture may have."""
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error)
"""What Pillow raises on damaged files."""


def _opened(source: Path | io.BytesIO) -> Any:
    from PIL import Image

    # Asked for a kind it has not met, Pillow loads the code of all kinds, which takes longer than a picture does.
    for plugin in _PLUGINS:
        import_module(f"PIL.{plugin}ImagePlugin")
    return Image.open(source, formats=FORMATS)


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return the width and height of a picture [px], looking at its head only; None if it is none of `FORMATS`."""
    from PIL import Image

    try:
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            _opened(path) as image,
        ):
            return int(image.width), int(image.height)
    except Image.DecompressionBombError:
        return MAX_PIXELS, MAX_PIXELS
    except _DAMAGED:
        return None


def read_picture(source: Path | bytes, size: tuple[int, int]) -> UInt8:
    """Return (height, width, 4) sRGB pixels and alpha of a picture, made as small or large as ``size``: width and height.

    Raises
    ------
    ValueError
        If the picture is damaged.
    """
    from PIL import Image

    try:
        with _opened(source if isinstance(source, Path) else io.BytesIO(source)) as image:
            # A JPEG can be read at a half, a quarter or an eighth of its size in a fraction of the time.
            image.draft("RGB", size)
            whole = image.convert("RGBA")
            return np.array(whole if whole.size == size else whole.resize(size, reducing_gap=2.0))
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
