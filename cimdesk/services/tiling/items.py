"""Items: what is put into tiles as a whole - a feature, or a part of one that is too large for one tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Float, Int
from cimdesk.model.city_piece import CityPiece
from cimdesk.services.tiling.pieces import tops_of

LARGE = 400.0
"""Extent from which a feature is cut by place: roads, terrain, water [m]."""
CUT = 250.0
"""Side of the squares it is cut into [m]."""


@dataclass(frozen=True)
class Items:
    """The items of one piece.

    Attributes
    ----------
    feature : (I,) int64
        Row of the feature each is (part of).
    centre : (I, 3) float64
        World place that decides on the tile.
    owner : (T,) int64
        Item of each triangle of the piece.
    """

    feature: Int
    centre: Float
    owner: Int


def items_of(piece: CityPiece) -> Items:
    """Return the items of a piece: features that are parts of one thing lie where that thing lies."""
    from cimdesk.services.tiling.kernels import boxes

    count = len(piece.features)
    top = tops_of(piece.parents)
    low, high = boxes(piece.points, piece.triangles, top[piece.owner], count)
    is_placed = np.isfinite(low[:, 0])
    is_large = is_placed & ((high[:, :2] - low[:, :2]).max(axis=1, initial=0.0) > LARGE)
    middle = (low + high) / 2.0
    if is_placed.any():
        middle[~is_placed] = middle[is_placed][0]
    cut = is_large[top[piece.owner]]
    if not cut.any():
        return Items(np.arange(count), middle[top], piece.owner)
    squares = np.floor(piece.points[piece.triangles[cut], :2].mean(axis=1) / CUT).astype(np.int64)
    keys = np.column_stack([piece.owner[cut], squares])
    found, number = np.unique(keys, axis=0, return_inverse=True)
    owner = piece.owner.copy()
    owner[cut] = count + number.ravel()
    part_low, part_high = boxes(piece.points, piece.triangles[cut], number.ravel(), len(found))
    # The feature itself stays an item where it has no triangles of its own, so that no row is lost.
    has_parts = np.zeros(count, dtype=bool)
    has_parts[found[:, 0]] = True
    kept = np.concatenate([~has_parts, np.ones(len(found), dtype=bool)])
    renumbered = np.cumsum(kept) - 1
    return Items(
        np.concatenate([np.arange(count), found[:, 0]])[kept],
        np.concatenate([middle[top], (part_low + part_high) / 2.0])[kept],
        renumbered[owner],
    )
