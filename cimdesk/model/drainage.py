"""Drains below a flood: what takes part, what they hold at a moment, and what their nodes did in a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Float32, Strings

SPILLS = 0.002
"""Flow out of a manhole from which it is said to spill [m3/s]."""


@dataclass(frozen=True)
class OutsideFlows:
    """What the drains took beyond the part of a grid that is simulated, as another run had it.

    Attributes
    ----------
    rows : (J,) int64
        Of the nodes.
    times : (T,) float64
        [s from the start].
    flows : (T, J) float32
        Flow into the drains in the span before each time [m3/s].
    """

    rows: AnyArray
    times: Float
    flows: Float32


@dataclass(frozen=True)
class Drainage:
    """Drains that exchange water with the surface both ways; hydraulics by SWMM.

    Attributes
    ----------
    source : str
        The SWMM input file.
    digest : str
        Hash of its content, so that results of another version of it can be told.
    ids : (N,) str, positions : (N, 2) float64
        Every node and where it is in the world; NaN where the file does not say.
    rims, inverts : (N,) float64
        Ground and bottom of each node [m]; rims are NaN where the file does not say.
    is_outfall, is_sealed : (N,) bool
        Outfalls; nodes with a cover that lets no water through.
    clogging : (N,) float64
        Share of each inlet that is blocked, 0 to 1.
    intake_limit : float
        Most water an inlet takes [m3/s].
    manhole_area : float
        Open area of a manhole [m2].
    step : float
        Time step of the pipes [s].
    encoding : str
        Of the SWMM file.
    outside : OutsideFlows or None
        What is known of the manholes beyond the grid.
    """

    source: str
    digest: str
    ids: Strings
    positions: Float
    rims: Float
    inverts: Float
    is_outfall: Bool
    is_sealed: Bool
    clogging: Float
    intake_limit: float = float("inf")
    manhole_area: float = 1.167
    step: float = 1.0
    encoding: str = "utf-8"
    outside: OutsideFlows | None = None


@dataclass(frozen=True)
class NodeState:
    """A node at a moment: water above its invert and above the ground [m], and flow into the drains there [m3/s]."""

    depth: float
    surcharge: float
    exchange: float


@dataclass(frozen=True)
class DrainageSeries:
    """What the nodes of the drains did.

    Attributes
    ----------
    ids : (N,) str, positions : (N, 2) float64, inverts, rims : (N,) float64
        Nodes in the world [m]; ``rims`` is the ground water comes out at, NaN at outfalls.
    times : (F,) float64
        Seconds from the start.
    depths : (F, N) float32
        Water above the invert [m].
    exchange : (F, N) float32
        Mean flow through manhole, inlet or outfall since the time before, positive into the drains [m3/s].
    """

    ids: Strings
    positions: Float
    inverts: Float
    rims: Float
    times: Float
    depths: Float32
    exchange: Float32

    @property
    def surcharge(self) -> Float32:
        """(F, N) float32 water above the ground [m], never negative."""
        above = self.depths + np.nan_to_num(self.inverts - self.rims, nan=-np.inf)
        return np.maximum(above, 0.0).astype(np.float32)

    def state_of(self, node: str, seconds: float) -> NodeState | None:
        """Return what one node did at a time from the start [s]; None where the drains have no such node."""
        found = np.flatnonzero(self.ids == node)
        if not len(found):
            return None
        row, column = self.row_at(seconds), int(found[0])
        above = self.surcharge[row, column]
        return NodeState(float(self.depths[row, column]), float(above), float(self.exchange[row, column]))

    def surcharge_at(self, seconds: float) -> Float32:
        """Return (N,) float32 water above the ground at a time from the start [m]."""
        surcharge: Float32 = self.surcharge[self.row_at(seconds)]
        return surcharge

    def spilling_at(self, seconds: float) -> Float32:
        """Return (N,) float32 flow out of each node onto the ground at a time from the start [m3/s], never negative."""
        if not len(self.times) or seconds < self.times[0]:
            return np.zeros(len(self.ids), dtype=np.float32)
        spilling: Float32 = np.maximum(-self.exchange[self.row_at(seconds)], np.float32(0.0))
        return spilling

    def row_at(self, seconds: float) -> int:
        """Return the row in force at a time from the start [s]."""
        return min(max(int(np.searchsorted(self.times, seconds, side="right")) - 1, 0), len(self.times) - 1)


@dataclass(frozen=True)
class SewerState:
    """The drains after some steps.

    Attributes
    ----------
    heads : (K,) float64
        Head at each node that meets the surface [m].
    outfall_volumes : (M,) float64
        What left through each outfall on the grid meanwhile [m3]; negative where water came in.
    lost : float
        What left the model meanwhile, through outfalls off the grid and where sealed nodes overflow [m3].
    received : (K,) float64
        What the pipes took at each node, by their own flow and time [m3].
    """

    heads: Float
    outfall_volumes: Float
    lost: float
    received: Float


@dataclass(frozen=True)
class SewerTotals:
    """The pipes' own account of a run [m3].

    Attributes
    ----------
    initial, stored : float
        Water in nodes and pipes at the start and at the end.
    external, dry_weather : float
        Inflow from the surface and by other inflows of the file; dry-weather flow.
    outflow, flooding : float
        What left, including what went back to the surface, and what overflowed at sealed nodes.
    """

    initial: float
    stored: float
    external: float
    dry_weather: float
    outflow: float
    flooding: float

    @property
    def continuity_error(self) -> float:
        """What the routing lost, or made (negative), as a share of all that came."""
        came = self.initial + self.external + self.dry_weather
        return (came - self.outflow - self.flooding - self.stored) / came if came > 0.0 else 0.0
