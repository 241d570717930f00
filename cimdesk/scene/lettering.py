"""Text and small pictures drawn with Pillow, in a font that has Chinese where the system has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cimdesk.base.fonts import font, font_file, text_size

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["font", "font_file", "text_picture", "text_size"]


def text_picture(text: str, size: int, color: str, halo: str, halo_px: int = 2) -> Image.Image:
    """Return an RGBA picture of a text with a halo, readable on any background."""
    from PIL import Image, ImageDraw

    width, height = text_size(text, size, True)
    picture = Image.new("RGBA", (width + 2 * halo_px + 2, height + 2 * halo_px), _clear(halo))
    draw = ImageDraw.Draw(picture)
    middle = (halo_px + 1, picture.height / 2)
    draw.text(middle, text, font=font(size, True), fill=color, stroke_width=halo_px, stroke_fill=halo, anchor="lm")
    return picture


def _clear(color: str) -> tuple[int, int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 0
