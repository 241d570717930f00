"""Point clouds: columns of points in nodes of an octree that add to each other, and the pure choice of which to show.

A node holds some of the points of its cube, spread evenly; its children hold more of them, closer together. So whatever set of
nodes is drawn, none of its points is drawn twice, and a cloud of any size is shown within any budget of points.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Int, Int32
from cimdesk.base.errors import Problem
from cimdesk.base.signals import Signal
from cimdesk.model.features import plain_value
from cimdesk.model.sight import Sight

HEIGHT = "height"
"""What colours call the third coordinate, beside the dimensions of the source."""
COLOR = "color"
"""The column of (N, 3) uint8 colours of the points, where the source gives them."""
CLASSIFICATION = "classification"
INTENSITY = "intensity"
MOST_NODES = 300
"""Nodes drawn at a time: more of them cost more than what they show."""


@dataclass(frozen=True)
class PointTree:
    """Nodes as arrays, parents before children.

    Attributes
    ----------
    keys : (N, 4) int32
        Level and place in the level along x, y, z.
    parent : (N,) int32
        Row of the parent, -1 for the root.
    counts : (N,) int64
        Points in the node itself; 0 where it only leads to others.
    low, high : (N, 3) float64
        World box of all points of the node and below it.
    spacing : (N,) float64
        Distance between neighbouring points where the node has many [m].
    """

    keys: Int32
    parent: Int32
    counts: Int
    low: Float
    high: Float
    spacing: Float

    @cached_property
    def levels(self) -> tuple[Int, ...]:
        """Rows of each level, the coarsest first."""
        depth = self.keys[:, 0]
        return tuple(np.flatnonzero(depth == level) for level in range(int(depth.max(initial=-1)) + 1))

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row of each node by its name."""
        return {name_of(key): row for row, key in enumerate(self.keys)}

    @property
    def bounds(self) -> Float:
        """(2, 3) world box; NaN without points."""
        if not len(self.counts):
            return np.full((2, 3), np.nan)
        return np.array([np.nanmin(self.low, axis=0), np.nanmax(self.high, axis=0)])


def name_of(key: AnyArray) -> str:
    """Return the name of a node, ``level-x-y-z``."""
    return "-".join(str(int(part)) for part in key)


@dataclass(frozen=True)
class PointBlock:
    """The points of one node.

    Attributes
    ----------
    row : int
        Of the node.
    origin : (3,) float64
        World coordinates of the local zero.
    xyz : (P, 3) float32
        Local coordinates [m].
    columns : mapping of str to (P,) or (P, 3) array
        What the source says of each point: `COLOR`, `CLASSIFICATION`, `INTENSITY`, ``gps_time`` and all else, under its own names.
    """

    row: int
    origin: Float
    xyz: Float32
    columns: Mapping[str, AnyArray]

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def size(self) -> int:
        """Memory it takes, drawn [bytes]: its arrays, and copies of what the graphics need."""
        return self.xyz.nbytes + sum(column.nbytes for column in self.columns.values()) + len(self.xyz) * 36 + 2048

    def world(self) -> Float:
        """Return (P, 3) float64 world coordinates."""
        return self.xyz + self.origin

    def values(self, name: str) -> AnyArray | None:
        """Return (P,) values of a dimension, heights included; None where the node has none."""
        if name == HEIGHT:
            heights: AnyArray = self.xyz[:, 2] + self.origin[2]
            return heights
        return self.columns.get(name)

    def attributes(self, index: int) -> dict[str, Any]:
        """Return everything known about one point as plain Python values."""
        east, north, height = (self.xyz[index] + self.origin).tolist()
        found: dict[str, Any] = {"x": round(east, 3), "y": round(north, 3), HEIGHT: round(height, 3)}
        for name, column in self.columns.items():
            found[name] = " ".join(str(int(v)) for v in column[index]) if column.ndim == 2 else plain_value(column[index])
        return found


@dataclass(frozen=True)
class Dimension:
    """One attribute of the points.

    Attributes
    ----------
    low, high : float
        Range that holds nearly all values, for colours.
    """

    name: str
    low: float
    high: float

    @property
    def is_constant(self) -> bool:
        """Whether all points have the same value, so that colouring by it shows nothing."""
        return not self.high > self.low


class PointNodes(Protocol):
    """A cloud that gives its points node by node, in the system of its source. Safe to ask from several threads."""

    @property
    def tree(self) -> PointTree: ...

    def read(self, row: int) -> PointBlock:
        """Return one node; raises `DataError` when it cannot be read."""
        ...


