"""Colours of a streamed tileset: a texel for the walls and one for the roofs of each feature, and those the source gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimdesk.base.arrays import Float32, Int, UInt8
from cimdesk.model.style import Coloring
from cimdesk.model.tileset import TileBlock
from cimdesk.scene.highlight import marked_pair
from cimdesk.scene.look import Look
from cimdesk.scene.textures import WIDTH, FeatureTexture
from cimdesk.scene.tiles import shaded_pair

PALETTE = 4096
"""Entries of the texture for colours that the source gives."""
FIRST_ROWS = 256


class TileColors:
    """The texture of one layer.

    Attributes
    ----------
    texture : FeatureTexture
    shows_source : bool
        Whether the colours that the source gives are shown.
    painted : int
        Features that the last edit or its follow-up coloured all at once.
    has_clear : bool
        Whether any feature has had a clear texel.
    """

    def __init__(self) -> None:
        self.texture = FeatureTexture(FIRST_ROWS * WIDTH)
        self.shows_source = False
        self.painted = 0
        self.has_clear = False
        self._first_rows = self.texture.rows
        self._palette: dict[int, int] = {}
        self._is_stale = False

    @property
    def has_source(self) -> bool:
        """Whether colours of the source are in use."""
        return bool(self._palette)

    @property
    def row_scale(self) -> float:
        """Of the coordinates that `coordinates` gives, for the texture as it is now."""
        return self._first_rows / self.texture.rows

    def make_room(self, count: int) -> bool:
        """Have a place for ``count`` features; return whether there is a new texture."""
        has_grown = False
        while PALETTE + 2 * count > len(self.texture.texels):
            self.texture = self.texture.doubled()
            self._is_stale = has_grown = True
        return has_grown

    def coordinates(self, block: TileBlock) -> Float32:
        """Return (P, 2) texture coordinates of a tile's points, in rows of the first texture."""
        coordinates = self.texture.coordinates(self._entries(block))
        coordinates[:, 1] /= np.float32(self.row_scale)
        return coordinates

    def flush(self) -> None:
        """Give the graphics what was written since the last time."""
        if self._is_stale:
            self._is_stale = False
            self.texture.flush()

    @property
    def room(self) -> int:
        """Features that have a place."""
        return (len(self.texture.texels) - PALETTE) // 2

    def paint(self, coloring: Coloring, look: Look) -> None:
        """Write the first features, as many as the coloring has."""
        self.make_room(len(coloring))
        self.painted = len(coloring)
        self.texture.write_pairs(*self._shaded(coloring, look), coloring.codes, PALETTE)
        self._is_stale = True

    def paint_rows(self, rows: Int, coloring: Coloring, look: Look) -> None:
        """Write single features."""
        walls, roofs = self._shaded(coloring, look)
        self.texture.texels[PALETTE + 2 * rows] = walls[coloring.codes]
        self.texture.texels[PALETTE + 2 * rows + 1] = roofs[coloring.codes]
        self._is_stale = True

    def mark(self, rows: Int, look: Look) -> bool:
        """Give features, as far as they are not hidden, the colour of the selection; return whether that shows.

        It does not where the source's own colours are shown, which features share.
        """
        if self.has_source:
            return False
        self.texture.tint_pairs(*marked_pair(look.accent), rows, PALETTE)
        self._is_stale = True
        return True

    def _shaded(self, coloring: Coloring, look: Look) -> tuple[UInt8, UInt8]:
        """Return the palettes of walls and roofs."""
        self.has_clear = self.has_clear or (len(coloring) > 0 and int(coloring.palette[:, 3].min()) == 0)
        return shaded_pair(coloring.palette, look)

    def _entries(self, block: TileBlock) -> Int:
        """Return (P,) texels: two per feature (walls, roofs), or one per colour where the source gives colours."""
        entry: Int = PALETTE + block.features[block.point_owner] * 2 + block.is_roof
        colored: Any = block.point_color != 0
        if self.shows_source and colored.any():
            for color in np.unique(block.point_color[colored]).tolist():
                if color not in self._palette and len(self._palette) < PALETTE:
                    self._palette[color] = len(self._palette)
                    self.texture.write(np.array([color], dtype=np.uint32).view(np.uint8).reshape(1, 4), self._palette[color])
                    self._is_stale = True
                if color in self._palette:
                    entry = np.where(block.point_color == color, self._palette[color], entry)
        return entry
