"""Labels from any column: nearest first, clear of each other and of pins, with a halo, always upright."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int
from cimdesk.base.units import format_number
from cimdesk.model.columns import encode
from cimdesk.model.evaluation import values_of
from cimdesk.model.expression import ExpressionError
from cimdesk.model.families import styled_features
from cimdesk.model.features import FeatureTable, plain_value
from cimdesk.scene.lettering import text_picture
from cimdesk.scene.sprites import Atlas, Sprites
from cimdesk.scene.visual import Context, View, Visual

MAX_CANDIDATES = 400
MAX_SHOWN = 160
GAP_PX = 3.0
RISE_PX = 4.0
ASIDE_PX = 9.0
MAX_CHARACTERS = 36


class Labels:
    """All labels of a scene in one actor."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.atlas = Atlas()
        self.sprites = Sprites(self.atlas)
        self._keys: list[Hashable] = []
        self._anchors: Float = np.zeros((0, 3))
        self._offsets: Float = np.zeros((0, 2))

    def prepare(self, view: View, visuals: Iterable[Visual]) -> None:
        """Place the labels; while the camera moves the chosen ones only follow."""
        if not (view.is_moving and self._keys):
            self._choose(view, [visual for visual in visuals if visual.layer.visible and visual.layer.opacity > 0.0])
        if not self._keys:
            self.sprites.place([], np.zeros((0, 2)), view.height)
            return
        screen = view.project(self._anchors)
        ahead = np.flatnonzero(screen[:, 2] > view.near)
        self.sprites.place([self._keys[k] for k in ahead], screen[ahead, :2] + self._offsets[ahead], view.height)

    def boxes(self, view: View) -> Float:
        """Return (N, 4) left, top, right and bottom of the labels in the picture [px]."""
        corners = view.project(self._anchors)[:, :2] + self._offsets if self._keys else np.zeros((0, 2))
        sizes = np.array([self.atlas.size(key) for key in self._keys], dtype=np.float64).reshape(-1, 2)
        return np.column_stack([corners, corners + sizes])

    def _choose(self, view: View, visuals: list[Visual]) -> None:
        if self.atlas.is_full:
            self.atlas.clear()
        taken = _Taken([visual.obstacles() for visual in visuals])
        keys: list[Hashable] = []
        anchors: list[Float] = []
        offsets: list[Float] = []
        for visual in sorted(visuals, key=lambda v: (-v.layer.style.label_priority, v.label_rank)):
            for text, anchor, screen in self._candidates(visual, view):
                if len(keys) >= MAX_SHOWN:
                    break
                key = self._key(text, view)
                size = np.array(self.atlas.size(key), dtype=np.float64)
                offset = taken.place(screen[:2], _places(size, visual.label_below, view.pixel_scale), size)
                if offset is not None:
                    keys.append(key)
                    anchors.append(anchor)
                    offsets.append(offset)
        self._keys, self._anchors = keys, np.array(anchors).reshape(-1, 3)
        self._offsets = np.array(offsets, dtype=np.float64).reshape(-1, 2)

    def _key(self, text: str, view: View) -> Hashable:
        look = self.context.look
        size = round(look.text_px * view.pixel_scale)
        key = (text, size, look.text, look.halo)
        self.atlas.need(key, lambda: text_picture(*key, halo_px=max(2, round(size * 0.15))))
        return key

    def _candidates(self, visual: Visual, view: View) -> Iterable[tuple[str, Float, Float]]:
        """Yield text, local anchor and screen position of a layer's labels in the picture, nearest first."""
        column = visual.layer.style.labels
        table = styled_features(self.context.workspace, visual.layer.id)
        if not column or table is None:
            return
        anchors = visual.anchors()[: len(table)]
        shown = _and(visual.in_sight(), labelled(column, table))
        rows, screen = _in_view(anchors, shown, view)
        values = label_values(column, table, rows)
        for k, row in enumerate(rows.tolist() if values is not None else []):
            text = _text(values[k]) if values is not None else ""
            if text:
                yield text, anchors[row], screen[k]


class _Taken:
    """The boxes on the screen where nothing more fits."""

    def __init__(self, obstacles: list[Float]) -> None:
        given = np.concatenate([np.zeros((0, 4)), *obstacles])
        self._count = len(given)
        self._boxes = np.zeros((self._count + MAX_SHOWN + 1, 4))
        self._boxes[: self._count] = given

    def place(self, at: Float, offsets: Float, size: Float) -> Float | None:
        """Take the first of some places about a point that is free and return its offset; None when there is none."""
        boxes = self._boxes[: self._count]
        for offset in offsets:
            (left, top), (right, bottom) = at + offset - GAP_PX, at + offset + size + GAP_PX
            if not ((boxes[:, 0] < right) & (boxes[:, 2] > left) & (boxes[:, 1] < bottom) & (boxes[:, 3] > top)).any():
                self._boxes[self._count] = left, top, right, bottom
                self._count += 1
                return np.asarray(offset, dtype=np.float64)
        return None


def _places(size: Float, is_below: bool, scale: float) -> Float:
    """Return (4, 2) offsets of a label's corner from its anchor: above or below first, then beside it."""
    width, height = size
    above, below = (-width / 2, -height - RISE_PX * scale), (-width / 2, 1.0)
    right, left = (ASIDE_PX * scale, -height / 2), (-width - ASIDE_PX * scale, -height / 2)
    return np.array([below, right, left, above] if is_below else [above, right, left, below])


def label_values(column: str, table: FeatureTable, rows: Int) -> AnyArray | None:
    """Return what labels say of some rows, by a column or an expression; None when there is no such thing."""
    if column in table.columns:
        return table.columns[column][rows]
    if column == "id":
        return table.ids[rows]
    try:
        return values_of(column, table.take(rows))
    except ExpressionError:
        return None


def labelled(column: str, table: FeatureTable) -> Bool | None:
    """Return (N,) whether a feature has something to say; None where that is not known beforehand."""
    values = table.columns.get(column)
    if values is None:
        return None
    if values.dtype == object:
        return np.asarray(encode(values).codes >= 0)
    return np.isfinite(values) if values.dtype.kind == "f" else None


def _and(first: Bool | None, second: Bool | None) -> Bool | None:
    return second if first is None else first if second is None else first[: len(second)] & second


def _in_view(anchors: Float, shown: AnyArray | None, view: View) -> tuple[Int, Float]:
    """Return the rows of the anchors in the picture, nearest first, and where they are on the screen."""
    screen = view.project(np.nan_to_num(anchors))
    inside = np.isfinite(anchors).all(axis=1) & (screen[:, 2] > view.near)
    inside &= (screen[:, 0] > 0) & (screen[:, 0] < view.width) & (screen[:, 1] > 0) & (screen[:, 1] < view.height)
    if shown is not None:
        inside &= shown[: len(inside)]
    rows: Int = np.flatnonzero(inside)
    rows = rows[np.argsort(screen[rows, 2], kind="stable")][:MAX_CANDIDATES]
    return rows, screen[rows]


def _text(value: object) -> str:
    plain = plain_value(value)
    if plain is None:
        return ""
    text = format_number(plain, 4) if isinstance(plain, float) else str(plain)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
