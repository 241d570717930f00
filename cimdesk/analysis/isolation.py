"""Roads as a graph, and what of them has no dry way out: parts cut off by water, and where buildings meet the road.

Lines are joined where they cross or touch, cut into pieces, and each piece is passable or not by the greatest depth along it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cimdesk.analysis.gathering import Gathering, cells_of, gather
from cimdesk.base.arrays import AnyArray, Bool, Float, Int
from cimdesk.model.features import Shapes
from cimdesk.model.terrain import Terrain

PIECE = 10.0
"""Length of the pieces of road that are passable as a whole or not [m]."""
SNAP = 0.05
"""Ends nearer than this are one crossing [m]."""


@dataclass(frozen=True)
class RoadGraph:
    """Roads cut at crossings and into short pieces.

    Attributes
    ----------
    start, end : (E,) int64
        Crossings, or cuts, at the two ends of each piece.
    lengths : (E,) float64
        [m].
    line : (E,) int64
        Row of the line (ring of the shapes) that each piece is of.
    feature : (E,) int64
        Row of the feature.
    nodes : (N, 2) float64
        World coordinates of the crossings and cuts.
    """

    start: Int
    end: Int
    lengths: Float
    line: Int
    feature: Int
    nodes: Float

    @property
    def middles(self) -> Float:
        """(E, 2) world coordinates halfway between the ends of each piece."""
        return np.asarray(0.5 * (self.nodes[self.start] + self.nodes[self.end]))


@dataclass(frozen=True)
class Isolation:
    """What is cut off.

    Attributes
    ----------
    is_wet : (E,) bool
        Pieces too deep to pass.
    is_cut_off : (E,) bool
        Dry pieces without a dry way to an exit.
    flooded_m, cut_off_m, reachable_m : float
        Lengths [m].
    parts : (E,) int64
        Number of the part that each cut-off piece is in, largest first; -1 for the others.
    """

    is_wet: Bool
    is_cut_off: Bool
    flooded_m: float
    cut_off_m: float
    reachable_m: float
    parts: Int

    @property
    def has_no_access(self) -> Bool:
        """(E,) bool: pieces that nobody reaches dry."""
        return np.asarray(self.is_wet | self.is_cut_off)


def build_graph(shapes: Shapes, level: AnyArray | None = None, piece: float = PIECE, snap: float = SNAP) -> RoadGraph:
    """Return the graph of lines.

    Parameters
    ----------
    shapes : Shapes
        Lines.
    level : (features,) int, optional
        Lines of different levels (bridges, tunnels) cross without meeting, but join at their ends.
    piece : float
        Greatest length of a piece [m].
    snap : float
        Ends and crossings nearer than this are the same [m].
    """
    import shapely

    counts = np.diff(shapes.ring_offsets)
    kept = np.flatnonzero(counts >= 2)
    taken = np.repeat(counts >= 2, counts)
    number = np.repeat(np.cumsum(counts >= 2) - 1, counts)
    lines = shapely.linestrings(shapes.coordinates[taken, :2], indices=number[taken]) if len(kept) else np.zeros(0, dtype=object)
    feature = shapes.feature_of_ring[kept].astype(np.int64)
    owner, at = _cuts(lines, None if level is None else np.asarray(level)[feature], piece, snap)
    points = shapely.get_coordinates(shapely.line_interpolate_point(lines[owner], at)) if len(owner) else np.zeros((0, 2))
    node, first = _joined(points, snap)
    joined = owner[1:] == owner[:-1]
    start, end = node[:-1][joined], node[1:][joined]
    lengths = np.diff(at)[joined]
    real = (lengths > 0) & (start != end)
    start, end, lengths, owner = start[real], end[real], lengths[real], owner[:-1][joined][real]
    return RoadGraph(start, end, lengths, kept[owner], feature[owner], points[first])


def _joined(points: Float, near: float) -> tuple[Int, Int]:
    """Return (N,) int64 the node of each point, one for all that are chained within ``near`` [m], and a point of each node."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if not len(points):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    pairs = cKDTree(points).query_pairs(near, output_type="ndarray")
    links: Any = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    node = np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)
    return node, np.unique(node, return_index=True)[1]


