"""What is selected and what is under the cursor, outlined or marked, brought up to date a little in each frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any

from cimdesk.base.arrays import Float32, Int
from cimdesk.model.selection import AssetRef, names_by_layer
from cimdesk.scene.highlight import Outline, Picked
from cimdesk.scene.visual import Context, View, Visual

GATHER_BUDGET = 0.030
"""Seconds per frame spent on finding out what is selected."""


class Marking:
    """The outlines of a scene.

    Attributes
    ----------
    is_stale : bool
        Whether the outlines shown are not those asked for.
    selected, hovered : Outline
    actors : list of VTK props
    """

    def __init__(self, context: Context, visuals: Mapping[str, Visual]) -> None:
        self.is_stale = False
        self.selected, self.hovered = Outline(), Outline()
        self.actors: list[Any] = [*self.selected.actors, *self.hovered.actors]
        self._context = context
        self._visuals = visuals
        self._picked = Picked()
        self._hover: AssetRef | None = None

    def select(self, refs: frozenset[AssetRef]) -> bool:
        """Outline these assets from now on; return whether that is a change."""
        is_news = refs is not self._picked.refs and refs != self._picked.refs
        if is_news:
            self._picked.begin(refs)
            self.is_stale = True
        return is_news

    def hover(self, ref: AssetRef | None) -> bool:
        """Outline one asset lightly, or none; return whether that is a change."""
        is_news = ref != self._hover
        if is_news:
            self._hover = ref
            self.is_stale = True
        return is_news

    def restart(self) -> None:
        """Find out anew what is selected: rows may be others than before."""
        self._picked.restart()
        self.is_stale = True

    def redraw(self) -> None:
        """Make the outlines anew where there are any: features are drawn by other geometry than before."""
        self.is_stale = self.is_stale or bool(self._picked.refs) or self._hover is not None

    def sync(self, pixel_scale: float) -> None:
        """Bring the outlines up to date, as far as there is time."""
        if not self.is_stale or not self._picked.gather(self._visuals, perf_counter() + GATHER_BUDGET):
            return
        self.is_stale = False
        look = self._context.look
        hover = frozenset() if self._hover is None or self._hover in self._picked.refs else frozenset({self._hover})
        marked = self._picked.marked(self._visuals)
        outlined = {layer: names for layer, names in self._picked.names.items() if layer not in marked}
        for outline, features, color, factor in (
            (self.selected, outlined, look.accent, 1.0),
            (self.hovered, names_by_layer(hover), look.hover, 0.7),
        ):
            shapes = [_outline_of(self._visuals[layer], names) for layer, names in features.items() if layer in self._visuals]
            width = look.line_width * factor * pixel_scale
            outline.show([shape for shape in shapes if shape is not None], color, width, self._context.xray)

    def prepare(self, view: View) -> None:
        """Follow the camera."""
        self.selected.prepare(view)
        self.hovered.prepare(view)


def _outline_of(visual: Visual, features: Iterable[str]) -> tuple[Float32, Int] | None:
    rows = visual.rows_in_sight(visual.rows_of(features))
    # Of more than can be told apart, some stand for all.
    rows = rows if visual.most_outlined is None else rows[: visual.most_outlined]
    return visual.outline(rows) if len(rows) else None
