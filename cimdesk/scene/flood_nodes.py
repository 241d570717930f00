"""Manholes that water comes out of: a fountain over each, larger the more it spills."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.arrays import Float, Float32
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
OVERSAMPLE = 4
MARGIN = 40.0


class Fountains:
    """Draws the spilling nodes of a run."""

    def __init__(self, context: Context, drains: DrainageSeries) -> None:
        self.context = context
        self.drains = drains
        self.atlas = Atlas()
        self.sprites = Sprites(self.atlas)
        self._flow: Float32 = np.zeros(len(drains.ids), dtype=np.float32)
        xy = np.nan_to_num(drains.positions) - context.origin[:2]
        self._is_placed = np.isfinite(drains.positions).all(axis=1)
        self._points: Float = np.column_stack([xy, context.ground(xy)])

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
        kept = np.argsort(-self._flow[rows], kind="stable")[:MOST]
        kept = kept[np.argsort(-screen[kept, 2], kind="stable")]
        rows, screen = rows[kept], screen[kept]
        halo = self.context.look.halo
        keys: list[Hashable] = []
        for flow in self._flow[rows]:
            size = next(px for most, px in SIZES if flow <= most)
            key = (round(size * view.pixel_scale), SPILL_COLOR, halo)
            self.atlas.need(key, lambda key=key: fountain_picture(*key))  # type: ignore[misc]
            keys.append(key)
        sizes = np.array([self.atlas.size(key) for key in keys], dtype=np.float64).reshape(-1, 2)
        corners = np.column_stack([screen[:, 0] - sizes[:, 0] / 2, screen[:, 1] - sizes[:, 1] + 3 * view.pixel_scale])
        self.sprites.place(keys, corners, view.height)


def fountain_picture(size: int, color: str, halo: str) -> Image.Image:
    """Return a fountain over a manhole, ``size`` px high, whose foot is at the middle of the lower edge."""
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
    return picture.resize((size, size), Image.Resampling.LANCZOS)
