"""Drains coupled with the surface both ways: the exchange through manholes and inlets, outfalls, and the ledger of it all.

The flow in the pipes is somebody else's (`Sewers`; in practice SWMM in a process of its own). Here is what passes between the
two. The laws are those of Rubinato et al. (2017), J. Hydrol. 552, 421-432, for a manhole of open area A and rim length
w = 2 sqrt(pi A), with crest z, depth d on the street and head H in the drain:

* H above the street's water: orifice out of the drain, Co A sqrt(2 g (H - z - d));
* H below the crest: free weir into the drain, 2/3 Cf w d^1.5 sqrt(2 g);
* in between: submerged weir, Cs w d sqrt(2 g (z + d - H)), or an orifice inwards once d > A / w.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cimdesk.base.arrays import Bool, Float, Int32
from cimdesk.model.drainage import SewerState

GRAVITY = 9.81
LEAST_STAGE_DEPTH = 0.02
"""Water shallower than this at an outfall does not hold back what comes out [m]."""
NOTHING = 1e-9
"""Volumes below this are not worth a message to the drains [m3]."""


@dataclass(frozen=True)
class Coefficients:
    """Discharge coefficients measured by Rubinato et al. (2017)."""

    orifice: float = 0.167
    free_weir: float = 0.54
    submerged_weir: float = 0.056


@dataclass(frozen=True)
class Inlets:
    """Manholes and inlets where the surface and the drains meet.

    Attributes
    ----------
    cells : (K, 2) int32
        Row and column on the grid.
    crests : (K,) float64
        Ground [m].
    open_share : (K,) float64
        What clogging leaves of each inlet, 0 to 1; it holds back what goes in, not what comes out.
    limits : (K,) float64
        Most each takes [m3/s].
    area : float
        Open area of one [m2].
    """

    cells: Int32
    crests: Float
    open_share: Float
    limits: Float
    area: float


@dataclass(frozen=True)
class Outfalls:
    """Ends of the drains that lie on the grid: row and column (M, 2) int32, ground and invert (M,) float64 [m]."""

    cells: Int32
    beds: Float
    inverts: Float


class Sewers(Protocol):
    """Flow in the pipes."""

    @property
    def heads(self) -> Float:
        """(K,) float64 head at each inlet now [m]."""
        ...

    def advance(self, steps: int, volumes: Float, levels: Float) -> SewerState:
        """Take ``steps`` time steps with (K,) volumes [m3] spread over them and (M,) levels outside the outfalls [m]."""
        ...


def exchange_flow(heads: Float, depths: Float, crests: Float, area: float, laws: Coefficients) -> Float:
    """Return the flow through manholes, positive into the drains.

    Parameters
    ----------
    heads, crests : (K,) float64
        Head in the drain and ground around the manhole [m].
    depths : (K,) float64
        Water on the ground [m].
    area : float
        Open area of a manhole [m2].
    laws : Coefficients

    Returns
    -------
    (K,) float64
        [m3/s]
    """
    rim = 2.0 * np.sqrt(np.pi * area)
    levels = crests + depths
    drop = levels - heads
    speed = np.sqrt(2.0 * GRAVITY * np.abs(drop))
    orifice = laws.orifice * area * speed
    free = (2.0 / 3.0) * laws.free_weir * rim * np.sqrt(2.0 * GRAVITY) * depths**1.5
    submerged = np.where(depths > area / rim, orifice, laws.submerged_weir * rim * depths * speed)
    inwards = np.where(heads < crests, free, submerged)
    flow: Float = np.where(drop < 0.0, np.where(heads > crests, -orifice, 0.0), np.where(depths > 0.0, inwards, 0.0))
    return flow


@dataclass
class DrainageLedger:
    """Where the water went between surface and drains, as the surface booked it and as the pipes did [m3].

    Attributes
    ----------
    inflow, surcharge : float
        Taken from the surface, and given to it, at manholes.
    received : float
        What the pipes took (net) by their own flow and time.
    outfall : float
        What left the pipes through outfalls on the grid (net).
    outfall_paid : float
        What of that has reached the surface.
    lost : float
        What left the model from the pipes.
    """

    inflow: float = 0.0
    surcharge: float = 0.0
    received: float = 0.0
    outfall: float = 0.0
    outfall_paid: float = 0.0
    lost: float = 0.0

    def missing(self, in_transit: float, owed: float) -> float:
        """Return the water that neither side nor what is between them accounts for [m3]."""
        return (self.inflow - self.surcharge - self.received - in_transit) + (self.outfall - self.outfall_paid - owed)


@dataclass
class DrainageExchange:
    """Exchanges water between a run and drains; one of the run's `exchanges`.

    The surface pays and is paid at every step of its own, with the heads of the last meeting. What has passed is handed to the
    pipes at the next meeting, each ``interval`` seconds. Two rules keep that stable: a manhole never takes or gives more than
    would level its shaft with the street, counting what is still in transit, and the pipes get what is in transit over about
    ``relaxation`` seconds, because surcharged pipes answer jumps of flow with water they do not have.

    Attributes
    ----------
    inlets, outfalls : Inlets, Outfalls
    sewers : Sewers
    cell_area : float
        [m2]
    interval : float
        Between meetings, a whole number of ``sewer_step`` [s].
    sewer_step, relaxation : float
        [s].
    """

    inlets: Inlets
    outfalls: Outfalls
    sewers: Sewers
    cell_area: float
    sewer_step: float = 1.0
    interval: float = 1.0
    relaxation: float = 2.0
    laws: Coefficients = field(default_factory=Coefficients)

    def __post_init__(self) -> None:
        count, ends = len(self.inlets.crests), len(self.outfalls.beds)
        self.cells: Int32 = np.concatenate([self.inlets.cells, self.outfalls.cells]).astype(np.int32)
        self.ledger = DrainageLedger()
        self.in_transit: Float = np.zeros(count)
        self.owed: Float = np.zeros(ends)
        self.passed: Float = np.zeros(count)
        self.given: Float = np.zeros(count)
        self.delivered: Float = np.zeros(ends)
        self.sewer_time = 0.0
        self._rates: Float = np.zeros(ends)
        self._asked: Float = np.zeros(count + ends)
        self._heads = self.sewers.heads.astype(np.float64)
        self._next = self.interval
        self._levels: Float = self.outfalls.inverts.copy()

    @property
    def known_heads(self) -> Float:
        """(K,) float64 heads at the last meeting [m]."""
        return self._heads

    @property
    def is_surcharging(self) -> Bool:
        """(K,) bool: where the head is above the ground now."""
        return np.asarray(self._heads > self.inlets.crests)

    def step(self, time: float, dt: float, depths: Float, levels: Float) -> Float:
        """Return the (K + M,) volumes that should come to the surface in a step [m3]; see `exchange.Exchange`.

        A step longer than ``interval`` is gone through in parts, each with what those before it left on the street.
        """
        count = len(self.inlets.crests)
        self._levels = self._outside(depths[count:], levels[count:])
        parts = max(1, int(np.ceil(dt / self.interval - 1e-9)))
        self._asked = np.zeros(len(depths))
        fall = np.zeros(count)
        for part in range(parts):
            if time + part * dt / parts >= self._next - 1e-9:
                self.meet(time + part * dt / parts)
            taken = self._wanted(dt / parts, np.maximum(depths[:count] - fall, 0.0), levels[:count] - fall)
            paid = _towards_zero(self.owed, self._rates * (dt / parts))
            self.in_transit += taken
            self.owed -= paid
            self._asked += np.concatenate([-taken, paid])
            fall += taken / self.cell_area
        return self._asked

    def accepted(self, volumes: Float) -> None:
        """Book the (K + M,) volumes that did come to the surface [m3]."""
        count = len(self.inlets.crests)
        taken, paid = -volumes[:count], volumes[count:]
        self.in_transit += taken + self._asked[:count]
        self.owed -= paid - self._asked[count:]
        self.passed += taken
        self.given += np.maximum(-taken, 0.0)
        self.delivered += paid
        self.ledger.inflow += float(taken[taken > 0.0].sum())
        self.ledger.surcharge -= float(taken[taken < 0.0].sum())
        self.ledger.outfall_paid += float(paid.sum())

    def meet(self, time: float) -> None:
        """Bring the pipes up to ``time`` [s from the start] with what has passed since the last meeting."""
        steps = int((time - self.sewer_time) / self.sewer_step + 1e-6)
        self._next = self.interval * (np.floor(time / self.interval + 1e-9) + 1.0)
        if steps < 1:
            return
        span = steps * self.sewer_step
        share = 1.0 if self.relaxation <= span else span / self.relaxation
        volumes = np.where(np.abs(self.in_transit) > NOTHING, self.in_transit * share, 0.0)
        state = self.sewers.advance(steps, volumes, self._levels)
        self.sewer_time += span
        self._heads = state.heads
        self.in_transit -= state.received
        self.owed += state.outfall_volumes
        self._rates = self.owed / self.interval
        self.ledger.received += float(state.received.sum())
        self.ledger.outfall += float(state.outfall_volumes.sum())
        self.ledger.lost += state.lost

    @property
    def mass_missing(self) -> float:
        """Water that surface, pipes and what is between them do not account for [m3]; rounding, when all is well."""
        return self.ledger.missing(float(self.in_transit.sum()), float(self.owed.sum()))

    def _wanted(self, dt: float, depths: Float, levels: Float) -> Float:
        """Return (K,) volumes to take from the surface in a step [m3]; negative where the drain gives."""
        places = self.inlets
        heads = self._heads + np.where(self._heads > places.crests, self.in_transit / places.area, 0.0)
        flow = exchange_flow(heads, depths, places.crests, places.area, self.laws)
        flow = np.where(flow > 0.0, np.minimum(flow * places.open_share, places.limits), flow)
        # What would level shaft and street; in a drain that is not full, what the shaft still holds.
        filled = self._heads + self.in_transit / places.area
        level = (levels - filled) * places.area
        return np.where(flow > 0.0, np.clip(level, 0.0, flow * dt), np.clip(level, flow * dt, 0.0))

    def _outside(self, depths: Float, levels: Float) -> Float:
        """Return the level each outfall sees: the water outside it, or its own invert where that is shallow or used up."""
        is_wet = (depths > LEAST_STAGE_DEPTH) & (self.owed > -1e-6)
        return np.where(is_wet, np.maximum(levels, self.outfalls.inverts), self.outfalls.inverts)


def _towards_zero(owed: Float, step: Float) -> Float:
    """Return as much of ``owed`` as ``step`` allows: never more than is owed, never of the other sign."""
    return np.asarray(np.sign(owed) * np.minimum(np.abs(owed), np.abs(step)))


def inlet_cells(rows: Int32, columns: Int32, is_open: Bool, reach: int) -> tuple[Int32, Bool]:
    """Return the open cell nearest to each cell within ``reach`` cells, and whether there is one.

    Parameters
    ----------
    rows, columns : (K,) int32
        May be off the grid.
    is_open : (R, C) bool
    """
    found = np.stack([rows, columns], axis=1).astype(np.int32)
    ok = np.zeros(len(rows), dtype=bool)
    for dr, dc in _around(reach):
        r, c = rows + dr, columns + dc
        inside = (r >= 0) & (r < is_open.shape[0]) & (c >= 0) & (c < is_open.shape[1]) & ~ok
        hit = np.flatnonzero(inside)
        hit = hit[is_open[r[hit], c[hit]]]
        found[hit] = np.stack([r[hit], c[hit]], axis=1)
        ok[hit] = True
    return found, ok


def lowest_cells(cells: Int32, beds: Float, is_open: Bool, reach: int) -> Int32:
    """Return the lowest open cell within ``reach`` cells of each of the open ``cells`` (M, 2): where an outfall lets out."""
    best = cells.copy()
    for dr, dc in _around(reach):
        r, c = cells[:, 0] + dr, cells[:, 1] + dc
        at = np.flatnonzero((r >= 0) & (r < beds.shape[0]) & (c >= 0) & (c < beds.shape[1]))
        at = at[is_open[r[at], c[at]]]
        at = at[beds[r[at], c[at]] < beds[best[at, 0], best[at, 1]]]
        best[at] = np.stack([r[at], c[at]], axis=1)
    return best


def _around(reach: int) -> list[tuple[int, int]]:
    steps = range(-reach, reach + 1)
    around = [(dr, dc) for dr in steps for dc in steps if dr * dr + dc * dc <= reach * reach + 0.5]
    return sorted(around, key=lambda step: (step[0] ** 2 + step[1] ** 2, step))
