"""Manholes that water comes out of: a fountain over each, larger the more it spills; with a number where it stands for several."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.arrays import Float, Float32, Int
from cimdesk.model.appearance import SPILL_COLOR
from cimdesk.model.drainage import SPILLS, DrainageSeries
from cimdesk.scene.sprites import Atlas, Sprites
from cimdesk.scene.visual import Context, View

if TYPE_CHECKING:
    from PIL import Image

MOST = 400
"""Fountains in a picture at most; the largest are kept."""
SIZES = ((0.05, 20), (0.3, 26), (np.inf, 34))
"""Flow up to which a fountain is so many pixels high [m3/s]."""
LIGHT_INK, DARK = "#ffb8f0", 380
"""Colour of numbers whose rim is dark, and up to which sum of red, green and blue it is."""
OVERSAMPLE = 4
BEHIND = -1
MARGIN = 40.0
GAP = 30.0
"""Fountains nearer to each other on the screen are drawn as one [px]."""
NEAR, FAR, SMALLEST = 0.35, 1.6, 0.62
"""Metres per pixel up to which fountains have their size, and from which they are the smallest share of it."""


class Fountains:
    """Draws the spilling nodes of a run.

    Attributes
    ----------
    boxes : (N, 4) float64
        Left, top, right and bottom of the fountains in the frame that is being prepared [px].
    """

    def __init__(self, context: Context, drains: DrainageSeries) -> None:
        self.context = context
        self.drains = drains
        self.atlas = Atlas()
        self.sprites = Sprites(self.atlas)
        self._flow: Float32 = np.zeros(len(drains.ids), dtype=np.float32)
        xy = np.nan_to_num(drains.positions) - context.origin[:2]
        self._is_placed = np.isfinite(drains.positions).all(axis=1)
        self._points: Float = np.column_stack([xy, context.ground(xy)])
        # Pins of gauges and labels stand in front.
        self.sprites.actor.SetLayerNumber(BEHIND)
        self.boxes: Float = np.zeros((0, 4))

    def set_time(self, seconds: float) -> bool:
        """Follow the clock, in seconds from the start of the run; return whether something changed."""
        flow = self.drains.spilling_at(seconds)
        changed = not np.array_equal(flow, self._flow)
        self._flow = flow
        return changed

    def prepare(self, view: View, is_shown: bool) -> None:
        """Place the fountains for this view."""
        rows = np.flatnonzero((self._flow > SPILLS) & self._is_placed) if is_shown else np.zeros(0, dtype=np.int64)
        screen = view.project(self._points[rows])
        seen = (screen[:, 2] > view.near) & (screen[:, 0] > -MARGIN) & (screen[:, 0] < view.width + MARGIN)
        seen &= (screen[:, 1] > -MARGIN) & (screen[:, 1] < view.height + MARGIN)
        rows, screen = rows[seen], screen[seen]
        screen, flow, count = gathered(screen, self._flow[rows].astype(np.float64), GAP * view.pixel_scale)
        kept = np.argsort(-flow, kind="stable")[:MOST]
        kept = kept[np.argsort(-screen[kept, 2], kind="stable")]
        screen = screen[kept]
        keys: list[Hashable] = []
        for at, each, many in zip(screen, flow[kept], count[kept], strict=True):
            pixel = float(np.clip(at[2] * view.slope * view.pixel_scale, NEAR, FAR))
            share = 1.0 - (1.0 - SMALLEST) * np.log(pixel / NEAR) / np.log(FAR / NEAR)
            size = 2 * round(next(px for most, px in SIZES if each <= most) * share / 2.0)
            key = (round(size * view.pixel_scale), SPILL_COLOR, self.context.look.halo, int(many), view.pixel_scale)
            self.atlas.need(key, lambda key=key: fountain_picture(*key))  # type: ignore[misc]
            keys.append(key)
        sizes = np.array([self.atlas.size(key) for key in keys], dtype=np.float64).reshape(-1, 2)
        corners = np.column_stack([screen[:, 0] - sizes[:, 0] / 2, screen[:, 1] - sizes[:, 1] + 3 * view.pixel_scale])
        self.boxes = np.column_stack([corners, corners + sizes])
        self.sprites.place(keys, corners, view.height)


def gathered(screen: Float, flow: Float, gap: float) -> tuple[Float, Float, Int]:
    """Return places on the screen none of which is nearer to another than ``gap`` [px], with what they spill and how many they are.

    Parameters
    ----------
    screen : (N, 3) float64
        Pixels and distance.
    flow : (N,) float64
        [m3/s]; a fountain takes those around it that spill less, and stays where it is.
    """
    left = np.argsort(-flow, kind="stable")
    kept, total, count = [], [], []
    while len(left):
        near = np.hypot(*(screen[left, :2] - screen[left[0], :2]).T) < gap
        kept.append(left[0])
        total.append(float(flow[left[near]].sum()))
        count.append(int(near.sum()))
        left = left[~near]
    return screen[kept].reshape(-1, 3), np.array(total), np.array(count, dtype=np.int64)


def fountain_picture(size: int, color: str, halo: str, count: int = 1, scale: float = 1.0) -> Image.Image:
    """Return a fountain over a manhole, ``size`` px high, whose foot is at the middle of the lower edge.

    One that stands for several says how many, in letters of ``scale`` times the usual size.
    """
    from PIL import Image, ImageDraw

    k = OVERSAMPLE
    side = size * k
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle, foot = side / 2, side * 0.86
    arcs = [(0.36, 0.24)]
    for width, ink in ((0.17, halo), (0.095, color)):
        px = max(1, round(width * side))
        draw.ellipse(
            [middle - side * 0.26, foot - side * 0.09, middle + side * 0.26, foot + side * 0.09], outline=ink, width=px // 2
        )
        draw.line([(middle, foot), (middle, side * 0.14)], fill=ink, width=px)
        for reach, top in arcs:
            for way in (-1.0, 1.0):
                a, b = sorted((middle, middle + way * reach * side))
                draw.arc([a, side * top, b, side * (1.3 - top)], 180, 360, fill=ink, width=px)
    small = picture.resize((size, size), Image.Resampling.LANCZOS)
    return small if count < 2 else _with_number(small, count, color, halo, scale)


def _with_number(picture: Image.Image, count: int, color: str, halo: str, scale: float) -> Image.Image:
    """Return the picture with a number at its right, as wide at its left so that its middle stays."""
    from PIL import Image, ImageColor, ImageDraw

    from cimdesk.scene.lettering import font

    letters = font(round(11 * scale))
    ink = LIGHT_INK if sum(ImageColor.getrgb(halo)[:3]) < DARK else color
    rim = max(1, round(1.5 * scale))
    room = math.ceil(letters.getlength(str(count))) + 2 * rim
    whole = Image.new("RGBA", (picture.width + 2 * room, picture.height), (0, 0, 0, 0))
    whole.paste(picture, (room, 0))
    ImageDraw.Draw(whole).text(
        (room + picture.width + rim, picture.height * 0.72), str(count), fill=ink, font=letters, anchor="lm", stroke_width=rim,
        stroke_fill=halo,
    )  # fmt: skip
    return whole
