"""Outlines of what is selected and of what is under the cursor; colours of the features stay as they are.

Where thousands are selected, their colours tell it instead (`Visual.mark`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from time import perf_counter
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float32, Int, UInt8
from cimdesk.model.selection import AssetRef, names_by_layer
from cimdesk.scene.geometry import actor_of, draw_above_all, poly_data, pull_to_eye, set_pull
from cimdesk.scene.look import unit_rgb
from cimdesk.scene.visual import View, Visual

PULL = 0.0065
UNDERGROUND = "#ffd400"
CASING = "#1d2733"
"""Yellow on a dark casing tells from every pipe colour, from water and from the ground."""


MOST_OUTLINED = 3_000
"""Buildings that are outlined; outlines of more take longer to make than a frame may, and tell less than colour."""

GATHERED = 2_000
"""Selected features looked up in one go."""


def marked_pair(color: str) -> tuple[UInt8, UInt8]:
    """Return the (4,) colours of walls and roofs of buildings that are marked in a colour, roofs a shade lighter."""
    walls: UInt8 = np.array([*(round(255 * part) for part in unit_rgb(color)), 255], dtype=np.uint8)
    return walls, (walls + (255 - walls) // 3).astype(np.uint8)


class Picked:
    """The selection by layer, gathered a little in each frame: going through a million names takes seconds.

    Attributes
    ----------
    refs : frozenset of AssetRef
    names : dict of str to set of str
        Features of each layer that is drawn.
    rows : dict of str to list of arrays
        Their rows in its visual.
    """

    def __init__(self) -> None:
        self.refs: frozenset[AssetRef] = frozenset()
        self.names: dict[str, set[str]] = {}
        self.rows: dict[str, list[Int]] = {}
        self._rest: Iterator[AssetRef] = iter(())

    def begin(self, refs: frozenset[AssetRef]) -> None:
        """Begin to gather these."""
        self.refs = refs
        self.restart()

    def restart(self) -> None:
        """Begin anew: rows may be others than before."""
        self.names, self.rows, self._rest = {}, {}, iter(self.refs)

    def gather(self, visuals: Mapping[str, Visual], deadline: float) -> bool:
        """Go on until all is gathered or `time.perf_counter` passes the deadline; return whether all is."""
        while some := list(islice(self._rest, GATHERED)):
            for layer, names in names_by_layer(some).items():
                if layer in visuals:
                    self.names.setdefault(layer, set()).update(names)
                    self.rows.setdefault(layer, []).append(visuals[layer].rows_of(names))
            if len(some) == GATHERED and perf_counter() > deadline:
                return False
        return True

    def marked(self, visuals: Mapping[str, Visual]) -> set[str]:
        """Mark what is selected by its colour in layers where that is much; return these layers."""
        done = set()
        for layer, visual in visuals.items():
            names = self.names.get(layer, set())
            is_much = visual.most_outlined is not None and len(names) > visual.most_outlined
            chosen, rows = (names, np.concatenate(self.rows[layer])) if is_much else (set[str](), np.zeros(0, dtype=np.int64))
            if visual.mark(chosen, rows) and is_much:
                done.add(layer)
        return done


class Outline:
    """Bright lines around features: full where they are seen, faint where something hides them."""

    def __init__(self) -> None:
        self.casing, self.front, self.hidden = _line_actor(), _line_actor(), _line_actor()
        pull_to_eye(self.front)
        for actor in (self.casing, self.hidden):
            draw_above_all(actor)
        self.hidden.GetProperty().SetOpacity(0.28)
        self.actors: list[Any] = [self.casing, self.hidden, self.front]
        self.is_empty = True

    def show(self, shapes: list[tuple[Float32, Int]], color: str, width: float, through: bool) -> None:
        """Outline these shapes (local points and segments); ``through`` shows them fully even behind other things."""
        shapes = [shape for shape in shapes if len(shape[1])]
        self.is_empty = not shapes
        if shapes:
            starts = np.cumsum([0, *(len(points) for points, _ in shapes[:-1])])
            points = np.concatenate([points for points, _ in shapes])
            lines = np.concatenate([segments + start for (_, segments), start in zip(shapes, starts, strict=True)])
            data = poly_data(points, lines=lines)
        for actor in self.actors:
            if shapes:
                actor.GetMapper().SetInputData(data)
            actor.SetVisibility(bool(shapes))
            actor.GetProperty().SetColor(*unit_rgb(UNDERGROUND if through else color))
            actor.GetProperty().SetLineWidth(1.5 * width if through else width)
        self.casing.SetVisibility(bool(shapes) and through)
        self.casing.GetProperty().SetColor(*unit_rgb(CASING))
        self.casing.GetProperty().SetLineWidth(1.5 * width + 4.0)
        self.hidden.GetProperty().SetOpacity(1.0 if through else 0.28)

    def prepare(self, view: View) -> None:
        """Follow the camera."""
        if not self.is_empty:
            set_pull(self.front, PULL, view.near, view.far)


def _line_actor() -> Any:
    actor = actor_of(poly_data(np.zeros((2, 3), dtype=np.float32), lines=np.array([[0, 1]])))
    actor.GetProperty().LightingOff()
    actor.PickableOff()
    actor.UseBoundsOff()
    actor.SetVisibility(False)
    return actor
