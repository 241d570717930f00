"""UtilityNetwork: nodes and links of one utility as arrays, with adjacency for tracing. One class for every utility."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int, Int32, UInt8, bounds_of_points, require_shape
from cimdesk.model.features import FeatureTable

NODE_PREFIX = "node:"
"""What the identifier of a node begins with where links and nodes are named side by side, as in `AssetRef.feature`."""


class Utility(StrEnum):
    """Pipeline classes of CJJ 61-2017, Appendix B."""

    WATER = "water"
    DRAINAGE = "drainage"
    GAS = "gas"
    HEAT = "heat"
    POWER = "power"
    TELECOM = "telecom"
    INDUSTRIAL = "industrial"
    UNKNOWN = "unknown"


class NodeKind(IntEnum):
    """What a node is, over all utilities (EPANET and SWMM names)."""

    JUNCTION = 0
    RESERVOIR = 1
    TANK = 2
    OUTFALL = 3
    DIVIDER = 4
    STORAGE = 5
    VALVE = 6
    HYDRANT = 7
    METER = 8
    SUBSTATION = 9
    SOURCE = 10


class LinkKind(IntEnum):
    """What a link is, over all utilities (EPANET and SWMM names)."""

    PIPE = 0
    PUMP = 1
    VALVE = 2
    CONDUIT = 3
    ORIFICE = 4
    WEIR = 5
    OUTLET = 6
    CABLE = 7
    SWITCH = 8
    TRANSFORMER = 9


@dataclass(frozen=True)
class UtilityNetwork:
    """One utility network.

    Attributes
    ----------
    utility : Utility
    nodes, links : FeatureTable
        Identifiers and attributes as written in the source, converted to SI.
    node_kind : (N,) uint8, link_kind : (L,) uint8
        `NodeKind` and `LinkKind` codes.
    positions : (N, 3) float64
        World coordinates; z is the invert or pipe-axis elevation [m], NaN where the source gives none, x and y NaN where
        a node has no coordinates.
    start, end : (L,) int32
        Node rows of the two ends; flow from start to end is positive.
    diameters : (L,) float64
        Outer diameter, or height of a non-circular section [m]; NaN unknown.
    lengths : (L,) float64
        Length as the source states it, else measured [m].
    bend_points : (B, 3) float64, bend_offsets : (L + 1,) int64
        Ragged intermediate vertices of each link, start to end, ends not included.
    is_open : (L,) bool
        False for closed valves, closed pipes, open switches.
    areas : VectorLayer or None
        Subcatchments or supply zones that come with the network.
    metadata : mapping
        Title, flow units, options as the file gives them.
    """

    utility: Utility
    nodes: FeatureTable
    links: FeatureTable
    node_kind: UInt8
    link_kind: UInt8
    positions: Float
    start: Int32
    end: Int32
    diameters: Float
    lengths: Float
    bend_points: Float = field(default_factory=lambda: np.zeros((0, 3)))
    bend_offsets: Int | None = None
    is_open: np.ndarray | None = None
    areas: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, count = len(self.nodes), len(self.links)
        require_shape("positions", self.positions, n, 3)
        require_shape("node_kind", self.node_kind, n)
        for name in ("link_kind", "start", "end", "diameters", "lengths"):
            require_shape(name, getattr(self, name), count)
        if self.bend_offsets is None:
            object.__setattr__(self, "bend_offsets", np.zeros(count + 1, dtype=np.int64))
        if self.is_open is None:
            object.__setattr__(self, "is_open", np.ones(count, dtype=bool))

    @property
    def bounds(self) -> Float:
        """(2, 3) world minimum and maximum of the placed nodes and bends; NaN when nothing is placed."""
        return bounds_of_points(np.concatenate([self.positions, self.bend_points]))

    @cached_property
    def adjacency(self) -> tuple[Int, Int, Int]:
        """CSR of the undirected graph: (N + 1,) offsets, (2 L,) neighbour nodes, (2 L,) link rows."""
        ends = np.concatenate([self.start, self.end])
        others = np.concatenate([self.end, self.start])
        rows = np.concatenate([np.arange(len(self.links))] * 2)
        order = np.argsort(ends, kind="stable")
        offsets = np.zeros(len(self.nodes) + 1, dtype=np.int64)
        np.cumsum(np.bincount(ends, minlength=len(self.nodes)), out=offsets[1:])
        return offsets, others[order].astype(np.int64), rows[order].astype(np.int64)

    def find(self, ref: str) -> tuple[bool, int]:
        """Return whether ``ref`` is a node, and its row.

        ``node:<id>`` and ``link:<id>`` are exact; a bare identifier is a link if there is one, else a node.

        Raises
        ------
        KeyError
            If there is neither.
        """
        kind, colon, name = ref.partition(":")
        if colon and kind == "node" and name in self.nodes:
            return True, self.nodes.row_of(name)
        if colon and kind == "link" and name in self.links:
            return False, self.links.row_of(name)
        return (False, self.links.row_of(ref)) if ref in self.links else (True, self.nodes.row_of(ref))

    def ref_of_node(self, row: int) -> str:
        """Return what an `AssetRef` calls a node: ``node:<id>``."""
        return f"{NODE_PREFIX}{self.nodes.ids[row]}"

    def link_points(self, link: int) -> Float:
        """Return the (P, 3) polyline of one link, both ends included."""
        assert self.bend_offsets is not None
        bends = self.bend_points[self.bend_offsets[link] : self.bend_offsets[link + 1]]
        return np.vstack([self.positions[self.start[link]], bends, self.positions[self.end[link]]])
