"""Labels from any column: nearest first, none over another, with a halo, always upright."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int
from cimdesk.base.units import format_number
from cimdesk.model.features import plain_value
from cimdesk.scene.lettering import text_picture
from cimdesk.scene.sprites import Atlas, Sprites
from cimdesk.scene.visual import Context, View, Visual

MAX_CANDIDATES = 600
MAX_SHOWN = 160
GAP_PX = 3.0
RISE_PX = 4.0
MAX_CHARACTERS = 36


class Labels:
    """All labels of a scene in one actor."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.atlas = Atlas()
        self.sprites = Sprites(self.atlas)
        self._keys: list[Hashable] = []
        self._anchors: Float = np.zeros((0, 3))
        self._drops: Bool = np.zeros(0, dtype=bool)

    def prepare(self, view: View, visuals: Iterable[Visual]) -> None:
        """Place the labels; while the camera moves the chosen ones only follow."""
        if not (view.is_moving and self._keys):
            self._choose(view, list(visuals))
        if not self._keys:
            self.sprites.place([], np.zeros((0, 2)), view.height)
            return
        screen = view.project(self._anchors)
        ahead = np.flatnonzero(screen[:, 2] > view.near)
        keys = [self._keys[k] for k in ahead]
        sizes = np.array([self.atlas.size(key) for key in keys], dtype=np.float64).reshape(-1, 2)
        self.sprites.place(keys, _corners(screen[ahead], sizes, self._drops[ahead], view.pixel_scale), view.height)

    def _choose(self, view: View, visuals: list[Visual]) -> None:
        if self.atlas.is_full:
            self.atlas.clear()
        keys: list[Hashable] = []
        anchors: list[Float] = []
        drops: list[bool] = []
        boxes: Float = np.zeros((0, 4))
        for visual in sorted(visuals, key=lambda v: v.label_rank):
            for text, anchor, screen in self._candidates(visual, view):
                if len(keys) >= MAX_SHOWN:
                    break
                key = self._key(text, view)
                size = np.array([self.atlas.size(key)], dtype=np.float64)
                (left, top), (width, height) = (
                    _corners(screen[None], size, np.array([visual.label_below]), view.pixel_scale)[0],
                    size[0],
                )
                box = np.array([left - GAP_PX, top - GAP_PX, left + width + GAP_PX, top + height + GAP_PX])
                if _overlaps(box, boxes):
                    continue
                boxes = np.vstack([boxes, box])
                keys.append(key)
                anchors.append(anchor)
                drops.append(visual.label_below)
        self._keys, self._anchors, self._drops = keys, np.array(anchors).reshape(-1, 3), np.array(drops, dtype=bool)

    def _key(self, text: str, view: View) -> Hashable:
        look = self.context.look
        size = round(min(look.text_px, 18) * view.pixel_scale)
        key = (text, size, look.text, look.halo)
        self.atlas.need(key, lambda: text_picture(*key, halo_px=max(2, round(2 * view.pixel_scale))))
        return key

    def _candidates(self, visual: Visual, view: View) -> Iterable[tuple[str, Float, Float]]:
        """Yield text, local anchor and screen position of a layer's labels in the picture, nearest first."""
        column = visual.layer.style.labels
        table = self.context.workspace.features(visual.layer.id)
        if not column or table is None or not visual.layer.visible or (column != "id" and column not in table.columns):
            return
        values = table.ids if column == "id" else table.columns[column]
        anchors = visual.anchors()
        for row, screen in _in_view(anchors, view):
            text = _text(values[row])
            if text:
                yield text, anchors[row], screen


def _in_view(anchors: Float, view: View) -> Iterable[tuple[int, Float]]:
    screen = view.project(np.nan_to_num(anchors))
    inside = np.isfinite(anchors).all(axis=1) & (screen[:, 2] > view.near)
    inside &= (screen[:, 0] > 0) & (screen[:, 0] < view.width) & (screen[:, 1] > 0) & (screen[:, 1] < view.height)
    rows: Int = np.flatnonzero(inside)
    for row in rows[np.argsort(screen[rows, 2], kind="stable")][:MAX_CANDIDATES]:
        yield int(row), screen[row]


def _corners(screen: Float, sizes: Float, is_below: Bool, scale: float) -> Float:
    """Return the top left corners of labels above their anchors, or below them."""
    top = np.where(is_below, screen[:, 1] + 1.0, screen[:, 1] - sizes[:, 1] - RISE_PX * scale)
    return np.column_stack([screen[:, 0] - sizes[:, 0] / 2, top])


def _overlaps(box: Float, boxes: Float) -> bool:
    apart = (boxes[:, 0] >= box[2]) | (boxes[:, 2] <= box[0]) | (boxes[:, 1] >= box[3]) | (boxes[:, 3] <= box[1])
    return bool((~apart).any())


def _text(value: object) -> str:
    plain = plain_value(value)
    if plain is None:
        return ""
    text = format_number(plain, 4) if isinstance(plain, float) else str(plain)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
