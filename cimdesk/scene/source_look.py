"""A city model as its source has it: colours as texels, and pictures drawn instead of the faces they lie on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cimdesk.base.arrays import Bool, Int, UInt8
from cimdesk.model.mesh import TriangleMesh
from cimdesk.scene.facades import Facades
from cimdesk.scene.highlight import marked_pair
from cimdesk.scene.look import Look
from cimdesk.scene.source_colors import SourceColors, source_colors


class SourceLook:
    """Colours and pictures of one mesh.

    Attributes
    ----------
    colors : SourceColors
    shows_covered : bool
        Whether faces that have a picture are drawn: not as soon as all their pictures are, for clear faces cost as much as others.
    """

    def __init__(self, mesh: TriangleMesh, colors: SourceColors, wake: Callable[[], None]) -> None:
        self.colors = colors
        self.shows_covered = True
        self._facades = None if mesh.pictures is None else Facades(mesh, mesh.pictures, wake)

    @property
    def is_waiting(self) -> bool:
        """Whether pictures are still to come."""
        return self._facades is not None and self._facades.is_waiting

    def start(self) -> None:
        """Begin to read the pictures, unless that was done before."""
        if self._facades is not None:
            self._facades.start()

    def stop(self) -> None:
        """Read no more of them."""
        if self._facades is not None:
            self._facades.stop()

    def advance(self, is_visible: bool, opacity: float) -> Any:
        """Return the actor of the next page of pictures that is ready; None when there is none."""
        actor = None if self._facades is None else self._facades.advance()
        if actor is not None:
            self.style(is_visible, opacity)
        return actor

    def style(self, is_visible: bool, opacity: float) -> None:
        """Draw all pictures this opaque."""
        if self._facades is not None:
            self._facades.style(is_visible, opacity)

    def entries(self, plain: Int, first: int) -> Int:
        """Return the (T,) texels of triangles: their ``plain`` ones, or those of the source, which begin at ``first``."""
        return np.where(self.colors.has, first + self.colors.rows, plain)

    def is_covered(self, rows: Int) -> Bool:
        """Return whether some of the triangles have a picture."""
        found: Bool = self.colors.pictures[self.colors.rows[rows]] >= 0
        return found

    def texels(self, look: Look, is_hidden: Bool, is_marked: Bool) -> UInt8:
        """Return the (M, 4) texels of (N,) features hidden or marked, which have no pictures from now on."""
        pictures = self.colors.pictures
        is_drawn = np.zeros(0, dtype=bool) if self._facades is None else self._facades.is_drawn
        if self._facades is not None:
            self._facades.leave_out(is_hidden | is_marked)
            self.shows_covered = not is_drawn[pictures[pictures >= 0]].all() or bool(is_marked.any())
        return self.colors.seen(look, is_hidden, is_marked, marked_pair(look.accent)[0], is_drawn)


def source_look(mesh: TriangleMesh, wake: Callable[[], None]) -> SourceLook | None:
    """Return what the source of a mesh, in local coordinates, gives; None when it gives neither colours nor pictures."""
    colors = source_colors(mesh)
    return None if colors is None else SourceLook(mesh, colors, wake)
