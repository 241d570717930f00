"""Items: what is put into tiles as a whole - a feature, or a part of one that is too large for one tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int
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
    count = len(piece.features)
    top = tops_of(piece.parents)
    corners = piece.points[piece.triangles]
    low, high = box_of(corners, top[piece.owner], count)
    is_placed = np.isfinite(low[:, 0])
    is_large = is_placed & ((high[:, :2] - low[:, :2]).max(axis=1, initial=0.0) > LARGE)
    middle = (low + high) / 2.0
    if is_placed.any():
        middle[~is_placed] = middle[is_placed][0]
    cut = is_large[top[piece.owner]]
    if not cut.any():
        return Items(np.arange(count), middle[top], piece.owner)
    squares = np.floor(corners[cut, :, :2].mean(axis=1) / CUT).astype(np.int64)
    keys = np.column_stack([piece.owner[cut], squares])
    found, number = np.unique(keys, axis=0, return_inverse=True)
    owner = piece.owner.copy()
    owner[cut] = count + number.ravel()
    part_low, part_high = box_of(corners[cut], number.ravel(), len(found))
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


def box_of(corners: Float, owner: Int, count: int) -> tuple[Float, Float]:
    """Return (N, 3) lowest and highest corners of the triangles (T, 3, 3) of each owner; NaN for those without."""
    low, high = np.full((count, 3), np.nan), np.full((count, 3), np.nan)
    if not len(owner):
        return low, high
    order, starts = sorted_by(owner)
    rows = owner[starts] if isinstance(order, slice) else owner[order[starts]]
    # Column by column: reductions over an axis of three are slow.
    for axis in range(3):
        a, b, c = (corners[order, k, axis] for k in range(3))
        low[rows, axis] = np.minimum.reduceat(np.minimum(np.minimum(a, b), c), starts)
        high[rows, axis] = np.maximum.reduceat(np.maximum(np.maximum(a, b), c), starts)
    return low, high


def sorted_by(owner: Int) -> tuple[Int | slice, Int]:
    """Return what sorts triangles by owner, and where each owner begins then; triangles in order stay where they are."""
    if (owner[1:] >= owner[:-1]).all():
        order: Int | slice = slice(None)
        ordered = owner
    else:
        order = np.argsort(owner, kind="stable")
        ordered = owner[order]
    is_first: Bool = np.append(True, ordered[1:] != ordered[:-1])
    return order, np.flatnonzero(is_first)