class PointSource(Protocol):
    """Brings nodes for the view as they are asked for; safe to ask from several threads.

    Attributes
    ----------
    arrived : Signal of None
        Emitted in any thread when there is something new.
    """

    arrived: Signal[None]

    @property
    def tree(self) -> PointTree: ...
    @property
    def is_full(self) -> bool:
        """Whether what is wanted does not fit into the memory allowed."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether something wanted is on its way."""
        ...

    def want(self, client: object, wishes: Mapping[int, float], keep: Collection[int]) -> None:
        """Say what to bring (rows with their priorities) and what not to let go."""
        ...

    def forget(self, client: object) -> None:
        """Drop the wishes of a client."""
        ...

    def block(self, row: int) -> PointBlock | None:
        """Return a node when it is there."""
        ...

    def is_lost(self, row: int) -> bool:
        """Return whether a node cannot be had."""
        ...

    def read(self, row: int) -> PointBlock:
        """Return a node now, from the source if need be; raises `DataError` when it cannot be read."""
        ...

    def problems(self) -> tuple[Problem, ...]:
        """Return what is broken so far."""
        ...


@dataclass(frozen=True)
class PointCloud:
    """A point cloud as a layer's data.

    Attributes
    ----------
    nodes : PointNodes
        The points as the source has them.
    count : int
        Points in the source, as far as it can be read.
    dimensions : mapping of str to Dimension
        What the points can be coloured by, the height first.
    classes : mapping of int to int
        Points of each class, in the points looked at for this; empty without classes.
    has_color : bool
    categories : mapping of str to mapping of str to int
        Other columns with few different values: how often each occurs in the points looked at, the most frequent first.
    points : PointSource or None
        Brings the points into the project's system; None before the cloud is placed.
    is_glance : bool
        Whether these are some points from all over the source, until it has been prepared.
    """

    nodes: PointNodes
    count: int
    dimensions: Mapping[str, Dimension]
    classes: Mapping[int, int] = field(default_factory=dict)
    has_color: bool = False
    categories: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    points: PointSource | None = None
    is_glance: bool = False

    @property
    def tree(self) -> PointTree:
        """The nodes where they are shown: placed, if the cloud has been."""
        return self.nodes.tree if self.points is None else self.points.tree

    @property
    def bounds(self) -> Float:
        """(2, 3) world minimum and maximum; NaN without points."""
        return self.tree.bounds

    def attributes(self, feature: str) -> dict[str, Any]:
        """Return everything known about a point by its id (``level-x-y-z:index``); empty when there is no such point."""
        place = locate(self.tree, feature)
        if place is None:
            return {}
        block = (self.points or self.nodes).read(place[0])
        return block.attributes(place[1]) if place[1] < len(block) else {}


def point_id(tree: PointTree, row: int, index: int) -> str:
    """Return the id of a point: the name of its node and its place in it."""
    return f"{name_of(tree.keys[row])}:{index}"


def locate(tree: PointTree, feature: str) -> tuple[int, int] | None:
    """Return the row of the node and the index of a point by its id; None when there is no such node."""
    name, _, index = feature.partition(":")
    row = tree.row_of.get(name)
    if row is None or not (index.isascii() and index.isdigit()):
        return None
    return row, int(index)


@dataclass(frozen=True)
class PointChoice:
    """What to show.

    Attributes
    ----------
    pixels : mapping of int to float
        Rows to show, parents before children, each with the distance of its points on the screen [px].
    finest : float
        Distance between points on the screen where everything chosen is drawn [px].
    """

    pixels: Mapping[int, float]
    finest: float


def select_nodes(tree: PointTree, view: Sight, budget: int, most: int = MOST_NODES) -> PointChoice:
    """Choose the nodes whose points lie farthest apart on the screen, parents first, until they are close enough or enough.

    With a camera that stands still, a larger budget never takes a node away.
    """
    pixels = _pixels(tree, view)
    rows = np.flatnonzero(pixels > 0.0)
    if not len(rows):
        return PointChoice({}, view.max_pixels)
    # A child never has larger pixels than its parent; at equal ones the parent, which has the smaller row, comes first.
    rows = rows[np.argsort(-pixels[rows], kind="stable")]
    fits = np.cumsum(tree.counts[rows]) <= max(budget, int(tree.counts[rows[0]]))
    drawn = np.cumsum(tree.counts[rows] > 0) <= most
    count = int(np.argmin(fits & drawn)) if not (fits & drawn).all() else len(rows)
    chosen = rows[:count]
    finest = max(float(pixels[rows[count]]), view.max_pixels) if count < len(rows) else view.max_pixels
    return PointChoice({int(row): float(pixels[row]) for row in chosen}, finest)


def _pixels(tree: PointTree, view: Sight) -> Float:
    """Return (N,) the distance of each node's points on the screen [px]; 0 where it is out of view or its parent suffices."""
    centre, half = (tree.low + tree.high) / 2.0, (tree.high - tree.low) / 2.0
    pixels = tree.spacing / (np.maximum(view.distances(centre, half), 0.5) * view.slope)
    is_seen = view.sees(centre, half)
    pixels = np.where(is_seen & np.isfinite(pixels), pixels, 0.0)
    for rows in tree.levels[1:]:
        above = pixels[tree.parent[rows]]
        # A node leads on where its own points are too far apart; the children of a node in view lie within it.
        pixels[rows] = np.where(above > view.max_pixels, np.minimum(pixels[rows], above), 0.0)
    return pixels
