"""Who and what is wet: depth at building walls, people, facilities, road lengths and assets by depth class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cimdesk.analysis.flood.hazard import depth_classes
from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Int, Int32
from cimdesk.model.features import Shapes
from cimdesk.model.terrain import Terrain

_NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass(frozen=True)
class DepthCounts:
    """How many, or how much, in each depth class of each group.

    Attributes
    ----------
    groups : tuple of str
        Such as uses of buildings, in order of size.
    counts : (groups, classes) float64
        Class 0 is below the first depth limit.
    """

    groups: tuple[str, ...]
    counts: Float

    @property
    def total(self) -> Float:
        """(classes,) sums over the groups."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.float64)


def depth_at_buildings(depth: Float32, building_index: Int32, is_blocked: Bool, count: int) -> Float32:
    """Return the deepest water at the walls of each building.

    Parameters
    ----------
    depth : (R, C) float32
        At one time, or the maximum [m].
    building_index : (R, C) int32
        Building of each cell, -1 for none.
    is_blocked : (R, C) bool
        Cells without water; those of a building that is not blocked count themselves.
    count : int
        Number of buildings.

    Returns
    -------
    (count,) float32
        NaN for buildings that cover no cell.
    """
    deepest = np.full(count, np.nan, dtype=np.float32)
    covered = building_index >= 0
    deepest[building_index[covered]] = 0.0
    own = covered & ~is_blocked
    np.fmax.at(deepest, building_index[own], depth[own])
    rows, columns = np.nonzero(covered)
    for down, right in _NEIGHBOURS:
        r, c = rows + down, columns + right
        inside = (r >= 0) & (r < depth.shape[0]) & (c >= 0) & (c < depth.shape[1])
        r, c, building = r[inside], c[inside], building_index[rows[inside], columns[inside]]
        is_open = ~is_blocked[r, c] & (building_index[r, c] != building)
        np.fmax.at(deepest, building[is_open], depth[r[is_open], c[is_open]])
    return deepest


def depth_at_points(depth: Float32, terrain: Terrain, points: Float, is_blocked: Bool | None = None) -> Float32:
    """Return (N,) float32 depths at (N, 2 or 3) world points; NaN outside.

    A point in a blocked cell has the deepest of the open cells around it, when ``is_blocked`` is given.
    """
    rows, columns, inside = _cells(terrain, points)
    found = np.full(len(points), np.nan, dtype=np.float32)
    found[inside] = depth[rows[inside], columns[inside]]
    if is_blocked is not None:
        within = np.flatnonzero(inside)
        for k in within[is_blocked[rows[within], columns[within]]]:
            around = np.s_[max(rows[k] - 1, 0) : rows[k] + 2, max(columns[k] - 1, 0) : columns[k] + 2]
            found[k] = float(np.max(depth[around], where=~is_blocked[around], initial=0.0))
    return found


def _cells(terrain: Terrain, points: Float) -> tuple[Int, Int, Bool]:
    with np.errstate(invalid="ignore"):
        columns = np.floor((points[:, 0] - terrain.west) / terrain.cell_x)
        rows = np.floor((terrain.north - points[:, 1]) / terrain.cell_y)
        inside = (rows >= 0) & (rows < terrain.shape[0]) & (columns >= 0) & (columns < terrain.shape[1])
    return np.where(inside, rows, 0).astype(np.int64), np.where(inside, columns, 0).astype(np.int64), inside


def road_lengths(depth: Float32, terrain: Terrain, lines: Shapes, limits: Sequence[float]) -> Float:
    """Return the length [m] of lines in each depth class, class 0 being passable; what lies outside the grid is left out.

    Lines are looked at in pieces no longer than half a cell, each by the depth at its middle.
    """
    lengths = np.zeros(len(limits) + 1)
    starts = lines.ring_offsets[:-1]
    is_first = np.zeros(len(lines.coordinates) + 1, dtype=bool)
    is_first[starts] = True
    xy = lines.coordinates[:, :2]
    if len(xy) < 2:
        return lengths
    joined = ~is_first[1:-1]
    first, last = xy[:-1][joined], xy[1:][joined]
    span = np.hypot(*(last - first).T)
    pieces = np.maximum(1, np.ceil(span / (0.5 * terrain.cell_x))).astype(np.int64)
    segment = np.repeat(np.arange(len(span)), pieces)
    number = np.arange(len(segment)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    share = ((number + 0.5) / pieces[segment])[:, np.newaxis]
    middles = first[segment] * (1.0 - share) + last[segment] * share
    found = depth_at_points(depth, terrain, middles)
    on_grid = np.isfinite(found)
    np.add.at(lengths, depth_classes(found[on_grid], limits), (span / pieces)[segment][on_grid])
    return lengths


def count_by_depth(depths: AnyArray, groups: Sequence[str], limits: Sequence[float], weights: Float | None = None) -> DepthCounts:
    """Count features by group and depth class.

    Parameters
    ----------
    depths : (N,) float
        [m]; NaN is left out.
    groups : (N,) str
    limits : rising depths [m]
    weights : (N,) float64, optional
        Such as people; one each when left out.
    """
    known = np.isfinite(depths)
    names, group = np.unique(np.array([str(name) for name in groups], dtype=str), return_inverse=True)
    counts = np.zeros((len(names), len(limits) + 1))
    amounts = np.ones(len(depths)) if weights is None else np.nan_to_num(weights)
    np.add.at(counts, (group[known], depth_classes(depths[known], limits)), amounts[known])
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    return DepthCounts(tuple(str(name) for name in names[order]), counts[order])
