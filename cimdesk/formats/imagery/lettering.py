"""Names on painted maps: the important first, none over another, the same in pictures side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.arrays import Float32, UInt8
from cimdesk.base.fonts import font

if TYPE_CHECKING:
    from PIL import ImageFont

_SCALE = {0: 1.5, 1: 1.4, 2: 1.15, 3: 1.35, 4: 1.15, 5: 1.0, 6: 1.0, 7: 0.92}
_GAP = 6


@dataclass(frozen=True)
class Name:
    """A name at a place; smaller ranks are more important, and more people within a rank."""

    text: str
    place: tuple[float, float]
    rank: int
    people: float


def draw_names(pixels: UInt8, names: list[Name], at: Float32, color: str, halo: str, size: int) -> None:
    """Letter names with halos into a picture.

    Parameters
    ----------
    pixels : (h, w, 4) uint8
        Changed in place.
    names : list of Name
    at : (N, 2) float32
        Middle of each name [px]; those outside the picture take room too.
    color, halo : str
    size : int
        Height of the letters of a village [px].
    """
    if not names:
        return
    order = sorted(range(len(names)), key=lambda k: (names[k].rank, -names[k].people, names[k].text, names[k].place))
    taken: list[tuple[float, float, float, float]] = []
    chosen: list[tuple[int, ImageFont.FreeTypeFont | ImageFont.ImageFont]] = []
    for k in order:
        face = font(round(size * _SCALE[names[k].rank]), names[k].rank <= 4)
        left, top, right, bottom = face.getbbox(names[k].text, anchor="mm") if hasattr(face, "getmask2") else (0, 0, 0, 0)
        x, y = float(at[k, 0]), float(at[k, 1])
        box = (x + left - _GAP, y + top - _GAP, x + right + _GAP, y + bottom + _GAP)
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            continue
        taken.append(box)
        if box[2] > 0 and box[3] > 0 and box[0] < pixels.shape[1] and box[1] < pixels.shape[0]:
            chosen.append((k, face))
    if chosen:
        _letter(pixels, names, at, chosen, color, halo)


def _letter(
    pixels: UInt8,
    names: list[Name],
    at: Float32,
    chosen: list[tuple[int, ImageFont.FreeTypeFont | ImageFont.ImageFont]],
    color: str,
    halo: str,
) -> None:
    from PIL import Image, ImageDraw

    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for k, face in chosen:
        place = (float(at[k, 0]), float(at[k, 1]))
        draw.text(place, names[k].text, font=face, fill=color, stroke_width=2, stroke_fill=halo, anchor="mm")
    np.copyto(pixels, np.asarray(picture))