def _cuts(lines: AnyArray, level: AnyArray | None, piece: float, snap: float) -> tuple[Int, Float]:
    """Return line and distance along it [m] of its ends, its crossings with others and cuts in between, ordered."""
    import shapely

    whole = shapely.length(lines)
    every = np.arange(len(lines))
    owners, ats = [every, every], [np.zeros(len(lines)), whole]
    tree = shapely.STRtree(lines)
    a, b = tree.query(lines, predicate="dwithin", distance=snap) if len(lines) else (every, every)
    ordered = a < b
    a, b = a[ordered], b[ordered]
    same = np.ones(len(a), dtype=bool) if level is None else level[a] == level[b]
    crossing = shapely.intersection(lines[a[same]], lines[b[same]])
    # Of a stretch that two lines share the ends matter.
    spots, which = shapely.get_coordinates(shapely.boundary(shapely.line_merge(crossing)), return_index=True)
    points, of = shapely.get_coordinates(crossing[shapely.get_dimensions(crossing) == 0], return_index=True)
    of = np.flatnonzero(shapely.get_dimensions(crossing) == 0)[of]
    spots, which = np.concatenate([spots, points]), np.concatenate([which, of])
    for side in (a[same], b[same]):
        owners.append(side[which])
        ats.append(shapely.line_locate_point(lines[side[which]], shapely.points(spots)))
    # Ends that touch another line, even of another level: a ramp meets a bridge where it ends.
    for ending, other in ((a, b), (b, a)):
        for tip in (0, -1):
            point = shapely.get_point(lines[ending], tip)
            near = shapely.distance(point, lines[other]) <= snap
            owners.append(other[near])
            ats.append(shapely.line_locate_point(lines[other[near]], point[near]))
    return _with_pieces(np.concatenate(owners), np.concatenate(ats), whole, piece, snap)


def _with_pieces(owner: Int, at: Float, whole: Float, piece: float, snap: float) -> tuple[Int, Float]:
    """Order the cuts along each line, drop those that coincide, and cut what is longer than a piece."""
    order = np.lexsort((at, owner))
    owner, at = owner[order], at[order]
    is_end = np.concatenate([owner[1:] != owner[:-1], [True]]) if len(owner) else np.zeros(0, dtype=bool)
    is_first = np.concatenate([[True], is_end[:-1]]) if len(owner) else is_end
    gap = np.diff(at, prepend=-np.inf)
    keep = is_first | (gap > snap)
    # The end of a line stays where it is; a cut just before it gives way.
    before_end = np.concatenate([is_end[1:], [False]]) if len(owner) else is_end
    keep &= ~(before_end & ~is_first & (whole[owner] - at <= snap))
    keep |= is_end
    owner, at = owner[keep], at[keep]
    span = np.diff(at, append=0.0)
    span[np.concatenate([owner[1:] != owner[:-1], [True]]) if len(owner) else slice(0)] = 0.0
    parts = np.maximum(1, np.ceil(span / piece)).astype(np.int64)
    number = np.arange(int(parts.sum())) - np.repeat(np.cumsum(parts) - parts, parts)
    return np.repeat(owner, parts), np.repeat(at, parts) + number * np.repeat(span / parts, parts)


def gather_pieces(graph: RoadGraph, terrain: Terrain, leave_out: Bool | None = None) -> Gathering:
    """Return the cells that each piece of road runs over, looked at no farther apart than half a cell.

    Parameters
    ----------
    leave_out : (R, C) bool, optional
        Cells that never stop traffic: blocked ones, and rivers, which roads cross on bridges.
    """
    span = terrain.cell_x * 0.5
    first, last = graph.nodes[graph.start], graph.nodes[graph.end]
    steps = np.maximum(1, np.ceil(np.hypot(*(last - first).T) / span)).astype(np.int64)
    piece = np.repeat(np.arange(len(steps)), steps)
    number = np.arange(len(piece)) - np.repeat(np.cumsum(steps) - steps, steps)
    share = ((number + 0.5) / steps[piece])[:, np.newaxis]
    row, column, inside = cells_of(terrain, first[piece] * (1.0 - share) + last[piece] * share)
    on_grid = np.unique(piece[inside])
    if leave_out is not None:
        inside &= ~leave_out[row, column]
    return gather(piece[inside], (row * terrain.shape[1] + column)[inside], on_grid, len(steps))


