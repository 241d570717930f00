"""Putting a model somewhere in the viewport: it follows the cursor as a box, stands where it is clicked, and turns by keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter, QPen, QPolygonF

from cimdesk.base.arrays import Float
from cimdesk.base.i18n import tr
from cimdesk.model.placement import LEAST_SCALE, MOST_SCALE, Placement
from cimdesk.ui.draw_tool import Canvas, ground_under, halo_text
from cimdesk.ui.theme import Theme

TURN_STEP, LIFT_STEP, SCALE_STEP = 5.0, 0.5, 1.05
_SIDES = ((0, 1, 3, 2), (4, 5, 7, 6))


class Placing:
    """A model that is being put somewhere.

    Attributes
    ----------
    placement : Placement
        Where it is now.
    is_placed : bool
        Whether a place has been chosen; else it follows the cursor.
    moved, done : callable
        Told when it stands elsewhere, and when that is to stay.
    changed : callable
        Told of every change; the card follows it.
    """

    def __init__(
        self, canvas: Canvas, start: Placement, box: Float, moved: Callable[[Placement], None], done: Callable[[Placement], None]
    ) -> None:
        self.placement = start
        self.is_placed = False
        self.moved = moved
        self.done = done
        self.changed: Callable[[], None] = lambda: None
        self._canvas = canvas
        self._corners = np.array([[box[k >> axis & 1][axis] for axis in range(3)] for k in range(8)])
        self._cursor: tuple[float, float, float] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it can be finished."""
        return self.is_placed

    def hint(self) -> str:
        """Return what to do next."""
        if not self.is_placed:
            return tr("Click where the middle of its foot stands, or write the numbers.")
        return tr("Click elsewhere to move it. Q and E turn it, R and F lift it, + and − scale it; Enter keeps it, Esc gives up.")

    def set(self, placement: Placement) -> None:
        """Put it somewhere by numbers."""
        if placement.is_sound and placement != self.placement:
            self.placement, self.is_placed = placement, True
            self.moved(placement)
            self.refresh()

    def add(self, position: QPointF) -> None:
        """Put it where somebody clicked."""
        found = self._under(position)
        if found is not None:
            self._cursor = None
            self.is_placed = True
            self.placement = replace(self.placement, at=found)
            self.moved(self.placement)
            self.refresh()

    def follow(self, position: QPointF) -> None:
        """Let its box follow the cursor until it has a place."""
        if not self.is_placed:
            self._cursor = self._under(position)
            self.refresh()

    def finish(self) -> None:
        """Keep it where it is, if that has been chosen."""
        if self.is_complete:
            self.done(self.placement)

    def key(self, event: QKeyEvent) -> bool:
        """Turn, lift, scale or keep it; return whether the key was used."""
        key = Qt.Key(event.key())
        here = self.placement
        east, north, height = here.at
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.finish()
        elif key in (Qt.Key.Key_Q, Qt.Key.Key_E):
            step = -TURN_STEP if key == Qt.Key.Key_Q else TURN_STEP
            self.set(replace(here, turn=(here.turn + step) % 360.0))
        elif key in (Qt.Key.Key_R, Qt.Key.Key_F):
            self.set(replace(here, at=(east, north, height + (LIFT_STEP if key == Qt.Key.Key_R else -LIFT_STEP))))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            factor = 1.0 / SCALE_STEP if key == Qt.Key.Key_Minus else SCALE_STEP
            self.set(replace(here, scale=float(np.clip(here.scale * factor, LEAST_SCALE, MOST_SCALE))))
        else:
            return False
        return True

    def refresh(self) -> None:
        """Draw again and tell the card."""
        self._canvas.draw_ink()
        self.changed()

    def paint(self, painter: QPainter, theme: Theme) -> None:
        """Draw the box of the model, and which of its sides was north."""
        at = self.placement.at if self.is_placed else self._cursor
        if at is None:
            return
        world = replace(self.placement, at=at).apply(self._corners)
        corners = self._canvas.to_logical(world)
        color = theme.color("accent")
        fill = QColor(color)
        fill.setAlpha(40)
        painter.setPen(QPen(color, 2.0))
        painter.setBrush(fill)
        painter.drawPolygon(QPolygonF([corners[k] for k in _SIDES[0]]))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolygon(QPolygonF([corners[k] for k in _SIDES[1]]))
        for low, high in zip(_SIDES[0], _SIDES[1], strict=True):
            painter.drawLine(corners[low], corners[high])
        middle = (corners[2] + corners[3]) / 2.0
        painter.setFont(theme.font(QFont.Weight.DemiBold, 0.95))
        halo_text(painter, middle + QPointF(6.0, -6.0), f"N  {self.placement.turn:g}°", theme)

    def _under(self, position: QPointF) -> tuple[float, float, float] | None:
        scene = self._canvas.scene
        return None if scene is None else ground_under(scene, *self._canvas.device(position))
