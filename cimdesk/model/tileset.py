"""Tileset: a hierarchy of tiles with geometric errors, and the pure choice of which to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int32
from cimdesk.model.city import CityModel


@dataclass(frozen=True)
class Tileset:
    """A tile tree as arrays, parents before children.

    Attributes
    ----------
    parent : (N,) int32
        Row of the parent, -1 for the root.
    geometric_error : (N,) float64
        Error of showing the tile instead of its children [m].
    replaces : (N,) bool
        True where children replace the tile, False where they add to it.
    centres : (N, 3) float64, radii : (N,) float64
        Bounding spheres in world coordinates [m].
    contents : tuple of tuples of str
        Content references of each tile, relative to the tileset's folder; empty tuples for none.
    transforms : (N, 4, 4) float64
        Tile to tileset coordinates, parents' transforms included.
    version : str
    crs : str
        System of the world coordinates after placing; ``EPSG:4978`` (geocentric) unless the tileset says otherwise.
    missing : tuple of str
        Contents that are referred to and not there.
    metadata : mapping
    """

    parent: Int32
    geometric_error: Float
    replaces: np.ndarray
    centres: Float
    radii: Float
    contents: tuple[tuple[str, ...], ...]
    transforms: Float
    version: str
    crs: str
    missing: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def refine(self, max_error: float) -> Int32:
        """Return the rows to show so that no shown tile's error exceeds ``max_error`` where finer ones exist.

        A tile without content shows nothing, so its children are opened whatever its error.
        """
        count = len(self.parent)
        has_children = np.zeros(count, dtype=bool)
        has_children[self.parent[self.parent >= 0]] = True
        is_empty = np.array([not references for references in self.contents], dtype=bool)
        opened = has_children & ((self.geometric_error > max_error) | is_empty)
        reached = np.zeros(count, dtype=bool)
        for row in range(count):
            parent = self.parent[row]
            reached[row] = parent < 0 or (reached[parent] and opened[parent])
        shown = reached & (~opened | ~self.replaces)
        return np.flatnonzero(shown).astype(np.int32)


@dataclass(frozen=True)
class TiledCity:
    """A tileset opened to a chosen error: the tree, and the loaded tiles merged into one city model."""

    tileset: Tileset
    city: CityModel
    max_error: float