class Access:
    """Which roads can be reached dry, from exits or from the largest dry part; the dry network is looked at once.

    Parameters
    ----------
    graph : RoadGraph
    exits : (X, 2) float64 or None
        World coordinates of places to get to, each taken to the nearest crossing or cut. None: the largest dry part of each
        network is what can be reached.
    """

    def __init__(self, graph: RoadGraph, exits: Float | None = None) -> None:
        self.graph = graph
        self._whole = self._components(np.ones(len(graph.start), dtype=bool))
        self._exits: Int | None = None
        if exits is not None and len(exits) and len(graph.nodes):
            from scipy.spatial import cKDTree

            self._exits = np.unique(cKDTree(graph.nodes).query(np.asarray(exits)[:, :2])[1])

    def _components(self, passable: Bool) -> Int:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        graph, count = self.graph, len(self.graph.nodes)
        start, end = graph.start[passable], graph.end[passable]
        joined: Any = coo_array((np.ones(len(start), dtype=np.int8), (start, end)), shape=(count, count))
        return np.asarray(connected_components(joined, directed=False)[1], dtype=np.int64)

    def under(self, depths: AnyArray, passable_depth: float) -> Isolation:
        """Return what is cut off when pieces deeper than ``passable_depth`` [m] are shut.

        Parameters
        ----------
        depths : (E,) float
            Greatest depth along each piece [m]; NaN is off the grid and dry.
        """
        graph = self.graph
        is_wet: Bool = np.nan_to_num(np.asarray(depths, dtype=np.float64)) > passable_depth
        dry = self._components(~is_wet)
        part, whole = dry[graph.start], self._whole[graph.start]
        length = np.where(is_wet, 0.0, graph.lengths)
        counts = np.bincount(part, length, minlength=len(graph.nodes))
        if self._exits is None:
            # The largest dry part of each network that hangs together without water.
            order = np.lexsort((-counts[part], whole))
            first = order[np.concatenate([[True], whole[order][1:] != whole[order][:-1]])] if len(order) else order
            reached = np.zeros(len(graph.nodes), dtype=bool)
            reached[part[first]] = True
            served = np.ones(len(graph.nodes), dtype=bool)
        else:
            reached = np.zeros(len(graph.nodes), dtype=bool)
            reached[dry[self._exits]] = True
            served = np.zeros(len(graph.nodes), dtype=bool)
            served[self._whole[self._exits]] = True
        is_cut_off = ~is_wet & ~reached[part] & served[whole]
        shut = np.unique(part[is_cut_off])
        rank = np.full(len(graph.nodes), -1, dtype=np.int64)
        rank[shut[np.argsort(-counts[shut], kind="stable")]] = np.arange(len(shut))
        parts = np.where(is_cut_off, rank[part], -1)
        flooded, cut_off = float(graph.lengths[is_wet].sum()), float(graph.lengths[is_cut_off].sum())
        return Isolation(is_wet, is_cut_off, flooded, cut_off, float(graph.lengths.sum()) - flooded - cut_off, parts)


def nearest_piece(graph: RoadGraph, points: Float, most: float) -> Int:
    """Return (N,) int64 the piece of road nearest to each point; -1 where none is within ``most`` [m]."""
    import shapely

    found = np.full(len(points), -1, dtype=np.int64)
    usable = np.flatnonzero(np.isfinite(points[:, :2]).all(axis=1))
    if len(graph.start) and len(usable):
        ends = np.stack([graph.nodes[graph.start], graph.nodes[graph.end]], axis=1)
        tree = shapely.STRtree(shapely.linestrings(ends))
        asked, piece = tree.query_nearest(shapely.points(points[usable, :2]), max_distance=most, all_matches=False)
        found[usable[asked]] = piece
    return found
