"""Fonts for pictures drawn with Pillow: one that has Chinese where the system has one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

_PLACES = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts",
    "C:/Windows/Fonts", "/System/Library/Fonts", "/Library/Fonts",
)  # fmt: skip
_REGULAR = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf", "NotoSansSC-Regular.ttf", "msyh.ttc",
    "PingFang.ttc", "wqy-microhei.ttc", "SourceHanSansSC-Regular.otf", "DejaVuSans.ttf", "arial.ttf", "Arial.ttf",
)  # fmt: skip
_BOLD = (
    "NotoSansCJK-Bold.ttc", "NotoSansCJKsc-Bold.otf", "NotoSansSC-Bold.otf", "msyhbd.ttc", "PingFang.ttc", "wqy-microhei.ttc",
    "SourceHanSansSC-Bold.otf", "DejaVuSans-Bold.ttf", "arialbd.ttf", "Arial Bold.ttf",
)  # fmt: skip
_SIMPLIFIED = {"NotoSansCJK-Regular.ttc": 2, "NotoSansCJK-Bold.ttc": 2}
"""Face of simplified Chinese inside font collections."""


@cache
def font_file(bold: bool = False) -> tuple[str, int] | None:
    """Return the file and face of the best font of the system; None when there is none that we know."""
    found: dict[str, Path] = {}
    for place in _PLACES:
        folder = Path(place).expanduser()
        if folder.is_dir():
            found.update({file.name: file for file in folder.rglob("*.[to]t[fc]")})
    for name in _BOLD if bold else _REGULAR:
        if name in found:
            return str(found[name]), _SIMPLIFIED.get(name, 0)
    return None


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font at a height in pixels; Pillow's own where the system has none."""
    from PIL import ImageFont

    found = font_file(bold)
    if found is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(found[0], size, index=found[1])


def text_size(text: str, size: int, bold: bool = False) -> tuple[int, int]:
    """Return width and line height of a text [px]."""
    left, _, right, _ = font(size, bold).getbbox(text)
    return int(right - left) + 1, round(size * 1.45)
